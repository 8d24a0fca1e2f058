r"""The random matrix of a program as an operator on particles.

A vector is an array of N samples of its Z, the inner product is the mean over them, and products are made lazily: an
argument x of W is written in an orthonormal basis :math:`q_j` of earlier arguments, and

.. math:: Z^{Wx} = \sum_j \sigma E_j \langle q_j, x\rangle + \frac1\rho\sum_i P_i\,\sigma_{W^\top}\langle H_i, x\rangle

with fresh standard normals :math:`E_j` for every q, the basis :math:`P_i` of earlier arguments of :math:`W^\top`
with its normals :math:`H_i`, ρ = rows/columns and :math:`\sigma_{W^\top} = \sqrt\rho\,\sigma`: the second sum is
:math:`\dot Z` by least squares. For :math:`W^\top` the factor is ρ. Since every E is orthogonal to the P before it
and every H to the q, :math:`\rho\langle y, Wx\rangle = \langle W^\top y, x\rangle` holds for the samples themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special
from scipy.stats import qmc

from tpsym.errors import fail
from tpsym.simulate.payload import Array

EVEN_DIRECTIONS = 128
"""Directions of a dimension that are filled evenly, by a scrambled Sobol sequence; later ones are drawn."""
TOLERANCE = 1e-6
"""A vector is in the span of a basis when no more than this part of it is outside."""
LEFT_OVER = 0.1
"""Least part of fresh normals that must be outside the span of the old ones."""


@dataclass(slots=True)
class Rows:
    """Vectors of N numbers, in the rows of an array that doubles when it is full."""

    size: int
    count: int = 0
    store: Array = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def array(self) -> Array:
        """The vectors so far."""
        return self.store[: self.count] if self.count else np.empty((0, self.size))

    def append(self, vector: Array) -> None:
        """One more vector."""
        if self.count == len(self.store):
            larger = np.empty((max(8, 2 * self.count), self.size))
            if self.count:
                larger[: self.count] = self.array
            self.store = larger
        self.store[self.count] = vector
        self.count += 1


def extend(known: Rows, vectors: Array, least: Array) -> Array:
    """Add what is new in the rows of ``vectors`` to orthonormal rows, if it is larger than ``least``; its sizes."""
    rest = _split(_split(vectors, known.array)[1], known.array)[1]
    old, lefts = known.count, np.zeros(len(rest))
    for i, residual in enumerate(rest):
        for _ in range(2):
            residual = residual - (known.array[old:] @ residual / known.size) @ known.array[old:]
        lefts[i] = np.sqrt(np.mean(residual**2))
        if lefts[i] > least[i]:
            known.append(residual / lefts[i])
    return lefts


@dataclass(slots=True)
class Normals:
    """Fresh standard normals of one dimension in one replicate, in an order that depends on nothing but their count.

    ``anchors`` are vectors that all of them are made orthogonal to: the constant, and the normals of initial vectors.
    """

    name: str
    particles: int
    seed: tuple[int, ...]
    taken: int = 0
    even: Array | None = None
    anchors: Rows = field(default_factory=lambda: Rows(0))

    def __post_init__(self) -> None:
        self.anchors = Rows(self.particles)
        self.anchors.append(np.ones(self.particles))

    def fresh(self, count: int, known: Rows) -> Array:
        """So many rows of normals, as samples orthonormal and orthogonal to the orthonormal rows of ``known``, which
        they are added to.

        Raises:
            TpError: ``too-few-particles`` where there is no room for them.
        """
        found = np.array([self._next() for _ in range(count)]).reshape(count, self.particles)
        sizes = np.sqrt(np.mean(found**2, axis=1))
        lefts = extend(known, found, LEFT_OVER * sizes)
        if not np.all(lefts > LEFT_OVER * sizes):
            raise fail(
                "too-few-particles", f"{self.particles} particles are too few for so many products",
                fix="use more particles",
            )
        return known.array[known.count - count :]

    def _next(self) -> Array:
        number = self.taken
        self.taken += 1
        if number < EVEN_DIRECTIONS:
            if self.even is None:
                rng = self._generator(0)
                points = qmc.Sobol(EVEN_DIRECTIONS, scramble=True, seed=rng).random(self.particles)
                self.even = special.ndtri(np.clip(points.T, 1e-16, 1 - 1e-16))
            column: Array = self.even[number]
            return column
        return self._generator(number).standard_normal(self.particles)

    def _generator(self, number: int) -> np.random.Generator:
        digest = hashlib.sha256(self.name.encode()).digest()[:8]
        words = (*self.seed[1:], self.particles, *(int(w) for w in np.frombuffer(digest, dtype="<u4")), number)
        return np.random.default_rng(np.random.SeedSequence(self.seed[0], spawn_key=words))


@dataclass(frozen=True, slots=True)
class MatrixLaw:
    """Entries of variance ``deviation``²/columns, and ``ratio`` = rows/columns."""

    deviation: float
    ratio: float


@dataclass(slots=True)
class Side:
    """One orientation: an orthonormal ``basis`` of its arguments, and the normals that it makes of them, ``hats``.

    ``known`` are orthonormal vectors that fresh normals have to be orthogonal to: the anchors, the older normals, and
    ``seen`` of the arguments of the transpose.
    """

    basis: Rows
    hats: Rows
    normals: Normals
    known: Rows
    seen: int = 0

    @classmethod
    def make(cls, normals: Normals) -> Side:
        """Nothing drawn yet."""
        size = normals.particles
        return cls(Rows(size), Rows(size), normals, Rows(size))

    def draw(self, count: int, images: Array) -> None:
        """Normals for new arguments; ``images`` are the arguments of the transpose."""
        if not self.known.count:
            for vector in self.normals.anchors.array:
                self.known.append(vector)
        new = images[self.seen :]
        extend(self.known, new, np.full(len(new), TOLERANCE))
        self.seen = len(images)
        for vector in self.normals.fresh(count, self.known):
            self.hats.append(vector)


@dataclass(slots=True)
class GaussianMatrix:
    """An initial matrix on particles; ``sides[0]`` is W, ``sides[1]`` its transpose.

    ``seen`` are the coordinates of arguments of products since they were last recalled, if they will be: ``recalls``.
    """

    law: MatrixLaw
    sides: tuple[Side, Side]
    seen: tuple[dict[bytes, Array], dict[bytes, Array]] = field(default_factory=lambda: ({}, {}))
    recalls: bool = False

    @classmethod
    def make(cls, law: MatrixLaw, rows: Normals, columns: Normals) -> GaussianMatrix:
        """A matrix that nothing is known of."""
        return cls(law, (Side.make(rows), Side.make(columns)))

    def coordinates(self, side: int, vectors: Array) -> Array:
        """The arguments in the rows of ``vectors`` in the basis, which grows by what is new in them."""
        own, other = self.sides[side], self.sides[1 - side]
        basis, old = own.basis, own.basis.count
        sizes = np.sqrt(np.mean(vectors**2, axis=1))
        found, rest = _split(vectors, basis.array)
        new = np.flatnonzero(np.sqrt(np.mean(rest**2, axis=1)) > TOLERANCE * sizes)
        more, again = _split(rest[new], basis.array)
        found[new] += more
        extra = np.zeros((len(vectors), len(new)))
        for i, residual in zip(new, again, strict=True):
            for _ in range(2):
                part = (basis.array[old:] @ residual) / basis.size
                residual = residual - part @ basis.array[old:]
                extra[i, : len(part)] += part
            left = float(np.sqrt(np.mean(residual**2)))
            if left > TOLERANCE * sizes[i]:
                extra[i, basis.count - old] = left
                basis.append(residual / left)
        if basis.count > old:
            own.draw(basis.count - old, other.basis.array)
        return np.hstack([found, extra[:, : basis.count - old]])

    def recalled(self, side: int, vectors: Array) -> Array:
        """The coordinates of arguments, those of products that were taken just before as they were."""
        seen = self.seen[side]
        keys = [vector.tobytes() for vector in vectors]
        unknown = [i for i, key in enumerate(keys) if key not in seen]
        if unknown:
            seen |= dict(zip((keys[i] for i in unknown), self.coordinates(side, vectors[unknown]), strict=True))
        found = np.zeros((len(vectors), self.sides[side].basis.count))
        for row, key in zip(found, keys, strict=True):
            row[: len(seen[key])] = seen[key]
        seen.clear()
        return found

    def apply(self, vectors: Array) -> Array:
        """W x for each row x."""
        return self.product(0, vectors)

    def apply_transposed(self, vectors: Array) -> Array:
        """Wᵀ y for each row y."""
        return self.product(1, vectors)

    def product(self, side: int, vectors: Array, *, factor: float = 1.0, change: Array | None = None) -> Array:
        """``factor`` times the product, plus ``change``: coordinates of arguments to those of the other basis."""
        own, other = self.sides[side], self.sides[1 - side]
        coordinates = self.coordinates(side, vectors)
        if self.recalls:
            self.seen[side].update({v.tobytes(): c for v, c in zip(vectors, coordinates, strict=True)})
        dots = factor * self.correlation(side, vectors)
        if change is not None:
            dots = dots + coordinates @ _padded(change, own.basis.count, other.basis.count)
        found = (factor * self.size(side)) * (coordinates @ own.hats.array)
        if other.basis.count:
            found += dots @ other.basis.array
        result: Array = found
        return result

    def correlation(self, side: int, vectors: Array) -> Array:
        """The coordinates of the correlation parts in the basis of the other side."""
        other, ratio = self.sides[1 - side], self.law.ratio
        factor = self.size(1 - side) * (1 / ratio if side == 0 else ratio)
        found: Array = (vectors @ other.hats.array.T) * (factor / other.hats.size)
        return found

    def size(self, side: int) -> float:
        """σ of W or of its transpose."""
        return self.law.deviation * (self.law.ratio**0.5 if side else 1.0)

    def state(self) -> dict[str, Array]:
        """All that has been drawn, to go on from later."""
        found: dict[str, Array] = {}
        for i, side in enumerate(self.sides):
            for name, rows in (("basis", side.basis), ("hats", side.hats), ("known", side.known)):
                found[f"{i}{name}"] = rows.array.copy()
            found[f"{i}seen"] = np.array(side.seen)
        return found

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        for i, side in enumerate(self.sides):
            for name, rows in (("basis", side.basis), ("hats", side.hats), ("known", side.known)):
                rows.store, rows.count = np.array(state[f"{i}{name}"]), len(state[f"{i}{name}"])
            side.seen = int(state[f"{i}seen"])


def _split(vectors: Array, basis: Array) -> tuple[Array, Array]:
    """Coordinates in an orthonormal basis, and what is outside its span."""
    if not len(basis):
        return np.zeros((len(vectors), 0)), vectors
    found = vectors @ basis.T / basis.shape[1]
    return found, vectors - found @ basis


def _padded(matrix: Array, rows: int, columns: int) -> Array:
    if matrix.shape == (rows, columns):
        return matrix
    found = np.zeros((rows, columns))
    found[: matrix.shape[0], : matrix.shape[1]] = matrix
    return found


def orthonormal(normals: Normals, count: int) -> Array:
    """So many fresh directions, which later ones will be orthogonal to."""
    return normals.fresh(count, normals.anchors)


def seeds(seed: int | Sequence[int], replicate: int) -> tuple[int, ...]:
    """The key of the random numbers of a replicate.

    Raises:
        TpError: ``bad-option`` for a negative seed.
    """
    words = (seed,) if isinstance(seed, int) else tuple(seed)
    if not words or min(words) < 0:
        raise fail("bad-option", f"the seed {seed}", expected="0 or more")
    return (*words, replicate)
