r"""What training is: networks at examples, a loss, an optimizer, and which examples each step looks at.

Plain data, shared by everything that trains: the unrolled program, its limits, and arrays at finite width. The
gradient of step t is that of

.. math:: \frac{1}{|B_t|} \sum_{i \in B_t} \ell(f(\xi_i), y_i)

over the batch :math:`B_t` of the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.program.scope import Context
from tpsym.transform.optimizers import Optimizer

OUTPUT = Symbol("$f", real=True)
"""The output of a network in a loss."""
TARGET = Symbol("$y", real=True)
"""The target in a loss."""


@dataclass(frozen=True, slots=True)
class Loss:
    r"""A loss :math:`\ell(f, y)`: an expression in :data:`OUTPUT` and :data:`TARGET`, with its derivative by the
    output, the error signal χ."""

    name: str
    value: Expr
    signal: Expr

    def signal_at(self, output: Expr, target: Expr) -> Expr:
        """χ at an output."""
        found: Expr = self.signal.xreplace({OUTPUT: output, TARGET: target})
        return found

    def value_at(self, output: Expr, target: Expr) -> Expr:
        """ℓ at an output."""
        found: Expr = self.value.xreplace({OUTPUT: output, TARGET: target})
        return found


MSE = Loss("mse", (OUTPUT - TARGET) ** 2 / 2, OUTPUT - TARGET)
XENT = Loss("xent", sp.log(1 + sp.exp(-TARGET * OUTPUT)), -TARGET / (1 + sp.exp(TARGET * OUTPUT)))
CONSTANT = Loss("constant", OUTPUT, sp.Integer(1))
"""The output itself, whose error signal is 1."""


@dataclass(frozen=True)
class Training:
    """One ``train`` statement, ready to be unrolled or run.

    ``outputs`` are the network at the training examples before training, expressions over nodes of ``context``;
    ``targets`` belong to them. ``batches`` are the examples of each batch by position, taken in turn; without any,
    every step looks at all examples. ``steps`` is how many there are.
    """

    context: Context
    outputs: tuple[Expr, ...]
    targets: tuple[Expr, ...]
    loss: Loss
    optimizer: Optimizer
    steps: int
    batches: tuple[tuple[int, ...], ...] = ()

    def batch(self, step: int) -> Sequence[int]:
        """The examples that the update from ``step`` to ``step + 1`` looks at."""
        if not self.batches:
            return range(len(self.outputs))
        return self.batches[step % len(self.batches)]
