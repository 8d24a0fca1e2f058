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
from tpsym.results.meanfield_maps import C, Q
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
    check_depth(model, side, expr)
    fixed = fixed_points(side, expr, overrides, digits)
    if fixed:
        expr = expr.xreplace(fixed)
    values, exact = settings(model, [expr, *definitions.values()], definitions, overrides)
    definitions |= exact
    deadline = None if seconds is None else time.monotonic() + seconds
    number, certain = ball_value(expr, values, digits=digits, definitions=definitions, deadline=deadline)
    if certain < 1 and number.value.contains(0) and abs(number.value) < 10 ** (-digits):
        return f"0 (within 1e-{digits})"
    if certain < 1:
        raise fail("no-digits", f"no digit of this value could be certified ({number.value})")
    text = str(number.value.str(min(digits, certain), radius=False))
    return text if number.rigorous and not fixed else f"{text} (estimated error)"


def check_depth(model: Model, side: LimitQuestions, expr: Expr) -> None:
    """A number needs a depth.

    Raises:
        TpError: the expression rests on a loop over a symbolic number of layers.
    """
    if side.recursions.statistics_in([expr]):
        names = sorted(n for n in model.context.depths if isinstance(v := model.context.scope.names[n], Scalar)
                       and not v.expr.is_Integer)
        raise fail("no-value", f"no value for {', '.join(names)}", fix=f"--set {names[0]}=3")


def fixed_points(
    side: LimitQuestions, expr: Expr, overrides: Mapping[str, Expr], digits: int
) -> dict[Symbol, Expr]:
    """q* and c* of mean field theory as numbers, known to some more digits than are asked for.

    Raises:
        TpError: a parameter they depend on has no value, or they were not found.
    """
    wanted = expr.free_symbols & {C, Q}
    if not wanted:
        return {}
    (found, *others) = side.theories.values()
    if others:
        raise fail("no-value", "fixed points of two networks in one expression have no names of their own")
    values = {s: e for s in found.maps.free if (e := overrides.get(s.name, found.maps.parameters.get(s))) is not None}
    at = found.evaluate(values, digits=digits + 20)
    known = {Q: at.variance, C: at.correlation}
    numbers: dict[Symbol, Expr] = {}
    for symbol in wanted:
        quantity = known[symbol]
        if quantity is None or quantity.certain < digits:
            raise fail("no-digits", f"{symbol} was not found at these values")
        numbers[symbol] = sp.Rational(str(quantity.number.value.str(quantity.certain, radius=False)))
    return numbers


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
