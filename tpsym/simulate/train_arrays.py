r"""The trained arrays of a program at finite width: their gradients, and how they move.

A program knows an array θ through a node w of its graph, θ = unit·(w − centre): the declared array is a multiple
of a standard one, and with ``parametrization ntk`` θ has variance 1. Rates, decay and ε are about θ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.program.instructions import Dimension, MatMul, Matrix, RandomScalar, Vector
from tpsym.program.scope import Context, Trained
from tpsym.program.values import Scalar, VectorValue
from tpsym.simulate.draws import Stream
from tpsym.simulate.finite_width import Plan, Seed
from tpsym.simulate.payload import Array, Payload, compile_payload
from tpsym.simulate.train_data import declarations
from tpsym.simulate.train_rules import Factors, Memory, Settings, advance
from tpsym.transform.backward import Gradients

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression over nodes, made ready to be computed from their values."""

    payload: Payload
    nodes: tuple[tuple[str, int], ...]
    dimension: Dimension | None

    def __call__(self, plan: Plan, live: Mapping[int, Any]) -> Array:
        """Its value: a number, or a vector of its dimension's size."""
        found = self.payload({**plan.parameters, **{name: live[node] for name, node in self.nodes}})
        shape = () if self.dimension is None else (plan.sizes[self.dimension.name],)
        return np.array(np.broadcast_to(found, shape), dtype=np.float64)


def reading(context: Context, expr: Expr, dimension: Dimension | None, functions: Functions) -> Reading:
    """An expression compiled."""
    payload = compile_payload(expr, functions=functions)
    nodes = tuple(sorted((s.name, context.nodes[s]) for s in payload.symbols if s in context.nodes))
    return Reading(payload, nodes, dimension)


def number(expr: Expr, parameters: Mapping[str, float], what: str, span: Span | None = None) -> float:
    """An expression in parameters and widths as a number."""
    payload = compile_payload(expr, functions={}, span=span)
    missing = sorted(s.name for s in payload.symbols if s.name not in parameters)
    if missing:
        raise fail("no-value", f"{', '.join(missing)} must have a value: {what} depends on it", span)
    return float(payload(parameters))


@dataclass(frozen=True, slots=True)
class Use:
    """A part ``scale · left ⊗ right`` of the gradient of one output by an array's node, divided by n for vectors.

    ``right`` is a vector of the program, a data point by name, or nothing.
    """

    example: int
    scale: Reading
    left: Reading
    right: Reading | str | None

    def readings(self) -> list[Reading]:
        """All that has to be computed for it."""
        return [self.scale, self.left, *([self.right] if isinstance(self.right, Reading) else [])]


@dataclass(frozen=True, slots=True)
class Rescaled:
    """Another parametrisation of an array: θ = n^multiplier·w, where w is what is trained, and θ begins n^entries
    times as large as declared; without it w is θ."""

    multiplier: Fraction
    entries: Fraction


Parametrization = Mapping[str, Rescaled]
"""By name of array; what is declared holds for arrays that are not in it, and for none it is empty."""


@dataclass(frozen=True, slots=True)
class TrainedArray:
    """A trained array with the parts of its gradient; ``points`` are the nodes of an input layer by data point, and
    ``law`` is the instruction of its node (of one of these)."""

    trained: Trained
    law: Matrix | Vector | RandomScalar
    offset: Expr
    uses: tuple[Use, ...]
    points: tuple[tuple[int, str], ...]
    rescaled: Rescaled | None = None


def trained_arrays(
    context: Context, gradients: Sequence[Gradients], functions: Functions, rescaled: Parametrization
) -> tuple[TrainedArray, ...]:
    """The trained arrays of a program, with their gradients for each output."""
    named = declarations(context)
    found = []
    for trained in context.trained:
        uses = tuple(u for i, g in enumerate(gradients) for u in _uses(context, trained, i, g, functions))
        points = tuple(context.input_families.get(trained.name, ())) if trained.node is None else ()
        if trained.node is None and not points:
            continue  # an input layer that is never applied
        law = context.builder[points[0][0] if trained.node is None else trained.node]
        assert isinstance(law, Matrix | Vector | RandomScalar)
        offset = _offset(context, trained, named.get(trained.name))
        found.append(TrainedArray(trained, law, offset, uses, points, rescaled.get(trained.name)))
    return tuple(found)


def _offset(context: Context, trained: Trained, declared: Any) -> Expr:
    """What a declared vector or number is besides a multiple of its node: a mean that depends on the width."""
    if trained.node is None or not isinstance(declared, VectorValue | Scalar):
        return S.Zero
    return sp.expand(declared.expr - trained.multiplier * context.symbol(trained.node))


def _uses(
    context: Context, trained: Trained, example: int, gradients: Gradients, functions: Functions
) -> list[Use]:
    def made(left: Expr, dimension: Dimension | None, right: Reading | str | None = None) -> Use:
        scale = gradients.scale if dimension is None else gradients.scale / context.n
        return Use(
            example, reading(context, scale, None, functions), reading(context, left, dimension, functions), right
        )

    adjoints, builder = gradients.vectors, context.builder
    if trained.node is None:
        points = context.input_families.get(trained.name, ())
        laws = [(k, point, builder[k]) for k, point in points if k in adjoints]
        return [made(adjoints[k], law.dimension, point) for k, point, law in laws if isinstance(law, Vector)]
    match builder[trained.node]:
        case RandomScalar():
            adjoint = gradients.scalars.get(trained.node)
            return [made(adjoint, None)] if adjoint is not None else []
        case Vector(dimension=dimension):
            adjoint = adjoints.get(trained.node)
            return [made(adjoint, dimension)] if adjoint is not None else []
        case Matrix(rows=rows, columns=columns):
            found = []
            for k in sorted(builder.graph.successors(trained.node)):
                use = builder[k]
                if k in adjoints and isinstance(use, MatMul):
                    pair = (adjoints[k], context.symbol(use.vector))
                    left, right = pair[::-1] if use.transposed else pair
                    found.append(made(left, rows, reading(context, right, columns, functions)))
            return found
        case other:
            raise TypeError(f"{type(other).__name__} is not an initial array")


@dataclass(frozen=True, slots=True)
class State:
    """An array during training: ``value`` is w, θ = unit·(w − centre); everything is a matrix, a vector a column."""

    array: TrainedArray
    settings: Settings
    unit: float
    centre: float
    value: Array
    memory: Memory

    def given(self, points: Mapping[str, Array]) -> dict[int, Array | float]:
        """The values of the nodes that the array gives."""
        node = self.array.trained.node
        if node is None:
            return {k: self.value @ points[name] for k, name in self.array.points}
        match self.array.law:
            case Vector():
                return {node: self.value[:, 0]}
            case RandomScalar():
                return {node: float(self.value[0, 0])}
            case _:
                return {node: self.value}

    def gradient(self, plan: Plan, live: Mapping[int, Any], errors: Array, points: Mapping[str, Array]) -> Factors:
        """The gradient by θ of the mean loss, given its derivatives by the outputs."""
        rows, columns = self.value.shape
        left, right = np.zeros((rows, len(self.array.uses))), np.ones((columns, len(self.array.uses)))
        for i, use in enumerate(self.array.uses):
            scale = float(use.scale(plan, live)) * errors[use.example] / len(errors) / self.unit
            left[:, i] = scale * use.left(plan, live)
            if use.right is not None:
                right[:, i] = points[use.right] if isinstance(use.right, str) else use.right(plan, live)
        return Factors(left, right)

    def step(self, gradient: Factors) -> State:
        """The array after one update."""
        direction, memory = advance(self.settings, self.memory, gradient)
        rate = self.settings.rate
        if self.settings.rule == "adafactor":
            rate *= self.unit * float(np.sqrt(np.mean((self.value - self.centre) ** 2)))
        change = direction.dense() if isinstance(direction, Factors) else direction
        value = self.value - (rate / self.unit) * change
        if self.settings.decay:
            value -= rate * self.settings.decay * (self.value - self.centre)
        return State(self.array, self.settings, self.unit, self.centre, value, memory)


def start(
    array: TrainedArray, settings: Settings, plan: Plan, drawn: Mapping[int, Any], points: Mapping[str, Array],
    *, seed: Seed, standardised: bool,
) -> State | None:
    """An array as drawn; ``None`` for one that cannot move, a constant that is ``standardised``."""
    trained = array.trained
    known = plan.parameters
    what = f"the law of {trained.name}"
    multiplier, variance = number(trained.multiplier, known, what), number(trained.variance, known, what)
    if not variance >= 0:
        raise fail("bad-covariance", f"the variance of {trained.name} is {variance:g}", expected="at least 0")
    if trained.node is None:
        assert isinstance(array.law, Vector)
        shape = plan.sizes[array.law.dimension.name], len(points[array.points[0][1]])
        normals = Stream("input", trained.name, 0).generator(seed, plan.n).standard_normal(shape)
        value = normals * (np.sqrt(variance) / abs(multiplier))
    else:
        value = np.asarray(drawn[trained.node], dtype=np.float64)
        value = value.reshape(-1, 1) if value.ndim < 2 else value
    if array.rescaled is not None or not standardised:
        unit, centre = multiplier, -number(array.offset, known, what) / multiplier
        if array.rescaled is not None:
            value = value * float(plan.n) ** float(array.rescaled.entries)
            unit /= float(plan.n) ** float(array.rescaled.multiplier)
        return State(array, settings, unit, centre, value, Memory())
    if variance == 0:
        return None
    centre = number(array.law.mean, known, what) if isinstance(array.law, Vector) else 0.0
    return State(array, settings, multiplier / float(np.sqrt(variance)), centre, value, Memory())
