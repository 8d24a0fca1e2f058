"""The random arrays of a run: what is drawn depends on the seed, the width and a name, on nothing else.

Every initial object has its own stream, a ``SeedSequence`` of (seed; width, digest of its name), so
its values do not depend on what else is computed or in which order. The width is part of the key:
runs at two widths are independent, which the fits over widths assume.

Drawing dominates the cost: a normal takes about 30 ns, so an n×n matrix costs 200 to 500 products
with a vector (0.12 s against 0.6 ms at n = 2048 on one core). A matrix is therefore drawn once per
run and shared by all its products, in both orientations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sympy import Expr

from tpsym.errors import fail
from tpsym.program.graph import Program
from tpsym.program.instructions import Matrix, RandomScalar, Vector
from tpsym.simulate.payload import Array

EIGENVALUE_TOLERANCE = 1e-9
"""Negative eigenvalues of a covariance up to this part of the largest are rounding."""

Evaluate = Callable[[Expr, int], float]
"""The number an expression in parameters and widths stands for, in the law of the given node."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The name of an independent stream of normals: ``rank`` tells equal names apart."""

    kind: str
    name: str
    rank: int

    def generator(self, seed: int | Sequence[int], n: int) -> np.random.Generator:
        """The generator of this stream in the run (seed, n)."""
        digest = hashlib.sha256(f"{self.kind}\0{self.name}\0{self.rank}".encode()).digest()[:16]
        key = (n, *(int(word) for word in np.frombuffer(digest, dtype="<u4")))
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True, slots=True)
class Component:
    """Initial vectors that are correlated, with ``root`` the symmetric square root of their covariance."""

    members: tuple[int, ...]
    root: Array
    means: Array


def streams(program: Program) -> dict[int, Stream]:
    """The stream of every initial matrix, vector and scalar; vectors are numbered within their family."""
    found: dict[int, Stream] = {}
    ranks: dict[tuple[str, str], int] = {}
    for node in sorted(program.graph):
        match program[node]:
            case Matrix(name=name):
                key = ("matrix", name)
            case Vector(family=family):
                key = ("vector", family)
            case RandomScalar(name=name):
                key = ("scalar", name)
            case _:
                continue
        ranks[key] = ranks.get(key, -1) + 1
        found[node] = Stream(*key, ranks[key])
    return found


def components(program: Program, wanted: set[int], evaluate: Evaluate) -> dict[int, Component]:
    """The component of each wanted vector, found within its family in the whole program.

    Raises :class:`TpError` (``bad-covariance``) if a covariance is not positive semi-definite.
    """
    vectors = {node: v for node in program.graph if isinstance(v := program[node], Vector)}
    neighbours: dict[int, set[int]] = {node: {node} for node in vectors}
    for (a, b), value in program.covariances.items():
        if value != 0 and vectors[a].family == vectors[b].family:
            neighbours[a].add(b)
            neighbours[b].add(a)
    found: dict[int, Component] = {}
    for node in sorted(wanted):
        if node not in found:
            component = _component(program, _connected(node, neighbours), evaluate)
            found |= dict.fromkeys(wanted.intersection(component.members), component)
    return found


def _connected(node: int, neighbours: dict[int, set[int]]) -> list[int]:
    seen, todo = {node}, [node]
    while todo:
        new = neighbours[todo.pop()] - seen
        seen |= new
        todo.extend(new)
    return sorted(seen)


def _component(program: Program, members: list[int], evaluate: Evaluate) -> Component:
    laws = [v for node in members if isinstance(v := program[node], Vector)]
    if len({law.dimension for law in laws}) > 1:
        names = ", ".join(law.name for law in laws)
        raise fail(
            "bad-covariance", f"the correlated vectors {names} have different sizes",
            program.spans.get(members[-1]),
        )
    covariance = np.array([[evaluate(program.covariance(a, b), a) for b in members] for a in members])
    means = np.array([evaluate(law.mean, node) for node, law in zip(members, laws, strict=True)])
    return Component(tuple(members), _square_root(program, members, covariance), means)


def _square_root(program: Program, members: list[int], covariance: Array) -> Array:
    """The symmetric root; it exists for singular covariances, where Cholesky's does not."""
    values, basis = np.linalg.eigh(covariance)
    if not np.all(values >= -EIGENVALUE_TOLERANCE * max(abs(values[-1]), abs(values[0]))):
        names = ", ".join(program.label(node) for node in members)
        raise fail(
            "bad-covariance", f"the covariance of {names} is not positive semi-definite: it has the "
            f"eigenvalue {values[0]:.6g}", program.spans.get(members[-1]),
        )
    root: Array = (basis * np.sqrt(np.maximum(values, 0.0))) @ basis.T
    return root


def draw_matrix(
    stream: Stream, shape: tuple[int, int], deviation: float, *, seed: int | Sequence[int], n: int
) -> Array:
    """A matrix of this shape with entries N(0, deviation²)."""
    matrix = stream.generator(seed, n).standard_normal(shape)
    matrix *= deviation
    return matrix


def draw_vectors(
    component: Component, size: int, named: Mapping[int, Stream], *, seed: int | Sequence[int], n: int
) -> dict[int, Array]:
    """All the vectors of a component, each of this size."""
    normals = np.stack([named[node].generator(seed, n).standard_normal(size) for node in component.members])
    values = component.root @ normals + component.means[:, None]
    return dict(zip(component.members, values, strict=True))
