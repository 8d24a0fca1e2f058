"""Losses and their error signals in floating point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from sympy import Expr

from tpsym.errors import fail
from tpsym.functions import sigmoid, softplus
from tpsym.simulate.payload import Array, Payload, compile_payload
from tpsym.simulate.train_arrays import Functions
from tpsym.transform.training import OUTPUT, TARGET, Loss


@dataclass(frozen=True, slots=True)
class NumericLoss:
    """A loss ready to be computed from outputs and targets."""

    value: Payload
    signal: Payload
    parameters: Mapping[str, float]

    def losses(self, outputs: Array, targets: Array) -> Array:
        """The loss of each example."""
        return self._at(self.value, outputs, targets)

    def signals(self, outputs: Array, targets: Array) -> Array:
        """Its derivatives by the outputs."""
        return self._at(self.signal, outputs, targets)

    def _at(self, payload: Payload, outputs: Array, targets: Array) -> Array:
        found = payload({**self.parameters, OUTPUT.name: outputs, TARGET.name: targets})
        return np.array(np.broadcast_to(found, outputs.shape), dtype=np.float64)


def numeric_loss(loss: Loss, parameters: Mapping[str, float], functions: Functions) -> NumericLoss:
    """A loss compiled.

    Raises:
        TpError: ``not-numeric`` for an unknown function that is not given, ``no-value`` for a parameter.
    """
    value, signal = (compile_payload(stable(e), functions=functions) for e in (loss.value, loss.signal))
    known = {OUTPUT.name, TARGET.name, *parameters}
    missing = sorted(s.name for s in value.symbols | signal.symbols if s.name not in known)
    if missing:
        raise fail("no-value", f"{', '.join(missing)} must have a value: the loss depends on it")
    return NumericLoss(value, signal, parameters)


def stable(expr: Expr) -> Expr:
    """The same expression, where possible without exponentials that overflow although the value is finite.

    log(1 + exp(z)) is softplus(z), exp(z)/(1 + exp(z)) is sigmoid(z), and 1/(1 + exp(z)) is sigmoid(−z).
    """
    found: Expr = expr.replace(sp.Mul, _quotient)
    found = found.replace(sp.log, lambda a: sp.log(a) if (z := _exponent(a)) is None else softplus(z))
    return found.replace(
        lambda e: isinstance(e, sp.Pow) and e.exp == -1 and _exponent(e.base) is not None,
        lambda e: sigmoid(-_exponent(e.base)),  # type: ignore[operator]
    )


def _quotient(*factors: Expr) -> Expr:
    for factor in factors:
        z = _exponent(factor.base) if isinstance(factor, sp.Pow) and factor.exp == -1 else None
        if z is not None and sp.exp(z) in factors:
            rest = [f for f in factors if f not in (factor, sp.exp(z))]
            return sp.Mul(*rest, sigmoid(z))
    return sp.Mul(*factors)


def _exponent(expr: Expr) -> Expr | None:
    """z of 1 + exp(z)."""
    if isinstance(expr, sp.Add) and len(expr.args) == 2 and expr.args[0] == 1 and isinstance(expr.args[1], sp.exp):
        found: Expr = expr.args[1].args[0]
        return found
    return None


__all__ = ["NumericLoss", "numeric_loss", "stable"]
