"""What in a system of linear conditions is equality in disguise, and what the rest implies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from tpsym.polyhedra.decide import EFFORT, Solver
from tpsym.polyhedra.elimination import scaled, sorting_key
from tpsym.polyhedra.forms import Form, number
from tpsym.polyhedra.normal import Literal
from tpsym.polyhedra.trees import TRUE, Compare, Condition, all_of, any_of

ZERO = number(0)
MANY_TERMS = 240
"""Below this the solver alone is faster than with guesses to spare it questions."""
FINEST = 1_000_000
"""Denominators of guessed points."""


def condition(literal: Literal) -> Condition:
    return Compare(">" if literal.strict else ">=", literal.form, ZERO)


def denial(literal: Literal) -> Condition:
    return Compare("<=" if literal.strict else "<", literal.form, ZERO)


def tidied(literals: Iterable[Literal]) -> tuple[Literal, ...] | None:
    """Scaled, sorted, the tightest of each direction; None: one of them is never true."""
    best: dict[tuple[tuple[str, Fraction], ...], Literal] = {}
    for literal in literals:
        form = scaled(literal.form)
        if form.is_constant:
            if not literal.holds({}):
                return None
            continue
        old = best.get(form.terms)
        if old is None or (form.constant, not literal.strict) < (old.form.constant, not old.strict):
            best[form.terms] = Literal(form, literal.strict)
    return tuple(sorted(best.values(), key=lambda literal: (literal.strict, sorting_key(literal.form))))


def implied_equalities(literals: Sequence[Literal], *, effort: int = EFFORT) -> tuple[Form, ...] | None:
    """The forms that are zero wherever all literals hold; None: they hold nowhere.

    If none is positive at once with all others, each point found shows several to be positive somewhere.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    forms = [literal.form for literal in literals]
    if _is_large(forms) and _are_positive_somewhere(forms):
        return ()
    solver = Solver(*map(condition, literals), effort=effort)
    inside = solver.switch(0, all_of(Compare(">", form, ZERO) for form in forms))
    if solver.check(inside):
        return ()
    if not solver.check():
        return None
    left = [literal.form for literal in literals if not literal.strict]
    round_ = 1
    while left:
        point = solver.point()
        left = [form for form in left if form.value(point) <= 0]
        if not left or not solver.check(solver.switch(round_, any_of(Compare(">", form, ZERO) for form in left))):
            break
        round_ += 1
    return tuple(left)


def irredundant(
    literals: Sequence[Literal], *, given: Condition = TRUE, effort: int = EFFORT
) -> tuple[Literal, ...]:
    """Those not implied by the others and what is given, examined from the last to the first.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    solver = Solver(given, effort=effort)
    on = [solver.switch(2 * i, condition(literal)) for i, literal in enumerate(literals)]
    off = [solver.switch(2 * i + 1, denial(literal)) for i, literal in enumerate(literals)]
    kept = list(range(len(literals)))
    forms = [literal.form for literal in literals]
    certain = _certain(forms) if given == TRUE and _is_large(forms) else set()
    for i in (i for i in reversed(range(len(literals))) if i not in certain):
        others = [j for j in kept if j != i]
        if not solver.check(*(on[j] for j in others), off[i]):
            kept = others
    return tuple(literals[i] for i in kept)


def _certain(forms: Sequence[Form]) -> set[int]:
    """Forms that some point makes negative alone, all others positive: none of them is implied."""
    flipped = ([-form if j == i else form for j, form in enumerate(forms)] for i in range(len(forms)))
    return {i for i, signed in enumerate(flipped) if _are_positive_somewhere(signed)}


def _are_positive_somewhere(forms: Sequence[Form]) -> bool:
    """Whether a point is found, not sought long, where all forms are positive.

    It is guessed by linear programming in floating point and examined exactly: a bad guess shows nothing.
    """
    names = sorted(set().union(*(form.variables for form in forms)))
    try:
        slopes = np.array([[-float(form.coefficient(name)) for name in names] + [1.0] for form in forms])
        levels = np.array([float(form.constant) for form in forms])
    except OverflowError:
        return False
    goal = np.append(np.zeros(len(names)), -1.0)
    guess = linprog(goal, slopes, levels, bounds=[(None, None)] * len(names) + [(None, 1.0)])
    if guess.status != 0:
        return False
    point = {name: Fraction(float(q)).limit_denominator(FINEST) for name, q in zip(names, guess.x, strict=False)}
    return all(form.value(point) > 0 for form in forms)


def _is_large(forms: Sequence[Form]) -> bool:
    return sum(len(form.terms) for form in forms) >= MANY_TERMS
