"""Networks: the numbers of theory section B, layer by layer."""

from __future__ import annotations

import pytest
from limits import Asked

MLP = """
dim d
input x, y: (d)
weight W[1]: (n, d) ~ N(0, {w}/d)
weight W[l]: (n, n) ~ N(0, {w}/n) for l in 2..3
weight b[l]: (n) ~ N(0, {b}) for l in 1..3
weight v: (1, n) ~ N(0, {w}/n)
weight c: () ~ N(0, {b})
def f(xi):
    h[1] = W[1] @ xi + b[1]
    for l in 2..3:
        h[l] = W[l] @ {phi}(h[l-1]) + b[l]
    return v @ {phi}(h[3]) + c
"""


def kernel(ask: Asked) -> list[float]:
    return [ask.number(f"nngp(f)({a}, {b})") for a, b in ("xx", "xy", "yy")]


def test_relu_layers():
    ask = Asked(MLP.format(w=2, b=0, phi="relu"))
    found = [ask.number(f"E[f.h[{k}](x)*f.h[{k}](y)]") for k in (1, 2, 3)]
    assert found == pytest.approx([0.6, 0.9017503008, 1.0942959369], abs=1e-9)
    assert kernel(ask) == pytest.approx([2, 1.2268728072, 1.6], abs=1e-9)


def test_relu_with_biases():
    assert kernel(Asked(MLP.format(w="3/2", b="1/10", phi="relu"))) == pytest.approx(
        [0.90625, 0.6509655638, 0.7796875], abs=1e-9
    )


@pytest.mark.parametrize("phi", ["erf", "gelu"])
def test_against_the_recursion(phi):
    """Σ^{l+1} = σ_w² V_φ(Σ^l) + σ_b² with the closed forms of theory section H, in floating point."""
    from math import asin, pi, sqrt

    def erf(q, c, s):
        return 2 / pi * asin(2 * c / sqrt((1 + 2 * q) * (1 + 2 * s)))

    def gelu(q, c, s):
        u, d = c / sqrt((1 + q) * (1 + s)), (1 + q) * (1 + s) - c * c
        a = (1 - q * s) / ((1 + q) * (1 + s))
        return c * (0.25 + asin(u) / (2 * pi)) + (q * s + c * c * a) / (2 * pi * sqrt(d))

    v = {"erf": erf, "gelu": gelu}[phi]
    q, c, s = (1.5 * k + 0.1 for k in (1, 0.3, 0.8))
    for _ in range(3):
        q, c, s = (1.5 * v(*pair) + 0.1 for pair in ((q, q, q), (q, c, s), (s, s, s)))
    assert kernel(Asked(MLP.format(w="3/2", b="1/10", phi=phi))) == pytest.approx([q, c, s], abs=1e-9)


def test_shared_weights_correlate_time_steps():
    """A recurrent network: Σ_{tr} = σ_w² E φφ + σ_u² ξ_t·ξ_r + σ_b² at all pairs of times (theory section B)."""
    from math import asin, pi, sqrt

    ask = Asked("""
random W: (n, n) ~ N(0, 3/2/n)
random u[t]: (n) ~ N(0, 1/2) for t in 1..3
random b: (n) ~ N(0, 1/10)
h[1] = u[1] + b
h[2] = W @ erf(h[1]) + u[2] + b
h[3] = W @ erf(h[2]) + u[1] + b
""")

    def v(q, c, s):
        return 2 / pi * asin(2 * c / sqrt((1 + 2 * q) * (1 + 2 * s)))

    k11, k12 = 0.6, 0.1
    k22 = 1.5 * v(k11, k11, k11) + 0.6
    k13 = 0.6
    k23 = 1.5 * v(k11, k12, k22) + 0.1
    k33 = 1.5 * v(k22, k22, k22) + 0.6
    found = [ask.number(f"E[h[{s}]*h[{t}]]") for s, t in ((1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3))]
    assert found == pytest.approx([k11, k12, k22, k13, k23, k33], abs=1e-12)


def test_layernorm_and_mean_subtraction():
    ask = Asked("""
random W: (n, n) ~ N(0, 1/n)
random u: (n) ~ N(1/2, 4)
c = relu(u) - mean(relu(u))
y = c/sqrt(mean(c^2))
z = W @ y
""")
    assert ask.number("E[y]") == pytest.approx(0, abs=1e-12)
    assert ask.number("E[z^2]") == pytest.approx(1, abs=1e-12)


def test_attention_weights_are_scalars():
    """softmax of qᵀk/n: exponentials of moments, then a combination of values."""
    from math import exp

    ask = Asked("""
random Q, K, V: (n, n) ~ N(0, 1/n)
random a, b: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
q = Q @ a
s = exp(dot(q, Q @ a)/n)
t = exp(dot(q, Q @ b)/n)
y = (s*(V @ a) + t*(V @ b))/(s + t)
""")
    p = exp(1) / (exp(1) + exp(0.5))
    assert ask.number("E[y^2]") == pytest.approx(p**2 + (1 - p) ** 2 + p * (1 - p), abs=1e-12)


@pytest.mark.parametrize("depth", [30])
def test_a_chain_needs_linearly_many_steps(depth):
    """Twice the depth: at most about twice the recorded steps and named values."""
    text = """
dim d
depth L = {L}
input x, y: (d)
weight W[1]: (n, d) ~ N(0, 2/d)
weight W[l]: (n, n) ~ N(0, 2/n) for l in 2..L
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h[1] = W[1] @ xi
    for l in 2..L:
        h[l] = W[l] @ relu(h[l-1])
    return v @ relu(h[L])
"""
    counts = []
    for size in (depth, 2 * depth):
        ask = Asked(text.format(L=size))
        ask("nngp(f)(x, y)")
        counts.append((len(ask.limit.steps), len(ask.limit.definitions), len(ask.limit._covariance)))
    assert all(late <= 2.1 * early + 5 for early, late in zip(*counts, strict=True)), counts
