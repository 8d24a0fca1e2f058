"""Fixed points and the edge of chaos where algebra gives them: polynomial in q, affine in squared parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.results.meanfield_maps import LayerMaps, Q, derivative, substituted
from tpsym.results.meanfield_zero import polished, tidy, vanishes


@dataclass(frozen=True)
class Root:
    """A solution of F(q) = q: an attracting one, of nonnegative value, where ``condition`` holds."""

    value: Expr
    slope: Expr
    condition: sp.Basic


@dataclass(frozen=True)
class FixedPoint:
    """The variances that a layer keeps: all of them, ``roots`` in closed form, or implicitly ``equation``.

    ``complete``: there is no solution but the roots, at generic parameters.
    """

    equation: sp.Eq
    every: bool
    roots: tuple[Root, ...]
    complete: bool

    @property
    def value(self) -> Expr | None:
        """The one solution, where there is just one and it has a closed form."""
        return self.roots[0].value if self.complete and len(self.roots) == 1 else None


@dataclass(frozen=True)
class Edge:
    """Where F(q) = q and χ(q) = 1: powers of parameters, as functions of the variance q* or of nothing.

    ``values`` maps what was solved for (such as σ_w²) to its value; ``parameter`` is q* if the edge is a
    curve, ``None`` if it is one point of every choice of the other parameters. Points with negative
    squares do not exist. ``equations`` state it implicitly.
    """

    values: tuple[tuple[Expr, Expr], ...]
    parameter: Symbol | None
    equations: tuple[sp.Eq, ...]

    @property
    def known(self) -> bool:
        """Whether it was solved."""
        return bool(self.values)

    def substitution(self) -> dict[Symbol, Expr]:
        """The parameters themselves on the edge, those that are not negative."""
        return {power.base if power.is_Pow else power: _root(power, value) for power, value in self.values}


def _root(power: Expr, value: Expr) -> Expr:
    return value ** (1 / power.exp) if power.is_Pow else value


def fixed_point(maps: LayerMaps) -> FixedPoint:
    """The solutions of F(q) = q."""
    gap = tidy(maps.variance - maps.q)
    equation = sp.Eq(maps.variance.xreplace({maps.q: Q}), Q, evaluate=False)
    if vanishes(gap):
        return FixedPoint(equation, True, (), True)
    numerator = sp.numer(gap)
    solutions = _solutions(numerator, maps.q)
    if solutions is not None:
        slope = derivative(maps.variance, maps.q)
        roots = tuple(_root_at(polished(s), slope, maps.q) for s in solutions if s.is_real is not False)
        return FixedPoint(equation, False, tuple(r for r in roots if r.value.is_negative is not True), True)
    if vanishes(substituted(gap, {maps.q: sp.S.Zero})):
        return FixedPoint(equation, False, (_root_at(sp.S.Zero, derivative(maps.variance, maps.q), maps.q),), False)
    return FixedPoint(equation, False, (), False)


def _solutions(numerator: Expr, q: Symbol) -> list[Expr] | None:
    """All roots of a polynomial of degree at most two in q, or with the factor q and then so."""
    if not numerator.is_polynomial(q):
        return None
    poly = sp.Poly(numerator, q)
    found: list[Expr] = []
    while poly.degree() > 0 and vanishes(poly.nth(0)):
        found = [sp.S.Zero]
        poly = sp.Poly(sp.cancel(poly.as_expr() / q), q)
    if poly.degree() == 0:
        return found
    a, b, c = (poly.nth(k) for k in (2, 1, 0))
    if poly.degree() == 1:
        return [*found, -c / b]
    if poly.degree() == 2:
        root = sp.sqrt(tidy(b * b - 4 * a * c))
        return [*found, (-b - root) / (2 * a), (-b + root) / (2 * a)]
    return None


def _root_at(value: Expr, slope: Expr, q: Symbol) -> Root:
    at = polished(substituted(slope, {q: value}))
    number, rest = at.as_coeff_Mul()
    upper = rest < 1 / number if number.is_positive else at < 1
    above, below = sp.fraction(value)
    if value.could_extract_minus_sign():
        above, below = -above, sp.expand(-below)
    value = above / below
    # for a linear F the root is nonnegative where it attracts
    shown = bool(above.is_nonnegative and tidy(below / (1 - at)).is_positive)
    conditions = [upper, sp.S.true if at.is_nonnegative else at > -1, sp.S.true if shown else value >= 0]
    return Root(value, at, sp.And(*conditions))


def edge_of_chaos(maps: LayerMaps, chi: Expr) -> Edge:
    """χ(q) = 1 solved for one parameter (or a power of it), then F(q) = q for another."""
    equations = tuple(
        sp.Eq(left.xreplace({maps.q: Q}), right.xreplace({maps.q: Q}), evaluate=False)
        for left, right in ((chi, sp.S.One), (maps.variance, maps.q))
    )
    for first, value in _solved(chi - 1, maps.free):
        rest = tidy(_put(maps.variance - maps.q, first, value))
        if vanishes(rest):
            return _edge(maps.q, equations, (first, value))
        for second, other in _solved(rest, [s for s in maps.free if not first.has(s)]):
            return _edge(maps.q, equations, (first, tidy(_put(value, second, other))), (second, other))
        if vanishes(substituted(rest, {maps.q: sp.S.Zero})):
            return _edge(maps.q, equations, (first, substituted(value, {maps.q: sp.S.Zero})))
    return Edge((), None, equations)


def _edge(q: Symbol, equations: tuple[sp.Eq, ...], *values: tuple[Expr, Expr]) -> Edge:
    shown = tuple((power, value.xreplace({q: Q})) for power, value in values)
    if any(value.is_negative for _, value in shown):
        return Edge((), None, equations)
    return Edge(shown, Q if any(v.has(Q) for _, v in shown) else None, equations)


def _put(expr: Expr, power: Expr, value: Expr) -> Expr:
    """The expression with a power of a parameter replaced."""
    symbol = power.base if power.is_Pow else power
    return substituted(expr, {symbol: _root(power, value)})


def _solved(gap: Expr, symbols: Iterable[Symbol]) -> Iterator[tuple[Expr, Expr]]:
    """(s^k, its value) for the parameters s in which ``gap = a s^k + b``; scales (b a number) come first."""
    whole, gap = gap, sp.expand(gap)
    for symbol in sorted(symbols, key=lambda s: bool(gap.xreplace({s: sp.S.Zero}).free_symbols)):
        if not gap.has(symbol) or not gap.is_polynomial(symbol):
            continue
        poly = sp.Poly(gap, symbol)
        powers = [k for (k,), _ in poly.terms() if k]
        if len(powers) == 1:
            rest = whole.xreplace({symbol: sp.S.Zero})
            ratio = -polished(rest) / polished(whole.xreplace({symbol: sp.S.One}) - rest)
            yield symbol ** powers[0], min(ratio, polished(ratio), key=sp.count_ops)
