"""The algebra of polynomials in Gaussian matrices alone: numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sympy import Expr

from tpsym.freeprob.ring import Ring


@dataclass(frozen=True, slots=True)
class Numbers:
    """Functions of a coordinate are constants."""

    ring: Ring

    def number(self, expr: Expr) -> Any:
        return self.ring.element(expr)

    def function(self, expr: Expr) -> Any:
        return self.ring.element(expr)

    def mean(self, element: Any) -> Any:
        return element
