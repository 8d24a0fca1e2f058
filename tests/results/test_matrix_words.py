"""Matrix expressions of a file as polynomials: the same matrix, with the variances of its letters."""

from __future__ import annotations

import pytest
import sympy as sp

from tpsym import api
from tpsym.errors import NOWHERE, TpError
from tpsym.matrices import Diagonal, Factor, Gaussian, Polynomial, Space
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Operator
from tpsym.results.matrix_words import matrix_polynomial
from tpsym.syntax.parse import parse_expression

FILE = """\
width n
param s: positive
param r: positive
width m = n/r
random X: (n, n) ~ N(0, s^2/n)
random Y: (n, m) ~ N(0, 1/m)
random W[l]: (n, n) ~ N(0, l/n) for l in 1..3
random u: (n) ~ N(0, 1)
random v: (1, n) ~ N(0, 1/n)
random V: (2, n) ~ N(0, 1/n)
D = diag(tanh(u))
"""
n, s, r = sp.Symbol("n", positive=True), sp.Symbol("s", positive=True), sp.Symbol("r", positive=True)
N, M = Space("n", sp.S.One), Space("m", 1 / r)


def polynomial(text: str, file: str = FILE) -> Polynomial:
    context = api.parse(file).model.context
    value = evaluate(context, parse_expression(text), context.scope)
    assert isinstance(value, Operator)
    return matrix_polynomial(context, value, NOWHERE)


def test_a_square_matrix() -> None:
    x = Factor(Gaussian("X", N, N, s**2))
    assert polynomial("X") == Polynomial(((sp.S.One, (x,)),), N, N)
    assert polynomial("X.T/2") == Polynomial(((sp.Rational(1, 2), (Factor(x.matrix, True),)),), N, N)


def test_a_symmetrised_matrix_has_twice_the_variance() -> None:
    both = Factor(Gaussian("X", N, N, 2 * s**2, "symmetric"))
    assert polynomial("(X + X.T)^3") == Polynomial(((sp.S.One, (both,) * 3),), N, N)


def test_a_matrix_alone_and_symmetrised_is_one_matrix() -> None:
    found = polynomial("(X + X.T)@(W[1] + W[1].T) + X")
    names = {(x.matrix.name, x.matrix.kind) for _, w in found.terms for x in w if isinstance(x, Factor)}
    assert names == {("X", "real"), ("W[1]", "symmetric")}
    assert len(found.terms) == 3
    chained = polynomial("(X + X.T)@(W[1] + W[1].T) + X + (W[1] + W[1].T)@(W[2] + W[2].T)")
    names = {(x.matrix.name, x.matrix.kind) for _, w in chained.terms for x in w if isinstance(x, Factor)}
    assert names == {("X", "real"), ("W[1]", "symmetric"), ("W[2]", "symmetric")}


def test_a_rectangular_matrix() -> None:
    y = Gaussian("Y", N, M, r)
    assert polynomial("Y") == Polynomial(((sp.S.One, (Factor(y),)),), N, M)
    assert polynomial("Y.T@Y").rows == M
    assert polynomial("Y@Y.T").terms == ((1, (Factor(y), Factor(y, True))),)


def test_variances_are_those_of_the_entries() -> None:
    wide = FILE + "random B: (m, n) ~ N(0, 3/n)\n"
    assert polynomial("B", wide).terms[0][1] == (Factor(Gaussian("B", M, N, sp.Integer(3))),)
    of_order_one = FILE + "random B: (n, n) ~ N(0, 3)\n"
    ((c, word),) = polynomial("B", of_order_one).terms
    assert sp.expand(c**2 * word[0].matrix.variance / n) == 3  # type: ignore[union-attr]


def test_diagonal_matrices_are_gathered() -> None:
    ((c, word),) = polynomial("diag(2*tanh(u))@D@W[2]@diag(3 + 0*u)").terms
    assert c == 6
    assert len(word) == 2
    assert isinstance(word[0], Diagonal)
    assert word[0].space == N
    assert isinstance(word[0].expr, sp.Pow)
    assert polynomial("D@diag(u)").terms == polynomial("diag(u)@D").terms
    assert polynomial("eye(n)").terms == ((1, ()),)
    assert polynomial("X - X").terms == ()


@pytest.mark.parametrize(
    ("text", "code"), [("v.T@v + X", "finite-rank"), ("v@X", "finite-matrix"), ("V.T@V + X", "finite-rank")]
)
def test_finite_sizes_are_refused(text: str, code: str) -> None:
    with pytest.raises(TpError) as error:
        polynomial(text)
    assert error.value.diagnostics[0].code == code
