"""The letters that matrix expressions of a program are written in."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr

from tpsym.program.instructions import Dimension


@dataclass(frozen=True, slots=True)
class MatrixLetter:
    """A width × width matrix or its transpose."""

    node: int
    transposed: bool


@dataclass(frozen=True, slots=True)
class SymmetricLetter:
    """``W + W.T`` of a square matrix W of a width."""

    node: int


@dataclass(frozen=True, slots=True)
class InputLetter:
    """A width × finite matrix: an input layer, entries N(0, variance) i.i.d.; applies to data only."""

    name: str
    variance: Expr
    rows: Dimension


@dataclass(frozen=True, slots=True)
class RowLetter:
    """A finite × width matrix whose rows are i.i.d. copies of the vector ``expr`` (a readout)."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class ColumnLetter:
    """The transpose of a one-row readout: a width × 1 matrix."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class DiagonalLetter:
    """``diag(x)``."""

    expr: Expr


Letter = MatrixLetter | SymmetricLetter | InputLetter | RowLetter | ColumnLetter | DiagonalLetter
Word = tuple[Letter, ...]
