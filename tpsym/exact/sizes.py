"""Sizes of index sets as polynomials with integer coefficients, for sums over loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from flint import Ordering, fmpz_mpoly_ctx, fmpz_poly
from sympy import Expr, S, Symbol

Poly = Any
"""A polynomial of python-flint in the sizes."""


MAX_STATES = 300_000
"""Products of traces that one computation may remember."""


class TooLargeError(ValueError):
    """A computation that would take too long."""


def check_states(count: int, *, weight: int = 1) -> None:
    """Raises TooLargeError; ``weight`` is how much more than a product of traces one state costs."""
    if count * weight > MAX_STATES:
        raise TooLargeError(f"more than {MAX_STATES // weight} expectations have to be computed on the way")


class Sizes:
    """A ring that holds every size of a computation: multiples of n and numbers as they are, other sizes by name."""

    def __init__(self, sizes: Sequence[Expr], n: Symbol) -> None:
        self._generators: list[Expr] = [n]
        written = {size: self._written(sp.cancel(size), n) for size in dict.fromkeys(sizes)}
        self._single = len(self._generators) == 1
        if self._single:
            generators = [fmpz_poly([0, 1])]
            self.one: Poly = fmpz_poly([1])
        else:
            names = [f"n{i}" for i in range(len(self._generators))]
            context = fmpz_mpoly_ctx.get(names, Ordering.lex)
            generators = list(context.gens())
            self.one = context.constant(1)
        self._polynomials = {
            size: self.one * factor * (generators[index] if index >= 0 else 1)
            for size, (factor, index) in written.items()
        }

    def _written(self, size: Expr, n: Symbol) -> tuple[int, int]:
        """A size as ``factor · generator``; generator −1 is the number one."""
        if size.is_Integer:
            return int(size), -1
        ratio = sp.cancel(size / n)
        if ratio.is_Integer:
            return int(ratio), 0
        if size not in self._generators:
            self._generators.append(size)
        return 1, self._generators.index(size)

    def __getitem__(self, size: Expr) -> Poly:
        return self._polynomials[size]

    def terms(self, poly: Poly) -> list[tuple[tuple[int, ...], int]]:
        """Exponents of the generators with coefficients."""
        if self._single:
            return [((k,), int(c)) for k, c in enumerate(poly.coeffs()) if c != 0]
        return [(tuple(int(k) for k in powers), int(c)) for powers, c in poly.terms()]

    def expr(self, poly: Poly) -> Expr:
        """A polynomial as an expression in n and the ratios."""
        found = (sp.Mul(c, *(g**k for g, k in zip(self._generators, powers, strict=True)))
                 for powers, c in self.terms(poly))
        return sp.Add(S.Zero, *found)

    def by_degree(self, poly: Poly) -> dict[int, Expr]:
        """The parts of a polynomial of one total degree each, highest first."""
        parts: dict[int, list[Expr]] = {}
        for powers, c in self.terms(poly):
            term = sp.Mul(c, *(g**k for g, k in zip(self._generators, powers, strict=True)))
            parts.setdefault(sum(powers), []).append(term)
        return {k: sp.Add(*parts[k]) for k in sorted(parts, reverse=True)}
