"""Balls against mpmath, against closed forms, and at the edges of domains."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
import sympy as sp
from flint import arb
from sympy import Rational, acos, asin, exp, log, pi, sin, sqrt

from tpsym.functions import Phi, gelu, leaky_relu, relu, sigmoid, silu, softplus, step, unknown
from tpsym.gauss.expectation import E, bound
from tpsym.gauss.numeric import ball, enclose, value

q, c, s = sp.symbols("q c s", real=True)
x = sp.Symbol("x", real=True)
z, w, v = bound(1), bound(2), bound(3)
POINT = {q: Fraction(3, 2), c: Fraction(1, 2), s: Fraction(4, 5)}
LINE, PLANE = [[q]], [[q, c], [c, s]]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (sin(x) ** 2 + exp(-x) / 3, lambda t: mpmath.sin(t) ** 2 + mpmath.exp(-t) / 3),
        (Phi(x) * gelu(x), lambda t: t * mpmath.ncdf(t) ** 2),
        (sp.erf(x) + sp.tanh(x), lambda t: mpmath.erf(t) + mpmath.tanh(t)),
        (sigmoid(x) + softplus(-x) + silu(x), lambda t: (1 + t) / (1 + mpmath.exp(-t)) + mpmath.log1p(mpmath.exp(-t))),
        (leaky_relu(x, Rational(1, 5)) + relu(-x), lambda t: -t * mpmath.mpf("0.8")),
        (abs(x) ** Rational(3, 2) + (x**2 + 1) ** pi, lambda t: abs(t) ** 1.5 + (t**2 + 1) ** mpmath.pi),
        (sp.Piecewise((x**2, x > 0), (acos(x / 3), True)), lambda t: mpmath.acos(t / 3)),
        (sp.Max(x, x**2, 1) + sp.Min(x, 2), lambda t: max(t**2, 1) + t),
        (asin(x / 2) + sp.atan(x) + step(x) + sp.sign(x), lambda t: mpmath.asin(t / 2) + mpmath.atan(t) - 1),
    ],
)
def test_functions_agree_with_mpmath(expr: sp.Expr, expected: object) -> None:
    with mpmath.workdps(50):
        reference = expected(mpmath.mpf(-9) / 7)  # type: ignore[operator]
        found = ball(expr, {x: Fraction(-9, 7)}, bits=160)
        assert found.rad() < 1e-40
        assert abs(mpmath.mpf(found.mid().str(45, radius=False)) - reference) < mpmath.mpf(10) ** -38


def test_arguments_on_the_edge_of_a_domain() -> None:
    one = sin(x) ** 2 + sp.cos(x) ** 2
    at = {x: Fraction(2, 3)}
    assert (ball(asin(one), at) - arb.pi() / 2).contains(0)
    assert ball(sqrt(1 - one), at).contains(0)
    assert not ball(sqrt(x - 2), at).is_finite()
    assert not ball(asin(x + 1), at).is_finite()
    assert not ball(log(-x), at).is_finite()
    assert not ball(1 / (x - Rational(2, 3)), at).is_finite()
    assert ball(step(one - 1), at).contains(0)
    assert ball(step(one - 1), at).contains(1)


def test_definitions_are_evaluated_once_each() -> None:
    names = sp.symbols("k0:4000")
    chain = {k: names[i - 1] * names[i - 1] / 2 + Rational(1, 2) for i, k in enumerate(names) if i}
    found = ball(names[-1], {names[0]: Fraction(1, 3)}, definitions=chain)
    assert 0.9 < float(found) < 1


def test_certain_digits() -> None:
    found, digits = value(exp(pi * sqrt(163)) - 262537412640768744, {}, digits=20)
    assert digits >= 20
    assert found.rigorous
    assert float(found.value) == pytest.approx(-7.499274028018143e-13, rel=1e-14)


LINES = {
    "tanh": (sp.tanh(z) ** 2, mpmath.tanh, 2),
    "softplus": (softplus(z), lambda t: mpmath.log1p(mpmath.exp(t)), 1),
    "log": (log(1 + z**2), lambda t: mpmath.log1p(t**2), 1),
    "bump": (exp(-(z**2) / 3 + z / 2), lambda t: mpmath.exp(-(t**2) / 3 + t / 2), 1),
    "growing": (exp(z**2 / 5), lambda t: mpmath.exp(t**2 / 5), 1),
    "rational": (1 / (1 + z**2), lambda t: 1 / (1 + t**2), 1),
    "silu": (silu(z), lambda t: t / (1 + mpmath.exp(-t)), 1),
    "root": (sqrt(1 + z**2), lambda t: mpmath.sqrt(1 + t**2), 1),
    "cosh": (sp.cosh(z), mpmath.cosh, 1),
}


@pytest.mark.parametrize("name", LINES)
def test_one_variable_against_mpmath(name: str) -> None:
    body, f, k = LINES[name]
    found = enclose(E(body, LINE), POINT)
    with mpmath.workdps(30):
        weight = lambda t: f(t) ** k * mpmath.exp(-(t**2) / 3) / mpmath.sqrt(3 * mpmath.pi)  # noqa: E731
        reference = mpmath.quad(weight, mpmath.linspace(-30, 30, 31))
        assert found.rigorous
        assert found.value.rad() < 1e-25
        assert abs(mpmath.mpf(found.value.mid().str(30, radius=False)) - reference) < 1e-20


@pytest.mark.parametrize(
    ("body", "closed"),
    [
        (relu(z), sqrt(q / (2 * pi))),
        (relu(z - c) * sp.sign(z - c) + relu(c - z), E(abs(z - c), LINE)),
        (step(z + 1), Phi(1 / sqrt(q))),
        (gelu(z), q / sqrt(2 * pi * (1 + q))),
        (sp.Piecewise((z, z > c), (c, True)), c + E(relu(z - c), LINE)),
        (sp.Max(z, 0) ** 3, E(relu(z) ** 3, LINE)),
        (relu(z) * step(z - 1) * step(z - 1 - c / 10**60), E(relu(z) * step(z - 1), LINE)),
        (z**6, 15 * q**3),
    ],
)
def test_kinks(body: sp.Expr, closed: sp.Expr) -> None:
    found = enclose(E(body, LINE) - closed, POINT)
    assert found.rigorous
    assert found.value.contains(0)
    assert found.value.rad() < 1e-20


def test_a_constant_variable_is_exact() -> None:
    zero = {**POINT, q: Fraction(0), c: Fraction(0)}
    assert (ball(E(exp(z) * relu(w), PLANE), zero) - ball(sqrt(s / (2 * pi)), zero)).contains(0)
    assert ball(E(exp(z) + step(z), LINE), zero) == 1


def test_perfectly_correlated_variables() -> None:
    at = {q: Fraction(3, 2), c: Fraction(-3), s: Fraction(6)}
    assert (ball(E(relu(z) * relu(-w), PLANE), at) - ball(q, at)).contains(0)
    same = E(sp.tanh(z) * sp.tanh(w), [[sqrt(q), sqrt(q)], [sqrt(q), sqrt(q)]])
    assert ball(same - E(sp.tanh(z) ** 2, [[sqrt(q)]]), POINT).contains(0)


def test_two_variables_against_closed_forms() -> None:
    rho = c / sqrt(q * s)
    theta = acos(rho)
    kernel = sqrt(q * s) * (sin(theta) + (pi - theta) * rho) / (2 * pi)
    found = enclose(E(relu(z) * relu(w), PLANE) - kernel, POINT)
    assert found.rigorous
    assert found.value.contains(0)
    assert found.value.rad() < 1e-15


def test_polynomials_in_any_number_of_variables() -> None:
    ones = [[1, c, c], [c, 1, c], [c, c, 1]]
    assert (ball(E(z**2 * w**2 * v**2, ones), POINT) - ball(1 + 6 * c**2 + 8 * c**3, POINT)).contains(0)


def test_more_variables_are_estimated_and_say_so() -> None:
    third = Rational(1, 3)
    cov = [[1, third, third], [third, 1, third], [third, third, 1]]
    body = sp.tanh(z) * step(w) * step(v) + sp.tanh(-z) * step(-w) * step(v)
    found = enclose(E(body, cov), {})
    exact = enclose(E(sp.tanh(z) * step(w), PLANE), {q: 1, c: Fraction(1, 3), s: 1})
    assert exact.rigorous
    assert not found.rigorous
    assert (found.value - exact.value).contains(0)
    assert not ball(E(body, cov), {}).is_finite()


def test_heavy_tails_are_not_integrated() -> None:
    assert not ball(E(exp(z**2), LINE), POINT).is_finite()


def test_unknown_functions_are_given() -> None:
    phi = unknown("phi", 1)
    stein = E(z * phi(z), LINE) - q * E(phi(z).diff(z), LINE)
    assert not ball(stein, POINT).is_finite()
    for function in (sp.tanh, lambda t: t**3 - t, lambda t: sp.sin(t) + t / 2):
        assert ball(stein, POINT, functions={"phi": function}).contains(0)


def test_time_runs_out() -> None:
    assert not enclose(E(sp.tanh(z) * sp.tanh(w), PLANE), POINT, deadline=0.0).known


def test_roots_of_polynomials_are_enclosed() -> None:
    x = sp.Symbol("x")
    poly = x**4 - 6 * x**3 + 7 * x**2 + 6 * x - 31
    for k in (0, 1):
        root = sp.CRootOf(poly, k)
        number, certain = value(root, {}, digits=60)
        assert certain >= 60
        assert abs(sp.N(root, 60) - sp.Float(number.value.str(60, radius=False), 60)) < sp.Float("1e-58")
    assert not value(sp.CRootOf(poly, 2), {}, digits=10)[0].value.is_finite()
