"""Means that stay unevaluated: too much work for a closed form, or no mean at all."""

from __future__ import annotations

import pytest
import sympy as sp

from tpsym.functions import gelu, relu
from tpsym.gauss import E, expect
from tpsym.gauss import shape as shapes
from tpsym.gauss.numeric import value

u, v = sp.symbols("u v", real=True)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "BUDGET", 200)
    shapes.reduce_shape.cache_clear()


@pytest.mark.parametrize("integrand", [gelu(u) ** 2 * relu(v), gelu(u) ** 3, relu(u) * gelu(v) * v])
def test_out_of_budget(integrand: sp.Expr, request: pytest.FixtureRequest) -> None:
    rows = [[sp.Integer(2), sp.Rational(1, 3)], [sp.Rational(1, 3), sp.Integer(1)]]
    closed = expect(integrand, (u, v), rows).value
    request.getfixturevalue("little")
    left = expect(integrand, (u, v), rows).value
    shapes.reduce_shape.cache_clear()
    assert isinstance(left, E)
    assert not isinstance(closed, E)
    first, second = value(closed, {}, digits=8)[0], value(left, {}, digits=8)[0]
    assert abs(first.value - second.value) < 1e-6


@pytest.mark.parametrize(
    ("integrand", "known"),
    [(u + sp.exp(u**3), False), (sp.exp(sp.exp(u + v)), False), (sp.exp(-(u**2) * v**2) * sp.tanh(v) ** 2, True)],
)
def test_no_number_for_a_mean_that_may_not_exist(integrand: sp.Expr, known: bool) -> None:
    rows = [[sp.Integer(2), sp.Rational(1, 3)], [sp.Rational(1, 3), sp.Integer(1)]]
    assert value(expect(integrand, (u, v), rows).value, {}, digits=3)[0].known is known
