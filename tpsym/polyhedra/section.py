"""Plane sections of polyhedra, clipped to a box: what a figure draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.trees import Point

Corner = tuple[Fraction, Fraction]
Line = tuple[Fraction, Fraction, Fraction]
"""``(a, b, c)`` for ``a s + b t + c``."""


@dataclass(frozen=True)
class Section:
    """A polygon, counterclockwise from its least corner; one corner: a point, two: a segment, none: nothing.

    ``borders[i]``: whether the edge from corner i to the next belongs to the border of the polyhedron, not to the box
    alone.
    """

    corners: tuple[Corner, ...]
    borders: tuple[bool, ...]


def clipped_section(
    constraints: Iterable[Form],
    point: Point,
    across: Mapping[str, Fraction],
    up: Mapping[str, Fraction],
    box: tuple[Fraction, Fraction, Fraction, Fraction],
) -> Section:
    """All (s, t) in the box where every constraint is ``>= 0`` at ``point + s·across + t·up``.

    Coordinates not given are zero.
    """
    lines = [_line(form, point, across, up) for form in constraints]
    left, right, low, high = map(Fraction, box)
    if left > right or low > high:
        return Section((), ())
    corners = _distinct([(left, low), (right, low), (right, high), (left, high)])
    for line in lines:
        corners = _clipped(corners, line)
    corners = _extreme(corners)
    ends = zip(corners, corners[1:] + corners[:1], strict=True)
    borders = tuple(
        any((a or b) and _value(line, p) == 0 == _value(line, q) for line in lines for a, b, _ in [line])
        for p, q in ends
    )
    return Section(tuple(corners), borders)


def _line(form: Form, point: Point, across: Mapping[str, Fraction], up: Mapping[str, Fraction]) -> Line:
    zero = Fraction(0)
    a = sum((q * across.get(name, zero) for name, q in form.terms), zero)
    b = sum((q * up.get(name, zero) for name, q in form.terms), zero)
    return a, b, form.constant + sum((q * point.get(name, zero) for name, q in form.terms), zero)


def _value(line: Line, corner: Corner) -> Fraction:
    return line[0] * corner[0] + line[1] * corner[1] + line[2]


def _clipped(corners: list[Corner], line: Line) -> list[Corner]:
    kept: list[Corner] = []
    for p, q in zip(corners, corners[1:] + corners[:1], strict=True):
        here, there = _value(line, p), _value(line, q)
        if here >= 0:
            kept.append(p)
        if (here < 0 < there) or (there < 0 < here):
            share = here / (here - there)
            kept.append((p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])))
    return _distinct(kept)


def _distinct(corners: list[Corner]) -> list[Corner]:
    return list(dict.fromkeys(corners))


def _extreme(corners: list[Corner]) -> list[Corner]:
    """Without corners in the middle of an edge, from the least one on."""
    if len(corners) > 2:
        before, after = corners[-1:] + corners[:-1], corners[1:] + corners[:1]
        kept = [q for p, q, r in zip(before, corners, after, strict=True) if _turn(p, q, r)]
        corners = kept or [min(corners), max(corners)]
    start = corners.index(min(corners)) if corners else 0
    return corners[start:] + corners[:start]


def _turn(p: Corner, q: Corner, r: Corner) -> Fraction:
    return (q[0] - p[0]) * (r[1] - q[1]) - (q[1] - p[1]) * (r[0] - q[0])
