"""Spectra from Python: exact values, numbers, samples, and what has none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.stats import kstest, norm

import tpsym
from tpsym.errors import TpError
from tpsym.results.spectrum_study import SpectrumStudy

FILE = """\
width n
dim d = 3
param lambda: positive
param s: positive = 2
width m = n/lambda
input x: (d)
random X: (n, n) ~ N(0, s^2/n)
random Y: (n, m) ~ N(0, 1/m)
random u: (n) ~ N(0, 1)
weight U: (n, d) ~ N(0, 1/d)
weight W: (n, n) ~ N(0, 2/n)
S = (X + X.T)/sqrt(2)
let law = spectrum(Y @ Y.T)
let J(x) = W.T @ diag(step(U @ x)) @ W
def f(xi):
    h = W @ (U @ xi)
    J = diag(step(h)) @ W
    return mean(h)
"""
lam, s, t = sp.Symbol("lambda", positive=True), sp.Symbol("s", positive=True), sp.Symbol("t", real=True)
N = sp.Symbol("n", positive=True)


@pytest.fixture(scope="module")
def program() -> tpsym.Program:
    return tpsym.parse(FILE)


@pytest.fixture(scope="module")
def wishart(program: tpsym.Program) -> SpectrumStudy:
    return program.spectrum("Y @ Y.T")


def marchenko_pastur(x: Any, ratio: float) -> Any:
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    inside = np.clip((high - x) * (x - low), 0, None)
    return np.sqrt(inside) / (2 * np.pi * ratio * x)


# --- exact ---------------------------------------------------------------------------------------------


def test_exact_values_in_terms_of_a_parameter(wishart: SpectrumStudy) -> None:
    assert wishart.moment(3) == sp.expand(1 + 3 * lam + lam**2)
    assert wishart.free_cumulant(4) == lam**3
    assert sp.expand(wishart.finite_n(2) - (1 + lam + lam / N)) == 0
    assert wishart.certified
    assert sp.cancel(wishart.r_transform(t) - 1 / (1 - lam * t)) == 0
    assert sp.cancel(wishart.s_transform(t) - 1 / (1 + lam * t)) == 0
    ends = (wishart.support.args[0], wishart.support.args[1])
    assert [sp.expand(e) for e in ends] == [1 + lam - 2 * sp.sqrt(lam), 1 + lam + 2 * sp.sqrt(lam)]
    assert wishart.atom(0).subs(lam, 3) == sp.Rational(2, 3)
    assert wishart.atom("lambda + 1") == 0
    assert wishart.density(t).subs({lam: 1, t: 2}) == 1 / (2 * sp.pi)


def test_the_equation_is_that_of_the_moments(wishart: SpectrumStudy) -> None:
    """z G = Σ m_k z^{-k} makes the equation vanish to the order that is known."""
    equation = wishart.equation.lhs.subs(lam, sp.Rational(1, 3))
    w = sp.Symbol("w")
    g = sum((wishart.moment(k).subs(lam, sp.Rational(1, 3)) * w ** (k + 1) for k in range(9)), sp.S.Zero)
    series = sp.expand(equation.subs({sp.Symbol("G"): g, sp.Symbol("z"): 1 / w}))
    assert all(series.coeff(w, k) == 0 for k in range(-2, 8))


def test_values_are_put_in_exactly(wishart: SpectrumStudy) -> None:
    found = wishart.at({"lambda": "1/4"})
    assert found.support == sp.Interval(sp.Rational(1, 4), sp.Rational(9, 4))
    assert [(e.position, e.exponent) for e in found.edges] == [(sp.Rational(1, 4), sp.S.Half),
                                                               (sp.Rational(9, 4), sp.S.Half)]
    hard = wishart.at({"lambda": 1}).edges[0]
    assert (hard.position, hard.exponent) == (0, sp.Rational(-1, 2))
    assert repr(found) == "<spectrum of Y @ Y.T at lambda = 1/4>"
    assert wishart.at({"lambda": 0.25}).moment(2) == sp.Rational(5, 4)
    assert wishart.at({"lambda": "sqrt(2)"}).moment(2) == 1 + sp.sqrt(2)


def test_defaults_are_numbers_but_not_put_in(program: tpsym.Program) -> None:
    found = program.spectrum("S")
    assert found.moment(2) == s**2
    assert found.var == pytest.approx(4)
    assert found.at(s=3).var == pytest.approx(9)
    assert found.std == pytest.approx(2)
    assert tpsym.parse(FILE, settings={"s": "1/2"}).spectrum("S").std == pytest.approx(0.5)


def test_a_named_law_and_its_matrix_are_one(program: tpsym.Program, wishart: SpectrumStudy) -> None:
    found = program.spectrum("law")
    assert repr(found) == repr(wishart)
    assert found.moment(2) == wishart.moment(2)


# --- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "ratio"), [("1/4", 0.25), (3, 3.0), ("sqrt(2)", np.sqrt(2))])
def test_numbers_of_marchenko_pastur(wishart: SpectrumStudy, given: Any, ratio: float) -> None:
    found = wishart.at({"lambda": given})
    low, high = found.numbers.support[0]
    x = np.linspace(low, high, 11)[1:-1]
    np.testing.assert_allclose(found.pdf(x), marchenko_pastur(x, ratio), rtol=1e-9)
    atom = max(0.0, 1 - 1 / ratio)
    below = atom + quad(marchenko_pastur, low, x[3], args=(ratio,))[0]
    assert found.cdf(x[3]) == pytest.approx(below, abs=1e-7)
    assert found.ppf(found.cdf(x)) == pytest.approx(x)
    assert [(a.position, a.mass) for a in found.atoms] == ([(0, pytest.approx(atom))] if atom else [])
    assert found.cdf(np.array([-1e-9, 0.0])) == pytest.approx([0, atom])


def test_shifts_and_scales_that_are_irrational(program: tpsym.Program) -> None:
    """pi·S + sqrt(2) has a semicircle of radius 2·s·pi around sqrt(2)."""
    found = program.spectrum("pi*S + sqrt(2)*eye(n)")
    low, high = found.numbers.support[0]
    assert (low, high) == (pytest.approx(np.sqrt(2) - 4 * np.pi), pytest.approx(np.sqrt(2) + 4 * np.pi))
    assert found.cdf(np.sqrt(2)) == pytest.approx(0.5)
    assert found.pdf(np.sqrt(2)) == pytest.approx(1 / (np.pi * 2 * np.pi))
    assert found.cdf([low, high]) == pytest.approx([0, 1])


def test_atoms_are_at_their_place_after_scaling(program: tpsym.Program) -> None:
    found = program.spectrum("pi*Y @ Y.T + sqrt(2)*eye(n)").at({"lambda": 2})
    (atom,) = found.atoms
    assert (atom.expr, atom.weight) == (sp.sqrt(2), sp.S.Half)
    assert found.cdf(np.nextafter(atom.position, [-10, 10])) == pytest.approx([0, 0.5])
    assert found.cdf(atom.position) == pytest.approx(0.5)


def test_probabilities_that_are_values_of_the_normal_distribution(program: tpsym.Program) -> None:
    """W D Wᵀ with masks of probabilities p = 1 - Φ(1/2) and q = 1 - Φ(-1): atoms, and a mean from quadrature."""
    p, q = norm.sf(0.5), norm.sf(-1)
    (atom,) = program.spectrum("X @ diag(step(u - 1/2)) @ X.T").atoms
    assert (atom.position, atom.mass) == (0, pytest.approx(1 - p))
    assert atom.weight is None
    found = program.spectrum("diag(3*step(u - 1/2) + 2*step(u + 1))")
    assert [(a.position, a.mass) for a in found.atoms] == [
        (0, pytest.approx(1 - q)), (2, pytest.approx(q - p)), (5, pytest.approx(p))
    ]
    assert found.cdf([-1, 0, 1, 2, 4, 5]) == pytest.approx([0, 1 - q, 1 - q, 1 - p, 1 - p, 1])


def test_draws_of_the_law_follow_it(wishart: SpectrumStudy) -> None:
    found = wishart.at({"lambda": "1/2"})
    draws = found.rvs(2000, random_state=3)
    assert kstest(draws, found.cdf).pvalue > 0.01
    assert np.array_equal(draws, found.rvs(2000, random_state=3))
    assert draws.mean() == pytest.approx(found.mean, abs=4 * found.std / np.sqrt(2000))


# --- samples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "values"), [
    ("S", {}), ("Y @ Y.T", {"lambda": "1/2"}), ("f.J(x).T @ f.J(x)", {}), ("S/2 + 3*diag(sign(u))", {}),
])
def test_a_sampled_matrix_has_the_law(program: tpsym.Program, text: str, values: dict[str, Any]) -> None:
    found = program.spectrum(text).at({"lambda": 1, **values})
    sample = found.sample(n=400, seed=1)
    assert sample.shape == (400,)
    places = np.linspace(sample[0] - 0.1, sample[-1] + 0.1, 60)
    places = places[[all(abs(p - a.position) > 1e-6 for a in found.atoms) for p in places]]
    empirical = np.searchsorted(sample, places) / 400
    assert np.abs(empirical - found.cdf(places)).max() < 0.03
    assert np.array_equal(sample, found.sample(n=400, seed=1))
    assert not np.array_equal(sample, found.sample(n=400, seed=2))


def test_what_a_matrix_is_drawn_with(program: tpsym.Program) -> None:
    found = program.spectrum("J(x)").at({"lambda": 1})
    assert {str(k): v for k, v in found.drawn_at.items()} == {"dot(x, x)": 1, "lambda": 1}
    assert {str(k) for k in found.depends_on} == {"dot(x, x)"}


# --- no equation ---------------------------------------------------------------------------------------


def test_without_an_equation_moments_and_samples_remain(program: tpsym.Program) -> None:
    found = program.spectrum("X.T @ diag(tanh(u)^2) @ X").at({"lambda": 1})
    mean = quad(lambda z: np.tanh(z) ** 2 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), -12, 12)[0]
    assert found.mean == pytest.approx(4 * mean)
    assert found.sample(n=300).mean() == pytest.approx(4 * mean, rel=0.1)
    assert found.free_cumulant(1) == found.moment(1)
    for ask in (lambda: found.equation, lambda: found.pdf(1), lambda: found.support, lambda: found.density()):
        with pytest.raises(TpError, match="infinitely many values"):
            ask()


# --- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ask", "words"), [
    (lambda p: p.spectrum("Z @ Z.T"), "unknown name 'Z'"),
    (lambda p: p.spectrum("X"), "symmetric"),
    (lambda p: p.spectrum("Y"), "square"),
    (lambda p: p.spectrum("u"), r"spectrum\(diag\(u\)\)"),
    (lambda p: p.spectrum("Y @"), "expression"),
    (lambda p: p.spectrum("law").pdf(1), r"no value for lambda[\s\S]*--set lambda=1/2"),
    (lambda p: p.spectrum("law").var, "no value for lambda"),
    (lambda p: p.spectrum("law").sample(), "no value for lambda"),
    (lambda p: p.spectrum("law").at(lamda=2), "did you mean 'lambda'"),
    (lambda p: p.spectrum("law").moment(-1), "no moment or cumulant of order -1"),
    (lambda p: p.spectrum("law").at({"lambda": 1}).sample(0), "width 0"),
    (lambda p: p.spectrum("law").at({"lambda": 1}).plot(bins=0), "0 bins"),
    (lambda p: p.spectrum("law").atom("nowhere"), "nowhere"),
    (lambda p: p.spectrum("law").atom(float("nan")), "number"),
])
def test_mistakes(program: tpsym.Program, ask: Callable[[tpsym.Program], Any], words: str) -> None:
    with pytest.raises(TpError, match=words):
        ask(program)
