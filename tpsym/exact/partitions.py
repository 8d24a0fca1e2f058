r"""The moments of a sum told: set partitions of its factors by the sizes of their blocks.

:math:`E S^k = Σ_π ∏_{B ∈ π} N κ_{|B|}` over the set partitions of k factors. At the scale :math:`N^{-1/2}` a block of
two keeps its order, a larger one of size b loses :math:`N^{1-b/2}`; a block of one is the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial, prod

import sympy as sp
from sympy import Expr
from sympy.utilities.iterables import partitions


@dataclass(frozen=True, slots=True)
class Blocks:
    """The ``count`` set partitions with blocks of these ``sizes``, largest first, and what they contribute."""

    sizes: tuple[int, ...]
    count: int
    contribution: Expr


def block_sizes(k: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The sizes of the blocks of a partition of k things, with the number of set partitions that have them."""
    for multiplicities in partitions(k):
        found = dict(multiplicities)
        sizes = tuple(b for b in sorted(found, reverse=True) for _ in range(found[b]))
        yield sizes, factorial(k) // prod(factorial(b) ** m * factorial(m) for b, m in found.items())


def moment_by_blocks(cumulants: Sequence[Expr]) -> tuple[Blocks, ...]:
    """``E S^k`` for a variable with cumulants ``κ_1 … κ_k``: pairs first, then by the number of blocks."""
    k = len(cumulants)
    found = [
        Blocks(sizes, count, sp.expand(count * sp.Mul(*(cumulants[b - 1] for b in sizes))))
        for sizes, count in block_sizes(k)
    ]
    return tuple(sorted(found, key=lambda b: (set(b.sizes) != {2}, 1 in b.sizes, -len(b.sizes), b.sizes)))
