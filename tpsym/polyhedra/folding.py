"""Inequalities as people write them: positive terms on the left, constants on the right, what is shared only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from tpsym.polyhedra.elimination import sorting_key
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.translate import to_text
from tpsym.polyhedra.trees import Combination, Condition, Expression, combination, compare, min_of

MIRRORED = {"==": "==", "!=": "!=", ">=": "<=", ">": "<"}
MOST_LEFT_OVER = (1, 2)
"""Inequalities are brought together if each has at most so many terms of its own: first one, then two."""
JOIN = len(" and ")


@dataclass(frozen=True)
class Sum:
    """``constant + Σ coefficient · part``; the parts are variables and minima, each at most once."""

    constant: Fraction
    parts: frozenset[tuple[Expression, Fraction]]

    def expression(self) -> Expression:
        return combination(self.constant, ((q, part) for part, q in sorted(self.parts, key=_part_key)))


def _part_key(pair: tuple[Expression, Fraction]) -> tuple[object, ...]:
    part = pair[0]
    return (sorting_key(part), "") if isinstance(part, Form) else ((99,), str(part))


def written(op: str, expression: Expression) -> Condition:
    """``expression op 0``, op one of ``== != >= >``, as in ``2*a[3] + c >= 1`` and ``x >= y - 1/2``."""
    level, terms = _flat(expression)
    ups = [(q, part) for q, part in terms if q > 0]
    downs = [(-q, part) for q, part in terms if q < 0]
    if op in ("==", "!=") and terms and terms[0][0] < 0:
        ups, downs, level = downs, ups, -level
    if ups:
        return compare(op, combination(0, ups), combination(-level, downs))
    return compare(MIRRORED[op], combination(0, downs), number(level))


def _flat(expression: Expression) -> tuple[Fraction, list[tuple[Fraction, Expression]]]:
    """The constant, and the variables and extrema with their coefficients."""
    match expression:
        case Form(constant, names):
            return constant, [(q, variable(name)) for name, q in names]
        case Combination(constant, pairs):
            terms: list[tuple[Fraction, Expression]] = []
            for q, part in pairs:
                inner, more = _flat(part) if isinstance(part, Form) else (Fraction(0), [(Fraction(1), part)])
                constant += q * inner
                terms.extend((q * c, item) for c, item in more)
            return constant, terms
        case _:
            return Fraction(0), [(Fraction(1), expression)]


def folded(op: str, forms: Iterable[Form]) -> tuple[Condition, ...]:
    """``form op 0`` for all forms, op ``>=`` or ``>``; what shares most terms is one with a minimum if shorter."""
    left = [Sum(form.constant, frozenset((variable(name), q) for name, q in form.terms)) for form in forms]
    for most in MOST_LEFT_OVER:
        while proposals := [found for found in _proposals(op, left, most) if found[0] < 0]:
            _, _, group, joined = min(proposals, key=lambda found: found[:2])
            left = [item for item in left if item not in group] + [joined]
    return tuple(written(op, item.expression()) for item in left)


def _proposals(op: str, items: Sequence[Sum], most: int) -> list[tuple[int, str, tuple[Sum, ...], Sum]]:
    """By how much the text grows with each way to join some items, the text, the items and what they become."""
    shared = dict.fromkeys(a.parts & b.parts for a, b in combinations(items, 2))
    lengths = {item: len(_text(op, item)) for item in items}
    found = []
    for common in filter(None, shared):
        group = tuple(item for item in items if common <= item.parts and _is_plain(item.parts - common, most))
        if len(group) > 1:
            joined = _joined(common, group)
            text = _text(op, joined)
            before = sum(lengths[item] for item in group) + JOIN * (len(group) - 1)
            found.append((len(text) - before, text, group, joined))
    return found


def _is_plain(rest: frozenset[tuple[Expression, Fraction]], most: int) -> bool:
    return len(rest) <= most and all(isinstance(part, Form) for part, _ in rest)


def _joined(common: frozenset[tuple[Expression, Fraction]], group: Sequence[Sum]) -> Sum:
    levels = [item.constant for item in group]
    level = max(levels, key=lambda value: (levels.count(value), value))
    rests = [Sum(item.constant - level, item.parts - common).expression() for item in group]
    smallest = min_of(sorted(rests, key=lambda rest: sorting_key(rest) if isinstance(rest, Form) else ()))
    inner = dict(common)
    if isinstance(smallest, Form):
        return Sum(level + smallest.constant, common | {(variable(name), q) for name, q in smallest.terms})
    return Sum(level, frozenset({**inner, smallest: inner.get(smallest, Fraction(0)) + 1}.items()))


def _text(op: str, item: Sum) -> str:
    return to_text(written(op, item.expression()))
