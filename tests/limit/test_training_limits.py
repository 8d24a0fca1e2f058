"""Limits of trained networks: known numbers, and in which ways a theory without correlation parts is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from limits import Asked
from rough import Rough
from sympy import S

import tpsym
from tpsym import api
from tpsym.limit import rules

POINT = "input x: (3) = [1, 1/2, 1/4]\n"
SQUARE = 1.3125
SHALLOW = POINT + """weight U: (n, 3) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = U @ z
    return v @ relu(h) / n
train F = f with sgd(lr = 3/10*n), loss = mse, data = [(x, 1)], steps = 2
"""
DEEP = POINT + """weight U: (n, 3) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = tanh(U @ z)
    return v @ tanh(W @ h) / n
train F = f with sgd(lr = {U: n, W: 1, v: n}), loss = mse, data = [(x, 1)], steps = 2
"""


def rough(asked: Asked, question: str) -> float:
    return Rough(asked.limit.definitions)(asked(question))


def test_relu_after_a_step_in_closed_form() -> None:
    """E of relu at a pair of Gaussians: an angle, two square roots."""
    found = Asked(SHALLOW).number("lim(F[1](x))")
    closed = 63/320 + 189*math.sqrt(21)/(12800*math.pi) + 63*math.asin(40/math.sqrt(1789))/(160*math.pi)
    assert found == pytest.approx(closed, abs=1e-13)
    assert found == pytest.approx(0.3737969115746, abs=1e-12)


def test_relu_after_a_step_is_proved() -> None:
    closed = "63/320 + 189*sqrt(21)/(12800*pi) + 63*asin(40/sqrt(1789))/(160*pi)"
    claims = f'claim "f": lim(F[1](x)) == {closed}\nclaim "g": lim(F[1](x)) == {closed} + 1/10^9\n'
    verdicts = [c.verdict for c in tpsym.verify(tpsym.parse("width n\n" + SHALLOW + claims))]
    assert verdicts == ["proved", "refuted"]


def by_hand(*, dot: bool) -> float:
    """The output after a step of the tanh network by the trapezoidal rule; without ``dot`` the correlation part of
    W times the moved features is left out."""
    nodes = np.linspace(-8, 8, 121)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    both = np.outer(weights, weights)
    old = np.tanh(math.sqrt(SQUARE) * nodes)
    size = weights @ old**2
    back = weights @ (1 - np.tanh(math.sqrt(size) * nodes) ** 2) ** 2
    slope = (1 - old**2)[:, None]
    new = np.tanh(math.sqrt(SQUARE) * nodes[:, None] + SQUARE * math.sqrt(back) * nodes * slope)
    across, moved = np.sum(both * old[:, None] * new), np.sum(both * new**2)
    created = np.sum(both * (1 - new**2) * SQUARE * slope) if dot else 0.0
    root = np.linalg.cholesky([[size, across], [across, moved]])
    a, b, v = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    first = np.tanh(root[0, 0] * a)
    second = np.tanh(root[1, 0] * a + root[1, 1] * b + v * (1 - first**2) * (created + across))
    return float(np.sum(weights[:, None, None] * weights[:, None] * weights * (v + first) * second))


def test_tanh_two_hidden_layers_is_quadrature_of_its_five_gaussians() -> None:
    assert by_hand(dot=True) == pytest.approx(0.5822338515, abs=1e-10)
    assert rough(Asked(DEEP), "lim(F[1](x))") == pytest.approx(by_hand(dot=True), abs=1e-4)


def test_dropping_the_zdot_rule_changes_the_trained_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is then the one without the correlation part, so a test of it would notice."""
    monkeypatch.setattr(rules, "z_dot", lambda limit, node: S.Zero)
    assert by_hand(dot=False) == pytest.approx(0.4381604, abs=1e-6)
    assert rough(Asked(DEEP), "lim(F[1](x))") == pytest.approx(by_hand(dot=False), abs=1e-4)


def test_treating_the_transpose_as_independent_after_step_zero_changes_the_trained_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As gradient independence does at initialisation; then the first step of a linear network is 2ηst, not 3ηst."""
    linear = DEEP.replace("tanh(U @ z)", "U @ z").replace("tanh(W @ h)", "(W @ h)").replace("{U: n, W: 1, v: n}",
                                                                                          "{U: n/9, W: 1/9, v: n/9}")
    right = Asked(linear)("lim(F[1](x))")
    monkeypatch.setattr(rules, "gradients_independent", lambda *_: True)
    wrong = Asked(linear)("lim(F[1](x))")
    assert (right, wrong) == (S(7)/16, S(7)/24)
    assert rough(Asked(DEEP), "lim(F[1](x))") == pytest.approx(by_hand(dot=False), abs=1e-4)


def test_gradient_independence_spares_nothing_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The correlation parts it leaves out vanish when they are computed."""
    expected = Asked(DEEP).exact("E[F[1].h(x)^2]"), rough(Asked(DEEP), "lim(F[1](x))")
    monkeypatch.setattr(rules, "gradients_independent", lambda *_: False)
    assert Asked(DEEP).exact("E[F[1].h(x)^2]") == expected[0]
    assert rough(Asked(DEEP), "lim(F[1](x))") == pytest.approx(expected[1], abs=1e-10)


@pytest.mark.slow
def test_tanh_two_hidden_layers_to_seven_digits() -> None:
    found = api.evaluate(tpsym.parse("width n\n" + DEEP), "lim(F[1](x))", digits=8)
    assert float(found.split()[0]) == pytest.approx(0.5822338515, abs=1e-8)
