"""What an optimizer does to an array: a rule from gradients to an update, with its exponents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sympy import Expr, S

Rule = Literal["sgd", "signsgd", "adam", "adagrad", "adafactor", "muon"]
"""How the update depends on the gradients so far: linearly (sgd, with momentum), by entry and without regard to
their size (signsgd, adam, adagrad), the same times the root mean square of the array (adafactor), or by the
polar factor of the matrix (muon, shampoo)."""


@dataclass(frozen=True)
class Optimizer:
    r"""An optimizer with its settings; what is a table has one entry by name of array, ``default`` is for the others.

    * ``sgd``: :math:`w \leftarrow w - \eta\,(m + \lambda w)`, :math:`m \leftarrow \mu m + g`.
    * ``signsgd``: :math:`w \leftarrow w - \eta\,(\operatorname{sign} g + \lambda w)`.
    * ``adam``: :math:`w \leftarrow w - \eta\,(\hat m/(\sqrt{\hat v} + \epsilon) + \lambda w)`, decay decoupled.
    * ``adagrad``: :math:`w \leftarrow w - \eta\, g/(\sqrt{\sum g^2} + \epsilon)`.
    * ``adafactor``: adam's step with :math:`\eta\,\mathrm{rms}(w)` for :math:`\eta`.
    * ``muon``: :math:`w \leftarrow w - \eta\,(U V^\top + \lambda w)` with :math:`m = U S V^\top`; vectors and
      scalars move by :math:`\eta\, m/\lVert m\rVert`.

    ``rate`` is η, ``decay`` λ, ``eps`` ε, by array; each may contain powers of the width.
    """

    rule: Rule
    rate: Expr = S.One
    rates: Mapping[str, Expr] = field(default_factory=dict)
    decay: Expr = S.Zero
    decays: Mapping[str, Expr] = field(default_factory=dict)
    eps: Expr = S.Zero
    epsilons: Mapping[str, Expr] = field(default_factory=dict)
    momentum: Expr = S.Zero
    beta1: Expr = S.Zero
    beta2: Expr = S.Zero

    def rate_of(self, array: str) -> Expr:
        """The learning rate of an array."""
        return self.rates.get(array, self.rate)

    def decay_of(self, array: str) -> Expr:
        """The weight decay of an array."""
        return self.decays.get(array, self.decay)

    def eps_of(self, array: str) -> Expr:
        """The ε of an array, 0 where there is none."""
        return self.epsilons.get(array, self.eps)
