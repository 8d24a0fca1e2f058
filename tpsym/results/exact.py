"""``exact(E[s])``: the expectation of a scalar of the program at finite n, as an exact function of n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, fail
from tpsym.exact.graphs import expected_graphs
from tpsym.exact.sizes import TooLargeError
from tpsym.program.arithmetic import plain
from tpsym.program.evaluate import evaluate
from tpsym.program.known_functions import SIGNATURES
from tpsym.program.messages import no_named_arguments, wrong_arity
from tpsym.program.names import limit_question
from tpsym.program.scope import Context, Scope, power_of
from tpsym.program.values import Operator, Scalar, Value, VectorValue, describe
from tpsym.results.exact_graphs import graph_of
from tpsym.results.exact_means import CoordinateMeans, scalar_mean
from tpsym.results.exact_parts import Terms
from tpsym.results.exact_terms import Expansion, matrices_alone
from tpsym.results.reasons import reasons, stand_in
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions


@dataclass(frozen=True, slots=True)
class ExactMean:
    """An exact expectation with what it was computed from: ``terms`` of ``expansion``, averaged by ``means``."""

    text: str
    value: Expr
    span: Span
    expansion: Expansion
    terms: Terms
    means: CoordinateMeans


def ask_exact(side: LimitQuestions, context: Context, node: tree.Call, scope: Scope) -> Value:
    """The handler of ``exact(E[…])``."""
    body = question_body(context, node)
    value = plain(context, evaluate(context, body, scope), body.span)
    if not isinstance(value, Scalar | VectorValue):
        fix = "tr(A) is the trace of a matrix" if isinstance(value, Operator) else None
        what = f"E[…] needs a vector or a number, this is {describe(value)}"
        raise fail("vector-expected", what, body.span, fix=fix)
    expansion, terms = expanded(context, value, body.span)
    if side.dry:
        return Scalar(stand_in(value.expr))
    found = exact_mean(expansion, terms, format_expression(body))
    side.exacts.append(found)
    _log(side, value, found)
    return Scalar(found.value)


def _log(side: LimitQuestions, value: Scalar | VectorValue, found: ExactMean) -> None:
    """The same expectation for a run at finite width, where it has a limit and is linear in traces.

    A run measures a trace along a random direction, so that its square is not that of the trace.
    """
    context = side.context
    limit = limit_of(found.value, context.n)
    asked = {context.nodes[s]: s for s in value.expr.free_symbols if s in context.nodes}
    traced = [asked.get(k) for k in context.builder.program().ancestors(asked) if k in context.traces]
    linear = None not in traced and (not traced or bool(sp.Poly(value.expr, *traced).total_degree() <= 1))
    if limit is not None and linear:
        dimension = value.dimension if isinstance(value, VectorValue) else None
        side.log_quantity(found.span, "mean", ((value.expr, dimension),), limit, name=f"E[{found.text}]")


def limit_of(value: Expr, n: Symbol) -> Expr | None:
    """The limit of a sum of powers of n, ``None`` where it grows or may grow."""
    if any(not e.is_nonpositive for e in exponents(value, n)):
        return None
    constant = powers(value, n).get(S.One, [])
    return sp.Add(S.Zero, *constant)


def question_body(context: Context, node: tree.Call) -> tree.Expr:
    """What stands inside ``exact(E[…])``.

    Raises:
        TpError: something else than one expectation of the program at finite n.
    """
    if node.kwargs:
        raise no_named_arguments("exact", node.kwargs[0][1].span)
    if len(node.args) != 1:
        raise wrong_arity("exact", 1, len(node.args), node.span, signature=SIGNATURES["exact"])
    argument = node.args[0]
    inside = argument.body if isinstance(argument, tree.Expectation) else argument
    limit = limit_question(inside, declared=context.declared)
    if limit is not None:
        what = f"{format_expression(limit)} is a limit; exact(E[…]) is about the program at finite n"
        raise fail("limit-in-exact", what, limit.span, expected=SIGNATURES["exact"])
    if not isinstance(argument, tree.Expectation):
        text = format_expression(argument)
        raise fail("expectation-expected", f"exact needs an expectation, {text} is none", argument.span,
                   expected=SIGNATURES["exact"], fix=None if isinstance(argument, tree.Number) else f"exact(E[{text}])")
    return argument.body


def expanded(context: Context, value: Scalar | VectorValue, span: Span) -> tuple[Expansion, Terms]:
    """A scalar, or the mean of a vector, as a polynomial in what has exact expectations.

    Raises:
        TpError: ``not-available``, where it is none.
    """
    asked = [context.nodes[s] for s in value.expr.free_symbols if s in context.nodes]
    expansion = Expansion(context, span, matrices_alone(context, asked))
    if isinstance(value, VectorValue):
        return expansion, expansion.mean(value.expr, value.dimension)
    return expansion, expansion.expression(value.expr)


def exact_mean(expansion: Expansion, terms: Terms, text: str) -> ExactMean:
    """The expectation.

    Raises:
        NoLimit: a function whose mean does not exist.
        TpError: ``not-available``, where it would take too long.
    """
    context, span = expansion.context, expansion.span
    means = CoordinateMeans(context)
    weighted = [(scalar_mean(context, c), graph_of(expansion, key)) for key, c in terms.items()]
    with reasons(span):
        try:
            value = expected_graphs(weighted, context.n, mean=means)
        except TooLargeError as error:
            raise fail("not-available", f"this exact expectation is not available: {error}", span) from None
    return ExactMean(text, by_powers(value, context.n), span, expansion, terms, means)


def by_powers(value: Expr, n: Symbol) -> Expr:
    """A sum ordered by powers of n, each once."""
    return sp.Add(S.Zero, *(sp.Add(*found) * power for power, found in powers(value, n).items()))


def powers(value: Expr, n: Symbol) -> dict[Expr, list[Expr]]:
    """The coefficients of the powers of n in a sum; exponents may be symbolic."""
    parts: dict[Expr, list[Expr]] = {}
    for term in sp.Add.make_args(sp.expand(value, power_exp=False)):
        c, power = term.as_independent(n, as_Add=False)
        parts.setdefault(sp.powsimp(power), []).append(c)
    return parts


def exponents(value: Expr, n: Symbol) -> list[Expr]:
    """The exponents of n in a sum of powers; NaN for a term that is no power."""
    found = (power_of(power, n) for power in powers(value, n))
    return [S.NaN if each is None else each[1] for each in found]
