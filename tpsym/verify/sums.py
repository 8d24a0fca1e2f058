"""Sums over layers that stay written as sums: one name for equal ones, and their terms at a point.

A sum whose upper limit is more than one below its lower limit counts as undefined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp

MOST_TERMS = 400


def opened(expr: sp.Sum) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(summand, lower, upper) of the outermost summation, the index a symbol that depends on nothing else.

    Raises:
        ValueError: it is not over a range of integers.
    """
    *inner, limit = expr.limits
    if len(limit) != 3:
        raise ValueError("a sum without limits")
    index, low, high = limit
    body = sp.Sum(expr.function, *inner) if inner else expr.function
    if any(index in s.variables for s in body.atoms(sp.Sum)):
        raise ValueError("an index used twice")
    known = {"positive": True} if low.is_positive else {"nonnegative": True} if low.is_nonnegative else {}
    slot = sp.Symbol(f"$index{_height(body)}", integer=True, **known)
    return body.xreplace({index: slot}), low, high


def unrolled(expr: sp.Basic, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Basic:
    """The expression with sums written out where the values make their limits integers."""
    return expr.xreplace({s: _written_out(s, values) for s in _outermost(expr)}) if expr.has(sp.Sum) else expr


def _height(expr: sp.Basic) -> int:
    """How deep sums are nested."""
    below = max((_height(a) for a in expr.args), default=0)
    return below + isinstance(expr, sp.Sum)


def _outermost(expr: sp.Basic) -> Iterator[sp.Sum]:
    walk = sp.preorder_traversal(expr)
    for node in walk:
        if isinstance(node, sp.Sum):
            walk.skip()
            yield node


def _written_out(expr: sp.Sum, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    *inner, limit = expr.limits
    body = sp.Sum(expr.function, *inner) if inner else expr.function
    if len(limit) != 3 or any(limit[0] in s.variables for s in body.atoms(sp.Sum)):
        return expr
    low, high = (x.xreplace(dict(values)) for x in limit[1:])
    if not (low.is_Integer and high.is_Integer and -1 <= high - low < MOST_TERMS):
        return expr
    terms = (body.xreplace({limit[0]: sp.Integer(k)}) for k in range(int(low), int(high) + 1))
    return sp.Add(*(unrolled(t, values) for t in terms))
