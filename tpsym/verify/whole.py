"""Integer symbols and what they are at least: by their assumptions, by conditions, by one another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import sympy as sp
from sympy.core.relational import Relational

Bounds = Mapping[sp.Symbol, sp.Expr]


def lower_bounds(conditions: Iterable[sp.Basic]) -> dict[sp.Symbol, sp.Expr]:
    """Integer symbol → the best affine lower bound found, each before those it is in.

    ``l >= 2`` and ``l <= L`` give {l: 2, L: l}; of several bounds by other symbols the first is kept.
    """
    result: dict[sp.Symbol, sp.Expr] = {}
    found = [pair for c in conditions for pair in _bounds(c)]
    for symbol, bound in sorted(found, key=lambda pair: len(pair[1].free_symbols)):
        known = lowest(symbol, result)
        low = lowest(bound, result)
        if low is None or symbol in _reach(bound, result):
            continue
        plain = symbol not in result or not result[symbol].free_symbols
        if known is None or low > known or (low == known and plain and bound.free_symbols):
            result[symbol] = bound
    return dict(sorted(result.items(), key=lambda pair: _height(pair[0], result)))


def assumed(symbol: sp.Symbol) -> sp.Expr | None:
    """What an integer symbol is at least by its assumptions."""
    if not symbol.is_integer:
        return None
    return sp.Integer(1) if symbol.is_positive else sp.Integer(0) if symbol.is_nonnegative else None


def lowest(expr: sp.Expr, bounds: Bounds) -> int | None:
    """A number that an affine expression in integer symbols is at least."""
    total = 0
    for term, c in expr.as_coefficients_dict().items():
        if term == 1:
            total += int(c)
            continue
        bound = bounds.get(term, assumed(term))
        least = None if bound is None or c < 0 else lowest(bound, bounds)
        if least is None:
            return None
        total += int(c) * least
    return total


def _reach(expr: sp.Expr, bounds: Bounds) -> set[sp.Symbol]:
    """The symbols that a bound rests on."""
    seen: set[sp.Symbol] = set()
    todo = list(expr.free_symbols)
    while todo:
        symbol = todo.pop()
        if symbol not in seen:
            seen.add(symbol)
            todo.extend(bounds[symbol].free_symbols if symbol in bounds else ())
    return seen


def _height(symbol: sp.Symbol, bounds: Bounds) -> int:
    return 1 + max((_height(s, bounds) for s in bounds[symbol].free_symbols), default=0) if symbol in bounds else 0


def _bounds(condition: sp.Basic) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    """The lower bounds of single symbols that an affine inequality between integer symbols is."""
    if isinstance(condition, sp.And):
        for c in condition.args:
            yield from _bounds(c)
    if not isinstance(condition, Relational) or condition.rel_op not in ("<", "<=", ">", ">="):
        return
    gap = sp.expand((condition.lhs - condition.rhs) * (1 if condition.rel_op in (">", ">=") else -1))
    parts = gap.as_coefficients_dict()
    if not all(isinstance(c, sp.Rational) and (s == 1 or (s.is_Symbol and s.is_integer)) for s, c in parts.items()):
        return
    # whole numbers: Σ c s + c0 > 0 is Σ c s >= ceil(-c0), or one more
    scale = math.lcm(*(int(c.q) for c in parts.values()))
    constant = parts.pop(sp.S.One, sp.S.Zero) * scale
    whole = {s: int(c * scale) for s, c in parts.items()}
    if condition.rel_op in ("<", ">"):
        constant -= 1
    for symbol, c in whole.items():
        rest = sp.Add(*(-k * s for s, k in whole.items() if s != symbol), -constant)
        if c == 1:
            yield symbol, rest
        elif c > 1 and not rest.free_symbols:
            yield symbol, sp.ceiling(rest / c)
