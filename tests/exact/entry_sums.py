"""Expectations at small n from the definition: explicit indices, every pairing of entries by its covariance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from sympy import Integer, Symbol

from tpsym.exact.graphs import Graph
from tpsym.matrices import Factor, Gaussian, Word

n = Symbol("n", positive=True)
Named = tuple[Gaussian, int, int, bool]
"""An entry of a matrix, and whether it is conjugated."""


def covariance(a: Named, b: Named, width: int) -> Fraction:
    """The definitions of the four kinds, read off one by one."""
    (matrix, i, j, conjugated), (other, k, m, also) = a, b
    if matrix != other:
        return Fraction(0)
    v = matrix.variance.xreplace({n: Integer(width)})
    same, crossed = int((i, j) == (k, m)), int((i, j) == (m, k))
    match matrix.kind:
        case "real":
            found = same
        case "symmetric":
            found = same + crossed
        case "complex":
            found = same if conjugated != also else 0
        case _:
            # the conjugate of an entry of a hermitian matrix is the entry across
            found = same if conjugated != also else crossed
    return Fraction(int(v.p), int(v.q)) * found / width


def pairings(items: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for i, other in enumerate(rest):
        for inner in pairings([*rest[:i], *rest[i + 1 :]]):
            yield [(first, other), *inner]


def isserlis(entries: Sequence[Named], width: int) -> Fraction:
    if len(entries) % 2:
        return Fraction(0)
    return sum(
        (prod((covariance(entries[a], entries[b], width) for a, b in pairs), start=Fraction(1))
         for pairs in pairings(range(len(entries)))),
        Fraction(0),
    )


def size(ratio: object, width: int) -> int:
    return int((ratio * n).xreplace({n: Integer(width)}))  # type: ignore[operator]


def traces(words: Sequence[Word], width: int) -> Fraction:
    """``E ∏ Tr(w)`` for words of Gaussian letters, by summing over all indices."""
    ranges = [range(size(x.rows.ratio, width)) for w in words for x in w]
    total = Fraction(0)
    for indices in product(*ranges):
        entries: list[Named] = []
        start = 0
        for w in words:
            own = indices[start : start + len(w)]
            start += len(w)
            for x, i, j in zip(w, own, own[1:] + own[:1], strict=True):
                assert isinstance(x, Factor)
                if x.adjoint and not x.matrix.is_selfadjoint:
                    entries.append((x.matrix, j, i, x.matrix.kind == "complex"))
                else:
                    entries.append((x.matrix, i, j, False))
        total += isserlis(entries, width)
    return total


def graph_sum(graph: Graph, variables: Sequence[Symbol], width: int) -> Fraction:
    """The expectation of a graph whose functions are monomials in independent standard Gaussian vectors."""
    ranges = [range(size(v.space.ratio, width)) for v in graph.vertices]
    total = Fraction(0)
    for indices in product(*ranges):
        powers: dict[tuple[Symbol, int], int] = {}
        for vertex, i in zip(graph.vertices, indices, strict=True):
            for f in vertex.factors:
                for x in variables:
                    powers[x, i] = powers.get((x, i), 0) + int(f.as_poly(*variables).degree(x))
        weight = prod(0 if k % 2 else prod(range(1, k, 2)) for k in powers.values())
        if weight:
            entries = [(e.matrix, indices[e.row], indices[e.column], False) for e in graph.entries]
            total += weight * isserlis(entries, width)
    return total
