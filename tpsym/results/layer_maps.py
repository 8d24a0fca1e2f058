"""From the recursion over layers of a network to the maps of mean field theory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.limit.states import Statistic, Unclosed
from tpsym.program.calls import run
from tpsym.program.elaborate import elaborate
from tpsym.program.instructions import State
from tpsym.program.scope import Context
from tpsym.program.values import Data, Function, Scalar
from tpsym.results.meanfield_maps import LayerMaps
from tpsym.results.reasons import NoLimit, reasons
from tpsym.syntax.parse import parse

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

ADVICE = "mean field theory needs layers that repeat: depth L, and for l in 2..L: h[l] = W[l] @ …"


def layer_maps(side: LimitQuestions, function: Function, span: Span) -> tuple[LayerMaps, bool]:
    """The maps of variance, covariance and gradients from one layer of a network to the next.

    The flag says whether the tangent kernel obeys Θ' = K' + H Θ, as where every parameter of a layer is trained.

    Raises:
        NoLimit: the network has no loop over a symbolic depth that carries one vector, or its recursion does
            not close or differs from layer to layer.
    """
    side, function = with_symbolic_depth(side, function, span)
    context = side.context
    pair = [_instance(context, function, x, span) for x in two_inputs(context, span)]
    numbers = sorted(loops_behind(context, pair))
    loops = [context.builder.loops[k] for k in numbers]
    if len(loops) != 2 or loops[0].statement != loops[1].statement:
        raise NoLimit(ADVICE, span)
    if len(loops[0].exit) != 1:
        raise NoLimit(f"mean field theory is for one carried vector, this loop carries {len(loops[0].exit)}", span)
    with reasons(span):
        return _maps(side, (numbers[0], 0), (numbers[1], 0))


def with_symbolic_depth(
    side: LimitQuestions, function: Function, span: Span
) -> tuple[LimitQuestions, Function]:
    """The network with its depth left open, whatever value the depth has in the file."""
    from tpsym.results.questions import questions

    context = side.context
    given = [n for n in context.depths if isinstance(v := context.scope.names[n], Scalar) and v.expr.is_Integer]
    if not given:
        return side, function
    overrides = {k: v for k, v in context.overrides.items() if k not in context.depths}
    inner = elaborate(parse(context.source), overrides=overrides, open_depths=True).context
    found = inner.scope.names.get(function.name)
    if not isinstance(found, Function):
        raise NoLimit(ADVICE, span)
    return questions(inner), found


def two_inputs(context: Context, span: Span) -> tuple[Data, Data]:
    """Two data points: the first two declared, or the one there is and another like it."""
    found = [v for v in context.scope.names.values() if isinstance(v, Data)]
    if not found:
        raise fail("no-inputs", "mean field theory needs an input that is one data point", span, fix="input x, y: (d)")
    if len(found) > 1:
        return found[0], found[1]
    ((name, one),) = found[0].terms
    context.data.setdefault(f"{name}'", None)
    return found[0], Data(((f"{name}'", one),), found[0].size)


def _instance(context: Context, function: Function, x: Data, span: Span) -> Expr:
    value = run(context, function, (x,), span).result(function, span)
    expr: Expr = getattr(value, "expr", sp.S.Zero)
    return expr


def loops_behind(context: Context, outputs: list[Expr]) -> set[int]:
    """The numbers of the loops that outputs rest on."""
    nodes = {context.nodes[s] for e in outputs for s in e.free_symbols if s in context.nodes}
    program = context.builder.program()
    return {i.loop for k in program.ancestors(nodes) if isinstance(i := program[k], State)}


def _maps(side: LimitQuestions, x: tuple[int, int], y: tuple[int, int]) -> tuple[LayerMaps, bool]:
    index = side.context.builder.loops[x[0]].index
    q, c = Symbol("q", nonnegative=True), Symbol("c", real=True)

    def step(kind: str, a: tuple[int, int], b: tuple[int, int]) -> Expr:
        first, second = sorted((a, b))
        value = side.recursions.step(Statistic(kind, first, second, index))  # type: ignore[arg-type]
        while not value.free_symbols.isdisjoint(side.limit.definitions):
            value = value.xreplace(side.limit.definitions)
        return value

    before = {(a, b): side.recursions.value_symbol("K", a, b, index - 1) for a in (x, y) for b in (x, y)}
    at = {before[x, x]: q, before[y, y]: q, before[x, y]: q * c}
    variance, covariance = step("K", x, x).xreplace(at), step("K", x, y).xreplace(at)
    theta = side.recursions.value_symbol("Theta", x, y, index - 1)
    tangent = step("Theta", x, y)
    plain = sp.expand(tangent.xreplace({theta: sp.S.Zero}) - step("K", x, y)) == 0
    slope = sp.diff(tangent, theta).xreplace(at)
    left = (variance.free_symbols | covariance.free_symbols | slope.free_symbols) & side.limit.statistics.keys()
    if left:
        raise Unclosed(f"the recursion rests on more than variances and covariances: {', '.join(map(str, left))}")
    if any(e.has(index) for e in (variance, covariance, slope)):
        raise Unclosed(f"the layers differ from one another: the recursion depends on {index}")
    return LayerMaps(q, c, variance, covariance, slope, dict(side.context.parameters)), plain
