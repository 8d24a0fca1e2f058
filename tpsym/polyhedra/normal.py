"""Negation normal form with linear literals: what is left of a condition without ``min``, ``max`` and ``not``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from tpsym.polyhedra.decide import Undecided
from tpsym.polyhedra.forms import Form, number
from tpsym.polyhedra.trees import (
    OPPOSITE,
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
    Point,
    difference,
)

MOST_CLAUSES = 20_000
"""More than so many alternatives are not written out."""


@dataclass(frozen=True)
class Literal:
    """``form >= 0``, or ``form > 0`` if strict."""

    form: Form
    strict: bool

    def holds(self, point: Point) -> bool:
        value = self.form.value(point)
        return value > 0 if self.strict else value >= 0


@dataclass(frozen=True)
class AllOf:
    items: tuple[Normal, ...]


@dataclass(frozen=True)
class AnyOf:
    items: tuple[Normal, ...]


Normal = Literal | AllOf | AnyOf
Clause = frozenset[Form]


def normal(condition: Condition, *, positive: bool = True) -> Normal:
    """The condition, or its negation, from literals by "all of" and "any of".

    Raises:
        Undecided: it has too many alternatives.
    """
    match condition:
        case Compare(op, left, right):
            return _comparison(op if positive else OPPOSITE[op], difference(left, right))
        case And(items) | Or(items):
            inner = tuple(normal(item, positive=positive) for item in items)
            return AllOf(inner) if isinstance(condition, And) == positive else AnyOf(inner)
        case Not(item):
            return normal(item, positive=not positive)
        case Constant(value):
            return AllOf(()) if value == positive else AnyOf(())


def _comparison(op: str, gap: Expression) -> Normal:
    match op:
        case ">=" | ">":
            return _at_least(gap, 1, strict=op == ">")
        case "<=" | "<":
            return _at_least(gap, -1, strict=op == "<")
        case "==":
            return AllOf((_at_least(gap, 1, strict=False), _at_least(gap, -1, strict=False)))
        case _:
            return AnyOf((_at_least(gap, 1, strict=True), _at_least(gap, -1, strict=True)))


def _at_least(gap: Expression, sign: int, *, strict: bool) -> Normal:
    alternatives = [
        AllOf(tuple(Literal(form, strict) for form in sorted(clause, key=str)))
        for clause in max_of_mins(gap, Fraction(sign))
    ]
    return alternatives[0] if len(alternatives) == 1 else AnyOf(tuple(alternatives))


def max_of_mins(expression: Expression, factor: Fraction = Fraction(1)) -> tuple[Clause, ...]:
    """The clauses C with ``factor · expression = max_C min C``, none superfluous by inclusion.

    Raises:
        Undecided: there are too many.
    """
    match expression:
        case Form():
            return (frozenset({expression * factor}),)
        case MaxOf(items) | MinOf(items):
            inner = [max_of_mins(item, factor) for item in items]
            if isinstance(expression, MaxOf) == (factor > 0):
                return _needed(clause for part in inner for clause in part)
            return reduce(lambda a, b: _needed(p | q for p, q in _pairs(a, b)), inner)
        case Combination(constant, terms):
            start: tuple[Clause, ...] = (frozenset({number(constant * factor)}),)
            parts = (max_of_mins(item, q * factor) for q, item in terms)
            return reduce(lambda a, b: _needed(_sum(p, q) for p, q in _pairs(a, b)), parts, start)


def _pairs(left: tuple[Clause, ...], right: tuple[Clause, ...]) -> Iterator[tuple[Clause, Clause]]:
    if len(left) * len(right) > MOST_CLAUSES:
        raise Undecided("too many alternatives")
    return ((p, q) for p in left for q in right)


def _sum(left: Clause, right: Clause) -> Clause:
    return frozenset(p + q for p in left for q in right)


def _needed(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    found = sorted(set(map(_smallest, clauses)), key=len)
    kept: list[Clause] = []
    for clause in found:
        if not any(other <= clause for other in kept):
            kept.append(clause)
    return tuple(sorted(kept, key=lambda clause: sorted(map(str, clause))))


def _smallest(clause: Clause) -> Clause:
    """Of forms that differ by a constant the smallest alone."""
    best: dict[tuple[tuple[str, Fraction], ...], Form] = {}
    for form in clause:
        old = best.get(form.terms)
        if old is None or form.constant < old.constant:
            best[form.terms] = form
    return frozenset(best.values())


def true_literals(tree: Normal, point: Point) -> tuple[Literal, ...] | None:
    """Literals true at the point that together imply the tree; None: it is false there."""
    match tree:
        case Literal():
            return (tree,) if tree.holds(point) else None
        case AllOf(items):
            found: list[Literal] = []
            for item in items:
                inner = true_literals(item, point)
                if inner is None:
                    return None
                found.extend(inner)
            return tuple(dict.fromkeys(found))
        case AnyOf(items):
            inners = (true_literals(item, point) for item in items)
            return next((inner for inner in inners if inner is not None), None)
