"""Moments of eigenvalues at finite n: ``E (1/n) tr A^k`` as a function of n."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span
from tpsym.matrices import Diagonal, Polynomial
from tpsym.program.arithmetic import MAX_OPERATOR_TERMS
from tpsym.program.instructions import Nonlin, Vector
from tpsym.results.reasons import NoLimit, reasons

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions


def finite_moment(side: LimitQuestions, found: Polynomial, k: int, span: Span) -> Expr:
    """``E (1/N) tr A^k`` for a matrix A of N rows, exactly.

    Raises:
        NoLimit: the diagonal matrices or coefficients depend on more than independent initial coordinates.
    """
    from tpsym.exact.traces import expected_trace

    for c, word in found.terms:
        if c.free_symbols & side.context.nodes.keys():
            raise NoLimit("a coefficient of this matrix is a random number at finite n", span)
        for letter in word:
            if isinstance(letter, Diagonal):
                _independent(side, letter.expr, span)
    if k == 0:
        return S.One
    power = found
    for _ in range(k - 1):
        if len(power.terms) * len(found.terms) > MAX_OPERATOR_TERMS:
            raise NoLimit(f"this power has more than {MAX_OPERATOR_TERMS} terms", span)
        power = power @ found

    def mean(expr: Expr) -> Expr:
        with reasons(span):
            return side.limit.mean(side.limit.series(expr)).limit()

    total = expected_trace(power, side.context.n, mean=mean)
    moment: Expr = sp.expand(total / (found.rows.ratio * side.context.n))
    return moment


def _independent(side: LimitQuestions, expr: Expr, span: Span) -> None:
    """A coordinate is a function of initial coordinates alone, the same at every n."""
    nodes = {side.context.nodes[s] for s in expr.free_symbols if s in side.context.nodes}
    program = side.limit.program
    inner = [program[k] for k in program.ancestors(nodes)]
    plain = all(isinstance(i, Vector) or (isinstance(i, Nonlin) and not i.scalars) for i in inner)
    n = side.context.n
    if not plain or expr.has(n) or any(isinstance(i, Nonlin) and i.payload.has(n) for i in inner):
        reason = "at finite n a diagonal matrix has to be a function of initial vectors alone"
        raise NoLimit(reason, span)


__all__ = ["finite_moment"]
