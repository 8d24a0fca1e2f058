r"""Exponentials, logarithms, trigonometric functions and their inverses as generators with relations.

Functions of a sum are split over the terms of the sum (in the normal form of the argument), so that
equal functions become equal polynomials in few generators. All arguments are real.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp
from flint import fmpq

from tpsym.verify.elements import ANY, NEG, POS, Element, Generator, Poly, UndefinedError, hashed
from tpsym.verify.field import MAX_POWER, Field
from tpsym.verify.radicals import _absolute_factor, _integer_factors, canonical, expression, root

MAX_ROOT = 24


def element_key(field: Field, a: Element) -> str:
    """A name for the fraction that does not depend on the order of the generators."""
    c = field.leading_coefficient(a.den)
    return hashed(field.key(a.num / c), field.key(a.den / c))


def pi(field: Field) -> Element:
    return field.element(field.generator(Generator("pi", "pi", sp.pi, sign=POS)))


def terms(field: Field, a: Element) -> Iterator[tuple[Fraction, Element]]:
    """(c, t) with a = Σ c t, each t a monomial over a's denominator."""
    for exponents, c in a.num.terms():
        q = fmpq(c)
        t = field.element(field.context.from_dict({exponents: 1}), a.den)
        # the scale of t must not depend on the order in which generators were met
        scale = fmpq(t.num.leading_coefficient()) / field.leading_coefficient(t.den)
        q *= scale
        yield Fraction(int(q.p), int(q.q)), field.scale(t, 1 / scale)


def single(field: Field, a: Element) -> Generator | None:
    """The generator that the fraction is, if it is one."""
    return field.single(a.num) if a.den == field.one else None


def exp(field: Field, a: Element) -> Element:
    r"""exp(a): for each term c·t of a the power c of exp(t); exp(c log f) = f^c."""
    result = field.rational(1)
    for c, t in terms(field, canonical(field, a)):
        inner = single(field, t)
        small = c.denominator <= MAX_ROOT and abs(c) <= MAX_POWER
        if inner is not None and inner.kind == "log" and inner.argument is not None and small:
            powered = field.pow(inner.argument, c.numerator)
            factor = root(field, powered, c.denominator) if c.denominator > 1 else powered
        else:
            factor = field.pow(_exp_atom(field, t, c.denominator), c.numerator)
        result = field.mul(result, factor)
    return result


def _exp_atom(field: Field, t: Element, order: int) -> Element:
    """exp(t/order)."""
    key = hashed("exp", element_key(field, t))
    fineness = field.fineness(key, order)
    expr = sp.exp(expression(field, t) / fineness)
    made = Generator(key, "exp", expr, sign=POS, argument=t, fineness=fineness)
    return field.element(field.power(field.generator(made), fineness // order))


def log(field: Field, a: Element) -> Element:
    r"""log(a): Σ e log f over factors f known to be nonnegative and primes, 2k log|f| for even powers."""
    a = canonical(field, a)
    if not field.signs(a) & POS:
        raise UndefinedError("the logarithm of a number that is not positive")
    result, rest = field.rational(0), field.one
    for p, side in ((a.num, 1), (a.den, -1)):
        c, factors = field.factors(p)
        rest = rest if c > 0 else -rest
        for prime, e in (*_integer_factors(abs(int(c.p))), *((p, -e) for p, e in _integer_factors(int(c.q)))):
            result = field.add(result, field.scale(_log_atom(field, field.context.constant(prime)), side * e))
        for f, e in factors:
            if not field.sign(f) & NEG:
                result = field.add(result, field.scale(_log_atom(field, f), side * e))
                continue
            # log(1/f ...) = log(f ...) - 2 log|f|: one odd power stays in the numerator
            left = e % 2
            if side * e != left:
                magnitude = _log_atom(field, _absolute_factor(field, f).num)
                result = field.add(result, field.scale(magnitude, side * e - left))
            rest = rest * f if left else rest
    if rest == field.one:
        return result
    return field.add(result, _log_atom(field, field.reduce(rest)))


def _log_atom(field: Field, f: Poly) -> Element:
    inner = field.single(f)
    if inner is not None and inner.kind == "exp" and inner.argument is not None:
        return field.scale(inner.argument, fmpq(1, inner.fineness))
    if inner is not None and inner.kind == "root":
        return field.scale(log(field, field.element(inner.relation)), fmpq(1, inner.order))
    key = hashed("log", field.key(f))
    argument = field.element(f)
    sign = POS if f.is_constant() else ANY
    made = Generator(key, "log", sp.log(expression(field, argument)), sign=sign, argument=argument)
    return field.element(field.generator(made))


def opaque(field: Field, name: str, arguments: tuple[Element, ...], expr: sp.Expr, *, sign: int = ANY) -> Element:
    """A function of which only its name and arguments matter."""
    key = hashed("opaque", name, *(element_key(field, a) for a in arguments))
    return field.element(field.generator(Generator(key, "opaque", expr, sign=sign)))


def odd(field: Field, a: Element) -> tuple[int, Element]:
    """(s, |a| or the representative of ±a): a = s·representative."""
    sign = field.signs(a)
    s = -1 if sign & NEG else 1
    if sign & POS and sign & NEG:
        s = field.leading_sign(a.num) * field.leading_sign(a.den)
    return s, a if s > 0 else field.neg(a)


def erf(field: Field, a: Element) -> Element:
    """erf(a), odd."""
    if a.num.is_zero():
        return a
    s, u = odd(field, canonical(field, a))
    key = hashed("erf", element_key(field, u))
    made = Generator(key, "erf", sp.erf(expression(field, u)), sign=field.signs(u), argument=u)
    return field.scale(field.element(field.generator(made)), s)


# asin -----------------------------------------------------------------------------------------------

SPECIAL = {0: Fraction(0), 1: Fraction(1, 6), 2: Fraction(1, 4), 3: Fraction(1, 3), 4: Fraction(1, 2)}
"""4 u² → asin(u)/π for u ≥ 0."""


def asin(field: Field, a: Element) -> Element:
    r"""asin(u) for −1 ≤ u ≤ 1: odd; special values; for u ≥ 0 the simplest of

    asin u = π/2 − asin √(1 − u²) = π/4 − asin(1 − 2u²)/2.
    """
    if a.num.is_zero():
        return a
    s, u = odd(field, canonical(field, a))
    square = canonical(field, field.mul(u, u))
    constant = field.constant(square)
    number = None if constant is None else Fraction(int(constant.p), int(constant.q))
    known = not field.signs(u) & NEG
    if number is not None and known and 4 * number in SPECIAL:
        c = SPECIAL[int(4 * number)] * s
        return field.scale(pi(field), fmpq(c.numerator, c.denominator))
    if number is not None and number > 1:
        raise UndefinedError("asin of a number beyond 1")
    return field.scale(_asin_nonnegative(field, u, square) if known else _asin_atom(field, u), s)


def _asin_nonnegative(field: Field, u: Element, square: Element) -> Element:
    one = field.rational(1)
    complement = canonical(field, root(field, field.sub(one, square), 2))
    double = canonical(field, field.sub(one, field.scale(square, 2)))
    best = min((u, complement), key=lambda v: _complexity(field, v))
    if _complexity(field, double)[0] < _complexity(field, best)[0]:
        return field.sub(field.scale(pi(field), fmpq(1, 4)), field.scale(asin(field, double), fmpq(1, 2)))
    if best is u:
        return _asin_atom(field, u)
    return field.sub(field.scale(pi(field), fmpq(1, 2)), _asin_atom(field, best))


def _complexity(field: Field, a: Element) -> tuple[int, int, str]:
    roots = sum(
        1
        for i, (m, n) in enumerate(zip(a.num.degrees(), a.den.degrees(), strict=True))
        if max(m, n) > 0 and field.generators[i].order
    )
    return roots, len(a.num) + len(a.den), element_key(field, a)


def _asin_atom(field: Field, u: Element) -> Element:
    key = hashed("asin", element_key(field, u))
    made = Generator(key, "asin", sp.asin(expression(field, u), evaluate=False), sign=field.signs(u), argument=u)
    return field.element(field.generator(made))


def atan(field: Field, a: Element) -> Element:
    """atan(a) = asin(a/√(1 + a²))."""
    hypotenuse = root(field, field.add(field.rational(1), field.mul(a, a)), 2)
    return asin(field, field.div(a, hypotenuse))


# sin and cos ----------------------------------------------------------------------------------------

Pair = tuple[Element, Element]


def cis(field: Field, a: Element) -> Pair:
    """(cos a, sin a), by the addition formulas over the terms of a."""
    result = (field.rational(1), field.rational(0))
    for c, t in terms(field, canonical(field, a)):
        inner = single(field, t)
        if inner is not None and inner.kind == "pi":
            angle = _cis_pi(field, c)
        elif inner is not None and inner.kind == "asin" and inner.argument is not None and c.denominator <= 2:
            u = inner.argument
            cosine = root(field, field.sub(field.rational(1), field.mul(u, u)), 2)
            half = _half((field, cosine, u)) if c.denominator == 2 else (cosine, u)
            angle = _multiple(field, half, c.numerator)
        else:
            angle = _multiple(field, _cis_atom(field, t, c.denominator), c.numerator)
        result = _compose(field, result, angle)
    return result


def _compose(field: Field, a: Pair, b: Pair) -> Pair:
    return (
        field.sub(field.mul(a[0], b[0]), field.mul(a[1], b[1])),
        field.add(field.mul(a[0], b[1]), field.mul(a[1], b[0])),
    )


def _multiple(field: Field, angle: Pair, k: int) -> Pair:
    if k < 0:
        return _multiple(field, (angle[0], field.neg(angle[1])), -k)
    result: Pair = (field.rational(1), field.rational(0))
    for bit in bin(k)[2:]:
        result = _compose(field, result, result)
        if bit == "1":
            result = _compose(field, result, angle)
    return result


def _half(at: tuple[Field, Element, Element]) -> Pair:
    """(cos, sin) of half an angle in [−π/2, π/2]: cos ≥ 0, sin(a/2) = sin a/(2 cos(a/2))."""
    field, cosine, sine = at
    half = root(field, field.scale(field.add(field.rational(1), cosine), fmpq(1, 2)), 2)
    return half, field.div(sine, field.scale(half, 2))


def _cis_pi(field: Field, c: Fraction) -> Pair:
    """(cos cπ, sin cπ): in roots for multiples of π/12, else generators."""
    twelfths = c * 12
    if twelfths.denominator > 1:
        return _multiple(field, _cis_atom(field, pi(field), c.denominator), c.numerator)
    two, three, six = (root(field, field.rational(n), 2) for n in (2, 3, 6))
    step = (
        field.scale(field.add(six, two), fmpq(1, 4)),
        field.scale(field.sub(six, two), fmpq(1, 4)),
    )
    if int(twelfths) % 2:
        return _multiple(field, step, int(twelfths) % 24)
    sixth = (field.scale(three, fmpq(1, 2)), field.rational(1, 2))
    return _multiple(field, sixth, int(twelfths) // 2 % 12)


def _cis_atom(field: Field, t: Element, order: int) -> Pair:
    """(cos, sin) of t/order, with sin² = 1 − cos²."""
    key = hashed("angle", element_key(field, t))
    fineness = field.fineness(hashed("cos", key), order)
    expr = expression(field, t) / fineness
    cosine = field.generator(Generator(hashed("cos", key), "cos", sp.cos(expr), fineness=fineness))
    made = Generator(hashed("sin", key), "sin", sp.sin(expr), order=2, relation=1 - cosine**2, fineness=fineness)
    sine = field.generator(made)
    return _multiple(field, (field.element(cosine), field.element(sine)), fineness // order)
