"""Means of functions of Gaussian vectors: derived by rules, exact, or left as canonical ``E`` atoms."""

from __future__ import annotations

from tpsym.gauss.api import Reduction, expect, unevaluated
from tpsym.gauss.existence import DivergentExpectation
from tpsym.gauss.expectation import E, bound

__all__ = ["DivergentExpectation", "E", "Reduction", "bound", "expect", "unevaluated"]
