"""Gaussian elimination on affine forms, and the scalings in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

from tpsym.polyhedra.forms import Form, linear
from tpsym.polyhedra.names import natural


def solved(equalities: Iterable[Form], order: Sequence[str]) -> dict[str, Form] | None:
    """Variables, the earliest in the order that can be, as forms in the others; None: no point satisfies ``form == 0``.

    The order names every variable that occurs.
    """
    rest = [form for form in equalities if form.terms or form.constant]
    found: dict[str, Form] = {}
    for name in order:
        pivot = next((form for form in rest if form.coefficient(name)), None)
        if pivot is None:
            continue
        q = pivot.coefficient(name)
        value = linear(-pivot.constant / q, ((v, -c / q) for v, c in pivot.terms if v != name))
        found = {old: form.substitute({name: value}) for old, form in found.items()} | {name: value}
        rest = [form for form in (f.substitute({name: value}) for f in rest) if form.terms or form.constant]
    return None if rest else found


def in_order(names: Iterable[str], first: Sequence[str] = ()) -> tuple[str, ...]:
    """All names: those in ``first`` as given, then the others as people sort them."""
    everything = set(names)
    given = [name for name in dict.fromkeys(first) if name in everything]
    return (*given, *sorted(everything.difference(given), key=natural))


def scaled(form: Form) -> Form:
    """The positive multiple whose coefficients, without the constant, are coprime integers."""
    if not form.terms:
        return Form(Fraction((form.constant > 0) - (form.constant < 0)))
    return form * (1 / _content([q for _, q in form.terms]))


def _content(values: Iterable[Fraction]) -> Fraction:
    kept = list(values)
    below = lcm(*(q.denominator for q in kept))
    return Fraction(gcd(*(int(q * below) for q in kept)), below)


def scaled_direction(direction: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The positive multiple whose coordinates are coprime integers; zero stays."""
    if not any(direction.values()):
        return dict(direction)
    content = _content(direction.values())
    return {name: q / content for name, q in direction.items()}


def sorting_key(form: Form) -> tuple[object, ...]:
    """Short forms first, then by the names in them."""
    return (len(form.terms), [(natural(name), -q) for name, q in form.terms], form.constant)


def rank(rows: Iterable[Sequence[Fraction]]) -> int:
    """That of a matrix."""
    left, found = [list(row) for row in rows], 0
    while left:
        row = left.pop()
        place = next((i for i, q in enumerate(row) if q), None)
        if place is None:
            continue
        found += 1
        left = [[b - a * other[place] / row[place] for a, b in zip(row, other, strict=True)] for other in left]
    return found
