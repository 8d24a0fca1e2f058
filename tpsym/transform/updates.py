r"""What an optimizer adds to an array in a step, as functions of gradients that are sums of outer products.

With :math:`G_s` the gradient of the loss by the node w of an array at step s, :math:`p = u\,(w - c)` what is trained:
a linear rule adds multiples of the :math:`G_s`, a rule by entries a function of the entries of :math:`G_0 … G_t`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import NOWHERE, fail
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context, power_of
from tpsym.program.values import VectorValue
from tpsym.transform.copies import Columns, Entrywise, Moved, Part, Product, column, numbers, row
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Trainable


@dataclass(frozen=True, slots=True)
class Term:
    """A summand ``coefficient · left ⊗ right`` of a gradient; the coefficient consists of scalars and powers of n."""

    coefficient: Expr
    left: Expr
    rows: Dimension | None
    right: Expr | str | None
    columns: Dimension | None


Gradient = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class History:
    """An array in training: its present value, and the gradients so far with their coefficients in it.

    ``momentum`` holds the coefficients of the same parts in the momentum.
    """

    moved: Moved
    momentum: tuple[Expr, ...] = ()
    gradients: tuple[Gradient, ...] = field(default=())


def start(context: Context, array: Trainable) -> History:
    """An array before the first step."""
    entries = sp.Rational(array.entries.numerator, array.entries.denominator)
    return History(Moved(context.n**entries, S.Zero, ()))


def advance(context: Context, optimizer: Optimizer, array: Trainable, history: History, gradient: Gradient) -> History:
    """An array after one more step.

    Raises:
        TpError: ``not-available`` for a rule that is no function of outer products.
    """
    rate, decay = optimizer.rate_of(array.name), optimizer.decay_of(array.name)
    kept = decayed(history, rate * decay, array.centre)
    match optimizer.rule:
        case "sgd":
            return linear_step(optimizer, array, kept, gradient)
        case "signsgd" | "adam" | "adagrad":
            return entry_step(context, optimizer, array, kept, gradient)
        case other:
            what = f"unrolling {other} is not available yet; sgd, signsgd, adam and adagrad are"
            raise fail("not-available", what, NOWHERE)


def decayed(history: History, rate: Expr, centre: Expr) -> History:
    """w − c times 1 − ηλ."""
    if rate == 0:
        return history
    moved, left = history.moved, 1 - rate
    shift = sp.expand(left * moved.shift + rate * centre)
    parts = tuple((sp.expand(left * c), part) for c, part in moved.parts)
    return replace(history, moved=Moved(sp.expand(left * moved.factor), shift, parts))


def linear_step(optimizer: Optimizer, array: Trainable, history: History, gradient: Gradient) -> History:
    """w ← w − η u^{-2} M with M ← μ M + G."""
    mu, size = optimizer.momentum, optimizer.rate_of(array.name) / array.unit**2
    old = history.moved.parts
    momentum = [sp.expand(mu * d) for d in history.momentum] + [t.coefficient for t in gradient]
    parts = [*old, *((S.Zero, Product(t.left, t.right, t.columns)) for t in gradient)]
    moved = tuple((sp.expand(c - size * d), part) for (c, part), d in zip(parts, momentum, strict=True))
    return History(replace(history.moved, parts=moved), tuple(momentum))


def entry_step(
    context: Context, optimizer: Optimizer, array: Trainable, history: History, gradient: Gradient
) -> History:
    """w ← w − η |u|^{-1} Q(G_0, …, G_t), entry by entry."""
    gradients = (*history.gradients, gradient)
    size = -optimizer.rate_of(array.name) / sp.Abs(array.unit)
    remembered = gradients if has_memory(optimizer) else ()
    found = separable(optimizer, gradients) or general(context, optimizer, array, gradients)
    if found is None:
        return replace(history, gradients=remembered)
    sign, part = found
    moved = replace(history.moved, parts=(*history.moved.parts, (size * sign, part)))
    return History(moved, gradients=remembered)


def has_memory(optimizer: Optimizer) -> bool:
    """Whether a step by entries depends on earlier gradients."""
    return optimizer.rule == "adagrad" or (optimizer.rule == "adam" and (optimizer.beta1, optimizer.beta2) != (0, 0))


def is_sign(optimizer: Optimizer, count: int) -> bool:
    """Whether the step after ``count`` gradients is the sign of the last one."""
    if optimizer.rule == "signsgd":
        return True
    no_memory = count == 1 or not has_memory(optimizer)
    return no_memory and optimizer.eps == 0 and not optimizer.epsilons


def separable(optimizer: Optimizer, gradients: Sequence[Gradient]) -> tuple[Expr, Part] | None:
    """The sign of one outer product is the outer product of signs."""
    if not is_sign(optimizer, len(gradients)) or len(gradients[-1]) != 1 or isinstance(gradients[-1][0].right, str):
        return None
    (term,) = gradients[-1]
    right = sp.sign(term.right) if term.right is not None else None
    return sp.sign(term.coefficient), Product(sp.sign(term.left), right, term.columns)


def general(
    context: Context, optimizer: Optimizer, array: Trainable, gradients: Sequence[Gradient]
) -> tuple[Expr, Part] | None:
    """The function of the entries of all gradients so far."""
    terms = [t for g in gradients for t in g]
    if not terms:
        return None
    power = common_power(context, terms)
    eps = optimizer.eps_of(array.name) * sp.Abs(array.unit) * context.n ** (-power)
    scaled = [[(t.coefficient * context.n ** (-power), t) for t in g] for g in gradients]
    kinds = {type(t.right) if isinstance(t.right, str) else t.columns for t in terms}
    assert len(kinds) == 1
    if isinstance(terms[0].right, str):
        return S.One, by_coordinates(context, optimizer, scaled, eps)
    if terms[0].right is None:
        entries = [sp.Add(*(c * t.left for c, t in g)) for g in scaled]
        return S.One, Product(quotient(optimizer, entries, eps))
    return S.One, by_entries(context, optimizer, scaled, eps)


def common_power(context: Context, terms: Sequence[Term]) -> Expr:
    """The power of n in front of the first summand; a function of entries takes it out of all."""
    symbols = [s for s in terms[0].coefficient.free_symbols if s in context.nodes]
    constant, _ = terms[0].coefficient.as_independent(*symbols, as_Add=False)
    found = power_of(constant, context.n)
    return found[1] if found is not None else S.Zero


Scaled = Sequence[Sequence[tuple[Expr, Term]]]


def by_coordinates(context: Context, optimizer: Optimizer, gradients: Scaled, eps: Expr) -> Columns:
    """An input layer has one vector for each number of the data."""
    points = {t.right: numbers(context, t.right) for g in gradients for _, t in g if isinstance(t.right, str)}
    length = len(next(iter(points.values())))
    columns = []
    for k in range(length):
        entries = [sp.Add(*(c * t.left * points[str(t.right)][k] for c, t in g)) for g in gradients]
        columns.append(quotient(optimizer, entries, eps))
    return Columns(tuple(columns))


def by_entries(context: Context, optimizer: Optimizer, gradients: Scaled, eps: Expr) -> Entrywise:
    """A matrix has one function of a row coordinate and a column coordinate."""
    rows: dict[int, Symbol] = {}
    columns: dict[int, Symbol] = {}

    def coordinate(
        known: dict[int, Symbol], name: Callable[[int], Symbol], expr: Expr, dimension: Dimension | None
    ) -> Expr:
        assert dimension is not None
        constant, rest = expr.as_independent(*context.vector_symbols(expr), as_Add=False)
        node = context.materialize(VectorValue(rest, dimension))
        return constant * known.setdefault(node, name(len(known)))

    entries = []
    for g in gradients:
        summands = []
        for c, t in g:
            assert isinstance(t.right, sp.Expr)
            left, right = coordinate(rows, row, t.left, t.rows), coordinate(columns, column, t.right, t.columns)
            summands.append(c * left * right)
        entries.append(sp.Add(*summands))
    return Entrywise(quotient(optimizer, entries, eps), tuple(rows), tuple(columns))


def quotient(optimizer: Optimizer, entries: Sequence[Expr], eps: Expr) -> Expr:
    """The direction of a rule by entries, from an entry of each gradient so far.

    0 where all gradients are: the formula says 0/0 there when ε = 0.
    """
    count, last = len(entries), entries[-1]
    if is_sign(optimizer, count):
        return sp.sign(last)
    if optimizer.rule == "adagrad":
        above, square = last, sp.Add(*(g**2 for g in entries))
    else:
        first, second = optimizer.beta1, optimizer.beta2
        above = average(entries, first)
        square = average([g**2 for g in entries], second)
    if eps != 0:
        single = count == 1 or not has_memory(optimizer)
        found: Expr = above / ((sp.Abs(last) if single else sp.sqrt(square)) + eps)
        return found
    return sp.Piecewise((above / sp.sqrt(square), sp.Gt(square, 0)), (S.Zero, True))


def average(values: Sequence[Expr], beta: Expr) -> Expr:
    r""":math:`(1-\beta)\sum_s \beta^{t-s} g_s / (1 - \beta^{t+1})`."""
    last = len(values) - 1
    weights = [(1 - beta) * beta ** (last - s) if beta != 0 else sp.Integer(s == last) for s in range(last + 1)]
    return sp.Add(*(w * v for w, v in zip(weights, values, strict=True))) / sp.Add(*weights)
