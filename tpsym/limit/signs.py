"""Signs of products as products of signs, where every factor's sign is simpler than that of the whole."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from tpsym.functions import Phi, relu, sigmoid, step

BELOW_ONE = (sp.tanh, sp.erf, Phi, sigmoid)
"""Functions with values between −1 and 1, ends excluded."""


def split_signs(expr: Expr) -> Expr:
    """The expression with the sign of every product taken factor by factor."""
    if not expr.has(sp.sign):
        return expr
    found: Expr = expr.replace(lambda e: isinstance(e, sp.sign), lambda e: sign_of(e.args[0]))
    return found


def sign_of(expr: Expr) -> Expr:
    """The sign of an expression in real variables, almost everywhere."""
    return sp.Mul(*(_factor(f) for f in sp.Mul.make_args(expr)))


def _factor(factor: Expr) -> Expr:
    if factor.is_positive or isinstance(factor, Phi | sigmoid | sp.exp) or _above_zero(factor):
        return S.One
    if factor.is_negative:
        return S.NegativeOne
    if isinstance(factor, step):
        return factor
    if isinstance(factor, relu):
        return step(factor.args[0])
    if isinstance(factor, sp.sign):
        return factor
    if isinstance(factor, sp.Pow) and factor.exp.is_Integer:
        inner = sign_of(factor.base)
        if factor.exp.is_odd:
            return inner
        return inner if isinstance(inner, step) else inner**2
    return sp.sign(factor)


def _above_zero(expr: Expr) -> bool:
    """Whether an expression is a sum like 1 − tanh(z)²: a number, and products of bounded functions that are less."""
    if not isinstance(expr, sp.Add):
        return False
    constant, rest = expr.as_independent(*expr.free_symbols, as_Add=True)
    most = S.Zero
    for term in sp.Add.make_args(rest):
        number, functions = term.as_coeff_Mul()
        bases = [f.base if isinstance(f, sp.Pow) and f.exp.is_Integer and f.exp.is_positive else f
                 for f in sp.Mul.make_args(functions)]
        if not all(isinstance(b, BELOW_ONE) for b in bases):
            return False
        most += abs(number)
    return bool(constant.is_Rational and constant >= most)
