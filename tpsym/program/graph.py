"""The graph of a program and the builder that interns its instructions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import networkx as nx
import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span
from tpsym.program.instructions import (
    Dimension,
    Instruction,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    arguments,
    scalar_slot,
    vector_slot,
)

if TYPE_CHECKING:
    Graph = nx.DiGraph[int]


Source = tuple[object, ...]
"""What Gaussians are correlated within: a matrix in one orientation, or an initial family."""


def source(instruction: MatMul | Vector) -> Source:
    """Where the randomness of a product or of an initial vector comes from."""
    if isinstance(instruction, MatMul):
        return ("matrix", instruction.matrix, instruction.transposed)
    return ("initial", instruction.family)


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop over layers whose last round is a symbol: the graph holds one round of it, at the layer ``index``.

    ``statement`` identifies the loop in the file: loops of one statement differ in the inputs of the network.
    By component, ``entry`` are the states one layer before, ``exit`` what the round makes of them and ``initial``
    the vectors before the first round, ``low``; ``names`` is what they are called, with the index left open as
    ``{}``, which is the layer plus one of the ``offsets``. ``sources`` are the matrices and initial
    families that the rounds share, as :func:`source` gives them, ``layered`` the arrays of each round: a family,
    the distance of its index from the layer (oo for an array of all rounds), and whether it stands transposed.
    ``gaussian`` says that the states are Gaussian, ``centred`` which of them have mean zero.
    """

    statement: int
    index: Symbol
    low: Expr
    high: Expr
    names: tuple[str, ...]
    offsets: tuple[Expr, ...]
    entry: tuple[int, ...]
    exit: tuple[int, ...]
    initial: tuple[int, ...]
    sources: frozenset[Source]
    layered: frozenset[tuple[str, Expr, bool]]
    gaussian: bool
    centred: tuple[bool, ...]

    def label(self, component: int, layer: Expr) -> str:
        """What a carried vector is called at a layer."""
        return self.names[component].format(layer_text(layer + self.offsets[component]))


def layer_text(layer: Expr) -> str:
    """A layer as it is written in an index."""
    return str(sp.expand(layer)).replace(" ", "")


@dataclass(frozen=True, slots=True)
class Program:
    """A tensor program: ``graph`` has the instructions as node attribute ``instruction``.

    Numbers grow in program order: every argument has a smaller number than its user. ``labels`` and
    ``spans`` say what a node is called in the file and where; ``covariances`` holds the covariance
    of initial vectors, keyed by the pair with the smaller number first (absent means 0). ``loops`` are those
    that :class:`~tpsym.program.instructions.State` refers to; ``layered`` gives family and index of an initial
    array that belongs to a symbolic layer.
    """

    graph: Graph
    labels: Mapping[int, str]
    spans: Mapping[int, Span]
    covariances: Mapping[tuple[int, int], Expr]
    loops: Sequence[Loop] = ()
    layered: Mapping[int, tuple[str, Expr]] = field(default_factory=dict)

    def __getitem__(self, node: int) -> Instruction:
        instruction: Instruction = self.graph.nodes[node]["instruction"]
        return instruction

    def __len__(self) -> int:
        return int(self.graph.number_of_nodes())

    def label(self, node: int) -> str:
        """The name of a node in the file, or ``#7`` for an unnamed one."""
        instruction = self[node]
        return self.labels.get(node, instruction.name if isinstance(instruction, Vector) else f"#{node}")

    def covariance(self, a: int, b: int) -> Expr:
        """Covariance per coordinate of two initial vectors."""
        return self.covariances.get((min(a, b), max(a, b)), S.Zero)

    def ancestors(self, nodes: Iterable[int]) -> list[int]:
        """The given nodes and everything they are computed from, in program order."""
        seen: set[int] = set()
        todo = list(nodes)
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo.extend(arguments(self[node]))
        return sorted(seen)

    def behind(self, nodes: Iterable[int]) -> list[int]:
        """The ancestors of nodes, through loops over layers too: their rounds and what these start from."""
        found: set[int] = set()
        todo = list(nodes)
        while todo:
            new = set(self.ancestors(todo)) - found
            found |= new
            loops = {i.loop for k in new if isinstance(i := self[k], State)}
            todo = [k for i in loops for k in (*self.loops[i].initial, *self.loops[i].exit)]
        return sorted(found)


@dataclass(slots=True)
class Builder:
    """Grows a program; the same instruction is the same node."""

    graph: Graph = field(default_factory=nx.DiGraph)
    labels: dict[int, str] = field(default_factory=dict)
    spans: dict[int, Span] = field(default_factory=dict)
    covariances: dict[tuple[int, int], Expr] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)
    layered: dict[int, tuple[str, Expr]] = field(default_factory=dict)
    _interned: dict[Instruction, int] = field(default_factory=dict)

    def program(self) -> Program:
        """The program so far; it goes on growing with the builder, numbers never change."""
        return Program(self.graph, self.labels, self.spans, self.covariances, self.loops, self.layered)

    def __getitem__(self, node: int) -> Instruction:
        instruction: Instruction = self.graph.nodes[node]["instruction"]
        return instruction

    def add(self, instruction: Instruction, *, span: Span | None = None, label: str | None = None) -> int:
        """The number of this instruction, new or known. The first label and place given stay."""
        node = self._interned.get(instruction)
        if node is None:
            node = len(self._interned)
            self._interned[instruction] = node
            self.graph.add_node(node, instruction=instruction)
            self.graph.add_edges_from((argument, node) for argument in arguments(instruction))
        if label is not None:
            self.labels.setdefault(node, label)
        if span is not None:
            self.spans.setdefault(node, span)
        return node

    def matrix(
        self, name: str, rows: Dimension, columns: Dimension, variance: Expr, *, span: Span | None = None
    ) -> int:
        """An initial matrix with entries N(0, variance/columns)."""
        return self.add(Matrix(name, rows, columns, variance), span=span, label=name)

    def vector(
        self,
        name: str,
        dimension: Dimension,
        *,
        family: str | None = None,
        mean: Expr = S.Zero,
        covariance: Mapping[int, Expr] | None = None,
        variance: Expr = S.One,
        span: Span | None = None,
        label: str | None = None,
    ) -> int:
        """An initial vector; ``covariance`` maps earlier vectors of its family to their covariance."""
        node = self.add(Vector(name, dimension, family or name, mean), span=span, label=label)
        self.covariances[(node, node)] = variance
        for other, value in (covariance or {}).items():
            self.covariances[(min(node, other), max(node, other))] = value
        return node

    def random_scalar(self, name: str, mean: Expr, variance: Expr, *, span: Span | None = None) -> int:
        """An initial random scalar N(mean, variance)."""
        return self.add(RandomScalar(name, mean, variance), span=span, label=name)

    def matmul(self, matrix: int, vector: int, *, transposed: bool = False, span: Span | None = None) -> int:
        """``W x`` or ``Wᵀ x``."""
        w = self[matrix]
        assert isinstance(w, Matrix)
        dimension = w.columns if transposed else w.rows
        return self.add(MatMul(matrix, transposed, vector, dimension), span=span)

    def nonlin(
        self, expression: Expr, nodes: Mapping[Symbol, int], dimension: Dimension, *, span: Span | None = None
    ) -> int:
        """A coordinatewise function: ``nodes`` says which node each symbol of ``expression`` is."""
        payload, vectors, scalars = self._slots(expression, nodes)
        return self.add(Nonlin(payload, vectors, scalars, dimension), span=span)

    def moment(
        self,
        expression: Expr,
        nodes: Mapping[Symbol, int],
        dimension: Dimension | None,
        *,
        span: Span | None = None,
    ) -> int:
        """``(1/n) Σ_α expression``; of scalars alone, the expression itself."""
        payload, vectors, scalars = self._slots(expression, nodes)
        return self.add(Moment(payload, vectors, scalars, dimension if vectors else None), span=span)

    def outer(
        self,
        payload: Expr,
        *,
        order: int,
        vectors: tuple[int, ...],
        scalars: tuple[int, ...] = (),
        dimension: Dimension,
        span: Span | None = None,
    ) -> int:
        """An outer nonlinearity; the payload is given in its slots."""
        return self.add(OuterNonlin(payload, order, vectors, scalars, dimension), span=span)

    def _slots(
        self, expression: Expr, nodes: Mapping[Symbol, int]
    ) -> tuple[Expr, tuple[int, ...], tuple[int, ...]]:
        used = sorted(((nodes[s], s) for s in expression.free_symbols if s in nodes), key=lambda pair: pair[0])
        vectors = [(n, s) for n, s in used if not isinstance(self[n], Moment | RandomScalar)]
        scalars = [(n, s) for n, s in used if isinstance(self[n], Moment | RandomScalar)]
        slots = {s: vector_slot(i) for i, (_, s) in enumerate(vectors)}
        slots |= {s: scalar_slot(i) for i, (_, s) in enumerate(scalars)}
        return expression.xreplace(slots), tuple(n for n, _ in vectors), tuple(n for n, _ in scalars)
