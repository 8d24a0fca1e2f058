"""Answers that are polynomials, written out: what a person would write on the board in place of named values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.field import Field, OutOfBudgetError, rational, symbols_of
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.values import Condition, Scalar

MAX_TERMS = 40
"""Terms a factor may have; longer ones are read better with named values."""
BUDGET = 200_000


def closed_form(expr: Expr, definitions: Sequence[tuple[Symbol, Expr]], facts: Mapping[Symbol, Expr]) -> Expr | None:
    """A polynomial in parameters, in factors; ``None`` where it is none or too long.

    ``definitions`` are those the expression rests on, in order; ``facts`` are values of parameters.
    """
    expr = expr.xreplace(dict(facts))
    written = [(s, e.xreplace(dict(facts))) for s, e in definitions]
    named = {s for s, _ in written}
    field = Field(tuple(s for s in symbols_of([expr, *(e for _, e in written)]) if s not in named), BUDGET)
    try:
        for symbol, value in written:
            found = field.of(value)
            if not found.den.is_one():
                return None
            field.generators[symbol] = found.num
        result = field.of(expr)
    except (ValueError, OutOfBudgetError):
        return None
    if not result.den.is_one() or len(result.num) > MAX_TERMS**2:
        return None
    if not result.num:
        return sp.S.Zero
    constant, factors = result.num.factor()
    if any(len(f) > MAX_TERMS for f, _ in factors):
        return None
    return sp.Mul(rational(constant), *(field.to_sympy(f) ** int(k) for f, k in factors))


def facts(model: Model) -> dict[Symbol, Expr]:
    """The values that an ``assume`` gives to a parameter or an inner product."""
    found: dict[Symbol, Expr] = {}
    for node in model.assumptions:
        for scope in assignments(model.context, node.clauses, model.context.scope):
            value = evaluate(model.context, node.condition, scope)
            if isinstance(value, Condition) and value.op == "==":
                left, right = value.operands
                if isinstance(left, Scalar) and isinstance(right, Scalar) and isinstance(left.expr, Symbol):
                    fact = right.expr.xreplace(found)
                    if left.expr not in fact.free_symbols and left.expr not in found:
                        found[left.expr] = fact
    return found
