"""The law of eigenvalues in double precision, at values of the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from tpsym.freeprob.atoms import atoms_of
from tpsym.freeprob.equation import inner_curve
from tpsym.freeprob.law import Law, law
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.spectrum import Spectrum, decided
from tpsym.freeprob.stand_ins import irrational_numbers, near_rational
from tpsym.results.spectrum_values import mapped

Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class End:
    """A point where the density is about ``|x - position|^exponent``, by side; ``None`` where there is none.

    ``expr`` is the exact position, ``None`` where the equation has irrational numbers.
    """

    position: float
    expr: Expr | None
    left: Fraction | None
    right: Fraction | None

    @property
    def diverges(self) -> bool:
        """Whether the density has no bound beside it."""
        return any(e is not None and e < 0 for e in (self.left, self.right))


@dataclass(frozen=True, slots=True)
class Atom:
    """A point mass; ``expr`` and ``weight`` are position and mass exactly, ``None`` as for :class:`End`."""

    position: float
    mass: float
    expr: Expr | None
    weight: Expr | None


@dataclass(frozen=True, slots=True)
class NumericLaw:
    """The law of ``scale · A' + shift`` from that of A'; like a distribution of scipy."""

    inner: Law
    scale: float
    shift: float
    ends: tuple[End, ...]
    atoms: tuple[Atom, ...]

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Intervals that carry the density, parted at every singular point."""
        points = self.inner.structure.points
        return tuple(
            (self._moved(points[i].position.number), self._moved(points[i + 1].position.number))
            for i in self.inner.structure.bands
        )

    @property
    def support(self) -> tuple[tuple[float, float], ...]:
        """Intervals that carry the density; those that touch are one."""
        return tuple((self._moved(a), self._moved(b)) for a, b in self.inner.support)

    def pdf(self, x: ArrayLike) -> Real:
        """The density of the continuous part; infinite at edges where it diverges."""
        return self.inner.pdf(self._back(x)) / self.scale

    def cdf(self, x: ArrayLike) -> Real:
        """The mass of (-∞, x]."""
        return self.inner.cdf(self._back(x))

    def ppf(self, q: ArrayLike) -> Real:
        """The least x with cdf(x) ≥ q; nan outside of [0, 1]."""
        return np.asarray(self.inner.ppf(q) * self.scale + self.shift, dtype=np.float64)

    def rvs(
        self, size: int | tuple[int, ...] | None = None, *, random_state: int | np.random.Generator | None = None
    ) -> Real:
        """Independent draws of the law."""
        return self.ppf(np.random.default_rng(random_state).random(size))

    def _moved(self, x: float) -> float:
        return self.scale * x + self.shift

    def _back(self, x: ArrayLike) -> Real:
        found = np.asarray(x, dtype=float)
        back = np.asarray((found - self.shift) / self.scale)
        for point in self.inner.structure.points:
            # so that rounding moves no end of the support and no atom to the other side of x
            back = np.where(found == self._moved(point.position.number), point.position.number, back)
        return back


def numeric_law(spectrum: Spectrum) -> NumericLaw:
    """The law of a spectrum without parameters.

    Where the equation has irrational numbers they are replaced by rational ones that agree to 60 digits.

    Raises:
        Unavailable: there is no equation, or it has parameters.
    """
    scale, shift = spectrum.moments.affine.scale, spectrum.moments.affine.shift
    curve = spectrum.inner
    approximate = bool(irrational_numbers(curve))
    if approximate:
        mean = spectrum.moments.mean
        rational = mapped(spectrum.moments.affine.inner, near_rational, coordinates=False)
        curve = inner_curve(Moments(rational, lambda e: near_rational(mean(e)), spectrum.moments.is_random))
    with decided():
        found = law(curve)
        masses = atoms_of(found.structure)

    def moved(expr: Expr) -> Expr | None:
        return None if approximate else sp.expand(scale * expr + shift)

    factor, offset = (float(near_rational(x)) for x in (scale, shift))
    ends = tuple(End(factor * e.position.number + offset, moved(e.expr), e.left, e.right) for e in found.edges)
    points = tuple(
        Atom(factor * position + offset, mass, moved(expr), None if approximate else weight)
        for (position, mass), (expr, weight) in zip(found.atoms, masses, strict=True)
    )
    return NumericLaw(found, factor, offset, ends, points)


__all__ = ["Atom", "End", "NumericLaw", "numeric_law"]
