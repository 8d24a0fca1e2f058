r"""How sizes and movements of coordinates scale with the width: slopes of :math:`\log_2` rms against :math:`\log_2 n`.

A slope estimates an exponent up to a bias of finite widths that no sample shows; its only trace here is ``bend``,
how much the slope over the larger widths differs from that over all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from sympy import Symbol

from tpsym.errors import fail
from tpsym.simulate.payload import Array
from tpsym.simulate.progress import Progress
from tpsym.simulate.train_arrays import Functions
from tpsym.simulate.training import NO_DATA, NO_FUNCTIONS, Observed, Trace, prepare_training, run_training
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import Training

Kind = Literal["size", "change", "move"]
"""The quantity itself, its change since initialisation, or its change in the last step."""
Problem = Literal["", "zero", "rounding", "overflow"]

RESOLVED = 1e-9
"""Smaller changes, relative to the quantity, are taken for rounding errors."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A quantity at a step: ``exponent`` of n with its ``standard_error`` from the seeds; ``sizes`` by width are
    geometric means over seeds.

    There is no exponent, and ``problem`` says why, if at some width and seed the size is zero, a change so
    small that it is a rounding error, or not finite. A quantity that vanishes only by cancellation of its terms
    has the size and slope of their rounding errors.
    """

    label: str
    kind: Kind
    step: int
    exponent: float | None
    standard_error: float
    bend: float
    sizes: tuple[float, ...]
    problem: Problem


@dataclass(frozen=True, slots=True)
class SlopeTable:
    """The slopes of what is observed: by label the sizes at steps 0, 1, …, changes and moves at steps 1, 2, …"""

    slopes: tuple[Slope, ...]
    widths: tuple[int, ...]
    seeds: tuple[int, ...]

    def find(self, label: str, kind: Kind, step: int) -> Slope:
        """The slope of one quantity; raises :class:`KeyError`."""
        for slope in self.slopes:
            if (slope.label, slope.kind, slope.step) == (label, kind, step):
                return slope
        raise KeyError((label, kind, step))


def slopes(
    training: Training,
    observed: Observed,
    *,
    widths: Sequence[int],
    seeds: int | Sequence[int],
    values: Mapping[Symbol, float],
    functions: Functions = NO_FUNCTIONS,
    data: Mapping[str, Sequence[float]] = NO_DATA,
    rescaled: Parametrization = AS_DECLARED,
    progress: Progress | None = None,
) -> SlopeTable:
    """Train at every width with every seed (how many, or which ones) and fit the slopes.

    Runs at different widths are independent. ``progress`` is called with (work done, all work). Raises as
    :func:`~tpsym.simulate.training.train`.
    """
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    sizes = tuple(sorted(set(widths)))
    if len(sizes) < 2 or sizes[0] < 1:
        raise fail("bad-option", "a slope needs at least two different widths", expected="such as 128, 256, 512")
    if len(numbers) < 2:
        raise fail("bad-option", "one seed gives no error estimate", expected="at least two different seeds")
    total, done = sum(n**2 for n in sizes) * len(numbers), 0
    rows: list[list[dict[tuple[str, Kind, int], tuple[float, Problem]]]] = []
    for n in sizes:
        ready = prepare_training(training, n=n, values=values, observed=observed, functions=functions,
                                 data=data, rescaled=rescaled)
        rows.append([])
        for seed in numbers:
            rows[-1].append(dict(measured(run_training(ready, seed=seed))))
            done += n**2
            if progress is not None:
                progress(done, total)
    keys = list(rows[0][0])
    found = tuple(fitted(key, sizes, [[sample[key] for sample in row] for row in rows]) for key in keys)
    return SlopeTable(found, sizes, numbers)


def measured(trace: Trace) -> Iterator[tuple[tuple[str, Kind, int], tuple[float, Problem]]]:
    """All sizes, changes and moves of a run, each with what is wrong with it."""
    for label, steps in trace.values.items():
        sizes = [trace.size(label, t) for t in range(len(steps))]
        for t, size in enumerate(sizes):
            yield (label, "size", t), (size, _problem(size, 0.0))
        for t in islice(range(len(steps)), 1, None):
            change, move = trace.change(label, t), trace.move(label, t)
            yield (label, "change", t), (change, _problem(change, max(sizes[0], sizes[t])))
            yield (label, "move", t), (move, _problem(move, max(sizes[t - 1], sizes[t])))


def _problem(size: float, scale: float) -> Problem:
    if not np.isfinite(size):
        return "overflow"
    if size == 0:
        return "zero"
    return "" if size > RESOLVED * scale else "rounding"


def fitted(
    key: tuple[str, Kind, int], widths: Sequence[int], samples: Sequence[Sequence[tuple[float, Problem]]]
) -> Slope:
    """The least-squares slope through the means of logarithms, all widths weighing the same."""
    label, kind, step = key
    values = np.array([[size for size, _ in row] for row in samples])
    problems = [problem for row in samples for _, problem in row if problem]
    with np.errstate(all="ignore"):
        logs = np.log2(values)
        sizes = tuple(float(v) for v in np.exp2(logs.mean(axis=1)))
    if problems:
        order: tuple[Problem, ...] = ("overflow", "rounding", "zero")
        worst = next(p for p in order if p in problems)
        return Slope(label, kind, step, None, np.inf, np.inf, sizes, worst)
    x, means = np.log2(np.array(widths, dtype=np.float64)), logs.mean(axis=1)
    errors = logs.std(axis=1, ddof=1) / np.sqrt(logs.shape[1])
    exponent, error = _line(x, means, errors)
    upper = max(2, (len(x) + 1) // 2)
    bend = _line(x[-upper:], means[-upper:], errors[-upper:])[0] - exponent
    return Slope(label, kind, step, exponent, error, bend, sizes, "")


def _line(x: Array, y: Array, errors: Array) -> tuple[float, float]:
    centred = x - x.mean()
    weights = centred / float(centred @ centred)
    return float(weights @ y), float(np.sqrt(np.sum((weights * errors) ** 2)))
