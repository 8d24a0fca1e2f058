"""What a member of a claim compares, with all its premises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.results.questions import LimitQuestions
from tpsym.verify.cases import Case
from tpsym.verify.domain import Domain
from tpsym.verify.layers import layered_domain
from tpsym.verify.premises import Premises, domain_of, reachable


@dataclass(frozen=True, slots=True)
class Equation:
    """Two expressions to compare, over named values, on a domain."""

    left: Expr
    right: Expr
    definitions: dict[Symbol, Expr]
    domain: Domain


def equation(
    side: LimitQuestions, case: Case, pair: tuple[Expr, Expr], definitions: Mapping[Symbol, Expr],
    assumptions: tuple[sp.Basic, ...],
) -> Equation:
    """One comparison that a member of a claim comes to, with all its premises."""
    given = dict(case.premises.substitution)
    used, domain = surroundings(side, case, pair, definitions, assumptions)
    return Equation(pair[0].xreplace(given), pair[1].xreplace(given), used, domain)


def surroundings(
    side: LimitQuestions, case: Case, expressions: Sequence[Expr], definitions: Mapping[Symbol, Expr],
    assumptions: tuple[sp.Basic, ...],
) -> tuple[dict[Symbol, Expr], Domain]:
    """The named values that expressions rest on, and the domain they are to be looked at on."""
    given = dict(case.premises.substitution)
    nonzero = tuple(sp.Gt(variance, 0) for variance in side.conditions())
    premises = Premises((*assumptions, *case.premises.conditions, *nonzero), given)
    used = {s: definitions[s].xreplace(given) for s in reachable(expressions, definitions)}
    return used, layered_domain(side, domain_of(side.context, expressions, definitions, premises))
