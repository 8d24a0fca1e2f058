"""The cost of deriving kernels, in units of ``import sympy``, and how it grows with depth; printed, never asserted.

Run with ``python tests/benchmarks/bench_kernels.py [REPEATS]``. A run is a process of its own; what is counted is
the processor's time for parsing, elaboration and derivation, imports and numbers left out. Cases take turns with
``import sympy``, and medians are compared.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
LAYERS = (10, 20, 40)

NETWORK = """
width n
dim d
input x, y: (d)
param s: positive
param b: nonnegative
parametrization ntk

weight W[1]: (n, d) ~ N(0, s/d)
weight W[l]: (n, n) ~ N(0, s/n) for l in 2..{layers}
weight c[l]: (n)    ~ N(0, b)   for l in 1..{layers}
weight v: (1, n) ~ N(0, 1/n)

def layernorm(z):
    m = z - mean(z)
    return m/sqrt(mean(m^2))

def f(xi):
    h[1] = W[1] @ xi + c[1]
    for l in 2..{layers}:
        h[l] = {layer}
    return v @ {phi}(h[{layers}])
"""

NETWORKS = {
    "relu": ("relu", "W[l] @ relu(h[l-1]) + c[l]"),
    "erf": ("erf", "W[l] @ erf(h[l-1]) + c[l]"),
    "relu, residual and layernorm": ("relu", "h[l-1] + W[l] @ relu(layernorm(h[l-1]))"),
    "erf, residual and layernorm": ("erf", "h[l-1] + W[l] @ erf(layernorm(h[l-1]))"),
}

RECURRENT = """
width n
dim d
param sigma_w, sigma_u, sigma_b: positive
input x[t], y[t]: (d) for t in 1..{steps}
parametrization ntk

weight W: (n, n) ~ N(0, sigma_w^2/n)
weight U: (n, d) ~ N(0, sigma_u^2/d)
weight b: (n)    ~ N(0, sigma_b^2)
weight v: (1, n) ~ N(0, 1/n)

def f(x):
    h[1] = U @ x[1] + b
    for t in 2..{steps}:
        h[t] = W @ erf(h[t-1]) + U @ x[t] + b
    return v @ erf(h[{steps}])
"""

TRANSFORMER = """
width n
dim d
input x[t], y[t]: (d) for t in 1..{tokens}
parametrization ntk

weight U: (n, d) ~ N(0, 1/d)
weight A[l], B[l]: (n, n) ~ N(0, 1/n) for l in 1..{blocks}
weight v: (1, n) ~ N(0, 1/n)

def layernorm(z):
    c = z - mean(z)
    return c/sqrt(mean(c^2))

def f(x):
    h[0, t] = U @ x[t] for t in 1..{tokens}
    for l in 1..{blocks}:
        s[l, t, r] = exp(dot(h[l-1, t], h[l-1, r])/n)              for t in 1..{tokens}, r in 1..{tokens}
        a[l, t, r] = s[l, t, r]/sum(s[l, t, k] for k in 1..{tokens}) for t in 1..{tokens}, r in 1..{tokens}
        z[l, t]    = layernorm(h[l-1, t] + sum(a[l, t, r]*h[l-1, r] for r in 1..{tokens})) for t in 1..{tokens}
        h[l, t]    = layernorm(z[l, t] + B[l] @ relu(A[l] @ z[l, t])) for t in 1..{tokens}
    return v @ mean(h[{blocks}, t] for t in 1..{tokens})
"""


def network(kind: str, layers: int) -> str:
    phi, layer = NETWORKS[kind]
    return NETWORK.format(layers=layers, phi=phi, layer=layer)


MLP = EXAMPLES / "02_relu_mlp.tp"
CASES = {
    "any depth, relu: ntk": ("ntk", MLP.read_text()),
    "recurrent, 24 steps: nngp": ("nngp", RECURRENT.format(steps=24)),
    "recurrent, 24 steps: ntk": ("ntk", RECURRENT.format(steps=24)),
    "transformer, 3 blocks, 4 tokens: nngp": ("nngp", TRANSFORMER.format(blocks=3, tokens=4)),
    "transformer, 3 blocks, 4 tokens: ntk": ("ntk", TRANSFORMER.format(blocks=3, tokens=4)),
}

CHILD = """
import sys, time
import tpsym
from tpsym.api import derive, parse
text = sys.stdin.read()
derive(parse('width n\\nrandom u: (n) ~ N(0, 1)\\nderive E[u^2]\\n'))
start = time.process_time()
kernel = parse(text).kernel(sys.argv[1], 'f')
first, second = kernel.inputs[0], kernel.inputs[1]
kernel.answer(first, second)
print(time.process_time() - start)
"""
NOTHING = """
import time
start = time.process_time()
import sympy
print(time.process_time() - start)
"""


def measured(code: str, *arguments: str, text: str = "") -> float:
    """The processor seconds a child counts."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return float(done.stdout)


def exponent(seconds: list[float]) -> float:
    """The slope of log time against log depth, by least squares."""
    x, y = [math.log(n) for n in LAYERS], [math.log(t) for t in seconds]
    a, b = statistics.mean(x), statistics.mean(y)
    return sum((p - a) * (q - b) for p, q in zip(x, y, strict=True)) / sum((p - a) ** 2 for p in x)


def main(repeats: int) -> None:
    jobs = dict(CASES)
    jobs |= {f"{kind}, {layers} layers": ("ntk", network(kind, layers)) for kind in NETWORKS for layers in LAYERS}
    base: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in jobs}
    measured(NOTHING)
    for _ in range(repeats):
        base.append(measured(NOTHING))
        for name, (kind, text) in jobs.items():
            times[name].append(measured(CHILD, kind, text=text))
    unit = statistics.median(base)
    middles = {name: statistics.median(found) for name, found in times.items()}
    print(f"{'import sympy':40} {unit:7.2f} s")
    for name in CASES:
        print(f"{name:40} {middles[name]:7.2f} s   ratio {middles[name] / unit:6.1f}")
    for kind in NETWORKS:
        found = [middles[f"{kind}, {layers} layers"] for layers in LAYERS]
        ratios = "  ".join(f"{layers}: {t / unit:5.1f}" for layers, t in zip(LAYERS, found, strict=True))
        print(f"{'tangent kernel, ' + kind:44} {ratios}   exponent {exponent(found):4.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
