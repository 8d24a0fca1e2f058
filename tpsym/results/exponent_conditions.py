"""Exponents and conditions on them as people write them: minima factored, conditions in terms of r."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from tpsym.polyhedra.conditions import (
    TRUE,
    Compare,
    Condition,
    Expression,
    Or,
    Undecided,
    all_of,
    any_of,
    combination,
    compare,
    difference,
    equivalent,
    min_of,
    negation,
    satisfiable,
    substitute,
)
from tpsym.polyhedra.elimination import scaled
from tpsym.polyhedra.folding import written
from tpsym.polyhedra.forms import Form, linear, number
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.readable import readable
from tpsym.scaling.arrays import Array
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.sizes import total

ZERO = number(0)
R = "r"
"""What minus the exponent of the largest change of a feature is called."""


def factored_min(forms: Iterable[Form]) -> Expression:
    """The minimum of forms as a sum of shorter minima, where all sums of two sets of forms are among them."""
    left = sorted(set(forms), key=lambda f: (len(f.terms), str(f)))
    base, parts = left[0], list[Expression]()
    while len(left) > 1:
        halves = next((found for other in left[1:] if (found := _halves(left, other - left[0]))), None)
        if halves is None:
            rest = [form - left[0] for form in left]
            return combination(0, ((1, min_of(base + form for form in rest)), *((1, part) for part in parts)))
        left, step = halves
        moved = linear(0, ((v, -q) for v, q in step.terms if q < 0 and base.coefficient(v) >= -q))
        base = base - moved
        parts.append(min_of((moved, moved + step)))
    return combination(0, ((1, base), *((1, part) for part in parts)))


def _halves(forms: Sequence[Form], step: Form) -> tuple[list[Form], Form] | None:
    """Half of the forms, of which the first one is one, such that the others are these plus ``step``."""
    lower = [form for form in forms if form + step in forms]
    upper = {form + step for form in lower}
    fits = 2 * len(lower) == len(forms) and upper.isdisjoint(lower) and forms[0] in lower
    return (lower, step) if fits else None


def factored_max(forms: Iterable[Form]) -> Expression:
    """The maximum of forms; see :func:`factored_min`."""
    return combination(0, ((-1, factored_min(-form for form in forms)),))


def largest_change(scaling: Scaling) -> Expression | None:
    """r, factored."""
    return factored_min(-form for form in scaling.feature_sizes) if scaling.feature_sizes else None


def stability(scaling: Scaling) -> Condition:
    """The conditions of stability, in terms of r where that is shorter and the same."""
    region, known = scaling.polyhedron, scaling.run.known
    if region is None or region.is_empty or region.strict or not _has_r(scaling):
        return scaling.stable
    equalities = readable(all_of(written("==", form) for form in region.equalities)) if region.equalities else TRUE
    met = [-known.reduced(form) for c in scaling.run.constraints for form in c.size]
    as_met = {scaled(form): form for form in met if form.terms}
    reduced = [known.reduced(form) for form in region.inequalities]
    forms = [as_met.get(scaled(form), form) for form in reduced]
    short = all_of((equalities, *(written(">=", form) for form in in_terms_of_r(scaling, forms))))
    return short if _same(scaling, TRUE, short, scaling.stable) else scaling.stable


def moves(scaling: Scaling) -> Condition:
    """When the output moves, for a stable parametrisation: in terms of r where that is shorter and the same."""
    forms = [-form for form in moving(scaling) if is_possible(scaling, compare("==", form, ZERO))]
    long = any_of(written("==", form) for form in forms)
    if not _has_r(scaling) or not forms:
        return long
    short = any_of(written("==", form) for form in in_terms_of_r(scaling, forms))
    return short if _same(scaling, scaling.stable, short, long) else long


def moving(scaling: Scaling) -> tuple[Form, ...]:
    """The sizes of the change of the output, of which one has to vanish for it to move."""
    known = scaling.run.known
    forms = frozenset().union(*(total(pair.change) for pair in scaling.run.final_outputs))
    return scaling._needed(known.maximal(frozenset(map(known.reduced, forms))))


def contribution(scaling: Scaling, array: Array) -> Condition:
    """When an array adds to the kernel of the output, for a stable parametrisation."""
    given = scaling.contributes(array)
    items = given.items if isinstance(given, Or) else (given,)
    found = [_positive(item) for item in items if is_possible(scaling, item)]
    if any(is_possible(scaling, negation(item)) is False for item in found):
        return TRUE
    return any_of(found)


def _positive(item: Condition) -> Condition:
    """An equation with positive terms on the left."""
    if isinstance(item, Compare) and item.op == "==":
        return written("==", difference(item.left, item.right))
    return item


def is_possible(scaling: Scaling, condition: Condition) -> bool:
    """Whether a condition holds for some stable parametrisation, as far as can be told."""
    try:
        return satisfiable(all_of((scaling.stable, condition))) is not None
    except Undecided:
        return True


def in_terms_of_r(scaling: Scaling, forms: Sequence[Form]) -> list[Form]:
    """Forms g + ρ over the forms ρ whose minimum is r become g + r where that stays ≥ 0, as many as possible."""
    changes, region = [-form for form in scaling.feature_sizes], scaling.polyhedron
    left, found = list(dict.fromkeys(forms)), list[Form]()
    while left:
        shifts = {form - change for form in left for change in changes}
        groups = {g: [form for form in left if form - g in changes] for g in shifts}
        many = sorted((g for g in groups if len(groups[g]) > 1 or g == ZERO),
                      key=lambda g: (-len(groups[g]), len(g.terms), str(g)))
        best = next((g for g in many if all(_holds(region, g + change) for change in changes)), None)
        if best is None:
            break
        found.append(best + linear(0, ((R, Fraction(1)),)))
        left = [form for form in left if form not in groups[best]]
    return [*(form for form in forms if form in left), *found]


def _holds(region: Polyhedron | None, form: Form) -> bool:
    """Whether a form is at least zero in a region."""
    least = None if region is None else region.minimum(form)
    return isinstance(least, Fraction) and least >= 0


def _has_r(scaling: Scaling) -> bool:
    names = {v for forms in (scaling.feature_sizes, *(c.size for c in scaling.run.constraints)) for f in forms
             for v in f.variables}
    return R not in names and any(form.terms for form in scaling.feature_sizes)


def _same(scaling: Scaling, given: Condition, short: Condition, long: Condition) -> bool:
    """Whether a condition in terms of r means the same as another one where ``given`` holds."""
    meant = substitute(short, {R: min_of(-form for form in scaling.feature_sizes)})
    try:
        return equivalent(all_of((given, meant)), all_of((given, long))).holds is True
    except Undecided:
        return False


__all__ = ["R", "contribution", "factored_max", "factored_min", "in_terms_of_r", "is_possible", "largest_change",
           "moves", "moving", "stability"]
