"""The method for an unevaluated mean: by its number of variables and what it is made of."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from tpsym.gauss.balls import Ball
from tpsym.gauss.homogeneous import homogeneous
from tpsym.gauss.mixed import mixed_mean
from tpsym.gauss.quadrature import NotRigorousError, integrate, reduced


def enclosure(
    body: sp.Expr, covariance: sp.Matrix, value: Callable[[sp.Expr], Ball], *, deadline: float | None = None
) -> Ball:
    """E[body] as a ball; raises :class:`NotRigorousError` where no method with a proven bound applies.

    In one variable adaptive quadrature comes first; else what needs no cubature, then adaptive quadrature.
    """
    methods = [integrate, in_closed_form]
    if covariance.rows > 1:
        methods.reverse()
    reasons = []
    for method in methods:
        try:
            return method(body, covariance, value, deadline=deadline)
        except NotRigorousError as error:
            reasons.append(str(error))
    raise NotRigorousError("; ".join(reasons))


def in_closed_form(
    body: sp.Expr, covariance: sp.Matrix, value: Callable[[sp.Expr], Ball], *, deadline: float | None = None
) -> Ball:
    """Sums of products of gates and quotients, whose means are closed forms or integrals of such."""
    body, law = reduced(body, covariance, value)
    return mixed_mean(homogeneous(body, law.variables), law, value, deadline=deadline)
