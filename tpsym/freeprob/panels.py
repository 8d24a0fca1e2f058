"""The density and its integral as Chebyshev series on panels in the variable that resolves each edge.

Beside an edge a with q sheets put x = a ± u^q; then the density times u^{-e q}, e its exponent there, is analytic in u.
Panels halve until a series of ``NODES`` terms is exact to rounding. The values come from the certified branch, at
offsets from the edge, so that nothing cancels there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from flint import acb, arb, ctx, fmpq
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from tpsym.freeprob.algebraic import rational_between
from tpsym.freeprob.branch import BranchError, Point, far, follow
from tpsym.freeprob.edges import Edge, Structure

Real: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.intp]

NODES = 32
TAIL = 3e-15
DEEPEST = 60
BITS = 200


@dataclass(frozen=True, slots=True)
class Panels:
    """Arrays by panel, increasing in x: x = anchor + anchor_rest + side · u^turns, u from ``low`` to ``high``.

    ``density`` is the series of f(x(u)) u^{-order} with order = e q; ``integral`` that of ∫ f dx from u = low.
    ``band`` numbers the bands; the panels of one leave no gap.
    """

    low: Real
    high: Real
    anchor: Real
    anchor_rest: Real
    side: Real
    turns: Real
    order: Real
    band: Real
    density: Real
    integral: Real

    def position(self, u: Real, index: Index) -> Real:
        offset = self.side[index] * u ** self.turns[index]
        return self.anchor[index] + (self.anchor_rest[index] + offset)

    def variable(self, x: Real, index: Index) -> Real:
        offset = self.side[index] * ((x - self.anchor[index]) - self.anchor_rest[index])
        u = np.maximum(offset, 0) ** (1 / self.turns[index])
        return np.clip(u, self.low[index], self.high[index])

    @property
    def left(self) -> Real:
        return self.position(np.where(self.side > 0, self.low, self.high), np.arange(self.low.size))

    @property
    def right(self) -> Real:
        ends = self.position(np.where(self.side > 0, self.high, self.low), np.arange(self.low.size))
        inner = self.band[1:] == self.band[:-1]
        ends[:-1][inner] = self.left[1:][inner]
        return ends

    @property
    def masses(self) -> Real:
        return self.integral.sum(axis=1)

    def series(self, coefficients: Real, u: Real, index: Index) -> Real:
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        t = (u - middle[index]) / half[index]
        later, last = np.zeros_like(t), np.zeros_like(t)
        for k in range(coefficients.shape[1] - 1, 0, -1):
            later, last = coefficients[index, k] + 2 * t * later - last, later
        return coefficients[index, 0] + t * later - last

    def pdf(self, u: Real, index: Index) -> Real:
        values = self.series(self.density, u, index)
        with np.errstate(divide="ignore"):
            return np.maximum(values, 0) * u ** self.order[index]

    def below(self, u: Real, index: Index) -> Real:
        """The mass of panel ``index`` to the left of x(u)."""
        value = self.series(self.integral, u, index)
        return np.where(self.side[index] > 0, value, self.masses[index] - value)

    def slope(self, u: Real, index: Index) -> Real:
        """d mass / du, without sign."""
        power = self.order[index] + self.turns[index] - 1
        return self.series(self.density, u, index) * self.turns[index] * u**power


def panels_of(structure: Structure) -> Panels:
    rows: list[tuple[Real | float, ...]] = []
    for band in structure.bands:
        left, right = structure.points[band], structure.points[band + 1]
        with ctx.workprec(BITS):
            middle = acb(arb(rational_between(left.position.ball(BITS), right.position.ball(BITS))))
            start = follow(structure.sheets, far(structure.sheets), middle)
            halves = [*resolve(structure, left, 1, start), *reversed(resolve(structure, right, -1, start))]
            rows += [(*row[:-2], band, *row[-2:]) for row in halves]
    if not rows:
        none = np.zeros(0)
        return Panels(none, none, none, none, none, none, none, none, np.zeros((0, NODES)), np.zeros((0, NODES + 1)))
    return Panels(*(np.array(column) for column in zip(*rows, strict=True)))


def resolve(structure: Structure, edge: Edge, side: int, start: Point) -> list[tuple[Real | float, ...]]:
    """Panels from the edge (u = 0) to ``start``, in this order."""
    anchor = edge.position.ball(BITS)
    exponent = edge.right if side > 0 else edge.left
    assert exponent is not None
    turns = edge.turns
    order = int(exponent * turns)
    top = (side * (start.z.real - anchor)).root(turns).mid()

    def sample(u: arb, here: Point) -> tuple[Point, float]:
        there = follow(structure.sheets, here, acb(anchor + side * u**turns))
        value = -there.g.imag / arb.pi() * u ** (-order)
        return there, float(value.mid())

    found: list[tuple[Real | float, ...]] = []
    todo = [(fmpq(0), fmpq(1), 0)]
    while todo:
        low, high, depth = todo.pop()
        density, end = series_on(sample, top * low, top * high, start)
        bounds = float(top * low), float(top * high)
        integral = integrate(density, bounds, turns, order)
        if integral is None and depth < DEEPEST:
            half = (low + high) / 2
            todo += [(low, half, depth + 1), (half, high, depth + 1)]
            continue
        if integral is None:
            raise BranchError("the density is not resolved by panels")
        start = end
        rest = float((anchor - arb(float(anchor.mid()))).mid())
        found.append((*bounds, float(anchor.mid()), rest, side, turns, order, density, integral))
    return found[::-1]


def series_on(
    sample: Callable[[arb, Point], tuple[Point, float]], low: arb, high: arb, start: Point
) -> tuple[Real, Point]:
    """Chebyshev coefficients on [low, high], sampled from the high end down; the last point reached."""
    values = np.zeros(NODES)
    here = start
    for k in range(NODES):
        t = (arb(2 * k + 1) / (2 * NODES)).cos_pi()
        here, values[k] = sample((low + (high - low) * (t + 1) / 2).mid(), here)
    angles = np.pi * (np.arange(NODES) + 0.5) / NODES
    coefficients = np.cos(np.outer(np.arange(NODES), angles)) @ values * (2 / NODES)
    coefficients[0] /= 2
    return coefficients, here


def integrate(density: Real, bounds: tuple[float, float], turns: int, order: int) -> Real | None:
    """The series of the integral from the low end; None if the terms have not died out."""
    low, high = bounds
    weight = chebyshev.chebpow([(low + high) / 2, (high - low) / 2], order + turns - 1) * turns
    integrand = chebyshev.chebmul(density, weight)
    size = np.abs(density).max()
    beyond = np.abs(integrand[NODES:]).max(initial=0.0)
    if np.abs(density[-4:]).max() > TAIL * size or beyond > TAIL * np.abs(integrand).max():
        return None
    kept = integrand[:NODES]
    integral = chebyshev.chebint(np.pad(kept, (0, NODES - kept.size)), scl=(high - low) / 2, lbnd=-1)
    return np.asarray(integral)
