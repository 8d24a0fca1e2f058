"""Interruptions, checkpoints, progress and errors of runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import tpsym
from tpsym.errors import TpError
from tpsym.particles import replicate, runs
from tpsym.particles.curves import ParticleCurves
from tpsym.particles.runs import particle_limit
from tpsym.program.evaluate import evaluate
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import MSE, Training

TEXT = """width n
dim d = 2
input x: (2) = [1, 1/2]
weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n^2)
def f(z):
    return v @ tanh(W @ tanh(U @ z))
"""
SETTINGS: dict[str, Any] = {"values": {}, "particles": 64, "replicates": 2, "seed": 3}


def training(steps: int, *, rate: int = 1) -> Training:
    context = tpsym.parse(TEXT).model.context
    limit, context.limit = context.limit, None
    output: Any = evaluate(context, parse_expression("f(x)"), context.scope)
    context.limit = limit
    n = context.n
    optimizer = Optimizer(
        "sgd", rate=rate * n, rates={"W": sp.Integer(rate), "v": rate / n}, momentum=sp.Rational(1, 2)
    )
    return Training(context, (output.expr,), (sp.S.One,), MSE, optimizer, steps)


class Stop:
    """A progress callback that interrupts after some steps, and counts."""

    def __init__(self, after: int) -> None:
        self.after, self.seen = after, []  # type: tuple[int, list[tuple[int, int]]]

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if done == self.after:
            raise KeyboardInterrupt


def same(a: ParticleCurves, b: ParticleCurves) -> bool:
    return all(
        np.array_equal(getattr(getattr(a, part), kind), getattr(getattr(b, part), kind))
        for part in ("outputs", "losses") for kind in ("mean", "stderr", "bias")
    )


@pytest.mark.parametrize("after", [2, 9, 10, 13, 18])
def test_an_interrupted_run_goes_on_where_it_stopped(after: int, tmp_path: Path) -> None:
    """It ends in the same numbers to the last bit, whatever replicate it stopped in."""
    file = tmp_path / "run.npz"
    whole = particle_limit(training(4), **SETTINGS)
    stop = Stop(after)
    if after < 10:
        with pytest.raises(KeyboardInterrupt):
            particle_limit(training(4), **SETTINGS, checkpoint=file, progress=stop)
    else:
        part = particle_limit(training(4), **SETTINGS, checkpoint=file, progress=stop)
        assert not part.complete
        np.testing.assert_array_equal(part.outputs.mean, whole.outputs.mean)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    again = Stop(-1)
    resumed = particle_limit(training(4), **SETTINGS, checkpoint=file, progress=again)
    assert resumed.complete
    assert again.seen[0] == (after + 1, 20)
    assert again.seen[-1] == (20, 20)
    assert same(resumed, whole)
    assert not file.exists()


def test_an_interruption_waits_for_the_end_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed in the middle of an update, it leaves nothing half done."""
    file = tmp_path / "run.npz"
    whole = particle_limit(training(4), **SETTINGS)
    update = replicate.Replicate.update

    def pressed(self: replicate.Replicate, *given: Any) -> None:
        if self.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        update(self, *given)

    monkeypatch.setattr(replicate.Replicate, "update", pressed)
    with pytest.raises(KeyboardInterrupt):
        particle_limit(training(4), **SETTINGS, checkpoint=file)
    monkeypatch.undo()
    assert file.exists()
    assert same(particle_limit(training(4), **SETTINGS, checkpoint=file), whole)


def test_checkpoints_are_written_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.npz"
    monkeypatch.setattr(runs, "SAVED_EVERY", 0.0)
    sizes = []

    def look(done: int, total: int) -> None:
        sizes.append(file.exists())

    particle_limit(training(2), **SETTINGS, checkpoint=file, progress=look)
    assert sizes == [False] + [True] * 11


def test_the_checkpoint_of_another_task_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        particle_limit(training(4), **SETTINGS, checkpoint=file, progress=Stop(3))
    kept = file.read_bytes()
    others: list[tuple[Training, dict[str, int]]] = [
        (training(4, rate=2), {}), (training(5), {}), (training(4), {"particles": 128}), (training(4), {"seed": 4}),
    ]
    for other, more in others:
        with pytest.raises(TpError, match="another training") as found:
            particle_limit(other, **{**SETTINGS, **more}, checkpoint=file)
        assert found.value.diagnostics[0].code == "bad-checkpoint"
    assert file.read_bytes() == kept
    file.write_bytes(kept[:100])
    with pytest.raises(TpError, match="is no checkpoint"):
        particle_limit(training(4), **SETTINGS, checkpoint=file)
    with pytest.raises(TpError, match="cannot be written"):
        particle_limit(training(4), **SETTINGS, checkpoint=tmp_path / "nowhere" / "run.npz", progress=Stop(3))


def test_errors_are_honest_and_fall_with_the_number_of_particles() -> None:
    """The first output is zero: it lies within the errors, which are a hundredth of those of plain sampling."""
    few = particle_limit(training(2), **{**SETTINGS, "replicates": 16, "particles": 256})
    many = particle_limit(training(2), **{**SETTINGS, "replicates": 16, "particles": 2**14})
    for found in (few, many):
        assert abs(found.outputs.mean[0, 0]) < 4 * found.outputs.error[0, 0]
    assert np.all(many.outputs.stderr < few.outputs.stderr / 8)
    assert np.all(np.abs(few.outputs.mean - many.outputs.mean) < 4 * few.outputs.error)
    assert many.steps == 2
    assert few.replicates == 16


@pytest.mark.parametrize(("more", "what"), [
    ({"replicates": 1}, "replicates"), ({"particles": 100}, "power of two"), ({"particles": 16}, "power of two"),
    ({"seed": -1}, "seed"),
])
def test_numbers_of_runs(more: dict[str, int], what: str) -> None:
    with pytest.raises(TpError, match=what):
        particle_limit(training(1), **{**SETTINGS, **more})


def test_training_that_diverges_says_so() -> None:
    text = TEXT.replace("tanh", "")
    context = tpsym.parse(text).model.context
    limit, context.limit = context.limit, None
    output: Any = evaluate(context, parse_expression("f(x)"), context.scope)
    context.limit = limit
    n = context.n
    optimizer = Optimizer("sgd", rate=100 * n, rates={"W": sp.Integer(100), "v": 100 / n})
    wild = Training(context, (output.expr,), (sp.S.One,), MSE, optimizer, 40)
    with pytest.raises(TpError, match="diverges") as found:
        particle_limit(wild, **SETTINGS)
    assert found.value.diagnostics[0].code == "not-finite"
