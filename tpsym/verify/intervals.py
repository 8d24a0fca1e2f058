r"""Comparison of two sides at many admissible points, in ball arithmetic.

A claim is refuted only by balls that are proved to contain the two values at a rational point and
are disjoint; it agrees at a point if the difference is certified to be below 10^−30 of the values (or
below the claim's own tolerance).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType

import sympy as sp
from flint import arb, ctx

from tpsym import functions as fn
from tpsym.gauss.balls import Ball
from tpsym.gauss.numeric import NO_FUNCTIONS, Evaluation, Numeric, as_ball, enclose_all
from tpsym.verify.domain import Domain, Point, points
from tpsym.verify.normal_form import is_zero, needed
from tpsym.verify.stand_ins import UNARY, choice, library
from tpsym.verify.sums import unrolled

DIGITS = 30
PRECISIONS = (160, 320, 640, 1280)
FEWEST = 6

Relation = str
"""One of ``==  !=  <  <=  >  >=``."""
NO_DEFINITIONS: Mapping[sp.Symbol, sp.Expr] = MappingProxyType({})


@dataclass(frozen=True)
class Refuted:
    """The relation fails at ``witness``: the balls contain the values there. ``functions`` says what
    stood for each unknown function."""

    witness: Mapping[sp.Symbol, Fraction]
    lhs: Ball
    rhs: Ball
    functions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Agrees:
    """The relation holds at ``points`` points, to at least ``digits`` digits there (or to the tolerance)."""

    points: int
    digits: int
    estimated: bool = False


@dataclass(frozen=True)
class Inconclusive:
    """Neither. ``empty``: there was no admissible point; ``decisive``: other points cannot help; ``short``:
    agreement, but not to enough digits; ``lone``: only one side is a real number there."""

    reason: str
    empty: bool = False
    decisive: bool = False
    short: bool = False
    lone: bool = False


Outcome = Refuted | Agrees | Inconclusive


@dataclass(frozen=True)
class Question:
    """What is compared: a relation between two sides, over named values, to a tolerance."""

    lhs: sp.Expr
    relation: Relation
    rhs: sp.Expr
    definitions: Mapping[sp.Symbol, sp.Expr]
    tolerance: Fraction | None


def compare(
    lhs: sp.Expr,
    rhs: sp.Expr,
    *,
    domain: Domain,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    relation: Relation = "==",
    tolerance: Fraction | None = None,
    points: int = 24,
    bits: int = 160,
    deadline: float | None = None,
    seed: int = 0,
) -> Outcome:
    """Whether ``lhs relation rhs`` at sampled points of the domain (``|lhs − rhs| ≤ tolerance`` if given)."""
    question = Question(lhs, relation, rhs, definitions, tolerance)
    free, unknowns = parameters(question)
    whole = _extended(domain, free, definitions)
    varied = bool(free or unknowns)
    return _sample(question, whole, unknowns, points if varied else 1, bits, deadline, seed)


def _extended(domain: Domain, free: Sequence[sp.Symbol], definitions: Mapping[sp.Symbol, sp.Expr]) -> Domain:
    """The domain with these symbols, and those of its conditions, among its own."""
    bound = set().union(*(c.free_symbols for c in domain.conditions)) - definitions.keys() - set(free)
    new = (s for s in (*free, *sorted(bound, key=str)) if s not in domain.symbols)
    return Domain((*domain.symbols, *new), domain.grams, domain.conditions)


def parts_of(question: Question) -> list[sp.Basic]:
    """The two sides and the definitions they rest on."""
    both = sp.Tuple(question.lhs, question.rhs)
    return [both, *(question.definitions[s] for s in needed(both, question.definitions))]


def parameters(question: Question) -> tuple[list[sp.Symbol], list[tuple[str, int]]]:
    """The free symbols, and the unknown functions with their numbers of arguments, of both sides."""
    parts = parts_of(question)
    free = set().union(*(p.free_symbols for p in parts)) - question.definitions.keys()
    unknowns = {(u.name, len(u.arguments)) for p in parts for u in p.atoms(fn.Unknown)}
    labels = {u.args[0] for p in parts for u in p.atoms(fn.Unknown)}
    return sorted(free - labels, key=str), sorted(unknowns)


def _sample(
    question: Question,
    domain: Domain,
    unknowns: list[tuple[str, int]],
    wanted: int,
    bits: int,
    deadline: float | None,
    seed: int,
) -> Outcome:
    agreed, worst, tried, short, estimated, doubt = 0, 10**6, 0, 0, False, ""
    lone: Inconclusive | None = None
    tried_for = library(parts_of(question)) if unknowns else UNARY
    for point in points(domain, seed=seed, definitions=question.definitions):
        if tried >= wanted * 2 or agreed >= wanted or _late(deadline):
            break
        functions = choice(unknowns, tried, tried_for)
        tried += 1
        found = _at(question, point, {k: f for k, (_, f) in functions.items()}, bits, deadline)
        if isinstance(found, Refuted):
            names = {k: name for k, (name, _) in functions.items()}
            return Refuted(found.witness, found.lhs, found.rhs, MappingProxyType(names))
        if isinstance(found, Inconclusive):
            doubt = found.reason
            if found.decisive:
                return found
            lone = found if found.lone else lone
            short += found.short
            continue
        agreed, worst, estimated = agreed + 1, min(worst, found.digits), estimated or found.estimated
        if not point.values and not unknowns:
            break
    if not tried:
        late = _late(deadline)
        return Inconclusive("out of time" if late else "no admissible point", empty=not late)
    enough = min(wanted, FEWEST) if tried >= FEWEST or _late(deadline) else max(1, tried)
    # points that are easy to evaluate are often special ones: they do not speak for the others
    if lone is None and agreed >= max(enough, 4 * short):
        return Agrees(agreed, worst, estimated)
    return lone or Inconclusive(doubt or "out of time")


def _late(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline


def _at(
    question: Question,
    point: Point,
    functions: Mapping[str, Callable[..., sp.Expr]],
    bits: int,
    deadline: float | None,
) -> Refuted | Agrees | Inconclusive:
    """The comparison at one point, at growing precision."""
    question = _written_out(question, point)
    exprs = (question.lhs, question.rhs, question.lhs - question.rhs)
    known = {**question.definitions, **point.implied}
    outcome: Refuted | Agrees | Inconclusive = Inconclusive("out of time")
    before: Ball = None
    for precision in (bits, *(p for p in PRECISIONS if p > bits)):
        if _late(deadline):
            break
        left, right, gap = enclose_all(
            exprs, point.values, definitions=known, functions=functions, bits=precision, deadline=deadline
        )
        outcome = judge(question, left, right, gap)
        if left.known != right.known and (where := _not_real(question.rhs if left.known else question.lhs, point)):
            return Inconclusive(where, lone=True)
        radius = gap.value.rad()
        if not isinstance(outcome, Inconclusive) or not left.rigorous:
            break
        if before is not None and gap.known and radius * 1000 > before:
            break
        before = radius if gap.known else None
    if isinstance(outcome, Inconclusive) and outcome.decisive and not functions:
        return _at_equality(question, point, outcome, deadline)
    if isinstance(outcome, Refuted):
        return Refuted(point.values, outcome.lhs, outcome.rhs)
    return outcome


def _not_real(expr: sp.Expr, point: Point) -> str:
    """Where a side is certainly no real number, such as the root of a negative one; empty if that is not seen."""
    exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in point.values.items()}
    value = expr.xreplace(exact)
    if value.free_symbols or value.is_real is not False:
        return ""
    place = ", ".join(f"{s} = {v}" for s, v in exact.items() if expr.has(s))
    return f"at {place} one side is no real number and the other is" if place else ""


def _written_out(question: Question, point: Point) -> Question:
    """The question with sums over layers replaced by their terms."""
    parts = (question.lhs, question.rhs, *question.definitions.values())
    if not any(p.has(sp.Sum) for p in parts):
        return question
    exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in point.values.items()}
    definitions = {s: unrolled(e, exact) for s, e in question.definitions.items()}
    left, right = unrolled(question.lhs, exact), unrolled(question.rhs, exact)
    return replace(question, lhs=left, rhs=right, definitions=definitions)


def _at_equality(
    question: Question, point: Point, otherwise: Inconclusive, deadline: float | None
) -> Refuted | Inconclusive:
    """A strict relation where the two sides seem equal: refuted if they are proved to be."""
    exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in point.values.items()}
    definitions = {s: e.xreplace(exact) for s, e in {**question.definitions, **point.implied}.items()}
    gap = (question.lhs - question.rhs).xreplace(exact)
    if not is_zero(gap, definitions=definitions, deadline=deadline):
        return otherwise
    sides = enclose_all((question.lhs, question.rhs), point.values, definitions=definitions, deadline=deadline)
    return Refuted(point.values, sides[0].value, sides[1].value)


def judge(question: Question, left: Numeric, right: Numeric, gap: Numeric) -> Refuted | Agrees | Inconclusive:
    """What balls for the two sides and their difference say about the relation."""
    if not (left.known and right.known and gap.known):
        # where only one side is defined they do not agree; such points count against the others
        one = left.known != right.known
        return Inconclusive("the two sides are not both defined, or not to be had numerically", short=one)
    rigorous = left.rigorous and right.rigorous
    with ctx.workprec(256):
        apart = gap.value if gap.value.rad() <= (left.value - right.value).rad() else left.value - right.value
    if question.tolerance is not None:
        return _judge_tolerance(question.tolerance, apart, left, right, rigorous)
    failed = _fails(question.relation, apart) or (question.relation == "==" and not left.value.overlaps(right.value))
    if failed:
        if rigorous:
            return Refuted(MappingProxyType({}), left.value, right.value)
        return Inconclusive("the two sides seem to differ, by an integral with only an estimated error")
    digits = _digits(apart, left.value, right.value)
    if question.relation == "==":
        enough = rigorous and digits >= DIGITS
    elif question.relation in ("<=", ">="):
        holds = apart <= 0 if question.relation == "<=" else apart >= 0
        enough = rigorous and (bool(holds) or digits >= DIGITS)
    else:
        enough = rigorous and bool(_strict(question.relation, apart))
    if enough:
        return Agrees(1, digits)
    if not rigorous:
        return Inconclusive("an integral with only an estimated error")
    if question.relation in ("<", ">", "!=") and digits >= DIGITS:
        return Inconclusive("at one point the two sides are equal, as far as can be seen", decisive=True)
    return Inconclusive(f"agreement to {max(digits, 0)} digits only could be certified", short=True)


def _judge_tolerance(
    tolerance: Fraction, apart: Ball, left: Numeric, right: Numeric, rigorous: bool
) -> Refuted | Agrees | Inconclusive:
    limit = as_ball(tolerance)
    if abs(apart) <= limit and (rigorous or apart.rad() * 8 <= limit):
        return Agrees(1, 0, estimated=not rigorous)
    if abs(apart) > limit and rigorous:
        return Refuted(MappingProxyType({}), left.value, right.value)
    if not rigorous:
        return Inconclusive("an integral with only an estimated error, too large for this tolerance")
    return Inconclusive("the tolerance is too close to the difference")


def _fails(relation: Relation, gap: Ball) -> bool:
    """Whether ``gap relation 0`` certainly fails."""
    tests: dict[str, Callable[[], bool]] = {
        "==": lambda: not gap.contains(0),
        "!=": lambda: gap.is_zero(),
        "<": lambda: gap >= 0,
        "<=": lambda: gap > 0,
        ">": lambda: gap <= 0,
        ">=": lambda: gap < 0,
    }
    return bool(tests[relation]())


def _strict(relation: Relation, gap: Ball) -> bool:
    return bool(not gap.contains(0) if relation == "!=" else gap < 0 if relation == "<" else gap > 0)


def _digits(gap: Ball, left: Ball, right: Ball) -> int:
    """Decimal digits to which the two sides certainly agree, relative to the larger."""
    with ctx.workprec(64):
        size = abs(left).upper().max(abs(right).upper())
        bound = abs(gap).upper()
        if bound.is_zero():
            return 10**6
        if left.contains(0) and right.contains(0):
            size = arb(1)
        return int(float(-((bound / size).log() / arb(10).log()).mid()))


def compare_conditions(
    lhs: sp.Basic,
    rhs: sp.Basic,
    *,
    domain: Domain,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    points_wanted: int = 200,
    deadline: float | None = None,
    seed: int = 0,
) -> Outcome:
    """Whether two conditions on the parameters hold at the same points."""
    free = (lhs.free_symbols | rhs.free_symbols) - set(definitions)
    whole = _extended(domain, sorted(free, key=str), definitions)
    agreed = 0
    for point in points(whole, seed=seed, definitions=definitions):
        if agreed >= points_wanted or _late(deadline):
            break
        with ctx.workprec(128):
            balls = {s: as_ball(v) for s, v in point.values.items()}
            evaluation = Evaluation(balls, {**definitions, **point.implied}, NO_FUNCTIONS, deadline, False)
            left, right = evaluation.truth(lhs), evaluation.truth(rhs)
        if left is None or right is None:
            continue
        if left is not right:
            return Refuted(point.values, arb(int(left)), arb(int(right)))
        agreed += 1
    if not agreed:
        return Inconclusive("no admissible point", empty=True)
    return Agrees(agreed, DIGITS)
