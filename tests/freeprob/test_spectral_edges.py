from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import pytest
from flint import arb, ctx
from known_laws import (
    anticommutator,
    arcsine,
    ginibre,
    half_poisson,
    marchenko_pastur,
    semicircle,
    semicircle_and_poisson,
    semicircle_and_signs,
    semicircle_and_three,
    wishart_square,
)
from sympy import CRootOf, Expr, Integer, Rational, sqrt

from tpsym.freeprob.algebraic import as_algebraic
from tpsym.freeprob.curve import Curve
from tpsym.freeprob.edges import structure, support

HALF = Fraction(1, 2)


@pytest.mark.parametrize("factors", [2, 3, 4, 5])
def test_products(factors: int) -> None:
    k = factors
    found = structure(ginibre(k))
    assert support(ginibre(k)) == ((0, Rational((k + 1) ** (k + 1), k**k)),)
    hard, soft = found.edges
    assert (hard.left, hard.right, hard.turns) == (None, Fraction(-k, k + 1), k + 1)
    assert (soft.left, soft.right) == (HALF, None)
    assert hard.right_constant == pytest.approx(float(mp.sin(mp.pi / (k + 1)) / mp.pi), rel=1e-14)


def test_edge_constants_of_the_semicircle() -> None:
    """√(4 - x²)/(2π) is √(2 - x)/π at the edge."""
    left, right = structure(semicircle()).edges
    assert left.right_constant == pytest.approx(float(1 / mp.pi), rel=1e-14)
    assert right.left_constant == pytest.approx(float(1 / mp.pi), rel=1e-14)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (semicircle(), ((-2, 2),)),
        (marchenko_pastur(Rational(1, 4)), ((Rational(1, 4), Rational(9, 4)),)),
        (marchenko_pastur(Integer(3)), ((4 - 2 * sqrt(3), 4 + 2 * sqrt(3)),)),
        (wishart_square(), ((0, 16),)),
        (arcsine(), ((-2, 2),)),
        (half_poisson(), ((0, 4),)),
    ],
)
def test_exact_ends(law: Curve, expected: tuple[tuple[Expr, Expr], ...]) -> None:
    assert support(law) == expected


def test_exponents_at_hard_edges() -> None:
    left, right = structure(arcsine()).edges
    assert (left.right, right.left) == (-HALF, -HALF)
    assert structure(wishart_square()).edges[0].right == Fraction(-3, 4)
    # an atom at the same place does not hide the exponent of the density
    assert structure(half_poisson()).edges[0].right == -HALF


def test_anticommutator_to_thirty_digits() -> None:
    """z = (1 + G²)/(G (1 - G²)) from G's own equation; edges where dz/dG = 0."""
    ((low, high),) = structure(anticommutator()).support
    with mp.workdps(40):
        z_of = lambda g: (1 + g**2) / (g * (1 - g**2))  # noqa: E731
        edge = z_of(mp.findroot(lambda g: mp.diff(z_of, g), mp.mpf("0.4")))
        for end, value in ((low, -edge), (high, edge)):
            with ctx.workprec(160):
                assert abs(end.ball(130) - arb(mp.nstr(value, 38))) < arb("1e-30")
        assert abs(mp.mpf(str(high.expr.evalf(35))) - edge) < mp.mpf(10) ** -33


def test_semicircle_and_signs_splits_at_one() -> None:
    assert len(support(semicircle_and_signs(Rational(1, 2)))) == 1
    assert len(support(semicircle_and_signs(Rational(101, 100)))) == 2
    at_one = structure(semicircle_and_signs(Integer(1)))
    assert [(low.expr, high.expr) for low, high in at_one.support] == [(-3 * sqrt(3) / 2, 3 * sqrt(3) / 2)]
    cusp = at_one.edges[1]
    assert (cusp.expr, cusp.left, cusp.right) == (0, Fraction(1, 3), Fraction(1, 3))
    assert cusp.left_constant == pytest.approx(cusp.right_constant, rel=1e-14)


def test_ends_in_radicals_agree_with_the_inverse() -> None:
    """z(w) = w + w/(w² - a²) for S + D; edges at z'(w) = 0 outside and between the atoms."""
    ends = [e for pair in support(semicircle_and_signs(Integer(2))) for e in pair]
    with mp.workdps(40):
        z_of = lambda w: w + w / (w**2 - 4)  # noqa: E731
        slope = lambda w: 1 - (w**2 + 4) / (w**2 - 4) ** 2  # noqa: E731
        expected = sorted(z_of(mp.findroot(slope, s)) for s in ("-2.8", "-1", "1", "2.8"))
        for end, value in zip(ends, expected, strict=True):
            assert not end.has(CRootOf)
            assert abs(mp.mpf(str(end.evalf(30))) - value) < mp.mpf(10) ** -27


def test_ends_beyond_radicals_are_root_objects() -> None:
    (low, high), = support(semicircle_and_poisson(Integer(1)))
    assert isinstance(low, CRootOf)
    assert isinstance(high, CRootOf)
    with mp.workdps(40):
        z_of = lambda g: 1 / g + g + 1 / (1 - g)  # noqa: E731
        slope = lambda g: -1 / g**2 + 1 + 1 / (1 - g) ** 2  # noqa: E731
        assert abs(mp.mpf(str(high.evalf(30))) - z_of(mp.findroot(slope, "0.4"))) < mp.mpf(10) ** -27
        assert abs(mp.mpf(str(low.evalf(30))) - z_of(mp.findroot(slope, "-0.7"))) < mp.mpf(10) ** -27


def test_three_bands() -> None:
    assert len(support(semicircle_and_three(Integer(3)))) == 3
    assert len(support(semicircle_and_three(Integer(1)))) == 1


@pytest.mark.parametrize("value", [Rational(-3, 7), sqrt(2), -sqrt(2 + sqrt(3)), Rational(2) ** Rational(1, 3)])
def test_algebraic_numbers_return(value: Expr) -> None:
    assert (as_algebraic(value).expr - value).equals(0)
