"""The recursion of a training followed at given values of the initial Gaussians."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tpsym.particles.entrywise_rules import ENTRYWISE, EntryMemory, direction
from tpsym.particles.grids_recursion import Moved, Quantity, Recursion
from tpsym.particles.powers import no_limit
from tpsym.simulate.payload import Array

GUARDED = 0.005
"""A part of the points at which an argument of a jump may vanish by chance."""

UNDECIDED = 1e-7
"""Gradients up to this size may be zero."""


@dataclass(slots=True)
class Book:
    """What is written down on the way: by step, outputs and losses of all examples, and observed quantities."""

    outputs: list[list[float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """An array at the points, coordinates in columns, and what the optimizer remembers of it."""

    value: Array
    memory: EntryMemory = field(default_factory=EntryMemory)


Trajectory = Generator[Array, Array, None]


def trajectory(
    recursion: Recursion, points: Array, *, book: Book | None = None, signs: list[Array] | None = None
) -> Trajectory:
    """Follow training from points, one in each row.

    Yields integrands in columns and is sent their averages, until the last step is done. ``signs`` collects the
    signs of everything at whose zeros an integrand may not be smooth; without it the points are taken to be spread
    out, and what must not vanish at many of them is checked.

    Raises:
        TpError: ``no-particle-limit``.
    """
    states = {a.name: State(_start(a, points)) for a in recursion.arrays}
    for step in range(recursion.training.steps + 1):
        live: dict[int, Any] = dict(recursion.numbers)
        live |= {f.node: f.mean + points @ f.loadings for f in recursion.fixed}
        for array in recursion.arrays:
            value = states[array.name].value
            live |= {k: float(value[0, 0]) if array.scalar else value @ point for k, point in array.nodes}
        squares: dict[str, float] = {}
        yield from _nodes(recursion, live, squares, len(points), signs)
        outputs = np.array([float(output(live)) for output in recursion.outputs])
        if book is not None:
            _record(recursion, book, outputs, live, squares)
        if step < recursion.training.steps:
            yield from _learn(recursion, states, live, _errors(recursion, step, outputs), step, signs)


def _start(array: Moved, points: Array) -> Array:
    return array.mean[None, :] if array.scalar else array.mean + points @ array.loadings.T


def _nodes(
    recursion: Recursion, live: dict[int, Any], squares: dict[str, float], size: int, signs: list[Array] | None
) -> Trajectory:
    """All nodes of one step."""
    seen = {label: quantity for label, quantity, _ in recursion.observed}
    for stage in recursion.stages:
        for node in stage.computed:
            live[node] = _value(recursion.quantities[node], live, size, signs, node in recursion.vectors)
        columns = [_value(recursion.quantities[k], live, size, signs, True) for k in stage.averaged]
        columns += [_value(seen[label], live, size, signs, True) ** 2 for label in stage.squared]
        if columns:
            averages = yield np.stack(columns, axis=1)
            live |= {k: float(a) for k, a in zip(stage.averaged, averages, strict=False)}
            squares |= {k: float(a) for k, a in zip(stage.squared, averages[len(stage.averaged):], strict=True)}


def _value(
    quantity: Quantity, live: dict[int, Any], size: int, signs: list[Array] | None, vector: bool
) -> Any:
    if not vector:
        return float(quantity(live))
    given = quantity.given(live)
    if signs is not None:
        signs += [_sign(kink(given), size) for kink in quantity.kinks]
    for guard in quantity.guards if signs is None else ():
        if np.mean(np.broadcast_to(guard(given), size) == 0) > GUARDED:
            raise no_limit("the argument of a jump vanishes in the limit, where it is not zero at finite width")
    return np.broadcast_to(np.asarray(quantity.payload(given), dtype=np.float64), (size,))


def _sign(value: Any, size: int) -> Array:
    found: Array = np.broadcast_to(np.sign(value), (size,))
    return found


def _errors(recursion: Recursion, step: int, outputs: Array) -> Array:
    """By example, the derivative of the loss of the batch by its output."""
    batch = list(recursion.training.batch(step))
    found = np.zeros(len(outputs))
    np.add.at(found, batch, recursion.loss.signals(outputs, recursion.targets)[batch] / len(batch))
    return found


def _record(
    recursion: Recursion, book: Book, outputs: Array, live: dict[int, Any], squares: dict[str, float]
) -> None:
    book.outputs.append(list(outputs))
    book.losses.append(float(np.mean(recursion.loss.losses(outputs, recursion.targets))))
    for label, quantity, vector in recursion.observed:
        value = squares[label] if vector else float(quantity(live))
        book.values.setdefault(label, []).append(value)


def _learn(
    recursion: Recursion, states: dict[str, State], live: dict[int, Any], errors: Array, step: int,
    signs: list[Array] | None,
) -> Trajectory:
    """One update of all arrays. Muon and adafactor need averages over entries."""
    moves, columns = [], []
    for array in recursion.arrays:
        state = states[array.name]
        gradient = _gradient(array, live, errors, state.value.shape)
        if recursion.rule in ENTRYWISE and signs is not None and not array.scalar:
            signs += list(np.sign(gradient).T)
        if signs is None:
            _check_decided(recursion, array, gradient, errors, step)
        moves.append(_direction(recursion, array, state, gradient, checked=signs is None))
        if not array.scalar:
            columns += _integrands(recursion.rule, array, state, moves[-1])
    averages = (yield np.stack(columns, axis=1)) if columns else np.zeros(0)
    for array, move in zip(recursion.arrays, moves, strict=True):
        state = states[array.name]
        count = 0 if array.scalar else len(_integrands(recursion.rule, array, state, move))
        change = array.rate * _scaled(recursion.rule, array, state, move, averages[:count])
        averages = averages[count:]
        state.value = state.value - change - array.shrink * (state.value - array.centre)


def _gradient(array: Moved, live: dict[int, Any], errors: Array, shape: tuple[int, ...]) -> Array:
    found = np.zeros(shape)
    for part in array.parts:
        if errors[part.example]:
            left = np.reshape(np.asarray(part.left(live), dtype=np.float64), (-1, 1))
            found += (part.factor * errors[part.example]) * left * part.point
    return found


def _check_decided(recursion: Recursion, array: Moved, gradient: Array, errors: Array, step: int) -> None:
    """Refuse directions of what vanishes in the limit: at finite width they are those of its fluctuations.

    A gradient that is exactly zero although error signals are not is so at every width, such as behind a readout
    that begins at zero.
    """
    sensitive = recursion.rule == "muon" or (recursion.rule in ENTRYWISE and not array.rule.eps)
    batch = set(recursion.training.batch(step))
    signals = [abs(errors[part.example]) for part in array.parts if part.example in batch]
    if not sensitive or not signals or not array.rate:
        return
    size = float(np.sqrt(np.mean(gradient**2)))
    if max(signals) < UNDECIDED or 0 < size < UNDECIDED:
        raise no_limit(f"the gradient of {array.name} vanishes in the limit at step {step}, but its direction is used")


def _direction(recursion: Recursion, array: Moved, state: State, gradient: Array, *, checked: bool) -> Array:
    """q, as in :class:`~tpsym.transform.optimizers.Optimizer`, but for what needs averages."""
    if recursion.rule in ENTRYWISE:
        return direction(array.rule if checked else replace(array.rule, steady=True), state.memory, gradient)
    state.memory.first = recursion.momentum * state.memory.first + gradient
    return np.asarray(state.memory.first)


def _integrands(rule: str, array: Moved, state: State, move: Array) -> list[Array]:
    """What muon and adafactor average over coordinates: the Gram matrix of the move, squares of entries."""
    if rule == "muon":
        return [move[:, i] * move[:, j] for i in range(move.shape[1]) for j in range(move.shape[1])]
    if rule == "adafactor":
        return [np.mean((state.value - array.centre) ** 2, axis=1)]
    return []


def _scaled(rule: str, array: Moved, state: State, move: Array, averages: Array) -> Array:
    if rule == "muon":
        if array.scalar:
            return np.sign(move)
        sizes, basis = np.linalg.eigh(averages.reshape(move.shape[1], -1))
        kept = sizes > 1e-12 * max(float(sizes[-1]), 1e-300)
        inverse = (basis[:, kept] / np.sqrt(sizes[kept])) @ basis[:, kept].T
        return np.asarray(move @ inverse)
    if rule == "adafactor":
        square = np.mean((state.value - array.centre) ** 2) if array.scalar else averages[0]
        return np.asarray(move * np.sqrt(square))
    return move
