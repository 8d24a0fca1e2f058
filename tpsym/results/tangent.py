r"""Limits of tangent kernels: backpropagation as a program, then the Master Theorem on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import rule
from tpsym.functions import delta
from tpsym.limit.interpret import Limit
from tpsym.limit.rules import expectation_rule
from tpsym.limit.series import Series, SizeUnknown, add, exact, larger, maximum, multiply
from tpsym.limit.states import missing
from tpsym.program.instructions import Moment, Nonlin, State
from tpsym.program.scope import Context
from tpsym.program.values import Scalar, VectorValue
from tpsym.transform.backward import Gradients, backward, pull_back
from tpsym.transform.tangent import Contribution

PROBE = "probe of gradients in "
"""How the vectors are named along which gradients of inner vectors are taken."""

Below = Callable[[int, int], tuple[Expr, Expr]]
"""Of two states, the power of n and the coefficient of their tangent kernel."""


@dataclass(frozen=True, slots=True)
class TangentLimit:
    r"""``n^exponent · Σ parts``: the limit of :math:`n^{-\text{exponent}}\,\Theta` and its summands.

    ``parts`` go by trained array, and by carried vector for what comes from below a loop over layers. What is
    of smaller order is left out.
    """

    exponent: Expr
    parts: tuple[tuple[str, Expr], ...]

    @property
    def value(self) -> Expr:
        """The kernel without its power of n."""
        return sp.Add(*(part for _, part in self.parts))


def probe(context: Context, output: VectorValue) -> int:
    """The vector along which the gradient of a vector is taken."""
    return context.builder.vector(f"{PROBE}{output.dimension.name}", output.dimension, label="p")


def gradients(context: Context, output: Scalar | VectorValue) -> Gradients:
    r"""The backward pass of a scalar, or of :math:`m^{-1/2} \sum_α p_α h_α` for a vector h of size m and
    a fresh probe p.

    By independence of p the latter's tangent kernel is that of one coordinate of h.
    """
    if isinstance(output, Scalar):
        return backward(context, output.expr)
    seed = context.symbol(probe(context, output))
    scale = sp.sqrt(context.n / output.dimension.ratio)
    return pull_back(context, vectors={context.materialize(output): seed}, scale=scale)


def by_states(context: Context, first: Gradients, second: Gradients) -> list[tuple[int, int, Expr]]:
    r"""Pairs of states with E g g' n^{-1} times the scales: what their tangent kernels enter with."""
    found = []
    for a, g in first.vectors.items():
        for b, h in second.vectors.items():
            one, other = context.builder[a], context.builder[b]
            if isinstance(one, State) and isinstance(other, State) and one.dimension == other.dimension:
                mean = one.dimension.ratio * context.average(g * h, one.dimension)
                found.append((a, b, first.scale * second.scale / context.n * mean))
    return found


@rule("NTK", source="Yang2020TP2", locator="Equations 10-12, Corollary 7.3")
def tangent_limit(
    context: Context, limit: Limit, found: list[Contribution], pairs: list[tuple[int, int, Expr]], below: Below,
    *, exponent: Expr | None = None,
) -> TangentLimit:
    r"""Θ = Σ_W Σ_{uses, uses'} E[Z^{dy} Z^{dy'}] E[Z^z Z^{z'}], weights as trained by the parametrisation.

    What lies below a loop over layers enters through the tangent kernels of the carried vectors. With ``mup``
    the learning rate of each array carries the power of n that makes its summand of order one. ``exponent`` is
    the power of n that is asked for, by default the largest.
    """
    check_gradients(context, [*(c.inner for c in found), *(weight for _, _, weight in pairs)])
    series = [(c.name, limit.series(c.factor * c.inner)) for c in found]
    if context.parametrization == "mup":
        series = [(name, exact(s.leading()[1]) if s.terms else s) for name, s in series]
    for a, b, weight in pairs:
        slope = limit.series(weight)
        if not slope.terms and (slope.error is None or not larger(slope.error, S.Zero)):
            continue
        one, other = (context.builder[k] for k in (a, b))
        assert isinstance(one, State)
        assert isinstance(other, State)
        if sp.expand(one.layer - other.layer) != 0:
            raise missing(limit, a, b)
        power, value = below(a, b)
        series.append((limit.label(a).partition("(")[0], multiply(slope, exact(value, power))))
    top = exponent
    if top is None:
        top, _ = add([s for _, s in series]).leading()
    return TangentLimit(top, tuple((name, part) for name, s in series if (part := at_exponent(s, top)) != 0))


def check_gradients(context: Context, inner: list[Expr]) -> None:
    """Refuse gradients of jumps: at finite width they vanish almost everywhere, which a point mass is no limit of.

    Raises:
        SizeUnknown: a nonlinearity on the way is discontinuous.
    """
    program = context.builder.program()
    nodes = {context.nodes[s] for e in inner for s in e.free_symbols if s in context.nodes}
    for node in program.ancestors(nodes):
        instruction = program[node]
        if isinstance(instruction, Nonlin | Moment) and instruction.payload.has(delta):
            raise SizeUnknown("a network with jumps has gradients that vanish almost everywhere at every finite width; "
                              "its tangent kernel is not the limit of theirs")


def at_exponent(series: Series, exponent: Expr) -> Expr:
    """The coefficient at an exponent.

    Raises:
        SizeUnknown: it is hidden by what is not known.
    """
    if series.error is not None and larger(series.error, exponent):
        raise SizeUnknown(f"a summand of the tangent kernel is only known up to o(n^({series.error}))")
    return series.terms.get(exponent, S.Zero)


def largest(context: Context, limit: Limit, found: list[Contribution]) -> Expr | None:
    """The largest power of n among summands, ``None`` if there is none."""
    if context.parametrization == "mup":
        return S.Zero if found else None
    tops = [top for c in found if (top := limit.series(c.factor * c.inner).top) is not None]
    return maximum(tops) if tops else None


def tell(limit: Limit, question: Symbol, result: TangentLimit, node: int) -> None:
    """The steps from the kernel to its summands and to its value."""
    names = [Symbol(f"{question.name} by {name}", real=True) for name, _ in result.parts]
    for symbol, (name, part) in zip(names, result.parts, strict=True):
        limit.record(expectation_rule.rule, node, symbol, part, note=f"the uses of {name}")
    limit.record(tangent_limit.rule, node, question, sp.Add(*names))
