"""The stable region as tables: equations, facets, lines, vertices and rays, regimes of faces, named points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from sympy import Expr, Symbol

from tpsym.polyhedra.faces import Face
from tpsym.polyhedra.folding import written
from tpsym.polyhedra.forms import linear
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.results.answers import Cell, Piece, Table
from tpsym.results.exponent_points import NamedPoint, named_points, regime_at
from tpsym.results.exponent_tables import regimes_table, symbolic
from tpsym.scaling.regimes import Scaling

REGIMES = ("feature learning", "kernel", "trivial")


def region_tables(scaling: Scaling) -> tuple[Table, ...]:
    """Everything about the stable region; of a union each polyhedron by its equations and facets."""
    bodies = scaling.pieces
    if not bodies:
        return (Table("No values of the exponents are stable", ("",), ()),)
    if len(bodies) > 1:
        return tuple(_facets(scaling, body, f"Stable region, part {k} of {len(bodies)}")
                     for k, body in enumerate(bodies, 1))
    (body,) = bodies
    if not body.variables:
        return (Table("Stable, with no exponents left to choose", ("",), ()),)
    named = named_points(scaling)
    fix = gauge(scaling, body)
    found = body.generators(fix)
    faces = body.faces(fix)
    tables = [_facets(scaling, body, "Stable region", faces=faces)]
    if found.lineality:
        tables.append(_lines(found.lineality))
    tables.append(_corners(scaling, body, found.vertices, found.rays, named))
    if named:
        tables.append(_named(body, named))
    tables.append(_regimes(scaling, faces))
    return tuple(tables)


def condition_tables(scaling: Scaling, name: str) -> tuple[Table, ...]:
    """One condition of an analysis; ``r`` in it is explained."""
    table = regimes_table(scaling)
    title, start = name.replace("_", " "), [str(row[0]) for row in table.rows]
    if title not in start:
        return (Table("", ("", "if and only if"), ((title, getattr(scaling, name)),)),)
    return (table,)


def gauge(scaling: Scaling, body: Polyhedron) -> tuple[str, ...]:
    """Variables that the representatives of vertices have zero where the lines of the region allow it: those of
    entries, later ones first, so that vertices show multipliers and rates."""
    names = {v for a in scaling.run.setting.arrays for v in a.deviation.variables}
    rates = {v for a in scaling.run.setting.arrays for v in a.rate.variables}
    order = [v for v in body.variables if v not in names and v not in rates]
    return (*(v for v in body.variables if v in names), *order)


# --- facets ------------------------------------------------------------------------------------------


def _facets(scaling: Scaling, body: Polyhedron, title: str, *, faces: Sequence[Face] = ()) -> Table:
    """Equations, and numbered inequalities with the regime on the facet if there are ``faces``."""
    known = scaling.run.known
    small = body.minimal([v for a in scaling.run.setting.arrays for v in sorted(a.deviation.variables)])
    rows: list[tuple[Cell, ...]] = [("", written("==", form), "") for form in small.equalities]
    regimes = {face.tight[0]: regime_at(scaling, middle(face)) for face in faces if len(face.tight) == 1}
    weak, strict = body.minimal().inequalities, body.minimal().strict
    for k, form in enumerate((*weak, *strict)):
        op = ">=" if k < len(weak) else ">"
        rows.append((f"({k + 1})", written(op, known.reduced(form)), regimes.get(k, "")))
    inside = body.interior_point()
    note = f"Inside: {regime_at(scaling, inside)}. None of the conditions follows from the others." if inside else ""
    return Table(title, ("", "condition", "regime at equality" if faces else ""), tuple(rows), note)


def middle(face: Face) -> Mapping[str, Fraction]:
    """A point of the relative interior of a face."""
    share = Fraction(1, len(face.vertices))
    point = {name: sum((v[name] for v in face.vertices), Fraction(0)) * share for name in face.vertices[0]}
    for ray in face.rays:
        point = {name: q + ray[name] for name, q in point.items()}
    return point


def _lines(lineality: Sequence[Mapping[str, Fraction]]) -> Table:
    """The directions along which nothing changes."""
    rows: list[tuple[Cell, ...]] = []
    theta = "θ" if len(lineality) == 1 else ""
    for k, line in enumerate(lineality, 1):
        rows.append((tuple(_moves(line, theta or f"θ_{k}")),))
    note = "Along a line of the region no condition changes; of each class one point is shown."
    return Table("Gauge: what follows holds up to", ("",), tuple(rows), note)


def _moves(line: Mapping[str, Fraction], theta: str) -> Iterator[Piece]:
    step = Symbol("theta" + theta[1:].replace("_", "[") + ("]" if "_" in theta else ""), real=True)
    for k, (name, q) in enumerate((v, q) for v, q in line.items() if q):
        if k:
            yield ", "
        variable = Symbol(name, real=True)
        yield variable
        yield " → "
        yield variable + _number(q) * step


def _number(q: Fraction) -> Expr:
    return symbolic(linear(q, ()))


# --- vertices ----------------------------------------------------------------------------------------


def _corners(
    scaling: Scaling, body: Polyhedron, vertices: Sequence[Mapping[str, Fraction]],
    rays: Sequence[Mapping[str, Fraction]], named: Iterable[NamedPoint],
) -> Table:
    """Vertices and rays up to the gauge, with their regimes and names."""
    names = body.variables
    rows: list[tuple[Cell, ...]] = []
    for k, vertex in enumerate(vertices, 1):
        known = [p.title for p in named if same_class(body, p.point, vertex)]
        what = "; ".join([regime_at(scaling, vertex), *([", ".join(known)] if known else [])])
        rows.append((f"vertex {k}", *(_number(vertex[v]) for v in names), what))
    for k, ray in enumerate(rays, 1):
        rows.append((f"ray {k}", *(_number(ray[v]) for v in names), "direction"))
    return Table("Vertices and rays", ("", *_headings(names), ""), tuple(rows))


def _headings(names: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(Symbol(name, real=True) for name in names)


def same_class(body: Polyhedron, a: Mapping[str, Fraction], b: Mapping[str, Fraction]) -> bool:
    """Whether two points differ by a line of a polyhedron alone."""
    coordinates = body.quotient().coordinates
    return all(form.value(a) == form.value(b) for form in coordinates.values())


def _named(body: Polyhedron, named: Sequence[NamedPoint]) -> Table:
    rows = [(p.title, *(_number(p.point[v]) for v in body.variables), p.regime) for p in named]
    note = "With the largest stable learning rates; up to the gauge where multipliers are concerned."
    return Table("Named parametrisations of this family", ("", *_headings(body.variables), "regime"), tuple(rows), note)


# --- regimes of faces --------------------------------------------------------------------------------


def _regimes(scaling: Scaling, faces: Sequence[Face]) -> Table:
    """For each regime the largest faces on whose inside it holds, by the numbers of the conditions that are tight."""
    rows: list[tuple[Cell, ...]] = []
    regimes = [(frozenset(face.tight), regime_at(scaling, middle(face))) for face in faces]
    for regime in REGIMES:
        tight = [t for t, other in regimes if other == regime]
        largest = sorted((t for t in tight if not any(o < t for o in tight)), key=lambda t: (len(t), sorted(t)))
        if largest:
            ways = (" and ".join(f"({i + 1})" for i in sorted(t)) or "none" for t in largest)
            rows.append((regime, " or ".join(ways)))
    note = "Where conditions of several regimes hold with equality, it is the first one of them."
    return Table("Regimes by the conditions that hold with equality", ("regime", "with equality"), tuple(rows), note)


__all__ = ["condition_tables", "gauge", "middle", "region_tables", "same_class"]
