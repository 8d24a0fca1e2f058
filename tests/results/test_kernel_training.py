"""Training in the kernel regime: which arrays add to the kernel, what is refused, against networks that are trained."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import chain, combinations

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from sympy import Expr, Rational, S, Symbol

import tpsym
from tpsym.errors import NOWHERE, TpError
from tpsym.gauss.numeric import enclose
from tpsym.program.values import Kernel, Scalar
from tpsym.results.answers import needed
from tpsym.results.kernel_entries import output
from tpsym.results.kernel_training import KernelTraining, kernel_limit
from tpsym.results.kernel_training_entries import JUMPING_DERIVATIVES
from tpsym.results.kernel_training_numbers import kernel_numbers
from tpsym.results.kernel_training_regime import regime
from tpsym.results.reasons import NoLimit
from tpsym.simulate.training import prepare_training, run_training
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import MSE, XENT, Loss, Training

N = Symbol("n", positive=True)
POINTS = {"x": (1.0, 0.5), "y": (-0.25, 1.0), "z": (1.0, -1.0)}
Rates = Callable[[Expr], Optimizer]


def sgd(exponent: int | Fraction | Expr, rate: Expr = S.One, **by: int | Fraction) -> Rates:
    """A learning rate times n^−exponent, with exponents of their own for some arrays."""
    def build(n: Expr) -> Optimizer:
        rates = {name: rate * n ** -Rational(e) for name, e in by.items()}
        return Optimizer("sgd", rate=rate * n ** -sp.sympify(exponent), rates=rates)

    return build


def text(activation: str, *, readout: str = "1/n", head: str = "", body: str | None = None) -> str:
    return f"""width n
dim d = 2
input x, y, z: (d)
{head}
weight U: (n, d) ~ N(0, 1/d)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, {readout})
""" + (body or f"def f(x):\n    return v @ {activation}(W @ {activation}(U @ x))\n")


class Setup:
    """A file, its network at three inputs, and training on the first few of them."""

    def __init__(
        self, source: str, rates: Rates, *, examples: str = "xy", targets: tuple[Expr, ...] = (S.One, -S.One),
        steps: int = 5, loss: Loss = MSE, batches: tuple[tuple[int, ...], ...] = (),
    ) -> None:
        program = tpsym.parse(source)
        self.model, self.side = program.model, program.limit_side
        context = self.side.context
        kernel = Kernel("ntk", context.scope.names["f"])
        self.at: dict[str, Expr] = {}
        for name in POINTS:
            found = output(self.side, kernel, context.scope.names[name], NOWHERE)
            assert isinstance(found, Scalar)
            self.at[name] = found.expr
        outputs = tuple(self.at[name] for name in examples)
        self.training = Training(
            context, outputs, targets[: len(outputs)], loss, rates(context.n), steps, batches
        )

    def limit(self) -> KernelTraining:
        return kernel_limit(self.side, self.training, NOWHERE)

    def number(self, value: Expr) -> float:
        known = dict(needed(value, self.side.limit.definitions))
        free = value.free_symbols.union(*(e.free_symbols for e in known.values())) - known.keys()
        found = enclose(value, {s: Fraction(products()[s.name]) for s in free}, definitions=known, bits=64)
        assert found.known
        return float(found.value.mid())

    def shares(self, first: str, second: str) -> dict[str, float]:
        entry = self.limit().entry(self.at[first], self.at[second])
        return {s.name: self.number(s.value) for s in entry.shares if s.value != 0}


def products() -> dict[str, Rational]:
    return {
        f"dot({a}, {b})": sum((Rational(s) * Rational(t) for s, t in zip(POINTS[a], POINTS[b], strict=True)), S.Zero)
        for a in POINTS for b in POINTS
    }


# --- which arrays add to the kernel ------------------------------------------------------------------


def tanh_layers(q: float) -> dict[str, float]:
    """⟨∇f, ∇f⟩ by layer of a network of two hidden layers, weights of variance 1/fan-in, by quadrature."""
    def mean(variance: float, function: Callable[[float], float]) -> float:
        def density(z: float) -> float:
            return function(variance**0.5 * z) ** 2 * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5

        return float(quad(density, -12, 12, epsabs=1e-13)[0])

    def slope(z: float) -> float:
        return float(np.cosh(z) ** -2)

    first = mean(q, np.tanh)
    return {
        "U": q * mean(q, slope) * mean(first, slope), "W": first * mean(first, slope), "v": mean(first, np.tanh),
    }


@pytest.mark.parametrize(("head", "rates", "readout", "arrays"), [
    ("", sgd(1), "1/n", "Wv"),
    ("parametrization ntk", sgd(0), "1/n", "UWv"),
    ("", sgd(2, v=1), "1/n", "v"),
    ("", sgd(2, W=1), "1/n", "W"),
    ("", sgd(2, U=0), "1/n", "U"),
    ("", sgd(2), "1/n", ""),
    ("", sgd(1, U=Fraction(-1, 2), W=Fraction(1, 2)), "n^(-3/2)", "UWv"),
    ("", sgd(1), "n^(-3/2)", "v"),
], ids=["SP", "NTP", "last", "middle", "first", "none", "between NTP and muP", "small readout"])
def test_arrays_whose_summand_vanishes_drop_out(head: str, rates: Rates, readout: str, arrays: str) -> None:
    setup = Setup(text("tanh", readout=readout, head=head), rates, examples="x")
    assert "".join(setup.limit().arrays) == arrays
    layers = tanh_layers(0.625)
    # x has two coordinates: a standard array of the input layer is √2 times as large as the declared one
    layers["U"] *= 1 if head else 2
    assert setup.shares("x", "x") == pytest.approx({name: layers[name] for name in arrays}, rel=1e-9)


def test_what_drops_out_says_how_fast() -> None:
    setup = Setup(text("erf"), sgd(1))
    entry = setup.limit().entry(setup.at["x"], setup.at["y"])
    assert {s.name: s.exponent for s in entry.shares} == {"U": -1, "W": 0, "v": 0}
    assert {s.name for s in entry.shares if s.value == 0} == {"U"}


def test_outputs_of_a_small_readout_begin_at_zero() -> None:
    setup = Setup(text("erf", readout="n^(-3/2)"), sgd(1))
    limit = setup.limit()
    assert limit.law(0, setup.at["x"]).variance == 0
    assert limit.law(3, setup.at["z"]).variance == 0
    assert limit.law(3, setup.at["z"]).mean != 0


# --- what is refused -----------------------------------------------------------------------------------



@pytest.mark.parametrize(("source", "rates", "word", "reason"), [
    (text("tanh", readout="1/n^2"), sgd(0, U=-1, v=1), "feature learning", "features move"),
    (text("tanh"), sgd(Fraction(1, 2)), "unstable", "blows up"),
    (text("tanh", body="def f(x):\n    return v @ (W @ (U @ x))\n"), sgd(2, U=-1), "unstable", "blows up"),
    (text("tanh"), lambda n: Optimizer("sgd", rate=n ** -Symbol("c", real=True)), "undecided", "leave open"),
], ids=["muP", "SP with too large a rate", "linear", "symbolic exponent"])
def test_other_regimes_are_refused(source: str, rates: Rates, word: str, reason: str) -> None:
    setup = Setup(source, rates, examples="x")
    assert regime(setup.side, setup.training, NOWHERE) == word
    with pytest.raises(NoLimit, match=reason):
        setup.limit()


@pytest.mark.parametrize(("head", "optimizer", "reason"), [
    ("", Optimizer("adam"), "adam"),
    ("", Optimizer("signsgd"), "signsgd"),
    ("parametrization mup", Optimizer("sgd"), "parametrization mup"),
    ("parametrization ntk", Optimizer("sgd", decay=Rational(1, 10)), "weight decay of U"),
])
def test_other_rules_are_refused_by_name(head: str, optimizer: Optimizer, reason: str) -> None:
    with pytest.raises(NoLimit, match=reason):
        Setup(text("erf", head=head), lambda _: optimizer, examples="x").limit()


def test_decay_that_vanishes_with_the_width_changes_nothing() -> None:
    plain = Setup(text("erf"), sgd(1), examples="x")
    fading = Setup(text("erf"), lambda n: Optimizer("sgd", rate=1 / n, decay=S(3)), examples="x")
    assert fading.limit().arrays == ("W", "v")
    assert fading.shares("x", "z") == pytest.approx(plain.shares("x", "z"))


def test_a_gradient_that_moves_is_refused() -> None:
    """No feature moves, but the factors of the bias product are as large as what is added to them."""
    body = "weight c: () ~ N(0, 1)\ndef f(x):\n    return v @ erf(W @ erf(U @ x)) + c^2\n"
    with pytest.raises(NoLimit):
        Setup(text("erf", body=body), sgd(1, c=0), examples="x").limit()


def test_a_scalar_that_is_added_is_trained_too() -> None:
    body = "weight c: () ~ N(0, 1)\ndef f(x):\n    return v @ erf(W @ erf(U @ x)) + c\n"
    setup = Setup(text("erf", body=body), sgd(1, c=0), examples="x")
    assert setup.limit().arrays == ("W", "v", "c")
    assert setup.shares("x", "z")["c"] == 1
    plain = Setup(text("erf"), sgd(1), examples="x")
    start, without = (s.number(s.limit().law(0, s.at["x"]).variance) for s in (setup, plain))
    assert start == pytest.approx(without + 1)


def test_jumps_of_derivatives_are_assumed_to_be_harmless() -> None:
    assert Setup(text("relu"), sgd(1)).limit().start.assumes == JUMPING_DERIVATIVES
    assert Setup(text("erf"), sgd(1)).limit().start.assumes == ""


def test_a_network_with_jumps_has_no_kernel() -> None:
    with pytest.raises(NoLimit, match="jumps"):
        Setup(text("step"), sgd(1), examples="x").limit()


def test_outputs_without_targets() -> None:
    with pytest.raises(TpError, match="2 outputs and 1 targets"):
        Setup(text("erf"), sgd(1), targets=(S.One,)).limit()


# --- against networks that are trained ---------------------------------------------------------------------

NORM = """def norm(h):
    c = h - mean(h)
    return c/sqrt(mean(c^2))
def f(x):
    return v @ relu(norm(W @ relu(U @ x)))
"""
RECURRENT = """def f(x):
    h = U @ x
    for t in 1..2:
        h = W @ erf(h) + U @ x
    return v @ erf(h)
"""
TRANSPOSED = "def f(x):\n    h = U @ x\n    return v @ (h + W.T @ erf(W @ h))\n"


def from_start(setup: Setup, kernel: np.ndarray, start: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Outputs after all steps, from initial outputs in rows, by the recursion itself."""
    training = setup.training
    count, momentum = len(targets), float(training.optimizer.momentum)
    state, moving = start.copy(), np.zeros((len(start), count))
    for t in range(training.steps):
        batch = list(training.batch(t))
        if training.loss == XENT:
            signals = -targets / (1 + np.exp(targets * state[:, :count]))
        else:
            signals = state[:, :count] - targets
        seen = np.array([batch.count(i) / len(batch) for i in range(count)])
        moving = momentum * moving + seen * signals
        state = state - moving @ kernel.T
    return state


def trained(setup: Setup, *, n: int, seeds: int) -> np.ndarray:
    """Outputs at the examples and at z by seed and step."""
    ready = prepare_training(
        setup.training, n=n, values={}, data=POINTS, observed=(("z", setup.at["z"], None),)
    )
    runs = [run_training(ready, seed=seed) for seed in range(seeds)]
    return np.array([np.column_stack([r.outputs, np.array(r.values["z"])]) for r in runs])


RATE = Rational(3, 5)
CASES: dict[str, tuple[str, Rates, dict[str, object]]] = {
    "SP": (text("erf"), sgd(1, RATE), {}),
    "NTP": (text("erf", head="parametrization ntk"), sgd(0, RATE), {}),
    "SP, logistic": (text("relu"), sgd(1, S(2)), {"loss": XENT}),
    "momentum and batches": (
        text("erf", head="parametrization ntk"), lambda _: Optimizer("sgd", rate=RATE, momentum=Rational(1, 2)),
        {"batches": ((0,), (1, 1, 0))},
    ),
    "layer normalisation": (text("erf", body=NORM), sgd(1, RATE), {}),
    "recurrent": (text("erf", head="parametrization ntk", body=RECURRENT), sgd(0, RATE / 2), {}),
    "W and its transpose": (text("erf", head="parametrization ntk", body=TRANSPOSED), sgd(0, RATE / 6), {}),
    "readout between": (text("erf", readout="n^(-3/2)"), sgd(1, RATE, U=Fraction(-1, 2), W=Fraction(1, 2)), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_trained_networks_follow_the_kernel_from_where_they_start(name: str) -> None:
    """The recursion from the outputs that a network has, so that only the kernel is tested."""
    source, rates, options = CASES[name]
    setup = Setup(source, rates, **options)  # type: ignore[arg-type]
    overrides = products()
    found = kernel_numbers(setup.limit(), setup.model, (setup.at["z"],), overrides=overrides)
    runs = trained(setup, n=512, seeds=24)
    targets = np.array([1.0, -1.0])
    predicted = from_start(setup, found.kernel, runs[:, 0], targets)
    off = runs[:, -1] - predicted
    error = off.std(axis=0, ddof=1) / np.sqrt(len(off))
    moved = np.abs(runs[:, -1] - runs[:, 0]).mean(axis=0)
    assert np.all(np.abs(off.mean(axis=0)) < 5 * error + 0.02 * moved)
    wrong = from_start(setup, found.kernel * 1.25, runs[:, 0], targets)
    assert np.any(np.abs((runs[:, -1] - wrong).mean(axis=0)) > 5 * error + 0.02 * moved)


SETS: dict[str, tuple[str, Rates, str]] = {
    "SP": (text("erf"), sgd(1, RATE), "Wv"),
    "NTP": (text("erf", head="parametrization ntk"), sgd(0, RATE), "UWv"),
    "middle": (text("erf"), sgd(2, RATE, W=1), "W"),
}


@pytest.mark.parametrize("name", SETS)
def test_every_other_set_of_layers_is_refuted(name: str) -> None:
    """Of the eight sums of layers of the tangent kernel one is the limit, and the same runs refute the others."""
    source, rates, arrays = SETS[name]
    setup = Setup(source, rates)
    full = Setup(text("erf", head="parametrization ntk"), sgd(0, RATE))
    shares = [[full.shares(a, b) for b in "xy"] for a in "xyz"]
    layers = {k: np.array([[entry[k] for entry in row] for row in shares]) for k in "UWv"}
    found = kernel_numbers(setup.limit(), setup.model, (setup.at["z"],), overrides=products())
    np.testing.assert_allclose(found.kernel, sum(layers[k] for k in arrays), rtol=1e-9)
    runs = trained(setup, n=1024, seeds=48)
    off = {}
    for some in chain.from_iterable(combinations("UWv", k) for k in range(4)):
        kernel = sum((layers[k] for k in some), np.zeros((3, 2)))
        left = runs[:, -1] - from_start(setup, kernel, runs[:, 0], np.array([1.0, -1.0]))
        off["".join(some)] = np.max(np.abs(left.mean(axis=0)) / left.std(axis=0, ddof=1)) * np.sqrt(len(left))
    assert off.pop(arrays) < 4
    assert min(off.values()) > 6


def test_mean_and_spread_over_initialisations() -> None:
    setup = Setup(text("erf"), sgd(1, S(1) / 2), steps=3)
    limit = setup.limit()
    runs = trained(setup, n=256, seeds=400)
    for step in (0, 3):
        for i, name in enumerate("xyz"):
            law = limit.law(step, setup.at[name])
            mean, spread = setup.number(law.mean), np.sqrt(setup.number(law.variance))
            seen = runs[:, step, i]
            assert abs(seen.mean() - mean) < 4 * spread / 20 + 0.005
            assert seen.std(ddof=1) == pytest.approx(spread, rel=0.15)
    joint = setup.number(limit.covariance(3, setup.at["x"], setup.at["z"]))
    assert np.cov(runs[:, 3, 0], runs[:, 3, 2])[0, 1] == pytest.approx(joint, abs=0.03)
