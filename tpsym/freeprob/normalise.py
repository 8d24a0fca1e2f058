"""``A = scale · A' + shift``: a polynomial without constant term, matrices of unit variance, simple coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, S

from tpsym.matrices import Diagonal, Factor, Letter, Polynomial, Word, polynomial

Series = Callable[[int], tuple[Expr, ...]]
"""The first k + 1 moments."""


@dataclass(frozen=True, slots=True)
class Affine:
    """The law of ``scale · A' + shift`` from that of ``inner`` A'; ``scale`` is positive."""

    inner: Polynomial
    scale: Expr
    shift: Expr

    def moved(self, inner: Series) -> Series:
        r"""Moments of ``scale · A' + shift``: :math:`\sum_j \binom{k}{j} shift^{k-j} scale^j m'_j`."""
        scale, shift = self.scale, self.shift

        def moments(count: int) -> tuple[Expr, ...]:
            m = inner(count)
            if shift == 0:
                return m if scale == 1 else tuple(sp.expand(scale**k * m[k]) for k in range(count + 1))
            parts = (
                [sp.binomial(k, j) * shift ** (k - j) * scale**j * m[j] for j in range(k + 1)] for k in range(count + 1)
            )
            return tuple(sp.expand(sp.Add(*p)) for p in parts)

        return moments


def normalised(found: Polynomial) -> Affine:
    """Variances moved into coefficients, the first positive coefficient taken out where one is not rational."""
    terms = [(_coefficient(c, word), tuple(map(_unit, word))) for c, word in found.terms]
    shift = sp.Add(*(c for c, word in terms if not word))
    terms = [(c, word) for c, word in terms if word]
    if all(c.is_Rational for c, _ in terms):
        return Affine(polynomial(terms, found.rows, found.columns), S.One, shift)
    scale = _common(c for c, _ in terms)
    reduced = [(_ratio(c, scale), word) for c, word in terms]
    return Affine(polynomial(reduced, found.rows, found.columns), scale, shift)


def _coefficient(coefficient: Expr, word: Word) -> Expr:
    spread = [x.matrix.variance for x in word if isinstance(x, Factor)]
    found: Expr = sp.powsimp(coefficient * sp.sqrt(sp.Mul(*spread)))
    return found


def _unit(letter: Letter) -> Letter:
    if isinstance(letter, Diagonal):
        return letter
    return replace(letter, matrix=replace(letter.matrix, variance=S.One))


def _common(coefficients: Iterable[Expr]) -> Expr:
    """The size of the first coefficient whose sign is known; one where there is none."""
    for c in coefficients:
        if c.is_positive or c.is_negative:
            size: Expr = -c if c.is_negative else c
            return size
    return S.One


def _ratio(coefficient: Expr, scale: Expr) -> Expr:
    found = sp.powsimp(coefficient / scale)
    return found if found.is_Rational else sp.radsimp(sp.cancel(found)) if found.is_number else sp.cancel(found)
