"""The oracles themselves: against the definitions by quadrature, and against published numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import oracles
import oracles_means
import pytest
import scipy.special
from duals import DUALS, by_quadrature, mp
from published import data, upper
from scipy.stats import multivariate_normal

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu(z)": lambda z: np.maximum(z, 0),
    "leaky_relu(z, 1/5)": lambda z: np.where(z > 0, z, z / 5),
    "abs(z)": np.abs,
    "erf(z)": scipy.special.erf,
    "gelu(z)": lambda z: z * scipy.special.ndtr(z),
    "sin(z)": np.sin,
    "cos(z)": np.cos,
    "exp(-z^2/2)": lambda z: np.exp(-(z**2) / 2),
    "exp(z)": np.exp,
    "sign(z)": np.sign,
    "z^2": np.square,
    "z^3": lambda z: z**3,
    "hermite(3, z)": lambda z: z**3 - 3 * z,
    "hermite(4, z)": lambda z: z**4 - 6 * z**2 + 3,
}


def point(phi: str) -> tuple[str, str, str]:
    return ("1", "-0.4", "1") if phi.startswith("hermite") else ("1.3", "-0.4", "0.8")


@pytest.mark.parametrize("phi", DUALS)
def test_values_are_the_integrals(phi: str) -> None:
    q, c, s = point(phi)
    closed = DUALS[phi](mp.mpf(q), mp.mpf(c), mp.mpf(s))[0]
    assert by_quadrature(FUNCTIONS[phi], float(q), float(c), float(s)) == pytest.approx(float(closed), abs=1e-13)


@pytest.mark.parametrize("phi", DUALS)
def test_slopes_are_the_derivatives_in_the_covariance(phi: str) -> None:
    """Price's theorem: ∂E φφ/∂c = E φ'φ'."""
    q, c, s = (mp.mpf(each) for each in point(phi))
    slope = mp.diff(lambda t: DUALS[phi](q, t, s)[0], c)
    assert mp.almosteq(slope, DUALS[phi](q, c, s)[1], 1e-12)


PUBLISHED = [
    ("relu(z)", "2", "0", [2, 1.2268728072, 1.6], [8, 2.6040075860, 6.4]),
    ("relu(z)", "1.5", "0.1", [0.90625, 0.6509655638, 0.7796875], [3.11875, 1.3026699038, 2.6125]),
    ("erf(z)", "1.5", "0.1", None, [3.1571599591, 1.0210760854, 3.0408769389]),
    ("gelu(z)", "1.5", "0.1", None, [2.3241600432, 0.8683040518, 1.8159577584]),
]


@pytest.mark.parametrize(("phi", "w", "b", "nngp", "ntk"), PUBLISHED)
def test_three_layers(phi: str, w: str, b: str, nngp: list[float] | None, ntk: list[float]) -> None:
    found = oracles.mlp(DUALS[phi], 3, oracles.matrix([["1", "0.3"], ["0.3", "0.8"]]), w=w, b=b)
    assert upper(found[1]) == pytest.approx(ntk, abs=1e-10)
    if nngp is not None:
        assert upper(found[0]) == pytest.approx(nngp, abs=1e-10)


def test_one_position_is_no_position() -> None:
    """Convolutions and recurrences over one position are plain layers."""
    k, relu = data(2), DUALS["relu(z)"]
    plain = oracles.mlp(relu, 1, k, w="1", b="0")
    for found in (
        oracles.convolution(relu, 1, k, 1, w="1", pooling=True),
        oracles.recurrent(relu, k, 1, w="3", u="1", b="0", pooling=False),
    ):
        assert [upper(each) for each in found] == [pytest.approx(upper(each), abs=1e-14) for each in plain]


def test_orthants() -> None:
    rng = np.random.default_rng(1)
    for size in (2, 3, 4):
        root = rng.standard_normal((size, size + 1))
        k = root @ root.T
        exact = multivariate_normal.cdf(np.zeros(size), np.zeros(size), k, abseps=1e-7, maxpts=10**6)
        assert float(oracles_means.orthant(oracles.matrix(k))) == pytest.approx(exact, abs=1e-6)
    equal = (np.eye(4) + 1) / 2  # of five exchangeable variables the first is the least
    assert mp.almosteq(oracles_means.orthant(oracles.matrix(equal)), mp.mpf(1) / 5, 1e-25)


def test_gru_against_samples() -> None:
    """The recursion of two steps, run at finite width."""
    k, size, rng = data(4), 2000, np.random.default_rng(0)
    expected = [float(oracles_means.gru(k[np.ix_(pick, pick)], w="1.5", u="0.5", b="0.1"))
                for pick in ([0, 1, 0, 1], [0, 1, 2, 3])]
    root = np.linalg.cholesky(k.astype(float) + 1e-12 * np.eye(4))
    found = []
    for _ in range(8):
        drawn = []
        for _gate in range(3):
            u = np.sqrt(0.5) * root @ rng.standard_normal((4, size))
            w = np.sqrt(1.5 / size) * rng.standard_normal((size, size))
            drawn.append((u + np.sqrt(0.1) * rng.standard_normal(size), w))
        (uz, wz), (ur, wr), (uh, wh) = drawn
        states = []
        for first, second in ((0, 1), (2, 3)):
            h = scipy.special.ndtr(np.sqrt(2) * uz[first]) * scipy.special.erf(uh[first])
            z, r = (scipy.special.ndtr(np.sqrt(2) * (each[second] + m @ h)) for each, m in ((uz, wz), (ur, wr)))
            states.append((1 - z) * h + z * scipy.special.erf(uh[second] + wh @ (h * r)))
        found.append([np.mean(states[0] ** 2), np.mean(states[0] * states[1])])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(error < 0.005)
    assert np.all(np.abs(np.mean(found, axis=0) - expected) < 4 * error + 1e-3)


def test_batchnorm_of_orthogonal_inputs() -> None:
    """Without ε, u is uniform on a circle of radius √3: √2 cos of angles 120 degrees apart."""
    k = oracles.matrix(np.eye(3))
    assert oracles_means.batchnorm(k, 3, 0, 0, epsilon=0) == pytest.approx(0.5, abs=1e-11)
    angle = 2 * np.pi / 3
    cross = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    assert oracles_means.batchnorm(k, 3, 0, 1, epsilon=0) == pytest.approx(cross, abs=1e-11)


@pytest.mark.parametrize("epsilon", ["0", "0.1"])
def test_batchnorm_against_samples(epsilon: str) -> None:
    k, rng, size = data(6).astype(float), np.random.default_rng(3), 10**6
    values, vectors = np.linalg.eigh(k)
    h = (vectors * np.sqrt(np.maximum(values, 0))) @ rng.standard_normal((6, size))
    c = np.concatenate([h[:3] - h[:3].mean(axis=0), h[3:] - h[3:].mean(axis=0)])
    scale = [np.sqrt((part**2).mean(axis=0) + float(epsilon)) for part in (c[:3], c[3:])]
    u = np.maximum(np.concatenate([c[:3] / scale[0], c[3:] / scale[1]]), 0)
    for p, r in ((0, 0), (0, 2), (1, 4), (2, 5)):
        sample = u[p] * u[r]
        one = oracles.matrix(k[:3, :3]) if r < 3 else oracles.matrix(k)
        expected = float(oracles_means.batchnorm(one, 3, p, r, epsilon=epsilon))
        assert abs(sample.mean() - expected) < 4 * sample.std() / np.sqrt(size)


def test_equal_batches_are_one_batch() -> None:
    """The double integral over two batches at equal batches is the single one."""
    k = data(3)
    twice = np.block([[k, k], [k, k]])
    single = oracles_means.batchnorm(k, 3, 0, 1, epsilon="0.05")
    assert oracles_means.batchnorm(twice, 3, 0, 4, epsilon="0.05") == pytest.approx(single, abs=1e-9)


def test_depth_adds_up() -> None:
    """Of a homogeneous network without biases the tangent kernel at one input is (layers) × NNGP."""
    k = data(2)
    for depth in range(1, 5):
        nngp, ntk = oracles.mlp(DUALS["leaky_relu(z, 1/5)"], depth, k, w="1.3", b="0")
        assert ntk[0, 0] == pytest.approx((depth + 1) * nngp[0, 0], rel=1e-20)
