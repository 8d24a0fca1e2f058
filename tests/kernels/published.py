"""Programs for the networks of :mod:`oracles`, and how to ask for their kernels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from duals import mp

import tpsym

POINTS = ((1, 2, "-1/2"), ("3/2", -1, "1/3"), ("1/4", "5/4", 1), (-1, "2/3", 2), (2, "1/5", "-3/4"), ("-1/3", 1, "1/2"))
"""Data points in three dimensions."""


def data(count: int) -> np.ndarray:
    """x·y/3 for the first points, exact to thirty digits."""
    rows = np.array([[mp.mpf(Fraction(e).numerator) / Fraction(e).denominator for e in p] for p in POINTS[:count]])
    return rows @ rows.T / 3


def inputs(positions: int) -> str:
    """Declarations of the families x and y, the first points and those after them."""
    lines = []
    for name, start in (("x", 0), ("y", positions)):
        for p in range(positions):
            lines.append(f"input {name}[{p}]: (3) = [{', '.join(map(str, POINTS[start + p]))}]")
    return "\n".join(lines)


def asked(text: str, kind: str, *, digits: int = 12) -> tuple[float, float, float]:
    """The kernel of ``f`` at (x, x), (x, y), (y, y)."""
    program = tpsym.parse(text)
    return tuple(float(program.evaluate(f"{kind}(f)({a}, {b})", digits=digits)) for a, b in ("xx", "xy", "yy"))


def upper(kernel: np.ndarray) -> tuple[float, float, float]:
    """The same three entries of an oracle."""
    return float(kernel[0, 0]), float(kernel[0, 1]), float(kernel[1, 1])


MLP = """
width n
dim d
input x, y: (d)
param w, b: nonnegative
parametrization ntk
weight W[1]: (n, d) ~ N(0, w/d)
weight W[l]: (n, n) ~ N(0, w/n) for l in 2..{depth}
weight b0[l]: (n)   ~ N(0, b)   for l in 1..{depth}
weight v: (1, n) ~ N(0, w/n)
weight c: () ~ N(0, b)
fn phi(z) = {phi}
def f(xi):
    h[1] = W[1] @ xi + b0[1]
    for l in 2..{depth}:
        h[l] = W[l] @ phi(h[l-1]) + b0[l]
    return v @ phi(h[{depth}]) + c
"""

RESIDUAL = """
width n
dim d
input x, y: (d)
param w, alpha: positive
parametrization ntk
weight W[1]: (n, d) ~ N(0, w/d)
weight W[l]: (n, n) ~ N(0, w/n) for l in 2..{depth}
weight v: (1, n) ~ N(0, 1/n)
fn phi(z) = {phi}
def f(xi):
    h[1] = W[1] @ xi
    for l in 2..{depth}:
        h[l] = h[l-1] + alpha*W[l] @ phi(h[l-1])
    return v @ phi(h[{depth}])
"""

LAYERNORM = """
width n
dim d
input x, y: (d)
param w, b: positive
parametrization ntk
weight W[1]: (n, d) ~ N(0, w/d)
weight W[l]: (n, n) ~ N(0, w/n) for l in 2..{depth}
weight b0[l]: (n)   ~ N(0, b)   for l in 1..{depth}
weight v: (1, n) ~ N(0, 1/n)
def phi(z):
    c = z - mean(z)
    u = c/sqrt(mean(c^2))
    return {phi}
def f(xi):
    h[1] = W[1] @ xi + b0[1]
    for l in 2..{depth}:
        h[l] = W[l] @ phi(h[l-1]) + b0[l]
    return v @ phi(h[{depth}])
"""

CONVOLUTION = """
width n
{inputs}
parametrization ntk
weight W[1, k]: (n, 3) ~ N(0, {w}/(3*3)) for k in -1..1
weight W[l, k]: (n, n) ~ N(0, {w}/(3*n)) for l in 2..{depth}, k in -1..1
weight v: (1, n) ~ N(0, 1/n)
weight r[p]: (1, n) ~ N(0, 1/({positions}*n)) for p in 0..{last}
def f(x):
    h[1, p] = sum(W[1, k] @ x[mod(p + k, {positions})] for k in -1..1) for p in 0..{last}
    for l in 2..{depth}:
        h[l, p] = sum(W[l, k] @ {phi}(h[l-1, mod(p + k, {positions})]) for k in -1..1) for p in 0..{last}
    return {readout}
"""

RECURRENT = """
width n
{inputs}
parametrization ntk
weight W: (n, n) ~ N(0, {w}/n)
weight U: (n, 3) ~ N(0, {u}/3)
weight b: (n) ~ N(0, {b})
weight v: (1, n) ~ N(0, 1/n)
def f(x):
    h[0] = U @ x[0] + b
    for t in 1..{last}:
        h[t] = W @ {phi}(h[t-1]) + U @ x[t] + b
    return {readout}
"""

TRANSFORMER = """
width n
{inputs}
parametrization ntk
weight U[1]: (n, 3) ~ N(0, {u}/3)
weight U[l]: (n, n) ~ N(0, {u}/n) for l in 2..{depth}
weight W1[l], W2[l]: (n, n) ~ N(0, {w}/n) for l in 1..{depth}
weight b1[l], b2[l]: (n) ~ N(0, {b}) for l in 1..{depth}
weight v: (1, n) ~ N(0, 1/n)
def layernorm(z):
    c = z - mean(z)
    return c/sqrt(mean(c^2))
def block(l, k):
    s[t, r] = exp(dot(k[t], k[r])/(n*{tau})) for t in 0..{last}, r in 0..{last}
    y[t] = layernorm(k[t] + sum(s[t, r]*k[r] for r in 0..{last})/sum(s[t, r] for r in 0..{last})) for t in 0..{last}
    z[t] = layernorm(y[t] + W2[l] @ relu(W1[l] @ y[t] + b1[l]) + b2[l]) for t in 0..{last}
    return z
def f(x):
    k1[t] = U[1] @ x[t] for t in 0..{last}
{blocks}
    return v @ mean(z{depth}[t] for t in 0..{last})
"""


def transformer(depth: int, tokens: int, **values: str) -> str:
    lines = []
    for layer in range(1, depth + 1):
        if layer > 1:
            lines.append(f"    k{layer}[t] = U[{layer}] @ z{layer - 1}[t] for t in 0..{tokens - 1}")
        lines.append(f"    z{layer} = block({layer}, k{layer})")
    return TRANSFORMER.format(inputs=inputs(tokens), depth=depth, last=tokens - 1, blocks="\n".join(lines), **values)


GRU = """
width n
{inputs}
weight Uz, Ur, Uh: (n, 3) ~ N(0, {u}/3)
weight Wz, Wr, Wh: (n, n) ~ N(0, {w}/n)
weight bz, br, bh: (n) ~ N(0, {b})
weight v: (1, n) ~ N(0, 1/n)
fn sg(s) = Phi(sqrt(2)*s)
def f(x):
    h0 = sg(Uz @ x[0] + bz)*erf(Uh @ x[0] + bh)
    z = sg(Uz @ x[1] + Wz @ h0 + bz)
    r = sg(Ur @ x[1] + Wr @ h0 + br)
    return v @ ((1 - z)*h0 + z*erf(Uh @ x[1] + Wh @ (h0*r) + bh))
"""

BATCHNORM = """
width n
{inputs}
weight W: (n, 3) ~ N(0, 1/3)
def f(x):
    h[p] = W @ x[p] for p in 0..2
    c[p] = h[p] - mean(h[k] for k in 0..2) for p in 0..2
    z[p] = relu(c[p]/sqrt(mean(c[k]^2 for k in 0..2) + {epsilon})) for p in 0..2
    return mean(z[0])
"""
