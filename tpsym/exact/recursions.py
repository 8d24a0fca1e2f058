"""Recursions in k for E Tr of one Gaussian matrix, entries of variance one: a hundred moments in no time."""

from __future__ import annotations

from typing import Any

import sympy as sp
from flint import fmpz_poly
from sympy import Expr, S, Symbol

from tpsym.exact.ring import Ring
from tpsym.matrices import Factor, Word

SIZE = fmpz_poly([0, 1])


def gue_traces(k: int) -> list[Any]:
    r"""``E Tr H^{2j}`` for j in 0..k as polynomials in n, H hermitian with :math:`E|H_{ij}|^2 = 1`.

    :math:`(k+1) t_k = (4k-2) n t_{k-1} + (k-1)(2k-1)(2k-3) t_{k-2}` (Harer and Zagier 1986).
    """
    traces = [SIZE, SIZE**2]
    for j in range(2, k + 1):
        total = (4 * j - 2) * SIZE * traces[-1] + (j - 1) * (2 * j - 1) * (2 * j - 3) * traces[-2]
        traces.append(_divided(total, j + 1))
    return traces[: k + 1]


def goe_traces(k: int) -> list[Any]:
    r"""``E Tr H^{2j}`` for j in 0..k as polynomials in n, H symmetric with variance 1 off and 2 on the diagonal.

    The recursion of five terms of Ledoux (2009):
    :math:`(k+1) t_k = (4k-1)(2n-1) t_{k-1} + (2k-3)(10k^2-9k-8n^2+8n) t_{k-2}
    - 5 (2k-3)(2k-4)(2k-5)(2n-1) t_{k-3} - 2 (2k-3)(2k-4)(2k-5)(2k-6)(2k-7) t_{k-4}`.
    """
    n = SIZE
    traces = [n, n**2 + n, 2 * n**3 + 5 * n**2 + 5 * n, 5 * n**4 + 22 * n**3 + 52 * n**2 + 41 * n]
    for j in range(4, k + 1):
        falling = (2 * j - 3) * (2 * j - 4) * (2 * j - 5)
        total = (
            (4 * j - 1) * (2 * n - 1) * traces[-1]
            + (2 * j - 3) * (10 * j**2 - 9 * j - 8 * n**2 + 8 * n) * traces[-2]
            - 5 * falling * (2 * n - 1) * traces[-3]
            - 2 * falling * (2 * j - 6) * (2 * j - 7) * traces[-4]
        )
        traces.append(_divided(total, j + 1))
    return traces[: k + 1]


def complex_wishart_traces(k: int, rows: Expr, columns: Expr) -> list[Expr]:
    r"""``E Tr (XX*)^j`` for j in 1..k, X complex of the given size with :math:`E|X_{ij}|^2 = 1`.

    :math:`(k+1) t_k = (2k-1)(m+n) t_{k-1} + (k-2)((k-1)^2-(m-n)^2) t_{k-2}` (Haagerup and Thorbjørnsen 2003).
    """
    ring = Ring([rows, columns])
    m, n = ring.elements
    traces = [m * n, m * n * (m + n)]
    for j in range(3, k + 1):
        total = (2 * j - 1) * (m + n) * traces[-1] + (j - 2) * ((j - 1) ** 2 - (m - n) ** 2) * traces[-2]
        traces.append(total / (j + 1))
    return [ring.expr(t) for t in traces[:k]]


def _divided(total: Any, by: int) -> Any:
    quotient, rest = divmod(total, fmpz_poly([by]))
    assert rest == 0
    return quotient


def _normalised(trace: Any, k: int, n: Symbol) -> Expr:
    return sp.Add(S.Zero, *(int(c) * n ** (j - k - 1) for j, c in enumerate(trace.coeffs())))


def gue_moment(k: int, n: Symbol) -> Expr:
    r"""``(1/n) E Tr H^{2k}`` for the GUE with :math:`E|H_{ij}|^2 = 1/n`; k = 100 takes milliseconds."""
    return _normalised(gue_traces(k)[k], k, n)


def goe_moment(k: int, n: Symbol) -> Expr:
    """``(1/n) E Tr H^{2k}`` for the GOE with variances 1/n off and 2/n on the diagonal."""
    return _normalised(goe_traces(k)[k], k, n)


def by_recursion(word: Word, n: Symbol) -> Expr | None:
    """``E Tr(w)`` for unit entries where a recursion covers the word: powers of one matrix; else ``None``."""
    first, length = word[0], len(word)
    if not isinstance(first, Factor) or length % 2:
        return None
    size, kind = first.rows.ratio * n, first.matrix.kind
    if first.matrix.is_selfadjoint:
        if any(x != first for x in word):
            return None
        traces = (gue_traces if kind == "hermitian" else goe_traces)(length // 2)
        return sp.Add(S.Zero, *(int(c) * size**j for j, c in enumerate(traces[-1].coeffs())))
    other = Factor(first.matrix, not first.adjoint)
    if kind == "complex" and word == (first, other) * (length // 2):
        return complex_wishart_traces(length // 2, size, first.columns.ratio * n)[-1]
    return None
