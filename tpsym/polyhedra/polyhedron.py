"""Convex polyhedra by exact equalities and inequalities, strict ones apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from tpsym.polyhedra.decide import EFFORT, Solver, Unbounded, satisfiable
from tpsym.polyhedra.elimination import in_order, scaled, scaled_direction, solved, sorting_key
from tpsym.polyhedra.faces import Face, face_lattice
from tpsym.polyhedra.forms import Form, linear, number, variable
from tpsym.polyhedra.generators import Direction, Engine, Vertex, extreme_points_and_rays
from tpsym.polyhedra.normal import Literal
from tpsym.polyhedra.optimum import supremum
from tpsym.polyhedra.redundancy import condition, denial, implied_equalities, irredundant, tidied
from tpsym.polyhedra.section import Section, clipped_section
from tpsym.polyhedra.trees import Compare, Condition, Point, all_of, any_of

ZERO = number(0)
NOWHERE = number(1)
"""``1 == 0``: how an empty polyhedron says so."""


@dataclass(frozen=True)
class Generators:
    """``conv(vertices) + cone(rays) + span(lineality)``: one vertex and ray for each class modulo the lineality space.

    The variables ``fixed`` are zero in all vertices and rays; their number is the dimension of the lineality space.
    """

    vertices: tuple[Vertex, ...]
    rays: tuple[Direction, ...]
    lineality: tuple[Direction, ...]
    fixed: tuple[str, ...]


@dataclass(frozen=True)
class Quotient:
    """A polyhedron modulo its lineality space.

    ``polyhedron``: its section where the ``fixed`` variables are zero, with no line in it; ``coordinates``: each
    remaining variable of the section as the form that is constant along the lineality space and agrees there.
    """

    polyhedron: Polyhedron
    fixed: tuple[str, ...]
    coordinates: Mapping[str, Form]


@dataclass(frozen=True)
class Polyhedron:
    """The points with ``form == 0``, ``form >= 0`` and, for the strict ones, ``form > 0``.

    It lies in the space of all variables that occur and those named in ``space``. Vertices, rays, faces and sections
    are those of its closure. What decides by z3 raises ``Undecided`` if the work allowed did not suffice.
    """

    equalities: tuple[Form, ...] = ()
    inequalities: tuple[Form, ...] = ()
    strict: tuple[Form, ...] = ()
    space: tuple[str, ...] = field(default=())

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Those of the space, as people sort them."""
        used = (form.variables for form in (*self.equalities, *self.inequalities, *self.strict))
        return in_order(set(self.space).union(*used))

    @property
    def literals(self) -> tuple[Literal, ...]:
        """The inequalities, the strict ones last."""
        weak = (Literal(form, False) for form in self.inequalities)
        return (*weak, *(Literal(form, True) for form in self.strict))

    @property
    def condition(self) -> Condition:
        equal = (Compare("==", form, ZERO) for form in self.equalities)
        return all_of((*equal, *map(condition, self.literals)))

    def contains(self, point: Point) -> bool:
        """Whether a point, given with all coordinates, lies in it.

        Raises:
            KeyError: a coordinate is missing.
        """
        return all(form.value(point) == 0 for form in self.equalities) and all(
            literal.holds(point) for literal in self.literals
        )

    def intersection(self, other: Polyhedron) -> Polyhedron:
        """The points in both, in the space of both."""
        return Polyhedron(
            (*self.equalities, *other.equalities),
            (*self.inequalities, *other.inequalities),
            (*self.strict, *other.strict),
            in_order({*self.variables, *other.variables}),
        )

    # --- canonical form ----------------------------------------------------------------------------

    def minimal(self, eliminate: Sequence[str] = (), *, effort: int = EFFORT) -> Polyhedron:
        """The same points, nothing superfluous: for a closed polyhedron the same however it was described.

        Equalities, implied ones included, are in reduced echelon form: each is solved for one variable, those of
        ``eliminate`` first and in this order, which occurs nowhere else. Variables have coprime integer coefficients.
        """
        order = in_order(self.variables, eliminate)
        equalities: tuple[Form, ...] = self.equalities
        while True:
            values = solved(equalities, order)
            literals = None if values is None else tidied(
                Literal(item.form.substitute(values), item.strict) for item in self.literals
            )
            more = None if literals is None else implied_equalities(literals, effort=effort)
            if values is None or literals is None or more is None:
                return Polyhedron((NOWHERE,), space=self.variables)
            if not more:
                break
            equalities = (*equalities, *more)
        needed = irredundant(literals, effort=effort)
        return Polyhedron(
            tuple(scaled(variable(name) - values[name]) for name in order if name in values),
            tuple(sorted((item.form for item in needed if not item.strict), key=sorting_key)),
            tuple(sorted((item.form for item in needed if item.strict), key=sorting_key)),
            self.variables,
        )

    @cached_property
    def _minimal(self) -> Polyhedron:
        return self.minimal()

    @cached_property
    def is_empty(self) -> bool:
        return self._minimal.equalities == (NOWHERE,)

    @property
    def dimension(self) -> int:
        """That of the smallest affine space around it; -1 if it is empty."""
        return -1 if self.is_empty else len(self.variables) - len(self._minimal.equalities)

    def interior_point(self) -> Vertex | None:
        """A point of the relative interior, of small numbers where it may be; None if it is empty."""
        if self.is_empty:
            return None
        small = self._minimal
        inside = (Compare(">", form, ZERO) for form in (*small.inequalities, *small.strict))
        point = satisfiable(all_of((*(Compare("==", form, ZERO) for form in small.equalities), *inside)))
        return {name: (point or {}).get(name, Fraction(0)) for name in self.variables}

    def maximum(self, form: Form, *, effort: int = EFFORT) -> Fraction | Unbounded | None:
        """The supremum of a form; None if the polyhedron is empty."""
        if self.is_empty:
            return None
        closed = (*self.inequalities, *self.strict, *self.equalities, *(-form for form in self.equalities))
        return supremum(form, closed, effort=effort)

    def minimum(self, form: Form, *, effort: int = EFFORT) -> Fraction | Unbounded | None:
        """The infimum of a form; None if the polyhedron is empty."""
        found = self.maximum(-form, effort=effort)
        if isinstance(found, Unbounded):
            return Unbounded.BELOW
        return None if found is None else -found

    def covers(self, other: Polyhedron, *, effort: int = EFFORT) -> bool:
        """Whether the points of the other all lie in it."""
        outside = [*(Compare("!=", form, ZERO) for form in self.equalities), *map(denial, self.literals)]
        return not Solver(other.condition, any_of(outside), effort=effort).check()

    # --- lines -------------------------------------------------------------------------------------

    def _lines(self, fix: Sequence[str]) -> tuple[tuple[str, ...], tuple[Direction, ...]]:
        """Variables that a point of each class modulo the lineality space has zero, and a direction for each."""
        if self.is_empty:
            return (), ()
        small = self._minimal
        slopes = [Form(ZERO.constant, f.terms) for f in (*small.equalities, *small.inequalities, *small.strict)]
        order = in_order(self.variables, fix)[::-1]
        values = solved(slopes, order) or {}
        fixed = tuple(name for name in order if name not in values)[::-1]
        forms = {name: values.get(name, variable(name)) for name in self.variables}
        return fixed, tuple({name: form.coefficient(free) for name, form in forms.items()} for free in fixed)

    @property
    def lineality(self) -> tuple[Direction, ...]:
        """A basis, in coprime integers, of the directions in which one may go both ways for ever."""
        return tuple(map(scaled_direction, self._lines(())[1]))

    def quotient(self, fix: Sequence[str] = ()) -> Quotient:
        """Modulo the lineality space: the variables of ``fix``, as far as lines allow, are the first to be zero."""
        fixed, lines = self._lines(fix)
        zero = dict.fromkeys(fixed, ZERO)
        rest = tuple(name for name in self.variables if name not in zero)
        small = self._minimal
        section = Polyhedron(
            tuple(form.substitute(zero) for form in small.equalities),
            tuple(form.substitute(zero) for form in small.inequalities),
            tuple(form.substitute(zero) for form in small.strict),
            rest,
        )
        along = tuple(zip(fixed, lines, strict=True))
        moved = {
            name: variable(name) - linear(0, ((free, line[name]) for free, line in along)) for name in rest
        }
        return Quotient(section, fixed, moved)

    # --- vertices, rays, faces ---------------------------------------------------------------------

    def generators(self, fix: Sequence[str] = (), *, engine: Engine | None = None) -> Generators:
        """Vertices and rays of the closure modulo lines, where the variables of ``fix`` are the first to be zero."""
        if self.is_empty:
            return Generators((), (), (), ())
        section = self.quotient(fix)
        pointed = section.polyhedron
        values = solved(pointed.equalities, pointed.variables) or {}
        free = tuple(name for name in pointed.variables if name not in values)
        closed = [form.substitute(values) for form in (*pointed.inequalities, *pointed.strict)]
        points, rays = extreme_points_and_rays(closed, free, engine=engine)
        zero = {name: Fraction(0) for name in section.fixed}
        slopes = {name: Form(Fraction(0), form.terms) for name, form in values.items()}
        return Generators(
            tuple(self._lifted({**p, **zero, **_at(values, p)} for p in points)),
            tuple(self._lifted(scaled_direction({**r, **zero, **_at(slopes, r)}) for r in rays)),
            self.lineality,
            section.fixed,
        )

    def _lifted(self, points: Iterable[Mapping[str, Fraction]]) -> list[Vertex]:
        full = ({name: point[name] for name in self.variables} for point in points)
        return sorted(full, key=lambda point: tuple(point.values()))

    @cached_property
    def _generators(self) -> Generators:
        return self.generators()

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """Modulo the lineality space: see ``generators``."""
        return self._generators.vertices

    @property
    def rays(self) -> tuple[Direction, ...]:
        """Extreme rays modulo the lineality space: see ``generators``."""
        return self._generators.rays

    def faces(self, fix: Sequence[str] = ()) -> tuple[Face, ...]:
        """All faces of the closure that are not empty, smallest first; tight are inequalities of ``minimal()``."""
        found = self.generators(fix)
        small = self._minimal
        return face_lattice((*small.inequalities, *small.strict), found.vertices, found.rays)

    def section(
        self, point: Point, across: Direction, up: Direction, *, box: tuple[Fraction, Fraction, Fraction, Fraction]
    ) -> Section:
        """The polygon of all (s, t) in a box with ``point + s·across + t·up`` in the closure.

        ``box``: the least and the largest s, the least and the largest t.
        """
        constraints = (*self.inequalities, *self.strict, *self.equalities, *(-form for form in self.equalities))
        return clipped_section(constraints, point, across, up, box) if not self.is_empty else Section((), ())


def _at(values: Mapping[str, Form], point: Point) -> dict[str, Fraction]:
    return {name: form.value(point) for name, form in values.items()}
