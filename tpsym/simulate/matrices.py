"""Matrix expressions of a program at finite width, in NumPy: the array, and its eigenvalues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import TpError, fail
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    scalar_slot,
    vector_slot,
)
from tpsym.program.letters import DiagonalLetter, Letter, MatrixLetter, SymmetricLetter, Word
from tpsym.program.values import Operator, Size
from tpsym.simulate.finite_width import MAX_ENTRIES, Plan, Seed, execute, prepare
from tpsym.simulate.payload import Array, compile_payload


def sample_matrix(
    program: Program, operator: Operator, nodes: Mapping[Symbol, int], *, n: int, seed: Seed,
    values: Mapping[Symbol, float], functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Array:
    """The matrix in one random draw of the program at base width ``n``.

    ``nodes`` says which instruction a symbol of the coefficients and diagonals stands for. Diagonals and coefficients
    are computed from the same matrices that stand in the words. The arguments are otherwise those of
    :func:`~tpsym.simulate.finite_width.run`.

    Raises:
        TpError: as for ``run``; ``finite-rank`` for a term that goes through a finite size; ``symbolic-depth``.
    """
    wanted = _instructions(operator, nodes)
    if any(isinstance(program[k], State) for k in program.ancestors(wanted)):
        raise fail("symbolic-depth", "a matrix of a network with a symbolic number of layers cannot be drawn")
    plan = prepare(program, wanted, n=n, values=values, functions=functions)
    shape = _size(plan, operator.rows), _size(plan, operator.columns)
    if shape[0] * shape[1] > MAX_ENTRIES:
        raise fail("too-large", f"a matrix of {shape[0]} × {shape[1]} entries is too large",
                   expected=f"at most {MAX_ENTRIES}", fix="choose a smaller width")
    run = execute(plan, seed=seed)
    read_values = _Reading(plan, nodes, run, functions or {})
    total = np.zeros(shape)
    for c, word in operator.terms:
        total += float(read_values(c)) * _product(word, shape, run, read_values)
    return total


def parameters_read(
    program: Program, operator: Operator, nodes: Mapping[Symbol, int], *, every_width: bool = True
) -> set[Symbol]:
    """The symbols that have to have a value for the matrix to be drawn, other than widths.

    A run needs the ratios of all widths of the program; without ``every_width`` those of other matrices are left out.
    """
    found: set[Symbol] = set().union(*(e.free_symbols for e in _expressions(operator))) - nodes.keys()
    behind = program.ancestors(_instructions(operator, nodes))
    dimensions: set[Dimension] = set()
    for node in program.graph:
        match program[node]:
            case Matrix(rows=rows, columns=columns, variance=variance):
                dimensions |= {rows, columns} if every_width or node in behind else set()
                found |= variance.free_symbols if node in behind else set()
            case Vector(dimension=dimension, mean=mean):
                dimensions |= {dimension} if every_width or node in behind else set()
                found |= mean.free_symbols | program.covariance(node, node).free_symbols if node in behind else set()
            case RandomScalar(mean=mean, variance=variance):
                found |= mean.free_symbols | variance.free_symbols if node in behind else set()
            case Nonlin(payload=payload) | Moment(payload=payload) | OuterNonlin(payload=payload):
                found |= payload.free_symbols if node in behind else set()
            case _:
                pass
    for (a, b), covariance in program.covariances.items():
        found |= covariance.free_symbols if a in behind and b in behind else set()
    found |= set().union(*(d.ratio.free_symbols for d in dimensions))
    widths = {d.name for d in _dimensions(program)}
    return {s for s in found if s.name not in widths and not s.name.startswith("$")}


def _dimensions(program: Program) -> set[Dimension]:
    initial = [program[node] for node in program.graph]
    matrices = {d for i in initial if isinstance(i, Matrix) for d in (i.rows, i.columns)}
    return matrices | {i.dimension for i in initial if isinstance(i, Vector)}


def _expressions(operator: Operator) -> list[Expr]:
    diagonals = [x.expr for _, word in operator.terms for x in word if isinstance(x, DiagonalLetter)]
    return [*(c for c, _ in operator.terms), *diagonals]


def _instructions(operator: Operator, nodes: Mapping[Symbol, int]) -> list[int]:
    """The matrices of the words, and what the coefficients and diagonals read."""
    read = {nodes[s] for e in _expressions(operator) for s in e.free_symbols if s in nodes}
    letters = {x.node for _, word in operator.terms for x in word if isinstance(x, MatrixLetter | SymmetricLetter)}
    return sorted(read | letters)


def eigenvalues(matrix: Array) -> Array:
    """The eigenvalues of a symmetric array, increasing; nothing is divided out.

    Raises:
        TpError: an entry is not finite.
    """
    if not np.isfinite(matrix).all():
        raise fail("not-finite", "the sampled matrix has entries that are not finite numbers")
    found: Array = np.asarray(np.linalg.eigvalsh((matrix + matrix.T) / 2), dtype=np.float64)
    return found


class _Reading:
    """Expressions over the instructions of a program, read at one run."""

    def __init__(
        self, plan: Plan, nodes: Mapping[Symbol, int], run: Mapping[int, Any], functions: Mapping[str, Any]
    ) -> None:
        self.plan, self.nodes, self.run, self.functions = plan, nodes, run, functions

    def __call__(self, expr: Expr) -> Any:
        symbols = sorted((s for s in expr.free_symbols if s in self.nodes), key=str)
        given: dict[str, Any] = dict(self.plan.parameters)
        slots: dict[Symbol, Symbol] = {}
        for i, s in enumerate(symbols):
            value = self.run[self.nodes[s]]
            slots[s] = vector_slot(i) if isinstance(value, np.ndarray) else scalar_slot(i)
            given[slots[s].name] = value
        payload = compile_payload(expr.xreplace(slots), functions=self.functions)
        missing = sorted(s.name for s in payload.symbols if s.name not in given)
        if missing:
            raise fail("no-value", f"{', '.join(missing)} must have a value to draw this matrix")
        return payload(given)


def _product(word: Word, shape: tuple[int, int], run: Mapping[int, Any], read: _Reading) -> Array:
    """The product of the letters; a diagonal scales the rows or the columns beside it."""
    factors: list[Array] = []
    scales: Array | float = 1.0
    for letter in word:
        match letter:
            case DiagonalLetter(expr=expr):
                value = read(expr)
                if factors:
                    factors[-1] = factors[-1] * value
                else:
                    scales = scales * value
            case MatrixLetter(node=node, transposed=transposed):
                factors.append(run[node].T if transposed else run[node])
            case SymmetricLetter(node=node):
                factors.append(run[node] + run[node].T)
            case _:
                raise _finite(letter)
    if not factors:
        return np.diag(np.broadcast_to(scales, (shape[0],)))
    product: Array = np.linalg.multi_dot(factors) if len(factors) > 1 else factors[0]
    return product if isinstance(scales, float) and scales == 1 else np.reshape(scales, (-1, 1)) * product


def _size(plan: Plan, size: Size) -> int:
    """The number of elements of a width in a run."""
    if not isinstance(size, Dimension):
        raise fail("finite-rank", "a matrix with a finite side has no spectrum in the limit")
    if size.name in plan.sizes:
        return plan.sizes[size.name]
    payload = compile_payload(size.ratio, functions={})
    return round(plan.n * float(payload(plan.parameters)))


def _finite(letter: Letter) -> TpError:
    return fail("finite-rank", f"a term of this matrix goes through a finite size ({type(letter).__name__})")


__all__ = ["eigenvalues", "parameters_read", "sample_matrix"]
