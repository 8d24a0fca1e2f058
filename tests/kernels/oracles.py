"""Published kernels of infinitely wide networks, by their recursions; nothing of tpsym is used.

Kernels are matrices over all pairs of (input, position): a network with T positions at two inputs has
matrices of order 2T, and its kernels NNGP and NTK are 2 × 2. Weights W have entries of variance s/n trained
as s·ω/√n with ω ~ N(0, 1) (Yang 2019, 2020; Jacot 2018), readouts variance 1/n unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from duals import Dual, Number, mp, relu

Matrix = np.ndarray
"""Entries are numbers of thirty digits."""


def matrix(rows: Sequence[Sequence[object]] | np.ndarray) -> Matrix:
    return np.array([[mp.mpf(str(entry)) for entry in row] for row in rows], dtype=object)


def number(value: object) -> Number:
    return mp.mpf(str(value))


def gram(data: Sequence[Sequence[object]]) -> Matrix:
    """x·y/d for all pairs of data points."""
    points = matrix(data)
    return points @ points.T / points.shape[1]


def duals(phi: Dual, k: Matrix) -> tuple[Matrix, Matrix]:
    """E φφ and E φ'φ' at all pairs."""
    size = len(k)
    pairs = [[phi(k[i, i], k[i, j], k[j, j]) for j in range(size)] for i in range(size)]
    value = np.array([[pair[0] for pair in row] for row in pairs], dtype=object)
    return value, np.array([[pair[1] for pair in row] for row in pairs], dtype=object)


def cosines(k: Matrix) -> Matrix:
    return k / lengths(k)


def lengths(k: Matrix) -> Matrix:
    """√(k_ii k_jj): what layer normalisation divides an entry by."""
    roots = np.array([mp.sqrt(k[i, i]) for i in range(len(k))], dtype=object)
    return np.outer(roots, roots)


def blocks(k: Matrix, size: int) -> Matrix:
    """Sums over the positions: an entry per pair of inputs."""
    count = len(k) // size
    return k.reshape(count, size, count, size).sum(axis=(1, 3))


def ones(size: int, value: object = 1) -> Matrix:
    return np.full((size, size), number(value), dtype=object)


# --- without positions ---------------------------------------------------------------------------------


def mlp(phi: Dual, depth: int, k: Matrix, *, w: object, b: object) -> tuple[Matrix, Matrix]:
    """Σ = w V(Σ) + b and Θ = Σ + w V'(Σ)Θ; the readout has the same w and b (Lee 2018, Jacot 2018)."""
    w, b = number(w), number(b)
    sigma = w * k + b
    theta = sigma
    for _ in range(depth):
        value, slope = duals(phi, sigma)
        sigma = w * value + b
        theta = sigma + w * slope * theta
    return sigma, theta


def residual(phi: Dual, depth: int, k: Matrix, *, w: object, alpha: object) -> tuple[Matrix, Matrix]:
    """h ← h + α W φ(h), read out by v·φ(h) (Yang and Schoenholz 2017)."""
    w, square = number(w), number(alpha) ** 2
    sigma = theta = w * k
    for _ in range(depth - 1):
        value, slope = duals(phi, sigma)
        sigma, theta = sigma + square * w * value, theta * (1 + square * w * slope) + square * w * value
    value, slope = duals(phi, sigma)
    return value, value + slope * theta


def layernorm(phi: Dual, depth: int, k: Matrix, *, w: object, b: object) -> tuple[Matrix, Matrix]:
    """h ← W φ(LN(h)) + β; statistics are constants of the limit, so their gradients vanish."""
    w, b = number(w), number(b)
    sigma = theta = w * k + b
    for _ in range(depth - 1):
        scale = lengths(sigma)
        value, slope = duals(phi, sigma / scale)
        sigma = w * value + b
        theta = sigma + w * slope * theta / scale
    value, slope = duals(phi, sigma / lengths(sigma))
    return value, value + slope * theta / lengths(sigma)


# --- positions -----------------------------------------------------------------------------------------


def neighbours(positions: int, inputs: int) -> list[Matrix]:
    """The shifts by -1, 0, 1 along a circle, of every input alike."""
    eye = np.eye(positions, dtype=int)
    return [np.kron(np.eye(inputs, dtype=int), np.roll(eye, k, axis=1)).astype(object) for k in (-1, 0, 1)]


def convolution(
    phi: Dual, depth: int, k: Matrix, positions: int, *, w: object, pooling: bool
) -> tuple[Matrix, Matrix]:
    """Circular filters of three taps of variance w/3, then the mean over positions or a readout of each one."""
    w = number(w)
    shifts = neighbours(positions, len(k) // positions)

    def forward(m: Matrix) -> Matrix:
        return w / 3 * sum(s @ m @ s.T for s in shifts)

    def backward(m: Matrix) -> Matrix:
        return w / 3 * sum(s.T @ m @ s for s in shifts)

    sigmas, slopes, value = [], [], k
    for _ in range(depth):
        sigmas.append(forward(value))
        value, slope = duals(phi, sigmas[-1])
        slopes.append(slope)
    inputs = len(k) // positions
    if pooling:
        readout = ones(len(k), 1) / positions**2
    else:
        readout = np.kron(np.ones((inputs, inputs), dtype=int), np.eye(positions, dtype=int)) * (number(1) / positions)
    ntk, gradient = readout * value, readout
    for sigma, slope in zip(reversed(sigmas), reversed(slopes), strict=True):
        ntk = ntk + gradient * slope * sigma
        gradient = backward(gradient * slope)
    return blocks(readout * value, positions), blocks(ntk, positions)


def recurrent(
    phi: Dual, k: Matrix, steps: int, *, w: object, u: object, b: object, pooling: bool
) -> tuple[Matrix, Matrix]:
    """h_t = W φ(h_{t-1}) + U x_t + b, read out at the last step or as a mean over steps (Yang 2019, 2020)."""
    w, u, b = number(w), number(u), number(b)
    inputs = len(k) // steps
    shift = np.kron(np.eye(inputs, dtype=int), np.eye(steps, k=-1, dtype=int)).astype(object)
    h = u * k + b
    for _ in range(steps):  # each round settles one more step
        value, slope = duals(phi, h)
        h = w * shift @ value @ shift.T + u * k + b
    value, slope = duals(phi, h)
    last = np.zeros((steps, steps), dtype=int)
    last[-1, -1] = 1
    readout = ones(len(k)) / steps**2 if pooling else np.kron(np.ones((inputs, inputs), dtype=int), last) * number(1)
    state = readout
    for _ in range(steps):
        state = readout + w * shift.T @ (slope * state) @ shift
    return blocks(readout * value, steps), blocks(readout * value + slope * state * h, steps)


def transformer(
    depth: int, k: Matrix, tokens: int, *, u: object, w: object, b: object, tau: object
) -> tuple[Matrix, Matrix]:
    """Blocks k = U x, y = LN(k + softmax(k kᵀ/(nτ)) k), x = LN(y + W₂ relu(W₁ y + b₁) + b₂), mean over tokens.

    Gradients through the attention weights and the statistics of LN vanish in the limit.
    """
    u, w, b, tau = (number(each) for each in (u, w, b, tau))
    inputs, value = len(k) // tokens, k
    kept = []
    for _ in range(depth):
        below = value
        keys = u * below
        mixed = np.eye(len(k), dtype=int).astype(object) + attention(keys, inputs, tokens, tau)
        p = mixed @ keys @ mixed.T
        g = w * cosines(p) + b
        active, slope = duals(relu, g)
        h = cosines(p) + w * active + b
        value = cosines(h)
        kept.append((below, keys, mixed, p, g, active, slope, h))
    readout = ones(len(k)) / tokens**2
    ntk, gradient = readout * value, readout
    for _below, keys, mixed, p, g, active, slope, h in reversed(kept):
        dh = gradient / lengths(h)
        dg = w * dh * slope
        dk = mixed.T @ ((dh + w * dg) / lengths(p)) @ mixed
        ntk = ntk + dh * (w * active + b) + dg * g + dk * keys
        gradient = u * dk
    return blocks(readout * value, tokens), blocks(ntk, tokens)


def attention(keys: Matrix, inputs: int, tokens: int, tau: Number) -> Matrix:
    """The softmax over the tokens of each input, as one matrix with a block per input."""
    weights = np.zeros_like(keys)
    for a in range(inputs):
        here = slice(a * tokens, (a + 1) * tokens)
        scores = np.array([[mp.exp(entry / tau) for entry in row] for row in keys[here, here]], dtype=object)
        weights[here, here] = scores / scores.sum(axis=1, keepdims=True)
    return weights
