"""Claims about the support of a law and about the equation of its Cauchy transform, as comparisons of expressions."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.core.relational import Relational

from tpsym.errors import Span, fail
from tpsym.program.arithmetic import plain
from tpsym.program.messages import written
from tpsym.program.scope import Context
from tpsym.program.values import AlgebraicEquation, Endpoints, ListValue, Scalar, Value, describe
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree
from tpsym.verify.cases import Case
from tpsym.verify.decide import Verdict
from tpsym.verify.domain import Domain, points
from tpsym.verify.equations import surroundings
from tpsym.verify.normal_form import signs
from tpsym.verify.settle import facts
from tpsym.verify.translate import decided


@dataclass(frozen=True, slots=True)
class Lengths:
    """Two lists that cannot be equal: they have different numbers of entries."""

    left: tuple[Expr, ...]
    right: tuple[Expr, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Parts:
    """What a claim comes to: comparisons with what they are about, and expressions that have to be nonzero."""

    pairs: tuple[tuple[str, Expr, Expr], ...]
    nonzero: tuple[Expr, ...] = ()


def is_spectral(case: Case) -> bool:
    """Whether a side is a support or an equation."""
    return any(isinstance(v, Endpoints | AlgebraicEquation) for v in (case.left, case.right))


def spectral_parts(side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...]) -> Parts | Lengths:
    """The comparisons behind a claim about a support or an equation.

    Raises:
        NoLimit: which endpoints there are is not settled by the premises.
    """
    assert case.right is not None
    if isinstance(case.left, Endpoints) or isinstance(case.right, Endpoints):
        return _endpoints(side, case, assumptions)
    return _equations(side, case, assumptions)


# --- supports ------------------------------------------------------------------------------------------


def _endpoints(side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...]) -> Parts | Lengths:
    lists = [_cases(side, v, case.span) for v in (case.left, case.right)]
    everything = [x for cases in lists for condition, values in cases for x in (*values, condition)]
    definitions, domain = surroundings(side, case, everything, side.limit.definitions, assumptions)
    given = dict(case.premises.substitution)
    left, right = (_one(cases, domain, given, case.span) for cases in lists)
    if len(left) == len(right):
        return Parts(tuple((f"endpoint {i}", a, b) for i, (a, b) in enumerate(zip(left, right, strict=True), 1)))
    point = next(points(domain, definitions=definitions), None)
    if point is None:
        return Lengths(left, right, Verdict("undecided", "number of endpoints", "no admissible point"))
    detail = f"{len(left)} endpoints against {len(right)}"
    return Lengths(left, right, Verdict("refuted", "number of endpoints", detail, point.values))


def _cases(side: LimitQuestions, value: Value | None, span: Span) -> tuple[tuple[sp.Basic, tuple[Expr, ...]], ...]:
    if isinstance(value, Endpoints):
        return value.cases
    assert isinstance(value, ListValue)
    return ((sp.true, tuple(_number(side, item, span) for item in value.items)),)


def _number(side: LimitQuestions, item: Value, span: Span) -> Expr:
    found = plain(side.context, item, span)
    if not isinstance(found, Scalar):
        raise fail("bad-claim", f"cannot compare {describe(found)} with an endpoint", span)
    return found.expr


def _one(
    cases: tuple[tuple[sp.Basic, tuple[Expr, ...]], ...], domain: Domain, given: dict[Symbol, Expr], span: Span
) -> tuple[Expr, ...]:
    """The list that holds under the premises; lists of one length stay together as piecewise entries."""
    known = facts(domain.conditions)
    left = [(c.xreplace(given), values) for c, values in cases]
    left = [(c, values) for c, values in left if known.implied(c) is not False]
    lengths = {len(values) for _, values in left}
    if len(lengths) > 1:
        texts = "; ".join(f"{len(values)} where {condition_text(c)}" for c, values in left)
        raise NoLimit(f"the number of endpoints depends on the parameters ({texts}): state the case with `where`", span)
    if not left:
        raise NoLimit("the support is not known under these premises", span)
    if len(left) == 1 or all(values == left[0][1] for _, values in left):
        return left[0][1]
    (length,) = lengths
    return tuple(sp.Piecewise(*((values[i], c) for c, values in left)) for i in range(length))


def condition_text(condition: sp.Basic) -> str:
    """A condition as it is written in a ``where``."""
    if isinstance(condition, sp.And | sp.Or):
        return f" {'and' if isinstance(condition, sp.And) else 'or'} ".join(map(condition_text, condition.args))
    if isinstance(condition, Relational):
        return f"{written(condition.lhs)} {condition.rel_op} {written(condition.rhs)}"
    return written(condition)


# --- equations -----------------------------------------------------------------------------------------


def _equations(side: LimitQuestions, case: Case, assumptions: tuple[sp.Basic, ...]) -> Parts:
    """``P = c Q`` with c free of the unknowns: coefficients, each times one of the other side that is not zero."""
    left, right = case.left, case.right
    known = left if isinstance(left, AlgebraicEquation) else right
    assert isinstance(known, AlgebraicEquation)
    unknowns = known.unknowns
    p, q = (_coefficients(v, unknowns, case.span) for v in (left, right))
    every = [*p.values(), *q.values()]
    definitions, domain = surroundings(side, case, every, side.limit.definitions, assumptions)
    given, known_facts = dict(case.premises.substitution), facts(domain.conditions)
    p, q = ({m: c.xreplace(given) for m, c in part.items()} for part in (p, q))

    def monomial(m: tuple[int, int]) -> str:
        return str(unknowns[0] ** m[0] * unknowns[1] ** m[1]).replace("**", "^")

    def label(m: tuple[int, int]) -> str:
        return f"coefficient of {monomial(m)}"

    def certain(c: Expr | None) -> bool:
        if c is None or c == 0:
            return False
        found = signs(c, definitions=definitions, relations=domain.relations)
        return decided("!=", found) is True or known_facts.implied(sp.Ne(c, 0)) is True

    order = sorted(p.keys() & q.keys(), key=lambda m: (not p[m].is_number, not q[m].is_number, sum(m), m))
    chosen = next((m for m in order if certain(p[m]) and certain(q[m])), None)
    if chosen is None:
        chosen = next(iter(order), next(iter(p), None))
    if chosen is None or not p or not q:
        return Parts(tuple((label(m), p.get(m, S.Zero), q.get(m, S.Zero)) for m in {**p, **q}))
    first, second = p[chosen], q.get(chosen, S.Zero)
    scaled = f", where that of {monomial(chosen)} is the same"
    pairs = tuple(
        (label(m) + scaled, p.get(m, S.Zero) * second, q.get(m, S.Zero) * first)
        for m in sorted({**p, **q}) if m != chosen
    )
    return Parts(pairs or (("", S.Zero, S.Zero),), tuple(c for c in (first, second) if not certain(c)))


def _coefficients(value: Value | None, unknowns: tuple[Symbol, Symbol], span: Span) -> dict[tuple[int, int], Expr]:
    if not isinstance(value, AlgebraicEquation | Scalar):
        raise fail("bad-claim", "an equation can only be compared with a polynomial in its unknowns", span)
    found = polynomial_terms(value.polynomial if isinstance(value, AlgebraicEquation) else value.expr, unknowns)
    if found is None:
        raise NoLimit("the other side is no polynomial in the unknowns of the equation", span)
    return found


def polynomial_terms(expr: Expr, unknowns: tuple[Symbol, Symbol]) -> dict[tuple[int, int], Expr] | None:
    """The coefficients of a polynomial by monomial, ``None`` for what is none."""
    try:
        found = sp.Poly(expr, *unknowns).as_dict(native=False)
    except sp.PolynomialError:
        return None
    if any(c.free_symbols & set(unknowns) for c in found.values()):
        return None
    return {m: c for m, c in found.items() if c != 0}


# --- what a claim may say ------------------------------------------------------------------------------


def check_spectral(context: Context, case: Case, nodes: tuple[tree.Expr, tree.Expr]) -> bool:
    """Whether a claim is about a support or an equation; mistakes in it raise."""
    if not is_spectral(case):
        return False
    whole = nodes[0].span.to(nodes[1].span)
    if case.relation != "==":
        raise fail("bad-relation", "supports and equations can only be compared with ==", whole)
    for value, other, node in ((case.left, case.right, nodes[1]), (case.right, case.left, nodes[0])):
        if isinstance(value, Endpoints) and not isinstance(other, Endpoints | ListValue):
            assert other is not None
            raise fail("incomparable", f"a support is a list of endpoints, this is {describe(other)}", node.span,
                       expected="a list such as [-2, 2]", fix="compare one endpoint: .edge(1) is the first")
        if isinstance(value, Endpoints) and isinstance(other, ListValue):
            _check_items(context, other, node)
        if isinstance(value, AlgebraicEquation):
            _check_equation(value, other, node)
    if case.tolerance is not None and isinstance(case.left, AlgebraicEquation):
        raise fail("bad-relation", "equations are compared exactly, without +-", whole)
    return True


def _check_items(context: Context, value: ListValue, node: tree.Expr) -> None:
    places = node.items if isinstance(node, tree.ListLiteral) else [node] * len(value.items)
    for item, place in zip(value.items, places, strict=True):
        found = plain(context, item, place.span)
        if not isinstance(found, Scalar) or found.expr.free_symbols & context.nodes.keys():
            given = "a number that the program computes" if isinstance(found, Scalar) else describe(found)
            raise fail("incomparable", f"an endpoint is a number, this is {given}", place.span)


def _check_equation(value: AlgebraicEquation, other: Value | None, node: tree.Expr) -> None:
    g, z = value.unknowns
    if isinstance(other, AlgebraicEquation):
        if other.unknowns != value.unknowns:
            raise fail("incomparable", "the two equations have different unknowns", node.span,
                       expected=f".equation({g}, {z})")
        return
    if not isinstance(other, Scalar):
        assert other is not None
        raise fail("incomparable", f"an equation is a polynomial in {g} and {z}, this is {describe(other)}", node.span)
    if polynomial_terms(other.expr, value.unknowns) is None:
        raise fail("not-a-polynomial", f"an equation is compared with a polynomial in {g} and {z}; this is none",
                   node.span, fix="multiply by the denominators and bring everything to one side")


__all__ = ["Lengths", "Parts", "check_spectral", "is_spectral", "spectral_parts"]
