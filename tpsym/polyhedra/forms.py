"""Affine forms in exponents, exact: ``1 - c - 2*a[1]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from random import Random

Number = int | Fraction


@dataclass(frozen=True)
class Form:
    """``constant + Σ coefficient · variable``; ``terms`` are sorted by variable and have no zeros."""

    constant: Fraction
    terms: tuple[tuple[str, Fraction], ...] = ()

    @cached_property
    def coefficients(self) -> Mapping[str, Fraction]:
        return dict(self.terms)

    @cached_property
    def _hash(self) -> int:
        # hashing fractions is slow, and forms live in sets
        terms = tuple((v, q.numerator, q.denominator) for v, q in self.terms)
        return hash((self.constant.numerator, self.constant.denominator, terms))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def fingerprint(self) -> float:
        """A number that tells terms apart but for accidents: forms that differ by a constant have the same one."""
        return sum(float(q) * _weight(v) for v, q in self.terms)

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.terms)

    @property
    def is_constant(self) -> bool:
        return not self.terms

    def __add__(self, other: Form | Number) -> Form:
        if not isinstance(other, Form):
            return Form(self.constant + other, self.terms)
        if not other.terms:
            return Form(self.constant + other.constant, self.terms)
        found = dict(self.terms)
        for name, q in other.terms:
            found[name] = found[name] + q if name in found else q
        return Form(self.constant + other.constant, tuple(sorted((v, q) for v, q in found.items() if q)))

    def __neg__(self) -> Form:
        return Form(-self.constant, tuple((v, -q) for v, q in self.terms))

    def __sub__(self, other: Form | Number) -> Form:
        return self + (-other)

    def __mul__(self, factor: Number) -> Form:
        if factor == 0:
            return Form(Fraction(0))
        return Form(self.constant * factor, tuple((v, q * factor) for v, q in self.terms))

    def coefficient(self, name: str) -> Fraction:
        """That of a variable, 0 if it does not occur."""
        return self.coefficients.get(name, Fraction(0))

    def substitute(self, values: Mapping[str, Form]) -> Form:
        """The form with variables replaced by forms, all at once."""
        if self.variables.isdisjoint(values):
            return self
        rest = linear(self.constant, ((v, q) for v, q in self.terms if v not in values))
        for name, coefficient in self.terms:
            if name in values:
                rest = rest + values[name] * coefficient
        return rest

    def value(self, point: Mapping[str, Fraction]) -> Fraction:
        """The number at a point.

        Raises:
            KeyError: a variable has no value.
        """
        return self.constant + sum((q * point[v] for v, q in self.terms), Fraction(0))

    def __str__(self) -> str:
        parts = [(q, name) for name, q in self.terms]
        if self.constant or not parts:
            parts.insert(0, (self.constant, ""))
            if self.constant < 0 and any(q > 0 for q, _ in parts):
                parts.append(parts.pop(0))
        text = ""
        for q, name in sorted(parts, key=lambda part: part[0] < 0):
            size = abs(q)
            body = name if name and size == 1 else f"{size}*{name}" if name else str(size)
            sign = ("-" if q < 0 else "") if not text else " - " if q < 0 else " + "
            text += sign + body
        return text


@cache
def _weight(name: str) -> float:
    return Random(name).uniform(1, 2)


def linear(constant: Number, terms: Iterable[tuple[str, Fraction]]) -> Form:
    """The form with these terms, equal variables collected."""
    collected: dict[str, Fraction] = {}
    for name, q in terms:
        collected[name] = collected.get(name, Fraction(0)) + q
    return Form(Fraction(constant), tuple(sorted((v, q) for v, q in collected.items() if q)))


def number(value: Number | str) -> Form:
    """A constant."""
    return Form(Fraction(value))


def variable(name: str) -> Form:
    """A variable alone."""
    return Form(Fraction(0), ((name, Fraction(1)),))
