"""What in a system of linear conditions is equality in disguise, and what the rest implies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from tpsym.polyhedra.decide import EFFORT, Solver
from tpsym.polyhedra.elimination import scaled, sorting_key
from tpsym.polyhedra.forms import Form, number
from tpsym.polyhedra.normal import Literal
from tpsym.polyhedra.trees import TRUE, Compare, Condition, any_of

ZERO = number(0)


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

    Each point found shows several forms to be positive somewhere.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    solver = Solver(*map(condition, literals), effort=effort)
    if not solver.check():
        return None
    left = [literal.form for literal in literals if not literal.strict]
    round_ = 0
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
    for i in reversed(range(len(literals))):
        others = [j for j in kept if j != i]
        if not solver.check(*(on[j] for j in others), off[i]):
            kept = others
    return tuple(literals[i] for i in kept)
