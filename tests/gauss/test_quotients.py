"""Batch normalisation: quotients by quadratic forms, their numbers, and whether their means exist."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb
from sympy import Rational, sqrt

from tpsym.functions import Phi, delta, relu, step
from tpsym.gauss import DivergentExpectation, E, expect
from tpsym.gauss.balls import Ball
from tpsym.gauss.homogeneous import homogeneous
from tpsym.gauss.numeric import ball, enclose, value

H = sp.symbols("h0:12", real=True)
Batch = tuple[tuple[sp.Symbol, ...], sp.Expr, sp.Expr]


def batch(size: int, start: int = 0) -> Batch:
    """Values, their mean and variance."""
    h = H[start : start + size]
    m = sp.Add(*h) / size
    return h, m, sp.Add(*((x - m) ** 2 for x in h)) / size


THIRD = Rational(1, 3)


def covariance(n: int, between: Rational = THIRD) -> list[list[sp.Expr]]:
    return [[1 + Rational(i, 5) if i == j else between / (1 + i * j) for j in range(n)] for i in range(n)]


def normalised(function: type, x: int, data: Batch) -> sp.Expr:
    h, m, v = data
    return function((h[x] - m) / sqrt(v))


def number(body: sp.Expr, rows: list[list[sp.Expr]]) -> Ball:
    return ball(expect(body, H[: len(rows)], rows).value, {})


def centred(rows: list[list[sp.Expr]], dps: int = 25) -> mpmath.matrix:
    n = len(rows)
    with mpmath.workdps(dps):
        g = mpmath.eye(n) - mpmath.ones(n) / n
        return g * mpmath.matrix([[mpmath.mpf(int(c.p)) / int(c.q) for c in map(sp.sympify, row)] for row in rows]) * g


def arc_cosine(q: mpmath.mpf, c: mpmath.mpf, s: mpmath.mpf) -> mpmath.mpf:
    rho = max(-1, min(1, c / mpmath.sqrt(q * s)))
    theta = mpmath.acos(rho)
    return mpmath.sqrt(q * s) * (mpmath.sin(theta) + (mpmath.pi - theta) * rho) / (2 * mpmath.pi)


@pytest.mark.parametrize("n", [3, 5])
def test_the_kernel_of_relu_after_batch_normalisation(n: int) -> None:
    """B ∫ V_relu(S(I + 2sS)⁻¹) det(I + 2sS)^{−1/2} ds with S = GKG (Yang et al. 2019)."""
    rows = covariance(n)
    data = batch(n)
    found = number(normalised(relu, 0, data) * normalised(relu, 1, data), rows)
    with mpmath.workdps(50):
        s = centred(rows, 50)

        def integrand(y: mpmath.mpf) -> mpmath.mpf:
            x = mpmath.exp(y)
            damped = mpmath.eye(n) + 2 * x * s
            k = s * damped**-1
            return x * arc_cosine(k[0, 0], (k[0, 1] + k[1, 0]) / 2, k[1, 1]) / mpmath.sqrt(mpmath.det(damped))

        reference = n * mpmath.fsum(integrand(mpmath.mpf(k) / 4) for k in range(-160, 160)) / 4
    assert found.rad() < 1e-16
    assert abs(found - arb(mpmath.nstr(reference, 18))) < 1e-12


def test_two_batches() -> None:
    """√(B₁B₂)/π ∫∫ (st)^{−1/2} det(I + 2Ω)^{−1/2} V_relu ds dt, by the trapezoidal rule in double precision."""
    size = 3
    rows = covariance(2 * size, Rational(1, 4))
    first, second = batch(size), batch(size, size)
    found = number(normalised(relu, 0, first) * normalised(relu, 1, second), rows)
    g = np.kron(np.eye(2), np.eye(size) - np.ones((size, size)) / size)
    s = g @ np.array(rows, dtype=float) @ g
    y = np.arange(-40, 30, 0.25)
    total = 0.0
    for a in np.exp(y):
        for b in np.exp(y):
            d = np.repeat([a, b], size)
            damped = np.eye(2 * size) + 2 * s * d
            k = np.linalg.solve(damped, s)
            q, c, w = k[0, 0], k[0, size + 1], k[size + 1, size + 1]
            theta = np.arccos(np.clip(c / np.sqrt(q * w), -1, 1))
            kernel = np.sqrt(q * w) * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi)
            total += np.sqrt(a * b) * kernel / np.sqrt(np.linalg.det(damped)) * 0.25**2
    assert found.rad() < 1e-8
    assert abs(float(found) - size / np.pi * total) < 1e-6


def test_two_positions_leave_only_signs() -> None:
    """B = 2: (h₁ − m)/√v = sign(h₁ − h₂), whatever the covariance."""
    data = batch(2)
    rows = [[1, Rational(1, 3)], [Rational(1, 3), 2]]
    assert (number(normalised(relu, 0, data) ** 2, rows) - arb(1) / 2).contains(0)
    assert number(normalised(relu, 0, data) * normalised(relu, 1, data), rows).contains(0)
    other = batch(2, 2)
    rows = covariance(4, Rational(1, 4))
    found = number(normalised(relu, 0, data) * normalised(relu, 0, other), rows)
    signs = number(step(H[0] - H[1]) * step(H[2] - H[3]), rows)
    assert found.rad() < 1e-8
    assert (found - signs).contains(0)


def test_coefficients_that_are_not_rational() -> None:
    """Forms are then compared by identity alone; two positive multiples of one form are still one direction."""
    h, m, v = batch(4)
    rows = covariance(4)
    for k in (sqrt(2), sp.pi):
        found = number(relu(k * h[0]) ** 2 * step(h[1] - k * h[2]) * (h[0] - m) ** 2 / v, rows)
        plain = number(relu(h[0]) ** 2 * step(h[1] - k * h[2]) * (h[0] - m) ** 2 / v, rows)
        assert (found - ball(k**2, {}) * plain).contains(0)
        assert found.rad() < 1e-12


@pytest.mark.parametrize("n", [3, 6])
def test_squares_of_normalised_values_sum_to_the_size_of_the_batch(n: int) -> None:
    h, m, v = batch(n)
    rows = covariance(n)
    total = sum(number((x - m) ** 2 / v, rows) for x in h)
    assert (total - n).contains(0)
    assert total.rad() < 1e-13
    if n == 3:
        fourth = sum(number((x - m) ** 2 * (y - m) ** 2 / v**2, rows) for x in h for y in h)
        assert (fourth - n * n).contains(0)


def test_inverse_chi_square() -> None:
    """Independent values of equal variance: nv is chi-square with n − 1 degrees of freedom."""
    h, m, v = batch(6)
    rows = [[2 if i == j else 0 for j in range(6)] for i in range(6)]
    assert (number(1 / v, rows) - arb(6) / (2 * 3)).contains(0)
    assert (
        number(v ** Rational(-3, 2), rows) - ball(3 ** Rational(3, 2) / (3 * sqrt(2)) * 2 / sqrt(sp.pi) * 2 / 2, {})
    ).rad() < 1e-14
    assert (
        number(sqrt(v), rows) ** 2 - ball((sqrt(Rational(1, 3)) * sqrt(2) * 2 / sp.gamma(Rational(5, 2)) / 1) ** 2, {})
    ).rad() < 1e-14
    eps = Rational(1, 7)
    found = number((h[0] - m) ** 2 / (v + eps) * 6 + 6 * eps / (v + eps) - 6, rows)
    assert (found).contains(0)


def test_backpropagated_integrands_against_samples() -> None:
    n = 5
    h, m, v = batch(n)
    rows = covariance(n, Rational(1, 5))
    generator = np.random.default_rng(7)
    sample = generator.multivariate_normal(np.zeros(n), np.array(rows, dtype=float), 400_000)
    bodies = [
        step(h[0] - m) * step(h[1] - m) / v,
        step(h[0] - m) * step(h[1] - m) * (h[0] - m) * (h[1] - m) * (h[2] - m) ** 2 / v**2,
        relu(h[0] - m + Rational(1, 3)) * h[1] ** 2 / sqrt(v),
        relu(h[0] - m) * relu(h[1] - m) / (v + Rational(1, 10)),
        Phi(h[0]) * sp.erf(h[1]) * relu(h[2] - m) / sqrt(v),
    ]
    for body in bodies:
        found = value(expect(body, h, rows).value, {}, digits=9)[0]
        assert found.rigorous
        values = sampled(body, h, sample)
        error = values.std() / np.sqrt(len(values))
        assert abs(float(found.value) - values.mean()) < 5 * error


def sampled(body: sp.Expr, h: Sequence[sp.Symbol], sample: np.ndarray) -> np.ndarray:
    from scipy import special

    names = {"relu": lambda x: np.maximum(x, 0), "step": lambda x: (x > 0) * 1.0, "Phi": special.ndtr}
    return np.asarray(sp.lambdify(h, body, modules=[{**names, "erf": special.erf}, "numpy"])(*sample.T))


# Exact rewriting ----------------------------------------------------------------------------------


def test_positive_factors_leave_homogeneous_functions() -> None:
    (x, y, _), m, v = batch(3)
    u, root = x - m, 1 / sqrt(v)
    assert homogeneous(relu(u * root), H) == root * relu(u)
    assert homogeneous(step(u / sqrt(v)) + sp.sign(u * root), H) == step(u) + sp.sign(u)
    assert homogeneous(delta(u * root), H) == delta(u) * sqrt(v)
    assert homogeneous(relu(u / (x**2 + y**2 + 1)), H) == relu(u) / (x**2 + y**2 + 1)
    for kept in (relu(u / (x**2 - y**2)), relu(u / x), relu(u * v), sp.tanh(u * root)):
        assert homogeneous(kept, H) == kept


@pytest.mark.parametrize("n", [4, 8])
def test_one_unevaluated_mean_whatever_the_covariance(n: int) -> None:
    data = batch(n)
    rows = [[sp.Symbol(f"k{min(i, j)}{max(i, j)}", real=True) for j in range(n)] for i in range(n)]
    found = expect(3 * normalised(relu, 0, data) * normalised(relu, 1, data) + H[0], H[:n], rows).value
    assert len(found.atoms(E)) == 1
    assert found.as_coeff_Mul()[0] == 3
    at = {rows[i][j]: (2 if i == j else Rational(1, 2)) for i in range(n) for j in range(n)}
    numbers = {k: sp.Rational(c) for k, c in at.items()}
    exact = number(3 * normalised(relu, 0, data) * normalised(relu, 1, data), [[numbers[c] for c in r] for r in rows])
    there = ball(found.xreplace(numbers), {})
    assert (there - exact).contains(0)
    assert there.rad() < 1e-15


def test_independent_factors_are_separate_means() -> None:
    data = batch(3)
    rows = [[*row, 0] for row in covariance(3)] + [[0, 0, 0, 1]]
    kernel = normalised(relu, 0, data) ** 2
    found = expect(kernel * relu(H[3]), H[:4], rows).value
    assert found == expect(kernel, H[:3], covariance(3)).value / sqrt(2 * sp.pi)


# Existence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "body", "exists"),
    [
        (2, lambda h, m, v: 1 / sqrt(v), False),
        (3, lambda h, m, v: 1 / v, False),
        (4, lambda h, m, v: 1 / v, True),
        (4, lambda h, m, v: v ** Rational(-3, 2), False),
        (5, lambda h, m, v: v ** Rational(-3, 2), True),
        (2, lambda h, m, v: relu(h[0] - m) / v, False),
        (3, lambda h, m, v: relu(h[0] - m) / v, True),
        (3, lambda h, m, v: step(h[0] - m) * step(h[1] - m) / v, False),
        (3, lambda h, m, v: relu(h[0] - m) * relu(h[1] - m) / v, True),
        (3, lambda h, m, v: relu(h[0]) * relu(h[1] - m) / v ** Rational(3, 2), False),
        (2, lambda h, m, v: 1 / (v + 1), True),
    ],
)
def test_existence(n: int, body: object, exists: bool) -> None:
    integrand = body(*batch(n))  # type: ignore[operator]
    rows = covariance(n)
    if exists:
        assert number(integrand, rows).is_finite()
        return
    with pytest.raises(DivergentExpectation):
        expect(integrand, H[:n], rows)
    left = E(integrand.xreplace(dict(zip(H, (E.variables.fget(E(0, rows))), strict=False))), rows)  # type: ignore[attr-defined]
    assert not enclose(left, {}).known


def test_what_cancels_is_not_called_divergent() -> None:
    h, m, v = batch(3)
    found = expect(step(h[0] - m) / v - step(h[1] - m) / v, h, covariance(3)).value
    assert isinstance(found, E)
    assert not enclose(found, {}).known


def test_equal_values_have_no_variance_to_divide_by() -> None:
    with pytest.raises(DivergentExpectation):
        expect(normalised(relu, 0, batch(2)), H[:2], [[1, 1], [1, 1]])


def test_only_what_surely_exists_is_estimated() -> None:
    """tanh is not homogeneous: no proven number; an estimate where 2a is below the rank, else none."""
    for n, known in ((3, False), (5, True)):
        h, m, v = batch(n)
        found = enclose(expect(sp.tanh(h[0]) * step(h[0] - m) / v, h, covariance(n)).value, {})
        assert found.known is known
        assert not (known and found.rigorous)
