"""What ``derive spectrum(A)`` and ``derive law.support`` state."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span
from tpsym.freeprob.diagonals import reflected
from tpsym.gauss.numeric import value as ball_value
from tpsym.program.values import Endpoints, Operator, Theory
from tpsym.results.answers import Answer, Cell, Table, needed
from tpsym.results.derive import new_steps, theorem_text
from tpsym.results.reasons import NoLimit
from tpsym.results.spectra import attribute, by_condition
from tpsym.results.spectrum_steps import equation_steps
from tpsym.results.vector_route import matrix_name, moment_by_vectors, moment_name, orders

if TYPE_CHECKING:
    from tpsym.freeprob.spectrum import Spectrum
    from tpsym.results.questions import LimitQuestions

MOMENTS = 6
"""Moments that are stated."""
DIGITS = 12
LONG = 80
"""Operations of a moment that fits into a table."""
G, Z, T = Symbol("G", real=True), Symbol("z", real=True), Symbol("t", real=True)


def spectrum_answers(
    side: LimitQuestions, value: Theory | Endpoints, text: str, span: Span, told: set[int]
) -> Iterator[Answer]:
    """The equation of the Cauchy transform with edges, atoms and moments; the density; the moments through vectors.

    Raises:
        NoLimit: the law is not known.
    """
    if isinstance(value, Endpoints):
        yield Answer(text, Symbol(text), Symbol(text), (), (), span, tables=(_endpoints(value),),
                     note="; ".join(side.guesses))
        return
    law: Spectrum = value.content()
    covered = tuple(theorem_text(found) for found in side.theorems)[-1:]
    side.theorems.clear()
    moments = _moments(side, law, span)
    try:
        equation = _collected(attribute(side, law, "equation", (G, Z), span))
    except NoLimit as refusal:
        note = "; ".join((*covered, f"no equation of the Cauchy transform: {refusal.reason}"))
        yield Answer(text, Symbol(text), Symbol(text), (), (), span, tables=(moments,), note=note)
    else:
        note = "; ".join((*covered, *side.guesses, f"G(z) = lim tr 1/(z - {matrix_name(text)})"))
        tables = tuple(t for t in (_edges(side, law, span), _atoms(law), moments) if t is not None)
        steps = equation_steps(law, equation, matrix_name(text), span)
        yield Answer(text, equation, S.Zero, (), steps, span, note=note, tables=tables)
        yield from _density(side, law, text, span)
    assert isinstance(value.subject, Operator)
    yield from _by_vectors(side, law, value.subject, text, span, told)


def _collected(equation: Expr) -> Expr:
    """By powers of G, signs in front of sums."""
    terms = []
    for (power,), coefficient in sp.Poly(equation, G).terms():
        factors = sp.factor_terms(coefficient)
        minus = factors.could_extract_minus_sign()
        terms.append(sp.Mul(-1 if minus else 1, G**power, -factors if minus else factors))
    return sp.Add(*terms)


# --- tables --------------------------------------------------------------------------------------------


def _moments(side: LimitQuestions, law: Spectrum, span: Span) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for k in range(1, MOMENTS + 1):
        row = tuple(attribute(side, law, name, (k,), span) for name in ("moment", "free_cumulant"))
        if any(sp.count_ops(e) > LONG for e in row) and rows:
            break
        rows.append((str(k), *row))
    return Table("Moments", ("k", "moment", "free cumulant"), tuple(rows))


def _edges(side: LimitQuestions, law: Spectrum, span: Span) -> Table | None:
    """Endpoints with the exponents of the density beside them; cases of a parameter side by side."""
    try:
        ends, exponents = (attribute(side, law, name, (1,), span) for name in ("edge", "edge_exponent"))
    except NoLimit:
        return None
    rows: list[tuple[Cell, ...]] = []
    for condition, values in ends:
        for k, end in enumerate(values):
            near = [(c, e[k]) for c, e in exponents if len(e) == len(values)]
            where = () if condition == sp.true else (condition,)
            rows.append((_with_digits(end), by_condition(near) if near else "", *where))
    several = any(len(row) > 2 for row in rows)
    columns: tuple[Cell, ...] = ("edge", "exponent of the density", *(("where",) if several else ()))
    return Table("Support", columns, tuple(rows)) if rows else None


def _with_digits(end: Expr) -> Cell:
    """A root that has no radicals with its first digits, all certain."""
    if not isinstance(end, sp.CRootOf):
        return end
    below = end.eval_rational(dx=sp.Rational(1, 10**DIGITS))
    return (end, f" ≈ {sp.N(below, DIGITS - 2)}".replace("-", "−"))


def _endpoints(found: Endpoints) -> Table:
    several = len(found.cases) > 1
    rows = tuple(
        (_with_digits(end), *((condition,) if several else ())) for condition, values in found.cases for end in values
    )
    return Table("Support", ("edge", *(("where",) if several else ())), rows)


def _atoms(law: Spectrum) -> Table | None:
    from tpsym.freeprob.failures import Unavailable

    try:
        found = law.atoms()
    except Unavailable:
        return None
    rows = tuple(
        (point, mass, *(() if condition == sp.true else (condition,)))
        for condition, pairs in found for point, mass in pairs
    )
    several = any(len(row) > 2 for row in rows)
    columns: tuple[Cell, ...] = ("point", "mass", *(("where",) if several else ()))
    return Table("Atoms", columns, rows) if rows else None


# --- the density, the vectors ----------------------------------------------------------------------------


def _density(side: LimitQuestions, law: Spectrum, text: str, span: Span) -> Iterator[Answer]:
    try:
        value = attribute(side, law, "density", (T,), span)
    except NoLimit:
        return
    name = Symbol(f"{text}.density(t)", real=True)
    roots = sorted(value.atoms(sp.CRootOf), key=lambda r: r.eval_rational(dx=sp.Rational(1, 10**6)))
    named = {root: Symbol(f"t[{k}]", real=True) for k, root in enumerate(roots, start=1)}
    yield Answer(text, name, value.xreplace(named), tuple((s, r) for r, s in named.items()), (), span,
                 note="; ".join(side.guesses))


def _by_vectors(
    side: LimitQuestions, law: Spectrum, matrix: Operator, text: str, span: Span, told: set[int]
) -> Iterator[Answer]:
    """The same moments by the Master Theorem applied to z ↦ A z."""
    for k in orders(matrix):
        side.forget()
        try:
            value = moment_by_vectors(side, matrix, k, text, span)
        except NoLimit:
            return
        if differ(side, value, law.moment(k)):
            raise AssertionError(f"the two derivations of moment {k} of {text} differ: {value} and {law.moment(k)}")
        note = f"by the Master Theorem on z[t+1] = {matrix_name(text)} z[t]"
        yield Answer(text, moment_name(text, k), value, (), new_steps(side, told), span, note=note)


def differ(side: LimitQuestions, first: Expr, second: Expr) -> bool:
    """Whether two numbers over named values are certainly not equal: their forms differ, and so do their values."""
    definitions = side.limit.definitions
    gap = reflected(first - second)
    if gap == 0:
        return False
    free = set().union(*(e.free_symbols for e in (gap, *(e for _, e in needed(gap, definitions)))))
    at = {s: Fraction(3 + i, 7 + 3 * i) for i, s in enumerate(sorted(free - definitions.keys(), key=str))}
    found, _ = ball_value(gap, at, definitions=definitions)
    return bool(found.known and found.rigorous and not found.value.contains(0))


__all__ = ["differ", "spectrum_answers"]
