"""Edgeworth expansions: the first two terms in print, the third by inversion, and the decay of the error."""

from __future__ import annotations

import mpmath
import pytest
import sympy as sp
from scipy import special, stats
from sympy import Rational, S, Symbol

from tpsym.exact.edgeworth import edgeworth_polynomials, hermite

y = Symbol("y", real=True)
v = Symbol("v", positive=True)
l3, l4, l5 = sp.symbols("lambda3:6", real=True)


def test_two_terms() -> None:
    """Φ − φ[κ₃He₂/(6√n) + (κ₄He₃/24 + κ₃²He₅/72)/n] at variance one."""
    first, second = edgeworth_polynomials(S.One, [l3, l4], y, 2)
    assert sp.expand(first - l3 * hermite(2, y) / 6) == 0
    assert sp.expand(second - l4 * hermite(3, y) / 24 - l3**2 * hermite(5, y) / 72) == 0
    scaled = edgeworth_polynomials(v, [l3, l4], y, 2)
    assert sp.expand(scaled[0] - first / v ** Rational(3, 2)) == 0


def test_hermite_polynomials() -> None:
    for k in range(9):
        assert sp.expand(hermite(k, y) - sp.hermite_prob_poly(k, y)) == 0


def test_more_cumulants_than_given() -> None:
    with pytest.raises(ValueError, match="cumulants up to 5"):
        edgeworth_polynomials(S.One, [l3, l4], y, 3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_term_by_fourier_inversion(order: int) -> None:
    """The last term is the n^{-order/2} coefficient of the inverted characteristic function, by quadrature."""
    higher = [Rational(1, 2), Rational(-1, 3), Rational(2, 5)]
    q = edgeworth_polynomials(S.One, higher, y, order)[-1]
    at = mpmath.mpf("0.7")

    def coefficient(t: mpmath.mpf) -> mpmath.mpc:
        u = mpmath.mpc(0, t)

        def factor(eps: mpmath.mpc) -> mpmath.mpc:
            return mpmath.exp(sum(
                mpmath.mpf(int(c.p)) / int(c.q) * eps ** (j + 1) * u ** (j + 3) / mpmath.factorial(j + 3)
                for j, c in enumerate(higher)))

        return mpmath.taylor(factor, 0, order)[order]

    with mpmath.workdps(20):
        # F − Φ has the transform −(f − φ)/(it)
        inverted = mpmath.quad(
            lambda t: mpmath.re(-coefficient(t) * mpmath.exp(-t**2 / 2 - 1j * t * at) / (1j * t)), [1e-9, 9]
        ) / mpmath.pi
        expected = -mpmath.exp(-at**2 / 2) / mpmath.sqrt(2 * mpmath.pi) * mpmath.mpf(
            sp.N(q.subs(y, Rational(7, 10)), 20))
    assert abs(inverted - expected) < 1e-6


def test_the_error_decays() -> None:
    """Centred exponentials: the sum is a gamma variable, and two terms leave an error of order n^{-3/2}."""
    grid = [-1.5, -0.5, 0.2, 1.0, 2.0]
    cumulants = [S(2), S(6)]
    terms = [sp.lambdify(y, q) for q in edgeworth_polynomials(S.One, cumulants, y, 2)]
    errors = []
    for width in (20, 80, 320):
        worst = 0.0
        for point in grid:
            exact = special.gammainc(width, width + width**0.5 * point)
            density = stats.norm.pdf(point)
            series = sum(q(point) * width ** (-(r + 1) / 2) for r, q in enumerate(terms))
            worst = max(worst, abs(exact - stats.norm.cdf(point) + density * series))
        errors.append(worst)
    assert errors[0] < 1e-3
    # a factor 4 in n is a factor 8 in the error
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(8, rel=0.25)
