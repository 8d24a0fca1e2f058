"""Exact suprema of affine forms: found by z3's optimizer, certified by its solver."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from tpsym.polyhedra.decide import EFFORT, Solver, Unbounded, Undecided
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.normal import normal, true_literals
from tpsym.polyhedra.trees import Compare, Condition, Expression, all_of, combination, variables_of

ZERO = number(0)


def supremum(form: Form, constraints: Iterable[Form], *, effort: int = EFFORT) -> Fraction | Unbounded:
    """That of a form over the points, some of which must exist, where all constraints are ``>= 0``.

    A finite one is certified: it is attained, and nothing larger is.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    kept = tuple(constraints)
    rising = Solver(*(_at_least_zero(Form(Fraction(0), f.terms)) for f in kept), effort=effort)
    rising.add(Compare(">", Form(Fraction(0), form.terms), ZERO))
    if rising.check():
        return Unbounded.ABOVE
    conditions = tuple(map(_at_least_zero, kept))
    solver = Solver(*conditions, effort=effort)
    value = solver.largest(form)
    attained = solver.switch(0, Compare("==", form, number(value)))
    exceeded = solver.switch(1, Compare(">", form, number(value)))
    if not solver.check(attained) or solver.check(exceeded):
        raise Undecided("the optimum found is none")
    return value


def _at_least_zero(form: Form) -> Condition:
    return Compare(">=", form, ZERO)


def maximum(expression: Expression, condition: Condition, *, effort: int = EFFORT) -> Fraction | Unbounded | None:
    """The supremum of an expression where a condition holds; None: it holds nowhere.

    Climbs from one linear piece to the next: each is where the literals that hold at a point hold.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    height = _fresh(variables_of(expression) | variables_of(condition))
    graph = all_of((condition, Compare("==", height, expression)))
    tree = normal(graph)
    solver = Solver(graph, effort=effort)
    best: Fraction | None = None
    while solver.check():
        literals = true_literals(tree, solver.point())
        if literals is None:
            raise Undecided("the point found does not satisfy the condition")
        found = supremum(height, (literal.form for literal in literals), effort=effort)
        if isinstance(found, Unbounded):
            return found
        best = found
        solver.add(Compare(">", height, number(best)))
    return best


def minimum(expression: Expression, condition: Condition, *, effort: int = EFFORT) -> Fraction | Unbounded | None:
    """The infimum of an expression where a condition holds; None: it holds nowhere.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    found = maximum(combination(0, ((-1, expression),)), condition, effort=effort)
    if isinstance(found, Unbounded):
        return Unbounded.BELOW
    return None if found is None else -found


def _fresh(names: frozenset[str]) -> Form:
    name = "height"
    while name in names:
        name += "_"
    return variable(name)
