"""Concrete functions tried for those that a claim leaves unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from tpsym import functions as fn
from tpsym.gauss.expectation import E

Library = tuple[tuple[str, Callable[..., sp.Expr]], ...]

UNARY: Library = (
    ("z^2 + z", lambda z: z**2 + z),
    ("z^3 - 2 z + 1", lambda z: z**3 - 2 * z + 1),
    ("z^5/5 + z^2/2 - z", lambda z: z**5 / 5 + z**2 / 2 - z),
    ("sin(z) + z/2", lambda z: sp.sin(z) + z / 2),
    ("z^9/500 + z^4 - z", lambda z: z**9 / 500 + z**4 - z),
    ("tanh(z)", sp.tanh),
)
POLYNOMIALS = tuple(entry for entry in UNARY if entry[1](sp.Symbol("z")).is_polynomial())


def library(parts: Sequence[sp.Basic]) -> Library:
    """Functions to try: only polynomials where they stand in expectations over two or more variables."""
    costly = any(e.covariance.rows > 1 and e.body.has(fn.Unknown) for p in parts for e in p.atoms(E))
    return POLYNOMIALS if costly else UNARY


def choice(
    unknowns: Sequence[tuple[str, int]], number: int, library: Library
) -> dict[str, tuple[str, Callable[..., sp.Expr]]]:
    """Concrete functions for the unknown ones, others at each point."""
    result = {}
    for k, (name, arity) in enumerate(unknowns):
        label, one = library[(number + k) % len(library)]
        if arity == 1:
            result[name] = (label, one)
        else:
            result[name] = (f"sums of products of {label}", _joined(one))
    return result


def _joined(one: Callable[..., sp.Expr]) -> Callable[..., sp.Expr]:
    def several(*z: sp.Expr) -> sp.Expr:
        return sp.Mul(*(one(a) for a in z)) + sp.Add(*(k * a for k, a in enumerate(z, start=1)))

    return several
