"""Conditions made short: equalities first, then inequalities none of which follows from the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tpsym.polyhedra.decide import EFFORT, Undecided, impossible
from tpsym.polyhedra.elimination import in_order, scaled, solved, sorting_key
from tpsym.polyhedra.folding import folded, written
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.normal import AnyOf, Literal, Normal, normal
from tpsym.polyhedra.pieces import pieces
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.redundancy import irredundant
from tpsym.polyhedra.translate import to_text
from tpsym.polyhedra.trees import (
    FALSE,
    OPPOSITE,
    TRUE,
    And,
    Compare,
    Condition,
    Constant,
    Expression,
    Not,
    Or,
    all_of,
    any_of,
    combination,
    compare,
    difference,
    negation,
)

MOST_ALTERNATIVES = 12
"""With more, what is no polyhedron is not written as a union of polyhedra."""


def readable(
    given: Condition | Iterable[Expression], *, eliminate: Sequence[str] = (), fold: bool = True, effort: int = EFFORT
) -> Condition:
    """An equivalent condition, short and without anything superfluous.

    ``given``: a condition, or expressions that are all ``<= 0``. ``eliminate``: variables to solve the equalities for,
    which then do not occur in the inequalities; without them the shortest equalities are taken. ``fold``: inequalities
    that share most of their terms may become one with a minimum.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    condition = given if isinstance(given, Condition) else _nonpositive(given)
    whole = tuple(condition.items) if isinstance(condition, And) else (condition,)
    convex, others = list[Condition](), list[Condition]()
    for item in whole:
        (convex if _is_convex(normal(item)) else others).append(item)
    base = _union(all_of(convex), eliminate, fold=fold, effort=effort)
    if not others:
        return base
    context = tuple(base.items) if isinstance(base, And) else (base,)
    short = all_of((base, *_simplified_all(others, context, effort=effort)))
    try:
        alternatives = _union(condition, eliminate, fold=fold, effort=effort)
    except Undecided:
        return short
    return min((short, alternatives), key=lambda found: len(to_text(found)))


def _nonpositive(expressions: Iterable[Expression]) -> Condition:
    return all_of(compare("<=", expression, number(0)) for expression in expressions)


def _is_convex(tree: Normal) -> bool:
    if isinstance(tree, AnyOf):
        return False
    return isinstance(tree, Literal) or all(map(_is_convex, tree.items))


# --- unions of polyhedra ---------------------------------------------------------------------------


def _union(condition: Condition, eliminate: Sequence[str], *, fold: bool, effort: int) -> Condition:
    """What all the polyhedra share, and the alternatives."""
    found = pieces(condition, most=MOST_ALTERNATIVES, effort=effort)
    if not found:
        return FALSE
    candidates = () if eliminate else tuple(_forms(normal(condition)))
    systems = [_shortest(body, candidates, eliminate) for body in found]
    first, *rest = systems
    common = [part for part in first if all(part in other for other in rest)]
    alternatives = [
        all_of(_conditions([part for part in system if part not in common], fold=fold)) for system in systems
    ]
    return all_of((*_conditions(common, fold=fold), any_of(sorted(alternatives, key=to_text))))


Part = tuple[str, Form]


def _forms(tree: Normal) -> Iterator[Form]:
    if isinstance(tree, Literal):
        yield tree.form
    else:
        for item in tree.items:
            yield from _forms(item)


def _conditions(parts: Iterable[Part], *, fold: bool) -> list[Condition]:
    by = {op: [form for other, form in parts if other == op] for op in ("==", ">=", ">")}
    equal = [written("==", form) for form in by["=="]]
    rest = [
        item
        for op in (">=", ">")
        for item in (folded(op, by[op]) if fold else [written(op, form) for form in by[op]])
    ]
    return [*equal, *rest]


def _shortest(body: Polyhedron, candidates: Sequence[Form], eliminate: Sequence[str]) -> list[Part]:
    """The system of a polyhedron, each equality and inequality as short as the candidates allow."""
    order = in_order(body.variables, eliminate)
    small = body.minimal(eliminate)
    values = solved(small.equalities, order) or {}
    known = [scaled(form) for form in candidates]
    zero = [form for form in (*known, *small.equalities) if form.terms and _is_zero(form.substitute(values))]
    equalities: list[Form] = []
    for form in sorted(zero, key=_length):
        found = solved(equalities, order) or {}
        if form.substitute(found).terms:
            equalities.append(form)
    parts: list[Part] = [("==", form) for form in sorted(map(_leading, equalities), key=sorting_key)]
    for op, forms in ((">=", small.inequalities), (">", small.strict)):
        for form in sorted((_same(form, known, values) for form in forms), key=sorting_key):
            parts.append((op, form))
    return parts


def _same(form: Form, candidates: Sequence[Form], values: dict[str, Form]) -> Form:
    """The shortest candidate that is the form up to scale where the equalities hold, if it has no more terms."""
    equal = [other for other in candidates if other.terms and scaled(other.substitute(values)) == form]
    return min((*equal, form), key=lambda other: (len(other.terms), other is form, _length(other)))


def _is_zero(form: Form) -> bool:
    return not form.terms and not form.constant


def _leading(form: Form) -> Form:
    return form if form.terms[0][1] > 0 else -form


def _length(form: Form) -> tuple[int, str]:
    text = to_text(written("==", form))
    return len(text), text


# --- conditions in context -------------------------------------------------------------------------


def _simplified_all(items: Sequence[Condition], context: Sequence[Condition], *, effort: int) -> list[Condition]:
    """Each item as short as the context and the others allow."""
    done: list[Condition] = []
    for i, item in enumerate(items):
        done.append(_simplified(item, (*context, *done, *items[i + 1 :]), effort=effort))
    return done


def _simplified(condition: Condition, context: Sequence[Condition], *, effort: int) -> Condition:
    """A condition equivalent to the given one where the context holds, without parts decided there."""
    premise = all_of(context)
    if impossible(all_of((premise, negation(condition))), effort=effort):
        return TRUE
    if impossible(all_of((premise, condition)), effort=effort):
        return FALSE
    match condition:
        case And(items):
            return all_of(_simplified_all(items, context, effort=effort))
        case Or(items):
            done: list[Condition] = []
            for i, item in enumerate(items):
                denied = map(negation, (*done, *items[i + 1 :]))
                done.append(_simplified(item, (*context, *denied), effort=effort))
            return any_of(done)
        case Not(And() | Or() as inner):
            return negation(_simplified(inner, context, effort=effort))
        case Not(Compare(op, left, right)):
            return _one_sided(OPPOSITE[op], difference(left, right), premise, effort=effort)
        case Compare(op, left, right):
            return _one_sided(op, difference(left, right), premise, effort=effort)
        case Constant() | Not():
            return condition


def _one_sided(op: str, gap: Expression, premise: Condition, *, effort: int) -> Condition:
    """``gap op 0`` as people write it; ``!=`` as ``>`` or ``<`` where the premise leaves no other."""
    if op == "!=":
        for side, other in ((">", "<"), ("<", ">")):
            if impossible(all_of((premise, compare(other, gap, number(0)))), effort=effort):
                return _one_sided(side, gap, premise, effort=effort)
    if op in ("<=", "<"):
        return written({"<=": ">=", "<": ">"}[op], combination(0, ((-1, gap),)))
    return written(op, gap)


# --- extrema ---------------------------------------------------------------------------------------


def irredundant_max(forms: Sequence[Form], region: Polyhedron, *, effort: int = EFFORT) -> tuple[Form, ...]:
    """Those of a maximum that are larger than all others somewhere in the region; of equals there the first.

    The first alone if the region is empty.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    return _needed(forms, region, 1, effort=effort)


def irredundant_min(forms: Sequence[Form], region: Polyhedron, *, effort: int = EFFORT) -> tuple[Form, ...]:
    """Those of a minimum that are smaller than all others somewhere in the region; of equals there the first.

    The first alone if the region is empty.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    return _needed(forms, region, -1, effort=effort)


def _needed(forms: Sequence[Form], region: Polyhedron, sign: int, *, effort: int) -> tuple[Form, ...]:
    names = frozenset(region.variables).union(*(form.variables for form in forms))
    bound = "bound"
    while bound in names:
        bound += "_"
    above = {Literal((variable(bound) - form) * sign, False): form for form in reversed(forms)}
    kept = irredundant(tuple(above)[::-1], given=region.condition, effort=effort)
    return tuple(above[literal] for literal in kept) or tuple(forms[:1])
