"""Whether the terms of a sum cancel, decided at a point where one point is enough."""

from __future__ import annotations

from zlib import crc32

import sympy as sp
from flint import arb
from sympy import Expr, Symbol

from tpsym.gauss.balls import NAN, REAL, Ball, rational_power


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
    function = REAL.get(type(expr))
    return NAN if function is None else function(*(enclosure(a, known) for a in expr.args))


def coordinate(symbol: Symbol) -> Ball:
    """A value that a symbol may have: in [1, 2) if it is of one sign, near zero for correlations to be small."""
    if symbol.is_integer or not symbol.is_real or symbol.is_nonpositive:
        return NAN
    fraction = arb(crc32(symbol.name.encode())) / 2**32
    return 1 + fraction if symbol.is_nonnegative else (1 + fraction) / 16
