"""Branches of piecewise values settled by premises: taken only where they follow, left where nothing follows."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Piecewise, Rational, Symbol, pi, sqrt

from tpsym.verify.settle import facts, settled

t, r = Symbol("t", real=True), Symbol("r", real=True)
lam = Symbol("lambda", positive=True)
a, b = (1 - sqrt(lam)) ** 2, (1 + sqrt(lam)) ** 2
TWO = Piecewise((1, t < 0), (2, t < 5), (3, True))


@pytest.mark.parametrize(
    ("premises", "condition", "truth"),
    [
        ([t > 2], t > 1, True),
        ([t > 2], t**2 > 4, True),
        ([t > 2], t < 2, False),
        ([t > 2], t > 3, None),
        ([], lam > 0, True),
        ([], lam >= 0, True),
        ([], t**2 >= 0, True),
        ([], sp.Ne(lam, 0), True),
        ([], sp.Ne(r, 0), None),
        ([lam < 1], sqrt(lam) < 1, True),
        ([lam > 1], 1 - 1 / lam > 0, True),
        ([lam < 1], a < 1, True),
        ([], a <= b, True),
        ([lam < 1, t > b], t > a, True),
        ([lam < 1, a < t, t < b], sp.And(t > 0, t < 4), True),
        ([lam < 1, a < t, t < b], t > 4, False),
        ([t > 0], sqrt(t) >= 0, True),
        ([], sqrt(t) >= 0, None),  # not defined everywhere
        ([sqrt(t) > 1], t > 1, True),
        ([], 1 / t > 0, None),
        ([t > 0], 1 / t > 0, True),
        ([], pi > 3, True),
        ([], pi > Rational(22, 7), False),
        ([], sp.Eq(pi, Rational(314159265358979, 10**14)), False),
        ([t > pi], t > 3, True),
        ([sp.cos(t) > 0], t > 0, None),
        ([t > 0], sp.cos(t) > 0, None),
        ([sp.Abs(t) < 1], sp.And(t < 1, t > -1), True),
        ([sp.Max(t, 1) > 1], t > 1, True),
        ([sp.Or(t > 2, t < -2)], t**2 > 4, True),
        ([sp.Or(t > 2, t < -2)], t > 0, None),
        ([sp.Or(t < -1, sqrt(t) > 2)], t > 0, None),
        ([sp.And(t < 4, sqrt(t) > 1)], sp.And(t > 0, t < 5), True),
        ([sp.Eq(t, 1)], sp.Ne(t, 2), True),
        ([t ** Rational(1, 3) > 2], t > 8, True),
        ([], sp.true, True),
        ([], sp.false, False),
    ],
)
def test_what_follows(premises: list[sp.Basic], condition: sp.Basic, truth: bool | None) -> None:
    assert facts(premises).implied(condition) is truth


@pytest.mark.parametrize(
    ("expr", "premises", "expected"),
    [
        (TWO, [t < -1], 1),
        (TWO, [t > 0, t < 4], 2),
        (TWO, [t > 6], 3),
        (TWO, [t > 1], Piecewise((2, t < 5), (3, True))),
        (TWO, [t < 3], Piecewise((1, t < 0), (2, True))),
        (TWO, [], TWO),
        (1 + t * TWO, [t > 6], 1 + 3 * t),
        (Piecewise((sqrt(4 - t**2), sp.And(t > -2, t < 2)), (0, True)), [t > -2, t < 2], sqrt(4 - t**2)),
        (Piecewise((0, lam <= 1), (1 - 1 / lam, True)), [lam > 1], 1 - 1 / lam),
        (Piecewise((TWO, lam < 1), (7, True)), [lam < 1, t > 6], 3),
        (sp.Max(0, 1 - 1 / lam), [lam > 1], 1 - 1 / lam),
        (sp.Max(0, 1 - 1 / lam), [lam < 1], 0),
        (sp.Min(t, t**2), [t > 1], t),
        (sp.Max(t, r), [], sp.Max(t, r)),
        (Piecewise((1, sp.cos(t) > 0), (2, True)), [t > 0], Piecewise((1, sp.cos(t) > 0), (2, True))),
    ],
)
def test_branches(expr: sp.Expr, premises: list[sp.Basic], expected: sp.Expr) -> None:
    assert settled([expr], premises) == [expected]


def test_a_branch_under_conditions_that_are_not_defined_is_not_taken() -> None:
    expr = Piecewise((1, sqrt(t) < 0), (2, True))
    assert settled([expr], []) == [expr]
    assert settled([expr], [t > 0]) == [2]


POINTS = st.fractions(min_value=-4, max_value=4, max_denominator=6)
LINEAR = st.builds(lambda p, q: p * t + q, st.integers(-2, 2), st.integers(-3, 3))
CONDITIONS = st.builds(
    lambda rel, p, q: rel(p, q), st.sampled_from([sp.Lt, sp.Le, sp.Gt, sp.Ge]), st.just(t**2 + t) | LINEAR, LINEAR
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CONDITIONS, max_size=2), st.lists(CONDITIONS, min_size=1, max_size=3), POINTS)
def test_values_are_kept_wherever_the_premises_hold(
    premises: list[sp.Basic], branches: list[sp.Basic], point: Fraction
) -> None:
    value = {t: sp.Rational(point.numerator, point.denominator)}
    expr = Piecewise(*((sp.Integer(i), c) for i, c in enumerate(branches)), (sp.Integer(-1), True))
    (found,) = settled([expr], premises)
    if all(c.subs(value) == sp.true for c in premises):
        assert found.subs(value) == expr.subs(value)
