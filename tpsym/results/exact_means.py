"""Means of functions of the coordinates of initial vectors, and of polynomials in random scalars."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.gauss import expect
from tpsym.program.graph import Program
from tpsym.program.instructions import RandomScalar, Vector
from tpsym.program.scope import Context


@dataclass(slots=True)
class CoordinateMeans:
    """``E f`` for a function f of one coordinate of initial vectors; families of vectors are independent."""

    context: Context
    _known: dict[Expr, Expr] = field(default_factory=dict)

    def __call__(self, expr: Expr) -> Expr:
        if expr not in self._known:
            self._known[expr] = sp.Mul(*(self._mean(part) for part in self._independent(expr)))
        return self._known[expr]

    def _vectors(self, expr: Expr) -> list[tuple[int, Symbol]]:
        nodes = self.context.nodes
        return sorted((nodes[s], s) for s in expr.free_symbols if s in nodes)

    def _family(self, node: int) -> str:
        vector = self.context.builder[node]
        assert isinstance(vector, Vector)
        return vector.family

    def _independent(self, expr: Expr) -> list[Expr]:
        """The factors of a product, those with a family in common together."""
        groups: list[tuple[set[str], list[Expr]]] = []
        for factor in sp.Mul.make_args(expr):
            families = {self._family(k) for k, _ in self._vectors(factor)}
            touching = [g for g in groups if g[0] & families]
            groups = [g for g in groups if not g[0] & families]
            merged = (families.union(*(g[0] for g in touching)), [factor, *(f for g in touching for f in g[1])])
            groups.append(merged)
        return [sp.Mul(*factors) for _, factors in groups]

    def _mean(self, expr: Expr) -> Expr:
        vectors = self._vectors(expr)
        if not vectors:
            return expr
        program: Program = self.context.builder.program()
        shift: dict[Symbol, Expr] = {}
        for node, symbol in vectors:
            vector = program[node]
            assert isinstance(vector, Vector)
            shift[symbol] = symbol + vector.mean
        covariance = [[program.covariance(a, b) for b, _ in vectors] for a, _ in vectors]
        return expect(expr.xreplace(shift), [s for _, s in vectors], covariance).value


def scalar_mean(context: Context, expr: Expr) -> Expr:
    """The mean of a polynomial in independent random scalars N(mean, variance) of the program."""
    nodes = context.nodes
    scalars = sorted((s for s in expr.free_symbols if s in nodes), key=lambda s: nodes[s])
    if not scalars:
        return expr
    total: list[Expr] = []
    for exponents, c in sp.Poly(expr, *scalars).terms():
        moments = []
        for s, k in zip(scalars, exponents, strict=True):
            law = context.builder[nodes[s]]
            assert isinstance(law, RandomScalar)
            moments.append(gaussian_moment(k, law.mean, law.variance))
        total.append(sp.Mul(c, *moments))
    return sp.Add(S.Zero, *total)


def gaussian_moment(k: int, mean: Expr, variance: Expr) -> Expr:
    """``E z^k`` for z of law N(mean, variance)."""
    return sp.Add(*(
        sp.binomial(k, j) * mean ** (k - j) * variance ** sp.Rational(j, 2) * sp.factorial2(j - 1)
        for j in range(0, k + 1, 2)
    ))
