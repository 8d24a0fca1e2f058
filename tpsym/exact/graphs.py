r"""Expectations of sums over indices of products of matrix entries, by contraction of a multigraph.

:math:`Σ_{i_1 … i_k} ∏_v φ_v(i_v) ∏_e W^{(e)}_{i_{r(e)} i_{c(e)}}`: vertices are summed indices, decorated with a
function of the coordinates of initial vectors, edges are entries. One entry is paired with each other entry of its
matrix (Isserlis), which identifies their ends; what remains are vertices without edges, sums over coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.exact.sizes import Poly, Sizes, check_states
from tpsym.exact.sums import Mean, expected_sums
from tpsym.exact.traces import expected_traces
from tpsym.matrices import Diagonal, Factor, Gaussian, Space, Word


@dataclass(frozen=True, slots=True)
class Vertex:
    """A summed index with the function of its coordinates: a product, factors in the order of the caller."""

    space: Space
    factors: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of a real or symmetric matrix at two vertices, by number."""

    matrix: Gaussian
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A sum over the indices of ``vertices`` of the product of their functions and of ``entries``."""

    vertices: tuple[Vertex, ...]
    entries: tuple[Entry, ...] = ()

    def __mul__(self, other: Graph) -> Graph:
        """The product of two such sums: their indices are different."""
        shift = len(self.vertices)
        moved = (Entry(e.matrix, e.row + shift, e.column + shift) for e in other.entries)
        return Graph(self.vertices + other.vertices, (*self.entries, *moved))


Node = tuple[int, tuple[int, ...]]
"""Space and functions of a vertex, by number."""
Edge = tuple[int, int, int]
"""Matrix, row vertex, column vertex, by number."""
Part = tuple[tuple[Node, ...], tuple[Edge, ...]]
"""A connected piece with at least one edge, vertices in an order that depends little on where it came from."""
State = tuple[Part, ...]
Contribution = dict[tuple[Node, ...], Poly]
"""Polynomials in sizes by the decorated vertices without edges that multiply them."""


@dataclass(slots=True)
class Contraction:
    """Remembers the pieces it has contracted; a pairing of a matrix with itself counts one."""

    sizes: Sizes
    ratios: Sequence[Expr]
    symmetric: Sequence[bool]
    n: Symbol
    _known: dict[State, Contribution] = field(default_factory=dict)

    def expected(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> Contribution:
        return self._scaled(self._normal(nodes, edges), self.sizes.one)

    def _normal(self, nodes: Sequence[Node], edges: Iterable[Edge]) -> tuple[State, tuple[Node, ...]]:
        """Pieces with edges, and the vertices without."""
        links: nx.Graph[int] = nx.Graph()
        links.add_nodes_from(range(len(nodes)))
        edges = list(edges)
        links.add_edges_from((a, b) for _, a, b in edges)
        used = {v for _, a, b in edges for v in (a, b)}
        parts = []
        for piece in nx.connected_components(links):
            if piece <= used:
                inner = [e for e in edges if e[1] in piece]
                parts.append(ordered({v: nodes[v] for v in piece}, inner, self.symmetric))
        return tuple(sorted(parts)), tuple(sorted(nodes[v] for v in range(len(nodes)) if v not in used))

    def _scaled(self, normal: tuple[State, tuple[Node, ...]], factor: Poly) -> Contribution:
        state, alone = normal
        for space, functions in alone:
            if not functions:
                factor = factor * self.sizes[self.ratios[space] * self.n]
        decorated = tuple(v for v in alone if v[1])
        return {tuple(sorted(key + decorated)): factor * p for key, p in self._solve(state).items()}

    def _solve(self, state: State) -> Contribution:
        if not state:
            return {(): self.sizes.one}
        known = self._known.get(state)
        if known is not None:
            return known
        counts = Counter(m for _, edges in state for m, _, _ in edges)
        total: Contribution = {}
        if all(c % 2 == 0 for c in counts.values()):
            for normal, count in self._contractions(state, min(counts, key=lambda m: (counts[m], m))).items():
                for key, p in self._scaled(normal, self.sizes.one * count).items():
                    total[key] = total[key] + p if key in total else p
        check_states(len(self._known), weight=10)
        self._known[state] = total
        return total

    def _contractions(self, state: State, matrix: int) -> Counter[tuple[State, tuple[Node, ...]]]:
        """The pairings of one entry of a matrix."""
        nodes: list[Node] = []
        edges: list[Edge] = []
        for inner, links in state:
            shift = len(nodes)
            nodes += inner
            edges += [(m, a + shift, b + shift) for m, a, b in links]
        first = next(i for i, e in enumerate(edges) if e[0] == matrix)
        _, row, column = edges.pop(first)
        partners = Counter((a, b) for m, a, b in edges if m == matrix)
        found: Counter[tuple[State, tuple[Node, ...]]] = Counter()
        for (a, b), count in partners.items():
            left = list(edges)
            left.remove((matrix, a, b))
            for ends in ((a, b), (b, a)) if self.symmetric[matrix] else ((a, b),):
                found[self._normal(*identified(nodes, left, ((row, ends[0]), (column, ends[1]))))] += count
        return found


def identified(
    nodes: Sequence[Node], edges: Sequence[Edge], pairs: Sequence[tuple[int, int]]
) -> tuple[list[Node], list[Edge]]:
    """The graph with vertices made one, their functions multiplied."""
    name = list(range(len(nodes)))
    for a, b in pairs:
        old, new = name[b], name[a]
        name = [new if v == old else v for v in name]
    kept = sorted(set(name))
    place = {v: i for i, v in enumerate(kept)}
    functions: list[list[int]] = [[] for _ in kept]
    for v, (_, own) in enumerate(nodes):
        functions[place[name[v]]] += own
    merged = [(nodes[v][0], tuple(sorted(functions[i]))) for i, v in enumerate(kept)]
    return merged, [(m, place[name[a]], place[name[b]]) for m, a, b in edges]


def ordered(nodes: dict[int, Node], edges: Sequence[Edge], symmetric: Sequence[bool]) -> Part:
    """A connected piece with its vertices numbered by what surrounds them; ties go by their first number.

    Equal results are isomorphic, though isomorphic pieces need not get equal results.
    """
    colours: dict[int, int] = ranks({v: (node, ()) for v, node in nodes.items()})
    while True:
        around: dict[int, list[tuple[int, int, int]]] = {v: [] for v in nodes}
        for m, a, b in edges:
            around[a].append((m, 0, colours[b]))
            around[b].append((m, 0 if symmetric[m] else 1, colours[a]))
        finer = ranks({v: (colours[v], tuple(sorted(around[v]))) for v in nodes})
        if len(set(finer.values())) == len(set(colours.values())):
            break
        colours = finer
    order = sorted(nodes, key=lambda v: (colours[v], v))
    place = {v: i for i, v in enumerate(order)}
    named = []
    for m, a, b in edges:
        row, column = place[a], place[b]
        named.append((m, min(row, column), max(row, column)) if symmetric[m] else (m, row, column))
    return tuple(nodes[v] for v in order), tuple(sorted(named))


def ranks(keys: dict[int, Any]) -> dict[int, int]:
    """Equal keys, equal ranks, in the order of the keys."""
    place = {k: i for i, k in enumerate(sorted(set(keys.values())))}
    return {v: place[k] for v, k in keys.items()}


def expected_graph(graph: Graph, n: Symbol, *, mean: Mean | None = None) -> Expr:
    """The expectation, exactly, as a function of n and of parameters; arguments as for ``expected_traces``.

    Raises:
        ValueError: a matrix that is not real, entries that do not fit their vertices, functions without ``mean``.
    """
    return expected_graphs([(S.One, graph)], n, mean=mean)


def expected_graphs(terms: Sequence[tuple[Expr, Graph]], n: Symbol, *, mean: Mean | None = None) -> Expr:
    """``E Σ coefficient · graph``, as :func:`expected_graph`; the terms share what is computed once."""
    parts: list[Expr] = []
    others: list[tuple[Expr, Graph]] = []
    for coefficient, graph in terms:
        check_graph(graph)
        words = as_words(graph)
        if words is None:
            others.append((coefficient, graph))
        else:
            parts.append(coefficient * expected_traces(words, n, mean=mean))
    return sp.expand(sp.Add(S.Zero, *parts, _contracted(others, n, mean)))


def _contracted(terms: Sequence[tuple[Expr, Graph]], n: Symbol, mean: Mean | None) -> Expr:
    spaces = list(dict.fromkeys(v.space for _, g in terms for v in g.vertices))
    functions = list(dict.fromkeys(f for _, g in terms for v in g.vertices for f in v.factors))
    matrices = list(dict.fromkeys(e.matrix for _, g in terms for e in g.entries))
    places: dict[Any, int] = {x: i for numbered in (spaces, functions, matrices) for i, x in enumerate(numbered)}
    ratios = [s.ratio for s in spaces]
    sizes = Sizes([r * n for r in ratios], n)
    contraction = Contraction(sizes, ratios, [m.kind == "symmetric" for m in matrices], n)
    total: dict[tuple[Node, ...], list[Expr]] = {}
    for coefficient, graph in terms:
        nodes = [(places[v.space], tuple(sorted(places[f] for f in v.factors))) for v in graph.vertices]
        edges = [(places[e.matrix], e.row, e.column) for e in graph.entries]
        counts = Counter(e.matrix for e in graph.entries)
        weight = sp.Mul(coefficient, *((m.variance / n) ** sp.Rational(c, 2) for m, c in counts.items()))
        for key, p in contraction.expected(nodes, edges).items():
            total.setdefault(key, []).append(weight * sizes.expr(p))
    return sp.Add(S.Zero, *(
        sp.expand(sp.Add(*found)) * isolated_mean(key, spaces, functions, n, mean) for key, found in total.items()
    ))


def isolated_mean(
    key: Sequence[Node], spaces: Sequence[Space], functions: Sequence[Expr], n: Symbol, mean: Mean | None
) -> Expr:
    """``E ∏ Σ_i φ(i)`` over vertices without edges, by space."""
    if not key:
        return S.One
    if mean is None:
        raise ValueError("functions of coordinates need the mean of a function of a coordinate")
    by_space: dict[int, list[Expr]] = {}
    for space, own in key:
        by_space.setdefault(space, []).append(sp.Mul(*(functions[k] for k in own)))
    return sp.Mul(*(expected_sums(found, spaces[k].ratio * n, mean) for k, found in by_space.items()))


def check_graph(graph: Graph) -> None:
    for entry in graph.entries:
        if entry.matrix.kind not in ("real", "symmetric"):
            raise ValueError(f"{entry.matrix.name} is not real: only traces of words are known")
        ends = (graph.vertices[entry.row].space, graph.vertices[entry.column].space)
        if ends != (entry.matrix.rows, entry.matrix.columns):
            raise ValueError(f"an entry of {entry.matrix.name} does not fit its indices")


def as_words(graph: Graph) -> list[Word] | None:
    """The graph as a product of traces, where every index occurs in two entries."""
    ends: dict[int, list[tuple[int, bool]]] = {v: [] for v in range(len(graph.vertices))}
    for i, e in enumerate(graph.entries):
        ends[e.row].append((i, True))
        ends[e.column].append((i, False))
    if not graph.entries or any(len(x) != 2 for x in ends.values()):
        return None
    words: list[Word] = []
    todo = set(range(len(graph.entries)))
    while todo:
        start = min(todo)
        word: list[Factor | Diagonal] = []
        edge, forward = start, True
        while edge in todo:
            todo.remove(edge)
            entry = graph.entries[edge]
            word.append(Factor(entry.matrix, not forward and entry.matrix.kind == "real"))
            vertex = entry.column if forward else entry.row
            word += [Diagonal(graph.vertices[vertex].space, f) for f in graph.vertices[vertex].factors]
            pair = list(ends[vertex])
            pair.remove((edge, not forward))
            edge, forward = pair[0]
        words.append(tuple(word))
    return words
