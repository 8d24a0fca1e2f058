"""Limits as decimal numbers."""

from __future__ import annotations

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
from tpsym.results.derive import needed
from tpsym.results.questions import LimitQuestions, NoLimit
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
    if not isinstance(found, Scalar) or found.expr.free_symbols & model.context.nodes.keys():
        raise fail("number-expected", f"this is {describe(found)}, not a limit", node.span, fix="lim(…) or E[…]")
    return decimal(model, side, found.expr, overrides, digits)


def decimal(
    model: Model, side: LimitQuestions, expr: Expr, overrides: Mapping[str, Expr], digits: int
) -> str:
    """The value of a derived expression as decimal text; digits that are not certain are not shown."""
    definitions = dict(needed(expr, side.limit.definitions))
    values = settings(model, [expr, *definitions.values()], definitions, overrides)
    number, certain = ball_value(expr, values, digits=digits, definitions=definitions)
    if certain < 1:
        raise fail("no-digits", f"no digit of this value could be certified: {number.value}")
    text = str(number.value.str(min(digits, certain), radius=False))
    return text if number.rigorous else f"{text} (estimated error)"


def settings(
    model: Model, expressions: list[Expr], definitions: Mapping[Symbol, Expr], overrides: Mapping[str, Expr]
) -> dict[Symbol, Fraction]:
    """A rational for every free symbol: from ``--set``, else its default.

    Raises:
        TpError: a symbol has no value, or one that is not rational (use a claim for those).
    """
    free = set().union(*(e.free_symbols for e in expressions)) - definitions.keys()
    values: dict[Symbol, Fraction] = {}
    missing: list[str] = []
    for symbol in sorted(free, key=str):
        given = overrides.get(symbol.name, model.context.parameters.get(symbol))
        number = None if given is None else rational(given)
        if number is None:
            missing.append(symbol.name)
        else:
            values[symbol] = number
    if missing:
        first = missing[0]
        raise fail(
            "no-value",
            f"no value for {', '.join(missing)}",
            fix=f"--set '{first}=1'" + (" (and so on)" if len(missing) > 1 else ""),
        )
    return values


def rational(value: Expr) -> Fraction | None:
    """An exact rational, or the 40-digit rational next to an exact irrational number."""
    if isinstance(value, sp.Rational):
        return Fraction(int(value.p), int(value.q))
    if value.is_number and value.is_real:
        return Fraction(str(sp.N(value, 40)))
    return None
