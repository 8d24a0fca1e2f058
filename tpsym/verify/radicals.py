r"""Roots and absolute values as generators, and fractions without roots in the denominator.

The radicand is factorised. Factors known to be nonnegative get a root each (integers: one for each
prime); an even power of a factor of unknown sign leaves as its absolute value, √(f²) = |f|; what
remains is one root of the product, sign included. Nothing assumes that a radicand is nonnegative
beyond what being defined in the real numbers says.
"""

from __future__ import annotations

import math
from typing import Any

import sympy as sp
from flint import fmpq, fmpz

from tpsym.verify.elements import (
    NEG,
    NONNEG,
    POS,
    ZERO,
    Element,
    Generator,
    NeedsFinerError,
    Poly,
    UndefinedError,
    hashed,
)
from tpsym.verify.field import Field

ELIMINABLE = frozenset({"root", "abs", "sin"})
MAX_CONJUGATE = 150
MAX_INTEGER_BITS = 128


def expression(field: Field, a: Element) -> sp.Expr:
    """The sympy expression of a fraction."""
    return _poly_expression(field, a.num) / _poly_expression(field, a.den)


def _poly_expression(field: Field, p: Poly) -> sp.Expr:
    terms = []
    for exponents, c in p.terms():
        powers = (field.generators[i].expr ** int(e) for i, e in enumerate(exponents) if e)
        terms.append(sp.Mul(sp.Rational(int(fmpq(c).p), int(fmpq(c).q)), *powers))
    return sp.Add(*terms)


def canonical(field: Field, a: Element) -> Element:
    """The same fraction with no eliminable generator in the denominator, where that is possible."""
    a = _without_monomials(field, a)
    if a.den.is_constant() or not _eliminable(field, a.den):
        return a
    num, den = a.num, a.den
    while found := _eliminable(field, den):
        i = found[-1]
        if field.generators[i].order != 2 or len(den) > MAX_CONJUGATE or len(num) > 20 * MAX_CONJUGATE:
            return a
        conjugate = _conjugate(field, den, i)
        num, den = field.times(num, conjugate), field.times(den, conjugate)
    if den.is_zero() or any(field.generators[i].order for i in _present(den)):
        return a
    return _without_monomials(field, field.element(num, den))


def _present(p: Poly) -> list[int]:
    return [i for i, e in enumerate(p.degrees()) if e > 0]


def _eliminable(field: Field, p: Poly) -> list[int]:
    return [i for i in _present(p) if field.generators[i].kind in ELIMINABLE]


def _conjugate(field: Field, p: Poly, i: int) -> Poly:
    return field.context.from_dict({e: -c if e[i] % 2 else c for e, c in p.terms()})


def _without_monomials(field: Field, a: Element) -> Element:
    """Powers of a root that divide the denominator moved up: 1/r = r^(k-1)/r^k."""
    num, den = a.num, a.den
    for i in reversed(_eliminable(field, den)):
        lowest = min(exponents[i] for exponents in den.monoms())
        if lowest:
            w = field.variables[i] ** (field.generators[i].order - lowest)
            num, den = field.times(num, w), field.times(den, w)
    return field.element(num, den)


def absolute(field: Field, a: Element) -> Element:
    """|a|."""
    sign = field.signs(a)
    if not sign & NEG:
        return a
    if not sign & POS:
        return field.neg(a)
    return field.div(_absolute_poly(field, a.num), _absolute_poly(field, a.den))


def _absolute_poly(field: Field, p: Poly) -> Element:
    c, factors = field.factors(p)
    result = field.rational(abs(c.p), c.q)
    for f, e in factors:
        result = field.mul(result, field.pow(_absolute_factor(field, f), e))
    return result


def _absolute_factor(field: Field, f: Poly) -> Element:
    sign = field.sign(f)
    if not sign & NEG:
        return field.element(f)
    expr = sp.Abs(_poly_expression(field, f))
    key, square = hashed("abs", field.key(f)), field.times(f, f)
    made = Generator(key, "abs", expr, sign=POS | (sign & ZERO), order=2, relation=square)
    return field.element(field.generator(made))


def sign_of(field: Field, a: Element) -> Element:
    """sign(a), with sign(0) = 0."""
    if a.num.is_zero():
        return a
    result = field.rational(1)
    for p in (a.num, a.den):
        c, factors = field.factors(p)
        result = field.scale(result, 1 if c > 0 else -1)
        for f, e in factors:
            s = _sign_factor(field, f, p is a.den)
            result = field.mul(result, field.pow(s, e if e < 3 else 2 - e % 2))
    return result


def _sign_factor(field: Field, f: Poly, nonzero: bool) -> Element:
    sign = field.sign(f) & ~(ZERO if nonzero else 0)
    if sign in (POS, NEG):
        return field.rational(1 if sign == POS else -1)
    order = 3 if sign & NEG else 2
    key = hashed("sign", field.key(f))
    variable = field.known(key)
    if variable is None:
        expr = sp.sign(_poly_expression(field, f))
        made = Generator(key, "sign", expr, sign=sign, order=order, relation=field.upcoming())
        variable = field.generator(made)
    return field.element(variable)


def root(field: Field, a: Element, q: int) -> Element:
    r"""a^(1/q), the principal value, for whole q ≥ 2.

    From N/D = N D^(q-1)/D^q, so the radicand is a polynomial: the root is (N D^(q-1))^(1/q)/|D|.
    """
    a = canonical(field, a)
    if a.num.is_zero():
        return a
    if q % 2 and field.sign(a.den) & NEG:
        return opaque_root(field, a, q)
    outer = absolute(field, Element(a.den, field.one))
    return field.div(_root_poly(field, field.times(a.num, field.power(a.den, q - 1)), q), outer)


def opaque_root(field: Field, a: Element, q: int) -> Element:
    """a^(1/q) with nothing known about it."""
    key = hashed("opaque root", str(q), field.key(a.num), field.key(a.den))
    expr = expression(field, a) ** sp.Rational(1, q)
    return field.element(field.generator(Generator(key, "opaque", expr)))


def _root_poly(field: Field, p: Poly, q: int) -> Element:
    c, factors = field.factors(p)
    result = _root_rational(field, abs(c), q)
    rest = field.context.constant(1 if c > 0 else -1)
    for f, e in factors:
        if not field.sign(f) & NEG:
            whole = field.element(field.power(f, e // q))
            result = field.mul(result, field.mul(whole, _atom_power(field, f, e % q, q)))
            continue
        even, odd = e - e % 2, e % 2
        magnitude = _absolute_factor(field, f)
        result = field.mul(result, field.pow(magnitude, even // q))
        if even % q:
            result = field.mul(result, _atom_power(field, magnitude.num, even % q, q))
        if odd:
            rest = rest * f
    if rest == field.one:
        return result
    sign = field.sign(rest)
    if not sign & POS:
        raise UndefinedError("the root of a negative number")
    return field.mul(result, _atom_power(field, field.reduce(rest), 1, q))


def _root_rational(field: Field, c: Any, q: int) -> Element:
    """c^(1/q) for c > 0, a root for each prime: c = n/d = n d^(q-1)/d^q."""
    n = int(c.p) * int(c.q) ** (q - 1)
    result = field.rational(1, int(c.q))
    for prime, e in _integer_factors(n):
        atom = _atom_power(field, field.context.constant(prime), e % q, q)
        result = field.mul(field.scale(result, fmpz(prime) ** (e // q)), atom)
    return result


def _integer_factors(n: int) -> list[tuple[int, int]]:
    if n == 1:
        return []
    if n.bit_length() > MAX_INTEGER_BITS:
        return [(n, 1)]
    return [(int(p), int(e)) for p, e in fmpz(n).factor()]


def _atom_power(field: Field, f: Poly, k: int, q: int) -> Element:
    """(f^(1/q))^k for 0 ≤ k < q, f not itself a power."""
    if k == 0:
        return field.rational(1)
    common = math.gcd(k, q)
    k, q = k // common, q // common
    inner = field.single(f)
    if inner is not None and inner.kind == "root":
        raise NeedsFinerError(inner.key, inner.order * q)
    if inner is not None and inner.kind in ("exp", "power"):
        raise NeedsFinerError(inner.key, inner.fineness * q)
    key = hashed("root", field.key(f))
    order = field.fineness(key, q)
    expr = _poly_expression(field, f) ** sp.Rational(1, order)
    sign = POS if not field.sign(f) & ZERO else NONNEG
    made = Generator(key, "root", expr, sign=sign, order=order, relation=f)
    return field.element(field.power(field.generator(made), k * (order // q)))
