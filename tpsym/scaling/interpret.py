"""The interpreter of the graph in sizes: one pass reads every vector and scalar after some steps of training.

.. math:: W x \\mapsto n^{1/2}\\,|W|\\,|x| \\quad\\text{for an initial } W,

and more by :math:`n^{(c-r)/2}` where x knows W and W has more columns, n^c, than rows, n^r (the correlation part of the
Master Theorem, read in sizes); what updates add is in :mod:`tpsym.scaling.updates`. While features stay of order one a
nonlinear function of them does too, and changes by as much as they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

from sympy import Expr, Symbol

from tpsym.errors import NOWHERE, fail
from tpsym.polyhedra.forms import Form, number
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.program.scope import Context
from tpsym.program.values import node_symbol
from tpsym.scaling.arrays import HALF, Array, Scale, Use
from tpsym.scaling.payload import ABSENT, NotLinear, Pair, Reader
from tpsym.scaling.sizes import EVEN, NOTHING, ONE, Known, Parts, Signature, Size, Source, product, shifted, total, united
from tpsym.scaling.sizes import unsymmetric, untagged
from tpsym.scaling.updates import Contraction, Outer, Rules, contracted, policy

Role = Literal["vector", "narrow", "denominator", "scalar"]


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a nonlinear function or a contraction reads in the forward pass.

    Vectors and denominators are of order one, scalars of order one at most; so are vectors in a width that grows slower
    than another one, for what training adds to a wider layer is aligned with what reads it. ``change`` are the forms of
    the change as far as constraints met before leave them.
    """

    role: Role
    node: int
    expr: Expr
    pair: Pair
    change: Size = NOTHING


@dataclass(frozen=True)
class Setting:
    """What does not change from pass to pass: the program, its arrays, where they act, the rules of the optimizer."""

    context: Context
    scale: Scale
    outputs: tuple[Expr, ...]
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    arrays: tuple[Array, ...]
    uses: Mapping[str, tuple[Use, ...]]
    rules: Rules

    @cached_property
    def program(self) -> Program:
        return self.context.builder.program()

    @cached_property
    def by_node(self) -> dict[int, Array]:
        """Arrays that are one node of the program."""
        return {a.node: a for a in self.arrays if a.node is not None}

    @cached_property
    def by_family(self) -> dict[str, Array]:
        """Input layers by name."""
        return {a.name: a for a in self.arrays if a.kind == "input"}

    @cached_property
    def initial_vectors(self) -> frozenset[int]:
        """Vectors that are arrays themselves rather than what an array gives."""
        vectors = (k for k in self.program.graph if isinstance(self.program[k], Vector))
        return frozenset(k for k in vectors if self.program[k].family not in self.context.input_families)  # type: ignore[union-attr]

    @cached_property
    def widest(self) -> Fraction:
        """The largest growth of a width in the network."""
        return max((self.scale.growth(d) for k in self.forward if (d := self._dimension(k))), default=Fraction(1))

    def _dimension(self, node: int) -> Dimension | None:
        return getattr(self.program[node], "dimension", None)

    def is_narrow(self, expr: Expr) -> bool:
        """Whether an expression is a vector in a width that grows slower than another one."""
        nodes = (self.context.nodes[s] for s in expr.free_symbols if s in self.context.nodes)
        sizes = [self.scale.growth(d) for k in nodes
                 if not isinstance(self.program[k], Moment) and (d := self._dimension(k))]
        return bool(sizes) and max(sizes) < self.widest

    @cached_property
    def behind(self) -> frozenset[Source]:
        """Every array that the network or its gradients are computed from."""
        found: set[Source] = set()
        for node in self.program.ancestors((*self.forward, *self.backward)):
            instruction = self.program[node]
            if isinstance(instruction, Matrix):
                found.add(node)
            elif isinstance(instruction, Vector):
                found.add(instruction.family)
        return frozenset(found)

    @cached_property
    def in_forward(self) -> frozenset[int]:
        return frozenset(self.forward)


@dataclass(slots=True)
class Pass:
    """One reading of the program; ``before`` is the previous one, whose gradients the updates are made of.

    ``given`` are the sizes of what loops carry; with ``only`` no other array is updated.
    """

    setting: Setting
    known: Known
    before: Mapping[int, Pair] | None
    given: Mapping[int, Pair] = field(default_factory=dict)
    only: str | None = None
    values: dict[int, Pair] = field(default_factory=dict)
    features: list[Feature] = field(default_factory=list)
    met: dict[int, list[Contraction]] = field(default_factory=dict)
    outputs: list[Pair] = field(default_factory=list)
    moved_outputs: list[Size] = field(default_factory=list)

    def run(self) -> None:
        """Read the forward pass, then the backward one."""
        for node in self.setting.forward:
            self.visit(node)
        self.outputs = [self.expression(e, self.values) for e in self.setting.outputs]
        self.moved_outputs = [self.contain(p) for p in self.outputs] if self.before is not None else []
        for node in self.setting.backward:
            self.visit(node)

    def visit(self, node: int) -> None:
        """Read one instruction."""
        if isinstance(self.setting.program[node], Matrix):
            return
        found = self._read(node)
        if self.before is None and self.known.guide is None:
            self.values[node] = Pair(found.initial, {})
        else:
            change = found.change if node in self.setting.in_forward else untagged(found.change)
            change = unsymmetric(change, self.setting.behind)
            self.values[node] = Pair(self.known.pruned(found.initial), self.known.pruned(change))

    def _read(self, node: int) -> Pair:
        instruction = self.setting.program[node]
        match instruction:
            case Vector():
                return self._vector(node, instruction)
            case RandomScalar():
                shift = self.setting.by_node[node].extra if node in self.setting.by_node else number(0)
                initial = shifted({EVEN: ONE}, shift) if instruction.variance != 0 or instruction.mean != 0 else {}
                return Pair(initial, self._moved(node, initial))
            case MatMul():
                return self._matmul(node, instruction)
            case Nonlin():
                return self._reader(node, instruction).read(instruction.payload)
            case Moment():
                return self._moment(node, instruction)
            case OuterNonlin():
                return self._outer(node, instruction)
            case State() if node in self.given:
                return self.given[node]
            case State():
                raise fail(
                    "symbolic-depth", "scaling exponents need a number of layers", self.setting.program.spans.get(node),
                    fix="give the depth a value: depth L = 3 in the file, or --set L=3",
                )
        raise TypeError(f"no size for {type(instruction).__name__}")

    # --- arrays -------------------------------------------------------------------------------------

    def _vector(self, node: int, instruction: Vector) -> Pair:
        setting = self.setting
        array = setting.by_node.get(node) or setting.by_family.get(instruction.family)
        initial: dict[Signature, Size] = {}
        if instruction.mean != 0:
            initial[EVEN] = ONE
        if setting.program.covariance(node, node) != 0:
            initial[Signature(frozenset({instruction.family}))] = ONE
        if array is None:
            return Pair(initial, {})
        initial = shifted(initial, array.extra)
        return Pair(initial, self._moved(node, initial, array))

    def _moved(self, node: int, initial: Parts, array: Array | None = None) -> Parts:
        """The change of what an array gives without a vector to act on."""
        array = array or self.setting.by_node.get(node)
        if array is None or self.before is None or self.only not in (None, array.name):
            return {}
        rules = self.setting.rules
        updates = [rules.moved(array, self.outer(use)) for use in self.setting.uses[array.name]]
        return united(*updates, rules.decayed(array, initial))

    def outer(self, use: Use) -> Outer:
        """The outer product that a use of an array adds to its gradient, as it was before this step."""
        assert self.before is not None
        adjoint = self.expression(use.adjoint, self.before).now
        argument: Parts = {EVEN: ONE} if use.argument is None else self.before[use.argument].now
        return Outer(argument, adjoint) if use.transposed else Outer(adjoint, argument)

    def expression(self, expr: Expr, values: Mapping[int, Pair]) -> Pair:
        """The sizes of an expression over nodes."""
        nodes = self.setting.context.nodes
        given = {s: values[nodes[s]] for s in expr.free_symbols if s in nodes}
        return self._checked(Reader(self.setting.scale.symbol, given, lambda *_: None, self.known), expr, None)

    def _matmul(self, node: int, instruction: MatMul) -> Pair:
        matrix = self.setting.program[instruction.matrix]
        assert isinstance(matrix, Matrix)
        array = self.setting.by_node.get(instruction.matrix)
        z = self.values[instruction.vector]
        self._contracts(node, instruction.vector)
        initial = self._hat(instruction, matrix, array, z.initial)
        if self.before is None:
            return Pair(initial, {})
        change = self._hat(instruction, matrix, array, z.change)
        if array is None or self.only not in (None, array.name):
            return Pair(initial, change)
        added = []
        for use in self.setting.uses[array.name]:
            parts, contraction = self.setting.rules.applied(array, self.outer(use), z, transposed=instruction.transposed)
            self.met.setdefault(node, []).append(contraction)
            added.append(parts)
        return Pair(initial, united(change, *added, self.setting.rules.decayed(array, initial)))

    def _hat(self, instruction: MatMul, matrix: Matrix, array: Array | None, z: Parts) -> Parts:
        """An initial matrix times parts of a vector, with the correlation part where it is larger."""
        rows, columns = self.setting.scale.growth(matrix.rows), self.setting.scale.growth(matrix.columns)
        if instruction.transposed:
            rows, columns = columns, rows
        shift = self.setting.scale.entries(matrix) + columns * HALF
        shift = shift if array is None else shift + array.extra
        source: Source = instruction.matrix
        found: dict[Signature, Size] = {}
        for s, size in untagged(z).items():
            correlated = max((columns - rows) * HALF, 0 * HALF) if s.knows(source) else 0
            key = s.flipped(source)
            found[key] = found.get(key, frozenset()) | frozenset(f + shift + correlated for f in size)
        return found

    # --- payloads -----------------------------------------------------------------------------------

    def _reader(self, node: int, instruction: Nonlin | Moment) -> Reader:
        given: dict[Symbol, Pair] = {vector_slot(i): self.values[k] for i, k in enumerate(instruction.vectors)}
        given |= {scalar_slot(i): self.values[k] for i, k in enumerate(instruction.scalars)}
        slots = {vector_slot(i): node_symbol(k) for i, k in enumerate(instruction.vectors)}
        slots |= {scalar_slot(i): node_symbol(k) for i, k in enumerate(instruction.scalars)}
        vectors = {vector_slot(i) for i in range(len(instruction.vectors))}

        def feature(expr: Expr, pair: Pair, positive: bool) -> None:
            is_vector = bool(expr.free_symbols & vectors)
            self._feature("vector" if is_vector else "denominator" if positive else "scalar", node,
                          expr.xreplace(slots), pair)

        return Reader(self.setting.scale.symbol, given, feature, self.known)

    def _feature(self, role: Role, node: int, expr: Expr, pair: Pair) -> None:
        if node not in self.setting.in_forward:
            return
        if role == "vector" and self.setting.is_narrow(expr):
            role = "narrow"
        change = self.contain(pair) if self.before is not None else NOTHING
        self.features.append(Feature(role, node, expr, pair, change))

    def contain(self, pair: Pair) -> Size:
        """From here on the change of something stays of order one at most: the forms that this is asked of."""
        forms = self.known.maximal(frozenset(map(self.known.reduced, total(pair.change))))
        for form in forms:
            self.known.at_most_zero(form)
        return forms

    def _contracts(self, node: int, vector: int) -> None:
        if vector not in self.setting.initial_vectors:
            self._feature("vector", node, node_symbol(vector), self.values[vector])

    def _checked(self, reader: Reader, expr: Expr, node: int | None) -> Pair:
        try:
            return reader.read(expr)
        except NotLinear as error:
            span = self.setting.program.spans.get(node) if node is not None else None
            what = f"the exponent {error} is not linear in the parameters with rational coefficients"
            raise fail("nonlinear-exponent", what, span or NOWHERE) from None

    def _moment(self, node: int, instruction: Moment) -> Pair:
        reader = self._reader(node, instruction)
        if instruction.dimension is None:
            return self._checked(reader, instruction.payload, node)
        for k in instruction.vectors:
            self._contracts(node, k)
        width = self.setting.scale.growth(instruction.dimension)
        pair = self._checked(reader, instruction.payload, node)
        initial = self._mean(node, pair.initial, width, None)
        change = self._change_of_mean(node, instruction, pair, width)
        return Pair(initial, change)

    def _mean(self, node: int, parts: Parts, width: object, aligned: bool | None) -> Parts:
        found: dict[Signature, Size] = {}
        for s, size in parts.items():
            law = contracted({s: size}, {EVEN: ONE}, width, aligned=aligned)  # type: ignore[arg-type]
            self.met.setdefault(node, []).append(law)
            key = EVEN._replace(tag=s.tag)
            found[key] = found.get(key, frozenset()) | frozenset(f - width for f in law.size)  # type: ignore[operator]
        return found

    def _change_of_mean(self, node: int, instruction: Moment, pair: Pair, width: object) -> Parts:
        """The change of a mean; where a readout meets a vector the alignment that is assumed for arrays holds."""
        alignment = self.setting.rules.alignment
        arrays = [i for i, k in enumerate(instruction.vectors) if k in self.setting.initial_vectors]
        if alignment == "worst" or len(arrays) != 1 or self.before is None:
            return self._mean(node, pair.change, width, None)
        slot, reader = vector_slot(arrays[0]), self._reader(node, instruction)
        array = reader.values[slot]

        def at(value: Pair) -> Parts:
            values = {**reader.values, slot: value}
            return Reader(reader.n, values, lambda *_: None, self.known).read(instruction.payload).change

        kept = self._mean(node, at(Pair(array.initial, {})), width, policy(alignment, updated=False))
        moved = {s: x for s, x in at(Pair({}, array.change)).items()}
        return united(kept, self._mean(node, moved, width, policy(alignment, updated=True)))

    def _outer(self, node: int, instruction: OuterNonlin) -> Pair:
        """Rows as they are; sums over further coordinates by the symmetries of their own copies."""
        given: dict[Symbol, Pair] = {vector_slot(i): self.values[k] for i, k in enumerate(instruction.vectors)}
        given |= {scalar_slot(i): self.values[k] for i, k in enumerate(instruction.scalars)}
        for copy in range(instruction.order):
            given |= {
                column_slot(copy, i): _copied(self.values[k], copy) for i, k in enumerate(instruction.vectors)
            }
        pair = self._checked(Reader(self.setting.scale.symbol, given, lambda *_: None, self.known), instruction.payload, node)
        width = self.setting.scale.growth(instruction.dimension)
        return Pair(_summed(pair.initial, instruction.order, width), _summed(pair.change, instruction.order, width))


def _copied(pair: Pair, copy: int) -> Pair:
    """A vector at another coordinate: its sources flip on their own."""

    def renamed(parts: Parts) -> Parts:
        return {
            Signature(frozenset(f"{copy}·{s}" for s in k.odd), frozenset(f"{copy}·{s}" for s in k.mixed), k.tag): size
            for k, size in parts.items()
        }

    return Pair(renamed(pair.initial), renamed(pair.change))


def _summed(parts: Parts, order: int, width: Form | int | object) -> Parts:
    """Means over the copies: what is odd in the sources of one has the size of the central limit theorem."""
    found: dict[Signature, Size] = {}
    prefixes = tuple(f"{copy}·" for copy in range(order))
    for s, size in parts.items():
        small = {p for p in prefixes if any(isinstance(k, str) and k.startswith(p) for k in s.odd)}
        key = Signature(
            frozenset(k for k in s.odd if not (isinstance(k, str) and k.startswith(prefixes))),
            frozenset(k for k in s.mixed if not (isinstance(k, str) and k.startswith(prefixes))), s.tag,
        )
        loss = HALF * len(small) * width  # type: ignore[operator]
        found[key] = found.get(key, frozenset()) | frozenset(f - loss for f in size)
    return found
