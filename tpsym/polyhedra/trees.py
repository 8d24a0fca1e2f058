"""Piecewise linear expressions and Boolean conditions on them: frozen trees, evaluated exactly.

An expression is ``Form | MaxOf | MinOf | Combination``; a condition ``Compare | And | Or | Not | Constant``. The
functions in lower case build them, flattened and with constants folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne

from tpsym.polyhedra.forms import Form, Number, linear

Point = Mapping[str, Fraction]


@dataclass(frozen=True)
class MaxOf:
    """The largest of one or more expressions."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class MinOf:
    """The smallest of one or more expressions."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Combination:
    """``constant + Σ coefficient · expression``."""

    constant: Fraction
    terms: tuple[tuple[Fraction, Expression], ...]


Expression = Form | MaxOf | MinOf | Combination


@dataclass(frozen=True)
class Compare:
    """``left op right``, op one of ``== != <= >= < >``."""

    op: str
    left: Expression
    right: Expression

    def __post_init__(self) -> None:
        if self.op not in RELATIONS:
            raise ValueError(f"no comparison: {self.op!r}")


@dataclass(frozen=True)
class And:
    items: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    items: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    item: Condition


@dataclass(frozen=True)
class Constant:
    value: bool


Condition = Compare | And | Or | Not | Constant

RELATIONS = {"==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
OPPOSITE = {"==": "!=", "!=": "==", "<=": ">", ">": "<=", ">=": "<", "<": ">="}
TRUE = Constant(True)
FALSE = Constant(False)


# --- building --------------------------------------------------------------------------------------


def max_of(items: Iterable[Expression]) -> Expression:
    """The maximum, nested ones flattened; of forms that differ by a constant the larger stays.

    Raises:
        ValueError: nothing is given.
    """
    return _extremum(MaxOf, items)


def min_of(items: Iterable[Expression]) -> Expression:
    """The minimum, nested ones flattened; of forms that differ by a constant the smaller stays.

    Raises:
        ValueError: nothing is given.
    """
    return _extremum(MinOf, items)


def _extremum(kind: type[MaxOf] | type[MinOf], items: Iterable[Expression]) -> Expression:
    better = max if kind is MaxOf else min
    kept: dict[object, Expression] = {}
    for item in (inner for outer in items for inner in (outer.items if isinstance(outer, kind) else (outer,))):
        if isinstance(item, Form):
            old = kept.get(item.terms)
            level = better(item.constant, old.constant) if isinstance(old, Form) else item.constant
            kept[item.terms] = Form(level, item.terms)
        else:
            kept.setdefault(item, item)
    if not kept:
        raise ValueError("an extremum of nothing")
    found = tuple(kept.values())
    return found[0] if len(found) == 1 else kind(found)


def combination(constant: Number, terms: Iterable[tuple[Number, Expression]]) -> Expression:
    """``constant + Σ coefficient · expression``: forms and equal parts collected, inner sums multiplied out."""
    affine, others = Form(Fraction(constant)), dict[Expression, Fraction]()
    todo = [(Fraction(q), item) for q, item in terms][::-1]
    while todo:
        q, item = todo.pop()
        if isinstance(item, Form):
            affine = affine + item * q
        elif isinstance(item, Combination):
            affine = affine + item.constant * q
            todo.extend((q * inner, part) for inner, part in reversed(item.terms))
        else:
            others[item] = others.get(item, Fraction(0)) + q
    kept = tuple((q, item) for item, q in others.items() if q)
    if not kept:
        return affine
    if kept[0][0] == 1 and len(kept) == 1 and affine == Form(Fraction(0)):
        return kept[0][1]
    head = ((Fraction(1), Form(Fraction(0), affine.terms)),) if affine.terms else ()
    return Combination(affine.constant, (*head, *kept))


def difference(left: Expression, right: Expression) -> Expression:
    return combination(0, ((1, left), (-1, right)))


def compare(op: str, left: Expression, right: Expression) -> Condition:
    """The comparison, decided if it has no variables."""
    gap = difference(left, right)
    if isinstance(gap, Form) and gap.is_constant:
        return Constant(bool(RELATIONS[op](gap.constant, 0)))
    return Compare(op, left, right)


def all_of(items: Iterable[Condition]) -> Condition:
    """Their conjunction, flattened, without repetitions."""
    found: dict[Condition, None] = {}
    for outer in items:
        for item in outer.items if isinstance(outer, And) else (outer,):
            if item == FALSE:
                return FALSE
            if item != TRUE:
                found[item] = None
    return TRUE if not found else next(iter(found)) if len(found) == 1 else And(tuple(found))


def any_of(items: Iterable[Condition]) -> Condition:
    """Their disjunction, flattened, without repetitions."""
    found: dict[Condition, None] = {}
    for outer in items:
        for item in outer.items if isinstance(outer, Or) else (outer,):
            if item == TRUE:
                return TRUE
            if item != FALSE:
                found[item] = None
    return FALSE if not found else next(iter(found)) if len(found) == 1 else Or(tuple(found))


def negation(item: Condition) -> Condition:
    """Its contrary, a comparison turned round."""
    if isinstance(item, Compare):
        return Compare(OPPOSITE[item.op], item.left, item.right)
    if isinstance(item, Constant):
        return Constant(not item.value)
    return item.item if isinstance(item, Not) else Not(item)


def implies(premise: Condition, conclusion: Condition) -> Condition:
    return any_of((negation(premise), conclusion))


def iff(left: Condition, right: Condition) -> Condition:
    return all_of((implies(left, right), implies(right, left)))


# --- reading ---------------------------------------------------------------------------------------


def evaluate(expression: Expression, point: Point) -> Fraction:
    """The number at a point.

    Raises:
        KeyError: a variable has no value.
    """
    match expression:
        case Form():
            return expression.value(point)
        case MaxOf(items):
            return max(evaluate(item, point) for item in items)
        case MinOf(items):
            return min(evaluate(item, point) for item in items)
        case Combination(constant, terms):
            return constant + sum((q * evaluate(item, point) for q, item in terms), Fraction(0))


def holds(condition: Condition, point: Point) -> bool:
    """Whether it is true at a point.

    Raises:
        KeyError: a variable has no value.
    """
    match condition:
        case Compare(op, left, right):
            return bool(RELATIONS[op](evaluate(left, point), evaluate(right, point)))
        case And(items):
            return all(holds(item, point) for item in items)
        case Or(items):
            return any(holds(item, point) for item in items)
        case Not(item):
            return not holds(item, point)
        case Constant(value):
            return value


def _inner(tree: Expression | Condition) -> Iterator[Expression | Condition]:
    match tree:
        case MaxOf(items) | MinOf(items) | And(items) | Or(items):
            yield from items
        case Combination(_, terms):
            yield from (item for _, item in terms)
        case Compare(_, left, right):
            yield from (left, right)
        case Not(item):
            yield item


def variables_of(tree: Expression | Condition) -> frozenset[str]:
    """The names that occur."""
    todo, found = [tree], set[str]()
    while todo:
        item = todo.pop()
        if isinstance(item, Form):
            found |= item.variables
        todo.extend(_inner(item))
    return frozenset(found)


def substitute_expression(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """The expression with variables replaced, all at once."""
    match expression:
        case Form(constant, terms):
            rest = linear(constant, ((v, q) for v, q in terms if v not in values))
            return combination(0, ((1, rest), *((q, values[v]) for v, q in terms if v in values)))
        case MaxOf(items):
            return max_of(substitute_expression(item, values) for item in items)
        case MinOf(items):
            return min_of(substitute_expression(item, values) for item in items)
        case Combination(constant, parts):
            return combination(constant, ((q, substitute_expression(item, values)) for q, item in parts))


def substitute(condition: Condition, values: Mapping[str, Expression]) -> Condition:
    """The condition with variables replaced, all at once; what has none left is decided."""
    match condition:
        case Compare(op, left, right):
            return compare(op, substitute_expression(left, values), substitute_expression(right, values))
        case And(items):
            return all_of(substitute(item, values) for item in items)
        case Or(items):
            return any_of(substitute(item, values) for item in items)
        case Not(item):
            return negation(substitute(item, values))
        case Constant():
            return condition
