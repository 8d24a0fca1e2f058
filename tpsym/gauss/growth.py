r"""How fast an integrand can grow, and the part of a Gaussian integral that lies beyond a radius.

A bound is a tuple (A, m, α, β) with |f(z)| ≤ A (1 + |z|)^m exp(α|z| + β|z|²) for all real z with
|z| the Euclidean norm, each entry an ``arb`` used through its upper end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp
from flint import arb

from tpsym import functions as fn
from tpsym.gauss.balls import Ball

BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.erf, sp.sign, fn.step, fn.Phi, fn.sigmoid)
AS_ARGUMENT = (sp.Abs, fn.relu, fn.gelu, fn.silu)
ANGLES = (sp.asin, sp.acos, sp.atan)


class NoBoundError(ArithmeticError):
    """No proven bound on the growth of this integrand."""


@dataclass(frozen=True)
class Growth:
    """|f(z)| ≤ factor (1 + |z|)^degree exp(rate |z| + curvature |z|²)."""

    factor: Ball
    degree: Ball
    rate: Ball
    curvature: Ball

    def __add__(self, other: Growth) -> Growth:
        return Growth(
            self.factor + other.factor,
            self.degree.max(other.degree),
            self.rate.max(other.rate),
            self.curvature.max(other.curvature),
        )

    def __mul__(self, other: Growth) -> Growth:
        return Growth(
            self.factor * other.factor,
            self.degree + other.degree,
            self.rate + other.rate,
            self.curvature + other.curvature,
        )

    def power(self, k: Ball) -> Growth:
        """The k-th power, k > 0."""
        factor = arb(0) if self.factor.is_zero() else (k * self.factor.log()).exp()
        return Growth(factor, self.degree * k, self.rate * k, self.curvature * k)


def constant(value: Ball) -> Growth:
    """A constant."""
    if not value.is_finite():
        raise NoBoundError()
    return Growth(abs(value).upper(), arb(0), arb(0), arb(0))


def growth(expr: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Growth:
    """A bound for the expression in these variables; ``value`` encloses what does not contain them."""

    def of(e: sp.Expr) -> Growth:
        return growth(e, variables, value)

    if not e_has(expr, variables):
        return constant(value(expr))
    if expr in variables:
        return Growth(arb(1), arb(1), arb(0), arb(0))
    if isinstance(expr, sp.Add | sp.Max | sp.Min):
        return _total([of(a) for a in expr.args])
    if isinstance(expr, sp.Mul):
        result = constant(arb(1))
        for a in expr.args:
            result = result * of(a)
        return result
    if isinstance(expr, sp.Pow) and expr.base is not sp.E:
        return _power(expr, variables, value)
    if isinstance(expr, sp.exp) or (isinstance(expr, sp.Pow) and expr.base is sp.E):
        return _exponential(expr.args[-1], variables, value)
    if isinstance(expr, sp.Piecewise):
        return _total([of(branch) for branch, _ in expr.args])
    return _function(expr, variables, value)


def _function(expr: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Growth:
    if isinstance(expr, BOUNDED):
        return constant(arb(1))
    if isinstance(expr, ANGLES):
        return constant(arb(4))
    if isinstance(expr, AS_ARGUMENT):
        return growth(expr.args[0], variables, value)
    if isinstance(expr, fn.leaky_relu):
        slope = growth(expr.args[1], variables, value) + constant(arb(1))
        return growth(expr.args[0], variables, value) * slope
    if isinstance(expr, fn.softplus):
        return growth(expr.args[0], variables, value) + constant(arb(1))
    if isinstance(expr, sp.sinh | sp.cosh):
        return _exponential_of_bound(growth(expr.args[0], variables, value))
    if isinstance(expr, sp.log):
        # for x ≥ c: log x ≤ x and −log x ≤ |log c|
        low = lower(expr.args[0], variables, value)
        return growth(expr.args[0], variables, value) + constant(low.log())
    raise NoBoundError()


def e_has(expr: sp.Expr, variables: Sequence[sp.Symbol]) -> bool:
    """Whether the expression depends on one of the variables."""
    return bool(expr.free_symbols & set(variables))


def _total(bounds: Sequence[Growth]) -> Growth:
    result = bounds[0]
    for b in bounds[1:]:
        result = result + b
    return result


def _power(expr: sp.Pow, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Growth:
    if e_has(expr.exp, variables):
        raise NoBoundError()
    k = value(expr.exp)
    if k > 0:
        return growth(expr.base, variables, value).power(k)
    if not k < 0:
        raise NoBoundError()
    return constant((k * lower(expr.base, variables, value).log()).exp())


def lower(expr: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Ball:
    """A number c > 0 with expr ≥ c for all real values of the variables."""
    if not e_has(expr, variables):
        c = value(expr)
        if c > 0:
            return c.lower()
    elif isinstance(expr, sp.Add):
        fixed = [a for a in expr.args if not e_has(a, variables)]
        if all(_nonnegative(a, variables, value) for a in expr.args if e_has(a, variables)):
            return lower(sp.Add(*fixed), variables, value)
    elif isinstance(expr, sp.cosh):
        return arb(1)
    elif isinstance(expr, sp.Pow) and not e_has(expr.exp, variables):
        k = value(expr.exp)
        if k > 0:
            return (k * lower(expr.base, variables, value).log()).exp().lower()
    raise NoBoundError()


def _nonnegative(expr: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> bool:
    if not e_has(expr, variables):
        return bool(value(expr) >= 0)
    if isinstance(expr, sp.Pow) and isinstance(expr.exp, sp.Integer) and int(expr.exp) % 2 == 0:
        return True
    if isinstance(expr, sp.Mul | sp.Add):
        return all(_nonnegative(a, variables, value) for a in expr.args)
    kinds = (sp.exp, sp.Abs, sp.cosh, fn.relu, fn.step, fn.Phi, fn.sigmoid, fn.softplus)
    return isinstance(expr, kinds)


def _exponential(g: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Growth:
    """exp of a polynomial of degree at most two, or of anything with a bound of at most that growth."""
    if g.is_polynomial(*variables):
        poly = sp.Poly(g, *variables)
        if poly.total_degree() <= 2:
            return _exponential_of_quadratic(poly, value)
    return _exponential_of_bound(growth(g, variables, value))


def _exponential_of_quadratic(poly: sp.Poly, value: Callable[[sp.Expr], Ball]) -> Growth:
    factor, rate, curvature, cross = arb(1), arb(0), None, arb(0)
    for monomial, c in poly.terms():
        ball = value(c)
        if not ball.is_finite():
            raise NoBoundError()
        if sum(monomial) == 0:
            factor = ball.exp()
        elif sum(monomial) == 1:
            rate = rate + abs(ball)
        elif max(monomial) == 2:
            curvature = ball if curvature is None else curvature.max(ball)
        else:
            cross = cross + abs(ball) / 2
    squares = sum(1 for monomial in poly.monoms() if max(monomial) == 2)
    if curvature is None:
        curvature = arb(0)
    elif squares < len(poly.gens):
        curvature = curvature.max(arb(0))
    return Growth(factor, arb(0), rate, curvature + cross)


def _exponential_of_bound(g: Growth) -> Growth:
    """exp|g| for |g| ≤ A(1 + |z|)^m with m ≤ 2, by (1 + |z|)² ≤ 2 + 2|z|²."""
    if g.rate > 0 or g.curvature > 0 or not g.degree <= 2:
        raise NoBoundError()
    if g.degree <= 1:
        return Growth(g.factor.exp(), arb(0), g.factor, arb(0))
    return Growth((2 * g.factor).exp(), arb(0), arb(0), 2 * g.factor)


def tail(bound: Growth, scale: Ball, dimension: int, radius: Ball) -> Ball:
    r"""An upper bound for the integral outside [−R, R]^d against d independent standard Gaussians.

    The integrand is bounded at z with |z| ≤ scale·Σ|u_i|; since 1 + S Σ|u_i| ≤ ∏(1 + S|u_i|) and
    (Σ|u_i|)² ≤ d Σ u_i², it is bounded by A ∏ h(u_i). Then d·(tail of h)·(integral of h)^(d−1).
    """
    s, curvature = scale.upper(), bound.curvature.upper().max(arb(0)) * dimension
    outer = _one_tail(bound, s, curvature, radius)
    total = arb(1)
    if dimension > 1:
        # on [-1, 1] the density is below 1/2 and h at most h(1)
        h = (1 + s) ** bound.degree * (bound.rate * s + curvature * s**2).exp()
        total = h + _one_tail(bound, s, curvature, arb(1), crude=True)
    return (bound.factor * dimension * outer * total ** (dimension - 1)).upper()


def _one_tail(bound: Growth, s: Ball, curvature: Ball, radius: Ball, *, crude: bool = False) -> Ball:
    r"""2∫_R^∞ (1+su)^m e^{αsu+βs²u²} φ(u) du for a half-line where the bound decreases fast enough.

    log of the first factors is concave, so below its tangent at R: the integral is at most
    2 e^{h(R) − γR²}/(√(2π)(2γR − h'(R))) with γ = 1/2 − βs².
    """
    gamma = arb(1) / 2 - curvature * s**2
    while True:
        h = bound.degree * (1 + s * radius).log() + bound.rate * s * radius
        slope = 2 * gamma * radius - bound.degree * s / (1 + s * radius) - bound.rate * s
        if slope > arb(2) ** -4:
            break
        if not crude or not gamma > 0 or radius > 10**6:
            raise NoBoundError()
        return _grown_tail(bound, s, curvature, radius)
    return (2 * (h - gamma * radius**2).exp() / ((2 * arb.pi()).sqrt() * slope)).upper()


def _grown_tail(bound: Growth, s: Ball, curvature: Ball, radius: Ball) -> Ball:
    """The half-line in two parts: up to 2R by its largest value, beyond by the tail."""
    top = (1 + 2 * s * radius) ** bound.degree
    top = top * (2 * bound.rate * s * radius + curvature * (2 * s * radius) ** 2).exp()
    return (2 * top + _one_tail(bound, s, curvature, 2 * radius, crude=True)).upper()
