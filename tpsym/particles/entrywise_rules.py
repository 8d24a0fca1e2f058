r"""What optimizers that look at each entry by itself make of its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tpsym.particles.powers import no_limit
from tpsym.simulate.payload import Array

ENTRYWISE = ("signsgd", "adam", "adagrad", "adafactor")
"""Rules that look at the sign of an entry of the gradient."""
VANISHING = 0.005
"""A part of entries that may be exactly zero by chance."""


@dataclass(frozen=True, slots=True)
class EntryRule:
    r"""The numbers of an entrywise optimizer for an array, of leading order.

    ``eps`` is ε, and ``rooted`` is 0 where ε is of larger order than the gradients, so that it alone divides.
    ``steady`` says that the gradient has no parts of smaller order, which would matter where those of leading order
    vanish.
    """

    name: str
    rule: str
    beta1: float = 0.0
    beta2: float = 0.0
    eps: float = 0.0
    rooted: float = 1.0
    steady: bool = True


@dataclass(slots=True)
class EntryMemory:
    """What is remembered of each entry after ``count`` steps: sums of gradients and of their squares."""

    count: int = 0
    first: Array | float = 0.0
    second: Array | float = 0.0

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        return {"count": np.array(self.count), "first": np.array(self.first), "second": np.array(self.second)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.count = int(state["count"])
        self.first, self.second = np.array(state["first"]), np.array(state["second"])


def direction(rule: EntryRule, memory: EntryMemory, gradient: Array) -> Array:
    """The direction of a step, as in :class:`~tpsym.transform.optimizers.Optimizer`, before rates; of adafactor,
    without the size of the array. The memory moves on.

    Raises:
        TpError: ``no-particle-limit`` where the sign of what vanishes to leading order is needed.
    """
    if not rule.steady and rule.rooted and not rule.eps and np.mean(gradient == 0) > VANISHING:
        raise no_limit(f"the gradient of {rule.name} vanishes to leading order, but its sign is used")
    memory.count += 1
    match rule.rule:
        case "signsgd":
            return np.sign(gradient)
        case "adagrad":
            memory.second = memory.second + gradient**2
            return quotient(gradient, rule.rooted * np.sqrt(memory.second) + rule.eps)
        case _:
            beta1, beta2, count = rule.beta1, rule.beta2, memory.count
            first = gradient if beta1 == 0 else beta1 * memory.first + (1 - beta1) * gradient
            second = gradient**2 if beta2 == 0 else beta2 * memory.second + (1 - beta2) * gradient**2
            memory.first, memory.second = first if beta1 else 0.0, second if beta2 else 0.0
            size = rule.rooted * np.sqrt(second / (1 - beta2**count)) + rule.eps
            return quotient(first / (1 - beta1**count), size)


def direction_power(rule: str, gradient: Fraction | None, eps: Fraction | None) -> tuple[Fraction | None, float, bool]:
    """The power of n of the direction of a step from those of the gradient and of ε (``None`` for zero); the factor
    of the root, see :class:`EntryRule`; and whether ε counts."""
    if gradient is None:
        return None, 1.0, False
    if rule == "signsgd" or eps is None or eps < gradient:
        return Fraction(0), 1.0, False
    return gradient - eps, 1.0 if eps == gradient else 0.0, True


def quotient(above: Array, below: Array) -> Array:
    """The quotient, 0 where both are."""
    found: Array = np.divide(above, below, out=np.zeros_like(above), where=(below != 0) | (above != 0))
    return found
