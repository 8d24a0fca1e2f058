r"""Matrices and other arrays on particles, moved by polar factors of their gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tpsym.particles.entrywise import Move
from tpsym.particles.states import ChangedMatrix, Gradient, given_values
from tpsym.simulate.payload import Array

POLAR_ROUNDING = 1e-7
"""Singular values up to this part of the largest are zero."""


@dataclass(slots=True, kw_only=True)
class MuonMatrix(ChangedMatrix):
    r"""A matrix moved by polar factors, which between orthonormal bases are those of small matrices.

    With :math:`m = \sum_{ij} C_{ij}\,q_i \otimes p_j` over orthonormal bases in the mean, the polar factor of m is
    :math:`(n_1 n_2)^{-1/2}` times that of C between the same bases; ``rule.step`` is η/u divided by
    :math:`\sqrt{\rho_1\rho_2}`, times n/n.
    """

    momentum: float
    rule: Move

    def advance(self, gradient: Gradient) -> None:
        """One update."""
        assert gradient.rights is not None
        rights = self.matrix.coordinates(0, gradient.rights)
        lefts = self.matrix.coordinates(1, gradient.lefts)
        self.accelerate(self.momentum, (rights.T * gradient.coefficients) @ lefts)
        self.move(self.rule.keep, self.rule.step * polar(self.velocity))


@dataclass(slots=True)
class MuonValues:
    """Vectors and numbers, or an input layer, moved by the polar factor of the gradient: of a vector, its direction.

    ``move.step`` is η/u, divided by the root of the size of a vector as a multiple of n. ``coordinates`` and
    ``points`` as in :class:`~tpsym.particles.entrywise.EntrywiseValues`.
    """

    momentum: float
    move: Move
    nodes: tuple[int, ...]
    points: Array
    coordinates: Array
    velocity: Array

    def given(self) -> dict[int, Array | float]:
        """The values of the nodes."""
        return given_values(self.nodes, self.points @ self.coordinates)

    def advance(self, gradient: Gradient) -> None:
        """One update; ``rights`` has the numbers of the data point of each part."""
        self.velocity = self.momentum * self.velocity + gradient.by_node()
        size = np.sqrt(self.velocity.shape[1])
        step = self.move.step * size * polar(self.velocity)
        self.coordinates = self.move.keep * self.coordinates + self.move.shift - step

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        return {"coordinates": self.coordinates, "velocity": self.velocity}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.coordinates, self.velocity = np.array(state["coordinates"]), np.array(state["velocity"])


def polar(matrix: Array) -> Array:
    r"""The polar factor :math:`UV^\top` of :math:`USV^\top`, over singular values that are not zero."""
    if not matrix.size or not np.any(matrix):
        return np.zeros_like(matrix)
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    kept = sizes > POLAR_ROUNDING * sizes[0]
    found: Array = left[:, kept] @ right[kept]
    return found
