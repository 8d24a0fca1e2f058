"""Exponents of the depth: the laws of Tensor Programs VI come out, and a simulation agrees with them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sympy import Symbol

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.conditions import Condition, all_of, compare, equivalent
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.results.exponents import MaximalUpdate, Scaling, analyse, maximal_update
from tpsym.results.reasons import NoLimit
from tpsym.transform.optimizers import Optimizer

HEAD = """width n
dim d
depth L
param alpha: real
input x: (d)
fn phi
weight U: (n, d) ~ N(0, 1)
weight W[l], V[l]: (n, n) ~ N(0, 1/n) for l in 1..L
weight v: (1, n) ~ N(0, 1/n^2)

def f(xi):
    s[0] = U @ xi
    for l in 1..L:
        s[l] = {step}
    return v @ s[L]
"""
CENTRED = "s[l-1] + L^(-alpha)*(phi(W[l] @ s[l-1]) - mean(phi(W[l] @ s[l-1])))"
ODD = "s[l-1] + L^(-alpha)*tanh(W[l] @ s[l-1])"
NEITHER = "s[l-1] + L^(-alpha)*phi(W[l] @ s[l-1])"
TWO_LAYERS = "s[l-1] + L^(-alpha)*(V[l] @ phi(W[l] @ s[l-1]))"
ALPHA, G = variable("alpha"), variable("g")
HALF = number(Fraction(1, 2))


def network(step: str) -> tpsym.api.Program:
    return tpsym.parse(HEAD.format(step=step))


def exponents(step: str, rule: str) -> Scaling:
    """Layers learn at L^-g, the first and the last one at a rate without the depth."""
    context = network(step).model.context
    depth = context.scope.find("L").expr
    rate = depth ** -Symbol("g", real=True)
    optimizer = Optimizer(rule, rate=rate, rates={"U": depth**0, "v": depth**0})
    return analyse(context, context.scope.find("f"), optimizer, NOWHERE, depth=True)


def solved(step: str, rule: str) -> MaximalUpdate:
    context = network(step).model.context
    return maximal_update(context, context.scope.find("f"), Optimizer(rule), NOWHERE, depth=True)


def at_least(*pairs: tuple[Form, Form]) -> Condition:
    return all_of(compare(">=", left, right) for left, right in pairs)


@pytest.mark.parametrize("step", [CENTRED, ODD, TWO_LAYERS])
def test_stable_with_an_entrywise_optimizer(step):
    # the last condition is that of faithfulness: what branches read stays of order one
    expected = at_least((ALPHA, HALF), (ALPHA + G, number(1)), (G, number(0)))
    assert equivalent(exponents(step, "adam").stable, expected).holds is True


@pytest.mark.parametrize("step", [CENTRED, ODD, TWO_LAYERS])
def test_stable_with_sgd(step):
    # the gradient of a layer has the size of its branch: g = gamma - alpha
    expected = at_least((ALPHA, HALF), (ALPHA * 2 + G, number(1)), (ALPHA + G, number(0)))
    assert equivalent(exponents(step, "sgd").stable, expected).holds is True


def test_branches_with_a_mean_add_up_like_the_depth():
    expected = at_least((ALPHA, number(1)), (G, number(0)))
    assert equivalent(exponents(NEITHER, "adam").stable, expected).holds is True


@pytest.mark.parametrize("step", [CENTRED, ODD])
@pytest.mark.parametrize(
    ("rule", "rate"), [("sgd", Fraction(0)), ("adam", Fraction(-1, 2)), ("signsgd", Fraction(-1, 2))]
)
def test_maximal_update(step, rule, rate):
    found = solved(step, rule)
    assert found.value("alpha") == Fraction(1, 2)
    assert (found.lr("W[l]"), found.lr("U"), found.lr("v")) == (rate, 0, 0)
    assert {found.std(a) for a in ("U", "W[l]", "v")} == {0}


def test_layers_without_a_residual_connection_are_refused():
    with pytest.raises(NoLimit, match="without a residual connection"):
        exponents("L^(-alpha)*tanh(W[l] @ s[l-1])", "sgd")


def test_a_network_without_layers_is_refused():
    text = "width n\ndim d\ninput x: (d)\nweight U: (n, d) ~ N(0, 1)\nweight v: (1, n) ~ N(0, 1/n)\n"
    context = tpsym.parse(text + "def f(xi):\n    return v @ tanh(U @ xi)\n").model.context
    with pytest.raises(NoLimit, match="symbolic depth"):
        analyse(context, context.scope.find("f"), Optimizer("sgd"), NOWHERE, depth=True)


def moved(depth: int, alpha: float, gamma: float, *, sign: bool, width: int = 96, seeds: int = 12) -> float:
    """The root mean square of what one step on the layers of a tanh network changes in its last state."""
    found = []
    for seed in range(seeds):
        generator = np.random.default_rng((seed, depth))
        weights = generator.normal(size=(depth, width, width)) / np.sqrt(width)
        start, readout = generator.normal(size=(2, width))
        states, fields = [start], []
        for w in weights:
            fields.append(w @ states[-1])
            states.append(states[-1] + depth**-alpha * np.tanh(fields[-1]))
        adjoint, updates = readout, []
        for w, h, s in zip(weights[::-1], fields[::-1], states[-2::-1], strict=True):
            gradient = depth**-alpha * adjoint / np.cosh(h) ** 2
            outer = np.outer(gradient, s)
            size = depth**-gamma if sign else depth ** (alpha - gamma)
            updates.append(size * (np.sign(outer) if sign else outer) / width)
            adjoint = adjoint + w.T @ gradient
        last = start
        for w, update in zip(weights, updates[::-1], strict=True):
            last = last + depth**-alpha * np.tanh((w - 0.05 * update) @ last)
        found.append(np.sqrt(np.mean((last - states[-1]) ** 2)))
    return float(np.mean(found))


@pytest.mark.slow
@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize(("alpha", "gamma"), [(0.5, 0.5), (0.5, 0.75), (0.75, 0.5), (1.0, 0.0)])
def test_changes_follow_one_minus_alpha_minus_gamma(alpha, gamma, sign):
    depths = np.array([16, 32, 64, 128])
    sizes = [moved(int(depth), alpha, gamma, sign=sign) for depth in depths]
    slope = np.polyfit(np.log(depths), np.log(sizes), 1)[0]
    assert slope == pytest.approx(1 - alpha - gamma, abs=0.1)
