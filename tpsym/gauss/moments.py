"""Gaussian expectations of polynomials as balls, in any number of variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp
from flint import arb

from tpsym.gauss.balls import Ball

MAX_DEGREE = 40


def polynomial_mean(
    body: sp.Expr,
    variables: Sequence[sp.Symbol],
    covariance: Sequence[Sequence[Ball]],
    value: Callable[[sp.Expr], Ball],
) -> Ball | None:
    """E[body] for a polynomial body, None for anything else."""
    if not body.is_polynomial(*variables):
        return None
    poly = sp.Poly(body, *variables)
    if poly.total_degree() > MAX_DEGREE:
        return None
    known: dict[tuple[int, ...], Ball] = {}
    total = arb(0)
    for exponents, c in poly.terms():
        total += value(c) * moment(tuple(exponents), covariance, known)
    return total


def moment(
    exponents: tuple[int, ...], covariance: Sequence[Sequence[Ball]], known: dict[tuple[int, ...], Ball]
) -> Ball:
    r"""E[∏ z_i^{a_i}] by Stein: E[z_i g] = Σ_j C_ij E[∂_j g]."""
    if sum(exponents) % 2:
        return arb(0)
    if not any(exponents):
        return arb(1)
    found = known.get(exponents)
    if found is not None:
        return found
    i = next(k for k, a in enumerate(exponents) if a)
    rest = tuple(a - (k == i) for k, a in enumerate(exponents))
    total = arb(0)
    for j, a in enumerate(rest):
        if a:
            lowered = tuple(b - (k == j) for k, b in enumerate(rest))
            total += covariance[i][j] * a * moment(lowered, covariance, known)
    known[exponents] = total
    return total
