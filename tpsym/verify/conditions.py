"""Claims that are conditions: ``A <=> B``, ``not S.stable where …``."""

from __future__ import annotations

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
    """The verdict on conditions that are not piecewise linear, from points.

    Equations are hardly ever met by chance, so that nothing is said where there are any.
    """
    given = dict(case.premises.substitution)
    left, right = (
        sp.And(*on_parameters(side.context, c, case.span)).xreplace(given) if isinstance(c, Condition) else sp.true
        for c in (case.left, case.right)
    )
    if left.has(sp.Eq, sp.Ne) or right.has(sp.Eq, sp.Ne):
        return Verdict("undecided", "none", "equations in conditions are decided only where all is linear")
    return decide(left, "<=>", right, domain=domain, definitions=side.limit.definitions, seconds=seconds)
