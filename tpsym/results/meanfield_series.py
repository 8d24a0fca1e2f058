r"""Expansions of an expression in powers of t at t → 0+, with exact coefficients.

Used with c = 1 − t²: square roots of 1 − c² and arcsines at 1 are then power series in t. What is
expanded is real and defined for small t > 0. Unevaluated means are expanded by Price's theorem,

.. math:: \frac{d}{dt} E f(z) = \tfrac12 \sum_{ij} \dot C_{ij}\, E\, \partial_i \partial_j f(z),

which for smooth f holds at singular covariances too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import sympy as sp
from sympy import Expr, Symbol

from tpsym import functions as fn
from tpsym.gauss import E, expect
from tpsym.results.meanfield_zero import tidy, vanishes

ANALYTIC = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.asinh, sp.erf, fn.Phi)
"""Functions equal to their Taylor series at every real point."""

SMOOTH = (*ANALYTIC, fn.gelu, fn.sigmoid, fn.softplus, fn.silu)
"""Functions with any number of derivatives."""


class NoExpansionError(ArithmeticError):
    """The expression has no expansion that these rules find."""


@dataclass(frozen=True)
class Expansion:
    """Σ coefficients[k] t^(low + k) + O(t^order); the first coefficient is not zero, or there is none."""

    low: int
    coefficients: tuple[Expr, ...]
    order: int

    @property
    def leading(self) -> tuple[int, Expr]:
        """Power and coefficient of the first term."""
        if not self.coefficients:
            raise NoExpansionError("every known coefficient is zero")
        return self.low, self.coefficients[0]

    def coefficient(self, power: int) -> Expr:
        """The coefficient of t^power."""
        if power >= self.order:
            raise NoExpansionError("a coefficient beyond the order")
        at = power - self.low
        return self.coefficients[at] if 0 <= at < len(self.coefficients) else sp.S.Zero


def expansion(low: int, coefficients: Sequence[Expr], order: int) -> Expansion:
    """The expansion with leading zeros dropped, exactly decided."""
    kept = [tidy(c) for c in coefficients[: max(0, order - low)]]
    while kept:
        zero = vanishes(kept[0])
        if zero is None:
            raise NoExpansionError(f"whether {kept[0]} is zero")
        if not zero:
            break
        kept.pop(0)
        low += 1
    return Expansion(low if kept else order, tuple(kept), order)


def add(a: Expansion, b: Expansion) -> Expansion:
    order = min(a.order, b.order)
    low = min(a.low, b.low, order)
    return expansion(low, [a.coefficient(k) + b.coefficient(k) for k in range(low, order)], order)


def multiply(a: Expansion, b: Expansion) -> Expansion:
    order = min(a.order + b.low, b.order + a.low)
    low = a.low + b.low
    terms = [
        sp.Add(*(a.coefficient(a.low + i) * b.coefficient(b.low + k - i) for i in range(k + 1)))
        for k in range(order - low)
    ]
    return expansion(low, terms, order)


def power(a: Expansion, exponent: sp.Rational) -> Expansion:
    """a^r by the binomial series about the leading term, which is positive if r is no integer."""
    low, first = a.leading
    shift = low * exponent
    if not shift.is_Integer:
        raise NoExpansionError("a root of an odd power of t")
    relative = multiply(a, Expansion(-low, (1 / first,), a.order - 2 * low))
    small = expansion(1, relative.coefficients[1:], relative.order)
    terms = composed(lambda k: sp.binomial(exponent, k), small)
    scaled = multiply(terms, Expansion(0, (first**exponent,), terms.order))
    return Expansion(scaled.low + int(shift), scaled.coefficients, scaled.order + int(shift))


def composed(taylor: Callable[[int], Expr], small: Expansion) -> Expansion:
    """Σ taylor(k) small^k for a series without constant term."""
    if small.low < 1:
        raise NoExpansionError("composition needs a small argument")
    order = small.order
    total = Expansion(0, (), order)
    raised = Expansion(0, (sp.S.One,), order)
    for k in range(order):
        if raised.low >= order:
            break
        factor = taylor(k)
        if factor != 0:
            scaled = expansion(raised.low, [factor * c for c in raised.coefficients], order)
            total = add(Expansion(min(total.low, order), total.coefficients, order), scaled)
        raised = multiply(raised, small)
        raised = Expansion(raised.low, raised.coefficients[: max(0, order - raised.low)], min(order, raised.order))
    return total


@dataclass(frozen=True)
class Expander:
    """Expansions in ``t`` up to ``order`` (relative to the pieces: cancellation lowers it)."""

    t: Symbol
    order: int

    def __call__(self, expr: Expr) -> Expansion:
        if not expr.has(self.t):
            return expansion(0, [expr], self.order)
        if expr == self.t:
            return Expansion(1, (sp.S.One,), self.order)
        if expr.is_Add:
            return reduce(add, map(self, expr.args))
        if expr.is_Mul:
            return reduce(multiply, map(self, expr.args))
        if isinstance(expr, sp.Pow) and isinstance(expr.exp, sp.Rational):
            return self._power(self(expr.base), expr.exp)
        if isinstance(expr, E):
            return self._mean(expr)
        if isinstance(expr, sp.asin):
            return self._arcsine(self(expr.args[0]))
        if isinstance(expr, sp.acos):
            flipped = self._arcsine(self(expr.args[0]))
            return add(self(sp.pi / 2), negated(flipped))
        if isinstance(expr, ANALYTIC):
            return self._taylor(expr.func, self(expr.args[0]))
        raise NoExpansionError(f"{type(expr).__name__} is not expanded")

    def _power(self, base: Expansion, exponent: sp.Rational) -> Expansion:
        if not (exponent.is_Integer and exponent > 0):
            return power(base, exponent)
        return reduce(multiply, [base] * int(exponent))

    def _split(self, a: Expansion) -> tuple[Expr, Expansion]:
        """The constant term and the rest."""
        if a.low < 0:
            raise NoExpansionError("a function at infinity")
        rest = [a.coefficient(k) for k in range(1, a.order)]
        return a.coefficient(0), expansion(1, rest, a.order)

    def _taylor(self, function: Callable[[Expr], Expr], a: Expansion) -> Expansion:
        center, small = self._split(a)
        x = sp.Dummy(real=True)
        return composed(lambda k: sp.diff(function(x), x, k).xreplace({x: center}) / sp.factorial(k), small)

    def _arcsine(self, a: Expansion) -> Expansion:
        """asin; at ±1 by asin(s) = π/2 − 2 asin(√((1 − s)/2))."""
        center, _ = self._split(a)
        for end in (1, -1):
            zero = vanishes(center - end)
            if zero is None:
                raise NoExpansionError("whether an arcsine is taken at 1")
            if zero:
                half = expansion(0, [(1 if k == 0 else 0) / sp.S(2) - end * a.coefficient(k) / 2
                                     for k in range(a.order)], a.order)
                inner = self._taylor(sp.asin, power(half, sp.Rational(1, 2)))
                upper = add(self(sp.pi / 2), expansion(inner.low, [-2 * c for c in inner.coefficients], inner.order))
                return upper if end == 1 else negated(upper)
        return self._taylor(sp.asin, a)

    def _mean(self, mean: E) -> Expansion:
        """E f over C₀ + Δ(t): Σ_k D^k f/k! with D = ½ Σ Δ_ij ∂_i ∂_j, each mean at C₀."""
        if mean.body.has(self.t) or not is_smooth(mean.body):
            raise NoExpansionError("a mean of a function that is not smooth")
        n, names = mean.covariance.rows, mean.variables
        parts = {(i, j): self._split(self(mean.covariance[i, j])) for i in range(n) for j in range(n)}
        start = [[parts[i, j][0] for j in range(n)] for i in range(n)]
        order = min(p[1].order for p in parts.values())
        level: list[tuple[Expansion, Expr]] = [(Expansion(0, (sp.S.One,), order), mean.body)]
        total, k = Expansion(order, (), order), 0
        while level:
            for weight, body in level:
                value = expect(body, names, start).value
                scaled = expansion(weight.low, [value / sp.factorial(k) * c for c in weight.coefficients], order)
                total = add(total, scaled)
            level = _next(level, {ij: p[1] for ij, p in parts.items()}, names, order)
            k += 1
        return total


def negated(a: Expansion) -> Expansion:
    return Expansion(a.low, tuple(-c for c in a.coefficients), a.order)


def _next(
    level: list[tuple[Expansion, Expr]], change: dict[tuple[int, int], Expansion], names: Sequence[Symbol], order: int
) -> list[tuple[Expansion, Expr]]:
    """D applied once: equal derivatives collected, terms beyond the order dropped."""
    found: dict[Expr, Expansion] = {}
    for weight, body in level:
        for (i, j), small in change.items():
            if not small.coefficients:
                continue
            product = multiply(weight, small)
            if product.low >= order or not product.coefficients:
                continue
            derivative = sp.expand(sp.diff(body, names[i], names[j]))
            half = expansion(product.low, [c / 2 for c in product.coefficients], order)
            found[derivative] = add(found[derivative], half) if derivative in found else half
    return [(w, b) for b, w in found.items() if b != 0 and w.coefficients]


def is_smooth(body: Expr) -> bool:
    """Whether every function in an integrand is smooth on the whole line."""
    powers = (p for p in body.atoms(sp.Pow) if p.base is not sp.E)
    whole = all((p.exp.is_Integer and p.exp > 0) or not p.free_symbols for p in powers)
    return whole and all(isinstance(f, SMOOTH) for f in body.atoms(sp.Function))
