"""The maps in double precision: starting points for certified roots, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.gauss import E

Compiled = Callable[..., Any]

NODES = 96
"""Points of the Gauss–Hermite rule for means without a closed form, in each variable."""


def compiled(expr: Expr, symbols: Sequence[Symbol]) -> Compiled:
    """A function of numbers or arrays, in double precision; means by Gauss–Hermite rules."""
    import numpy as np

    every = expr.atoms(E)
    inside = {a for e in every for c in e.covariance for a in c.atoms(E)}
    means = sorted(every - inside, key=str)
    names = [sp.Dummy(f"mean{i}") for i in range(len(means))]
    outer = _function([*symbols, *names], expr.xreplace(dict(zip(means, names, strict=True))))
    inner = [_mean(e, symbols) for e in means]

    def apply(*values: Any) -> Any:
        with np.errstate(all="ignore"):
            found = outer(*values, *(f(*values) for f in inner))
        shape = np.broadcast_shapes(*(np.shape(v) for v in values))
        return np.broadcast_to(found, shape)

    return apply


def _function(symbols: Sequence[Symbol], expr: Expr) -> Compiled:
    import numpy as np

    from tpsym.gauss.sampled import NUMPY

    inside = {
        "asin": lambda x: np.arcsin(np.clip(x, -1.0, 1.0)),
        "acos": lambda x: np.arccos(np.clip(x, -1.0, 1.0)),
        "sqrt": lambda x: np.sqrt(np.maximum(x, 0.0)),
    }
    return sp.lambdify(list(symbols), expr, modules=[inside, *NUMPY])


def _mean(mean: E, symbols: Sequence[Symbol]) -> Compiled:
    import numpy as np

    n = mean.covariance.rows
    if n > 2 or mean.body.atoms(E):
        raise fail("no-digits", "mean field numbers need means over at most two variables")
    body = _function([*mean.variables, *symbols], mean.body)
    entries = [compiled(c, symbols) for c in mean.covariance]  # a sublayer's mean may stand inside
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()

    def apply(*values: Any) -> Any:
        rows = [np.asarray(f(*values), dtype=float)[..., None] for f in entries]
        lifted = [np.asarray(v)[..., None] for v in values]
        if n == 1:
            return (body(np.sqrt(np.maximum(rows[0], 0.0)) * points, *lifted) * weights).sum(axis=-1)
        x, y = (m.ravel() for m in np.meshgrid(points, points))
        scale = np.sqrt(np.maximum(rows[0], 1e-300))
        across = rows[1] / scale
        rest = np.sqrt(np.maximum(rows[3] - across**2, 0.0))
        both = np.outer(weights, weights).ravel()
        return (body(scale * x, across * x + rest * y, *lifted) * both).sum(axis=-1)

    return apply
