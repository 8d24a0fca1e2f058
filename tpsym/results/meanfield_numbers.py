"""Fixed points, slopes, phase and depth scales at given values of the parameters, with certified digits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb, ctx
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.gauss.balls import NAN, Ball
from tpsym.gauss.numeric import Numeric, enclose
from tpsym.results.meanfield_algebra import fixed_point
from tpsym.results.meanfield_floats import compiled
from tpsym.results.meanfield_maps import LayerMaps, NoDerivativeError, at_one, derivative, substituted
from tpsym.results.meanfield_roots import Map, is_negative, reaches, root, settled
from tpsym.results.meanfield_series import NoExpansionError
from tpsym.results.meanfield_values import Numbers, Phase, Quantity, exact
from tpsym.results.meanfield_zero import polished, vanishes

STARTS = (1.0, 0.01, 100.0)
"""Initial variances; the first that leads to a finite one decides."""

LARGEST = 1000
"""Denominators of the rational numbers tried as exact fixed points."""


def settings(maps: LayerMaps, values: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """A value for every parameter: the given one, else its default.

    Raises:
        TpError: a parameter has no value.
    """
    found: dict[Symbol, Expr] = {}
    for symbol in maps.free:
        value = values.get(symbol, maps.parameters.get(symbol))
        if value is None:
            raise fail("no-value", f"no value for {symbol}", fix=f"--set '{symbol}=1'")
        found[symbol] = value
    return found


def evaluate(
    maps: LayerMaps, values: Mapping[Symbol, Expr], *, digits: int = 15, correlation: bool = True, seconds: float = 60.0
) -> Numbers:
    """The numbers at these values (defaults for the rest), those of c* only if ``correlation``.

    Certified digits are fewer than ``digits`` where means over two variables have no closed form; such a c* is
    given up after ``seconds``.

    Raises:
        TpError: a parameter has no value, or one that depends on others.
    """
    here = maps.at(settings(maps, values))
    if here.free:
        raise fail("no-value", f"no value for {here.free[0]}")
    bits = max(96, int(digits * 3.33) + 64)
    return _Evaluation(here, bits, correlation, time.monotonic() + seconds)()


@dataclass
class _Evaluation:
    """One evaluation: maps without parameters, the precision, and what there is to say."""

    maps: LayerMaps
    bits: int
    wanted: bool
    deadline: float

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        self.every = self.reached = False

    def __call__(self) -> Numbers:
        variance = self._variance()
        chi = self._at(self._chi(), variance)
        parallel = self._at(self._slope(), variance)
        phase = self._phase(chi)
        correlation, at_correlation = self._correlation(phase, variance, chi) if self.wanted else (None, None)
        depths = (self._depth(at_correlation), self._depth(parallel))
        slopes = (chi, parallel, at_correlation)
        return Numbers(phase, variance, correlation, *slopes, *depths, self.every, self.reached, tuple(self.notes))

    # the variance ---------------------------------------------------------------------------------

    def _variance(self) -> Quantity | None:
        """The fixed point that iteration from q = 1 is attracted to."""
        maps, known = self.maps, fixed_point(self.maps)
        if known.every:
            self.every = self.reached = True
            self.notes.append("every variance is a fixed point")
            return None
        f = Map(maps.q, maps.variance, self._slope(), 0.0, math.inf, {})
        single = compiled(maps.variance, [maps.q])
        limits = {s: settled(lambda x: float(single(x)), s, low=0.0, high=math.inf) for s in STARTS}
        finite = {s: x for s, x in limits.items() if x is not None and math.isfinite(x)}
        candidates = [r.value for r in known.roots]
        if not finite:
            if None in limits.values():
                self.notes.append("iteration of the variance does not settle")
                return None
            return self._diverging(known.complete, candidates)
        start, limit = next(iter(finite.items()))
        if any(x is None or abs(x - limit) > 1e-6 * (1 + limit) for x in limits.values()):
            self.notes.append(f"other initial variances lead elsewhere: this is for q = {start:g}")
        return self._proved(f, start, limit, candidates)

    def _diverging(self, complete: bool, candidates: list[Expr]) -> Quantity:
        """F(q) > q for all q ≥ 1 where it is so at 1 and there is no fixed point beyond."""
        gap = enclose(substituted(self.maps.variance, {self.maps.q: sp.S.One}) - 1, {}, bits=self.bits)
        beyond = [c for c in candidates if not enclose(c, {}, bits=self.bits).value < 1]
        self.reached = proved = bool(complete and not beyond and gap.rigorous and gap.value > 0)
        self.notes.append("the variance grows without bound" + ("" if proved else ", as far as can be seen"))
        return Quantity(Numeric(NAN, proved), sp.oo)

    def _proved(self, f: Map, start: float, limit: float, candidates: list[Expr]) -> Quantity | None:
        found = self._exact_near(f, limit, candidates)
        if found is None:
            number = root(f, limit, bits=self.bits)
            if number is None:
                return None
            found = Quantity(number)
            exact_one = self._exact_near(f, float(number.value.mid()), [])
            found = exact_one if exact_one is not None else found
        slow = found.exact == 0 and f.slope is not None and vanishes(substituted(f.slope, {f.symbol: found.exact}) - 1)
        self.reached = (start <= 1 and self._is_concave(f)) if slow else reaches(f, start, found.number.value)
        if not self.reached:
            self.notes.append(f"that iteration from q = {start:g} converges to this fixed point is not proved")
        return found

    def _exact_near(self, f: Map, limit: float, candidates: list[Expr]) -> Quantity | None:
        """A closed form of the fixed point that is next to the limit: a known root, or a simple rational."""
        guess = Fraction(limit).limit_denominator(LARGEST)
        guesses = [sp.S.Zero] if abs(limit) < 1e-2 else []
        if abs(float(guess) - limit) < 1e-10:
            guesses.append(sp.Rational(guess.numerator, guess.denominator))
        for value in [*candidates, *guesses]:
            near = abs(float(enclose(value, {}, bits=self.bits).value.mid()) - limit) < 1e-6 * (1 + abs(limit))
            if near and vanishes(substituted(f.step, {f.symbol: value}) - value):
                return exact(value, self.bits)
        return None

    def _is_concave(self, f: Map) -> bool:
        """Whether F is concave on [0, 1]: with F(0) = 0 and F'(0) = 1, F(q) < q there, and q_l falls to 0."""
        assert f.slope is not None
        try:
            return is_negative(derivative(f.slope, f.symbol), f.symbol, 0.0, 1.0)
        except NoDerivativeError:
            return False

    # slopes and phase -----------------------------------------------------------------------------

    def _chi(self) -> Expr | None:
        try:
            return polished(at_one(self.maps.slope, self.maps.c))
        except NoExpansionError as error:
            self.notes.append(f"the slope at correlation one was not found ({error})")
            return None

    def _slope(self) -> Expr | None:
        try:
            return derivative(self.maps.variance, self.maps.q)
        except NoDerivativeError:
            return None

    def _at(self, expr: Expr | None, variance: Quantity | None) -> Quantity | None:
        """The value at the fixed point."""
        if expr is None:
            return None
        q = self.maps.q
        if not expr.has(q):
            return exact(expr, self.bits)
        if variance is None or variance.exact == sp.oo:
            return None
        if variance.exact is not None:
            value = polished(substituted(expr, {q: variance.exact}))
            return None if value.has(sp.nan, sp.zoo) else exact(value, self.bits)
        found = enclose(expr, {q: variance.number.value}, bits=self.bits)
        return Quantity(Numeric(found.value, found.rigorous and variance.number.rigorous))

    def _phase(self, chi: Quantity | None) -> Phase:
        if chi is None:
            return "undecided"
        if chi.exact == sp.oo:
            return "chaotic"
        if chi.exact is not None and vanishes(chi.exact - 1):
            return "critical"
        if chi.number.rigorous and chi.number.known:
            if chi.number.value > 1:
                return "chaotic"
            if chi.number.value < 1:
                return "ordered"
        self.notes.append("whether chi is below, at or above one is not decided")
        return "undecided"

    # the correlation ------------------------------------------------------------------------------

    def _correlation(
        self, phase: Phase, variance: Quantity | None, chi: Quantity | None
    ) -> tuple[Quantity | None, Quantity | None]:
        """c* and the slope there."""
        maps = self.maps
        level: Ball | None = None
        if self.every and maps.is_homogeneous:
            level = arb(1)
        elif variance is not None and variance.number.known and variance.exact != 0:
            level = variance.number.value
        elif variance is not None and variance.exact == 0:
            self.notes.append("at variance 0 there are no correlations")
        if level is None or phase == "undecided":
            return None, None
        if vanishes(maps.covariance - maps.q * maps.c):
            self.notes.append("every correlation is a fixed point")
            return None, chi
        if phase in ("ordered", "critical"):
            if self._is_one_kept():
                return exact(sp.S.One, self.bits), chi
            self.notes.append("that correlation one is kept is not proved")
            return None, None
        return self._below_one(level, variance is None or variance.number.rigorous)

    def _is_one_kept(self) -> bool:
        """Whether equal inputs stay equal."""
        try:
            return bool(vanishes(at_one(self.maps.covariance, self.maps.c) - self.maps.variance))
        except NoExpansionError:
            return False

    def _below_one(self, level: Ball, rigorous: bool) -> tuple[Quantity | None, Quantity | None]:
        maps = self.maps
        f = Map(maps.c, maps.covariance / maps.q, maps.slope, -1.0, 1.0, {maps.q: level}, self.deadline)
        middle = float(level.mid())
        single = compiled(f.step, [maps.q, maps.c])
        limit = settled(lambda x: float(single(middle, x)), 0.5, low=-1.0, high=1.0)
        if limit is None or not -1 < limit < 1:
            return None, None
        if abs(limit) < 1e-9 and vanishes(substituted(maps.covariance, {maps.c: sp.S.Zero})):
            place = exact(sp.S.Zero, self.bits)
        else:
            number = root(f, limit, bits=self.bits)
            if number is None:
                late = time.monotonic() > self.deadline
                self.notes.append("c* was not enclosed" + (" in time" if late else ""))
                return None, None
            place = Quantity(Numeric(number.value, number.rigorous and rigorous))
        if not reaches(f, 0.5, place.number.value):
            self.notes.append("that correlations converge to c* is not proved")
        found = f.rate(place.number.value, self.bits)
        return place, Quantity(Numeric(found.value, found.rigorous and rigorous))

    def _depth(self, slope: Quantity | None) -> Quantity | None:
        """−1/log |slope| of a slope below one in size, ∞ for 1 and 0 for 0."""
        if slope is None:
            return None
        if slope.exact == 0:
            return exact(sp.S.Zero, self.bits)
        if slope.exact is not None and vanishes(slope.exact - 1):
            return exact(sp.oo, self.bits)
        with ctx.workprec(self.bits):
            value = abs(slope.number.value)
            if not (value > 0 and value < 1):
                return None
            return Quantity(Numeric(-1 / value.log(), slope.number.rigorous))
