r"""Sums over i.i.d. coordinates: moments through joint cumulants, which add.

With :math:`S_a = Σ_i φ_a(i)` over N coordinates, :math:`κ(S_{a_1}, …, S_{a_k}) = N κ(φ_{a_1}, …, φ_{a_k})`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import comb, prod
from typing import TypeAlias

import sympy as sp
from sympy import Expr, S

from tpsym.exact.ring import Element, Ring

Mean: TypeAlias = Callable[[Expr], Expr]
"""The mean of a function of one coordinate."""
Index: TypeAlias = tuple[int, ...]
"""Powers of several variables."""


def expected_sums(functions: Sequence[Expr], size: Expr, mean: Mean) -> Expr:
    """``E ∏_a Σ_i φ_a(i)`` over ``size`` i.i.d. coordinates; equal functions may be repeated.

    ``mean`` is called with products of the functions.
    """
    distinct = list(dict.fromkeys(functions))
    powers = tuple(functions.count(f) for f in distinct)
    below = list(indices_below(powers))
    means = [mean(sp.Mul(*(f**k for f, k in zip(distinct, index, strict=True)))) for index in below]
    ring = Ring([size, *means])
    count, moments = ring.elements[0], dict(zip(below, ring.elements[1:], strict=True))
    moments[(0,) * len(powers)] = ring.number(1)
    single = joint_cumulants(moments)
    total = joint_moments({index: count * k for index, k in single.items()}, powers, ring.number(1))
    return ring.expr(total[powers])


def indices_below(powers: Index) -> Iterator[Index]:
    """Every index up to ``powers``, zero left out, each after those below it."""
    for index in product(*(range(k + 1) for k in powers)):
        if any(index):
            yield index


def _splits(index: Index) -> Iterator[tuple[Index, Index, int]]:
    """The ways to take the block of the first factor of a product: the block, the rest, how often."""
    first = next(a for a, k in enumerate(index) if k)
    less = tuple(k - (a == first) for a, k in enumerate(index))
    for taken in product(*(range(k + 1) for k in less)):
        block = tuple(k + (a == first) for a, k in enumerate(taken))
        rest = tuple(k - t for k, t in zip(less, taken, strict=True))
        yield block, rest, prod(comb(k, t) for k, t in zip(less, taken, strict=True))


def joint_moments(cumulants: Mapping[Index, Element], powers: Index, one: Element) -> dict[Index, Element]:
    """All moments up to ``powers`` (every cumulant below given): ``m_β = Σ binomial · κ_block m_rest``."""
    moments = {(0,) * len(powers): one}
    for index in indices_below(powers):
        terms = [cumulants[block] * moments[rest] * count for block, rest, count in _splits(index)]
        moments[index] = sum(terms[1:], terms[0])
    return moments


def joint_cumulants(moments: Mapping[Index, Element]) -> dict[Index, Element]:
    """The cumulants of the same indices, which have to be closed downwards (zero included)."""
    cumulants: dict[Index, Element] = {}
    for index in sorted((k for k in moments if any(k)), key=sum):
        found = moments[index]
        for block, rest, count in _splits(index):
            if block != index:
                found = found - cumulants[block] * moments[rest] * count
        cumulants[index] = found
    return cumulants


def cumulants_of(moments: Sequence[Expr]) -> tuple[Expr, ...]:
    """``κ_1, κ_2, …`` from ``m_1, m_2, …``."""
    ring = Ring([S.Zero, *moments])
    table: dict[Index, Element] = {(k,): m for k, m in enumerate(ring.elements)}
    table[(0,)] = ring.number(1)
    found = joint_cumulants(table)
    return tuple(ring.expr(found[(k,)]) for k in range(1, len(moments) + 1))


def moments_of(cumulants: Sequence[Expr]) -> tuple[Expr, ...]:
    """``m_1, m_2, …`` from ``κ_1, κ_2, …``."""
    ring = Ring([S.Zero, *cumulants])
    table: dict[Index, Element] = {(k,): c for k, c in enumerate(ring.elements)}
    found = joint_moments(table, (len(cumulants),), ring.number(1))
    return tuple(ring.expr(found[(k,)]) for k in range(1, len(cumulants) + 1))
