"""Values of expressions in mpmath, written without the verifier: an oracle that may contradict it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath
import sympy as sp
from mpmath import mp
from sympy import Symbol
from sympy.core.relational import Relational

from tpsym.functions import Unknown
from tpsym.gauss.expectation import E
from tpsym.verify.domain import Domain, Gram

Env = Mapping[Symbol, Any]
NODES = 24
"""Abscissas of the trapezoidal rule for each standard deviation."""


class Undefined(ArithmeticError):
    """The expression has no real value here."""


def real(z: Any) -> Any:
    """A finite real number, or :class:`Undefined`."""
    if mpmath.im(z) != 0 or not mpmath.isfinite(z):
        raise Undefined
    return mpmath.re(z)


def Phi(z: Any) -> Any:
    return mpmath.ncdf(z)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp, "log": mpmath.log, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "asin": mpmath.asin, "acos": mpmath.acos,
    "atan": mpmath.atan, "erf": mpmath.erf, "erfc": mpmath.erfc, "Abs": abs, "sign": mpmath.sign,
    "Max": max, "Min": min, "floor": mpmath.floor,
    "step": lambda z: mpmath.mpf(z > 0), "relu": lambda z: max(z, mpmath.mpf(0)), "Phi": Phi,
    "leaky_relu": lambda z, a: z if z > 0 else a * z, "gelu": lambda z: z * Phi(z),
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)), "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
}  # fmt: skip


def value(expr: sp.Basic, env: Env) -> Any:
    """The real value of an expression at the working precision of mpmath.

    Raises:
        Undefined: there is none.
        NotImplementedError: it is beyond this oracle.
    """
    if isinstance(expr, Symbol):
        return env[expr]
    if isinstance(expr, sp.Rational):
        return mpmath.mpf(int(expr.p)) / int(expr.q)
    if isinstance(expr, sp.NumberSymbol):
        return {sp.pi: mpmath.pi, sp.E: mpmath.e}[expr] + mpmath.mpf(0)
    if isinstance(expr, sp.Add):
        return mpmath.fsum(value(a, env) for a in expr.args)
    if isinstance(expr, sp.Mul):
        return mpmath.fprod(value(a, env) for a in expr.args)
    if isinstance(expr, sp.Piecewise):
        return next((value(v, env) for v, c in expr.args if truth(c, env)), None)
    if isinstance(expr, E):
        return expectation(expr, env)
    if isinstance(expr, Unknown):
        return unknown(expr, [value(a, env) for a in expr.arguments])
    try:
        if isinstance(expr, sp.Pow):
            return real(mpmath.power(value(expr.base, env), value(expr.exp, env)))
        rule = FUNCTIONS.get(type(expr).__name__)
        if rule is None:
            raise NotImplementedError(type(expr).__name__)
        return real(rule(*(value(a, env) for a in expr.args)))
    except (ZeroDivisionError, ValueError, OverflowError):
        raise Undefined from None


def truth(condition: sp.Basic, env: Env) -> bool:
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And):
        return all(truth(c, env) for c in condition.args)
    if not isinstance(condition, Relational):
        raise NotImplementedError(str(condition))
    gap = value(condition.lhs - condition.rhs, env)
    small = abs(gap) < mpmath.mpf(10) ** (10 - mp.dps)
    return {"==": small, "!=": not small, "<": gap < 0 and not small, ">": gap > 0 and not small,
            "<=": gap < 0 or small, ">=": gap > 0 or small}[condition.rel_op]


def unknown(expr: Unknown, arguments: list[Any]) -> Any:
    """One analytic function of no symmetry for each name."""
    if len(arguments) != 1 or any(expr.orders):
        raise NotImplementedError("derivatives of unknown functions")
    (z,) = arguments
    tilt = mpmath.mpf(sum(map(ord, expr.name)) % 7 + 1) / 5
    return mpmath.cos(z + tilt) + tilt * z**3 - z**2 / 3


def expectation(expr: E, env: Env) -> Any:
    """By the trapezoidal rule, which converges geometrically for the analytic integrands that stay unevaluated."""
    if expr.covariance.rows != 1 or expr.body.has(sp.Abs, sp.sign):
        raise NotImplementedError("two-dimensional integral")
    deviation = mpmath.sqrt(value(expr.covariance[0, 0], env))
    (z,) = expr.variables
    reach = mpmath.sqrt(2 * mp.dps * mpmath.log(10)) + 4
    total = mpmath.mpf(0)
    for k in range(-int(reach * NODES), int(reach * NODES) + 1):
        t = mpmath.mpf(k) / NODES
        total += mpmath.exp(-t * t / 2) * value(expr.body, {**env, z: deviation * t})
    return total / NODES / mpmath.sqrt(2 * mpmath.pi)


# --- admissible points --------------------------------------------------------------------------------


def admissible(domain: Domain, definitions: Mapping[Symbol, sp.Expr], seed: int) -> Iterator[dict[Symbol, Any]]:
    """Random points that satisfy the assumptions and conditions, named values included."""
    generator = random.Random(seed)
    for _ in range(400):
        env: dict[Symbol, Any] = {}
        for gram in domain.grams:
            env |= gram_point(gram, generator)
        for symbol in domain.symbols:
            env.setdefault(symbol, scalar(symbol, generator))
        for condition in domain.conditions:
            if isinstance(condition, sp.Equality):
                impose(condition, env)
        try:
            if all(truth(c, env) for c in domain.conditions) and all(fits(s, x) for s, x in env.items()):
                for symbol, definition in definitions.items():
                    env[symbol] = value(definition, env)
                yield env
        except Undefined:
            continue


def scalar(symbol: Symbol, generator: random.Random) -> Any:
    if symbol.is_integer:
        return mpmath.mpf(generator.randint(1, 5))
    size = mpmath.mpf(generator.randint(20, 300)) / 100
    return size if symbol.is_nonnegative or generator.random() < 0.5 else -size


def gram_point(gram: Gram, generator: random.Random) -> dict[Symbol, Any]:
    vectors = [[mpmath.mpf(generator.randint(-20, 20)) / 10 for _ in range(gram.size + 1)] for _ in range(gram.size)]
    return {s: mpmath.fdot(vectors[i], vectors[j]) for (i, j), s in gram.entries.items()}


def impose(condition: sp.Equality, env: dict[Symbol, Any]) -> None:
    """An equation read as a definition of the symbol on its left."""
    if isinstance(condition.lhs, Symbol):
        env[condition.lhs] = value(condition.rhs, env)


def fits(symbol: Symbol, x: Any) -> bool:
    return not (symbol.is_positive and x <= 0) and not (symbol.is_nonnegative and x < 0)
