"""Gaussian expectations with an estimated error, where no proven bound is within reach.

Gauss–Hermite rules of growing order where the integrand is smooth and has few variables; otherwise randomly
shifted lattice rules in as many dimensions as the law has. In double precision; the error is the difference of
two orders, or the spread of the replicates, times a generous factor: an estimate, and marked as one by the caller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import sympy as sp
from flint import arb
from scipy import special

from tpsym import functions as fn
from tpsym.gauss.balls import NAN, Ball
from tpsym.gauss.quadrature import reduced

Array = npt.NDArray[np.float64]
REPLICATES = 12
POINTS = 1 << 14
CAUTION = 10.0
ORDERS = (16, 24, 36, 54, 80, 120, 180)
MAX_NODES = 3_000_000
GOAL, ENOUGH = 1e-12, 1e-4
KINKED = (fn.relu, fn.leaky_relu, fn.step, sp.Abs, sp.sign, sp.Piecewise, sp.Max, sp.Min, sp.floor, sp.Heaviside)

NUMPY = [
    {
        "step": lambda x: np.heaviside(x, 0.0),
        "relu": lambda x: np.maximum(x, 0.0),
        "leaky_relu": lambda x, a: np.where(x > 0, x, a * x),
        "Phi": special.ndtr,
        "gelu": lambda x: x * special.ndtr(x),
        "sigmoid": special.expit,
        "softplus": lambda x: np.logaddexp(0.0, x),
        "silu": lambda x: x * special.expit(x),
        "erf": special.erf,
    },
    "numpy",
]


def estimate(
    body: sp.Expr, covariance: sp.Matrix, value: Callable[[sp.Expr], Ball], *, deadline: float | None = None
) -> Ball:
    """E[body] with ``CAUTION`` standard errors of independent replicates as radius."""
    body, law = reduced(body, covariance, value)
    if body.has(fn.delta, sp.nan):
        return NAN
    free = sorted(body.free_symbols - set(law.variables), key=str)
    body = body.xreplace({s: sp.Float(float(value(s).mid()), 17) for s in free})
    factor = _factor(np.array([[float(value(c).mid()) for c in row] for row in law.covariance.tolist()]))
    f = sp.lambdify(list(law.variables), body, modules=NUMPY)
    d = len(law.variables)
    smooth = None if body.has(*KINKED) else _hermite(f, factor, deadline)
    if smooth is not None:
        return smooth
    generator = np.random.default_rng(20260101)
    lattice = _lattice(d)
    means = []
    for _ in range(REPLICATES):
        if deadline is not None and time.monotonic() > deadline:
            return NAN
        u = (lattice + generator.random(d)) % 1.0
        u = np.clip(1.0 - np.abs(2.0 * u - 1.0), 1e-15, 1.0 - 1e-15)
        z = special.ndtri(u) @ factor.T
        with np.errstate(all="ignore"):
            means.append(float(np.mean(np.broadcast_to(f(*z.T), (len(z),)))))
    mean, spread = float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(REPLICATES)
    error = CAUTION * spread + 1e-12 * (1.0 + abs(mean))
    return arb(mean, error) if math.isfinite(mean) and math.isfinite(error) else NAN


def _hermite(f: Callable[..., Array], factor: Array, deadline: float | None) -> Ball | None:
    """The mean by tensor rules, of the smallest order that agrees with the one before to ``GOAL``, else of the largest
    if that agrees to ``ENOUGH``."""
    before = change = math.nan
    for order in ORDERS:
        if order ** len(factor) > MAX_NODES or (deadline is not None and time.monotonic() > deadline):
            break
        nodes, weights = np.polynomial.hermite_e.hermegauss(order)
        weights = weights / weights.sum()
        z = np.stack(np.meshgrid(*[nodes] * len(factor), indexing="ij")).reshape(len(factor), -1)
        w = weights
        for _ in range(len(factor) - 1):
            w = np.multiply.outer(w, weights)
        with np.errstate(all="ignore"):
            mean = float(np.sum(np.ravel(w) * f(*(factor @ z))))
        change, before = abs(mean - before), mean
        if change < GOAL * max(1.0, abs(mean)):
            break
    if not change < ENOUGH * max(1.0, abs(before)):
        return None
    return arb(before, CAUTION * change + 1e-14 * (1.0 + abs(before)))


def _factor(c: Array) -> Array:
    """A with A Aᵀ = c, for a semidefinite c."""
    values, vectors = np.linalg.eigh(c)
    result: Array = vectors * np.sqrt(np.clip(values, 0.0, None))
    return result


def _lattice(d: int) -> Array:
    """Points of an R-sequence: multiples of powers of the root of x^(d+1) = x + 1."""
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (d + 1))
    steps = np.array([root ** -(j + 1) for j in range(d)])
    result: Array = (np.arange(POINTS)[:, None] * steps) % 1.0
    return result
