"""Recursions for one matrix against the loop equations, and at sizes where the moments are known otherwise."""

from __future__ import annotations

import time

import pytest
import sympy as sp
from entry_sums import n
from sympy import S, Symbol

from tpsym.exact.recursions import (
    by_recursion,
    complex_wishart_traces,
    goe_moment,
    goe_traces,
    gue_moment,
    gue_traces,
)
from tpsym.exact.traces import expected_traces, loop_equations
from tpsym.matrices import Factor, Gaussian, Space

N = Space("n", S.One)
rho = Symbol("rho", positive=True)


@pytest.mark.parametrize(("kind", "moment"), [("hermitian", gue_moment), ("symmetric", goe_moment)])
def test_recursions_are_the_loop_equations(kind: str, moment: object) -> None:
    h = Factor(Gaussian("H", N, N, S.One, kind))  # type: ignore[arg-type]
    for k in range(1, 17):
        equations = sp.expand(loop_equations([(h,) * (2 * k)], n) / n ** (k + 1))
        assert moment(k, n) == equations  # type: ignore[operator]


def test_hundred_moments() -> None:
    """At n = 1 the moments are those of one Gaussian; the leading coefficient is a Catalan number."""
    start = time.perf_counter()
    hermitian, symmetric = gue_traces(100), goe_traces(100)
    assert time.perf_counter() - start < 1
    for k in range(101):
        assert int(hermitian[k](1)) == sp.factorial2(2 * k - 1)
        assert int(symmetric[k](1)) == 2**k * sp.factorial2(2 * k - 1)
        assert int(hermitian[k][k + 1]) == int(symmetric[k][k + 1]) == sp.catalan(k)
        # only even genus: polynomials of one parity
        assert all(int(c) == 0 for j, c in enumerate(hermitian[k].coeffs()) if (k + 1 - j) % 2)
    assert gue_moment(100, n).coeff(n, 0) == sp.catalan(100)


def test_two_by_two_matrices() -> None:
    """At n = 2 the eigenvalues are a ± r with a Gaussian and r the length of an independent Gaussian vector.

    GUE: a and three components of variance 1/2; GOE: a and two components of variance 1.
    """
    for k, (hermitian, symmetric) in enumerate(zip(gue_traces(60), goe_traces(60), strict=True)):
        unitary = orthogonal = S.Zero
        for j in range(k + 1):
            pairs = 2 * sp.binomial(2 * k, 2 * j) * sp.factorial2(2 * (k - j) - 1)
            unitary += pairs * sp.factorial2(2 * j + 1) / S(2) ** k
            orthogonal += pairs * 2**j * sp.factorial(j)
        assert int(hermitian(2)) == unitary
        assert int(symmetric(2)) == orthogonal


def test_complex_wishart() -> None:
    rows = Space("m", rho)
    x = Gaussian("X", rows, N, S.One, "complex")
    traces = complex_wishart_traces(8, rho * n, n)
    for k in range(1, 9):
        word = (Factor(x), Factor(x, True)) * k
        assert sp.expand(loop_equations([word], n) - traces[k - 1]) == 0
        assert sp.expand(traces[k - 1].xreplace({rho: 1 / n, n: n})).xreplace({n: S.One}) == sp.factorial(k)


def test_variances_and_other_sizes() -> None:
    v = Symbol("v", positive=True)
    h = Factor(Gaussian("H", Space("m", rho), Space("m", rho), v, "symmetric"))
    assert by_recursion((h,) * 4, n) == sp.expand(2 * (rho * n) ** 3 + 5 * (rho * n) ** 2 + 5 * rho * n)
    assert expected_traces([(h,) * 4], n) == sp.expand(v**2 * (2 * rho**3 * n + 5 * rho**2 + 5 * rho / n))
    assert by_recursion((h, Factor(Gaussian("G", h.rows, h.rows, v, "symmetric"))), n) is None
