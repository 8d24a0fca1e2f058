"""The normal form of a mean: a sum of rational function × √(product) × exp(rational) × what is opaque.

Square roots are only ever taken of quantities known to be nonnegative (variances, determinants), which
is what makes √a √b = √(ab) legitimate here; where a square leaves its root and the sign of its base is
not known, an absolute value is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sympy as sp
from flint import fmpq
from sympy import Expr

from tpsym.gauss.field import Field, Frac, rational, split_square


class Key(NamedTuple):
    """What multiplies a rational function: exp(exponent) · √(∏ root) · rest."""

    exponent: Frac
    root: frozenset[Frac]
    rest: Expr


@dataclass(frozen=True)
class Value:
    """A sum of ``rational function × Key``."""

    terms: dict[Key, Frac]

    def __add__(self, other: Value) -> Value:
        total = dict(self.terms)
        for key, coefficient in other.terms.items():
            now = total[key] + coefficient if key in total else coefficient
            if now:
                total[key] = now
            else:
                del total[key]
        return Value(total)

    def __mul__(self, other: Value) -> Value:
        total = Value({})
        for k, a in self.terms.items():
            for m, b in other.terms.items():
                coefficient = a * b
                for unit in k.root & m.root:
                    coefficient = coefficient * unit
                key = Key(k.exponent + m.exponent, k.root ^ m.root, k.rest * m.rest)
                total = total + Value({key: coefficient})
        return total

    def __bool__(self) -> bool:
        return bool(self.terms)

    def scale(self, by: Frac) -> Value:
        return Value({k: c * by for k, c in self.terms.items()}) if by else Value({})


class Factor(NamedTuple):
    """An irreducible polynomial to a power; ``known`` if it is known to be nonnegative."""

    base: Any
    power: int
    known: bool


@dataclass(frozen=True)
class Algebra:
    """Operations on values over one field; learns which polynomials are nonnegative as it goes."""

    field: Field
    known: set[Frac] = dataclasses.field(default_factory=set)

    def scalar(self, value: Frac) -> Value:
        return Value({self.key(): value}) if value else Value({})

    def key(self, *, rest: Expr = sp.S.One) -> Key:
        return Key(self.field.zero, frozenset(), rest)

    @property
    def one(self) -> Value:
        return self.scalar(self.field.one)

    def exp(self, exponent: Frac) -> Value:
        return Value({Key(exponent, frozenset(), sp.S.One): self.field.one})

    def opaque(self, expr: Expr) -> Value:
        """An expression as it is, but for its rational multiple of one and of pi."""
        total = Value({})
        for term in sp.Add.make_args(expr):
            number, rest = term.as_coeff_Mul()
            try:
                total = total + self.scalar(self.field.of(term))
            except ValueError:
                total = total + Value({self.key(rest=rest): self.field.of(number)})
        return total

    def learn(self, value: Frac) -> None:
        """Record that ``value ≥ 0`` (all its factors but one known)."""
        if value and not value.is_number:
            self.sqrt(value)

    def factors(self, value: Frac) -> tuple[sp.Rational, list[Factor]]:
        """``value = content · ∏ base^power``, each base oriented to be nonnegative where that is known."""
        content, found = sp.S.One, []
        for poly, sign in ((value.num, 1), (value.den, -1)):
            unit, parts = poly.factor()
            content *= rational(fmpq(unit)) ** sign
            for part, exponent in parts:
                power = sign * int(exponent)
                part, lead, known = self._oriented(part)
                content *= lead**power
                found.append(Factor(part, power, known))
        return content, found

    def _oriented(self, poly: Any) -> tuple[Any, sp.Integer, bool]:
        for candidate, sign in ((poly, sp.S.One), (-poly, sp.S.NegativeOne)):
            if self._nonnegative(candidate):
                return candidate, sign, True
        weight = sum(1 if c > 0 else -1 for c in poly.coeffs())
        return (poly, sp.S.One, False) if weight >= 0 else (-poly, sp.S.NegativeOne, False)

    def _nonnegative(self, poly: Any) -> bool:
        """Known, evident, or evident once a multiple of something known is taken away."""
        if self.field.evidently_nonnegative(poly) or self.field.poly(poly) in self.known:
            return True
        terms = poly.to_dict()
        monomial = next((m for m, c in terms.items() if c < 0), None)
        for known in self.known:
            below = known.num.to_dict().get(monomial, 0)
            if below < 0 and self.field.evidently_nonnegative(poly - known.num * (terms[monomial] / below)):
                return True
        return False

    def sqrt(self, value: Frac) -> Value:
        """√value for a value that is nonnegative wherever the covariance is admissible."""
        if not value:
            return Value({})
        content, factors = self.factors(value)
        loose = [f for f in factors if not f.known and f.power % 2]
        if len(loose) == 1:  # its sign follows from value >= 0
            lead = 1 if content > 0 else -1
            self.known.add(self.field.poly(loose[0].base * lead))
            content, factors = self.factors(value)
            loose = []
        coefficient, root = self._sqrt_number(abs(content))
        rest = sp.S.One
        for f in factors:
            if f.known:
                coefficient = coefficient * self._power(f.base, f.power // 2)
                root = root | {self.field.poly(f.base)} if f.power % 2 else root
            elif f.power % 4 == 2 or (f.power % 2 and (f.power // 2) % 2):
                coefficient = coefficient * self._power(f.base, f.power // 2 - 1)
                rest *= sp.Abs(self.field.to_sympy(f.base))
            else:
                coefficient = coefficient * self._power(f.base, f.power // 2)
        if loose:
            product = self.field.constant(1 if content > 0 else -1)
            for f in loose:
                product = product * self.field.poly(f.base)
            root = root | {product}
        return Value({Key(self.field.zero, root, rest): coefficient})

    def _power(self, base: Any, power: int) -> Frac:
        result = self.field.poly(base ** abs(power))
        return result if power >= 0 else self.field.one / result

    def _sqrt_number(self, value: sp.Rational) -> tuple[Frac, frozenset[Frac]]:
        """√(p/q) = √(pq)/q, as a rational and a set of primes under the root."""
        square, rest = split_square(int(value.p) * int(value.q))
        units = {self.field.constant(int(p)) for p in sp.factorint(rest, limit=10**5)} if rest > 1 else set()
        return self.field.constant(fmpq(square, int(value.q))), frozenset(units)

    def inverse(self, value: Value) -> Value:
        """1/value for a single term."""
        ((key, coefficient),) = value.terms.items()
        for unit in key.root:
            coefficient = coefficient * unit
        if key.rest != 1:  # absolute values: 1/|f| = |f|/f²
            coefficient = coefficient * self.field.of(sp.expand(key.rest**2))
        return Value({Key(-key.exponent, key.root, key.rest): self.field.one / coefficient})

    def expr(self, value: Value) -> Expr:
        """The value as a sympy expression: coefficients factored, roots combined with them."""
        return sp.Add(*(t for key, c in value.terms.items() for t in self._term(key, c)))

    def _term(self, key: Key, coefficient: Frac) -> Iterator[Expr]:
        exponent = self.ratio(key.exponent)
        outside = key.rest * sp.exp(exponent)
        if not key.root and coefficient.den.is_constant():
            for monomial in sp.Add.make_args(self.field.to_sympy(coefficient.num)):
                yield monomial * outside
            return
        yield sp.Mul(self._product(coefficient, key.root), outside)

    def _product(self, coefficient: Frac, root: Iterable[Frac]) -> Expr:
        content, factors = self.factors(coefficient)
        half = {unit: sp.Rational(1, 2) for unit in root}
        powers = [(f.base, sp.Integer(f.power) + half.pop(self.field.poly(f.base), 0)) for f in factors]
        powers += [(unit.num, power) for unit, power in half.items()]
        joined: dict[Any, Any] = {}
        outside = [content]
        for base, power in powers:  # (q−c)^(1/2) (q+c)^(1/2) is written (q²−c²)^(1/2)
            if power.is_Integer or self.field.evidently_nonnegative(base):
                outside.append(self.field.to_sympy(base) ** power)
            else:
                joined[power] = joined[power] * base if power in joined else base
        return sp.Mul(*outside, *(self.field.to_sympy(base) ** power for power, base in joined.items()))

    def ratio(self, value: Frac) -> Expr:
        """A rational function: expanded if it is a polynomial, else factored."""
        if value.den.is_constant():
            return self.field.to_sympy(value.num)
        return self._product(value, ())
