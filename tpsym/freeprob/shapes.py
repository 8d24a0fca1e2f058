"""What a law looks like: support, edges, atoms, in formulas that hold around a sample of the parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import ctx
from sympy import Expr, Rational, Symbol

from tpsym.freeprob.algebraic import Algebraic, as_algebraic
from tpsym.freeprob.atoms import mass_at
from tpsym.freeprob.branch import expression_ball
from tpsym.freeprob.curve import Curve, NotDecided
from tpsym.freeprob.edges import structure
from tpsym.freeprob.formulas import radical_roots
from tpsym.freeprob.residues import Residue

BITS = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of ``support``: two ends; of ``edges``: position, exponents left and right; of ``atoms``: position, mass.

    None for a position without a formula.
    """

    support: tuple[tuple[Expr | None, Expr | None], ...]
    edges: tuple[tuple[Expr | None, Fraction | None, Fraction | None], ...]
    atoms: tuple[tuple[Expr | None, Expr | None], ...]


def complete(value: tuple[tuple[object, ...], ...], what: str, needed: Sequence[int]) -> None:
    """Raises ``NotDecided`` if a position or mass has no formula."""
    if any(row[i] is None for row in value for i in needed):
        raise NotDecided(f"{what} has no formula in radicals of degree 2: give the parameter a value")


def shape_exact(curve: Curve) -> Shape:
    """Of a law without parameters."""
    found = structure(curve)
    atoms = ((p.position, mass_at(found.sheets, p.position, p.expansion)) for p in found.atoms)
    return Shape(
        tuple((low.expr, high.expr) for low, high in found.support),
        tuple((e.expr, e.left, e.right) for e in found.edges),
        tuple((position.expr, mass.expr) for position, mass in atoms if mass is not None),
    )


def shape_around(
    curve: Curve, parameter: Symbol, value: Rational, moving: Sequence[Expr], residues: Sequence[Residue]
) -> Shape:
    """The law at a sample inside a cell, each number replaced by the formula that gives it there."""
    at = {parameter: value}
    found = structure(curve.at(at))
    names = [formula for factor in moving for formula in radical_roots(factor, curve.z)]

    def name(position: Algebraic) -> Expr | None:
        return next((f for f in names if is_value(f.xreplace(at), position)), None)

    atoms = []
    for point in found.atoms:
        mass = mass_at(found.sheets, point.position, point.expansion)
        pole = next((r for r in residues if is_value(r.position.xreplace(at), point.position)), None)
        formulas = () if pole is None or mass is None else pole.masses
        known = next((m for m in formulas if as_algebraic(m.xreplace(at)) == mass), None)
        atoms.append((None if pole is None else pole.position, known))
    return Shape(
        tuple((name(low), name(high)) for low, high in found.support),
        tuple((name(e.position), e.left, e.right) for e in found.edges),
        tuple(atoms),
    )


def is_value(number: Expr, position: Algebraic) -> bool:
    with ctx.workprec(BITS):
        if number.is_Rational:
            return Algebraic.rational(number) == position
        approximate = number.evalf(20)
        return bool(approximate.is_real) and expression_ball(number).overlaps(position.ball(BITS))
