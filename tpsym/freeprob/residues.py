"""Masses that the equation allows at its poles, as formulas in one parameter."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Dummy, Expr, Poly, S, Symbol, cancel, factor_list, fraction

from tpsym.freeprob.curve import Curve
from tpsym.freeprob.formulas import quadratic_roots


@dataclass(frozen=True, slots=True)
class Residue:
    """A pole at ``position`` for every value of the parameter.

    ``masses`` are the formulas that the terms of least order of Q(c/s, t + s) allow; ``complete`` says that they are
    all of them, as long as no ``critical`` polynomial vanishes.
    """

    position: Expr
    masses: tuple[Expr, ...]
    critical: tuple[Expr, ...]
    complete: bool


def residue_formulas(curve: Curve, parameter: Symbol) -> tuple[Residue, ...]:
    """For every pole that is rational in the parameter; others have no formula here."""
    leading = Poly(curve.polynomial, curve.g).LC()
    found = []
    for factor, _ in factor_list(leading, curve.z, parameter)[1]:
        linear = Poly(factor, curve.z)
        if linear.degree() == 1:
            one, zero = linear.all_coeffs()
            found.append(residue_at(curve, cancel(-zero / one), parameter))
    return tuple(found)


def residue_at(curve: Curve, position: Expr, parameter: Symbol) -> Residue:
    s, c = Dummy("s"), Dummy("c")
    moved = curve.polynomial.subs(curve.z, position + s)
    numerator = fraction(cancel(moved))[0]
    terms = Poly(numerator, curve.g, s).terms()
    least = min(j - i for (i, j), _ in terms)
    least_terms = {i: coefficient for (i, j), coefficient in terms if j - i == least}
    lowest = min(least_terms)
    polynomial = sum((k * c ** (i - lowest) for i, k in least_terms.items()), S.Zero)
    masses: list[Expr] = []
    critical: list[Expr] = [coefficient for coefficient in least_terms.values() if coefficient.has(parameter)]
    complete = True
    if polynomial.has(c):
        for factor, _ in factor_list(polynomial, c, parameter)[1]:
            poly = Poly(factor, c)
            coefficients = poly.all_coeffs()
            if poly.degree() == 1:
                masses.append(cancel(-coefficients[1] / coefficients[0]))
            elif poly.degree() == 2:
                masses += quadratic_roots(*coefficients)
            else:
                complete = complete and poly.degree() == 0
        critical.append(Poly(polynomial, c).discriminant() if Poly(polynomial, c).degree() > 1 else S.One)
    return Residue(position, tuple(written(m, parameter) for m in masses), tuple(critical), complete)


def written(value: Expr, parameter: Symbol) -> Expr:
    """1 - 1/λ rather than (λ - 1)/λ: the denominator is divided through where it is a monomial."""
    top, bottom = fraction(value)
    if bottom.has(parameter) and len(Poly(bottom, parameter).terms()) == 1:
        return (top.expand() / bottom).expand()
    return value
