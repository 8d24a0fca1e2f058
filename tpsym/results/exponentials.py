r"""Sums of terms c·r^(m-1)·m^k in a count m = 1, 2, …: their parts, their sums, and an exact zero test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.polys.polyerrors import PolynomialError


@dataclass(frozen=True, slots=True)
class Term:
    """ratio^(m - 1 + shift)·p(m); ``coefficients`` are those of p, the constant first."""

    ratio: Expr
    shift: int
    coefficients: tuple[Expr, ...]


def spread(expr: Expr) -> Expr:
    """Products and whole powers of sums multiplied out, bases of powers left as they are."""
    return sp.expand(expr, power_base=False, power_exp=False, log=False)


def exponentials(expr: Expr, m: Symbol) -> list[Term] | None:
    """The expression as a sum of terms; ``None`` if it is of another form."""
    found: dict[tuple[Expr, int], Expr] = {}
    for summand in sp.Add.make_args(spread(expr)):
        constant, rest = summand.as_independent(m, as_Add=False)
        ratio, shift, polynomial = S.One, None, constant
        for factor in sp.Mul.make_args(rest):
            if factor.is_polynomial(m):
                polynomial *= factor
                continue
            parts = _exponential(factor, m)
            if parts is None:
                return None
            ratio *= parts[0]
            if shift is None:
                shift = parts[1]
            polynomial *= parts[0] ** (parts[1] - shift) * parts[2]
        key = (ratio, shift or 0)
        found[key] = found.get(key, S.Zero) + polynomial
    return [Term(r, k, tuple(reversed(sp.Poly(p, m).all_coeffs()))) for (r, k), p in found.items() if p != 0]


def _exponential(factor: Expr, m: Symbol) -> tuple[Expr, int, Expr] | None:
    """(r, k, c) with factor = c·r^(m - 1 + k)."""
    if isinstance(factor, sp.exp):
        base, exponent = S.Exp1, factor.exp
    elif isinstance(factor, sp.Pow):
        base, exponent = factor.base, factor.exp
    else:
        return None
    exponent = sp.expand(exponent)
    slope = exponent.coeff(m, 1)
    rest = exponent - slope * m
    if base.has(m) or rest.has(m) or not (slope.is_integer or base.is_positive):
        return None
    # at m = 1 the exponent is slope + rest = k·slope + what is left
    quotient = (slope + rest) / slope
    k = int(sp.floor(quotient)) if quotient.is_Rational else 0
    return base**slope, k, base ** (slope + rest - k * slope)


def particular(p: tuple[Expr, ...], ratio: Expr, factor: Expr) -> list[Expr]:
    """The coefficients of q with ratio·q(m) - factor·q(m - 1) = p(m), for ratio ≠ factor."""
    q = [S.Zero] * len(p)
    for k in range(len(p) - 1, -1, -1):
        above = sum((q[i] * _shifted(i, k) for i in range(k + 1, len(p))), S.Zero)
        q[k] = (p[k] + factor * above) / (ratio - factor)
    return q


def accumulated(p: tuple[Expr, ...]) -> list[Expr]:
    """The coefficients of p(1) + … + p(m)."""
    total = [S.Zero] * (len(p) + 1)
    for k in range(len(p) - 1, -1, -1):
        above = sum((total[i] * _shifted(i, k) for i in range(k + 2, len(p) + 1)), S.Zero)
        total[k + 1] = (p[k] + above) / (k + 1)
    return total


def _shifted(i: int, k: int) -> int:
    """The coefficient of m^k in (m - 1)^i."""
    return math.comb(i, k) * (-1) ** (i - k)


def polynomial(coefficients: list[Expr], m: Expr) -> Expr:
    return sp.Add(*(c * m**k for k, c in enumerate(coefficients)))


def product(factor: Expr, m: Symbol) -> tuple[Expr, Expr] | None:
    """(c, P) with factor(1)⋯factor(m) = c^m P(m)/P(0) for a rational factor without poles and zeros at m ≥ 1.

    Linear factors (m + α)/(m + β) telescope where α - β is whole; ``None`` if others are left.
    """
    try:
        sides = [sp.Poly(side, m).factor_list() for side in sp.fraction(sp.cancel(sp.together(factor)))]
    except PolynomialError:
        return None
    roots: tuple[list[Expr], list[Expr]] = ([], [])
    c = sides[0][0] / sides[1][0]
    for (_, factors), found, sign in zip(sides, roots, (1, -1), strict=True):
        for f, e in factors:
            if f.degree() != 1:
                return None
            slope, offset = f.all_coeffs()
            c *= slope ** (sign * e)
            found += [sp.cancel(offset / slope)] * e
    if len(roots[0]) != len(roots[1]) or any((1 + r).is_positive is not True for side in roots for r in side):
        return None
    result, left = S.One, list(roots[1])
    for alpha in roots[0]:
        partners = [b for b in left if (alpha - b).is_Integer]
        if not partners:
            return None
        beta = min(partners, key=lambda b: abs(alpha - b))
        left.remove(beta)
        steps = int(alpha - beta)
        low = beta if steps > 0 else alpha
        telescoped = sp.Mul(*(m + low + i for i in range(1, abs(steps) + 1)))
        result *= telescoped if steps > 0 else 1 / telescoped
    return c, result


def vanishes(expr: Expr, m: Symbol) -> bool:
    """Whether the expression is shown to be zero for every whole m (formally, where it is defined)."""
    names: dict[Expr, Symbol] = {}
    try:
        replaced = {p: _named(p, m, names) for p in expr.atoms(sp.Pow, sp.exp) if p.exp.has(m)}
        return bool(sp.expand(sp.fraction(sp.together(expr.xreplace(replaced)))[0]) == 0)
    except (PolynomialError, ValueError):
        return False


def _named(power: Expr, m: Symbol, names: dict[Expr, Symbol]) -> Expr:
    """base^(s m + t) as base^t times powers of names for p^m, p the prime factors of base^s."""
    base = S.Exp1 if isinstance(power, sp.exp) else power.base
    exponent = sp.expand(power.exp)
    slope = exponent.coeff(m, 1)
    rest = exponent - slope * m
    if base.has(m) or rest.has(m):
        raise ValueError("no exponential in m")
    if not slope.is_Integer:
        return base**rest * names.setdefault(base**slope, sp.Dummy())
    result = base**rest
    for p, e in _primes(base):
        result *= names.setdefault(p, sp.Dummy()) ** (e * slope)
    return result


def _primes(base: Expr) -> Iterator[tuple[Expr, int]]:
    """Irreducible factors, integers among them, with their exponents."""
    for side, sign in zip(sp.fraction(sp.cancel(sp.together(base))), (1, -1), strict=True):
        content, factors = sp.factor_list(side)
        numbers = {sp.Integer(n): k for n, k in sp.factorrat(content).items()} if content.is_Rational else {content: 1}
        yield from ((p, sign * e) for p, e in (*numbers.items(), *factors) if p != 1)
