"""The powers of n of what optimizers other than gradient descent add to an array."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tpsym.particles.arrays import Power, TrainedArray, is_matrix, is_number, most, total
from tpsym.particles.entrywise_rules import ENTRYWISE, direction_power
from tpsym.particles.powers import no_limit
from tpsym.simulate.payload import Array
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import Training

DEVIATIONS = 4.0
"""Errors from zero at which a sign is decided."""


def step_power(array: TrainedArray, optimizer: Optimizer) -> Power:
    """That of one step without decay; of a matrix, as an operator."""
    return total(array.step[1], of_direction(array, optimizer))


def of_direction(array: TrainedArray, optimizer: Optimizer) -> Power:
    """That of the direction of a step, with the size of the array for adafactor.

    Polar factors of an n×n matrix of finite rank have entries of order 1/n, directions of a vector of order n^(-1/2).
    """
    gradient = array.gradient_power
    if optimizer.rule == "sgd" or gradient is None:
        return gradient
    if optimizer.rule == "muon":
        return Fraction(-1) if is_matrix(array) else Fraction(0) if is_number(array) else -Fraction(1, 2)
    power, _, _ = direction_power(optimizer.rule, gradient, array.eps[1])
    return total(power, size_power(array)) if optimizer.rule == "adafactor" else power


def size_power(array: TrainedArray) -> Power:
    """That of the root mean square of the trained numbers of an array, which are those as drawn."""
    return total(array.unit[1], array.initial, -Fraction(1, 2) if is_matrix(array) else Fraction(0))


def added_power(array: TrainedArray, optimizer: Optimizer) -> Power:
    """That of what training adds to an array (to its products, of a matrix)."""
    return most(step_power(array, optimizer), total(array.shrink[1], array.centre[1]))


def steady(array: TrainedArray) -> bool:
    """Whether the gradient has nothing of smaller order than its leading part."""
    parts = [part for part in array.parts if part.power is not None]
    top = array.gradient_power
    factors = [f for part in parts for f in (part.left, part.right) if f is not None and not isinstance(f, str)]
    return all(part.power == top for part in parts) and all(f.lead.exact for f in factors)


def check_rule(array: TrainedArray, optimizer: Optimizer, top: Power) -> None:
    """Refuse what leading orders do not decide; ``top`` is the power of the array in training.

    Raises:
        TpError: ``no-particle-limit``.
    """
    name = array.trainable.name
    if optimizer.rule == "muon" and not steady(array):
        raise no_limit(f"the gradient of {name} has parts of different orders, which muon makes equal")
    if optimizer.rule == "adafactor" and (array.initial is None or array.initial != top):
        raise no_limit(f"adafactor moves {name} in proportion to its size, which training makes of another order")
    assert optimizer.rule in (*ENTRYWISE, "muon")


def check_signals(training: Training, signal: Callable[[Array], Array], outputs: Array, errors: Array) -> None:
    """Refuse training by signs of gradients where particles do not tell the sign of any error signal of a batch: if
    the signals vanish in the limit, at finite width they are those of fluctuations.

    ``outputs`` and their ``errors`` are by step and example; ``signal`` makes error signals of the outputs of a step.

    Raises:
        TpError: ``no-particle-limit``.
    """
    optimizer = training.optimizer
    names = {t.name for t in training.context.trained}
    if optimizer.rule == "sgd" or (optimizer.rule != "signsgd" and optimizer.rule != "muon"
                                   and all(optimizer.eps_of(name) != 0 for name in names)):
        return
    for step in range(min(training.steps, len(outputs) - 1)):
        low, high = (signal(outputs[step] + side * DEVIATIONS * errors[step]) for side in (-1, 1))
        if not any(low[i] * high[i] > 0 for i in training.batch(step)):
            raise no_limit(f"the error signals at step {step} are zero or cannot be told from it, but signs are used")
