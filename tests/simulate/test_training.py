"""Gradients against finite differences, optimizers against a network written out, data, and mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import special
from sympy import S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.functions import Unknown
from tpsym.program.evaluate import evaluate
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context
from tpsym.program.values import Scalar, VectorValue
from tpsym.simulate.finite_width import run
from tpsym.simulate.train_arrays import State
from tpsym.simulate.train_losses import numeric_loss
from tpsym.simulate.training import (
    Observed,
    TrainingPlan,
    error_signals,
    forward,
    initial_arrays,
    prepare_training,
    run_training,
    train,
)
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, MSE, OUTPUT, TARGET, XENT, Loss, Training

SGD = Optimizer("sgd", rate=S(1) / 10)
RATE = Symbol("eta", positive=True)
HEAD = "width n\ndim d = 3\ninput x[p]: (d) for p in 0..2\n"
SHALLOW = "weight U: (n, d) ~ N(0, 1/d)\nweight W: (n, n) ~ N(0, 1/n)\nweight v: (1, n) ~ N(0, 1/n)\n"


def value(context: Context, text: str) -> Any:
    limit, context.limit = context.limit, None
    try:
        return evaluate(context, parse_expression(text), context.scope)
    finally:
        context.limit = limit


def training_of(
    text: str, outputs: tuple[str, ...], targets: tuple[Any, ...], optimizer: Optimizer = SGD, steps: int = 1, *,
    loss: Loss = MSE, batches: tuple[tuple[int, ...], ...] = (),
) -> Training:
    context = tpsym.parse(text).model.context
    found = [value(context, o) for o in outputs]
    assert all(isinstance(v, Scalar) for v in found)
    wanted = tuple(S(y) for y in targets)
    return Training(context, tuple(v.expr for v in found), wanted, loss, optimizer, steps, batches)


def seen(training: Training, *labels: str) -> Observed:
    found = [(label, value(training.context, label)) for label in labels]
    return tuple((k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k, v in found)


# --- gradients -------------------------------------------------------------------------------------

PROGRAMS = {
    "two layers": SHALLOW + "def f(x, k):\n    return v @ tanh(W @ tanh(U @ x[k]))\n",
    "shared, with biases": SHALLOW + """weight b: (n) ~ N(1/2, 1/2)
weight c: () ~ N(0, 1)
def f(x, k):
    h[0] = tanh(U @ x[k] + b)
    for t in 1..2:
        h[t] = tanh(W @ h[t-1] + U @ (x[t] - 2*x[k]) + b)
    return v @ h[2] + c*c + c*mean(h[1])
""",
    "W and its transpose": SHALLOW + """def f(x, k):
    g = tanh(W @ tanh(U @ x[k]))
    return v @ tanh(W.T @ g + W @ (W.T @ tanh(U @ x[1])))
""",
    "layer normalisation": SHALLOW + """weight g: (n) ~ N(1, 0)
def norm(z):
    c = z - mean(z)
    return g*c/sqrt(1/10 + mean(c^2))
def f(x, k):
    h = norm(U @ x[k])
    return v @ norm(h + W @ tanh(norm(h)))
""",
    "two widths": """width m = 2*n
weight U: (m, d) ~ N(0, 1/d)
weight W: (n, m) ~ N(0, 1/m)
weight v: (1, n) ~ N(0, 1/n)
weight b: (m) ~ N(2, n)
def f(x, k):
    h = tanh(U @ x[k] + b/sqrt(n))
    return v @ (W @ (h*tanh(W.T @ tanh(W @ h)))) + mean(h^2)
""",
    "standardised": "parametrization ntk\n" + """weight U: (n, d) ~ N(0, 3/d)
weight W: (n, n) ~ N(0, 2/n)
weight v: (1, n) ~ N(0, 1/n^2)
weight b: (n) ~ N(1, 1/4)
weight g: (n) ~ N(1, 0)
def f(x, k):
    return sqrt(n)*(v @ tanh(g*(W @ tanh(U @ x[k])) + b))
""",
}


Losses = Callable[[Any, Any], Any]


def loss_of(
    ready: TrainingPlan, fixed: dict[int, Any], states: list[State], loss: Losses, batch: Sequence[int]
) -> float:
    live = forward(ready, 5, fixed, states)
    outputs = np.array([float(output(ready.plan, live)) for output in ready.outputs])
    targets = np.array([float(y) for y in ready.training.targets])
    return float(np.mean(loss(outputs, targets)[list(batch)]))


def check_gradients(
    ready: TrainingPlan, loss: Losses, *, step: int = 0, batch: Sequence[int] = (0, 1)
) -> list[State]:
    """Gradients by every entry of every trained array against finite differences; the arrays."""
    fixed, states = initial_arrays(ready, 5)
    live = forward(ready, 5, fixed, states)
    outputs = np.array([float(output(ready.plan, live)) for output in ready.outputs])
    signals = error_signals(ready, outputs, step)
    for i, state in enumerate(states):
        found = state.gradient(ready.plan, live, signals, ready.points).dense()
        assert found.shape == state.value.shape
        assert np.any(found != 0)
        for entry in np.ndindex(*state.value.shape):
            ends = []
            for sign in (1, -1):
                moved = np.array(state.value)
                moved[entry] += sign * 1e-5 / state.unit
                others = [*states[:i], replace(state, value=moved), *states[i + 1:]]
                ends.append(loss_of(ready, fixed, others, loss, batch))
            slope = (ends[0] - ends[1]) / 2e-5
            assert found[entry] == pytest.approx(slope, rel=1e-5, abs=1e-9), (state.array.trained.name, entry)
    return states


def half_square(f: Any, y: Any) -> Any:
    return (f - y) ** 2 / 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """By every entry of every trained array, in the units in which it is trained, over two examples."""
    training = training_of(HEAD + PROGRAMS[name], ("f(x, 0)", "f(x, 2)"), (0.7, -0.4))
    states = check_gradients(prepare_training(training, n=4, values={}), half_square)
    names = {state.array.trained.name for state in states}
    assert names == {t.name for t in training.context.trained} - ({"g"} if name == "standardised" else set())


LOSSES: dict[str, tuple[sp.Expr, Losses]] = {
    "xent": (XENT.value, lambda f, y: np.log1p(np.exp(-y * f))),
    "written": (sp.sin(OUTPUT) * TARGET + OUTPUT**4, lambda f, y: np.sin(f) * y + f**4),
    "with a parameter": (RATE * sp.log(sp.cosh(OUTPUT - TARGET)), lambda f, y: 0.05 * np.log(np.cosh(f - y))),
    "constant": (OUTPUT, lambda f, y: f),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_any_loss_and_batch(name: str) -> None:
    """Second step of two batches, of two of three examples; nothing of the third is in the gradient."""
    expr, loss = LOSSES[name]
    batches = ((0, 1), (2, 0))
    training = training_of(
        HEAD + PROGRAMS["two layers"], ("f(x, 0)", "f(x, 1)", "f(x, 2)"), (1, -1, -1),
        loss=Loss(name, expr, sp.diff(expr, OUTPUT)), batches=batches,
    )
    ready = prepare_training(training, n=4, values={RATE: 0.05})
    check_gradients(ready, loss, step=1, batch=batches[1])
    targets = np.array([1.0, -1.0, -1.0])
    for trace in (run_training(ready, seed=5), run_training(ready, seed=6)):
        assert trace.losses == pytest.approx([np.mean(loss(f, targets)) for f in trace.outputs])


def test_an_example_may_stand_twice_in_a_batch() -> None:
    training = training_of(
        HEAD + PROGRAMS["two layers"], ("f(x, 0)", "f(x, 1)"), (0.7, -0.4), batches=((0, 1, 1),)
    )
    check_gradients(prepare_training(training, n=4, values={}), half_square, batch=(0, 1, 1))


def test_a_loss_that_is_no_formula() -> None:
    """An unknown function of (output, target), given as numbers with its derivative."""
    name = Loss("q", *(Unknown(Symbol("q"), sp.Tuple(k, 0), OUTPUT, TARGET) for k in (0, 1)))
    training = training_of(HEAD + PROGRAMS["two layers"], ("f(x, 0)", "f(x, 2)"), (0.7, -0.4), loss=name)
    functions = {"q": lambda f, y: (f - y) ** 4, "q[1,0]": lambda f, y: 4 * (f - y) ** 3}
    check_gradients(prepare_training(training, n=4, values={}, functions=functions), lambda f, y: (f - y) ** 4)
    with pytest.raises(TpError, match="q is unknown"):
        prepare_training(training, n=4, values={})


@pytest.mark.parametrize("signal", [XENT.signal, sp.diff(XENT.value, OUTPUT)])
def test_logistic_loss_of_large_outputs(signal: sp.Expr) -> None:
    """Neither overflow nor a loss of zero where exp does not fit or 1 + exp(-40) is 1."""
    loss = numeric_loss(Loss("xent", XENT.value, signal), {}, {})
    f, y = np.array([1e4, 1e4, -1e4, 40.0, 0.0]), np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose(loss.losses(f, y), [0, 1e4, 1e4, np.exp(-40), np.log(2)], rtol=1e-14)
    np.testing.assert_allclose(loss.signals(f, y), [0, 1, -1, -np.exp(-40), 0.5], rtol=1e-14)


# --- optimizers ------------------------------------------------------------------------------------

NETWORK = """width n
dim d = 3
param eta: positive
input x, y: (d)
weight U: (n, d) ~ N(0, 2/d)
weight W: (n, n) ~ N(0, 3/n)
weight v: (1, n) ~ N(0, 1/n^2)
weight b: (n) ~ N(1/2, 1/n)
random G: (n, d) ~ N(0, 1)
def f(z):
    h = U @ z
    g = W @ tanh(h) + b + G @ z/4
    return sqrt(n)*(v @ tanh(g))
"""
N, D = 6, 3
OPTIMIZERS = {
    "sgd": Optimizer("sgd", rate=RATE),
    "sgd with all": Optimizer("sgd", rate=RATE, momentum=S(9) / 10, decay=S(1) / 3, decays={"W": S(1) / 7}),
    "rates by array": Optimizer("sgd", rate=RATE, rates={"W": RATE / Symbol("n", positive=True), "b": 3 * RATE}),
    "signsgd": Optimizer("signsgd", rate=RATE, decay=S(1) / 3),
    "adam": Optimizer("adam", rate=RATE, beta1=S(9) / 10, beta2=S(99) / 100, eps=S(1) / 1000, decay=S(1) / 3),
    "adam without memory": Optimizer("adam", rate=RATE, epsilons={"W": S(1) / 100}),
    "adagrad": Optimizer("adagrad", rate=RATE, eps=S(1) / 100),
    "adafactor": Optimizer("adafactor", rate=RATE, beta1=S(1) / 2, beta2=S(3) / 4, decay=S(1) / 3),
    "muon": Optimizer("muon", rate=RATE, momentum=S(1) / 2, decay=S(1) / 3),
}


def drawn_parameters(training: Training, values: dict[Symbol, float], points: Any) -> dict[str, Any]:
    """The trained arrays as they are before training, in their own units."""
    ready = prepare_training(training, n=N, values=values, data=points)
    return {s.array.trained.name: s.unit * (s.value - s.centre) for s in initial_arrays(ready, 1)[1]}


def written_out(
    start: dict[str, Any], offsets: dict[int, Any], optimizer: Optimizer, points: Any, targets: Any, deviations: Any,
    steps: int, loss: str = "mse",
) -> Any:
    """Outputs by step of NETWORK trained as the rules say, in plain NumPy; ``deviations`` turn θ to weights."""
    p = {k: np.array(v) for k, v in start.items()}
    memory: dict[str, Any] = {k: [np.zeros_like(v), np.zeros_like(v)] for k, v in p.items()}
    history = []

    def number(expr: sp.Expr) -> float:
        return float(expr.subs({RATE: 0.05, Symbol("n", positive=True): N}))

    for t in range(1, steps + 2):
        w = {k: deviations.get(k, (0, 1))[0] + deviations.get(k, (0, 1))[1] * v for k, v in p.items()}
        grads = {k: np.zeros_like(v) for k, v in p.items()}
        outputs = []
        for i, (x, y) in enumerate(zip(points, targets, strict=True)):
            h = w["U"] @ x
            a = np.tanh(h)
            s = np.tanh(w["W"] @ a + w["b"][:, 0] + offsets[i] / 4)
            f = np.sqrt(N) * w["v"][:, 0] @ s
            outputs.append(f)
            chi = (f - y if loss == "mse" else -y * special.expit(-y * f)) / len(points)
            dg = chi * np.sqrt(N) * w["v"][:, 0] * (1 - s**2)
            grads["v"] += chi * np.sqrt(N) * s[:, None]
            grads["b"] += dg[:, None]
            grads["W"] += np.outer(dg, a)
            grads["U"] += np.outer((w["W"].T @ dg) * (1 - a**2), x)
        history.append(outputs)
        for k in p:
            g = deviations.get(k, (0, 1))[1] * grads[k]
            eta, lam, eps = number(optimizer.rate_of(k)), number(optimizer.decay_of(k)), number(optimizer.eps_of(k))
            mu, b1, b2 = (number(e) for e in (optimizer.momentum, optimizer.beta1, optimizer.beta2))
            m, v = memory[k]
            if optimizer.rule in ("sgd", "muon"):
                m = mu * m + g
                left, _, right = np.linalg.svd(m, full_matrices=False)
                # two examples and three steps: m has rank 1 to 6
                rank = np.linalg.matrix_rank(m)
                move = m if optimizer.rule == "sgd" else left[:, :rank] @ right[:rank]
            elif optimizer.rule == "signsgd":
                move = np.sign(g)
            elif optimizer.rule == "adagrad":
                v = v + g**2
                move = g / (np.sqrt(v) + eps)
            else:
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                move = (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
                if optimizer.rule == "adafactor":
                    eta = eta * np.sqrt(np.mean(p[k] ** 2))
            memory[k] = [m, v]
            p[k] = p[k] - eta * (move + lam * p[k])
    return np.array(history)


POINTS = {"x": (1.0, 0.5, -0.3), "y": (0.2, -1.1, 0.7)}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_optimizers_do_what_they_say(name: str, parametrization: str) -> None:
    optimizer = OPTIMIZERS[name]
    text = NETWORK.replace("width n\n", f"width n\nparametrization {parametrization}\n")
    targets, values = (0.8, -1.3), {RATE: 0.05}
    training = training_of(text, ("f(x)", "f(y)"), targets, optimizer, 3)
    start = drawn_parameters(training, values, POINTS)
    observed = seen(training, "G @ x", "G @ y")
    trace = train(training, n=N, seed=1, values=values, observed=observed, data=POINTS)
    deviations = {
        "U": (0, np.sqrt(2 / 3)), "W": (0, np.sqrt(3 / N)), "v": (0, 1 / N), "b": (0.5, 1 / np.sqrt(N)),
    } if parametrization == "ntk" else {}
    random = {0: trace.values["G @ x"][0], 1: trace.values["G @ y"][0]}
    points = [np.array(POINTS[k]) for k in "xy"]
    expected = written_out(start, random, optimizer, points, targets, deviations, 3)
    np.testing.assert_allclose(trace.outputs, expected, rtol=1e-9)
    assert np.abs(np.diff(trace.outputs, axis=0)).min() > 1e-4
    np.testing.assert_array_equal(trace.values["G @ x"][0], trace.values["G @ x"][3])


def test_logistic_loss() -> None:
    training = training_of(NETWORK, ("f(x)", "f(y)"), (1, -1), OPTIMIZERS["sgd"], 3, loss=XENT)
    values = {RATE: 0.05}
    start = drawn_parameters(training, values, POINTS)
    observed = seen(training, "G @ x", "G @ y")
    trace = train(training, n=N, seed=1, values=values, observed=observed, data=POINTS)
    random = {0: trace.values["G @ x"][0], 1: trace.values["G @ y"][0]}
    points = [np.array(POINTS[k]) for k in "xy"]
    expected = written_out(start, random, OPTIMIZERS["sgd"], points, (1, -1), {}, 3, "logistic")
    np.testing.assert_allclose(trace.outputs, expected, rtol=1e-9)


def test_an_array_without_gradient_decays_and_nothing_else() -> None:
    text = "width n\nweight u, w: (n) ~ N(0, 1)\nq = mean(w*w)\n"
    rates = {"sgd": {"momentum": S(1) / 2}, "adam": {"beta1": S(1) / 2}, "signsgd": {}, "muon": {}}
    for rule, more in rates.items():
        optimizer = Optimizer(rule, rate=S(1) / 4, decay=S(1) / 2, **more)
        training = training_of(text, ("q",), (0,), optimizer, 2, loss=CONSTANT)
        values = train(training, n=10, seed=0, values={}, observed=seen(training, "u", "w")).values
        np.testing.assert_allclose(values["u"][2], (7 / 8) ** 2 * values["u"][0])
        assert not np.allclose(values["w"][2], (7 / 8) ** 2 * values["w"][0])


# --- what is drawn ---------------------------------------------------------------------------------


def test_initial_values_are_those_of_a_run_and_of_the_law() -> None:
    training = training_of(NETWORK, ("f(x)",), (0,), steps=0, loss=CONSTANT)
    observed = seen(training, "U @ x", "b", "G @ x", "f(x)")
    ready = prepare_training(training, n=4000, values={RATE: 1.0}, observed=observed, data=POINTS)
    assert np.abs(np.corrcoef([run_training(ready, seed=s).values["U @ x"][0] for s in (0, 1)])[0, 1]) < 0.08
    trace = run_training(ready, seed=0)
    norm = np.dot(POINTS["x"], POINTS["x"])
    assert trace.size("U @ x") ** 2 == pytest.approx(2 / 3 * norm, rel=4 * np.sqrt(2 / 4000))
    assert trace.size("G @ x") ** 2 == pytest.approx(norm, rel=4 * np.sqrt(2 / 4000))
    assert trace.values["b"][0].mean() == pytest.approx(0.5, abs=1e-3)
    assert trace.values["b"][0].std() == pytest.approx(4000**-0.5, rel=0.1)
    node = next(t.node for t in training.context.trained if t.name == "b")
    assert node is not None
    drawn = run(training.context.builder.program(), [node], n=4000, seed=0, values={})[node]
    np.testing.assert_allclose(trace.values["b"][0], 0.5 + drawn / np.sqrt(4000))


DATA = """width n
dim d
input x, y, z: (d)
input k: (2) = [3, 4]
weight U: (n, d) ~ N(0, 1/d)
weight V: (n, 2) ~ N(0, 1)
def f(x):
    return mean(tanh(U @ x)^2)
"""


def points_of(training: Training, **more: Any) -> dict[str, Any]:
    return dict(prepare_training(training, n=3, **more).points)


def test_data_have_the_numbers_of_the_file_the_norm_of_their_size_or_their_products() -> None:
    task = training_of(DATA, ("f(x)", "f(y)"), (0, 0), loss=CONSTANT)
    points = points_of(task, values={})
    np.testing.assert_array_equal(points["k"], [3, 4])
    assert [len(points[k]) for k in "xyz"] == [8, 8, 8]
    assert [points[k] @ points[k] for k in "xyz"] == pytest.approx([8, 8, 8])
    assert not np.allclose(points["x"], points["y"])
    np.testing.assert_array_equal(points_of(task, values={})["x"], points["x"])
    size = Symbol("d", positive=True, integer=True)
    assert len(points_of(task, values={size: 5})["x"]) == 5
    assert len(points_of(task, values={}, data={"x": [1.0, 2.0]})["y"]) == 2
    grams = task.context.grams
    products = {grams["x", "x"]: 1.0, grams["x", "y"]: 0.3, grams["y", "y"]: 2.0}
    points = points_of(task, values=products)
    assert len(points["x"]) == 3
    for (a, b), symbol in {("x", "x"): 1.0, ("x", "y"): 0.3, ("y", "y"): 2.0}.items():
        assert points[a] @ points[b] == pytest.approx(symbol)


def test_products_that_no_data_have_are_refused() -> None:
    task = training_of(DATA, ("f(x)", "f(y)"), (0, 0), loss=CONSTANT)
    task.context.gram("x", "x")
    prepare_training(task, n=3, values={})
    grams, size = task.context.grams, Symbol("d", positive=True, integer=True)
    impossible = {grams["x", "x"]: 1.0, grams["x", "y"]: 3.0, grams["y", "y"]: 2.0}
    plane = {grams["x", "x"]: 1.0, grams["x", "y"]: 0.3, grams["y", "y"]: 2.0}
    for more, what in [
        ({"values": impossible}, "not positive"),
        ({"values": {**plane, size: 1}}, "rank 2"),
        ({"values": {grams["x", "x"]: 1.0}}, r"dot\(x, y\) must have a value"),
        ({"values": plane, "data": {"z": [1.0, 2.0]}}, "by inner products but z by numbers"),
        ({"values": {}, "data": {"x": [1.0], "y": [1.0, 2.0]}}, "1 and 2 numbers"),
        ({"values": {}, "data": {"w": [1.0]}}, "no data called w"),
        ({"values": {}, "data": {"k": [1.0, 2.0]}}, "in the file"),
        ({"values": {}, "data": {"x": [float("nan")]}}, "finite numbers"),
    ]:
        with pytest.raises(TpError, match=what):
            prepare_training(task, n=3, **more)


def test_sizes_may_grow_faster_or_slower_than_the_width() -> None:
    n = Symbol("n", positive=True)
    builder, base = Builder(), Dimension("n", S.One)
    short, long = Dimension("m", n ** (-S.Half)), Dimension("M", n / 2)
    x = builder.vector("x", base)
    matrices = [builder.matrix(name, size, base, S.One) for name, size in (("A", short), ("B", long))]
    nodes = [builder.matmul(matrix, x) for matrix in matrices]
    found = run(builder.program(), nodes, n=64, seed=0, values={})
    assert [len(np.atleast_1d(found[node])) for node in nodes] == [8, 2048]


# --- mistakes --------------------------------------------------------------------------------------


def test_mistakes_are_explained() -> None:
    training = training_of(NETWORK, ("f(x)",), (S(1) / 2,), Optimizer("sgd", rate=RATE))
    values = {RATE: 0.1}
    for changed, given, what in [
        ({"targets": ()}, values, "1 outputs and 0 targets"),
        ({"loss": XENT}, values, "labels 1 and -1"),
        ({"loss": Loss("q", OUTPUT * Symbol("q"), Symbol("q"))}, values, "q must have a value: the loss"),
        ({"targets": (Symbol("q"),)}, values, "q must have a value: a target"),
        ({"batches": ((0,), ())}, values, r"a batch of the examples \[\]"),
        ({"batches": ((1,),)}, values, r"a batch of the examples \[1\]"),
        ({"steps": -1}, values, "-1 is not a number of steps"),
        ({}, {}, "eta must have a value: the learning rate for U"),
        ({"optimizer": Optimizer("sgd", rate=-S.One)}, values, "the learning rate for U is -1"),
        ({"optimizer": Optimizer("adam", beta1=S.One)}, values, "β₁ for U is 1"),
        ({"optimizer": Optimizer("sgd", beta1=S.Half)}, values, "sgd has no beta1"),
        ({"optimizer": Optimizer("signsgd", momentum=S.Half)}, values, "signsgd has no momentum"),
        ({"optimizer": Optimizer("adagrad", decays={"W": S.Half})}, values, "adagrad has no decay"),
    ]:
        with pytest.raises(TpError, match=what):
            train(replace(training, **changed), n=4, seed=0, values=given)  # type: ignore[arg-type]
    with pytest.raises(TpError, match="two quantities are called U @ x"):
        train(training, n=4, seed=0, values=values, observed=2 * tuple(seen(training, "U @ x")))


def test_unknown_functions_are_passed() -> None:
    text = HEAD + "fn phi\n" + SHALLOW + "def f(x):\n    return v @ phi(W @ phi(U @ x))\n"
    known = text.replace("fn phi\n", "").replace("phi", "tanh")
    functions = {"phi": np.tanh, "phi'": lambda z: 1 - np.tanh(z) ** 2}
    runs = [
        train(training_of(t, ("f(x[0])",), (1,), steps=2), n=8, seed=0, values={}, functions=f).outputs
        for t, f in ((text, functions), (known, {}))
    ]
    np.testing.assert_allclose(*runs, rtol=1e-10)
    with pytest.raises(TpError, match="phi is unknown"):
        train(training_of(text, ("f(x[0])",), (1,)), n=8, seed=0, values={})


def test_parameters_have_their_defaults() -> None:
    text = HEAD + "param s: positive = 3\nparam t: positive = s/2\n" + SHALLOW + "def f(x):\n    return v @ (t*U @ x)\n"
    training = training_of(text, ("f(x[0])",), (1,))
    s, t = training.context.parameters
    given = [{}, {s: 3.0}, {s: 3.0, t: 1.5}, {t: 1.5}, {s: 4.0}]
    runs = [train(training, n=8, seed=0, values=values).outputs for values in given]
    for same in runs[1:4]:
        np.testing.assert_array_equal(same, runs[0])
    np.testing.assert_allclose(runs[4][0], runs[0][0] * 4 / 3)


def test_a_network_of_symbolic_depth_is_refused() -> None:
    text = """width n
dim d = 2
depth L
input x: (d)
weight U: (n, d) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 1..L
weight v: (1, n) ~ N(0, 1/n)
def f(x):
    h[0] = U @ x
    for l in 1..L:
        h[l] = W[l] @ tanh(h[l-1])
    return v @ tanh(h[L])
"""
    with pytest.raises(TpError, match="a network of L layers cannot be run"):
        train(training_of(text, ("f(x)",), (1,)), n=8, seed=0, values={})
