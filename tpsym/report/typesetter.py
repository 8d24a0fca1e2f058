"""How a formula is put together, whatever it is set in: LaTeX, Unicode text and MathML share this.

A subclass also derives from one of sympy's printers, which sets everything not met here, and says
how a sum, product, fraction, root, power and call are written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy import Expr, Symbol
from sympy.core.function import AppliedUndef

from tpsym.functions import Unknown
from tpsym.gauss.expectation import E
from tpsym.report.laws import Laws
from tpsym.report.ordering import HALF, common_fraction, group_fractions, is_negative, ordered_terms, quotient

HEADS = MappingProxyType(
    {
        "asin": (r"\arcsin", "asin"),
        "acos": (r"\arccos", "acos"),
        "atan": (r"\arctan", "atan"),
        "sin": (r"\sin", "sin"),
        "cos": (r"\cos", "cos"),
        "tan": (r"\tan", "tan"),
        "sinh": (r"\sinh", "sinh"),
        "cosh": (r"\cosh", "cosh"),
        "tanh": (r"\tanh", "tanh"),
        "log": (r"\log", "log"),
        "Phi": (r"\Phi", "Φ"),
        "delta": (r"\delta", "δ"),
        "Max": (r"\max", "max"),
        "Min": (r"\min", "min"),
        "sign": (r"\operatorname{sign}", "sign"),
    }
)
"""Class of a function → its name in LaTeX and in text; any other is its own name, upright."""


class Typesetter(ABC):
    """The structure of formulas; ``laws`` names the variables of expectations."""

    laws: Laws

    # What a setting must say -------------------------------------------------------------------

    @abstractmethod
    def sum(self, terms: Sequence[tuple[bool, str]]) -> str:
        """Terms with their signs (``True``: subtracted) in one line."""

    @abstractmethod
    def quotient(self, above: Sequence[Expr], below: Sequence[Expr]) -> str:
        """A fraction of two products."""

    @abstractmethod
    def root(self, radicand: Expr, index: int) -> str:
        """The root of this index."""

    @abstractmethod
    def power(self, base: Expr, exponent: Expr) -> str:
        """A base with its exponent."""

    @abstractmethod
    def exponential(self, exponent: Expr) -> str:
        """e to the exponent."""

    @abstractmethod
    def call(self, head: str, arguments: Sequence[Expr], exponent: Expr | None = None) -> str:
        """A function applied, with the exponent its value carries."""

    @abstractmethod
    def minus(self, body: str) -> str:
        """The negative of what is set."""

    @abstractmethod
    def bracket(self, body: str, kind: str = "()") -> str:
        """Something in brackets."""

    @abstractmethod
    def head(self, function: Expr) -> str:
        """The name of a function."""

    # What follows --------------------------------------------------------------------------------

    def _print_Add(self, expr: Expr, **_: Any) -> str:
        whole = common_fraction(expr)
        if not isinstance(whole, sp.Add):
            return self._print(whole)
        terms = ordered_terms(expr)
        return self.sum([(is_negative(t), self._print(-t if is_negative(t) else t)) for t in terms])

    def _print_Mul(self, expr: Expr) -> str:
        split = quotient(expr)
        body = self.quotient(split.numerator, split.denominator)
        return self.minus(body) if split.negative else body

    def _print_Rational(self, expr: Expr) -> str:
        return self._print_Mul(expr)

    def _print_Pow(self, expr: Expr, **_: Any) -> str:
        base, exponent = expr.args
        if exponent.is_Rational and exponent.p == 1 and exponent.q > 1:
            return self.root(base, exponent.q)
        split = quotient(expr)
        if split.denominator:
            return self.quotient(split.numerator, split.denominator)
        if exponent.is_Integer and isinstance(base, sp.Function) and not isinstance(base, sp.exp):
            return self.call(self.head(base), _arguments(base), exponent)
        return self.power(base, exponent)

    def _print_exp(self, expr: Expr, exp: Any = None) -> str:
        return self.exponential(group_fractions(expr.args[0]))

    def _function(self, expr: Expr) -> str:
        if isinstance(expr, AppliedUndef) and str(expr.func) == "E":  # an expectation before it is evaluated
            return self._print_E(expr)
        return self.call(self.head(expr), _arguments(expr))

    def _print_Abs(self, expr: Expr, exp: Any = None) -> str:
        return self.bracket(self._print(expr.args[0]), "||")

    def _print_E(self, expr: Expr) -> str:
        body = self.laws.body(expr) if isinstance(expr, E) else expr.args[0]
        return self.bracket(self._print(body), "[]")

    def _print(self, expr: Any, **options: Any) -> str:
        """Functions are all set by :meth:`call`, also those sympy's printers have methods for."""
        if isinstance(expr, sp.Function | sp.Max | sp.Min) and not isinstance(expr, sp.exp | sp.Abs | sp.Piecewise):
            return self._function(expr)
        return str(super()._print(expr, **options))  # type: ignore[misc]


def _arguments(function: Expr) -> tuple[Expr, ...]:
    return function.arguments if isinstance(function, Unknown) else function.args


def is_atom(expr: Expr) -> bool:
    """Whether something needs no brackets before an exponent or as a denominator on one line."""
    if isinstance(expr, Symbol):
        return not expr.name.startswith("dot(")
    if expr.is_Integer:
        return bool(expr >= 0)
    if isinstance(expr, sp.NumberSymbol | E):
        return True
    return isinstance(expr, sp.Function) and not isinstance(expr, sp.exp)


def is_long(expr: Expr) -> bool:
    """Whether a factor stands beside a fraction rather than above its bar: sums, functions, expectations."""
    base = expr.base if isinstance(expr, sp.Pow) and not is_root(expr) else expr
    if is_root(base):
        return isinstance(base.base, sp.Mul) and any(quotient(f).denominator for f in base.base.args)
    return not isinstance(base, Symbol | sp.Number | sp.NumberSymbol) and not _is_geometric(base)


def _is_geometric(expr: Expr) -> bool:
    """``q^l − 1``, or ``q^l``: it stays above the bar."""
    return any(isinstance(t, sp.Pow) and not t.exp.is_number for a in expr.args for t in (a, *a.args)) or (
        isinstance(expr, sp.Pow) and not expr.exp.is_number
    )


def is_symbol(expr: Expr) -> bool:
    """A letter, constant or power of one: what a number may stand before without a sign."""
    return isinstance(expr.base if isinstance(expr, sp.Pow) else expr, Symbol | sp.NumberSymbol)


def is_root(expr: Expr) -> bool:
    """Whether an expression is a square root."""
    return isinstance(expr, sp.Pow) and expr.exp == HALF


def primes(orders: Sequence[int]) -> tuple[str, str]:
    """Marks of a derivative of these orders: primes for one argument, else the indices derived in."""
    if len(orders) == 1:
        return ("'" * orders[0], "") if orders[0] <= 3 else ("", f"({orders[0]})")
    return "", "".join(str(i + 1) * k for i, k in enumerate(orders))
