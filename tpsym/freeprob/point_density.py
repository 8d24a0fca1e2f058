"""The density at one rational point as an algebraic number over π, where it has no closed form in t."""

from __future__ import annotations

from typing import Any

from flint import Ordering, ctx, fmpq, fmpz_mpoly_ctx, fmpz_poly
from sympy import (
    And,
    Eq,
    Expr,
    Float,
    GreaterThan,
    LessThan,
    Or,
    Piecewise,
    Rational,
    S,
    StrictGreaterThan,
    Symbol,
    false,
    pi,
    true,
)

from tpsym.freeprob.algebraic import Algebraic, root_near
from tpsym.freeprob.branch import cauchy, sheets_of
from tpsym.freeprob.curve import Curve
from tpsym.freeprob.edges import structure_of
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.stand_ins import decimal

DIGITS = (25, 60, 150)
CERTAIN = 40
"""Digits in which a point is compared with the ends of the support."""


def density_at(curve: Curve, t: Rational) -> Expr:
    r"""``y/π`` for :math:`G(t + i0) = x - iy`: y is a root of the resultant in x of the two parts of Q(x − iy, t).

    Raises:
        Unavailable: t is a singular point of the equation, or the equation has parameters.
    """
    sheets = sheets_of(curve)
    if any(row(fmpq(int(t.p), int(t.q))) == 0 for row in sheets.singular):
        raise Unavailable(f"the density at {t}, a singular point of the equation, is not given")
    place = Algebraic.rational(t)
    inside = [(a, b) for a, b in structure_of(sheets).support if a.number <= place.number <= b.number]
    if not inside:
        return S.Zero
    eliminated = imaginary_parts([row(fmpq(int(t.p), int(t.q))) for row in sheets.rows])
    for digits in DIGITS:
        with ctx.workdps(digits + 20):
            y = -cauchy(curve, t, digits=digits).imag
        found = [root for factor, _ in eliminated.factor()[1] if (root := root_near(factor, y)) is not None]
        if len(found) == 1:
            return found[0].expr / pi
    raise Unavailable(f"the density at {t} could not be told from other roots")


def at_point(value: Expr, mark: Symbol, t: Expr) -> Expr:
    """A density in closed form at t; at a number the one case that holds.

    Raises:
        Unavailable: a number is too close to an endpoint to be told from it.
    """
    if not isinstance(value, Piecewise) or not t.is_number or value.free_symbols - {mark}:
        return value.xreplace({mark: t})
    for inner, condition in value.args:
        if _holds(condition, mark, t):
            if inner is S.Infinity:
                raise Unavailable(f"the density is not bounded at {t}")
            return at_point(inner, mark, t)
    return S.Zero


def _holds(condition: Any, mark: Symbol, t: Expr) -> bool:
    if condition in (True, true, False, false):
        return bool(condition)
    if isinstance(condition, And | Or):
        parts = (_holds(c, mark, t) for c in condition.args)
        return all(parts) if isinstance(condition, And) else any(parts)
    left, right = (decimal(side.xreplace({mark: t}), CERTAIN) for side in condition.args)
    gap = left - right
    if not gap.is_Float or abs(gap) < Float(10) ** (5 - CERTAIN) * (1 + abs(left)):
        if condition.args[0].xreplace({mark: t}) == condition.args[1].xreplace({mark: t}):
            return isinstance(condition, GreaterThan | LessThan | Eq)
        raise Unavailable(f"whether {t} lies in the support could not be told")
    return not isinstance(condition, Eq) and bool(gap > 0) == isinstance(condition, GreaterThan | StrictGreaterThan)


def imaginary_parts(coefficients: list[fmpq]) -> fmpz_poly:
    """A polynomial whose roots are the imaginary parts y ≠ 0 of the roots x + iy of ``Σ c_k g^k``, and others."""
    context = fmpz_mpoly_ctx.get(("x", "y"), Ordering.lex)
    x, y = context.gens()
    scale = 1
    for c in coefficients:
        scale = scale * int(c.q)
    real, imaginary = context.constant(0), context.constant(0)
    a, b = context.constant(1), context.constant(0)
    for c in coefficients:
        whole = int(c * scale)
        real, imaginary = real + whole * a, imaginary + whole * b
        a, b = a * x - b * y, a * y + b * x
    lowered = context.from_dict({(i, j - 1): c for (i, j), c in imaginary.to_dict().items()})
    found = real.resultant(lowered, 0) if lowered.degrees()[0] else lowered
    terms = {int(m[1]): int(c) for m, c in found.to_dict().items()}
    return fmpz_poly([terms.get(k, 0) for k in range(max(terms) + 1)])


__all__ = ["at_point", "density_at"]
