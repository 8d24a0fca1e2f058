"""Claims about piecewise linear expressions and conditions, decided exactly by linear arithmetic over the reals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import sympy as sp
from sympy import Expr, Symbol

from tpsym.polyhedra.conditions import (
    Compare,
    Condition,
    Constant,
    Expression,
    all_of,
    any_of,
    evaluate,
    holds,
    iff,
    negation,
    variables_of,
)
from tpsym.polyhedra.decide import Undecided, implied, satisfiable
from tpsym.polyhedra.forms import number, variable
from tpsym.polyhedra.translate import from_sympy
from tpsym.program import values
from tpsym.verify.decide import Verdict
from tpsym.verify.domain import Domain, points
from tpsym.verify.premises import Definitions, spelled_out

METHOD = "exact linear arithmetic"
EMPTY = "no admissible point"
SPLITS = 12
"""Cases looked at for a counterexample in whole numbers."""

RELATIONS: Mapping[type, str] = MappingProxyType(
    {sp.Eq: "==", sp.Ne: "!=", sp.Le: "<=", sp.Ge: ">=", sp.Lt: "<", sp.Gt: ">"}
)


@dataclass(frozen=True, slots=True)
class Linear:
    """A claim in exact terms; ``sides`` are what is compared: two expressions, two conditions, or one condition."""

    claim: Condition
    sides: tuple[Expression | Condition, ...]


def is_piecewise(pair: tuple[Expr, Expr]) -> bool:
    """Whether a comparison has a minimum or a maximum in it."""
    return any(e.has(sp.Min, sp.Max) for e in pair)


# --- claims and premises as exact conditions -----------------------------------------------------------


def comparison(op: str, pair: tuple[Expr, Expr], domain: Domain, definitions: Definitions) -> Linear | None:
    """A comparison of two expressions, ``None`` if it is not piecewise linear in the free symbols of the domain."""
    left, right = (exact(e, domain, definitions) for e in pair)
    if left is None or right is None:
        return None
    return Linear(Compare(op, left, right), (left, right))


def equivalence(
    left: values.Condition, right: values.Condition | None, given: Mapping[Symbol, Expr], domain: Domain,
    definitions: Definitions,
) -> Linear | None:
    """A condition, or that two hold at the same points; ``None`` if one is not piecewise linear."""
    first = stated(left, given, domain, definitions)
    if first is None:
        return None
    if right is None:
        return Linear(first, (first,))
    second = stated(right, given, domain, definitions)
    return None if second is None else Linear(iff(first, second), (first, second))


def exact(expr: Expr, domain: Domain, definitions: Definitions) -> Expression | None:
    """A piecewise linear expression in the free symbols of a domain."""
    whole = spelled_out(expr, definitions)
    allowed = set(domain.symbols)
    if not whole.free_symbols <= allowed or len({s.name for s in allowed}) < len(allowed):
        return None
    return from_sympy(whole)


def stated(
    value: values.Condition, given: Mapping[Symbol, Expr], domain: Domain, definitions: Definitions
) -> Condition | None:
    """A condition of the language over the free symbols of a domain."""
    if value.op in ("and", "or", "not"):
        inner = [stated(item, given, domain, definitions) for item in value.operands]
        items = [item for item in inner if item is not None]
        if len(items) < len(inner):
            return None
        return negation(items[0]) if value.op == "not" else all_of(items) if value.op == "and" else any_of(items)
    if value.op not in RELATIONS.values() or not all(isinstance(v, values.Scalar) for v in value.operands):
        return None
    left, right = (exact(v.expr.xreplace(dict(given)), domain, definitions) for v in value.operands)
    return None if left is None or right is None else Compare(value.op, left, right)


def leaves(value: values.Condition) -> Iterator[values.Value]:
    """What a condition compares."""
    for item in value.operands:
        if isinstance(item, values.Condition):
            yield from leaves(item)
        else:
            yield item


def premise(condition: sp.Basic, domain: Domain) -> Condition | None:
    """A condition of a domain, ``None`` if it is not piecewise linear in its free symbols."""
    if condition in (sp.true, sp.false):
        return Constant(condition is sp.true)
    if isinstance(condition, sp.And | sp.Or | sp.Not):
        items = [item for item in (premise(a, domain) for a in condition.args) if item is not None]
        if len(items) < len(condition.args):
            return None
        if isinstance(condition, sp.Not):
            return negation(items[0])
        return all_of(items) if isinstance(condition, sp.And) else any_of(items)
    op = RELATIONS.get(type(condition))
    if op is None:
        return None
    left, right = (exact(e, domain, {}) for e in condition.args)
    return None if left is None or right is None else Compare(op, left, right)


def declared(symbols: Iterable[Symbol]) -> Iterator[Condition]:
    """What declarations say of parameters."""
    zero = number(0)
    for s in symbols:
        signs = {">": s.is_positive, ">=": s.is_nonnegative, "<": s.is_negative, "<=": s.is_nonpositive}
        op = next((op for op, known in signs.items() if known), None)
        if op is not None:
            yield Compare(op, variable(s.name), zero)
        if s.is_nonzero and not (s.is_positive or s.is_negative):
            yield Compare("!=", variable(s.name), zero)


# --- the verdict ---------------------------------------------------------------------------------------


def decide_linear(claim: Linear, domain: Domain, definitions: Definitions) -> Verdict:
    """Proved, or refuted at a rational point; undecided where the premises are beyond linear arithmetic.

    What is not linear among the premises is left out of a proof and has to hold at a counterexample.
    """
    if sp.false in domain.conditions:
        return Verdict("undecided", METHOD, EMPTY)
    known, others = split(domain)
    found = implied(known, claim.claim)
    if found.holds is None:
        return Verdict("undecided", METHOD, "linear arithmetic took too long")
    if found.holds:
        possible = admissible(known, others, domain, definitions)
        return Verdict("proved", METHOD) if possible else Verdict("undecided", METHOD, possible_reason(possible))
    point = whole(claim, known, domain, found.witness or {})
    if point is None:
        return Verdict("undecided", METHOD, "it fails for real numbers; whether for whole ones was not found")
    if not extends(claim, point, domain, definitions):
        return Verdict("undecided", METHOD, "fails by those of the premises that are linear; not all are")
    return refuted(claim, point, domain)


def split(domain: Domain) -> tuple[Condition, tuple[sp.Basic, ...]]:
    """The linear part of what is known on a domain, and the conditions that are not linear."""
    known: list[Condition] = list(declared(domain.symbols))
    others: list[sp.Basic] = []
    for condition in domain.conditions:
        found = premise(condition, domain)
        if found is None:
            others.append(condition)
        else:
            known.append(found)
    return all_of(known), tuple(others)


def admissible(known: Condition, others: tuple[sp.Basic, ...], domain: Domain, definitions: Definitions) -> bool | None:
    """Whether there is any point at all; ``None`` if that took too long."""
    if others or any(s.is_integer for s in domain.symbols):
        return next(points(domain, definitions=definitions), None) is not None
    try:
        return satisfiable(known) is not None
    except Undecided:
        return None


def possible_reason(possible: bool | None) -> str:
    return EMPTY if possible is False else "linear arithmetic took too long"


def complete(point: Mapping[str, Fraction], domain: Domain) -> dict[str, Fraction]:
    """A point with values for every symbol."""
    return {s.name: point.get(s.name, Fraction(1 if s.is_positive else 0)) for s in domain.symbols}


def whole(
    claim: Linear, known: Condition, domain: Domain, point: Mapping[str, Fraction], budget: int = SPLITS
) -> dict[str, Fraction] | None:
    """A counterexample at which parameters that are whole numbers are such, by branching."""
    todo = [(known, complete(point, domain))]
    for _ in range(budget):
        if not todo:
            return None
        facts, at = todo.pop(0)
        broken = [s.name for s in domain.symbols if s.is_integer and at[s.name].denominator != 1]
        if not broken:
            return at if holds(facts, at) and not holds(claim.claim, at) else None
        below = Fraction(at[broken[0]].__floor__())
        for half in (Compare("<=", variable(broken[0]), number(below)),
                     Compare(">=", variable(broken[0]), number(below + 1))):
            found = implied(all_of((facts, half)), claim.claim)
            if found.holds is False:
                todo.append((all_of((facts, half)), complete(found.witness or {}, domain)))
    return None


def extends(
    claim: Linear, point: Mapping[str, Fraction], domain: Domain, definitions: Definitions
) -> bool:
    """Whether all premises hold at a point, with other values for what the claim has nothing to do with."""
    names = relevant(claim, domain)
    values = {s: sp.Rational(*point[s.name].as_integer_ratio()) for s in domain.symbols if s.name in names}
    left = [c.xreplace(values) for c in domain.conditions]
    open_ = tuple(c for c in left if c is not sp.true)
    if sp.false in open_:
        return False
    if not open_ and not domain.grams:
        return True
    rest = tuple(s for s in domain.symbols if s not in values)
    return next(points(Domain(rest, domain.grams, open_), definitions=definitions), None) is not None


def relevant(claim: Linear, domain: Domain) -> set[str]:
    """The symbols of a claim, and those that linear premises tie them to."""
    found = set(variables_of(claim.claim))
    ties = [set(variables_of(c)) for c in (premise(c, domain) for c in domain.conditions) if c is not None]
    while True:
        more = set[str]().union(*(names for names in ties if names & found))
        if more <= found:
            return found
        found |= more


def by_symbol(point: Mapping[str, Fraction], domain: Domain) -> dict[Symbol, Fraction]:
    return {s: point[s.name] for s in domain.symbols}


def refuted(claim: Linear, point: Mapping[str, Fraction], domain: Domain) -> Verdict:
    """The verdict with the point and both sides there; only the symbols that matter are named."""
    used = variables_of(claim.claim)
    shown = {s: q for s, q in by_symbol(point, domain).items() if s.name in used}
    sides = [holds(s, point) if is_condition(s) else evaluate(s, point) for s in claim.sides]  # type: ignore[arg-type]
    return Verdict("refuted", METHOD, "", MappingProxyType(shown), sides[0], sides[1] if len(sides) > 1 else None)


def is_condition(value: Expression | Condition) -> bool:
    return isinstance(value, Condition)


__all__ = ["METHOD", "Linear", "comparison", "decide_linear", "equivalence", "is_piecewise", "leaves"]
