"""Mean field theory from layer maps alone, against textbook formulas iterated in mpmath."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import layer_maps
import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_maps import at, c, iterated, network, number, q, sb, sw
from mpmath import mpf

from tpsym.gauss.numeric import value
from tpsym.results.meanfield import MeanField, meanfield
from tpsym.results.meanfield_laws import L
from tpsym.results.meanfield_maps import C, LayerMaps, NoDerivativeError, Q, derivative, substituted
from tpsym.results.meanfield_numbers import evaluate
from tpsym.results.meanfield_series import Expander
from tpsym.results.meanfield_zero import vanishes

half = sp.Rational(1, 2)


@pytest.fixture(autouse=True)
def precise() -> Iterator[None]:
    with mp.workdps(30):
        yield


# exact answers ---------------------------------------------------------------------------------------


def test_relu_exactly() -> None:
    theory = meanfield(network("relu"))
    assert theory.chi == theory.chi_parallel == sw**2 / 2
    assert vanishes(theory.variance - sb**2 / (1 - sw**2 / 2))
    assert theory.fixed_point.roots[0].condition == (sw**2 < 2)
    assert dict(theory.edge_of_chaos.values) == {sw**2: 2, sb**2: 0}
    assert theory.edge_of_chaos.parameter is None
    assert theory.correlation_fixed_points == (1,)
    assert theory.correlation_law is not None
    assert theory.correlation_law.critical == 9 * sp.pi**2 / (2 * L**2)
    assert theory.correlation_law.departure.power == sp.Rational(3, 2)
    assert theory.tangent_law is not None
    assert theory.tangent_law.critical_ratio == sp.Rational(1, 4)
    assert theory.phases["ordered"] == (sw**2 < 2)


def test_erf_exactly() -> None:
    theory = meanfield(network("erf"))
    root = sp.sqrt(1 + 4 * Q)
    assert vanishes(theory.chi - 4 * sw**2 / sp.pi / root)
    assert vanishes(theory.chi_parallel - 4 * sw**2 / sp.pi / root / (1 + 2 * Q))
    edge = dict(theory.edge_of_chaos.values)
    assert vanishes(edge[sw**2] - sp.pi / 4 * root)
    assert vanishes(edge[sb**2] - Q + root * sp.asin(2 * Q / (1 + 2 * Q)) / 2)
    assert theory.edge_of_chaos.parameter == Q
    assert theory.variance == Q
    assert theory.tangent_law is not None
    assert theory.tangent_law.critical_ratio == sp.Rational(1, 3)


@pytest.mark.parametrize(
    ("name", "edge"),
    [
        ("leaky", 2 / (1 + layer_maps.a**2)),
        ("abs", sp.S.One),
        ("linear", sp.S.One),
        ("sin", 2 / (1 + sp.exp(-2 * Q))),
        ("square", 1 / (4 * Q)),
    ],
)
def test_edge_of_chaos(name: str, edge: sp.Expr) -> None:
    found = dict(meanfield(network(name)).edge_of_chaos.values)
    assert vanishes((found[sw**2] - edge).xreplace({Q: q}).rewrite(sp.exp))


def test_edge_of_a_network_without_bias() -> None:
    theory = meanfield(network("erf").at({sb: sp.S.Zero}))
    assert theory.edge_of_chaos.values == ((sw**2, sp.pi / 4),)


@pytest.mark.parametrize("name", ["relu", "leaky", "abs"])
def test_a_kink_gives_the_same_law_up_to_its_size(name: str) -> None:
    theory = meanfield(network(name))
    assert theory.correlation_law is not None
    left, right = {"relu": (0, 1), "leaky": (layer_maps.a, 1), "abs": (-1, 1)}[name]
    size = (right - left) ** 2 / sp.S(right**2 + left**2)
    assert vanishes(theory.correlation_law.critical / (9 * sp.pi**2 / (2 * L**2) / size**2) - 1)


def test_linear_networks_keep_correlations() -> None:
    theory = meanfield(network("linear"))
    assert theory.correlation_law is not None
    assert theory.correlation_law.kept
    assert theory.correlation_law.critical is None
    assert theory.tangent_law is not None
    assert theory.tangent_law.critical_ratio == C
    found = evaluate(network("linear"), at("1", "0"))
    assert found.correlation is None
    assert "every correlation is a fixed point" in found.notes


def test_tanh_is_exact_in_means() -> None:
    theory = meanfield(network("tanh"))
    second, fourth, sixth = (layer_maps.expect(sp.tanh(layer_maps.u) ** k, [layer_maps.u], [[Q]]).value
                             for k in (2, 4, 6))
    assert vanishes(theory.chi - sw**2 * (1 - 2 * second + fourth))
    assert theory.correlation_law is not None
    rate = 2 * Q * (second - 2 * fourth + sixth) / (1 - 2 * second + fourth)
    assert vanishes(theory.correlation_law.critical * L - 1 / rate)


def test_steps_have_infinite_slope() -> None:
    theory = meanfield(network("step"))
    assert theory.chi == sp.oo
    assert theory.correlation_law is None
    assert evaluate(network("step"), at("4", "1/5")).phase == "chaotic"


# laws of large depth ---------------------------------------------------------------------------------


def test_relu_law_by_iteration() -> None:
    depth = 20000
    _, gap, diagonal, other = iterated("relu", mpf(2), mpf(0), depth, variance=mpf(1), gap=mpf("0.7"))
    theory = meanfield(network("relu"))
    assert theory.correlation_law is not None
    assert theory.correlation_law.critical is not None
    predicted = mpf(str(sp.N(theory.correlation_law.critical.xreplace({L: sp.Integer(depth)}), 20)))
    assert abs(gap / predicted - 1) < 0.01
    assert abs(predicted * depth**2 - mpf("44.4132")) < mpf("1e-4")
    assert abs(diagonal / depth - 1) < 0.001
    assert abs(other / diagonal - mpf(1) / 4) < 0.001


def test_erf_law_by_iteration() -> None:
    theory = meanfield(network("erf"))
    edge = dict(theory.edge_of_chaos.values)
    weight, bias = (mpf(str(sp.N(edge[p].xreplace({Q: half}), 30))) for p in (sw**2, sb**2))
    depth = 20000
    _, gap, diagonal, other = iterated("erf", weight, bias, depth, variance=mpf("0.5"), gap=mpf("0.7"))
    assert theory.correlation_law is not None
    assert theory.correlation_law.critical is not None
    predicted = theory.correlation_law.critical.xreplace({L: sp.Integer(depth), Q: half})
    assert abs(gap / mpf(str(sp.N(predicted, 20))) - 1) < 0.01
    assert abs(diagonal / (depth * mpf("0.5")) - 1) < 0.001
    assert abs(other / diagonal - mpf(1) / 3) < 0.002


def test_phases_of_the_tangent_kernel_by_iteration() -> None:
    theory = meanfield(network("erf"))
    assert theory.tangent_law is not None
    for weight, bias in (("3/2", "1/10"), ("4", "1/20")):
        found = evaluate(network("erf"), at(weight, bias), digits=20)
        here = {Q: sp.Float(number(found.variance), 25), C: sp.Float(number(found.correlation), 25), **at(weight, bias)}
        first, second = (mpf(x.numerator) / x.denominator for x in map(Fraction, (weight, bias)))
        depth = 3000 if weight == "3/2" else 100
        _, _, diagonal, other = iterated("erf", first, second, depth, variance=mpf(1), gap=mpf("0.4"))
        if found.phase == "ordered":
            limit = mpf(str(sp.N(theory.tangent_law.ordered.xreplace(here), 20)))
            assert abs(diagonal / limit - 1) < 1e-9
            assert abs(other / limit - 1) < 1e-9
        else:
            limit = mpf(str(sp.N(theory.tangent_law.chaotic_limit.xreplace(here), 20)))
            assert abs(other / limit - 1) < 1e-5
            assert mp.log(diagonal) / depth == pytest.approx(float(mp.log(number(found.chi))), rel=0.05)


def test_a_variance_that_vanishes_slowly() -> None:
    for name, weight in (("erf", sp.pi / 4), ("tanh", sp.S.One)):
        assert meanfield(network(name)).at(at(weight, sp.S.Zero)).variance_law == 1 / (2 * L)
    found = evaluate(network("erf"), at(sp.pi / 4, sp.S.Zero))
    assert found.variance is not None
    assert found.variance.exact == 0
    assert found.phase == "critical"
    variance, *_ = iterated("erf", mp.pi / 4, mpf(0), 20000, variance=mpf(1), gap=mpf(0))
    assert abs(variance * 40000 - 1) < 0.001


# agreement of the parts ------------------------------------------------------------------------------

SMOOTH = ["erf", "gelu", "sin", "cos", "square"]
sizes = st.fractions(min_value="1/10", max_value=4, max_denominator=40)


@settings(max_examples=40)
@given(name=st.sampled_from([*SMOOTH, "relu", "abs", "linear"]), level=sizes, weight=sizes)
def test_chi_is_the_slope_of_the_covariance(name: str, level: Fraction, weight: Fraction) -> None:
    theory = meanfield_of(name)
    point = {sw: sp.sqrt(sp.Rational(weight)), sb: sp.S.Zero, q: sp.Rational(level)}
    step = sp.Rational(1, 10**12)
    ends = [network(name).covariance.xreplace({**point, c: 1 - k * step}) for k in (0, 1)]
    slope = sp.N((ends[0] - ends[1]) / (step * point[q]), 20, maxn=200)
    assert theory.chi is not None
    chi = theory.chi.xreplace({**point, Q: point[q]})
    assert abs(slope - sp.N(chi, 20)) < 1e-4


@settings(max_examples=40)
@given(name=st.sampled_from(SMOOTH), level=sizes)
def test_parallel_slope_is_the_derivative(name: str, level: Fraction) -> None:
    variance = network(name).variance.xreplace({sw: sp.S.One, sb: sp.S.Zero})
    f = sp.lambdify(q, variance, "mpmath")
    expected = mp.diff(f, mpf(level.numerator) / level.denominator)
    slope = meanfield_of(name).chi_parallel
    assert slope is not None
    found = sp.N(slope.xreplace({sw: sp.S.One, Q: sp.Rational(level)}), 20)
    assert abs(mpf(str(found)) - expected) < mpf("1e-12")


def test_derivatives_of_means_with_kinks() -> None:
    slope = derivative(network("relu tanh").variance, q)
    point = {sw: 1, sb: 0}
    values = [number_at(network("relu tanh").variance.xreplace(point), x) for x in ("0.70001", "0.69999")]
    assert float(number_at(slope.xreplace(point), "0.7")) == pytest.approx(
        float(values[0] - values[1]) / 2e-5, rel=1e-6)
    with pytest.raises(NoDerivativeError):
        derivative(network("relu tanh").covariance, c)


@given(name=st.sampled_from(["relu", "abs", "erf", "gelu", "sin", "square", "step"]), level=sizes)
@settings(max_examples=30)
def test_expansions_approach_the_covariance(name: str, level: Fraction) -> None:
    t = sp.Dummy("t", positive=True)
    maps = network(name).at({sw: sp.S.One, sb: sp.S.Zero})
    found = Expander(t, 6)(maps.covariance.xreplace({c: 1 - t**2}))
    small, point = sp.Rational(1, 1000), {q: sp.Rational(level)}
    exact = sp.N(maps.covariance.xreplace({**point, c: 1 - small**2}), 40)
    series = sp.Add(*(found.coefficient(k) * small**k for k in range(found.order))).xreplace(point)
    assert found.order >= 4
    assert abs(exact - sp.N(series, 40)) < 100 * (1 + level) ** found.order * small**found.order


# refusals --------------------------------------------------------------------------------------------


def test_a_slope_that_is_not_the_derivative_gives_no_law() -> None:
    relu = network("relu")
    theory = meanfield(LayerMaps(q, c, relu.variance, relu.covariance, 2 * relu.slope))
    assert theory.correlation_law is None
    assert any("not the derivative" in note for note in theory.notes)


def test_noise_of_its_own_for_each_input_moves_correlation_one() -> None:
    relu = network("relu")
    noisy = LayerMaps(q, c, relu.variance + 1, relu.covariance, relu.slope)
    theory = meanfield(noisy)
    assert theory.correlation_fixed_points == ()
    assert theory.correlation_law is None
    found = evaluate(noisy, at("1", "1"))
    assert found.correlation is None
    assert "that correlation one is kept is not proved" in found.notes


def test_substitution_renews_degenerate_means() -> None:
    covariance = network("tanh").covariance.xreplace({sw: sp.S.One, sb: sp.S.Zero})
    assert substituted(covariance, {c: sp.S.One}) == network("tanh").variance.xreplace({sw: sp.S.One, sb: sp.S.Zero})


@cache
def meanfield_of(name: str) -> MeanField:
    return meanfield(network(name))


def number_at(expr: sp.Expr, level: str) -> mpf:
    found, _ = value(expr, {}, definitions={q: sp.Rational(level)})
    return mpf(found.value.str(20, radius=False))
