"""Functions of one coordinate: diagonal matrices with finitely many values, and those known by their moments.

Independent Gaussian matrices are asymptotically free from diagonal matrices of program vectors, so that all that
counts of the diagonals is their joint law at one coordinate (Yang, Tensor Programs III, Theorem 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy import Expr, S, Symbol

from tpsym.freeprob.covariance import Mean
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.ring import Ring, ring_of
from tpsym.functions import Phi, step
from tpsym.matrices import Diagonal, Letter, Polynomial, polynomial

MAX_VALUES = 64
"""Values that the diagonals of one polynomial may take together."""

IsRandom = Callable[[Symbol], bool]


@dataclass(frozen=True, slots=True)
class Values:
    """A joint law of coordinates with finitely many values: ``probabilities`` and, by value, what ``steps`` are."""

    steps: tuple[Expr, ...]
    probabilities: tuple[Expr, ...]
    points: tuple[tuple[int, ...], ...]

    def at(self, expr: Expr, k: int, mean: Mean) -> Expr:
        """A function of the coordinates at value number k."""
        inner = as_steps(expr).xreplace(dict(zip(self.steps, map(sp.Integer, self.points[k]), strict=True)))
        return mean(inner) if inner.free_symbols else inner


def as_steps(expr: Expr) -> Expr:
    """Signs and cases as polynomials in steps; equal almost surely for a law without atoms at the jumps."""
    def cases(*args: Any) -> Expr:
        total: Expr = S.Zero
        left: Expr = S.One
        for value, condition in args:
            indicator = _indicator(condition)
            if indicator is None:
                return sp.Piecewise(*args)
            total, left = total + left * indicator * value, left * (1 - indicator)
        return total

    expr = expr.replace(sp.sign, lambda z: 2 * step(z) - 1).replace(sp.Heaviside, lambda z, *_: step(z))
    expr = expr.replace(sp.Abs, lambda z: z * (2 * step(z) - 1))
    return expr.replace(sp.Piecewise, cases)


def reflected(expr: Expr) -> Expr:
    """Φ(−x) as 1 − Φ(x), so that equal numbers are written the same, expanded."""
    def is_negative(e: Expr) -> bool:
        return isinstance(e, Phi) and e.args[0].could_extract_minus_sign()

    return sp.expand(expr.replace(is_negative, lambda e: 1 - Phi(-e.args[0])))


def _indicator(condition: Any) -> Expr | None:
    if condition in (True, sp.true):
        return S.One
    if isinstance(condition, sp.Gt | sp.Ge):
        return step(condition.lhs - condition.rhs)
    if isinstance(condition, sp.Lt | sp.Le):
        return step(condition.rhs - condition.lhs)
    if isinstance(condition, sp.And):
        parts = [_indicator(c) for c in condition.args]
        return None if None in parts else sp.Mul(*parts)
    if isinstance(condition, sp.Or):
        parts = [_indicator(sp.Not(c)) for c in condition.args]
        return None if None in parts else 1 - sp.Mul(*parts)
    return None


def finite_values(expressions: Iterable[Expr], mean: Mean, is_random: IsRandom) -> Values | None:
    """The joint law of coordinates that depend on Gaussians through steps alone; ``None`` for any other."""
    written = [as_steps(e) for e in expressions]
    steps = tuple(sorted({s for e in written for s in e.atoms(step)}, key=str))
    if 2 ** len(steps) > MAX_VALUES or any(s.args[0].has(step) for s in steps):
        return None
    marks = {s: sp.Dummy() for s in steps}
    if any(is_random(s) for e in written for s in e.xreplace(marks).free_symbols - set(marks.values())):
        return None
    chances, points = [], []
    for point in product((0, 1), repeat=len(steps)):
        event = sp.Mul(*(s if bit else 1 - s for s, bit in zip(steps, point, strict=True)))
        chance = reflected(mean(sp.expand(event)))
        if chance != 0:
            chances.append(chance)
            points.append(point)
    return Values(steps, tuple(chances), tuple(points))


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A function by its values; numbers are constant functions."""

    items: tuple[Any, ...]

    def __add__(self, other: Any) -> Pointwise:
        if isinstance(other, Pointwise):
            return Pointwise(tuple(a + b for a, b in zip(self.items, other.items, strict=True)))
        return Pointwise(tuple(a + other for a in self.items))

    def __mul__(self, other: Any) -> Pointwise:
        if isinstance(other, Pointwise):
            return Pointwise(tuple(a * b for a, b in zip(self.items, other.items, strict=True)))
        return Pointwise(tuple(a * other for a in self.items))

    __radd__ = __add__
    __rmul__ = __mul__


@dataclass(frozen=True, slots=True)
class Finite:
    """Functions of coordinates with finitely many values."""

    ring: Ring
    values: Values
    average: Mean
    weights: tuple[Any, ...]

    def number(self, expr: Expr) -> Any:
        return self.ring.element(expr)

    def function(self, expr: Expr) -> Any:
        values = (self.values.at(expr, k, self.average) for k in range(len(self.values.points)))
        return Pointwise(tuple(self.ring.element(v) for v in values))

    def mean(self, element: Any) -> Any:
        if not isinstance(element, Pointwise):
            return element
        total = self.ring.zero
        for p, x in zip(self.weights, element.items, strict=True):
            total = total + p * x
        return total


def finite(ring: Ring, values: Values, mean: Mean) -> Finite:
    """The algebra of functions of coordinates with finitely many values."""
    return Finite(ring, values, mean, tuple(ring.element(p) for p in values.probabilities))


def numbers_of(values: Values, expressions: Iterable[Expr], mean: Mean) -> list[Expr]:
    """The numbers that a law of finitely many values brings in."""
    found = list(values.probabilities)
    return found + [values.at(e, k, mean) for e in expressions for k in range(len(values.points))]


@dataclass(slots=True)
class ByMoments:
    """Functions of coordinates as polynomials in the names of the diagonals, averaged monomial by monomial.

    The first ``count`` generators of the ring are these names.
    """

    count: int
    ring: Ring
    table: dict[tuple[int, ...], Any]

    def number(self, expr: Expr) -> Any:
        return self.ring.element(expr)

    def function(self, expr: Expr) -> Any:
        return self.ring.element(sp.expand(expr))

    def mean(self, element: Any) -> Any:
        total = self.ring.zero
        for powers, coefficient in element.to_dict().items():
            head, rest = tuple(map(int, powers[: self.count])), (0,) * self.count + tuple(powers[self.count :])
            total = total + self.ring.context.from_dict({rest: coefficient}) * self._moment(head)
        return total

    def _moment(self, powers: tuple[int, ...]) -> Any:
        if powers not in self.table:
            # first look for which moments there are: any number will do
            self.table[powers] = self.ring.constant(fmpq(1 + len(self.table), 7)) if any(powers) else self.ring.one
        return self.table[powers]


def names(letters: Sequence[Expr]) -> dict[Expr, Symbol]:
    """A symbol for the coordinate of each diagonal."""
    return {e: Symbol(f"$d{i}", real=True) for i, e in enumerate(letters)}


def named(found: Polynomial, letters: Sequence[Expr]) -> Polynomial:
    """The polynomial with names for the coordinates of diagonals: sympy would merge products of these themselves."""
    table = names(letters)

    def letter(x: Letter) -> Letter:
        return Diagonal(x.space, table[x.expr]) if isinstance(x, Diagonal) else x

    return polynomial(((c, tuple(map(letter, word))) for c, word in found.terms), found.rows, found.columns)


def ring_with(letters: Sequence[Expr], numbers: Sequence[Expr]) -> Ring:
    """The ring of some numbers with the diagonals in front."""
    inner = ring_of(numbers)
    atoms = (*names(letters).values(), *inner.atoms)
    generators = tuple(f"d{i}" for i in range(len(letters))) + tuple(f"a{i}" for i in range(len(inner.atoms)))
    return Ring(atoms, fmpq_mpoly_ctx.get(generators, Ordering.lex))


def moments_of(
    letters: Sequence[Expr], wanted: Iterable[tuple[int, ...]], mean: Mean
) -> dict[tuple[int, ...], Expr]:
    """Joint moments of the coordinates of diagonals."""
    found: dict[tuple[int, ...], Expr] = {}
    for powers in wanted:
        found[powers] = reflected(mean(sp.Mul(*(e**k for e, k in zip(letters, powers, strict=True)))))
        if found[powers].has(sp.oo, sp.zoo, sp.nan):
            raise Unavailable("a moment of the diagonal matrices is not finite")
    return found
