"""What the arithmetic of zero tests is made of: elements, generators, signs, and how it can fail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy as sp

Poly = Any
"""A ``flint.fmpq_mpoly`` in the field's context."""

NEG, ZERO, POS = 1, 2, 4
NONNEG, NONPOS, ANY = ZERO | POS, ZERO | NEG, NEG | ZERO | POS

SIGN_OF_RELATION = MappingProxyType({"<": NEG, "<=": NONPOS, ">": POS, ">=": NONNEG, "!=": NEG | POS})
"""Relation between two sides → the signs of their difference."""

class UndefinedError(ArithmeticError):
    """The expression is defined nowhere (a zero denominator, the root of a negative number)."""


class TooLargeError(ArithmeticError):
    """A polynomial outgrew the limits."""


class OutOfTimeError(ArithmeticError):
    """The deadline has passed."""


class RestartError(ArithmeticError):
    """The choice of generators was too coarse: begin again with these settings."""


class NeedsCapacityError(RestartError):
    """More generators are needed than the context holds."""


class NeedsFinerError(RestartError):
    """The generator ``key`` must be replaced by a root of itself of this order."""

    def __init__(self, key: str, order: int) -> None:
        super().__init__(key)
        self.key, self.order = key, order


@dataclass(frozen=True)
class Element:
    """``num/den``, ``den`` monic in the context's order."""

    num: Poly
    den: Poly


@dataclass(frozen=True)
class Generator:
    """A function of the parameters that polynomials are written in.

    ``key`` names it independently of the order in which generators were met; ``sign`` is the set of
    signs it can have; ``argument`` is what a further rule needs (the u of asin u, the t of
    exp(t/fineness)).
    """

    key: str
    kind: str
    expr: sp.Expr
    sign: int = ANY
    order: int = 0
    relation: Poly = None
    argument: Element | None = None
    fineness: int = 1

    @property
    def parts(self) -> int:
        """Into how many parts the function that ``key`` names is split."""
        return self.order if self.kind == "root" else self.fineness

    def exponent(self, power: int) -> str:
        """What a power of this is of the function named ``key`` (angles: which multiple of which part)."""
        return f"{power}of{self.parts}" if self.kind in ("sin", "cos") else str(Fraction(power, self.parts))


def signs_of_product(a: int, b: int) -> int:
    """The signs a product can have."""
    result = 0
    if a & ZERO or b & ZERO:
        result |= ZERO
    if (a & POS and b & POS) or (a & NEG and b & NEG):
        result |= POS
    if (a & POS and b & NEG) or (a & NEG and b & POS):
        result |= NEG
    return result


def signs_of_sum(a: int, b: int) -> int:
    """The signs a sum can have."""
    result = 0
    for x in (NEG, ZERO, POS):
        for y in (NEG, ZERO, POS):
            if a & x and b & y:
                result |= y if x in (ZERO, y) else x if y == ZERO else ANY
    return result


def signs_of_square(s: int) -> int:
    """The signs a square can have."""
    return (s & ZERO) | (POS if s & (NEG | POS) else 0)


def negated(sign: int) -> int:
    """The signs of minus the thing."""
    return signs_of_product(sign, NEG)


def hashed(*parts: str) -> str:
    """A name for a structure: 96 bits of SHA-256."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
