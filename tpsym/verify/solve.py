"""Equations as substitutions, where solving them needs no case distinction."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.relational import Relational


def solved(relations: Iterable[Relational]) -> dict[sp.Symbol, sp.Expr]:
    """Symbol → what equations among the relations make it: later values contain no earlier symbol.

    An equation is used if it is a·s^k + b = 0 with a ≠ 0 for certain, and k = 1 or s ≥ 0.
    """
    result: dict[sp.Symbol, sp.Expr] = {}
    for relation in relations:
        if relation.rel_op != "==":
            continue
        gap = sp.expand((relation.lhs - relation.rhs).xreplace(result))
        for symbol in sorted(gap.free_symbols, key=lambda s: (-len(str(s)), str(s))):
            found = _solution(gap, symbol)
            if found is not None:
                result = {s: e.xreplace({symbol: found}) for s, e in result.items()} | {symbol: found}
                break
    return result


def _solution(gap: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """What ``gap = 0`` makes the symbol."""
    for k in (1, 2, 3, 4) if symbol.is_nonnegative else (1,):
        coefficient = gap.coeff(symbol, k)
        rest = sp.expand(gap - coefficient * symbol**k)
        if rest.has(symbol) or coefficient.has(symbol) or not coefficient.is_nonzero:
            continue
        value = -rest / coefficient
        return value if k == 1 else value ** sp.Rational(1, k)
    return None
