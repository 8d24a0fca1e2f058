r"""Gaussian expectations by integration with proven error bounds, in one and two variables.

In one variable ∫ f(s u) φ(u) du over [−R, R], split at the kinks of f, by flint's adaptive Gauss–
Legendre rule (Johansson, *Numerical integration in arbitrary-precision ball arithmetic*, 2018), plus
a bound for what lies beyond. In two variables, nested, in coordinates along which the kinks lie, so
that the inner integral is analytic in the outer variable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sympy as sp
from flint import acb, arb, ctx

from tpsym.gauss.balls import Ball, square_root
from tpsym.gauss.expectation import bound
from tpsym.gauss.growth import Growth, NoBoundError, e_has, growth, tail
from tpsym.gauss.integrand import Complex, Integrand, NoRuleError, compiled
from tpsym.gauss.moments import polynomial_mean

Value = Callable[[sp.Expr], Ball]
PLANE_BITS = 60
"""Accuracy asked of integrals over the plane, whose cost grows fast with it."""


class NotRigorousError(ArithmeticError):
    """No rigorous method applies."""


class OutOfTimeError(ArithmeticError):
    """The deadline has passed."""


@dataclass(frozen=True)
class Law:
    """The variables that matter, and their covariance as expressions."""

    variables: tuple[sp.Symbol, ...]
    covariance: sp.Matrix


def reduced(body: sp.Expr, covariance: sp.Matrix, value: Value) -> tuple[sp.Expr, Law]:
    """The body and law without variables that are constant, unused, or ± another one."""
    variables = [bound(i + 1) for i in range(covariance.rows)]
    keep: list[int] = []
    for i, z in enumerate(variables):
        if not e_has(body, [z]):
            continue
        if value(covariance[i, i]).is_zero():
            body = body.xreplace({z: sp.S.Zero})
            continue
        for j in keep:
            ratio = _multiple(covariance, i, j)
            if ratio is not None:
                body = body.xreplace({z: variables[j] * ratio})
                break
        else:
            keep.append(i)
    keep = [i for i in keep if e_has(body, [variables[i]])]
    return body, Law(tuple(variables[i] for i in keep), covariance.extract(keep, keep))


def _multiple(covariance: sp.Matrix, i: int, j: int) -> sp.Expr | None:
    """k with z_i = k z_j, where the covariance shows it."""
    q, c, s = covariance[i, i], covariance[i, j], covariance[j, j]
    if q == s and c in (q, -q):
        return sp.S.One if c == q else sp.S.NegativeOne
    if all(isinstance(x, sp.Rational) for x in (q, c, s)) and c * c == q * s:
        return c / s
    return None


def integrate(body: sp.Expr, covariance: sp.Matrix, value: Value, *, deadline: float | None = None) -> Ball:
    """E[body] as a ball; raises :class:`NotRigorousError` where no method with a proven bound applies."""
    body, law = reduced(body, covariance, value)
    try:
        if not law.variables:
            return value(body)
        balls = [[value(c) for c in row] for row in law.covariance.tolist()]
        mean = polynomial_mean(body, law.variables, balls, value)
        if mean is not None:
            return mean
        if len(law.variables) == 1:
            return _line(body, law, value, deadline)
        if len(law.variables) == 2:
            return _plane(body, law, value, deadline)
    except (NoBoundError, NoRuleError) as error:
        raise NotRigorousError(str(error)) from error
    raise NotRigorousError("more than two variables")


def radius_for(bounds: Growth, scale: Ball, dimension: int, bits: int) -> tuple[Ball, Ball]:
    """A radius and the bound for the tail beyond it, below 2^−bits if that can be had."""
    best: tuple[Ball, Ball] | None = None
    goal = arb(2) ** -bits
    for r in (6, 8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96):
        try:
            beyond = tail(bounds, scale, dimension, arb(r))
        except NoBoundError:
            continue
        if beyond.is_finite():
            best = (arb(r), beyond)
            if beyond < goal:
                break
    if best is None:
        raise NoBoundError("the tails of the integrand are too heavy")
    return best


def _line(body: sp.Expr, law: Law, value: Value, deadline: float | None) -> Ball:
    s = square_root(value(law.covariance[0, 0]))
    f = compiled(body, law.variables, value)
    radius, beyond = radius_for(growth(body, law.variables, value), s, 1, ctx.prec)
    forms = [_affine(g, law.variables, value) for g in f.kinks]
    points = [-form[1] / (form[0][0] * s) for form in forms if form is not None and _apart(form[0][0] * s)]
    norm = 1 / (2 * arb.pi()).sqrt()

    def integrand(signs: Sequence[int]) -> Callable[[Complex, bool], Complex]:
        return lambda u, analytic: f([s * u], analytic, signs) * (-u * u / 2).exp() * norm

    total = arb(0, beyond.upper())
    for low, high in _pieces(-radius, radius, points):
        middle = (low + high).mid() / 2
        signs = [_side(form, [s * middle]) for form in forms]
        total += _piece(integrand(signs), low, high, deadline)
    total += _gaps(points, integrand([0] * len(forms)))
    if not total.is_finite():
        raise NotRigorousError("the integral did not converge")
    return total


Form = tuple[list[Ball], Ball]


def _affine(g: sp.Expr, variables: Sequence[sp.Symbol], value: Value) -> Form | None:
    """(coefficients, constant) of an affine form, or None."""
    if not g.is_polynomial(*variables):
        return None
    poly = sp.Poly(g, *variables)
    if poly.total_degree() > 1:
        return None
    coefficients = [value(poly.coeff_monomial(v)) for v in variables]
    return coefficients, value(poly.coeff_monomial(1))


def _apart(x: Ball) -> bool:
    return bool(x > 0 or x < 0)


def _side(form: Form | None, point: Sequence[Ball]) -> int:
    """The sign of the form at the point, 0 if not certain."""
    if form is None:
        return 0
    x = form[1] + sum((a * p for a, p in zip(form[0], point, strict=True)), arb(0))
    return 1 if x > 0 else -1 if x < 0 else 0


def _merged(points: Sequence[Ball]) -> list[Ball]:
    result: list[Ball] = []
    for p in sorted(points, key=lambda x: float(x.mid())):
        if result and result[-1].overlaps(p):
            result[-1] = result[-1].union(p)
        else:
            result.append(p)
    return result


def _pieces(low: Ball, high: Ball, points: Sequence[Ball], width: float = 4.0) -> list[tuple[Ball, Ball]]:
    """Intervals from low to high cut at the points and at most about ``width`` long."""
    cuts = [low, *(p for p in _merged(points) if p > low and p < high), high]
    result: list[tuple[Ball, Ball]] = []
    for a, b in pairwise(cuts):
        count = max(1, int(float((b - a).mid()) / width))
        marks = [a, *(((a * (count - k) + b * k) / count).mid() for k in range(1, count)), b]
        result.extend(pairwise(marks))
    return result


def _gaps(points: Sequence[Ball], f: Callable[[Complex, bool], Complex]) -> Ball:
    """What may lie between kinks that could not be told apart, or at the end of the range."""
    total = arb(0)
    for p in _merged(points):
        if not p.is_exact():
            largest = abs(f(acb(p), False).real).upper()
            total += arb(0, (2 * p.rad() * largest).upper())
    return total


def _piece(f: Callable[[Complex, bool], Complex], low: Ball, high: Ball, deadline: float | None) -> Ball:
    if deadline is not None and time.monotonic() > deadline:
        raise OutOfTimeError()
    result: Any = acb.integral(f, acb(low), acb(high), abs_tol=arb(2) ** -ctx.prec)
    return result.real


# Two variables ------------------------------------------------------------------------------------


def _plane(body: sp.Expr, law: Law, value: Value, deadline: float | None) -> Ball:
    if ctx.prec > PLANE_BITS + 20:
        with ctx.workprec(PLANE_BITS + 20):
            return _plane(body, law, value, deadline)
    body, law = _aligned(body, law, value)
    q1, c, q2 = (value(law.covariance[i, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    left = q2 - c * c / q1
    f = compiled(body, law.variables, value)
    forms = [_affine(g, law.variables, value) for g in f.kinks]
    if any(form is None for form in forms):
        raise NotRigorousError("kinks along curves")
    scale = (q1 + q2).sqrt()
    radius, beyond = radius_for(growth(body, law.variables, value), scale, 2, PLANE_BITS)
    if not left > 0:
        raise NotRigorousError("a covariance that may be singular")
    axes = [[-form[1] / form[0][i] for form in forms if form and _apart(form[0][i])] for i in (0, 1)]
    spans = [radius * q.sqrt() for q in (q1, q2)]
    ranges = [_pieces(-s, s, p, 4 * float(q.sqrt().mid())) for s, p, q in zip(spans, axes, (q1, q2), strict=True)]
    density = _Density(q1, c / q1, left)
    total = arb(0, beyond.upper())
    for outer in ranges[0]:
        for inner in ranges[1]:
            middle = [(a + b).mid() / 2 for a, b in (outer, inner)]
            signs = [_side(form, middle) for form in forms]
            if 0 in signs:
                raise NotRigorousError("kinks not told apart")
            total += _piece(_inner(f, density, inner, signs, deadline), *outer, deadline)
    if any(not p.is_exact() for points in axes for p in _merged(points)) or not total.is_finite():
        raise NotRigorousError("the integral did not converge")
    return total


@dataclass(frozen=True)
class _Density:
    """The density of (w1, w2): variances ``first`` of w1 and ``left`` of w2 − slope·w1, independent of it."""

    first: Ball
    slope: Ball
    left: Ball

    def __call__(self, x: Complex, y: Complex) -> Complex:
        gap = y - self.slope * x
        norm = 2 * arb.pi() * (self.first * self.left).sqrt()
        return (-x * x / (2 * self.first) - gap * gap / (2 * self.left)).exp() / norm


def _inner(
    f: Integrand, density: _Density, span: tuple[Ball, Ball], signs: Sequence[int], deadline: float | None
) -> Callable[[Complex, bool], Complex]:
    """The integral over the second variable as a function of the first."""
    low, high = acb(span[0]), acb(span[1])
    tolerance = arb(2) ** -(PLANE_BITS + 4)

    def integral(x: Complex, analytic: bool) -> Complex:
        if deadline is not None and time.monotonic() > deadline:
            return acb(arb.nan())
        return acb.integral(
            lambda y, inner: f([x, y], inner or analytic, signs) * density(x, y),
            low,
            high,
            abs_tol=tolerance,
            rel_tol=tolerance,
            eval_limit=3000,
        )

    return integral


def _aligned(body: sp.Expr, law: Law, value: Value) -> tuple[sp.Expr, Law]:
    """New variables such that every kink lies along one of them."""
    x, y = law.variables
    directions: list[tuple[sp.Expr, sp.Expr]] = []
    for g in compiled(body, law.variables, value).kinks:
        if not g.is_polynomial(x, y) or sp.Poly(g, x, y).total_degree() > 1:
            raise NotRigorousError("kinks along curves")
        poly = sp.Poly(g, x, y)
        a, b = poly.coeff_monomial(x), poly.coeff_monomial(y)
        if all(sp.expand(a * d[1] - b * d[0]) != 0 for d in directions):
            directions.append((a, b))
    if all(0 in d for d in directions):
        return body, law
    if len(directions) > 2:
        raise NotRigorousError("kinks in more than two directions")
    if len(directions) == 1:
        a, b = directions[0]
        directions.append((sp.S.Zero, sp.S.One) if a != 0 else (sp.S.One, sp.S.Zero))
    change = sp.Matrix(directions)
    back = change.inv()
    first, second = back * sp.Matrix([x, y])
    moved = body.xreplace({x: sp.expand(first), y: sp.expand(second)})
    return _expanded_kinks(moved), Law(law.variables, change * law.covariance * change.T)


def _expanded_kinks(body: sp.Expr) -> sp.Expr:
    """Arguments of functions multiplied out, so that the new variables cancel where they must."""
    return body.replace(lambda e: isinstance(e, sp.Function), lambda e: e.func(*(sp.expand(a) for a in e.args)))
