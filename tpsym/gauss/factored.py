r"""Integrands as sums of products: affine forms × gates of affine forms × powers of quadratic forms.

A gate is α + β·step(form + noise), the noise independent: step, sign, Phi and erf are gates, relu, abs,
leaky_relu and gelu are a form times a gate. Sums inside a product stay factors where they are affine, so
that a product of centred variables has as many terms as it was written with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType

import sympy as sp

from tpsym import functions as fn
from tpsym.gauss.growth import e_has
from tpsym.gauss.quadrature import NotRigorousError

MOST_TERMS = 400
"""Terms of a sum of products beyond which nothing is multiplied out."""


@dataclass(frozen=True)
class Affine:
    """Σ coefficients·variable + constant."""

    coefficients: tuple[sp.Expr, ...]
    constant: sp.Expr


@dataclass(frozen=True)
class Gated:
    """low + jump·step(form + noise) with an independent centred noise of this variance."""

    form: Affine
    low: sp.Expr
    jump: sp.Expr
    noise: sp.Rational


@dataclass(frozen=True)
class Quadratic:
    """The matrix of a quadratic form (without linear part), and a constant added to it."""

    matrix: sp.ImmutableDenseMatrix
    constant: sp.Expr


@dataclass(frozen=True)
class Product:
    """coefficient · ∏ forms · ∏ gates · ∏ quadratic^(−power)."""

    coefficient: sp.Expr = sp.S.One
    forms: tuple[Affine, ...] = ()
    gates: tuple[Gated, ...] = ()
    quotients: tuple[tuple[Quadratic, sp.Rational], ...] = ()

    def __mul__(self, other: Product) -> Product:
        powers = dict(self.quotients)
        for form, power in other.quotients:
            powers[form] = powers.get(form, sp.S.Zero) + power
        return Product(
            self.coefficient * other.coefficient,
            self.forms + other.forms,
            self.gates + other.gates,
            tuple((q, p) for q, p in powers.items() if p),
        )


def factored(body: sp.Expr, variables: Sequence[sp.Symbol]) -> list[Product]:
    """The terms of an integrand; raises :class:`NotRigorousError` if it is not of this kind."""
    return Reader(tuple(variables)).terms(body)


@dataclass(frozen=True)
class Reader:
    """Reads expressions in these variables."""

    variables: tuple[sp.Symbol, ...]

    def terms(self, expr: sp.Expr) -> list[Product]:
        """The expression as a sum of products."""
        if not e_has(expr, self.variables):
            return [Product(expr)]
        form = self.affine(expr)
        if form is not None:
            return [Product(forms=(form,))]
        if expr.is_Add:
            return limited([t for a in expr.args for t in self.terms(a)])
        if expr.is_Mul:
            return reduce(multiplied, map(self.terms, expr.args))
        if isinstance(expr, sp.Pow) and expr.base is not sp.E:
            return self.power(expr)
        return self.function(expr)

    def power(self, expr: sp.Pow) -> list[Product]:
        base, exponent = expr.base, expr.exp
        if isinstance(exponent, sp.Integer) and exponent > 0:
            return reduce(multiplied, [self.terms(base)] * int(exponent))
        if not isinstance(exponent, sp.Rational) or exponent.q > 2:
            raise NotRigorousError("a power that is not a half-integer")
        if base.is_Mul:
            return self.power_of_product(base, exponent)
        quadratic = self.quadratic(base)
        if quadratic is None:
            raise NotRigorousError("a power of what is no quadratic form")
        whole = max(0, int(sp.ceiling(exponent)))
        below = Product(quotients=((quadratic, whole - exponent),)) if whole != exponent else Product()
        return multiplied(reduce(multiplied, [self.terms(base)] * whole, [Product()]), [below])

    def power_of_product(self, base: sp.Expr, exponent: sp.Rational) -> list[Product]:
        """(cQ)^e with a positive number c."""
        number, rest = base.as_independent(*self.variables, as_Add=False)
        if not number.is_positive or rest.is_Mul:
            raise NotRigorousError("a power of a product")
        return multiplied([Product(number**exponent)], self.terms(rest**exponent))

    def function(self, expr: sp.Expr) -> list[Product]:
        rule = GATES.get(type(expr))
        form = self.affine(expr.args[0]) if rule is not None else None
        if rule is None or form is None:
            raise NotRigorousError(f"{type(expr).__name__} is not a gate of an affine form")
        low, jump, noise, times = rule
        gate = Gated(form, low, jump, noise)
        if isinstance(expr, fn.leaky_relu):
            gate = replace(gate, low=expr.args[1], jump=1 - expr.args[1])
        return [Product(forms=(form,) if times else (), gates=(gate,))]

    def affine(self, expr: sp.Expr) -> Affine | None:
        """The expression as an affine form."""
        if not expr.is_polynomial(*self.variables):
            return None
        slopes = tuple(expr.diff(v) for v in self.variables)
        if any(e_has(s, self.variables) and e_has(sp.expand(s), self.variables) for s in slopes):
            return None
        slopes = tuple(sp.expand(s) if e_has(s, self.variables) else s for s in slopes)
        return Affine(slopes, expr.xreplace(dict.fromkeys(self.variables, sp.S.Zero)))

    def quadratic(self, expr: sp.Expr) -> Quadratic | None:
        """The expression as a quadratic form plus a constant, without linear part."""
        if not expr.is_polynomial(*self.variables):
            return None
        zero = dict.fromkeys(self.variables, sp.S.Zero)
        slopes = [expr.diff(v) for v in self.variables]
        if any(sp.expand(s.xreplace(zero)) != 0 for s in slopes):
            return None
        rows = [[sp.expand(s.diff(v)) / 2 for v in self.variables] for s in slopes]
        if any(e_has(c, self.variables) for row in rows for c in row):
            return None
        return Quadratic(sp.ImmutableDenseMatrix(rows), expr.xreplace(zero))


def multiplied(a: list[Product], b: list[Product]) -> list[Product]:
    """The product of two sums."""
    if len(a) * len(b) > MOST_TERMS:
        raise NotRigorousError("too many terms")
    return [x * y for x in a for y in b]


def limited(terms: list[Product]) -> list[Product]:
    if len(terms) > MOST_TERMS:
        raise NotRigorousError("too many terms")
    return terms


HALF = sp.Rational(1, 2)
GATES: Mapping[type, tuple[sp.Expr, sp.Expr, sp.Rational, bool]] = MappingProxyType(
    {
        fn.step: (sp.S.Zero, sp.S.One, sp.S.Zero, False),
        sp.Heaviside: (sp.S.Zero, sp.S.One, sp.S.Zero, False),
        sp.sign: (sp.S.NegativeOne, sp.Integer(2), sp.S.Zero, False),
        fn.Phi: (sp.S.Zero, sp.S.One, sp.S.One, False),
        sp.erf: (sp.S.NegativeOne, sp.Integer(2), HALF, False),
        fn.relu: (sp.S.Zero, sp.S.One, sp.S.Zero, True),
        sp.Abs: (sp.S.NegativeOne, sp.Integer(2), sp.S.Zero, True),
        fn.leaky_relu: (sp.S.Zero, sp.S.One, sp.S.Zero, True),
        fn.gelu: (sp.S.Zero, sp.S.One, sp.S.One, True),
    }
)
"""Function → low, jump, variance of the noise, and whether the argument is a factor too."""
