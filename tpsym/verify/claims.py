"""Claims of a file to verdicts: each side derived, then decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.gauss import DivergentExpectation
from tpsym.limit.series import Grows, SizeUnknown
from tpsym.program.arithmetic import plain
from tpsym.program.calls import require_available
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.scope import Context
from tpsym.program.values import GaussianLaw, Scalar, Value, VectorValue, describe
from tpsym.results.answers import ClaimResult
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.domain import Domain
from tpsym.verify.premises import Premises, assumption, domain_of, reachable, where

RANK = {"proved": 0, "checked": 1, "undecided": 2, "refuted": 3}
SECONDS = 20.0
"""Wall-clock seconds one member of a claim may take."""


@dataclass(frozen=True, slots=True)
class Case:
    """One member of a claim with its sides as derived; ``premises`` are those of its own ``where``."""

    relation: str
    left: Value
    right: Value
    tolerance: Fraction | None
    premises: Premises
    instance: str
    span: Span


def verify(model: Model, side: LimitQuestions, *, seconds: float = SECONDS) -> tuple[ClaimResult, ...]:
    """The verdict on every claim.

    Raises:
        TpError: a claim does not make sense (an unknown name, shapes that do not match).
    """
    assumptions = tuple(condition for node in model.assumptions for condition in assumption(model, node))
    return tuple(verdict_on(model, side, claim, assumptions, seconds=seconds) for claim in model.claims)


def verdict_on(
    model: Model, side: LimitQuestions, claim: tree.Claim, assumptions: tuple[sp.Basic, ...], *, seconds: float
) -> ClaimResult:
    """The worst verdict over the members of a claim."""
    relation, lhs, rhs = sides(claim)
    blank = ClaimResult(
        claim.label, claim.span.line, claim.span, relation, format_expression(lhs), format_expression(rhs),
        "undecided", "none", "the range of this claim is empty",
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
    if worst.verdict in ("refuted", "undecided"):
        return worst
    notes = [f"{members} members"] if members > 1 and worst.verdict == "proved" else [worst.detail]
    notes += [f"where {variance} > 0".replace("**", "^") for variance in side.conditions()]
    return replace(worst, instance="" if members > 1 else worst.instance, detail="; ".join(n for n in notes if n))


def sides(claim: tree.Claim) -> tuple[str, tree.Expr, tree.Expr]:
    """The relation of a claim and its two sides; a condition alone is compared with being true."""
    node = claim.relation
    if isinstance(node, tree.Compare) and len(node.ops) == 1:
        return node.ops[0], node.operands[0], node.operands[1]
    return "", node, node


def cases(model: Model, side: LimitQuestions, claim: tree.Claim) -> Iterator[Case]:
    """The members of a claim, one per combination of its indices."""
    context = model.context
    node = claim.relation
    require_available(claim, context.scope)
    if not isinstance(node, tree.Compare) or any(op == "<=>" for op in node.ops):
        raise fail("not-available", "a claim about conditions is not available yet", node.span)
    if len(node.ops) != 1:
        raise fail("bad-claim", "a claim compares two sides", node.span, fix="split the chain into several claims")
    for scope in assignments(context, claim.clauses, context.scope):
        inner, premises = where(context, claim.where, scope)
        left = evaluate(context, node.operands[0], inner)
        right_node, tolerance = node.operands[1], None
        if isinstance(right_node, tree.Tolerance):
            error = evaluate(context, right_node.error, inner)
            tolerance = number(context, error, right_node.error)
            right_node = right_node.value
        right = evaluate(context, right_node, inner)
        names = [c.index.id for c in claim.clauses]
        instance = ", ".join(f"{n} = {value.expr}" for n in names if isinstance(value := inner.find(n), Scalar))
        yield Case(node.ops[0], plain(context, left, node.operands[0].span),
                   plain(context, right, right_node.span), tolerance, premises, instance, node.span)


def number(context: Context, value: Value, node: tree.Expr) -> Fraction:
    x = plain(context, value, node.span)
    if not isinstance(x, Scalar) or not isinstance(x.expr, sp.Rational):
        raise fail("number-expected", "the tolerance has to be a number", node.span, expected="+- 1e-6")
    if x.expr <= 0:
        raise fail("bad-tolerance", f"the tolerance {x.expr} is not positive", node.span)
    return Fraction(int(x.expr.p), int(x.expr.q))


@dataclass(frozen=True, slots=True)
class Equation:
    """Two expressions to compare, over named values, on a domain."""

    left: Expr
    right: Expr
    definitions: dict[Symbol, Expr]
    domain: Domain


def equations(side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...]) -> list[Equation]:
    """What a member of a claim comes to: all of them have to hold."""
    definitions = side.limit.definitions
    given = dict(case.premises.substitution)
    nonzero = tuple(sp.Gt(variance, 0) for variance in side.conditions())
    premises = Premises((*assumptions, *case.premises.conditions, *nonzero), given)
    found = []
    for pair in comparisons(side, case):
        used = {s: definitions[s].xreplace(given) for s in reachable(pair, definitions)}
        domain = domain_of(side.context, pair, definitions, premises)
        found.append(Equation(pair[0].xreplace(given), pair[1].xreplace(given), used, domain))
    return found


def judged(
    side: LimitQuestions, case: Case, blank: ClaimResult, assumptions: tuple[sp.Basic, ...], seconds: float
) -> ClaimResult:
    """One member decided: the worst of the equations it comes to."""
    worst: ClaimResult | None = None
    for eq in equations(side, case, assumptions):
        verdict = decide(eq.left, case.relation, eq.right, domain=eq.domain, definitions=eq.definitions,
                         tolerance=case.tolerance, seconds=seconds)
        if worst is None or RANK[verdict.kind] > RANK[worst.verdict]:
            worst = replace(
                blank, instance=case.instance, verdict=verdict.kind, method=verdict.method, detail=verdict.detail,
                left=eq.left, right=eq.right, witness=witness_text(verdict, dict(case.premises.substitution)),
                left_value=ball_text(verdict.lhs_value), right_value=ball_text(verdict.rhs_value),
            )
    assert worst is not None
    return worst


def witness_text(verdict: Verdict, substitution: dict[Symbol, Expr]) -> dict[Symbol, str] | None:
    """The values of a counterexample, those fixed by ``where`` included."""
    if verdict.witness is None:
        return None
    values = {s: sp.Rational(v.numerator, v.denominator) for s, v in verdict.witness.items()}
    return {s: str(v) for s, v in values.items()} | {s: str(e.xreplace(values)) for s, e in substitution.items()}


def ball_text(ball: Any) -> str | None:
    """The certain digits of a value."""
    return None if ball is None else str(ball.str(20, radius=False))


def comparisons(side: LimitQuestions, case: Case) -> list[tuple[Expr, Expr]]:
    """The equations between expressions that a claim comes to.

    Raises:
        NoLimit: a side has no limit, or none that can be compared with the other side.
    """
    left, right = case.left, case.right
    try:
        if isinstance(left, GaussianLaw) or isinstance(right, GaussianLaw):
            plainly_equal(case, "laws")
            first, second = (law(side, v, case.span) for v in (left, right))
            return [(first.mean, second.mean), (first.variance, second.variance)]
        if isinstance(left, VectorValue) or isinstance(right, VectorValue):
            plainly_equal(case, "random variables")
            return [almost_surely(side, case)]
    except (Grows, SizeUnknown, DivergentExpectation) as error:
        raise NoLimit(str(error), case.span) from None
    return [(number_of(side, left, case.span), number_of(side, right, case.span))]


def plainly_equal(case: Case, what: str) -> None:
    if case.relation != "==" or case.tolerance is not None:
        raise fail("bad-claim", f"{what} can only be compared with ==", case.span,
                   fix="compare moments instead, such as E[…]")


def number_of(side: LimitQuestions, value: Value, span: Span) -> Expr:
    if not isinstance(value, Scalar):
        raise fail("bad-claim", f"cannot compare {describe(value)}", span)
    if value.expr.free_symbols & side.context.nodes.keys():
        raise NoLimit("a scalar of the program is random at every finite width: ask for lim(…)", span)
    return value.expr


def law(side: LimitQuestions, value: Value, span: Span) -> GaussianLaw:
    """A law as it is, a number as the law that has no variance, a Gaussian variable as its law."""
    if isinstance(value, GaussianLaw):
        return value
    if not isinstance(value, VectorValue):
        return GaussianLaw(number_of(side, value, span), S.Zero)
    variable = sp.expand(limit_of(side, value.expr))
    gaussians = variable.free_symbols & side.limit.variables.forms.keys()
    if any(sp.diff(variable, g).free_symbols & gaussians for g in gaussians):
        raise NoLimit("only a sum of Gaussians can be compared with N(…)", span)
    centre = variable.xreplace(dict.fromkeys(gaussians, S.Zero))
    return GaussianLaw(centre, side.limit.expectation(sp.expand((variable - centre) ** 2)))


def limit_of(side: LimitQuestions, expr: Expr) -> Expr:
    """The limit of an expression over vectors, in Gaussians that are not made of others."""
    return side.limit.variables.expand(side.limit.series(expr).limit())


def almost_surely(side: LimitQuestions, case: Case) -> tuple[Expr, Expr]:
    """Two random variables are equal if their difference vanishes as a function of the Gaussians.

    Where it does not, its mean square decides: it is zero just if they are equal almost surely.
    """
    left, right = case.left, case.right
    if not isinstance(left, VectorValue | Scalar) or not isinstance(right, VectorValue | Scalar):
        raise fail("bad-claim", f"cannot compare {describe(left)} and {describe(right)}", case.span)
    if isinstance(left, VectorValue) and isinstance(right, VectorValue) and left.dimension != right.dimension:
        raise fail("bad-claim", "the two sides are coordinates of vectors of different widths", case.span)
    gap = sp.expand(limit_of(side, left.expr - right.expr))
    return (S.Zero if gap == 0 else side.limit.expectation(sp.expand(gap**2))), S.Zero


__all__ = ["assumption", "cases", "verify"]
