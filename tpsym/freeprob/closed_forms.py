"""-Im G / π on the bands in radicals, for equations that are quadratic, cubic or biquadratic in G."""

from __future__ import annotations

from sympy import (
    Abs,
    Dummy,
    Expr,
    Poly,
    Rational,
    S,
    cancel,
    discriminant,
    factor_list,
    fraction,
    gcd,
    pi,
    sqrt,
    together,
)
from sympy import sign as sign_of

from tpsym.freeprob.curve import Curve, NotDecided
from tpsym.freeprob.formulas import rational_square_parts
from tpsym.freeprob.signs import Signs

HALF, THIRD = Rational(1, 2), Rational(1, 3)


def density_form(curve: Curve, signs: Signs) -> Expr:
    """The density on the bands as an expression in z; raises ``NotDecided`` where radicals do not print decently."""
    poly = Poly(curve.polynomial, curve.g)
    if poly.degree() == 2:
        return quadratic(poly, signs)
    if poly.degree() == 3:
        return cubic(poly, signs)
    if poly.degree() == 4:
        _, _, p, q, r = without_second_term(poly)
        if q == 0:
            return biquadratic(p, r, signs)
    raise NotDecided(f"an equation of degree {poly.degree()} in G gives no short closed form of the density")


def quadratic(poly: Poly, signs: Signs) -> Expr:
    r"""a G² + b G + c: :math:`\sqrt{4ac - b^2} / (2π|a|)`."""
    a, b, c = poly.all_coeffs()
    square = cancel((4 * a * c - b**2) / a**2)
    top, bottom = fraction(together(square))
    sign = signs.sign(bottom)
    if sign is None:
        return signs.size(1 / bottom) * root_of(top * bottom, signs) / (2 * pi)
    return root_of(sign * top, signs) / root_of(sign * bottom, signs) / (2 * pi)


def root_of(polynomial: Expr, signs: Signs) -> Expr:
    outside, inside = signs.square_root(polynomial.expand())
    return signs.size(outside) * sqrt(inside)


def cubic(poly: Poly, signs: Signs) -> Expr:
    r"""a G³ + b G² + c G + d by Cardano, with real cube roots.

    Y = 3aG + b solves Y³ - 3 D Y + N = 0, D = b² - 3ac, N = 2b³ - 9abc + 27a²d. There is a density exactly where the
    discriminant is negative. Then R = √(N² - 4D³) = 3√3 |a| √(-disc) is real and
    :math:`|Im Y| = (√3/2) (\sqrt[3]{(|N| + R)/2} - \sqrt[3]{(|N| - R)/2})`; the last root has the sign of D.
    """
    a, b, c, d = poly.all_coeffs()
    outside, inside = signs.square_root((-discriminant(poly.as_expr(), poly.gen)).expand())
    product = (b**2 - 3 * a * c).expand()
    constant = (2 * b**3 - 9 * a * b * c + 27 * a**2 * d).expand()
    outside = (outside * a).expand()
    common = gcd(constant, outside)
    content, primitive = inside.as_content_primitive()
    number, under = rational_square_parts(3 * content)
    root = 3 * number * signs.size(cancel(outside / common)) * sqrt(under * primitive)
    rest = cancel(constant / common)
    sign = signs.sign(rest)
    level = Abs(rest) if sign is None else (sign * rest).expand()
    larger = (level + root) ** THIRD
    smaller = signed_cube_root(level - root, signs.sign(product)) if product != 0 else S.Zero
    scale = signs.size(common, THIRD) / signs.size(a)
    return sqrt(3) * 2 ** Rational(2, 3) / (12 * pi) * scale * (larger - smaller)


def signed_cube_root(value: Expr, sign: int | None) -> Expr:
    if sign is None:
        return sign_of(value) * Abs(value) ** THIRD
    return sign * (sign * value).expand() ** THIRD


def without_second_term(poly: Poly) -> list[Expr]:
    """Monic coefficients in G + b/(n a), which has the same imaginary part."""
    coefficients = poly.all_coeffs()
    shift = coefficients[1] / (poly.degree() * coefficients[0])
    moved = Poly(poly.as_expr().subs(poly.gen, poly.gen - shift), poly.gen)
    return [cancel(c / coefficients[0]) for c in moved.all_coeffs()]


def biquadratic(p: Expr, r: Expr, signs: Signs) -> Expr:
    r"""y⁴ + p y² + r with complex y²: then |y²| = √r, Re y² = -p/2 and :math:`|Im y| = \sqrt{2\sqrt r + p} / 2`."""
    if signs.sign(cancel(4 * r - p**2)) != 1:
        raise NotDecided("G² is real on some band, and no one radical gives the density")
    inside = 2 * signs.size(r, HALF) + p
    return root_of_half_powers(inside, signs) / (2 * pi)


def root_of_half_powers(inside: Expr, signs: Signs) -> Expr:
    """√inside; where that is rational in √z, z > 0, powers of z are taken out of the root."""
    w = Dummy("w", positive=True)
    replaced = inside.xreplace({signs.z: w**2})
    if signs.of(signs.z) != 1 or not replaced.is_rational_function(w):
        return sqrt(inside)
    outside, under = S.One, S.One
    for part, direction in zip(fraction(cancel(replaced)), (1, -1), strict=True):
        content, factors = factor_list(part)
        outside *= sqrt(abs(content)) ** direction
        under *= 1 if content > 0 else -1
        for factor, multiplicity in factors:
            if factor == w:
                outside *= signs.z ** (Rational(direction * multiplicity, 4))
            else:
                under *= factor ** (direction * multiplicity)
    return outside * sqrt(under.xreplace({w: sqrt(signs.z)}))
