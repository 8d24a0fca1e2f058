r"""The trained arrays of a program at finite width: their gradients, and how they move.

What is trained is θ = unit·(w − centre) with w what the program knows, see :mod:`tpsym.transform.trainable`; rates,
decay and ε are about θ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.program.instructions import Dimension, Matrix, Vector
from tpsym.program.scope import Context, Trained
from tpsym.simulate.draws import Stream
from tpsym.simulate.finite_width import Plan, Seed
from tpsym.simulate.payload import Array, Payload, compile_payload
from tpsym.simulate.train_low_rank import Moved, low_rank
from tpsym.simulate.train_rules import Factors, Memory, Settings, advance
from tpsym.transform import trainable
from tpsym.transform.backward import Gradients
from tpsym.transform.trainable import Parametrization, Trainable, trainables

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
    """An expression in parameters and widths as a number.

    Raises:
        TpError: ``no-value`` naming a parameter that has none.
    """
    payload = compile_payload(expr, functions={}, span=span)
    missing = sorted(s.name for s in payload.symbols if s.name not in parameters)
    if missing:
        raise fail(
            "no-value", f"{', '.join(missing)} must have a value: {what} depends on it", span,
            fix="give the parameter a default or pass its value",
        )
    return float(payload(parameters))


def with_defaults(context: Context, values: Mapping[Symbol, float]) -> dict[Symbol, float]:
    """The values, and the defaults of parameters without one as far as they follow."""
    found = dict(values)
    for symbol, default in context.parameters.items():
        if symbol not in found and default is not None and default.free_symbols <= found.keys():
            known = {s.name: float(v) for s, v in found.items()}
            found[symbol] = number(default, known, f"the default of {symbol.name}")
    return found


@dataclass(frozen=True, slots=True)
class Use:
    """A part ``scale · left ⊗ right`` of the gradient of one output by an array's node, ready to be computed.

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
class TrainedArray:
    """A trained array as it is declared and as it moves, with the parts of its gradient; ``rescaled`` is whether it
    has another parametrisation than declared."""

    trained: Trained
    moves: Trainable
    uses: tuple[Use, ...]
    rescaled: bool = False


def trained_arrays(
    context: Context, gradients: Sequence[Gradients], functions: Functions, rescaled: Parametrization
) -> tuple[TrainedArray, ...]:
    """The trained arrays of a program, with their gradients for each output."""
    declared = {trained.name: trained for trained in context.trained}
    return tuple(
        TrainedArray(
            declared[found.name], found, tuple(_use(context, use, functions) for use in found.uses),
            found.name in rescaled,
        )
        for found in trainables(context, gradients, rescaled=rescaled)
    )


def _use(context: Context, use: trainable.Use, functions: Functions) -> Use:
    right = use.right
    return Use(
        use.example,
        reading(context, use.scale, None, functions),
        reading(context, use.left, use.rows, functions),
        right if right is None or isinstance(right, str) else reading(context, right, use.columns, functions),
    )


@dataclass(frozen=True, slots=True)
class State:
    """An array during training: ``value`` is w, θ = unit·(w − centre); everything is a matrix, a vector a column."""

    array: TrainedArray
    settings: Settings
    unit: float
    centre: float
    value: Array | Moved
    memory: Memory

    def given(self, points: Mapping[str, Array]) -> dict[int, Any]:
        """The values of the nodes that the array gives."""
        node, value = self.array.moves.node, self.value
        if node is None:
            return {k: value @ points[name] for k, name in self.array.moves.points}
        match self.array.moves.law:
            case Matrix():
                return {node: value}
            case law:
                assert isinstance(value, np.ndarray)
                return {node: value[:, 0] if isinstance(law, Vector) else float(value[0, 0])}

    def gradient(
        self, plan: Plan, live: Mapping[int, Any], errors: Mapping[int, float], points: Mapping[str, Array]
    ) -> Factors:
        """The gradient by θ, given the derivatives of what is minimised by the outputs that it depends on."""
        uses = [use for use in self.array.uses if use.example in errors]
        rows, columns = self.value.shape
        left, right = np.zeros((rows, len(uses))), np.ones((columns, len(uses)))
        for i, use in enumerate(uses):
            scale = float(use.scale(plan, live)) * errors[use.example] / self.unit
            left[:, i] = scale * use.left(plan, live)
            if use.right is not None:
                right[:, i] = points[use.right] if isinstance(use.right, str) else use.right(plan, live)
        return Factors(left, right)

    def step(self, gradient: Factors) -> State:
        """The array after one update."""
        rate, value = self.settings.rate, self.value
        if isinstance(value, Moved):
            moved, memory = value.step(gradient, self.settings, self.memory, self.unit)
            return State(self.array, self.settings, self.unit, self.centre, moved, memory)
        direction, memory = advance(self.settings, self.memory, gradient)
        if self.settings.rule == "adafactor":
            rate *= self.unit * float(np.sqrt(np.mean((value - self.centre) ** 2)))
        change = direction.dense() if isinstance(direction, Factors) else direction
        after = value - (rate / self.unit) * change
        if self.settings.decay:
            after -= rate * self.settings.decay * (value - self.centre)
        return State(self.array, self.settings, self.unit, self.centre, after, memory)


def start(
    array: TrainedArray, settings: Settings, plan: Plan, drawn: Mapping[int, Any], points: Mapping[str, Array],
    *, seed: Seed, standardised: bool,
) -> State | None:
    """An array as drawn; ``None`` for one that cannot move, a constant that is ``standardised``."""
    trained, moves = array.trained, array.moves
    known = plan.parameters
    what = f"the law of {trained.name}"
    variance = number(trained.variance, known, what)
    if not variance >= 0:
        raise fail("bad-covariance", f"the variance of {trained.name} is {variance:g}", expected="at least 0")
    if variance == 0 and standardised and not array.rescaled:
        return None
    unit, centre = number(moves.unit, known, what), number(moves.centre, known, what)
    if moves.node is None:
        assert isinstance(moves.law, Vector)
        shape = plan.sizes[moves.law.dimension.name], len(points[moves.points[0][1]])
        normals = Stream("input", trained.name, 0).generator(seed, plan.n).standard_normal(shape)
        value = normals * (np.sqrt(variance) / abs(number(trained.multiplier, known, what)))
    else:
        value = np.asarray(drawn[moves.node], dtype=np.float64)
        value = value.reshape(-1, 1) if value.ndim < 2 else value
    if moves.entries:
        value = value * float(plan.n) ** float(moves.entries)
    matrix = isinstance(moves.law, Matrix) and centre == 0
    return State(array, settings, unit, centre, low_rank(value, settings) if matrix else value, Memory())
