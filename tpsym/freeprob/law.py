"""A limit law at given parameters, to be used like a distribution of scipy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from tpsym.freeprob.curve import Curve, CurveError
from tpsym.freeprob.edges import Edge, Structure, structure
from tpsym.freeprob.panels import Panels, panels_of

Real: TypeAlias = NDArray[np.float64]

MASS_TOLERANCE = 1e-9
GAUSS = 40
MOST_ROUNDS = 80
EPSILON = 1e-16


@dataclass(frozen=True, slots=True)
class Law:
    """Density on bands plus atoms; made by ``law``. Functions of numbers take and give arrays."""

    curve: Curve
    structure: Structure
    panels: Panels
    atoms: tuple[tuple[float, float], ...]

    @property
    def support(self) -> tuple[tuple[float, float], ...]:
        """The intervals that carry the absolutely continuous part; atoms are in ``atoms``."""
        return tuple((low.number, high.number) for low, high in self.structure.support)

    @property
    def edges(self) -> tuple[Edge, ...]:
        return self.structure.edges

    @property
    def end(self) -> float:
        """The largest point of bands and atoms."""
        return max([*self.panels.right[-1:], *(x for x, _ in self.atoms)])

    def moment(self, k: int) -> Expr:
        """Exact, from the moments of the curve."""
        return self.curve.moments(k)[k]

    @property
    def mean(self) -> float:
        return float(self.moment(1))

    @property
    def var(self) -> float:
        return float(self.moment(2) - self.moment(1) ** 2)

    @property
    def std(self) -> float:
        return sqrt(self.var)

    def pdf(self, x: ArrayLike) -> Real:
        """The density of the absolutely continuous part; infinite at hard edges."""
        points = np.asarray(x, dtype=float)
        flat = points.ravel()
        result = np.zeros(flat.shape)
        if self.panels.low.size:
            left, right = self.panels.left, self.panels.right
            index = np.clip(np.searchsorted(left, flat, side="right") - 1, 0, left.size - 1)
            inside = (flat >= left[index]) & (flat <= right[index])
            chosen = index[inside]
            result[inside] = self.panels.pdf(self.panels.variable(flat[inside], chosen), chosen)
        result[np.isnan(flat)] = np.nan
        return result.reshape(points.shape)

    def cdf(self, x: ArrayLike) -> Real:
        points = np.asarray(x, dtype=float)
        flat = points.ravel()
        result = np.zeros(flat.shape)
        if self.panels.low.size:
            left, masses = self.panels.left, self.panels.masses
            index = np.clip(np.searchsorted(left, flat, side="right") - 1, 0, left.size - 1)
            partial = self.panels.below(self.panels.variable(flat, index), index)
            before = np.concatenate([[0.0], np.cumsum(masses)[:-1]])
            result = np.where(flat < left[0], 0.0, before[index] + partial)
        for position, mass in self.atoms:
            result = result + mass * (flat >= position)
        result[np.isnan(flat)] = np.nan
        return np.clip(result, 0.0, 1.0).reshape(points.shape)

    def ppf(self, q: ArrayLike) -> Real:
        """The quantile: the least x with cdf(x) ≥ q; nan outside of [0, 1]."""
        levels = np.asarray(q, dtype=float)
        flat = levels.ravel()
        # items in order of x: panels, and atoms (they sit at ends of panels) with index -1
        items = [(x, 1, i, m) for i, (x, m) in enumerate(zip(self.panels.left, self.panels.masses, strict=True))]
        items += [(x, 0, -1, m) for x, m in self.atoms]
        items.sort(key=lambda item: (item[0], item[1]))
        total = np.cumsum([m for *_, m in items])
        place = np.clip(np.searchsorted(total, np.clip(flat, 0, total[-1]), side="left"), 0, len(items) - 1)
        result = np.array([x for x, *_ in items])[place]
        index = np.array([i for _, _, i, _ in items])[place]
        inner = index >= 0
        started = total[place] - np.array([m for *_, m in items])[place]
        chosen = index[inner]
        result[inner] = invert(self.panels, np.clip(flat, 0, 1)[inner] - started[inner], chosen)
        result[flat <= 0], result[flat >= 1] = items[0][0], self.end
        result[~((flat >= 0) & (flat <= 1))] = np.nan
        return result.reshape(levels.shape)

    def rvs(
        self, size: int | tuple[int, ...] | None = None, *, random_state: int | np.random.Generator | None = None
    ) -> Real:
        return self.ppf(np.random.default_rng(random_state).random(size))

    def expect(self, function: Callable[[Real], Real]) -> float:
        """∫ function dμ for a function that is smooth on the support."""
        total = sum(mass * float(function(np.array([x]))[0]) for x, mass in self.atoms)
        t, weights = np.polynomial.legendre.leggauss(GAUSS)
        count = self.panels.low.size
        index = np.repeat(np.arange(count), GAUSS)
        half = (self.panels.high - self.panels.low) / 2
        u = ((self.panels.low + self.panels.high)[:, None] / 2 + half[:, None] * t).ravel()
        values = function(self.panels.position(u, index)) * self.panels.slope(u, index)
        return total + float((values.reshape(count, GAUSS) @ weights) @ half)


def invert(panels: Panels, level: Real, index: NDArray[np.intp]) -> Real:
    """x at which the mass of the panel to its left is ``level``: Newton in u, kept in a shrinking bracket."""
    low, high = panels.low[index].copy(), panels.high[index].copy()
    u = (low + high) / 2
    active = np.arange(u.size)
    for _ in range(MOST_ROUNDS):
        here, panel = u[active], index[active]
        sign = panels.side[panel]
        excess = sign * (panels.below(here, panel) - level[active])
        above = excess > 0
        high[active], low[active] = np.where(above, here, high[active]), np.where(above, low[active], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = here - excess / panels.slope(here, panel)
        inside = (step >= low[active]) & (step <= high[active])
        u[active] = np.where(inside, step, (low[active] + high[active]) / 2)
        moving = (np.abs(u[active] - here) > 4 * EPSILON * panels.high[panel]) & (np.abs(excess) > EPSILON)
        active = active[moving]
        if not active.size:
            break
    return panels.position(u, index)


def law(curve: Curve) -> Law:
    """Raises ``NotDecided`` if there are parameters, ``CurveError`` if the total mass is not 1."""
    found = structure(curve)
    panels = panels_of(found)
    residues = ((p.position.number, p.expansion.mass) for p in found.atoms)
    atoms = tuple((position, float(mass.mid())) for position, mass in residues if mass is not None)
    total = float(panels.masses.sum()) + sum(m for _, m in atoms)
    if abs(total - 1) > MASS_TOLERANCE:
        raise CurveError(f"the branch found has total mass {total}")
    return Law(curve, found, panels, atoms)
