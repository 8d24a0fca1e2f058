from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from known_laws import (
    G,
    by_formula,
    cumulants_of,
    curve,
    from_cumulants,
    ginibre,
    half_poisson,
    half_semicircle,
    marchenko_pastur,
    ratio,
    semicircle,
    semicircle_and_poisson,
    semicircle_and_signs,
    z,
)
from sympy import And, Eq, Expr, Integer, Ne, Rational, S, Symbol, binomial, sqrt, symbols

from tpsym.freeprob.algebraic import Algebraic
from tpsym.freeprob.atoms import atoms, mass
from tpsym.freeprob.cells import Cells, Range, decompose, mass_by_cells
from tpsym.freeprob.conditions import Cell, describe
from tpsym.freeprob.curve import Curve, NotDecided
from tpsym.freeprob.edges import support
from tpsym.freeprob.formulas import radical_roots
from tpsym.freeprob.shapes import shape_exact

UNIT = Range(Rational(0), Rational(1))


def test_masses_at_numbers() -> None:
    assert atoms(marchenko_pastur(Integer(3))) == ((0, Rational(2, 3)),)
    assert mass(marchenko_pastur(Rational(7, 3)), S.Zero) == Rational(4, 7)
    assert mass(marchenko_pastur(Rational(1, 3)), S.Zero) == 0
    assert mass(marchenko_pastur(Integer(3)), S.One) == 0


def test_atoms_inside_bands_and_at_hard_edges() -> None:
    assert atoms(half_semicircle(Rational(1, 3))) == ((0, Rational(2, 3)),)
    assert atoms(half_poisson()) == ((0, Rational(1, 2)),)
    assert atoms(semicircle()) == ()
    assert atoms(ginibre(3)) == ()


def test_irrational_places_of_atoms() -> None:
    """Equal weights at ±√2."""
    law = curve((z**2 - 2) * G - z, lambda k: tuple(sqrt(2) ** n if n % 2 == 0 else Integer(0) for n in range(k + 1)))
    half = Rational(1, 2)
    assert atoms(law) == ((-sqrt(2), half), (sqrt(2), half))
    assert mass(law, sqrt(2)) == half


def projections(p: Expr) -> Curve:
    """The sum of two free projections of trace p: K(g) = 1/g + 2 R(g), gR² - (g - 1)R - p = 0 for one projection."""
    # z = 1/g + 2R, so R = (zg - 1)/(2g); times 4g
    r = z * G - 1
    one = cumulants_of(lambda n: p, *p.free_symbols)
    return curve(r**2 - 2 * (G - 1) * r - 4 * p * G, from_cumulants(lambda n: 2 * one(n), *p.free_symbols))


def test_two_projections() -> None:
    """Subspaces of dimension pN meet in (2p - 1)N dimensions, where the sum is 2; for p < 1/2 the kernel does."""
    assert atoms(projections(Rational(2, 3))) == ((2, Rational(1, 3)),)
    assert atoms(projections(Rational(1, 3))) == ((0, Rational(1, 3)),)
    assert atoms(projections(Rational(1, 2))) == ()
    p, half = Symbol("p", positive=True), Rational(1, 2)
    assert mass_by_cells(projections(p), Integer(2), within=UNIT) == [(p <= half, 0), (p > half, 2 * p - 1)]


def test_marchenko_pastur_by_cells() -> None:
    cells = decompose(marchenko_pastur())
    low, high = (1 - sqrt(ratio)) ** 2, (1 + sqrt(ratio)) ** 2
    half = Fraction(1, 2)
    assert cells.support() == [(S.true, ((low, high),))]
    assert cells.edges() == [
        (Ne(ratio, 1), ((low, None, half), (high, half, None))),
        (Eq(ratio, 1), ((0, None, -half), (4, half, None))),
    ]
    assert cells.atoms() == [(ratio <= 1, ()), (ratio > 1, ((0, 1 - 1 / ratio),))]
    assert mass_by_cells(marchenko_pastur(), S.Zero) == [(ratio <= 1, 0), (ratio > 1, 1 - 1 / ratio)]
    assert mass_by_cells(marchenko_pastur(), Integer(2)) == [(S.true, 0)]
    assert mass_by_cells(marchenko_pastur(), 1 + ratio) == [(S.true, 0)]


def test_a_range_hides_critical_values() -> None:
    assert mass_by_cells(marchenko_pastur(), S.Zero, within=UNIT) == [(S.true, 0)]
    beyond = Range(Rational(1), None)
    assert mass_by_cells(marchenko_pastur(), S.Zero, within=beyond) == [(S.true, 1 - 1 / ratio)]


def test_weights_as_parameters() -> None:
    p = Symbol("p", positive=True)
    law = half_semicircle(p)
    assert decompose(law, within=UNIT).support() == [(S.true, ((-2, 2),))]
    assert mass_by_cells(law, S.Zero, within=UNIT) == [(S.true, 1 - p)]


def test_two_intervals_from_a_critical_value_on() -> None:
    a = Symbol("a", positive=True)
    (one, single), (two, double) = decompose(semicircle_and_signs(a)).support()
    assert (one, two) == (a <= 1, a > 1)
    for value, intervals in ((Rational(1, 2), single), (Integer(1), single), (Rational(7, 3), double)):
        exact = support(semicircle_and_signs(value))
        given = tuple(tuple(end.subs(a, value) for end in pair) for pair in intervals)
        assert len(given) == len(exact)
        for pair, there in zip(given, exact, strict=True):
            assert all(abs((x - y).evalf(30)) < 1e-25 for x, y in zip(pair, there, strict=True))


FAMILIES = {
    "Marchenko-Pastur": (marchenko_pastur(), None),
    "signs": (semicircle_and_signs(Symbol("a", positive=True)), None),
    "wide signs": (semicircle_and_signs(Symbol("a", positive=True), variance=3), None),
    "projections": (projections(Symbol("p", positive=True)), UNIT),
    "weights": (half_semicircle(Symbol("p", positive=True)), UNIT),
}


@cache
def cells_of(name: str) -> Cells:
    law, within = FAMILIES[name]
    return decompose(law, within=within)


@given(st.sampled_from(sorted(FAMILIES)), st.fractions(Fraction(1, 50), 5, max_denominator=50))
@settings(max_examples=12, deadline=None)
def test_cells_against_the_law_at_a_value(name: str, value: Fraction) -> None:
    """Any rational value, critical ones among them: exactly one condition holds, with what the law has there."""
    cells, (_, within) = cells_of(name), FAMILIES[name]
    assume(within is None or value < 1)
    at = {cells.parameter: Rational(value.numerator, value.denominator)}
    exact = shape_exact(cells.curve.at(at))
    for told, there in ((cells.support(), exact.support), (cells.edges(), exact.edges), (cells.atoms(), exact.atoms)):
        (found,) = [v for condition, v in told if condition.subs(at) == S.true]
        assert len(found) == len(there)
        for row, other in zip(found, there, strict=True):
            for x, y in zip(row, other, strict=True):
                assert x == y or abs((x.subs(at) - y).evalf(30)) < 1e-20


def test_irrational_critical_value() -> None:
    """√2 S + D splits at a = √2; there the support is known as a limit, the exponents are not."""
    a = Symbol("a", positive=True)
    cells = decompose(semicircle_and_signs(a, variance=2))
    assert [c for c, _ in cells.support()] == [a <= sqrt(2), a > sqrt(2)]
    assert [c for c, _ in cells.edges()] == [a < sqrt(2), a > sqrt(2)]
    assert cells.atoms() == [(S.true, ())]


def wishart_parabola() -> Curve:
    """B² - B for B = X Xᵀ, X n × λn with entries of variance 1/n."""
    r = ratio

    def wishart(k: int) -> Expr:
        return sum(binomial(k, j) * binomial(k, j - 1) / k * r**j for j in range(1, k + 1)) if k else Integer(1)

    def moment(n: int) -> Expr:
        return sum(binomial(n, j) * (-1) ** (n - j) * wishart(n + j) for j in range(n + 1))

    polynomial = (
        4 * G**4 * z**3 + G**4 * z**2 + 8 * G**3 * r * z**2 + 2 * G**3 * r * z - 8 * G**3 * z**2 - 2 * G**3 * z
        + 5 * G**2 * r**2 * z + G**2 * r**2 - 11 * G**2 * r * z - 2 * G**2 * r - G**2 * z**2 + 4 * G**2 * z + G**2
        + G * r**3 - 4 * G * r**2 - G * r * z + 3 * G * r + G * z + r
    )
    return curve(polynomial, by_formula(moment))


@pytest.mark.slow
def test_many_cells_with_irrational_borders() -> None:
    """The parabola's minimum -1/4 at 1/2 is in the support while (1 - √λ)² < 1/2 < (1 + √λ)²; 1 - λ stays at 0."""
    cells = decompose(wishart_parabola())
    low, high = Rational(3, 2) - sqrt(2), Rational(3, 2) + sqrt(2)
    right = sqrt(ratio) * (1 + sqrt(ratio)) ** 2 * (sqrt(ratio) + 2)
    (first, left), (second, middle), (third, last) = cells.support()
    assert (first, third) == (ratio <= low, ratio > high)
    assert second == And(ratio > low, ratio <= high)
    assert middle == ((-Rational(1, 4), right),)
    assert left == last == ((sqrt(ratio) * (1 - sqrt(ratio)) ** 2 * (sqrt(ratio) - 2), right),)
    # at 3/2 ± √2 and at (5 ± √17)/4 edges meet the poles, and the masses are settled by their candidates alone
    assert cells.atoms() == [(ratio < 1, ((0, 1 - ratio),)), (ratio >= 1, ())]
    assert mass_by_cells(cells.curve, S.Zero) == [(ratio <= 1, 1 - ratio), (ratio > 1, 0)]


def test_two_parameters_and_cubic_ends_are_refused() -> None:
    c = Symbol("c", positive=True)
    scaled_law = curve(
        (ratio * z * G**2 - (z + ratio - 1) * G + 1).subs(z, z / c).subs(G, c * G),
        lambda k: tuple(c**n * m for n, m in enumerate(marchenko_pastur().moments(k))),
    )
    with pytest.raises(NotDecided, match="all but one of the parameters c, lambda"):
        decompose(scaled_law)
    with pytest.raises(NotDecided, match="give the parameter a value"):
        decompose(semicircle_and_poisson(ratio)).support()
    assert decompose(semicircle_and_poisson(ratio)).atoms() == [(S.true, ())]


def test_conditions_of_values() -> None:
    x = symbols("x", real=True)
    zero, root = Algebraic.rational(Rational(0)), Algebraic((-2, 0, 1), 1)
    cells = [Cell(None, zero, 1), Cell(zero, zero, 5), Cell(zero, root, 1), Cell(root, root, None), Cell(root, None, 2)]
    told = describe(x, cells, lambda v: Integer(v), "value")
    assert told == [(And(x < sqrt(2), Ne(x, 0)), 1), (x > sqrt(2), 2), (Eq(x, 0), 5)]
    same = [Cell(None, root, 1), Cell(root, root, None, frozenset({"value"})), Cell(root, None, 1)]
    assert describe(x, same, lambda v: Integer(v), "value") == [(S.true, 1)]
    assert describe(x, same, lambda v: Integer(v), "other") == [(Ne(x, sqrt(2)), 1)]


def test_roots_as_people_write_them() -> None:
    assert set(radical_roots((z - ratio - 1) ** 2 - 4 * ratio, z)) == {(1 - sqrt(ratio)) ** 2, (1 + sqrt(ratio)) ** 2}
    assert set(radical_roots(z**2 - z - ratio, z)) == {
        Rational(1, 2) + sqrt(4 * ratio + 1) / 2, Rational(1, 2) - sqrt(4 * ratio + 1) / 2,
    }
    assert radical_roots(z**3 - z - ratio, z) == ()
    assert radical_roots(z**3 - 8 * ratio**3, z) == (2 * ratio,)


def test_free_cumulants_of_the_tests() -> None:
    """The moments the tests rest on: those of the free Poisson law are Narayana polynomials."""
    poisson = from_cumulants(lambda n: Integer(1))
    assert poisson(8) == tuple(binomial(2 * n, n) / (n + 1) for n in range(9))
