"""The polynomial system behind the moments: one equation for each mean of the resolvent that η reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx, nmod
from sympy import Expr, S, Symbol

from tpsym.freeprob.covariance import diagonal_arcs, pairings, support
from tpsym.freeprob.diagonals import finite
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.ring import Ring, ring_of
from tpsym.freeprob.scalars import Numbers
from tpsym.freeprob.series import Algebra, Resolvent, resolvent

T, H = Symbol("t"), Symbol("h")
PRIME = 2**61 - 1
MAX_BLOCK = 8
"""States that may be entangled with each other."""

Entry = tuple[int, int]
Key = tuple[Entry, tuple[Expr, ...]]
Series = Callable[[int], list[Any]]
"""The first coefficients of a series, modulo a prime and with random numbers for the atoms."""


@dataclass(frozen=True, slots=True)
class System:
    """Polynomials over ``ring`` that vanish at power series in t; ``unknowns`` gives these modulo a prime.

    The generators of the ring are t, h = Σ m_k t^k, the other unknowns, and the numbers of the polynomial.
    ``residues`` stand for the numbers; ``solved`` gives each unknown as a sum of fractions, ``initial`` its value at
    t = 0.
    """

    ring: Ring
    polynomials: tuple[Any, ...]
    unknowns: dict[Symbol, Series]
    residues: dict[Expr, int]
    solved: Mapping[Symbol, Callable[[], list[tuple[Any, Any]]]]
    initial: Mapping[Symbol, Expr]


@dataclass(frozen=True, slots=True)
class Residues:
    """A ring in which the atoms are numbers modulo a prime: what is not zero there is not zero."""

    ring: Ring
    at: dict[Expr, int]

    @property
    def zero(self) -> Any:
        return nmod(0, PRIME)

    @property
    def one(self) -> Any:
        return nmod(1, PRIME)

    def element(self, expr: Expr) -> Any:
        found = self.ring.element(expr)
        if self.ring.context is None:
            return residue(found)
        total = self.zero
        for powers, c in found.to_dict().items():
            term = residue(c)
            for atom, power in zip(self.ring.atoms, powers, strict=True):
                term *= nmod(self.at[atom], PRIME) ** int(power)
            total += term
        return total


def residue(value: fmpq) -> Any:
    """A rational number modulo the prime."""
    return nmod(int(value.p), PRIME) / nmod(int(value.q), PRIME)


def system(moments: Moments, *, seed: int = 1) -> System:
    """The system of a polynomial whose diagonals take finitely many values.

    Raises:
        Unavailable: the diagonals take infinitely many values, or too many matrices are entangled.
    """
    if moments.diagonals and moments.values is None:
        raise Unavailable("the diagonal matrices take infinitely many values: no algebraic equation is known")
    small = ring_of(moments.numbers)
    at = {atom: pow(3 + seed, 7 * i + 5, PRIME) for i, atom in enumerate(small.atoms)}
    series = resolvent(moments.found, _algebra(moments, Residues(small, at)))
    keys = _keys(moments)
    symbols = {key: Symbol(f"u{i}") for i, key in enumerate(keys)}
    top: Key = ((0, 0), _values(moments, S.One))
    symbols = {top: H} | {k: s for k, s in symbols.items() if k != top}
    names = (T, *symbols.values())
    ring = Ring((*names, *small.atoms), fmpq_mpoly_ctx.get(
        (*(s.name for s in names), *(f"a{i}" for i in range(len(small.atoms)))), Ordering.lex))
    builder = _Builder(moments, ring, symbols)
    found = tuple(builder.equation(key) for key in symbols)
    unknowns = {s: _mean(series, key, moments) for key, s in symbols.items()}
    solved = {s: partial(builder.fractions, key) for key, s in symbols.items()}
    exact = resolvent(moments.found, moments.algebra(small))
    initial = {s: small.expression(_mean(exact, key, moments)(0)[0]) for key, s in symbols.items()}
    return System(ring, found, unknowns, at, solved, initial)


def _algebra(moments: Moments, ring: Any) -> Algebra:
    return Numbers(ring) if moments.values is None else finite(ring, moments.values, moments.mean)


def _mean(series: Resolvent, key: Key, moments: Moments) -> Series:
    entry, _ = key
    read = [((0, 0), S.One), *((p.entry, p.inside) for p in pairings(moments.found))]
    inside = next(i for e, i in read if (e, _values(moments, i)) == key)
    element = series.algebra.function(inside)
    return lambda count: series.mean(entry, element, count)


def _keys(moments: Moments) -> list[Key]:
    _, entries = support(moments.found)
    found = [(p.entry, _values(moments, p.inside)) for p in pairings(moments.found) if p.entry in entries]
    return list(dict.fromkeys(found))


def _values(moments: Moments, expr: Expr) -> tuple[Expr, ...]:
    """A function of the coordinates by its values."""
    law = moments.values
    if law is None:
        return (expr,)
    return tuple(law.at(expr, k, moments.mean) for k in range(len(law.points)))


@dataclass(slots=True)
class _Builder:
    """Makes the equation of each unknown: ``u = τ(inside · [(1 - M)^{-1}]_entry)`` without denominators."""

    moments: Moments
    ring: Ring
    symbols: dict[Key, Symbol]
    moves: dict[int, dict[Entry, Any]] = field(default_factory=dict)

    def equation(self, key: Key) -> Any:
        """``u ∏ det − Σ_k p_k inside_k cofactor_k ∏ other det``."""
        fractions = self.fractions(key)
        left = self.ring.element(self.symbols[key])
        for _, det in fractions:
            left = left * det
        for i, (part, _) in enumerate(fractions):
            for j, (_, det) in enumerate(fractions):
                part = part if i == j else part * det
            left = left - part
        return left

    def fractions(self, key: Key) -> list[tuple[Any, Any]]:
        """``p inside cofactor`` and ``det`` by value of the diagonals, values with equal determinants together."""
        (row, column), inside = key
        law = self.moments.values
        chances = (S.One,) if law is None else law.probabilities
        by_det: dict[Any, Any] = {}
        for number, chance in enumerate(chances):
            det, cofactor = self._inverse(row, column, number)
            part = self.ring.element(chance * inside[number]) * cofactor
            text = str(det)
            old = by_det.get(text)
            by_det[text] = (det, part if old is None else old[1] + part)
        return [(part, det) for det, part in by_det.values()]

    def _inverse(self, row: int, column: int, number: int) -> tuple[Any, Any]:
        """Determinant of ``1 - M`` over the states between, and the cofactor."""
        if number not in self.moves:
            self.moves[number] = self._moves(number)
        moves = self.moves[number]
        states = _between(row, column, list(moves))
        if len(states) > MAX_BLOCK:
            raise Unavailable("too many matrices are entangled for the equation to be derived")
        if not states:
            return self.ring.one, self.ring.zero
        zero = self.ring.zero
        matrix = [[moves.get((i, j), zero) for j in states] for i in states]
        return resolvent_entry(matrix, states.index(row), states.index(column), self.ring)

    def _moves(self, number: int) -> dict[Entry, Any]:
        found: dict[Entry, Any] = {}
        for p in pairings(self.moments.found):
            key = (p.entry, _values(self.moments, p.inside))
            if key in self.symbols:
                outside = _values(self.moments, p.outside)[number]
                part = self.ring.element(sp.expand(p.weight * outside) * T**p.power * self.symbols[key])
                found[p.place] = found[p.place] + part if p.place in found else part
        for arc in diagonal_arcs(self.moments.found):
            value = _values(self.moments, arc.left * arc.right)[number]
            part = self.ring.element(sp.expand(arc.weight * value) * T)
            found[0, 0] = found[0, 0] + part if (0, 0) in found else part
        return {place: part for place, part in found.items() if part != 0}


def _between(start: int, end: int, moves: list[Entry]) -> list[int]:
    """The states on a path from one state to another."""
    after, before = set(_reach(start, moves)), set(_reach(end, [(j, i) for i, j in moves]))
    return sorted(after & before)


def _reach(start: int, moves: list[Entry]) -> Iterator[int]:
    seen, todo = {start}, [start]
    while todo:
        state = todo.pop()
        yield state
        new = {j for i, j in moves if i == state} - seen
        seen |= new
        todo.extend(new)


def resolvent_entry(matrix: list[list[Any]], row: int, column: int, ring: Ring) -> tuple[Any, Any]:
    """``det(1 - M)`` and the cofactor in ``[(1 - M)^{-1}]_{row, column} = cofactor/det``, by Faddeev and LeVerrier."""
    size = len(matrix)
    one, zero = ring.one, ring.zero
    a = [[(one if i == j else zero) - matrix[i][j] for j in range(size)] for i in range(size)]
    # adj(A) = ± Σ c A^k, built up so that only divisions by whole numbers occur
    current = [[one if i == j else zero for j in range(size)] for i in range(size)]
    for step in range(1, size + 1):
        product = [[_dot(a[i], [row[j] for row in current], zero) for j in range(size)] for i in range(size)]
        trace = zero
        for i in range(size):
            trace = trace + product[i][i]
        coefficient = trace * ring.constant(fmpq(-1, step))
        if step == size:
            sign = ring.constant(fmpq((-1) ** (size - 1)))
            return coefficient * ring.constant(fmpq((-1) ** size)), current[row][column] * sign
        current = [[product[i][j] + (coefficient if i == j else zero) for j in range(size)] for i in range(size)]
    raise AssertionError


def _dot(row: list[Any], column: list[Any], zero: Any) -> Any:
    total = zero
    for x, y in zip(row, column, strict=True):
        if x != 0 and y != 0:
            total = total + x * y
    return total
