r"""Estimates with their errors, rates of convergence, and whether a limit is contradicted.

What is assumed. Runs are independent over seeds and over widths (different widths use different
streams). Intervals for a mean are Student's: exact for Gaussian samples, good for the means of n
terms that moments are, optimistic for heavy tails and few seeds. Intervals for a variance are
chi-square's and need the samples to be nearly Gaussian, as scalars of CLT size are; the error of a
covariance is the Gaussian one, :math:`\sqrt{(s_{aa}s_{bb} + s_{ab}^2)/\nu}`.

What cannot be done. Finite-width estimates are biased by an unknown amount that vanishes as n grows,
so no sample refutes a limit without a model of the bias; :func:`judge` states its model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from tpsym.simulate.payload import Array

Kind = Literal["mean", "variance", "covariance"]

CONFIDENCE = 0.95
LOG_ERROR = float(np.pi / np.sqrt(8))
"""Standard deviation of log|x| for a centred Gaussian x: no measured log|x| is known worse."""
ROUNDING = 1e-12
"""Relative error of a mean in floating point, for quantities that have no random error at all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantity at width ``n`` over ``seeds`` runs; [low, high] is its 95 % confidence interval.

    ``spread`` is the standard deviation over seeds of one run (of the first scalar, for a covariance).
    """

    n: int
    seeds: int
    value: float
    standard_error: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True, slots=True)
class Rate:
    """``exponent`` of n in the error (``of="error"``, against a limit) or the spread over seeds.

    ``resolved`` is false if at some width the error is within two standard errors of zero: then the
    exponent is that of the noise, typically -1/2, rather than of the bias.
    """

    of: Literal["error", "spread"]
    exponent: float
    standard_error: float
    resolved: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether estimates contradict a limit; see :func:`judge`.

    ``z`` are the residuals by width as Gaussian scores and ``critical`` their threshold; ``bias`` is
    the fitted c. An error of the limit of size ``resolution`` would be noticed with probability
    about one half: agreement says nothing about smaller ones.
    """

    agrees: bool
    z: tuple[float, ...]
    critical: float
    bias: float
    bias_error: float
    resolution: float


def estimate_mean(n: int, sample: Array) -> Estimate:
    """Mean over seeds with Student's interval; a sample of at least two."""
    count = len(sample)
    with np.errstate(all="ignore"):
        value, spread = float(np.mean(sample)), float(np.std(sample, ddof=1))
    error = spread / float(np.sqrt(count))
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, count - 1)) * error
    return Estimate(n, count, value, error, value - half, value + half, spread)


def estimate_variance(n: int, sample: Array) -> Estimate:
    r"""Variance over seeds; :math:`\nu s^2/\sigma^2` is taken as chi-square with ν = seeds − 1."""
    freedom = len(sample) - 1
    with np.errstate(all="ignore"):
        value = float(np.var(sample, ddof=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = (value * freedom / float(stats.chi2.ppf(p, freedom)) for p in (1 - tail, tail))
    error = value * float(np.sqrt(2 / freedom))
    return Estimate(n, len(sample), value, error, low, high, float(np.sqrt(value)))


def estimate_covariance(n: int, first: Array, second: Array) -> Estimate:
    """Covariance over seeds of two scalars, with the Gaussian standard error and Student's quantile."""
    freedom = len(first) - 1
    with np.errstate(all="ignore"):
        c = np.cov(first, second)
        error = float(np.sqrt((c[0, 0] * c[1, 1] + c[0, 1] ** 2) / freedom))
    value, half = float(c[0, 1]), float(stats.t.isf((1 - CONFIDENCE) / 2, freedom)) * error
    return Estimate(n, len(first), value, error, value - half, value + half, float(np.sqrt(c[0, 0])))


def fit_line(x: Array, y: Array, errors: Array) -> tuple[float, float]:
    """Weighted least-squares slope of y against x and its standard error, at two different x or more.

    The error is the one propagated from ``errors``, widened by the residuals' χ²/ν where that
    exceeds 1, so that neither a lucky fit nor a bent curve looks more certain than it is.
    """
    weights = 1 / np.maximum(errors, ROUNDING) ** 2
    centred = x - np.average(x, weights=weights)
    curvature = float(np.sum(weights * centred**2))
    slope = float(np.sum(weights * centred * y)) / curvature
    residuals = y - np.average(y, weights=weights) - slope * centred
    freedom = len(x) - 2
    excess = float(np.sum(weights * residuals**2)) / freedom if freedom else 1.0
    return slope, float(np.sqrt(max(1.0, excess) / curvature))


def fit_rate(estimates: Sequence[Estimate], *, limit: float | None) -> Rate | None:
    """The exponent of n in |estimate − limit|, or without a limit in the spread over seeds.

    log|d| is taken to have the error se/|d| (at most that of pure noise), the logarithm of a standard
    deviation 1/√(2ν). ``None`` if fewer than two widths have a value whose logarithm exists.
    """
    if limit is None:
        points = [(e.n, e.spread, 1 / np.sqrt(2 * (e.seeds - 1))) for e in estimates]
    else:
        points = [(e.n, abs(e.value - limit), _log_error(e, limit)) for e in estimates]
    points = [point for point in points if np.isfinite(point[1]) and point[1] > 0]
    if len(points) < 2:
        return None
    widths, sizes, errors = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    exponent, error = fit_line(np.log(widths), np.log(sizes), errors)
    return Rate("spread" if limit is None else "error", exponent, error, bool(np.all(errors < 0.5)))


def _log_error(estimate: Estimate, limit: float) -> float:
    distance = abs(estimate.value - limit)
    return min(LOG_ERROR, estimate.standard_error / distance) if distance else LOG_ERROR


def judge(
    limit: float,
    estimates: Sequence[Estimate],
    *,
    kind: Kind = "mean",
    k: float = 4.0,
    comparisons: int | None = None,
    bias_power: float = 0.5,
) -> Judgement:
    r"""Whether estimates at growing widths agree with a limit within ``k`` standard errors.

    Model: estimate(n) = limit + c n^(−bias_power) + noise, with c fitted by weighted least squares
    (at one width, c = 0). Residuals are divided by their own standard deviation, which makes them
    about Student's t with seeds − 1 degrees of freedom if limit and model are right; z is the
    Gaussian score with the same tail probability. A variance is compared through the cube root,
    :math:`(s^2/\sigma^2)^{1/3} \approx N(1 - 2/9\nu, 2/9\nu)` (Wilson and Hilferty), which takes care
    of the skewness of χ²; its limit must be positive.

    All |z| must be below the threshold at which one of ``comparisons`` independent ones (default:
    the number of widths; pass the total over all quantities when judging several) would exceed it
    with the probability that a single Gaussian exceeds k (Šidák).

    What it means. Agreement is no proof: an error of the limit is partly taken up by c, and errors
    below ``resolution`` pass. Disagreement is evidence against the limit or the model: a bias that
    decays slower than n^(−bias_power), or faster with errors so small that it shows, disagrees too.
    """
    if kind == "variance" and not limit > 0:
        raise ValueError("a variance is compared with a positive limit; use the mean of the square instead")
    offsets, errors, freedom, unit = _deviations(limit, estimates, kind)
    # errors below rounding are rounding, and would overflow in weights
    errors = np.maximum(errors, 1e-14 * max(1.0, abs(limit)))
    x = np.array([e.n**-bias_power for e in estimates])
    bias, bias_variance, absorbed = 0.0, 0.0, np.zeros(len(x))
    if len(x) > 1:
        weights = errors**-2
        bias_variance = 1 / float(np.sum(weights * x**2))
        bias = float(np.sum(weights * x * offsets)) * bias_variance
        absorbed = x * float(np.sum(weights * x)) * bias_variance
    # The fit lowers a residual's variance; rounding must not let it reach zero.
    deviations = np.sqrt(np.maximum(errors**2 - x**2 * bias_variance, (1e-6 * errors) ** 2))
    z = _gaussian_scores((offsets - bias * x) / deviations, freedom)
    single = 2 * float(stats.norm.sf(k))
    level = -float(np.expm1(np.log1p(-single) / (comparisons or len(x))))
    critical = float(stats.norm.isf(level / 2))
    noticed = stats.t.isf(level / 2, freedom) * deviations
    with np.errstate(divide="ignore"):
        resolution = unit * float(np.min(noticed / np.abs(1 - absorbed)))
    return Judgement(
        bool(np.all(np.abs(z) <= critical)), tuple(map(float, z)), critical,
        unit * bias, unit * float(np.sqrt(bias_variance)), resolution,
    )


def _gaussian_scores(t: Array, freedom: Array) -> Array:
    tails = np.maximum(stats.t.sf(np.abs(t), freedom), np.finfo(float).tiny)
    scores: Array = np.copysign(stats.norm.isf(tails), t)
    return scores


def _deviations(
    limit: float, estimates: Sequence[Estimate], kind: Kind
) -> tuple[Array, Array, Array, float]:
    """Offsets from the limit, their standard errors and degrees of freedom, and the unit they are in."""
    values = np.array([e.value for e in estimates])
    freedom = np.array([e.seeds - 1.0 for e in estimates])
    if kind == "variance":
        spread = 2 / (9 * freedom)
        offsets = np.cbrt(values / limit) - (1 - spread)
        return offsets, np.sqrt(spread), np.full(len(values), np.inf), 3 * limit
    floor = ROUNDING * np.maximum(np.abs(values), max(abs(limit), 1e-300))
    return values - limit, np.maximum([e.standard_error for e in estimates], floor), freedom, 1.0
