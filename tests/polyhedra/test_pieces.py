"""Conditions as unions of polyhedra, and as people write them."""

from __future__ import annotations

import random
import subprocess
import sys
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_strategies import NAMES, conditions, expressions, forms, points, polyhedra

from tpsym.polyhedra.conditions import (
    FALSE,
    TRUE,
    And,
    Compare,
    Condition,
    Expression,
    Point,
    Undecided,
    all_of,
    any_of,
    combination,
    compare,
    equivalent,
    holds,
    implied,
    max_of,
    min_of,
    negation,
    to_text,
    variables_of,
)
from tpsym.polyhedra.elimination import in_order
from tpsym.polyhedra.folding import folded, written
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.pieces import pieces
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.readable import irredundant_max, irredundant_min, readable

x, y, z = variable("x"), variable("y"), variable("z")
GRID = [dict(zip(NAMES, map(Fraction, point), strict=True)) for point in product((-2, 0, 1), repeat=4)]
ZERO = number(0)

# --- unions ----------------------------------------------------------------------------------------


@given(conditions, points)
def test_pieces_cover_the_condition(condition: Condition, point: Point) -> None:
    found = pieces(condition)
    for other in (point, *GRID):
        assert any(piece.contains(other) for piece in found) == holds(condition, other)
    assert equivalent(any_of(piece.condition for piece in found), condition).holds
    for piece in found:
        assert not piece.is_empty
        assert piece.variables == in_order(variables_of(condition))
        assert not any(other.covers(piece) for other in found if other is not piece)
        for form in piece.inequalities:
            fewer = tuple(other for other in piece.inequalities if other != form)
            assert implied(
                Polyhedron(piece.equalities, fewer, piece.strict, piece.variables).condition, condition
            ).holds is False
        for i, form in enumerate(piece.strict):
            weaker = Polyhedron(
                piece.equalities, (*piece.inequalities, form), piece.strict[:i] + piece.strict[i + 1 :], piece.variables
            )
            assert implied(weaker.condition, condition).holds is False


def test_known_pieces() -> None:
    corner = compare("==", min_of((x, y)), number(1))
    assert set(pieces(corner)) == {
        Polyhedron((x - 1,), (y - 1,), space=("x", "y")), Polyhedron((y - 1,), (x - 1,), space=("x", "y")),
    }
    assert pieces(compare("!=", x, y)) == (
        Polyhedron((), (), (x - y,), ("x", "y")), Polyhedron((), (), (-x + y,), ("x", "y"))
    )
    assert pieces(any_of((compare(">=", x, ZERO), compare(">", x, ZERO), compare("==", x, ZERO)))) == (
        Polyhedron((), (x,), space=("x",)),
    )
    larger = any_of((
        all_of((compare(">=", x, y), compare(">=", x, ZERO))), all_of((compare(">=", y, x), compare(">=", y, ZERO)))
    ))
    assert pieces(larger) == (Polyhedron((), (x,), space=("x", "y")), Polyhedron((), (y,), space=("x", "y")))
    assert pieces(FALSE) == ()
    assert pieces(TRUE) == (Polyhedron(),)


def test_too_many_pieces_are_undecided() -> None:
    v = [variable(f"v[{i}]") for i in range(6)]
    cubes = all_of(compare("!=", q, ZERO) for q in v)
    assert len(pieces(cubes)) == 64
    with pytest.raises(Undecided):
        pieces(cubes, most=63)


# --- as people write them --------------------------------------------------------------------------


@given(conditions, st.booleans(), st.sampled_from([(), ("y",)]))
@settings(max_examples=80)
def test_readable_means_the_same(condition: Condition, fold: bool, eliminate: tuple[str, ...]) -> None:
    found = readable(condition, fold=fold, eliminate=eliminate)
    assert equivalent(found, condition).holds


@given(polyhedra(strict=True), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_readable_does_not_depend_on_the_order(body: Polyhedron, mixed: random.Random) -> None:
    items = list(body.condition.items) if isinstance(body.condition, And) else [body.condition]
    first = readable(all_of(items))
    mixed.shuffle(items)
    assert equivalent(first, body.condition).holds
    if not body.strict:
        assert readable(all_of(items)) == first


@given(polyhedra())
@settings(max_examples=60)
def test_nothing_superfluous_is_written(body: Polyhedron) -> None:
    found = readable(body.condition, fold=False)
    items = found.items if isinstance(found, And) else (found,)
    for i in range(len(items)):
        rest = all_of((*items[:i], *items[i + 1 :]))
        assert found in (TRUE, FALSE) or equivalent(rest, body.condition).holds is False
    ops = [item.op for item in items if isinstance(item, Compare)]
    assert ops == sorted(ops, key=lambda op: op != "=="), "equalities come first"


@given(st.lists(expressions, max_size=3))
@settings(max_examples=60)
def test_bounds_from_above(items: list[Expression]) -> None:
    expected = all_of(compare("<=", item, ZERO) for item in items)
    assert equivalent(readable(items), expected).holds


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (all_of((compare("<=", max_of((x + y, -x - y)), ZERO), compare("<=", -z, x * 0 - 1))), "x + y == 0 and z >= 1"),
        (compare("<=", number("1/2"), y * 2 + x * 4), "2*x + y >= 1/4"),
        (all_of((compare(">=", x, ZERO), compare(">=", y, ZERO), compare(">", x + y, number(-1)))),
         "x >= 0 and y >= 0"),
        (any_of((all_of((compare(">", x, y), compare(">", x, ZERO))),
                 all_of((compare("<=", x, y), compare(">", y, ZERO))))),
         "x > 0 or y > 0"),
        (any_of((compare(">", x, y), compare("<=", x, y))), "0 == 0"),
        (compare("<", x, number(3)), "x < 3"),
        (compare(">=", x - y + 1, ZERO), "x >= y - 1"),
        (compare("!=", x, y), "x != y"),
        (all_of((compare(">=", x, y), compare("!=", x, y))), "x > y"),
        (any_of((compare(">", x, ZERO), compare("==", x, ZERO))), "x >= 0"),
        (all_of((compare(">", x, ZERO), compare("<", x, ZERO))), "0 == 1"),
        (all_of((compare(">=", x, x), TRUE)), "0 == 0"),
        (all_of((compare(">=", x, number(1)), any_of((compare("==", x, number(0)), compare("<=", y, number(2)))))),
         "x >= 1 and y <= 2"),
        (all_of((compare("==", x + y, number(1)), compare(">=", z + x + y, number(3)))), "x + y == 1 and z >= 2"),
    ],
)
def test_texts(condition: Condition, text: str) -> None:
    assert to_text(readable(condition)) == text


def test_elimination_by_choice() -> None:
    tied = all_of((compare("==", x + y, number(1)), compare(">=", x + z, number(3))))
    assert to_text(readable(tied)) == "x + y == 1 and x + z >= 3"
    assert to_text(readable(tied, eliminate=["x"])) == "x + y == 1 and z >= y + 2"


# --- stability of a deep network -------------------------------------------------------------------


def stability(depth: int) -> tuple[Expression, Condition]:
    """The smallest rate of feature change, and conditions that bound sizes from above, with repetitions."""
    a = {i: variable(f"a[{i}]") for i in range(1, depth + 2)}
    b = {i: variable(f"b[{i}]") for i in range(1, depth + 2)}
    c, last = variable("c"), depth + 1
    rate = combination(-1, (
        (1, min_of((a[last] + b[last], a[last] * 2 + c))), (1, c),
        (1, min_of(a[i] * 2 + (1 if i == 1 else 0) for i in range(1, last))),
    ))
    sizes = [max_of((half_off(i) - a[i] - b[i], a[i] + b[i] - half_off(i))) for i in range(1, last)]
    changes = [max_of((combination(0, ((-1, rate),)), *sizes))]
    readout = [-a[last] - b[last] + Fraction(1, 2), -a[last] * 2 - c + 1]
    both = combination(1, ((-1, rate), (-1, a[last] + b[last])))
    return rate, all_of(compare("<=", item, ZERO) for item in (*sizes, *changes, *readout, both))


def half_off(layer: int) -> Form:
    return number(0 if layer == 1 else "1/2")


def test_stability_reads_as_a_theorem() -> None:
    _, stable = stability(3)
    assert to_text(readable(stable)) == (
        "a[1] + b[1] == 0 and a[2] + b[2] == 1/2 and a[3] + b[3] == 1/2 and 2*a[4] + c >= 1 and a[4] + b[4] >= 1/2"
        " and a[4] + c + min(a[1] + 1/2, a[2], a[3]) >= 1/2"
        " and c + min(2*a[4] + 2*b[4] - 1, a[4] + b[4]) + min(2*a[1] + 1, 2*a[2], 2*a[3]) >= 1"
    )


@pytest.mark.parametrize("depth", range(1, 4))
def test_regimes_of_a_deep_network(depth: int) -> None:
    rate, stable = stability(depth)
    learning, kernel = compare("==", rate, ZERO), compare(">", rate, ZERO)
    assert equivalent(readable(stable), stable).holds
    for regime in (learning, kernel):
        found = readable(all_of((stable, regime)))
        assert equivalent(found, all_of((stable, regime))).holds
    assert equivalent(stable, any_of((all_of((stable, learning)), all_of((stable, kernel))))).holds
    body, = pieces(stable)
    assert len(body.vertices) == 2
    assert len(body.lineality) == 1
    assert len(pieces(all_of((stable, learning)))) == 2 * depth


def test_answers_do_not_depend_on_hashes() -> None:
    """The same text and points whatever the order in which Python keeps sets."""
    program = (
        "from test_pieces import *\n"
        "rate, stable = stability(2)\n"
        "print(to_text(readable(all_of((stable, compare('==', rate, ZERO))))))\n"
        "print([str(piece) for piece in pieces(all_of((stable, compare('!=', rate, ZERO))))])\n"
        "print(equivalent(stable, compare('>=', rate, ZERO)))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(outputs) == 1
    assert "min(" in outputs.pop()


# --- minima that are shared ------------------------------------------------------------------------


@given(st.lists(forms(), min_size=1, max_size=8), st.sampled_from([">=", ">"]), points)
def test_folding_means_the_same(items: list[Form], op: str, point: Point) -> None:
    expected = all(holds(Compare(op, form, ZERO), point) for form in items)
    found = folded(op, items)
    assert all(holds(item, point) for item in found) == expected
    plain = [written(op, form) for form in items]
    assert len(to_text(all_of(found))) <= len(to_text(all_of(plain)))


@given(expressions, st.sampled_from(["==", "!=", ">=", ">"]), points)
def test_written_means_the_same(expression: Expression, op: str, point: Point) -> None:
    assert holds(written(op, expression), point) == holds(Compare(op, expression, ZERO), point)


def test_products_of_minima() -> None:
    v = [variable(f"v[{i}]") for i in range(3)]
    found = folded(">=", [q + form for q in v for form in (x, y * 2 - 1)])
    assert [to_text(item) for item in found] == ["min(v[0], v[1], v[2]) + min(x, 2*y - 1) >= 0"]


# --- what a maximum needs --------------------------------------------------------------------------


@given(st.lists(forms(NAMES[:3]), min_size=1, max_size=5), polyhedra(strict=True))
@settings(max_examples=60)
def test_irredundant_extrema(items: list[Form], region: Polyhedron) -> None:
    for reduce, build in ((irredundant_max, max_of), (irredundant_min, min_of)):
        kept = reduce(items, region)
        left = iter(items)
        assert all(any(form == other for other in left) for form in kept), "in the given order"
        same = compare("==", build(kept), build(items))
        assert region.is_empty or equivalent(all_of((region.condition, negation(same))), FALSE).holds
        for i in range(len(kept)):
            fewer = kept[:i] + kept[i + 1 :]
            if fewer:
                changed = compare("!=", build(fewer), build(items))
                assert equivalent(all_of((region.condition, changed)), FALSE).holds is False


def test_of_equal_ones_the_first_stays() -> None:
    quarter = Polyhedron((), (x, y))
    assert irredundant_max([x, y, x + y, x + y], quarter) == (x + y,)
    assert irredundant_min([x, y, x + y], quarter) == (x, y)
    assert irredundant_max([x + 1, x + y, y + 1], Polyhedron((x - y,), (x - 1,))) == (x + y,)
    assert irredundant_max([y, x], Polyhedron((x - y,))) == (y,)
    assert irredundant_max([x, y], Polyhedron((number(1),))) == (x,)
    assert irredundant_max([variable("bound"), x], quarter) == (variable("bound"), x)
