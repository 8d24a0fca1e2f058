r"""Training on particles: the passes through the network are run anew at every step with the arrays as they are.

A trained matrix is the initial one, which remembers all its products, plus outer products; everything is taken to
leading order in n, in powers that hold for all steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.particles.arrays import (
    Power,
    TrainedArray,
    initial_power,
    leads_of,
    most,
    needed,
    nodes_of,
    over_nodes,
    trained_array,
)
from tpsym.particles.entrywise_powers import added_power
from tpsym.particles.interpret import NO_FUNCTIONS, Initial, laws
from tpsym.particles.plan import Formula, Functions, Graph, Setting, graph, widths
from tpsym.particles.powers import no_limit
from tpsym.program.instructions import Dimension, scalar_slot
from tpsym.program.scope import Context
from tpsym.simulate.payload import Array, Payload, compile_payload
from tpsym.simulate.train_arrays import with_defaults
from tpsym.simulate.train_data import data_points, data_values
from tpsym.transform.backward import backward
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import AS_DECLARED, Parametrization, Trainable, trainables
from tpsym.transform.training import Training

MAX_PASSES = 50
"""Passes after which powers of n that still grow are taken to have no bound."""
PARAMETRIZATIONS = ("standard", "ntk")
NO_DATA: Mapping[str, Sequence[float]] = MappingProxyType({})

Observed = Sequence[tuple[str, Expr, Dimension | None]]
"""Labels, expressions over nodes, and the dimension of a vector or ``None`` of a number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A training made ready for particles; ``targets`` are numbers, ``products`` the inner products of data points."""

    training: Training
    ready: Graph
    initial: Initial
    arrays: tuple[TrainedArray, ...]
    updates: Mapping[str, Power]
    outputs: tuple[Formula, ...]
    observed: tuple[tuple[str, Formula, Dimension | None], ...]
    targets: Array
    signal: Payload
    loss: Payload
    points: Mapping[str, Array]
    symbols: Mapping[str, int]


def prepare(
    training: Training,
    observed: Observed,
    *,
    values: Mapping[Symbol, float],
    data: Mapping[str, Sequence[float]] = NO_DATA,
    functions: Functions = NO_FUNCTIONS,
    rescaled: Parametrization = AS_DECLARED,
) -> Plan:
    """Everything that is not random. The program grows by the backward passes.

    Raises:
        TpError: ``no-value``, ``bad-data``, ``bad-option``, ``not-numeric``, ``not-available``, ``no-particle-limit``.
    """
    context = training.context
    if context.parametrization not in PARAMETRIZATIONS and not rescaled:
        raise fail("not-available", f"training with parametrization {context.parametrization}")
    gradients = [backward(context, output) for output in training.outputs]
    trained = trainables(context, gradients, rescaled=rescaled)
    settled = with_defaults(context, values)
    points = data_points(context, settled, data)
    numbers = {s.name: float(v) for s, v in (settled | data_values(context, points)).items()}
    setting = Setting(numbers, widths(context.builder.program()), functions)
    wanted = [*training.outputs, *(expr for _, expr, _ in observed)]
    nodes = {k for e in wanted for k in nodes_of(e, context).values()} | needed(trained, context)
    ready, arrays, updates = _settle(context, trained, training.optimizer, setting, nodes)
    outputs = tuple(_order_one(over_nodes(e, context, ready), "an output") for e in training.outputs)
    seen = tuple((label, _order_one(over_nodes(e, context, ready), label), d) for label, e, d in observed)
    plan = Plan(
        training, ready, laws(ready), arrays, updates, outputs, seen,
        np.array([setting.number(t, "a target") for t in training.targets]),
        compile_payload(training.loss.signal, functions=functions),
        compile_payload(training.loss.value, functions=functions), points,
        {s.name: k for s, k in context.nodes.items() if k in ready.leads},
    )
    _refuse_random(plan)
    return plan


def _settle(
    context: Context, trained: Sequence[Trainable], optimizer: Optimizer, setting: Setting, nodes: set[int]
) -> tuple[Graph, tuple[TrainedArray, ...], dict[str, Power]]:
    """The powers of n that hold at all steps: what an update adds feeds the next one, until nothing changes."""
    initial = {t.name: initial_power(t, context, setting) for t in trained}
    updates: dict[str, Power] = dict.fromkeys(initial)
    for _ in range(MAX_PASSES):
        ready = graph(context.builder.program(), nodes, setting, leads_of(trained, initial, updates))
        arrays = tuple(trained_array(t, optimizer, context, ready) for t in trained)
        found = {a.trainable.name: most(updates[a.trainable.name], added_power(a, optimizer)) for a in arrays}
        if found == updates:
            return ready, arrays, updates
        updates = found
    raise no_limit("training is not stable: powers of the width grow from step to step")


def _order_one(formula: Formula, what: str) -> Formula:
    power = formula.lead.power
    if power is not None and power > Fraction(0):
        raise no_limit(f"{what} is n^({power}) times a mean over the width: it has no limit, or one that is random")
    return formula


def _refuse_random(plan: Plan) -> None:
    """Refuse what depends on a number that stays random."""
    ready, program = plan.ready, plan.ready.program
    moved = {a.trainable.node: a for a in plan.arrays}
    random = {k for k, (_, deviation) in plan.initial.scalars.items() if deviation > 0 and not ready.leads[k].zero}
    random -= {k for k, a in moved.items() if k in random and a.initial != ready.power(k)}
    formulas = [*plan.outputs, *(f for _, f, _ in plan.observed)]
    formulas += [f for a in plan.arrays for p in a.parts for f in (p.left, p.right) if isinstance(f, Formula)]
    read = {plan.symbols[s.name] for f in formulas for s in f.payload.symbols if s.name in plan.symbols}
    for node, formula in ready.formulas.items():
        scalars = getattr(program[node], "scalars", ())
        read |= {k for i, k in enumerate(scalars) if scalar_slot(i) in formula.payload.symbols}
    for node in sorted(random & read):
        raise fail(
            "no-particle-limit", f"the limit is random: it depends on {program.label(node)}",
            program.spans.get(node), fix=f"begin with {program.label(node)} = 0",
        )


def evaluate(plan: Plan, formula: Formula, live: Mapping[int, Any]) -> Any:
    """An expression over nodes, to leading order."""
    names = {s.name for s in formula.payload.symbols} | {s.name for g in formula.guards for s in g.symbols}
    given = {name: live[plan.symbols[name]] for name in names if name in plan.symbols}
    return formula({**plan.ready.setting.parameters, **given})


def limit_of(plan: Plan, formula: Formula, live: Mapping[int, Any]) -> Any:
    """Its limit: zero for what vanishes with the width."""
    return evaluate(plan, formula, live) if formula.lead.power == 0 else 0.0
