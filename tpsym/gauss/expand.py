"""Rewritten integrands as polynomials in the variables, by the factors that multiply them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import step
from tpsym.gauss.field import Field, rational


class Group(NamedTuple):
    """The terms with the same factors: factor → power, and exponents → coefficient."""

    factors: tuple[tuple[Expr, int], ...]
    polynomial: dict[tuple[int, ...], Expr]
    variables: tuple[Symbol, ...]

    @property
    def expr(self) -> Expr:
        """The terms as one expression."""
        monomials = (
            sp.Mul(c, *(v**k for v, k in zip(self.variables, exponents, strict=True)))
            for exponents, c in self.polynomial.items()
        )
        return sp.Add(*monomials) * sp.Mul(*(f**k for f, k in self.factors))


def expand(expr: Expr, variables: Sequence[Symbol], parameters: Sequence[Symbol]) -> list[Group]:
    """The integrand as polynomials in the variables, by the factors that multiply them."""
    factors = list(dict.fromkeys(find_factors(expr, variables)))
    tags = [Symbol(f"τ{i}") for i in range(len(factors))]
    field = Field((*variables, *tags, *parameters, sp.pi))
    replaced = field.of(expr.xreplace(dict(zip(factors, tags, strict=True))))
    below = field.to_sympy(replaced.den)
    if not below.free_symbols <= set(parameters):
        raise ValueError("a denominator that contains a variable is a factor of its own")
    n, m = len(variables), len(tags)
    groups: dict[tuple[tuple[Expr, int], ...], dict[tuple[int, ...], list[Expr]]] = {}
    for exponents, coefficient in replaced.num.to_dict().items():
        powers = tuple(int(k) for k in exponents)
        content = tuple(
            (f, min(k, 1) if isinstance(f, step) else k) for f, k in zip(factors, powers[n : n + m], strict=True) if k
        )
        rest = zip((*parameters, sp.pi), powers[n + m :], strict=True)
        term = sp.Mul(rational(coefficient), *(s**k for s, k in rest))
        groups.setdefault(content, {}).setdefault(powers[:n], []).append(term)
    summed = ((content, {p: sp.Add(*ts) / below for p, ts in poly.items()}) for content, poly in groups.items())
    return [Group(content, poly, tuple(variables)) for content, poly in summed]


def find_factors(expr: Expr, variables: Sequence[Symbol]) -> Iterable[Expr]:
    """The maximal subexpressions in the variables that are not sums, products or whole powers."""
    if expr in variables or expr.free_symbols.isdisjoint(variables):
        return
    if expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer and expr.exp > 0):
        for arg in expr.args:
            yield from find_factors(arg, variables)
    else:
        yield expr
