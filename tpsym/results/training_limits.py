"""The infinite-width limit of a training as numbers by step, by whichever way serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from sympy import Expr, Rational, S

from tpsym.errors import TpError
from tpsym.gauss.numeric import enclose_all
from tpsym.limit.scalars import ScalarLimit
from tpsym.particles.curves import Curve as ParticleCurve
from tpsym.particles.curves import ParticleCurves
from tpsym.particles.grids import quadrature_limit, quadrature_serves
from tpsym.particles.runs import PARTICLES, REPLICATES, particle_limit
from tpsym.program.scope import power_of
from tpsym.program.values import Scalar, VectorValue
from tpsym.results.answers import needed
from tpsym.results.kernel_training import KernelTraining, kernel_limit
from tpsym.results.kernel_training_entries import Entry, KernelStart, ordered
from tpsym.results.kernel_training_numbers import KernelCurves
from tpsym.results.kernel_training_numbers import curves as kernel_curves
from tpsym.results.kernel_training_regime import Regime, check_rule, regime
from tpsym.results.numbers import settings
from tpsym.results.reasons import NoLimit
from tpsym.results.training_setup import Setup, feature_label, test_label
from tpsym.simulate.payload import Array
from tpsym.simulate.progress import Progress
from tpsym.transform.tangent import Contribution
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import Training
from tpsym.transform.unroll import unroll

Kind = Literal["loss", "output", "feature"]
Key = tuple[Kind, str]
"""A quantity: the loss, the output at an example or test by label, the second moment of a vector (or a number)."""
Method = Literal["kernel", "quadrature", "particles", "initial kernel"]
TOLERANCE = 1e-8
MISTAKES = ("no-value", "bad-data", "bad-option", "bad-checkpoint", "too-few-particles", "not-numeric")
"""Errors that are no statement about a limit."""

Bar = Callable[[str], AbstractContextManager[Progress | None]]
"""A progress bar by what it is about."""


def no_bar(_: str) -> AbstractContextManager[Progress | None]:
    """Nothing is shown."""
    return nullcontext(None)


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity by step, its error, and its standard deviation over initialisations where that does not vanish."""

    mean: Array
    error: Array
    deviation: Array | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit by quantity; of a run that was interrupted fewer replicates are in it."""

    method: Method
    series: Mapping[Key, Series]
    note: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try: samples and independent repetitions, where to keep what is not finished."""

    particles: int = PARTICLES
    replicates: int = REPLICATES
    seed: int = 0
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Which limit training has, and its numbers; ``reasons`` say why there are none, or not by another way."""

    regime: Regime
    limit: Limit | None
    kernel: Limit | None
    reasons: tuple[str, ...]


def limits(setup: Setup, effort: Effort, bar: Bar = no_bar) -> Found:
    """The limit of a training, and beside one that learns features what it would be if the tangent kernel did not move.

    Raises:
        TpError: a value is missing, or an option makes no sense.
    """
    where, reasons = regime_of(setup)
    limit: Limit | None = None
    if where == "unstable":
        return Found(where, None, None, ("training is not stable: something blows up with the width",))
    if where == "kernel":
        limit = attempt(lambda: kernel(setup), reasons)
    if limit is None:
        limit = sampled(setup, effort, reasons, bar)
    still = attempt(lambda: kernel(setup, still=True), []) if where != "kernel" else None
    return Found(where, limit, still, () if limit is not None else tuple(dict.fromkeys(reasons)))


def attempt(compute: Callable[[], Limit], reasons: list[str]) -> Limit | None:
    """A limit, or ``None`` with the reason why there is none.

    Raises:
        TpError: a mistake of the user.
    """
    try:
        return compute()
    except NoLimit as error:
        reasons.append(error.reason)
    except TpError as error:
        if error.diagnostics[0].code in MISTAKES:
            raise
        reasons.append(error.diagnostics[0].message)
    return None


def regime_of(setup: Setup) -> tuple[Regime, list[str]]:
    """The regime as exponents decide it; under ``parametrization mup`` rates without powers of n are maximal."""
    training = setup.training
    context, optimizer = training.context, training.optimizer
    if context.parametrization == "mup":
        powers = [power_of(optimizer.rate_of(t.name), context.n) for t in context.trained]
        return ("feature learning" if all(p is not None and p[1] == 0 for p in powers) else "undecided"), []
    try:
        return regime(setup.side, training, setup.span), []
    except NoLimit as error:
        return "undecided", [error.reason]


# --- by integrals or samples -------------------------------------------------------------------------


def sampled(setup: Setup, effort: Effort, reasons: list[str], bar: Bar = no_bar) -> Limit | None:
    """The limit by quadrature where that serves, else by particles."""
    if quadrature_serves(setup.meant, setup.observed, values={}, data=setup.data, rescaled=setup.rescaled):
        found = attempt(lambda: quadrature(setup, bar), [])
        if found is not None:
            return found
    return attempt(lambda: particles(setup, effort, bar), reasons)


def quadrature(setup: Setup, bar: Bar = no_bar) -> Limit:
    """An integral over few Gaussians."""
    with bar("quadrature") as progress:
        found = quadrature_limit(setup.meant, setup.observed, values={}, data=setup.data, tolerance=TOLERANCE,
                                 rescaled=setup.rescaled, progress=progress)
    return Limit("quadrature", by_key(setup, found), "quadrature")


def particles(setup: Setup, effort: Effort, bar: Bar = no_bar) -> Limit:
    """Samples of the limit's random variables."""
    with bar("particles") as progress:
        found = particle_limit(
            setup.meant, setup.observed, values={}, data=setup.data, rescaled=setup.rescaled,
            particles=effort.particles, replicates=effort.replicates, seed=effort.seed, progress=progress,
            checkpoint=effort.checkpoint,
        )
    note = f"{found.particles} particles, {found.replicates} replicates"
    return Limit("particles", by_key(setup, found), note, found.complete)


def by_key(setup: Setup, found: ParticleCurves) -> dict[Key, Series]:
    """Curves of an engine under our names."""
    def series(curve: ParticleCurve, column: int | None = None) -> Series:
        at = (slice(None),) if column is None else (slice(None), column)
        return Series(curve.mean[at], curve.error[at])

    made: dict[Key, Series] = {("loss", ""): series(found.losses)}
    made |= {("output", p.label): series(found.outputs, i) for i, p in enumerate(setup.examples)}
    made |= {("output", p.label): series(found.values[test_label(p)]) for p in setup.tests}
    made |= {("feature", f.label): series(found.values[feature_label(f)]) for f in setup.features}
    return made


# --- by kernels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StillKernel(KernelStart):
    """The initial tangent kernel, whether or not it would move; ``rescaled`` arrays begin and move as that says."""

    rescaled: Parametrization = field(default_factory=lambda: AS_DECLARED)

    def __post_init__(self) -> None:
        if not self.rescaled:
            check_rule(self.training, self.span)
        elif self.training.optimizer.rule != "sgd" or self.training.optimizer.decays or self.training.optimizer.decay:
            raise NoLimit("the initial kernel of training by plain gradient descent only", self.span)

    def entry(self, x: Expr, y: Expr) -> Entry:
        """K(x, y) at initialisation."""
        key = ordered(x, y)
        if key not in self.entries:
            self.entries[key] = self._entry(*key)
        return self.entries[key]

    def _summands(self, x: Expr, y: Expr) -> list[Contribution]:
        n, image = self.side.context.n, initial_copy(self.training, self.rescaled)
        powers = {name: Rational(r.multiplier.numerator, r.multiplier.denominator) for name, r in self.rescaled.items()}
        return [replace(c, factor=c.factor * n ** (2 * powers.get(c.name, S.Zero)), inner=image(c.inner))
                for c in super()._summands(x, y)]

    def _start(self, x: Expr) -> ScalarLimit:
        return super()._start(initial_copy(self.training, self.rescaled)(x))


def initial_copy(training: Training, rescaled: Parametrization) -> Callable[[Expr], Expr]:
    """The network at initial arrays as rescaled."""
    return unroll(training, "f", rescaled=rescaled).at(0) if rescaled else lambda expr: expr


def kernel(setup: Setup, *, still: bool = False) -> Limit:
    """Training in the kernel regime, or with ``still`` what it would be with the initial tangent kernel.

    Raises:
        NoLimit: see :func:`tpsym.results.kernel_training.kernel_limit`.
    """
    side = setup.side
    start = KernelTraining(StillKernel(side, setup.meant, setup.span, rescaled=setup.rescaled)) if still else (
        kernel_limit(side, setup.training, setup.span))
    tests = {test_label(p): p.output for p in setup.tests}
    found = kernel_curves(start, setup.model, tests, overrides=setup.overrides)
    series = _kernel_series(setup, found)
    for feature in setup.features:
        moment = second_moment(setup, feature.expr) if feature.dimension is not None else None
        if moment is not None:
            series["feature", feature.label] = Series(np.full(len(found.loss), moment), np.zeros(len(found.loss)))
    return Limit("initial kernel" if still else "kernel", series, "initial tangent kernel" if still else "kernel")


def _kernel_series(setup: Setup, found: KernelCurves) -> dict[Key, Series]:
    made: dict[Key, Series] = {("loss", ""): Series(found.loss, found.loss_error)}
    for i, point in enumerate((*setup.examples, *setup.tests)):
        deviation = found.deviation[:, i]
        random = bool(np.any(deviation > 2 * found.deviation_error[:, i]))
        made["output", point.label] = Series(found.mean[:, i], found.mean_error[:, i], deviation if random else None)
    return made


def second_moment(setup: Setup, expr: Expr) -> float | None:
    """The mean square of a vector before training, ``None`` where it is not known."""
    vectors = setup.training.context.vector_symbols(expr)
    try:
        dimension = next(f.dimension for f in setup.features if f.expr == expr)
        assert dimension is not None
        value = setup.side.expectation(VectorValue(expr**2, dimension), setup.span) if vectors else None
        assert isinstance(value, Scalar)
        known = dict(needed(value.expr, setup.side.limit.definitions))
        values, exact = settings(setup.model, [value.expr, *known.values()], known, setup.overrides)
        (ball,) = enclose_all([value.expr], values, definitions=known | exact, bits=64)
    except (NoLimit, TpError):
        return None
    return float(ball.value.mid()) if ball.known else None


def with_steps(setup: Setup, steps: int) -> Setup:
    """The same training for another number of steps."""
    return replace(setup, training=replace(setup.training, steps=steps), meant=replace(setup.meant, steps=steps))


__all__ = ["Bar", "Effort", "Found", "Key", "Limit", "Series", "attempt", "kernel", "limits", "particles",
           "quadrature", "sampled"]
