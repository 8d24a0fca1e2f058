"""Sums over indices of matrix entries, against sums over all indices and all pairings, and against Monte Carlo."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sympy as sp
from entry_sums import graph_sum, n
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Rational, S, Symbol

from tpsym.exact.graphs import Entry, Graph, Vertex, as_words, expected_graph, expected_graphs
from tpsym.exact.traces import expected_traces
from tpsym.matrices import Factor, Gaussian, Space

N, M = Space("n", S.One), Space("m", S(2))
W = Gaussian("W", N, N, S.One)
A = Gaussian("A", N, N, S(2), "symmetric")
R = Gaussian("R", M, N, S.One)
x, y, t = (Symbol(name, real=True) for name in "xyt")


def gaussian_mean(f: Expr) -> Expr:
    """The mean of a polynomial in independent standard Gaussians."""
    def one(k: int) -> Expr:
        return sp.factorial2(k - 1) if k % 2 == 0 else S.Zero

    return sum((c * one(a) * one(b) * one(e) for (a, b, e), c in f.as_poly(x, y, t).terms()), S.Zero)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to four vertices and four entries, any of which may be loops or parallel."""
    count = draw(st.integers(1, 4))
    spaces = [draw(st.sampled_from([N, N, N, M])) for _ in range(count)]
    own = {N: [x, y, x**2], M: [t, t**2]}
    vertices = tuple(Vertex(s, tuple(draw(st.lists(st.sampled_from(own[s]), max_size=2)))) for s in spaces)
    possible = [
        Entry(m, a, b)
        for m in (W, A, R) for a in range(count) for b in range(count)
        if (spaces[a], spaces[b]) == (m.rows, m.columns)
    ]
    entries = draw(st.lists(st.sampled_from(possible), max_size=4)) if possible else []
    return Graph(vertices, tuple(entries))


def agrees(graph: Graph, width: int) -> bool:
    found = graph_sum(graph, (x, y, t), width)
    return expected_graph(graph, n, mean=gaussian_mean).xreplace({n: sp.Integer(width)}) == Rational(
        found.numerator, found.denominator
    )


@settings(max_examples=80, deadline=None)
@given(graphs())
def test_small_graphs_are_sums_over_all_indices(graph: Graph) -> None:
    assert agrees(graph, 1)
    assert agrees(graph, 2)


def star(*factors: Expr) -> Graph:
    """``Σ_i ∏_f (W f)_i``."""
    leaves = tuple(Vertex(N, (f,)) for f in factors)
    return Graph((Vertex(N), *leaves), tuple(Entry(W, 0, k + 1) for k in range(len(factors))))


BILINEAR = Graph((Vertex(N, (x,)), Vertex(N, (y,))), (Entry(W, 0, 1),))
FROBENIUS = Graph((Vertex(N), Vertex(N)), (Entry(W, 0, 1), Entry(W, 0, 1)))


@pytest.mark.parametrize("graph", [
    star(x, x, x, x), star(x, x, y, y), star(x, x) * FROBENIUS, BILINEAR * BILINEAR, star(x, x, y, y) * FROBENIUS,
])
def test_products_of_a_matrix_with_vectors(graph: Graph) -> None:
    assert agrees(graph, 2)


def test_known_polynomials() -> None:
    """(Wx)_i is N(0, |x|²/n) given x; ⟨x, Wy⟩ is N(0, |x|²|y|²/n)."""
    fourth = expected_graph(star(x, x, x, x), n, mean=gaussian_mean)
    assert fourth == 3 * n + 6
    squares = n * (n + 2)
    assert expected_graph(BILINEAR * BILINEAR * BILINEAR * BILINEAR, n, mean=gaussian_mean) == sp.expand(
        3 * squares**2 / n**2
    )
    terms = [(S(2), star(x, x, x, x)), (n, BILINEAR * BILINEAR), (S(5), Graph((Vertex(N),)))]
    assert expected_graphs(terms, n, mean=gaussian_mean) == sp.expand(2 * fourth + n**2 + 5 * n)


def test_many_entries_in_no_time() -> None:
    start = time.perf_counter()
    four = star(x, x, x, x)
    value = expected_graph(four * four * four * four, n, mean=gaussian_mean)
    assert time.perf_counter() - start < 2
    # at n = 1: E w^16 E x^16
    assert value.xreplace({n: S.One}) == sp.factorial2(15) ** 2


def test_monte_carlo() -> None:
    """mean((W x)^2 (W y)^2) tr(W Wᵀ) at n = 3, by standard errors."""
    rng = np.random.default_rng(11)
    width, runs = 3, 200_000
    w = rng.normal(size=(runs, width, width)) / np.sqrt(width)
    u, v = rng.normal(size=(2, runs, width))
    wu, wv = np.einsum("rij,rj->ri", w, u), np.einsum("rij,rj->ri", w, v)
    draws = (wu**2 * wv**2).sum(1) * (w**2).sum((1, 2))
    value = expected_graph(star(x, x, y, y) * FROBENIUS, n, mean=gaussian_mean).xreplace({n: S(width)})
    assert abs(draws.mean() - float(value)) < 4 * draws.std() / np.sqrt(runs)


def test_cycles_are_words() -> None:
    graph = Graph((Vertex(M), Vertex(N), Vertex(M), Vertex(N)),
                  (Entry(R, 0, 1), Entry(R, 2, 1), Entry(R, 2, 3), Entry(R, 0, 3)))
    words = as_words(graph)
    assert words is not None
    assert expected_traces(words, n) == expected_traces([(Factor(R), Factor(R, True)) * 2], n)
    assert as_words(star(x, x)) is None


def test_what_is_refused() -> None:
    complex_ = Gaussian("C", N, N, S.One, "complex")
    with pytest.raises(ValueError, match="not real"):
        expected_graph(Graph((Vertex(N),), (Entry(complex_, 0, 0),)), n)
    with pytest.raises(ValueError, match="does not fit"):
        expected_graph(Graph((Vertex(N),), (Entry(R, 0, 0),)), n)
    with pytest.raises(ValueError, match="need the mean"):
        expected_graph(Graph((Vertex(N, (x,)),)), n)
