"""Expressions and conditions from sympy, to sympy, and as text of a ``.tp`` file."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.trees import (
    FALSE,
    TRUE,
    And,
    Combination,
    Compare,
    Condition,
    Constant,
    Expression,
    MaxOf,
    MinOf,
    Not,
    Or,
    combination,
    max_of,
    min_of,
)

# --- sympy -----------------------------------------------------------------------------------------


def from_sympy(expr: sp.Expr) -> Expression | None:
    """What rationals, symbols, sums, rational multiples, ``Min`` and ``Max`` make; None for anything else."""
    if isinstance(expr, sp.Rational):
        return number(_fraction(expr)) if expr.is_finite else None
    if isinstance(expr, sp.Symbol):
        return variable(expr.name)
    if isinstance(expr, sp.Mul):
        factor, rest = expr.as_coeff_Mul(rational=True)
        inner = from_sympy(rest) if rest != expr and isinstance(factor, sp.Rational) else None
        return None if inner is None else combination(0, ((_fraction(factor), inner),))
    if isinstance(expr, sp.Add | sp.Max | sp.Min):
        items = [item for item in map(from_sympy, expr.args) if item is not None]
        if len(items) < len(expr.args):
            return None
        if isinstance(expr, sp.Add):
            return combination(0, ((1, item) for item in items))
        return max_of(items) if isinstance(expr, sp.Max) else min_of(items)
    return None


def _fraction(value: sp.Rational) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def to_sympy(expression: Expression, symbols: Mapping[str, sp.Symbol]) -> sp.Expr:
    """The expression in the symbols that stand for its variables.

    Raises:
        KeyError: a variable has no symbol.
    """
    match expression:
        case Form(constant, terms):
            return sp.Add(_rational(constant), *(_rational(q) * symbols[v] for v, q in terms))
        case MaxOf(items):
            return sp.Max(*(to_sympy(item, symbols) for item in items))
        case MinOf(items):
            return sp.Min(*(to_sympy(item, symbols) for item in items))
        case Combination(constant, parts):
            return sp.Add(_rational(constant), *(_rational(q) * to_sympy(item, symbols) for q, item in parts))


SYMPY_RELATIONS = {"==": sp.Eq, "!=": sp.Ne, "<=": sp.Le, ">=": sp.Ge, "<": sp.Lt, ">": sp.Gt}


def condition_to_sympy(condition: Condition, symbols: Mapping[str, sp.Symbol]) -> sp.Basic:
    """The condition in the symbols that stand for its variables.

    Raises:
        KeyError: a variable has no symbol.
    """
    match condition:
        case Compare(op, left, right):
            return SYMPY_RELATIONS[op](to_sympy(left, symbols), to_sympy(right, symbols))
        case And(items):
            return sp.And(*(condition_to_sympy(item, symbols) for item in items))
        case Or(items):
            return sp.Or(*(condition_to_sympy(item, symbols) for item in items))
        case Not(item):
            return sp.Not(condition_to_sympy(item, symbols))
        case Constant(value):
            return sp.true if value else sp.false


# --- text ------------------------------------------------------------------------------------------

def expression_text(expression: Expression) -> str:
    """``min(x, y) + 2*a[1] - 1/2``."""
    match expression:
        case Form(constant, terms):
            return _sum_text(constant, [(q, name) for name, q in terms])
        case MaxOf(items):
            return f"max({', '.join(map(expression_text, items))})"
        case MinOf(items):
            return f"min({', '.join(map(expression_text, items))})"
        case Combination(constant, parts):
            return _sum_text(constant, [piece for q, item in parts for piece in _pieces(q, item)])


def _pieces(factor: Fraction, item: Expression) -> list[tuple[Fraction, str]]:
    if isinstance(item, Form):
        free = [(factor * q, name) for name, q in item.terms]
        return [*free, (factor * item.constant, "")] if item.constant else free
    body = expression_text(item)
    return [(factor, f"({body})" if isinstance(item, Combination) else body)]


def _sum_text(constant: Fraction, pieces: list[tuple[Fraction, str]]) -> str:
    """Positive pieces first, the constant last unless it is the only positive one."""
    level = constant + sum((q for q, body in pieces if not body), Fraction(0))
    named = sorted(((q, body) for q, body in pieces if body and q), key=lambda piece: piece[0] < 0)
    leads = level > 0 and all(q < 0 for q, _ in named)
    numbers = [(level, "")] if level or not named else []
    text = ""
    for q, body in [*numbers, *named] if leads else [*named, *numbers]:
        size = abs(q)
        shown = body if body and size == 1 else f"{size}*{body}" if body else str(size)
        text += (("-" if q < 0 else "") if not text else " - " if q < 0 else " + ") + shown
    return text


def to_text(condition: Condition) -> str:
    """The condition as it stands in a ``.tp`` file: ``a[1] + b[1] == 0 and min(x, y) >= 1/2``."""
    match condition:
        case Compare(op, left, right):
            return f"{expression_text(left)} {op} {expression_text(right)}"
        case Constant(value):
            return "0 == 0" if value else "0 == 1"
        case Not(item):
            return f"not {_bracketed(item, (And, Or))}"
        case And(items):
            return " and ".join(_bracketed(item, (Or,)) for item in items) or to_text(TRUE)
        case Or(items):
            return " or ".join(map(to_text, items)) or to_text(FALSE)


def _bracketed(condition: Condition, kinds: tuple[type, ...]) -> str:
    return f"({to_text(condition)})" if isinstance(condition, kinds) else to_text(condition)
