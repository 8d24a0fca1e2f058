"""Which branch of a piecewise value holds, from the premises: nonlinear real arithmetic over polynomials and roots.

Only what follows is used. A branch is taken if the premises imply its condition and left out if they contradict it;
what z3 does not settle in its time stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
import z3
from sympy import Expr
from sympy.core.relational import Relational

MILLISECONDS = 1500
"""What one question to z3 may take."""
CONSTANTS = {sp.pi: ("3.14159265358979", "3.14159265358980"), sp.E: ("2.71828182845904", "2.71828182845905")}
"""Transcendental numbers as intervals."""
MAX_POWER = 24
RELATIONS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}


class Unsettled(Exception):
    """An expression outside of real algebra, or one that need not be defined."""


@dataclass(slots=True)
class Facts:
    """Premises as constraints on real variables, one for each symbol and each root.

    In a premise an expression is taken to be defined: it is said of points where it is. Elsewhere the premises have
    to imply that a radicand is not negative and a denominator not zero.
    """

    solver: Any
    variables: dict[Expr, Any] = field(default_factory=dict)
    stated: bool = False

    def implied(self, condition: sp.Basic) -> bool | None:
        """Whether the condition follows (True), contradicts the premises (False), or neither is known."""
        try:
            formula = self.formula(condition)
        except Unsettled:
            return None
        if self._follows(formula):
            return True
        return False if self._follows(z3.Not(formula)) else None

    def state(self, condition: sp.Basic) -> None:
        """Add a premise; one outside of real algebra is left out, which only loses knowledge."""
        self.stated = True
        try:
            self.solver.add(self.formula(condition))
        except Unsettled:
            pass
        finally:
            self.stated = False

    def _follows(self, formula: Any) -> bool:
        self.solver.push()
        try:
            self.solver.add(z3.Not(formula))
            return bool(self.solver.check() == z3.unsat)
        finally:
            self.solver.pop()

    def _defined(self, formula: Any) -> None:
        if self.stated:
            self.solver.add(formula)
        elif not self._follows(formula):
            raise Unsettled

    def formula(self, condition: sp.Basic) -> Any:
        if condition in (sp.true, sp.false):
            return z3.BoolVal(condition == sp.true)
        if isinstance(condition, Relational):
            return RELATIONS[condition.rel_op](self.number(condition.lhs), self.number(condition.rhs))
        if isinstance(condition, sp.And):
            return z3.And(*(self.formula(c) for c in condition.args))
        if isinstance(condition, sp.Or | sp.Not):
            # one side of `or` may hold where the other is not defined
            before, self.stated = self.stated, False
            try:
                parts = [self.formula(c) for c in condition.args]
            finally:
                self.stated = before
            return z3.Not(parts[0]) if isinstance(condition, sp.Not) else z3.Or(*parts)
        raise Unsettled

    def number(self, expr: sp.Basic) -> Any:
        """An expression as a term of z3.

        Raises:
            Unsettled: it is none, or it is not certain to be defined.
        """
        match expr:
            case sp.Rational():
                return z3.Q(int(expr.p), int(expr.q))
            case sp.Symbol():
                return self._symbol(expr)
            case sp.Add():
                return z3.Sum(*(self.number(a) for a in expr.args))
            case sp.Mul():
                return z3.Product(*(self.number(a) for a in expr.args))
            case sp.Pow(exp=sp.Rational() as exponent) if expr.base is not sp.E:
                return self._power(expr.base, exponent)
            case sp.Abs():
                inner = self.number(expr.args[0])
                return z3.If(inner >= 0, inner, -inner)
            case sp.Max() | sp.Min():
                first, *others = (self.number(a) for a in expr.args)
                for other in others:
                    larger = other >= first if isinstance(expr, sp.Max) else other <= first
                    first = z3.If(larger, other, first)
                return first
        if expr in CONSTANTS:
            return self._constant(expr)
        raise Unsettled

    def _new(self, expr: Expr) -> Any:
        made = self.variables[expr] = z3.Real(f"v{len(self.variables)}")
        return made

    def _symbol(self, symbol: sp.Symbol) -> Any:
        if symbol in self.variables:
            return self.variables[symbol]
        x = self._new(symbol)
        signs = (
            (symbol.is_positive, x > 0), (symbol.is_negative, x < 0), (symbol.is_nonnegative, x >= 0),
            (symbol.is_nonpositive, x <= 0), (symbol.is_zero is False, x != 0),
        )
        self.solver.add(*(fact for holds, fact in signs if holds))
        return x

    def _constant(self, expr: Expr) -> Any:
        if expr not in self.variables:
            x = self._new(expr)
            low, high = CONSTANTS[expr]
            self.solver.add(x > z3.RealVal(low), x < z3.RealVal(high))
        return self.variables[expr]

    def _power(self, base: Expr, exponent: sp.Rational) -> Any:
        if abs(exponent.p) > MAX_POWER or exponent.q > MAX_POWER:
            raise Unsettled
        x = self.number(base) if exponent.q == 1 else self._root(base, int(exponent.q))
        power = z3.Product(*[x] * abs(int(exponent.p)))
        if exponent.p > 0:
            return power
        self._defined(x != 0)
        return 1 / power

    def _root(self, base: Expr, degree: int) -> Any:
        """``r ≥ 0`` with ``r^degree = base ≥ 0``."""
        key = sp.Pow(base, sp.Rational(1, degree), evaluate=False)
        x = self.number(base)
        self._defined(x >= 0)
        if key not in self.variables:
            r = self._new(key)
            self.solver.add(r >= 0, z3.Product(*[r] * degree) == x)
        return self.variables[key]


def facts(conditions: Iterable[sp.Basic]) -> Facts:
    """Premises for questions about branches."""
    solver = z3.SolverFor("QF_NRA")
    solver.set("timeout", MILLISECONDS)
    found = Facts(solver)
    for condition in conditions:
        found.state(condition)
    return found


def settled(expressions: Sequence[Expr], conditions: Iterable[sp.Basic]) -> list[Expr]:
    """Expressions with the branches that hold under the premises in place of piecewise values, maxima and minima."""
    if not any(e.has(sp.Piecewise, sp.Max, sp.Min) for e in expressions):
        return list(expressions)
    known = facts(conditions)
    return [_settle(e, known) for e in expressions]


def _settle(expr: Expr, known: Facts) -> Expr:
    if not expr.has(sp.Piecewise, sp.Max, sp.Min):
        return expr
    if isinstance(expr, sp.Piecewise):
        return _branch(expr, known)
    arguments = [_settle(a, known) for a in expr.args]
    if isinstance(expr, sp.Max | sp.Min):
        sign = 1 if isinstance(expr, sp.Max) else -1
        for a in arguments:
            if all(b is a or known.implied(sp.Ge(sign * (a - b), 0)) for b in arguments):
                return a
    made: Expr = expr.func(*arguments)
    return made


def _branch(expr: sp.Piecewise, known: Facts) -> Expr:
    """The first branch whose condition holds, if all before it are certain not to."""
    left: list[tuple[Expr, sp.Basic]] = []
    for value, condition in expr.args:
        truth = known.implied(condition)
        if truth is False:
            continue
        if truth is True and not left:
            return _settle(value, known)
        left.append((_settle(value, known), sp.true if truth else condition))
        if truth:
            break
    made: Expr = sp.Piecewise(*left) if left else sp.nan
    return made


__all__ = ["Facts", "facts", "settled"]
