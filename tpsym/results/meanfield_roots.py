"""Attracting fixed points of a map of the line: found in double precision, then proved with balls."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flint import arb, ctx
from sympy import Expr, Symbol

from tpsym.gauss import E
from tpsym.gauss.balls import Ball
from tpsym.gauss.numeric import Numeric, enclose

SECONDS = 4.0
"""Time a proof of attraction may take."""

PIECES = 64
"""Into how many pieces an interval is cut at most."""

WIDEST = 40
"""How often the radius of a ball around a root may be doubled before it is given up."""


@dataclass(frozen=True)
class Map:
    """``x ↦ step``, its derivative, the place it is defined on, and balls for the other symbols."""

    symbol: Symbol
    step: Expr
    slope: Expr | None
    low: float
    high: float
    others: Mapping[Symbol, Ball]
    deadline: float | None = None

    def value(self, x: Ball, bits: int) -> Numeric:
        """The image of a ball."""
        return enclose(self.step, {**self.others, self.symbol: x}, bits=bits, deadline=self.deadline)

    def rate(self, x: Ball, bits: int) -> Numeric:
        """The derivative on a ball."""
        assert self.slope is not None
        return enclose(self.slope, {**self.others, self.symbol: x}, bits=bits, deadline=self.deadline)

    @property
    def is_costly(self) -> bool:
        """Whether a value takes an integral over the plane."""
        return any(e.covariance.rows > 1 for e in self.step.atoms(E))


def settled(f: Callable[[float], float], start: float, *, low: float, high: float) -> float | None:
    """Where iteration from ``start`` settles, in double precision: ∞ if it grows beyond ``high``, else ``None``."""
    x = start
    for _ in range(3000):
        y = float(f(x))
        if math.isnan(y):
            return None
        if y > 1e12 or y > high:
            return math.inf
        if abs(y - x) <= 1e-15 * max(1.0, abs(x)):
            return y
        x, before = y, x
    direction = math.copysign(1.0, x - before)
    if (float(f(x)) - x) * direction < 0:
        return None
    return _crossing(f, x, direction, low, min(high, 1e12))


def _crossing(f: Callable[[float], float], start: float, direction: float, low: float, high: float) -> float:
    """The first sign change of f(x) − x from ``start`` on, by growing steps and bisection."""
    near, width = start, 1e-9
    while True:
        far = min(max(near + direction * width, low), high)
        if (float(f(far)) - far) * direction <= 0:
            break
        if far in (low, high):
            return far if far == low else math.inf
        near, width = far, 1.5 * width
    for _ in range(80):
        middle = (near + far) / 2
        if (float(f(middle)) - middle) * direction > 0:
            near = middle
        else:
            far = middle
    return (near + far) / 2


def root(f: Map, guess: float, *, bits: int) -> Numeric | None:
    """A ball around ``guess`` in which f(x) − x changes sign: it contains a fixed point (f is continuous)."""
    with ctx.workprec(bits):
        x, radius = arb(guess), arb(0)
        slope = arb(-1)
        for k in range(12):
            gap = f.value(x, bits).value - x
            # a chord is enough where the slope takes an integral over the plane
            if f.slope is not None and (k == 0 or not f.is_costly):
                slope = f.rate(x, bits).value - 1
            step = gap / slope
            if not step.is_finite() or abs(step.mid()) > 1e-3 * (1 + abs(x)):
                break
            x, radius = (x - step).mid(), 8 * step.rad()
            if abs(step) < step.rad() * 64 + abs(x) * arb(2) ** (12 - bits):
                break
        return _enclosed(f, x, radius, bits)


def _enclosed(f: Map, x: Ball, radius: Ball, bits: int) -> Numeric | None:
    radius = radius.max((abs(x) + arb(2) ** -20) * arb(2) ** (20 - bits)).upper()
    doubling = 6 if f.is_costly else 2
    for _ in range(WIDEST // doubling):
        low, high = (x - radius).mid(), (x + radius).mid()
        ends = [f.value(end, bits) for end in (low, high)]
        gaps = [found.value - end for found, end in zip(ends, (low, high), strict=True)]
        if (gaps[0] > 0 and gaps[1] < 0) or (gaps[0] < 0 and gaps[1] > 0):
            return Numeric(low.union(high), all(found.rigorous for found in ends))
        radius = radius * 2**doubling
    return None


def reaches(f: Map, start: float, target: Ball) -> bool:
    """Whether iteration from ``start`` is proved to converge to the fixed point in ``target``.

    Balls are iterated until they lie where |f'| < 1 on an interval around the target, cut off at ``low`` (f maps
    into its place), that contains them.
    """
    if f.slope is None or f.is_costly:
        return False
    deadline = time.monotonic() + SECONDS
    x, k = arb(start), 0
    while time.monotonic() < deadline and x.is_finite():
        if k & (k - 1) == 0 and contracts(f, target.union(2 * target - x).union(x)):
            return True
        found = f.value(x, 96)
        if not found.rigorous:
            return False
        x, k = found.value, k + 1
    return False


def contracts(f: Map, interval: Ball) -> bool:
    """Whether |f'| < 1 on the interval, cut off at ``low`` and ``high``."""
    low, high = interval.lower().max(arb(f.low)), interval.upper().min(arb(f.high))
    return _below_one(f, low, high, 4 if f.slope is None or f.slope.atoms(E) else PIECES)


def _below_one(f: Map, low: Ball, high: Ball, pieces: int) -> bool:
    found = f.rate(low.union(high), 64)
    if found.rigorous and abs(found.value) < 1:
        return True
    if pieces <= 1 or (found.rigorous and abs(found.value) > 1):
        return False
    middle = ((low + high) / 2).mid()
    return _below_one(f, low, middle, pieces // 2) and _below_one(f, middle, high, pieces // 2)


def is_negative(expr: Expr, symbol: Symbol, low: float, high: float, pieces: int = PIECES) -> bool:
    """Whether an expression in one symbol is negative on an interval."""
    found = enclose(expr, {symbol: arb(low).union(arb(high))}, bits=64, estimates=False)
    if found.rigorous and found.value < 0:
        return True
    if pieces <= 1 or (found.rigorous and found.value >= 0):
        return False
    middle = (low + high) / 2
    return is_negative(expr, symbol, low, middle, pieces // 2) and is_negative(expr, symbol, middle, high, pieces // 2)
