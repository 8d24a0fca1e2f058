"""Orthants and products of gates of any dimension: one-dimensional formulas, exact values, degenerate laws."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import mpmath
import pytest
import sympy as sp
from flint import arb, ctx
from sympy import Rational, erf, pi

from tpsym.functions import Phi, gelu, relu, step
from tpsym.gauss import E, expect
from tpsym.gauss.balls import Ball
from tpsym.gauss.expectation import bound
from tpsym.gauss.gates import Gate, Strip, gates_mean, panels
from tpsym.gauss.numeric import ball, enclose, value

Z = [bound(i + 1) for i in range(8)]


def equicorrelated(n: int, rho: sp.Expr) -> list[list[sp.Expr]]:
    return [[sp.S.One if i == j else rho for j in range(n)] for i in range(n)]


def orthant(n: int, rho: float, *, threshold: float = 0.0, bits: int = 74) -> Ball:
    with ctx.workprec(bits):
        gates = [Gate(arb(0), arb(1), arb(threshold))] * n
        return gates_mean(gates, [[arb(1) if i == j else arb(rho) for j in range(n)] for i in range(n)])


def one_factor(n: int, rho: float, threshold: float = 0.0) -> mpmath.mpf:
    """∫ φ(x) Φ((√ρ x + h)/√(1−ρ))^n dx."""
    with mpmath.workdps(30):
        a, b = mpmath.sqrt(mpmath.mpf(rho) / (1 - rho)), threshold / mpmath.sqrt(1 - mpmath.mpf(rho))
        weight = lambda x: mpmath.npdf(x) * mpmath.ncdf(a * x + b) ** n  # noqa: E731
        return mpmath.quad(weight, mpmath.linspace(-13, 13, 14))


def within(found: Ball, reference: mpmath.mpf, error: float) -> bool:
    """Whether the ball is narrow and contains the reference up to the latter's own error."""
    with ctx.workprec(120):
        return bool(found.rad() < error and abs(found - arb(mpmath.nstr(reference, 28))) < error)


@pytest.mark.parametrize(("n", "rho"), [(4, 0.25), (4, 0.96875), (5, 0.5), (5, 0.875), (6, 0.25)])
def test_equicorrelated_orthants(n: int, rho: float) -> None:
    assert within(orthant(n, rho), one_factor(n, rho), 1e-9 if n == 6 else 1e-19)


@pytest.mark.parametrize(("n", "h"), [(2, 0.5), (3, -0.75), (4, 0.25), (5, 1.5)])
def test_orthants_with_thresholds(n: int, h: float) -> None:
    assert within(orthant(n, 0.625, threshold=h), one_factor(n, 0.625, h), 1e-9 if n > 3 else 1e-19)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "error"), [(7, 1e-8), (8, 1e-4)])
def test_large_orthants(n: int, error: float) -> None:
    found = orthant(n, 0.5)
    assert found.contains(arb(1) / (n + 1))
    assert found.rad() < error


def test_the_ball_is_as_wide_as_its_errors() -> None:
    """Twice the precision gives a ball inside: the bounds are bounds."""
    for rho in (-0.3125, 0.125, 0.9375):
        coarse, fine = orthant(4, rho, bits=30), orthant(4, rho, bits=120)
        assert coarse.rad() > fine.rad()
        assert coarse.overlaps(fine)


@pytest.mark.parametrize("n", [4, 5])
def test_variables_that_sum_to_zero_are_never_all_positive(n: int) -> None:
    found = orthant_of([[n - 1 if i == j else -1 for j in range(n)] for i in range(n)])
    assert found.contains(0)
    assert found.rad() < 1e-15


def orthant_of(covariance: list[list[int]]) -> Ball:
    n = len(covariance)
    with ctx.workprec(74):
        rows = [[arb(c) / (arb(covariance[i][i]) * covariance[j][j]).sqrt() for j, c in enumerate(row)]
                for i, row in enumerate(covariance)]  # fmt: skip
        return gates_mean([Gate(arb(0), arb(1), arb(0))] * n, rows)


def test_vectors_in_the_plane() -> None:
    """Four directions in the plane: the orthant is the angle of their dual cone, here exactly 3π/4 of 2π."""
    directions = [(1, 0), (3, 1), (5, 3), (1, 1)]
    covariance = [[a * c + b * d for c, d in directions] for a, b in directions]
    found = orthant_of(covariance)
    assert found.contains(arb(3) / 8)
    assert found.rad() < 1e-15


def test_panels_reach_the_end_of_the_path() -> None:
    for high in (1.0, 1.0 + 2**-30, 1.5):
        spans = list(panels(Strip(-0.4, high, 2.0**-60)))
        assert spans[0][0] == 1.0
        assert all(a[1] == b[0] for a, b in pairwise(spans))
        assert (spans[-1][1] == 0.0) == (high > 1)


def test_products_of_sigmoids_of_one_recurrent_unit() -> None:
    """E ∏ (1 + erf)/2 is an orthant of covariance sKs + I/2."""
    body = sp.Mul(*((1 + (-1) ** i * erf(z)) / 2 for i, z in enumerate(Z[:4])))
    rows = [[1 + Rational(i, 2) if i == j else Rational(1, 2 + i + j) for j in range(4)] for i in range(4)]
    found = ball(expect(body, Z[:4], rows).value, {})
    with ctx.workprec(100):
        signed = [
            [(-1) ** (i + j) * arb(int(c.p)) / int(c.q) + (arb(1) / 2 if i == j else 0) for j, c in enumerate(row)]
            for i, row in enumerate([[sp.sympify(c) for c in row] for row in rows])
        ]
        scale = [1 / signed[i][i].sqrt() for i in range(4)]
        correlation = [[arb(1) if i == j else signed[i][j] * scale[i] * scale[j] for j in range(4)] for i in range(4)]
        direct = gates_mean([Gate(arb(0), arb(1), arb(0))] * 4, correlation)
    assert found.rad() < 1e-18
    assert (found - direct).contains(0)


@pytest.mark.parametrize("n", [2, 3])
def test_unevaluated_means_of_relus_agree_with_their_closed_forms(n: int) -> None:
    rows = [[2 + i if i == j else Rational(1, 3 + i + j) for j in range(n)] for i in range(n)]
    for function in (relu, gelu, Phi, abs, lambda x: step(x) * x**2):
        body = sp.Mul(*(function(z) for z in Z[:n]))
        closed, left = ball(expect(body, Z[:n], rows).value, {}), ball(E(body, rows), {})
        assert left.rad() < 1e-18
        assert (closed - left).contains(0)


def test_four_relus() -> None:
    """The closed form through one orthant against Stein's rule on balls; equal and opposite variables."""
    rows = equicorrelated(4, Rational(1, 3))
    body = sp.Mul(*(relu(z) for z in Z[:4]))
    closed, left = ball(expect(body, Z[:4], rows).value, {}), ball(E(body, rows), {})
    assert left.rad() < 1e-15
    assert (closed - left).contains(0)
    assert (ball(E(relu(Z[0]) ** 2 * relu(Z[1]) * step(3 * Z[1]) * step(Z[2] + 2 * Z[0]), rows), {}) - ball(
        E(Z[0] ** 2 * step(Z[0]) * Z[1] * step(Z[1]) * step(2 * Z[0] + Z[2]), rows), {})).contains(0)  # fmt: skip
    assert ball(E(relu(Z[0]) * relu(-2 * Z[0]) * Phi(Z[1]) * Phi(Z[2]), rows), {}).is_zero()


def test_a_singular_exact_covariance_is_eliminated() -> None:
    """z₃ = z₁ + z₂: the orthant of three is that of two, and z₃ is multiplied out."""
    rows = [[1, 0, 1], [0, 1, 1], [1, 1, 2]]
    assert (ball(E(step(Z[0]) * step(Z[1]) * step(Z[2]), rows), {}) - arb(1) / 4).contains(0)
    found = ball(E(relu(Z[0]) * relu(Z[1]) * Z[2] * step(Z[2]), rows), {})
    assert (found - ball(E(relu(Z[0]) ** 2 * relu(Z[1]) + relu(Z[0]) * relu(Z[1]) ** 2, rows), {})).contains(0)
    assert (found - ball(sp.sqrt(2 / pi) / 2, {})).contains(0)


def test_thresholds_against_one_variable() -> None:
    """Given z₁, the others of an equicorrelated law are independent."""
    body = Phi(Z[0] + 1) * Phi(Z[1] - Rational(1, 2)) * Phi(2 * Z[2])
    rows = equicorrelated(3, Rational(1, 4))
    found = value(expect(body, Z[:3], rows).value, {}, digits=9)[0]
    assert found.rigorous
    with mpmath.workdps(20):
        half, left = mpmath.mpf(1) / 2, mpmath.mpf(3) / 4

        def inner(x: mpmath.mpf) -> mpmath.mpf:
            parts = [(half * x + 1) / mpmath.sqrt(1 + left), (half * x - half) / mpmath.sqrt(1 + left)]
            return mpmath.ncdf(parts[0]) * mpmath.ncdf(parts[1]) * mpmath.ncdf(x / mpmath.sqrt(1 + 4 * left))

        reference = mpmath.quad(lambda x: mpmath.npdf(x) * inner(x), mpmath.linspace(-10, 10, 11))
        assert within(found.value, reference, 1e-12)


def test_inclusion_and_exclusion() -> None:
    """2P − 1 multiplied out: E of a product of signs through orthants of all sizes."""
    chooser = random.Random(4)
    rows = [[Rational(chooser.randint(-2, 2), 9) if i != j else sp.S.One for j in range(4)] for i in range(4)]
    rows = [[rows[min(i, j)][max(i, j)] for j in range(4)] for i in range(4)]
    total = arb(0)
    for size in range(5):
        for chosen in combinations(range(4), size):
            part = sp.Mul(*(step(Z[i]) for i in chosen))
            total += (-1) ** (4 - size) * 2**size * (ball(E(part, rows), {}) if size else 1)
    signs = enclose(E(sp.Mul(*(sp.sign(z) for z in Z[:4])), rows), {})
    assert signs.rigorous
    assert (signs.value - total).contains(0)


@pytest.mark.parametrize("n", [4, 6])
def test_products_of_many_sigmoids_are_few_means(n: int) -> None:
    """(1 ± erf)/2 stays a probit: the number of unevaluated means does not double with every factor."""
    rows = [[sp.Symbol(f"k{min(i, j)}{max(i, j)}", real=True) for j in range(n)] for i in range(n)]
    body = sp.Mul(*((1 + erf(z)) / 2 for z in Z[: n - 1]), (1 - erf(Z[n - 1])) / 2)
    found = expect(body, Z[:n], rows).value
    assert len(found.atoms(E)) <= 2 * n
    at = {c: Rational(2) if i == j else Rational(1, 2 + i + j) for i, row in enumerate(rows) for j, c in enumerate(row)}
    there, direct = ball(found.xreplace(at), {}), ball(E(body, [[at[c] for c in row] for row in rows]), {})
    assert there.rad() < 1e-7
    assert (there - direct).contains(0)


def test_three_sigmoids_keep_their_closed_form() -> None:
    rows = equicorrelated(3, Rational(1, 3))
    found = expect(sp.Mul(*((1 + erf(z)) / 2 for z in Z[:3])), Z[:3], rows).value
    assert found == Rational(1, 8) + 3 * sp.asin(Rational(2, 9)) / (4 * pi)
