"""Real Wigner matrices with entries of any law: the 1/n term in print, matrices listed one by one, the GOE."""

from __future__ import annotations

from itertools import product

import pytest
import sympy as sp
from entry_sums import n
from sympy import Rational, S, Symbol

from tpsym.exact.recursions import goe_moment
from tpsym.exact.sums import cumulants_of, moments_of
from tpsym.exact.wigner import wigner_moment

s, k4, k6, d4 = sp.symbols("s kappa4 kappa6 delta4", real=True)
RADEMACHER = cumulants_of([S((k + 1) % 2) for k in range(1, 9)])


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_first_correction(k: int) -> None:
    r""":math:`½·4^k − ½\binom{2k}{k} + (s−2)\binom{2k}{k−1} + κ_4 \binom{2k}{k−2}`."""
    off, on = [S.Zero, S.One, S.Zero, k4, S.Zero, k6], [S.Zero, s, S.Zero, d4]
    moment = wigner_moment(2 * k, n, off_diagonal=off, diagonal=on)
    correction = (
        Rational(4**k, 2) - sp.binomial(2 * k, k) / 2 + (s - 2) * sp.binomial(2 * k, k - 1)
        + k4 * sp.binomial(2 * k, k - 2)
    )
    assert sp.expand(moment.coeff(n, -1) - correction) == 0
    assert moment.coeff(n, 0) == sp.catalan(k)


def test_fourth_moment() -> None:
    """[2(n−1)(n−2) + (n−1)μ₄ + 4(n−1)s + ν₄]/n²."""
    moment = wigner_moment(4, n, off_diagonal=[S.Zero, S.One, S.Zero, k4], diagonal=[S.Zero, s, S.Zero, d4])
    mu4, nu4 = k4 + 3, d4 + 3 * s**2
    assert sp.expand(moment - (2 * (n - 1) * (n - 2) + (n - 1) * mu4 + 4 * (n - 1) * s + nu4) / n**2) == 0


def test_gaussian_entries_are_the_orthogonal_ensemble() -> None:
    for k in range(1, 6):
        found = wigner_moment(2 * k, n, off_diagonal=[S.Zero, S.One], diagonal=[S.Zero, S(2)])
        assert found == goe_moment(k, n)


def test_signs_off_the_diagonal() -> None:
    moment = wigner_moment(6, n, off_diagonal=RADEMACHER, diagonal=[])
    assert moment == 5 - 20 / n + 26 / n**2 - 11 / n**3


@pytest.mark.parametrize(("k", "width"), [(3, 2), (4, 2), (5, 2), (4, 3)])
def test_laws_on_two_points_listed(k: int, width: int) -> None:
    """Entries off the diagonal in {-1, 2}, on it in {0, 3}: neither centred; every matrix listed."""
    off = cumulants_of([(S(-1) ** j + S(2) ** j) / 2 for j in range(1, k + 1)])
    on = cumulants_of([S(3) ** j / 2 for j in range(1, k + 1)])
    value = wigner_moment(k, n, off_diagonal=off, diagonal=on).xreplace({n: S(width)})
    places = [(i, j) for i in range(width) for j in range(i, width)]
    total = S.Zero
    for signs in product((0, 1), repeat=len(places)):
        h = sp.zeros(width, width)
        for (i, j), sign in zip(places, signs, strict=True):
            h[i, j] = h[j, i] = (S(3) * sign) if i == j else (2 if sign else -1)
        total += (h**k).trace()
    assert sp.nsimplify(value * sp.sqrt(width) ** k * width) == total / 2 ** len(places)


def test_cumulants_left_out_are_zero() -> None:
    x = Symbol("x", positive=True)
    assert wigner_moment(2, n, off_diagonal=[S.Zero, x], diagonal=[]) == sp.expand(x - x / n)
    assert moments_of([S.Zero, S.One, S.Zero, S.Zero]) == (0, 1, 0, 3)
