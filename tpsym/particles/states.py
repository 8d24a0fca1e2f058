"""Trained arrays on particles, during training: their values, and how an update changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tpsym.particles.gaussian import GaussianMatrix
from tpsym.simulate.payload import Array


@dataclass(frozen=True, slots=True)
class Gradient:
    """The sum of ``coefficients[i]`` · ``lefts[i]`` ⊗ ``rights[i]``; the rows are vectors. ``rights`` is ``None``
    for arrays that are vectors. For an input layer it has the products of data points with those of the nodes, or
    their numbers where the rule is not linear."""

    coefficients: Array
    lefts: Array
    rights: Array | None

    def by_node(self) -> Array:
        """The sum for an array that is no matrix, one row for each column of ``rights``."""
        rights = np.ones((len(self.lefts), 1)) if self.rights is None else self.rights
        found: Array = (rights * self.coefficients[:, None]).T @ self.lefts
        return found


class TrainedState(Protocol):
    """An array during training, to leading order in n.

    One that is a matrix is an :class:`~tpsym.particles.interpret.Operator` too; any other has ``given``.
    """

    def advance(self, gradient: Gradient) -> None: ...

    def state(self) -> dict[str, Array]: ...

    def restore(self, state: Mapping[str, Array]) -> None: ...


@dataclass(frozen=True, slots=True)
class Linear:
    """Numbers of gradient descent on w: the factor of a gradient, what decay leaves and adds, and momentum."""

    step: float
    keep: float
    shift: float
    momentum: float


@dataclass(slots=True)
class ValuesState:
    """Arrays that are known by values at nodes, one row for each: vectors, numbers, products of an input layer.

    w ← keep·w + shift − m with m ← μ m + step·gradient.
    """

    rule: Linear
    nodes: tuple[int, ...]
    values: Array
    velocity: Array

    def given(self) -> dict[int, Array | float]:
        """The values of the nodes."""
        return given_values(self.nodes, self.values)

    def advance(self, gradient: Gradient) -> None:
        """One update; ``rights`` has a row for each part and a column for each node."""
        self.velocity = self.rule.momentum * self.velocity + self.rule.step * gradient.by_node()
        self.values = self.rule.keep * self.values + self.rule.shift - self.velocity

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        return {"values": self.values, "velocity": self.velocity}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.values, self.velocity = np.array(state["values"]), np.array(state["velocity"])


def given_values(nodes: tuple[int, ...], values: Array) -> dict[int, Array | float]:
    """The values of nodes from rows, numbers where a row has one entry."""
    if values.shape[1] == 1:
        return {k: float(row[0]) for k, row in zip(nodes, values, strict=True)}
    return dict(zip(nodes, values, strict=True))


@dataclass(slots=True, kw_only=True)
class ChangedMatrix:
    """A matrix in training: ``kept`` times the initial one plus a matrix between its two bases.

    ``change`` and ``velocity`` go from coordinates of arguments to coordinates of the other side. ``sizes`` are rows
    and columns as multiples of n.
    """

    matrix: GaussianMatrix
    sizes: tuple[float, float]
    kept: float
    change: Array = field(default_factory=lambda: np.zeros((0, 0)))
    velocity: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def apply(self, vectors: Array) -> Array:
        """W x for each row x."""
        return self.matrix.product(0, vectors, factor=self.kept, change=self.sizes[1] * self.change)

    def apply_transposed(self, vectors: Array) -> Array:
        """Wᵀ y for each row y."""
        return self.matrix.product(1, vectors, factor=self.kept, change=self.sizes[0] * self.change.T)

    def accelerate(self, momentum: float, added: Array) -> None:
        """m ← μ m + g."""
        shape = self.matrix.sides[0].basis.count, self.matrix.sides[1].basis.count
        self.velocity = momentum * enlarged(self.velocity, shape) + enlarged(added, shape)

    def move(self, keep: float, step: Array) -> None:
        """w ← keep·w − step."""
        self.change = keep * enlarged(self.change, step.shape) - step
        self.kept *= keep

    def state(self) -> dict[str, Array]:
        """To go on from later; the initial matrix has a state of its own."""
        return {"kept": np.array(self.kept), "change": self.change, "velocity": self.velocity}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.kept = float(state["kept"])
        self.change, self.velocity = np.array(state["change"]), np.array(state["velocity"])


@dataclass(slots=True, kw_only=True)
class MatrixState(ChangedMatrix):
    """A matrix moved by gradient descent."""

    rule: Linear

    def __post_init__(self) -> None:
        self.matrix.recalls = True

    def advance(self, gradient: Gradient) -> None:
        """One update."""
        assert gradient.rights is not None
        rights = self.matrix.recalled(0, gradient.rights)
        lefts = self.matrix.recalled(1, gradient.lefts)
        self.accelerate(self.rule.momentum, self.rule.step * (rights.T * gradient.coefficients) @ lefts)
        self.move(self.rule.keep, self.velocity)


def enlarged(matrix: Array, shape: tuple[int, int]) -> Array:
    """A matrix with zeros to make it as large."""
    found = np.zeros(shape)
    found[: matrix.shape[0], : matrix.shape[1]] = matrix
    return found
