"""Quadrature of training without random matrices: closed forms, other integrals, and networks of finite width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, special
from sympy import S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.particles.grids import quadrature_limit, quadrature_serves
from tpsym.particles.grids_rules import Panels, lattice
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Scalar, VectorValue
from tpsym.simulate.training import train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, MSE, XENT, Loss, Training

N, ETA = Symbol("n", positive=True), Symbol("eta", positive=True)
POINTS = {"x": [1.0, 0.5590169943749475], "y": [0.3, -0.8]}
SIZE = 1.3125
SGD = Optimizer("sgd", rate=ETA * N)
HEAD = "width n\ndim d = 2\nparam eta: positive\ninput x, y: (d)\nweight U: (n, d) ~ N(0, 1)\n"
SHALLOW = HEAD + "weight v: (1, n) ~ N(0, 1)\ndef f(z):\n    return v @ {}(U @ z)/n\n"


def training_of(
    text: str, outputs: tuple[str, ...], targets: tuple[float, ...], optimizer: Optimizer, steps: int,
    *, loss: Loss = MSE, batches: tuple[tuple[int, ...], ...] = (), observed: tuple[str, ...] = (),
) -> tuple[Training, list[Any]]:
    context = tpsym.parse(text).model.context
    context.limit = None

    def value(written: str) -> Any:
        return evaluate(context, parse_expression(written), context.scope)

    found = [value(o) for o in outputs]
    assert all(isinstance(v, Scalar) for v in found)
    seen = [(k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k in observed for v in [value(k)]]
    exprs = tuple(v.expr for v in found)
    return Training(context, exprs, tuple(S(t) for t in targets), loss, optimizer, steps, batches), seen


def shallow(name: str, steps: int, optimizer: Optimizer = SGD, **more: Any) -> tuple[Training, list[Any]]:
    return training_of(SHALLOW.format(name), ("f(x)",), (1,), optimizer, steps, **more)


def test_a_linear_network_has_its_closed_form() -> None:
    """f₁ = 2ηsy and f₂ of example 11."""
    training, observed = shallow("", 2, observed=("U @ x",))
    found = quadrature_limit(training, observed, values={ETA: 0.3}, data=POINTS)
    eta, s = 0.3, SIZE
    second = 4 * eta * s * (eta * s - 1) * (2 * eta**3 * s**2 - eta**2 * s - 1)
    np.testing.assert_allclose(found.outputs.mean[:, 0], [0, 2 * eta * s, second], atol=1e-12)
    np.testing.assert_allclose(found.losses.mean, (found.outputs.mean[:, 0] - 1) ** 2 / 2, atol=1e-12)
    np.testing.assert_allclose(found.values["U @ x"].mean[:2], [s, s + (eta * s) ** 2], atol=1e-12)
    assert found.outputs.error.max() < 1e-11


def test_relu_has_its_value_to_seven_digits() -> None:
    """Against nested integration of v₁ relu(h₁) with h₁ = h + ηs v 1(h > 0), v₁ = v + η relu(h)."""
    training, _ = shallow("relu", 1)
    found = quadrature_limit(training, values={ETA: 0.3}, data=POINTS)
    eta, root = 0.3, np.sqrt(SIZE)

    def integrand(v: float, g: float) -> float:
        h = root * g
        return float((v + eta * h) * max(h + eta * SIZE * v, 0.0) * np.exp(-(v * v + g * g) / 2) / (2 * np.pi))

    # where h < 0 nothing happens, and where h > 0 the second kink is at v = -h/(eta s)
    value, _ = integrate.dblquad(integrand, 0, 9, lambda g: -root * g / (eta * SIZE), 9, epsabs=1e-11)
    assert found.outputs.mean[1, 0] == pytest.approx(value, abs=1e-9)
    assert found.outputs.mean[1, 0] == pytest.approx(0.3737969, abs=5e-8)
    assert found.outputs.error.max() < 1e-12  # rules that do not know the kinks differ by 1e-8


def test_erf_after_one_step() -> None:
    r"""f₁ = E v₁ erf(h + a v) with a = ηs erf'(h): over v in closed form, over h by one integral."""
    training, _ = shallow("erf", 1)
    found = quadrature_limit(training, values={ETA: 0.3}, data=POINTS, tolerance=1e-11)

    def over_v(g: float) -> float:
        h = np.sqrt(SIZE) * g
        a = 0.3 * SIZE * 2 / np.sqrt(np.pi) * np.exp(-h * h)
        wide = np.sqrt(1 + 2 * a * a)
        first = a * 2 / np.sqrt(np.pi) / wide * np.exp(-((h / wide) ** 2))
        both = first + 0.3 * special.erf(h) * special.erf(h / wide)
        return float(both * np.exp(-g * g / 2) / np.sqrt(2 * np.pi))

    value, _ = integrate.quad(over_v, -12, 12, epsabs=1e-13, limit=200)
    assert found.outputs.mean[1, 0] == pytest.approx(value, abs=1e-11)


def wide(training: Training, observed: list[Any], *, n: int = 40_000, seeds: int = 8) -> tuple[Any, Any]:
    """Changes of outputs since initialisation, by step, with their standard errors."""
    runs = [
        train(training, n=n, seed=s, values={ETA: 0.1}, data=POINTS, observed=observed).outputs for s in range(seeds)
    ]
    moved = np.array(runs) - np.array(runs)[:, :1]
    return moved.mean(axis=0), moved.std(axis=0, ddof=1) / np.sqrt(seeds)


BIASED = HEAD + """weight v: (1, n) ~ N(0, 1)
weight b: (n) ~ N(1/2, 0)
weight c: () ~ N(0, 0)
def f(z):
    h = tanh(U @ z + b)
    return v @ h/n + c
"""
NORMED = HEAD + """weight v: (1, n) ~ N(0, 1)
def f(z):
    h = U @ z
    return v @ tanh(h/sqrt(1/10 + mean(h^2)))/n
"""
MUON = Optimizer("muon", rate=ETA * sp.sqrt(N), momentum=S.Half)
TRAININGS = {
    "momentum and decay": (SHALLOW.format("tanh"), Optimizer("sgd", rate=ETA * N, momentum=S.Half, decay=1 / (3 * N))),
    "a bias, a number and its rate": (BIASED, Optimizer("sgd", rate=ETA * N, rates={"c": ETA})),
    "moments inside": (NORMED, SGD),
    "muon": (SHALLOW.format("tanh"), MUON),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_two_examples_agree_with_wide_networks(name: str) -> None:
    text, optimizer = TRAININGS[name]
    batches = ((0,), (0, 1)) if name == "moments inside" else ()
    training, _ = training_of(text, ("f(x)", "f(y)"), (1, -1), optimizer, 4, batches=batches, loss=XENT)
    found = quadrature_limit(training, values={ETA: 0.1}, data=POINTS, tolerance=1e-6)
    mean, error = wide(training, [])
    moved = found.outputs.mean - found.outputs.mean[0]
    assert np.abs(moved[-1]).min() > 0.02
    assert np.all(np.abs(moved - mean) < 4.5 * error + 2e-4)


LINE = "width n\ndim d = 1\nparam eta: positive\ninput x, y: (d)\nweight U: (n, d) ~ N(0, 1)\n"
ENTRYWISE = {
    "signsgd": Optimizer("signsgd", rate=ETA, decay=S(1) / 5),
    "adam": Optimizer("adam", rate=ETA, beta1=S.Half, beta2=S(3) / 4, eps=1 / (10 * N)),
    "adam without memory": Optimizer("adam", rate=ETA),
    "adagrad": Optimizer("adagrad", rate=ETA, eps=1 / (10 * N)),
    "adafactor": Optimizer("adafactor", rate=ETA, beta1=S.Half, beta2=S(3) / 4, eps=1 / (10 * N)),
}


@pytest.mark.parametrize("name", ENTRYWISE)
def test_entrywise_optimizers_agree_with_wide_networks(name: str) -> None:
    text = SHALLOW.format("tanh").replace(HEAD, LINE)
    training, _ = training_of(text, ("f(x)",), (1,), ENTRYWISE[name], 3)
    data = {"x": [1.2], "y": [-0.4]}
    found = quadrature_limit(training, values={ETA: 0.1}, data=data, tolerance=1e-6)
    runs = np.array([
        train(training, n=40_000, seed=s, values={ETA: 0.1}, data=data).outputs[:, 0] for s in range(8)
    ])
    moved = runs - runs[:, :1]
    error = moved.std(axis=0, ddof=1) / np.sqrt(8)
    limit = found.outputs.mean[:, 0]
    assert limit[-1] > 0.1
    assert np.all(np.abs(limit - limit[0] - moved.mean(axis=0)) < 4.5 * error + 2e-4)


def test_fifty_steps_of_tanh_learn_the_target() -> None:
    training, observed = shallow("tanh", 50, observed=("U @ x", "tanh(U @ x)"))
    found = quadrature_limit(training, observed, values={ETA: 0.3}, data=POINTS)
    assert found.outputs.error.max() < 1e-8
    assert found.outputs.mean[-1, 0] == pytest.approx(1, abs=1e-5)
    trace = train(training, n=100_000, seed=3, values={ETA: 0.3}, data=POINTS, observed=observed)
    for label, of_step in trace.values.items():
        assert np.mean(of_step[-1] ** 2) == pytest.approx(found.values[label].mean[-1], rel=0.03)


def test_a_kinked_network_of_several_steps() -> None:
    training, _ = shallow("relu", 4)
    found = quadrature_limit(training, values={ETA: 0.3}, data=POINTS)
    runs = np.array([train(training, n=20_000, seed=s, values={ETA: 0.3}, data=POINTS).outputs[:, 0]
                     for s in range(16)])
    error = runs.std(axis=0, ddof=1) / 4
    assert np.all(np.abs(runs.mean(axis=0) - found.outputs.mean[:, 0]) < 4.5 * error)
    assert found.outputs.error.max() < 1e-8


def test_a_constant_signal() -> None:
    """∂f/∂v = h/n moves v by −ηh and f by −η E h² (1 + …): the linear network with χ = 1."""
    training, _ = shallow("", 1, loss=CONSTANT)
    found = quadrature_limit(training, values={ETA: 0.2}, data=POINTS)
    np.testing.assert_allclose(found.outputs.mean[:, 0], [0, -2 * 0.2 * SIZE], atol=1e-12)


def test_lattices_and_panels_integrate() -> None:
    points, weights = lattice(3, 0.5)
    np.testing.assert_allclose(weights @ points**4, [3, 3, 3], rtol=1e-11)
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])

    def corner(z: np.ndarray[Any, Any]) -> Any:
        inside = np.maximum(z[:, 0], 0) * (z[:, 1] > z[:, 0] / 2)
        return inside[:, None], np.sign(np.stack([z[:, 0], z[:, 1] - z[:, 0] / 2], axis=1))

    # in polar coordinates the angles from atan(1/2) to pi/2, and E r = sqrt(pi/2)
    value = (1 - np.sin(np.arctan(0.5))) * np.sqrt(np.pi / 2) / (2 * np.pi)
    assert Panels(turn, 10, 1e-11).average(corner)[0] == pytest.approx(value, abs=1e-11)


MATRIX = SHALLOW.format("tanh").replace("def f", "weight W: (n, n) ~ N(0, 1/n)\ndef f").replace("U @ z", "W @ (U @ z)")


def test_what_quadrature_does_not_serve_is_refused() -> None:
    training, _ = training_of(MATRIX, ("f(x)",), (1,), SGD, 1)
    assert not quadrature_serves(training)
    with pytest.raises(TpError, match="random matrices"):
        quadrature_limit(training, values={ETA: 0.1}, data=POINTS)
    training, _ = shallow("tanh", 1)
    assert quadrature_serves(training)
    assert quadrature_serves(training, values={ETA: 0.1}, data=POINTS)
    training, _ = shallow("relu", 1)
    assert quadrature_serves(training, values={ETA: 0.1}, data=POINTS)
    two, _ = training_of(SHALLOW.format("relu"), ("f(x)", "f(y)"), (1, 0), SGD, 1)
    assert not quadrature_serves(two, values={ETA: 0.1}, data=POINTS)


def test_what_has_no_deterministic_limit_is_refused() -> None:
    kernel = SHALLOW.format("tanh").replace("(U @ z)/n", "(U @ z)/sqrt(n)")
    scalar = SHALLOW.format("tanh").replace("def f", "weight c: () ~ N(0, 1)\ndef f").replace("/n\n", "/n + c\n")
    tiny = SHALLOW.format("tanh").replace("v: (1, n) ~ N(0, 1)", "v: (1, n) ~ N(0, 1/n)")
    for text, optimizer, what in [
        (kernel, Optimizer("sgd", rate=ETA), "grows with the width|central limit"),
        (scalar, Optimizer("sgd", rate=ETA * N, rates={"c": ETA}), "keeps its law"),
        (SHALLOW.format("tanh"), Optimizer("sgd", rate=ETA * N**2), "without bound|grow"),
        (tiny, Optimizer("signsgd", rate=ETA), "vanishes"),
    ]:
        training, _ = training_of(text, ("f(x)",), (1,), optimizer, 2)
        with pytest.raises(TpError, match=what):
            quadrature_limit(training, values={ETA: 0.1}, data=POINTS)


@pytest.mark.parametrize("optimizer", [Optimizer("signsgd", rate=ETA), Optimizer("adam", rate=ETA), MUON])
def test_directions_of_a_vanishing_error_signal_are_refused(optimizer: Optimizer) -> None:
    """f is 0 in the limit and the target is 0: at finite width every step is one of fluctuations."""
    training, _ = training_of(SHALLOW.format("tanh").replace(HEAD, LINE), ("f(x)",), (0,), optimizer, 2)
    with pytest.raises(TpError, match="vanishes in the limit"):
        quadrature_limit(training, values={ETA: 0.1}, data={"x": [1.2], "y": [-0.4]})


def test_a_readout_that_begins_at_zero_is_moved_by_signs() -> None:
    """Behind it the gradient is zero at every width, and signs of zero are zero."""
    text = SHALLOW.format("tanh").replace(HEAD, LINE).replace("v: (1, n) ~ N(0, 1)", "v: (1, n) ~ N(0, 0)")
    data = {"x": [1.2], "y": [-0.4]}
    training, _ = training_of(text, ("f(x)",), (1,), Optimizer("signsgd", rate=ETA), 3)
    found = quadrature_limit(training, values={ETA: 0.1}, data=data, tolerance=1e-6).outputs.mean[:, 0]
    runs = np.array([
        train(training, n=20_000, seed=s, values={ETA: 0.1}, data=data).outputs[:, 0] for s in range(8)
    ])
    assert np.all(np.abs(runs.mean(axis=0) - found) < 4.5 * runs.std(axis=0, ddof=1) / np.sqrt(8) + 1e-4)
    assert found[-1] > 0.1


def test_a_small_readout_counts_as_none() -> None:
    """v of order n^(-1/2) times updates of order one: f is 0 before and moves as from v = 0."""
    text = SHALLOW.format("tanh").replace("v: (1, n) ~ N(0, 1)", "v: (1, n) ~ N(0, {})")
    found = [
        quadrature_limit(training_of(text.format(law), ("f(x)",), (1,), SGD, 3)[0], values={ETA: 0.3}, data=POINTS)
        for law in ("1/n", "0")
    ]
    np.testing.assert_allclose(found[0].outputs.mean, found[1].outputs.mean, atol=1e-10)
    assert found[0].outputs.mean[-1, 0] > 0.3


def test_missing_values_are_named() -> None:
    training, _ = shallow("tanh", 1)
    with pytest.raises(TpError, match="eta must have a value"):
        quadrature_limit(training, values={}, data=POINTS)
