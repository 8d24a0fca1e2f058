"""Pairings by surface, against an enumeration that glues the sides of a polygon one pairing at a time."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest
import sympy as sp
from entry_sums import n, pairings
from sympy import S, Symbol

from tpsym.exact.pairings import gluings
from tpsym.exact.traces import expected_traces
from tpsym.matrices import Diagonal, Factor, Gaussian, Space, Word

N = Space("n", S.One)
rho = Symbol("rho", positive=True)
M = Space("m", rho)
X, Y = Gaussian("X", N, N, S.One), Gaussian("Y", M, N, S(3))
H, U = Gaussian("H", N, N, S.One, "symmetric"), Gaussian("U", N, N, S.One, "hermitian")
C = Gaussian("C", M, N, S.One, "complex")


def glued(word: Word) -> Counter[tuple[int, bool]]:
    """By Euler characteristic and whether all pairings are straight: the number of gluings of a polygon."""
    found: Counter[tuple[int, bool]] = Counter()
    for pairs in pairings(range(len(word))):
        choices: list[list[bool]] = [[]]
        for a, b in pairs:
            first, second = word[a], word[b]
            assert isinstance(first, Factor)
            assert isinstance(second, Factor)
            opposite = first.adjoint != second.adjoint
            options = {
                "real": [opposite], "symmetric": [True, False],
                "complex": [True] if opposite else [], "hermitian": [True],
            }[first.matrix.kind] if first.matrix == second.matrix else []
            choices = [[*c, o] for c in choices for o in options]
        for straight in choices:
            corners: nx.Graph[int] = nx.Graph()
            corners.add_nodes_from(range(len(word)))
            for (a, b), flat in zip(pairs, straight, strict=True):
                # side a runs from corner a to a + 1: straight sides meet head to tail
                ends = (b + 1, b) if flat else (b, b + 1)
                corners.add_edge(a, ends[0] % len(word))
                corners.add_edge((a + 1) % len(word), ends[1] % len(word))
            vertices = nx.number_connected_components(corners)
            found[vertices - len(word) // 2 + 1, all(straight)] += 1
    return found


WORDS: list[Word] = [
    (Factor(H),) * 2, (Factor(H),) * 4, (Factor(H),) * 6, (Factor(U),) * 8, (Factor(Y), Factor(Y, True)) * 3,
    (Factor(C), Factor(C, True)) * 3, (Factor(X),) * 4, (Factor(X), Factor(X, True), Factor(H), Factor(H)) * 2,
    (Factor(X), Factor(H), Factor(X), Factor(U), Factor(H), Factor(U)),
]


@pytest.mark.parametrize("word", WORDS)
def test_gluings_are_counted(word: Word) -> None:
    expected = glued(word)
    found = gluings(word, n)
    counts = Counter({(g.euler, flat): c for g in found for flat, c in ((True, g.orientable), (False, g.twisted)) if c})
    assert counts == expected
    assert [g.euler for g in found] == sorted({chi for chi, _ in expected}, reverse=True)
    total = sum((g.contribution for g in found), S.Zero)
    assert sp.expand(total - expected_traces([word], n) / n) == 0


def test_surfaces() -> None:
    sphere, plane, torus, *_ = gluings((Factor(H),) * 4, n)
    assert (sphere.euler, sphere.genus, sphere.orientable, sphere.survives) == (2, 0, 2, True)
    assert (plane.euler, plane.genus, plane.twisted, plane.contribution) == (1, None, 5, 5 / n)
    assert (torus.euler, torus.genus, torus.orientable, torus.twisted) == (0, 1, 1, 4)
    # 28 letters have more pairings than can be listed
    assert sum(g.orientable for g in gluings((Factor(U),) * 28, n)) == sp.factorial2(27)


def test_what_has_no_pairings() -> None:
    assert gluings((Factor(H),) * 3, n) == ()
    with pytest.raises(ValueError, match="Gaussian matrices"):
        gluings((Factor(H), Diagonal(N, rho)), n)
