r"""Closed forms of recurrences over layers: y_l = step(y_(l-1), l) from a given initial value.

Solved are recurrences affine in the statistic: a factor free of l with sums of c·r^l·poly(l), a rational
factor whose product telescopes, and those that stay at their initial value. Every solution is put back
into its recurrence before it is returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.concrete.gosper import gosper_sum
from sympy.polys.polyerrors import PolynomialError

from tpsym.results.exponentials import (
    Term,
    accumulated,
    exponentials,
    particular,
    polynomial,
    product,
    spread,
    vanishes,
)

LARGEST = 400
"""Expressions with more operations than this are not tidied."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The value at layer ``index``; ``conditions`` are pairs that must differ for the formula to be valid."""

    expr: Expr
    conditions: tuple[tuple[Expr, Expr], ...] = ()

    @property
    def note(self) -> str:
        """The conditions in words; empty if the formula is valid for all admissible parameters."""
        written = [f"{left} != {right}".replace("**", "^") for left, right in self.conditions]
        return f"for {' and '.join(written)}" if written else ""


@dataclass(frozen=True, slots=True)
class Equation:
    """One statistic of a layer in terms of ``previous``, itself one layer before, and of others."""

    previous: Symbol
    step: Expr
    initial: Expr


@dataclass(frozen=True, slots=True)
class _Form:
    """A solution in the count m = 0, 1, … of steps: Σ power·coefficient + first·initial + rest."""

    parts: tuple[tuple[Expr, Expr], ...]
    first: Expr = S.Zero
    initial: Expr = S.Zero
    rest: Expr = S.Zero
    conditions: tuple[tuple[Expr, Expr], ...] = ()

    @property
    def expr(self) -> Expr:
        return sp.Add(*(power * c for power, c in self.parts), self.first * self.initial, self.rest)


def solve(previous: Symbol, step: Expr, *, index: Symbol, low: Expr, initial: Expr) -> Solution | None:
    """y at layer ``index`` ≥ low - 1, where y_l = step(previous = y_(l-1), index = l) for l ≥ low, y_(low-1) = initial.

    ``None`` where no closed form is found that can be verified.
    """
    m = sp.Dummy("m", integer=True, nonnegative=True)
    rule = step.xreplace({index: m + low - 1})
    try:
        for form in _candidates(previous, rule, initial, m):
            if _verified(form, previous, rule, initial, m):
                return _presented(form, m, index - low + 1)
    except PolynomialError:
        return None
    return None


def solve_all(equations: Mapping[Symbol, Equation], *, index: Symbol, low: Expr) -> dict[Symbol, Solution]:
    """The statistics at layer ``index`` that have closed forms, each before those that rest on it.

    A step may mention other statistics at the same layer or one layer before; what would need two at
    once is left out.
    """
    solved: dict[Symbol, Solution] = {}
    while True:
        known: dict[Symbol, Expr] = {s: found.expr for s, found in solved.items()}
        known |= {equations[s].previous: found.expr.xreplace({index: index - 1}) for s, found in solved.items()}
        for symbol, equation in equations.items():
            if symbol in solved or not _ready(symbol, equations, known.keys()):
                continue
            found = solve(equation.previous, equation.step.xreplace(known), index=index, low=low,
                          initial=equation.initial)
            if found is not None:
                used = _used(equation, equations, solved)
                conditions = (c for s in used for c in solved[s].conditions)
                solved[symbol] = Solution(found.expr, tuple(dict.fromkeys((*conditions, *found.conditions))))
                break
        else:
            return solved


def _ready(symbol: Symbol, equations: Mapping[Symbol, Equation], known: object) -> bool:
    """Whether the step rests on nothing unsolved but the statistic itself one layer before."""
    own = equations[symbol]
    statistics = equations.keys() | {e.previous for e in equations.values()}
    return own.step.free_symbols & statistics <= {own.previous, *known}  # type: ignore[misc]


def _used(equation: Equation, equations: Mapping[Symbol, Equation], solved: Mapping[Symbol, Solution]) -> list[Symbol]:
    names = equation.step.free_symbols
    return [s for s in solved if s in names or equations[s].previous in names]


def _candidates(previous: Symbol, rule: Expr, initial: Expr, m: Symbol) -> Iterator[_Form]:
    if vanishes(rule.xreplace({previous: initial}) - initial, m):
        yield _Form((), S.One, initial)
        return
    opened = spread(rule)
    a = opened.coeff(previous, 1)
    b = spread(opened - a * previous)
    if a.has(previous) or b.has(previous):
        return
    a = _tidied(a)
    if a == 0:
        yield _Form(((S.One, b),))
    elif not a.has(m):
        terms = exponentials(b, m)
        if terms is not None:
            yield _constant_factor(a, terms, initial, m)
        elif a == 1:
            yield from _telescoping(b, initial, m)
    else:
        yield from _varying_factor(a, b, initial, m)


def _constant_factor(a: Expr, terms: list[Term], initial: Expr, m: Symbol) -> _Form:
    """y_m = a y_(m-1) + Σ r^(m-1+k) p(m)."""
    parts: dict[Expr, Expr] = {}
    rest: list[Expr] = []
    conditions: list[tuple[Expr, Expr]] = []

    def add(power: Expr, coefficient: Expr) -> None:
        parts[power] = parts.get(power, S.Zero) + coefficient

    for t in terms:
        r = t.ratio
        gap = _tidied(r - a)
        if sp.cancel(gap) == 0:
            # a^(m-1+k) (p(1) + … + p(m))
            add(a ** (m - 1 + t.shift), polynomial(accumulated(t.coefficients), m))
            if t.shift < 1 and not a.is_nonzero:
                conditions.append((a, S.Zero))
            continue
        if not _nonzero(gap):
            conditions.append((a, r) if r.is_number else (r, a))
        q = [c * r**t.shift for c in particular(t.coefficients, r, a)]
        if len(q) == 1 and not gap.is_number:
            c = t.coefficients[0] * r**t.shift
            rest.append(c * (a**m - 1) / (a - 1) if r == 1 else c * (r**m - a**m) / (r - a))
            continue
        add(r**m, polynomial(q, m))
        add(a**m, -q[0])
    return _Form(tuple(parts.items()), a**m, initial, sp.Add(*rest), tuple(dict.fromkeys(conditions)))


def _telescoping(b: Expr, initial: Expr, m: Symbol) -> Iterator[_Form]:
    """y_m = y_(m-1) + b(m) for a b whose sum is of its own kind."""
    k = sp.Dummy("k", integer=True, positive=True)
    total = gosper_sum(b.xreplace({m: k}), (k, 1, m))
    if total is not None:
        yield _Form(((S.One, total),), S.One, initial)


def _varying_factor(a: Expr, b: Expr, initial: Expr, m: Symbol) -> Iterator[_Form]:
    """y = H z with H = a(1)⋯a(m), z_m = z_(m-1) + b(m)/H(m)."""
    found = product(a, m)
    if found is None:
        return
    c, p = found
    at_start = p.xreplace({m: S.Zero})
    if b == 0:
        yield _Form((), c**m * sp.factor(p / at_start), initial)
        return
    scaled = exponentials(sp.cancel(b * at_start / p) * c ** (-m), m)
    if scaled is None or not c.is_nonzero:
        return
    inner = _constant_factor(S.One, scaled, initial, m)
    factor = c**m * sp.factor(p / at_start)
    parts = tuple((power * factor, coefficient) for power, coefficient in inner.parts)
    yield _Form(parts, factor, initial, inner.rest * factor, inner.conditions)


def _verified(form: _Form, previous: Symbol, rule: Expr, initial: Expr, m: Symbol) -> bool:
    """Whether the initial value and the step hold identically, with nothing undefined on the way."""
    before = form.expr.xreplace({m: m - 1})
    start = form.expr.xreplace({m: S.Zero})
    return (
        not start.has(S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity)
        and all(_nonzero(p.base) for p in form.expr.atoms(sp.Pow) if p.base.has(m) and not p.exp.is_nonnegative)
        and vanishes(start - initial, m)
        and vanishes(form.expr - rule.xreplace({previous: before}), m)
    )


def _nonzero(expr: Expr) -> bool:
    """Whether the expression vanishes nowhere, by the assumptions on its symbols."""
    return any(e.is_nonzero is True for e in (expr, sp.expand(expr), sp.factor(expr)))


def _presented(form: _Form, m: Symbol, count: Expr) -> Solution:
    """The solution at layer ``index``, what multiplies the same power together where that is shorter."""
    shown = {m: count}
    parts = {power.xreplace(shown): c.xreplace(shown) for power, c in form.parts}
    first = form.first.xreplace(shown)
    rest = parts.pop(first, S.Zero)
    together = _tidied(rest + form.initial)
    apart = _tidied(rest) + form.initial
    head = first * min(apart, together, key=sp.count_ops)
    tail = sp.Add(*(power * _tidied(c) for power, c in parts.items()), form.rest.xreplace(shown))
    conditions = tuple((left.xreplace(shown), right.xreplace(shown)) for left, right in form.conditions)
    return Solution(head + tail, conditions)


def _tidied(expr: Expr) -> Expr:
    """The shortest of the ways to write a coefficient."""
    if sp.count_ops(expr) > LARGEST:
        return expr
    return min((sp.factor(expr), spread(expr), expr), key=sp.count_ops)
