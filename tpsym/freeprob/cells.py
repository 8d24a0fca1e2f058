"""One parameter: the values where the law changes its structure, and formulas on the cells between.

At a critical value two singular points meet, one goes to infinity, or a residue degenerates. Between critical values
the order of the singular points, the intervals with density and the exponents stay, so that a rational sample tells
which of the finitely many formulas hold. At a rational critical value the law is computed anew. At an irrational one
the support is the limit from either side whenever sheets stay distinct there for generic z (a pair of conjugate roots
cannot become real without meeting); edges and atoms are told where ``steady`` settles them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from flint import arb, fmpz_poly
from sympy import Expr, Poly, Rational, S, Symbol, cancel, fraction
from sympy.logic.boolalg import Boolean

from tpsym.freeprob.algebraic import Algebraic, as_algebraic, compare, rational_between, real_roots
from tpsym.freeprob.atoms import mass
from tpsym.freeprob.conditions import Cell, Run, describe
from tpsym.freeprob.curve import Curve, NotDecided, from_flint, singular_expressions, to_flint
from tpsym.freeprob.residues import residue_at, residue_formulas
from tpsym.freeprob.shapes import Shape, complete, shape_around, shape_exact
from tpsym.freeprob.steady import atoms_hold, edges_hold, mass_holds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """Admissible values of the parameter, an open interval; None is infinite."""

    low: Rational | None
    high: Rational | None


@dataclass(frozen=True, slots=True)
class Cells:
    """``cells`` are open intervals and the critical values between them, in order."""

    curve: Curve
    parameter: Symbol
    cells: tuple[Cell[Shape], ...]

    def support(self) -> list[tuple[Boolean, tuple[tuple[Expr, Expr], ...]]]:
        return [(c, value) for c, value in self.described("support", (0, 1))]

    def edges(self) -> list[Run]:
        """Tuples (position, exponent on the left, exponent on the right) with the conditions under which they hold."""
        return self.described("edges", (0,))

    def atoms(self) -> list[tuple[Boolean, tuple[tuple[Expr, Expr], ...]]]:
        return [(c, value) for c, value in self.described("atoms", (0, 1))]

    def described(self, what: str, needed: Sequence[int]) -> list[Run]:
        def value(shape: Shape) -> tuple[tuple[object, ...], ...]:
            rows: tuple[tuple[object, ...], ...] = getattr(shape, what)
            complete(rows, what, needed)
            return rows

        return describe(self.parameter, self.cells, value, what)


def only_parameter(curve: Curve) -> Symbol:
    names = [s.name for s in curve.parameters]
    if not names:
        raise NotDecided("there is no parameter to divide into cells")
    if len(names) > 1:
        raise NotDecided(f"give values to all but one of the parameters {', '.join(names)}")
    return curve.parameters[0]


def natural_range(parameter: Symbol) -> Range:
    if parameter.is_nonnegative:
        return Range(Rational(0), None)
    return Range(None, Rational(0)) if parameter.is_nonpositive else Range(None, None)


def decompose(curve: Curve, *, within: Range | None = None) -> Cells:
    """The law's description in every cell; raises ``NotDecided`` unless there is exactly one parameter."""
    parameter = only_parameter(curve)
    within = within or natural_range(parameter)
    moving, fixed = parted(curve, parameter)
    poles = [f for f in moving if Poly(leading(curve), curve.z).rem(Poly(f, curve.z)).is_zero]
    residues = residue_formulas(curve, parameter)
    without_formula = [p for p in poles if Poly(p, curve.z).degree() > 1]
    met = meetings(poles, moving, curve.z, parameter)
    broken = [
        *fixed, *(c for r in residues for c in r.critical), *meetings(poles, poles, curve.z, parameter),
        *meetings(without_formula, moving, curve.z, parameter),
    ]
    critical = roots_in(parameter, [*broken, *met, *meetings(moving, moving, curve.z, parameter)])
    degenerate, unsteady, doubtful = (roots_in(parameter, p) for p in (fixed, broken, met))

    def at_point(value: Algebraic) -> Cell[Shape]:
        shape = shape_exact(curve.at({parameter: value.expr})) if value.is_rational else None
        return Cell(value, value, shape)

    def between(low: Algebraic | None, high: Algebraic | None) -> Cell[Shape]:
        sample = sample_between(low, high)
        return Cell(low, high, shape_around(curve, parameter, sample, moving, residues))

    def steady(value: Algebraic, before: Shape, after: Shape) -> frozenset[str]:
        at = {parameter: value.expr}
        known = {
            "support": value not in degenerate,
            "edges": value not in degenerate and edges_hold(moving, curve.z, at, before, after),
            "atoms": value not in unsteady and (value not in doubtful or atoms_hold(residues, at, before, after)),
        }
        return frozenset(what for what, holds in known.items() if holds)

    return Cells(curve, parameter, laid_out(critical, within, at_point, between, steady))


def laid_out(
    critical: Sequence[Algebraic], within: Range, at_point: Callable[[Algebraic], Cell[T]],
    between: Callable[[Algebraic | None, Algebraic | None], Cell[T]],
    steady: Callable[[Algebraic, T, T], frozenset[str]],
) -> tuple[Cell[T], ...]:
    """Open cells and critical values in turn; ``steady`` names what is known at a value from the cells beside it."""
    values = [v for v in critical if inside(v, within)]
    bounds = [bound(within.low), *values, bound(within.high)]
    cells = [between(low, high) for low, high in pairwise(bounds)]
    found = cells[:1]
    for value, (before, after) in zip(values, pairwise(cells), strict=True):
        assert before.description is not None
        assert after.description is not None
        known = steady(value, before.description, after.description)
        found += [replace(at_point(value), continuous=known), after]
    return tuple(found)


def parted(curve: Curve, parameter: Symbol) -> tuple[list[Expr], list[Expr]]:
    """Singular factors that contain z, and those in the parameter alone: there sheets coincide for every z."""
    factors = singular_expressions(curve.polynomial, curve.g, (curve.z, parameter))
    return [f for f in factors if f.has(curve.z)], [f for f in factors if not f.has(curve.z)]


def leading(curve: Curve) -> Expr:
    return Poly(curve.polynomial, curve.g).LC()


def meetings(some: Sequence[Expr], all_of_them: Sequence[Expr], z: Symbol, parameter: Symbol) -> list[Expr]:
    """Where roots in z of ``some`` of these irreducible polynomials meet another root, or go to infinity."""
    generators = (z, parameter)
    found: list[Expr] = []
    for f in some:
        poly, degree = to_flint(f, generators), Poly(f, z).degree()
        together = [poly.discriminant(0)] if degree > 1 else []
        together += [poly.resultant(to_flint(g, generators), 0) for g in all_of_them if g != f]
        found += [Poly(f, z).LC(), *(from_flint(p, generators) for p in together)]
    return found


def roots_in(parameter: Symbol, polynomials: Sequence[Expr]) -> tuple[Algebraic, ...]:
    found = []
    for expr in polynomials:
        poly = Poly(expr, parameter).clear_denoms(convert=True)[1]
        if poly.degree() > 0:
            found.append(fmpz_poly([int(c) for c in reversed(poly.all_coeffs())]))
    return real_roots(found)


def bound(value: Rational | None) -> Algebraic | None:
    return None if value is None else Algebraic.rational(value)


def inside(value: Algebraic, within: Range) -> bool:
    low, high = bound(within.low), bound(within.high)
    return (low is None or compare(low, value) < 0) and (high is None or compare(value, high) < 0)


def sample_between(low: Algebraic | None, high: Algebraic | None) -> Rational:
    a = None if low is None else low.ball(256)
    b = None if high is None else high.ball(256)
    if a is None:
        a = arb(-3) if b is None else b - 3
    if b is None:
        b = a + 3
    value = rational_between(a, b)
    return Rational(int(value.p), int(value.q))


def mass_by_cells(curve: Curve, t: Expr, *, within: Range | None = None) -> list[tuple[Boolean, Expr]]:
    """μ({t}) for t a rational function of the one parameter, with conditions on it."""
    parameter = only_parameter(curve)
    within = within or natural_range(parameter)
    top, bottom = fraction(cancel(t))
    if t.free_symbols - {parameter} or not (top.is_polynomial(parameter) and bottom.is_polynomial(parameter)):
        raise NotDecided(f"{t} is no rational function of {parameter}")
    moving, fixed = parted(curve, parameter)
    residue = residue_at(curve, t, parameter)
    if cancel(leading(curve).subs(curve.z, t)) != 0:
        at_pole = fraction(cancel(leading(curve).subs(curve.z, t)))[0]
        broken, met = [at_pole, bottom], []
    else:
        here = (bottom * curve.z - top).expand()
        others = [f for f in moving if f not in (here, -here)]
        broken, met = [*fixed, *residue.critical, bottom], meetings([here], others, curve.z, parameter)
    unsteady = roots_in(parameter, broken)

    def at_point(value: Algebraic) -> Cell[Expr]:
        at = {parameter: value.expr}
        known = value.is_rational and bottom.xreplace(at) != 0
        return Cell(value, value, mass(curve.at(at), t.xreplace(at)) if known else None)

    def between(low: Algebraic | None, high: Algebraic | None) -> Cell[Expr]:
        if not residue.masses:
            return Cell(low, high, S.Zero)
        at = {parameter: sample_between(low, high)}
        return Cell(low, high, formula_of(mass(curve.at(at), t.xreplace(at)), residue.masses, at))

    def steady(value: Algebraic, before: Expr, after: Expr) -> frozenset[str]:
        holds = value not in unsteady and mass_holds(residue, {parameter: value.expr}, before, after)
        return frozenset({"mass"} if holds else ())

    cells = laid_out(roots_in(parameter, [*broken, *met]), within, at_point, between, steady)
    return [(c, value) for c, value in describe(parameter, cells, lambda value: value, "mass")]


def formula_of(value: Expr, masses: Sequence[Expr], at: dict[Symbol, Expr]) -> Expr:
    if value == 0:
        return S.Zero
    wanted = as_algebraic(value)
    for formula in masses:
        if as_algebraic(formula.xreplace(at)) == wanted:
            return formula
    raise NotDecided("the mass is no root of degree ≤ 2 in the parameter: give it a value")
