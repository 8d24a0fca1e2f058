"""A program run on particles: every vector is an array of samples of its Z, taken in program order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.particles.gaussian import GaussianMatrix, MatrixLaw, Normals, orthonormal, seeds
from tpsym.particles.plan import Functions, Graph, Setting, graph, ratio, widths
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.simulate.draws import Component, components
from tpsym.simulate.payload import Array

Seed = int | Sequence[int]
NO_FUNCTIONS: Functions = MappingProxyType({})
BLOCK = 2**20
"""Terms of an outer nonlinearity held at once."""
RANK = 1e-12
"""Eigenvalues of a covariance up to this part of the largest count as zero."""


class Operator(Protocol):
    """What acts on particles like a matrix on vectors; each row is a vector."""

    def apply(self, vectors: Array) -> Array: ...

    def apply_transposed(self, vectors: Array) -> Array: ...


@dataclass(frozen=True, slots=True)
class Initial:
    """The laws of what a graph begins with, in numbers."""

    vectors: Mapping[int, Component]
    matrices: Mapping[int, MatrixLaw]
    scalars: Mapping[int, tuple[float, float]]


def laws(ready: Graph) -> Initial:
    """The laws of the initial arrays of a graph.

    Raises:
        TpError: ``no-value``, ``bad-covariance``.
    """
    program, setting = ready.program, ready.setting
    vectors = {k for k in ready.leads if isinstance(program[k], Vector)}

    def number(expr: Expr, node: int) -> float:
        return setting.number(expr, f"the law of {program.label(node)}", program.spans.get(node))

    matrices, scalars = {}, {}
    for node in ready.leads:
        match program[node]:
            case Matrix(variance=variance, rows=rows, columns=columns):
                square = _variance(number(variance, node), program.label(node), program.spans.get(node))
                matrices[node] = MatrixLaw(square**0.5, ratio(rows, setting) / ratio(columns, setting))
            case RandomScalar(mean=mean, variance=variance):
                square = _variance(number(variance, node), program.label(node), program.spans.get(node))
                scalars[node] = (number(mean, node), square**0.5)
            case _:
                pass
    return Initial(components(program, vectors, number), matrices, scalars)


def _variance(value: float, label: str, span: Span | None) -> float:
    if not 0 <= value < float("inf"):
        raise fail("bad-covariance", f"the variance of {label} is {value:g}", span, expected="0 or more")
    return value


@dataclass(slots=True)
class Draw:
    """One replicate: the normals of each dimension, the matrices, and the initial vectors and scalars."""

    particles: int
    normals: dict[str, Normals]
    matrices: dict[int, GaussianMatrix]
    values: dict[int, Array | float]


def draw(ready: Graph, initial: Initial, *, particles: int, seed: tuple[int, ...]) -> Draw:
    """The initial values of a replicate."""
    program = ready.program
    normals: dict[str, Normals] = {}

    def of(dimension: Dimension) -> Normals:
        return normals.setdefault(dimension.name, Normals(dimension.name, particles, seed))

    values: dict[int, Array | float] = {}
    for node in sorted(initial.vectors):
        if node not in values:
            law = program[node]
            assert isinstance(law, Vector)
            found = _vectors(initial.vectors[node], of(law.dimension))
            values |= {k: found[k] for k in found if k in initial.vectors}
    rng = np.random.default_rng(np.random.SeedSequence(seed[0], spawn_key=seed[1:]))
    for node in sorted(initial.scalars):
        mean, deviation = initial.scalars[node]
        values[node] = mean + deviation * float(rng.standard_normal()) if deviation else mean
    matrices = {}
    for node, entries in initial.matrices.items():
        matrix = program[node]
        assert isinstance(matrix, Matrix)
        matrices[node] = GaussianMatrix.make(entries, of(matrix.rows), of(matrix.columns))
    return Draw(particles, normals, matrices, values)


def _vectors(component: Component, normals: Normals) -> dict[int, Array]:
    """The vectors of a component, made of as few normals as its rank."""
    sizes, basis = np.linalg.eigh(component.root)
    kept = sizes > RANK**0.5 * max(float(sizes[-1]), 1e-300)
    root = basis[:, kept] * sizes[kept]
    values = root @ orthonormal(normals, int(kept.sum())) + component.means[:, None]
    return dict(zip(component.members, values, strict=True))


def execute(
    ready: Graph, *, particles: int, given: Mapping[int, Array | float], operators: Mapping[int, Operator]
) -> dict[int, Any]:
    """The leading coefficients of all nodes, from those of the initial ones.

    Raises:
        TpError: ``no-particle-limit``.
    """
    live: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for stage in ready.stages:
            first = ready.program[stage[0]]
            if isinstance(first, MatMul):
                live |= _products(ready, stage, first, live, operators, particles)
            elif stage[0] in given:
                live[stage[0]] = given[stage[0]]
            elif not isinstance(first, Matrix):
                live[stage[0]] = _compute(ready, stage[0], live, particles)
    return live


def _products(
    ready: Graph, stage: Sequence[int], first: MatMul, live: Mapping[int, Any], operators: Mapping[int, Operator],
    particles: int,
) -> dict[int, Array]:
    uses = [use for k in stage if isinstance(use := ready.program[k], MatMul)]
    if all(ready.leads[k].zero for k in stage):
        return {k: np.zeros(particles) for k in stage}
    arguments = np.stack([live[use.vector] for use in uses])
    operator = operators[first.matrix]
    found = operator.apply_transposed(arguments) if first.transposed else operator.apply(arguments)
    return dict(zip(stage, found, strict=True))


def _compute(ready: Graph, node: int, live: Mapping[int, Any], particles: int) -> Any:
    instruction = ready.program[node]
    formula = ready.formulas[node]
    match instruction:
        case Nonlin():
            value = formula(_given(ready, instruction, live))
            return np.array(np.broadcast_to(value, (particles,)), dtype=np.float64)
        case Moment():
            return float(np.mean(formula(_given(ready, instruction, live))))
        case OuterNonlin():
            return _outer(ready, node, instruction, live, particles)
        case _:
            raise TypeError(f"{type(instruction).__name__} has no value of its own")


def _given(ready: Graph, instruction: Nonlin | Moment | OuterNonlin, live: Mapping[int, Any]) -> dict[str, Any]:
    given: dict[str, Any] = dict(ready.setting.parameters)
    given |= {vector_slot(i).name: live[x] for i, x in enumerate(instruction.vectors)}
    return given | {scalar_slot(i).name: live[t] for i, t in enumerate(instruction.scalars)}


def _outer(ready: Graph, node: int, instruction: OuterNonlin, live: Mapping[int, Any], particles: int) -> Array:
    """The mean over a further particle, which runs over all of them."""
    given = _given(ready, instruction, live)
    if instruction.order == 0:
        value = ready.formulas[node](given)
        return np.array(np.broadcast_to(value, (particles,)), dtype=np.float64)
    if instruction.order > 1:
        raise fail("not-available", "particles take outer nonlinearities with one further coordinate")
    given |= {column_slot(0, i).name: live[x][None, :] for i, x in enumerate(instruction.vectors)}
    result = np.empty(particles)
    rows = max(1, BLOCK // particles)
    for start in range(0, particles, rows):
        part = slice(start, min(start + rows, particles))
        own = {vector_slot(i).name: live[x][part, None] for i, x in enumerate(instruction.vectors)}
        terms = ready.formulas[node]({**given, **own})
        result[part] = np.broadcast_to(terms, (part.stop - part.start, particles)).mean(axis=1)
    return result


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of nodes divided by the power of n they have (``None`` for zero); vectors are samples of their Z."""

    values: Mapping[int, Array | float]
    powers: Mapping[int, Fraction | None]


def sample(
    program: Program,
    nodes: Sequence[int],
    *,
    particles: int,
    seed: Seed,
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
) -> Sample:
    """The limits of these nodes in one replicate: samples of vectors, means of scalars over the samples.

    ``values`` gives the parameters. The result differs from the limit by its own sampling error, of size
    ``particles``^(-1/2), and by O(1/``particles``).

    Raises:
        TpError: ``no-value``, ``not-numeric``, ``bad-covariance``, ``symbolic-depth``, ``no-particle-limit`` for what
            grows with the width, ``too-few-particles``, ``bad-option``.
    """
    check_particles(particles)
    setting = Setting({s.name: float(v) for s, v in values.items()}, widths(program), functions)
    ready = graph(program, nodes, setting, {})
    key = seeds(seed, 0)
    started = draw(ready, laws(ready), particles=particles, seed=key)
    live = execute(ready, particles=particles, given=started.values, operators=started.matrices)
    return Sample({k: live[k] for k in nodes}, {k: ready.power(k) for k in nodes})


def check_particles(particles: int) -> None:
    """Refuse numbers of particles that cannot be spread evenly."""
    if particles < 16 or particles & (particles - 1):
        raise fail("bad-option", f"{particles} particles", expected="a power of two, 16 or more")
