r"""Moments of a spectrum through vectors: :math:`z^{t+1} = A z^t`, as Tensor Programs III derives the semicircle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span
from tpsym.limit.scalars import PROBE, scalar_limit
from tpsym.program.instructions import Dimension
from tpsym.program.letters import MatrixLetter, SymmetricLetter
from tpsym.program.operators import apply
from tpsym.program.values import Operator, VectorValue
from tpsym.results.reasons import reasons

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

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
    while value.free_symbols & side.limit.definitions.keys():
        value = sp.expand(value.xreplace(side.limit.definitions))
    return value


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
