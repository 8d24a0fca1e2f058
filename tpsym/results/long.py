"""Values too long to be read, as the expectations they are the closed forms of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sympy import Expr, Symbol

from tpsym.derivation import Step
from tpsym.limit.interpret import Limit
from tpsym.limit.rules import Mean

LONGEST = 1200
"""Operations of a value that is written out."""


def shortened(limit: Limit) -> Callable[[Expr], Expr]:
    """How values are shown: a long closed form as the mean it is of, where that is known and shorter."""
    means: dict[Expr, Expr] = {}

    def shown(value: Expr) -> Expr:
        count = value.count_ops()
        if count <= LONGEST:
            return value
        if not means:
            means.update({found: Mean(body) for body, (found, _) in limit._expectation.items()})
        mean = means.get(value)
        if mean is not None and mean.count_ops() <= LONGEST:
            return mean
        return Symbol(f"({count} operations, not written out)")

    return shown


def short_steps(limit: Limit, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps without long values; one that leads from a mean to its long closed form says how long that is."""
    shown = shortened(limit)
    found = []
    for step in steps:
        count = step.after.count_ops()
        if count <= LONGEST:
            found.append(step)
            continue
        after = shown(step.after)
        if after == step.before:
            after = Symbol(f"({count} operations, not written out)")
        found.append(replace(step, after=after))
    return tuple(found)
