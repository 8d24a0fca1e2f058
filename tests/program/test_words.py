"""``W + W.T`` in words: the operator is the same matrix as its terms written out, and powers stay one word."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsym.errors import NOWHERE
from tpsym.program.instructions import Dimension
from tpsym.program.letters import Letter, MatrixLetter, SymmetricLetter, Word
from tpsym.program.operators import add, compose, scale, transpose
from tpsym.program.values import Operator
from tpsym.program.words import collected, written_out

N = Dimension("n", sp.S.One)
SIZE = 4
RNG = np.random.default_rng(0)
ARRAYS = [RNG.integers(-3, 4, (SIZE, SIZE)) for _ in range(2)]


def array(letter: Letter) -> np.ndarray:
    assert isinstance(letter, MatrixLetter | SymmetricLetter)
    w = ARRAYS[letter.node]
    if isinstance(letter, SymmetricLetter):
        return w + w.T
    return w.T if letter.transposed else w


def value(terms: tuple[tuple[sp.Expr, Word], ...]) -> np.ndarray:
    total = np.zeros((SIZE, SIZE), dtype=int)
    for c, word in terms:
        product = int(c) * np.eye(SIZE, dtype=int)
        for letter in word:
            product = product @ array(letter)
        total = total + product
    return total


def matrix(node: int) -> Operator:
    return Operator(((sp.S.One, (MatrixLetter(node, False),)),), N, N)


def symmetrised(node: int) -> Operator:
    return add(matrix(node), transpose(matrix(node), NOWHERE), NOWHERE)


LETTERS = st.one_of(
    st.builds(MatrixLetter, st.integers(0, 1), st.booleans()), st.builds(SymmetricLetter, st.integers(0, 1))
)
TERMS = st.lists(st.tuples(st.integers(-2, 2).map(sp.Integer), st.lists(LETTERS, max_size=3).map(tuple)), max_size=9)


@settings(max_examples=300, deadline=None)
@given(TERMS)
def test_collecting_keeps_the_matrix(terms: list[tuple[sp.Expr, Word]]) -> None:
    found = collected(terms)
    assert (value(found) == value(tuple(terms))).all()
    assert len({w for _, w in found}) == len(found)
    assert all(c != 0 for c, _ in found)
    assert len(found) <= len(terms)


@settings(max_examples=100, deadline=None)
@given(TERMS)
def test_writing_out_keeps_the_matrix(terms: list[tuple[sp.Expr, Word]]) -> None:
    raw = tuple((c, each) for c, word in terms for each in written_out(word, {0, 1}))
    assert not any(isinstance(x, SymmetricLetter) for _, word in raw for x in word)
    assert (value(raw) == value(tuple(terms))).all()
    one = tuple((c, each) for c, word in terms for each in written_out(word, {1}))
    assert not any(x == SymmetricLetter(1) for _, word in one for x in word)
    assert (value(one) == value(tuple(terms))).all()


@pytest.mark.parametrize("power", range(1, 8))
def test_a_power_of_a_symmetrised_matrix_is_one_word(power: int) -> None:
    a = symmetrised(0)
    product = a
    for _ in range(power - 1):
        product = compose(product, a, NOWHERE)
    assert product.terms == ((1, (SymmetricLetter(0),) * power),)
    assert transpose(product, NOWHERE) == product


def test_every_order_of_the_expanded_power_is_one_word() -> None:
    words = list(written_out((SymmetricLetter(0), SymmetricLetter(1), SymmetricLetter(0)), {0, 1}))
    for seed in range(20):
        random.Random(seed).shuffle(words)
        assert len(collected((sp.S.One, w) for w in words)) <= 4
    assert collected((sp.S.One, w) for w in sorted(words, key=str)) == (
        (1, (SymmetricLetter(0), SymmetricLetter(1), SymmetricLetter(0))),
    )


def test_anticommutator_of_symmetrised_matrices_has_two_words() -> None:
    a, b = symmetrised(0), symmetrised(1)
    both = add(compose(a, b, NOWHERE), compose(b, a, NOWHERE), NOWHERE)
    assert len(both.terms) == 2
    assert transpose(both, NOWHERE).terms == both.terms[::-1]


def test_taking_away_one_leaves_the_other() -> None:
    left = add(symmetrised(0), scale(matrix(0), sp.S.NegativeOne), NOWHERE)
    assert left == transpose(matrix(0), NOWHERE)
    assert add(left, scale(left, sp.S.NegativeOne), NOWHERE).terms == ()


def test_different_coefficients_stay_apart() -> None:
    a = add(scale(matrix(0), sp.Integer(2)), transpose(matrix(0), NOWHERE), NOWHERE)
    assert len(a.terms) == 2
