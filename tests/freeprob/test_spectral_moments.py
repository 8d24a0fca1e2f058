"""Moments of polynomials in Gaussian matrices and diagonals: closed forms, non-crossing pairings, sampled matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from matrix_polynomials import RATIO, SQUARE, TALL, VT, WT, H, V, W, X, Y, Z, independent, jacobian, of, products
from sympy import Expr, Rational, S, Symbol

from tpsym.freeprob.moments import Moments
from tpsym.freeprob.transforms import free_cumulants
from tpsym.functions import relu, step
from tpsym.matrices import Diagonal, Factor, Gaussian, Polynomial, Space, Word, letter_adjoint, polynomial


def narayana(k: int) -> Expr:
    """The k-th moment of the Marchenko–Pastur law, theory of lattice paths."""
    return sp.Add(*(Rational(math.comb(k, r) * math.comb(k - 1, r), r + 1) * RATIO**r for r in range(k)))


def test_the_semicircle_has_catalan_numbers_to_order_100() -> None:
    found = Moments(of((1, (X,))))(100)
    assert list(found[::2]) == [sp.catalan(k) for k in range(51)]
    assert set(found[1::2]) == {0}


def test_marchenko_pastur_at_a_symbolic_ratio() -> None:
    adjoint = Factor(TALL.matrix, True)
    found = Moments(polynomial([(S.One, (TALL, adjoint))], SQUARE, SQUARE))(12)
    assert [sp.expand(m - narayana(k)) for k, m in enumerate(found) if k] == [0] * 12


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_products_of_ginibre_matrices_have_fuss_catalan_moments(count: int) -> None:
    found = Moments(products(count))(10)
    assert list(found) == [Rational(math.comb((count + 1) * k, k), count * k + 1) for k in range(11)]


# --- pairings, written from the definition ----------------------------------------------------------------


def non_crossing(word: Word) -> Iterator[Expr]:
    """The weight of every non-crossing pairing of letters with their adjoints, for square matrices."""
    if not word:
        yield S.One
        return
    first, rest = word[0], word[1:]
    for k, other in enumerate(rest):
        if other == letter_adjoint(first):
            for inside in non_crossing(rest[:k]):
                for outside in non_crossing(rest[k + 1 :]):
                    yield first.matrix.variance * inside * outside  # type: ignore[union-attr]


def by_pairings(found: Polynomial, k: int) -> Expr:
    total = S.Zero
    words: list[tuple[Expr, Word]] = [(S.One, ())]
    for _ in range(k):
        words = [(a * b, v + w) for a, v in words for b, w in found.terms]
    for c, word in words:
        total += c * sp.Add(*non_crossing(word))
    return sp.expand(total)


LETTERS = [X, Y, W, WT, V, VT]
WORDS = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map(tuple)
POLYNOMIALS = st.lists(st.tuples(st.integers(-2, 2), WORDS), min_size=1, max_size=3).map(lambda terms: of(*terms))


@given(POLYNOMIALS, st.integers(0, 4))
def test_any_polynomial_against_its_pairings(found: Polynomial, k: int) -> None:
    assert Moments(found)(k)[k] == by_pairings(found, k)


@given(POLYNOMIALS, st.integers(1, 6))
def test_moments_are_those_of_the_adjoint_and_of_any_order_of_terms(found: Polynomial, k: int) -> None:
    turned = Polynomial(found.terms[::-1], found.rows, found.columns)
    assert Moments(found)(k) == Moments(found.adjoint)(k) == Moments(turned)(k)


@given(POLYNOMIALS, POLYNOMIALS)
def test_traces_are_cyclic(a: Polynomial, b: Polynomial) -> None:
    assert Moments(a @ b)(2) == Moments(b @ a)(2)


def test_star_moments_of_circular_words() -> None:
    words = {(W, WT): 1, (W, WT) * 2: 2, (W, W, WT, WT): 1, (W, WT) * 3: 5, (W, W, WT, W, WT, WT): 2,
             (W, W, WT, WT) * 2: 3, (W, W): 0}
    assert {word: Moments(of((1, word)))(1)[1] for word in words} == words


def test_elliptic_words() -> None:
    """τ(E²) = τ, τ(E E*) = 1 and τ(E⁴) = 2τ² for the elliptic matrix of correlation τ."""
    tau = Symbol("tau", positive=True)
    other = Factor(Gaussian("A", SQUARE, SQUARE, S.One))
    a, b = sp.sqrt(tau / 2), sp.sqrt(1 - tau)
    elliptic = of((a, (W,)), (a, (WT,)), (b, (other,)))
    assert sp.simplify(Moments(elliptic @ elliptic)(1)[1] - tau) == 0
    assert sp.simplify(Moments(elliptic @ elliptic.adjoint)(1)[1] - 1) == 0
    assert sp.simplify(Moments(elliptic)(4)[4] - 2 * tau**2) == 0


# --- rectangular matrices and scales ----------------------------------------------------------------------


def test_a_trace_over_the_other_side_differs_by_the_ratio() -> None:
    m = Space("m", Rational(3, 2))
    a = Factor(Gaussian("A", SQUARE, m, S.One))
    at = Factor(a.matrix, True)
    left = Moments(polynomial([(S.One, (a, at))], SQUARE, SQUARE))(6)
    right = Moments(polynomial([(S.One, (at, a))], m, m))(6)
    assert list(left[1:]) == [Rational(3, 2) * y for y in right[1:]]


@given(st.integers(1, 5), st.integers(-3, 3), st.integers(1, 3))
def test_affine_changes(scale: int, shift: int, power: int) -> None:
    root = sp.sqrt(scale)
    plain = Moments(of((1, (X,) * power), (1, (Y,))))(5)
    moved = Moments(of((root, (X,) * power), (root, (Y,)), (shift, ())))(5)
    for k in range(6):
        terms = (math.comb(k, j) * S(shift) ** (k - j) * root**j * plain[j] for j in range(k + 1))
        assert sp.expand(moved[k] - sp.Add(*terms)) == 0


# --- diagonals ----------------------------------------------------------------------------------------------


def test_alternating_products_by_freeness() -> None:
    """τ(abab) = τ(a²)τ(b)² + τ(a)²τ(b²) − τ(a)²τ(b)² for free a, b (Tensor Programs III, Definition 4.1)."""
    a = of((1, (X,)), (2, ()))
    d = Diagonal(SQUARE, 1 + H[0])
    b = of((1, (d,)))
    word = a @ b @ a @ b
    assert Moments(word, independent)(1)[1] == 5 * 1 + 4 * 2 - 4 * 1


def test_relu_jacobians_have_variance_two_l() -> None:
    for depth in range(1, 5):
        _, first, second = Moments(jacobian([step(h) for h in H[:depth]]), independent)(2)
        assert (first, second / first**2 - 1) == (Rational(1, 2**depth), 2 * depth)


def test_signs_steps_and_cases_are_one_law() -> None:
    h = H[0]
    forms = [2 * step(h) - 1, sp.sign(h), sp.Piecewise((1, h > 0), (-1, True))]
    found = {Moments(of((1, (X,)), (1, (Diagonal(SQUARE, f),))), independent)(8) for f in forms}
    assert len(found) == 1


def test_finitely_many_values_agree_with_moments() -> None:
    """The same law, once as a diagonal with two values and once known by its moments alone."""
    def coin(expr: Expr) -> Expr:
        return sp.Add(*(c * (1 if k % 2 == 0 else 0) for (k,), c in sp.Poly(expr, H[1]).terms()))

    by_values = Moments(of((1, (X, X)), (1, (Diagonal(SQUARE, sp.sign(H[0])), X)),
                           (1, (X, Diagonal(SQUARE, sp.sign(H[0]))))), independent)
    d = Diagonal(SQUARE, H[1])
    by_moments = Moments(of((1, (X, X)), (1, (d, X)), (1, (X, d))), coin)
    assert by_values.values is not None
    assert by_moments.values is None
    assert by_values(7) == by_moments(7)


@pytest.mark.parametrize("diagonals", [(relu(H[0]),), (H[0], H[1]), (step(H[0]), H[1])])
def test_jacobians_of_depth_against_sampled_matrices(diagonals: tuple[Expr, ...]) -> None:
    n, rng, runs = 200, np.random.default_rng(7), 30
    exact = [float(m) for m in Moments(jacobian(diagonals), half_lines)(3)]
    measured = []
    for _ in range(runs):
        j = np.eye(n)
        for expr in diagonals:
            g = rng.standard_normal(n)
            symbol = next(iter(expr.free_symbols))
            values = sp.lambdify(symbol, expr, [{"step": lambda z: (z > 0) * 1.0, "relu": lambda z: np.maximum(z, 0)},
                                               "numpy"])(g)
            j = values[:, None] * (rng.standard_normal((n, n)) / np.sqrt(n)) @ j
        a = j.T @ j
        measured.append([np.trace(a) / n, np.trace(a @ a) / n, np.trace(a @ a @ a) / n])
    found = np.array(measured)
    errors = found.std(axis=0) / np.sqrt(runs) + np.abs(exact[1:]) * 6 / n
    assert (np.abs(found.mean(axis=0) - exact[1:]) < 5 * errors).all()


def half_lines(expr: Expr) -> Expr:
    """Means of powers of a coordinate times its step: half of the even moments, |g|^k of the odd ones."""
    total = S.Zero
    for term in sp.Add.make_args(sp.expand(expr.replace(relu, lambda z: z * step(z)))):
        value, powers, stepped = S.One, dict.fromkeys(H, 0), set()
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if isinstance(base, step):
                stepped.add(base.args[0])
            elif base in powers:
                powers[base] += int(power)
            else:
                value *= factor
        for h, k in powers.items():
            size = 2 ** sp.Rational(k, 2) * sp.gamma(sp.Rational(k + 1, 2)) / sp.sqrt(sp.pi)
            value *= size / 2 if h in stepped else (size if k % 2 == 0 else 0)
        total += value
    return total


# --- free cumulants -------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=7))
def test_free_cumulants_against_their_sum_over_non_crossing_partitions(cumulants: list[int]) -> None:
    """m_n = Σ over non-crossing partitions of ∏ κ, through the block of the first element."""
    k = dict(enumerate(cumulants, start=1))

    def moment(n: int) -> int:
        return 1 if n == 0 else sum(k.get(s, 0) * spread(s, n - s) for s in range(1, n + 1))

    def spread(parts: int, left: int) -> int:
        if parts == 0:
            return int(left == 0)
        return sum(moment(i) * spread(parts - 1, left - i) for i in range(left + 1))

    moments = [S(moment(n)) for n in range(len(cumulants) + 1)]
    assert list(free_cumulants(moments)) == cumulants


@given(POLYNOMIALS.filter(lambda p: all(x in (X, W, WT) for _, w in p.terms for x in w)))
def test_free_cumulants_add_for_free_variables(found: Polynomial) -> None:
    other = of((1, (Z,)), (1, (Z, Z)))
    both = free_cumulants(Moments(found + other)(6))
    parts = zip(free_cumulants(Moments(found)(6)), free_cumulants(Moments(other)(6)), strict=True)
    assert list(both) == [sp.expand(a + b) for a, b in parts]


def test_coordinates_whose_products_sympy_merges() -> None:
    """D W Wᵀ D + D² with D = exp(x/2), so that D² = exp(x): moments 2 E D² and E (D²)² (1 + 2 + 1) + (E D²)²."""
    x = Symbol("$1", real=True)
    d, square = Diagonal(SQUARE, sp.exp(x / 2)), Diagonal(SQUARE, sp.exp(x))

    def mean(expr: Expr) -> Expr:
        return expr.replace(sp.exp, lambda a: sp.exp((a / x) ** 2 / 2))

    found = Moments(of((1, (d, W, WT, d)), (1, (square,))), mean)(2)
    assert list(found) == [1, 2 * sp.sqrt(sp.E), 4 * sp.E**2 + sp.E]


def test_powers_of_cases() -> None:
    """D W Wᵀ D with D = 1, -1 and 0 on a third each has the moments of a projection of rank 2/3 and of W Wᵀ."""
    x, y = Symbol("$1", real=True), Symbol("$2", real=True)
    cases = Diagonal(SQUARE, sp.Piecewise((1, x > 1), (-1, x < -1), (0, True)))
    other = Diagonal(SQUARE, y)

    def mean(expr: Expr) -> Expr:
        """E of D^k y^m for an independent y with all moments one."""
        inside = expr.xreplace({y: S.One})
        return sp.Add(*(inside.xreplace({x: sp.Integer(v)}) for v in (-2, 0, 2))) / 3

    found = Moments(of((1, (cases, W, WT, cases)), (1, (other,))), mean)(2)
    third = Rational(1, 3)
    assert list(found) == [1, 2 * third + 1, 2 * third + (2 * third) ** 2 + 2 * 2 * third + 1]
