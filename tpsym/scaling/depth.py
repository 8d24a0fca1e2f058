r"""Exponents of the depth L for residual networks, at infinite width.

A loop :math:`x^l = x^{l-1} + B(x^{l-1}; W^l)` adds up L branches. Branches whose mean given the layers before vanishes
add up like :math:`L^{1/2}`, others like L; so do changes, where what updates add to a branch is aligned over the
layers. First the width goes to infinity, then the depth: what is small in the width is nothing here, and sums over a
width are of order one. (Yang, Yu, Zhu and Hayou, Tensor Programs VI; the limit in the depth is a heuristic one.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.program.graph import Loop
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Nonlin,
    State,
    Vector,
    is_scalar,
    scalar_slot,
    vector_slot,
)
from tpsym.program.scope import Context
from tpsym.program.values import Scalar
from tpsym.scaling.arrays import HALF, Scale, Solved, arrays_of, uses_of
from tpsym.scaling.cancelling import check_means
from tpsym.scaling.interpret import Pass
from tpsym.scaling.payload import Pair
from tpsym.scaling.setting import Feature, Nonzero, Setting
from tpsym.scaling.setup import init_only
from tpsym.scaling.sizes import EVEN, NOTHING, ONE, Known, Parts, Signature, Size, total, transposed, united, untagged
from tpsym.scaling.training import Run, trained
from tpsym.scaling.updates import Alignment, Rules
from tpsym.transform.backward import Gradients, backward, pull_back
from tpsym.transform.optimizers import Optimizer

ADJOINT = -1
"""The component that stands for the adjoint of what a loop carries."""


@dataclass(frozen=True)
class Residual:
    """A residual loop: nodes of the state before and after a round, at the end and at the start, the branch as an
    expression over nodes and its adjoint, the adjoint states, and the nodes to read in order."""

    loop: Loop
    entry: int
    end: int
    start: int
    branch: Expr
    branch_adjoint: Expr
    end_adjoint: Expr
    adjoint: int
    start_adjoint: int
    stages: tuple[tuple[int, ...], ...]
    layered: frozenset[int]

    def rate(self, context: Context, reading: Pass, expr: Expr) -> Fraction:
        """The exponent with which independent branches add up: 1/2 if their mean vanishes given the past, else 1."""
        fresh = self.layered | {transposed(k) for k in self.layered}
        odd = all(s.odd & fresh for s in reading.expression(expr, reading.values).initial)
        return HALF if odd or self._centred(context, expr) else Fraction(1)

    def _centred(self, context: Context, expr: Expr) -> bool:
        """Whether a branch is a function of fresh products minus its own mean."""
        nodes = {s: context.nodes[s] for s in expr.free_symbols if s in context.nodes}
        vectors = [s for s, k in nodes.items() if not is_scalar(context.builder[k])]
        if not vectors or not all(self._fresh(context, nodes[s]) for s in vectors):
            return False
        rest, constants = sp.S.Zero, sp.S.Zero
        for term in sp.Add.make_args(sp.expand(expr)):
            if self._is_product(context, term, vectors):
                continue
            if term.free_symbols & set(vectors):
                rest += term
            else:
                constants += term
        dimension: Dimension = context.builder[nodes[vectors[0]]].dimension  # type: ignore[union-attr, assignment]
        means = sum(context.average(t, dimension) for t in sp.Add.make_args(rest))
        return bool(sp.expand(means + constants) == 0)

    def _is_product(self, context: Context, term: Expr, vectors: list[Symbol]) -> bool:
        """Whether a term is a number times one fresh product, which is centred."""
        inner = term.free_symbols & set(vectors)
        if len(inner) != 1:
            return False
        (symbol,) = inner
        is_product = isinstance(context.builder[context.nodes[symbol]], MatMul)
        return is_product and not sp.diff(term, symbol).has(symbol)

    def _fresh(self, context: Context, node: int) -> bool:
        """Whether a vector is Gaussian, or a function of Gaussians, independent of all layers before."""
        match context.builder[node]:
            case MatMul(matrix=matrix):
                return matrix in self.layered
            case Nonlin(vectors=vectors):
                return all(self._fresh(context, k) for k in vectors)
            case Vector():
                return node in context.builder.layered
        return False


@dataclass(slots=True)
class DepthPass(Pass):
    """One reading of a residual network; ``updating`` limits the updates to some arrays."""

    residual: Residual | None = None
    carried: Size = NOTHING

    def run(self) -> None:
        """Before the loop, one round, after it; then the same backwards."""
        assert self.residual is not None
        r = self.residual
        before, inside, after, behind_after, behind_inside, behind_before = r.stages
        self._visit(before)
        start = self.values[r.start]
        self._feature("vector", r.start, self.setting.context.symbol(r.start), start)
        state = self._carried(start, inside)
        self.given = {**self.given, r.entry: state, r.end: state}
        self._visit((r.entry, *inside))
        self.features += self._own(start, inside)
        self.values[r.end] = state
        self._visit(after)
        self.outputs = [self.expression(e, self.values) for e in self.setting.outputs]
        self.moved_outputs = [self.contain(p) for p in self.outputs] if self.before is not None else []
        self._visit(behind_after)
        self._backwards(r, behind_inside, behind_before)

    def _backwards(self, r: Residual, inside: Iterable[int], before: Iterable[int]) -> None:
        head = self.expression(r.end_adjoint, self.values)
        adjoint = Pair(self.known.pruned(untagged(head.initial)), self.known.pruned(untagged(head.change)))
        self.given = {**self.given, r.adjoint: adjoint, r.start_adjoint: adjoint}
        self._visit((r.adjoint, *inside))
        rate = r.rate(self.setting.context, self, r.branch_adjoint)
        branch = self.expression(r.branch_adjoint, self.values)
        carried = united(adjoint.initial, _added(untagged(branch.initial), rate))
        adjoint = Pair(self.known.pruned(carried), adjoint.change)
        self.given = {**self.given, r.adjoint: adjoint, r.start_adjoint: adjoint}
        self._visit((r.adjoint, *inside))
        self._visit((r.start_adjoint, *before))

    def _visit(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self.visit(node)

    def _carried(self, start: Pair, inside: tuple[int, ...]) -> Pair:
        """The state in the middle and at the end: where it starts and all branches."""
        assert self.residual is not None
        r, context = self.residual, self.setting.context
        initial: Parts = {EVEN: ONE}
        self.given = {**self.given, r.entry: Pair(initial, {})}
        self._visit((r.entry, *inside))
        branch = self.expression(r.branch, self.values)
        rate = r.rate(context, self, r.branch)
        added = _added(untagged(branch.initial), rate)
        if self.before is None:
            state = Pair(united(initial, added), {})
            self.features.append(Feature("scalar", r.end, context.symbol(r.end), Pair(added, {})))
            return state
        change = united(untagged(start.change), _added(untagged(branch.change), Fraction(1)))
        self.carried = self.contain(Pair({}, change))
        # what a change of the state adds to branches adds up as the branches do
        self.given = {**self.given, r.entry: Pair(initial, change)}
        return Pair(initial, self.known.pruned(change))

    def _own(self, start: Pair, inside: tuple[int, ...]) -> list[Feature]:
        """The state as a feature, with what the updates of each array of a layer add to it over all layers."""
        assert self.residual is not None
        r, symbol = self.residual, self.setting.context.symbol(self.residual.end)
        if self.before is None:
            return []
        found = [Feature("narrow", r.end, symbol, Pair({}, self.given[r.entry].change), self.carried)]
        for array in self.setting.arrays:
            if array.node not in r.layered:
                continue
            alone = DepthPass(self.setting, self.known, self.before, given={r.entry: Pair({EVEN: ONE}, {})},
                              only=array.name, values=dict(self.values), residual=r)
            alone._visit((r.entry, *inside))
            change = alone.expression(r.branch, alone.values).change
            size = total(_added(untagged(change), Fraction(1)))
            if size:
                found.append(Feature("narrow", r.end, symbol, Pair({}, {EVEN._replace(tag=array.name): size})))
        return found


def _added(parts: Parts, exponent: Fraction) -> dict[Signature, Size]:
    return {s: frozenset(f + exponent for f in size) for s, size in parts.items()}


def read_depth(
    context: Context, output: Expr, optimizer: Optimizer, span: Span, *, alignment: Alignment = "worst",
    solved: Mapping[str, Solved] | None = None, guide: Mapping[str, Fraction] | None = None,
    nonzero: Nonzero | None = None,
) -> Run:
    """The exponents of the depth in a residual network, before and in training.

    Raises:
        TpError: ``no-residual-loop``, the network has no loop over a symbolic depth that adds to what it carries;
            ``cancelling-mean``, see :func:`tpsym.scaling.cancelling.check_means`.
    """
    residual, gradients = residual_of(context, output, span)
    scale = Scale(depth_symbol(context, residual.loop), wide=False)
    arrays = tuple(
        a for a in arrays_of(context, optimizer, scale, solved=solved) if uses_of(context, a, gradients)
    )
    forward = tuple(k for stage in residual.stages[:3] for k in stage)
    known = Known(room=8 + 2 * len(arrays), guide=guide)
    rules = Rules(optimizer.rule, scale.power(gradients.scale), alignment, known, wide=False)
    setting = Setting(
        context, scale, (output,), (residual.entry, *forward, residual.end),
        tuple(k for stage in residual.stages[3:] for k in stage), arrays,
        {a.name: uses_of(context, a, gradients) for a in arrays}, rules,
        frozenset(a.name for a in arrays if a.node in residual.layered), nonzero,
    )

    def reading(before: Mapping[int, Pair] | None) -> Pass:
        return DepthPass(setting, rules.known, before, residual=residual)

    run = trained(setting, init_only=init_only(context, scale, solved), span=span, reading=reading)
    if guide is None and nonzero is not None:
        check_means(run, span)
    return run


def depth_symbol(context: Context, loop: Loop) -> Symbol:
    """The depth that a loop runs to."""
    found = sorted(loop.high.free_symbols, key=str)
    value = context.scope.names[found[0].name]
    assert isinstance(value, Scalar)
    return found[0]


def residual_of(context: Context, output: Expr, span: Span) -> tuple[Residual, Gradients]:
    """The residual loop behind an output, with the gradients of everything."""
    head = backward(context, output)
    states = [k for k in head.vectors if isinstance(context.builder[k], State)]
    if len(states) != 1:
        raise _none(span, "exponents of the depth are for a network with one loop over a symbolic depth")
    end = context.builder[states[0]]
    assert isinstance(end, State)
    loop = context.builder.loops[end.loop]
    if len(loop.exit) != 1:
        raise _none(span, f"exponents of the depth are for one carried vector, this loop carries {len(loop.exit)}")
    entry, leave, start = loop.entry[0], loop.exit[0], loop.initial[0]
    instruction = context.builder[leave]
    shape = end.dimension
    adjoint = context.builder.add(State(end.loop, ADJOINT, loop.index, shape))
    start_adjoint = context.builder.add(State(end.loop, ADJOINT, loop.low - 1, shape))
    inner = pull_back(context, vectors={leave: context.symbol(adjoint)})
    outer = pull_back(context, vectors={start: context.symbol(start_adjoint)})
    branch = _beside(context, leave, entry) if isinstance(instruction, Nonlin) else None
    if branch is None:
        what = f"the loop does not add to {context.builder.program().label(start)}"
        raise _none(span, f"{what}: without a residual connection sizes are no powers of the depth")
    program = context.builder.program()
    inside, before = program.ancestors([leave]), program.ancestors([start])
    used = {context.nodes[s] for s in output.free_symbols if s in context.nodes}
    after = [k for k in program.ancestors(used) if k not in before and k != states[0]]
    gradients = Gradients(
        head.scale, {**head.vectors, **outer.vectors, **inner.vectors},
        {**head.scalars, **outer.scalars, **inner.scalars},
    )
    seen: set[int] = {entry, adjoint, start_adjoint, states[0]}
    stages = []
    groups: list[Iterable[int]] = [before, inside, after]
    groups += [program.ancestors(_behind(context, g)) for g in (head, inner, outer)]
    for nodes in groups:
        stage = tuple(k for k in nodes if k not in seen and not isinstance(context.builder[k], Matrix))
        seen |= set(stage)
        stages.append(stage)
    layered = frozenset(k for k in program.ancestors([leave]) if k in context.builder.layered)
    return Residual(loop, entry, states[0], start, branch, _without(context, inner, entry, adjoint),
                    head.vectors[states[0]], adjoint, start_adjoint, tuple(stages), layered), gradients


def _behind(context: Context, gradients: Gradients) -> set[int]:
    adjoints = (*gradients.vectors.values(), *gradients.scalars.values())
    return {context.nodes[s] for e in adjoints for s in e.free_symbols if s in context.nodes}


def _none(span: Span, what: str) -> Exception:
    return fail("no-residual-loop", what, span, fix="write s[l] = s[l-1] + L^(-alpha)*phi(W[l] @ s[l-1])")


def _beside(context: Context, node: int, carried: int) -> Expr | None:
    """What a sum adds to the carried vector."""
    instruction = context.builder[node]
    assert isinstance(instruction, Nonlin)
    slots = {vector_slot(i): context.symbol(k) for i, k in enumerate(instruction.vectors)}
    slots |= {scalar_slot(i): context.symbol(k) for i, k in enumerate(instruction.scalars)}
    rest = sp.expand(instruction.payload.xreplace(slots) - context.symbol(carried))
    return None if context.symbol(carried) in rest.free_symbols else rest


def _without(context: Context, inner: Gradients, entry: int, adjoint: int) -> Expr:
    """The adjoint of the state before a round less that of the state after it."""
    found = inner.vectors[entry]
    node = context.nodes.get(found)
    instruction = context.builder[node] if node is not None else None
    if isinstance(instruction, Nonlin):
        rest = _beside(context, node, adjoint)  # type: ignore[arg-type]
        return found - context.symbol(adjoint) if rest is None else rest
    return sp.expand(found - context.symbol(adjoint))

