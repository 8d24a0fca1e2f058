r"""The moment method told: pairings of the letters of a trace by the surface they glue.

Gluing the sides of a polygon in pairs gives a closed surface. With V vertices, p edges and one face its Euler
characteristic is χ = V − p + 1, and the pairing contributes :math:`n^V (v/n)^p`: after division by n it is of
order :math:`n^{χ-2}`, so spheres (χ = 2, planar pairings) alone survive. Straight pairings give orientable surfaces,
χ = 2 − 2g; a twisted one, there where entries are real, a surface that is not orientable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.exact.letters import Alphabet
from tpsym.exact.sizes import Sizes
from tpsym.exact.traces import LoopEquations, check_word, pairing_weight, spaces_of
from tpsym.matrices import Diagonal, Factor, Gaussian, Kind, Word

COMPLEX: dict[Kind, Kind] = {
    "real": "complex", "symmetric": "hermitian", "complex": "complex", "hermitian": "hermitian"
}
"""The kind of matrix with the straight pairings alone."""


@dataclass(frozen=True, slots=True)
class Gluing:
    """The pairings of one word with one Euler characteristic.

    ``orientable`` and ``twisted`` count them; ``contribution`` is what both give together to ``(1/n) E Tr w``.
    """

    euler: int
    orientable: int
    twisted: int
    contribution: Expr

    @property
    def genus(self) -> int | None:
        """That of the orientable surfaces, ``None`` where there are none."""
        return (2 - self.euler) // 2 if self.orientable else None

    @property
    def survives(self) -> bool:
        """Whether the contribution has a limit other than zero."""
        return self.euler == 2


def gluings(word: Word, n: Symbol) -> tuple[Gluing, ...]:
    """The pairings of a word of Gaussian matrices, spheres first; counted by loop equations, not one by one.

    Spaces have ``ratio * n`` elements, ratios free of n.

    Raises:
        ValueError: a word with diagonal letters or without trace.
    """
    check_word(word)
    if not word or any(isinstance(x, Diagonal) for x in word):
        raise ValueError("pairings are told for words of Gaussian matrices")
    every = _by_vertices(word, n)
    straight = _by_vertices(tuple(_complexified(x) for x in word if isinstance(x, Factor)), n)
    pairs, weight = len(word) // 2, pairing_weight([word], n) / n
    return tuple(
        Gluing(v - pairs + 1, straight.get(v, (0, S.Zero))[0], count - straight.get(v, (0, S.Zero))[0],
               sp.expand(weight * value))
        for v, (count, value) in every.items()
    )


def _by_vertices(word: Word, n: Symbol) -> dict[int, tuple[int, Expr]]:
    """By the number of vertices, most first: the number of pairings, and the sum of the products of their sizes."""
    alphabet = Alphabet()
    code = alphabet.encode(word)
    spaces = list(dict.fromkeys(s.ratio for s in spaces_of([word])))
    # every space is counted as a name of its own, so that degrees are numbers of vertices
    names = [n, *(Symbol(f"size{i}", positive=True) for i in range(1, len(spaces)))]
    equations = LoopEquations(alphabet, NamedSizes(spaces, names, n), n)
    found = equations.expected([code]).get((), 0 * equations.sizes.one)
    counts: dict[int, int] = {}
    for powers, c in equations.sizes.terms(found):
        counts[sum(powers)] = counts.get(sum(powers), 0) + c
    sizes = dict(zip(names, (r * n for r in spaces), strict=True))
    parts = equations.sizes.by_degree(found)
    return {v: (counts[v], parts[v].xreplace(sizes)) for v in parts}


class NamedSizes(Sizes):
    """Sizes under names, looked up by the size."""

    def __init__(self, ratios: Sequence[Expr], names: Sequence[Symbol], n: Symbol) -> None:
        super().__init__(names, n)
        self._names = {r * n: name for r, name in zip(ratios, names, strict=True)}

    def __getitem__(self, size: Expr) -> object:
        return super().__getitem__(self._names[size])


def _complexified(letter: Factor) -> Factor:
    matrix: Gaussian = replace(letter.matrix, kind=COMPLEX[letter.matrix.kind])
    return Factor(matrix, letter.adjoint)
