r"""relu(uP) = P relu(u), step(uP) = step(u) for an almost surely positive P: exact, where P is no constant.

P is a power of a quadratic form that is a sum of squares: it vanishes on a subspace only, of probability zero
unless the form itself is constant.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy import Expr, Symbol

from tpsym import functions as fn

LIKE_ONE = (fn.step, sp.sign, sp.Heaviside)
LIKE_ARGUMENT = (fn.relu, sp.Abs, fn.leaky_relu)


def homogeneous(expr: Expr, variables: Sequence[Symbol]) -> Expr:
    """The expression with positive factors taken out of what is homogeneous in its argument."""
    if expr.free_symbols.isdisjoint(variables) or not any(
        f.has(sp.Pow) for f in expr.atoms(*LIKE_ONE, *LIKE_ARGUMENT, fn.delta)
    ):
        return expr
    return pulled(expr, tuple(variables))


def pulled(expr: Expr, variables: tuple[Symbol, ...]) -> Expr:
    if not expr.args or not isinstance(expr, Expr) or expr.free_symbols.isdisjoint(variables):
        return expr
    if expr.is_polynomial(*variables):
        return expr
    args = [pulled(a, variables) if isinstance(a, Expr) else a for a in expr.args]
    if isinstance(expr, (*LIKE_ONE, *LIKE_ARGUMENT, fn.delta)):
        positive, rest = without_positive(args[0], variables)
        if positive != 1:
            head = expr.func(rest, *args[1:])
            if isinstance(expr, fn.delta):
                return head / positive
            return head if isinstance(expr, LIKE_ONE) else positive * head
    return expr.func(*args) if args != list(expr.args) else expr


def without_positive(argument: Expr, variables: tuple[Symbol, ...]) -> tuple[Expr, Expr]:
    """(P, argument/P) with P > 0 almost surely."""
    factors = sp.Mul.make_args(sp.factor_terms(argument) if argument.is_Add and argument.has(sp.Pow) else argument)
    positive = [f for f in factors if is_positive(f, variables)]
    rest = [f for f in factors if f not in positive]
    return sp.Mul(*positive), sp.Mul(*rest)


def is_positive(expr: Expr, variables: tuple[Symbol, ...]) -> bool:
    """A power of a sum of squares in the variables."""
    if not expr.is_Pow or expr.exp.free_symbols or not expr.exp.is_real or (expr.exp.is_Integer and expr.exp > 0):
        return False
    return is_sum_of_squares(expr.base, variables)


def is_sum_of_squares(expr: Expr, variables: tuple[Symbol, ...]) -> bool:
    """Squares of affine forms in the variables with positive coefficients, and nonnegative constants."""
    if expr.is_Mul:
        number, rest = expr.as_independent(*variables, as_Add=False)
        return bool(number.is_positive) and is_sum_of_squares(rest, variables)
    constant, rest = expr.as_independent(*variables, as_Add=True) if expr.is_Add else (sp.S.Zero, expr)
    if rest == 0 or not constant.is_nonnegative:
        return False
    return all(is_square(a, variables) for a in sp.Add.make_args(rest)) or is_definite(rest, variables)


def is_square(expr: Expr, variables: tuple[Symbol, ...]) -> bool:
    number, rest = expr.as_independent(*variables, as_Add=False)
    even = rest.is_Pow and rest.exp.is_Integer and rest.exp > 0 and rest.exp % 2 == 0
    return bool(number.is_positive) and bool(even) and rest.base.is_polynomial(*variables)


def is_definite(expr: Expr, variables: tuple[Symbol, ...]) -> bool:
    """A quadratic form with numbers as coefficients and no negative eigenvalue."""
    if not expr.is_polynomial(*variables):
        return False
    poly = sp.Poly(expr, *variables)
    if not poly.is_homogeneous or poly.total_degree() != 2 or not all(c.is_Rational for c in poly.coeffs()):
        return False
    return bool((sp.hessian(expr, variables) / 2).is_positive_semidefinite)
