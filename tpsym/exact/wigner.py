"""Moments of real Wigner matrices of any entries, by closed walks up to isomorphism."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.exact.ring import Ring
from tpsym.exact.sums import moments_of

Walk = tuple[int, tuple[int, ...], tuple[int, ...]]
"""Vertices of a closed walk; how often it takes each edge, and each loop."""


@dataclass(slots=True)
class Walks:
    """Closed walks of a length, counted by what they use; ``centred`` leaves out those with an edge taken once."""

    length: int
    centred: bool
    found: Counter[Walk] = field(default_factory=Counter)

    def count(self) -> Counter[Walk]:
        self._extend(0, 1, self.length, {})
        return self.found

    def _extend(self, here: int, vertices: int, left: int, taken: dict[tuple[int, int], int]) -> None:
        if self.centred and sum(c == 1 for c in taken.values()) > left:
            return
        if not left:
            if here == 0:
                edges = tuple(sorted(c for (a, b), c in taken.items() if a != b))
                self.found[vertices, edges, tuple(sorted(c for (a, b), c in taken.items() if a == b))] += 1
            return
        for there in range(vertices + 1):
            edge = (min(here, there), max(here, there))
            taken[edge] = taken.get(edge, 0) + 1
            self._extend(there, max(vertices, there + 1), left - 1, taken)
            taken[edge] -= 1
            if not taken[edge]:
                del taken[edge]


def wigner_moment(k: int, n: Symbol, *, off_diagonal: Sequence[Expr], diagonal: Sequence[Expr]) -> Expr:
    r"""``(1/n) E Tr H^k``, exactly, for real symmetric H with entries :math:`X_{ij}/\sqrt n`, independent for i ≤ j.

    The cumulants κ_1, κ_2, … of :math:`X_{ij}` off and on the diagonal are given; those left out are zero. A walk
    on V vertices occurs n(n-1)…(n-V+1) times.
    """
    off, on = ((*c, *([S.Zero] * (k - len(c))))[:k] for c in (off_diagonal, diagonal))
    centred = bool(k) and off[0] == 0 and on[0] == 0
    ring = Ring([n, *moments_of(off), *moments_of(on)])
    size, edge, loop = ring.elements[0], ring.elements[1 : k + 1], ring.elements[k + 1 :]
    total = ring.number(0)
    for (vertices, edges, loops), count in Walks(k, centred).count().items():
        term = ring.number(count)
        for i in range(vertices):
            term *= size - i
        for c in edges:
            term *= edge[c - 1]
        for c in loops:
            term *= loop[c - 1]
        total += term
    return sp.expand(ring.expr(total) * n ** (-1 - sp.Rational(k, 2)))
