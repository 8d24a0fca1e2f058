r"""Averages over a standard Gaussian in few dimensions.

Smooth integrands: the trapezoidal rule on a shifted and turned lattice, whose error falls like :math:`e^{-c/h}` for
functions analytic in a strip and faster for entire ones (Trefethen, Weideman, The Exponentially Convergent Trapezoidal
Rule, 2014). Integrands with kinks and jumps: lines that are cut at them, and panels halved as often as it helps in
the other directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tpsym.errors import fail
from tpsym.simulate.payload import Array

Index = NDArray[np.int_]
Integrand = Callable[[Array], tuple[Array, Array]]
"""Points in rows to values in columns, and the signs of what vanishes where they are not smooth."""
MASS = 1e-17
"""Probability of what is cut off."""
BLOCK = 2**17
"""Points at once."""
HALVINGS = 44
MAX_PLACES = 1_000_000
"""Places at which signs change, over all lines of a block: beyond this the signs are noise."""


def lattice(count: int, spacing: float) -> tuple[Array, Array]:
    """Points and weights of the trapezoidal rule in ``count`` dimensions, in the ball that matters."""
    if count == 0:
        return np.zeros((1, 0)), np.ones(1)
    generator = np.random.default_rng(round(1e6 * spacing) + count)
    radius = np.sqrt(stats.chi2.isf(MASS, count))
    reach = int(np.ceil(radius / spacing)) + 1
    axis = np.arange(-reach, reach + 1) * spacing
    grid = np.stack(np.meshgrid(*[axis] * count, indexing="ij"), axis=-1).reshape(-1, count)
    grid += spacing * generator.random(count)
    squares = np.sum(grid**2, axis=1)
    kept = squares <= radius**2
    weights = np.exp(-squares[kept] / 2)
    turn, _ = np.linalg.qr(generator.standard_normal((count, count)))
    return grid[kept] @ turn, weights / np.sum(weights)


def lattice_size(count: int, spacing: float) -> float:
    """About how many points a lattice has."""
    radius = float(np.sqrt(stats.chi2.isf(MASS, count))) if count else 0.0
    return (2 * radius / spacing + 3) ** count


@dataclass(frozen=True, slots=True)
class Panels:
    """The rule for kinks: ``order`` points in a panel, halved until halving changes less than ``tolerance``; rows of
    ``frame`` are the directions, the first of them that of the lines, where signs are compared at ``scan`` points
    before the places between them are halved."""

    frame: Array
    order: int
    tolerance: float
    scan: int = 48
    depth: int = 40

    def average(self, integrand: Integrand) -> Array:
        """The averages of all columns."""
        return self._over(integrand, np.zeros((1, 0)))[0]

    def _over(self, integrand: Integrand, prefix: Array) -> Array:
        """Averages over the directions that come before those of a prefix, for each of its rows."""
        if prefix.shape[1] == len(self.frame) - 1:
            return self._lines(integrand, prefix)
        rows = np.arange(len(prefix))
        edges = np.linspace(-1, 1, 9) * _reach()
        row = np.repeat(rows, len(edges) - 1)
        low, high = np.tile(edges[:-1], len(rows)), np.tile(edges[1:], len(rows))
        rough = self._panel(integrand, prefix, row, low, high)
        total = np.zeros((len(rows), rough.shape[1]))
        for _ in range(self.depth):
            middle = (low + high) / 2
            row, low, high = np.concatenate([row, row]), np.concatenate([low, middle]), np.concatenate([middle, high])
            fine = self._panel(integrand, prefix, row, low, high)
            halves = fine[: len(rough)] + fine[len(rough):]
            # NaN counts as settled: it cannot be improved, and is seen in the sum
            open_ = np.any(np.abs(halves - rough) > self.tolerance, axis=1)
            np.add.at(total, row[: len(rough)][~open_], halves[~open_])
            again = np.concatenate([open_, open_])
            row, low, high, rough = row[again], low[again], high[again], fine[again]
            if not len(row):
                return total
        np.add.at(total, row, rough)
        return total

    def _panel(self, integrand: Integrand, prefix: Array, row: Index, low: Array, high: Array) -> Array:
        """The integrals over panels of one direction."""
        nodes, weights = np.polynomial.legendre.leggauss(self.order)
        half = (high - low)[:, None] / 2
        x = (low + high)[:, None] / 2 + half * nodes
        w = half * weights * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        points = np.concatenate([x.reshape(-1, 1), np.repeat(prefix[row], self.order, axis=0)], axis=1)
        values = self._over(integrand, points)
        return np.asarray(np.einsum("pk,pkm->pm", w, values.reshape(len(row), self.order, -1)))

    def _lines(self, integrand: Integrand, prefix: Array) -> Array:
        lines = max(1, BLOCK // (self.scan * 4))
        return np.concatenate([
            self._cut(integrand, prefix[i: i + lines]) for i in range(0, len(prefix), lines)
        ])

    def _cut(self, integrand: Integrand, prefix: Array) -> Array:
        """Averages along lines, cut where a sign changes."""
        edges = np.linspace(-1, 1, self.scan) * _reach()
        row = np.repeat(np.arange(len(prefix)), self.scan)
        x = np.tile(edges, len(prefix))
        signs = self._at(integrand, prefix, row, x)[1]
        inner = np.arange(len(x)) % self.scan != self.scan - 1
        place = np.flatnonzero(inner)
        found_row, found_x = self._changes(integrand, prefix, row[place], x, place, signs)
        coarse = np.arange(len(x)) % self.scan % 6 == 0
        coarse |= ~inner
        all_row = np.concatenate([row[coarse], found_row])
        all_x = np.concatenate([x[coarse], found_x])
        order = np.lexsort((all_x, all_row))
        all_row, all_x = all_row[order], all_x[order]
        use = (all_row[1:] == all_row[:-1]) & (all_x[1:] - all_x[:-1] > 1e-13)
        return self._gathered(integrand, prefix, all_row[:-1][use], all_x[:-1][use], all_x[1:][use])

    def _changes(
        self, integrand: Integrand, prefix: Array, row: Index, x: Array, place: Index, signs: Array
    ) -> tuple[Index, Array]:
        """The places along lines where a sign changes, by halving."""
        low, high, before, after = x[place], x[place + 1], signs[place], signs[place + 1]
        for _ in range(HALVINGS):
            changed = np.any(before != after, axis=1)
            row, low, high = row[changed], low[changed], high[changed]
            before, after = before[changed], after[changed]
            if not len(row):
                break
            if len(row) > MAX_PLACES:
                raise fail("no-quadrature", "the kinks of the network are too many", fix="use particles")
            middle = (low + high) / 2
            there = self._at(integrand, prefix, row, middle)[1]
            row = np.concatenate([row, row])
            low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
            before, after = np.concatenate([before, there]), np.concatenate([there, after])
        changed = np.any(before != after, axis=1)
        return row[changed], (low + high)[changed] / 2

    def _gathered(self, integrand: Integrand, prefix: Array, row: Index, low: Array, high: Array) -> Array:
        nodes, weights = np.polynomial.legendre.leggauss(self.order + 6)
        parts = []
        step = max(1, BLOCK // len(nodes))
        for i in range(0, len(row), step):
            part = slice(i, i + step)
            half = (high[part] - low[part])[:, None] / 2
            x = (low[part] + high[part])[:, None] / 2 + half * nodes
            w = half * weights * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
            values = self._at(integrand, prefix, np.repeat(row[part], len(nodes)), x.ravel())[0]
            parts.append(np.einsum("pk,pkm->pm", w, values.reshape(*x.shape, -1)))
        panels = np.concatenate(parts)
        total = np.zeros((len(prefix), panels.shape[1]))
        np.add.at(total, row, panels)
        return total

    def _at(self, integrand: Integrand, prefix: Array, row: Index, x: Array) -> tuple[Array, Array]:
        points = np.concatenate([x[:, None], prefix[row]], axis=1) @ self.frame
        return integrand(points)


def _reach() -> float:
    """Half the length of lines."""
    return float(stats.norm.isf(MASS))
