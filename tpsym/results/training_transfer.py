"""How the loss after training depends on the learning rate, by width and parametrisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tpsym.errors import TpError, fail
from tpsym.results.parametrized import in_parametrization
from tpsym.results.training_limits import Bar, no_bar
from tpsym.results.training_setup import Setup, told
from tpsym.scaling.named import Name, parametrization_name
from tpsym.simulate.curves import Transfer
from tpsym.simulate.curves import transfer as measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = tuple(2.0**k for k in range(-7, 5))


@dataclass(frozen=True)
class TransferCurves:
    """The loss by parametrisation, width, factor of the learning rates and seed.

    Learning rates of the file, without their powers of n, are multiplied by the factors. In ``mup`` they go with the
    width as maximal update has it; in the others they do not depend on the width, and at the ``base`` width arrays
    move as fast as in ``mup``.
    """

    name: str
    network: str
    steps: int
    base: int
    seeds: int
    panels: Mapping[Name, Transfer] = field(repr=False)
    draw: Callable[[Any], Figure] | None = field(default=None, repr=False, compare=False)

    def plot(self) -> Figure:
        """A panel for each parametrisation, as a matplotlib figure."""
        if self.draw is None:
            raise fail("no-figure", "nothing draws this", fix="ask program.training(…) for it")
        return self.draw(self)


def transfer(
    found: Setup, *, widths: Sequence[int], rates: Sequence[float] = RATES, seeds: int,
    parametrizations: Sequence[str] = ("mup", "standard"), bar: Bar = no_bar,
    draw: Callable[[Any], Figure] | None = None,
) -> TransferCurves:
    """Train at all widths with all rates in each parametrisation; an interrupt returns those that are finished.

    Raises:
        TpError: there is no maximal update, a rate is no power of n; a value is missing.
        KeyboardInterrupt: before one is finished.
    """
    names = tuple(dict.fromkeys(parametrization_name(p) for p in parametrizations))
    if not widths or not names:
        raise fail("bad-option", "there is nothing to compare", expected="widths and parametrisations")
    context = found.training.context
    if context.parametrization not in ("standard", "mup"):
        raise fail("not-available", f"other parametrisations of a file with parametrization {context.parametrization}",
                   fix="write its multipliers out")
    panels: dict[Name, Transfer] = {}
    try:
        for name in names:
            training, rescaled = in_parametrization(found.training, name, min(widths), found.span)
            with bar(name) as progress:
                panels[name] = measured(training, widths=widths, rates=rates, seeds=seeds, values={}, data=found.data,
                                        rescaled=rescaled, progress=progress)
    except KeyboardInterrupt:
        if not panels:
            raise
    except TpError as error:
        raise told(error, found.span) from None
    return TransferCurves(found.name, found.network, found.training.steps, min(widths), seeds, panels, draw)
