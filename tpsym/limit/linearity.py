"""E of sums and of products of independent parts, taken apart before any Gaussian calculus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import sympy as sp
from sympy import Expr, Symbol

INFINITE = (sp.oo, -sp.oo, sp.zoo, sp.nan)
MAX_TERMS = 16384
"""Terms a product of sums may be multiplied out into."""


def summands(expr: Expr, gaussians: Sequence[Symbol]) -> tuple[Expr, ...]:
    """The terms of an integrand, products of sums multiplied out where that leaves fewer variables each.

    Polynomials are left whole: Wick's formula handles them better.
    """
    if len(gaussians) < 3 or is_polynomial(expr, set(gaussians)) or term_count(expr) > MAX_TERMS:
        return (expr,)
    if isinstance(expr, sp.Mul) and not any(isinstance(f.as_base_exp()[0], sp.Add) for f in expr.args):
        return (expr,)
    expanded = sp.expand(expr, deep=False, power_base=False, power_exp=False, log=False)
    return tuple(sp.Add.make_args(expanded))


def is_polynomial(expr: Expr, variables: AbstractSet[Symbol]) -> bool:
    """Whether an expression is a polynomial in the variables as it is written."""
    if isinstance(expr, sp.Add | sp.Mul):
        return all(is_polynomial(a, variables) for a in expr.args)
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp >= 0:
        return is_polynomial(expr.base, variables)
    return expr.is_Symbol or variables.isdisjoint(expr.free_symbols)


def term_count(expr: Expr) -> int:
    """How many terms an expression has when products and natural powers of sums are multiplied out."""
    if isinstance(expr, sp.Add):
        return sum(term_count(a) for a in expr.args)
    if isinstance(expr, sp.Mul):
        count = 1
        for a in expr.args:
            count *= term_count(a)
        return count
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp > 0 and isinstance(expr.base, sp.Add):
        return int(term_count(expr.base) ** min(int(expr.exp), 64))
    return 1


def product(values: Sequence[Expr]) -> Expr:
    """∏ values; with a zero among finite ones at once, where sympy would ask of each whether it is finite."""
    if sp.S.Zero in values and not any(v.has(*INFINITE) for v in values):
        return sp.S.Zero
    return sp.Mul(*values)


def blocks(
    expr: Expr, gaussians: Sequence[Symbol], independent: Callable[[Symbol, Symbol], bool]
) -> list[tuple[Expr, tuple[Symbol, ...]]]:
    """A product as factors in mutually independent groups of Gaussians; constants in front, in no group."""
    constant: Expr = sp.S.One
    groups: list[tuple[Expr, set[Symbol]]] = []
    wanted = set(gaussians)
    for factor in sp.Mul.make_args(expr):
        used = factor.free_symbols & wanted
        if not used:
            constant *= factor
            continue
        parts, rest = [factor], []
        for product, symbols in groups:
            if all(independent(a, b) for a in symbols for b in used):
                rest.append((product, symbols))
            else:
                parts.append(product)
                used = used | symbols
        groups = [*rest, (sp.Mul(*parts), used)]
    ordered = [(product, tuple(g for g in gaussians if g in symbols)) for product, symbols in groups]
    return ([(constant, ())] if constant != 1 else []) + ordered
