r"""Wide matrices in gradient descent: as they began, and the few columns of the gradients since.

A dense update of an n×n matrix reads and writes all of it; as a sum of outer products it costs no more than the
gradient does, as long as there are few columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpsym.simulate.payload import Array
from tpsym.simulate.train_rules import Factors, Memory, Settings

WIDE = 512
"""Narrower matrices are updated as they are."""
FEW = 4
"""Columns are few while they are at most this part of the rows and columns of the matrix."""


@dataclass(frozen=True, slots=True)
class Moved:
    r"""The matrix :math:`s B + \sum_k w_k\, l_k r_k^\top` with s the ``scale`` and B the ``base``.

    The momentum of an optimizer is :math:`\sum_k m_k\, l_k r_k^\top` over the same columns.
    """

    base: Array
    scale: float
    columns: Factors
    weights: Array
    momenta: Array

    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """That of the matrix."""
        return self.columns.shape

    def __matmul__(self, vector: Array) -> Array:
        left, right = self.columns.left, self.columns.right
        product: Array = self.scale * (self.base @ vector) + left @ (self.weights * (vector @ right))
        return product

    def __rmatmul__(self, vector: Array) -> Array:
        left, right = self.columns.left, self.columns.right
        product: Array = self.scale * (vector @ self.base) + right @ (self.weights * (vector @ left))
        return product

    def dense(self) -> Array:
        """The matrix as an array."""
        product: Array = (self.columns.left * self.weights) @ self.columns.right.T
        product += self.base if self.scale == 1 else self.scale * self.base
        return product

    def step(
        self, gradient: Factors, settings: Settings, memory: Memory, unit: float
    ) -> tuple[Moved | Array, Memory]:
        """The matrix and what is remembered after a step of gradient descent, an array once columns are many.

        ``unit`` times the matrix is what the gradient is by.
        """
        count, new = memory.count + 1, gradient.left.shape[1]
        columns = Factors(
            np.hstack([self.columns.left, gradient.left]), np.hstack([self.columns.right, gradient.right])
        )
        kept = 1 - settings.rate * settings.decay
        momenta = np.concatenate([settings.momentum * self.momenta, np.ones(new)])
        weights = kept * np.concatenate([self.weights, np.zeros(new)]) - (settings.rate / unit) * momenta
        moved = Moved(self.base, kept * self.scale, columns, weights, momenta)
        if FEW * len(weights) <= min(self.shape):
            return moved, Memory(count)
        if settings.momentum:
            return moved.dense(), Memory(count, Factors(columns.left * momenta, columns.right))
        return beginning(moved.dense()), Memory(count)


def beginning(value: Array) -> Moved:
    """A matrix that has not moved."""
    rows, columns = value.shape
    nothing = np.zeros(0)
    return Moved(value, 1.0, Factors(np.zeros((rows, 0)), np.zeros((columns, 0))), nothing, nothing)


def low_rank(value: Array, settings: Settings) -> Array | Moved:
    """How a matrix that is going to move is best kept."""
    return beginning(value) if settings.rule == "sgd" and min(value.shape) >= WIDE else value
