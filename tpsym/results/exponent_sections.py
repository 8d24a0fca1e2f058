"""Plane sections of the stable region, coloured by regime: what a figure of it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from tpsym.errors import Span, fail
from tpsym.polyhedra.elimination import in_order, solved
from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.results.exponent_points import NamedPoint, named_points, regime_at
from tpsym.results.exponent_regions import gauge
from tpsym.scaling.regimes import Scaling

Point = Mapping[str, Fraction]
Corner = tuple[Fraction, Fraction]
HALF = Fraction(1, 2)
FAR = Fraction(1000)
"""How far along a plane its section is looked at before the figure cuts it off."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A part of the border of the region in the plane, with the regime on its inside."""

    start: Corner
    end: Corner
    regime: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A named parametrisation or a vertex of the region in the plane."""

    place: Corner
    title: str
    regime: str


@dataclass(frozen=True, slots=True)
class RegionSection:
    """The stable region in a plane with coordinates ``x`` and ``y``, inside ``box`` (left, right, low, high).

    ``corners`` go round the polygon of regime ``inside``; everything outside is unstable. ``marks`` are what has a
    name. All over the plane the forms ``held`` are zero.
    """

    x: Form
    y: Form
    box: tuple[Fraction, Fraction, Fraction, Fraction]
    corners: tuple[Corner, ...]
    inside: str
    edges: tuple[Edge, ...]
    marks: tuple[Mark, ...]
    held: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """What every section of one region needs: ``invariants`` are coordinates that tell points apart up to its lines."""

    scaling: Scaling
    region: Polyhedron
    named: tuple[NamedPoint, ...]
    invariants: tuple[Form, ...]

    def signature(self, point: Point) -> tuple[Fraction, ...]:
        """What is the same for points that differ by a line of the region alone."""
        return tuple(form.value(point) for form in self.invariants)


@dataclass(frozen=True, slots=True)
class Plane:
    """``base + s·across + t·up``, with the forms that are its coordinates."""

    base: Point
    across: Point
    up: Point
    x: Form
    y: Form

    def at(self, corner: Corner) -> Point:
        """The point with coordinates x and y."""
        s, t = self._parameters(corner)
        return {v: q + s * self.across[v] + t * self.up[v] for v, q in self.base.items()}

    def _parameters(self, corner: Corner) -> Corner:
        (a, b), (c, d) = (_slopes(form, self) for form in (self.x, self.y))
        u, v = corner[0] - self.x.value(self.base), corner[1] - self.y.value(self.base)
        det = a * d - b * c
        return (u * d - b * v) / det, (a * v - u * c) / det

    def place(self, s: Fraction, t: Fraction) -> Corner:
        """The coordinates of base + s·across + t·up."""
        (a, b), (c, d) = (_slopes(form, self) for form in (self.x, self.y))
        return self.x.value(self.base) + a * s + b * t, self.y.value(self.base) + c * s + d * t


def section(scaling: Scaling, *, x: Form | None = None, y: Form | None = None, span: Span) -> RegionSection:
    """A section through the named parametrisations of the family that shows as many regimes as there are.

    ``x`` and ``y`` are the coordinates; without them short ones are taken that lines of the region leave alone.

    Raises:
        TpError: ``no-figure`` if the region is empty, no polyhedron, or has less than two dimensions modulo its lines,
            or if x and y are no coordinates.
    """
    region = scaling.polyhedron
    if region is None:
        raise fail("no-figure", "the stable region is empty or no polyhedron", span)
    scene = Scene(scaling, region, named_points(scaling), tuple(region.quotient().coordinates.values()))
    found = [_drawn(scene, plane) for plane in _planes(scene, x, y)]
    if not found:
        what = "the stable region has no plane section with these coordinates" if x or y else \
            "the stable region has less than two dimensions, up to equivalence"
        raise fail("no-figure", what, span)
    return max(found, key=_worth)


def _worth(drawn: RegionSection) -> tuple[object, ...]:
    named = len({mark.place for mark in drawn.marks})
    regimes = {drawn.inside, *(edge.regime for edge in drawn.edges), *(mark.regime for mark in drawn.marks)}
    return named, len(regimes), drawn.inside != "trivial", -len(str(drawn.x)) - len(str(drawn.y))


def _planes(scene: Scene, x: Form | None, y: Form | None) -> Iterator[Plane]:
    """Planes through two known points and a third or along a ray, or through one and along two rays."""
    found = scene.region.generators(gauge(scene.scaling, scene.region))
    forms = _coordinates(scene)
    known = [*(p.point for p in scene.named), *found.vertices]
    points = list({scene.signature(point): point for point in reversed(known)}.values())[::-1]
    rays = [dict(r) for r in found.rays]
    for base, other in combinations(points, 2):
        across = {v: other[v] - base[v] for v in base}
        later = points[points.index(other) + 1 :]
        for up in (*rays, *({v: p[v] - base[v] for v in base} for p in later)):
            yield from _plane(forms, (base, across, up), x, y)
    if len(points) == 1:
        for across, up in combinations(rays, 2):
            yield from _plane(forms, (points[0], across, up), x, y)


def _plane(
    forms: Sequence[Form], spanned: tuple[Point, Point, Point], x: Form | None, y: Form | None
) -> Iterator[Plane]:
    """The plane with its first pair of forms that are coordinates, if there is one."""
    base, across, up = spanned
    for first in [x] if x else forms:
        for second in [y] if y else forms:
            plane = Plane(base, across, up, first, second)
            (a, b), (c, d) = _slopes(first, plane), _slopes(second, plane)
            if a * d - b * c:
                yield plane
                return


def _coordinates(scene: Scene) -> list[Form]:
    """Short forms that the lines of the region leave alone: those of its facets, without constants."""
    known, region = scene.scaling.run.known, scene.region
    forms = {Form(Fraction(0), known.reduced(form).terms) for form in (*region.inequalities, *region.strict)}
    return sorted((form for form in forms if form.terms), key=lambda f: (len(f.terms), len(str(f)), str(f)))


def _slopes(form: Form, plane: Plane) -> Corner:
    slope = Form(Fraction(0), form.terms)
    return slope.value(plane.across), slope.value(plane.up)


# --- drawing -----------------------------------------------------------------------------------------


def _drawn(scene: Scene, plane: Plane) -> RegionSection:
    scaling, region = scene.scaling, scene.region
    whole = region.section(plane.base, plane.across, plane.up, box=(-FAR, FAR, -FAR, FAR))
    finite = [plane.place(s, t) for s, t in whole.corners if abs(s) < FAR and abs(t) < FAR]
    marks = _marks(scene, plane)
    box = _box([*finite, *(mark.place for mark in marks)])
    left, right, low, high = box
    origin = plane.at((left, low))
    one, two = ({v: plane.at(q)[v] - origin[v] for v in origin} for q in ((right, low), (left, high)))
    cut = region.section(origin, one, two, box=(Fraction(0), Fraction(1), Fraction(0), Fraction(1)))
    corners = tuple((left + s * (right - left), low + t * (high - low)) for s, t in cut.corners)
    edges = []
    for (p, q), border in zip(zip(corners, corners[1:] + corners[:1], strict=True), cut.borders, strict=True):
        if border and p != q:
            middle = ((p[0] + q[0]) * HALF, (p[1] + q[1]) * HALF)
            edges.append(Edge(p, q, regime_at(scaling, plane.at(middle))))
    count = max(len(corners), 1)
    centre = (sum((p[0] for p in corners), Fraction(0)) / count, sum((p[1] for p in corners), Fraction(0)) / count)
    return RegionSection(plane.x, plane.y, box, corners, regime_at(scaling, plane.at(centre)), tuple(edges), marks,
                         _held(scene, plane))


def _held(scene: Scene, plane: Plane) -> tuple[Form, ...]:
    """Short forms that are zero all over the plane, those that follow from others left out."""
    found: list[Form] = []
    for form in _coordinates(scene):
        if not any(_slopes(form, plane)):
            values = solved(found, in_order(form.variables.union(*(f.variables for f in found)))) or {}
            level = form - form.value(plane.base)
            found += [level] if level.substitute(values).terms else []
    return tuple(found)


def _marks(scene: Scene, plane: Plane) -> tuple[Mark, ...]:
    """Named parametrisations in the plane up to lines of the region, those at one place together."""
    places: dict[Corner, list[str]] = {}
    regimes: dict[Corner, str] = {}
    for named in scene.named:
        place = (plane.x.value(named.point), plane.y.value(named.point))
        if scene.signature(plane.at(place)) == scene.signature(named.point):
            places.setdefault(place, []).append(named.title)
            regimes[place] = named.regime
    return tuple(Mark(place, ", ".join(titles), regimes[place]) for place, titles in places.items())


def _box(places: Sequence[Corner]) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """A frame around these places with room on all sides."""
    xs, ys = [p[0] for p in places] or [Fraction(0)], [p[1] for p in places] or [Fraction(0)]
    size = max(max(xs) - min(xs), max(ys) - min(ys), HALF)
    before, after = size * HALF, size * HALF
    return min(xs) - before, max(xs) + after, min(ys) - before, max(ys) + after


__all__ = ["Edge", "Mark", "RegionSection", "section"]
