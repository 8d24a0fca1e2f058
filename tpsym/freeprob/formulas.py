"""Roots of polynomials with parameters in radicals, written as a person would."""

from __future__ import annotations

from math import gcd

from sympy import Expr, Integer, Mul, Poly, Pow, S, Symbol, cancel, factor_list, sqrt
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
    return [tidy((-b + sign * outside * sqrt(inside)) / (2 * a)) for sign in (1, -1)]


def square_parts(expr: Expr) -> tuple[Expr, Expr]:
    """(k, e) with expr = k² e and e free of squares: polynomials."""
    if expr.is_number:
        content, factors = expr, []
    else:
        content, factors = factor_list(expr)
    outside, inside = integer_square_parts(Integer(content))
    for factor, multiplicity in factors:
        outside *= factor ** (multiplicity // 2)
        inside *= factor ** (multiplicity % 2)
    return outside, inside.expand()


def integer_square_parts(value: Integer) -> tuple[Expr, Expr]:
    root = sqrt(abs(value))
    outside, inside = S.One, S.One
    for factor in Mul.make_args(root):
        if factor.is_Pow:
            inside *= factor**2
        else:
            outside *= factor
    return outside, inside * (1 if value >= 0 else -1)


def tidy(expr: Expr) -> Expr:
    """Factored in √λ where that is what occurs and factors repeat: λ + 1 - 2√λ as (1 - √λ)²."""
    symbols = sorted(expr.free_symbols, key=lambda s: s.name)
    roots = {s: Symbol(f"{s.name}_root", positive=True) for s in symbols if s.is_nonnegative}
    replaced = expr.xreplace({s: r**2 for s, r in roots.items()})
    if any(isinstance(p, Pow) and not p.exp.is_Integer for p in replaced.atoms(Pow) if p.free_symbols):
        return gathered(expr)
    numerator, denominator = cancel(replaced).as_numer_denom()
    back = {r: sqrt(s) for s, r in roots.items()}
    parts = [powers(numerator), powers(denominator)]
    if not any(multiplicity > 1 for part in parts for f, multiplicity in part[1] if f.is_Add):
        return gathered(expr)
    top, bottom = (
        Mul(part[0], *(positive_first(f, m).xreplace(back) ** m for f, m in part[1])) for part in parts
    )
    return top / bottom


def powers(expr: Expr) -> tuple[Expr, list[tuple[Expr, int]]]:
    if expr.is_number:
        return expr, []
    content, factors = factor_list(expr)
    return content, factors


def positive_first(factor: Expr, multiplicity: int) -> Expr:
    """±factor; in an even power with a positive constant term."""
    if multiplicity % 2 == 0 and factor.is_Add:
        constant = factor.as_coeff_Add()[0]
        if constant.is_negative:
            return -factor
    return factor


def gathered(expr: Expr) -> Expr:
    numerator, denominator = expr.as_numer_denom()
    if not denominator.free_symbols:
        return expr.expand()
    return numerator.expand() / denominator


def power_root(base: Expr, step: int) -> Expr:
    """A step-th root (step even) up to sign, without radicals where ``base`` is a visible power."""
    outside, inside = S.One, S.One
    for factor in Mul.make_args(base):
        if factor.is_Pow and factor.exp.is_Integer and factor.exp % step == 0:
            outside *= factor.base ** (factor.exp // step)
        else:
            inside *= factor
    return outside * radical(inside, step)
