r"""Training unrolled: k steps of an optimizer are a longer program.

The network and its gradients at the training examples are one program; the network after t steps is that program
read at the arrays of step t (:mod:`~tpsym.transform.copies`), which hold the outer products of the t steps before
(:mod:`~tpsym.transform.updates`). So T steps with B examples add O(TB) vectors and O((TB)^2) moments.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr

from tpsym.program.scope import Context
from tpsym.transform.backward import backward
from tpsym.transform.copies import Copy, Moved
from tpsym.transform.trainable import AS_DECLARED, Parametrization, Trainable, Use, trainables
from tpsym.transform.training import Training
from tpsym.transform.updates import Gradient, History, Term, advance, start


@dataclass(slots=True)
class Unrolled:
    """A training that grows as later steps are asked for; ``name`` is what the trained network is called."""

    training: Training
    name: str
    arrays: tuple[Trainable, ...]
    histories: list[tuple[History, ...]]
    copies: list[Copy] = field(default_factory=list)

    def at(self, step: int) -> Copy:
        """The program after ``step`` steps."""
        while len(self.copies) <= step:
            done = len(self.copies)
            if done:
                self.histories.append(self._advanced(done - 1))
            self.copies.append(self._copy(done))
        return self.copies[step]

    def value(self, expr: Expr, step: int) -> Expr:
        """An expression over nodes of the network, after ``step`` steps."""
        return self.at(step)(expr)

    def _copy(self, step: int) -> Copy:
        nodes: dict[int, Moved] = {}
        layers: dict[str, Moved] = {}
        for array, history in zip(self.arrays, self.histories[step], strict=True):
            if array.node is None:
                layers[array.name] = history.moved
            else:
                nodes[array.node] = history.moved
        return Copy(self.training.context, f"{self.name}[{step}]", nodes, layers)

    def _advanced(self, step: int) -> tuple[History, ...]:
        training, copy = self.training, self.copies[step]
        batch = training.batch(step)
        signals = {i: self._signal(copy, i) * batch.count(i) for i in dict.fromkeys(batch)}
        found = []
        for array, history in zip(self.arrays, self.histories[step], strict=True):
            gradient = tuple(
                term(copy, use, signals[use.example] / len(batch)) for use in array.uses if use.example in signals
            )
            gradient = tuple(t for t in gradient if 0 not in (t.coefficient, t.left, t.right))
            found.append(advance(training.context, training.optimizer, array, history, collected(gradient)))
        return tuple(found)

    def _signal(self, copy: Copy, example: int) -> Expr:
        """The derivative of the loss of an example by its output, as a scalar of the program."""
        training, context = self.training, self.training.context
        found = training.loss.signal_at(copy(training.outputs[example]), training.targets[example])
        if found.free_symbols.isdisjoint(context.nodes) or found in context.nodes:
            return found
        node = context.builder.moment(found, context.nodes, None)
        context.builder.add(context.builder[node], label=f"{copy.name}.χ[{example + 1}]")
        return context.symbol(node)


def term(copy: Copy, use: Use, signal: Expr) -> Term:
    """A part of the gradient of an output, times the derivative of the loss."""
    left = copy(use.left)
    right = copy(use.right) if isinstance(use.right, Expr) else use.right
    context = copy.context
    outside, left = taken_out(context, left, scalar=use.rows is None)
    if isinstance(right, Expr):
        other, right = taken_out(context, right, scalar=False)
        outside *= other
    return Term(sp.powsimp(signal * use.scale * outside), left, use.rows, right, use.columns)


def taken_out(context: Context, expr: Expr, *, scalar: bool) -> tuple[Expr, Expr]:
    """Constant factors of a vector; all of a scalar."""
    if scalar:
        return expr, sp.S.One
    vectors = context.vector_symbols(expr)
    if not vectors:
        return sp.S.One, expr
    constant, rest = expr.as_independent(*vectors, as_Add=False)
    return constant, rest


def collected(gradient: Gradient) -> Gradient:
    """Equal outer products taken together."""
    found: dict[tuple[object, ...], Term] = {}
    for t in gradient:
        key = (t.left, t.right)
        if key in found:
            total = found[key].coefficient + t.coefficient
            found[key] = Term(total, t.left, t.rows, t.right, t.columns)
        else:
            found[key] = t
    return tuple(found.values())


def unroll(training: Training, name: str, *, rescaled: Parametrization = AS_DECLARED) -> Unrolled:
    """A training as a program that grows with the steps asked for.

    Raises:
        TpError: ``symbolic-depth`` for a symbolic number of layers; ``not-available`` for an optimizer that is no
            function of outer products; ``data-without-numbers``.
    """
    context = training.context
    gradients = [backward(context, output) for output in training.outputs]
    arrays = trainables(context, gradients, rescaled=rescaled)
    return Unrolled(training, name, arrays, [tuple(start(context, a) for a in arrays)])
