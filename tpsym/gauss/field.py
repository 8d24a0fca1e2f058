"""Exact rational functions of a few real symbols, on python-flint's multivariate polynomials.

Everything between reading an integrand and printing its mean is done in such a field: equality is
decidable (so a zero variance is recognised), and sums of many terms stay small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy import Expr, Symbol


@dataclass(frozen=True, eq=False, slots=True)
class Frac:
    """``num/den`` in lowest terms, the denominator with leading coefficient 1."""

    num: Any
    den: Any
    field: Field

    def __bool__(self) -> bool:
        return bool(self.num)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frac) and bool(self.num == other.num) and bool(self.den == other.den)

    def __hash__(self) -> int:
        return hash((str(self.num), str(self.den)))

    def __add__(self, other: Frac) -> Frac:
        if self.den == other.den:
            if self.den.is_one():
                return Frac(self.num + other.num, self.den, self.field)
            return self.field.ratio(self.num + other.num, self.den)
        return self.field.ratio(self.num * other.den + other.num * self.den, self.den * other.den)

    def __sub__(self, other: Frac) -> Frac:
        return self + (-other)

    def __neg__(self) -> Frac:
        return Frac(-self.num, self.den, self.field)

    def __mul__(self, other: Frac) -> Frac:
        if self.den.is_one() and other.den.is_one():
            return Frac(self.num * other.num, self.den, self.field)
        return self.field.ratio(self.num * other.num, self.den * other.den)

    def __truediv__(self, other: Frac) -> Frac:
        if not other.num:
            raise ZeroDivisionError("division by an expression that is identically zero")
        return self.field.ratio(self.num * other.den, self.den * other.num)

    def scale(self, by: int) -> Frac:
        return Frac(self.num * by, self.den, self.field) if by else self.field.zero

    @property
    def is_number(self) -> bool:
        return bool(self.num.is_constant() and self.den.is_one())

    @property
    def number(self) -> sp.Rational:
        return rational(self.num.leading_coefficient()) if self.num else sp.S.Zero


def rational(value: Any) -> sp.Rational:
    """A flint rational as a sympy one."""
    return sp.Rational(int(value.p), int(value.q))


class OutOfBudgetError(ArithmeticError):
    """A reduction has taken more arithmetic than a closed form is worth."""


@dataclass(frozen=True)
class Field:
    """ℚ(symbols); a symbol may be a sympy number such as pi that is transcendental.

    ``budget`` bounds the work on fractions, in terms of polynomials met (``None``: no bound). It counts
    operations and not seconds, so that the same question has the same answer everywhere.
    """

    symbols: tuple[Symbol, ...]
    budget: int | None = None
    spent: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    @cached_property
    def context(self) -> Any:
        return fmpq_mpoly_ctx.get([f"x{i}" for i in range(len(self.symbols))], Ordering.degrevlex)

    @cached_property
    def generators(self) -> dict[Symbol, Any]:
        return dict(zip(self.symbols, self.context.gens(), strict=True))

    @cached_property
    def positive(self) -> tuple[bool, ...]:
        return tuple(bool(s.is_nonnegative) for s in self.symbols)

    @cached_property
    def zero(self) -> Frac:
        return Frac(self.context.constant(0), self.context.constant(1), self)

    @cached_property
    def one(self) -> Frac:
        return self.constant(1)

    def constant(self, value: Any) -> Frac:
        return Frac(self.context.constant(value), self.context.constant(1), self)

    def poly(self, value: Any) -> Frac:
        return Frac(value, self.context.constant(1), self)

    def ratio(self, num: Any, den: Any) -> Frac:
        """``num/den`` brought to lowest terms."""
        if not num:
            return self.zero
        self.spent[0] += 4 + len(num) + len(den)
        if self.budget is not None and self.spent[0] > self.budget:
            raise OutOfBudgetError
        common = num.gcd(den)
        if not common.is_one():
            num, den = num / common, den / common
        lead = den.leading_coefficient()
        return Frac(num / lead, den / lead, self) if lead != 1 else Frac(num, den, self)

    def of(self, expr: Expr) -> Frac:
        """A rational expression in the symbols as an element of the field."""
        if expr.is_Rational:
            return self.constant(fmpq(int(expr.p), int(expr.q)))
        if expr in self.generators:
            return self.poly(self.generators[expr])
        if expr.is_Add:
            total = self.zero
            for arg in expr.args:
                total = total + self.of(arg)
            return total
        if expr.is_Mul:
            product = self.one
            for arg in expr.args:
                product = product * self.of(arg)
            return product
        if expr.is_Pow and expr.exp.is_Integer:
            base, n = self.of(expr.base), int(expr.exp)
            if n < 0:
                base, n = self.one / base, -n
            return Frac(base.num**n, base.den**n, self)
        raise ValueError(f"not a rational expression in {self.symbols}: {expr}")

    def to_sympy(self, poly: Any) -> Expr:
        """A polynomial, expanded."""
        terms = []
        for exponents, coefficient in poly.to_dict().items():
            powers = (s ** int(k) for s, k in zip(self.symbols, exponents, strict=True) if k)
            terms.append(sp.Mul(rational(coefficient), *powers))
        return sp.Add(*terms)

    def evidently_nonnegative(self, poly: Any) -> bool:
        """All coefficients positive, on monomials that are nonnegative for all admissible values."""
        return all(
            c > 0 and all(known or k % 2 == 0 for k, known in zip(exponents, self.positive, strict=True))
            for exponents, c in poly.to_dict().items()
        )


def split_square(value: int) -> tuple[int, int]:
    """``value = square² · rest`` with ``rest`` squarefree as far as small primes show."""
    if isqrt(value) ** 2 == value:
        return isqrt(value), 1
    square, rest = 1, value
    for prime, exponent in sp.factorint(value, limit=10**5).items():
        square *= prime ** (exponent // 2)
        rest //= prime ** (2 * (exponent // 2))
    return square, rest


def symbols_of(exprs: Iterable[Expr]) -> Sequence[Symbol]:
    """The free symbols, sorted by name."""
    return sorted(set().union(*(e.free_symbols for e in exprs)), key=lambda s: (s.name, str(s.assumptions0)))
