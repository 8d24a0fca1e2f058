"""Limits as floats by plain quadrature, to about four digits: an oracle that shares nothing with ``gauss``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import erf, ndtr
from scipy.stats import norm, qmc
from sympy import Expr, Symbol

from tpsym.gauss.expectation import E

Array = np.ndarray[Any, np.dtype[np.float64]]
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tanh": np.tanh, "erf": erf, "Phi": ndtr, "sign": np.sign, "Abs": np.abs, "sin": np.sin, "cos": np.cos,
    "sinh": np.sinh, "cosh": np.cosh,
    "log": np.log, "exp": np.exp, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "step": lambda z: np.asarray(z) > 0, "relu": lambda z: np.maximum(z, 0), "sigmoid": lambda z: 1/(1 + np.exp(-z)),
    "StrictGreaterThan": np.greater, "GreaterThan": np.greater_equal, "StrictLessThan": np.less,
    "LessThan": np.less_equal,
}


class Rough:
    """Values of expressions with unevaluated expectations, over named values."""

    def __init__(self, definitions: Mapping[Symbol, Expr]) -> None:
        self.definitions = definitions
        self.known: dict[sp.Basic, float] = {}

    def __call__(self, expr: sp.Basic) -> float:
        return float(self._value(expr, {}, {}))

    def _value(self, expr: sp.Basic, env: Mapping[Symbol, Array], memo: dict[sp.Basic, Any]) -> Any:
        if expr not in memo:
            memo[expr] = self._found(expr, env, memo)
        return memo[expr]

    def _found(self, expr: sp.Basic, env: Mapping[Symbol, Array], memo: dict[sp.Basic, Any]) -> Any:
        match expr:
            case Symbol():
                return env[expr] if expr in env else self._named(expr, self.definitions[expr])
            case E():
                return self._named(expr, expr)
            case sp.Rational() | sp.NumberSymbol():
                return float(expr)
            case sp.Piecewise():
                found = np.nan
                for value, condition in reversed(expr.args):
                    holds = self._value(condition, env, memo)
                    found = np.where(holds, self._value(value, env, memo), found)
                return found
            case sp.logic.boolalg.BooleanAtom():
                return bool(expr)
        args = [self._value(a, env, memo) for a in expr.args]
        match expr:
            case sp.Add():
                return sum(args[1:], args[0])
            case sp.Mul():
                return np.prod(np.broadcast_arrays(*args), axis=0)
            case sp.Pow():
                return np.power(args[0], args[1])
            case _:
                return FUNCTIONS[type(expr).__name__](*args)

    def _named(self, key: sp.Basic, expr: sp.Basic) -> float:
        if key not in self.known:
            self.known[key] = self._mean(expr) if isinstance(expr, E) else self(expr)
        return self.known[key]

    def _mean(self, expr: Any) -> float:
        size = len(expr.variables)
        covariance = np.array([[self(expr.covariance[i, j]) for j in range(size)] for i in range(size)])
        lengths, axes = np.linalg.eigh(covariance)
        points, weights = gaussians(size)
        values = (axes * np.sqrt(np.clip(lengths, 0, None))) @ points
        body = self._value(expr.body, dict(zip(expr.variables, values, strict=True)), {})
        return float(weights @ np.broadcast_to(body, weights.shape))


@cache
def gaussians(size: int) -> tuple[Array, Array]:
    """Points and weights for that many independent Gaussians."""
    if size == 1:
        points = np.linspace(-9, 9, 40001)[None]
        weights = norm.pdf(points[0])
        return points, weights / weights.sum()
    uniform = qmc.Sobol(size, seed=1).random(2**16).T
    points = norm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))
    points = np.concatenate([points, -points], axis=1)
    return points, np.full(points.shape[1], 1 / points.shape[1])
