"""Real algebraic numbers: an irreducible integer polynomial and which of its real roots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key, reduce
from math import gcd
from typing import Any

from flint import acb, arb, ctx, fmpq, fmpz_poly
from sympy import CRootOf, Dummy, Expr, Integer, Poly, Pow, Rational, expand, minimal_polynomial, sqrt, sqrtdenest
from sympy import root as radical

from tpsym.freeprob.failures import Unavailable

MOST_BITS = 1 << 14


@dataclass(frozen=True, slots=True)
class Algebraic:
    """The ``index``-th real root, increasing from 0, of the irreducible Σ coefficients_i x^i."""

    coefficients: tuple[int, ...]
    index: int

    @classmethod
    def rational(cls, value: Rational | fmpq) -> Algebraic:
        p, q = int(value.p), int(value.q)
        return cls((-p, q), 0)

    @property
    def polynomial(self) -> fmpz_poly:
        return fmpz_poly(list(self.coefficients))

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def is_rational(self) -> bool:
        return self.degree == 1

    def ball(self, bits: int) -> arb:
        """An enclosure with about ``bits`` correct bits."""
        with ctx.workprec(bits + 10):
            if self.is_rational:
                return arb(fmpq(-self.coefficients[0], self.coefficients[1]))
            reals: list[Any] = [r.real for r, _ in self.polynomial.complex_roots() if r.imag == 0]
            return sorted(reals, key=cmp_to_key(order))[self.index]

    @property
    def number(self) -> float:
        return float(self.ball(80).mid())

    @property
    def expr(self) -> Expr:
        """Radicals where the polynomial is one of degree ≤ 2 in some power of x, else a ``CRootOf``."""
        step = 0
        for i, c in enumerate(self.coefficients):
            step = gcd(step, i) if c else step
        inner = self.coefficients[::step]
        if len(inner) > 3:
            x = Dummy("x")
            return CRootOf(Poly(list(reversed(self.coefficients)), x), self.index)
        candidates = [v for t in quadratic(inner) for v in real_powers(t, step)]
        here = self.ball(100)
        with ctx.workprec(100):
            near = [v for v in candidates if arb(str(v.evalf(40))).overlaps(here + arb(0, 2.0**-90) * (1 + abs(here)))]
        if len(near) != 1:
            raise Unavailable(f"no radical for root {self.index} of {self.coefficients}")
        return near[0]


def order(x: Any, y: Any) -> int:
    """Of two enclosures that do not meet."""
    return -1 if x < y else 1


def quadratic(coefficients: tuple[int, ...]) -> list[Expr]:
    """The roots of a polynomial of degree 1 or 2, real ones only."""
    if len(coefficients) == 2:
        return [Rational(-coefficients[0], coefficients[1])]
    c, b, a = coefficients
    under = b * b - 4 * a * c
    if under < 0:
        return []
    return [expand((-b + sign * sqrt(Integer(under))) / (2 * a)) for sign in (1, -1)]


def real_powers(t: Expr, step: int) -> list[Expr]:
    """The real solutions of x^step = t."""
    if step == 1:
        return [t]
    if step % 2:
        return [radical(t, step) if t.is_nonnegative else -radical(-t, step)]
    if t.is_negative:
        return []
    plain = radical(t, step)
    denested = sqrtdenest(plain) if step == 2 else plain
    if all(p.base.is_Rational for p in denested.atoms(Pow)) and all(p.exp.q <= 2 for p in denested.atoms(Pow)):
        plain = denested
    return [plain, -plain]


def real_roots(polynomials: Iterable[fmpz_poly]) -> tuple[Algebraic, ...]:
    """All real roots of these polynomials, each once, increasing."""
    found: set[Algebraic] = set()
    for polynomial in polynomials:
        for factor, _ in polynomial.factor()[1]:
            if factor.degree() < 1:
                continue
            sign = 1 if factor.leading_coefficient() > 0 else -1
            coefficients = tuple(sign * int(c) for c in factor.coeffs())
            count = sum(1 for r, _ in factor.complex_roots() if r.imag == 0)
            found.update(Algebraic(coefficients, i) for i in range(count))
    return tuple(sorted(found, key=cmp_to_key(compare)))


def compare(x: Algebraic, y: Algebraic) -> int:
    """-1, 0, 1; different irreducible polynomials have no root in common, so the balls part."""
    if x == y:
        return 0
    bits = 64
    while bits <= MOST_BITS:
        a, b = x.ball(bits), y.ball(bits)
        if a < b:
            return -1
        if a > b:
            return 1
        bits *= 2
    raise Unavailable("two algebraic numbers too close to compare")


def root_near(polynomial: fmpz_poly, value: arb) -> Algebraic | None:
    """The one real root of ``polynomial`` in the ball ``value``; None if none is or several are."""
    bits = 64 + max(0, int(value.rel_accuracy_bits()))
    near = [r for r in real_roots([polynomial]) if r.ball(bits).overlaps(value)]
    return near[0] if len(near) == 1 else None


def rational_between(low: arb, high: arb) -> fmpq:
    """A rational of small denominator strictly between; raises ``ValueError`` when the balls meet."""
    if not low < high:
        raise ValueError("nothing between")
    scale = 1
    while True:
        with ctx.workprec(MOST_BITS):
            candidate = ((low + high) * scale / 2).mid().floor().unique_fmpz()
            for shift in (0, 1):
                value = fmpq(int(candidate) + shift, scale)
                if low < arb(value) < high:
                    return value
        scale *= 2


def separation(polynomials: Sequence[fmpz_poly], at: Algebraic) -> arb:
    """A lower bound of the distance of ``at``, a root of one of them, to all other roots; infinity if there are none.

    The polynomials are irreducible and different, so that no other root is the same number.
    """
    bits = 64
    while bits <= MOST_BITS:
        with ctx.workprec(bits):
            here = acb(at.ball(bits))
            roots = [r for p in polynomials for r, _ in p.complex_roots()]
            away = [abs(r - here).lower() for r in roots if not r.overlaps(here)]
            if len(away) >= len(roots) - 1:
                return reduce(lambda x, y: x.min(y), away, arb.pos_inf())
        bits *= 2
    raise Unavailable("two singular points too close to tell apart")


def as_algebraic(value: Expr) -> Algebraic:
    """From a real algebraic sympy number."""
    if isinstance(value, Rational):
        return Algebraic.rational(value)
    x = Dummy("x")
    poly = Poly(minimal_polynomial(value, x), x)
    with ctx.workprec(200):
        ball = arb(str(value.evalf(50))) + arb(0, 2.0**-140)
    found = root_near(fmpz_poly([int(c) for c in reversed(poly.all_coeffs())]), ball)
    if found is None:
        raise ValueError(f"{value} is no real algebraic number")
    return found
