"""Reading sympy expressions as rational functions of what in them is not rational."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.field import Field, Frac
from tpsym.gauss.values import Algebra

SMALL = 80
"""Expressions with more nodes than this are taken as they are, never multiplied out."""


def is_small(expr: Expr, *, limit: int = SMALL) -> bool:
    """Whether the expression has at most ``limit`` nodes (looks at no more than that)."""
    return len(list(islice(sp.preorder_traversal(expr), limit + 1))) <= limit


class Reading:
    """Expressions over one field whose symbols stand for their non-rational parts.

    A square root is a symbol r; a symbol q whose root occurs is read as r².
    """

    def __init__(self, exprs: Iterable[Expr], *, nonnegative: Collection[Expr] = ()) -> None:
        self._nonnegative = nonnegative
        exprs = list(exprs)
        self.has_roots = False
        self._names: dict[Expr, Symbol] = {}
        self._squares: dict[Expr, Symbol] = {}
        for expr in exprs:
            self._find(expr)
        self._back = {s: e for e, s in self._names.items()}
        self.field = Field((*self._names.values(), sp.pi))
        self.algebra = Algebra(self.field)

    def _find(self, expr: Expr) -> None:
        if expr.is_Rational or expr == sp.pi:
            return
        if not is_small(expr):
            self._name(expr)
        elif expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer):
            for arg in expr.args if not expr.is_Pow else expr.args[:1]:
                self._find(arg)
        elif expr.is_Pow and expr.exp.is_Rational and expr.exp.q == 2:
            self.has_roots = True
            self._squares[expr.base] = self._name(sp.sqrt(expr.base))
        else:
            self._name(expr)

    def _name(self, expr: Expr) -> Symbol:
        if expr not in self._names:
            nonnegative = expr.is_nonnegative or expr in self._nonnegative
            known = {"nonnegative": True} if nonnegative else {"real": True}
            self._names[expr] = Symbol(f"γ{len(self._names)}", **known)
        return self._names[expr]

    def read(self, expr: Expr) -> Frac:
        """The expression in the field."""
        return self.field.of(self._renamed(expr))

    def _renamed(self, expr: Expr) -> Expr:
        if expr in self._squares:
            return self._squares[expr] ** 2
        if expr in self._names:
            return self._names[expr]
        if expr.is_Pow and expr.exp.is_Rational and expr.exp.q == 2:
            return self._squares[expr.base] ** int(2 * expr.exp)
        if expr.is_Add or expr.is_Mul:
            return expr.func(*map(self._renamed, expr.args))
        if expr.is_Pow and expr.exp.is_Integer:
            return self._renamed(expr.base) ** expr.exp
        return expr

    def write(self, value: Frac) -> Expr:
        """A rational function back in the expressions it came from."""
        return self.algebra.ratio(value).xreplace(self._back)

    def sqrt(self, value: Frac) -> Expr:
        """The root of a nonnegative value, squares taken out of it."""
        return self.algebra.expr(self.algebra.sqrt(value)).xreplace(self._back)

    def is_zero(self, value: Frac) -> bool:
        """Exactly zero, as a function of the symbols (roots squared out)."""
        if not value:
            return True
        if not self.has_roots:
            return False
        return bool(sp.expand(self.field.to_sympy(value.num).xreplace(self._back)) == 0)


def as_fraction(expr: Expr) -> Expr:
    """A small sum or product as one fraction, multiplied out above and factored below."""
    if not (expr.is_Add or expr.is_Mul) or not is_small(expr) or not expr.atoms(sp.Add):
        return expr
    reading = Reading([expr])
    return reading.write(reading.read(expr))


def tidied_root(expr: Expr, *, nonnegative: Collection[Expr] = ()) -> Expr:
    """base^(n/2) with squares taken out of the base: √(q² − q²ρ²) = q √(1 − ρ²) for q ≥ 0.

    ``nonnegative`` are expressions known to be so, such as variances.
    """
    if not expr.is_Pow or not expr.base.is_Add or not is_small(expr.base):
        return expr
    base, power = expr.base, int(2 * expr.exp)
    reading = Reading([base], nonnegative=nonnegative)
    if reading.has_roots:
        return expr
    value = reading.read(base)
    return reading.sqrt(value) ** power if value else sp.S.Zero**power
