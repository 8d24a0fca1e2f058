"""Limits of training that stand on the boundary of a rule: given where they are right, refused where they are not."""

from __future__ import annotations

import pytest

from tpsym import api
from tpsym.errors import TpError
from tpsym.gauss import E

KINKS_THROUGH_A_POINT = """
width n
input x: (2) = [1, 1/2]
weight U: (n, 2) ~ N(0, 1)
weight b: (n) ~ N(1/2, 0)
weight v: (n) ~ N(1, 1)
def f(z):
    h = relu(U @ z + b)
    return mean(v*h)
train F = f with sgd(lr = {U: n/4, b: n/4, v: n/3}), data = [(x, 1)], steps = 2
derive E[F[2].h(x)^2]
"""

MEANS_OF_A_ROW = """
width n
input x: (3) = [1, 1/2, 1/4]
weight U: (n, 3) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = tanh(U @ z)
    return v @ tanh(W @ h) / n
train F = f with adam(lr = {U: 1/4, W: 1/4/n, v: 1/4}, eps = 1/10/n), data = [(x, 1)], steps = 1
derive lim(F[1](x))
"""

CONSTANT_SCALAR = """
width n
input x: (2) = [1, 1/2]
weight U: (n, 2) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
weight c: () ~ N(1, 0)
def f(z):
    h = U @ z
    return c*(v @ h / n)
train F = f with sgd(lr = {U: n/4, v: n/4, c: 1/4}), data = [(x, 1)], steps = 2
claim "c does not move yet": lim(F[1](x)) == 5/8
"""

NORMALISED_LINEAR = """
width n
input x: (3) = [1, 1/2, 1/4]
weight U: (n, 3) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = U @ z
    k = h - mean(h)
    return v @ (k/sqrt(1/10 + mean(k^2))) / n
train F = f with sgd(lr = {U: n/2, v: n/2}), data = [(x, 1)], steps = 1
derive lim(F[1](x))
"""


def test_kinks_that_meet_in_a_point_leave_the_mean_as_it_is() -> None:
    (answer,) = api.derive(api.parse(KINKS_THROUGH_A_POINT)).answers
    assert answer.right.atoms(E)
    assert answer.value is None or abs(float(answer.value.split()[0]) - 1.39707) < 0.01


def test_a_mean_over_columns_that_depends_on_the_row_is_refused() -> None:
    with pytest.raises(TpError, match="function of the row"):
        api.derive(api.parse(MEANS_OF_A_ROW))


def test_a_constant_that_is_trained() -> None:
    """c = 1 multiplies f, whose limit is 0 before training: its gradient vanishes in the first step."""
    (claim,) = api.verify(api.parse(CONSTANT_SCALAR))
    assert claim.verdict == "proved"


def test_a_normalised_vector_may_be_averaged_as_it_is() -> None:
    """With q = |x|², s² = q + 1/10: v₁ = v + h/(2s), h₁ = h + q v/(2s), f₁ = E v₁h₁/s₁ = q/(s s₁)."""
    (answer,) = api.derive(api.parse(NORMALISED_LINEAR)).answers
    q = 21 / 16
    s = (q + 0.1) ** 0.5
    assert float(answer.right) == pytest.approx(q / s / (0.1 + q + q * q / (4 * s * s)) ** 0.5, rel=1e-12)
