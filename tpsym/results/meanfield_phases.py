"""The phases over a plane of two parameters, as plain numbers to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.gauss import E
from tpsym.results.meanfield_algebra import Edge, edge_of_chaos
from tpsym.results.meanfield_floats import compiled
from tpsym.results.meanfield_maps import LayerMaps, NoDerivativeError, Q, at_one, derivative
from tpsym.results.meanfield_series import NoExpansionError
from tpsym.results.meanfield_zero import polished

LARGE = 1e9
"""Variances beyond this count as infinite."""

ITERATIONS = 500
Range = tuple[float, float]


@dataclass(frozen=True)
class PhaseDiagram:
    """χ and q* (∞ where it grows without bound) on a grid of parameters, in double precision.

    ``x`` and ``y`` are what the axes show, such as σ_w²; ``chi[i][j]`` belongs to ``ys[i]`` and ``xs[j]``. ``edge``
    are points of the edge of chaos (where q* attracts) computed from its closed form ``curve`` (x and y as functions
    of q*, or one point), with (nan, nan) between pieces; it is empty where there is no closed form, and the edge only
    the line χ = 1 of the grid.
    """

    x: Expr
    y: Expr
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    chi: tuple[tuple[float, ...], ...] = field(repr=False)
    variance: tuple[tuple[float, ...], ...] = field(repr=False)
    edge: tuple[tuple[float, float], ...] = field(repr=False)
    curve: tuple[Expr, Expr] | None


def phase_diagram(
    maps: LayerMaps,
    x: Symbol,
    y: Symbol,
    x_range: Range,
    y_range: Range,
    *,
    values: Mapping[Symbol, Expr] | None = None,
    resolution: int = 160,
    squared: bool = True,
) -> PhaseDiagram:
    """The phases for x² and y² (x and y unless ``squared``) in these ranges, other parameters at ``values``.

    Raises:
        TpError: another parameter has no value; the slope at correlation one is not known.
    """
    import numpy as np

    given = {**maps.parameters, **(values or {})}
    rest = {s: given.get(s) for s in maps.free if s not in (x, y)}
    missing = [s for s, v in rest.items() if v is None]
    if missing:
        raise fail("no-value", f"no value for {missing[0]}", fix=f"values={{'{missing[0]}': 1}}")
    here = maps.at({s: v for s, v in rest.items() if v is not None})
    chi = _slope(here)
    xs, ys = (np.linspace(low, high, resolution) for low, high in (x_range, y_range))
    first, second = np.meshgrid(xs, ys)
    if squared:
        first, second = np.sqrt(first), np.sqrt(second)
    symbols = [here.q, x, y]
    variance = _iterated(tabulated(here.variance, symbols), first, second)
    slopes = tabulated(chi, symbols)(np.minimum(variance, LARGE), first, second)
    edge = Edge((), None, ()) if chi == sp.oo else edge_of_chaos(here, chi)
    curve = _curve(edge, x, y, squared)
    return PhaseDiagram(
        x=x**2 if squared else x,
        y=y**2 if squared else y,
        xs=tuple(map(float, xs)),
        ys=tuple(map(float, ys)),
        chi=_rows(slopes),
        variance=_rows(variance),
        edge=() if curve is None else _points(here, symbols, curve, (x_range, y_range), squared),
        curve=curve,
    )


def _slope(maps: LayerMaps) -> Expr:
    try:
        return polished(at_one(maps.slope, maps.c))
    except NoExpansionError as error:
        raise fail("no-limit", f"the slope at correlation one was not found: {error}") from None


def _rows(values: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in values)


def _iterated(f: Callable[..., Any], x: Any, y: Any) -> Any:
    """The variance that iteration from 1 reaches, ∞ where it grows beyond all bounds."""
    import numpy as np

    q = np.ones_like(x)
    for _ in range(ITERATIONS):
        before, q = q, np.minimum(f(q, x, y), LARGE)
        if np.all(np.abs(q - before) <= 1e-12 * (1 + q)):
            break
    # what still grows in proportion never stops; slow growth of a small variance is a slow approach
    after = f(q, x, y)
    growing = (q >= LARGE) | ((q > 10) & (after > q * (1 + 1 / (4 * ITERATIONS))))
    return np.where(growing, np.inf, q)


def tabulated(expr: Expr, symbols: Sequence[Symbol]) -> Callable[..., Any]:
    """The function of arrays; means that depend on the first symbol alone are read off a table."""
    import numpy as np

    q = symbols[0]
    means = [e for e in sorted(expr.atoms(E), key=str) if e.free_symbols == {q}]
    names = [sp.Dummy(f"mean{i}") for i in range(len(means))]
    outer = compiled(expr.xreplace(dict(zip(means, names, strict=True))), [*symbols, *names])
    nodes = np.concatenate([[0.0], np.geomspace(1e-6, LARGE, 3000)])
    tables = [compiled(e, [q])(nodes) for e in means]

    def apply(*values: Any) -> Any:
        return outer(*values, *(np.interp(values[0], nodes, table) for table in tables))

    return apply


def _curve(edge: Edge, x: Symbol, y: Symbol, squared: bool) -> tuple[Expr, Expr] | None:
    """The edge as functions of q* alone."""
    powers = {(p.base if p.is_Pow else p): (p.exp if p.is_Pow else 1, value) for p, value in edge.values}
    found: list[Expr] = []
    for symbol in (x, y):
        if symbol not in powers:
            return None
        exponent, value = powers[symbol]
        found.append(value ** (sp.Rational(2 if squared else 1) / exponent))
    if any(f.free_symbols - {Q} for f in found):
        return None
    return found[0], found[1]


def _points(
    maps: LayerMaps, symbols: Sequence[Symbol], curve: tuple[Expr, Expr], ranges: tuple[Range, Range], squared: bool
) -> tuple[tuple[float, float], ...]:
    """The part of the curve in the window (and a little beyond) where q* attracts, in order of q*."""
    import numpy as np

    q = np.concatenate([np.linspace(0, 1, 400), np.geomspace(1, 1e4, 1200)[1:]])
    if not any(c.has(Q) for c in curve):
        q = q[:1]
    xs, ys = (tabulated(c, [Q])(q) for c in curve)
    keep = np.isfinite(xs) & np.isfinite(ys)
    for values, (low, high) in zip((xs, ys), ranges, strict=True):
        margin = 0.02 * (high - low)
        keep &= (values >= max(low - margin, 0 if squared else -np.inf)) & (values <= high + margin)
    try:
        slope = tabulated(derivative(maps.variance, maps.q), symbols)
        # at q* = 0 the slope is exactly one where an odd function turns critical
        keep &= np.abs(slope(q, *(np.sqrt(np.maximum((xs, ys), 0)) if squared else (xs, ys)))) <= 1 + 1e-9
    except NoDerivativeError:
        pass
    if len(q) > 1:
        keep &= np.append(keep[1:], False) | np.append(False, keep[:-1])
    points: list[tuple[float, float]] = []
    for a, b, kept in zip(xs, ys, keep, strict=True):
        if kept:
            points.append((float(a), float(b)))
        elif points and not np.isnan(points[-1][0]):
            points.append((np.nan, np.nan))
    return tuple(points[:-1] if points and np.isnan(points[-1][0]) else points)
