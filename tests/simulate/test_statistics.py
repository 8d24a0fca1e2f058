"""Intervals cover, rates recover, judgements are right as often as they say: all with fixed seeds."""

import math

import numpy as np
import pytest

from tpsym.simulate.statistics import (
    Estimate,
    estimate_covariance,
    estimate_mean,
    estimate_variance,
    fit_line,
    fit_rate,
    judge,
)

REPEATS = 2000


def within_binomial_error(hits, probability, repeats):
    return abs(hits - probability * repeats) < 4 * math.sqrt(repeats * probability * (1 - probability))


def covers(estimate, truth):
    return estimate.low <= truth <= estimate.high


@pytest.mark.parametrize("seeds", [4, 32])
def test_intervals_cover_as_often_as_they_say(seeds):
    samples = np.random.default_rng(0).normal(3.0, 2.0, (REPEATS, seeds))
    assert within_binomial_error(sum(covers(estimate_mean(9, s), 3.0) for s in samples), 0.95, REPEATS)
    assert within_binomial_error(sum(covers(estimate_variance(9, s), 4.0) for s in samples), 0.95, REPEATS)


def test_covariance_interval_covers_nearly_as_often():
    mixing = np.linalg.cholesky(np.array([[2.0, 0.6], [0.6, 1.0]]))
    pairs = np.einsum("ij,rjs->ris", mixing, np.random.default_rng(1).normal(size=(REPEATS, 2, 40)))
    hits = sum(covers(estimate_covariance(9, *pair), 0.6) for pair in pairs)
    assert 0.92 < hits / REPEATS < 0.97


def test_estimates_are_the_textbook_ones():
    sample, other = np.array([1.0, 2.0, 4.0, 9.0]), np.array([0.0, 1.0, 1.0, 3.0])
    mean = estimate_mean(5, sample)
    assert (mean.n, mean.seeds, mean.value) == (5, 4, 4.0)
    assert mean.standard_error == pytest.approx(np.std(sample, ddof=1) / 2)
    assert mean.high - mean.value == pytest.approx(3.182446 * mean.standard_error, rel=1e-6)
    assert estimate_variance(5, sample).value == pytest.approx(np.var(sample, ddof=1))
    assert estimate_covariance(5, sample, other).value == pytest.approx(np.cov(sample, other)[0, 1])


def test_line_fit_has_the_error_it_says():
    rng, x, errors = np.random.default_rng(2), np.log([64.0, 256, 1024, 4096]), np.array([0.1, 0.3, 0.1, 0.2])
    fits = np.array([fit_line(x, 2 - 0.5 * x + errors * rng.normal(size=4), errors) for _ in range(REPEATS)])
    assert abs(fits[:, 0].mean() + 0.5) < 4 * fits[:, 0].std() / math.sqrt(REPEATS)
    formal = fit_line(x, -0.5 * x, errors)[1]
    assert fits[:, 0].std() == pytest.approx(formal, rel=0.08)


def sampled(limit, *, bias=0.0, power=0.5, seeds=16, widths=(64, 256, 1024), rng, clt=False):
    estimates = []
    for n in widths:
        scale = 1.0 if clt else n**-0.5
        sample = limit + bias * n**-power + scale * rng.normal(size=seeds)
        estimates.append(estimate_mean(n, sample))
    return estimates


def test_rates():
    rng, widths = np.random.default_rng(3), (16, 64, 256, 1024, 4096)
    spread = fit_rate(sampled(1.0, seeds=200, widths=widths, rng=rng), limit=None)
    assert spread.of == "spread"
    assert spread.resolved
    assert abs(spread.exponent + 0.5) < 4 * spread.standard_error < 0.15
    flat = fit_rate(sampled(1.0, seeds=200, widths=widths, rng=rng, clt=True), limit=None)
    assert abs(flat.exponent) < 4 * flat.standard_error
    error = fit_rate(sampled(1.0, bias=3.0, seeds=4000, widths=widths, rng=rng), limit=1.0)
    assert error.of == "error"
    assert error.resolved
    assert abs(error.exponent + 0.5) < 4 * error.standard_error
    noise = fit_rate(sampled(1.0, seeds=50, widths=widths, rng=rng), limit=1.0)
    assert not noise.resolved


def test_rate_of_exact_power_law_and_of_too_few_points():
    exact = [Estimate(n, 2, 1 + 5 / n, 0.0, 0.0, 0.0, 0.0) for n in (10, 100, 1000)]
    assert fit_rate(exact, limit=1.0).exponent == pytest.approx(-1, abs=1e-9)
    assert fit_rate(exact[:1], limit=1.0) is None
    assert fit_rate(exact, limit=None) is None


@pytest.mark.parametrize(
    ("seeds", "bias", "tolerated"), [(8, 0.0, 0.06), (32, 0.0, 0.055), (32, 20.0, 0.055)]
)
def test_right_limits_are_rejected_at_most_as_often_as_stated(seeds, bias, tolerated):
    """At k = 2 the stated level is 4.55 %; equal residuals of a fit make the true one smaller."""
    rng = np.random.default_rng(4)
    rejected = sum(
        not judge(1.0, sampled(1.0, bias=bias, seeds=seeds, rng=rng), k=2.0).agrees for _ in range(REPEATS)
    )
    assert 0.01 < rejected / REPEATS < tolerated


def test_single_width_is_a_student_test():
    rng = np.random.default_rng(5)
    judgements = [judge(1.0, sampled(1.0, seeds=6, widths=(64,), rng=rng), k=2.0) for _ in range(REPEATS)]
    assert within_binomial_error(sum(not j.agrees for j in judgements), 0.0455, REPEATS)
    assert judgements[0].bias == 0.0


def test_more_comparisons_raise_the_threshold():
    estimates = sampled(1.0, rng=np.random.default_rng(6))
    one, many = (judge(1.0, estimates, k=3.0, comparisons=m) for m in (1, 100))
    assert one.critical == pytest.approx(3.0)
    assert 4.0 < many.critical < 4.6


def test_wrong_limits_are_noticed_half_the_time_at_the_resolution():
    rng = np.random.default_rng(7)
    resolution = judge(1.0, sampled(1.0, seeds=64, rng=rng), k=3.0).resolution
    noticed = sum(
        not judge(1.0 + resolution, sampled(1.0, seeds=64, rng=rng), k=3.0).agrees for _ in range(400)
    )
    assert 0.3 < noticed / 400 < 0.75
    clear = judge(1.0 + 3 * resolution, sampled(1.0, seeds=64, rng=rng), k=3.0)
    assert not clear.agrees


@pytest.mark.parametrize("seeds", [8, 64])
def test_variances_are_judged_through_chi_square(seeds):
    rng, rejected = np.random.default_rng(8), 0
    for _ in range(REPEATS):
        estimates = [estimate_variance(n, rng.normal(0, 1.5, seeds)) for n in (64, 256, 1024)]
        rejected += not judge(2.25, estimates, kind="variance", k=2.0).agrees
    assert 0.01 < rejected / REPEATS < 0.055
    far = [estimate_variance(n, rng.normal(0, 1.5, 2000)) for n in (64, 256, 1024)]
    assert judge(2.25, far, kind="variance").agrees
    assert not judge(3.5, far, kind="variance").agrees
    with pytest.raises(ValueError, match="positive limit"):
        judge(0.0, far, kind="variance")


def test_quantities_without_noise():
    exact = [estimate_mean(n, np.full(4, 1.5)) for n in (10, 100, 1000)]
    assert judge(1.5, exact).agrees
    assert judge(1.5, exact).z == (0.0, 0.0, 0.0)
    assert not judge(1.6, exact).agrees


def test_values_that_are_not_finite_never_agree():
    broken = [estimate_mean(n, np.array([1.0, np.nan, 2.0])) for n in (10, 100)]
    assert not judge(1.0, broken).agrees
    assert fit_rate(broken, limit=1.0) is None
