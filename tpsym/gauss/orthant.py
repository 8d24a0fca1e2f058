"""Probabilities that jointly Gaussian variables are all positive."""

from __future__ import annotations

import sympy as sp
from flint import fmpq

from tpsym.gauss.law import Form, Law
from tpsym.gauss.values import Algebra, Value


def arcsine(algebra: Algebra, law: Law, a: Form, b: Form) -> Value:
    r"""P(a > 0, b > 0) − 1/4 = asin(ρ)/(2π) for centred forms of correlation ρ (Sheppard 1899)."""
    between = law.between(a, b)
    if not between:
        return Value({})
    scale = algebra.inverse(algebra.sqrt(law.variance(a) * law.variance(b)))
    angle = sp.asin(algebra.expr(scale.scale(between)))
    sign, angle = (-1, -angle) if angle.could_extract_minus_sign() else (1, angle)
    two_pi = algebra.field.of(2 * sp.pi)
    return algebra.opaque(angle).scale(algebra.field.constant(fmpq(sign)) / two_pi)
