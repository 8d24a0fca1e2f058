"""Equations of laws: in print, by elimination and by guessing, satisfied by moments, consistent under free sums."""

from __future__ import annotations

import pytest
import sympy as sp
from flint import fmpq, fmpq_poly
from hypothesis import given, settings
from hypothesis import strategies as st
from matrix_polynomials import RATIO, SQUARE, TALL, VT, WT, H, V, W, X, Y, Z, independent, jacobian, of, products
from sympy import Expr, S, Symbol

from tpsym.freeprob import equation
from tpsym.freeprob.eliminate import eliminated
from tpsym.freeprob.equation import G
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.guess import guessed
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.spectrum import spectrum
from tpsym.freeprob.system import H as SERIES
from tpsym.freeprob.system import T, system
from tpsym.functions import step
from tpsym.matrices import Diagonal, Factor, Polynomial, polynomial

t, w, z = Symbol("t", real=True), Symbol("w"), equation.Z
SIGN = Diagonal(SQUARE, 2 * step(H[0]) - 1)

IN_PRINT = {
    "semicircle": (of((1, (X,))), G**2 - z * G + 1),
    "anticommutator": (of((1, (X, Y)), (1, (Y, X))), z * G**3 + G**2 - z * G + 1),
    "squared Wishart": (of((1, (WT, W, WT, W))), 4 * z**3 * G**4 - z**2 * G**2 + 1),
    "two squares": (of((1, (X, X)), (1, (Y, Y))), z * G**2 + (1 - z) * G + 1),
    "semicircle and two atoms": (of((1, (X,)), (1, (SIGN,))), G**3 - 2 * z * G**2 + z**2 * G - z),
    "semicircle and Marchenko–Pastur": (of((1, (X,)), (1, (WT, W))), G**3 - (z + 1) * G**2 + z * G - 1),
    "two Ginibre matrices": (products(2), z**2 * G**3 - z * G + 1),
    "five Ginibre matrices": (products(5), z**5 * G**6 - z * G + 1),
    "Marchenko–Pastur": (
        polynomial([(S.One, (TALL, Factor(TALL.matrix, True)))], SQUARE, SQUARE),
        RATIO * z * G**2 - (z + RATIO - 1) * G + 1,
    ),
}


@pytest.mark.parametrize("name", sorted(IN_PRINT))
def test_equations_in_print(name: str) -> None:
    found, expected = IN_PRINT[name]
    curve = spectrum(found, mean=independent).curve
    assert curve.certified
    assert sp.expand(curve.polynomial - expected) == 0 or sp.expand(curve.polynomial + expected) == 0


def vanishes(equation_in_g: Expr, moments: tuple[Expr, ...]) -> bool:
    """Whether G = Σ m_k/z^{k+1} solves the equation as far as these moments say."""
    length = len(moments)
    series = fmpq_poly([0, *(fmpq(int(m.p), int(m.q)) for m in moments)])
    rows = sp.Poly(equation_in_g, G, z)
    height, total, powers = rows.degree(z), fmpq_poly([]), [fmpq_poly([1])]
    for (i, j), c in rows.terms():
        while len(powers) <= i:
            powers.append(powers[-1].mul_low(series, length + height))
        total += fmpq_poly([0] * (height - j) + [fmpq(int(c.p), int(c.q))]) * powers[i]
    return all(total[k] == 0 for k in range(length))


LETTERS = [X, Y, W, WT, SIGN]


@st.composite
def symmetric(draw: st.DrawFn, length: int) -> Polynomial:
    """A self-adjoint polynomial with small coefficients."""
    words = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=length).map(tuple)
    found = of(*draw(st.lists(st.tuples(st.integers(1, 2), words), min_size=1, max_size=2)))
    return found + found.adjoint


@settings(max_examples=60)
@given(symmetric(2))
def test_equations_of_random_polynomials_have_their_moments(found: Polynomial) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tpsym.freeprob.eliminate.SECONDS", 2.0)
        have_their_moments(found)


@pytest.mark.slow
@settings(max_examples=15)
@given(symmetric(3))
def test_equations_of_longer_polynomials_have_their_moments(found: Polynomial) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tpsym.freeprob.eliminate.SECONDS", 3.0)
        have_their_moments(found)


def have_their_moments(found: Polynomial) -> None:
    law = spectrum(found, mean=independent)
    try:
        curve = law.curve
    except Unavailable as error:
        assert any(word in error.reason for word in ("too large", "entangled"))  # noqa: PT017
        return
    assert curve.certified or "guess" in curve.method
    assert vanishes(curve.polynomial, law.moments(24))


@pytest.mark.parametrize("found", [
    of((1, (X,))), of((1, (X, Y)), (1, (Y, X))), of((1, (X, X, X))), of((1, (X, X, Y)), (1, (Y, X, X))), products(3),
    of((1, (W, V)), (1, (VT, WT))), jacobian([step(H[0]), step(H[1])]),
])
def test_guessed_and_eliminated_equations_agree(found: Polynomial) -> None:
    moments = Moments(found, independent)
    built = system(moments)
    certain = built.ring.expression(eliminated(built))
    guess, _, _ = guessed(moments, built, Unavailable("not tried"))
    ratio = sp.cancel(guess / certain)
    assert not ratio.free_symbols & {SERIES, T}


def test_a_guess_is_proved_by_the_degree_of_its_system() -> None:
    moments = Moments(of((1, (X, Y)), (1, (Y, X))), independent)
    assert guessed(moments, system(moments), Unavailable("not tried"))[1]
    hard = Moments(of((1, (X, X, X))), independent)
    assert not guessed(hard, system(hard), Unavailable("not tried"))[1]


def test_diagonals_with_infinitely_many_values_have_moments_but_no_equation() -> None:
    law = spectrum(of((1, (X,)), (1, (Diagonal(SQUARE, H[0]),))), mean=independent)
    assert law.moment(4) == 2 + 4 + 3
    with pytest.raises(Unavailable, match="infinitely many values"):
        _ = law.curve


def test_what_is_not_symmetric_is_refused() -> None:
    with pytest.raises(Unavailable, match="equal to its transpose"):
        spectrum(of((1, (W,))))
    with pytest.raises(Unavailable, match="square"):
        spectrum(polynomial([(S.One, (TALL,))], SQUARE, TALL.columns))


# --- transforms ----------------------------------------------------------------------------------------------


def test_transforms_of_the_free_poisson_law_and_of_products() -> None:
    law = spectrum(IN_PRINT["Marchenko–Pastur"][0])
    assert sp.simplify(law.r_transform(w) - 1 / (1 - RATIO * w)) == 0
    assert sp.simplify(law.s_transform(w) - 1 / (1 + RATIO * w)) == 0
    for count in (1, 2, 3, 4):
        assert sp.simplify(spectrum(products(count)).s_transform(w) - (1 + w) ** -count) == 0


def test_r_transforms_have_the_free_cumulants_for_coefficients() -> None:
    for found in (of((1, (X,)), (1, (SIGN,))), of((1, (X, Y)), (1, (Y, X))), of((2, (X, X)), (1, (Y,)), (3, ()))):
        law = spectrum(found, mean=independent)
        series = sp.series(law.r_transform(w), w, 0, 7).removeO()
        assert [sp.expand(series).coeff(w, k) for k in range(7)] == [law.free_cumulant(k + 1) for k in range(7)]


def test_s_transforms_have_the_inverse_series_of_the_moments() -> None:
    law = spectrum(of((1, (X,)), (3, ())))
    chi = sp.series(law.s_transform(w) * w / (1 + w), w, 0, 6).removeO()
    psi = sp.Add(*(m * chi**k for k, m in enumerate(law.moments(5)) if k))
    assert sp.series(sp.expand(psi), w, 0, 6).removeO() == w


def test_no_s_transform_without_a_mean() -> None:
    with pytest.raises(Unavailable, match="mean is not zero"):
        spectrum(of((1, (X,)))).s_transform(w)


# --- scales, shifts and irrational coefficients ----------------------------------------------------------------


def test_a_scale_and_a_shift_move_everything() -> None:
    sigma = Symbol("sigma", positive=True)
    law = spectrum(of((sigma, (X,)), (3, ())))
    assert sp.expand(law.curve.polynomial - (sigma**2 * G**2 - (z - 3) * G + 1)) == 0
    assert law.support() == [(sp.true, (3 - 2 * sigma, 3 + 2 * sigma))]
    value = law.density(t).xreplace({sigma: S(2), t: S(4)})
    assert sp.simplify(value - sp.sqrt(16 - 1) / (8 * sp.pi)) == 0
    assert law.density(t).xreplace({sigma: S(2), t: S(8)}) == 0
    assert law.atom(S.Zero) == [(sp.true, S.Zero)]


def test_an_irrational_coefficient_is_no_parameter() -> None:
    law = spectrum(of((1, (X,)), (sp.sqrt(2), (WT, W))))
    assert law.curve.certified
    numbers = law.law()
    for k in (1, 2, 3):
        exact = float(sp.N(law.moment(k)))
        assert abs(numbers.expect(lambda x, k=k: x**k) - exact) < 1e-9
    assert law.atom(S.Zero) == [(sp.true, S.Zero)]


def test_probabilities_that_are_irrational() -> None:
    """diag(sign(h − 1)) for a standard h, as an atom of mass Φ(−1) at 1."""
    chance = sp.erfc(1 / sp.sqrt(2)) / 2

    def mean(expr: Expr) -> Expr:
        return sp.expand(sp.expand(expr).replace(lambda e: isinstance(e, step), lambda e: chance))

    law = spectrum(of((1, (X,)), (3, (Diagonal(SQUARE, 2 * step(H[0] - 1) - 1),))), mean=mean)
    numbers = law.law()
    assert len(numbers.support) == 2
    assert abs(numbers.expect(lambda x: (x > 0) * 1.0) - float(chance)) < 1e-9


def test_the_order_of_factors_and_names_do_not_matter() -> None:
    first = spectrum(of((1, (X, Y, X)), (2, (Z,)))).curve
    second = spectrum(of((2, (Y,)), (1, (Z, X, Z)))).curve
    assert first.polynomial == second.polynomial


def test_several_parameters_in_one_weight_are_one() -> None:
    a, b = Symbol("a", positive=True), Symbol("b", positive=True)
    law = spectrum(of((a, (X,)), (b, (Y,))))
    ((condition, ends),) = law.support()
    assert condition == sp.true
    assert [sp.expand(e**2) for e in ends] == [4 * a**2 + 4 * b**2] * 2
    bands = spectrum(of((a, (X,)), (b, (SIGN,))), mean=independent)
    assert [(c, len(ends)) for c, ends in bands.support()] == [(b / a <= 1, 2), (b / a > 1, 4)]
    at_one = [e.xreplace({a: S(2), b: S(2)}) for e in bands.support()[0][1]]
    assert [sp.N(e - s * 3 * sp.sqrt(3), 30) == 0 for e, s in zip(at_one, (-1, 1), strict=True)] == [True, True]
