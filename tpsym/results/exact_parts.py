"""Factors of polynomials in sums over indices, and their products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sympy import Expr

from tpsym.program.instructions import Dimension
from tpsym.program.letters import MatrixLetter, SymmetricLetter

Key: TypeAlias = tuple[int, ...]
"""A product of factors by number, sorted, with repetitions."""
Terms: TypeAlias = dict[Key, Expr]
"""A polynomial in factors; coefficients are expressions in n, in parameters and in random scalars."""


@dataclass(frozen=True, slots=True)
class Local:
    """A function of initial vectors, at one coordinate."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class Branch:
    r""":math:`Σ_j W_{ij} ∏ (\text{inner})_j` (or with the transpose), at the coordinate i."""

    letter: MatrixLetter
    inner: Key
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Closed:
    r""":math:`Σ_i ∏ (\text{inner})_i`: a number."""

    inner: Key
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Cycle:
    """The trace of a product of matrices, with the factors of each index before its matrix."""

    letters: tuple[MatrixLetter | SymmetricLetter, ...]
    inner: tuple[Key, ...]


Part: TypeAlias = Local | Branch | Closed | Cycle
