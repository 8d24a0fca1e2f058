"""Polyhedra: a canonical form, vertices and rays by two engines, there and back, faces and sections."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise, product
from math import comb

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from linear_strategies import NAMES, bodies, forms, points, polyhedra

from tpsym.polyhedra.conditions import Point, Unbounded, equivalent, holds
from tpsym.polyhedra.elimination import in_order, rank, scaled, solved
from tpsym.polyhedra.forms import Form, linear, number, variable
from tpsym.polyhedra.generators import Engine, Vertex, extreme_rays
from tpsym.polyhedra.normal import Literal
from tpsym.polyhedra.polyhedron import NOWHERE, Polyhedron
from tpsym.polyhedra.redundancy import irredundant

x, y, z = variable("x"), variable("y"), variable("z")
HALF = Fraction(1, 2)
ENGINES: tuple[Engine, ...] = ("ppl", "own")
GRID = [dict(zip(NAMES[:3], map(Fraction, point), strict=True)) for point in product((-3, -1, 0, 1, 2), repeat=3)]


def unordered(items: Iterable[Point]) -> set[tuple[tuple[str, Fraction], ...]]:
    return {tuple(sorted(item.items())) for item in items}


# --- canonical form --------------------------------------------------------------------------------


@given(polyhedra(strict=True))
def test_minimal_has_the_same_points(body: Polyhedron) -> None:
    small = body.minimal()
    assert small.variables == body.variables
    assert all(small.contains(point) == body.contains(point) for point in GRID)
    assert equivalent(body.condition, small.condition).holds
    assert small.is_empty == (small.equalities == (NOWHERE,))


@given(polyhedra(), st.randoms(use_true_random=False), st.sampled_from([(), ("y",), ("a[2]", "y")]))
def test_minimal_does_not_depend_on_the_description(
    body: Polyhedron, mixed: random.Random, eliminate: tuple[str, ...]
) -> None:
    inequalities = [form * mixed.choice((1, 2, Fraction(1, 3))) for form in body.inequalities]
    equalities = [form * mixed.choice((1, -2)) for form in body.equalities]
    if equalities:
        inequalities = [form + equalities[0] * mixed.choice((-1, 0, 3)) for form in inequalities]
    sums = [a * 2 + b + 1 for a, b in pairwise(inequalities)]
    other = [*inequalities, *sums]
    mixed.shuffle(other)
    again = Polyhedron(tuple(equalities), tuple(other), space=body.variables).minimal(eliminate)
    assert again == body.minimal(eliminate)
    assert again.minimal(eliminate) == again
    if not again.is_empty:
        for name in solved(again.equalities, in_order(body.variables, eliminate)) or {}:
            assert sum(name in form.variables for form in (*again.equalities, *again.inequalities)) == 1


@given(polyhedra(strict=True))
def test_nothing_superfluous_is_left(body: Polyhedron) -> None:
    small = body.minimal()
    for i, literal in enumerate(small.literals):
        rest = [other for j, other in enumerate(small.literals) if j != i]
        without = Polyhedron(
            small.equalities,
            tuple(other.form for other in rest if not other.strict),
            tuple(other.form for other in rest if other.strict),
            small.variables,
        )
        assert equivalent(without.condition, small.condition).holds is False
        assert literal.form == scaled(literal.form)


@given(polyhedra(strict=True))
def test_interior_points(body: Polyhedron) -> None:
    point = body.interior_point()
    if point is None:
        assert body.is_empty
        assert body.dimension == -1
        assert not any(map(body.contains, GRID))
        return
    small = body.minimal()
    assert body.contains(point)
    assert all(form.value(point) > 0 for form in small.inequalities)
    assert body.dimension == len(body.variables) - len(small.equalities)


def test_implied_equalities() -> None:
    body = Polyhedron((), (x - y, y - x, z * 2 + 1, z * -2 - 1 + x - 1, -x + 1))
    assert body.minimal() == Polyhedron((x - 1, y - 1, z + HALF), space=("x", "y", "z"))
    assert body.minimal(("z",)).equalities == (z + HALF, x - 1, y - 1)
    assert body.dimension == 0
    assert Polyhedron((), (x - y, y - z), (z - x,)).minimal() == Polyhedron((NOWHERE,), space=("x", "y", "z"))


def test_strict_conditions_stay_strict() -> None:
    body = Polyhedron((), (x, y, x + 1), (x, y - 1, y - 2))
    assert body.minimal() == Polyhedron((), (), (x, y - 2), ("x", "y"))
    assert not body.contains({"x": Fraction(0), "y": Fraction(3)})
    assert Polyhedron((), (x,), (x + y * 0,)).minimal().strict == (x,)


@given(polyhedra(strict=True), polyhedra(strict=True))
def test_intersection_and_cover(left: Polyhedron, right: Polyhedron) -> None:
    both = left.intersection(right)
    assert all(both.contains(point) == (left.contains(point) and right.contains(point)) for point in GRID)
    assert left.covers(both)
    assert right.covers(both)
    if left.covers(right):
        assert all(left.contains(point) for point in GRID if right.contains(point))
        assert right.minimal() == both.minimal() or both.strict or right.strict


def test_many_conditions_in_many_variables() -> None:
    """Sixty facets in forty variables, and as many sums of them."""
    names = [f"v[{i}]" for i in range(40)]
    v = [variable(name) for name in names]
    facets = [*v, *(-q + 1 for q in v[:20])]
    sums = [a + b for a, b in zip(facets, facets[7:], strict=False)]
    assert set(Polyhedron((), (*sums, *facets)).minimal().inequalities) == set(facets)


def oblique_cube(dimension: int) -> list[Form]:
    """0 <= u_i <= 1 in the coordinates u_i = w + v_i of v, w the sum of all v: dense."""
    v = [variable(f"v[{i}]") for i in range(dimension)]
    whole = sum(v, number(0))
    return [form for q in v for form in (whole + q, -whole - q + 1)]


@pytest.mark.parametrize("dimension", [3, 15, 20])
def test_dense_conditions(dimension: int) -> None:
    """Guesses in floating point spare work where there is much, and change nothing."""
    facets = oblique_cube(dimension)
    implied = [a * 2 + b + 1 for a, b in pairwise(facets)]
    mixed = tuple(implied[::2] + facets + implied[1::2])
    body = Polyhedron((), mixed)
    assert set(body.minimal().inequalities) == set(facets)
    assert set(Polyhedron((), mixed[1:], mixed[:1]).minimal().inequalities) == set(facets)
    flat = Polyhedron((), (*mixed, -facets[0]))
    assert flat.dimension == dimension - 1
    assert flat.minimal() == Polyhedron((facets[0],), tuple(facets[1:])).minimal()
    assert Polyhedron((), (*mixed, -facets[0] - Fraction(1, 10**9))).is_empty
    assert Polyhedron((), (*mixed, -facets[0] + Fraction(1, 10**9))).dimension == dimension


def test_numbers_that_are_no_floats() -> None:
    huge = Polyhedron((), tuple(Form(form.constant * 10**400, form.terms) for form in oblique_cube(12)))
    assert len(huge.minimal().inequalities) == 24


# --- vertices and rays -----------------------------------------------------------------------------


@given(polyhedra())
def test_both_engines_agree(body: Polyhedron) -> None:
    first, second = (body.generators(engine=engine) for engine in ENGINES)
    assert first == second
    assert len(first.fixed) == len(first.lineality)


@given(bodies())
def test_vertices_and_rays_back_to_facets(body: Polyhedron) -> None:
    """The facets are the extreme rays of the dual cone of the generators."""
    names = body.variables
    rows = [(Fraction(1), *(point[name] for name in names)) for point in body.vertices]
    rows += [(Fraction(0), *(ray[name] for name in names)) for ray in body.rays]
    whole = [tuple(int(q * 5040**3) for q in row) for row in rows]
    assert all(Fraction(k, 5040**3) == q for a, b in zip(whole, rows, strict=True) for k, q in zip(a, b, strict=True))
    facets = [linear(row[0], zip(names, map(Fraction, row[1:]), strict=True)) for row in extreme_rays(whole)]
    assert {scaled(form) for form in facets if form.terms} == set(body.minimal().inequalities)


@given(polyhedra(), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_generators_generate_points(body: Polyhedron, weights: list[int]) -> None:
    found = body.generators()
    assert bool(found.vertices) == (not body.is_empty)
    if body.is_empty:
        return
    total = sum(weights[: len(found.vertices)]) + 1
    shares = [Fraction(w, total) for w in (weights * 8)[: len(found.vertices)]]
    shares[0] += 1 - sum(shares)
    assume(shares[0] >= 0)
    moves = [*found.rays, *found.lineality, *({n: -q for n, q in line.items()} for line in found.lineality)]
    point = {
        name: sum((s * p[name] for s, p in zip(shares, found.vertices, strict=True)), Fraction(0))
        + sum((w * m[name] for w, m in zip(weights * 8, moves, strict=False)), Fraction(0))
        for name in body.variables
    }
    assert body.contains(point)


@given(polyhedra())
def test_generators_are_extreme(body: Polyhedron) -> None:
    """At a vertex as many independent constraints are tight as there are dimensions, at a ray one less."""
    found, small = body.generators(), body.minimal()
    for kind, items in ((0, found.vertices), (1, found.rays)):
        for item in items:
            tight = [form for form in small.inequalities if (form if not kind else slope(form)).value(item) == 0]
            rows = [[form.coefficient(name) for name in body.variables] for form in (*tight, *small.equalities)]
            assert rank(rows) == len(body.variables) - len(found.lineality) - kind
            assert all(item[name] == 0 for name in found.fixed)


def slope(form: Form) -> Form:
    return Form(Fraction(0), form.terms)


@given(polyhedra())
def test_lines(body: Polyhedron) -> None:
    lines = body.lineality
    rows = [[line[name] for name in body.variables] for line in lines]
    assert rank(rows) == len(lines)
    if not body.is_empty:
        slopes = [slope(form) for form in (*body.minimal().equalities, *body.minimal().inequalities)]
        assert all(form.value(line) == 0 for form in slopes for line in lines)
        assert len(lines) == len(body.variables) - rank([[f.coefficient(n) for n in body.variables] for f in slopes])


@given(polyhedra(), points, st.permutations(NAMES[:3]))
def test_a_quotient_forgets_lines_only(body: Polyhedron, point: Point, fix: list[str]) -> None:
    quotient = body.quotient(fix)
    if body.is_empty:
        assert quotient.polyhedron.is_empty
        return
    assert quotient.polyhedron.lineality == ()
    assert set(quotient.fixed) | set(quotient.coordinates) == set(body.variables)
    image = {name: form.value(point) for name, form in quotient.coordinates.items()}
    assert quotient.polyhedron.contains(image) == body.contains(point)
    for form in quotient.coordinates.values():
        assert all(slope(form).value(line) == 0 for line in body.lineality)
    dependent = [name for name in fix if any(line[name] for line in body.lineality)]
    assert not body.lineality or quotient.fixed[0] == dependent[0]


@given(polyhedra(), forms(NAMES[:3]))
def test_optimum_over_generators(body: Polyhedron, form: Form) -> None:
    found, top = body.generators(), body.maximum(form)
    if body.is_empty:
        assert top is None
        return
    rises = any(slope(form).value(ray) > 0 for ray in found.rays) or any(slope(form).value(m) for m in found.lineality)
    assert top == (Unbounded.ABOVE if rises else max(form.value(point) for point in found.vertices))
    low = body.minimum(-form)
    assert low == (Unbounded.BELOW if rises else -top if isinstance(top, Fraction) else None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dimension", range(1, 6))
def test_cube_and_cross(engine: Engine, dimension: int) -> None:
    v = [variable(f"v[{i}]") for i in range(dimension)]
    cube = Polyhedron((), tuple(form for q in v for form in (q + 1, -q + 1)))
    signs = list(product((-1, 1), repeat=dimension))
    cross = Polyhedron((), tuple(
        linear(1, [(str(q), Fraction(s)) for q, s in zip(v, sign, strict=True)]) for sign in signs
    ))
    found = cube.generators(engine=engine)
    assert unordered(found.vertices) == {
        tuple((str(q), Fraction(s)) for q, s in zip(v, sign, strict=True)) for sign in signs
    }
    assert len(cross.generators(engine=engine).vertices) == 2 * dimension
    counts = [sum(face.dimension == k for face in cube.faces()) for k in range(dimension + 1)]
    assert counts == [comb(dimension, k) * 2 ** (dimension - k) for k in range(dimension + 1)]


# --- known polyhedra -------------------------------------------------------------------------------


def parametrizations(depth: int) -> Polyhedron:
    """x >= 1/2, y >= 1, x + p_l >= 0, y + p_l >= 0, 2x + p_l >= 1."""
    p = [variable(f"p[{layer}]") for layer in range(1, depth + 1)]
    return Polyhedron((), (x - HALF, y - 1, *(form for q in p for form in (x + q, y + q, x * 2 + q - 1))))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("depth", range(1, 5))
def test_two_vertices(engine: Engine, depth: int) -> None:
    found = parametrizations(depth).generators(engine=engine)
    layers = [f"p[{layer}]" for layer in range(1, depth + 1)]
    assert unordered(found.vertices) == unordered([
        {"x": HALF, "y": Fraction(1), **dict.fromkeys(layers, Fraction(0))},
        {"x": Fraction(1), "y": Fraction(1), **dict.fromkeys(layers, Fraction(-1))},
    ])
    assert found.lineality == ()


@pytest.mark.parametrize("depth", range(1, 5))
def test_two_vertices_of_the_adaptive_ones(depth: int) -> None:
    top = variable("R")
    r = [variable(f"r[{layer}]") for layer in range(1, depth + 1)]
    body = Polyhedron((), (x - HALF, top - 1, top - x, *r, *(x + q - 1 for q in r)))
    assert unordered(body.vertices) == unordered([
        {"x": HALF, "R": Fraction(1), **{str(q): HALF for q in r}},
        {"x": Fraction(1), "R": Fraction(1), **{str(q): Fraction(0) for q in r}},
    ])


def test_a_gauge_symmetry() -> None:
    """Multipliers and standard deviations trade: the line is found, and vertices in two gauges."""
    a, b, c = variable("a"), variable("b"), variable("c")
    body = Polyhedron((a + b - HALF,), (a * 2 + c, -a * 2 - c + 1))
    assert body.lineality == ({"a": 1, "b": -1, "c": -2},)
    first, second = body.generators(["c"]), body.generators(["b"])
    zero = Fraction(0)
    at_c = [{"a": zero, "b": HALF, "c": zero}, {"a": HALF, "b": zero, "c": zero}]
    at_b = [{"a": HALF, "b": zero, "c": -2 * HALF}, {"a": HALF, "b": zero, "c": zero}]
    assert (unordered(first.vertices), unordered(second.vertices)) == (unordered(at_c), unordered(at_b))
    assert body.quotient(["c"]).coordinates == {"a": a + c * HALF, "b": b - c * HALF}


# --- faces and sections ----------------------------------------------------------------------------


@given(polyhedra())
@settings(max_examples=60)
def test_faces(body: Polyhedron) -> None:
    faces, small = body.faces(), body.minimal()
    found = body.generators()
    assert len({face.tight for face in faces}) == len(faces)
    size = body.dimension - len(found.lineality)
    for face in faces:
        for form in (small.inequalities[i] for i in face.tight):
            assert all(form.value(point) == 0 for point in face.vertices)
        inside = Polyhedron(
            (*small.equalities, *(small.inequalities[i] for i in face.tight)), small.inequalities, space=small.variables
        )
        assert inside.dimension - len(found.lineality) == face.dimension
        assert inside.generators().vertices == face.vertices
    if body.is_empty:
        assert faces == ()
        return
    assert faces[-1].dimension == size
    assert sum(face.dimension == 0 for face in faces) == len(found.vertices)
    facets = [(i,) for i in range(len(small.inequalities))]
    assert [face.tight for face in faces if face.dimension == size - 1] == facets
    assert sum((-1) ** face.dimension for face in faces) == (0 if found.rays else 1), "Euler's relation"


BOX = (Fraction(-2), Fraction(3), Fraction(-2), Fraction(2))


def test_a_section_of_parametrizations() -> None:
    """With y = 1: from (1/2, 0) to (1, -1), then to the right, and upwards."""
    found = parametrizations(1).section({"y": Fraction(1)}, {"x": Fraction(1)}, {"p[1]": Fraction(1)}, box=BOX)
    assert found.corners == ((HALF, 0), (1, -1), (3, -1), (3, 2), (HALF, 2))
    assert found.borders == (True, True, False, False, True)


def test_flat_sections() -> None:
    square = Polyhedron((), (x, y, -x + 1, -y + 1))
    way, zero = {"x": Fraction(1)}, dict[str, Fraction]()
    up = {"y": Fraction(1)}
    assert square.section(zero, way, up, box=BOX).corners == ((0, 0), (1, 0), (1, 1), (0, 1))
    line = Polyhedron((x - y,), (x, -x + 1))
    assert line.section(zero, way, up, box=BOX).corners == ((0, 0), (1, 1))
    assert Polyhedron((x - 1, y - 1)).section(zero, way, up, box=BOX).corners == ((1, 1),)
    assert Polyhedron((x - 9,), (), (), ("y",)).section(zero, way, up, box=BOX).corners == ()
    assert Polyhedron((NOWHERE,), (), (), ("x",)).section(zero, way, up, box=BOX).corners == ()
    assert square.section({"x": Fraction(5)}, {}, up, box=BOX).corners == ()
    assert square.section(zero, way, up, box=(HALF, HALF, 0, 9)).corners == ((HALF, 0), (HALF, 1))
    assert square.section(zero, way, up, box=(1, 0, 0, 1)).corners == ()


@given(polyhedra(), points, points, points)
def test_a_section_holds_the_points_of_the_plane(
    body: Polyhedron, point: Point, across: Point, up: Point
) -> None:
    found = body.section(point, across, up, box=BOX)
    turns = list(zip(found.corners, found.corners[1:] + found.corners[:1], strict=True))
    for s, t in product((-2, -1, 0, HALF, 1, 2), repeat=2):
        there = {name: point[name] + s * across[name] + t * up[name] for name in NAMES}
        inside = all((q[0] - p[0]) * (t - p[1]) >= (q[1] - p[1]) * (s - p[0]) for p, q in turns)
        if len(found.corners) > 2:
            assert body.contains(there) == inside
        elif body.contains(there):
            assert found.corners
            assert min(found.corners) <= (s, t) <= max(found.corners)
    for s, t in found.corners:
        assert body.contains({name: point[name] + s * across[name] + t * up[name] for name in NAMES})


# --- elimination -----------------------------------------------------------------------------------


@given(st.lists(forms(NAMES[:3]), max_size=4), points, st.permutations(NAMES[:3]))
def test_elimination(equalities: list[Form], point: Point, order: list[str]) -> None:
    values = solved(equalities, order)
    body = Polyhedron(tuple(equalities), space=NAMES[:3])
    assert (values is None) == body.is_empty
    if values is not None:
        assert not set(values) & set().union(*(form.variables for form in values.values()))
        there: Vertex = {**point, **{name: form.value(point) for name, form in values.items()}}
        assert body.contains(there)
        assert len(values) == rank([[form.coefficient(name) for name in order] for form in equalities])


def test_order_of_names() -> None:
    assert in_order({"b", "a[10]", "a[2]", "c"}, ["c", "zzz", "c"]) == ("c", "a[2]", "a[10]", "b")


def test_scaling() -> None:
    assert scaled(x * Fraction(2, 3) - y * Fraction(4, 9) + 5) == x * 3 - y * 2 + Fraction(45, 2)
    assert scaled(number(-7)) == number(-1)


def test_what_is_given_makes_superfluous() -> None:
    literals = (Literal(x + 1, False), Literal(y, False))
    body = Polyhedron((), (x,))
    assert irredundant(literals, given=body.condition) == (Literal(y, False),)
    assert irredundant(literals) == literals


def test_a_cone_with_a_line_has_no_extreme_rays() -> None:
    with pytest.raises(ValueError, match="line"):
        extreme_rays([(1, 0), (2, 0)])


@given(polyhedra(strict=True), points)
def test_the_condition_of_a_polyhedron(body: Polyhedron, point: Point) -> None:
    assert holds(body.condition, point) == body.contains(point)
