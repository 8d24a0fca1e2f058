"""Random forms, expressions, conditions and polyhedra in a few variables."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from tpsym.polyhedra.forms import Form, linear
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.trees import (
    RELATIONS,
    And,
    Combination,
    Compare,
    Condition,
    Constant,
    Expression,
    MaxOf,
    MinOf,
    Not,
    Or,
)

NAMES = ("x", "y", "a[2]", "a[10]")
halves = st.integers(-4, 4).map(lambda k: Fraction(k, 2))
points = st.fixed_dictionaries({name: st.fractions(-4, 4, max_denominator=4) for name in NAMES})


@st.composite
def forms(draw: st.DrawFn, names: tuple[str, ...] = NAMES) -> Form:
    return linear(draw(halves), [(name, draw(st.integers(-2, 2).map(Fraction))) for name in names])


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    items = st.lists(inner, min_size=1, max_size=3).map(tuple)
    terms = st.lists(st.tuples(halves, inner), max_size=2).map(tuple)
    return st.builds(MaxOf, items) | st.builds(MinOf, items) | st.builds(Combination, halves, terms)


expressions: st.SearchStrategy[Expression] = st.recursive(forms(NAMES[:2]), _larger, max_leaves=4)
comparisons = st.builds(Compare, st.sampled_from(sorted(RELATIONS)), expressions, expressions)


def _compound(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    items = st.lists(inner, max_size=3).map(tuple)
    return st.builds(And, items) | st.builds(Or, items) | st.builds(Not, inner)


conditions: st.SearchStrategy[Condition] = st.recursive(
    comparisons | st.builds(Constant, st.booleans()), _compound, max_leaves=4
)


@st.composite
def polyhedra(draw: st.DrawFn, *, names: tuple[str, ...] = NAMES[:3], strict: bool = False) -> Polyhedron:
    """Often not empty, sometimes flat, sometimes with lines."""
    some = st.lists(forms(names), max_size=2 if strict else 0)
    return Polyhedron(
        tuple(draw(st.lists(forms(names), max_size=1))),
        tuple(draw(st.lists(forms(names), max_size=6))),
        tuple(draw(some)),
        names,
    )


@st.composite
def bodies(draw: st.DrawFn, *, names: tuple[str, ...] = NAMES[:3], corner: int = 2) -> Polyhedron:
    """With interior points and without lines: in an orthant, and 0 is inside."""
    orthant = [linear(corner, [(name, Fraction(1))]) for name in names]
    slopes = draw(st.lists(forms(names), max_size=6))
    return Polyhedron((), (*orthant, *(Form(Fraction(draw(st.integers(1, 4))), form.terms) for form in slopes)))
