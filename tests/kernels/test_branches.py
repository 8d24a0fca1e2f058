"""Branches that share weights, and nonlinearities that follow each other: kernels against networks of finite width.

A branch added to or multiplied by itself is not two independent ones; the networks below are run with NumPy
and differentiated by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import oracles
import pytest
from duals import erf, relu
from scipy import special

import tpsym

HEAD = """
width n
input x: (3) = [1, 2, -1/2]
input y: (3) = [3/2, -1, 1/3]
parametrization ntk
weight W: (n, 3) ~ N(0, 1/3)
weight R: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n)
def layernorm(z):
    c = z - mean(z)
    return c/sqrt(mean(c^2))
def f(xi):
    h = W @ xi
"""
X = np.array([[1, 2, -1 / 2], [3 / 2, -1, 1 / 3]])
G = X @ X.T / 3
Arrays = np.ndarray


@dataclass(frozen=True)
class Branch:
    """What is read out, as a program, and in NumPy with its product of the Jacobian with v."""

    program: str
    forward: Callable[[Arrays], Arrays]
    backward: Callable[[Arrays, Arrays], Arrays]


def layernorm(z: Arrays) -> Arrays:
    c = z - z.mean()
    return c / np.sqrt((c**2).mean())


def layernorm_back(z: Arrays, v: Arrays) -> Arrays:
    u = layernorm(z)
    return (v - v.mean() - u * (u * v).mean()) / z.std()


def rectified(z: Arrays) -> Arrays:
    return np.maximum(z, 0)


def bell(z: Arrays) -> Arrays:
    """The derivative of erf."""
    return 2 / np.sqrt(np.pi) * np.exp(-(z**2))


BRANCHES = {
    "x + x": Branch("h + h", lambda h: 2 * h, lambda h, v: 2 * v),
    "relu(x + x)": Branch("relu(h + h)", lambda h: rectified(2 * h), lambda h, v: 2 * v * (h > 0)),
    "x * x": Branch("h*h", lambda h: h**2, lambda h, v: 2 * h * v),
    "skip": Branch("h + relu(h)/2", lambda h: h + rectified(h) / 2, lambda h, v: v * (1 + (h > 0) / 2)),
    "two nonlinearities": Branch(
        "erf(relu(h))", lambda h: special.erf(rectified(h)), lambda h, v: v * bell(rectified(h)) * (h > 0)
    ),
    "product of nonlinearities": Branch(
        "erf(h)*relu(h)", lambda h: special.erf(h) * rectified(h),
        lambda h, v: v * (bell(h) * rectified(h) + special.erf(h) * (h > 0)),
    ),
    "layernorm after a nonlinearity": Branch(
        "layernorm(relu(h))", lambda h: layernorm(rectified(h)), lambda h, v: layernorm_back(rectified(h), v) * (h > 0)
    ),
    "layernorm and itself": Branch(
        "layernorm(h) + relu(h)", lambda h: layernorm(h) + rectified(h),
        lambda h, v: layernorm_back(h, v) + v * (h > 0),
    ),
}


def measured(branch: Branch, *, width: int, seeds: int) -> tuple[Arrays, Arrays]:
    """Mean and standard error over seeds of the three entries of NNGP and NTK, one row each."""
    samples = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, width])
        weights, v = rng.standard_normal((width, 3)), rng.standard_normal(width)
        hidden = [weights @ point / np.sqrt(3) for point in X]
        features = np.array([branch.forward(h) for h in hidden])
        gradients = np.array([branch.backward(h, v) for h in hidden])
        nngp = features @ features.T / width
        samples.append([nngp, nngp + gradients @ gradients.T / width * G])
    drawn = np.array(samples)[:, :, (0, 0, 1), (0, 1, 1)]
    return drawn.mean(axis=0), drawn.std(axis=0, ddof=1) / np.sqrt(seeds)


def derived(branch: Branch) -> Arrays:
    program = tpsym.parse(f"{HEAD}    return v @ ({branch.program})\n")
    questions = [[f"{kind}(f)({pair})" for pair in ("x, x", "x, y", "y, y")] for kind in ("nngp", "ntk")]
    return np.array([[float(program.evaluate(q, digits=10).partition(" ")[0]) for q in row] for row in questions])


WITHOUT_CLOSED_FORM = ("two nonlinearities", "product of nonlinearities")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in WITHOUT_CLOSED_FORM)) for n in BRANCHES]
)
def test_against_networks(name: str) -> None:
    width = 4000
    mean, error = measured(BRANCHES[name], width=width, seeds=60)
    found = derived(BRANCHES[name])
    assert np.all(error < 0.02 * np.abs(found).max())
    assert np.all(np.abs(mean - found) < 4 * error + 5 / width), (mean, error, found)


def closed(name: str) -> tuple[oracles.Matrix, oracles.Matrix]:
    """NNGP and the mean of the derivatives' product, where there is a formula."""
    k = oracles.matrix(G)
    value, slope = oracles.duals(relu, k)
    diagonal = np.array([[k[i, i] * k[j, j] for j in range(2)] for i in range(2)], dtype=object)
    # Stein: E h relu(h') = k/2, E relu'(h') = 1/2
    table = {
        "x + x": (4 * k, oracles.ones(2, 4)),
        "relu(x + x)": (4 * value, 4 * slope),
        "x * x": (diagonal + 2 * k * k, 4 * k),
        "skip": (1.5 * k + value / 4, 1.5 + slope / 4),
    }
    return table[name]


@pytest.mark.parametrize("name", ["x + x", "relu(x + x)", "x * x", "skip"])
def test_against_formulas(name: str) -> None:
    nngp, slope = closed(name)
    ntk = nngp + slope * oracles.matrix(G)
    expected = [[float(m[i, j]) for i, j in ((0, 0), (0, 1), (1, 1))] for m in (nngp, ntk)]
    assert derived(BRANCHES[name]) == pytest.approx(np.array(expected), rel=1e-9)


def test_independent_branches_would_be_wrong() -> None:
    """Taking x + x for a sum of two independent layers halves the kernel."""
    k = oracles.matrix(G)
    mean, error = measured(BRANCHES["x + x"], width=4000, seeds=60)
    assert np.all(np.abs(mean[0] - [float(2 * k[0, 0]), float(2 * k[0, 1]), float(2 * k[1, 1])])[[0, 2]]
                  > 20 * error[0][[0, 2]])


def test_a_sum_of_two_depths() -> None:
    """relu(h) + erf(W relu(h)): the second branch sees the first through fresh weights, so they are orthogonal."""
    program = tpsym.parse(f"{HEAD}    return v @ (relu(h) + erf(R @ relu(h)))\n")
    k = oracles.matrix(G)
    value, slope = oracles.duals(relu, k)
    above, steep = oracles.duals(erf, value)
    nngp = value + above
    ntk = nngp + steep * value + (1 + steep) * slope * k
    for i, j, pair in ((0, 0, "x, x"), (0, 1, "x, y"), (1, 1, "y, y")):
        assert float(program.evaluate(f"nngp(f)({pair})", digits=12)) == pytest.approx(float(nngp[i, j]), rel=1e-9)
        assert float(program.evaluate(f"ntk(f)({pair})", digits=12)) == pytest.approx(float(ntk[i, j]), rel=1e-9)
