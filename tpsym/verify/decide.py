"""The verdict on a claim: proved by normal form, or checked or refuted in ball arithmetic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import sympy as sp

from tpsym.gauss.balls import Ball
from tpsym.verify.domain import Domain
from tpsym.verify.intervals import (
    NO_DEFINITIONS,
    Agrees,
    Inconclusive,
    Outcome,
    Refuted,
    Relation,
    compare,
    compare_conditions,
)
from tpsym.verify.normal_form import is_zero, signs
from tpsym.verify.translate import decided

Kind = Literal["proved", "checked", "refuted", "undecided"]
EVERYWHERE = Domain()
PROOF_SHARE = 0.45
AUDIT_POINTS = 3


@dataclass(frozen=True)
class Verdict:
    """What was found, how, and for a refutation where and with which values."""

    kind: Kind
    method: str
    detail: str = ""
    witness: Mapping[sp.Symbol, Fraction] | None = None
    lhs_value: Ball = None
    rhs_value: Ball = None


def decide(
    lhs: sp.Expr,
    relation: Relation,
    rhs: sp.Expr,
    *,
    domain: Domain = EVERYWHERE,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    tolerance: Fraction | None = None,
    seconds: float = 20.0,
    seed: int = 0,
) -> Verdict:
    """The verdict on ``lhs relation rhs`` on the domain, within about ``seconds``.

    ``<=>`` relates conditions.

    With a ``tolerance`` the claim is |lhs − rhs| ≤ tolerance.
    """
    start = time.monotonic()
    deadline = start + seconds
    if relation == "<=>":
        outcome = compare_conditions(lhs, rhs, domain=domain, definitions=definitions, deadline=deadline, seed=seed)
        return _from(outcome, "truth at sampled points")
    if _proved(lhs, relation, rhs, domain, definitions, tolerance, start + PROOF_SHARE * seconds):
        return _audited(lhs, relation, rhs, domain, definitions, tolerance, deadline, seed)
    outcome = compare(
        lhs,
        rhs,
        domain=domain,
        definitions=definitions,
        relation=relation,
        tolerance=tolerance,
        deadline=deadline,
        seed=seed,
    )
    return _from(outcome, "interval arithmetic" if tolerance is None else "interval arithmetic, to the tolerance")


def _proved(
    lhs: sp.Expr,
    relation: Relation,
    rhs: sp.Expr,
    domain: Domain,
    definitions: Mapping[sp.Symbol, sp.Expr],
    tolerance: Fraction | None,
    deadline: float,
) -> bool:
    gap = lhs - rhs
    if tolerance is not None or relation == "!=":
        return False
    if relation in ("==", "<=", ">=") and is_zero(
        gap, definitions=definitions, relations=domain.relations, deadline=deadline
    ):
        return True
    if relation == "==":
        return False
    found = signs(gap, definitions=definitions, relations=domain.relations, deadline=deadline)
    return decided(relation, found) is True


def _audited(
    lhs: sp.Expr,
    relation: Relation,
    rhs: sp.Expr,
    domain: Domain,
    definitions: Mapping[sp.Symbol, sp.Expr],
    tolerance: Fraction | None,
    deadline: float,
    seed: int,
) -> Verdict:
    """A proof, unless the claim is empty or evaluation contradicts it (which would be a fault here)."""
    outcome = compare(
        lhs,
        rhs,
        domain=domain,
        definitions=definitions,
        relation=relation,
        tolerance=tolerance,
        points=AUDIT_POINTS,
        deadline=min(deadline, time.monotonic() + 2.0),
        seed=seed,
    )
    if isinstance(outcome, Refuted):
        return Verdict(
            "undecided",
            "normal form against interval arithmetic",
            "the normal forms agree but the values do not: a fault in tpsym",
            outcome.witness,
            outcome.lhs,
            outcome.rhs,
        )
    if isinstance(outcome, Inconclusive) and outcome.empty and domain.conditions:
        return Verdict("undecided", "normal form", "no admissible point")
    return Verdict("proved", "normal form")


def _from(outcome: Outcome, method: str) -> Verdict:
    """The verdict that a comparison gives."""
    if isinstance(outcome, Refuted):
        chosen = ", ".join(f"{name}(z) = {text}" for name, text in outcome.functions.items())
        return Verdict("refuted", method, chosen, MappingProxyType(dict(outcome.witness)), outcome.lhs, outcome.rhs)
    if isinstance(outcome, Agrees):
        where = f"at {outcome.points} point{'s' if outcome.points != 1 else ''}"
        suffix = ", numeric with an estimated error" if outcome.estimated else ""
        return Verdict("checked", f"{method} {where}{suffix}")
    return Verdict("undecided", method, outcome.reason)
