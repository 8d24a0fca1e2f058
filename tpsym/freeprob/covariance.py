"""Which entries of the resolvent a matrix of letters averages: the covariance of an operator-valued semicircle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sympy import Expr

from tpsym.freeprob.automaton import Arc, Automaton
from tpsym.matrices import letter_adjoint


@dataclass(frozen=True, slots=True)
class Pairing:
    r"""``weight · t^power · outside · τ(inside · H[entry])`` is a summand of η(H) at ``place``.

    Two arcs that carry a Gaussian letter and its adjoint: :math:`E[X B X^*] = v\,\mathrm{ratio}\,τ(B)`.
    ``inside`` and ``outside`` are coordinates of diagonal matrices.
    """

    place: tuple[int, int]
    entry: tuple[int, int]
    inside: Expr
    outside: Expr
    weight: Expr
    power: int


def pairings(found: Automaton) -> tuple[Pairing, ...]:
    """All pairs of arcs that the limit pairs; crossing pairs and twisted ones vanish as n grows."""
    return tuple(_pairings(found))


def _pairings(found: Automaton) -> Iterator[Pairing]:
    for a in found.arcs:
        if a.factor is None:
            continue
        for b in found.arcs:
            if b.factor == letter_adjoint(a.factor):
                scale = a.factor.matrix.variance * a.factor.columns.ratio
                yield Pairing(
                    (a.source, b.target), (a.target, b.source), a.right * b.left, a.left * b.right,
                    a.weight * b.weight * scale, a.power + b.power,
                )


def diagonal_arcs(found: Automaton) -> tuple[Arc, ...]:
    """The arcs without a Gaussian letter."""
    return tuple(a for a in found.arcs if a.factor is None)


def weights(found: Automaton) -> list[Expr]:
    """The numbers that moments are polynomials in, besides means of diagonals."""
    return [p.weight for p in pairings(found)] + [a.weight for a in diagonal_arcs(found)]


def support(found: Automaton) -> tuple[dict[tuple[int, int], None], dict[tuple[int, int], None]]:
    """The entries of η(H) and of H that words of the automaton can reach; all others are zero."""
    size = len(found.spaces)
    moves = {(a.source, a.target): None for a in diagonal_arcs(found)}
    entries: dict[tuple[int, int], None] = {(i, i): None for i in range(size)}
    pairs = pairings(found)
    while True:
        grown = dict(moves)
        grown.update((p.place, None) for p in pairs if p.entry in entries)
        reached = dict(entries)
        reached.update(((i, j), None) for i, r in grown for s, j in entries if s == r)
        if len(grown) == len(moves) and len(reached) == len(entries):
            return grown, reached
        moves, entries = grown, reached


Mean = Callable[[Expr], Expr]
"""The mean of a function of the coordinates of diagonals, in the limit."""


def constant_mean(expr: Expr) -> Expr:
    """The mean where there are no diagonals: of constants."""
    return expr
