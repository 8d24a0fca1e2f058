"""Factors without variance, and steps of coinciding directions: what conditioning leaves behind."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from flint import fmpq

from tpsym.functions import step
from tpsym.gauss.field import Frac
from tpsym.gauss.law import Form, Law
from tpsym.gauss.terms import Term, slot
from tpsym.gauss.values import Algebra, Value


def without_constants(algebra: Algebra, law: Law, term: Term) -> tuple[Value, Term]:
    """The factors that have no variance under the law, as a constant, and the term without them."""
    value, steps = algebra.one, []
    for form in term.steps:
        if law.variance(form):
            steps.append(form)
        else:
            value = value * constant_step(algebra, law.at(form))
    powers = list(term.powers)
    for i, k in enumerate(term.powers):
        if k and not law.covariance[i][i]:
            powers[i] = 0
            for _ in range(k):
                value = value.scale(law.mean[i])
    constants = [(o, k) for o, k in term.opaques if not any(law.variance(f) for f in o.forms)]
    for opaque, k in constants:
        at = {slot(j): algebra.ratio(law.at(f)) for j, f in enumerate(opaque.forms)}
        value = value * algebra.opaque(opaque.expr.xreplace(at) ** k)
    opaques = tuple(p for p in term.opaques if p not in constants)
    return value, replace(term, powers=tuple(powers), steps=tuple(steps), opaques=opaques)


def constant_step(algebra: Algebra, at: Frac) -> Value:
    """step of a constant; at 0, which only a point mass leads to, the weak product step·δ = δ/2."""
    if not at:
        return algebra.scalar(algebra.field.constant(fmpq(1, 2)))
    return algebra.opaque(step(algebra.ratio(at)))


def without_coincidence(algebra: Algebra, law: Law, term: Term) -> list[tuple[Value, Term]] | None:
    """Two steps of one direction expressed through one step; None if no two coincide.

    With a = x + m, b = r (x + n) and d = m − n: for r > 0, step(a) step(b) = step(b) if d > 0, else
    step(a); for r < 0 it is step(a) + step(b) − 1 if d > 0, else 0.
    """
    for a, b in combinations(term.steps, 2):
        between = law.between(a, b)
        if not between or between * between != law.variance(a) * law.variance(b):
            continue
        ratio = between / law.variance(b)
        sign, gap = algebra.ratio(ratio), law.at(a) - ratio * law.at(b)
        first, second, none = kept(term, a, b)
        larger = algebra.opaque(step(algebra.ratio(gap))) if gap else Value({})
        minus = algebra.scalar(algebra.field.constant(-1))
        if sign.is_positive:
            return [(larger, second), (algebra.one + minus * larger, first)]
        if sign.is_negative:
            return [(larger, first), (larger, second), (minus * larger, none)]
    return None


def kept(term: Term, a: Form, b: Form) -> tuple[Term, Term, Term]:
    """The term with only the first, only the second and neither of two steps."""
    others = list(term.steps)
    others.remove(a)
    others.remove(b)
    rest = tuple(others)
    return replace(term, steps=(a, *rest)), replace(term, steps=(b, *rest)), replace(term, steps=rest)
