"""Closed forms of layer recurrences against running the recurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Rational, S, Symbol, acos, exp, pi, sqrt

from tpsym.gauss.expectation import E, bound
from tpsym.results.recurrence import Equation, Solution, solve, solve_all

ell, L = sp.symbols("l L", integer=True, positive=True)
sigma, sigma_w, alpha, d, dot, y1 = sp.symbols("sigma sigma_w alpha d dot y1", positive=True)
sigma_b, w = sp.symbols("sigma_b w", nonnegative=True)
x = Symbol("x", real=True)
y = Symbol("y", real=True)
LAYERS = 8
CAREFUL = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def run(step: Expr, initial: Expr, low: int, values: dict[Symbol, Expr]) -> list[Expr]:
    """The recurrence itself, in rational numbers, from layer low - 1 on."""
    found = [initial.xreplace(values)]
    for layer in range(low, LAYERS + 1):
        found.append(step.xreplace(values).xreplace({ell: Integer(layer), y: found[-1]}))
    return found


def agrees(solution: Solution, step: Expr, initial: Expr, low: int = 2, **numbers: Any) -> bool:
    names = solution.expr.free_symbols | step.free_symbols | initial.free_symbols
    free = sorted(names - {ell, y}, key=str)
    values = {s: S(numbers.get(s.name, Rational(i + 2, i + 3))) for i, s in enumerate(free)}
    expected = run(step, initial, low, values)
    computed = [solution.expr.xreplace(values).xreplace({ell: Integer(low - 1 + i)}) for i in range(len(expected))]
    return all(sp.expand(sp.radsimp(a - b)) == 0 for a, b in zip(expected, computed, strict=True))


def solved(step: Expr, initial: Expr, low: int = 2) -> Solution:
    found = solve(y, step, index=ell, low=Integer(low), initial=initial)
    assert found is not None
    return found


# --- forms a person would write --------------------------------------------------------------------

half = sigma**2 / 2
EXACT = {
    "rectified": (half * y, y1, y1 * half ** (ell - 1)),
    "residual": (y + alpha**2 / 2, dot / d, dot / d + (ell - 1) * alpha**2 / 2),
    "scaled residual": (y * (1 + alpha**2 / (2 * L)), dot / d, dot / d * (1 + alpha**2 / (2 * L)) ** (ell - 1)),
    "resonance": (half * y + y1 * half ** (ell - 1), y1, ell * y1 * half ** (ell - 1)),
    "arithmetic": (y + ell, y1, y1 + (ell - 1) * (ell + 2) / 2),
    "numbers": (y / 2 + sigma_b**2, y1, (y1 - 2 * sigma_b**2) * 2 ** (1 - ell) + 2 * sigma_b**2),
    "alternating": (1 - y, y1, (y1 - Rational(1, 2)) * (-1) ** (ell - 1) + Rational(1, 2)),
    "telescoping": (y + 1 / (ell * (ell + 1)), y1, y1 + (ell - 1) / (ell + 1) / 2),
    "quotients": (alpha * (ell + 3) / (ell + 1) * y, y1, alpha ** (ell - 1) * y1 * (ell + 2) * (ell + 3) / 12),
    "stationary": (sqrt(y), S.One, S.One),
    "normalised": (S.One, S.One, S.One),
}


@pytest.mark.parametrize("name", EXACT)
def test_printed_as_a_person_would(name: str) -> None:
    step, initial, expected = EXACT[name]
    found = solved(step, initial)
    assert found == Solution(expected)
    assert found.note == ""
    assert agrees(found, step, initial, L=3)


# --- denominators that may vanish ------------------------------------------------------------------


def test_a_formula_that_needs_a_condition_says_so() -> None:
    step = sigma_w**2 / 2 * y + sigma_b**2
    found = solved(step, y1)
    a = sigma_w**2 / 2
    assert found.expr == y1 * a ** (ell - 1) + sigma_b**2 * (a ** (ell - 1) - 1) / (a - 1)
    assert found.note == "for sigma_w^2/2 != 1"
    assert found.conditions == ((a, S.One),)
    assert agrees(found, step, y1)
    assert solved(step.xreplace({sigma_w: sqrt(2)}), y1).expr == y1 + (ell - 1) * sigma_b**2


def test_two_ratios_that_may_coincide() -> None:
    step = sigma**2 / 2 * y + y1 * (sigma_w**2 / 2) ** (ell - 1)
    found = solved(step, y1)
    assert found.note == "for sigma_w^2/2 != sigma^2/2"
    assert agrees(found, step, y1)


def test_no_condition_where_none_is_needed() -> None:
    for step in (y * (1 + alpha**2) + sigma_b, y * (1 + alpha / L) + ell, y / 3 + ell**2, (2 + w) * y + 2**ell * 0 + 1):
        found = solved(step, y1)
        assert found.note == ""
        assert agrees(found, step, y1, L=5)


def test_a_factor_that_may_be_zero() -> None:
    step, early = w * y + w ** (ell - 1), w * y + w ** (ell - 2)
    assert solved(step, y1).note == ""
    assert agrees(solved(step, y1), step, y1, w=0)
    assert solved(early, y1).note == "for w != 0"
    assert agrees(solved(early, y1), early, y1)
    mixed = w * y + 2 * 3**ell
    assert agrees(solved(mixed, y1), mixed, y1, w=0)
    assert solved(mixed, y1).note == "for w != 3"


# --- other coefficients ----------------------------------------------------------------------------


def test_coefficients_are_whatever_is_free_of_the_layer() -> None:
    z = bound(1)
    mean = E(sp.tanh(z) ** 2, [[sigma]])
    for a, b in ((mean, alpha), ((pi - acos(x)) / (2 * pi), alpha), (sqrt(2) * sigma, sqrt(alpha)), (S.One, mean)):
        found = solved(a * y + b, y1)
        at = found.expr.xreplace({ell: Integer(4)})
        three = a * (a * (a * y1 + b) + b) + b
        assert sp.cancel(sp.together(at - three)) == 0


def test_a_symbolic_first_layer() -> None:
    found = solve(y, half * y + 1, index=ell, low=L, initial=y1)
    assert found is not None
    assert found.expr == y1 * half ** (ell - L + 1) + (half ** (ell - L + 1) - 1) / (half - 1)


def test_exponentials() -> None:
    found = solved(y * exp(-alpha) + exp(-2 * alpha * ell), y1)
    expected = run(y * exp(-alpha) + exp(-2 * alpha * ell), y1, 2, {})
    assert sp.expand(sp.cancel(sp.together(found.expr.xreplace({ell: Integer(4)}) - expected[3]))) == 0


@pytest.mark.parametrize(
    "step",
    [
        y**2, sqrt(y), ell * y, y / (1 + y), y + 1 / ell, y + sp.log(ell),
        (ell - 1) / ell * y + 1 / ell**2 + ell ** Rational(1, 2),
        (ell - 3) / (ell - 2) * y, alpha**ell * y, y + alpha ** (ell**2), 2 * abs(y), sp.Max(y, 1),
        sp.Piecewise((y, ell < 4), (2 * y, True)),
    ],
)  # fmt: skip
def test_what_has_no_such_form_is_left(step: Expr) -> None:
    assert solve(y, step, index=ell, low=Integer(2), initial=y1) is None


def test_an_initial_value_that_does_not_fit() -> None:
    assert solve(y, sigma_b, index=ell, low=Integer(2), initial=y1) is None
    assert solved(sigma_b + ell, sigma_b + 1).expr == sigma_b + ell


def test_a_factor_that_vanishes_at_some_layer_is_not_cancelled() -> None:
    """(ell - 3)/(ell - 2) is zero at layer 3: from there on y is 0, which no telescoped product shows."""
    assert solve(y, (ell - 3) / (ell - 2) * y, index=ell, low=Integer(3), initial=y1) is None
    found = solved((ell - 3) / (ell - 2) * y, y1, low=4)
    assert agrees(found, (ell - 3) / (ell - 2) * y, y1, low=4)


# --- random recurrences ----------------------------------------------------------------------------

RATIONAL = st.builds(Rational, st.integers(-6, 6), st.integers(1, 4))
POLYNOMIAL = st.lists(RATIONAL, max_size=4).map(lambda cs: sp.Add(*(c * ell**k for k, c in enumerate(cs))))
RATIO = RATIONAL.filter(lambda r: r != 0)
FORCING = st.lists(st.tuples(RATIO, POLYNOMIAL, st.integers(-2, 2)), max_size=2).map(
    lambda terms: sp.Add(*(r ** (ell + k) * p for r, p, k in terms))
)


@CAREFUL
@given(RATIONAL, POLYNOMIAL, FORCING, RATIONAL, st.integers(0, 3))
def test_affine_with_numbers(a: Expr, p: Expr, forcing: Expr, initial: Expr, low: int) -> None:
    step = a * y + p + forcing
    found = solve(y, step, index=ell, low=Integer(low), initial=initial)
    if a == 0 and found is None:
        return
    assert found is not None
    assert found.note == ""
    assert agrees(found, step, initial, low)


PARAMETRIC: st.SearchStrategy[Callable[[], Expr]] = st.sampled_from(
    [half, alpha, 1 + alpha**2, w, w**2 / 2, alpha / 3, -alpha, 1 + alpha / L, sqrt(2) * alpha, x, x - 1]
)


@CAREFUL
@given(PARAMETRIC, PARAMETRIC, POLYNOMIAL, RATIONAL, st.integers(0, 2), st.sampled_from([0, 1, 2, Rational(1, 3)]))
def test_affine_with_parameters(a: Expr, r: Expr, p: Expr, c: Expr, shift: int, at: Expr) -> None:
    """Also at 0 and 1, where a formula without a condition has to hold as well."""
    step = a * y + p + c * r ** (ell - 2 + shift)
    found = solve(y, step, index=ell, low=Integer(2), initial=y1)
    assert found is not None
    point = {"w": at, "x": at, "alpha": at or 1, "sigma": at or 2, "L": 3, "y1": 5}
    values = {s: S(point[s.name]) for s in step.free_symbols | found.expr.free_symbols if s.name in point}
    if all(sp.expand((left - right).xreplace(values)) != 0 for left, right in found.conditions):
        assert agrees(found, step, y1, **point)


@CAREFUL
@given(st.integers(0, 3), st.integers(0, 3), RATIO, POLYNOMIAL)
def test_rational_factors(up: int, down: int, c: Expr, p: Expr) -> None:
    step = c * (ell + up) / (ell + down) * y
    found = solved(step, y1)
    assert agrees(found, step, y1)
    forced = (ell + 1) / (ell + 2) * y + p / (ell + 2)
    found = solved(forced, y1)
    assert agrees(found, forced, y1)


# --- several statistics ----------------------------------------------------------------------------


def test_triangular_systems() -> None:
    kernel, kernel_before, tangent, tangent_before = sp.symbols("K K_p Theta Theta_p", real=True)
    wild, wild_before, after, after_before = sp.symbols("W W_p A A_p", real=True)
    a = sigma_w**2 / 2
    equations = {
        tangent: Equation(tangent_before, kernel + a * tangent_before, y1),
        wild: Equation(wild_before, wild_before**2 * kernel_before, y1),
        after: Equation(after_before, after_before + wild, y1),
        kernel: Equation(kernel_before, a * kernel_before, y1),
    }
    found = solve_all(equations, index=ell, low=Integer(2))
    assert list(found) == [kernel, tangent]
    assert found[kernel].expr == y1 * a ** (ell - 1)
    assert found[tangent].expr == ell * y1 * a ** (ell - 1)
    equations[kernel] = Equation(kernel_before, a * kernel_before + sigma_b**2, y1)
    found = solve_all(equations, index=ell, low=Integer(2))
    assert found[tangent].note == "for sigma_w^2/2 != 1"
    values = {sigma_w: S(3), sigma_b: S(2), y1: S(5)}
    k, theta = S(5), S(5)
    for layer in range(2, LAYERS):
        k = Rational(9, 2) * k + 4
        theta = k + Rational(9, 2) * theta
        assert found[tangent].expr.xreplace({**values, ell: Integer(layer)}) == theta


def test_the_statistic_before_is_known_too() -> None:
    one, one_before, two, two_before = sp.symbols("p p_p q q_p", real=True)
    equations = {
        one: Equation(one_before, one_before + 1, y1),
        two: Equation(two_before, two_before + one_before, S.Zero),
    }
    found = solve_all(equations, index=ell, low=Integer(2))
    assert sp.expand(found[two].expr - sum(y1 + k for k in range(4))).xreplace({ell: Integer(5)}).expand() == 0


def test_statistics_that_need_each_other_are_left() -> None:
    one, one_before, two, two_before = sp.symbols("p p_p q q_p", real=True)
    equations = {
        one: Equation(one_before, two_before + 1, y1),
        two: Equation(two_before, one_before + two_before, y1),
    }
    assert solve_all(equations, index=ell, low=Integer(2)) == {}
