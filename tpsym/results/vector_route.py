r"""Moments of a spectrum through vectors: :math:`z^{t+1} = A z^t`, as Tensor Programs III derives the semicircle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span
from tpsym.gauss.field import Field, OutOfBudgetError
from tpsym.limit.scalars import PROBE, scalar_limit
from tpsym.program.instructions import Dimension
from tpsym.program.letters import MatrixLetter, SymmetricLetter
from tpsym.program.operators import apply
from tpsym.program.values import Operator, VectorValue
from tpsym.results.answers import needed
from tpsym.results.reasons import NoLimit, reasons

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

BUDGET = 500_000
"""Terms of polynomials met while a moment is written out."""
FACTORS = 6
"""Matrices that the vectors of a derivation that is shown are multiplied by, one after the other."""


def iterates(side: LimitQuestions, matrix: Operator, text: str, span: Span) -> Iterator[VectorValue]:
    """z⁰, a vector of standard Gaussian coordinates of its own, then z¹ = A z⁰, z² = A z¹, …"""
    context = side.context
    assert isinstance(matrix.rows, Dimension)
    start = context.builder.vector(f"{PROBE}{matrix.rows.name}) of {text}", matrix.rows, span=span, label="z[0]")
    vector = context.vector(start, matrix.rows)
    step = 0
    while True:
        yield vector
        step += 1
        image = apply(context, matrix, vector, span)
        assert isinstance(image, VectorValue)
        node = context.materialize(image, span=span, label=f"z[{step}]")
        vector = context.vector(node, matrix.rows)


def moment_by_vectors(side: LimitQuestions, matrix: Operator, order: int, text: str, span: Span) -> Expr:
    r""":math:`\lim \frac1n tr A^{i+j} = E[Z^{z^i} Z^{z^j}]` for a symmetric A, i = ⌊order/2⌋, by the Master Theorem.

    The steps count as asked about. Raises:
        NoLimit: a hypothesis of the Master Theorem fails.
    """
    average = trace_by_vectors(side, matrix, order, text, span)
    side.ask(average)
    with reasons(span):
        side.cite(average)
        value: Expr = scalar_limit(side.limit, average).value
    try:
        return written(value, side.limit.definitions)
    except OutOfBudgetError:
        raise NoLimit("this moment is too long to be written out", span) from None


def trace_by_vectors(side: LimitQuestions, matrix: Operator, order: int, text: str, span: Span) -> Expr:
    r""":math:`\frac1n \langle z^i, z^j \rangle` for i + j = order: a scalar whose mean is (1/n) tr A^order."""
    made: list[VectorValue] = []
    for vector in iterates(side, matrix, text, span):
        made.append(vector)
        if len(made) > order - order // 2:
            break
    assert isinstance(matrix.rows, Dimension)
    product = made[order // 2].expr * made[order - order // 2].expr
    return side.context.average(product, matrix.rows, span=span)


def written(value: Expr, definitions: Mapping[Symbol, Expr]) -> Expr:
    """A rational function of named values written out, fractions cancelled on the way: their sizes would multiply.

    Raises:
        OutOfBudgetError: it is too long.
    """
    known: dict[Symbol, Expr] = {}
    for symbol, meaning in needed(value, definitions):
        known[symbol] = _reduced(meaning.xreplace(known))
    return _reduced(value.xreplace(known))


def _reduced(expr: Expr) -> Expr:
    """In lowest terms, expanded, over what is no rational function."""
    field = Field(tuple(dict.fromkeys(_atoms(expr))), BUDGET)
    found = field.of(expr)
    return sp.expand(field.to_sympy(found.num) / field.to_sympy(found.den))


def _atoms(expr: Expr) -> Iterator[Expr]:
    if expr.is_Rational:
        return
    if expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer):
        for part in expr.args:
            yield from _atoms(part)
    else:
        yield expr


def orders(matrix: Operator) -> tuple[int, ...]:
    """Orders of the moments that a reader is shown, not too many products."""
    products = sum(isinstance(x, MatrixLetter | SymmetricLetter) for _, word in matrix.terms for x in word)
    steps = min(3, FACTORS // max(products, 1))
    return tuple(range(1, 2 * steps + 1))


def matrix_name(text: str) -> str:
    """The matrix in ``spectrum(S)`` where it has a name, A for any other."""
    inner = text.removeprefix("spectrum(").removesuffix(")")
    return inner if text.startswith("spectrum(") and inner.isidentifier() else "A"


def moment_name(text: str, order: int) -> Symbol:
    """``lim tr(S^4)`` for ``spectrum(S)``, ``law.moment(4)`` for a law by its name."""
    if not text.startswith("spectrum("):
        return Symbol(f"{text}.moment({order})", real=True)
    inner = text.removeprefix("spectrum(").removesuffix(")")
    if order == 1:
        return Symbol(f"lim(tr({inner}))", real=True)
    base = inner if inner.isidentifier() else f"({inner})"
    return Symbol(f"lim(tr({base}^{order}))", real=True)


__all__ = ["iterates", "matrix_name", "moment_by_vectors", "moment_name", "orders", "trace_by_vectors"]
