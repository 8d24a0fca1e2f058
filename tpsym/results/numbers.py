"""Limits as decimal numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from fractions import Fraction

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.gauss.numeric import value as ball_value
from tpsym.program.arithmetic import plain
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate as evaluate_value
from tpsym.program.values import GaussianLaw, Scalar, describe
from tpsym.results.answers import needed
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree


def evaluate(
    model: Model, side: LimitQuestions, node: tree.Expr, *, overrides: Mapping[str, Expr], digits: int
) -> str:
    """A limit-side expression at the defaults and settings of the parameters, with certified digits.

    Raises:
        TpError: a parameter has no value; the expression is no number.
    """
    try:
        found = plain(model.context, evaluate_value(model.context, node, model.context.scope), node.span)
    except NoLimit as error:
        raise fail("no-limit", error.reason, error.span) from None
    if isinstance(found, GaussianLaw):
        mean, variance = (decimal(model, side, e, overrides, digits) for e in (found.mean, found.variance))
        return f"N({mean}, {variance})"
    if not isinstance(found, Scalar):
        raise fail("number-expected", f"this is {describe(found)}, not a number", node.span, fix="E[…] of a vector")
    if found.expr.free_symbols & model.context.nodes.keys():
        what = "this is a scalar of the program, random at every finite width"
        raise fail("not-a-limit", what, node.span, fix="ask for its limit: lim(…)")
    if model.context.n in found.expr.free_symbols:
        what = f"this depends on {model.context.n}, which goes to infinity"
        raise fail("no-limit", what, node.span)
    return decimal(model, side, found.expr, overrides, digits)


def decimal(
    model: Model, side: LimitQuestions, expr: Expr, overrides: Mapping[str, Expr], digits: int, *,
    seconds: float | None = None,
) -> str:
    """The value of a derived expression as decimal text; digits that are not certain are not shown."""
    definitions = dict(needed(expr, side.limit.definitions))
    values, exact = settings(model, [expr, *definitions.values()], definitions, overrides)
    definitions |= exact
    deadline = None if seconds is None else time.monotonic() + seconds
    number, certain = ball_value(expr, values, digits=digits, definitions=definitions, deadline=deadline)
    if certain < 1 and number.value.contains(0) and abs(number.value) < 10 ** (-digits):
        return f"0 (within 1e-{digits})"
    if certain < 1:
        raise fail("no-digits", f"no digit of this value could be certified ({number.value})")
    text = str(number.value.str(min(digits, certain), radius=False))
    return text if number.rigorous else f"{text} (estimated error)"


def settings(
    model: Model, expressions: list[Expr], definitions: Mapping[Symbol, Expr], overrides: Mapping[str, Expr]
) -> tuple[dict[Symbol, Fraction], dict[Symbol, Expr]]:
    """Rational values and, for irrational ones, exact expressions: from ``--set``, else the default.

    Raises:
        TpError: a symbol has no value.
    """
    todo = sorted(set().union(*(e.free_symbols for e in expressions)) - definitions.keys(), key=str)
    values: dict[Symbol, Fraction] = {}
    exact: dict[Symbol, Expr] = {}
    missing: list[str] = []
    while todo:
        symbol = todo.pop(0)
        given = overrides.get(symbol.name, model.context.parameters.get(symbol))
        if given is None:
            missing.append(symbol.name)
        elif isinstance(given, sp.Rational):
            values[symbol] = Fraction(int(given.p), int(given.q))
        else:
            exact[symbol] = given
            todo += sorted(given.free_symbols - values.keys() - exact.keys() - set(todo), key=str)
    if missing:
        first = missing[0]
        raise fail(
            "no-value",
            f"no value for {', '.join(missing)}",
            fix=f"--set '{first}=1'" + (" (and so on)" if len(missing) > 1 else ""),
        )
    return values, exact


def rational(value: Expr) -> Fraction | None:
    """An exact rational, or the 40-digit rational next to an exact irrational number."""
    if isinstance(value, sp.Rational):
        return Fraction(int(value.p), int(value.q))
    if value.is_number and value.is_real:
        return Fraction(str(sp.N(value, 40)))
    return None
