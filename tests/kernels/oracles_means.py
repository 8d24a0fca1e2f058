"""Kernels of gated and batch-normalised networks: recursions that end in integrals. Nothing of tpsym is used."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from duals import Number, erf, mp
from oracles import Matrix, number


def orthant(k: Matrix) -> Number:
    """P(all > 0) for up to four centred Gaussians, with Plackett's derivative (1954) in the correlations.

    Along R(t) = (1-t)I + tR: dP/dt = Σ_{i<j} r_ij φ₂(0, 0; t r_ij) P(the others > 0 | z_i = z_j = 0).
    """
    size = len(k)
    root = [mp.sqrt(k[i, i]) for i in range(size)]
    r = [[k[i, j] / (root[i] * root[j]) for j in range(size)] for i in range(size)]
    if size <= 3:
        pairs = sum((mp.asin(r[i][j]) for i, j in combinations(range(size), 2)), mp.mpf(0))
        return {1: mp.mpf(1) / 2, 2: mp.mpf(1) / 4 + pairs / (2 * mp.pi), 3: mp.mpf(1) / 8 + pairs / (4 * mp.pi)}[size]

    def slope(t: Number) -> Number:
        at = np.array([[r[i][j] * (t if i != j else 1) for j in range(size)] for i in range(size)], dtype=object)
        total = mp.mpf(0)
        for i, j in combinations(range(4), 2):
            a, b = (k for k in range(4) if k not in (i, j))
            free = 1 - at[i, j] ** 2
            rest = conditional(at, [a, b], [i, j])
            rho = rest[0, 1] / mp.sqrt(rest[0, 0] * rest[1, 1])
            total += r[i][j] / (2 * mp.pi * mp.sqrt(free)) * (mp.mpf(1) / 4 + mp.asin(rho) / (2 * mp.pi))
        return total

    return mp.mpf(1) / 16 + mp.quad(slope, [0, 0.5, 1])


def conditional(k: Matrix, rest: list[int], given: list[int]) -> Matrix:
    """The covariance of two of four Gaussians given the others."""
    (p, c), (_, s) = k[np.ix_(given, given)]
    inverse = np.array([[s, -c], [-c, p]], dtype=object) / (p * s - c**2)
    cross = k[np.ix_(rest, given)]
    return k[np.ix_(rest, rest)] - cross @ inverse @ cross.T


def gates(k: Matrix, opened: list[int], closed: list[int]) -> Number:
    """E Π sg(z_i) Π (1 - sg(z_j)) with sg = (1 + erf)/2: an orthant of Gaussians ±z + N(0, 1/2)."""
    order = [*opened, *closed]
    signs = [1] * len(opened) + [-1] * len(closed)
    rows = [[a * b * k[i, j] for b, j in zip(signs, order, strict=True)] for a, i in zip(signs, order, strict=True)]
    noisy = np.array(rows, dtype=object)
    for i in range(len(order)):
        noisy[i, i] += mp.mpf(1) / 2
    return orthant(noisy)


def gru(k: Matrix, *, w: object, u: object, b: object) -> Number:
    """NNGP at the pair of inputs of a gated recurrent unit after two steps from h = 0, all biases of variance b.

    E h h' = Σ E[w w'] E[erf erf'] over the steps a, b at which the two states were written, w being one gate
    open then and the later ones closed. ``k`` is over (x₁, x₂, y₁, y₂).
    """
    w, u, b = number(w), number(u), number(b)
    z = u * k + b
    g = z.copy()
    first = {}
    for s, t in product((0, 2), repeat=2):  # the states after one step
        first[s, t] = gates(z, [s, t], []) * erf(g[s, s], g[s, t], g[t, t])[0]
    reset = z.copy()
    for s, t in product((0, 2), repeat=2):
        reset[s + 1, t + 1] += w * first[s, t]
    z = reset
    for s, t in product((0, 2), repeat=2):
        g[s + 1, t + 1] += w * first[s, t] * gates(reset, [s + 1, t + 1], [])
    total = mp.mpf(0)
    for i, j in product((0, 1), (2, 3)):
        closed = [i + 1] * (i == 0) + [j + 1] * (j == 2)
        total += gates(z, [i, j], closed) * erf(g[i, i], g[i, j], g[j, j])[0]
    return total


def batchnorm(k: Matrix, batch: int, p: int, r: int, *, epsilon: object) -> float:
    """E relu(u_p)relu(u_r) for u = c/√(mean c² + ε), c the batch less its mean; ``k`` over one batch or two.

    1/Q and 1/√Q are written as integrals of exp(-sQ), Q = |c|² + batch·ε, which keep c Gaussian with
    covariance K(I + 2sK)⁻¹ and total mass det(I + 2sK)^(-1/2).
    """
    count, total = len(k) // batch, batch * float(number(epsilon))
    basis = np.kron(np.eye(count), np.linalg.svd(np.eye(batch) - 1 / batch)[0][:, : batch - 1])
    values, vectors = np.linalg.eigh(basis.T @ k.astype(float) @ basis)
    root = (vectors * np.sqrt(np.maximum(values, 0)))[:, values > 1e-12 * values.max()]
    step = 1 / 4
    s = np.exp(np.arange(-40, 40, step))
    if count == 1:
        weights, exponents = step * s * np.exp(-s * total), np.repeat(s[:, None], batch - 1, axis=1)
    else:
        each = step * np.sqrt(s / np.pi) * np.exp(-s * total)
        weights = np.outer(each, each).ravel()
        first, second = (grid.ravel()[:, None] for grid in np.meshgrid(s, s, indexing="ij"))
        exponents = np.concatenate([np.repeat(first, batch - 1, axis=1), np.repeat(second, batch - 1, axis=1)], axis=1)
    return float(batch * weights @ tilted(root, exponents, basis[p], basis[r]))


def tilted(root: np.ndarray, s: np.ndarray, p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """E relu(p·w)relu(r·w) exp(-Σ s w²) for w = root·ξ, ξ standard, for every row of s.

    ξ stays Gaussian with covariance (I + 2 rootᵀ S root)⁻¹ = (RᵀR)⁻¹, R from a QR decomposition.
    """
    weighted = np.sqrt(2 * s)[:, :, None] * root
    eye = np.broadcast_to(np.eye(root.shape[1]), (len(s), root.shape[1], root.shape[1]))
    upper = np.linalg.qr(np.concatenate([eye, weighted], axis=1), mode="r")
    a, b = (np.linalg.solve(upper.swapaxes(1, 2), np.broadcast_to((x @ root)[:, None], (len(s), root.shape[1], 1)))
            for x in (p, r))
    first, cross, second = ((x * y).sum(axis=(1, 2)) for x, y in ((a, a), (a, b), (b, b)))
    scale = np.sqrt(first * second)
    theta = np.arccos(np.clip(cross / scale, -1, 1))
    mass = np.abs(np.prod(np.diagonal(upper, axis1=1, axis2=2), axis=1))
    return scale * (np.sin(theta) + (np.pi - theta) * np.cos(theta)) / (2 * np.pi) / mass
