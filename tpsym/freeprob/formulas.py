"""Roots of polynomials with parameters in radicals, written as a person would."""

from __future__ import annotations

from math import gcd

from sympy import Dummy, Expr, Integer, Mul, Poly, Rational, S, Symbol, cancel, factor, factor_list, gcd_list, sqrt
from sympy import root as radical


def radical_roots(polynomial: Expr, unknown: Symbol) -> tuple[Expr, ...]:
    """All roots that radicals of degree ≤ 2 in a power of the unknown give; empty if they do not.

    Even powers give both signs; of odd roots the real one.
    """
    poly = Poly(polynomial, unknown)
    coefficients = list(reversed(poly.all_coeffs()))
    step = 0
    for i, c in enumerate(coefficients):
        step = gcd(step, i) if c != 0 else step
    if step == 0 or poly.degree() // step > 2:
        return ()
    inner = coefficients[::step]
    bases = [cancel(-inner[0] / inner[1])] if len(inner) == 2 else quadratic_roots(inner[2], inner[1], inner[0])
    if step == 1:
        return tuple(bases)
    if step % 2:
        return tuple(radical(b, step) for b in bases)
    return tuple(sign * power_root(b, step) for b in bases for sign in (1, -1))


def quadratic_roots(a: Expr, b: Expr, c: Expr) -> list[Expr]:
    outside, inside = square_parts((b**2 - 4 * a * c).expand())
    common = gcd_list([b, outside, 2 * a])
    b, outside, bottom = (factor(cancel(e / common)) for e in (b, outside, 2 * a))
    root = outside * sqrt(inside)
    return [tidy(-b.expand() + sign * root, bottom) for sign in (1, -1)]


def square_parts(expr: Expr) -> tuple[Expr, Expr]:
    """(k, e) with expr = k² e and e free of squares: polynomials."""
    if expr.is_number:
        content, factors = expr, []
    else:
        content, factors = factor_list(expr)
    outside, inside = rational_square_parts(Rational(content))
    for base, multiplicity in factors:
        outside *= base ** (multiplicity // 2)
        inside *= base ** (multiplicity % 2)
    return outside, inside.expand()


def rational_square_parts(value: Rational) -> tuple[Expr, Expr]:
    """(k, e) with value = k² e, e an integer free of squares."""
    outside, inside = S.One / value.q, S.One
    for part in Mul.make_args(sqrt(Integer(abs(value.p) * value.q))):
        if part.is_Pow:
            inside *= part**2
        else:
            outside *= part
    return outside, inside * (1 if value >= 0 else -1)


def tidy(top: Expr, bottom: Expr) -> Expr:
    """top/bottom, factored in √λ where that is what occurs and factors repeat: λ + 1 - 2√λ as (1 - √λ)²."""
    symbols = sorted((top.free_symbols | bottom.free_symbols), key=lambda s: s.name)
    roots = {s: Dummy(s.name, positive=True) for s in symbols if s.is_nonnegative}
    replaced = (top / bottom).xreplace({s: r**2 for s, r in roots.items()})
    if not replaced.is_rational_function(*roots.values()):
        return quotient(top, bottom)
    back = {r: sqrt(s) for s, r in roots.items()}
    parts = [powers(part) for part in cancel(replaced).as_numer_denom()]
    if not any(multiplicity > 1 for part in parts for f, multiplicity in part[1] if f.is_Add):
        return quotient(top, bottom)
    up, down = (Mul(part[0], *(positive_first(f, m).xreplace(back) ** m for f, m in part[1])) for part in parts)
    return up / down


def quotient(top: Expr, bottom: Expr) -> Expr:
    if bottom.free_symbols:
        return top / bottom
    return sum((term / bottom for term in top.args), S.Zero) if top.is_Add else top / bottom


def powers(expr: Expr) -> tuple[Expr, list[tuple[Expr, int]]]:
    if expr.is_number:
        return expr, []
    content, factors = factor_list(expr)
    return content, factors


def positive_first(base: Expr, multiplicity: int) -> Expr:
    """±base; in an even power with a positive constant term."""
    flip = multiplicity % 2 == 0 and base.is_Add and base.as_coeff_Add()[0].is_negative
    return -base if flip else base


def power_root(base: Expr, step: int) -> Expr:
    """A step-th root (step even) up to sign, without radicals where ``base`` is a visible power."""
    content, rest = base.as_coeff_Mul()
    outside, inside = S.One, S.One
    if step == 2 and content.is_Rational:
        outside, inside = rational_square_parts(content)
    else:
        inside = content
    for part in Mul.make_args(rest):
        if part.is_Pow and part.exp.is_Integer and part.exp % step == 0:
            outside *= part.base ** (part.exp // step)
        else:
            inside *= part
    return outside * radical(inside, step)
