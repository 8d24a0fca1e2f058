from __future__ import annotations

import numpy as np
import pytest
from known_laws import (
    affine,
    anticommutator,
    arcsine,
    ginibre,
    half_poisson,
    half_semicircle,
    marchenko_pastur,
    ratio,
    semicircle,
    semicircle_and_poisson,
    semicircle_and_signs,
    semicircle_and_three,
    wishart_square,
)
from sympy import Expr, Integer, Piecewise, Rational, S, Symbol, integrate, lambdify, pi, sqrt

from tpsym.freeprob.cells import Range
from tpsym.freeprob.curve import Curve, NotDecided
from tpsym.freeprob.density import density, density_by_cells
from tpsym.freeprob.grid import cauchy_grid
from tpsym.freeprob.law import law

t = Symbol("t", real=True)
ROOT3 = sqrt(3)


def inner(result: Expr) -> Expr:
    assert isinstance(result, Piecewise)
    return result.args[0][0]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        (semicircle(), sqrt(4 - t**2) / (2 * pi)),
        (arcsine(), 1 / (pi * sqrt(4 - t**2))),
        (marchenko_pastur(Integer(1)), sqrt(4 - t) / (2 * pi * sqrt(t))),
        (marchenko_pastur(Rational(1, 4)), sqrt((9 - 4 * t) * (4 * t - 1)) / (2 * pi * t)),
        (marchenko_pastur(Integer(3)), sqrt((4 + 2 * ROOT3 - t) * (t - 4 + 2 * ROOT3)) / (6 * pi * t)),
        (half_poisson(), sqrt(4 - t) / (4 * pi * sqrt(t))),
        (half_semicircle(Rational(1, 3)), sqrt(4 - t**2) / (6 * pi)),
        (wishart_square(), sqrt(4 - sqrt(t)) / (4 * pi * t ** Rational(3, 4))),
    ],
)
def test_as_in_print(equation: Curve, expected: Expr) -> None:
    assert inner(density(equation, t)) == expected


def test_two_factors_as_in_the_literature() -> None:
    """Penson & Życzkowski 2011, equation for s = 2."""
    form = lambdify(t, inner(density(ginibre(2), t)))
    x = np.linspace(0.01, 6.7, 50)
    r = 27 + 3 * np.sqrt(81 - 12 * x)
    known = 2 ** (1 / 3) * np.sqrt(3) / (12 * np.pi) * (2 ** (1 / 3) * r ** (2 / 3) - 6 * x ** (1 / 3))
    assert np.allclose(form(x), known / (x ** (2 / 3) * r ** (1 / 3)), rtol=1e-12)


@pytest.mark.parametrize(
    "equation",
    [
        anticommutator(), semicircle_and_signs(Rational(1, 2)), semicircle_and_signs(Integer(1)),
        semicircle_and_signs(Integer(2)), semicircle_and_poisson(Rational(1, 4)), semicircle_and_poisson(Integer(3)),
        affine(ginibre(2), Rational(-3, 2), Rational(1, 7)),
    ],
)
def test_cubics_against_the_branch_between_the_points_of_the_check(equation: Curve) -> None:
    found = law(equation)
    whole = density(equation, t)
    form = lambdify(t, inner(whole))
    x = np.concatenate([np.linspace(a, b, 38)[1:-1] for a, b in found.support])
    assert np.allclose(form(x), -cauchy_grid(found.structure.sheets, x).imag / np.pi, rtol=1e-8)
    assert whole.subs(t, -50) == whole.subs(t, 50) == 0


def test_one_parameter() -> None:
    ((condition, form),) = density_by_cells(marchenko_pastur(), t)
    low, high = (1 - sqrt(ratio)) ** 2, (1 + sqrt(ratio)) ** 2
    assert condition == S.true
    assert inner(form) == sqrt((high - t) * (t - low)) / (2 * pi * ratio * t)


def test_one_parameter_with_two_supports() -> None:
    a = Symbol("a", positive=True)
    (one, joined), (two, split) = density_by_cells(semicircle_and_signs(a), t)
    assert (one, two) == (a <= 1, a > 1)
    for value, form in ((Rational(1, 3), joined), (Integer(1), joined), (Integer(2), split)):
        expected = law(semicircle_and_signs(value))
        x = np.linspace(-3.5, 3.5, 16)
        values = [float(form.subs({a: value, t: Rational(str(v))}).evalf()) for v in np.round(x, 6)]
        assert np.allclose(values, expected.pdf(np.round(x, 6)), rtol=1e-8, atol=1e-10)


def test_weight_as_parameter() -> None:
    p = Symbol("p", positive=True)
    ((condition, form),) = density_by_cells(half_semicircle(p), t, within=Range(Rational(0), Rational(1)))
    assert condition == S.true
    assert inner(form) == p * sqrt(4 - t**2) / (2 * pi)


def test_zero_outside_of_the_support() -> None:
    form = density(semicircle(), t)
    assert form.subs(t, 3) == 0
    assert integrate(inner(form), (t, -2, 2)) == 1


@pytest.mark.parametrize("equation", [ginibre(3), ginibre(5), semicircle_and_three(Integer(1))])
def test_refused(equation: Curve) -> None:
    with pytest.raises(NotDecided, match="no short closed form"):
        density(equation, t)


def test_two_parameters_are_refused() -> None:
    with pytest.raises(NotDecided):
        density(marchenko_pastur(), t)
