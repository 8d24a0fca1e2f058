"""Names for numbers that would be unreadable, or computed again and again, where they are used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sympy import Expr, Symbol

from tpsym.gauss.expectation import E
from tpsym.limit.variables import is_monomial, label_latex

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit


LONG = 60
"""Operations of a number that is written out inside a random variable."""


def name_covariance(limit: Limit, value: Expr, pair: tuple[Symbol, Symbol]) -> Expr:
    """The value itself if it is a monomial, otherwise a symbol defined as it; equal values share one."""
    if is_monomial(value):
        return value
    known = limit._named.get(value)
    if known is not None:
        return known
    owners = limit.variables.owner
    a, b = (limit.label(owners[s]) for s in pair)
    text, latex = covariance_name(a, b)
    assumption = {"nonnegative": True} if pair[0] == pair[1] else {"real": True}
    return _define(limit, value, limit.variables.name(text, latex, **assumption))


def name_number(limit: Limit, value: Expr) -> Expr:
    """A number that holds an unevaluated expectation, or is long, by a name: it goes into random variables, whose own
    expectations are to have no expectations inside, and into linear algebra."""
    if not value.has(E) and value.count_ops() <= LONG:
        return value
    known = limit._named.get(value)
    if known is not None:
        return known
    count = 1 + sum(s.name.startswith("κ[") for s in limit.definitions)
    symbol = limit.variables.name(f"κ[{count}]", rf"\kappa_{{{count}}}", real=True)
    return _define(limit, value, symbol)


def numbers_written_out(limit: Limit, expr: Expr) -> Expr:
    """A random variable with its numbers in place of their names, to be shown and not to be averaged."""
    numbers = {s: limit.definitions[s] for s in expr.free_symbols if s.name.startswith("κ[")}
    found: Expr = expr.xreplace(numbers)
    return found


def _define(limit: Limit, value: Expr, symbol: Symbol) -> Symbol:
    limit.definitions[symbol] = value
    limit._named[value] = symbol
    return symbol


def covariance_name(a: str, b: str) -> tuple[str, str]:
    """``K[h[2]](x, y)`` for the pair ``h[2](x)``, ``h[2](y)``; ``K(a, b)`` for any other pair."""
    first, second = (re.fullmatch(r"([^\s()*+]+)\((.+)\)", label) for label in (a, b))
    if first and second and first[1] == second[1] and "(" not in first[2] + second[2]:
        f, s, t = first[1], first[2], second[2]
        return f"K[{f}]({s}, {t})", rf"K_{{{label_latex(f)}}}({label_latex(s)}, {label_latex(t)})"
    return f"K({a}, {b})", rf"K({label_latex(a)}, {label_latex(b)})"
