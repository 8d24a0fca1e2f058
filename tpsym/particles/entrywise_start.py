"""Arrays on particles before training with optimizers other than gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpsym.particles.arrays import TrainedArray, is_matrix, is_number, most, nodes_given, ratios
from tpsym.particles.entrywise import EntrywiseMatrix, EntrywiseValues, Move, layer_coordinates
from tpsym.particles.entrywise_powers import check_rule, steady, step_power
from tpsym.particles.entrywise_rules import EntryRule, direction_power
from tpsym.particles.gaussian import orthonormal
from tpsym.particles.interpret import Draw
from tpsym.particles.muon import MuonMatrix, MuonValues
from tpsym.particles.plan import ratio
from tpsym.particles.training import Plan
from tpsym.program.instructions import Vector
from tpsym.simulate.payload import Array

NonlinearState = EntrywiseMatrix | EntrywiseValues | MuonMatrix | MuonValues


def started(plan: Plan, array: TrainedArray, drawn: Draw) -> NonlinearState:
    """An array before training.

    Raises:
        TpError: ``no-particle-limit``, ``no-value``.
    """
    optimizer, name = plan.training.optimizer, array.trainable.name
    top = most(array.initial, plan.updates[name])
    check_rule(array, optimizer, top)
    kept = float(array.initial is not None and array.initial == top)
    move = _move(plan, array)
    momentum = plan.ready.setting.number(optimizer.momentum, "the momentum")
    if is_matrix(array):
        matrix = drawn.matrices[nodes_given(array.trainable)[0]]
        sizes = ratios(array, plan.ready.setting)
        if optimizer.rule == "muon":
            return MuonMatrix(momentum=momentum, rule=move, matrix=matrix, sizes=sizes, kept=kept)
        return EntrywiseMatrix(_rule(plan, array), move, matrix, sizes, kept)
    nodes = tuple(k for k in nodes_given(array.trainable) if k in drawn.values)
    values = kept * np.array([np.atleast_1d(np.asarray(drawn.values[k], dtype=np.float64)) for k in nodes])
    points, coordinates = np.ones((1, 1)), values
    if array.trainable.node is None:
        points, coordinates = _layer(plan, array, drawn, nodes, values, kept)
    if optimizer.rule == "muon":
        return MuonValues(momentum, move, nodes, points, coordinates, np.zeros_like(coordinates))
    return EntrywiseValues(_rule(plan, array), move, nodes, points, coordinates)


def points_of(plan: Plan, names: Sequence[str]) -> Array:
    """The numbers of data points in rows: what the gradient of an input layer is made of here."""
    return np.array([plan.points[name] for name in names])


def _rule(plan: Plan, array: TrainedArray) -> EntryRule:
    optimizer, setting = plan.training.optimizer, plan.ready.setting
    _, rooted, counts = direction_power(optimizer.rule, array.gradient_power, array.eps[1])
    return EntryRule(
        array.trainable.name, optimizer.rule, setting.number(optimizer.beta1, "β₁"),
        setting.number(optimizer.beta2, "β₂"), array.eps[0] if counts else 0.0, rooted, steady(array),
    )


def _move(plan: Plan, array: TrainedArray) -> Move:
    """The numbers of a step, zero for what is of smaller order than the array."""
    optimizer = plan.training.optimizer
    top = most(array.initial, plan.updates[array.trainable.name])
    step = array.step[0] if top is not None and step_power(array, optimizer) == top else 0.0
    keep, shift = array.decay(top)
    centre = array.centre[0] if array.centre[1] is not None and array.centre[1] == top else 0.0
    size = 1.0
    if is_matrix(array):
        rows, columns = ratios(array, plan.ready.setting)
        step /= np.sqrt(rows * columns) if optimizer.rule == "muon" else 1.0
        size = 1 / np.sqrt(columns)
    elif optimizer.rule == "muon" and not is_number(array):
        law = array.trainable.law
        assert isinstance(law, Vector)
        step /= np.sqrt(ratio(law.dimension, plan.ready.setting))
    relative = abs(array.unit[0]) * size if optimizer.rule == "adafactor" else 0.0
    return Move(float(step), keep, shift, float(relative), centre)


def _layer(
    plan: Plan, array: TrainedArray, drawn: Draw, nodes: tuple[int, ...], values: Array, kept: float
) -> tuple[Array, Array]:
    """Data points, and coordinates of an input layer whose products with them are the values that are drawn."""
    names = dict(array.trainable.points)
    points = points_of(plan, [names[k] for k in nodes])
    law = array.trainable.law
    assert isinstance(law, Vector)
    count = points.shape[1]
    if np.linalg.matrix_rank(points, tol=1e-10) == count or not kept:
        return points, layer_coordinates(values, points, np.zeros((count, values.shape[1])))
    largest = int(np.argmax(np.sum(points**2, axis=1)))
    component = plan.initial.vectors[nodes[largest]]
    row = component.root[component.members.index(nodes[largest])]
    square = float(row @ row) / max(float(points[largest] @ points[largest]), 1e-300)
    fresh = orthonormal(drawn.normals[law.dimension.name], count)
    return points, layer_coordinates(values, points, np.sqrt(square) * fresh)
