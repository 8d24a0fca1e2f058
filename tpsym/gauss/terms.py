"""A term of an integrand: monomial × steps × point masses × opaque factors, all of affine forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import sympy as sp
from sympy import Expr, Rational, Symbol

from tpsym.functions import Unknown, softplus
from tpsym.gauss.field import Frac
from tpsym.gauss.law import Form


@cache
def slot(index: int) -> Symbol:
    """The argument number ``index`` (from 0) of an opaque factor."""
    return Symbol(f"ξ{index}", real=True)


class Opaque(NamedTuple):
    """``expr`` with each ``slot(j)`` standing for ``forms[j]``."""

    expr: Expr
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Term:
    """∏ z_i^powers_i · ∏ step(form) · ∏ delta(form) · ∏ opaque^power."""

    powers: tuple[int, ...]
    steps: tuple[Form, ...] = ()
    deltas: tuple[Form, ...] = ()
    opaques: tuple[tuple[Opaque, int], ...] = ()

    @property
    def degree(self) -> int:
        return sum(self.powers)

    @property
    def forms(self) -> Iterator[Form]:
        yield from self.steps
        yield from self.deltas
        for opaque, _ in self.opaques:
            yield from opaque.forms

    def without_steps(self) -> Term:
        return replace(self, steps=())

    def lowered(self, index: int) -> Term:
        powers = tuple(k - (i == index) for i, k in enumerate(self.powers))
        return replace(self, powers=powers)

    def times(self, opaque: Opaque, power: int = 1) -> Term:
        """The term with one more opaque factor."""
        total = dict(self.opaques)
        total[opaque] = total.get(opaque, 0) + power
        kept = tuple((o, k) for o, k in total.items() if k)
        return replace(self, opaques=kept)


def is_smooth(expr: Expr) -> bool:
    """Whether the derivative of this opaque factor is polynomial in opaque factors."""
    if isinstance(expr, Unknown):
        return all(a == slot(i) for i, a in enumerate(expr.arguments))
    return isinstance(expr, sp.tanh | sp.sin | sp.cos | softplus) and expr.args[0] == slot(0)


class Slope(NamedTuple):
    """One summand of a derivative: coefficient · expr(scale · argument)^power (expr None: 1)."""

    coefficient: Rational
    expr: Expr | None
    scale: Rational
    power: int


def slopes(expr: Expr, index: int) -> tuple[Slope, ...]:
    """The derivative of a smooth opaque factor in its argument of this index.

    tanh' = 1 − tanh², softplus' = (1 + tanh(x/2))/2, sin' = cos, cos' = −sin, φ^(k)' = φ^(k+1).
    """
    one, half, x = sp.S.One, Rational(1, 2), slot(0)
    match expr:
        case sp.tanh():
            return (Slope(one, None, one, 1), Slope(-one, expr, one, 2))
        case sp.sin():
            return (Slope(one, sp.cos(x), one, 1),)
        case sp.cos():
            return (Slope(-one, sp.sin(x), one, 1),)
        case softplus():
            return (Slope(half, None, one, 1), Slope(half, sp.tanh(x), half, 1))
        case Unknown():
            return (Slope(one, expr.partial(index), one, 1),)
    raise TypeError(f"no derivative rule for the factor {expr}")


def parity(expr: Expr) -> int:
    """1 if even, −1 if odd under changing the sign of every argument, 0 if neither is known."""
    flipped = expr.xreplace({s: -s for s in expr.free_symbols if s.name.startswith("ξ")})
    if flipped == expr:
        return 1
    return -1 if flipped == -expr else 0


def with_scaled(opaque: Opaque, slope: Slope, scale: Frac) -> Opaque:
    """The opaque factor that a slope names, at the arguments of ``opaque``."""
    assert slope.expr is not None
    forms = opaque.forms if slope.scale == 1 else tuple(f.scale(scale) for f in opaque.forms)
    return Opaque(slope.expr, forms)
