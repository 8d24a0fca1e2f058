"""The algebraic equation of G from the system of the moments."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy import Expr, Poly, Symbol

from tpsym.freeprob.curve import Curve, CurveError, from_flint, integer_factors, satisfied, to_flint
from tpsym.freeprob.eliminate import eliminated
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.guess import guessed
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.normalise import Series
from tpsym.freeprob.system import H, T, system

G, Z = Symbol("G"), Symbol("z")


def inner_curve(moments: Moments) -> Curve:
    """The equation of the normalised polynomial, proved by elimination, else guessed from moments.

    Raises:
        Unavailable: no equation was found, or none is expected.
    """
    found = system(moments)
    try:
        polynomial, certified, method = found.ring.expression(eliminated(found)), True, "elimination"
    except Unavailable as reason:
        polynomial, certified, method = guessed(moments, found, reason)
    return _curve(polynomial, moments, certified=certified, method=method)


def _curve(polynomial: Expr, moments: Moments, *, certified: bool, method: str) -> Curve:
    """The polynomial in h and t as one in G and z: h = zG, t = 1/z."""
    written = sp.numer(sp.together(polynomial.xreplace({H: Z * G, T: 1 / Z})))
    factors = irreducible(written)
    if len(factors) != 1:
        try:
            factors = (satisfied(factors, G, Z, moments.inner),)
        except CurveError as error:
            raise Unavailable(f"the equation falls apart and its factor was not found: {error}") from None
    return Curve(signed(factors[0]), G, Z, moments.inner, certified, method)


def irreducible(polynomial: Expr) -> tuple[Expr, ...]:
    """The irreducible factors that contain G, primitive polynomials in G, z and the parameters.

    With irrational numbers or functions of parameters among the coefficients the polynomial itself, without factors
    free of G.
    """
    polynomial = sp.expand(polynomial)
    free = sorted(polynomial.free_symbols - {G, Z}, key=str)
    generators = (G, Z, *free)
    rational = polynomial.is_polynomial(*generators) and Poly(polynomial, *generators).domain in (sp.ZZ, sp.QQ)
    if not rational:
        return (Poly(polynomial, G, Z, domain="EX").terms_gcd()[1].as_expr(),)
    factors = (f for f in integer_factors(to_flint(polynomial, generators)) if f.degrees()[0] > 0)
    return tuple(from_flint(f, generators) for f in factors)


def signed(polynomial: Expr) -> Expr:
    """The polynomial or its negative, so that the constant term or else the leading one is positive."""
    poly = Poly(polynomial, G, Z)
    last = poly.terms()[-1][1]
    return sp.expand(-polynomial) if last.could_extract_minus_sign() else polynomial


def transported(curve: Curve, scale: Expr, shift: Expr, moments: Series) -> Curve:
    """The equation of ``scale · A' + shift``: G(z) = G'((z − shift)/scale)/scale."""
    if scale == 1 and shift == 0:
        return curve
    moved = curve.polynomial.xreplace({G: scale * G, Z: (Z - shift) / scale})
    written = sp.numer(sp.together(sp.expand(moved)))
    poly = Poly(sp.expand(written), G, Z)
    content = sp.gcd_list(poly.coeffs()) if all(c.is_polynomial() for c in poly.coeffs()) else poly.coeffs()[-1]
    primitive = sp.expand(sp.Add(*(sp.cancel(c / content) * G**i * Z**j for (i, j), c in poly.terms())))
    return replace(curve, polynomial=signed(primitive), moments=moments)



