r"""Powers whose exponents are not numbers, as generators.

base^e for a base known to be positive is exp(e log base). Otherwise the base is split into factors and
the exponent over its terms: one generator f^t for each factor f and product t of integer symbols, so
that f^(2t) is the square of f^t. Where f may vanish, integer symbols are first counted from what they
are at least (l as 1 + k): then all f^t have t >= 0, 0^0 = 1, and f^(s + t) = f^s f^t without exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import fmpq

from tpsym.verify.elements import NEG, NONNEG, POS, ZERO, Element, Generator, Poly, hashed
from tpsym.verify.field import Field
from tpsym.verify.generators import MAX_ROOT, element_key, exp, log, opaque
from tpsym.verify.radicals import expression, root


@dataclass(frozen=True)
class Unit:
    """A term of an exponent: ``coefficient`` times what ``key`` names; the constant has no name."""

    coefficient: Fraction
    key: str
    expr: sp.Expr


def power(field: Field, base: Element, exponent: Element, *, whole: bool) -> Element:
    """base^exponent for an exponent that is not a number; ``whole``: it is known to be an integer ≥ 0."""
    if not field.signs(base) & (NEG | ZERO):
        return exp(field, field.mul(exponent, log(field, base)))
    if base.num.is_zero():
        return _power_of_zero(field, exponent)
    plain = units(field, exponent, counted=False)
    integer = whole or (plain is not None and all(u.coefficient.denominator == 1 for u in plain))
    parts: list[tuple[Poly, int]] = []
    for p, side in ((base.num, 1), (base.den, -1)):
        c, factors = field.factors(p)
        parts += [(field.context.constant(fmpq(abs(c))), side)] if abs(c) != 1 else []
        parts += [(field.context.constant(-1), 1)] if c < 0 else []
        parts += [(f, side * e) for f, e in factors]
    if not integer and any(field.sign(f) & NEG for f, _ in parts):
        return _unknown(field, base, exponent)
    result = field.rational(1)
    for f, e in parts:
        result = field.mul(result, field.pow(_factor_power(field, f, exponent, whole), e))
    return result


def units(field: Field, exponent: Element, *, counted: bool) -> list[Unit] | None:
    """The terms of an exponent that is a polynomial in integer symbols; ``counted``: all of them whole and ≥ 0."""
    p = exponent.num
    present = [i for i, e in enumerate(p.degrees()) if e > 0]
    if exponent.den != field.one or not all(_is_integer(field, i) for i in present):
        return None
    if counted:
        if not all(i in field.shifts for i in present):
            return None
        p = field.shifted(p)
    result = []
    for exponents, c in p.terms():
        q = fmpq(c)
        used = [(i, int(e)) for i, e in enumerate(exponents) if e]
        name = [field.label(exponents), *(field.key(field.shifts[i]) for i, _ in used if counted)]
        expr = sp.Mul(*(_counted(field, i) ** e if counted else field.generators[i].expr ** e for i, e in used))
        result.append(Unit(Fraction(int(q.p), int(q.q)), hashed(*name) if used else "", expr))
    return result


def _is_integer(field: Field, i: int) -> bool:
    return field.generators[i].kind == "symbol" and bool(field.generators[i].expr.is_integer)


def _counted(field: Field, i: int) -> sp.Expr:
    """What the variable of an integer symbol stands for when this is counted from what it is at least."""
    lowest = field.shifts[i] - field.variables[i]
    inner = {field.generators[j].expr: _counted(field, j) for j, e in enumerate(lowest.degrees()) if e > 0}
    return sp.expand(field.generators[i].expr - expression(field, field.element(lowest)).xreplace(inner))


def _power_of_zero(field: Field, exponent: Element) -> Element:
    """0^exponent: 0 where the exponent is positive for certain, and 1 where it is 0."""
    found = units(field, exponent, counted=True)
    zero = field.rational(0)
    if found is not None and all(u.coefficient > 0 for u in found) and any(not u.key for u in found):
        return zero
    return _unknown(field, zero, exponent)


def _unknown(field: Field, base: Element, exponent: Element) -> Element:
    expr = sp.Pow(expression(field, base), expression(field, exponent), evaluate=False)
    return opaque(field, "power", (base, exponent), expr)


def _factor_power(field: Field, f: Poly, exponent: Element, whole: bool) -> Element:
    """f^exponent for one factor; the exponent is an integer, or f ≥ 0."""
    sign = field.sign(f)
    if not sign & (NEG | ZERO):
        return exp(field, field.mul(exponent, log(field, field.element(f))))
    found = units(field, exponent, counted=bool(sign & ZERO))
    if found is None or not _splits(sign, found):
        if not whole:
            return _unknown(field, field.element(f), exponent)
        found = [Unit(Fraction(1), element_key(field, exponent), expression(field, exponent))]
    result = field.rational(1)
    for unit in found:
        result = field.mul(result, _unit_power(field, f, unit))
    return result


def _splits(sign: int, found: list[Unit]) -> bool:
    """Whether f^(Σ c t) is the product of all f^(c t) also where f = 0, and all of these are defined."""
    fractional = any(u.coefficient.denominator > 1 for u in found)
    if fractional and (sign & NEG or any(u.coefficient.denominator > MAX_ROOT for u in found)):
        return False
    directions = {u.coefficient > 0 for u in found}
    return not sign & ZERO or len(directions) == 1


def _unit_power(field: Field, f: Poly, unit: Unit) -> Element:
    """f^(c t) for c t = ``unit``."""
    c = unit.coefficient
    if not unit.key:
        base = root(field, field.element(f), c.denominator) if c.denominator > 1 else field.element(f)
        return field.pow(base, c.numerator)
    return field.pow(_atom(field, f, unit, c.denominator), c.numerator)


def _atom(field: Field, f: Poly, unit: Unit, order: int) -> Element:
    """f^(t/order), t the product of symbols in ``unit``."""
    inner = field.single(f)
    if inner is not None and inner.kind == "root" and _prime(field, inner.relation):
        return _atom(field, inner.relation, unit, order * inner.order)
    base, sign = expression(field, field.element(f)), field.sign(f)
    key = hashed("whole power", field.key(f), unit.key)
    if not sign & NEG:
        fineness = field.fineness(key, order)
        square = _square_of_modulus(field, inner, unit)
        expr, degree = sp.Pow(base, unit.expr / fineness), 2 * fineness if square is not None else 0
        made = Generator(key, "power", expr, sign=NONNEG, order=degree, relation=square, fineness=fineness)
        return field.element(field.power(field.generator(made), fineness // order))
    expr = sp.Pow(base, unit.expr)
    if f == -field.one:
        return field.element(field.generator(Generator(key, "opaque", expr, order=2, relation=field.one)))
    return field.element(field.generator(Generator(key, "opaque", expr, sign=sign | POS)))


def _square_of_modulus(field: Field, inner: Generator | None, unit: Unit) -> Poly:
    """(f^t)^2 for |f|^t."""
    if inner is None or inner.kind != "abs":
        return None
    c, factors = field.factors(inner.relation)
    if c != 1 or len(factors) != 1 or factors[0][1] != 2:
        return None
    known = _atom(field, factors[0][0], unit, 1).num
    return field.times(known, known)


def _prime(field: Field, p: Poly) -> bool:
    """Whether this is one factor, known to be nonnegative."""
    return not field.sign(p) & NEG and field.factors(p) == (1, [(p, 1)])


__all__ = ["Unit", "power", "units"]
