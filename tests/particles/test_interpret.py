"""Samples of the Z's of a program against what is known of them."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray
from sympy import S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.particles import gaussian
from tpsym.particles.gaussian import GaussianMatrix, MatrixLaw, Normals
from tpsym.particles.interpret import Sample, sample
from tpsym.program.evaluate import evaluate
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension, column_slot, vector_slot
from tpsym.program.scope import Context
from tpsym.syntax.parse import parse_expression

PARTICLES = 2**12


def nodes(context: Context, labels: tuple[str, ...]) -> list[int]:
    limit, context.limit = context.limit, None
    try:
        found: list[Any] = [evaluate(context, parse_expression(text), context.scope) for text in labels]
        return [
            context.nodes[v.expr] if v.expr in context.nodes else context.materialize(v) for v in found
        ]
    finally:
        context.limit = limit


def sampled(
    text: str, *labels: str, seed: int = 0, particles: int = PARTICLES, **more: Any
) -> tuple[Sample, list[Any]]:
    """A sample, and the values of the named quantities in it."""
    context = tpsym.parse(text).model.context
    found = nodes(context, labels)
    values = {s: more.pop(s.name) for s in context.parameters if s.name in more}
    made = sample(context.builder.program(), found, particles=particles, seed=seed, values=values, **more)
    return made, [made.values[k] for k in found]


def estimate(text: str, *labels: str, replicates: int = 8, **more: Any) -> tuple[Any, Any]:
    """Means over replicates and their standard errors."""
    found = np.array([sampled(text, *labels, seed=s, **more)[1] for s in range(replicates)])
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(replicates)


# --- matrices and their transposes -----------------------------------------------------------------

SEMICIRCLE = "width n\nrandom g: (n) ~ N(0, 1)\nrandom W: (n, n) ~ N(0, 1/(2*n))\nz1 = W @ g + W.T @ g\n" + "".join(
    f"z{k} = W @ z{k - 1} + W.T @ z{k - 1}\n" for k in (2, 3, 4)
) + "".join(f"m{k} = mean(z{k}*z{k})\n" for k in (1, 2, 3, 4))


def test_powers_of_a_symmetric_matrix_have_the_moments_of_the_semicircle() -> None:
    mean, stderr = estimate(SEMICIRCLE, "m1", "m2", "m3", "m4")
    assert np.all(stderr < [1e-3, 2e-3, 6e-3, 3e-2])
    np.testing.assert_array_less(np.abs(mean - [1, 2, 5, 14]), 4 * stderr + 1e-3 * np.array([1, 2, 5, 14]))


def test_without_the_correlation_part_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gaussian.GaussianMatrix.correlation
    monkeypatch.setattr(gaussian.GaussianMatrix, "correlation", lambda *a: np.zeros_like(right(*a)))
    mean, _ = estimate(SEMICIRCLE, "m1", "m2", "m3")
    np.testing.assert_allclose(mean, [1, 1, 1], rtol=0.05)


def test_a_rectangular_matrix_has_the_moments_of_marchenko_and_pastur() -> None:
    """(1/m) tr (A Aᵀ)^k for m rows of variance 1/n with ρ = m/n = 3."""
    text = "width n\nwidth m = 3*n\nrandom g: (m) ~ N(0, 1)\nrandom A: (m, n) ~ N(0, 1/n)\nz1 = A @ (A.T @ g)\n"
    text += "z2 = A @ (A.T @ z1)\na1 = mean(g*z1)\na2 = mean(z1*z1)\na3 = mean(z1*z2)\na4 = mean(z2*z2)\n"
    mean, stderr = estimate(text, "a1", "a2", "a3", "a4")
    expected = [sum(3**r * comb(k, r) * comb(k - 1, r) / (r + 1) for r in range(k)) for k in (1, 2, 3, 4)]
    assert expected == [1, 4, 19, 100]
    assert np.all(stderr < 0.005 * np.array(expected))
    np.testing.assert_array_less(np.abs(mean - expected), 4 * stderr + 2e-3 * np.array(expected))


def pair(ratio: float, size: int = 512) -> tuple[GaussianMatrix, NDArray[np.float64]]:
    rows, columns = Normals("m", size, (3,)), Normals("n", size, (3,))
    return GaussianMatrix.make(MatrixLaw(0.7, ratio), rows, columns), np.random.default_rng(1).normal(size=(6, size))


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_the_transpose_is_the_adjoint(ratio: float) -> None:
    """ρ⟨y, Wx⟩ = ⟨Wᵀy, x⟩ for the samples, in whatever order products are taken and however often."""
    matrix, x = pair(ratio)
    first = matrix.apply(x[:2])
    second = matrix.apply_transposed(x[2:4])
    third = matrix.apply(np.tanh(second))
    fourth = matrix.apply_transposed(np.vstack([first**2, third]))
    columns, images = np.vstack([x[:2], np.tanh(second)]), np.vstack([first, third])
    rows, back = np.vstack([x[2:4], first**2, third]), np.vstack([second, fourth])
    np.testing.assert_allclose(ratio * rows @ images.T, back @ columns.T, atol=1e-8 * 512)
    np.testing.assert_allclose(matrix.apply(columns), images, atol=1e-9)
    np.testing.assert_allclose(matrix.apply_transposed(rows), back, atol=1e-9)


def test_products_are_linear_and_the_order_of_terms_is_of_no_account() -> None:
    matrix, x = pair(0.4)
    matrix.apply_transposed(x[2:4])
    single = matrix.apply(x[:2])
    count = matrix.sides[0].basis.count
    np.testing.assert_allclose(matrix.apply(x[:1] - 3 * x[1:2]), single[:1] - 3 * single[1:2], atol=1e-9)
    assert matrix.sides[0].basis.count == count
    assert not np.any(matrix.apply(np.zeros((1, 512))))
    assert matrix.sides[0].basis.count == count


def test_too_few_particles_for_so_many_products() -> None:
    matrix, _ = pair(1.0, 32)
    matrix.apply(np.random.default_rng(0).normal(size=(28, 32)))
    with pytest.raises(TpError) as found:
        matrix.apply(np.random.default_rng(1).normal(size=(28, 32)))
    assert found.value.diagnostics[0].code == "too-few-particles"


# --- initial values, moments, outer nonlinearities -------------------------------------------------

LAWS = """width n
dim d = 2
param s = 1/2
input x: (2) = [1, 2]
random U: (n, d) ~ N(0, s)
random g: (n) ~ N(3, 4)
h = U @ x
a = mean(h*h)
b = mean(g)
c = mean(g*g)
e = mean(step(h)*g) + b*c
"""


def test_initial_vectors_have_their_laws_and_symbols_their_values() -> None:
    text = LAWS.replace("input x: (2) = [1, 2]\n", "random q: (n) ~ N(0, 1)\n").replace("U @ x", "2*q")
    (made, (a, b, c, e)), exact = sampled(text, "a", "b", "c", "e"), [4, 3, 13, 40.5]
    np.testing.assert_allclose([a, b, c], exact[:3], rtol=1e-12)
    assert e == pytest.approx(exact[3], abs=0.02)
    assert set(made.powers.values()) == {0}


def test_a_replicate_is_its_seed() -> None:
    text = "width n\nrandom g: (n) ~ N(0, 1)\na = mean(tanh(g)^2)\nt = tanh(g)\n"
    first, again, other = (sampled(text, "a", "t", seed=s)[1] for s in (1, 1, 2))
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0] == again[0] != other[0]
    assert first[0] == pytest.approx(0.3942944903978412, abs=5e-4)


def test_an_outer_nonlinearity_takes_independent_copies() -> None:
    """E tanh(x) x' + n^(-1/2) |x'| over a copy x' with mean 1: the second term drops out."""
    builder, width, n = Builder(), Dimension("n", S.One), Symbol("n", positive=True)
    x = builder.vector("x", width, mean=S.One)
    payload = sp.tanh(vector_slot(0)) * column_slot(0, 0) ** 2 + sp.Abs(column_slot(0, 0)) / sp.sqrt(n)
    y = builder.outer(payload, order=1, vectors=(x,), dimension=width)
    found = sample(builder.program(), [x, y], particles=256, seed=0, values={}).values
    np.testing.assert_allclose(found[y], 2 * np.tanh(found[x]), rtol=1e-12)
    twice = builder.outer(column_slot(1, 0) * column_slot(0, 0), order=2, vectors=(x,), dimension=width)
    with pytest.raises(TpError, match="one further coordinate"):
        sample(builder.program(), [twice], particles=256, seed=0, values={})


def test_powers_of_the_width() -> None:
    text = """width n
param c = 1/4
random g: (n) ~ N(0, 1)
y = g/n^c + g^2/n
a = mean(y*y)
z = relu(n*y + g)
k = mean(tanh(y/n))
"""
    made, (y, a, z, k) = sampled(text, "y", "a", "z", "k", c=0.25)
    powers = list(made.powers.values())
    assert [str(p) for p in powers] == ["-1/4", "-1/2", "3/4", "-5/4"]
    g = sampled(text, "g")[1][0]
    np.testing.assert_allclose(y, g, rtol=1e-12)
    np.testing.assert_allclose(z, np.maximum(g, 0), atol=1e-12)
    assert a == pytest.approx(1, rel=1e-9)
    assert k == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("line", ["tanh(n*g)", "tanh(sqrt(n)*mean(g))*g", "exp(g*sqrt(n))"])
def test_what_grows_into_a_function_that_is_not_homogeneous_is_refused(line: str) -> None:
    with pytest.raises(TpError, match="grows with the width") as found:
        sampled(f"width n\nrandom g: (n) ~ N(0, 1)\ny = {line}\n", "y")
    assert found.value.diagnostics[0].code == "no-particle-limit"


def test_a_jump_where_the_leading_order_vanishes_is_refused() -> None:
    text = "width n\nrandom g: (n) ~ N(0, 1)\nrandom u: (n) ~ N(0, 0)\ny = step(u + g/n)\nz = step(u + g)\n"
    np.testing.assert_allclose(np.mean(sampled(text, "z")[1][0]), 0.5, atol=0.01)
    text = text.replace("u + g/n", "relu(g) + g/n")
    with pytest.raises(TpError, match="jumps where"):
        sampled(text, "y")


@pytest.mark.parametrize("count", [0, 100, 24])
def test_particles_are_a_power_of_two(count: int) -> None:
    with pytest.raises(TpError, match="power of two"):
        sampled("width n\nrandom g: (n) ~ N(0, 1)\n", "g", particles=count)
