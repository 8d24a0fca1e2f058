"""What is known of a law at an irrational critical value of the parameter, from the cells on both sides.

Laws are weakly continuous in the parameter, since their moments are. That, and what the equation allows at the value,
settles most questions without computing in a number field.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb, ctx
from sympy import Expr, Poly, S, Symbol

from tpsym.freeprob.branch import expression_ball
from tpsym.freeprob.residues import Residue
from tpsym.freeprob.shapes import Shape

BITS = 256


def atoms_hold(residues: Sequence[Residue], at: dict[Symbol, Expr], before: Shape, after: Shape) -> bool:
    """Whether the atoms on both sides are those at the value."""
    known = dict(before.atoms)
    return before.atoms == after.atoms and all(
        mass_holds(r, at, known.get(r.position, S.Zero), known.get(r.position, S.Zero)) for r in residues
    )


def mass_holds(residue: Residue, at: dict[Symbol, Expr], before: Expr | None, after: Expr | None) -> bool:
    """Whether the mass on both sides is that at the value, where no ``critical`` polynomial of the residue vanishes.

    A mass is zero or a positive candidate: zero, if there is none. It is at least the limit from the sides: so it is
    the candidate, if there is one and the sides have it.
    """
    positive = [m for m in residue.masses if may_be_positive(m.xreplace(at))]
    return residue.complete and before == after and (not positive or positive == [before])


def may_be_positive(value: Expr) -> bool:
    number = value.evalf(30)
    return bool(number.is_real) and bool(number > -1e-25)


def edges_hold(moving: Sequence[Expr], z: Symbol, at: dict[Symbol, Expr], before: Shape, after: Shape) -> bool:
    """Whether the edges on both sides are those at the value: they are if no other singular point meets one of them.

    Then the branch around an edge keeps its ramification, and elsewhere it stays analytic in the limit.
    """
    if before.edges != after.edges:
        return False
    with ctx.workprec(BITS):
        values = {s: expression_ball(v) for s, v in at.items()}
        for position, *_ in before.edges:
            if position is None or not is_alone(moving, z, expression_ball(position.xreplace(at)), values):
                return False
    return True


def is_alone(moving: Sequence[Expr], z: Symbol, position: arb, values: dict[Symbol, arb]) -> bool:
    """Whether one of the singular polynomials vanishes there, certainly simply, and certainly no other."""
    through = [f for f in moving if evaluated(f, {**values, z: position}).contains(0)]
    return len(through) == 1 and not evaluated(through[0].diff(z), {**values, z: position}).contains(0)


def evaluated(polynomial: Expr, values: dict[Symbol, arb]) -> arb:
    poly = Poly(polynomial, *values)
    total = arb(0)
    for powers, coefficient in poly.terms():
        term = arb(int(coefficient))
        for base, power in zip(values.values(), powers, strict=True):
            term *= base ** int(power)
        total += term
    return total
