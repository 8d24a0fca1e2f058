"""Sampled matrix expressions against the same products written in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tpsym import api
from tpsym.errors import TpError
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Operator
from tpsym.simulate.finite_width import run
from tpsym.simulate.matrices import eigenvalues, sample_matrix
from tpsym.simulate.payload import Array
from tpsym.syntax.parse import parse_expression

FILE = """\
width n
param lambda: positive = 1/4
param s: positive
width m = n/lambda
dim d = 3
input x: (d)
random X: (n, n) ~ N(0, 1/n)
random Y: (n, m) ~ N(0, s^2/m)
random u: (n) ~ N(0, 1)
random V: (2, n) ~ N(0, 1/n)
weight U: (n, d) ~ N(0, 1/d)
weight W[l]: (n, n) ~ N(0, 2/n) for l in 1..2
def f(xi):
    h[1] = W[1] @ (U @ xi)
    h[2] = W[2] @ relu(h[1])
    J = diag(step(h[2])) @ W[2] @ diag(step(h[1])) @ W[1]
    return mean(relu(h[2]))
"""
N = 40
VALUES = {"lambda": 0.25, "s": 3.0, "dot(x, x)": 2.0}


class Sampled:
    """A matrix expression of a file, its array, and arrays of the same run."""

    def __init__(self, text: str, *, file: str = FILE, n: int = N, seed: int = 0) -> None:
        self.context = api.parse(file).model.context
        value = evaluate(self.context, parse_expression(text), self.context.scope)
        assert isinstance(value, Operator)
        self.n, self.seed = n, seed
        symbols = [*self.context.parameters, *self.context.grams.values()]
        self.values = {s: VALUES[s.name] for s in symbols if s.name in VALUES}
        self.array = sample_matrix(self.context.builder.program(), value, self.context.nodes, n=n, seed=seed,
                                   values=self.values)

    def of(self, label: str) -> Array:
        builder = self.context.builder
        node = next(k for k in builder.program().graph if builder.program().label(k) == label)
        found = run(builder.program(), [node], n=self.n, seed=self.seed, values=self.values)[node]
        assert isinstance(found, np.ndarray)
        return found


def test_a_symmetrised_matrix() -> None:
    found = Sampled("(X + X.T)/sqrt(2)")
    x = found.of("X")
    np.testing.assert_allclose(found.array, (x + x.T) / np.sqrt(2))
    np.testing.assert_allclose(eigenvalues(found.array), np.linalg.eigvalsh((x + x.T) / np.sqrt(2)))


def test_a_rectangular_matrix_has_its_ratio_and_variance() -> None:
    found = Sampled("Y @ Y.T - 2*eye(n)")
    y = found.of("Y")
    assert y.shape == (N, 4 * N)
    assert np.std(y) == pytest.approx(3 / np.sqrt(4 * N), rel=0.03)
    np.testing.assert_allclose(found.array, y @ y.T - 2 * np.eye(N), atol=1e-12)
    assert Sampled("Y.T @ Y").array.shape == (4 * N, 4 * N)


def test_a_jacobian_has_the_signs_of_its_own_matrices() -> None:
    found = Sampled("f.J(x).T @ f.J(x)")
    w1, w2 = found.of("W[1]"), found.of("W[2]")
    start = found.of("U·x")
    h1 = w1 @ start
    h2 = w2 @ np.maximum(h1, 0)
    jacobian = np.diag(h2 > 0) @ w2 @ np.diag(h1 > 0) @ w1
    assert 0.2 < np.mean(h2 > 0) < 0.8
    np.testing.assert_allclose(found.array, jacobian.T @ jacobian, atol=1e-12)


def test_diagonals_scale_rows_and_columns() -> None:
    found = Sampled("diag(u) @ X @ diag(u^2) @ X.T @ diag(u) + n^(-1)*diag(u^3) + diag(u)/2 - eye(n)")
    u, x = found.of("u"), found.of("X")
    inner = np.diag(u) @ x @ np.diag(u**2) @ x.T @ np.diag(u)
    np.testing.assert_allclose(found.array, inner + np.diag(u**3) / N + np.diag(u) / 2 - np.eye(N), atol=1e-12)


def test_a_coefficient_may_be_a_scalar_of_the_program() -> None:
    found = Sampled("mean(u^2)*(X + X.T)")
    u, x = found.of("u"), found.of("X")
    np.testing.assert_allclose(found.array, np.mean(u**2) * (x + x.T))


def test_seeds_and_widths() -> None:
    first, again, other = (Sampled("X @ X.T", seed=s).array for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert Sampled("X @ X.T", n=7).array.shape == (7, 7)


@pytest.mark.parametrize(("text", "file", "words"), [
    ("V.T @ V", FILE, "finite size"),
    ("Y @ Y.T", FILE.replace("param lambda: positive = 1/4", "param rho: positive").replace("n/lambda", "n/rho"),
     "rho must have a value"),
    ("J(x) @ J(x).T", "depth L\nwidth n\ndim d\ninput x: (d)\nweight U: (n, d) ~ N(0, 1/d)\n"
     "weight W[l]: (n, n) ~ N(0, 1/n) for l in 2..L\ndef f(x):\n    h[1] = U @ x\n    for l in 2..L:\n"
     "        h[l] = W[l] @ tanh(h[l-1])\n    return mean(h[L])\n"
     "let J(x) = diag(f.h[L](x))\n", "symbolic number of layers"),
])
def test_what_cannot_be_drawn(text: str, file: str, words: str) -> None:
    with pytest.raises(TpError, match=words):
        Sampled(text, file=file)


def test_entries_have_to_be_finite() -> None:
    with pytest.raises(TpError, match="not finite"):
        eigenvalues(np.array([[np.inf]]))


def test_unknown_functions_are_given() -> None:
    context = api.parse("width n\nfn phi\nrandom u: (n) ~ N(0, 1)\nD = diag(phi(u))").model.context
    value = evaluate(context, parse_expression("D"), context.scope)
    assert isinstance(value, Operator)
    found = sample_matrix(context.builder.program(), value, context.nodes, n=5, seed=0, values={},
                          functions={"phi": np.cosh})
    assert (np.diag(found) >= 1).all()
