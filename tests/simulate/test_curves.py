"""Learning curves against single runs and known limits, learning rates in two parametrisations, and wide matrices."""

from __future__ import annotations

import importlib
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sympy import Rational, S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.program.evaluate import evaluate
from tpsym.program.values import VectorValue
from tpsym.simulate.curves import Curves, curves, transfer
from tpsym.simulate.training import Observed, prepare_training, run_training, train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Rescaled
from tpsym.transform.training import MSE, Training

N = Symbol("n", positive=True)
POINT = "input x: (3) = [1, 1/2, 1/4]\ninput y: (3) = [1/4, -1, 1]\n"
"""⟨x, x⟩ = 21/16."""
S_XX = 21 / 16
SHALLOW = "width n\n" + POINT + """weight u: (n, 3) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(z):
    return v @ {phi}(u @ z) / n
"""
DEEP = "width n\n" + POINT + """weight u: (n, 3) ~ N(0, 1)
weight w: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = u @ z
    return v @ {phi}(w @ {phi}(h)) / n
"""


def training_of(text: str, outputs: tuple[str, ...], targets: tuple[Any, ...], optimizer: Optimizer, steps: int,
                observed: tuple[str, ...] = (), **more: Any) -> tuple[Training, Observed]:
    context = tpsym.parse(text).model.context
    context.limit = None

    def value(text: str) -> Any:
        return evaluate(context, parse_expression(text), context.scope)

    seen = [(label, value(label)) for label in observed]
    followed = tuple((k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k, v in seen)
    found = tuple(value(o).expr for o in outputs)
    return Training(context, found, tuple(map(S, targets)), MSE, optimizer, steps, **more), followed


def maximal(eta: Any) -> Optimizer:
    """The same rate for all arrays of a network in mean-field scaling."""
    return Optimizer("sgd", rate=S(eta) * N, rates={"w": S(eta)})


def agrees(found: Curves, n: int, step: int, limit: float, bias: float) -> bool:
    curve = found.output(0, n)
    return bool(abs(curve.mean[step] - limit) < bias + 4 * curve.standard_error[step])


# --- limits ----------------------------------------------------------------------------------------


def test_linear_networks_reach_their_limits() -> None:
    """Closed forms for one hidden layer, and for two by moments of a Ginibre matrix; another point in proportion."""
    e, s, y = 0.3, S_XX, 1
    training, seen = training_of(SHALLOW.format(phi=""), ("f(x)",), (1,), maximal(Rational(3, 10)), 2, ("f(y)",))
    found = curves(training, seen, widths=(1000, 4000), seeds=24, values={})
    limits = 2 * e * s * y, 4 * e * s * y * (e * s - 1) * (2 * e**3 * s**2 * y**2 - e**2 * s * y**2 - 1)
    assert limits == pytest.approx((0.7875, 0.97881), abs=1e-5)
    across = (1 / 4 - 1 / 2 + 1 / 4) / s
    for step, limit in enumerate(limits, 1):
        assert agrees(found, 4000, step, limit, 0.002)
        other = found.find("scalar", "f(y)", 4000)
        assert other.mean[step] == pytest.approx(across * limit, abs=0.002 + 4 * other.standard_error[step])
    assert found.output(0, 4000).standard_error[1] < 0.6 * found.output(0, 1000).standard_error[1] < 0.02
    e = 0.15
    training, _ = training_of(DEEP.format(phi=""), ("f(x)",), (1,), maximal(Rational(15, 100)), 2)
    found = curves(training, widths=(1024,), seeds=24, values={})
    second = -e * s * y * (3 * e * s - 2) * (
        81 * (e**6 * s**4 * y**4) - 57 * e**5 * s**3 * y**4 + 10 * e**4 * s**2 * y**4
        - 36 * e**3 * s**2 * y**2 + 12 * e**2 * s * y**2 + 3
    )
    assert (3 * e * s, second) == pytest.approx((0.590625, 0.8731294512))
    assert agrees(found, 1024, 1, 3 * e * s * y, 0.003)
    assert agrees(found, 1024, 2, second, 0.003)
    assert found.output(0, 1024).standard_error.max() < 0.01


def test_a_nonlinear_network_reaches_its_limit() -> None:
    """ReLU, one hidden layer: 0.3737969 by quadrature; features at initialisation have second moment ⟨x, x⟩."""
    training, seen = training_of(SHALLOW.format(phi="relu"), ("f(x)",), (1,), maximal(Rational(3, 10)), 1, ("u @ x",))
    found = curves(training, seen, widths=(4000,), seeds=24, values={})
    assert agrees(found, 4000, 1, 0.3737969, 0.001)
    assert found.output(0, 4000).standard_error[1] < 0.005
    feature = found.find("second moment", "u @ x", 4000)
    assert feature.mean[0] == pytest.approx(S_XX, abs=4 * feature.standard_error[0])
    # h₁ = h₀ + ηs v φ'(h₀), and all sums vanish but E[φ'²] = 1/2
    moved = S_XX + (0.3 * S_XX) ** 2 / 2
    assert feature.mean[1] == pytest.approx(moved, abs=0.002 + 4 * feature.standard_error[1])


# --- the tables ------------------------------------------------------------------------------------


def test_curves_are_those_of_single_runs() -> None:
    training, seen = training_of(
        DEEP.format(phi="tanh"), ("f(x)", "f(y)"), (1, -1), maximal(S.Half), 3, ("f.h(y)", "f(2*x)"),
        batches=((0,), (1, 0)),
    )
    done: list[tuple[int, int]] = []
    found = curves(training, seen, widths=(16, 8), seeds=[4, 7], values={},
                   progress=lambda *work: done.append(work))
    assert (found.widths, found.steps, found.complete) == ((8, 16), 3, True)
    for i, seed in enumerate((4, 7)):
        trace = train(training, n=16, seed=seed, values={}, observed=seen)
        np.testing.assert_array_equal(found.output(1, 16).runs[i], trace.outputs[:, 1])
        np.testing.assert_array_equal(found.loss(16).runs[i], trace.losses)
        assert found.loss(16).runs[i] == pytest.approx(np.mean((trace.outputs - [1, -1]) ** 2, axis=1) / 2)
        squares = [trace.size("f.h(y)", t) ** 2 for t in range(4)]
        assert found.find("second moment", "f.h(y)", 16).runs[i] == pytest.approx(squares)
        np.testing.assert_array_equal(found.find("scalar", "f(2*x)", 16).runs[i], trace.values["f(2*x)"])
    runs = found.loss(8).runs
    assert found.loss(8).mean == pytest.approx(runs.mean(axis=0))
    assert found.loss(8).standard_error == pytest.approx(np.abs(runs[0] - runs[1]) / 2)
    assert done[-1] == (2560, 2560)
    assert [b[0] - a[0] for a, b in pairwise(done)] == [64] * 7 + [256] * 8
    with pytest.raises(KeyError):
        found.loss(32)


def test_what_is_done_before_an_interrupt_is_kept() -> None:
    training, _ = training_of(SHALLOW.format(phi="tanh"), ("f(x)",), (1,), maximal(1), 1)

    def stop_at(work: int) -> Any:
        def progress(done: int, _: int) -> None:
            if done >= work:
                raise KeyboardInterrupt
        return progress

    found = curves(training, widths=(2, 4), seeds=3, values={}, progress=stop_at(2 * 3 * 4 + 5 * 16))
    assert (found.complete, found.widths) == (False, (2, 4))
    assert [found.loss(n).runs.shape for n in (2, 4)] == [(3, 2), (2, 2)]
    with pytest.raises(KeyboardInterrupt):
        curves(training, widths=(2, 4), seeds=3, values={}, progress=stop_at(3 * 4))


SP = """width n
dim d = 4
param eta: positive
input x, y: (d)
weight u: (n, d) ~ N(0, 1/d)
weight w: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n)
def f(z):
    return v @ tanh(w @ tanh(u @ z))
"""
HALF = Fraction(1, 2)
MAXIMAL = {"u": Rescaled(HALF, Fraction(0)), "w": Rescaled(Fraction(0), Fraction(0)), "v": Rescaled(-HALF, -HALF)}


def test_the_best_learning_rate_stays_where_updates_are_maximal() -> None:
    """Standard parametrisation: the best rate falls with the width; rescaled to maximal update it does not move."""
    eta = Symbol("eta", positive=True)
    training, _ = training_of(SP, ("f(x)", "f(y)"), (1, -1), Optimizer("sgd", rate=eta), 8)
    rates = [2.0**k for k in range(-9, 5)]
    more: dict[str, Any] = {"widths": (32, 256), "rates": rates, "seeds": 6, "values": {eta: 1.0}}
    best = {n: transfer(training, **more).best(n) for n in (32, 256)}
    assert None not in best.values()
    assert best[256] <= best[32] / 4  # type: ignore[operator]
    found = transfer(training, rescaled=MAXIMAL, **more)
    ratio = found.best(256) / found.best(32)  # type: ignore[operator]
    assert ratio in (0.5, 1, 2)


def test_transfer_is_training_with_other_rates() -> None:
    eta = Symbol("eta", positive=True)
    optimizer = Optimizer("sgd", rate=eta, rates={"v": eta / 3}, decay=Rational(1, 4))
    training, _ = training_of(SP, ("f(x)", "f(y)"), (1, -1), optimizer, 5)
    found = transfer(training, widths=(8, 16), rates=(0.5, 1e6), seeds=[3, 4], values={eta: 0.5})
    faster = replace(optimizer, rate=optimizer.rate / 2, rates={"v": optimizer.rates["v"] / 2})
    for k, seed in enumerate((3, 4)):
        trace = train(replace(training, optimizer=faster), n=16, seed=seed, values={eta: 0.5})
        assert found.losses[1, 0, k] == pytest.approx(trace.losses[-1])
    assert np.all(np.isfinite(found.mean[:, 0]))
    assert found.best(8) == 0.5
    assert found.mean.shape == found.standard_error.shape == (2, 2)


def test_runs_that_diverge_are_infinite() -> None:
    text = "width n\n" + POINT + "weight u: (n, 3) ~ N(0, 1)\ndef f(z):\n    return mean((u @ z)^4)\n"
    training, _ = training_of(text, ("f(x)",), (1,), Optimizer("sgd", rate=N), 12)
    done: list[tuple[int, int]] = []
    found = transfer(training, widths=(4,), rates=(1e-3, 1e3), seeds=2, values={},
                     progress=lambda *work: done.append(work))
    assert np.isfinite(found.mean[0, 0])
    assert found.mean[0, 1] == np.inf
    assert found.best(4) == 1e-3
    assert done[-1] == (2 * 2 * 13 * 16, 2 * 2 * 13 * 16)
    assert transfer(training, widths=(4,), rates=(1e3,), seeds=2, values={}).best(4) is None


def test_mistakes_are_explained() -> None:
    training, _ = training_of(SHALLOW.format(phi="tanh"), ("f(x)",), (1,), maximal(1), 1)
    for function, more, what in [
        (curves, {"widths": (), "seeds": 2}, "no width"),
        (curves, {"widths": (0, 4), "seeds": 2}, "no width"),
        (curves, {"widths": (4,), "seeds": [1, 1]}, "one seed"),
        (transfer, {"widths": (4,), "seeds": 2, "rates": ()}, "no learning rates"),
        (transfer, {"widths": (4,), "seeds": 2, "rates": (1.0, -1.0)}, "no learning rates"),
        (transfer, {"widths": (4,), "seeds": 1, "rates": (1.0,)}, "one seed"),
    ]:
        with pytest.raises(TpError, match=what):
            function(training, values={}, **more)  # type: ignore[operator]


# --- wide matrices ---------------------------------------------------------------------------------

RECTANGLES = "width n\nwidth m = 2*n\n" + POINT + """weight u: (m, 3) ~ N(0, 1)
weight w: (n, m) ~ N(0, 1/m)
weight v: (1, n) ~ N(0, 1)
def f(z):
    return v @ tanh(w @ tanh(w.T @ tanh(w @ (u @ z)))) / n
"""


@pytest.mark.parametrize("momentum", [S.Zero, Rational(1, 2)])
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_wide_matrices_train_like_narrow_ones(
    monkeypatch: pytest.MonkeyPatch, momentum: Any, parametrization: str
) -> None:
    """As sums of a few columns, before and after there are too many: 6 each step, 12 kept of a 48 × 96 matrix."""
    text = RECTANGLES.replace("width n\n", f"width n\nparametrization {parametrization}\n", 1)
    decays = {"w": Rational(1, 9)}
    optimizer = replace(maximal(Rational(1, 3)), momentum=momentum, decay=Rational(1, 100), decays=decays)
    training, seen = training_of(text, ("f(x)", "f(y)"), (1, -1), optimizer, 7, ("u @ x",))
    ready = prepare_training(training, n=48, values={}, observed=seen)
    narrow = run_training(ready, seed=0)
    monkeypatch.setattr(importlib.import_module("tpsym.simulate.train_low_rank"), "WIDE", 8)
    wide = run_training(ready, seed=0)
    np.testing.assert_allclose(wide.outputs, narrow.outputs, rtol=1e-9)
    np.testing.assert_allclose(wide.values["u @ x"], narrow.values["u @ x"], rtol=1e-9)
    assert not np.array_equal(wide.outputs, narrow.outputs)
    assert np.abs(np.diff(narrow.outputs, axis=0)).min() > 1e-4
