"""A law written down by hand, in place of one that is derived: for tests of the language around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sympy as sp
from sympy import Expr, Symbol

from tpsym.freeprob.failures import Unavailable
from tpsym.matrices import Polynomial
from tpsym.results import spectra

G, Z = Symbol("G_", real=True), Symbol("z_", real=True)
LAMBDA = Symbol("lambda", positive=True)


@dataclass
class FakeCurve:
    polynomial: Expr
    certified: bool = True
    method: str = "by elimination"
    g: Symbol = G
    z: Symbol = Z


@dataclass
class FakeSpectrum:
    """Values as they are given; ``asked`` counts how often each attribute was looked at."""

    curve: FakeCurve
    cumulants: Callable[[int], Expr]
    ends: Sequence[tuple[Any, tuple[Expr, ...]]]
    law: Callable[[Expr], Expr]
    atoms: Callable[[Expr], list[tuple[Any, Expr]]]
    asked: dict[str, int] = field(default_factory=dict)

    def moment(self, k: int) -> Expr:
        """Sum over non-crossing partitions, by the recursion of Speicher."""
        known: dict[int, Expr] = {0: sp.S.One}
        for m in range(1, k + 1):
            known[m] = sp.expand(sum(
                self.cumulants(s) * _compositions(known, m - s, s) for s in range(1, m + 1)
            ))
        return known[k]

    def free_cumulant(self, k: int) -> Expr:
        return self.cumulants(k)

    def support(self) -> Sequence[tuple[Any, tuple[Expr, ...]]]:
        return self.ends

    def atom(self, t: Expr) -> list[tuple[Any, Expr]]:
        return self.atoms(t)

    def density(self, t: Expr) -> Expr:
        return self.law(t)

    def edge_exponents(self) -> list[tuple[Any, tuple[Expr, ...]]]:
        return [(c, (sp.Rational(1, 2),) * len(ends)) for c, ends in self.ends]

    def r_transform(self, w: Expr) -> Expr:
        if self.curve.polynomial.has(LAMBDA):
            return 1 / (1 - LAMBDA * w)
        return w

    def s_transform(self, w: Expr) -> Expr:
        if self.curve.polynomial.has(LAMBDA):
            return 1 / (1 + LAMBDA * w)
        raise Unavailable("the first moment is zero, so there is no S-transform")


def _compositions(known: dict[int, Expr], total: int, parts: int) -> Expr:
    if parts == 1:
        return known[total]
    return sum((known[i] * _compositions(known, total - i, parts - 1) for i in range(total + 1)), sp.S.Zero)


def semicircle() -> FakeSpectrum:
    def density(t: Expr) -> Expr:
        return sp.Piecewise((sp.sqrt(-(t - 2) * (t + 2)) / (2 * sp.pi), sp.And(t > -2, t < 2)), (0, True))

    return FakeSpectrum(
        FakeCurve(1 - Z * G + G**2), lambda k: sp.Integer(k == 2), [(sp.true, (sp.Integer(-2), sp.Integer(2)))],
        density, lambda t: [(sp.true, sp.S.Zero)],
    )


def marchenko_pastur() -> FakeSpectrum:
    x = LAMBDA
    low, high = 1 + x - 2 * sp.sqrt(x), 1 + x + 2 * sp.sqrt(x)

    def density(t: Expr) -> Expr:
        inside = sp.And(t > low, t < high)
        return sp.Piecewise((sp.sqrt((high - t) * (t - low)) / (2 * sp.pi * x * t), inside), (0, True))

    def atom(t: Expr) -> list[tuple[Any, Expr]]:
        return [(x <= 1, sp.S.Zero), (x > 1, sp.Piecewise((1 - 1 / x, sp.Eq(t, 0)), (0, True)))]

    return FakeSpectrum(
        FakeCurve(2 * x * Z * G**2 - 2 * (Z + x - 1) * G + 2), lambda k: x ** (k - 1),
        [(x < 1, (low, high)), (sp.Eq(x, 1), (sp.S.Zero, high)), (x > 1, (sp.S.Zero, low, high))], density, atom,
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The law that is given for any matrix (the semicircle unless replaced), and what it was asked with."""
    given: dict[str, Any] = {"law": semicircle(), "polynomials": [], "error": None}

    def engine(polynomial: Polynomial, mean: Callable[[Expr], Expr]) -> FakeSpectrum:
        given["polynomials"].append((polynomial, mean))
        if given["error"] is not None:
            raise given["error"]
        found: FakeSpectrum = given["law"]
        return found

    monkeypatch.setattr(spectra, "engine", engine)
    return given
