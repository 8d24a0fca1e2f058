"""Vertices and extreme rays of a polyhedron without lines, by PPL if installed or by the double description method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from importlib.util import find_spec
from math import gcd, lcm
from typing import Literal

from flint import fmpq_mat

from tpsym.polyhedra.forms import Form

Vertex = Mapping[str, Fraction]
Direction = Mapping[str, Fraction]
Engine = Literal["ppl", "own"]
Row = tuple[int, ...]


def extreme_points_and_rays(
    constraints: Iterable[Form], names: Sequence[str], *, engine: Engine | None = None
) -> tuple[tuple[Vertex, ...], tuple[Direction, ...]]:
    """Vertices and rays, in coprime integers, of the points with all constraints ``>= 0`` in the space of the names.

    ``engine`` None: PPL if it is installed. The polyhedron has a point and no line. Nothing is sorted.

    Raises:
        ValueError: there is a line.
    """
    rows = [(1, *(0 for _ in names)), *(_row(form, names) for form in constraints if form.terms)]
    chosen = engine or ("ppl" if find_spec("ppl") else "own")
    found = _by_ppl(rows) if chosen == "ppl" else extreme_rays(rows)
    points = tuple(
        {name: Fraction(q, ray[0]) for name, q in zip(names, ray[1:], strict=True)} for ray in found if ray[0]
    )
    rays = tuple({name: Fraction(q) for name, q in zip(names, ray[1:], strict=True)} for ray in found if not ray[0])
    return points, rays


def _row(form: Form, names: Sequence[str]) -> Row:
    values = (form.constant, *(form.coefficient(name) for name in names))
    below = lcm(*(q.denominator for q in values))
    return _primitive([int(q * below) for q in values])


def _primitive(values: Sequence[int]) -> Row:
    common = gcd(*values) or 1
    return tuple(q // common for q in values)


def _by_ppl(rows: Sequence[Row]) -> list[Row]:
    import ppl

    size = len(rows[0]) - 1
    system = ppl.Constraint_System()
    for level, *slopes in rows[1:]:
        system.insert(ppl.Linear_Expression(slopes, level) >= 0)
    body = ppl.C_Polyhedron(size, "universe")
    body.add_constraints(system)
    found = []
    for item in body.minimized_generators():
        if item.is_line():
            raise ValueError("a polyhedron with a line has no vertices")
        level = int(item.divisor()) if item.is_point() else 0
        found.append(_primitive([level, *(int(item.coefficient(ppl.Variable(i))) for i in range(size))]))
    return found


# --- double description ----------------------------------------------------------------------------


def extreme_rays(rows: Sequence[Row]) -> list[Row]:
    """Those of the cone of all x with ``row · x >= 0``, as coprime integers (Motzkin et al. 1953).

    Raises:
        ValueError: the cone contains a line.
    """
    start = _independent(rows)
    size = len(rows[0])
    if len(start) < size:
        raise ValueError("a cone with a line has no extreme rays")
    inverse = fmpq_mat(size, size, [q for i in start for q in rows[i]]).inv()
    rays = [_integers([inverse[i, j] for i in range(size)]) for j in range(size)]
    done = list(start)
    tight = {ray: sum(1 << k for k, i in enumerate(done) if not _dot(rows[i], ray)) for ray in rays}
    for i in range(len(rows)):
        if i not in start:
            tight = _cut(tight, rows[i], bit=1 << len(done))
            done.append(i)
    return list(tight)


def _cut(tight: Mapping[Row, int], row: Row, *, bit: int) -> dict[Row, int]:
    """The rays, each with the set of rows it makes zero, of the cone cut by one more row."""
    level = {ray: _dot(row, ray) for ray in tight}
    above = [ray for ray in tight if level[ray] > 0]
    below = [ray for ray in tight if level[ray] < 0]
    kept = {ray: zeros | (0 if level[ray] else bit) for ray, zeros in tight.items() if level[ray] >= 0}
    for p in above:
        for q in below:
            common = tight[p] & tight[q]
            if any(common & zeros == common for ray, zeros in tight.items() if ray not in (p, q)):
                continue
            a, b = level[p], -level[q]
            kept[_primitive([b * x + a * y for x, y in zip(p, q, strict=True)])] = common | bit
    return kept


def _dot(row: Row, ray: Row) -> int:
    return sum(a * b for a, b in zip(row, ray, strict=True))


def _independent(rows: Sequence[Row]) -> list[int]:
    """The numbers of the first rows that span all of them."""
    reduced: list[tuple[int, list[Fraction]]] = []
    found = []
    for i, row in enumerate(rows):
        values = [Fraction(q) for q in row]
        for place, old in reduced:
            if values[place]:
                values = [a - b * values[place] for a, b in zip(values, old, strict=True)]
        place = next((j for j, q in enumerate(values) if q), -1)
        if place >= 0:
            reduced.append((place, [q / values[place] for q in values]))
            found.append(i)
    return found


def _integers(values: Sequence[object]) -> Row:
    fractions = [Fraction(str(q)) for q in values]
    below = lcm(*(q.denominator for q in fractions))
    return _primitive([int(q * below) for q in fractions])
