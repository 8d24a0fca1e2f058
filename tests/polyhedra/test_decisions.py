"""Decisions about linear conditions: points satisfy them, nothing is claimed that a point contradicts."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from linear_strategies import NAMES, bodies, conditions, expressions, points

from tpsym.polyhedra.conditions import (
    FALSE,
    TRUE,
    Compare,
    Condition,
    Decision,
    Expression,
    Point,
    Unbounded,
    Undecided,
    all_of,
    any_of,
    combination,
    compare,
    equivalent,
    evaluate,
    holds,
    implied,
    impossible,
    max_of,
    maximum,
    min_of,
    minimum,
    negation,
    satisfiable,
    variables_of,
)
from tpsym.polyhedra.decide import Solver
from tpsym.polyhedra.forms import Form, linear, number, variable
from tpsym.polyhedra.polyhedron import Polyhedron

x, y = variable("x"), variable("y")
GRID = [dict(zip(NAMES, map(Fraction, point), strict=True)) for point in product((-2, 0, 1), repeat=4)]


@given(conditions)
def test_a_point_satisfies_and_nothing_is_missed(condition: Condition) -> None:
    point = satisfiable(condition)
    if point is None:
        assert not any(holds(condition, other) for other in GRID)
        assert impossible(condition)
    else:
        assert set(point) == variables_of(condition)
        assert holds(condition, point)
        assert impossible(condition) is False


@given(conditions, conditions, points)
def test_implied_and_equivalent(left: Condition, right: Condition, point: Point) -> None:
    for found, fails in (
        (implied(left, right), lambda p: holds(left, p) and not holds(right, p)),
        (equivalent(left, right), lambda p: holds(left, p) != holds(right, p)),
    ):
        if found.holds:
            assert not any(map(fails, [point, *GRID]))
            assert found.witness is None
        else:
            assert found.witness is not None
            assert fails(found.witness)


@given(conditions)
def test_laws_of_logic(condition: Condition) -> None:
    assert equivalent(condition, negation(negation(condition))).holds
    assert implied(FALSE, condition).holds
    assert implied(condition, TRUE).holds
    assert equivalent(condition, negation(condition)).holds is False


@given(expressions, conditions)
@settings(max_examples=60)
def test_a_maximum_is_approached_and_not_exceeded(expression: Expression, condition: Condition) -> None:
    top = maximum(expression, condition)
    values = [evaluate(expression, point) for point in GRID if holds(condition, point)]
    if top is None:
        assert satisfiable(condition) is None
    elif top is Unbounded.ABOVE:
        assert satisfiable(all_of((condition, compare(">", expression, number(1000))))) is not None
    else:
        assert isinstance(top, Fraction)
        assert all(value <= top for value in values)
        assert impossible(all_of((condition, compare(">", expression, number(top)))))
        near = compare(">", expression, number(top - Fraction(1, 1000)))
        assert satisfiable(all_of((condition, near))) is not None
    low = minimum(combination(0, ((-1, expression),)), condition)
    assert low == (Unbounded.BELOW if top is Unbounded.ABOVE else None if top is None else -top)


@given(bodies(), expressions)
def test_a_linear_maximum_is_at_a_vertex(body: Polyhedron, expression: Expression) -> None:
    form = expression if isinstance(expression, Form) else x * 2 - y + 1
    rises = [Form(Fraction(0), form.terms).value(ray) > 0 for ray in body.rays]
    best = Unbounded.ABOVE if any(rises) else max(form.value(point) for point in body.vertices)
    assert body.maximum(form) == best
    assert maximum(form, body.condition) == best


def test_optima_of_pieces() -> None:
    """Known by hand: strict conditions, unions, minima of maxima."""
    triangle = all_of((compare("<", x + y, number(3)), compare(">=", min_of((x, y)), number(1))))
    assert maximum(x, triangle) == 2
    assert minimum(max_of((x * 2 - y, y)), triangle) == 1
    assert maximum(min_of((x, y)), triangle) == Fraction(3, 2)
    assert maximum(x - y * 3, compare(">", x, y)) is Unbounded.ABOVE
    two = any_of((compare("==", x, number(5)), all_of((compare("<=", x, number("7/3")), compare(">", x, number(0))))))
    assert maximum(x, two) == 5
    assert minimum(x, two) == 0
    steps = any_of(compare("==", x, number(Fraction(k, 8))) for k in (3, 0, 7, 5, 1))
    assert (minimum(x, steps), maximum(x, steps)) == (0, Fraction(7, 8))
    assert maximum(x, FALSE) is None
    assert maximum(number(4), TRUE) == 4
    assert maximum(variable("height"), compare("<=", variable("height"), x * 0 + 2)) == 2


def test_points_are_small() -> None:
    a, b, c = (variable(name) for name in ("a[1]", "b[1]", "c"))
    apart = compare("!=", a, number(0))
    found = satisfiable(all_of((compare("==", a + b, number("1/2")), compare(">", c, a * 2), apart)))
    assert found == {"a[1]": 1, "b[1]": Fraction(-1, 2), "c": 3}
    assert satisfiable(all_of((compare(">", x, number("1/3")), compare("<", x, number("2/5"))))) is not None


def test_a_point_where_two_differ() -> None:
    found = equivalent(compare(">=", x, number(0)), compare(">", x, number(0)))
    assert found == Decision(False, {"x": Fraction(0)})


def pigeons(count: int) -> Condition:
    """One more pigeon than holes: a long proof."""
    def at(i: int, j: int) -> Form:
        return variable(f"p[{i},{j}]")

    placed = [any_of(compare("==", at(i, j), number(1)) for j in range(count)) for i in range(count + 1)]
    apart = [
        compare("<", at(i, j) + at(k, j), number(2)) for j in range(count) for i in range(count + 1) for k in range(i)
    ]
    return all_of((*placed, *apart))


def test_too_much_work_is_undecided() -> None:
    hard = pigeons(7)
    assert implied(hard, FALSE, effort=2_000) == Decision(None)
    assert equivalent(hard, FALSE, effort=2_000) == Decision(None)
    assert impossible(hard, effort=2_000) is None
    with pytest.raises(Undecided):
        satisfiable(hard, effort=2_000)
    assert implied(pigeons(3), FALSE).holds


def test_the_work_allowed_is_for_each_question() -> None:
    solver = Solver(pigeons(3), effort=50_000)
    switches = [solver.switch(i, Compare(">=", variable("p[0,0]"), number(i))) for i in range(300)]
    assert not any(solver.check(switch) for switch in switches)
    assert solver.work > 100_000


def test_a_name_of_any_kind() -> None:
    odd = linear(0, [("a b|c", Fraction(1)), ("|", Fraction(-1))])
    found = satisfiable(compare("==", odd, number(3)))
    assert found is not None
    assert odd.value(found) == 3
