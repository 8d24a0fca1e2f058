from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from flint import acb
from known_laws import (
    G,
    anticommutator,
    curve,
    ginibre,
    half_semicircle,
    marchenko_pastur,
    ratio,
    semicircle,
    semicircle_and_signs,
    z,
)
from sympy import I, Integer, Rational, Symbol, binomial, sqrt

from tpsym.freeprob.branch import BranchError, cauchy, sheets_of
from tpsym.freeprob.curve import Curve, CurveError, NotDecided
from tpsym.freeprob.edges import structure
from tpsym.freeprob.grid import cauchy_grid


def number(value: acb) -> mp.mpc:
    mid = value.mid()
    return mp.mpc(mid.real.str(40, radius=False), mid.imag.str(40, radius=False))


@pytest.mark.parametrize("point", [3 + 0j, 1 + 0j, -1.5 + 0j, 0.25 + 1e-6j, -2.5 + 0j, 100j, -1.0 - 0.5j])
def test_semicircle_in_closed_form(point: complex) -> None:
    with mp.workdps(40):
        w = mp.mpc(point)
        exact = (w - mp.sqrt(w - 2) * mp.sqrt(w + 2)) / 2
        found = number(cauchy(semicircle(), point, digits=30))
        assert abs(found - exact) < mp.mpf(10) ** -29


@pytest.mark.parametrize("rate", [Rational(1, 4), Integer(1), Integer(3)])
def test_marchenko_pastur_in_closed_form(rate: Rational) -> None:
    with mp.workdps(40):
        r = mp.mpf(rate.p) / rate.q
        a, b = (1 - mp.sqrt(r)) ** 2, (1 + mp.sqrt(r)) ** 2
        for point in (2, 7, Rational(13, 10) + I / 7, -1 + I / 100):
            w = mp.mpc(complex(point))
            w = mp.mpc(*(mp.mpf(p.p) / p.q for p in (Integer(0) + point).as_real_imag()))
            exact = (w + r - 1 - mp.sqrt(w - a) * mp.sqrt(w - b)) / (2 * r * w)
            assert abs(number(cauchy(marchenko_pastur(rate), Integer(0) + point, digits=25)) - exact) < 1e-24


@pytest.mark.parametrize("factors", [1, 2, 3, 4, 5])
def test_products_in_their_parametrisation(factors: int) -> None:
    """x = sin^{K+1}((K+1)φ) / (sin φ sin^K(Kφ)), density sin²φ sin^{K-1}(Kφ) / (π sin^K((K+1)φ))."""
    k = factors
    phi = np.linspace(0.03, 0.97, 25) * np.pi / (k + 1)
    x = np.sin((k + 1) * phi) ** (k + 1) / (np.sin(phi) * np.sin(k * phi) ** k)
    f = np.sin(phi) ** 2 * np.sin(k * phi) ** (k - 1) / (np.pi * np.sin((k + 1) * phi) ** k)
    sheets = sheets_of(ginibre(k))
    assert np.allclose(-cauchy_grid(sheets, x).imag / np.pi, f, rtol=1e-9)


@pytest.mark.parametrize("a", [Rational(1, 2), Integer(1), Integer(2)])
def test_subordination_by_iteration(a: Rational) -> None:
    """G = G_D(z - G) has one solution in the lower half plane, found by iterating."""
    points = np.linspace(-3, 3, 13) + 0.7j
    g = 1 / points
    for _ in range(400):
        w = points - g
        g = w / (w**2 - float(a) ** 2)
    assert np.allclose(cauchy_grid(sheets_of(semicircle_and_signs(a)), points), g, rtol=1e-12)


def test_grid_agrees_with_balls() -> None:
    for law in (anticommutator(), ginibre(3), half_semicircle(Rational(1, 3))):
        points = np.array([0.5, 1.25, -0.75, 2 + 0.5j, -3 - 1j, 40.0])
        balls = np.array([complex(cauchy(law, p).mid()) for p in points])
        assert np.allclose(cauchy_grid(sheets_of(law), points), balls, rtol=1e-12)


def test_grid_keeps_shape_and_says_nan_at_poles() -> None:
    values = cauchy_grid(sheets_of(marchenko_pastur(Integer(3))), [[0.0, 1.0, np.nan]])
    assert values.shape == (1, 3)
    assert np.isnan(values[0, 0])
    assert np.isnan(values[0, 2])
    assert values[0, 1].imag < 0


def test_digits_are_certified() -> None:
    value = cauchy(ginibre(2), Rational(1, 3), digits=60)
    finer = cauchy(ginibre(2), Rational(1, 3), digits=90)
    assert value.overlaps(finer)
    assert value.rel_accuracy_bits() > 199


def test_singular_points_are_refused() -> None:
    with pytest.raises(BranchError, match="singular"):
        cauchy(semicircle(), Integer(2))
    with pytest.raises(BranchError, match="singular"):
        cauchy(marchenko_pastur(Integer(3)), Integer(0))


def test_other_moments_are_refused() -> None:
    wrong = curve(G**2 - z * G + 1, lambda k: tuple(binomial(2 * n, n) for n in range(k + 1)))
    with pytest.raises(CurveError, match="moments"):
        sheets_of(wrong)


def test_parameters_and_irrational_coefficients_are_refused() -> None:
    with pytest.raises(NotDecided, match="lambda"):
        sheets_of(marchenko_pastur())
    irrational = Curve(sqrt(2) * G**2 - z * G + 1, G, z, semicircle().moments, True, "known")
    with pytest.raises(NotDecided, match="irrational"):
        sheets_of(irrational)


def test_a_value_that_splits_the_equation_keeps_the_factor_of_the_moments() -> None:
    """p · semicircle + (1 - p) δ_0: at p = 1 the equation is z² (G² - zG + 1)."""
    p = Symbol("p", positive=True)
    assert half_semicircle(p).at({p: Integer(1)}).polynomial == semicircle().polynomial
    mixed = curve(
        (G**2 - z * G + 1) * ((z - 1) * G - 1) + (ratio - 1) * G, lambda k: semicircle().moments(k)
    ).at({ratio: Integer(1)})
    assert mixed.polynomial == semicircle().polynomial


def test_singular_points_of_equations_with_large_coefficients() -> None:
    """Marchenko–Pastur at a rate of sixty digits: edges at (1 ± √rate)²."""
    rate = Rational(10**60 + 7, 3 * 10**59)
    edges = [point.number for point in structure(marchenko_pastur(rate)).support[0]]
    assert edges == pytest.approx([(1 - float(rate) ** 0.5) ** 2, (1 + float(rate) ** 0.5) ** 2])
