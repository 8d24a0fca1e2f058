"""Training read in sizes: passes over the program until nothing changes, and the constraints met on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Literal

from sympy import Expr

from tpsym.errors import Span, fail
from tpsym.polyhedra.forms import Form
from tpsym.scaling.arrays import Array
from tpsym.scaling.interpret import Pass
from tpsym.scaling.payload import Pair
from tpsym.scaling.setting import Feature, Setting
from tpsym.scaling.sizes import Known, Signature, Size, total

MAX_PASSES = 6
GUIDED_PASSES = 4
"""Passes at a point, which need not be one where sizes stay bounded."""
MANY_FACTS = 60
"""Constraints met, and as many again for each array, after which sizes are taken not to close."""

When = Literal["initialisation", "training"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """``max(size) ≤ 0``, or ``= 0`` if ``equal``: what has to hold of a quantity for stability.

    ``what`` is the expression over nodes, ``node`` where it is read; ``label`` says what it is if it is no feature.
    """

    when: When
    what: Expr
    node: int | None
    role: str
    size: Size
    equal: bool


@dataclass(frozen=True)
class Run:
    """Everything that was read: the first pass (unreduced), those after one step and after enough, the outputs in the
    first and the last, and the constraints.

    ``closed`` is false at a guide where sizes do not stay bounded: then the last pass is the one that showed it.
    """

    setting: Setting
    known: Known
    first: Pass
    early: Pass
    last: Pass
    initial_outputs: tuple[Pair, ...]
    final_outputs: tuple[Pair, ...]
    constraints: tuple[Constraint, ...]
    steps: int
    closed: bool = True


Reading = Callable[[Mapping[int, Pair] | None], Pass]


def trained(setting: Setting, *, init_only: frozenset[str], span: Span, reading: Reading | None = None) -> Run:
    """Sizes after enough steps for them not to change any more; ``reading`` makes a pass from the values before.

    Raises:
        TpError: ``not-closed``, sizes still grow after a few steps.
    """
    known = setting.rules.known
    read = reading or partial(Pass, setting, known)
    first = read(None)
    first.run()
    constraints = [c for f in first.features for c in _at_initialisation(f)]
    exprs, initial = setting.outputs, first.outputs
    constraints += [
        Constraint("initialisation", e, None, "output", total(p.initial), False)
        for e, p in zip(exprs, initial, strict=True)
    ]
    if known.guide is None:
        constraints = _learned(known, constraints, init_only)
    before, early, step = first, first, 0
    met: list[Constraint] = []
    closed = True
    while True:
        step += 1
        last = read(before.values)
        last.run()
        final = last.outputs
        early = last if step == 1 else early
        if known.guide is not None:
            met = []
        # what was asked once is not asked again: later passes are read knowing it
        met += [Constraint("training", f.expr, f.node, f.role, f.change, False) for f in last.features]
        met += [Constraint("training", e, None, "output", size, False)
                for e, size in zip(exprs, last.moved_outputs, strict=True)]
        if step > 1 and _same(before, last):
            break
        grows = known.guide is not None and any(known.at_guide(f) > 0 for c in met for f in c.size)
        if grows or (known.guide is not None and step > GUIDED_PASSES):
            closed = False
            break
        if step > MAX_PASSES or len(known.facts) > MANY_FACTS + 8 * len(setting.arrays):
            raise fail("not-closed", f"the sizes still change after {MAX_PASSES} steps of training", span)
        before = last
    return Run(setting, known, first, early, last, tuple(initial), tuple(final), (*constraints, *met), step, closed)


def _same(a: Pass, b: Pass) -> bool:
    known = a.known
    if known.guide is not None:
        return all(_heights(known, a.values[k]) == _heights(known, pair) for k, pair in b.values.items())
    return all(a.values[k].change == pair.change for k, pair in b.values.items())


def _heights(known: Known, pair: Pair) -> dict[Signature, Fraction]:
    return {s: max(map(known.at_guide, size)) for s, size in pair.change.items()}


def _at_initialisation(feature: Feature) -> list[Constraint]:
    size = total(feature.pair.initial)
    equal = feature.role in ("vector", "denominator")
    return [Constraint("initialisation", feature.expr, feature.node, feature.role, size, equal)] if size else []


def _learned(known: Known, constraints: list[Constraint], init_only: frozenset[str]) -> list[Constraint]:
    """Put the equations of initialisation into ``known``, exponents of initial entries eliminated first."""

    def prefer(name: str) -> int:
        return 0 if name in init_only else 1

    for c in constraints:
        forms = {known.reduced(f) for f in c.size}
        if c.equal and len(forms) == 1:
            known.solve(next(iter(forms)), prefer)
    for c in constraints:
        for f in c.size:
            known.at_most_zero(f)
    return constraints


def own_updates(run: Run, array: Array) -> Size:
    """The size of what the updates of an array change directly in features and outputs."""
    return run.known.maximal(direct_updates(run, array))


def direct_updates(run: Run, array: Array) -> Size:
    """The sizes of all that the updates of an array change directly."""
    pairs = [*(f.pair for f in run.last.features), *run.final_outputs]
    forms = [size for p in pairs for s, size in p.change.items() if s.tag == array.name]
    return frozenset().union(*forms)


def kernel_size(run: Run, array: Array) -> Size:
    """The size of ⟨∇f, ΔW⟩ for one array, what it adds to the output to first order."""
    # layers add up
    count = 1 if array.name in run.setting.repeated else 0
    found: set[Form] = set()
    zeroth = Pass(run.setting, run.known, run.first.values)
    for use in run.setting.uses[array.name]:
        later = Pass(run.setting, run.known, run.last.values).outer(use)
        found |= {f + count for f in run.setting.rules.kernel(array, zeroth.outer(use), later)}
    return run.known.maximal(frozenset(map(run.known.reduced, found)))


__all__ = ["Constraint", "Run", "kernel_size", "own_updates", "trained"]
