"""Limits of random programs against the same programs at finite width."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_programs import Drawn, programs
from sympy import Symbol

from tpsym.gauss.numeric import value
from tpsym.limit.interpret import Limit
from tpsym.limit.series import SizeUnknown
from tpsym.simulate import execute, judge, prepare
from tpsym.simulate.statistics import Estimate, estimate_mean

RUNS = {256: 24, 512: 16, 1024: 8}
"""Seeds by width."""
PROGRAMS = 300
SECONDS = 4
ENOUGH_DIGITS = 3


class TooSlow(Exception):
    pass


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise :class:`TooSlow` in the block when the time is over."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def limit_of(drawn: Drawn) -> float:
    """The derived limit as a number, to three digits after the point."""
    limit = Limit(drawn.builder.program(), Symbol("n", positive=True))
    with within(2 * SECONDS):
        exact = limit.scalar(drawn.target).limit()
    # compiled code calls back here: it must be left by its own deadline, not by an exception from outside
    number, _ = value(exact, {}, definitions=limit.definitions, digits=4, limit=128,
                      deadline=time.monotonic() + SECONDS)
    if not number.known or float(number.value.rad()) > 10.0**-ENOUGH_DIGITS:
        raise TooSlow
    return float(number.value.mid())


def estimates(drawn: Drawn) -> list[Estimate]:
    found = []
    for n, seeds in RUNS.items():
        plan = prepare(drawn.builder.program(), [drawn.target], n=n, values={})
        found.append(estimate_mean(n, np.array([execute(plan, seed=s)[drawn.target] for s in range(seeds)])))
    return found


def check(drawn: Drawn, limit: float, *, comparisons: int) -> None:
    """Within 4 standard errors, corrected for all comparisons, of limit + c/n; or of limit + c/√n with a small c."""
    runs = estimates(drawn)
    if all(e.spread == 0 for e in runs):
        assert runs[-1].value == pytest.approx(limit, abs=10.0**-ENOUGH_DIGITS), drawn
        return
    fast = judge(limit, runs, comparisons=comparisons, bias_power=1.0)
    slow = judge(limit, runs, comparisons=comparisons, bias_power=0.5)
    small = abs(slow.bias) < 2 + 4 * slow.bias_error
    assert fast.agrees or (slow.agrees and small), (
        f"{drawn!r}\nlimit {limit}\n" + "\n".join(f"n={e.n}: {e.value:.5f} ± {e.standard_error:.5f}" for e in runs)
    )


def run_all(count: int) -> dict[str, int]:
    """Check this many random programs; how many were compared, refused, too slow to evaluate."""
    seen = {"compared": 0, "refused": 0, "slow": 0}

    # no Phase.explain: it traces every line that runs
    @settings(max_examples=count, derandomize=True, deadline=None, database=None,
              suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])
    @given(programs())
    def examine(drawn: Drawn) -> None:
        try:
            limit = limit_of(drawn)
        except SizeUnknown:
            seen["refused"] += 1
            return
        except TooSlow:
            seen["slow"] += 1
            return
        seen["compared"] += 1
        check(drawn, limit, comparisons=len(RUNS) * PROGRAMS)

    run: Callable[[], None] = examine
    run()
    return seen


def test_random_programs() -> None:
    seen = run_all(40)
    assert seen["compared"] >= 0.5 * sum(seen.values()), seen


@pytest.mark.slow
def test_many_random_programs() -> None:
    seen = run_all(PROGRAMS)
    assert seen["compared"] >= 0.75 * sum(seen.values()), seen
