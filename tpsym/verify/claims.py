"""Claims of a file to verdicts: each side derived, then decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import TpError
from tpsym.program.elaborate import Model, elaborate
from tpsym.program.scope import Context
from tpsym.program.values import Condition, Scalar
from tpsym.results.answers import ClaimResult
from tpsym.results.questions import LimitQuestions, questions
from tpsym.results.reasons import NoLimit, reasons
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.verify.cases import Case, cases, comparisons, parts
from tpsym.verify.conditions import by_linear_arithmetic, sampled
from tpsym.verify.decide import EVERYWHERE, Verdict, decide
from tpsym.verify.equations import Equation, equation
from tpsym.verify.layers import forms, is_layered
from tpsym.verify.linear import comparison, decide_linear, is_piecewise
from tpsym.verify.premises import assumption
from tpsym.verify.settle import settled
from tpsym.verify.spectral import Lengths, is_spectral, spectral_parts

RANK = {"proved": 0, "checked": 1, "undecided": 2, "refuted": 3}
SECONDS = 20.0
"""Wall-clock seconds one member of a claim may take."""


def verify(model: Model, side: LimitQuestions, *, seconds: float = SECONDS) -> tuple[ClaimResult, ...]:
    """The verdict on every claim.

    Raises:
        TpError: a claim does not make sense (an unknown name, shapes that do not match).
    """
    return tuple(verify_claim(model, side, claim, seconds=seconds) for claim in model.claims)


def verify_claim(model: Model, side: LimitQuestions, claim: tree.Claim, *, seconds: float = SECONDS) -> ClaimResult:
    """The verdict on one claim; what is not proved for a symbolic depth is looked at with the depth given."""
    assumptions = tuple(condition for node in model.assumptions for condition in assumption(model, node))
    found = verdict_on(model, side, claim, assumptions, seconds=seconds)
    if found.verdict == "undecided" and found.method == UNPROVED:
        return at_depths(model, claim, found, seconds=seconds)
    return found


def verdict_on(
    model: Model, side: LimitQuestions, claim: tree.Claim, assumptions: tuple[sp.Basic, ...], *, seconds: float
) -> ClaimResult:
    """The worst verdict over the members of a claim."""
    relation, lhs, rhs = sides(claim)
    blank = ClaimResult(
        claim.label, claim.span.line, claim.span, relation, format_expression(lhs),
        "" if rhs is None else format_expression(rhs), "undecided", "none", EMPTY,
    )
    worst: ClaimResult | None = None
    members = 0
    side.forget()
    try:
        for case in cases(model, side, claim):
            members += 1
            result = judged(side, case, blank, assumptions, seconds)
            if worst is None or RANK[result.verdict] > RANK[worst.verdict]:
                worst = result
            if result.verdict == "refuted":
                break
    except NoLimit as error:
        return replace(blank, detail=f"no limit: {error.reason}")
    except TpError as error:
        if error.diagnostics[0].code != "not-available":
            raise
        return replace(blank, detail=error.diagnostics[0].message)
    if worst is None:
        return blank
    worst = hedged(worst, "; ".join(side.guesses))
    if worst.verdict in ("refuted", "undecided"):
        return worst
    notes = [f"{members} members"] if members > 1 and worst.verdict == "proved" else [worst.detail]
    notes += [f"where {variance} > 0".replace("**", "^") for variance in side.conditions()]
    return replace(worst, instance="" if members > 1 else worst.instance, detail="; ".join(n for n in notes if n))


def hedged(found: ClaimResult, guess: str) -> ClaimResult:
    """A verdict that rests on something that was not proved: it proves nothing and refutes nothing."""
    if not guess or found.verdict not in ("proved", "refuted"):
        return found
    detail = "; ".join(part for part in (found.detail, guess) if part)
    verdict = "checked" if found.verdict == "proved" else "undecided"
    return replace(found, verdict=verdict, detail=detail)  # type: ignore[arg-type]


def sides(claim: tree.Claim) -> tuple[str, tree.Expr, tree.Expr | None]:
    """The relation of a claim and its two sides; a condition alone has neither relation nor right side."""
    node = claim.relation
    if isinstance(node, tree.Compare) and len(node.ops) == 1:
        return node.ops[0], node.operands[0], node.operands[1]
    return "", node, None


def compared(case: Case, eq: Equation, seconds: float) -> Verdict:
    """The verdict on one comparison."""
    if case.tolerance is None and is_piecewise((eq.left, eq.right)):
        claim = comparison(case.relation, (eq.left, eq.right), eq.domain, eq.definitions)
        if claim is not None:
            return decide_linear(claim, eq.domain, eq.definitions)
    left, right = settled((eq.left, eq.right), eq.domain.relations)
    return decide(left, case.relation, right, domain=eq.domain, definitions=eq.definitions,
                  tolerance=case.tolerance, seconds=seconds)


def judged(
    side: LimitQuestions, case: Case, blank: ClaimResult, assumptions: tuple[sp.Basic, ...], seconds: float
) -> ClaimResult:
    """One member decided: the worst of the equations it comes to."""
    if isinstance(case.left, Condition):
        return conditions_judged(side, case, blank, assumptions, seconds)
    worst: ClaimResult | None = None
    for eq, verdict in outcomes(side, case, assumptions, seconds):
        if worst is None or RANK[verdict.kind] > RANK[worst.verdict]:
            worst = replace(
                blank, instance=case.instance, verdict=verdict.kind, method=verdict.method, detail=verdict.detail,
                left=eq.left, right=eq.right, witness=witness_text(verdict, dict(case.premises.substitution)),
                left_value=ball_text(verdict.lhs_value), right_value=ball_text(verdict.rhs_value),
            )
    assert worst is not None
    return worst


def outcomes(
    side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...], seconds: float
) -> Iterator[tuple[Equation, Verdict]]:
    """The comparisons that a member comes to, with their verdicts."""
    if is_spectral(case):
        yield from about_laws(side, case, assumptions, seconds)
        return
    for pair in comparisons(side, case):
        if is_layered(side, pair):
            yield for_every_layer(side, case, pair, assumptions, seconds)
        else:
            eq = equation(side, case, pair, side.limit.definitions, assumptions)
            yield eq, compared(case, eq, seconds)


def about_laws(
    side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...], seconds: float
) -> Iterator[tuple[Equation, Verdict]]:
    """The comparisons behind a claim about the support of a law or the equation of its Cauchy transform."""
    found = spectral_parts(side, case, assumptions)
    if isinstance(found, Lengths):
        yield Equation(sp.Tuple(*found.left), sp.Tuple(*found.right), {}, EVERYWHERE), found.verdict
        return
    for what, left, right in found.pairs:
        eq = equation(side, case, (left, right), side.limit.definitions, assumptions)
        verdict = compared(case, eq, seconds)
        detail = "; ".join(part for part in (what, verdict.detail) if part)
        yield eq, verdict if verdict.kind == "proved" else replace(verdict, detail=detail)
    for expr in found.nonzero:
        other = replace(case, relation="!=")
        eq = equation(side, other, (expr, sp.S.Zero), side.limit.definitions, assumptions)
        verdict = compared(other, eq, seconds)
        yield eq, verdict if verdict.kind == "proved" else replace(verdict, detail="a common factor that may vanish")


def conditions_judged(
    side: LimitQuestions, case: Case, blank: ClaimResult, assumptions: tuple[sp.Basic, ...], seconds: float
) -> ClaimResult:
    """One member about conditions: by linear arithmetic as a whole, else comparison by comparison or by sampling."""
    found, domain = by_linear_arithmetic(side, case, assumptions)
    members = parts(side.context, case) if found is None else None
    if members is not None:
        results = [judged(side, member, blank, assumptions, seconds) for member in members]
        return max(results, key=lambda result: RANK[result.verdict])
    verdict = found or sampled(side, case, domain, seconds)
    return replace(
        blank, instance=case.instance, verdict=verdict.kind, method=verdict.method, detail=verdict.detail,
        witness=witness_text(verdict, dict(case.premises.substitution)),
        left_value=ball_text(verdict.lhs_value), right_value=ball_text(verdict.rhs_value),
    )


def for_every_layer(
    side: LimitQuestions, case: Case, pair: tuple[Expr, Expr], assumptions: tuple[sp.Basic, ...], seconds: float
) -> tuple[Equation, Verdict]:
    """A proof for a symbolic layer, from the recursion or its solution; what is not proved stays undecided.

    Points of the domain do not count against a claim here: not all of them are values that layers take.
    """
    eq = equation(side, case, pair, side.limit.definitions, assumptions)
    with reasons(case.span):
        for form in forms(side, pair):
            eq = equation(side, case, pair, form.definitions, assumptions)
            verdict = compared(case, eq, seconds / 3)
            if verdict.kind == "proved":
                detail = "; ".join(part for part in (f"for every layer, by the {form.method}", form.note) if part)
                return eq, replace(verdict, detail=detail)
    return eq, Verdict("undecided", UNPROVED, "not proved for every layer")


EMPTY = "the range of this claim is empty"
UNPROVED = "recursion"
"""How an undecided claim about a symbolic layer was tried; depths are tried next."""
DEPTHS = (2, 3, 5, 1, 8)
ENOUGH = 4
"""Depths at which a claim has to hold to be called checked; those at which it says nothing do not count."""


def at_depths(model: Model, claim: tree.Claim, blank: ClaimResult, *, seconds: float) -> ClaimResult:
    """A claim that was not proved for every layer, at a few depths."""
    context = model.context
    names = sorted(n for n in context.depths if not symbolic_depth(context, n).is_Integer)
    held: list[str] = []
    worst = blank
    for first in range(len(DEPTHS)):
        # several depths take different values, so that none stands for another
        depths = {n: DEPTHS[(first + i) % len(DEPTHS)] for i, n in enumerate(names)}
        found = at_depth(model, claim, depths, seconds=seconds) if len(held) < ENOUGH else None
        if found is None:
            continue
        text = ", ".join(f"{n} = {depth}" for n, depth in depths.items())
        instance = ", ".join([text, *([found.instance] if found.instance else [])])
        if found.verdict == "refuted":
            witness = {Symbol(n): str(depth) for n, depth in depths.items()}
            return replace(found, instance=instance, witness={**witness, **(found.witness or {})})
        if found.verdict == "undecided":
            return replace(found, instance=instance, detail=f"not proved for every layer; {found.detail}")
        worst = replace(found, verdict="checked", instance="")
        held.append(text)
    if not held:
        return blank
    return replace(worst, method="at given depths", detail=f"not proved for every layer; holds at {'; '.join(held)}")


def at_depth(model: Model, claim: tree.Claim, depths: Mapping[str, int], *, seconds: float) -> ClaimResult | None:
    """The verdict at given depths; ``None`` where the claim has no members, or mentions layers that are not there."""
    settings = {**model.context.overrides, **{n: sp.Integer(depth) for n, depth in depths.items()}}
    try:
        inner = elaborate(model.file, overrides=settings)
        found = verify_claim(inner, questions(inner.context), claim, seconds=seconds)
    except TpError as error:
        if error.diagnostics[0].code not in ("index-out-of-range", "unknown-member", "unknown-name"):
            raise
        return None
    return None if found.detail == EMPTY else found


def symbolic_depth(context: Context, name: str) -> Expr:
    """The value of a depth, a symbol unless it was given."""
    value = context.scope.names[name]
    assert isinstance(value, Scalar)
    return value.expr


def witness_text(verdict: Verdict, substitution: dict[Symbol, Expr]) -> dict[Symbol, str] | None:
    """The values of a counterexample, those fixed by ``where`` included."""
    if verdict.witness is None:
        return None
    values = {s: sp.Rational(v.numerator, v.denominator) for s, v in verdict.witness.items()}
    return {s: str(v) for s, v in values.items()} | {s: str(e.xreplace(values)) for s, e in substitution.items()}


def ball_text(ball: Any) -> str | None:
    """The certain digits of a value; exact numbers and truth values as they are."""
    if isinstance(ball, bool):
        return "true" if ball else "false"
    if isinstance(ball, Fraction):
        return str(ball)
    return None if ball is None else str(ball.str(20, radius=False))


__all__ = ["verify"]
