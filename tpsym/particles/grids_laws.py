"""Initial arrays of a training without random matrices, in finitely many Gaussian directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from sympy import Expr, S

from tpsym.particles.plan import Setting
from tpsym.particles.powers import no_limit
from tpsym.program.instructions import RandomScalar, Vector
from tpsym.program.scope import Context, Trained
from tpsym.simulate.draws import Component, components
from tpsym.simulate.payload import Array

ROUNDING = 1e-12
"""Eigenvalues up to this part of the largest are zero."""


@dataclass(frozen=True, slots=True)
class Law:
    """An initial array with the power of n of its entries: ``mean + loadings @ g`` with fresh Gaussians g from the
    direction ``first``; ``power`` is ``None`` for zero."""

    power: Fraction | None
    mean: Array
    loadings: Array
    first: int


@dataclass(slots=True)
class Laws:
    """Gives every initial array its directions."""

    context: Context
    setting: Setting
    count: int = 0
    known: dict[int, Component] = field(default_factory=dict)
    placed: dict[tuple[int, ...], int] = field(default_factory=dict)

    def sized(self, mean: Expr, variance: Expr) -> tuple[Fraction | None, float, float]:
        """Power of n, mean and standard deviation of a Gaussian, the latter two as coefficients of that power."""
        middle, of_mean = self.setting.constant(mean, "the law of an array")
        square, of_square = self.setting.constant(variance, "the law of an array")
        powers = [p for p in (of_mean, None if of_square is None else of_square / 2) if p is not None]
        if not powers:
            return None, 0.0, 0.0
        power = max(powers)
        return power, middle if of_mean == power else 0.0, float(np.sqrt(square)) if of_square == 2 * power else 0.0

    def vectors(self, nodes: Sequence[int]) -> None:
        """Prepare initial vectors that are declared, by what they are correlated with."""
        def number(expr: Expr, node: int) -> float:
            value, power = self.setting.constant(expr, "the law of an array")
            return value if power in (0, None) else float("nan")

        self.known = components(self.context.builder.program(), set(nodes), number)

    def vector(self, node: int) -> Law:
        """The law of a declared initial vector."""
        component = self.known[node]
        law = self.context.builder[node]
        assert isinstance(law, Vector)
        if len(component.members) == 1:
            # its size may be a power of n
            variance = self.context.builder.program().covariance(node, node)
            power, mean, deviation = self.sized(law.mean, variance)
            loadings = np.array([[deviation]]) if deviation else np.zeros((1, 0))
            return Law(power, np.array([mean]), loadings, self._place((node,), loadings.shape[1]))
        if not np.all(np.isfinite(component.root)) or not np.all(np.isfinite(component.means)):
            raise no_limit(f"the law of {law.name} depends on the width")
        sizes, basis = np.linalg.eigh(component.root)
        kept = sizes > ROUNDING * max(float(sizes[-1]), 1e-300)
        loadings = basis[:, kept] * sizes[kept]
        row = component.members.index(node)
        first = self._place(component.members, loadings.shape[1])
        return Law(Fraction(0), component.means[row: row + 1], loadings[row: row + 1], first)

    def layer(self, trained: Trained, size: int) -> Law:
        """The law of the coordinates of an input layer."""
        power, _, deviation = self.sized(S.Zero, trained.variance / trained.multiplier**2)
        loadings = deviation * np.eye(size) if deviation else np.zeros((size, 0))
        return Law(power, np.zeros(size), loadings, self._place((), loadings.shape[1]))

    def scalar(self, law: RandomScalar) -> Law:
        """The law of a scalar, whose deviation is in its one loading."""
        power, mean, deviation = self.sized(law.mean, law.variance)
        return Law(power, np.array([mean]), np.array([[deviation]]), 0)

    def _place(self, members: tuple[int, ...], count: int) -> int:
        if members and members in self.placed:
            return self.placed[members]
        first, self.count = self.count, self.count + count
        if members:
            self.placed[members] = first
        return first

