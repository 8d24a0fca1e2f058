"""From polynomials in sums over indices to the graphs whose expectations are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from sympy import Expr

from tpsym.exact.graphs import Entry, Graph, Vertex
from tpsym.matrices import Diagonal, Factor, Gaussian, Space, Word
from tpsym.program.instructions import Matrix
from tpsym.program.letters import MatrixLetter, SymmetricLetter
from tpsym.results.exact_parts import Branch, Closed, Cycle, Key, Local
from tpsym.results.exact_terms import Expansion
from tpsym.results.matrix_words import space


@dataclass(slots=True)
class GraphBuilder:
    """Puts factors together as one graph."""

    expansion: Expansion
    vertices: list[Vertex] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def add(self, number: int) -> None:
        """A factor that is a number: a closed sum or a cycle."""
        part = self.expansion.parts[number]
        if isinstance(part, Closed):
            self._vertex(space(part.dimension), part.inner)
            return
        assert isinstance(part, Cycle)
        factors = [letter_factor(self.expansion, x) for x in part.letters]
        corners = [self._vertex(f.rows, key) for f, key in zip(factors, part.inner, strict=True)]
        for f, a, b in zip(factors, corners, corners[1:] + corners[:1], strict=True):
            row, column = (b, a) if f.adjoint else (a, b)
            self.entries.append(Entry(f.matrix, row, column))

    def _vertex(self, where: Space, key: Key) -> int:
        """An index with its functions, and the branches that start there."""
        parts = [self.expansion.parts[k] for k in key]
        here = len(self.vertices)
        self.vertices.append(Vertex(where, tuple(p.expr for p in parts if isinstance(p, Local))))
        for part in parts:
            if isinstance(part, Branch):
                there = self._vertex(space(part.dimension), part.inner)
                factor = letter_factor(self.expansion, part.letter)
                row, column = (there, here) if factor.adjoint else (here, there)
                self.entries.append(Entry(factor.matrix, row, column))
        return here


def letter_factor(expansion: Expansion, letter: MatrixLetter | SymmetricLetter) -> Factor:
    """A matrix of the program; ``W + W.T`` is symmetric with twice the variance."""
    matrix = expansion.context.builder[letter.node]
    assert isinstance(matrix, Matrix)
    variance = matrix.variance / matrix.columns.ratio
    rows, columns = space(matrix.rows), space(matrix.columns)
    if isinstance(letter, SymmetricLetter):
        return Factor(Gaussian(f"{matrix.name} symmetrised", rows, columns, 2 * variance, "symmetric"))
    return Factor(Gaussian(matrix.name, rows, columns, variance), letter.transposed)


def graph_of(expansion: Expansion, key: Key) -> Graph:
    """A product of numbers as one graph."""
    builder = GraphBuilder(expansion)
    for number in key:
        builder.add(number)
    return Graph(tuple(builder.vertices), tuple(builder.entries))


def word_of(expansion: Expansion, cycle: Cycle) -> Word | None:
    """The word of a trace without branches, ``None`` for others."""
    letters: list[Factor | Diagonal] = []
    for letter, key in zip(cycle.letters, cycle.inner, strict=True):
        factor = letter_factor(expansion, letter)
        for number in key:
            part = expansion.parts[number]
            if not isinstance(part, Local):
                return None
            letters.append(Diagonal(factor.rows, part.expr))
        letters.append(factor)
    return tuple(letters)


def functions_alone(expansion: Expansion, part: object) -> Expr | None:
    """The function that a sum over one coordinate is of, ``None`` where matrices enter."""
    if not isinstance(part, Closed):
        return None
    found = [expansion.parts[k] for k in part.inner]
    if not all(isinstance(p, Local) for p in found):
        return None
    product: Expr = 1
    for p in found:
        assert isinstance(p, Local)
        product = product * p.expr
    return product
