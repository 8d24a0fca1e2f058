"""``A = scale · A' + shift``: a polynomial without constant term, matrices of unit variance, simple coefficients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, S

from tpsym.matrices import Diagonal, Factor, Letter, Polynomial, Word, polynomial


@dataclass(frozen=True, slots=True)
class Affine:
    """The law of ``scale · A' + shift`` from that of ``inner`` A'; ``scale`` is positive."""

    inner: Polynomial
    scale: Expr
    shift: Expr


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
