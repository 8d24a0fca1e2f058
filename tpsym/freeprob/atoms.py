"""Point masses: the residue of the branch at a zero of the leading coefficient.

Where a law has mass c at t, G(t + s) ~ c/s. Put G = c/s into the equation: the terms of least order in s are a
polynomial in c, and the mass is one of its roots or zero; the expansion of the branch itself tells which.
"""

from __future__ import annotations

from flint import Ordering, arb, ctx, fmpq, fmpz_mpoly_ctx, fmpz_poly
from sympy import Expr, S

from tpsym.freeprob.algebraic import Algebraic, as_algebraic, real_roots
from tpsym.freeprob.branch import BranchError, Sheets, sheets_of
from tpsym.freeprob.curve import Curve
from tpsym.freeprob.edges import Structure, structure
from tpsym.freeprob.expansion import Expansion, expand_at


def mass(curve: Curve, t: Expr) -> Expr:
    """μ({t}) exactly, for a real algebraic number t; raises ``NotDecided`` if there are parameters."""
    sheets = sheets_of(curve)
    at = as_algebraic(t)
    if at not in real_roots([sheets.rows[-1]]):
        return S.Zero
    found = mass_at(sheets, at, expand_at(sheets, at))
    return S.Zero if found is None else found.expr


def atoms(curve: Curve) -> tuple[tuple[Expr, Expr], ...]:
    """All atoms, each with its mass, in order."""
    return atoms_of(structure(curve))


def atoms_of(law: Structure) -> tuple[tuple[Expr, Expr], ...]:
    """All atoms of a law whose singular points are known."""
    found = [(p.position, mass_at(law.sheets, p.position, p.expansion)) for p in law.atoms]
    return tuple((at.expr, m.expr) for at, m in found if m is not None)


def mass_at(sheets: Sheets, at: Algebraic, expansion: Expansion) -> Algebraic | None:
    """The mass at a pole, None for zero: of zero and the roots of the residue polynomial the one near the residue."""
    candidates = [r for r in real_roots([residue_polynomial(sheets, at)]) if r.number > 0]
    with ctx.workprec(256):
        spread = (expansion.error / expansion.scales[0]).upper()
        value = expansion.coefficients[0].real + arb(0, float(spread) + 1e-300)
        near = [r for r in candidates if r.ball(256).overlaps(value)]
        if len(near) + value.contains(0) != 1:
            raise BranchError("the residue of the branch is none of those that the equation allows, or several")
    return near[0] if near else None


def residue_polynomial(sheets: Sheets, at: Algebraic) -> fmpz_poly:
    """The polynomial in c of the terms of least order of Q(c/s, t + s); over all conjugates of t."""
    leading: dict[int, tuple[int, fmpz_poly]] = {}
    for i, row in enumerate(sheets.rows):
        if row.degree() >= 0:
            leading[i] = leading_term(row, at)
    least = min(order - i for i, (order, _) in leading.items())
    terms = {i: p for i, (order, p) in leading.items() if order - i == least}
    if at.is_rational:
        return cleared({i: p(fmpq(-at.coefficients[0], at.coefficients[1])) for i, p in terms.items()})
    return norm(terms, at)


def leading_term(row: fmpz_poly, at: Algebraic) -> tuple[int, fmpz_poly]:
    """The order of the zero of a row at t, and k!-th part of the derivative of that order as a polynomial in t."""
    minimal, order = at.polynomial, 0
    while divides(minimal, row):
        row, order = row // minimal, order + 1
    # row = minimal^order · rest, and minimal(t + s) = minimal'(t) s + …
    return order, row * minimal.derivative() ** order


def divides(minimal: fmpz_poly, row: fmpz_poly) -> bool:
    quotient = row.gcd(minimal)
    return bool(quotient.degree() == minimal.degree())


def cleared(terms: dict[int, fmpq]) -> fmpz_poly:
    common = 1
    for value in terms.values():
        common *= int(fmpq(value).q)
    return fmpz_poly([int(fmpq(terms.get(i, 0)) * common) for i in range(max(terms) + 1)])


def norm(terms: dict[int, fmpz_poly], at: Algebraic) -> fmpz_poly:
    """The resultant over t of the minimal polynomial and Σ terms_i(t) c^i: a polynomial in c."""
    context = fmpz_mpoly_ctx.get(("t", "c"), Ordering.lex)
    minimal = context.from_dict({(j, 0): int(c) for j, c in enumerate(at.coefficients) if c})
    poly = context.from_dict(
        {(j, i): int(c) for i, p in terms.items() for j, c in enumerate(p.coeffs()) if c}
    )
    result = minimal.resultant(poly, "t").to_dict()
    return fmpz_poly([int(result.get((0, i), 0)) for i in range(max(m[1] for m in result) + 1)])
