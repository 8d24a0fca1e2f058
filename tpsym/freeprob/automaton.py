"""Polynomials as automata: ``Σ t^k P^k`` is an entry of the resolvent of a matrix of letters."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, S

from tpsym.matrices import Diagonal, Factor, Polynomial, Space, Word


@dataclass(frozen=True, slots=True)
class Arc:
    """``weight · t^power · left · factor · right`` from one state to another; ``factor`` may be missing.

    ``left`` and ``right`` are coordinates of diagonal matrices.
    """

    source: int
    target: int
    factor: Factor | None
    left: Expr
    right: Expr
    weight: Expr
    power: int


@dataclass(frozen=True, slots=True)
class Automaton:
    r"""States 0, 1, … (each a place inside a word, in a ``space``) and the arcs between them.

    With A the matrix of arcs, :math:`[(1 - A)^{-1}]_{00} = \sum_k t^k P^k`: every word is a loop at 0, t stands on
    its first arc and its coefficient on its last.
    """

    spaces: tuple[Space, ...]
    arcs: tuple[Arc, ...]


Label = tuple[Expr, Factor]


def automaton(polynomial: Polynomial) -> Automaton:
    """The automaton of a polynomial without constant term, states with the same future merged.

    Source: Haagerup and Thorbjørnsen's linearisation, as loops instead of Schur complements.
    """
    spaces: list[Space] = [polynomial.rows]
    states: dict[tuple[Label, ...], int] = {(): 0}
    arcs: list[Arc] = []
    for coefficient, word in polynomial.terms:
        labels, rest = _labels(word)
        if not labels:
            arcs.append(Arc(0, 0, None, rest, S.One, coefficient, 1))
            continue
        for length in range(1, len(labels)):
            prefix = labels[:length]
            if prefix not in states:
                states[prefix] = len(spaces)
                left, factor = labels[length - 1]
                spaces.append(factor.columns)
                start = states[prefix[:-1]]
                arcs.append(Arc(start, states[prefix], factor, left, S.One, S.One, int(start == 0)))
        left, factor = labels[-1]
        start = states[labels[:-1]]
        arcs.append(Arc(start, 0, factor, left, rest, coefficient, int(start == 0)))
    return _merged(Automaton(tuple(spaces), tuple(arcs)))


def _labels(word: Word) -> tuple[tuple[Label, ...], Expr]:
    """A word as Gaussian letters, each with the diagonals before it, and the diagonals that are left."""
    labels: list[Label] = []
    before: Expr = S.One
    for letter in word:
        if isinstance(letter, Diagonal):
            before = before * letter.expr
        else:
            labels.append((before, letter))
            before = S.One
    return tuple(labels), before


def _merged(found: Automaton) -> Automaton:
    """States with equal arcs out of them made one, until there are none."""
    while True:
        futures: dict[tuple[Space, frozenset[Arc]], int] = {}
        renamed: dict[int, int] = {}
        for state, space in enumerate(found.spaces):
            future = frozenset(
                Arc(-1, a.target, a.factor, a.left, a.right, a.weight, a.power) for a in found.arcs if a.source == state
            )
            first = futures.setdefault((space, future), state) if state else state
            renamed[state] = first
        if all(k == v for k, v in renamed.items()):
            return found
        kept = sorted(set(renamed.values()))
        place = {state: kept.index(renamed[state]) for state in renamed}
        arcs = (
            Arc(place[a.source], place[a.target], a.factor, a.left, a.right, a.weight, a.power)
            for a in found.arcs if renamed[a.source] == a.source
        )
        found = Automaton(tuple(found.spaces[s] for s in kept), tuple(arcs))
