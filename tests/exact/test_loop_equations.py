"""Traces of words at finite n, against sums over all indices and the polynomials in print."""

from __future__ import annotations

import pytest
import sympy as sp
from entry_sums import n, traces
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Rational, S, Symbol

from tpsym.exact.traces import expected_trace, expected_traces, loop_equations
from tpsym.matrices import Diagonal, Factor, Gaussian, Space, Word, polynomial, word_adjoint

N, M, K = Space("n", S.One), Space("m", S(2)), Space("k", Rational(1, 2))
POINT = Space("1", 1 / n)
rho = Symbol("rho", positive=True)
LONG = Space("l", rho)


def real(rows: Space, columns: Space, name: str = "X", variance: Expr = S.One) -> Gaussian:
    return Gaussian(name, rows, columns, variance, "real")


SQUARE = [Gaussian(f"{kind[0]}{i}", N, N, S(i + 1), kind)
          for kind in ("real", "symmetric", "complex", "hermitian") for i in (0, 1)]
LETTERS = [Factor(m, a) for m in SQUARE for a in ((False,) if m.is_selfadjoint else (False, True))]
words = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4).map(tuple)


def at(value: Expr, width: int) -> Expr:
    return value.xreplace({n: sp.Integer(width)})


def same(value: Expr, words: list[Word], width: int) -> bool:
    found = traces(words, width)
    return at(value, width) == Rational(found.numerator, found.denominator)


@settings(max_examples=60, deadline=None)
@given(words, words)
def test_two_traces_are_sums_over_all_indices(first: Word, second: Word) -> None:
    first, second = first[:3], second[:3]
    value = expected_traces([first, second], n)
    for width in (1, 2):
        assert same(value, [first, second], width)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SQUARE), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_a_word_that_pairs_off(letters: list[Gaussian], random: object) -> None:
    both = [Factor(m) for m in letters] + [Factor(m, not m.is_selfadjoint) for m in letters]
    random.shuffle(both)  # type: ignore[attr-defined]
    word = tuple(both)
    value = expected_traces([word], n)
    for width in (1, 2):
        assert same(value, [word], width)


ROW = real(POINT, N, "v", n)
RECTANGULAR: list[list[Word]] = [
    [(Factor(real(M, N)), Factor(real(M, N), True)) * 2],
    [(Factor(real(K, N)), Factor(real(M, N, "Y"), True), Factor(real(M, N, "Y")), Factor(real(K, N), True))],
    [(Factor(Gaussian("C", M, N, S.One, "complex")), Factor(Gaussian("C", M, N, S.One, "complex"), True)) * 2],
    [(Factor(real(N, POINT, "v", n), True), Factor(real(N, N)), Factor(real(N, POINT, "v", n)))] * 2,
    [(Factor(ROW), Factor(real(N, N)), Factor(real(N, N), True), Factor(ROW, True))],
]


@pytest.mark.parametrize("words", RECTANGULAR)
def test_rectangular_matrices_and_vectors_as_matrices(words: list[Word]) -> None:
    value = expected_traces(words, n)
    for width in (2, 4) if len(words[0]) <= 3 else (2,):
        assert same(value, words, width)


GOE = ["1 + 1/n", "2 + 5/n + 5/n^2", "5 + 22/n + 52/n^2 + 41/n^3", "14 + 93/n + 374/n^2 + 690/n^3 + 509/n^4",
       "42 + 386/n + 2290/n^2 + 7150/n^3 + 12143/n^4 + 8229/n^5"]
GUE = ["1", "2 + 1/n^2", "5 + 10/n^2", "14 + 70/n^2 + 21/n^4", "42 + 420/n^2 + 483/n^4"]


@pytest.mark.parametrize(("kind", "known"), [("symmetric", GOE), ("hermitian", GUE)])
def test_moments_of_the_gaussian_ensembles(kind: str, known: list[str]) -> None:
    h = Factor(Gaussian("H", N, N, S.One, kind))  # type: ignore[arg-type]
    for k, text in enumerate(known, start=1):
        value = sp.expand(loop_equations([(h,) * (2 * k)], n) / n ** (k + 1))
        assert value == sp.parse_expr(text.replace("^", "**"), {"n": n})


def test_a_symmetrised_matrix_is_the_orthogonal_ensemble() -> None:
    x = real(N, N)
    a = polynomial([(1 / sp.sqrt(2), (Factor(x),)), (1 / sp.sqrt(2), (Factor(x, True),))], N, N)
    fourth = a @ a @ a @ a
    assert sp.expand(expected_trace(fourth, n) / n) == 2 + 5 / n + 5 / n**2


def test_wishart_matrices() -> None:
    def moment(kind: str, k: int) -> Expr:
        x = Gaussian("X", LONG, N, S.One, kind)  # type: ignore[arg-type]
        return sp.expand(loop_equations([(Factor(x), Factor(x, True)) * k], n) / (rho * n ** (k + 1)))

    assert moment("real", 2) == 1 + rho + 1 / n
    assert moment("real", 3) == sp.expand(1 + 3 * rho + rho**2 + (3 + 3 * rho) / n + 4 / n**2)
    assert moment("complex", 2) == 1 + rho
    assert moment("complex", 3) == 1 + 3 * rho + rho**2 + 1 / n**2
    assert moment("real", 4).xreplace({n: S.One, rho: S.One}) == 105


# --- laws ---------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(words, words, st.integers(0, 3))
def test_traces_turn_and_transpose_and_their_order_does_not_matter(first: Word, second: Word, turn: int) -> None:
    value = expected_traces([first, second], n)
    turned = first[turn % len(first) :] + first[: turn % len(first)]
    assert expected_traces([second, turned], n) == value
    # the adjoint of everything has the conjugate mean, and means are real
    assert expected_traces([word_adjoint(first), word_adjoint(second)], n) == value
    assert loop_equations([first, second], n) == sp.expand(loop_equations([second, first], n))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=8).map(tuple))
def test_one_dimension_is_scalar_moments(word: Word) -> None:
    """At n = 1 a trace is a product of numbers: E|z|^{2k} = k! for complex ones, (2k-1)!! for real ones."""
    expected: Expr = S.One
    for matrix in SQUARE:
        plain = sum(x.matrix == matrix and not x.adjoint for x in word)
        adjoint = sum(x.matrix == matrix and x.adjoint for x in word)
        count = plain + adjoint
        v = matrix.variance * (2 if matrix.kind == "symmetric" else 1)
        if matrix.kind == "complex":
            expected *= v**plain * sp.factorial(plain) if plain == adjoint else 0
        else:
            expected *= v ** Rational(count, 2) * sp.factorial2(count - 1) if count % 2 == 0 else 0
    assert at(expected_traces([word], n), 1) == expected


def test_sums_of_polynomials_are_sums_of_traces() -> None:
    x, y = real(N, N), Gaussian("Y", N, N, S.One, "symmetric")
    p = polynomial([(S(3), (Factor(x), Factor(x, True))), (rho, (Factor(y), Factor(y)))], N, N)
    q = polynomial([(S.One, ()), (S.One, (Factor(y),))], N, N)
    both = expected_trace(p + q, n)
    assert both == sp.expand(expected_trace(p, n) + expected_trace(q, n))
    assert expected_trace(q, n) == n


# --- diagonal matrices --------------------------------------------------------------------------------

z = Symbol("z", real=True)


def gaussian_mean(f: Expr) -> Expr:
    return sum((c * (sp.factorial2(k - 1) if k % 2 == 0 else 0) for (k,), c in f.as_poly(z).terms()), S.Zero)


def test_diagonal_matrices_of_random_vectors() -> None:
    """E Tr(W D W^T D') = E Σ_i d_i Σ_j d'_j / n; neighbours multiply."""
    w = real(N, N)
    d, square = Diagonal(N, z), Diagonal(N, z**2)
    value = expected_traces([(Factor(w), d, Factor(w, True), d)], n, mean=gaussian_mean)
    assert value == 1
    value = expected_traces([(d, Factor(w), square, d, Factor(w, True))], n, mean=gaussian_mean)
    assert value == 3
    value = expected_traces([(Factor(w), square, Factor(w, True), square)], n, mean=gaussian_mean)
    assert value == n + 2
    assert expected_traces([(d,), (d,), (square,)], n, mean=gaussian_mean) == n**2 + 2 * n


def test_what_has_no_trace() -> None:
    with pytest.raises(ValueError, match="has no trace"):
        expected_traces([(Factor(real(M, N)),)], n)
    with pytest.raises(ValueError, match="empty word"):
        expected_traces([()], n)
    with pytest.raises(ValueError, match="need the mean"):
        expected_traces([(Diagonal(N, z),)], n)
