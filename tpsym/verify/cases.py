"""The members of a claim, and the equations between expressions that each comes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.gauss import DivergentExpectation
from tpsym.limit.series import Grows, SizeUnknown
from tpsym.program.arithmetic import plain
from tpsym.program.calls import require_available
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, compare_word, condition, evaluate
from tpsym.program.scope import Context, Scope
from tpsym.program.values import (
    AlgebraicEquation,
    Condition,
    Endpoints,
    GaussianLaw,
    ListValue,
    Scalar,
    Value,
    VectorValue,
    describe,
)
from tpsym.results.fresh_names import with_fresh_names
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.verify.premises import Premises, where


@dataclass(frozen=True, slots=True)
class Case:
    """One member of a claim with its sides as derived; ``premises`` are those of its own ``where``.

    Where conditions are claimed ``relation`` is ``<=>``, or empty and ``right`` is ``None``.
    """

    relation: str
    left: Value
    right: Value | None
    tolerance: Fraction | None
    premises: Premises
    instance: str
    span: Span


def cases(model: Model, side: LimitQuestions, claim: tree.Claim) -> Iterator[Case]:
    """The members of a claim, one per combination of its indices."""
    context = model.context
    node = claim.relation
    require_available(claim, context.scope)
    if isinstance(node, tree.Compare) and len(node.ops) != 1:
        raise fail("bad-claim", "a claim compares two sides", node.span, fix="split the chain into several claims")
    for around in assignments(context, claim.clauses, context.scope, layers=True):
        scope = with_fresh_names(context, claim, around)
        inner, premises = where(context, claim.where, scope)
        names = [c.index.id for c in claim.clauses if scope_value(inner, c.index.id)]
        instance = ", ".join(f"{n} = {value.expr}" for n in names if isinstance(value := inner.find(n), Scalar))
        yield stated(context, node, inner, premises, instance)


def stated(context: Context, node: tree.Expr, scope: Scope, premises: Premises, instance: str) -> Case:
    """What a claim says in a scope: a comparison, that two conditions are the same, or one condition."""
    if isinstance(node, tree.Compare) and node.ops == ("<=>",):
        first, second = (condition(context, side, scope, "<=>") for side in node.operands)
        return Case("<=>", first, second, None, premises, instance, node.span)
    if not isinstance(node, tree.Compare) or compare_word(context, node, scope) is not None:
        value = evaluate(context, node, scope)
        if not isinstance(value, Condition):
            what = "a claim states a relation between two sides"
            raise fail("missing-relation", what, node.span, expected=f"{format_expression(node)} == …")
        return Case("", value, None, None, premises, instance, node.span)
    left = evaluate(context, node.operands[0], scope)
    right_node, tolerance = node.operands[1], None
    if isinstance(right_node, tree.Tolerance):
        error = evaluate(context, right_node.error, scope)
        tolerance = number(context, error, right_node.error)
        right_node = right_node.value
    right = evaluate(context, right_node, scope)
    places = (node.operands[0].span, right_node.span)
    return Case(node.ops[0], comparable(context, left, right, places[0]), comparable(context, right, left, places[1]),
                tolerance, premises, instance, node.span)


def comparable(context: Context, value: Value, other: Value, span: Span) -> Value:
    """A side of a comparison; what a law says of its support is compared as a list, an equation as a polynomial."""
    if isinstance(value, Endpoints | AlgebraicEquation):
        return value
    if isinstance(value, ListValue) and isinstance(other, Endpoints):
        return value
    return plain(context, value, span)


OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def parts(context: Context, case: Case) -> list[Case] | None:
    """The comparisons that have to hold for a condition to hold; ``None`` if it is no conjunction of comparisons."""
    if case.relation or not isinstance(case.left, Condition):
        return None
    found: list[Case] = []
    todo: list[Condition] = [case.left]
    while todo:
        item = todo.pop(0)
        if item.op == "and":
            todo = [*item.operands, *todo]
            continue
        op = item.op
        if op == "not":
            (item,) = item.operands
            op = OPPOSITE.get(item.op, "or")
        if op not in OPPOSITE:
            return None
        a, b = item.operands
        left, right = comparable(context, a, b, case.span), comparable(context, b, a, case.span)
        found.append(replace(case, relation=op, left=left, right=right))
    return found


def scope_value(scope: Scope, name: str) -> bool:
    """Whether an index has a number for its value, not a symbol."""
    value = scope.find(name)
    return isinstance(value, Scalar) and bool(value.expr.is_Integer)


def number(context: Context, value: Value, node: tree.Expr) -> Fraction:
    x = plain(context, value, node.span)
    if not isinstance(x, Scalar) or not isinstance(x.expr, sp.Rational):
        raise fail("number-expected", "the tolerance has to be a number", node.span, expected="+- 1e-6")
    if x.expr <= 0:
        raise fail("bad-tolerance", f"the tolerance {x.expr} is not positive", node.span)
    return Fraction(int(x.expr.p), int(x.expr.q))


def comparisons(side: LimitQuestions, case: Case) -> list[tuple[Expr, Expr]]:
    """The equations between expressions that a claim comes to.

    Raises:
        NoLimit: a side has no limit, or none that can be compared with the other side.
    """
    left, right = case.left, case.right
    assert right is not None
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
    assert right is not None
    if not isinstance(left, VectorValue | Scalar) or not isinstance(right, VectorValue | Scalar):
        raise fail("bad-claim", f"cannot compare {describe(left)} and {describe(right)}", case.span)
    if isinstance(left, VectorValue) and isinstance(right, VectorValue) and left.dimension != right.dimension:
        raise fail("bad-claim", "the two sides are coordinates of vectors of different widths", case.span)
    gap = sp.expand(limit_of(side, left.expr - right.expr))
    return (S.Zero if gap == 0 else side.limit.expectation(sp.expand(gap**2))), S.Zero
