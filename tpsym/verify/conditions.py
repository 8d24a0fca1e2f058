"""Claims that are conditions: ``A <=> B``, ``not S.stable where …``."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from tpsym.program.values import Condition, Scalar
from tpsym.results.questions import LimitQuestions
from tpsym.verify.cases import Case
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.domain import Domain
from tpsym.verify.equations import surroundings
from tpsym.verify.linear import decide_linear, equivalence, leaves
from tpsym.verify.premises import on_parameters


def by_linear_arithmetic(
    side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...]
) -> tuple[Verdict | None, Domain]:
    """The verdict by linear arithmetic, ``None`` where a condition is not piecewise linear; the domain."""
    both = [c for c in (case.left, case.right) if isinstance(c, Condition)]
    numbers = tuple(v.expr for c in both for v in leaves(c) if isinstance(v, Scalar))
    used, domain = surroundings(side, case, numbers, side.limit.definitions, assumptions)
    given, right = dict(case.premises.substitution), both[1] if len(both) > 1 else None
    if any(e.free_symbols & side.context.ranges.keys() for e in numbers):
        return None, domain
    claim = equivalence(both[0], right, given, domain, used)
    return (None if claim is None else decide_linear(claim, domain, used)), domain


def sampled(side: LimitQuestions, case: Case, domain: Domain, seconds: float) -> Verdict:
    """Conditions that are not piecewise linear, refuted or not at points.

    Points say nothing of boundaries, where conditions that agree almost everywhere can differ.
    """
    given = dict(case.premises.substitution)
    left, right = (
        sp.And(*on_parameters(side.context, c, case.span)).xreplace(given) if isinstance(c, Condition) else sp.true
        for c in (case.left, case.right)
    )
    found = decide(left, "<=>", right, domain=domain, definitions=side.limit.definitions, seconds=seconds)
    if found.kind == "refuted":
        right_value = None if case.right is None else bool(found.rhs_value == 1)
        return replace(found, lhs_value=bool(found.lhs_value == 1), rhs_value=right_value)
    if found.kind != "checked":
        return found
    what = "no counterexample, but points say nothing of boundaries; only conditions that are linear are proved"
    return Verdict("undecided", found.method, what)
