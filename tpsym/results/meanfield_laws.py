r"""Laws of large depth, from how the maps leave their fixed points.

With ε = 1 − ρ and :math:`ε_{l+1} = χ ε_l − A ε_l^p + …`, p > 1: at χ = 1 the differences of
:math:`ε^{1−p}` tend to A (p − 1), so :math:`ε_l \sim (A (p − 1) l)^{−1/(p−1)}`; and the tangent kernel,
:math:`Θ_{l+1} = q^* + (1 − A p ε_l^{p−1}) Θ_l` with :math:`A p ε_l^{p−1} \sim B/l`, B = p/(p − 1), grows
like :math:`q^* l/(1 + B)` where on the diagonal it is :math:`q^* l`.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Rational, Symbol

from tpsym.results.meanfield_maps import ORDERS, C, LayerMaps, Q, substituted
from tpsym.results.meanfield_series import Expander, Expansion, NoExpansionError
from tpsym.results.meanfield_zero import is_positive, polished, vanishes

L = Symbol("l", integer=True, positive=True)
"""The depth."""


@dataclass(frozen=True)
class Departure:
    """ε ↦ χ ε − ``rate`` ε^``power`` + …; ``power`` is ``None`` where the map is exactly linear."""

    chi: Expr
    rate: Expr
    power: Rational | None

    def law(self) -> Expr | None:
        """The leading term of ε_l at χ = 1, for a positive rate; ``None`` where ε does not move or grows."""
        if self.power is None or is_positive(self.rate) is False:
            return None
        k = self.power - 1
        return polished((self.rate * k) ** (-1 / k)) * L ** (-1 / k)


@dataclass(frozen=True)
class CorrelationLaw:
    """How correlations of inputs of variance q* (or attracted to it exponentially) behave at large depth l.

    ``critical`` is the leading term of 1 − ρ_l where χ = 1, ``None`` where correlations are kept as they are.
    In the ordered phase 1 − ρ_l falls like ``ordered``, in the chaotic phase |ρ_l − c*| like ``chaotic``, each
    up to a constant factor.
    """

    departure: Departure
    critical: Expr | None
    ordered: Expr
    chaotic: Expr

    @property
    def kept(self) -> bool:
        """Whether at χ = 1 correlations stay as they are."""
        return self.departure.power is None


@dataclass(frozen=True)
class TangentLaw:
    """The tangent kernel Θ_{l+1} = K_{l+1} + H Θ_l (every parameter trained, NTK parametrization) at large l.

    ``critical_diagonal`` and ``critical_ratio`` (off-diagonal to diagonal) hold where χ = 1; ``ordered`` is the
    limit of every entry where χ < 1; where χ > 1 the diagonal grows like ``chaotic_diagonal`` and entries of
    different inputs tend to ``chaotic_limit``.
    """

    critical_diagonal: Expr
    critical_ratio: Expr
    ordered: Expr
    chaotic_diagonal: Expr
    chaotic_limit: Expr


def correlation_departure(maps: LayerMaps, chi: Expr) -> Departure:
    """The map of ε = 1 − c at variance q*, expanded from the covariance map.

    Raises:
        NoExpansionError: correlation one is no fixed point, the slope there is infinite, or no expansion is found.
    """
    t = sp.Dummy("t", positive=True)
    found: Expansion | None = None
    for order in ORDERS:
        found = Expander(t, order)(maps.covariance.xreplace({maps.c: 1 - t**2}))
        if vanishes(found.coefficient(0) - maps.variance) is not True:
            raise NoExpansionError("correlation one is not kept, as far as can be seen")
        if found.coefficient(1) != 0:
            raise NoExpansionError("the slope at correlation one is infinite")
        if vanishes(found.coefficient(2) / maps.q + chi) is False:
            raise NoExpansionError("the slope is not the derivative of the covariance")
        for k in range(3, found.order):
            if found.coefficient(k) != 0 and vanishes(found.coefficient(k)) is False:
                return Departure(chi, polished(found.coefficient(k) / maps.q), Rational(k, 2))
    line = maps.variance - maps.q * chi * (1 - maps.c)
    if vanishes(maps.covariance - line):
        return Departure(chi, sp.S.Zero, None)
    raise NoExpansionError("the first power after the linear one is beyond the orders tried")


def correlation_law(departure: Departure, edge: dict[Symbol, Expr], q: Symbol, chi_c: Expr) -> CorrelationLaw:
    """The laws in terms of q* and, at χ = 1, of parameters ``edge`` puts on the edge of chaos."""
    there = substituted(departure.rate, {s: e.xreplace({Q: q}) for s, e in edge.items()})
    critical = Departure(sp.S.One, polished(there).xreplace({q: Q}), departure.power).law()
    own = Departure(departure.chi.xreplace({q: Q}), departure.rate.xreplace({q: Q}), departure.power)
    return CorrelationLaw(own, critical, own.chi**L, chi_c**L)


def tangent_law(departure: Departure, chi_c: Expr) -> TangentLaw:
    """The tangent kernel's growth; ``departure`` in terms of q*."""
    chi, p = departure.chi, departure.power
    ratio = C if p is None else (p - 1) / (2 * p - 1)
    return TangentLaw(Q * L, ratio, Q / (1 - chi), Q * chi**L / (chi - 1), Q * C / (1 - chi_c))


def variance_law(maps: LayerMaps) -> Expr | None:
    """The leading term of q_l where q* = 0 attracts with slope exactly one; ``None`` where it does not."""
    t = sp.Dummy("t", positive=True)
    for order in (3, 4, 6):
        try:
            found = Expander(t, order)(maps.variance.xreplace({maps.q: t}))
            if found.leading[0] != 1 or vanishes(found.leading[1] - 1) is not True:
                return None
            for k in range(2, found.order):
                if vanishes(found.coefficient(k)) is not True:
                    departure = Departure(sp.S.One, -found.coefficient(k), Rational(k))
                    return departure.law() if is_positive(departure.rate) else None
        except NoExpansionError:
            return None
    return None
