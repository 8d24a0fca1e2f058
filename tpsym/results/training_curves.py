"""Training in one picture: the limit, the kernel's limit and finite widths, by step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sympy import Expr

from tpsym.errors import TpError, fail
from tpsym.particles.runs import PARTICLES, REPLICATES
from tpsym.program.elaborate import Model
from tpsym.program.instructions import Matrix
from tpsym.results.kernel_training import KernelTraining, kernel_limit
from tpsym.results.kernel_training_regime import Regime
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.results.training_limits import Bar, Effort, Found, Key, Limit, Series, limits, no_bar
from tpsym.results.training_limits import particles as sampled_limit
from tpsym.results.training_setup import Setup, feature_label, located, setup, test_label, told
from tpsym.results.training_transfer import RATES, TransferCurves, transfer
from tpsym.simulate.curves import Curves, curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (64, 256, 1024)
SEEDS = 8
COPIES = 4
"""Matrices of the size of a weight that training holds for each, at most."""

Draw = Callable[[Any], "Figure"]


@dataclass(frozen=True)
class TrainingCurves:
    """A training by step, 0 being initialisation.

    ``limit`` is the limit, ``None`` with ``reasons`` where there is none or none is known; ``kernel`` is, for a
    network that learns features, what its limit would be if the tangent kernel stayed as it is before training.
    ``widths`` has means over seeds with standard errors. ``complete`` says that nothing was interrupted.
    """

    name: str
    network: str
    regime: Regime
    steps: int
    quantities: tuple[Key, ...]
    limit: Limit | None = field(repr=False)
    kernel: Limit | None = field(repr=False)
    reasons: tuple[str, ...]
    widths: Mapping[int, Mapping[Key, Series]] = field(repr=False)
    seeds: int
    drawn: tuple[str, ...]
    complete: bool
    draw: Draw | None = field(default=None, repr=False, compare=False)

    def plot(self) -> Figure:
        """Loss, outputs and features over steps, as a matplotlib figure."""
        return _drawn(self, self.draw)


@dataclass(frozen=True)
class TrainingStudy:
    """A ``train`` statement of a program, from Python: ``program.training("F")``.

    ``features`` are expressions in the names of the network, such as ``["h[1]", "tanh(h[2])"]``.
    """

    model: Model = field(repr=False)
    side: LimitQuestions = field(repr=False)
    name: str | None
    overrides: Mapping[str, Expr] = field(repr=False)
    features: tuple[str, ...] | None = None
    steps: int | None = None
    filename: str | None = None
    draw_curves: Draw | None = field(default=None, repr=False, compare=False)
    draw_transfer: Draw | None = field(default=None, repr=False, compare=False)

    def curves(
        self, *, widths: Sequence[int] = WIDTHS, seeds: int = SEEDS, particles: int = PARTICLES,
        replicates: int = REPLICATES, checkpoint: Path | None = None, bar: Bar = no_bar,
    ) -> TrainingCurves:
        """The limit and finite widths; an interrupt from the keyboard returns what there is.

        Raises:
            TpError: a parameter has no value, or an option makes no sense.
        """
        effort = Effort(particles, replicates, checkpoint=checkpoint)
        with located(self.model, self.filename):
            return training_curves(self.setup(), widths=widths, seeds=seeds, effort=effort, bar=bar,
                                   draw=self.draw_curves)

    def particles(
        self, *, particles: int = PARTICLES, replicates: int = REPLICATES, checkpoint: Path | None = None
    ) -> Limit:
        """The limit by sampling alone.

        Raises:
            TpError: ``no-particle-limit``, or as for :meth:`curves`.
        """
        with located(self.model, self.filename):
            return sampled_limit(self.setup(), Effort(particles, replicates, checkpoint=checkpoint))

    def kernel(self) -> KernelTraining:
        """Training in the kernel regime in closed form: laws after any number of steps, and of gradient flow.

        Raises:
            TpError: ``no-limit``, training is not in the kernel regime.
        """
        with located(self.model, self.filename):
            found = self.setup()
            try:
                return kernel_limit(found.side, found.training, found.span)
            except NoLimit as error:
                raise fail("no-limit", error.reason, error.span) from None

    def point(self, label: str) -> Expr:
        """The network at an example or another input by its label, as methods of :meth:`kernel` take it.

        Raises:
            TpError: ``unknown-name``.
        """
        with located(self.model, self.filename):
            found = self.setup()
            known = {p.label: p.output for p in (*found.examples, *found.tests)}
            if label not in known:
                raise fail("unknown-name", f"the training has no input called {label}", expected=", ".join(known))
            return known[label]

    def transfer(
        self, *, widths: Sequence[int] = WIDTHS, rates: Sequence[float] = RATES, seeds: int = SEEDS,
        parametrizations: Sequence[str] = ("mup", "standard"), bar: Bar = no_bar,
    ) -> TransferCurves:
        """The loss after training against the learning rate, at several widths in several parametrisations.

        Raises:
            TpError: there is no maximal update, or as for :meth:`curves`.
        """
        with located(self.model, self.filename):
            return transfer(self.setup(), widths=widths, rates=rates, seeds=seeds, parametrizations=parametrizations,
                            bar=bar, draw=self.draw_transfer)

    def setup(self) -> Setup:
        """The training made concrete."""
        return setup(self.model, self.side, name=self.name, steps=self.steps, features=self.features,
                     overrides=self.overrides)


def training_curves(
    found: Setup, *, widths: Sequence[int], seeds: int, effort: Effort, bar: Bar = no_bar, draw: Draw | None = None
) -> TrainingCurves:
    """The limit first, then networks from narrow to wide; see :meth:`TrainingStudy.curves`."""
    check_memory(found, widths)
    limit: Found | None = None
    finite: Curves | None = None
    complete = True
    try:
        limit = limits(found, effort, bar)
        complete = limit.limit is None or limit.limit.complete
        if complete and widths:
            with bar("training") as progress:
                finite = curves(found.meant, found.observed, widths=widths, seeds=seeds, values={}, data=found.data,
                                rescaled=found.rescaled, progress=progress)
            complete = finite.complete
    except KeyboardInterrupt:
        if limit is None or (limit.limit is None and limit.kernel is None):
            raise
        complete = False
    except MemoryError:
        raise too_large() from None
    except TpError as error:
        raise told(error, found.span) from None
    by_width = {} if finite is None else {n: _at_width(found, finite, n) for n in finite.widths}
    return TrainingCurves(
        found.name, found.network, limit.regime, found.training.steps, quantities(found), limit.limit, limit.kernel,
        limit.reasons, by_width, seeds, found.drawn, complete, draw,
    )


def quantities(found: Setup) -> tuple[Key, ...]:
    """All that is looked at."""
    return (("loss", ""), *(("output", p.label) for p in (*found.examples, *found.tests)),
            *(("feature", f.label) for f in found.features))


def _at_width(found: Setup, finite: Curves, n: int) -> dict[Key, Series]:
    def series(kind: Any, label: str) -> Series:
        curve = finite.find(kind, label, n)
        return Series(curve.mean, curve.standard_error)

    made: dict[Key, Series] = {("loss", ""): series("loss", "")}
    made |= {("output", p.label): series("output", str(i)) for i, p in enumerate(found.examples)}
    made |= {("output", p.label): series("scalar", test_label(p)) for p in found.tests}
    for f in found.features:
        made["feature", f.label] = series("scalar" if f.dimension is None else "second moment", feature_label(f))
    return made


def check_memory(found: Setup, widths: Sequence[int]) -> None:
    """Refuse widths whose matrices do not fit.

    Raises:
        TpError: ``too-large``.
    """
    context = found.training.context
    matrices = sum(isinstance(context.builder[t.node], Matrix) for t in context.trained if t.node is not None)
    try:
        room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    needed = max(widths, default=0) ** 2 * 8 * COPIES * matrices
    if needed > room:
        raise too_large(f"width {max(widths)} needs {needed / 2**30:.0f} GiB, and there are {room / 2**30:.0f}")


def too_large(what: str = "this does not fit into memory") -> TpError:
    """The error for arrays that do not fit."""
    return fail("too-large", what, fix="choose smaller widths, or fewer particles")


def _drawn(found: Any, draw: Draw | None) -> Figure:
    if draw is None:
        raise fail("no-figure", "nothing draws this", fix="ask program.training(…) for it")
    return draw(found)
