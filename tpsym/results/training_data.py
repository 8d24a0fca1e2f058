"""Numbers for the data points of a training, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.overrides import PRODUCT
from tpsym.program.scope import Context
from tpsym.program.values import Data, Scalar
from tpsym.simulate.payload import Array
from tpsym.simulate.train_arrays import with_defaults
from tpsym.simulate.train_data import data_points, data_values
from tpsym.syntax import tree
from tpsym.transform.trainable import outermost


def settled_points(model: Model, overrides: Mapping[str, Expr]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Every data point as numbers, the same in every run, and which of them were drawn.

    Inner products are those given or assumed; where only squares of lengths are, points are drawn and scaled.

    Raises:
        TpError: ``bad-data``, or ``no-value``.
    """
    context = model.context
    values = with_defaults(context, {})
    known = known_products(model, overrides, values)
    free = tuple(name for name, value in outermost(context).items()
                 if isinstance(value, Data) and context.data.get(name) is None)
    if any(a != b for a, b in known):
        products = {context.gram(a, b): value for (a, b), value in known.items()}
        return data_points(context, values | products, {}), ()
    points = data_points(context, values, {})
    for name in free:
        if (name, name) in known:
            points[name] = points[name] * np.sqrt(known[name, name] / float(points[name] @ points[name]))
    return points, free


def known_products(
    model: Model, overrides: Mapping[str, Expr], values: Mapping[Symbol, float]
) -> dict[tuple[str, str], float]:
    """Inner products of data without numbers that are given, or that the file assumes to be numbers."""
    context = model.context
    found: dict[tuple[str, str], float] = {}
    assumed = {s: v for node in model.assumptions for s, v in _equations(context, node)}
    for name in overrides:
        if (product := PRODUCT.fullmatch(name)) is not None:
            context.gram(product[1], product[2])
    for pair, symbol in context.grams.items():
        value = overrides.get(symbol.name, assumed.get(symbol))
        if value is None or all(context.data.get(name) is not None for name in pair):
            continue
        at = value.xreplace({s: sp.Float(v, 17) for s, v in values.items()})
        if at.is_number:
            found[pair] = float(at)
        else:
            missing = sorted(s.name for s in at.free_symbols)
            raise fail("no-value", f"{', '.join(missing)} must have a value: {symbol.name} depends on it",
                       fix=f"--set {missing[0]}=1")
    return found


def _equations(context: Context, node: tree.Assume) -> Iterator[tuple[Symbol, Expr]]:
    """What ``assume dot(x, y) == e`` says of inner products."""
    condition = node.condition
    if not isinstance(condition, tree.Compare) or condition.ops != ("==",):
        return
    scopes = assignments(context, node.clauses, context.scope) if node.clauses else iter((context.scope,))
    for scope in scopes:
        one, other = (evaluate(context, side, scope) for side in condition.operands)
        if isinstance(one, Scalar) and isinstance(other, Scalar):
            for symbol, value in ((one.expr, other.expr), (other.expr, one.expr)):
                if symbol in context.grams.values():
                    yield symbol, value


def product_values(context: Context, points: Mapping[str, Array]) -> dict[str, Expr]:
    """The inner products of all points, and the sizes of data, as exact numbers by name."""
    found: dict[str, Expr] = {}
    for a, x in points.items():
        for b, y in points.items():
            if context.data.get(a) is None or context.data.get(b) is None:
                found[f"dot({a}, {b})"] = sp.Rational(float(x @ y))
    return found | {s.name: sp.Rational(v) for s, v in data_values(context, points).items() if s.name not in found}


__all__ = ["known_products", "product_values", "settled_points"]
