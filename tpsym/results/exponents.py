"""Scaling exponents of a network in a file: the entry to :mod:`tpsym.scaling`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from sympy import Expr, Mul, Symbol, factor_terms

from tpsym.errors import Span, TpError, fail
from tpsym.gauss import DivergentExpectation
from tpsym.gauss.numeric import enclose
from tpsym.limit.interpret import Limit
from tpsym.limit.scalars import covariance, scalar_limit
from tpsym.limit.series import Grows, SizeUnknown
from tpsym.polyhedra.conditions import Expression
from tpsym.polyhedra.forms import number
from tpsym.program.graph import Program
from tpsym.program.scope import Context
from tpsym.program.values import Function
from tpsym.results.answers import needed
from tpsym.results.inputs import default_inputs
from tpsym.results.reasons import NoLimit
from tpsym.results.trained import output as output_at
from tpsym.scaling.arrays import Solved
from tpsym.scaling.cancelling import check_size
from tpsym.scaling.depth import read_depth
from tpsym.scaling.mup import Gauge, MaximalUpdate
from tpsym.scaling.mup import maximal_update as solved
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer


def analyse(
    context: Context, function: Function, optimizer: Optimizer, span: Span, *, alignment: Alignment = "worst",
    depth: bool = False,
) -> Scaling:
    """The exponents of a network under an optimizer, at the first inputs of the file that fit it.

    With ``parametrization mup`` the learning rates given are times those of the maximal update parametrisation, and
    multipliers and initial entries are its own. Exponents are of the width, or with ``depth`` of the depth, for a
    residual network at infinite width.

    Raises:
        TpError: the network has no scalar output or no inputs fit; see :func:`tpsym.scaling.setup.read`.
    """
    with _refusals(span):
        return _analyse(context, function, optimizer, span, alignment, depth)


def _analyse(
    context: Context, function: Function, optimizer: Optimizer, span: Span, alignment: Alignment, depth: bool
) -> Scaling:
    reader, solved_for = (read_depth if depth else read), None
    target = output(context, function, span)
    if context.parametrization == "mup":
        found = solved(context, target, optimizer, span, depth=depth, nonzero=partial(nonzero, context))
        scale = found.scaling.run.setting.scale
        solved_for = {
            r.array: Solved(number(r.multiplier), number(r.std), scale.power(optimizer.rate_of(r.array)) + r.lr)
            for r in found.rows
        }
    run = reader(
        context, target, optimizer, span, alignment=alignment, solved=solved_for, nonzero=partial(nonzero, context)
    )
    return Scaling(run, optimizer)


def maximal_update(
    context: Context, function: Function, optimizer: Optimizer, span: Span, *, multipliers: Gauge = "one",
    depth: bool = False,
) -> MaximalUpdate:
    """The maximal update parametrisation of a network for an optimizer.

    Raises:
        TpError: as :func:`analyse`, and where there is none.
    """
    with _refusals(span):
        return solved(
            context, output(context, function, span), optimizer, span, multipliers=multipliers, depth=depth,
            nonzero=partial(nonzero, context),
        )


def initial(scaling: Scaling, expr: Expr, span: Span) -> Expression | None:
    """The exponent of a vector or a number over nodes at initialisation, ``None`` if it is zero.

    Raises:
        NoLimit: it rests on a mean that may vanish in the limit.
    """
    with _refusals(span):
        check_size(scaling.run, expr, span)
    return scaling.init(expr)


SECONDS = 5.0
"""For the enclosure of one number."""


def nonzero(context: Context, program: Program, expr: Expr) -> bool:
    """Whether the limit of a number over nodes is certainly not zero; where it stays random, whether its variance is.

    Parameters and inner products of different inputs are of order one, hence not zero, but may have any other value.
    """
    limit = Limit(program, context.n)
    try:
        found = scalar_limit(limit, expr)
        value = covariance(limit, found, found) if found.noise and found.gaussian else found.value
    except (SizeUnknown, Grows, DivergentExpectation):
        return False
    if found.noise and not found.gaussian:
        return False
    definitions = dict(needed(value, limit.definitions))
    if not set().union(*(e.free_symbols for e in (value, *definitions.values()))) - definitions.keys():
        return _certainly_nonzero(value, definitions)
    value = limit.written_out(value)
    if value.free_symbols & limit.definitions.keys():
        return False
    some = {s: Symbol(s.name, nonzero=True, real=True) for s in value.free_symbols if not s.is_positive}
    some |= {s: Symbol(s.name, positive=True) for s in some if s.is_nonnegative}
    factors = Mul.make_args(factor_terms(value.xreplace(some)))
    return all(f.is_nonzero if f.free_symbols else _certainly_nonzero(f, {}) for f in factors)


def _certainly_nonzero(number: Expr, definitions: Mapping[Symbol, Expr]) -> bool:
    deadline = time.monotonic() + SECONDS
    ball = enclose(number, {}, definitions=definitions, deadline=deadline, estimates=False).value
    return bool(ball.is_finite() and not ball.contains(0))


REFUSED = ("no-maximal-update", "not-closed", "symbolic-depth", "no-residual-loop", "cancelling-mean")
"""Codes of questions that make sense but have no answer here."""


@contextmanager
def _refusals(span: Span) -> Iterator[None]:
    try:
        yield
    except TpError as error:
        found = error.diagnostics[0]
        if found.code not in REFUSED:
            raise
        fix = f"; {found.fix}" if found.fix else ""
        raise NoLimit(found.message + fix, span) from None


def output(context: Context, function: Function, span: Span) -> Expr:
    """The output of a network at the declared inputs, in the order of the file."""
    count = len(function.definition.parameters)
    given = [value for _, value in default_inputs(context.scope)]
    if not given:
        raise fail("no-inputs", f"the file declares no inputs for {function.name}", span, fix="input x: (d)")
    arguments = tuple(given[i % len(given)] for i in range(count))
    return output_at(context, function, arguments, span)


__all__ = ["MaximalUpdate", "Scaling", "analyse", "initial", "maximal_update", "nonzero", "output"]
