"""Derived limits of trained networks against sampled ones, which know arrays and products instead of formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from limits import Asked
from random_training import network
from rough import Rough

import tpsym
from tpsym.particles.runs import particle_limit
from tpsym.program.evaluate import evaluate
from tpsym.program.values import VectorValue
from tpsym.results.trained import training_of
from tpsym.simulate.training import prepare_training, run_training
from tpsym.syntax.parse import parse_expression

HEAD = "input x: (3) = [1, 1/2, 1/4]\ninput y: (3) = [-1/2, 1, 3/10]\n"
ARRAYS = "weight U: (n, 3) ~ N(0, 1)\nweight W: (n, n) ~ N(0, 1/n)\nweight v: (1, n) ~ N(0, 1)\n"
HALVES = "U: n/2, W: 1/2, v: n/2"
BOTH = "[(x, 1), (y, -1)]"


def trained(body: str, *, rates: str = HALVES, data: str = "[(x, 1)]", steps: int = 1, arrays: str = ARRAYS,
            optimizer: str = "sgd", settings: str = "", loss: str = "mse") -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    statement = f"{optimizer}(lr = {{{rates}}}{settings}), loss = {loss}, data = {data}, steps = {steps}"
    return f"{HEAD}{arrays}def f(z):\n{lines}train F = f with {statement}\n"


NETWORKS = {
    "layer normalisation": trained(
        "h = U @ z\nk = h - mean(h)\ng = k/sqrt(1/10 + mean(k^2))\nreturn v @ tanh(W @ g) / n"),
    "normalised after a product": trained(
        "h = W @ (U @ z)\nk = h - mean(h)\nreturn v @ relu(k/sqrt(mean(k^2))) / n"),
    "attention by means": trained(
        "h = U @ z\ng = U @ x\na = sigmoid(dot(q @ h, W @ g) / n)\nreturn v @ (a*h + (1 - a)*g) / n", data=BOTH,
        steps=2, arrays=ARRAYS + "weight q: (n, n) ~ N(0, 1/n)\n", rates=HALVES + ", q: 1/2"),
    "recurrent": trained(
        "s[0] = tanh(U @ z)\nfor t in 1..3:\n    s[t] = W @ s[t-1] + U @ y\nh = s[3]\nreturn v @ h / n",
        rates="U: n/8, W: 1/8, v: n/8"),
    "residual branches with a transpose": trained(
        "g = U @ z\nk = g + 1/2*tanh(W @ g)\nh = k + 1/2*(W.T @ k)\nreturn v @ h / n", rates="U: n/4, W: 1/4, v: n/4"),
    "two widths": trained(
        "h = U @ z\ng = W @ h\nreturn v @ (W @ tanh(W.T @ g)) / n",
        arrays="width m = 2*n\n" + ARRAYS.replace("(n, 3)", "(m, 3)").replace("(n, n) ~ N(0, 1/n)",
                                                                              "(n, m) ~ N(0, 1/m)")),
    "standardised arrays": "parametrization ntk\n" + trained(
        "h = tanh(U @ z)\nreturn v @ tanh(W @ h)", rates="U: n/2, W: n/2, v: n/2",
        arrays=ARRAYS.replace("(1, n) ~ N(0, 1)", "(1, n) ~ N(0, 1/n^2)")),
    "gains, biases, momentum, decay": trained(
        "h = g*(U @ z) + b\nreturn v @ (W @ h) / n", steps=2, settings=", momentum = 1/2, weight_decay = "
        "{U: 1/n, W: 1/3, v: 1/n, g: 1/n, b: 1/n}", rates=HALVES + ", g: n/2, b: n/2",
        arrays=ARRAYS + "weight g: (n) ~ N(1, 0)\nweight b: (n) ~ N(1/2, 1/4)\n"),
    "output bias, logistic loss": trained(
        "h = U @ z\nreturn v @ (W @ h) / n + c", loss="xent", data=BOTH, steps=2, rates=HALVES + ", c: 1/2",
        arrays=ARRAYS + "weight c: () ~ N(0, 0)\n"),
    "readout inside the network": trained(
        "h = tanh(U @ z)\ng = W @ h + r\nreturn mean(r*g)", rates="U: n/4, W: 1/4, r: n/4", steps=2,
        arrays=ARRAYS.replace("weight v: (1, n)", "weight r: (n)")),
    "no readout": trained("h = U @ z\nreturn mean((W @ h)^2)", rates="U: n/8, W: 1/8",
                          arrays=ARRAYS.replace("weight v: (1, n) ~ N(0, 1)\n", "")),
    "arrays that are not trained": trained(
        "h = tanh(U @ z)\nreturn v @ tanh(W @ h) / n", rates="U: n", arrays=ARRAYS.replace("weight W", "random W")
        .replace("weight v", "random v")),
    "signs": trained("h = U @ z\nreturn v @ tanh(W @ h) / n", optimizer="signsgd", rates="U: 1/4, W: 1/4/n, v: 1/4"),
    "signs of sums": trained("h = U @ z\nreturn v @ h / n", optimizer="signsgd", rates="U: 1/4, v: 1/4", data=BOTH,
                             steps=2, arrays=ARRAYS.replace("weight W: (n, n) ~ N(0, 1/n)\n", "")),
    "adam": trained("h = tanh(U @ z)\nreturn v @ h / n", optimizer="adam", rates="U: 1/4, v: 1/4", data=BOTH,
                    settings=", eps = {U: 1/10/n, v: 1/10/n}",
                    arrays=ARRAYS.replace("weight W: (n, n) ~ N(0, 1/n)\n", "")),
}


def task(text: str, label: str) -> tuple[Any, Any]:
    """The training and what is looked at, for those who know no limits."""
    context = tpsym.parse("width n\n" + text).model.context
    trajectory: Any = context.scope.names["F"]
    limit, context.limit = context.limit, None
    value: Any = evaluate(context, parse_expression(label), context.scope)
    context.limit = limit
    assert isinstance(value, VectorValue)
    return training_of(context, trajectory), ((label, value.expr, value.dimension),)


def check(text: str, inner: str = "h") -> None:
    """Outputs at the examples and the size of a hidden vector, at all steps."""
    text = text.removeprefix("width n\n")
    training, seen = task(text, f"f.{inner}(x)")
    curves = particle_limit(training, seen, values={}, particles=2**12)
    asked = Asked(text)
    rough = Rough(asked.limit.definitions)
    for t in range(training.steps + 1):
        found = [rough(asked(f"lim(F[{t}]({p}))")) for p in "xy"[:len(training.outputs)]]
        near(found, curves.outputs.mean[t], curves.outputs.error[t])
        size, curve = rough(asked(f"E[F[{t}].{inner}(x)^2]")), curves.values[f"f.{inner}(x)"]
        near([size], curve.mean[t], curve.error[t])


def near(found: list[float], expected: Any, error: Any) -> None:
    np.testing.assert_array_less(np.abs(np.array(found) - expected), 5*error + 1.5e-3*(1 + np.abs(expected)))


@pytest.mark.parametrize("name", NETWORKS)
def test_derived_limits_are_those_of_particles(name: str) -> None:
    check(NETWORKS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_finite_width_approach_the_derived_limit(name: str) -> None:
    """Means over seeds at two widths are off by errors and O(1/n)."""
    text = NETWORKS[name]
    asked = Asked(text)
    rough = Rough(asked.limit.definitions)
    training, _ = task(text, "f.h(x)")
    expected = np.array([
        [rough(asked(f"lim(F[{t}]({p}))")) for p in "xy"[:len(training.outputs)]] for t in range(training.steps + 1)
    ])
    for n, seeds in ((256, 64), (1024, 32)):
        ready = prepare_training(training, n=n, values={})
        runs = np.array([run_training(ready, seed=s).outputs for s in range(seeds)])
        error = runs.std(axis=0, ddof=1) / np.sqrt(seeds)
        assert np.all(np.abs(runs.mean(axis=0) - expected) < 4.5*error + 12/n)


@pytest.mark.parametrize("seed", [2, 4, 10, 12, 14, 1007, 1019])
def test_random_networks(seed: int) -> None:
    text, inner = network(seed)
    check(text, inner)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2040))
def test_many_random_networks(seed: int) -> None:
    text, inner = network(seed)
    check(text, inner)
