"""Coefficients of series: rational numbers, or polynomials in what is not rational, on python-flint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly_ctx
from sympy import Expr


@dataclass(frozen=True, slots=True)
class Ring:
    """``Q[atoms]``: parameters, irrational numbers, and inverses of what is divided by, each a generator.

    Generators that depend on one another (λ and 1/λ, √λ and λ) are not reduced while one calculates: sympy reduces
    them when an element is read as an expression. So an element that is zero is zero, and one that vanishes only
    through such a relation reads as zero.
    """

    atoms: tuple[Expr, ...]
    context: Any

    @property
    def one(self) -> Any:
        return self.constant(fmpq(1))

    @property
    def zero(self) -> Any:
        return self.constant(fmpq(0))

    def constant(self, value: fmpq) -> Any:
        """A rational number as an element."""
        return value if self.context is None else self.context.constant(value)

    def element(self, expr: Expr) -> Any:
        """A polynomial expression in the atoms as an element.

        Raises:
            KeyError: it contains something that is no atom of this ring.
        """
        if expr.is_Rational:
            return self.constant(fmpq(int(expr.p), int(expr.q)))
        if expr.is_Add:
            return reduce(lambda a, b: a + b, (self.element(x) for x in expr.args))
        if expr.is_Mul:
            return reduce(mul, (self.element(x) for x in expr.args))
        base, power = _factor(expr)
        if base is not expr and base not in self.atoms and base.is_Add:
            return self.element(base) ** power
        position = self.atoms.index(base) if base in self.atoms else None
        if position is None:
            raise KeyError(expr)
        return self.context.gen(position) ** power

    def expression(self, element: Any) -> Expr:
        """An element as an expanded expression."""
        if self.context is None:
            return sp.Rational(int(element.p), int(element.q))
        terms = [
            sp.Rational(int(c.p), int(c.q)) * sp.Mul(*(a**int(e) for a, e in zip(self.atoms, powers, strict=True) if e))
            for powers, c in element.to_dict().items()
        ]
        total = sp.Add(*terms)
        hidden = any(a.is_Pow and a.base.is_Add for a in self.atoms)
        return sp.cancel(total) if hidden else sp.expand(total)


def ring_of(expressions: Iterable[Expr]) -> Ring:
    """The smallest ring that has all of these."""
    found = dict.fromkeys(atom for e in expressions for atom in _atoms(e))
    atoms = tuple(sorted(found, key=str))
    if not atoms:
        return Ring((), None)
    names = tuple(f"a{i}" for i in range(len(atoms)))
    return Ring(atoms, fmpq_mpoly_ctx.get(names, Ordering.lex))


def _factor(expr: Expr) -> tuple[Expr, int]:
    """``(base, power)``: what is raised to a whole positive power, a root or an inverse as base."""
    if not expr.is_Pow or not expr.exp.is_Rational:
        return expr, 1
    power, root = int(expr.exp.p), int(expr.exp.q)
    return sp.Pow(expr.base, sp.Rational(1 if power > 0 else -1, root)), abs(power)


def _atoms(expr: Expr) -> Iterator[Expr]:
    if expr.is_Rational:
        return
    if expr.is_Add or expr.is_Mul:
        for part in expr.args:
            yield from _atoms(part)
        return
    base, _ = _factor(expr)
    if base.is_Add:
        yield from _atoms(base)
    else:
        yield base
