r"""The trained arrays of a network on particles: the powers of n of their gradients and of their updates.

An array :math:`p = u(w - c)` moves by :math:`-\eta\,g` with :math:`g = u^{-1}\sum_i \chi_i s_i\, l_i \otimes r_i`, so
that w moves by :math:`-\eta u^{-1} g`; applied to a vector, a matrix of outer products gains a factor n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import fail
from tpsym.particles.plan import Formula, Graph, Setting, at, formula, ratio
from tpsym.particles.powers import NOTHING, Lead, no_limit
from tpsym.program.instructions import Matrix, RandomScalar
from tpsym.program.scope import Context
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Trainable, Use

Power = Fraction | None
"""A power of n; ``None`` is that of zero."""
Number = tuple[float, Power]
"""A number times a power of n."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the gradient: ``scale · left ⊗ right`` of the output of ``example``; ``right`` is a vector, a data
    point by name, or nothing."""

    example: int
    scale: Number
    left: Formula
    right: Formula | str | None

    @property
    def power(self) -> Power:
        """Its power of n."""
        right = self.right.lead.power if isinstance(self.right, Formula) else Fraction(0)
        return total(self.scale[1], self.left.lead.power, right)


@dataclass(frozen=True, slots=True)
class TrainedArray:
    """A trained array in numbers. ``step`` is η/u, times n for a matrix, and ``shrink`` is ηλ; ``initial`` is the
    power of n of the array as drawn."""

    trainable: Trainable
    unit: Number
    centre: Number
    step: Number
    shrink: Number
    eps: Number
    initial: Power
    parts: tuple[Part, ...]

    @property
    def gradient_power(self) -> Power:
        """That of the gradient by p."""
        return most(*(part.power for part in self.parts))

    def decay(self, top: Power) -> tuple[float, float]:
        """What decay leaves of w and what it adds, to the order n^``top`` of w."""
        keep = 1 - (self.shrink[0] if self.shrink[1] == 0 else 0.0)
        adds = top is not None and total(self.shrink[1], self.centre[1]) == top
        return keep, self.shrink[0] * self.centre[0] if adds else 0.0


def total(*powers: Power) -> Power:
    """The power of a product."""
    found = Fraction(0)
    for power in powers:
        if power is None:
            return None
        found += power
    return found


def most(*powers: Power) -> Power:
    """The power of a sum."""
    return max((p for p in powers if p is not None), default=None)


def initial_power(trainable: Trainable, context: Context, setting: Setting) -> Power:
    """The power of n of an array as it is drawn, ``None`` for one that begins at zero."""
    law = trainable.law
    if isinstance(law, Matrix):
        size, mean = law.variance, S.Zero
    elif isinstance(law, RandomScalar):
        size, mean = law.variance, law.mean
    else:
        nodes = [trainable.node] if trainable.node is not None else [k for k, _ in trainable.points]
        program = context.builder.program()
        size = sp.Add(*(sp.Abs(program.covariance(k, k)) for k in nodes))
        mean = law.mean
    what = f"the law of {trainable.name}"
    zero = setting.number(size, what) == 0 and setting.number(mean, what) == 0
    return None if zero else trainable.entries


def trained_array(
    trainable: Trainable, optimizer: Optimizer, context: Context, ready: Graph
) -> TrainedArray:
    """An array with the powers that the nodes of a graph have.

    Raises:
        TpError: ``no-value``, ``bad-option`` for a number out of range, ``no-particle-limit``.
    """
    setting, name, unit = ready.setting, trainable.name, trainable.unit
    rate = optimizer.rate_of(name)
    width = context.n if isinstance(trainable.law, Matrix) else S.One

    def constant(expr: Expr, what: str) -> Number:
        return setting.constant(expr, f"the {what} for {name}")

    found = TrainedArray(
        trainable,
        constant(unit, "unit"),
        constant(trainable.centre, "mean"),
        constant(rate / unit * width, "learning rate"),
        constant(rate * optimizer.decay_of(name), "weight decay"),
        constant(optimizer.eps_of(name), "ε"),
        initial_power(trainable, context, setting),
        tuple(part(use, trainable, context, ready) for use in trainable.uses),
    )
    if not (0 <= setting.constant(rate, "the learning rate")[0] < float("inf") and found.shrink[0] >= 0):
        raise fail("bad-option", f"the learning rate and the weight decay for {name} must not be negative")
    if found.shrink[1] is not None and found.shrink[1] > 0:
        raise no_limit(f"the weight decay of {name} times its learning rate grows with the width")
    return found


def part(use: Use, trainable: Trainable, context: Context, ready: Graph) -> Part:
    """A use with its powers."""
    scale = ready.setting.constant(use.scale / trainable.unit, f"the gradient of {trainable.name}")
    left = over_nodes(use.left, context, ready)
    right = use.right if use.right is None or isinstance(use.right, str) else over_nodes(use.right, context, ready)
    return Part(use.example, scale, left, right)


def over_nodes(expr: Expr, context: Context, ready: Graph) -> Formula:
    """An expression over nodes, compiled to leading order."""
    leaves: dict[Symbol, Lead] = {s: at(s, ready.leads[k]) for s, k in nodes_of(expr, context).items()}
    return formula(expr, leaves, ready.setting)


def nodes_of(expr: Expr, context: Context) -> dict[Symbol, int]:
    """The nodes that an expression reads."""
    return {s: context.nodes[s] for s in expr.free_symbols if s in context.nodes}


def needed(trainables: Sequence[Trainable], context: Context) -> set[int]:
    """The nodes that the gradients are made of."""
    exprs = [e for t in trainables for u in t.uses for e in (u.left, u.right) if isinstance(e, Expr)]
    return {k for e in exprs for k in nodes_of(e, context).values()}


def leads_of(
    trainables: Sequence[Trainable], initial: Mapping[str, Power], updates: Mapping[str, Power]
) -> dict[int, Lead]:
    """The powers of the nodes that trained arrays give, from those at the start and of what training adds."""
    found: dict[int, Lead] = {}
    for trainable in trainables:
        begin, added = initial[trainable.name], updates[trainable.name]
        power = most(begin, added)
        exact = None in (begin, added) or begin == added
        lead = NOTHING if power is None else Lead(S.One, power, exact)
        found |= dict.fromkeys(nodes_given(trainable), lead)
    return found


def nodes_given(trainable: Trainable) -> tuple[int, ...]:
    """The nodes that an array gives values to."""
    return tuple(k for k, _ in trainable.points) if trainable.node is None else (trainable.node,)


def is_number(array: TrainedArray) -> bool:
    """Whether the array is a single number."""
    return isinstance(array.trainable.law, RandomScalar)


def is_matrix(array: TrainedArray) -> bool:
    """Whether it is a matrix of the program, not an input layer."""
    return isinstance(array.trainable.law, Matrix)


def ratios(array: TrainedArray, setting: Setting) -> tuple[float, float]:
    """Rows and columns of a matrix as multiples of n."""
    law = array.trainable.law
    assert isinstance(law, Matrix)
    return ratio(law.rows, setting), ratio(law.columns, setting)
