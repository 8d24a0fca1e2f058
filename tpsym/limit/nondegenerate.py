"""Variances that must not vanish for a formula to hold: those under a jump.

E step(g) is 1/2 unless g is 0. Formulas for jumps are stated for variances that do not vanish, and say so;
for continuous functions a vanishing variance is a limit like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol
from sympy.core.relational import Relational

from tpsym.functions import delta, step

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit

JUMPS = (step, sp.sign, sp.Heaviside, delta)


def jumping(expr: Expr) -> Iterator[Expr]:
    """The quantities whose sign a jump decides on."""
    for part in expr.atoms(*JUMPS):
        yield part.args[0]
    for part in expr.atoms(sp.Piecewise):
        for _, condition in part.args:
            yield from (c.lhs - c.rhs for c in condition.atoms(Relational))


def variances_at_jumps(limit: Limit, expr: Expr) -> Iterator[Expr]:
    """Variances of what jumps that are not known to be positive."""
    variables = limit.variables
    for argument in jumping(expr):
        gaussians = sorted((s for s in argument.free_symbols if s in variables.forms), key=lambda s: s.name)
        for variance in _variances(limit, argument, gaussians):
            if variance != 0 and not variance.is_positive:
                yield variance


def _variances(limit: Limit, argument: Expr, gaussians: list[Symbol]) -> list[Expr]:
    """The variance of an affine argument; those of its Gaussians for any other."""
    found = limit.variables.linear(argument)
    if found is None:
        return [limit.covariance(g, g) for g in gaussians]
    return [sp.expand(sp.Add(*(a * b * limit.covariance(g, h) for g, a in found.items() for h, b in found.items())))]
