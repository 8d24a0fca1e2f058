r"""Training without random matrices, as a recursion on functions of finitely many Gaussians.

With :math:`x_\alpha` the coordinates of all vectors of a network without n×n matrices, every coordinate is the same
function of its own initial Gaussians :math:`g_\alpha` and of averages, which converge: the limit is the recursion
itself, with :math:`\frac1n\sum_\alpha` read as the expectation over g (Tensor Programs IV, §6.1; IVb, Theorem 2.5.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpsym.particles.entrywise_rules import EntryRule
from tpsym.simulate.payload import Array, Payload
from tpsym.simulate.train_losses import NumericLoss
from tpsym.transform.training import Training


@dataclass(frozen=True, slots=True)
class Quantity:
    """An expression over nodes as a function of their values.

    ``kinks`` vanish where it may not be smooth, ``guards`` must not vanish with positive probability: they are
    arguments of jumps of which the leading power of n is known.
    """

    payload: Payload
    nodes: tuple[tuple[str, int], ...]
    parameters: Mapping[str, float]
    kinks: tuple[Payload, ...] = ()
    guards: tuple[Payload, ...] = ()

    def given(self, live: Mapping[int, Any]) -> dict[str, Any]:
        """The arguments of its payloads."""
        return {**self.parameters, **{name: live[node] for name, node in self.nodes}}

    def __call__(self, live: Mapping[int, Any]) -> Any:
        return self.payload(self.given(live))


@dataclass(frozen=True, slots=True)
class Part:
    """``factor · left ⊗ point`` in the gradient of the output at an example."""

    example: int
    factor: float
    left: Quantity
    point: Array


@dataclass(frozen=True, slots=True)
class Moved:
    r"""A trained array w, as the coefficient of its leading power of n.

    It has one coordinate by number of a data point, or one; ``nodes`` are its products with points. It starts as
    ``mean + loadings @ g``. One step is :math:`w \leftarrow w - \eta\,(q + \lambda(w - c))` with ``rate`` η for the
    direction q, ``shrink`` ηλ and ``centre`` c.
    """

    name: str
    scalar: bool
    nodes: tuple[tuple[int, Array], ...]
    mean: Array
    loadings: Array
    parts: tuple[Part, ...]
    rate: float
    shrink: float
    centre: float
    rule: EntryRule


@dataclass(frozen=True, slots=True)
class Stage:
    """Nodes that are functions of what is known, averages over them, and labels of observed mean squares."""

    computed: tuple[int, ...]
    averaged: tuple[int, ...]
    squared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """An initial vector that does not move: ``mean + g @ loadings``."""

    node: int
    mean: float
    loadings: Array


@dataclass(frozen=True, slots=True)
class Recursion:
    """All of it. ``numbers`` are scalars that do not move, ``count`` is how many Gaussians there are; ``bent`` says
    that something is not smooth."""

    training: Training
    quantities: Mapping[int, Quantity]
    stages: tuple[Stage, ...]
    vectors: frozenset[int]
    fixed: tuple[Fixed, ...]
    numbers: Mapping[int, float]
    arrays: tuple[Moved, ...]
    outputs: tuple[Quantity, ...]
    observed: tuple[tuple[str, Quantity, bool], ...]
    loss: NumericLoss
    targets: Array
    rule: str
    momentum: float
    count: int
    bent: bool
