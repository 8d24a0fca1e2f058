"""Limit laws whose equations and moments are known from elsewhere, for the tests of this directory.

Moments come from free cumulants or from formulas, never from the equation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from sympy import QQ, Expr, Integer, Poly, Rational, Symbol, binomial, cancel, catalan, expand, symbols

from tpsym.freeprob.curve import Curve

G, z = symbols("G z")
ratio = Symbol("lambda", positive=True)

Moments = Callable[[int], tuple[Expr, ...]]


def curve(polynomial: Expr, moments: Moments) -> Curve:
    _, primitive = Poly(polynomial, *sorted(polynomial.free_symbols, key=str)).clear_denoms(convert=True)[1].primitive()
    return Curve(primitive.as_expr(), G, z, moments, True, "known")


def by_formula(formula: Callable[[int], Expr]) -> Moments:
    moment = cache(lambda n: Integer(1) if n == 0 else expand(formula(n)))
    return lambda k: tuple(moment(n) for n in range(k + 1))


def from_cumulants(cumulant: Callable[[int], Expr], *parameters: Symbol) -> Moments:
    """m_n = Σ_s κ_s [w^{n-s}] M(w)^s, the sum over the block of the first element."""
    domain = QQ[parameters] if parameters else QQ
    kappa = cache(lambda n: domain.from_sympy(Integer(0) + cumulant(n)))

    @cache
    def power(s: int, n: int) -> object:
        """[w^n] M^s."""
        if s == 0:
            return domain.one if n == 0 else domain.zero
        return sum((power(s - 1, i) * moment(n - i) for i in range(n + 1)), domain.zero)

    @cache
    def moment(n: int) -> object:
        return sum((kappa(s) * power(s, n - s) for s in range(1, n + 1)), domain.one if n == 0 else domain.zero)

    return lambda k: tuple(domain.to_sympy(moment(n)).expand() for n in range(k + 1))


def cumulants_of(moment: Callable[[int], Expr], *parameters: Symbol) -> Callable[[int], Expr]:
    """Free cumulants κ_1, κ_2, … of a law by its moments m_1, m_2, …."""

    @cache
    def kappa(n: int) -> Expr:
        rest = from_cumulants(lambda s: kappa(s) if s < n else Integer(0), *parameters)(n)[n]
        return expand(moment(n) - rest)

    return kappa


def semicircle() -> Curve:
    return curve(G**2 - z * G + 1, by_formula(lambda n: Integer(0) if n % 2 else catalan(n // 2)))


def marchenko_pastur(rate: Expr = ratio) -> Curve:
    """Of A Aᵀ, A m × n with entries of variance 1/n, m/n → λ."""
    moments = by_formula(lambda n: sum(rate**r * binomial(n, r) * binomial(n - 1, r) / (r + 1) for r in range(n)))
    return curve(rate * z * G**2 - (z + rate - 1) * G + 1, moments)


def ginibre(factors: int) -> Curve:
    """Squared singular values of a product of square Gaussian matrices."""
    k = factors
    return curve(z**k * G ** (k + 1) - z * G + 1, by_formula(lambda m: binomial((k + 1) * m, m) / (k * m + 1)))


def wishart_square() -> Curve:
    """(WᵀW)², W square."""
    return curve(4 * z**3 * G**4 - z**2 * G**2 + 1, by_formula(lambda m: catalan(2 * m)))


def anticommutator() -> Curve:
    """XY + YX = S² - T² for free semicirculars: free cumulants 1 + (-1)^n."""
    return curve(z * G**3 + G**2 - z * G + 1, from_cumulants(lambda n: Integer(1 + (-1) ** n)))


def semicircle_and_signs(a: Expr, variance: int = 1) -> Curve:
    """√variance S + D, D = ±a with equal weights: G = G_D(z - variance G), κ_{2n}(D) = (-1)^{n-1} C_{n-1} a^{2n}."""

    def cumulant(n: int) -> Expr:
        signs = (-1) ** (n // 2 - 1) * catalan(n // 2 - 1) * a**n if n % 2 == 0 else Integer(0)
        return signs + (variance if n == 2 else 0)

    w = z - variance * G
    return curve(G * (w**2 - a**2) - w, from_cumulants(cumulant, *a.free_symbols))


def semicircle_and_poisson(rate: Expr) -> Curve:
    """z = 1/G + G + rate/(1 - G)."""
    moments = from_cumulants(lambda n: rate + (1 if n == 2 else 0), *rate.free_symbols)
    return curve(z * G * (1 - G) - (1 - G) - G**2 * (1 - G) - rate * G, moments)


def arcsine() -> Curve:
    """The sum of two free symmetric signs."""
    return curve((z**2 - 4) * G**2 - 1, by_formula(lambda n: Integer(0) if n % 2 else binomial(n, n // 2)))


def half_semicircle(weight: Expr) -> Curve:
    """weight · semicircle + (1 - weight) δ_0."""
    s = (z * G - 1 + weight) / (weight * z)
    moments = by_formula(lambda n: Integer(0) if n % 2 else weight * catalan(n // 2))
    return curve(cancel((s**2 - z * s + 1) * weight**2 * z**2), moments)


def half_poisson() -> Curve:
    """δ_0 / 2 and a hard edge at the same place: half of Marchenko–Pastur at λ = 1."""
    s = 2 * G - 1 / z
    return curve((z * s**2 - z * s + 1) * z, by_formula(lambda n: catalan(n) / 2))


def semicircle_and_three(a: Expr) -> Curve:
    """S + D, D uniform on -a, 0, a."""
    atoms = cumulants_of(lambda n: 2 * a**n / 3 if n % 2 == 0 else Integer(0))
    moments = from_cumulants(lambda n: atoms(n) + (1 if n == 2 else 0))
    w = z - G
    return curve(3 * G * w * (w**2 - a**2) - (3 * w**2 - a**2), moments)


def affine(base: Curve, c: Rational, d: Rational) -> Curve:
    """The law of cA + d."""

    def moments(k: int) -> tuple[Expr, ...]:
        m = base.moments(k)
        return tuple(sum(binomial(n, i) * c**i * d ** (n - i) * m[i] for i in range(n + 1)) for n in range(k + 1))

    moved = base.polynomial.subs({G: c * G, z: (z - d) / c}, simultaneous=True)
    return curve(moved, moments)
