"""Regimes of perceptrons: equal to the published theorems, as sets of exponents."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from perceptrons import DEPTHS, HALF, Theorems, equal, one_rate, plus, point, rates_by_layer, same, same_where

from tpsym.polyhedra.conditions import (
    Condition,
    all_of,
    any_of,
    compare,
    difference,
    evaluate,
    holds,
    min_of,
    substitute,
    substitute_expression,
)
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.scaling.regimes import Scaling
from tpsym.transform.optimizers import Rule

ENTRYWISE: tuple[Rule, ...] = ("adam", "signsgd", "adagrad")


def sgd(depth: int, by_layer: bool) -> tuple[Scaling, Theorems]:
    return rates_by_layer(depth, "sgd") if by_layer else one_rate(depth), Theorems(depth, by_layer=by_layer)


def learns(stable: Condition, nontrivial: Sequence[Condition], r: object) -> Condition:
    return all_of([stable, any_of(nontrivial), equal(r, 0)])  # type: ignore[arg-type]


def is_kernel(stable: Condition, nontrivial: Sequence[Condition], r: object) -> Condition:
    return all_of([stable, any_of(nontrivial), compare(">", r, number(0))])  # type: ignore[arg-type]


# --- Tensor Programs IV ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_stable_as_in_theorem_3_3(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    assert same(found.stable, theorems.stable)


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_r_as_in_definition_3_2(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    assert found.r is not None
    assert same_where(theorems.stable, equal(difference(found.r, theorems.r), 0), equal(number(0), 0))


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_nontrivial_as_in_theorem_3_4(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    assert same_where(theorems.stable, found.nontrivial, any_of(theorems.nontrivial))


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_dichotomy_of_theorems_3_6_and_3_8(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    moving = any_of(theorems.nontrivial)
    assert same_where(moving, found.feature_learning, learns(theorems.stable, theorems.nontrivial, theorems.r))
    assert same(found.kernel_regime, is_kernel(theorems.stable, theorems.nontrivial, theorems.r))
    both = any_of([all_of([found.feature_learning, moving]), found.kernel_regime])
    assert same(both, all_of([theorems.stable, moving]))


# --- Tensor Programs IVb ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "rule"), [*((depth, "adam") for depth in DEPTHS), (2, "adagrad")])
def test_stable_and_faithful_as_in_theorem_2_8_12(depth: int, rule: Rule) -> None:
    found, theorems = rates_by_layer(depth, rule, faithful=True), Theorems(depth, by_layer=True)
    stable = all_of([theorems.stable_entrywise, theorems.faithful])
    assert same(found.stable, stable)
    assert same_where(stable, found.nontrivial, any_of(theorems.nontrivial_entrywise))
    assert found.r is not None
    assert same_where(stable, equal(difference(found.r, theorems.r_entrywise), 0), equal(number(0), 0))
    alternatives = theorems.nontrivial_entrywise
    moving = any_of(alternatives)
    assert same_where(moving, found.feature_learning, learns(stable, alternatives, theorems.r_entrywise))
    assert same(found.kernel_regime, is_kernel(stable, alternatives, theorems.r_entrywise))


@pytest.mark.parametrize("rule", ENTRYWISE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_without_epsilon_nothing_has_to_be_faithful(depth: int, rule: Rule) -> None:
    found, theorems = rates_by_layer(depth, rule), Theorems(depth, by_layer=True)
    alternatives, moving = theorems.nontrivial_entrywise, any_of(theorems.nontrivial_entrywise)
    assert same(found.stable, theorems.stable_entrywise)
    assert same_where(theorems.stable_entrywise, found.nontrivial, moving)
    learning = learns(theorems.stable_entrywise, alternatives, theorems.r_entrywise)
    assert same_where(moving, found.feature_learning, learning)
    assert same(found.kernel_regime, is_kernel(theorems.stable_entrywise, alternatives, theorems.r_entrywise))


def test_a_readout_that_moves_more_than_it_begins_with_is_not_faithful() -> None:
    # stable without ε: the readout starts at n^-3/2 and moves by 1/n
    at = point(a=(0, 0, 0), b=(0, HALF, Fraction(3, 2)), c=(0, 1, 1), d=(Fraction(3, 2), Fraction(3, 2), 0))
    assert holds(rates_by_layer(2, "adam").stable, at)
    assert not holds(rates_by_layer(2, "adam", faithful=True).stable, at)


@pytest.mark.parametrize(("depth", "least"), [(1, Fraction(1)), (2, Fraction(3, 2)), (3, Fraction(3, 2))])
def test_adam_in_standard_parametrization_is_not_stable_at_1_over_n(depth: int, least: Fraction) -> None:
    out = depth + 1
    values = {f"a[{k}]": number(0) for k in range(1, out + 1)}
    values |= {f"b[{k}]": number(HALF if k > 1 else 0) for k in range(1, out + 1)}
    values |= {f"c[{k}]": variable("c") for k in range(1, out + 1)}
    found = rates_by_layer(depth, "adam")
    assert same(substitute(found.stable, values), compare(">=", variable("c"), number(least)))
    r = evaluate(substitute_expression(found.r, values), {"c": least})  # type: ignore[arg-type]
    assert r == (HALF if depth > 1 else 1)
    assert holds(substitute(found.kernel_regime, values), {"c": least})


# --- geometry ----------------------------------------------------------------------------------------------


def coordinates(theorems: Theorems, at: dict[str, Fraction]) -> tuple[Fraction, ...]:
    return (theorems.x.value(at), theorems.y.value(at), *(form.value(at) for form in theorems.rho.values()))


def region(found: Scaling) -> Polyhedron:
    assert found.polyhedron is not None
    return found.polyhedron


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_two_vertices_are_the_tangent_kernel_and_maximal_update(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    corners = {coordinates(theorems, dict(p)) for p in region(found).vertices}
    if by_layer:
        assert corners == {(HALF, 1, *[0] * depth), (1, 1, *[-1] * depth)}
        assert len(region(found).lineality) == depth + 1
    else:
        # one learning rate ties the layers: the same two corners, one symmetry
        assert corners == {(HALF, 1, *[0] * depth), (1, 1, *[-1] * depth)}
        assert len(region(found).lineality) == 1


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_edge_between_them_is_the_uniform_family(depth: int) -> None:
    found = one_rate(depth)
    ends = {tuple(sorted(p.items())) for p in region(found).vertices}
    edges = [face for face in region(found).faces() if face.dimension == 1 and len(face.vertices) == 2]
    assert len(edges) == 1
    assert {tuple(sorted(p.items())) for p in edges[0].vertices} == ends
    assert not edges[0].rays
    line = uniform(depth)
    s = variable("s")
    between = all_of([compare(">=", s, number(0)), compare("<=", s, number(HALF))])
    assert same(substitute(found.stable, line), between)
    assert found.r is not None
    assert same_where(between, equal(substitute_expression(found.r, line), s), equal(number(0), 0))
    assert same(substitute(found.kernel_regime, line), all_of([between, compare(">", s, number(0))]))
    assert same(substitute(found.feature_learning, line), equal(s, 0))
    for array in found.run.setting.arrays:
        assert same_where(between, substitute(found.contributes(array), line), equal(number(0), 0))


def uniform(depth: int) -> dict[str, Form]:
    """UP_s of Tensor Programs IV, Appendix G, at c = 0."""
    s, out = variable("s"), depth + 1
    values = {f"a[{k}]": s for k in range(2, out)} | {"a[1]": s - HALF, f"a[{out}]": number(HALF), "c": number(0)}
    return values | {f"b[{k}]": -s + HALF for k in range(1, out + 1)}


def test_standard_parametrization_at_1_over_n_is_no_vertex() -> None:
    standard = point(a=(0, 0, 0), b=(0, HALF, HALF), c=1)
    found, theorems = one_rate(2), Theorems(2)
    assert holds(found.stable, standard)
    assert coordinates(theorems, standard) == (HALF, 1, 1, 0)


# --- which kernel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_which_arrays_add_to_the_kernel(depth: int, by_layer: bool) -> None:
    found, theorems = sgd(depth, by_layer)
    arrays = {a.name: a for a in found.run.setting.arrays}
    for k, rho in theorems.rho.items():
        adds = equal(plus(theorems.x, min_of([theorems.x, theorems.y]), rho), 1)
        assert same_where(found.kernel_regime, found.contributes(arrays[f"w[{k}]"]), adds)
    readout = found.contributes(arrays[f"w[{depth + 1}]"])
    assert same_where(found.kernel_regime, readout, equal(theorems.y, 1))


@pytest.mark.parametrize(
    ("a", "b", "c", "adding"),
    [
        ((0, 0, 0), (0, HALF, HALF), 1, {"w[2]", "w[3]"}),
        ((0, HALF, HALF), (0, 0, 0), 0, {"w[1]", "w[2]", "w[3]"}),
    ],
)
def test_standard_parametrization_lacks_the_first_layer(
    a: tuple[Fraction, ...], b: tuple[Fraction, ...], c: int, adding: set[str]
) -> None:
    found, at = one_rate(2), point(a=a, b=b, c=c)
    assert holds(found.kernel_regime, at)
    assert {x.name for x in found.run.setting.arrays if holds(found.contributes(x), at)} == adding
