"""Signs of polynomials on the bands of a law, which decide how absolute values and roots are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flint import ctx, fmpz_poly
from sympy import Abs, Expr, Mul, Poly, Rational, S, Symbol, factor_list, fraction, together

from tpsym.freeprob.algebraic import compare, rational_between, real_roots
from tpsym.freeprob.edges import Structure
from tpsym.freeprob.formulas import radical_roots, rational_square_parts


@dataclass(frozen=True, slots=True)
class Signs:
    """The law at a ``sample`` of the parameters (none: empty), whose sign patterns hold in its whole cell.

    ``settled`` are the polynomials whose roots in z are singular points: their order does not change in the cell.
    """

    structure: Structure
    support: tuple[tuple[Expr, Expr], ...]
    z: Symbol
    sample: Mapping[Symbol, Rational]
    settled: frozenset[Expr]

    def of(self, factor: Expr) -> int | None:
        """1 or -1 where the polynomial has one strict sign inside all bands, None where that is not certain."""
        if not factor.has(self.z):
            return self.constant(factor)
        if factor.free_symbols & set(self.sample) and not {factor, (-factor).expand()} & self.settled:
            return None
        poly = Poly(factor.xreplace(dict(self.sample)), self.z).clear_denoms(convert=True)[1]
        integer = fmpz_poly([int(c) for c in reversed(poly.all_coeffs())])
        roots = real_roots([integer])
        found = set()
        for band in self.structure.bands:
            low, high = (self.structure.points[i].position for i in (band, band + 1))
            if any(compare(low, r) < 0 < compare(high, r) for r in roots):
                return None
            with ctx.workprec(256):
                value = integer(rational_between(low.ball(256), high.ball(256)))
            found.add(1 if value > 0 else -1)
        return found.pop() if len(found) == 1 else None

    def constant(self, factor: Expr) -> int | None:
        if factor.is_positive or factor.is_negative:
            return 1 if factor.is_positive else -1
        if factor in self.settled or (-factor).expand() in self.settled:
            return 1 if factor.xreplace(dict(self.sample)) > 0 else -1
        return None

    def size(self, expr: Expr, power: Rational = S.One) -> Expr:
        """|expr|^power for a rational function, factor by factor, without bars where the sign is known."""
        top, bottom = fraction(together(expr))
        return self.size_of(top, power) / self.size_of(bottom, power)

    def size_of(self, polynomial: Expr, power: Rational) -> Expr:
        if polynomial.is_number:
            return abs(polynomial) ** power
        content, factors = factor_list(polynomial)
        parts = [abs(content) ** power]
        for factor, multiplicity in factors:
            exponent = multiplicity * power
            sign = self.of(factor)
            if sign is None and exponent.is_Integer and exponent % 2 == 0:
                sign = 1
            parts.append((Abs(factor) if sign is None else (sign * factor).expand()) ** exponent)
        return Mul(*parts)

    def sign(self, expr: Expr) -> int | None:
        """The sign of a rational function, None where a factor of odd order is not settled."""
        result = 1
        for polynomial in fraction(together(expr)):
            content, factors = (polynomial, []) if polynomial.is_number else factor_list(polynomial)
            if content == 0:
                return None
            result *= 1 if content > 0 else -1
            for factor, multiplicity in factors:
                if multiplicity % 2:
                    known = self.of(factor)
                    if known is None:
                        return None
                    result *= known
        return result

    def square_root(self, polynomial: Expr) -> tuple[Expr, Expr]:
        """(k, e) with polynomial = k² e, positive on the bands; e in factors that are positive there."""
        content, factors = factor_list(polynomial)
        outside, number = rational_square_parts(Rational(content))
        for factor, multiplicity in factors:
            outside *= factor ** (multiplicity // 2)
        return outside, self.positive_product(number, [f for f, multiplicity in factors if multiplicity % 2])

    def positive_product(self, number: Expr, factors: Sequence[Expr]) -> Expr:
        whole = Mul(number, *factors).expand()
        if all(monomial[0] % 2 == 0 for monomial in Poly(whole, self.z).monoms()):
            return whole
        product, rest = S.One, number
        for factor in factors:
            sign = self.of(factor)
            if sign is None:
                return whole
            ends = self.between_ends(factor)
            product *= (sign * factor).expand() if ends is None else ends
            rest *= sign
        return rest * product if rest.is_positive else whole

    def between_ends(self, factor: Expr) -> Expr | None:
        """|l| (b - z)(z - a) for a quadratic l z² + … that vanishes at the ends a, b of the support."""
        poly = Poly(factor, self.z)
        if poly.degree() != 2 or len(self.support) != 1:
            return None
        low, high = self.support[0]
        if {low, high} != set(radical_roots(factor, self.z)):
            return None
        return self.size(poly.LC()) * (high - self.z) * (self.z - low)
