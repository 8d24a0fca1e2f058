"""The unrolled program run at finite width is training of its arrays, to rounding."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import Rational, S, Symbol

import tpsym
from tpsym.program.evaluate import evaluate
from tpsym.simulate.finite_width import execute, prepare
from tpsym.simulate.train_arrays import reading
from tpsym.simulate.train_data import data_values
from tpsym.simulate.training import initial_arrays, prepare_training, run_training
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Rescaled
from tpsym.transform.training import MSE, OUTPUT, TARGET, XENT, Loss, Training
from tpsym.transform.unroll import unroll

N = Symbol("n", positive=True)
HEAD = "width n\ninput x: (3) = [1, 1/2, 1/4]\ninput y: (3) = [1/4, -1, 1]\n"
ARRAYS = "weight u: (n, 3) ~ N(0, 1)\nweight w: (n, n) ~ N(0, 1/n)\nweight v: (1, n) ~ N(0, 1)\n"
PROGRAMS = {
    "two layers": ARRAYS + "weight b: (n) ~ N(1/2, 1)\ndef f(z):\n    return v @ tanh(w @ tanh(u @ z + b)) / n\n",
    "shared": ARRAYS + """weight c: () ~ N(0, 1)
def f(z):
    h[0] = tanh(u @ z)
    for t in 1..2:
        h[t] = tanh(w @ h[t-1] + c*(u @ z))
    return v @ h[2] / n
""",
    "transposed": ARRAYS + "def f(z):\n    return v @ tanh(w.T @ tanh(w @ (u @ z))) / n\n",
    "layer normalisation": ARRAYS + """def norm(z):
    k = z - mean(z)
    return k/sqrt(1/10 + mean(k^2))
def f(z):
    h = norm(u @ z)
    return v @ norm(h + w @ tanh(h)) / n
""",
    "attention": ARRAYS + """weight q: (n, n) ~ N(0, 1/n)
def f(z):
    h = u @ z
    g = u @ x
    a = sigmoid(dot(q @ h, w @ g) / n)
    return v @ tanh(a*h + (1 - a)*g) / n
""",
    "standardised": "parametrization ntk\n" + ARRAYS + """weight b: (n) ~ N(0, 3)
def f(z):
    return v @ tanh(w @ tanh(u @ z + b)) / sqrt(n)
""",
}
SGD = Optimizer("sgd", rate=N / 3, rates={"w": Rational(1, 3), "q": Rational(1, 3), "c": Rational(1, 3)})
NTK = Optimizer("sgd", rate=S.One)
OPTIMIZERS = {
    "momentum and decay": Optimizer(
        "sgd", rate=N / 3, rates={"w": Rational(1, 3)}, momentum=S.Half, decay=1 / (9 * N), decays={"w": Rational(1, 5)}
    ),
    "signsgd": Optimizer("signsgd", rate=Rational(1, 20), rates={"w": 1 / (8 * N)}, decay=Rational(1, 7)),
    "adam": Optimizer(
        "adam", rate=Rational(1, 20), rates={"w": 1 / (8 * N)}, beta1=S.Half, beta2=Rational(3, 4),
        eps=1 / (100 * N), epsilons={"w": 1 / (100 * N**2)},
    ),
}


def training_of(text: str, optimizer: Optimizer, steps: int, **more: Any) -> Training:
    context = tpsym.parse(text_of(text)).model.context
    limit, context.limit = context.limit, None
    found: list[Any] = [evaluate(context, parse_expression(f"f({p})"), context.scope) for p in "xy"]
    context.limit = limit
    return Training(context, tuple(v.expr for v in found), (S.One, -S.One), more.pop("loss", MSE), optimizer, steps,
                    **more)


def text_of(program: str) -> str:
    """The program with its head, what the whole file says in front."""
    first, rest = program.split("\n", 1)
    return f"{first}\n{HEAD}{rest}" if first.startswith("parametrization") else HEAD + program


def check(training: Training, *, n: int = 12, rescaled: Any = None) -> None:
    """Outputs of all examples at all steps, from the same initial arrays."""
    rescaled = rescaled or {}
    context, program = training.context, unroll(training, "F", rescaled=rescaled)
    exprs = [[program.value(o, t) for o in training.outputs] for t in range(training.steps + 1)]
    readings = [[reading(context, e, None, {}) for e in row] for row in exprs]
    ready = prepare_training(training, n=n, values={}, rescaled=rescaled)
    fixed, states = initial_arrays(ready, 3)
    given = dict(fixed)
    for state in states:  # as drawn, before another parametrisation makes them larger
        drawn = np.array(state.value) / float(n) ** float(state.array.moves.entries)
        given |= replace(state, value=drawn).given(ready.points)
    nodes = sorted({k for row in readings for r in row for _, k in r.nodes})
    known = {context.n: float(n), **data_values(context, ready.points)}
    plan = prepare(context.builder.program(), nodes, n=n, values=known)
    live = execute(plan, seed=3, given={k: v for k, v in given.items() if k in plan.order})
    found = np.array([[float(r(plan, live)) for r in row] for row in readings])
    expected = run_training(ready, seed=3).outputs
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-11)
    assert np.abs(np.diff(expected, axis=0)).min() > 1e-5


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradient_descent_on_architectures(name: str) -> None:
    check(training_of(PROGRAMS[name], NTK if name == "standardised" else SGD, 3))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    text = PROGRAMS["two layers"].replace("weight b: (n) ~ N(1/2, 1)\n", "").replace(" + b", "")
    check(training_of(text, OPTIMIZERS[name], 3))


def test_batches() -> None:
    check(training_of(PROGRAMS["two layers"], SGD, 4, batches=((0,), (1, 0), (1,))))


@pytest.mark.parametrize("loss", ["xent", "written"])
def test_losses(loss: str) -> None:
    written = sp.sin(OUTPUT - TARGET) + OUTPUT**4
    found = XENT if loss == "xent" else Loss("written", written, sp.diff(written, OUTPUT))
    check(training_of(PROGRAMS["transposed"], SGD, 3, loss=found))


def test_another_parametrisation() -> None:
    """As in maximal update, with the readout as small as the file does not declare it, by momentum and decay."""
    half = Fraction(1, 2)
    rescaled = {"u": Rescaled(half, -half), "w": Rescaled(Fraction(0), half), "v": Rescaled(-half, Fraction(0))}
    optimizer = Optimizer("sgd", rate=S.One, rates={"w": Rational(1, 9)}, momentum=S.Half, decay=Rational(1, 9))
    text = PROGRAMS["two layers"].replace("weight b: (n) ~ N(1/2, 1)\n", "").replace(" + b", "")
    check(training_of(text, optimizer, 3), rescaled=rescaled)
