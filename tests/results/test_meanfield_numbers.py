"""Certified numbers of mean field theory against textbook formulas iterated in mpmath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import layer_maps
import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_maps import at, c, iterated, network, number, q, sb, sw
from mpmath import mpf

from tpsym.errors import TpError
from tpsym.results.meanfield import meanfield
from tpsym.results.meanfield_maps import Q
from tpsym.results.meanfield_numbers import evaluate
from tpsym.results.meanfield_values import Numbers
from tpsym.results.meanfield_zero import vanishes

half = sp.Rational(1, 2)
sizes = st.fractions(min_value="1/10", max_value=4, max_denominator=40)


@pytest.fixture(autouse=True)
def precise() -> Iterator[None]:
    with mp.workdps(30):
        yield


@pytest.mark.parametrize(
    ("weight", "bias", "phase", "expected"),
    [
        ("3/2", "1/10", "ordered", {"variance": "0.6911004338", "chi": "0.9843587253", "correlation": "1"}),
        ("2", "3/10", "chaotic", {"variance": "1.3381862576", "correlation": "0.9813889705", "chi": "1.0103210503"}),
        ("4", "1/20", "chaotic", {"variance": "2.5781781076", "correlation": "0.1130886573", "chi": "1.5142121834",
                                  "chi_correlation": "0.8310044485"}),
    ],
)
def test_erf_numbers(weight: str, bias: str, phase: str, expected: dict[str, str]) -> None:
    found = evaluate(network("erf"), at(weight, bias), digits=25)
    first, second = (mpf(x.numerator) / x.denominator for x in map(Fraction, (weight, bias)))
    assert found.phase == phase
    assert found.notes == ()
    assert found.reached
    for name, shown in expected.items():
        assert abs(number(getattr(found, name)) - mpf(shown)) < mpf("6e-11")
    variance, gap, _, _ = iterated("erf", first, second, 6000, variance=mpf(1), gap=mpf("0.5"))
    assert abs(variance - number(found.variance)) < mpf("1e-23")
    assert abs(1 - gap - number(found.correlation)) < mpf("1e-18")


@pytest.mark.parametrize(("level", "weight", "bias"), [(half, "1.3603495232", "0.0465501589"),
                                                       (sp.S.One, "1.7562036828", "0.1841396778")])
def test_points_on_the_edge_are_proved_critical(level: sp.Expr, weight: str, bias: str) -> None:
    edge = dict(meanfield(network("erf")).edge_of_chaos.values)
    first, second = (edge[p].xreplace({Q: level}) for p in (sw**2, sb**2))
    assert abs(sp.N(first, 20) - sp.Float(weight, 20)) < 1e-10
    assert abs(sp.N(second, 20) - sp.Float(bias, 20)) < 1e-10
    found = evaluate(network("erf"), {sw: sp.sqrt(first), sb: sp.sqrt(second)})
    assert found.phase == "critical"
    assert found.variance is not None
    assert found.variance.exact == level
    assert found.correlation_depth is not None
    assert found.correlation_depth.exact == sp.oo
    near = evaluate(network("erf"), {sw: sp.sqrt(first + sp.Rational(1, 10**9)), sb: sp.sqrt(second)})
    assert near.phase == "chaotic"


def test_an_edge_that_is_not_recognised_is_undecided() -> None:
    edge = dict(meanfield(network("erf")).edge_of_chaos.values)
    first, second = (edge[p].xreplace({Q: sp.sqrt(2) / 3}) for p in (sw**2, sb**2))
    found = evaluate(network("erf"), {sw: sp.sqrt(first), sb: sp.sqrt(second)})
    assert found.phase == "undecided"
    assert found.correlation is None
    assert any("not decided" in note for note in found.notes)


def test_relu_numbers() -> None:
    relu = network("relu")
    assert meanfield(relu).phase(at("2", "0")) == "critical"
    kept = evaluate(relu, at("2", "0"))
    assert kept.every_variance
    assert kept.variance is None
    ordered = evaluate(relu, at("1", "1/10"))
    assert (ordered.phase, ordered.variance and ordered.variance.exact) == ("ordered", sp.Rational(1, 5))
    assert ordered.variance_depth is not None
    assert abs(number(ordered.variance_depth) - 1 / mp.log(2)) < mpf("1e-20")
    diverging = evaluate(relu, at("3", "1/10"))
    assert diverging.variance is not None
    assert diverging.variance.exact == sp.oo
    assert diverging.correlation is None
    assert diverging.notes == ("the variance grows without bound",)


def test_defaults_and_missing_values() -> None:
    assert evaluate(network("relu"), {}).phase == "critical"
    with pytest.raises(TpError, match="no value for a"):
        evaluate(network("leaky"), {})


def test_several_attractors_are_told_apart() -> None:
    found = evaluate(network("square"), at("1/3", "1/10"))
    assert found.variance is not None
    assert found.variance.exact is not None
    assert vanishes(found.variance.exact - (half - sp.sqrt(15) / 10))
    assert "other initial variances lead elsewhere: this is for q = 0.01" in found.notes


def test_tanh_numbers() -> None:
    found = meanfield(network("tanh")).evaluate(at("3/2", "1/10"), digits=20)
    assert found.phase == "ordered"
    assert found.notes == ()

    def mean(f: Callable[[mpf], mpf], level: mpf) -> mpf:
        return mp.quad(lambda z: f(mp.sqrt(level) * z) * mp.npdf(z), [-12, -6, -2, 0, 2, 6, 12])

    level = mp.findroot(lambda x: mpf(1.5) * mean(lambda z: mp.tanh(z) ** 2, x) + mpf("0.1") - x, 0.5)
    assert abs(number(found.variance) - level) < mpf("1e-18")
    chi = mpf(1.5) * mean(lambda z: mp.sech(z) ** 4, level)
    assert abs(number(found.chi) - chi) < mpf("1e-18")


@pytest.mark.slow
def test_the_correlation_of_chaotic_tanh_is_enclosed() -> None:
    found = meanfield(network("tanh")).evaluate(at("4", "1/20"), seconds=300)
    assert found.phase == "chaotic"
    points, weights = np.polynomial.hermite_e.hermegauss(200)
    x, y = np.meshgrid(points, points)
    both = np.outer(weights, weights) / weights.sum() ** 2
    level, correlation = 1.0, 0.5
    for _ in range(200):
        first = np.tanh(np.sqrt(level) * x)
        other = np.tanh(np.sqrt(level) * (correlation * x + np.sqrt(1 - correlation**2) * y))
        following = 4 * float((both * first**2).sum()) + 0.05
        level, correlation = following, (4 * float((both * first * other).sum()) + 0.05) / following
    assert float(number(found.correlation)) == pytest.approx(correlation, rel=1e-6)


def test_a_kink_without_closed_form_still_has_a_phase() -> None:
    found = evaluate(network("relu tanh"), at("1", "1/20"))
    assert found.phase == "ordered"
    assert found.variance is not None
    assert found.variance.number.rigorous


@settings(max_examples=30)
@given(weight=sizes, bias=st.fractions(min_value="1/50", max_value=1, max_denominator=50))
def test_numbers_satisfy_their_equations(weight: Fraction, bias: Fraction) -> None:
    found: Numbers = evaluate(network("erf"), at(sp.Rational(weight), sp.Rational(bias)), digits=20)
    w, b = mpf(weight.numerator) / weight.denominator, mpf(bias.numerator) / bias.denominator
    level, chi = number(found.variance), number(found.chi)
    assert abs(w * layer_maps.erf_kernel(level, mpf(0)) + b - level) < mpf("1e-18")
    assert abs(chi - w * layer_maps.erf_slope(level, mpf(0))) < mpf("1e-18")
    assert found.phase == ("ordered" if chi < 1 else "chaotic")
    correlation = number(found.correlation)
    assert abs((w * layer_maps.erf_kernel(level, 1 - correlation) + b) / level - correlation) < mpf("1e-17")
    assert number(found.chi_correlation) < 1


@settings(max_examples=30)
@given(name=st.sampled_from(["sin", "cos", "gelu", "abs"]), weight=sizes, bias=sizes)
def test_fixed_points_attract(name: str, weight: Fraction, bias: Fraction) -> None:
    """Iteration of the maps in mpmath ends where the numbers say."""
    maps = network(name).at(at(sp.Rational(weight), sp.Rational(bias)))
    found = evaluate(network(name), at(sp.Rational(weight), sp.Rational(bias)))
    f, g = sp.lambdify(q, maps.variance, "mpmath"), sp.lambdify([q, c], maps.covariance, "mpmath")
    level = mpf(1)
    for _ in range(2000):
        level, before = mp.re(f(level)), level
        if level > 1e12 or abs(level - before) < mpf("1e-20"):
            break
    else:
        return
    if level > 1e6:
        assert found.variance is not None
        assert found.variance.exact == sp.oo
        return
    assert abs(number(found.variance) - level) < mpf("1e-6") * (1 + level)
    if found.chi is None or abs(number(found.chi) - 1) < 0.02:
        return
    correlation = mpf("0.3")
    for _ in range(1500):
        correlation = min(mp.re(g(level, correlation)) / level, mpf(1))
    assert abs(number(found.correlation) - correlation) < mpf("1e-6")
