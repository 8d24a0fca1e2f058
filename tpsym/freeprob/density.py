"""Closed forms of the density, given out only after they agree with the branch."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from flint import acb, arb, ctx
from sympy import And, Eq, Expr, Or, Piecewise, Rational, S, Symbol, false
from sympy.logic.boolalg import Boolean

from tpsym.freeprob.algebraic import rational_between
from tpsym.freeprob.branch import expression_ball, far, follow
from tpsym.freeprob.cells import Cells, Range, decompose, sample_between
from tpsym.freeprob.closed_forms import density_form
from tpsym.freeprob.conditions import Cell, describe
from tpsym.freeprob.curve import Curve, NotDecided, singular_expressions
from tpsym.freeprob.edges import Structure, structure
from tpsym.freeprob.shapes import Shape
from tpsym.freeprob.signs import Signs

Ends: TypeAlias = tuple[tuple[Expr, Expr], ...]
Edges: TypeAlias = tuple[tuple[Expr | None, Fraction | None, Fraction | None], ...]

CHECKS = 12
CHECK_BITS = 160
AGREEMENT = 1e-25


def density(curve: Curve, t: Symbol) -> Expr:
    """Piecewise((expression in t, t in the support), (0, True)) of a law without parameters.

    Atoms are not in it. Raises ``NotDecided`` where the equation gives no short closed form.
    """
    found = structure(curve)
    ends = tuple((low.expr, high.expr) for low, high in found.support)
    exponents = tuple((e.expr, e.left, e.right) for e in found.edges)
    return piecewise(curve, found, ends, exponents, t, {})


def density_by_cells(curve: Curve, t: Symbol, *, within: Range | None = None) -> list[tuple[Boolean, Expr]]:
    """The same with one parameter left, with the conditions on it under which each form holds.

    Between critical values the signs that the form depends on do not change; at a critical value the density is the
    limit from either side unless sheets coincide there.
    """
    cells = decompose(curve, within=within)
    return describe(cells.parameter, [form_in(cells, cell, t) for cell in cells.cells], lambda e: e, "density")


def form_in(cells: Cells, cell: Cell[Shape], t: Symbol) -> Cell[Expr]:
    if cell.is_point:
        continuous = {"density"} if "support" in cell.continuous else set()
        degenerate = not continuous and cell.low is not None and cell.low.is_rational
        exact = density(cells.curve.at({cells.parameter: cell.low.expr}), t) if degenerate and cell.low else None
        return Cell(cell.low, cell.high, exact, frozenset(continuous))
    assert cell.description is not None
    ends = []
    for low, high in cell.description.support:
        if low is None or high is None:
            raise NotDecided("an end of the support has no formula in radicals of degree 2: give the parameter a value")
        ends.append((low, high))
    sample = {cells.parameter: sample_between(cell.low, cell.high)}
    found = structure(cells.curve.at(sample))
    return Cell(cell.low, cell.high, piecewise(cells.curve, found, tuple(ends), cell.description.edges, t, sample))


def piecewise(
    curve: Curve, found: Structure, ends: Ends, edges: Edges, t: Symbol, sample: Mapping[Symbol, Rational]
) -> Expr:
    if not ends:
        return S.Zero
    settled = frozenset(singular_expressions(curve.polynomial, curve.g, (curve.z, *sample)))
    form = density_form(curve, Signs(found, ends, curve.z, sample, settled))
    check(found, form.xreplace(dict(sample)), curve.z)
    rising = {position for position, *sides in edges if all(e is None or e >= 0 for e in sides)}
    where = [And(t >= a if a in rising else t > a, t <= b if b in rising else t < b) for a, b in ends]
    inside = (form.xreplace({curve.z: t}), Or(*where))
    unbounded = Or(*(Eq(t, e) for pair in ends for e in pair if e not in rising))
    return Piecewise(inside, *([] if unbounded == false else [(S.Infinity, unbounded)]), (S.Zero, True))


def check(found: Structure, form: Expr, z: Symbol) -> None:
    """Raises ``NotDecided`` if the form is not the density of the branch, at many points to 25 digits."""
    for band in found.bands:
        with ctx.workprec(CHECK_BITS):
            low, high = (found.points[i].position.ball(CHECK_BITS) for i in (band, band + 1))
            step = (high - low) / CHECKS
            here = far(found.sheets)
            for k in range(CHECKS):
                x = rational_between(low + step * k, low + step * (k + 1))
                here = follow(found.sheets, here, acb(arb(x), step)) if k else here
                value = -follow(found.sheets, here, acb(arb(x))).g.imag / arb.pi()
                given = expression_ball(form.xreplace({z: Rational(int(x.p), int(x.q))}))
                if not abs(given - value) < AGREEMENT * abs(value):
                    raise NotDecided("the closed form found does not agree with the branch")
