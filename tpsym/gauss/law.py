"""The Gaussian vector, and what conditioning, tilting and damping do to it."""

from __future__ import annotations

from dataclasses import dataclass

from tpsym.gauss.field import Field, Frac


@dataclass(frozen=True)
class Form:
    """The affine form Σ coefficients·z + offset."""

    coefficients: tuple[Frac, ...]
    offset: Frac

    def __add__(self, other: Form) -> Form:
        pairs = zip(self.coefficients, other.coefficients, strict=True)
        return Form(tuple(a + b for a, b in pairs), self.offset + other.offset)

    def scale(self, by: Frac) -> Form:
        return Form(tuple(a * by for a in self.coefficients), self.offset * by)


@dataclass(frozen=True)
class Law:
    """z ~ N(mean, covariance)."""

    mean: tuple[Frac, ...]
    covariance: tuple[tuple[Frac, ...], ...]
    field: Field

    def at(self, form: Form) -> Frac:
        """The mean of the form."""
        return dot(form.coefficients, self.mean, self.field) + form.offset

    def along(self, form: Form) -> tuple[Frac, ...]:
        """C a: the covariances of the form with every z."""
        return tuple(dot(row, form.coefficients, self.field) for row in self.covariance)

    def between(self, a: Form, b: Form) -> Frac:
        """a'C b."""
        return dot(a.coefficients, self.along(b), self.field)

    def variance(self, form: Form) -> Frac:
        return self.between(form, form)

    def damped(self, form: Form, rate: Frac) -> tuple[Law, Frac]:
        r"""The law reweighted by :math:`e^{-t(a·z+m)^2/2}`, and 1 + tv with v = a'Ca.

        C → C − t Caa'C/(1+tv), mean → mean − t Ca μ/(1+tv) where μ is the form's mean.
        """
        field = self.field
        ca, mu = self.along(form), self.at(form)
        scale = field.one + rate * self.variance(form)
        return self._updated(ca, rate / scale, mu), scale

    def conditioned(self, form: Form) -> Law:
        """The law given that the form is 0: C → C − Caa'C/(a'Ca), mean → mean − Ca μ/(a'Ca)."""
        return self._updated(self.along(form), self.field.one / self.variance(form), self.at(form))

    def _updated(self, ca: tuple[Frac, ...], rate: Frac, mu: Frac) -> Law:
        covariance = tuple(
            tuple(c - rate * a * b for c, b in zip(row, ca, strict=True))
            for row, a in zip(self.covariance, ca, strict=True)
        )
        mean = tuple(m - rate * a * mu for m, a in zip(self.mean, ca, strict=True))
        return Law(mean, covariance, self.field)

    def shifted(self, form: Form) -> Law:
        """The law tilted by e^{a·z}: mean → mean + Ca."""
        mean = tuple(m + a for m, a in zip(self.mean, self.along(form), strict=True))
        return Law(mean, self.covariance, self.field)


def dot(a: tuple[Frac, ...], b: tuple[Frac, ...], field: Field) -> Frac:
    """Σ a_i b_i, skipping zeros."""
    total = field.zero
    for x, y in zip(a, b, strict=True):
        if x and y:
            total = total + x * y
    return total
