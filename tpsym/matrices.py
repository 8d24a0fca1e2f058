"""Polynomials in random matrices and diagonal matrices, as words in letters; nothing about laws or limits.

A leaf below everything that speaks of matrices: programs write their matrix expressions in these words,
``freeprob`` finds their spectra in the limit, ``exact`` their traces at finite n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sympy import Expr, S

Kind = Literal["real", "symmetric", "complex", "hermitian"]


@dataclass(frozen=True, slots=True)
class Space:
    """An index set of ``ratio * n`` elements; ``n`` is the first width."""

    name: str
    ratio: Expr


@dataclass(frozen=True, slots=True)
class Gaussian:
    r"""A random matrix of centred Gaussian entries, with ``variance`` v by ``kind``:

    * ``real``: :math:`E X_{ij} X_{kl} = (v/n) δ_{ik} δ_{jl}`,
    * ``symmetric``: :math:`E X_{ij} X_{kl} = (v/n) (δ_{ik} δ_{jl} + δ_{il} δ_{jk})`, so twice v/n on the diagonal,
    * ``complex``: :math:`E X_{ij} \bar X_{kl} = (v/n) δ_{ik} δ_{jl}`, :math:`E X_{ij} X_{kl} = 0`,
    * ``hermitian``: :math:`E X_{ij} X_{kl} = (v/n) δ_{il} δ_{jk}`.

    Matrices of two names are independent.
    """

    name: str
    rows: Space
    columns: Space
    variance: Expr
    kind: Kind = "real"

    @property
    def is_selfadjoint(self) -> bool:
        return self.kind in ("symmetric", "hermitian")


@dataclass(frozen=True, slots=True)
class Factor:
    """A Gaussian matrix in a word, as it is or as its adjoint."""

    matrix: Gaussian
    adjoint: bool = False

    @property
    def rows(self) -> Space:
        return self.matrix.columns if self.adjoint else self.matrix.rows

    @property
    def columns(self) -> Space:
        return self.matrix.rows if self.adjoint else self.matrix.columns


@dataclass(frozen=True, slots=True)
class Diagonal:
    """``diag(x)`` for a vector x whose coordinate is ``expr``, a real function of random variables."""

    space: Space
    expr: Expr

    @property
    def rows(self) -> Space:
        return self.space

    @property
    def columns(self) -> Space:
        return self.space


Letter: TypeAlias = Factor | Diagonal
Word: TypeAlias = tuple[Letter, ...]


def letter_adjoint(letter: Letter) -> Letter:
    """The adjoint of one letter; a self-adjoint matrix is always written without."""
    if isinstance(letter, Diagonal) or letter.matrix.is_selfadjoint:
        return letter
    return Factor(letter.matrix, not letter.adjoint)


def word_adjoint(word: Word) -> Word:
    """``(ab…c)* = c*…b*a*``."""
    return tuple(letter_adjoint(x) for x in reversed(word))


@dataclass(frozen=True, slots=True)
class Polynomial:
    """``Σ coefficient · word``, words of one shape each once; the empty word is the identity.

    Coefficients are real expressions in parameters.
    """

    terms: tuple[tuple[Expr, Word], ...]
    rows: Space
    columns: Space

    @property
    def adjoint(self) -> Polynomial:
        return polynomial(((c, word_adjoint(w)) for c, w in self.terms), self.columns, self.rows)

    def __matmul__(self, other: Polynomial) -> Polynomial:
        products = ((c * e, v + w) for c, v in self.terms for e, w in other.terms)
        return polynomial(products, self.rows, other.columns)

    def __add__(self, other: Polynomial) -> Polynomial:
        return polynomial((*self.terms, *other.terms), self.rows, self.columns)


def polynomial(terms: Iterable[tuple[Expr, Word]], rows: Space, columns: Space) -> Polynomial:
    """Equal words collected, words without weight left out."""
    collected: dict[Word, Expr] = {}
    for coefficient, word in terms:
        collected[word] = collected.get(word, S.Zero) + coefficient
    return Polynomial(tuple((c, w) for w, c in collected.items() if c != 0), rows, columns)
