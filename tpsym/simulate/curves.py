r"""Learning curves at finite widths, and how the loss depends on learning rate and width.

A vector is looked at through its second moment, :math:`\frac1n\sum_\alpha x_\alpha^2`. Everything is kept by seed:
runs of one seed at one width begin with the same arrays, whatever their learning rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sympy import Symbol

from tpsym.errors import fail
from tpsym.simulate.payload import Array
from tpsym.simulate.progress import Progress
from tpsym.simulate.train_arrays import Functions
from tpsym.simulate.training import (
    NO_DATA,
    NO_FUNCTIONS,
    Observed,
    Snapshot,
    TrainingPlan,
    prepare_training,
    snapshots,
)
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import Training

Kind = Literal["loss", "output", "scalar", "second moment"]
"""The mean loss over all examples, the output at one, an observed number, or the second moment of a vector."""
Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity at width ``n``: ``runs`` by seed and step, step 0 being initialisation. The label of an output is
    the position of its example."""

    kind: Kind
    label: str
    n: int
    runs: Array

    @property
    def mean(self) -> Array:
        """The mean over seeds by step."""
        return _mean(self.runs)

    @property
    def standard_error(self) -> Array:
        """That of the mean; NaN where a run is not finite."""
        return _standard_error(self.runs)


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of all quantities at every width; after an interrupt some widths and seeds may be missing, and they
    are not ``complete``."""

    curves: tuple[Curve, ...]
    widths: tuple[int, ...]
    steps: int
    complete: bool

    def find(self, kind: Kind, label: str, n: int) -> Curve:
        """One curve; raises :class:`KeyError`."""
        for curve in self.curves:
            if (curve.kind, curve.label, curve.n) == (kind, label, n):
                return curve
        raise KeyError((kind, label, n))

    def loss(self, n: int) -> Curve:
        """The loss at a width."""
        return self.find("loss", "", n)

    def output(self, example: int, n: int) -> Curve:
        """The output at a training example."""
        return self.find("output", str(example), n)


def curves(
    training: Training,
    observed: Observed = (),
    *,
    widths: Sequence[int],
    seeds: int | Sequence[int],
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
    progress: Progress | None = None,
) -> Curves:
    """Train at every width with every seed (how many, or which ones), widths from small to large.

    ``progress`` is called after every step with (work done, all work), a step at width n counting n². An interrupt
    (``KeyboardInterrupt``) ends the runs and returns those that are finished; before two are at some width, it is
    passed on. Raises as :func:`~tpsym.simulate.training.train`, or ``bad-option``.
    """
    sizes, numbers = _sizes(widths), _seeds(seeds)
    report = _Work(sum(n**2 for n in sizes) * len(numbers) * (training.steps + 1), progress)
    runs: dict[int, list[dict[Key, list[float]]]] = {}
    complete = True
    try:
        for n in sizes:
            ready = prepare_training(training, n=n, values=values, observed=observed, functions=functions, data=data,
                                     rescaled=rescaled)
            runs[n] = []
            for seed in numbers:
                runs[n].append(_run(ready, seed, report))
    except KeyboardInterrupt:
        complete = False
    kept = {n: found for n, found in runs.items() if len(found) >= 2}
    if not kept:
        raise KeyboardInterrupt
    made = tuple(
        Curve(kind, label, n, np.array([run[kind, label] for run in found]))
        for n, found in kept.items() for kind, label in found[0]
    )
    return Curves(made, tuple(kept), training.steps, complete)


@dataclass(frozen=True, slots=True)
class Transfer:
    """``losses`` by width, factor of the learning rates and seed; ∞ for runs that diverged: the loss was no number, or
    none that fits, after some step."""

    widths: tuple[int, ...]
    rates: tuple[float, ...]
    losses: Array

    @property
    def mean(self) -> Array:
        """The mean loss by width and factor, ∞ if any run diverged."""
        return _mean(self.losses)

    @property
    def standard_error(self) -> Array:
        """That of the mean; NaN where a run diverged."""
        return _standard_error(self.losses)

    def best(self, n: int) -> float | None:
        """The factor with the least mean loss at a width; ``None`` if every one diverged at some seed."""
        row = self.mean[self.widths.index(n)]
        return self.rates[int(np.argmin(row))] if np.any(np.isfinite(row)) else None


def transfer(
    training: Training,
    *,
    widths: Sequence[int],
    rates: Sequence[float],
    seeds: int | Sequence[int],
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
    progress: Progress | None = None,
) -> Transfer:
    """The loss after all steps with all learning rates multiplied by each of ``rates``, at every width.

    Decay is multiplied too, where it is a rate times λ. ``rescaled`` gives another parametrisation than declared.
    ``progress`` and what is raised are as for :func:`curves`; an interrupt is passed on.
    """
    sizes, numbers, factors = _sizes(widths), _seeds(seeds), tuple(float(r) for r in rates)
    if not factors or not all(np.isfinite(r) and r > 0 for r in factors):
        raise fail("bad-option", "no learning rates to compare", expected="positive factors")
    report = _Work(sum(n**2 for n in sizes) * len(factors) * len(numbers) * (training.steps + 1), progress)
    losses = np.empty((len(sizes), len(factors), len(numbers)))
    for i, n in enumerate(sizes):
        ready = prepare_training(training, n=n, values=values, functions=functions, data=data, rescaled=rescaled)
        for j, factor in enumerate(factors):
            faster = _times(ready, factor)
            for k, seed in enumerate(numbers):
                losses[i, j, k] = _last_loss(faster, seed, report)
    return Transfer(sizes, factors, losses)


@dataclass(slots=True)
class _Work:
    """How much of all the work is done."""

    total: int
    progress: Progress | None
    done: int = 0

    def add(self, part: int) -> None:
        """Report a part as done."""
        self.done += part
        if self.progress is not None:
            self.progress(self.done, self.total)


def _run(ready: TrainingPlan, seed: int, report: _Work) -> dict[Key, list[float]]:
    """All quantities of a run by step."""
    found: dict[Key, list[float]] = {}
    for snapshot in snapshots(ready, seed=seed):
        for key, value in _measured(ready, snapshot):
            found.setdefault(key, []).append(value)
        report.add(ready.plan.n**2)
    return found


def _last_loss(ready: TrainingPlan, seed: int, report: _Work) -> float:
    """The loss after all steps; training that has diverged is not continued."""
    left, loss = ready.training.steps + 1, np.inf
    for snapshot in snapshots(ready, seed=seed):
        loss = snapshot.loss
        if not np.isfinite(loss):
            report.add(left * ready.plan.n**2)
            return np.inf
        left -= 1
        report.add(ready.plan.n**2)
    return loss


def _measured(ready: TrainingPlan, snapshot: Snapshot) -> Iterator[tuple[Key, float]]:
    yield ("loss", ""), snapshot.loss
    for i, value in enumerate(snapshot.outputs):
        yield ("output", str(i)), float(value)
    for label, quantity in ready.observed:
        found = snapshot.values[label]
        with np.errstate(all="ignore"):
            if quantity.dimension is None:
                yield ("scalar", label), float(found)
            else:
                yield ("second moment", label), float(np.mean(found**2))


def _times(ready: TrainingPlan, factor: float) -> TrainingPlan:
    """The same training with faster steps."""
    arrays = tuple((array, replace(numbers, rate=factor * numbers.rate)) for array, numbers in ready.arrays)
    return replace(ready, arrays=arrays)


def _sizes(widths: Sequence[int]) -> tuple[int, ...]:
    found = tuple(sorted(set(widths)))
    if not found or found[0] < 1:
        raise fail("bad-option", "no width to train at", expected="widths of at least 1")
    return found


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    found = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if len(found) < 2:
        raise fail("bad-option", "one seed gives no error estimate", expected="at least two different seeds")
    return found


def _mean(runs: Array) -> Array:
    with np.errstate(all="ignore"):
        found: Array = np.mean(runs, axis=0 if runs.ndim == 2 else -1)
    return found


def _standard_error(runs: Array) -> Array:
    axis = 0 if runs.ndim == 2 else -1
    with np.errstate(all="ignore"):
        found: Array = np.std(runs, axis=axis, ddof=1) / np.sqrt(runs.shape[axis])
    return found
