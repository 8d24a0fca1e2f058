"""Limits of normalised traces of powers, for any polynomial in Gaussian matrices and diagonals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, Symbol

from tpsym.freeprob.automaton import Automaton, automaton
from tpsym.freeprob.covariance import Mean, constant_mean, pairings, weights
from tpsym.freeprob.diagonals import (
    ByMoments,
    IsRandom,
    Values,
    finite,
    finite_values,
    moments_of,
    named,
    numbers_of,
    reflected,
    ring_with,
)
from tpsym.freeprob.normalise import Affine, normalised
from tpsym.freeprob.ring import Ring, ring_of
from tpsym.freeprob.scalars import Numbers
from tpsym.freeprob.series import Algebra, Resolvent, resolvent
from tpsym.matrices import Diagonal, Polynomial, polynomial


def is_node(symbol: Symbol) -> bool:
    """Whether a symbol stands for a random coordinate and not for a parameter."""
    return symbol.name.startswith("$")


@dataclass(slots=True)
class Moments:
    r"""``m_k = lim (1/n) tr A^k`` (the trace over the rows of A), exact, for any square polynomial A.

    :math:`\sum_k t^k A^k` is an entry of a resolvent of a matrix of letters, whose mean solves
    :math:`H = 1 + η(H) H` (Haagerup and Thorbjørnsen; Helton, Rashidi Far and Speicher). ``mean`` averages functions
    of the coordinates of the diagonals.
    """

    polynomial: Polynomial
    mean: Mean = constant_mean
    is_random: IsRandom = is_node
    affine: Affine = field(init=False)
    found: Automaton = field(init=False)
    _known: list[Expr] = field(default_factory=list)
    _series: tuple[Ring, Resolvent] | None = None
    _values: Values | None = None
    _looked: bool = False

    def __post_init__(self) -> None:
        self.affine = normalised(self.polynomial)
        self.found = automaton(self.affine.inner)

    def replaced(self, numbers: Mapping[Expr, Expr]) -> Moments:
        """The normalised polynomial with other numbers in its coefficients and means."""
        swap = dict(numbers)
        inner = self.affine.inner
        terms = ((c.xreplace(swap), word) for c, word in inner.terms)
        mean = self.mean
        found = polynomial(terms, inner.rows, inner.columns)
        return Moments(found, lambda e: reflected(mean(e)).xreplace(swap), self.is_random)

    @property
    def diagonals(self) -> tuple[Expr, ...]:
        """The coordinates of the diagonal matrices, each once."""
        letters = (x.expr for _, word in self.affine.inner.terms for x in word if isinstance(x, Diagonal))
        return tuple(dict.fromkeys(letters))

    @property
    def values(self) -> Values | None:
        """The joint law of the diagonals where it has finitely many values."""
        if not self._looked:
            self._looked = True
            if self.diagonals:
                self._values = finite_values(self.diagonals, self.mean, self.is_random)
        return self._values

    def inner(self, count: int) -> tuple[Expr, ...]:
        """The moments of order 0 to ``count`` of the normalised polynomial."""
        if len(self._known) <= count:
            self._known = self._computed(count)
        return tuple(self._known[: count + 1])

    def __call__(self, count: int) -> tuple[Expr, ...]:
        """The moments of order 0 to ``count``."""
        return self.affine.moved(self.inner)(count)

    def _computed(self, count: int) -> list[Expr]:
        if self.diagonals and self.values is None:
            return self._by_moments(count)
        if self._series is None:
            ring = ring_of(self.numbers)
            self._series = ring, resolvent(self.found, self.algebra(ring))
        ring, series = self._series
        return [ring.expression(x) for x in series.moments(count)]

    @property
    def numbers(self) -> list[Expr]:
        """What the series are polynomials in; the diagonals have to take finitely many values."""
        found = [sp.expand(w) for w in weights(self.found)]
        return found if self.values is None else found + numbers_of(self.values, self.functions, self.mean)

    @property
    def functions(self) -> list[Expr]:
        """The functions of the coordinates that the series read."""
        pairs = pairings(self.found)
        arcs = [a.left * a.right for a in self.found.arcs if a.factor is None]
        return list(dict.fromkeys([*(p.inside for p in pairs), *(p.outside for p in pairs), *arcs]))

    def algebra(self, ring: Ring) -> Algebra:
        """The algebra of the coordinates over a ring that has ``numbers``."""
        return Numbers(ring) if self.values is None else finite(ring, self.values, self.mean)

    def _by_moments(self, count: int) -> list[Expr]:
        """A first pass with any numbers for the moments of diagonals says which are needed."""
        letters, plain = self.diagonals, [sp.expand(w) for w in weights(self.found)]
        found = automaton(named(self.affine.inner, letters))
        scout = ByMoments(len(letters), ring_with(letters, plain), {})
        resolvent(found, scout).moments(count)
        known = moments_of(letters, scout.table, self.mean)
        ring = ring_with(letters, [*plain, *known.values()])
        table = {powers: ring.element(value) for powers, value in known.items()}
        series = resolvent(found, ByMoments(len(letters), ring, table))
        return [ring.expression(x) for x in series.moments(count)]
