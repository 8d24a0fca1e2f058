r"""Training at finite width: the arrays of a program moved by an optimizer, and how far coordinates move.

The gradients are those of the backward pass as a program, the updates are dense arrays, and nothing is known of
limits. With B training examples the loss is :math:`\frac1B\sum_i \ell(f_i, y_i)`, always the full batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from scipy import special
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.program import instructions
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context
from tpsym.simulate.finite_width import Plan, Seed, execute, initial, prepare
from tpsym.simulate.payload import Array
from tpsym.simulate.train_arrays import (
    Functions,
    Parametrization,
    Reading,
    State,
    TrainedArray,
    number,
    reading,
    start,
    trained_arrays,
)
from tpsym.simulate.train_data import data_points, data_values
from tpsym.simulate.train_rules import Settings
from tpsym.transform.backward import backward
from tpsym.transform.optimizers import Optimizer

Loss = Literal["mse", "logistic", "constant"]
r"""``mse`` :math:`\tfrac12(f-y)^2`, ``logistic`` :math:`\log(1+e^{-yf})` with y = ±1, ``constant`` f itself, whose
error signal is 1."""

NO_FUNCTIONS: Functions = MappingProxyType({})
AS_DECLARED: Parametrization = MappingProxyType({})
NO_DATA: Mapping[str, Sequence[float]] = MappingProxyType({})

SETTINGS: Mapping[str, frozenset[str]] = MappingProxyType({
    "sgd": frozenset({"momentum", "decay"}),
    "signsgd": frozenset({"decay"}),
    "adam": frozenset({"beta1", "beta2", "eps", "decay"}),
    "adagrad": frozenset({"eps"}),
    "adafactor": frozenset({"beta1", "beta2", "eps", "decay"}),
    "muon": frozenset({"momentum", "decay"}),
})
"""What each rule has besides its learning rate."""
PARAMETRIZATIONS = ("standard", "ntk")


@dataclass(frozen=True)
class Task:
    """What to train: ``outputs`` are scalars of the program, one by training example, ``targets`` their labels.

    ``observed`` are labels, expressions over nodes, and the dimension of a vector or ``None`` of a scalar.
    """

    context: Context
    outputs: tuple[Expr, ...]
    targets: tuple[float, ...]
    loss: Loss
    observed: tuple[tuple[str, Expr, Dimension | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A run: ``values`` by label and step (0 is initialisation), ``outputs`` by step and training example."""

    n: int
    values: Mapping[str, tuple[Array, ...]]
    outputs: Array

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
    """A task made ready at one width; one serves any number of seeds."""

    task: Task
    plan: Plan
    outputs: tuple[Reading, ...]
    observed: tuple[tuple[str, Reading], ...]
    arrays: tuple[tuple[TrainedArray, Settings], ...]
    points: Mapping[str, Array]


def train(
    task: Task,
    optimizer: Optimizer,
    *,
    n: int,
    seed: Seed,
    steps: int,
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
) -> Trace:
    """One run of ``steps`` updates at base width n.

    ``values`` gives the parameters that have no default, those in the rates of the optimizer too, and may give
    inner products of data; ``data`` gives data points by name (see
    :func:`~tpsym.simulate.train_data.data_points`), ``functions`` the unknown functions and their derivatives,
    ``rescaled`` another parametrisation. The same (seed, n) draws the same initial arrays. Where a size n·ratio is no
    whole number, it is rounded but the ratios in the program are not, and gradients are off by that factor.

    Raises:
        TpError: as :func:`~tpsym.simulate.finite_width.run`; ``bad-option`` for a task or optimizer that makes no
            sense, ``bad-data``, ``symbolic-depth``.
    """
    ready = prepare_training(task, optimizer, n=n, values=values, functions=functions, data=data,
                             rescaled=rescaled)
    return run_training(ready, seed=seed, steps=steps)


def prepare_training(
    task: Task,
    optimizer: Optimizer,
    *,
    n: int,
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
) -> TrainingPlan:
    """Everything about :func:`train` that is not random. The program grows by the backward passes."""
    _check(task, optimizer, rescaled)
    context = task.context
    gradients = [backward(context, output) for output in task.outputs]
    arrays = trained_arrays(context, gradients, functions, rescaled)
    outputs = tuple(reading(context, output, None, functions) for output in task.outputs)
    observed = tuple((label, reading(context, e, dimension, functions)) for label, e, dimension in task.observed)
    settled = _with_defaults(context, {**values, context.n: n})
    points = data_points(context, settled, data)
    known = {**settled, **data_values(context, points)}
    readings = [*outputs, *(r for _, r in observed), *(r for a in arrays for u in a.uses for r in u.readings())]
    nodes = sorted({node for r in readings for _, node in r.nodes})
    plan = _plan(context, nodes, n, known, functions)
    for each in readings:
        _check_known(each, plan)
    used = set(plan.order)
    kept = [a for a in arrays if used.intersection((a.trained.node, *(k for k, _ in a.points)))]
    numbers = tuple((a, settings(optimizer, a.trained.name, plan.parameters)) for a in kept)
    return TrainingPlan(task, plan, outputs, observed, numbers, points)


def run_training(ready: TrainingPlan, *, seed: Seed, steps: int) -> Trace:
    """One run of a prepared task, see :func:`train`. Values that overflow are ±inf or NaN from then on."""
    if steps < 0:
        raise fail("bad-option", f"{steps} is not a number of steps", expected="0 or more")
    plan, task = ready.plan, ready.task
    values: dict[str, list[Array]] = {label: [] for label, _ in ready.observed}
    outputs = []
    with np.errstate(all="ignore"):
        fixed, states = initial_arrays(ready, seed)
        for step in range(steps + 1):
            given = dict(fixed)
            for state in states:
                given |= state.given(ready.points)
            live = execute(plan, seed=seed, given=given)
            outputs.append([float(output(plan, live)) for output in ready.outputs])
            for label, quantity in ready.observed:
                values[label].append(quantity(plan, live))
            if step < steps:
                signals = error_signals(task.loss, np.array(outputs[-1]), np.array(task.targets))
                states = [s.step(s.gradient(plan, live, signals, ready.points)) for s in states]
    return Trace(plan.n, {label: tuple(found) for label, found in values.items()}, np.array(outputs))


def error_signals(loss: Loss, outputs: Array, targets: Array) -> Array:
    """The derivatives of the loss of each example by its output."""
    found: Array
    match loss:
        case "mse":
            found = outputs - targets
        case "logistic":
            found = -targets * special.expit(-targets * outputs)
        case "constant":
            found = np.ones_like(outputs)
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
    inside = {k for array, _ in ready.arrays for k, _ in array.points}
    drawn = initial(plan, [k for k in plan.order if k not in inside], seed=seed)
    standardised = ready.task.context.parametrization == "ntk"
    found = [
        start(array, numbers, plan, drawn, ready.points, seed=seed, standardised=standardised)
        for array, numbers in ready.arrays
    ]
    states = [state for state in found if state is not None]
    moved = {state.array.trained.node for state in states}
    return {k: value for k, value in drawn.items() if k not in moved}, states


def _with_defaults(context: Context, values: Mapping[Symbol, float]) -> dict[Symbol, float]:
    """The values, and the defaults of parameters without one as far as they follow."""
    found = dict(values)
    for symbol, default in context.parameters.items():
        if symbol not in found and default is not None and default.free_symbols <= found.keys():
            known = {s.name: float(v) for s, v in found.items()}
            found[symbol] = number(default, known, f"the default of {symbol.name}")
    return found


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


def _check(task: Task, optimizer: Optimizer, rescaled: Parametrization) -> None:
    if not task.outputs or len(task.outputs) != len(task.targets):
        what = f"{len(task.outputs)} outputs and {len(task.targets)} targets"
        raise fail("bad-option", what, expected="one target for each training example, at least one")
    if task.loss not in get_args(Loss):
        raise fail("bad-option", f"the loss {task.loss!r} is unknown", expected=" or ".join(get_args(Loss)))
    if task.loss == "logistic" and not set(task.targets) <= {1, -1}:
        raise fail("bad-option", f"logistic loss with the targets {task.targets}", expected="labels 1 and -1")
    labels = [label for label, *_ in task.observed]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise fail("bad-option", f"two quantities are called {twice[0]}")
    declared = [t.name for t in task.context.trained if t.name not in rescaled]
    if declared and task.context.parametrization not in PARAMETRIZATIONS:
        raise fail("not-available", f"training with parametrization {task.context.parametrization}")
    given = {
        "momentum": optimizer.momentum, "beta1": optimizer.beta1, "beta2": optimizer.beta2,
        "eps": optimizer.eps, "decay": optimizer.decay,
    }
    wrong = [name for name, value in given.items() if value != 0 and name not in SETTINGS[optimizer.rule]]
    wrong += ["eps"] if optimizer.epsilons and "eps" not in SETTINGS[optimizer.rule] else []
    wrong += ["decay"] if optimizer.decays and "decay" not in SETTINGS[optimizer.rule] else []
    if wrong:
        raise fail("bad-option", f"{optimizer.rule} has no {wrong[0]}")
