r"""Edgeworth expansions of any order, from the exponential of the cumulant series.

For S with mean 0, variance :math:`σ^2` and cumulants :math:`λ_j n^{1-j/2}`, j ≥ 3, the characteristic function is
:math:`e^{σ^2 u^2/2} \exp Σ_{j≥3} λ_j n^{1-j/2} u^j / j!` at u = it. A power :math:`u^m` of the second factor is
:math:`(-d/dx)^m`, which takes Φ(x/σ) to :math:`-σ^{-m} He_{m-1}(x/σ) φ(x/σ)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import sympy as sp
from sympy import Expr, S, Symbol

Powers = dict[int, Expr]
"""Coefficients of a polynomial in u."""


def series(higher: Sequence[Expr], order: int) -> list[Powers]:
    """``exp Σ_j λ_j ε^{j-2} u^j/j!`` by powers 0..order of ε = n^{-1/2}; ``higher`` are λ_3, λ_4, …

    With f the exponent and g = exp f, ``r g_r = Σ_s s f_s g_{r-s}`` for the coefficients of ε.
    """
    if len(higher) < order:
        raise ValueError(f"order {order} needs the cumulants up to {order + 2}")
    found: list[Powers] = [{0: S.One}]
    for r in range(1, order + 1):
        total: Powers = {}
        for s in range(1, r + 1):
            factor = sp.Rational(s, r * factorial(s + 2)) * higher[s - 1]
            for m, c in found[r - s].items():
                total[m + s + 2] = total.get(m + s + 2, S.Zero) + factor * c
        found.append({m: sp.expand(c) for m, c in total.items()})
    return found


def hermite(k: int, y: Symbol) -> Expr:
    """The probabilists' Hermite polynomial, ``He_{k+1} = y He_k - k He_{k-1}``."""
    before, found = S.Zero, S.One
    for j in range(k):
        before, found = found, sp.expand(y * found - j * before)
    return found


def edgeworth_polynomials(variance: Expr, higher: Sequence[Expr], y: Symbol, order: int = 2) -> tuple[Expr, ...]:
    r"""``q_1, …, q_order`` with :math:`F(x) = Φ(y) - φ(y) Σ_r n^{-r/2} q_r(y) + o(n^{-order/2})`, y = x/σ.

    The first two are :math:`q_1 = λ_3 He_2/(6σ^3)`, :math:`q_2 = λ_4 He_3/(24σ^4) + λ_3^2 He_5/(72σ^6)`. Holds
    where the law of a summand satisfies Cramér's condition and has a moment of order ``order + 2``.
    """
    sigma = sp.sqrt(variance)
    return tuple(
        sp.Add(S.Zero, *(c * sigma**-m * hermite(m - 1, y) for m, c in powers.items()))
        for powers in series(higher, order)[1:]
    )
