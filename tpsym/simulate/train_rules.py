"""The update rules of optimizers on arrays, in floating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpsym.simulate.payload import Array
from tpsym.transform.optimizers import Rule


@dataclass(frozen=True, slots=True)
class Factors:
    """The matrix ``left @ right.T``: gradients have few columns, one by use and training example."""

    left: Array
    right: Array

    @property
    def shape(self) -> tuple[int, int]:
        """That of the matrix."""
        return len(self.left), len(self.right)

    def dense(self) -> Array:
        """The matrix itself."""
        product: Array = self.left @ self.right.T
        return product

    def plus(self, other: Factors) -> Factors:
        """The sum, with no more columns than the matrix has rows or columns."""
        total = Factors(np.hstack([self.left, other.left]), np.hstack([self.right, other.right]))
        rows, columns = total.shape
        if total.left.shape[1] <= min(rows, columns):
            return total
        if columns <= rows:
            return Factors(total.dense(), np.eye(columns))
        return Factors(np.eye(rows), total.dense().T)

    def times(self, factor: float) -> Factors:
        """A multiple."""
        return Factors(factor * self.left, self.right)


@dataclass(frozen=True, slots=True)
class Settings:
    """The numbers of an optimizer for one array at one width."""

    rule: Rule
    rate: float
    decay: float
    eps: float
    momentum: float
    beta1: float
    beta2: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What an optimizer remembers of an array after ``count`` steps: sums of gradients and of their squares."""

    count: int = 0
    momentum: Factors | None = None
    first: Array | float = 0.0
    second: Array | float = 0.0


def advance(settings: Settings, memory: Memory, gradient: Factors) -> tuple[Factors | Array, Memory]:
    """The direction of the next step, before the learning rate, and what is remembered; rules as in
    :class:`~tpsym.transform.optimizers.Optimizer`.

    An entry whose gradients were all zero stays where it is, also where the formula says 0/0.
    """
    count = memory.count + 1
    match settings.rule:
        case "sgd" | "muon":
            total = gradient
            if memory.momentum is not None and settings.momentum:
                total = memory.momentum.times(settings.momentum).plus(gradient)
            direction = polar(total) if settings.rule == "muon" else total
            return direction, Memory(count, total if settings.momentum else None)
        case "signsgd":
            return np.sign(gradient.dense()), Memory(count)
        case "adam" | "adafactor":
            return _adam(settings, memory, gradient.dense(), count)
        case "adagrad":
            entries = gradient.dense()
            second = memory.second + entries**2
            return _quotient(entries, np.sqrt(second) + settings.eps), Memory(count, second=second)


def _adam(settings: Settings, memory: Memory, gradient: Array, count: int) -> tuple[Array, Memory]:
    beta1, beta2 = settings.beta1, settings.beta2
    first = gradient if beta1 == 0 else beta1 * memory.first + (1 - beta1) * gradient
    second = gradient**2 if beta2 == 0 else beta2 * memory.second + (1 - beta2) * gradient**2
    size = np.sqrt(second / (1 - beta2**count)) + settings.eps
    kept = Memory(count, first=first if beta1 else 0.0, second=second if beta2 else 0.0)
    return _quotient(first / (1 - beta1**count), size), kept


def _quotient(above: Array, below: Array) -> Array:
    """The quotient, 0 where both are."""
    found: Array = np.divide(above, below, out=np.zeros_like(above), where=(below != 0) | (above != 0))
    return found


def polar(matrix: Factors) -> Factors:
    r"""The polar factor :math:`U V^\top` of :math:`U S V^\top`, over the singular values that are not zero.

    Those up to the rounding error of the largest count as zero.
    """
    if matrix.left.shape[1] == 0:
        return matrix
    left, left_triangle = np.linalg.qr(matrix.left)
    right, right_triangle = np.linalg.qr(matrix.right)
    core = left_triangle @ right_triangle.T
    if not np.all(np.isfinite(core)):
        return Factors(np.full_like(matrix.left, np.nan), matrix.right)
    u, sizes, vt = np.linalg.svd(core, full_matrices=False)
    kept = sizes > max(matrix.shape) * np.finfo(np.float64).eps * sizes[0]
    return Factors(left @ u[:, kept], right @ vt[kept].T)
