r"""Matrices and other arrays on particles, moved entry by entry.

An entrywise rule makes of the gradients :math:`g_{\alpha\beta} = \sum_a \chi_a l_a(\alpha) r_a(\beta)` a matrix
:math:`Q(g_{\alpha\beta}, \dots)`; in the limit it takes z to :math:`E_\beta\,Q(\sum_a \chi_a l_a(\alpha) r_a(\beta))\,
z(\beta)` over an independent copy β (Tensor Programs IVb, Theorem 2.6.10). Here β runs over the first particles, which
for a Sobol sequence are evenly spread themselves, with weights under which they have the means of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tpsym.particles.entrywise_rules import EntryMemory, EntryRule, direction
from tpsym.particles.gaussian import GaussianMatrix
from tpsym.particles.states import Gradient, given_values
from tpsym.simulate.payload import Array

COLUMNS = 256
"""Particles that an independent copy runs over."""
FEATURES = 32
"""Rows of a matrix whose means over all particles the weights reproduce."""
RIDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Move:
    """w ← keep·w + shift − step·direction; where ``relative`` is not zero the step is also times that and the root
    mean square of w − ``centre``."""

    step: float
    keep: float
    shift: float = 0.0
    relative: float = 0.0
    centre: float = 0.0


@dataclass(slots=True)
class Pairs:
    """A sum of outer products of vectors in rows."""

    lefts: Array
    rights: Array
    weights: Array

    def applied(self, vectors: Array, *, transposed: bool) -> Array:
        """Rows of means with one factor, times the other."""
        first, second = (self.lefts, self.rights) if transposed else (self.rights, self.lefts)
        found: Array = ((vectors @ first.T) * (self.weights / vectors.shape[1])) @ second
        return found


@dataclass(slots=True)
class EntrywiseMatrix:
    """A matrix moved entry by entry: ``kept`` times the initial one, plus a matrix of which some columns and some rows
    are held in full.

    ``sizes`` are rows and columns as multiples of n; ``entries[0]`` is all rows by the first columns, ``entries[1]``
    the first rows by all columns. Signs of one outer product are one outer product, and kept as ``pairs``.
    """

    rule: EntryRule
    move: Move
    matrix: GaussianMatrix
    sizes: tuple[float, float]
    kept: float
    columns: int = COLUMNS
    entries: list[Array] = field(default_factory=lambda: [np.zeros((0, 0)), np.zeros((0, 0))])
    memories: tuple[EntryMemory, EntryMemory] = field(default_factory=lambda: (EntryMemory(), EntryMemory()))
    pairs: Pairs = field(default_factory=lambda: Pairs(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0)))

    def apply(self, vectors: Array) -> Array:
        """W x for each row x."""
        return self._product(0, vectors)

    def apply_transposed(self, vectors: Array) -> Array:
        """Wᵀ y for each row y."""
        return self._product(1, vectors)

    def _product(self, side: int, vectors: Array) -> Array:
        found = self.matrix.product(side, vectors, factor=self.kept)
        size = self.sizes[1 - side]
        if len(self.pairs.weights):
            found = found + size * self.pairs.applied(vectors, transposed=bool(side))
        if self.entries[0].size:
            columns, rows = self.entries if side == 0 else [e.T for e in self.entries[::-1]]
            features = rows[: min(FEATURES, self.columns // 8)]
            found = found + size * (balanced(vectors, features, self.columns) @ columns.T)
        return found

    def advance(self, gradient: Gradient) -> None:
        """One update."""
        assert gradient.rights is not None
        keep, step = self.move.keep, self._step()
        self.kept *= keep
        self.pairs.weights = keep * self.pairs.weights
        self.entries = [keep * e for e in self.entries]
        if not len(gradient.coefficients) and self.rule.rule == "signsgd":
            return
        if self.rule.rule == "signsgd" and len(gradient.coefficients) == 1:
            self._pair(np.sign(gradient.coefficients[0]) * np.sign(gradient.lefts), np.sign(gradient.rights))
            return
        self.columns = min(self.columns, gradient.lefts.shape[1])
        scaled = gradient.coefficients[:, None] * gradient.lefts
        few = slice(None, self.columns)
        made = (scaled.T @ gradient.rights[:, few], scaled[:, few].T @ gradient.rights)
        for side, g in enumerate(made):
            change = step * direction(self.rule, self.memories[side], g)
            self.entries[side] = self.entries[side] - change if self.entries[side].size else -change

    def _step(self) -> float:
        """That of this update. The initial entries are larger than all updates together."""
        relative = self.move.relative
        return self.move.step * (relative * self.kept * self.matrix.law.deviation if relative else 1.0)

    def _pair(self, left: Array, right: Array) -> None:
        pairs = self.pairs
        known = len(pairs.weights) > 0
        self.pairs = Pairs(
            np.vstack([pairs.lefts, left]) if known else left, np.vstack([pairs.rights, right]) if known else right,
            np.append(pairs.weights, -self.move.step),
        )

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        found = {"kept": np.array(self.kept), "columns": np.array(self.columns), "weights": self.pairs.weights}
        found |= {"lefts": self.pairs.lefts, "rights": self.pairs.rights}
        for i in (0, 1):
            found[f"entries{i}"] = self.entries[i]
            found |= {f"{k}{i}": v for k, v in self.memories[i].state().items()}
        return found

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state; that of the initial matrix is kept with it."""
        self.kept, self.columns = float(state["kept"]), int(state["columns"])
        self.pairs = Pairs(*(np.array(state[k]) for k in ("lefts", "rights", "weights")))
        self.entries = [np.array(state[f"entries{i}"]) for i in (0, 1)]
        for i in (0, 1):
            self.memories[i].restore({k: state[f"{k}{i}"] for k in ("count", "first", "second")})


def balanced(vectors: Array, features: Array, count: int) -> Array:
    r"""The first ``count`` coordinates of vectors, so weighted that a mean over them comes close to one over all.

    Weights :math:`w_\beta = 1/M + \lambda^\top\phi(\beta)` for which x f has the mean that it has over all particles,
    for f the constant and the features: what is averaged is regressed on these, and the features are known for all.
    """
    size = vectors.shape[1]
    if count == size:
        return vectors / size
    chosen = np.concatenate([np.ones((1, size)), features])
    found = np.empty((len(vectors), count))
    for i, vector in enumerate(vectors):
        products = chosen * vector
        scale = np.sqrt(np.mean(products**2, axis=1))
        products = products[scale > 0] / scale[scale > 0, None]
        few = products[:, :count]
        lack = np.mean(products, axis=1) - np.mean(few, axis=1)
        gram = few @ few.T / count
        weights = 1 + np.linalg.lstsq(gram + RIDGE * np.eye(len(gram)), lack, rcond=None)[0] @ few
        found[i] = vector[:count] * weights / count
    return found


@dataclass(slots=True)
class EntrywiseValues:
    """Vectors and numbers, or an input layer, moved entry by entry.

    ``coordinates`` has a row for each number of a data point, ``points`` a row of these for each node; a vector or a
    number has one coordinate and the point 1.
    """

    rule: EntryRule
    move: Move
    nodes: tuple[int, ...]
    points: Array
    coordinates: Array
    memory: EntryMemory = field(default_factory=EntryMemory)

    def given(self) -> dict[int, Array | float]:
        """The values of the nodes."""
        return given_values(self.nodes, self.points @ self.coordinates)

    def advance(self, gradient: Gradient) -> None:
        """One update; ``rights`` has the numbers of the data point of each part."""
        move = self.move
        step = move.step * direction(self.rule, self.memory, gradient.by_node())
        if move.relative:
            step *= move.relative * float(np.sqrt(np.mean((self.coordinates - move.centre) ** 2)))
        self.coordinates = move.keep * self.coordinates + move.shift - step

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        return {"coordinates": self.coordinates, **self.memory.state()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.coordinates = np.array(state["coordinates"])
        self.memory.restore(state)


def layer_coordinates(values: Array, points: Array, fresh: Array) -> Array:
    """Coordinates of an input layer of which the products with ``points`` are ``values``; what these leave open is
    taken from ``fresh``, rows of independent normals of the size of an entry."""
    inverse = np.linalg.pinv(points, rcond=1e-10)
    outside = np.eye(points.shape[1]) - inverse @ points
    found: Array = inverse @ values + outside @ fresh
    return found
