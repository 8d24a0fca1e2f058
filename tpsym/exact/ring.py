"""Expressions as polynomials of python-flint in whatever they are made of, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy import Expr
from sympy.polys.polyutils import parallel_dict_from_basic

Element = Any
"""An element of the ring: a polynomial with rational coefficients."""


class Ring:
    """Polynomials over the rationals in the atoms (symbols, roots, inverses, means) of given expressions."""

    def __init__(self, expressions: Sequence[Expr]) -> None:
        found, self._atoms = parallel_dict_from_basic([sp.expand(e) for e in expressions])
        names = [f"a{i}" for i in range(max(1, len(self._atoms)))]
        self._context = fmpq_mpoly_ctx.get(names, Ordering.lex)
        pad = (0,) * (len(names) - len(self._atoms))
        self.elements: list[Element] = [
            self._context.from_dict({(*k, *pad): fmpq(int(c.p), int(c.q)) for k, c in each.items()}) for each in found
        ]
        """The given expressions, in their order."""

    def number(self, value: int) -> Element:
        return self._context.constant(value)

    def expr(self, element: Element) -> Expr:
        """An element as an expression, a sum of monomials."""
        terms = (
            sp.Mul(sp.Rational(int(c.p), int(c.q)), *(a**int(k) for a, k in zip(self._atoms, powers, strict=False)))
            for powers, c in element.terms()
        )
        return sp.Add(*terms)
