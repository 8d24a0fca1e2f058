r"""Mean field theory of deep wide networks: what the maps from layer to layer do at large depth.

The variance follows :math:`q_{l+1} = F(q_l)` to a fixed point q*, correlations :math:`ρ_{l+1} = G(q^*, ρ_l)/q^*`
to c*. χ, the slope of the latter at 1, is also the factor by which squared gradients grow per layer:
ordered (χ < 1, correlations tend to 1), chaotic (χ > 1), critical (χ = 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.results.meanfield_algebra import Edge, FixedPoint, edge_of_chaos, fixed_point
from tpsym.results.meanfield_laws import (
    CorrelationLaw,
    TangentLaw,
    correlation_departure,
    correlation_law,
    tangent_law,
    variance_law,
)
from tpsym.results.meanfield_maps import C, LayerMaps, NoDerivativeError, Q, at_one, derivative, substituted
from tpsym.results.meanfield_numbers import evaluate
from tpsym.results.meanfield_series import NoExpansionError
from tpsym.results.meanfield_values import Numbers, Phase
from tpsym.results.meanfield_zero import polished, vanishes


@dataclass(frozen=True)
class MeanField:
    """The mean field theory of one layer map; expressions in the parameters, in ``q*`` and in ``c*``.

    ``chi``, ``chi_parallel`` and ``chi_correlation`` are the slopes of the correlation map at 1, of the variance
    map at q* and of the correlation map at c*. ``correlation_fixed_points`` are those in closed form,
    ``correlation_equation`` determines all. ``None`` is what was not derived: ``notes`` say why.
    """

    maps: LayerMaps
    fixed_point: FixedPoint
    chi: Expr | None
    chi_parallel: Expr | None
    chi_correlation: Expr
    correlation_equation: sp.Eq
    correlation_fixed_points: tuple[Expr, ...]
    edge_of_chaos: Edge
    correlation_law: CorrelationLaw | None
    tangent_law: TangentLaw | None
    variance_law: Expr | None
    notes: tuple[str, ...] = ()

    @property
    def variance(self) -> Expr:
        """q* in closed form where it is the one solution of its equation, else the symbol."""
        return Q if self.fixed_point.value is None else self.fixed_point.value

    @property
    def phases(self) -> dict[Phase, sp.Basic]:
        """Each phase as a condition on χ."""
        if self.chi is None:
            return {}
        number, rest = self.chi.as_coeff_Mul()
        left, right = (rest, 1 / number) if number.is_positive else (self.chi, sp.S.One)
        return {"ordered": sp.Lt(left, right), "critical": sp.Eq(left, right), "chaotic": sp.Gt(left, right)}

    @property
    def correlation_depth(self) -> Expr:
        """ξ_c = −1/log χ_{c*}: correlations approach c* like e^{−l/ξ_c}."""
        return -1 / sp.log(self.chi_correlation)

    @property
    def variance_depth(self) -> Expr | None:
        """ξ_q = −1/log |χ_∥|: the variance approaches q* like e^{−l/ξ_q}; ∞ at χ_∥ = 1."""
        if self.chi_parallel is None:
            return None
        slope = self.chi_parallel if self.chi_parallel.is_nonnegative else sp.Abs(self.chi_parallel)
        return sp.oo if slope == 1 else -1 / sp.log(slope)

    def at(self, values: Mapping[Symbol, Expr]) -> MeanField:
        """The theory at exact values of parameters, derived anew."""
        return meanfield(self.maps.at(values))

    def evaluate(self, values: Mapping[Symbol, Expr], *, digits: int = 15, seconds: float = 60.0) -> Numbers:
        """Certified numbers at these values, see :func:`tpsym.results.meanfield_numbers.evaluate`."""
        return evaluate(self.maps, values, digits=digits, seconds=seconds)

    def phase(self, values: Mapping[Symbol, Expr]) -> Phase:
        """The phase at these values, proved or ``undecided``."""
        return evaluate(self.maps, values, correlation=False).phase


def meanfield(maps: LayerMaps) -> MeanField:
    """The mean field theory of a layer map, from the map alone."""
    notes: list[str] = []
    chi, parallel = _chi(maps, notes), _parallel(maps, notes)
    starred = {maps.q: Q}
    chi_c = polished(substituted(maps.slope, {maps.c: C, maps.q: Q}))
    edge = Edge((), None, ()) if chi is None or chi == sp.oo else edge_of_chaos(maps, chi)
    correlations: CorrelationLaw | None = None
    tangent: TangentLaw | None = None
    try:
        if chi is not None:
            departure = correlation_departure(maps, chi)
            correlations = correlation_law(departure, edge.substitution(), maps.q, chi_c)
            tangent = tangent_law(correlations.departure, chi_c)
    except NoExpansionError as error:
        notes.append(f"no law of large depth: {error}")
    return MeanField(
        maps=maps,
        fixed_point=fixed_point(maps),
        chi=None if chi is None else chi.xreplace(starred),
        chi_parallel=None if parallel is None else substituted(parallel, starred),
        chi_correlation=chi_c,
        correlation_equation=sp.Eq(tilted(maps), C, evaluate=False),
        correlation_fixed_points=_correlations(maps),
        edge_of_chaos=edge,
        correlation_law=correlations,
        tangent_law=tangent,
        variance_law=variance_law(maps),
        notes=tuple(notes),
    )


def tilted(maps: LayerMaps) -> Expr:
    """The correlation map G(q*, c*)/q*."""
    return polished(substituted(maps.covariance / maps.q, {maps.q: Q, maps.c: C}))


def _chi(maps: LayerMaps, notes: list[str]) -> Expr | None:
    try:
        return polished(at_one(maps.slope, maps.c))
    except NoExpansionError as error:
        notes.append(f"the slope at correlation one was not found: {error}")
        return None


def _parallel(maps: LayerMaps, notes: list[str]) -> Expr | None:
    try:
        return polished(derivative(maps.variance, maps.q))
    except NoDerivativeError as error:
        notes.append(f"the slope of the variance was not found: {error}")
        return None


def _correlations(maps: LayerMaps) -> tuple[Expr, ...]:
    """0 and 1 where they are provably fixed."""
    found = [sp.S.Zero] if vanishes(substituted(maps.covariance, {maps.c: sp.S.Zero})) else []
    try:
        kept = vanishes(at_one(maps.covariance, maps.c) - maps.variance)
    except NoExpansionError:
        kept = None
    return (*found, sp.S.One) if kept else tuple(found)
