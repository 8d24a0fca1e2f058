"""Claims of a file to verdicts: each side derived, then decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import TpError, fail
from tpsym.program.arithmetic import plain
from tpsym.program.calls import require_available, truth
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.scope import Context, Scope
from tpsym.program.values import (
    Condition,
    GaussianLaw,
    Scalar,
    Value,
    VectorValue,
    describe,
)
from tpsym.results.answers import ClaimResult
from tpsym.results.questions import LimitQuestions, NoLimit
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.domain import Domain, Gram

RANK = {"proved": 0, "checked": 1, "undecided": 2, "refuted": 3}
SECONDS = 20.0
"""Wall-clock seconds one member of a claim may take."""


@dataclass(frozen=True, slots=True)
class Case:
    """One member of a claim with its sides as derived; ``substitution`` gives parameters fixed by ``where``."""

    relation: str
    left: Value
    right: Value
    tolerance: Fraction | None
    conditions: tuple[sp.Basic, ...]
    substitution: dict[Symbol, Expr]
    instance: str


def verify(model: Model, side: LimitQuestions, *, seconds: float = SECONDS) -> tuple[ClaimResult, ...]:
    """The verdict on every claim.

    Raises:
        TpError: a claim does not make sense (an unknown name, shapes that do not match).
    """
    assumptions = tuple(condition for node in model.assumptions for condition in assumption(model, node))
    return tuple(verdict_on(model, side, claim, assumptions, seconds=seconds) for claim in model.claims)


def assumption(model: Model, node: tree.Assume) -> Iterator[sp.Basic]:
    """An ``assume`` as conditions on parameters, one per member of its ranges."""
    for scope in assignments(model.context, node.clauses, model.context.scope):
        value = evaluate(model.context, node.condition, scope)
        if not isinstance(value, Condition):
            raise fail("condition-expected", f"assume needs a condition, not {describe(value)}", node.span,
                       expected="something like q > 0 or dot(x, x) == 1")
        yield truth(model.context, value, node.span)


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
    try:
        for case in cases(model, side, claim):
            members += 1
            result = judged(model.context, side, case, blank, assumptions, seconds)
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
    if worst.verdict == "proved" and members > 1:
        return replace(worst, instance="", detail=f"{members} members")
    return worst


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
        inner, conditions, substitution = where(context, claim.where, scope)
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
                   plain(context, right, right_node.span), tolerance, conditions, substitution, instance)


def number(context: Context, value: Value, node: tree.Expr) -> Fraction:
    x = plain(context, value, node.span)
    if not isinstance(x, Scalar) or not isinstance(x.expr, sp.Rational):
        raise fail("number-expected", "the tolerance has to be a number", node.span, expected="+- 1e-6")
    if x.expr <= 0:
        raise fail("bad-tolerance", f"the tolerance {x.expr} is not positive", node.span)
    return Fraction(int(x.expr.p), int(x.expr.q))


def where(
    context: Context, items: Sequence[tree.Expr | tree.Binding], scope: Scope
) -> tuple[Scope, tuple[sp.Basic, ...], dict[Symbol, Expr]]:
    """Local names, conditions and parameter values of a ``where``."""
    inner = scope.child()
    conditions: list[sp.Basic] = []
    substitution: dict[Symbol, Expr] = {}
    for item in items:
        if not isinstance(item, tree.Binding):
            value = evaluate(context, item, inner)
            if not isinstance(value, Condition):
                raise fail("condition-expected", f"where needs conditions, not {describe(value)}", item.span)
            conditions.append(truth(context, value, item.span))
            continue
        value = evaluate(context, item.value, inner)
        known = parameter(context, item.target, inner)
        if known is None:
            inner.names[item.target.name.id] = value
        elif isinstance(value, Scalar):
            substitution[known] = value.expr
        else:
            raise fail("number-expected", f"a parameter is a number, not {describe(value)}", item.value.span)
    return inner, tuple(conditions), substitution


def parameter(context: Context, target: tree.Target, scope: Scope) -> Symbol | None:
    """The declared parameter a ``where`` gives a value to, if it is one."""
    known = scope.find(target.name.id)
    if target.indices and known is not None:
        node = tree.Index(target.name, target.indices, span=target.span)
        known = evaluate(context, node, scope)
    if isinstance(known, Scalar) and known.expr in context.parameters:
        return known.expr
    return None


def judged(
    context: Context, side: LimitQuestions, case: Case, blank: ClaimResult,
    assumptions: tuple[sp.Basic, ...], seconds: float,
) -> ClaimResult:
    """One member decided."""
    base = replace(blank, instance=case.instance)
    try:
        pairs = comparisons(context, side, case)
    except Mismatch as error:
        return replace(base, verdict="refuted", method="kind of the limit", detail=str(error))
    definitions = side.limit.definitions
    worst: Verdict | None = None
    for left, right in pairs:
        used = {s: definitions[s].xreplace(case.substitution) for s in reachable(left - right, definitions)}
        left, right = left.xreplace(case.substitution), right.xreplace(case.substitution)
        domain = domain_of(context, left - right, used, (*assumptions, *case.conditions), case.substitution)
        verdict = decide(left, case.relation, right, domain=domain, definitions=used, tolerance=case.tolerance,
                         seconds=seconds)
        if worst is None or RANK[verdict.kind] > RANK[worst.kind]:
            worst = verdict
    assert worst is not None
    left, right = pairs[0]
    return replace(
        base, verdict=worst.kind, method=worst.method, detail=worst.detail, left=left, right=right,
        witness=witness_text(worst, case.substitution), left_value=ball_text(worst.lhs_value),
        right_value=ball_text(worst.rhs_value),
    )


def witness_text(verdict: Verdict, substitution: dict[Symbol, Expr]) -> dict[Symbol, str] | None:
    """The values of a counterexample, those fixed by ``where`` included."""
    if verdict.witness is None:
        return None
    return {s: str(v) for s, v in verdict.witness.items()} | {s: str(e) for s, e in substitution.items()}


def ball_text(ball: Any) -> str | None:
    """The certain digits of a value."""
    return None if ball is None else str(ball.str(20, radius=False))


class Mismatch(Exception):
    """The two sides are limits of different kinds (a number and a law, say)."""


def comparisons(context: Context, side: LimitQuestions, case: Case) -> list[tuple[Expr, Expr]]:
    """The equations between expressions that a claim comes to."""
    left, right = case.left, case.right
    if isinstance(left, GaussianLaw) and isinstance(right, GaussianLaw):
        return [(left.mean, right.mean), (left.variance, right.variance)]
    if isinstance(left, GaussianLaw) or isinstance(right, GaussianLaw):
        law, other = (left, right) if isinstance(left, GaussianLaw) else (right, left)
        raise Mismatch(f"one side is the law N({law.mean}, {law.variance}), the other {describe(other)}")
    if isinstance(left, VectorValue) or isinstance(right, VectorValue):
        return random_variables(side, case)
    if not isinstance(left, Scalar) or not isinstance(right, Scalar):
        raise fail("bad-claim", f"cannot compare {describe(left)} and {describe(right)}", None)
    for value in (left, right):
        if value.expr.free_symbols & context.nodes.keys():
            raise NoLimit("a scalar of the program is random at every finite width: ask for lim(…)", None)  # type: ignore[arg-type]
    return [(left.expr, right.expr)]


def random_variables(side: LimitQuestions, case: Case) -> list[tuple[Expr, Expr]]:
    """Two random variables are equal if their difference vanishes as a function of the Gaussians.

    Where it does not, the mean square of the difference decides: it is zero just if they are equal
    almost surely.
    """
    if case.relation != "==" or case.tolerance is not None:
        raise NoLimit("random variables can only be compared with ==", None)  # type: ignore[arg-type]
    difference = case.left.expr - case.right.expr  # type: ignore[union-attr]
    limit = side.limit.variables.expand(side.limit.series(difference).limit())
    expanded = sp.expand(limit)
    if expanded == 0:
        return [(S.Zero, S.Zero)]
    return [(side.limit.expectation(sp.expand(expanded**2)), S.Zero)]


def reachable(expr: Expr, definitions: dict[Symbol, Expr]) -> list[Symbol]:
    """The named values an expression rests on."""
    seen: set[Symbol] = set()
    todo = [s for s in expr.free_symbols if s in definitions]
    while todo:
        symbol = todo.pop()
        if symbol not in seen:
            seen.add(symbol)
            todo.extend(s for s in definitions[symbol].free_symbols if s in definitions)
    return [s for s in definitions if s in seen]


def domain_of(
    context: Context, expr: Expr, definitions: dict[Symbol, Expr], conditions: tuple[sp.Basic, ...],
    substitution: dict[Symbol, Expr],
) -> Domain:
    """The free symbols of a comparison, the Gram matrix of the data, and the conditions that bind them."""
    conditions = tuple(c.xreplace(substitution) for c in conditions)
    conditions = tuple(c for c in conditions if c is not sp.true)
    free = set(expr.free_symbols).union(*(d.free_symbols for d in definitions.values()))
    free = (free | set().union(*(c.free_symbols for c in conditions))) - definitions.keys()
    grams, rest = gram_matrices(context, free)
    return Domain(tuple(sorted(rest, key=str)), grams, conditions)


def gram_matrices(context: Context, free: set[Symbol]) -> tuple[tuple[Gram, ...], set[Symbol]]:
    used = {pair: s for pair, s in context.grams.items() if s in free}
    if not used:
        return (), free
    names = sorted({name for pair in used for name in pair})
    names = [n for n in names if context.data.get(n) is None]
    position = {name: i for i, name in enumerate(names)}
    entries = {}
    for i, a in enumerate(names):
        for b in names[i:]:
            symbol = context.gram(a, b)
            assert isinstance(symbol, Symbol)
            entries[(position[a], position[b])] = symbol
    return (Gram(entries),), free - set(entries.values())
