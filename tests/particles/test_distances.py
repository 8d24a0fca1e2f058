"""Networks come as near to the limit on particles as their width allows: 20 steps on four points, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tpsym
from tpsym.particles import gaussian
from tpsym.particles.curves import Curve
from tpsym.particles.runs import particle_limit
from tpsym.results.training_setup import Setup
from tpsym.simulate.training import prepare_training, run_training

Array = np.ndarray[Any, Any]

ARRAYS = """width n
dim d = 3
input x[1]: (3) = [1, 1/2, 1/4]
input x[2]: (3) = [-1/2, 1, 3/10]
input x[3]: (3) = [1/5, -7/10, 11/10]
input x[4]: (3) = [9/10, 9/10, -3/5]
weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight Y: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n^2)
"""
TRAIN = "train F = f with {}, loss = mse, data = [(x[1], 1), (x[2], -1), (x[3], 1/2), (x[4], 0)], steps = 20\n"
PERCEPTRON = "def f(z):\n    return v @ tanh(Y @ tanh(W @ tanh(U @ z)))\n"
RECURRENT = """def f(z):
    h[0] = tanh(U @ z)
    for t in 1..3:
        h[t] = tanh(W @ h[t-1] + U @ x[t])
    return v @ h[3]
"""
NORMALISED = """weight g: (n) ~ N(1, 0)
weight b: (n) ~ N(0, 1/4)
def norm(z):
    c = z - mean(z)
    return g*c/sqrt(1/10 + mean(c^2)) + b
def f(z):
    h = U @ z
    return v @ tanh(norm(h + W @ tanh(norm(h))))
"""
SLOW = "lr = {U: 1/20, W: 1/(20*n), Y: 1/(20*n), v: 1/(20*n)}"
ADAM = f"adam({SLOW}, beta1 = 1/2, beta2 = 3/4, eps = {{U: 1/(10*n), W: 1/(10*n^2), Y: 1/(10*n^2), v: 1/10}})"
CASES = {
    "adam": (PERCEPTRON, ADAM),
    # so slow that no error signal comes near zero, where the ratios between them depend on fluctuations
    "signsgd": (PERCEPTRON, "signsgd(" + SLOW.replace("20", "50") + ")"),
    "recurrent": (RECURRENT, "sgd(lr = {U: n/4, W: 1/4, v: 1/(2*n)})"),
    "layer normalisation": (NORMALISED, "sgd(lr = {U: n/4, W: 1/4, v: 1/(4*n), g: n/4, b: n/4})"),
}
SEEDS = {64: 96, 256: 48, 1024: 14}
TARGETS = np.array([1, -1, 0.5, 0])


def setup(body: str, optimizer: str) -> Setup:
    return tpsym.parse(ARRAYS + body + TRAIN.format(optimizer)).training().setup()


def limit_of(task: Setup) -> Curve:
    """Outputs by step and example."""
    return particle_limit(task.meant, values={}, data=task.data, rescaled=task.rescaled, particles=2**11).outputs


def networks(task: Setup, n: int) -> Array:
    """Outputs by seed, step and example."""
    ready = prepare_training(task.meant, n=n, values={}, data=task.data, rescaled=task.rescaled)
    return np.array([run_training(ready, seed=seed).outputs for seed in range(SEEDS[n])])


def distance(runs: Array, limit: Curve) -> float:
    """Of a network from the limit, the root mean square over seeds, steps and examples."""
    return float(np.sqrt(np.mean((runs - limit.mean) ** 2)))


def slope(distances: list[float]) -> float:
    """Of log distance against log width, by least squares."""
    return float(np.polyfit(np.log(list(SEEDS)), np.log(distances), 1)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_distances_fall_like_the_inverse_root_of_the_width(name: str) -> None:
    """Each network is n^(-1/2) away; means over networks O(1/n), up to the errors of both sides."""
    task = setup(*CASES[name])
    limit = limit_of(task)
    assert np.linalg.norm(limit.mean[-1] - TARGETS) < 0.6 * np.linalg.norm(TARGETS)
    found = {n: networks(task, n) for n in SEEDS}
    distances = [distance(runs, limit) for runs in found.values()]
    assert abs(slope(distances) + 0.5) < 0.1, distances
    assert np.sqrt(np.mean(limit.error**2)) < distances[-1] / 4
    for n, runs in found.items():
        noise = np.hypot(runs.std(axis=0, ddof=1) / np.sqrt(SEEDS[n]), limit.error)
        assert np.all(np.abs(runs.mean(axis=0) - limit.mean) < 4 * noise + 2 / n)


@pytest.mark.slow
def test_from_a_limit_without_correlation_parts_they_do_not_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if matrices and their transposes were independent."""
    task = setup(PERCEPTRON, "sgd(lr = {U: n/2, W: 1/2, Y: 1/2, v: 1/(2*n)})")
    right = limit_of(task)
    product = gaussian.GaussianMatrix.correlation
    monkeypatch.setattr(gaussian.GaussianMatrix, "correlation", lambda *a: np.zeros_like(product(*a)))
    wrong = limit_of(task)
    found = [networks(task, n) for n in SEEDS]
    assert abs(slope([distance(runs, right) for runs in found]) + 0.5) < 0.1
    assert slope([distance(runs, wrong) for runs in found]) > -0.25
