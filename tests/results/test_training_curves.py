"""Training from Python: which limit is chosen, the same data everywhere, rates over widths, interruptions, mistakes."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import tpsym
from tpsym.errors import NOWHERE, TpError
from tpsym.results import training_curves, training_limits
from tpsym.results.parametrized import in_parametrization
from tpsym.results.training_curves import TrainingCurves, TrainingStudy, check_memory
from tpsym.simulate.curves import transfer
from tpsym.simulate.progress import Progress

HEAD = "width n\ndim d = 3\nparam eta = 1/5\nparam t: real = 1\ninput x, xi: (d)\nassume dot(x, x) == 1\n"
SHALLOW = HEAD + """weight U: (n, d) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = U @ z
    return v @ h / n
train F = f with sgd(lr = eta*n), loss = mse, data = [(x, t)], steps = 3
"""
DEEP = HEAD + """weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, VARIANCE)
def f(z):
    h[1] = U @ z
    h[2] = W @ tanh(h[1])
    return v @ tanh(h[2])
train F = f with sgd(lr = RATE), loss = mse, data = [(x, t)], steps = 2
"""
LEARNS = DEEP.replace("VARIANCE", "1/n^2").replace("RATE", "{U: n/5, W: 1/5, v: 1/(5*n)}")
KERNEL = DEEP.replace("VARIANCE", "1/n").replace("RATE", "1/(2*n)")
QUICK: dict[str, Any] = {"widths": (16, 32), "seeds": 3, "particles": 64, "replicates": 2}


def study(text: str, **settings: Any) -> TrainingStudy:
    return tpsym.parse(text, settings=settings).training()


def test_a_linear_network_by_quadrature() -> None:
    """f₁ = 2p, f₂ = 2(1 + pq)(p + q) with p = ηt, q = η(t − 2p) at |x| = 1; E h² = 1 + p² after a step."""
    found = study(SHALLOW).curves(**QUICK)
    assert found.regime == "feature learning"
    assert found.limit is not None
    assert found.limit.method == "quadrature"
    p = 1 / 5
    q = p * (1 - 2 * p)
    np.testing.assert_allclose(found.limit.series["output", "x"].mean[:3], [0, 2 * p, 2 * (1 + p * q) * (p + q)],
                               atol=1e-12)
    np.testing.assert_allclose(found.limit.series["feature", "h"].mean[:2], [1, 1 + p**2])
    np.testing.assert_allclose(found.limit.series["loss", ""].mean[1], (1 - 2 * p) ** 2 / 2)
    assert found.kernel is not None
    # the initial kernel is 2: f contracts to 1 by 1 − 2η
    np.testing.assert_allclose(found.kernel.series["output", "x"].mean, 1 - (1 - 2 * p) ** np.arange(4), atol=1e-12)
    np.testing.assert_allclose(found.kernel.series["feature", "h"].mean, 1)


def test_all_ways_see_the_same_data() -> None:
    """Lengths that are assumed are those of the numbers, and the output at the other input is the limit's."""
    found = study(SHALLOW).setup()
    assert np.linalg.norm(found.data["x"]) == pytest.approx(1)
    assert found.drawn == ("x", "xi")
    product = float(np.dot(found.data["x"], found.data["xi"]))
    assert float(found.overrides["dot(x, xi)"]) == pytest.approx(product)
    curves = study(SHALLOW).curves(**(QUICK | {"widths": (1024,), "seeds": 6}))
    assert curves.limit is not None
    assert curves.kernel is not None
    limit = curves.limit.series["output", "xi"].mean
    assert limit[1] == pytest.approx(2 * product / 5)
    assert curves.kernel.series["output", "xi"].mean[1] == pytest.approx(limit[1])
    measured = curves.widths[1024]["output", "xi"]
    assert np.all(np.abs(measured.mean - limit) < 5 * measured.error)


def test_inner_products_that_are_given() -> None:
    found = study(SHALLOW, **{"dot(x, xi)": "1/2", "dot(xi, xi)": "2"}).setup()
    assert np.dot(found.data["x"], found.data["xi"]) == pytest.approx(0.5)
    assert np.dot(found.data["xi"], found.data["xi"]) == pytest.approx(2)
    assert found.drawn == ()


def test_features_are_learned_by_particles() -> None:
    found = study(LEARNS).curves(**(QUICK | {"particles": 1024, "replicates": 4, "widths": (512,), "seeds": 8}))
    assert (found.regime, found.complete, found.reasons) == ("feature learning", True, ())
    assert found.limit is not None
    assert found.limit.method == "particles"
    assert found.quantities == (("loss", ""), ("output", "x"), ("output", "xi"), ("feature", "h[1]"),
                                ("feature", "h[2]"))
    for key in found.quantities:
        limit, measured = found.limit.series[key], found.widths[512][key]
        assert np.all(np.abs(limit.mean - measured.mean) < 5 * np.hypot(limit.error, measured.error) + 0.02), key


def test_the_kernel_regime_has_a_law() -> None:
    found = study(KERNEL).curves(**(QUICK | {"widths": (256,), "seeds": 12}))
    assert (found.regime, found.kernel) == ("kernel", None)
    assert found.limit is not None
    assert found.limit.method == "kernel"
    deviation = found.limit.series["output", "x"].deviation
    assert deviation is not None
    assert np.all(np.diff(deviation) < 0)
    runs = found.widths[256]["output", "x"].error * np.sqrt(12)
    assert np.all(np.abs(runs / deviation - 1) < 0.7)
    assert found.limit.series["feature", "h[1]"].mean == pytest.approx(np.ones(3))


def test_what_has_no_limit_is_trained_all_the_same() -> None:
    found = study(DEEP.replace("VARIANCE", "1/n").replace("RATE", "{U: 1, W: 1/n, v: 1}")).curves(**QUICK)
    assert found.limit is None
    assert found.reasons
    assert set(found.widths) == {16, 32}


def test_parametrization_mup_is_maximal_update() -> None:
    """In a file with ``parametrization mup`` the rates are times those of the table."""
    plain = study(LEARNS).curves(**QUICK)
    text = "parametrization mup\n" + DEEP.replace("VARIANCE", "1/n").replace("RATE", "1/5")
    other = study(text).curves(**QUICK)
    assert other.regime == "feature learning"
    for n in (16, 32):
        np.testing.assert_allclose(other.widths[n]["loss", ""].mean, plain.widths[n]["loss", ""].mean)
    assert plain.limit is not None
    assert other.limit is not None
    np.testing.assert_allclose(other.limit.series["loss", ""].mean, plain.limit.series["loss", ""].mean)


# --- learning rates ----------------------------------------------------------------------------------


def test_maximal_update_is_what_the_file_declares() -> None:
    found = study(LEARNS).setup()
    training, rescaled = in_parametrization(found.training, "mup", 64, NOWHERE)
    ours, theirs = (
        transfer(t, widths=(16, 64), rates=(1, 2), seeds=2, values={}, data=found.data, rescaled=r).losses
        for t, r in ((training, rescaled), (found.training, {}))
    )
    np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("text", [
    LEARNS, KERNEL, SHALLOW,
    LEARNS.replace("sgd(lr = {U: n/5, W: 1/5, v: 1/(5*n)})", "sgd(lr = 1/5, weight_decay = 1/10)"),
])
def test_rates_agree_at_the_base_width(text: str) -> None:
    """From one first layer, a readout that is zero moves the output by as much in both at the base width."""
    found = study(text).setup()
    moves = {}
    for name in ("mup", "standard", "ntk"):
        training, rescaled = in_parametrization(found.training, name, 64, NOWHERE)
        for n in (64, 256):
            move = training.optimizer.rate_of("v") * sp.Integer(n) ** (2 * sp.Rational(rescaled["v"].multiplier))
            moves[name, n] = move.subs(training.context.n, n)
    assert moves["mup", 64] == moves["standard", 64] == moves["ntk", 64]
    assert moves["standard", 256] / moves["mup", 256] == 4


def test_only_maximal_update_keeps_the_best_rate() -> None:
    found = study(LEARNS.replace("steps = 2", "steps = 6")).transfer(
        widths=(16, 256), rates=tuple(2.0**k for k in range(-5, 4)), seeds=4)
    assert set(found.panels) == {"mup", "standard"}
    # in standard parametrisation wide networks diverge at rates that narrow ones bear
    def diverges(name: Any, n: int) -> float:
        panel = found.panels[name]
        row = panel.mean[panel.widths.index(n)]
        return next((r for r, m in zip(panel.rates, row, strict=True) if not m < 10), 99.0)

    assert diverges("standard", 256) <= diverges("standard", 16) / 4
    assert diverges("mup", 256) >= diverges("mup", 16) / 2


# --- interruptions -----------------------------------------------------------------------------------


def test_an_interrupt_in_the_limit_keeps_replicates(tmp_path: Path) -> None:
    calls = []

    def press(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)

    def bar(_: str) -> AbstractContextManager[Progress | None]:
        return nullcontext(press)

    checkpoint = tmp_path / "run.npz"
    found = study(LEARNS).curves(**QUICK, checkpoint=checkpoint, bar=bar)
    assert (found.complete, found.widths) == (False, {})
    assert found.limit is not None
    assert not found.limit.complete
    assert checkpoint.exists()
    whole = study(LEARNS).curves(**QUICK, checkpoint=checkpoint)
    again = study(LEARNS).curves(**QUICK)
    assert whole.complete
    assert whole.limit is not None
    assert again.limit is not None
    np.testing.assert_allclose(whole.limit.series["loss", ""].mean, again.limit.series["loss", ""].mean)
    assert not checkpoint.exists()


def test_an_interrupt_before_anything_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_limits, "particle_limit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study(LEARNS).curves(**QUICK)


def test_an_interrupt_at_finite_width_keeps_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_curves, "curves", interrupted)
    found = study(SHALLOW).curves(**QUICK)
    assert (found.complete, found.widths) == (False, {})
    assert found.limit is not None


# --- options and mistakes ----------------------------------------------------------------------------


def test_steps_and_features_as_asked() -> None:
    found = tpsym.parse(LEARNS).training("F", steps=1, features=["tanh(h[1])", "h[2]"]).curves(**QUICK)
    assert found.steps == 1
    assert [label for kind, label in found.quantities if kind == "feature"] == ["tanh(h[1])", "h[2]"]
    assert len(found.widths[16]["feature", "tanh(h[1])"].mean) == 2


def test_laws_and_samples_alone() -> None:
    found = study(KERNEL)
    assert found.kernel().arrays == ("W", "v")
    assert found.kernel().law(0, found.point(found.curves(**QUICK).quantities[1][1])).mean == 0
    with pytest.raises(TpError, match="no input called"):
        found.point("nobody")
    with pytest.raises(TpError, match="learns features"):
        study(LEARNS).kernel()
    sampled = study(LEARNS).particles(particles=64, replicates=2)
    assert len(sampled.series["loss", ""].mean) == 3
    with pytest.raises(TpError, match="random"):
        study(KERNEL.replace("1/n)\ndef", "1)\ndef")).particles(particles=64, replicates=2)


@pytest.mark.parametrize(("text", "name", "words"), [
    (SHALLOW.split("train")[0], None, "trains no network"),
    (SHALLOW, "G", "no training called G"),
    (SHALLOW + SHALLOW.splitlines()[-1].replace("F =", "G =") + "\n", None, "--name F"),
    (SHALLOW.replace("eta = 1/5", "eta: positive"), None, "--set eta=1"),
    (SHALLOW.replace("t: real = 1", "t: real"), None, "--set t=1"),
    (SHALLOW.replace("== 1", "== s").replace("param t", "param s: positive\nparam t"), None, "--set s=1"),
    ("fn phi\n".join(SHALLOW.split("weight U")[:1]) + "fn phi\nweight U" + SHALLOW.split("weight U")[1].replace(
        "v @ h", "v @ phi(h)"), None, "phi is unknown"),
])
def test_mistakes(text: str, name: str | None, words: str) -> None:
    with pytest.raises(TpError) as found:
        tpsym.parse(text).training(name).curves(**QUICK)
    assert words in str(found.value)


def test_widths_that_do_not_fit() -> None:
    with pytest.raises(TpError, match="GiB"):
        check_memory(study(LEARNS).setup(), (64, 10**6))


def test_a_plain_result_is_not_drawn() -> None:
    curves = TrainingCurves("F", "f", "unstable", 1, (("loss", ""),), None, None, (), {}, 2, (), True)
    with pytest.raises(TpError, match="nothing draws"):
        curves.plot()
