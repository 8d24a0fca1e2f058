"""The functions of an expression on real balls (flint ``arb``): enclosures of the values where defined.

Where an argument's ball sticks out of the domain (``sqrt``, ``asin``) it is intersected with it: the
result encloses the value if there is one. A ball wholly outside gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import sympy as sp
from flint import arb, fmpz_poly

from tpsym import functions as fn

Ball = Any
"""A ``flint.arb``."""

NAN: Ball = arb.nan()
UNIT: Ball = arb(0, 1)


def nonnegative(x: Ball) -> Ball:
    """The part of the ball in [0, ∞), NaN if there is none."""
    if x >= 0:
        return x
    return NAN if x < 0 or not x.is_finite() else x.nonnegative_part()


def square_root(x: Ball) -> Ball:
    """√x on the part of the ball in [0, ∞)."""
    x = nonnegative(x)
    if x > 0 or x.is_zero() or x.is_nan():
        return x.sqrt()
    top = x.upper().sqrt().upper()
    return arb(0).union(top)


def whole_power(x: Ball, n: int) -> Ball:
    """x^n for a whole n; flint has no value for balls around 0."""
    if not x.contains(0):
        return x**n
    if n < 0:
        return NAN
    # an even power of the ball is one of its absolute value
    base, result = (abs(x) if n % 2 == 0 else x), arb(1)
    for bit in bin(n)[2:]:
        result = result * result * (base if bit == "1" else arb(1))
    return result


def power(x: Ball, y: Ball) -> Ball:
    """x^y: any x for whole y, nonnegative x otherwise."""
    if y.is_exact() and y.is_integer():
        return whole_power(x, int(y.unique_fmpz()))
    if y.is_exact() and (2 * y).is_integer():
        return whole_power(square_root(x), int((2 * y).unique_fmpz()))
    if x > 0:
        return (y * x.log()).exp()
    x = nonnegative(x)
    if not (y > 0) or x.is_nan():
        return NAN
    # x^y increases in x, so [0, top] is mapped to [0, top^y]
    top = x.upper()
    return arb(0) if top.is_zero() else arb(0).union((y * top.log()).exp().upper())


def rational_power(x: Ball, p: int, q: int) -> Ball:
    """x^(p/q), the principal value where it is real."""
    if q == 1:
        return whole_power(x, p)
    if q == 2:
        return whole_power(square_root(x), p)
    return power(x, arb(p) / q)


def algebraic(number: sp.CRootOf) -> Ball:
    """A real root of a polynomial with whole coefficients, to the precision in use; NaN for one that is not real."""
    if not number.is_real:
        return NAN
    coefficients = [int(c) for c in reversed(number.poly.all_coeffs())]
    roots = [r.real for r, _ in fmpz_poly(coefficients).complex_roots() if r.imag == 0]
    return sorted(roots, key=lambda r: float(r.mid()))[number.index] if _apart(roots) else NAN


def _apart(balls: list[Ball]) -> bool:
    return not any(a.overlaps(b) for i, a in enumerate(balls) for b in balls[:i])


def arcsine(x: Ball) -> Ball:
    """asin on the part of the ball in [−1, 1]; asin increases, so the ends give an enclosure."""
    if abs(x) < 1:
        return x.asin()
    if not x.is_finite() or not x.overlaps(UNIT):
        return NAN
    low, high = x.lower(), x.upper()
    left = low.asin() if low > -1 else -arb.pi() / 2
    right = high.asin() if high < 1 else arb.pi() / 2
    return left.union(right)


def heaviside(x: Ball) -> Ball:
    """step(x)."""
    if x > 0:
        return arb(1)
    if x <= 0:
        return arb(0)
    return arb(0).union(arb(1)) if x.is_finite() else NAN


def signum(x: Ball) -> Ball:
    """sign(x), 0 at 0."""
    if x.is_zero():
        return arb(0)
    if x > 0 or x < 0:
        return arb(1 if x > 0 else -1)
    return UNIT if x.is_finite() else NAN


def normal_distribution(x: Ball) -> Ball:
    """Phi(x)."""
    return (-x / arb(2).sqrt()).erfc() / 2


def logistic(x: Ball) -> Ball:
    """1/(1 + exp(−x)), without overflow."""
    return 1 / (1 + (-x).exp()) if x > 0 else 1 - 1 / (1 + x.exp())


def logarithm(x: Ball) -> Ball:
    return x.log() if x > 0 else NAN


def leaky(x: Ball, slope: Ball) -> Ball:
    return x.max(arb(0)) + slope * x.min(arb(0))


def _largest(*xs: Ball) -> Ball:
    result = xs[0]
    for x in xs[1:]:
        result = result.max(x)
    return result


def _smallest(*xs: Ball) -> Ball:
    return -_largest(*(-x for x in xs))


REAL: Mapping[type, Callable[..., Ball]] = MappingProxyType(
    {
        sp.exp: lambda x: x.exp(),
        sp.log: logarithm,
        sp.sin: lambda x: x.sin(),
        sp.cos: lambda x: x.cos(),
        sp.tan: lambda x: x.tan(),
        sp.cot: lambda x: x.cot(),
        sp.sinh: lambda x: x.sinh(),
        sp.cosh: lambda x: x.cosh(),
        sp.tanh: lambda x: x.tanh(),
        sp.asin: arcsine,
        sp.acos: lambda x: arb.pi() / 2 - arcsine(x),
        sp.atan: lambda x: x.atan(),
        sp.asinh: lambda x: x.asinh(),
        sp.erf: lambda x: x.erf(),
        sp.erfi: lambda x: x.erfi(),
        sp.erfc: lambda x: x.erfc(),
        sp.Abs: abs,
        sp.sign: signum,
        sp.Max: _largest,
        sp.Min: _smallest,
        fn.step: heaviside,
        fn.relu: lambda x: x.max(arb(0)),
        fn.leaky_relu: leaky,
        fn.Phi: normal_distribution,
        fn.gelu: lambda x: x * normal_distribution(x),
        fn.sigmoid: logistic,
        fn.softplus: lambda x: x.exp().log1p(),
        fn.silu: lambda x: x * logistic(x),
    }
)
"""Function → its enclosure on real balls."""


def holds(relation: str, gap: Ball) -> bool | None:
    """Whether ``gap relation 0`` for all (True), none (False) or perhaps some (None) of the ball."""
    outcomes = {
        "<": (gap < 0, gap >= 0),
        "<=": (gap <= 0, gap > 0),
        ">": (gap > 0, gap <= 0),
        ">=": (gap >= 0, gap < 0),
        "==": (gap.is_zero(), not gap.contains(0)),
        "!=": (not gap.contains(0), gap.is_zero()),
    }
    yes, no = outcomes[relation]
    return True if yes else False if no else None
