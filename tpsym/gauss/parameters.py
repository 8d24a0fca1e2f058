"""Fresh symbols for what an integrand and a covariance are made of, so that shapes repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.generators import is_small


@dataclass
class Parameters:
    """Expressions and the symbols that stand for them, numbered in order of appearance."""

    names: dict[Expr, Symbol] = field(default_factory=dict)

    def name(self, value: Expr, *, variance: bool = False) -> Expr:
        """The symbol for a value (with the sign that is known of it); a rational coefficient is kept."""
        if value in self.names:
            return self.names[value]
        if -value in self.names:
            return -self.names[-value]
        positive = variance or value.is_positive
        known = {"positive": True} if positive else {"nonnegative": True} if value.is_nonnegative else {"real": True}
        self.names[value] = Symbol(f"κ{len(self.names)}", **known)
        return self.names[value]

    def covariance(self, rows: Sequence[Sequence[Expr]]) -> tuple[tuple[Expr, ...], ...]:
        """The matrix with a symbol for every different entry; zeros are kept."""
        for i, row in enumerate(rows):
            self.name(row[i], variance=True)
        return tuple(tuple(sp.S.Zero if c == 0 else self.name(c) for c in row) for row in rows)

    def abstract(self, expr: Expr, variables: Sequence[Symbol]) -> Expr:
        """The expression with a symbol for every largest subexpression free of the variables."""
        if expr in variables or expr.is_Rational:
            return expr
        if expr.free_symbols.isdisjoint(variables):
            if expr.is_Pow and expr.exp.is_Rational and expr.exp < 0 and is_small(expr, limit=12):
                return 1 / self.abstract(1 / expr, variables)
            algebraic = expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer and expr.exp > 0)
            if algebraic and is_small(expr, limit=12):
                return expr.func(*(self.abstract(a, variables) for a in expr.args))
            coefficient, rest = expr.as_coeff_Mul()
            return coefficient * self.name(rest) if coefficient.is_Rational else self.name(expr)
        if expr.is_Mul or expr.is_Add:
            number, rest = expr.as_independent(*variables, as_Add=bool(expr.is_Add))
            inner = [self.abstract(a, variables) for a in expr.func.make_args(rest)]
            return expr.func(self.abstract(number, variables), *inner)
        arguments = [self.abstract(a, variables) if isinstance(a, Expr) and a.has(*variables) else a for a in expr.args]
        return expr.func(*arguments)
