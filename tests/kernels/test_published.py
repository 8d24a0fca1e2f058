"""Kernels of published networks against their recursions, written down a second time in :mod:`oracles`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import oracles
import oracles_means
import pytest
from duals import DUALS, mp
from published import (
    BATCHNORM,
    CONVOLUTION,
    GRU,
    LAYERNORM,
    MLP,
    RECURRENT,
    RESIDUAL,
    asked,
    data,
    inputs,
    transformer,
    upper,
)

import tpsym

K = oracles.matrix([["1", "0.3"], ["0.3", "0.8"]])
UNIT = oracles.matrix([["1", "0.3"], ["0.3", "1"]])
DATA = {"d": 1, "dot(x, x)": 1, "dot(x, y)": 0.3, "dot(y, y)": 0.8}
KINDS = ("nngp", "ntk")
PAIRS = ("xx", "xy", "yy")


def symbolic(text: str, kind: str, **values: object) -> tuple[float, ...]:
    """Entries by values for the symbols of the exact kernel."""
    kernel = tpsym.parse(text).kernel(kind, "f")
    return tuple(float(kernel.value(a, b, digits=13, values={**DATA, **values})) for a, b in PAIRS)


SMOOTH = [phi for phi in DUALS if not phi.startswith(("hermite", "sign"))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SMOOTH)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_mlp(phi: str, depth: int, kind: str) -> None:
    if depth == 3 and phi in ("exp(z)", "z^3"):
        depth = 2  # lengths grow without bounds
    expected = oracles.mlp(DUALS[phi], depth, K, w="0.9", b="0.1")[KINDS.index(kind)]
    assert symbolic(MLP.format(phi=phi, depth=depth), kind, w=0.9, b=0.1) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", ["relu(z)", "erf(z)", "gelu(z)", "sin(z)"])
@pytest.mark.parametrize("depth", [4, 5])
def test_deep_mlp(phi: str, depth: int, kind: str) -> None:
    expected = oracles.mlp(DUALS[phi], depth, K, w="1.5", b="0.1")[KINDS.index(kind)]
    assert symbolic(MLP.format(phi=phi, depth=depth), kind, w=1.5, b=0.1) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_sign(depth: int) -> None:
    expected, _ = oracles.mlp(DUALS["sign(z)"], depth, K, w="1.5", b="0.1")
    assert symbolic(MLP.format(phi="sign(z)", depth=depth), "nngp", w=1.5, b=0.1) == pytest.approx(
        upper(expected), rel=1e-9
    )


def test_tangent_kernel_of_sign_at_one_input() -> None:
    """The formula's is infinite on the diagonal, that of every finite network vanishes but for its last layer."""
    assert DUALS["sign(z)"](mp.mpf(1), mp.mpf(1), mp.mpf(1))[1] == mp.inf
    with pytest.raises(tpsym.TpError, match="vanish almost everywhere"):
        symbolic(MLP.format(phi="sign(z)", depth=1), "ntk", w=1, b=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("degree", [3, 4])
def test_hermite_polynomials_of_normalised_inputs(degree: int, kind: str) -> None:
    phi = f"hermite({degree}, z)"
    expected = oracles.mlp(DUALS[phi], 1, UNIT, w="1", b="0")[KINDS.index(kind)]
    found = symbolic(MLP.format(phi=phi, depth=1), kind, w=1, b=0, **{"dot(y, y)": 1})
    assert found == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", ["relu(z)", "erf(z)", "gelu(z)", "abs(z)"])
def test_residual(phi: str, kind: str) -> None:
    expected = oracles.residual(DUALS[phi], 3, K, w="1.5", alpha="0.7")[KINDS.index(kind)]
    text = RESIDUAL.format(phi=phi, depth=3)
    assert symbolic(text, kind, w=1.5, alpha=0.7) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize(("phi", "kind"), [
    ("relu", "nngp"), ("relu", "ntk"), ("erf", "nngp"), ("gelu", "nngp"),
    pytest.param("erf", "ntk", marks=pytest.mark.slow), pytest.param("gelu", "ntk", marks=pytest.mark.slow),
])
def test_layernorm(phi: str, kind: str) -> None:
    expected = oracles.layernorm(DUALS[f"{phi}(z)"], 3, K, w="1.5", b="0.1")[KINDS.index(kind)]
    text = LAYERNORM.format(phi=f"{phi}(u)", depth=3)
    assert symbolic(text, kind, w=1.5, b=0.1) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", [True, False])
@pytest.mark.parametrize("phi", ["relu", "erf"])
def test_convolution(phi: str, pooling: bool, kind: str) -> None:
    """Three positions: with three taps on a circle every position sees all."""
    expected = oracles.convolution(DUALS[f"{phi}(z)"], 2, data(6), 3, w="1.7", pooling=pooling)[KINDS.index(kind)]
    pooled, each = f"v @ mean({phi}(h[2, p]) for p in 0..2)", f"sum(r[p] @ {phi}(h[2, p]) for p in 0..2)"
    text = CONVOLUTION.format(inputs=inputs(3), w="17/10", depth=2, positions=3, last=2, phi=phi,
                              readout=pooled if pooling else each)
    assert asked(text, kind) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", [True, False])
@pytest.mark.parametrize("phi", ["relu", "erf"])
def test_recurrent(phi: str, pooling: bool, kind: str) -> None:
    expected = oracles.recurrent(DUALS[f"{phi}(z)"], data(6), 3, w="1.5", u="0.5", b="0.1",
                                 pooling=pooling)[KINDS.index(kind)]
    readout = f"v @ mean({phi}(h[t]) for t in 0..2)" if pooling else f"v @ {phi}(h[2])"
    text = RECURRENT.format(inputs=inputs(3), w="3/2", u="1/2", b="1/10", last=2, phi=phi, readout=readout)
    assert asked(text, kind) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("depth", "tokens"), [(1, 2), (1, 3), (2, 2)])
def test_transformer(depth: int, tokens: int, kind: str) -> None:
    """With variances of U other than one, where u² for u would show."""
    expected = oracles.transformer(depth, data(2 * tokens), tokens, u="1.3", w="0.8", b="0.2",
                                   tau="0.9")[KINDS.index(kind)]
    text = transformer(depth, tokens, u="13/10", w="4/5", b="1/5", tau="9/10")
    assert asked(text, kind) == pytest.approx(upper(expected), rel=1e-9)


@pytest.mark.parametrize("pair", ["xx", "xy"])
def test_gru(pair: str) -> None:
    """Four gates at once have no closed form."""
    pick = [0, 1, 2, 3] if pair == "xy" else [0, 1, 0, 1]
    k = data(4)
    expected = float(oracles_means.gru(k[np.ix_(pick, pick)], w="1.5", u="0.5", b="1"))
    program = tpsym.parse(GRU.format(inputs=inputs(2), w="3/2", u="1/2", b="1"))
    assert number(program.evaluate(f"nngp(f)({', '.join(pair)})", digits=12)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epsilon", ["0", "1/10"])
@pytest.mark.parametrize(("p", "r"), [(0, 0), (0, 2), (1, 2)])
def test_batchnorm(p: int, r: int, epsilon: str) -> None:
    expected = oracles_means.batchnorm(data(3), 3, p, r, epsilon=float(Fraction(epsilon)))
    program = tpsym.parse(BATCHNORM.format(inputs=inputs(3), epsilon=epsilon))
    found = program.evaluate(f"E[f.z[{p}](x)*f.z[{r}](x)]", digits=12)
    assert number(found) == pytest.approx(expected, rel=1e-9)


def number(text: str) -> float:
    """Without the note that the error is estimated."""
    return float(text.partition(" ")[0])
