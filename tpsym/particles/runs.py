"""The infinite-width limit of training from independent replicates, with errors, progress and checkpoints."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from sympy import Symbol

from tpsym.errors import fail
from tpsym.particles.checkpoint import fingerprint, load, save
from tpsym.particles.curves import ParticleCurves, curve
from tpsym.particles.entrywise_powers import check_signals
from tpsym.particles.gaussian import seeds
from tpsym.particles.interpret import NO_FUNCTIONS, Seed, check_particles
from tpsym.particles.plan import Functions
from tpsym.particles.replicate import Record, Replicate
from tpsym.particles.training import NO_DATA, Observed, Plan, prepare
from tpsym.simulate.payload import Array
from tpsym.simulate.progress import Progress
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import OUTPUT, TARGET, Training

PARTICLES = 2**12
REPLICATES = 8
SAVED_EVERY = 20.0
"""Seconds between checkpoints."""


def particle_limit(
    training: Training,
    observed: Observed = (),
    *,
    values: Mapping[Symbol, float],
    data: Mapping[str, Sequence[float]] = NO_DATA,
    functions: Functions = NO_FUNCTIONS,
    rescaled: Parametrization = AS_DECLARED,
    particles: int = PARTICLES,
    replicates: int = REPLICATES,
    seed: Seed = 0,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> ParticleCurves:
    """The infinite-width limit of training by sampling.

    ``observed`` are labels with expressions over nodes of the program: numbers, or vectors, of which the mean of
    squares is given. Means and standard errors are over ``replicates`` independent runs of ``particles`` samples
    each; as many runs of half the size show how large the bias is. With a ``checkpoint`` a run that was interrupted
    goes on where it stopped; one that has finished removes the file. When it is interrupted from the keyboard, the
    steps that were seen come back, ``complete`` is false and the checkpoint is written.

    Raises:
        TpError: ``no-particle-limit`` for what grows with the width or stays random; ``no-value``, ``bad-data``,
            ``bad-option``, ``not-numeric``, ``not-available``, ``not-finite``, ``too-few-particles``,
            ``bad-checkpoint``.
    """
    check_particles(particles)
    check_particles(particles // 2)
    if replicates < 2:
        raise fail("bad-option", f"{replicates} replicates have no standard error", expected="2 or more")
    plan = prepare(training, observed, values=values, data=data, functions=functions, rescaled=rescaled)
    runs = Runs(plan, particles, replicates, (seed,) if isinstance(seed, int) else tuple(seed), progress, checkpoint)
    complete = runs.go()
    return runs.curves(complete)


@contextmanager
def whole_steps() -> Iterator[Callable[[], bool]]:
    """Keep an interruption from the keyboard until a step is done; what is given says whether there was one."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(slots=True)
class Runs:
    """All replicates of a task, one after the other: ``replicates`` of full size, then as many of half the size."""

    plan: Plan
    particles: int
    replicates: int
    seed: tuple[int, ...]
    progress: Progress | None = None
    checkpoint: Path | None = None
    done: list[list[Record]] = field(default_factory=list)
    begun: list[Record] = field(default_factory=list)
    current: Replicate | None = None

    def go(self) -> bool:
        """Run what has not been run; whether all of it has.

        Raises:
            KeyboardInterrupt: before there are two replicates to take a mean of.
        """
        mark = fingerprint(self.plan, particles=self.particles, replicates=self.replicates, seed=self.seed)
        saved = load(self.checkpoint, mark) if self.checkpoint is not None else None
        if saved is not None:
            self._restore(saved)
        last = time.monotonic()
        try:
            with whole_steps() as stopped:
                while len(self.done) < 2 * self.replicates:
                    self._advance()
                    if stopped():
                        raise KeyboardInterrupt
                    if self.checkpoint is not None and time.monotonic() - last > SAVED_EVERY:
                        save(self.checkpoint, mark, self._state())
                        last = time.monotonic()
        except KeyboardInterrupt:
            if self.checkpoint is not None:
                save(self.checkpoint, mark, self._state())
            if len(self.done) < 2:
                raise
            return False
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)
        return True

    def _replicate(self, number: int) -> Replicate:
        half = number >= self.replicates
        size = self.particles // 2 if half else self.particles
        return Replicate.begin(self.plan, particles=size, seed=seeds(self.seed, number))

    def _advance(self) -> None:
        """See a step, and make the next one."""
        each = self.plan.training.steps + 1
        current = self.current or self._replicate(len(self.done))
        live = current.pass_through()
        record = current.record(live)
        if current.step < each - 1:
            current.update(live, record.outputs)
        self.current, self.begun = current, [*self.begun, record]
        if len(self.begun) == each:
            self.done.append(self.begun)
            self.current, self.begun = None, []
        if self.progress is not None:
            self.progress(len(self.done) * each + len(self.begun), 2 * self.replicates * each)

    def _state(self) -> dict[str, Array]:
        runs = [*self.done, self.begun]
        records = [r for run in runs for r in run]
        found = {
            "lengths": np.array([len(run) for run in runs]),
            "outputs": np.array([r.outputs for r in records]),
            "losses": np.array([r.loss for r in records]),
            "values": np.array([r.values for r in records]).reshape(len(records), len(self.plan.observed)),
        }
        if self.current is not None:
            found |= {f"run/{k}": v for k, v in self.current.state().items()}
        return found

    def _restore(self, saved: Mapping[str, Array]) -> None:
        """Take over a checkpoint."""
        rows = zip(saved["outputs"], saved["losses"], saved["values"], strict=True)
        records = [Record(outputs, float(loss), tuple(map(float, v))) for outputs, loss, v in rows]
        starts = np.concatenate([[0], np.cumsum(saved["lengths"])])
        runs = [records[a:b] for a, b in pairwise(starts)]
        self.done, self.begun = runs[:-1], runs[-1]
        if self.begun:
            self.current = self._replicate(len(self.done))
            self.current.restore({k[4:]: v for k, v in saved.items() if k.startswith("run/")})

    def _signals(self, outputs: Array) -> Array:
        """The error signals at outputs by example."""
        plan = self.plan
        given: dict[str, Array | float] = dict(plan.ready.setting.parameters)
        given |= {OUTPUT.name: outputs, TARGET.name: plan.targets}
        return np.array(np.broadcast_to(plan.signal(given), outputs.shape))

    def curves(self, complete: bool) -> ParticleCurves:
        """Means over the replicates that were finished."""
        full, half = self.done[: self.replicates], self.done[self.replicates :]

        def of(read: Callable[[Record], Array | float]) -> tuple[list[Array], list[Array]]:
            found = [[np.array([read(r) for r in run]) for run in runs] for runs in (full, half)]
            return found[0], found[1]

        labels = [label for label, _, _ in self.plan.observed]
        values = {label: curve(*of(lambda r, i=i: r.values[i])) for i, label in enumerate(labels)}  # type: ignore[misc]
        outputs = curve(*of(lambda r: r.outputs))
        if self.plan.training.optimizer.rule != "sgd":
            check_signals(self.plan.training, self._signals, outputs.mean, outputs.error)
        return ParticleCurves(
            outputs, curve(*of(lambda r: r.loss)), values, self.particles, len(full), complete,
        )
