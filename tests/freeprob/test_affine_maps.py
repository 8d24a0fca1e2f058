"""A ↦ cA + d carries branch, support, exponents, atoms and densities along."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_laws import affine, ginibre, half_semicircle, marchenko_pastur, semicircle_and_signs
from sympy import Integer, Rational, Symbol, expand

from tpsym.freeprob.atoms import atoms
from tpsym.freeprob.branch import sheets_of
from tpsym.freeprob.density import density
from tpsym.freeprob.edges import structure
from tpsym.freeprob.grid import cauchy_grid

LAWS = (
    ginibre(2), marchenko_pastur(Integer(3)), semicircle_and_signs(Integer(1)), half_semicircle(Rational(1, 3)),
)
scales = st.fractions(-4, 4, max_denominator=9).filter(lambda c: abs(c) > Fraction(1, 10))
shifts = st.fractions(-5, 5, max_denominator=9)


def rational(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


@pytest.mark.slow
@given(st.sampled_from(LAWS), scales, shifts)
@settings(max_examples=12, deadline=None)
def test_structure(base, scale, shift):  # type: ignore[no-untyped-def]
    c, d = rational(scale), rational(shift)
    moved = affine(base, c, d)
    before, after = structure(base), structure(moved)
    flip = -1 if c < 0 else 1
    expected = [(expand(c * e.expr + d), *(e.left, e.right)[::flip], e.turns) for e in before.edges][::flip]
    assert [(expand(e.expr), e.left, e.right, e.turns) for e in after.edges] == expected
    assert atoms(moved) == tuple((expand(c * x + d), m) for x, m in atoms(base))[::flip]


@given(st.sampled_from(LAWS), scales, shifts, st.complex_numbers(max_magnitude=4, allow_nan=False))
@settings(max_examples=25, deadline=None)
def test_branch(base, scale, shift, point):  # type: ignore[no-untyped-def]
    """c G_{cA+d}(cz + d) = G_A(z); a negative c turns the upper half plane into the lower."""
    w = complex(point.real, point.imag + (0.1 if point.imag >= 0 else -0.1))
    moved = sheets_of(affine(base, rational(scale), rational(shift)))
    there = complex(cauchy_grid(moved, float(scale) * w + float(shift)))
    assert np.isclose(float(scale) * there, complex(cauchy_grid(sheets_of(base), w)), rtol=1e-10)


@given(scales, shifts)
@settings(max_examples=3, deadline=None)
def test_closed_forms(scale, shift):  # type: ignore[no-untyped-def]
    t, c, d = Symbol("t", real=True), rational(scale), rational(shift)
    base, moved = density(ginibre(2), t), density(affine(ginibre(2), c, d), t)
    for x in (Rational(1, 3), Rational(5, 2), Rational(6), Rational(7)):
        assert abs((abs(c) * moved.subs(t, c * x + d) - base.subs(t, x)).evalf(30)) < 1e-25
