"""What the mean field theory of a network comes to at one choice of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sympy as sp
from sympy import Expr

from tpsym.gauss.balls import NAN
from tpsym.gauss.numeric import Numeric, certain_digits, enclose

Phase = Literal["ordered", "chaotic", "critical", "undecided"]


@dataclass(frozen=True)
class Quantity:
    """A number, with its closed form where there is one (∞ allowed); see :class:`Numeric` for ``rigorous``."""

    number: Numeric
    exact: Expr | None = None

    @property
    def certain(self) -> int:
        """Decimal digits that are certain."""
        return certain_digits(self.number.value)

    def text(self, digits: int = 15) -> str:
        """The decimals that are certain, at most ``digits``; ``oo`` for ∞."""
        if self.exact is not None and (self.exact in (sp.oo, -sp.oo) or self.exact.is_Integer):
            return str(self.exact)
        shown = str(self.number.value.str(max(1, min(digits, self.certain)), radius=False))
        if self.certain < 1:
            shown = str(self.number.value)
        return shown if self.number.rigorous else f"{shown} (estimated error)"


@dataclass(frozen=True)
class Numbers:
    """What a deep network does at one choice of parameters.

    ``variance`` is q*, ``correlation`` c*, ``chi``, ``chi_parallel`` and ``chi_correlation`` the slopes of the
    correlation map at 1, of the variance map at q* and of the correlation map at c*; the depths are −1/log of
    the last two. ``None`` is what does not exist or was not found: ``notes`` say which. ``every_variance``: each
    variance is kept, so there is no one q*. ``reached``: the variance is proved to converge to q* (or to grow
    without bound, or to stay); only then is the phase that of the network beyond doubt.
    """

    phase: Phase
    variance: Quantity | None
    correlation: Quantity | None
    chi: Quantity | None
    chi_parallel: Quantity | None
    chi_correlation: Quantity | None
    correlation_depth: Quantity | None
    variance_depth: Quantity | None
    every_variance: bool = False
    reached: bool = False
    notes: tuple[str, ...] = ()


def exact(value: Expr, bits: int) -> Quantity:
    """A quantity in closed form."""
    if value in (sp.oo, -sp.oo):
        return Quantity(Numeric(NAN, True), value)
    return Quantity(enclose(value, {}, bits=bits), value)
