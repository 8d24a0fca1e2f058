r"""Training at finite width: the arrays of a program moved by an optimizer, and how far coordinates move.

The gradients are those of the backward pass as a program, the updates are of arrays, and nothing is known of limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.program import instructions
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context
from tpsym.simulate.finite_width import Plan, Seed, execute, initial, prepare
from tpsym.simulate.payload import Array
from tpsym.simulate.train_arrays import (
    Functions,
    Reading,
    State,
    TrainedArray,
    number,
    reading,
    start,
    trained_arrays,
    with_defaults,
)
from tpsym.simulate.train_checks import check_training
from tpsym.simulate.train_data import data_points, data_values
from tpsym.simulate.train_losses import NumericLoss, numeric_loss
from tpsym.simulate.train_rules import Settings
from tpsym.transform.backward import backward
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import XENT, Training

Observed = Sequence[tuple[str, Expr, Dimension | None]]
"""What to look at in a run: labels, expressions over nodes, and the dimension of a vector or ``None`` of a scalar."""

NO_FUNCTIONS: Functions = MappingProxyType({})
NO_DATA: Mapping[str, Sequence[float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A network in training: ``outputs`` by example, ``loss`` their mean loss, ``values`` by label."""

    outputs: Array
    loss: float
    values: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run: ``values`` by label and step (0 is initialisation), ``outputs`` by step and training example, ``losses``
    by step, means over all examples."""

    n: int
    values: Mapping[str, tuple[Array, ...]]
    outputs: Array
    losses: Array

    def size(self, label: str, step: int = 0) -> float:
        """The root mean square of a quantity."""
        return rms(self.values[label][step])

    def change(self, label: str, step: int) -> float:
        """The root mean square of its change since initialisation."""
        return rms(self.values[label][step] - self.values[label][0])

    def move(self, label: str, step: int) -> float:
        """The root mean square of its change in the last step."""
        return rms(self.values[label][step] - self.values[label][step - 1])


def rms(x: Array) -> float:
    """The root mean square of coordinates."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(x))))


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Training made ready at one width; one serves any number of seeds."""

    training: Training
    plan: Plan
    outputs: tuple[Reading, ...]
    targets: Array
    loss: NumericLoss
    observed: tuple[tuple[str, Reading], ...]
    arrays: tuple[tuple[TrainedArray, Settings], ...]
    points: Mapping[str, Array]


def train(
    training: Training,
    *,
    n: int,
    seed: Seed,
    values: Mapping[Symbol, float],
    observed: Observed = (),
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
) -> Trace:
    """One run at base width n.

    ``values`` gives the parameters that have no default, those in rates, targets and loss too, and may give inner
    products of data; ``data`` gives data points by name (see :func:`~tpsym.simulate.train_data.data_points`),
    ``functions`` the unknown functions and their derivatives, ``rescaled`` another parametrisation. The same (seed, n)
    draws the same initial arrays. Where a size n·ratio is no whole number, it is rounded but the ratios in the
    program are not, and gradients are off by that factor.

    Raises:
        TpError: as :func:`~tpsym.simulate.finite_width.run`; ``bad-option`` for training that makes no sense,
            ``bad-data``, ``symbolic-depth``.
    """
    ready = prepare_training(training, n=n, values=values, observed=observed, functions=functions, data=data,
                             rescaled=rescaled)
    return run_training(ready, seed=seed)


def prepare_training(
    training: Training,
    *,
    n: int,
    values: Mapping[Symbol, float],
    observed: Observed = (),
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
) -> TrainingPlan:
    """Everything about :func:`train` that is not random. The program grows by the backward passes."""
    check_training(training, [label for label, *_ in observed], rescaled)
    context = training.context
    gradients = [backward(context, output) for output in training.outputs]
    arrays = trained_arrays(context, gradients, functions, rescaled)
    outputs = tuple(reading(context, output, None, functions) for output in training.outputs)
    seen = tuple((label, reading(context, e, dimension, functions)) for label, e, dimension in observed)
    settled = with_defaults(context, {**values, context.n: n})
    points = data_points(context, settled, data)
    known = {**settled, **data_values(context, points)}
    readings = [*outputs, *(r for _, r in seen), *(r for a in arrays for u in a.uses for r in u.readings())]
    nodes = sorted({node for r in readings for _, node in r.nodes})
    plan = _plan(context, nodes, n, known, functions)
    for each in readings:
        _check_known(each, plan)
    used = set(plan.order)
    kept = [a for a in arrays if used.intersection((a.moves.node, *(k for k, _ in a.moves.points)))]
    numbers = tuple((a, settings(training.optimizer, a.trained.name, plan.parameters)) for a in kept)
    loss = numeric_loss(training.loss, plan.parameters, functions)
    return TrainingPlan(training, plan, outputs, _targets(training, plan), loss, seen, numbers, points)


def run_training(ready: TrainingPlan, *, seed: Seed) -> Trace:
    """One run of prepared training, see :func:`train`. Values that overflow are ±inf or NaN from then on."""
    found = list(snapshots(ready, seed=seed))
    values = {label: tuple(s.values[label] for s in found) for label, _ in ready.observed}
    return Trace(ready.plan.n, values, np.array([s.outputs for s in found]), np.array([s.loss for s in found]))


def snapshots(ready: TrainingPlan, *, seed: Seed) -> Iterator[Snapshot]:
    """A run of prepared training, a network at a time: before training and after each step."""
    plan, steps = ready.plan, ready.training.steps
    fixed, states = initial_arrays(ready, seed)
    for step in range(steps + 1):
        with np.errstate(all="ignore"):
            live = forward(ready, seed, fixed, states)
            outputs = np.array([float(output(plan, live)) for output in ready.outputs])
            loss = float(np.mean(ready.loss.losses(outputs, ready.targets)))
            found = Snapshot(outputs, loss, {label: quantity(plan, live) for label, quantity in ready.observed})
            if step < steps:
                errors = error_signals(ready, outputs, step)
                states = [s.step(s.gradient(plan, live, errors, ready.points)) for s in states]
        yield found


def forward(
    ready: TrainingPlan, seed: Seed, fixed: Mapping[int, Array | float], states: Sequence[State]
) -> Mapping[int, Array | float]:
    """What is needed of the program and its backward passes, the arrays being as they are."""
    given = dict(fixed)
    for state in states:
        given |= state.given(ready.points)
    return execute(ready.plan, seed=seed, given=given)


def error_signals(ready: TrainingPlan, outputs: Array, step: int) -> dict[int, float]:
    """The derivatives of the mean loss of a batch by its outputs."""
    batch = ready.training.batch(step)
    signals = ready.loss.signals(outputs, ready.targets)
    return {i: list(batch).count(i) * float(signals[i]) / len(batch) for i in dict.fromkeys(batch)}


def _targets(training: Training, plan: Plan) -> Array:
    found = np.array([number(target, plan.parameters, "a target") for target in training.targets])
    if training.loss == XENT and not set(found) <= {1.0, -1.0}:
        written = ", ".join(f"{y:g}" for y in found)
        raise fail("bad-option", f"logistic loss with the targets {written}", expected="labels 1 and -1")
    return found


def settings(optimizer: Optimizer, array: str, parameters: Mapping[str, float]) -> Settings:
    """The numbers of an optimizer for an array.

    Raises:
        TpError: ``no-value``, or ``bad-option`` for a number out of range.
    """
    def value(expr: Expr, what: str, bound: float = np.inf) -> float:
        found = number(expr, parameters, f"the {what} for {array}")
        if not (np.isfinite(found) and 0 <= found < bound):
            expected = "0 or more" if bound == np.inf else f"at least 0 and below {bound:g}"
            raise fail("bad-option", f"the {what} for {array} is {found:g}", expected=expected)
        return found

    return Settings(
        optimizer.rule,
        value(optimizer.rate_of(array), "learning rate"),
        value(optimizer.decay_of(array), "weight decay"),
        value(optimizer.eps_of(array), "ε"),
        value(optimizer.momentum, "momentum", 1.0),
        value(optimizer.beta1, "β₁", 1.0),
        value(optimizer.beta2, "β₂", 1.0),
    )


def initial_arrays(ready: TrainingPlan, seed: Seed) -> tuple[dict[int, Array | float], list[State]]:
    """The arrays that stay as drawn, and those that will move."""
    plan = ready.plan
    inside = {k for array, _ in ready.arrays for k, _ in array.moves.points}
    drawn = initial(plan, [k for k in plan.order if k not in inside], seed=seed)
    standardised = ready.training.context.parametrization == "ntk"
    found = [
        start(array, numbers, plan, drawn, ready.points, seed=seed, standardised=standardised)
        for array, numbers in ready.arrays
    ]
    states = [state for state in found if state is not None]
    moved = {state.array.moves.node for state in states}
    return {k: value for k, value in drawn.items() if k not in moved}, states


def _plan(
    context: Context, nodes: Sequence[int], n: int, values: Mapping[Symbol, float], functions: Functions
) -> Plan:
    program = context.builder.program()
    if any(isinstance(program[k], instructions.State) for k in program.ancestors(nodes)):
        depths = sorted(context.depths)
        what = f"a network of {', '.join(depths)} layers cannot be run"
        raise fail("symbolic-depth", what, fix=f"--set {depths[0]}=3")
    return prepare(program, nodes, n=n, values=values, functions=functions)


def _check_known(quantity: Reading, plan: Plan) -> None:
    known = {*plan.parameters, *(name for name, _ in quantity.nodes)}
    missing = sorted(s.name for s in quantity.payload.symbols if s.name not in known)
    if missing:
        raise fail(
            "no-value", f"{', '.join(missing)} must have a value to train",
            fix="give the parameter a default or pass its value",
        )
