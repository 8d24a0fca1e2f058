"""The instructions of a tensor program: small frozen values that name their arguments by number.

An argument is the number of the node it refers to, so that a program of thousands of instructions
is compared, hashed and walked without recursion. Payloads are sympy expressions in the placeholders
:func:`vector_slot` and :func:`scalar_slot`, one set per instruction; they may contain parameters and
the width symbols, and nothing is ever substituted through.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sympy import Expr, Symbol


@cache
def vector_slot(index: int) -> Symbol:
    """Placeholder of the vector argument number ``index`` (from 0)."""
    return Symbol(f"$x{index}", real=True)


@cache
def scalar_slot(index: int) -> Symbol:
    """Placeholder of the scalar argument number ``index`` (from 0)."""
    return Symbol(f"$t{index}", real=True)


@cache
def column_slot(copy: int, index: int) -> Symbol:
    """Placeholder, in an outer nonlinearity, of vector ``index`` at the summed coordinate ``copy`` (from 0)."""
    return Symbol(f"$c{copy}_{index}", real=True)


@dataclass(frozen=True, slots=True)
class Dimension:
    """A size that goes to infinity: ``ratio`` is the limit of (this size)/(the first width)."""

    name: str
    ratio: Expr


@dataclass(frozen=True, slots=True)
class Matrix:
    """An initial matrix: entries i.i.d. N(0, variance/columns), independent of everything else."""

    name: str
    rows: Dimension
    columns: Dimension
    variance: Expr


@dataclass(frozen=True, slots=True)
class Vector:
    """An initial vector: coordinates i.i.d. N(mean, variance), jointly Gaussian with its ``family``.

    Covariances within a family are kept by the program; vectors of two families are independent.
    """

    name: str
    dimension: Dimension
    family: str
    mean: Expr


@dataclass(frozen=True, slots=True)
class RandomScalar:
    """An initial random scalar N(mean, variance) that keeps its law in the limit (an output bias)."""

    name: str
    mean: Expr
    variance: Expr


@dataclass(frozen=True, slots=True)
class MatMul:
    """``W x``, or ``Wᵀ x`` if ``transposed``, with ``W`` the node number of a :class:`Matrix`."""

    matrix: int
    transposed: bool
    vector: int
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Nonlin:
    """``y_α = payload(x¹_α, …, x^k_α; θ¹, …, θ^l)``."""

    payload: Expr
    vectors: tuple[int, ...]
    scalars: tuple[int, ...]
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Moment:
    """``θ = (1/n) Σ_α payload(x_α; θ)``; without vectors, a function of scalars."""

    payload: Expr
    vectors: tuple[int, ...]
    scalars: tuple[int, ...]
    dimension: Dimension | None


@dataclass(frozen=True, slots=True)
class OuterNonlin:
    r"""``y_α = n^{-r} Σ_{β₁…β_r} payload(x_α; x_{β₁}; …; x_{β_r}; θ)`` over all vectors x at once.

    ``order`` is r. The payload reads x_α through :func:`vector_slot`, x_{β_j} through
    ``column_slot(j - 1, …)`` and scalars through :func:`scalar_slot`.
    """

    payload: Expr
    order: int
    vectors: tuple[int, ...]
    scalars: tuple[int, ...]
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class State:
    """What a loop over layers carries, after its round ``layer``: a vector known through its first two moments.

    ``loop`` numbers the loops of the program (one for each input of the network), ``component`` the vectors one
    of them carries.
    """

    loop: int
    component: int
    layer: Expr
    dimension: Dimension


Instruction = Matrix | Vector | RandomScalar | State | MatMul | Nonlin | Moment | OuterNonlin


def arguments(instruction: Instruction) -> tuple[int, ...]:
    """The numbers of the nodes an instruction reads, in the order of its fields."""
    match instruction:
        case MatMul(matrix=matrix, vector=vector):
            return (matrix, vector)
        case Nonlin() | Moment() | OuterNonlin():
            return (*instruction.vectors, *instruction.scalars)
        case _:
            return ()


def is_scalar(instruction: Instruction) -> bool:
    """Whether the instruction gives a number rather than a vector or a matrix."""
    return isinstance(instruction, Moment | RandomScalar)
