"""Trees of linear conditions: what builds and rewrites them leaves their meaning, and text is that of the language."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from operator import add, mul, sub, truediv

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from linear_strategies import NAMES, conditions, expressions, forms, points

from tpsym.polyhedra.conditions import (
    And,
    Compare,
    Condition,
    Expression,
    MaxOf,
    MinOf,
    Not,
    Or,
    Point,
    all_of,
    any_of,
    combination,
    compare,
    condition_to_sympy,
    evaluate,
    expression_text,
    from_sympy,
    holds,
    iff,
    implies,
    max_of,
    min_of,
    negation,
    substitute,
    to_sympy,
    to_text,
    variables_of,
)
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.names import natural
from tpsym.polyhedra.normal import AllOf, AnyOf, Literal, Normal, max_of_mins, normal, true_literals
from tpsym.polyhedra.trees import RELATIONS
from tpsym.syntax import tree
from tpsym.syntax.parse import parse_expression

x, y, a = variable("x"), variable("y"), variable("a[2]")
SYMBOLS = {name: sp.Symbol(name, real=True) for name in NAMES}
some = st.lists(expressions, min_size=1, max_size=3)
several = st.lists(conditions, max_size=3)


@given(some, points)
def test_building_keeps_values(items: list[Expression], point: Point) -> None:
    values = [evaluate(item, point) for item in items]
    assert evaluate(max_of(items), point) == max(values)
    assert evaluate(min_of(items), point) == min(values)
    pairs = [(Fraction(k, 2) - 1, item) for k, item in enumerate(items)]
    assert evaluate(combination(3, pairs), point) == 3 + sum(q * v for (q, _), v in zip(pairs, values, strict=True))


@given(several, points)
def test_building_keeps_truth(items: list[Condition], point: Point) -> None:
    truths = [holds(item, point) for item in items]
    assert holds(all_of(items), point) == all(truths)
    assert holds(any_of(items), point) == any(truths)
    for item, truth in zip(items, truths, strict=True):
        assert holds(negation(item), point) == (not truth)
        assert holds(implies(items[0], item), point) == (not truths[0] or truth)
        assert holds(iff(items[0], item), point) == (truths[0] == truth)


@given(conditions, forms(), expressions, points)
def test_substitution_is_evaluation_elsewhere(
    condition: Condition, first: Form, second: Expression, point: Point
) -> None:
    values: dict[str, Expression] = {"x": first, "y": second}
    elsewhere = {**point, **{name: evaluate(item, point) for name, item in values.items()}}
    assert holds(substitute(condition, values), point) == holds(condition, elsewhere)


@given(expressions, points)
def test_sympy_there_and_back(expression: Expression, point: Point) -> None:
    there = to_sympy(expression, SYMBOLS)
    value = evaluate(expression, point)
    numbers = {SYMBOLS[name]: sp.Rational(q.numerator, q.denominator) for name, q in point.items()}
    assert there.subs(numbers) == sp.Rational(value.numerator, value.denominator)
    back = from_sympy(there)
    assert back is not None
    assert evaluate(back, point) == value


@given(conditions, points)
def test_conditions_in_sympy(condition: Condition, point: Point) -> None:
    numbers = {SYMBOLS[name]: sp.Rational(q.numerator, q.denominator) for name, q in point.items()}
    assert condition_to_sympy(condition, SYMBOLS).subs(numbers) == holds(condition, point)


@pytest.mark.parametrize(
    "expr",
    [
        SYMBOLS["x"] * SYMBOLS["y"], SYMBOLS["x"] ** 2, 0.5 * SYMBOLS["x"], sp.pi * SYMBOLS["x"], sp.sqrt(2), sp.oo,
        sp.nan, sp.Max(SYMBOLS["x"], SYMBOLS["y"] ** 2), sp.Float(0.5), sp.Abs(SYMBOLS["x"]), sp.I,
        sp.exp(SYMBOLS["x"]),
    ],
)
def test_what_is_not_piecewise_linear_is_refused(expr: sp.Expr) -> None:
    assert from_sympy(expr) is None


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Compare("==", x + a, number("1/2")), "a[2] + x == 1/2"),
        (Compare(">=", combination(0, ((2, max_of([x, y])), (-3, min_of([x, a])), (1, number(1)))), number(0)),
         "2*max(x, y) - 3*min(x, a[2]) + 1 >= 0"),
        (And((Compare("<", x, y), Or((Compare("!=", x, a), Compare(">", y, a))))), "x < y and (x != a[2] or y > a[2])"),
        (Or((And((Compare("<", x, y), Compare("<", y, a))), Compare("<", a, x))), "x < y and y < a[2] or a[2] < x"),
        (Not(And((Compare("<", x, y), Compare("<", y, a)))), "not (x < y and y < a[2])"),
        (Not(Compare("<", x, y)), "not x < y"),
        (And(()), "0 == 0"),
        (Or(()), "0 == 1"),
        (Compare("==", MaxOf((MinOf((x, y)), a)), -x + 1), "max(min(x, y), a[2]) == 1 - x"),
        (Compare("==", -x, x * Fraction(-3, 2) - 1), "-x == -3/2*x - 1"),
    ],
)
def test_text(condition: Condition, text: str) -> None:
    assert to_text(condition) == text


def meaning(node: tree.Expr, point: Point) -> Fraction | bool:
    """The value of a parsed expression or condition."""
    match node:
        case tree.Number(value=value):
            return value
        case tree.Name(id=name):
            return point[name]
        case tree.Index(base=tree.Name(id=name), indices=(tree.Number(value=value),)):
            return point[f"{name}[{value}]"]
        case tree.Unary(op=op, operand=operand):
            inner = meaning(operand, point)
            return not inner if op == "not" else -inner
        case tree.Binary(op=op, left=left, right=right):
            return BINARY[op](meaning(left, point), meaning(right, point))
        case tree.Compare(ops=(op,), operands=(left, right)):
            return bool(RELATIONS[op](meaning(left, point), meaning(right, point)))
        case tree.Call(function=tree.Name(id=name), args=args):
            return {"max": max, "min": min}[name](meaning(item, point) for item in args)
    raise AssertionError(node)


BINARY: dict[str, Callable[..., Fraction | bool]] = {
    "and": lambda a, b: a and b, "or": lambda a, b: a or b,
    "+": add, "-": sub, "*": mul, "/": truediv,
}


@given(conditions, points)
def test_text_says_what_holds(condition: Condition, point: Point) -> None:
    assert meaning(parse_expression(to_text(condition)), point) == holds(condition, point)


@given(expressions, points)
def test_text_of_a_number(expression: Expression, point: Point) -> None:
    assert meaning(parse_expression(expression_text(expression)), point) == evaluate(expression, point)


def test_equal_ones_are_collected() -> None:
    assert max_of([x, x + 1, max_of([y, x])]) == MaxOf((x + 1, y))
    assert min_of([x, x + 1]) == x
    top = max_of([x, y])
    assert combination(1, ((1, top), (2, combination(1, ((-1, top), (1, x)))), (1, top))) == x * 2 + 3
    assert compare("<", x, x + 1) == all_of(())
    with pytest.raises(ValueError, match="nothing"):
        max_of([])
    with pytest.raises(ValueError, match="no comparison"):
        Compare("~", x, y)


def test_variables() -> None:
    assert variables_of(Not(And((Compare("<", x, max_of([y, a])),)))) == {"x", "y", "a[2]"}


def test_names_sort_by_their_numbers() -> None:
    names = ["a[10]", "b", "a[2]", "a", "c[1,12]", "c[1,3]", "2"]
    assert sorted(names, key=natural) == ["2", "a", "a[2]", "a[10]", "b", "c[1,3]", "c[1,12]"]


# --- normal form -----------------------------------------------------------------------------------


def truth(tree: Normal, point: Point) -> bool:
    match tree:
        case Literal():
            return tree.holds(point)
        case AllOf(items):
            return all(truth(item, point) for item in items)
        case AnyOf(items):
            return any(truth(item, point) for item in items)


@given(expressions, points)
def test_maximum_of_minima(expression: Expression, point: Point) -> None:
    for factor in (Fraction(1), Fraction(-3, 2), Fraction(0)):
        value = max(min(form.value(point) for form in clause) for clause in max_of_mins(expression, factor))
        assert value == factor * evaluate(expression, point)


@given(conditions, points)
def test_normal_form(condition: Condition, point: Point) -> None:
    tree = normal(condition)
    assert truth(tree, point) == holds(condition, point)
    assert truth(normal(condition, positive=False), point) != holds(condition, point)
    found = true_literals(tree, point)
    assert (found is not None) == holds(condition, point)
    assert all(literal.holds(point) for literal in found or ())


@given(conditions, points, points)
def test_true_literals_imply_the_condition(condition: Condition, point: Point, other: Point) -> None:
    found = true_literals(normal(condition), point)
    if found is not None and all(literal.holds(other) for literal in found):
        assert holds(condition, other)
