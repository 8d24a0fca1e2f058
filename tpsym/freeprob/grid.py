"""The branch at many points at once, in double precision: the steps of ``branch`` without enclosures of rounding."""

from __future__ import annotations

from math import comb
from typing import Any, TypeAlias

import numpy as np
from flint import ctx
from numpy.typing import ArrayLike, NDArray

from tpsym.freeprob.branch import Sheets, far

Complex: TypeAlias = NDArray[np.complex128]
Real: TypeAlias = NDArray[np.float64]

MOST_ROUNDS = 2000
NEWTON = 6
CHUNK = 20_000
SHORTEN = 10


def cauchy_grid(sheets: Sheets, z: ArrayLike) -> Complex:
    """G at each z: the limit from above on the real line, the conjugate below it, nan at singular points.

    About 1e-15 relative, less close to edges where Q_g vanishes (1e-16 over the distance of the next root).
    """
    points = np.asarray(z, dtype=np.complex128)
    flat = points.ravel()
    below = flat.imag < 0
    targets = np.where(below, flat.conj(), flat)
    with ctx.workprec(200):
        start = far(sheets)
        z0, g0 = complex(start.z.mid()), complex(start.g.mid())
    coefficients = np.zeros((max(r.degree() for r in sheets.rows) + 1, len(sheets.rows)))
    for i, row in enumerate(sheets.rows):
        for j, c in enumerate(row.coeffs()):
            coefficients[j, i] = float(int(c))
    with np.errstate(all="ignore"):
        parts = [walk(coefficients, z0, g0, targets[k : k + CHUNK]) for k in range(0, targets.size, CHUNK)]
    found = np.concatenate([np.zeros(0, dtype=np.complex128), *parts])
    return np.where(below, found.conj(), found).reshape(points.shape)


def walk(coefficients: Real, z0: complex, g0: complex, targets: Complex) -> Complex:
    here, value = np.full(targets.shape, z0), np.full(targets.shape, g0)
    result = np.full(targets.shape, np.nan + 0j)
    active = np.flatnonzero(np.isfinite(targets))
    for _ in range(MOST_ROUNDS):
        if not active.size:
            break
        z, g = here[active], value[active]
        radius, reach, slope = discs(taylor(coefficients, z, g), g)
        way = targets[active] - z
        distance = np.abs(way)
        arrives = distance < reach
        step = np.where(arrives, way, way * (0.98 * reach / np.where(distance > 0, distance, 1)))
        moved = np.where(arrives, targets[active], z + step)
        ahead = g + slope * (moved - z)
        polished = newton(coefficients, moved, ahead)
        sound = (np.abs(polished - ahead) < radius) & (arrives | (reach > 1e-15 * (np.abs(z) + 1e-300)))
        here[active], value[active] = moved, polished
        done = arrives & sound
        result[active[done]] = polished[done]
        active = active[sound & ~arrives]
    return result


def taylor(coefficients: Real, z: Complex, g: Complex) -> Complex:
    """Coefficients of w^k s^j in Q(g + w, z + s), by [j, k, point]."""
    table = np.repeat(coefficients[:, :, None].astype(np.complex128), z.size, axis=2)
    for axis, at in ((0, z), (1, g)):
        moved = table if axis == 0 else table.swapaxes(0, 1)
        size = moved.shape[0]
        for i in range(size - 1):
            for k in range(size - 2, i - 1, -1):
                moved[k] += at * moved[k + 1]
    return table


def discs(table: Complex, g: Complex) -> tuple[Real, Real, Complex]:
    """For each point the radius around g + slope s with a single root, how far z may move meanwhile, the slope."""
    slope = -table[1, 0] / table[0, 1] if table.shape[0] > 1 else np.zeros_like(g)
    size: Any = np.abs(sheared(table, slope))
    first, zero, higher = size[0, 1], size[0, 0], size[0, 2:]
    orders = np.arange(1, higher.shape[0] + 1)[:, None]
    radius = np.abs(g) + 1e-300
    if higher.size:
        bounds = (first / (2 * np.maximum(higher, 1e-300))) ** (1 / orders)
        radius = np.minimum(radius, bounds.min(axis=0))
        for _ in range(SHORTEN):
            radius = np.where((higher * radius**orders).sum(axis=0) * 2 > first, radius * 0.75, radius)
    powers = radius ** np.arange(size.shape[1])[:, None]
    slack = 0.9 * (first * radius - zero - (higher * powers[2:]).sum(axis=0))
    moving = (size[1:] * powers).sum(axis=1)
    steps = np.arange(1, moving.shape[0] + 1)[:, None]
    reach = (np.maximum(slack, 0) / np.maximum(moving, 1e-300)) ** (1 / steps)
    reach = reach.min(axis=0)
    for _ in range(SHORTEN):
        reach = np.where((moving * reach**steps).sum(axis=0) > slack, reach * 0.75, reach)
    sound = (moving * reach**steps).sum(axis=0) <= slack
    return radius, np.where(sound, reach, 0.0), slope


def sheared(table: Complex, slope: Complex) -> Complex:
    """The table after w → w + slope · s."""
    width, height, count = table.shape
    result = np.zeros((width + height - 1, height, count), dtype=np.complex128)
    power = np.ones_like(slope)
    for m in range(height):
        for k in range(m, height):
            result[m : m + width, k - m] += comb(k, m) * power * table[:, k]
        power = power * slope
    return result


def newton(coefficients: Real, z: Complex, start: Complex) -> Complex:
    rows = [np.polynomial.polynomial.polyval(z, coefficients[:, i]) for i in range(coefficients.shape[1])]
    g = start
    for _ in range(NEWTON):
        value, slope = rows[-1], np.zeros_like(z)
        for row in reversed(rows[:-1]):
            slope = slope * g + value
            value = value * g + row
        g = g - np.where(slope != 0, value / np.where(slope != 0, slope, 1), np.nan)
    return g
