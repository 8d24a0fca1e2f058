"""The faces of a polyhedron from its facets and generators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tpsym.polyhedra.elimination import rank
from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.generators import Direction, Vertex


@dataclass(frozen=True)
class Face:
    """A face: ``tight`` are the numbers of the inequalities that hold with equality on all of it.

    ``dimension`` is that modulo the lineality space: 0 for a vertex, 1 for an edge.
    """

    tight: tuple[int, ...]
    vertices: tuple[Vertex, ...]
    rays: tuple[Direction, ...]
    dimension: int


def face_lattice(facets: Sequence[Form], vertices: Sequence[Vertex], rays: Sequence[Direction]) -> tuple[Face, ...]:
    """All faces that are not empty, by dimension; the facets are irredundant and none is an equality."""
    count = len(vertices)
    members = [
        frozenset(i for i, p in enumerate(vertices) if form.value(p) == 0)
        | frozenset(count + i for i, r in enumerate(rays) if Form(Fraction(0), form.terms).value(r) == 0)
        for form in facets
    ]
    whole = frozenset(range(count + len(rays)))
    found = {whole} if count else set()
    todo = list(found)
    while todo:
        face = todo.pop()
        smaller = {face & member for member in members} - found
        new = [inner for inner in smaller if inner and min(inner) < count]
        found.update(new)
        todo.extend(new)
    faces = [_face(inner, members, vertices, rays) for inner in found]
    return tuple(sorted(faces, key=lambda face: (face.dimension, face.tight)))


def _face(
    inner: frozenset[int], members: Sequence[frozenset[int]], vertices: Sequence[Vertex], rays: Sequence[Direction]
) -> Face:
    count = len(vertices)
    corners = tuple(vertices[i] for i in sorted(inner) if i < count)
    ways = tuple(rays[i - count] for i in sorted(inner) if i >= count)
    base = corners[0]
    spanned = [[q - base[name] for name, q in corner.items()] for corner in corners[1:]]
    tight = tuple(i for i, member in enumerate(members) if inner <= member)
    return Face(tight, corners, ways, rank([*spanned, *(list(way.values()) for way in ways)]))
