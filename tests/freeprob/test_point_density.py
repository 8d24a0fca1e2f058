"""Densities at rational points as algebraic numbers over π, against closed forms and against the branch."""

from __future__ import annotations

import pytest
import sympy as sp
from matrix_polynomials import H, X, Y, independent, jacobian, of, products
from sympy import Rational, S, Symbol

from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.point_density import density_at
from tpsym.freeprob.spectrum import spectrum
from tpsym.functions import step
from tpsym.matrices import Polynomial

t = Symbol("t", real=True)
LAWS = {
    "three Ginibre matrices": products(3), "XYX": of((1, (X, Y, X))), "cube": of((1, (X,) * 3)),
    "sum of words": of((1, (X, X, Y)), (1, (Y, X, X))), "ReLU": jacobian([step(h) for h in H[:3]]),
}


@pytest.mark.parametrize("found", [of((1, (X,))), products(1), products(2), of((1, (X, Y)), (1, (Y, X)))])
def test_closed_forms_at_points(found: Polynomial) -> None:
    law = spectrum(found)
    for point in (Rational(1, 2), Rational(7, 5), S(3), S(9)):
        closed = law.density(t).xreplace({t: point})
        assert abs(sp.N(density_at(law.inner, point) - closed, 40)) < sp.Float("1e-35")


@pytest.mark.parametrize("name", sorted(LAWS))
def test_points_of_laws_without_closed_form(name: str) -> None:
    law = spectrum(LAWS[name], mean=independent)
    numbers = law.law()
    for point in (Rational(6, 5), S(30)):
        exact = law.density(point)
        assert abs(float(sp.N(exact)) - float(numbers.pdf(float(point)))) < 1e-11
        assert (exact == 0) == (point == 30)


def test_scales_and_shifts() -> None:
    plain, moved = spectrum(of((1, (X,) * 3))), spectrum(of((3, (X,) * 3), (2, ())))
    assert moved.density(S(5)) == plain.density(S(1)) / 3


def test_singular_points_and_parameters_have_none() -> None:
    law = spectrum(products(3))
    with pytest.raises(Unavailable, match="singular point"):
        law.density(S.Zero)
    with pytest.raises(Unavailable):
        law.density(t)
