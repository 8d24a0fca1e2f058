"""Moments as power series: ``H = 1 + η(H) H``, order by order in t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sympy as sp
from sympy import Expr, S

from tpsym.freeprob.automaton import Automaton
from tpsym.freeprob.covariance import diagonal_arcs, pairings, support

Entry = tuple[int, int]


class Algebra(Protocol):
    """Numbers and functions of one coordinate: what the entries of H are made of.

    Elements add and multiply with ``+`` and ``*``, also by numbers.
    """

    def number(self, expr: Expr) -> Any:
        """A weight."""

    def function(self, expr: Expr) -> Any:
        """A product of coordinates of diagonal matrices."""

    def mean(self, element: Any) -> Any:
        """τ: the mean over the coordinates, a number."""


@dataclass(frozen=True, slots=True)
class _Summand:
    """A pairing with its numbers in the algebra."""

    place: Entry
    entry: Entry
    inside: Any
    outside: Any
    weight: Any
    power: int


@dataclass(slots=True)
class Resolvent:
    """The series of H, grown on demand: ``H[i, j][k]`` is the coefficient of t^k.

    Every word is a loop at state 0 with t on its first arc, so the coefficient of t^k at (0, 0) is ``P^k`` and each
    order follows from those before it by finitely many passes.
    """

    found: Automaton
    algebra: Algebra
    moves: dict[Entry, list[Any]]
    entries: dict[Entry, list[Any]]
    summands: tuple[_Summand, ...]
    fixed: Mapping[Entry, list[Any]]
    order: int = -1

    def moments(self, count: int) -> list[Any]:
        """τ(P^0), …, τ(P^count) as numbers of the algebra."""
        self.grow(count)
        return [self.algebra.mean(x) for x in self.entries[(0, 0)][: count + 1]]

    def mean(self, entry: Entry, inside: Any, count: int) -> list[Any]:
        """The series of τ(inside · H[entry]) to the order ``count``."""
        self.grow(count)
        return [self.algebra.mean(inside * x) for x in self.entries[entry][: count + 1]]

    def grow(self, order: int) -> None:
        """Coefficients up to t^order."""
        while self.order < order:
            self.order += 1
            self._next(self.order)

    def _next(self, k: int) -> None:
        zero = self.algebra.number(_ZERO)
        one = self.algebra.number(_ONE)
        base = {
            (i, j): sum(
                (self.moves[i, r][a] * self.entries[r, j][k - a] for r in self._between(i, j) for a in range(1, k)),
                one if k == 0 and i == j else zero,
            )
            for i, j in self.entries
        }
        for entry, start in base.items():
            self.entries[entry].append(start)
        for place in self.moves:
            self.moves[place].append(zero)
        for _ in range(2 * len(self.found.spaces) + 2):
            before = {entry: s[k] for entry, s in self.entries.items()}
            for place in self.moves:
                self.moves[place][k] = self._move(place, k)
            for (i, j), start in base.items():
                total = start
                for r in self._between(i, j):
                    total = total + self.moves[i, r][0] * self.entries[r, j][k]
                    if k:
                        total = total + self.moves[i, r][k] * self.entries[r, j][0]
                self.entries[i, j][k] = total
            if all(before[e] == s[k] for e, s in self.entries.items()):
                return

    def _between(self, i: int, j: int) -> list[int]:
        return [r for s, r in self.moves if s == i and (r, j) in self.entries]

    def _move(self, place: Entry, k: int) -> Any:
        total = self.fixed[place][k] if place in self.fixed and k < len(self.fixed[place]) else None
        for s in self.summands:
            if s.place == place and s.power <= k:
                part = s.weight * self.algebra.mean(s.inside * self.entries[s.entry][k - s.power]) * s.outside
                total = part if total is None else total + part
        return self.algebra.number(_ZERO) if total is None else total


_ZERO, _ONE = S.Zero, S.One


def resolvent(found: Automaton, algebra: Algebra) -> Resolvent:
    """The series of an automaton, no coefficient known yet."""
    moves, entries = support(found)
    summands = tuple(
        _Summand(p.place, p.entry, algebra.function(p.inside), algebra.function(p.outside),
                 algebra.number(sp.expand(p.weight)), p.power)
        for p in pairings(found) if p.entry in entries
    )
    fixed: dict[Entry, list[Any]] = {}
    for arc in diagonal_arcs(found):
        term = algebra.number(sp.expand(arc.weight)) * algebra.function(arc.left * arc.right)
        old = fixed.get((0, 0))
        fixed[(0, 0)] = [algebra.number(_ZERO), term if old is None else old[1] + term]
    return Resolvent(found, algebra, {m: [] for m in moves}, {e: [] for e in entries}, summands, fixed)
