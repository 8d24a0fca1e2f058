"""``A = scale · A' + shift``: a polynomial without constant term, matrices of unit variance, simple coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, S

from tpsym.freeprob.automaton import automaton
from tpsym.freeprob.covariance import weights
from tpsym.freeprob.ring import ring_of
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
    """Variances moved into coefficients, the coefficient taken out that leaves the fewest parameters and roots."""
    terms = [(_coefficient(c, word), tuple(map(_unit, word))) for c, word in found.terms]
    shift = sp.Add(*(c for c, word in terms if not word))
    terms = [(c, word) for c, word in terms if word]
    if all(c.is_Rational for c, _ in terms):
        return Affine(polynomial(terms, found.rows, found.columns), S.One, shift)
    scales = dict.fromkeys(_sizes(c for c, _ in terms))
    made = [polynomial([(_ratio(c, scale), word) for c, word in terms], found.rows, found.columns) for scale in scales]
    scale, inner = min(zip(scales, made, strict=True), key=lambda pair: _generators(pair[1]))
    return Affine(inner, scale, shift)


def _generators(found: Polynomial) -> int:
    """Parameters and irrational numbers that the law depends on: a coefficient √2 of a letter enters by its square."""
    atoms = ring_of(sp.expand(w) for w in weights(automaton(found))).atoms
    return len({s for a in atoms for s in a.free_symbols} | {a for a in atoms if a.is_number})


def _coefficient(coefficient: Expr, word: Word) -> Expr:
    spread = [x.matrix.variance for x in word if isinstance(x, Factor)]
    found: Expr = sp.powsimp(coefficient * sp.sqrt(sp.Mul(*spread)))
    return found


def _unit(letter: Letter) -> Letter:
    if isinstance(letter, Diagonal):
        return letter
    return replace(letter, matrix=replace(letter.matrix, variance=S.One))


def _sizes(coefficients: Iterable[Expr]) -> Iterator[Expr]:
    """The sizes of coefficients whose sign is known, and one."""
    for c in coefficients:
        if c.is_positive or c.is_negative:
            yield -c if c.is_negative else c
    yield S.One


def _ratio(coefficient: Expr, scale: Expr) -> Expr:
    found = sp.powsimp(coefficient / scale)
    return found if found.is_Rational else sp.radsimp(sp.cancel(found)) if found.is_number else sp.cancel(found)
