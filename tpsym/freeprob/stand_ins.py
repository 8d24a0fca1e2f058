"""Names for coefficients that are no polynomials in parameters: irrational numbers, roots and functions of parameters.

An equation is worked out with a symbol in place of each, and read with the value of the symbol afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy import Expr, Rational, S, Symbol

from tpsym.freeprob.cells import Range
from tpsym.freeprob.curve import Curve
from tpsym.freeprob.failures import Unavailable
from tpsym.functions import Phi
from tpsym.matrices import Polynomial

DIGITS = 60
"""Digits of an irrational number that the support is computed with where no parameter can stand for it."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """``named`` are expressions by what is written for them, ``values`` the symbols in it by what they stand for."""

    named: Mapping[Expr, Expr]
    values: Mapping[Symbol, Expr]

    def read(self, value: Any) -> Any:
        """A result, a condition or a tuple of them in terms of the file."""
        if isinstance(value, tuple | list):
            return tuple(self.read(v) for v in value)
        return value.xreplace(dict(self.values)) if isinstance(value, sp.Basic) else value


def coefficients(curve: Curve) -> list[Expr]:
    """The coefficients of an equation in G and z."""
    found: list[Expr] = sp.Poly(curve.polynomial, curve.g, curve.z, domain="EX").coeffs()
    return [sp.expand(c) for c in found]


def irrational_numbers(curve: Curve) -> tuple[Expr, ...]:
    """The irrational numbers among the coefficients of an equation."""
    return tuple(dict.fromkeys(a for c in coefficients(curve) for a in irrational(c)))


def irrational(expr: Expr) -> list[Expr]:
    """The irrational numbers in a coefficient."""
    if expr.is_Rational or expr.is_Symbol:
        return []
    power = expr.is_Pow and expr.exp.is_Integer
    if expr.is_number and not (expr.is_Add or expr.is_Mul or power):
        return [expr]
    return [a for part in expr.args for a in irrational(part)]


def rational_near(number: Expr) -> Rational:
    """A rational number next to an irrational one.

    Raises:
        Unavailable: it has no decimals here.
    """
    found = decimal(number, DIGITS)
    if not found.is_Float:
        raise Unavailable(f"the number {number} in the equation has no decimal value here")
    return sp.Rational(str(found))


def near_rational(expr: Expr) -> Expr:
    """An expression with rational numbers next to its irrational ones, so that probabilities still add up to one.

    Raises:
        Unavailable: one of them has no decimals here.
    """
    return expr.xreplace({number: rational_near(number) for number in irrational(expr)})


def decimal(number: Expr, digits: int) -> Expr:
    """``sympy.N`` that knows the normal distribution."""
    found: Expr = sp.N(number.replace(Phi, lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2), digits)
    return found


def stand_ins(curve: Curve, numbers: Iterable[Expr]) -> StandIns:
    """A symbol for every irrational number, function of parameters and root of a parameter in an equation.

    A parameter under a root is the power of a symbol, and so are exponentials of multiples of one expression, also
    those among the ``numbers`` that the equation comes from. What cannot be named is left.
    """
    named: dict[Expr, Expr] = {}
    values: dict[Symbol, Expr] = {}
    powers: dict[Expr, dict[Expr, Rational]] = {}
    inside = [_unit(a)[0] for c in coefficients(curve) for a in _atoms(c)]
    for atom in dict.fromkeys(a for c in (*coefficients(curve), *numbers) for a in _atoms(c)):
        unit, power = _unit(atom)
        if unit in inside and not _is_many_valued(unit):
            powers.setdefault(unit, {})[atom] = power
    for i, (unit, found) in enumerate(powers.items()):
        degree = sp.ilcm(1, *(power.q for power in found.values()))
        name = sp.Dummy(f"c{i}", positive=True) if _is_positive(unit) else sp.Dummy(f"c{i}", real=True)
        values[name] = sp.exp(unit.args[0] / degree) if isinstance(unit, sp.exp) else sp.root(unit, degree)
        named |= {unit: name**degree} if unit.is_Symbol else {a: name ** (degree * p) for a, p in found.items()}
    return StandIns(named, values)


def is_polynomial(curve: Curve) -> bool:
    """Whether the coefficients are polynomials in parameters over the rational numbers."""
    return not any(True for c in coefficients(curve) for _ in _atoms(c))


def _is_many_valued(unit: Expr) -> bool:
    """A parameter of unknown sign under a root, or several parameters."""
    return bool(not unit.is_positive if unit.is_Symbol else _is_root(unit) and unit.free_symbols)


def _unit(atom: Expr) -> tuple[Expr, Rational]:
    """``c^(2/3)`` as c and 2/3, ``exp(2 b)`` as ``exp(b)`` and 2, anything else to the power one."""
    if isinstance(atom, sp.exp) and atom.free_symbols:
        power, rest = atom.args[0].as_coeff_Mul()
        return sp.exp(rest), sp.Rational(power) if power.is_Rational else S.One
    return (atom.base, atom.exp) if _is_root(atom) and atom.base.is_Symbol else (atom, S.One)


def _atoms(expr: Expr) -> Iterator[Expr]:
    """What a coefficient is a polynomial in, besides parameters."""
    if expr.is_Rational or expr.is_Symbol:
        return
    if expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer):
        for part in expr.args:
            yield from _atoms(part)
    else:
        yield expr


def _is_root(expr: Expr) -> bool:
    return bool(expr.is_Pow and expr.exp.is_Rational and not expr.exp.is_Integer)


def _is_positive(expr: Expr) -> bool:
    return bool(expr.is_positive or isinstance(expr, Phi))


def one_weight(polynomial: Polynomial) -> StandIns | None:
    """A symbol for the one coefficient that is no rational number, however many parameters it is made of."""
    found = {abs_of(c) for c, _ in polynomial.terms if not c.is_Rational}
    if len(found) != 1:
        return None
    (weight,) = found
    name = sp.Dummy("c", positive=True) if weight.is_positive else sp.Dummy("c", real=True)
    return StandIns({weight: name, -weight: -name}, {name: weight})


def abs_of(expr: Expr) -> Expr:
    """The expression without a minus sign in front."""
    return -expr if expr.could_extract_minus_sign() else expr


def range_of(value: Expr) -> Range | None:
    """Where the symbol for a value lies: near a number, between 0 and 1 for a probability, else wherever its sign lets.
    """
    if value.is_number:
        number, near = rational_near(value), Rational(1, 10 ** (DIGITS // 2))
        return Range(number - near, number + near)
    if not isinstance(value, Phi):
        return None
    half = Rational(1, 2)
    return Range(half if value.args[0].is_positive else S.Zero, half if value.args[0].is_negative else S.One)


__all__ = [
    "StandIns", "decimal", "irrational", "irrational_numbers", "is_polynomial", "one_weight", "range_of",
    "rational_near", "stand_ins",
]
