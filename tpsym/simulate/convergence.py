"""A program run at growing widths over many seeds: estimates, intervals and rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Symbol

from tpsym.errors import fail
from tpsym.program.graph import Program
from tpsym.program.instructions import is_scalar
from tpsym.simulate.finite_width import Plan, execute, prepare
from tpsym.simulate.payload import Array
from tpsym.simulate.progress import Progress
from tpsym.simulate.statistics import (
    Estimate,
    Judgement,
    Kind,
    Rate,
    estimate_covariance,
    estimate_mean,
    estimate_variance,
    fit_rate,
    judge,
)


@dataclass(frozen=True, slots=True)
class Mean:
    """The expectation of a scalar, or of the mean of several scalars of one law (outputs of a network)."""

    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variance:
    """The variance over draws of a scalar of CLT size (an output at initialisation)."""

    node: int


@dataclass(frozen=True, slots=True)
class Covariance:
    """The covariance over draws of two scalars of CLT size (outputs at two inputs)."""

    first: int
    second: int


Quantity = Mean | Variance | Covariance


@dataclass(frozen=True, slots=True)
class QuantityResult:
    """The estimates of one quantity in order of width; ``rate`` is of the error if ``limit`` is known."""

    name: str
    kind: Kind
    estimates: tuple[Estimate, ...]
    limit: float | None
    rate: Rate | None

    def judge(
        self, limit: float, *, k: float = 4.0, comparisons: int | None = None, bias_power: float = 0.5
    ) -> Judgement:
        """Whether the estimates agree with ``limit``, see :func:`~tpsym.simulate.statistics.judge`."""
        return judge(
            limit, self.estimates, kind=self.kind, k=k, comparisons=comparisons, bias_power=bias_power
        )


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a simulation found; if not ``complete`` it was interrupted, and large widths have fewer seeds."""

    quantities: tuple[QuantityResult, ...]
    widths: tuple[int, ...]
    seeds: int
    complete: bool

    def __getitem__(self, name: str) -> QuantityResult:
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(name)

    def judge(self, *, k: float = 4.0, bias_power: float = 0.5) -> dict[str, Judgement]:
        """The judgement of every quantity with a limit, allowing for all their comparisons together.

        A variance whose limit is not positive is left out: no chi-square has that limit.
        """
        judged = [
            q for q in self.quantities if q.limit is not None and not (q.kind == "variance" and q.limit <= 0)
        ]
        total = sum(len(q.estimates) for q in judged)
        return {
            q.name: q.judge(q.limit, k=k, comparisons=total, bias_power=bias_power)
            for q in judged if q.limit is not None
        }


def simulate(
    program: Program,
    quantities: Mapping[str, Quantity | int | Sequence[int]],
    *,
    widths: Sequence[int],
    seeds: int | Sequence[int],
    values: Mapping[Symbol, float],
    functions: Mapping[str, Callable[..., Any]] | None = None,
    limits: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Run the program at each width with each seed (``seeds``: how many, or which ones, at least two).

    A quantity that is a node number, or several, means their :class:`Mean`. ``limits`` gives known
    limits by quantity; they only enter the rates. ``progress`` is called with (work done, all work),
    a run at width n counting n². An interrupt (``KeyboardInterrupt``) ends the runs and returns what
    there is, ``complete=False``; before two seeds are done at some width it is passed on.
    Raises :class:`TpError` as :func:`~tpsym.simulate.finite_width.run`, or ``bad-option``.
    """
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    asked = {name: _quantity(q) for name, q in quantities.items()}
    nodes = tuple(sorted({node for q in asked.values() for node in _nodes(q)}))
    _check(program, nodes, widths, numbers)
    plans = [
        prepare(program, nodes, n=n, values=values, functions=functions) for n in sorted(set(widths))
    ]
    samples, complete = _collect(plans, numbers, progress)
    kept = {n: sample for n, sample in samples.items() if len(sample) >= 2}
    if not kept:
        raise KeyboardInterrupt
    arrays = {n: dict(zip(nodes, np.array(sample).T, strict=True)) for n, sample in kept.items()}
    results = tuple(_summarize(name, q, arrays, (limits or {}).get(name)) for name, q in asked.items())
    return SimulationResult(results, tuple(kept), len(numbers), complete)


def _quantity(given: Quantity | int | Sequence[int]) -> Quantity:
    if isinstance(given, Mean | Variance | Covariance):
        return given
    return Mean((given,) if isinstance(given, int) else tuple(given))


def _nodes(quantity: Quantity) -> tuple[int, ...]:
    match quantity:
        case Mean(nodes=nodes):
            return nodes
        case Variance(node=node):
            return (node,)
        case Covariance(first=first, second=second):
            return (first, second)


def _check(program: Program, nodes: Sequence[int], widths: Sequence[int], seeds: Sequence[int]) -> None:
    if not nodes:
        raise fail("bad-option", "there is nothing to simulate", expected="at least one scalar")
    if not widths or min(widths) < 1:
        raise fail("bad-option", "no width to simulate at", expected="widths of at least 1")
    if len(seeds) < 2:
        raise fail("bad-option", "one seed gives no error estimate", expected="at least two different seeds")
    for node in nodes:
        if not is_scalar(program[node]):
            raise fail(
                "bad-option", f"{program.label(node)} is not a scalar", program.spans.get(node),
                fix="simulate a mean or a dot of it",
            )


def _collect(
    plans: Sequence[Plan], seeds: Sequence[int], progress: Progress | None
) -> tuple[dict[int, list[list[float]]], bool]:
    """One row of values by width and seed, and whether all runs were made; widths from small to large."""
    samples: dict[int, list[list[float]]] = {plan.n: [] for plan in plans}
    total, done = sum(plan.n**2 for plan in plans) * len(seeds), 0
    try:
        for plan in plans:
            for seed in seeds:
                found = execute(plan, seed=seed)
                samples[plan.n].append([float(found[node]) for node in plan.nodes])
                done += plan.n**2
                if progress is not None:
                    progress(done, total)
    except KeyboardInterrupt:
        return samples, False
    return samples, True


def _summarize(
    name: str, quantity: Quantity, samples: Mapping[int, Mapping[int, Array]], limit: float | None
) -> QuantityResult:
    kind: Kind
    match quantity:
        case Mean(nodes=nodes):
            kind = "mean"
            estimates = tuple(
                estimate_mean(n, np.mean([sample[node] for node in nodes], axis=0))
                for n, sample in samples.items()
            )
        case Variance(node=node):
            kind = "variance"
            estimates = tuple(estimate_variance(n, sample[node]) for n, sample in samples.items())
        case Covariance(first=first, second=second):
            kind = "covariance"
            estimates = tuple(
                estimate_covariance(n, sample[first], sample[second]) for n, sample in samples.items()
            )
    return QuantityResult(name, kind, estimates, limit, fit_rate(estimates, limit=limit))
