"""True equations with one slip each: what a hand calculation gets wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy import Expr, Rational

from tpsym.gauss.expectation import E

Change = Callable[[Expr, random.Random, list[Expr]], Expr | None]


@dataclass(frozen=True)
class Mutant:
    """An expression after a slip, and what the slip was."""

    expr: Expr
    slip: str


def constant(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    if not isinstance(node, sp.Rational):
        return None
    choices = [node + 1, node - 1, 2 * node, node / 2, node + Rational(1, 10**9), node * Rational(11, 10)]
    return generator.choice(choices)


def transcendental(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    return generator.choice([Rational(22, 7), 2 * sp.pi, sp.pi**2, sp.Integer(3)]) if node is sp.pi else None


def sign(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    if not isinstance(node, sp.Add):
        return -node
    chosen = generator.choice(node.args)
    return node - 2 * chosen


def drop(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    if not isinstance(node, sp.Add | sp.Mul):
        return None
    chosen = generator.randrange(len(node.args))
    return node.func(*(a for i, a in enumerate(node.args) if i != chosen))


def exponent(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    if not isinstance(node, sp.Pow):
        return node ** generator.choice([2, 3]) if node.is_Symbol else None
    return node.base ** generator.choice([node.exp + 1, node.exp - 1, 2 * node.exp, node.exp / 2, -node.exp])


def square_root(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    return node.base if isinstance(node, sp.Pow) and node.exp.is_Rational and node.exp.q == 2 else None


def exchange(node: Expr, generator: random.Random, symbols: list[Expr]) -> Expr | None:
    """One symbol for another, here only."""
    others = [s for s in symbols if s != node]
    return generator.choice(others) if node.is_Symbol and others else None


TWINS: dict[Any, Any] = {
    sp.asin: sp.acos, sp.acos: sp.asin, sp.sin: sp.cos, sp.cos: sp.sin, sp.sinh: sp.cosh, sp.cosh: sp.sinh,
    sp.atan: sp.asin, sp.erf: sp.erfc, sp.exp: lambda z: sp.exp(2 * z), sp.Abs: lambda z: z, sp.tanh: sp.sin,
    sp.log: lambda z: sp.log(z + 1), sp.sign: sp.Abs,
}  # fmt: skip


def function(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    twin = TWINS.get(type(node))
    return twin(node.args[0]) if twin is not None else None


def operands(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    """a/b for b/a, and a − b for b − a."""
    if isinstance(node, sp.Mul):
        numerator, denominator = node.as_numer_denom()
        return denominator / numerator if denominator != 1 and numerator != 0 else None
    if isinstance(node, sp.Add) and len(node.args) == 2:
        first, second = node.args
        return first - second
    return None


def little(node: Expr, generator: random.Random, _: list[Expr]) -> Expr | None:
    return node * (1 + Rational(1, 10**generator.randint(3, 12)))


SLIPS: dict[str, Change] = {
    "constant": constant, "pi": transcendental, "sign": sign, "dropped term": drop, "exponent": exponent,
    "square root": square_root, "other symbol": exchange, "function": function, "operands": operands,
    "one part in many": little,
}  # fmt: skip


def places(expr: Expr, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Expr]]:
    """Every subexpression that is an expression, by position."""
    yield path, expr
    if isinstance(expr, E):
        return
    for i, a in enumerate(expr.args):
        if isinstance(a, Expr):
            yield from places(a, (*path, i))


def replaced(expr: Expr, path: tuple[int, ...], new: Expr) -> Expr:
    if not path:
        return new
    args = list(expr.args)
    args[path[0]] = replaced(args[path[0]], path[1:], new)
    return expr.func(*args)


def mutant(expr: Expr, generator: random.Random) -> Mutant | None:
    """One random slip at a random place where it can happen."""
    symbols = sorted(expr.free_symbols, key=str)
    name = generator.choice(sorted(SLIPS))
    options = []
    for path, node in places(expr):
        new = SLIPS[name](node, generator, symbols)
        if new is not None and new != node:
            options.append((path, new))
    if not options:
        return None
    path, new = generator.choice(options)
    try:
        result = replaced(expr, path, new)
    except (ZeroDivisionError, ValueError, TypeError):
        return None
    return Mutant(result, name) if result.is_finite is not False and not result.has(sp.zoo, sp.nan, sp.I) else None
