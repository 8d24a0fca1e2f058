"""Mixed products, offsets, compositions, orthants and unknown functions against quadrature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import scipy.special
import sympy as sp
from gauss_oracle import compiled, mean1, mean2, number
from sympy import Abs, Max, Min, Piecewise, Rational, cos, erf, exp, log, sin, sqrt, tanh

from tpsym.functions import Phi, delta, gelu, leaky_relu, relu, sigmoid, softplus, step, unknown
from tpsym.gauss import DivergentExpectation, E, expect

q, s = sp.symbols("q s", positive=True)
c, mu, nu = sp.symbols("c mu nu", real=True)
u, v, w = sp.symbols("u v w", real=True)
COVARIANCE = [[q, c], [c, s]]
TRIPLES = [(1.0, 0.5, 1.0), (1.7, -0.9, 0.8), (0.3, 0.2, 2.5), (1.0, 0.9999, 1.0)]
phi, psi = unknown("phi", 1), unknown("psi", 1)
half = Rational(1, 2)

MIXED = [
    relu(u) * erf(v),
    gelu(u) * step(v),
    exp(u) * relu(v),
    exp(u - v / 3) * relu(u) * step(v),
    u**2 * sin(u) * cos(v),
    u * sin(u) * cos(v),
    u * v * sin(u) * sin(v),
    relu(u) * cos(v),
    relu(u) * sin(v) * v,
    sp.sign(u) * sin(v),
    step(u) * cos(v) ** 2,
    sin(u) * sin(v) * cos(u),
    exp(-(u**2) / 3) * relu(u) * relu(v),
    exp(-((u - v) ** 2) / 2) * u * v,
    exp(-u * (u + v) - v**2) * Abs(v),
    exp(-(u**2) + u) * step(v) * v,
    exp(u * v / 3) * exp(-(u**2) - v**2),
    tanh(u) * relu(v),
    tanh(u) * tanh(v) * u * v,
    tanh(u) * Phi(v),
    tanh(u) ** 2 * erf(v) * v,
    sigmoid(u) * relu(v) * u,
    softplus(u) * relu(v),
    softplus(u) * v**2,
    exp(u) * tanh(v),
    sp.cosh(u) * tanh(v) ** 2,
    sin(u) * tanh(v) * u,
    cos(u) * step(v) * step(u),
    erf(u) ** 2 * erf(v) ** 2,
    Phi(u) ** 3 * v,
    gelu(u) ** 2 * relu(v),
    Abs(u) * Abs(v) ** 3,
    Abs(u) ** 5 * relu(v),
    u**4 * relu(v) ** 2,
    (u**4 - 6 * u**2 + 3) * relu(v),
    tanh(u * v) * u,
    sqrt(1 + u**2) * relu(v),
    sqrt(1 + u**2) * v**2,
    log(1 + u**2 + v**2),
    1 / (1 + exp(-u)) * v,
    tanh(2 * u) * tanh(u) * tanh(v),
]


@pytest.mark.parametrize("integrand", MIXED, ids=str)
def test_mixed(integrand: sp.Expr) -> None:
    value = expect(integrand, (u, v), COVARIANCE).value
    for triple in TRIPLES:
        exact = mean2(compiled(integrand, (u, v)), *triple)
        assert number(value, dict(zip((q, c, s), triple, strict=True))) == pytest.approx(exact, rel=1e-8, abs=1e-9)


COMPOSED = [
    (relu(relu(u) - 1), [0, 1]),
    (tanh(relu(u)) ** 2 * u, [0]),
    (tanh(relu(u) - half), [0]),
    (relu(1 - Abs(u)), [-1, 0, 1]),
    (relu(1 - Abs(u)) ** 2, [-1, 0, 1]),
    (Abs(leaky_relu(u, Rational(1, 3)) - half), [0, half]),
    (Max(-1, Min(1, u)) * u, [-1, 1]),
    (Max(-1, Min(1, u)) ** 2, [-1, 1]),
    (Piecewise((u**2, u > 1), (-1, u < -half), (u, True)), [1, -half]),
    (Piecewise((1, (u > -1) & (u < 2)), (u, (u < -2) | (u > 3)), (0, True)), [-2, -1, 2, 3]),
    (exp(relu(u)), [0]),
    (exp(-Abs(u)), [0]),
    (exp(-Abs(u)) * relu(u - 1) ** 2, [0, 1]),
    (erf(relu(u) - 1), [0]),
    (gelu(Abs(u)), [0]),
    (sin(relu(u)), [0]),
    (softplus(Abs(u)), [0]),
    (relu(u + half) * tanh(u), [-half]),
    (relu(u + 1) * step(1 - u) * u, [-1, 1]),
    (step(u) * step(u + 1) * step(2 - u), [0, -1, 2]),
    (sp.sign(relu(u) - Abs(u) / 2), [0]),
    (relu(u * step(u - 1)), [1]),
    (step(u**2 - 1), [-1, 1]),
    (step(u**3), [0]),
    (sqrt(relu(u)), [0]),
    (log(Abs(u)), [0]),
    (relu(u) ** Rational(3, 2), [0]),
]


@pytest.mark.parametrize(("integrand", "kinks"), COMPOSED, ids=str)
def test_compositions(integrand: sp.Expr, kinks: Sequence[sp.Expr]) -> None:
    value = expect(integrand, (u,), [[q]]).value
    rough = integrand.has(log) or any(p.exp == half for p in integrand.atoms(sp.Pow))
    for variance in (0.3, 1.0, 4.0):
        exact = mean1(compiled(integrand, (u,)), variance, kinks=[float(k) for k in kinks])
        at = number(value.replace(lambda e: isinstance(e, E), lambda e: expect_again(e)), {q: variance})
        assert at == pytest.approx(exact, rel=1e-4 if rough else 1e-9, abs=1e-10)


def expect_again(atom: E) -> sp.Expr:
    """Reducing an unevaluated mean again gives it back."""
    again = expect(atom.body, atom.variables, atom.covariance.tolist()).value
    assert again == atom
    return again


OFFSETS = [
    relu(u + mu),
    relu(u + mu) ** 2,
    relu(u + mu) * relu(u + nu),
    step(u - mu) * u**2,
    erf(u + mu),
    gelu(u + mu),
    Phi(2 * u + mu),
    Abs(u - mu),
    exp(u + mu) * relu(u + nu),
    cos(u + mu) * sin(2 * u + nu),
    u * cos(u + mu),
    tanh(u + mu) * u,
    tanh(mu - u),
    (u + mu) ** 4,
    exp(-((u - mu) ** 2) / 2) * u**2,
    exp(-((u - mu) ** 2)) * relu(u - nu),
    Max(mu, Min(nu, u)),
    step(u + mu) * step(nu - u),
    relu(relu(u) - mu),
    leaky_relu(u + mu, half) * sp.sign(u),
]


@pytest.mark.parametrize("integrand", OFFSETS, ids=str)
def test_offsets(integrand: sp.Expr) -> None:
    value = expect(integrand, (u,), [[q]]).value
    for variance, m, n in (
        (1.0, 0.4, -0.7),
        (0.5, -1.2, 0.3),
        (2.0, 0.0, 0.0),
        (1.5, 0.9, 0.9),
        (1, -0.5, -0.25),
    ):
        f = compiled(integrand.subs({mu: m, nu: n}), (u,))
        exact = mean1(f, variance, kinks=[0, m, -m, n, -n])
        assert number(value, {q: variance, mu: m, nu: n}) == pytest.approx(exact, rel=1e-9, abs=1e-11)


def test_two_offsets_stay_correct() -> None:
    value = expect(relu(u + mu) * relu(v + nu), (u, v), COVARIANCE).value
    for triple in TRIPLES[:3]:
        f = compiled((relu(u + mu) * relu(v + nu)).subs({mu: 0.4, nu: -0.8}), (u, v))
        exact = mean2(f, *triple, kinks=lambda x: [0 * x + 0.8], outer=[-0.4])
        at = {**dict(zip((q, c, s), triple, strict=True)), mu: 0.4, nu: -0.8}
        assert number(value, at) == pytest.approx(exact, rel=1e-9)


# -- three and more variables ------------------------------------------------------------------------


def monte_carlo(integrand: sp.Expr, variables: Sequence[sp.Symbol], covariance: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(np.zeros(len(variables)), covariance, size=400_000).T
    values = compiled(integrand, variables)(*draws)
    return float(values.mean()), float(values.std() / np.sqrt(values.size))


def test_three_relus() -> None:
    rows = [[1, half, half], [half, 1, half], [half, half, 1]]
    value = expect(relu(u) * relu(v) * relu(w), (u, v, w), rows).value
    assert number(value) == pytest.approx(0.317851, abs=1e-6)
    assert not value.atoms(E)


THREE = [
    step(u) * step(v) * step(w),
    relu(u) * relu(v) * relu(w),
    relu(u) * relu(v) * relu(w - v),
    gelu(u) * step(v) * w,
    relu(u) * tanh(v) * w,
    Abs(u) * Abs(v) * Abs(w),
    erf(u) * relu(v) * sp.sign(w),
    exp(u / 2) * relu(v) * w,
    Max(u, v, w),
    Max(u, v, w) ** 2,
    relu(u + v) * relu(v + w),
    Phi(u) * Phi(v) * Phi(w),
    relu(relu(u) + v) * step(w),
    sin(u) * cos(v) * sin(w),
    tanh(u + v) * tanh(v + w),
]


@pytest.mark.parametrize("integrand", THREE, ids=str)
def test_three_variables(integrand: sp.Expr) -> None:
    numbers = [[1, Rational(3, 10), Rational(-2, 5)], [Rational(3, 10), half, Rational(1, 5)]]
    numbers.append([Rational(-2, 5), Rational(1, 5), Rational(6, 5)])
    symbols = sp.Matrix(
        3, 3, lambda i, j: sp.Symbol(f"c{min(i, j)}{max(i, j)}", **{["real", "positive"][i == j]: True})
    )
    general = expect(integrand, (u, v, w), symbols.tolist()).value
    special = expect(integrand, (u, v, w), numbers).value
    at = {symbols[i, j]: sp.sympify(numbers[i][j]) for i in range(3) for j in range(3)}
    value = number(general.xreplace(at))
    assert value == pytest.approx(number(special), rel=1e-10, abs=1e-12)
    exact, error = monte_carlo(integrand, (u, v, w), np.array(numbers, dtype=float))
    assert abs(value - exact) < 5 * error


def test_orthants() -> None:
    ranks = sp.symbols("x1:6", real=True)
    matrix = np.full((5, 5), 0.4) + np.diag([0.6, 1.1, 0.2, 0.9, 0.5])
    rows = [[sp.nsimplify(x) for x in row] for row in matrix]
    for n in range(1, 4):
        value = expect(sp.Mul(*map(step, ranks[:n])), ranks[:n], [r[:n] for r in rows[:n]]).value
        law = scipy.stats.multivariate_normal(np.zeros(n), matrix[:n, :n], abseps=1e-7, releps=1e-7, maxpts=10**7)
        assert number(value) == pytest.approx(float(law.cdf(np.zeros(n))), abs=1e-5)
    four = expect(sp.Mul(*map(step, ranks[:4])), ranks[:4], [r[:4] for r in rows[:4]]).value
    assert isinstance(four, E)
    five = expect(sp.Mul(*map(step, ranks)), ranks, rows).value
    assert {len(a.variables) for a in five.atoms(E)} == {4}


# -- unknown functions, and what equality of atoms means -------------------------------------------------


def test_unknown_functions() -> None:
    assert expect(u * phi(v), (u, v), COVARIANCE).value == c * expect(phi(v).diff(v), (v,), [[s]]).value
    kernel = expect(phi(u) * phi(v), (u, v), [[q, c], [c, q]]).value
    assert kernel == expect(phi(v) * phi(u), (v, u), [[q, c], [c, q]]).value
    assert isinstance(kernel, E)
    assert expect(phi(u) * psi(v), (u, v), [[q, 0], [0, s]]).value == (
        expect(phi(u), (u,), [[q]]).value * expect(psi(u), (u,), [[s]]).value
    )
    assert expect(phi(u) * psi(v), (u, v), COVARIANCE).value == expect(psi(u) * phi(v), (u, v), [[s, c], [c, q]]).value
    two = unknown("g", 2)
    parts = expect(u * two(u, v), (u, v), COVARIANCE).value
    assert (
        parts
        == q * expect(two(u, v).diff(u), (u, v), COVARIANCE).value
        + c * expect(two(u, v).diff(v), (u, v), COVARIANCE).value
    )
    assert expect(phi(u + v), (u, v), COVARIANCE).value == expect(phi(u), (u,), [[q + 2 * c + s]]).value
    assert expect(phi(mu + u) ** 2, (u,), [[q]]).value == expect(phi(mu - u) ** 2, (u,), [[q]]).value


def test_atoms_are_canonical() -> None:
    square = expect(tanh(u) ** 2, (u,), [[q]]).value
    assert expect(u * tanh(u), (u,), [[q]]).value == q - q * square
    assert expect(tanh(2 * u) ** 2, (u,), [[q]]).value == expect(tanh(u) ** 2, (u,), [[4 * q]]).value
    assert (
        expect(tanh(u) * tanh(v), (u, v), [[q, -c], [-c, s]]).value
        == -expect(tanh(u) * tanh(v), (u, v), COVARIANCE).value
    )
    assert expect(tanh(u) * tanh(v), (u, v), [[q, q], [q, q]]).value == square
    assert expect(sigmoid(u) ** 2, (u,), [[4 * q]]).value == (1 + square) / 4
    assert expect(3 * mu * tanh(u) ** 2 + 1, (u,), [[q]]).value == 3 * mu * square + 1
    assert expect(tanh(u / sqrt(q)) ** 2, (u,), [[q]]).value == expect(tanh(u) ** 2, (u,), [[1]]).value
    assert expect(step(u / sqrt(q)) * v, (u, v), COVARIANCE).value == expect(step(u) * v, (u, v), COVARIANCE).value


def test_nested_means_are_left_alone() -> None:
    inner = expect(tanh(u) ** 2, (u,), [[q]]).value
    outer = expect(tanh(u) * tanh(v + inner), (u, v), [[inner, c], [c, inner]]).value
    assert isinstance(outer, E)
    assert inner in outer.covariance.tolist()[0]
    assert expect(outer.body, outer.variables, outer.covariance.tolist()).value == outer


# -- degenerate ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [relu, gelu, tanh, erf, step, sp.sign, Abs, sin, exp, phi])
def test_degenerate(f: object) -> None:
    one = expect(f(u) ** 2, (u,), [[q]]).value
    assert expect(f(u) * f(v), (u, v), [[q, q], [q, q]]).value == one
    assert expect(f(u) * f(v), (u, v), [[q, -q], [-q, q]]).value == expect(f(u) * f(-u), (u,), [[q]]).value
    at_zero, mean = f(sp.S.Zero), expect(f(v), (v,), [[s]]).value
    assert sp.expand(expect(f(u) * f(v), (u, v), [[0, 0], [0, s]]).value - at_zero * mean) == 0
    assert expect(f(u) * f(v), (u, v), [[0, 0], [0, 0]]).value == at_zero**2
    doubled = expect(f(u) * f(v), (u, v), [[q, 2 * q], [2 * q, 4 * q]]).value
    assert doubled == expect(f(u) * f(2 * u), (u,), [[q]]).value


def test_degenerate_by_relation() -> None:
    root = sqrt(q * s)
    assert expect(relu(u) * relu(v), (u, v), [[q, root], [root, s]]).value == root / 2
    assert expect(relu(u) * relu(v), (u, v), [[q, -root], [-root, s]]).value == 0
    rows = [[q, c, q + c], [c, s, c + s], [q + c, c + s, q + 2 * c + s]]
    integrand = relu(u) * relu(v) * relu(w)
    dependent = expect(integrand, (u, v, w), rows).value
    direct = expect(integrand.subs(w, u + v), (u, v), COVARIANCE).value
    assert sp.expand(dependent - direct) == 0
    for triple in TRIPLES:
        exact = mean2(compiled(integrand.subs(w, u + v), (u, v)), *triple, kinks=lambda x: [0 * x, -x])
        assert number(direct, dict(zip((q, c, s), triple, strict=True))) == pytest.approx(exact, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("f", [relu, gelu, erf, Phi, step, sp.sign, Abs, sin, cos, exp], ids=str)
def test_generic_forms_reach_the_ends(f: object) -> None:
    """The closed form for (q, c, s) evaluates at ρ = ±1, where it is the degenerate value."""
    generic = expect(f(u) * f(v), (u, v), COVARIANCE).value
    for sign in (1, -1):
        at = {q: Rational(9, 4), c: sign * Rational(3, 2), s: sp.S.One}
        rows = [[at[q], at[c]], [at[c], at[s]]]
        limit = expect(f(u) * f(v), (u, v), rows).value
        assert abs(sp.N((generic.xreplace(at) - limit).xreplace({}).replace(Phi, normal), 20)) < 1e-15


def normal(x: sp.Expr) -> sp.Expr:
    return (1 + erf(x / sqrt(2))) / 2


def test_point_masses() -> None:
    assert expect(delta(u), (u,), [[q]]).value == 1 / sqrt(2 * sp.pi * q)
    assert expect(delta(3 * u), (u,), [[q]]).value == 1 / (3 * sqrt(2 * sp.pi * q))
    conditioned = expect(delta(u) * v**2, (u, v), COVARIANCE).value
    assert sp.expand(conditioned - (s - c**2 / q) / sqrt(2 * sp.pi * q)) == 0
    both = expect(delta(u) * delta(v), (u, v), COVARIANCE).value
    assert both == 1 / (2 * sp.pi * sqrt(q * s - c**2))
    shifted = expect(delta(u - mu) * u**2, (u,), [[q]]).value
    assert sp.expand(shifted - mu**2 * exp(-(mu**2) / (2 * q)) / sqrt(2 * sp.pi * q)) == 0
    with pytest.raises(DivergentExpectation):
        expect(delta(u) ** 2, (u,), [[q]])


# -- existence ---------------------------------------------------------------------------------------------


def test_existence() -> None:
    for variance in (half, 1, 3):
        with pytest.raises(DivergentExpectation):
            expect(exp(u**2), (u,), [[variance]])
    assert expect(exp(u**2), (u,), [[Rational(1, 4)]]).value == sqrt(2)
    assert isinstance(expect(exp(u**2), (u,), [[q]]).value, E)
    with pytest.raises(DivergentExpectation):
        expect(1 / u, (u,), [[q]])
    with pytest.raises(DivergentExpectation):
        expect(exp(u * v), (u, v), [[1, 0], [0, 1]])
    assert expect(exp(u * v / 2), (u, v), [[1, 0], [0, 1]]).value == 2 / sqrt(3)
    assert isinstance(expect(exp(u**2) * (1 - erf(u)) * step(u), (u,), [[q]]).value, E)


def test_fewer_variables() -> None:
    """Sums of many independent variables are one Gaussian each."""
    x, a, b = (sp.symbols(f"{name}1:6", real=True) for name in "xab")
    left, right = (sum(k * y for k, y in zip(w, x, strict=True)) for w in (a, b))
    rows = sp.eye(5).tolist()
    norms = [sum(k**2 for k in a), sum(k**2 for k in b), sum(j * k for j, k in zip(a, b, strict=True))]
    direct = expect(tanh(u) * phi(v), (u, v), [[norms[0], norms[2]], [norms[2], norms[1]]]).value
    assert expect(tanh(left) * phi(right), x, rows).value == direct
    assert sp.expand(expect(relu(left) ** 2, x, rows).value - norms[0] / 2) == 0


def test_equal_functions_are_recognised() -> None:
    p = sp.Symbol("p", positive=True)
    assert expect(1 / (1 + exp(-u)) ** 2, (u,), [[q]]).value == expect(sigmoid(u) ** 2, (u,), [[q]]).value
    assert expect(step(tanh(u)) * v, (u, v), COVARIANCE).value == expect(step(u) * v, (u, v), COVARIANCE).value
    assert expect(delta(relu(u) - 1), (u,), [[q]]).value == expect(delta(u - 1), (u,), [[q]]).value
    variance = p**2 * q - 2 * p * c + s
    split = expect(tanh(relu(p * u - v)), (u, v), COVARIANCE).value
    assert split == expect(tanh(relu(u)), (u,), [[variance]]).value
    rho = sp.Symbol("rho", real=True)
    k = sp.Symbol("k")
    value = expect(relu(u) * relu(v), (u, v), [[k, k * rho], [k * rho, k]]).value
    written = k * (sqrt(1 - rho**2) / (2 * sp.pi) + rho / 4 + rho * sp.asin(rho) / (2 * sp.pi))
    assert sp.expand(value - written) == 0


def test_rules_are_named() -> None:
    assert expect(relu(u) * relu(v), (u, v), COVARIANCE).rules == ("Stein", "orthant", "delta")
    assert expect(u**2 * v**2, (u, v), COVARIANCE).rules == ("Wick",)
    assert set(expect(gelu(u) * exp(v), (u, v), COVARIANCE).rules) >= {"probit", "tilt", "Stein", "delta"}
