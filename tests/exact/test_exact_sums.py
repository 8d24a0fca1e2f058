"""Moments of sums of independent coordinates, by formulas in print and by summing over indices."""

from __future__ import annotations

from math import comb

import pytest
import sympy as sp
from entry_sums import n
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Rational, S, Symbol

from tpsym.exact.partitions import block_sizes, moment_by_blocks
from tpsym.exact.sums import cumulants_of, expected_sums, moments_of

x, y = Symbol("x", real=True), Symbol("y", real=True)
sigma = Symbol("sigma", positive=True)
k3, k4, k5, k6 = sp.symbols("kappa3:7", real=True)
CUMULANTS = (S.Zero, sigma**2, k3, k4, k5, k6)
MOMENTS = moments_of(CUMULANTS)


def mean(f: Expr) -> Expr:
    return sum((c * (MOMENTS[k - 1] if k else 1) for (k,), c in f.as_poly(x).terms()), S.Zero)


def test_central_limit_moments() -> None:
    """E S³ … E S⁶ of S = n^{-1/2} Σ X_i."""
    root = sp.sqrt(n)
    known = {
        2: sigma**2,
        3: k3 / root,
        4: 3 * sigma**4 + k4 / n,
        5: 10 * k3 * sigma**2 / root + k5 / root**3,
        6: 15 * sigma**6 + (15 * k4 * sigma**2 + 10 * k3**2) / n + k6 / n**2,
    }
    for k, value in known.items():
        assert sp.expand(expected_sums([x] * k, n, mean) / root**k - value) == 0
        blocks = moment_by_blocks([n * c / root**j for j, c in enumerate(CUMULANTS[:k], start=1)])
        assert sp.expand(sum(b.contribution for b in blocks) - value) == 0
    # the law of large numbers: cumulants κ_k n^{1-k}
    assert sp.expand(expected_sums([x] * 4, n, mean) / n**4) == sp.expand(3 * sigma**4 / n**2 + k4 / n**3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([x, y, x * y, x**2 - 1]), min_size=1, max_size=4), st.integers(1, 3))
def test_sums_over_explicit_indices(functions: list[Expr], width: int) -> None:
    """Standard Gaussian x, y: expand the product of sums over coordinates of its own."""
    def gaussian(f: Expr) -> Expr:
        symbols = sorted(f.free_symbols, key=str)
        if not symbols:
            return f
        return sum((c * sp.Mul(*(sp.factorial2(k - 1) if k % 2 == 0 else 0 for k in powers))
                    for powers, c in f.as_poly(*symbols).terms()), S.Zero)

    copies = [(Symbol(f"x{i}"), Symbol(f"y{i}")) for i in range(width)]
    product = sp.expand(sp.Mul(*(
        sum((f.subs({x: a, y: b}, simultaneous=True) for a, b in copies), S.Zero) for f in functions
    )))
    value = expected_sums(functions, n, gaussian)
    assert value.xreplace({n: sp.Integer(width)}) == gaussian(product)
    assert sp.expand(expected_sums(functions[::-1], n, gaussian) - value) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.fractions(min_value=-3, max_value=3, max_denominator=5), min_size=1, max_size=6))
def test_cumulants_and_moments_are_inverse(values: list[object]) -> None:
    given_ = tuple(Rational(v.numerator, v.denominator) for v in values)  # type: ignore[attr-defined]
    assert cumulants_of(moments_of(given_)) == given_


def test_cumulants_of_known_laws() -> None:
    rate = Symbol("lambda", positive=True)
    poisson = [sp.expand(sp.bell(k, rate)) for k in range(1, 7)]
    assert cumulants_of(poisson) == (rate,) * 6
    exponential = [sp.factorial(k) for k in range(1, 7)]
    assert cumulants_of(exponential) == tuple(sp.factorial(k - 1) for k in range(1, 7))


@pytest.mark.parametrize("k", range(1, 9))
def test_set_partitions_are_counted(k: int) -> None:
    assert sum(count for _, count in block_sizes(k)) == sp.bell(k)
    table = dict(block_sizes(k))
    assert table[(k,)] == 1
    if k > 1:
        assert table[tuple(sorted((k - 1, 1), reverse=True))] == (k if k > 2 else 1)
    if k == 4:
        assert table[(2, 2)] == comb(4, 2) // 2


def test_pairs_come_first() -> None:
    blocks = moment_by_blocks(sp.symbols("k1:5"))
    assert blocks[0].sizes == (2, 2)
    assert [1 in b.sizes for b in blocks] == [False, False, True, True, True]
