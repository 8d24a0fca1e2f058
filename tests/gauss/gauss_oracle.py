"""Means of Gaussian functions by composite Gauss–Legendre quadrature, split where there are kinks.

Independent of the reductions: integrands are evaluated by numpy as they were written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import scipy.special
import sympy as sp

from tpsym.functions import relu, step
from tpsym.gauss import E

NUMPY = {
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x, a: np.where(x > 0, x, a * x),
    "step": lambda x: np.where(x > 0, 1.0, 0.0),
    "Phi": scipy.special.ndtr,
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "silu": lambda x: x * scipy.special.expit(x),
    "erf": scipy.special.erf,
    "erfi": scipy.special.erfi,
}
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
EDGES = np.array([0.0, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 1.0, 1.8, 2.8, 4.0, 5.5, 7.5, 10.0])
LINE = np.concatenate([-EDGES[:0:-1], EDGES])


def panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the standard normal law on panels (last axis) between the edges."""
    low, high = edges[..., :-1, None], edges[..., 1:, None]
    x = (low + high) / 2 + (high - low) / 2 * NODES
    w = (high - low) / 2 * WEIGHTS * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return x.reshape(*edges.shape[:-1], -1), w.reshape(*edges.shape[:-1], -1)


def compiled(expr: sp.Expr, variables: Sequence[sp.Symbol]) -> Callable[..., np.ndarray]:
    return sp.lambdify(list(variables), expr, modules=[NUMPY, "numpy"])


def mean1(f: Callable[..., np.ndarray], variance: float, *, kinks: Sequence[float] = (0.0,)) -> float:
    """E f(u)."""
    scale = np.sqrt(variance)
    edges = np.sort(np.concatenate([LINE, *(LINE * 0.1 + k / scale for k in kinks)]))
    x, w = panels(np.unique(np.clip(edges, -10, 10)))
    return float(np.sum(w * f(scale * x)))


def mean2(
    f: Callable[..., np.ndarray],
    q: float,
    c: float,
    s: float,
    *,
    kinks: Callable[[np.ndarray], Sequence[np.ndarray]] = lambda u: [0 * u],
    outer: Sequence[float] = (0.0,),
) -> float:
    """E f(u, v); ``kinks(u)`` are the places in v, ``outer`` those in u, where f is not smooth."""
    edges = np.sort(np.concatenate([LINE, *(LINE * 0.1 + k / np.sqrt(q) for k in outer)]))
    x, w = panels(np.clip(edges, -10, 10))
    u = np.sqrt(q) * x
    center, spread = c / q * u, np.sqrt(s - c * c / q)
    places = [((k - center) / spread)[:, None] for k in kinks(u)]
    inner = np.concatenate([np.broadcast_to(np.linspace(-10, 10, 9), (len(u), 9)), *places], axis=1)
    y, wy = panels(np.sort(np.clip(inner, -10, 10), axis=1))
    v = center[:, None] + spread * y
    return float(np.sum(w[:, None] * wy * f(u[:, None] + 0 * v, v)))


def number(expr: sp.Expr, values: dict[sp.Symbol, object] | None = None) -> float:
    """The value of an expression, its unevaluated means by quadrature."""
    expr = sp.sympify(expr).xreplace({k: sp.Float(v, 30) for k, v in (values or {}).items()})
    atoms = {a: sp.Float(unevaluated(a), 20) for a in expr.atoms(E)}
    return float(np.real(complex(compiled(expr.xreplace(atoms), [])())))


def unevaluated(atom: E) -> float:
    """A mean over one or two variables, split where the arguments of its steps vanish."""
    variables = atom.variables
    f, entries = compiled(atom.body, variables), [float(c) for c in atom.covariance]
    kinked = atom.body.atoms(step, relu, sp.Abs, sp.sign)
    lines = [[float(k.args[0].diff(z)) for z in variables] for k in kinked]
    offsets = [float(k.args[0].xreplace(dict.fromkeys(variables, 0))) for k in kinked]
    if len(variables) == 1:
        return mean1(f, entries[0], kinks=[0.0, *(-m / a for (a,), m in zip(lines, offsets, strict=True) if a)])
    if len(variables) != 2:
        raise NotImplementedError(f"{len(variables)} variables")
    outer = [0.0, *(-m / a for (a, b), m in zip(lines, offsets, strict=True) if not b)]
    outer += crossings([(a, b, m) for (a, b), m in zip(lines, offsets, strict=True)])

    def kinks(u: np.ndarray) -> list[np.ndarray]:
        return [0 * u, *(-(a * u + m) / b for (a, b), m in zip(lines, offsets, strict=True) if b)]

    return mean2(f, entries[0], entries[1], entries[3], kinks=kinks, outer=outer)


def crossings(lines: Sequence[tuple[float, float, float]]) -> list[float]:
    """The first coordinates of the points where two of the lines a u + b v + m = 0 meet."""
    pairs = itertools.combinations(lines, 2)
    return [(b * n - d * m) / (a * d - b * c) for (a, b, m), (c, d, n) in pairs if abs(a * d - b * c) > 1e-12]
