"""Whether the terms of a sum cancel, decided at a point where one point is enough."""

from __future__ import annotations

from zlib import crc32

import sympy as sp
from flint import arb
from sympy import Expr, Symbol

from tpsym.gauss.balls import NAN, REAL, Ball, rational_power
from tpsym.gauss.expectation import E


def cancels(total: Expr) -> bool:
    """Whether a sum is zero when multiplied out; one whose value at some point is surely not zero is not."""
    if not total.args:
        return bool(total == 0)
    value = enclosure(total, {})
    if value > 0 or value < 0:
        return False
    return bool(sp.expand(total) == 0)


def enclosure(expr: Expr, known: dict[Expr, Ball]) -> Ball:
    """The value at the point of :func:`coordinate`, in a ball; NaN where there is none. ``known``: parts met before."""
    found = known.get(expr)
    if found is None:
        found = known[expr] = _enclosure(expr, known)
    return found


def _enclosure(expr: Expr, known: dict[Expr, Ball]) -> Ball:
    if isinstance(expr, Symbol):
        return coordinate(expr)
    if isinstance(expr, sp.Rational):
        return arb(int(expr.p)) / int(expr.q)
    if expr == sp.pi:
        return arb.pi()
    if expr == sp.E:
        return arb(1).exp()
    if isinstance(expr, sp.Add):
        return sum((enclosure(a, known) for a in expr.args), arb(0))
    if isinstance(expr, sp.Mul):
        product = arb(1)
        for a in expr.args:
            product *= enclosure(a, known)
        return product
    if isinstance(expr, sp.Pow) and isinstance(expr.exp, sp.Rational):
        return rational_power(enclosure(expr.base, known), int(expr.exp.p), int(expr.exp.q))
    if isinstance(expr, E):
        # multiplying out changes what is inside; equal results are one unknown, different ones may have any values
        return (1 + fraction(str(sp.expand(expr)))) / 16
    function = REAL.get(type(expr))
    return NAN if function is None else function(*(enclosure(a, known) for a in expr.args))


def coordinate(symbol: Symbol) -> Ball:
    """A value that a symbol may have: in [1, 2) if it is of one sign, near zero for correlations to be small."""
    if not symbol.is_real or symbol.is_nonpositive or symbol.is_even or symbol.is_odd:
        return NAN
    if symbol.is_integer:
        return arb(2 + crc32(symbol.name.encode()) % 100)
    return 1 + fraction(symbol.name) if symbol.is_nonnegative else (1 + fraction(symbol.name)) / 16


def fraction(name: str) -> Ball:
    """A number in [0, 1) that looks random and goes with the name."""
    return arb(crc32(name.encode())) / 2**32
