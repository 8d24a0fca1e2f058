r"""Polynomial arithmetic for zero tests: fractions over Q[generators] modulo monic relations.

A generator stands for a real function of the parameters (a symbol, a square root, ``exp(a)``, …).
Some carry a monic relation ``g^k = polynomial`` (``r^2 = q``, ``s^3 = s``), so the polynomials
modulo all relations form a module that is free over the polynomials in the other generators. Three
facts make every step sound wherever the original expression is defined:

* a common factor of numerator and denominator divides a product of original denominators, so it
  may be cancelled;
* a fraction is multiplied by ``w/w`` only if ``w`` divides a denominator, or ``w`` times something is
  a non-zero polynomial in relation-free generators (then ``w`` is no zero divisor);
* only a numerator that *reduces to the zero polynomial* counts as zero.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import Ordering, fmpq, fmpq_mpoly_ctx

from tpsym.verify.elements import (
    ANY,
    NEG,
    NONNEG,
    NONPOS,
    POS,
    ZERO,
    Element,
    Generator,
    NeedsCapacityError,
    NeedsFinerError,
    OutOfTimeError,
    Poly,
    TooLargeError,
    UndefinedError,
    hashed,
    negated,
    signs_of_product,
    signs_of_square,
    signs_of_sum,
)

MAX_PRODUCT = 1_000_000
MAX_TERMS = 20_000
MAX_FACTOR = 600
MAX_DEGREE = 60
MAX_POWER = 400
MAX_SHIFTED = 40


@dataclass
class Field:
    """The generators met so far in one zero test, and arithmetic on fractions of polynomials in them.

    ``hints`` gives, by key, the order of the root to start from (learnt by :class:`NeedsFinerError`).
    ``shifts`` writes integer symbols as what they are at least plus their own variable, now a whole
    number >= 0: l as l + 1 where l >= 1.
    """

    capacity: int = 16
    hints: Mapping[str, int] = field(default_factory=dict)
    deadline: float | None = None
    generators: list[Generator] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    facts: list[tuple[Poly, int]] = field(default_factory=list)
    shifts: dict[int, Poly] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [f"g{i}" for i in range(self.capacity)]
        self.context = fmpq_mpoly_ctx.get(names, Ordering.degrevlex)
        self.variables: Sequence[Poly] = self.context.gens()
        self.one = self.context.constant(1)
        self.zero = self.context.constant(0)

    # Generators -----------------------------------------------------------------------------------

    def generator(self, made: Generator) -> Poly:
        """The variable of this generator, new or met before."""
        at = self.index.get(made.key)
        if at is None:
            at = len(self.generators)
            if at >= self.capacity:
                raise NeedsCapacityError()
            self.generators.append(made)
            self.index[made.key] = at
        return self.variables[at]

    def upcoming(self) -> Poly:
        """The variable the next new generator will have."""
        if len(self.generators) >= self.capacity:
            raise NeedsCapacityError()
        return self.variables[len(self.generators)]

    def known(self, key: str) -> Poly | None:
        """The variable of the generator with this key, if it has been met."""
        at = self.index.get(key)
        return None if at is None else self.variables[at]

    def fineness(self, key: str, order: int) -> int:
        """Into how many parts the function named ``key`` is split: a multiple of ``order``, or a restart."""
        at = self.index.get(key)
        fineness = self.hints.get(key, order) if at is None else self.generators[at].parts
        if fineness % order:
            raise NeedsFinerError(key, math.lcm(fineness, order))
        return fineness

    def single(self, p: Poly) -> Generator | None:
        """The generator that ``p`` is, if it is one."""
        if len(p) != 1 or p.total_degree() != 1 or p.leading_coefficient() != 1:
            return None
        return self.generators[p.monoms()[0].index(1)]

    def check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTimeError()

    # Polynomials ----------------------------------------------------------------------------------

    def times(self, a: Poly, b: Poly) -> Poly:
        """a·b, reduced."""
        self.check_time()
        if len(a) * len(b) > MAX_PRODUCT:
            raise TooLargeError()
        product = a * b
        if len(product) > MAX_TERMS:
            raise TooLargeError()
        return self.reduce(product)

    def power(self, p: Poly, k: int) -> Poly:
        """p^k for k ≥ 0, reduced at each squaring."""
        result, square = self.one, p
        while k:
            if k & 1:
                result = self.times(result, square)
            k >>= 1
            if k:
                square = self.times(square, square)
        return result

    def reduce(self, p: Poly) -> Poly:
        """The representative of ``p`` of least degree in each generator that has a relation."""
        if p.is_constant():
            return p
        degrees = p.degrees()
        for i in range(len(self.generators) - 1, -1, -1):
            g = self.generators[i]
            while g.order and degrees[i] >= g.order:
                p = self._reduce_in(p, i, g)
                degrees = p.degrees()
        return p

    def _reduce_in(self, p: Poly, i: int, g: Generator) -> Poly:
        self.check_time()
        parts: dict[int, dict[tuple[int, ...], Any]] = {}
        for exponents, c in p.terms():
            k, rest = divmod(exponents[i], g.order)
            lowered = (*exponents[:i], rest, *exponents[i + 1 :])
            part = parts.setdefault(k, {})
            part[lowered] = part.get(lowered, 0) + c
        total, raised, at = self.zero, self.one, 0
        for k in sorted(parts):
            for _ in range(k - at):
                raised = raised * g.relation
            at = k
            part = self.context.from_dict(parts[k])
            if len(part) * len(raised) > MAX_PRODUCT:
                raise TooLargeError()
            total = total + part * raised
        return total

    def gcd(self, a: Poly, b: Poly) -> Poly:
        """A common divisor of a and b: the greatest, or 1 where finding it would take long."""
        self.check_time()
        if a.is_constant() or b.is_constant() or not self._small(a) or not self._small(b):
            return self.one
        return a.gcd(b)

    @staticmethod
    def _small(p: Poly) -> bool:
        return len(p) <= 1 or (len(p) <= MAX_FACTOR and bool(p.total_degree() <= MAX_DEGREE))

    def factors(self, p: Poly) -> tuple[Any, list[tuple[Poly, int]]]:
        """A rational c and (f, e) with p = c ∏ f^e; f primitive, its sign known to be ≥ 0 or canonical."""
        self.check_time()
        if not self._small(p):
            raise TooLargeError()
        c, found = p.factor()
        c, result = fmpq(c), []
        for f, e in found:
            content, f = self.primitive(f)
            c *= fmpq(content) ** int(e)
            result.append((f, int(e)))
        return c, result

    def primitive(self, p: Poly) -> tuple[Any, Poly]:
        """(c, f): p = c f, f of coprime integer coefficients, ≥ 0 if known, else of canonical sign."""
        coefficients = [fmpq(c) for c in p.coeffs()]
        den = math.lcm(*(int(c.q) for c in coefficients))
        num = math.gcd(*(int(c.p) * (den // int(c.q)) for c in coefficients))
        content = fmpq(num, den)
        f = p / content
        sign = self.sign(f)
        if sign in (NEG, NONPOS) or (sign == ANY and self.leading_sign(f) < 0):
            content, f = -content, -f
        return content, f

    def label(self, exponents: tuple[int, ...]) -> str:
        """A name for a monomial that depends neither on the order nor on the fineness of the generators."""
        powers = ((self.generators[i], int(e)) for i, e in enumerate(exponents) if e)
        return "*".join(sorted(f"{g.key}^{g.exponent(e)}" for g, e in powers))

    def leading_sign(self, p: Poly) -> int:
        """The sign of :meth:`leading_coefficient`."""
        return 1 if self.leading_coefficient(p) > 0 else -1

    def leading_coefficient(self, p: Poly) -> Any:
        """A coefficient chosen independently of the order of the generators."""
        _, c = max(p.terms(), key=lambda term: self.label(term[0]))
        return c

    def shifted(self, p: Poly) -> Poly:
        """``p`` with each integer symbol counted from what it is at least."""
        if not any(e > 0 and i in self.shifts for i, e in enumerate(p.degrees())):
            return p
        return p.compose(*(self.shifts.get(i, v) for i, v in enumerate(self.variables)))

    def sign(self, p: Poly) -> int:
        """The signs ``p`` can have, from those of its terms and the known facts."""
        result = self._sign_of_terms(p, [g.sign for g in self.generators])
        if result == ANY:
            result = self._sign_from_facts(p)
        if result == ANY and self.shifts and len(p) <= MAX_SHIFTED and p.total_degree() <= MAX_SHIFTED:
            counted = [NONNEG if i in self.shifts else g.sign for i, g in enumerate(self.generators)]
            result = self._sign_of_terms(self.shifted(p), counted)
        return result

    @staticmethod
    def _sign_of_terms(p: Poly, signs: Sequence[int]) -> int:
        result = ZERO
        for exponents, c in p.terms():
            sign = POS if c > 0 else NEG
            for i, e in enumerate(exponents):
                if e:
                    sign = signs_of_product(sign, signs[i] if e % 2 else signs_of_square(signs[i]))
            result = signs_of_sum(result, sign)
            if result == ANY:
                break
        return result

    def _sign_from_facts(self, p: Poly) -> int:
        for fact, sign in self.facts:
            if len(fact) == len(p):
                c = p.leading_coefficient() / fact.leading_coefficient()
                if p == fact * c:
                    return sign if c > 0 else negated(sign)
        return ANY

    def key(self, p: Poly) -> str:
        """A name for the polynomial that does not depend on the order of the generators."""
        return hashed(*sorted(f"{c}*{self.label(exponents)}" for exponents, c in p.terms()))

    # Fractions ------------------------------------------------------------------------------------

    def element(self, num: Poly, den: Poly | None = None) -> Element:
        """``num/den`` reduced, common factors cancelled."""
        num = self.reduce(num)
        if den is None:
            return Element(num, self.one)
        den = self.reduce(den)
        if den.is_zero():
            raise UndefinedError("a denominator is zero")
        if num.is_zero():
            return Element(self.zero, self.one)
        g = self.gcd(num, den)
        if not g.is_constant():
            num, den = num / g, den / g
        c = den.leading_coefficient()
        return Element(num, den) if c == 1 else Element(num / c, den / c)

    def rational(self, p: Any, q: Any = 1) -> Element:
        return Element(self.context.constant(fmpq(int(p), int(q))), self.one)

    def add(self, a: Element, b: Element) -> Element:
        if a.den == b.den:
            return self.element(a.num + b.num, a.den)
        g = self.gcd(a.den, b.den)
        left, right = b.den / g, a.den / g
        return self.element(self.times(a.num, left) + self.times(b.num, right), self.times(a.den, left))

    def neg(self, a: Element) -> Element:
        return Element(-a.num, a.den)

    def sub(self, a: Element, b: Element) -> Element:
        return self.add(a, self.neg(b))

    def mul(self, a: Element, b: Element) -> Element:
        if a.num.is_zero() or b.num.is_zero():
            return Element(self.zero, self.one)
        g, h = self.gcd(a.num, b.den), self.gcd(b.num, a.den)
        return self.element(self.times(a.num / g, b.num / h), self.times(a.den / h, b.den / g))

    def inverse(self, a: Element) -> Element:
        return self.element(a.den, a.num)

    def div(self, a: Element, b: Element) -> Element:
        return self.mul(a, self.inverse(b))

    def pow(self, a: Element, k: int) -> Element:
        """a^k for a whole number k."""
        if k < 0:
            return self.inverse(self.pow(a, -k))
        if k > MAX_POWER and len(a.num) + len(a.den) > 2:
            raise TooLargeError()
        return self.element(self.power(a.num, k), self.power(a.den, k))

    def scale(self, a: Element, c: Any) -> Element:
        return Element(a.num * fmpq(c), a.den) if c else Element(self.zero, self.one)

    def signs(self, a: Element) -> int:
        """The signs the fraction can have where it is defined."""
        return signs_of_product(self.sign(a.num), self.sign(a.den) & ~ZERO)

    def constant(self, a: Element) -> Any:
        """The rational number this is, or None."""
        if not (a.num.is_constant() and a.den.is_constant()):
            return None
        return fmpq(0) if a.num.is_zero() else fmpq(a.num.leading_coefficient())
