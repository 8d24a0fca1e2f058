"""Training in the limit, on particles, against closed forms, quadrature and networks of finite width."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import S

import tpsym
from tpsym.errors import TpError
from tpsym.particles import gaussian
from tpsym.particles.curves import ParticleCurves
from tpsym.particles.interpret import sample
from tpsym.particles.runs import particle_limit
from tpsym.program.evaluate import evaluate
from tpsym.program.scope import Context
from tpsym.program.values import VectorValue
from tpsym.simulate.train_data import data_points, data_values
from tpsym.simulate.training import train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import MSE, XENT, Loss, Training
from tpsym.transform.unroll import unroll

POINT = "width n\ndim d = 3\ninput x: (3) = [1, 1/2, 1/4]\n"
SHALLOW = "weight U: (n, d) ~ N(0, 1)\nweight v: (1, n) ~ N(0, 1)\ndef f(z):\n    return v @ PHI(U @ z) / n\n"
DEEP = """weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1)
def f(z):
    return v @ PHI(W @ PHI(U @ z)) / n
"""
SQUARE = 1.3125
"""The square of the norm of the data point."""


def value(context: Context, text: str) -> Any:
    limit, context.limit = context.limit, None
    try:
        return evaluate(context, parse_expression(text), context.scope)
    finally:
        context.limit = limit


def task(
    text: str, outputs: tuple[str, ...], targets: tuple[Any, ...], rates: dict[str, str], *, steps: int = 1,
    seen: tuple[str, ...] = (), loss: Loss = MSE, batches: tuple[tuple[int, ...], ...] = (), **settings: Any,
) -> tuple[Training, Any]:
    """A training with the rates of arrays as text, and what is observed."""
    context = tpsym.parse(text).model.context
    decays = settings.pop("decay_of", {})
    found = {name: context.n if rate == "n" else value(context, rate).expr for name, rate in rates.items()}
    optimizer = Optimizer(settings.pop("rule", "sgd"), rate=found.pop("", S.Zero), rates=found, **settings)
    network = tuple(value(context, o).expr for o in outputs)
    values = [(label, value(context, label)) for label in seen]
    observed = tuple((k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k, v in values)
    numbers = tuple(sp.nsimplify(t) for t in targets)
    given = {name: value(context, decay).expr for name, decay in decays.items()}
    optimizer = replace(optimizer, decays={**optimizer.decays, **given})
    return Training(context, network, numbers, loss, optimizer, steps, batches), observed


def agrees(curves: ParticleCurves, expected: Any, *, most: float, errors: float = 4.0) -> None:
    """The outputs are the expected ones within their error, and that is small."""
    expected = np.array(expected)
    assert np.max(curves.outputs.error) < most
    assert np.all(np.abs(curves.outputs.mean - expected) < errors * curves.outputs.error + 1e-12)


# --- closed forms ----------------------------------------------------------------------------------


def test_linear_networks_are_exact() -> None:
    """Every moment in it is one of directions that are orthonormal as samples."""
    one, _ = task(POINT + SHALLOW.replace("PHI(U @ z)", "(U @ z)"), ("f(x)",), (1,), {"": "3/10*n"}, steps=2)
    found = particle_limit(one, values={}, particles=256, replicates=2).outputs.mean[:, 0]
    eta, s = 0.3, SQUARE
    second = 4 * eta * s * (eta * s - 1) * (2 * eta**3 * s**2 - eta**2 * s - 1)
    np.testing.assert_allclose(found, [0, 2 * eta * s, second], atol=1e-12)
    two, _ = task(
        POINT + DEEP.replace("PHI", ""), ("f(x)",), (1,), {"": "3/20*n", "W": "3/20"}, steps=2,
    )
    found = particle_limit(two, values={}, particles=256, replicates=2).outputs.mean[:, 0]
    np.testing.assert_allclose(found, [0, 0.590625, 0.8731294512], atol=1e-10)


def test_relu_with_one_hidden_layer() -> None:
    training, _ = task(POINT + SHALLOW.replace("PHI", "relu"), ("f(x)",), (1,), {"": "3/10*n"})
    agrees(particle_limit(training, values={}), [[0], [0.3737969]], most=5e-4)


def two_hidden_layers(dot: bool) -> float:
    """The output after a step of the tanh network with rate and target 1, by quadrature over its five Gaussians."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    first = np.tanh(np.sqrt(SQUARE) * nodes)
    size = weights @ first**2
    back = weights @ (1 - np.tanh(np.sqrt(size) * nodes) ** 2) ** 2
    slope = 1 - first[:, None] ** 2
    moved = np.tanh(np.sqrt(SQUARE) * nodes[:, None] + SQUARE * np.sqrt(back) * nodes[None, :] * slope)
    both = np.outer(weights, weights)
    across, square = np.sum(both * first[:, None] * moved), np.sum(both * moved**2)
    correlation = np.sum(both * (1 - moved**2) * SQUARE * slope) if dot else 0.0
    root = np.linalg.cholesky([[size, across], [across, square]])
    a, b, v = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    old = np.tanh(root[0, 0] * a)
    new = np.tanh(root[1, 0] * a + root[1, 1] * b + v * (1 - old**2) * (correlation + across))
    every = weights[:, None, None] * weights[:, None] * weights
    return float(np.sum(every * (v + old) * new))


TANH = (POINT + DEEP.replace("PHI", "tanh"), ("f(x)",), (1,), {"": "n", "W": "1"})


def test_two_hidden_layers_of_tanh() -> None:
    expected = two_hidden_layers(dot=True)
    assert expected == pytest.approx(0.58223, abs=1e-5)
    curves = particle_limit(task(*TANH)[0], values={}, particles=2**14)
    agrees(curves, [[0], [expected]], most=3e-4)


def test_without_the_correlation_part_the_answer_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if W and its transpose were independent: what a theory without it would give, and not the limit."""
    right = gaussian.GaussianMatrix.correlation
    monkeypatch.setattr(gaussian.GaussianMatrix, "correlation", lambda *a: np.zeros_like(right(*a)))
    curves = particle_limit(task(*TANH)[0], values={}, particles=2**12)
    assert curves.outputs.mean[1, 0] == pytest.approx(two_hidden_layers(dot=False), abs=2e-3)
    assert abs(curves.outputs.mean[1, 0] - two_hidden_layers(dot=True)) > 0.1


# --- finite width ----------------------------------------------------------------------------------

DATA = {"x[0]": [1, 0.5, 0.25], "x[1]": [-0.5, 1, 0.3], "x[2]": [0.2, -0.7, 1.1], "x[3]": [0.9, 0.9, -0.6]}
POINTS = "width n\ndim d = 3\ninput x[p]: (3) for p in 0..3\n"
LAYERS = """weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight Y: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n^2)
"""
RATES = {"": "n/2", "W": "1/2", "Y": "1/2", "v": "1/(2*n)"}
NETWORKS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "three hidden layers": (
        LAYERS + "def f(z):\n    return v @ tanh(Y @ tanh(W @ tanh(U @ z)))\n", RATES, {"steps": 4},
    ),
    "recurrent": (
        LAYERS + """def f(z):
    h[0] = tanh(U @ z)
    for t in 1..3:
        h[t] = tanh(W @ h[t-1] + U @ x[t])
    return v @ h[3]
""", {**RATES, "": "n/4", "W": "1/4"}, {"steps": 3},
    ),
    "layer normalisation and a residual branch": (
        LAYERS + """weight g: (n) ~ N(1, 0)
weight b: (n) ~ N(0, 1/4)
def norm(z):
    c = z - mean(z)
    return g*c/sqrt(1/10 + mean(c^2)) + b
def f(z):
    h = U @ z
    return v @ relu(norm(h + W @ tanh(norm(h))))
""", {**RATES, "v": "1/(4*n)", "": "n/4", "W": "1/4"}, {"steps": 3},
    ),
    "a matrix and its transpose, momentum and decay": (
        LAYERS + """def f(z):
    h = tanh(W @ tanh(U @ z))
    return v @ tanh(W.T @ h + Y @ h)
""", {**RATES, "": "n/4", "Y": "1/8", "W": "1/8"},
        {"steps": 4, "momentum": S(1) / 2, "decays": {"v": S.Zero, "W": S(1) / 3, "Y": S(1) / 5, "U": S.Zero}},
    ),
    "two widths, logistic loss, batches": (
        """width m = 2*n
weight U: (m, d) ~ N(0, 1)
weight W: (n, m) ~ N(0, 1/m)
weight v: (1, n) ~ N(0, 1/n^2)
weight b: (m) ~ N(1/2, 1/n)
def f(z):
    h = tanh(U @ z + b)
    return v @ tanh(W @ (h*tanh(W.T @ tanh(W @ h))))
""", {**RATES, "": "n", "W": "1", "b": "n"},
        {"steps": 4, "loss": XENT, "batches": ((0, 1), (2,), (3, 0)), "decay_of": {"b": "1/(4*n)"}},
    ),
    "standardised arrays, and a readout that begins smaller": (
        "parametrization ntk\n" + LAYERS.replace("1/n^2", "1/n^4") + """def f(z):
    h = W @ tanh(U @ z)
    return v @ tanh(h) + mean(tanh(h)*tanh(Y @ h))
""", {"": "n^2", "U": "n", "W": "n", "Y": "n", "v": "n^3"}, {"steps": 3},
    ),
    "a readout and a matrix that begin at zero": (
        LAYERS.replace("1/n^2", "0").replace("Y: (n, n) ~ N(0, 1/n)", "Y: (n, n) ~ N(0, 0)") + """def f(z):
    h = tanh(U @ z)
    return v @ tanh(W @ h + Y @ tanh(h))
""", {**RATES, "": "n"}, {"steps": 4},
    ),
    "attention": (
        LAYERS + """weight K: (n, n) ~ N(0, 1/n)
def f(z):
    g = U @ z
    for t in 0..3:
        h[t] = tanh(U @ x[t])
        s[t] = exp(4*mean((Y @ g)*(K @ h[t])))
    return v @ tanh(g + W @ sum(s[t]*h[t]/sum(s[k] for k in 0..3) for t in 0..3))
""", {**RATES, "K": "1"}, {"steps": 3},
    ),
    "a learned size": (
        LAYERS + """weight s: () ~ N(1, 0)
def f(z):
    return s*(v @ tanh(W @ (s*tanh(U @ z))))
""", {**RATES, "s": "1/2"}, {"steps": 3},
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_finite_width_approach_it(name: str) -> None:
    """Means over seeds at a width differ by errors and O(1/n): what is observed and the outputs."""
    text, rates, settings = NETWORKS[name]
    seen = ("tanh(U @ x[1])",)
    outputs = tuple(f"f(x[{i}])" for i in range(4))
    training, observed = task(POINTS + text, outputs, (1, -1, 1, -1), rates, seen=seen, **settings)
    curves = particle_limit(training, observed, values={}, data=DATA)
    n, seeds = 512, 40
    traces = [train(training, n=n, seed=s, values={}, observed=observed, data=DATA) for s in range(seeds)]
    measured = np.array([t.outputs for t in traces])
    stderr = measured.std(axis=0, ddof=1) / np.sqrt(seeds)
    distance = np.abs(measured.mean(axis=0) - curves.outputs.mean)
    assert np.max(np.abs(curves.outputs.mean[-1] - curves.outputs.mean[0])) > 0.05
    assert np.all(distance < 4 * np.hypot(stderr, curves.outputs.error) + 3 / n)
    squares = np.array([[np.mean(np.square(x)) for x in t.values[seen[0]]] for t in traces])
    feature = curves.values[seen[0]]
    noise = np.hypot(squares.std(axis=0, ddof=1) / np.sqrt(seeds), feature.error)
    assert np.all(np.abs(squares.mean(axis=0) - feature.mean) < 4 * noise + 3 / n)
    losses = np.array([t.losses for t in traces])
    excess = np.mean(measured.var(axis=0), axis=1)  # of a convex loss at outputs that fluctuate
    spread = np.hypot(losses.std(axis=0, ddof=1) / np.sqrt(seeds), curves.losses.error)
    assert np.all(np.abs(losses.mean(axis=0) - curves.losses.mean) < 4 * spread + excess + 3 / n)


def test_a_network_differs_by_the_inverse_root_of_its_width() -> None:
    """Three hidden layers after 20 steps on four points: one network at a time, down to the error of the particles."""
    text, rates, settings = NETWORKS["three hidden layers"]
    outputs = tuple(f"f(x[{i}])" for i in range(4))
    training, _ = task(POINTS + text, outputs, (1, -1, S(1) / 2, 0), rates, **{**settings, "steps": 20})
    limit = particle_limit(training, values={}, data=DATA)
    assert np.max(limit.outputs.error) < 6e-3
    distances = []
    for n, seeds in ((64, 60), (256, 30), (1024, 15)):
        runs = np.array([train(training, n=n, seed=s, values={}, data=DATA).outputs for s in range(seeds)])
        distances.append(np.sqrt(np.mean((runs - limit.outputs.mean) ** 2)))
    slopes = np.diff(np.log(distances)) / np.log(4)
    assert np.all(np.abs(slopes + 0.5) < 0.15), slopes
    assert distances[-1] > np.sqrt(np.mean(limit.outputs.error**2))


def test_the_unrolled_program_has_the_same_limit() -> None:
    """The longer program, run on particles as any other, against passes with arrays as they have become."""
    text, rates, settings = NETWORKS["a matrix and its transpose, momentum and decay"]
    batches = ((1, 1, 0), (0,))
    training, _ = task(
        POINTS + text, ("f(x[0])", "f(x[1])"), (1, -1), rates, **{**settings, "steps": 2, "batches": batches},
    )
    curves = particle_limit(training, values={}, data=DATA, particles=2**13)
    context = training.context
    longer = unroll(training, "F")
    nodes = [context.nodes[longer.value(output, k)] for k in (0, 1, 2) for output in training.outputs]
    products = data_values(context, data_points(context, {}, DATA))
    found = np.array([
        list(sample(context.builder.program(), nodes, particles=2**12, seed=s, values=products).values.values())
        for s in range(8)
    ])
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(8), curves.outputs.error.ravel())
    assert np.max(error) < 2e-3
    assert np.all(np.abs(found.mean(axis=0) - curves.outputs.mean.ravel()) < 4 * error)


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "rates", "what"), [
    (SHALLOW.replace("/ n", "/ sqrt(n)"), {"": "1"}, r"n\^\(1/2\)"),
    (DEEP, {"": "n", "W": "n^2"}, "grows with the width"),
    (DEEP.replace("PHI", ""), {"": "n", "W": "n^2"}, "not stable"),
    (SHALLOW + "weight c: () ~ N(0, 1)\ndef g(z):\n    return f(z) + c\n", {"": "n", "c": "1"}, "random"),
])
def test_what_has_no_limit_on_particles_is_refused(text: str, rates: dict[str, str], what: str) -> None:
    name = "g" if "def g" in text else "f"
    training, _ = task(POINT + text.replace("PHI", "tanh"), (f"{name}(x)",), (1,), rates)
    with pytest.raises(TpError, match=what) as found:
        particle_limit(training, values={}, particles=64)
    assert found.value.diagnostics[0].code == "no-particle-limit"
