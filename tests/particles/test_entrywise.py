"""Optimizers other than gradient descent on particles: their algebra, quadrature, and networks of finite width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import linalg
from sympy import S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.particles.curves import Curve
from tpsym.particles.entrywise import EntrywiseMatrix, Move, balanced, layer_coordinates
from tpsym.particles.entrywise_powers import check_signals
from tpsym.particles.entrywise_rules import EntryMemory, EntryRule, direction
from tpsym.particles.gaussian import GaussianMatrix, MatrixLaw, Normals
from tpsym.particles.grids import quadrature_limit
from tpsym.particles.muon import polar
from tpsym.particles.runs import particle_limit
from tpsym.particles.states import Gradient
from tpsym.program.evaluate import evaluate
from tpsym.simulate.training import train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import MSE, Training

N, ETA = Symbol("n", positive=True), Symbol("eta", positive=True)
POINTS = {"x": [1.0, 0.5590169943749475], "y": [0.3, -0.8]}


def network(layers: int, *, size: int = 2, more: str = "") -> str:
    """A tanh network in which every array moves maximally with a rate 1/n for its matrices."""
    matrices = "".join(f"weight W{i}: (n, n) ~ N(0, 1/n)\n" for i in range(2, layers + 1))
    inner = "U @ z"
    for i in range(2, layers + 1):
        inner = f"W{i} @ tanh({inner})"
    return (
        f"width n\ndim d = {size}\nparam eta: positive\ninput x, y: (d)\nweight U: (n, d) ~ N(0, 1)\n{matrices}{more}"
        f"weight v: (1, n) ~ N(0, 1)\ndef f(z):\n    return v @ tanh({inner})/n\n"
    )


def optimizer_of(rule: str, layers: int) -> Optimizer:
    names = [f"W{i}" for i in range(2, layers + 1)]
    slow: Any = {"rate": ETA, "rates": dict.fromkeys(names, ETA / N)}
    eps: Any = {"eps": 1 / (10 * N), "epsilons": dict.fromkeys(names, 1 / (10 * N ** 2))}
    memory: Any = {"beta1": S.Half, "beta2": S(3) / 4}
    match rule:
        case "signsgd":
            return Optimizer("signsgd", **slow)
        case "adam":
            return Optimizer("adam", **slow, **eps, **memory, decays=dict.fromkeys(names, N / 5))
        case "adagrad":
            return Optimizer("adagrad", **slow, **eps)
        case "adafactor":
            return Optimizer("adafactor", rate=ETA, rates={k: ETA / sp.sqrt(N) for k in names}, **eps, **memory)
        case _:
            return Optimizer("muon", rate=ETA * sp.sqrt(N), rates=dict.fromkeys(names, ETA), momentum=S.Half)


def training_of(
    text: str, outputs: tuple[str, ...], targets: tuple[int, ...], optimizer: Optimizer, steps: int,
    batches: tuple[tuple[int, ...], ...] = (),
) -> Training:
    context = tpsym.parse(text).model.context
    context.limit = None
    found: list[Any] = [evaluate(context, parse_expression(o), context.scope) for o in outputs]
    exprs = tuple(v.expr for v in found)
    return Training(context, exprs, tuple(S(t) for t in targets), MSE, optimizer, steps, batches)


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("rule", ["signsgd", "adam", "adagrad", "adafactor", "muon"])
def test_deep_networks_agree_with_wide_ones(rule: str, layers: int) -> None:
    """Two examples, four large steps."""
    training = training_of(network(layers), ("f(x)", "f(y)"), (1, -1), optimizer_of(rule, layers), 4)
    limit, runs = compared(training, 512, 32)
    error = np.hypot(runs.std(axis=0, ddof=1) / np.sqrt(32), limit.error)
    assert np.abs(limit.mean[-1]).min() > 0.4
    assert np.all(np.abs(runs.mean(axis=0) - limit.mean) < 4 * error + 0.005)


def compared(training: Training, n: int, seeds: int) -> tuple[Curve, np.ndarray[Any, Any]]:
    """The limit, and outputs at a width."""
    given: Any = {"values": {ETA: 0.2}, "data": POINTS}
    limit = particle_limit(training, [], **given, particles=2**10, replicates=8).outputs
    return limit, np.array([train(training, n=n, seed=s, **given).outputs for s in range(seeds)])


@pytest.mark.parametrize("rule", ["signsgd", "adam"])
def test_distances_to_the_limit_fall_like_the_root_of_the_width(rule: str) -> None:
    training = training_of(network(2), ("f(x)", "f(y)"), (3, -3), optimizer_of(rule, 2), 6)
    distances = []
    for n, seeds in ((64, 64), (576, 32)):
        limit, runs = compared(training, n, seeds)
        distances.append(np.sqrt(np.mean((runs - limit.mean)[:, 1:] ** 2)))
    assert 0.65 * 3 < distances[0] / distances[1] < 1.5 * 3


@pytest.mark.parametrize("rule", ["signsgd", "adam", "adagrad", "adafactor", "muon"])
def test_networks_without_matrices_agree_with_quadrature(rule: str) -> None:
    training = training_of(network(1, size=1), ("f(x)", "f(y)"), (1, -1), optimizer_of(rule, 1), 4)
    given: Any = {"values": {ETA: 0.2}, "data": {"x": [1.2], "y": [-0.4]}}
    exact = quadrature_limit(training, [], **given, tolerance=1e-5).outputs.mean
    found = particle_limit(training, [], **given, particles=2**12, replicates=8).outputs
    assert np.abs(exact[-1]).min() > 0.2
    assert np.all(np.abs(found.mean - exact) < 4.5 * found.error + 1e-4)
    assert found.error.max() < 0.01


def test_an_input_layer_has_coordinates_that_no_data_point_sees() -> None:
    """Signs of a gradient along one point in two dimensions move both coordinates by the same amount."""
    training = training_of(network(2), ("f(x)",), (1,), optimizer_of("signsgd", 2), 3)
    limit, runs = compared(training, 512, 32)
    error = np.hypot(runs.std(axis=0, ddof=1) / np.sqrt(32), limit.error)
    assert np.all(np.abs(runs.mean(axis=0) - limit.mean) < 4 * error + 0.005)


# --- algebra ---------------------------------------------------------------------------------------

SIZE = 256


def entrywise(rule: EntryRule, columns: int) -> EntrywiseMatrix:
    matrix = GaussianMatrix.make(MatrixLaw(0.0, 1.0), Normals("n", SIZE, (0,)), Normals("n", SIZE, (0,)))
    return EntrywiseMatrix(rule, Move(0.5, 0.75), matrix, (1.0, 1.0), 1.0, columns)


def gradients(count: int, parts: int) -> list[Gradient]:
    rng = np.random.default_rng(1)
    return [
        Gradient(rng.standard_normal(parts), rng.standard_normal((parts, SIZE)), rng.standard_normal((parts, SIZE)))
        for _ in range(count)
    ]


def dense(rule: EntryRule, steps: list[Gradient]) -> np.ndarray[Any, Any]:
    """The matrix itself, entry by entry."""
    found, memory = np.zeros((SIZE, SIZE)), EntryMemory()
    for g in steps:
        assert g.rights is not None
        found = 0.75 * found - 0.5 * direction(rule, memory, (g.lefts.T * g.coefficients) @ g.rights)
    return found


@pytest.mark.parametrize("rule", [
    EntryRule("W", "signsgd"), EntryRule("W", "adam", 0.5, 0.75, 0.1), EntryRule("W", "adagrad", eps=0.1),
])
@pytest.mark.parametrize("parts", [1, 3])
def test_all_columns_are_the_matrix_and_both_orientations_adjoint(rule: EntryRule, parts: int) -> None:
    steps = gradients(3, parts)
    state, matrix = entrywise(rule, SIZE), dense(rule, steps)
    for gradient in steps:
        state.advance(gradient)
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, SIZE)), rng.standard_normal((2, SIZE))
    np.testing.assert_allclose(state.apply(x), x @ matrix.T / SIZE, atol=1e-12)
    np.testing.assert_allclose(state.apply_transposed(y), y @ matrix / SIZE, atol=1e-12)
    np.testing.assert_allclose(y @ state.apply(x).T, state.apply_transposed(y) @ x.T, rtol=1e-9)


def test_some_columns_are_nearly_the_matrix() -> None:
    rule, steps = EntryRule("W", "adam", 0.5, 0.75, 0.5), gradients(2, 2)
    matrix = dense(rule, steps)
    rights = steps[-1].rights
    assert rights is not None
    x = np.random.default_rng(3).standard_normal((1, SIZE)) / 2 + rights[:1]
    state = entrywise(rule, SIZE // 2)
    for gradient in steps:
        state.advance(gradient)
    rows = x @ matrix.T / SIZE
    plain = x[:, : SIZE // 2] @ matrix[:, : SIZE // 2].T / (SIZE // 2)
    balanced_gap = np.linalg.norm(state.apply(x) - rows)
    assert balanced_gap < 0.6 * np.linalg.norm(plain - rows)
    assert balanced_gap < 0.2 * np.linalg.norm(rows)


def test_balanced_coordinates_have_the_means_of_all() -> None:
    rng = np.random.default_rng(4)
    vectors, features = rng.standard_normal((2, SIZE)), rng.standard_normal((2, SIZE))
    found = balanced(vectors, features, 64)
    for f in (np.ones(SIZE), *features):
        np.testing.assert_allclose(found @ f[:64], vectors @ f / SIZE, atol=1e-7)
    np.testing.assert_allclose(balanced(vectors, features, SIZE), vectors / SIZE)


def test_states_are_restored() -> None:
    rule, steps = EntryRule("W", "adam", 0.5, 0.75), gradients(4, 2)
    first, second = entrywise(rule, 32), entrywise(rule, 32)
    for gradient in steps[:2]:
        first.advance(gradient)
    second.restore({k: np.array(v) for k, v in first.state().items()})
    for gradient in steps[2:]:
        first.advance(gradient)
        second.advance(gradient)
    x = np.random.default_rng(5).standard_normal((1, SIZE))
    np.testing.assert_array_equal(first.apply(x), second.apply(x))
    assert np.abs(first.apply(x)).max() > 0.01


def test_polar_factors() -> None:
    rng = np.random.default_rng(6)
    full = rng.standard_normal((5, 3))
    np.testing.assert_allclose(polar(full), linalg.polar(full)[0], atol=1e-12)
    low = np.outer(rng.standard_normal(5), rng.standard_normal(4))
    np.testing.assert_allclose(polar(low), low / np.linalg.norm(low), atol=1e-12)
    assert not np.any(polar(np.zeros((3, 2))))


def test_coordinates_of_an_input_layer_have_its_products_and_its_law() -> None:
    rng = np.random.default_rng(7)
    points = np.array([[1.0, 2.0, 0.0], [0.5, 1.0, 0.0]])
    true = rng.standard_normal((3, 100_000))
    found = layer_coordinates(points @ true, points, rng.standard_normal((3, 100_000)))
    np.testing.assert_allclose(points @ found, points @ true, atol=1e-12)
    np.testing.assert_allclose(np.cov(found), np.eye(3), atol=0.02)


# --- refusals --------------------------------------------------------------------------------------


def test_signs_of_what_vanishes_are_refused() -> None:
    tiny = network(2).replace("v: (1, n) ~ N(0, 1)", "v: (1, n) ~ N(0, 1/n)")
    training = training_of(tiny, ("f(x)",), (1,), optimizer_of("signsgd", 2), 2)
    with pytest.raises(TpError, match="vanishes to leading order"):
        particle_limit(training, [], values={ETA: 0.2}, data=POINTS, particles=64, replicates=2)


def test_muon_of_parts_of_different_orders_is_refused() -> None:
    text = network(2).replace("weight v", "weight b: (n) ~ N(0, 1)\nweight v").replace(
        "(W2 @ tanh(U @ z))/n", "(W2 @ tanh(U @ z))/n + (v @ tanh(W2 @ b))/n^2")
    training = training_of(text, ("f(x)",), (1,), optimizer_of("muon", 2), 1)
    with pytest.raises(TpError, match="different orders"):
        particle_limit(training, [], values={ETA: 0.2}, data=POINTS, particles=64, replicates=2)


def test_signs_of_error_signals_that_vanish_are_refused() -> None:
    training = training_of(network(2), ("f(x)", "f(y)"), (0, 1), optimizer_of("signsgd", 2), 1, ((0,),))
    outputs, errors = np.array([[1e-3, 0.0], [0.1, 0.2]]), np.full((2, 2), 1e-3)
    targets = np.array([0.0, 1.0])
    with pytest.raises(TpError, match="cannot be told"):
        check_signals(training, lambda f: f - targets, outputs, errors)
    check_signals(training, lambda f: f - targets, outputs, errors / 10)
    both = training_of(network(2), ("f(x)", "f(y)"), (0, 1), optimizer_of("signsgd", 2), 1)
    check_signals(both, lambda f: f - targets, outputs, errors)
