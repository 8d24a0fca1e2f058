"""``tpsym train`` and ``tpsym transfer``: training by step, and losses by learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tpsym.errors import fail

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.results.training_curves import TrainingStudy

INTERRUPTED = 130
MOST_RATES = 64
IMAGES = ("svg", "png", "pdf")

Guard = Callable[[Callable[..., int | None]], Callable[..., None]]


def register(group: click.Group, guarded: Guard) -> None:
    """Add the commands to a group."""
    made = click.command("train", short_help="Follow training in the limit and at finite widths.")(guarded(train))
    made.params = [
        *_shared("64,256,1024"),
        click.Option(["--particles"], default=4096, show_default=True, type=click.IntRange(2, 10**8),
                     help="Samples of the limit, where it is sampled."),
        click.Option(["--replicates"], default=8, show_default=True, type=click.IntRange(2, 10_000),
                     help="Independent sets of them."),
        click.Option(["--features"], metavar="EXPR,…", help="Vectors of the network to follow, such as 'h[1],h[2]'."),
        click.Option(["--checkpoint"], type=click.Path(path_type=Path),
                     help="Keep what is not finished here; a later run goes on from it."),
        *_ending(),
    ]
    group.add_command(made)
    other = click.command("transfer", short_help="Compare learning rates at several widths.")(guarded(transfer))
    other.params = [
        *_shared("64,128,256,512"),
        click.Option(["--rates"], default="2^-7..2^4", show_default=True, metavar="LIST",
                     help="Factors of the learning rates: 2^-7..2^4, or 0.1,1,10."),
        click.Option(["--parametrizations"], default="mup,standard", show_default=True, metavar="NAME,…",
                     help="Of mup, standard, ntk, mean_field."),
        *_ending(),
    ]
    group.add_command(other)


def _shared(widths: str) -> list[click.Parameter]:
    return [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--name"], metavar="NAME", help="Which training; not needed if FILE has only one."),
        click.Option(["--steps"], type=click.IntRange(0, 100_000), help="As many steps instead of those of FILE."),
        click.Option(["--widths"], default=widths, show_default=True, metavar="N,N,…"),
        click.Option(["--seeds"], default=8, show_default=True, type=click.IntRange(2, 10_000), help="Runs per width."),
    ]


def _ending() -> list[click.Parameter]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on standard output."),
        click.Option(["-o", "--output"], type=click.Path(path_type=Path),
                     help="A figure (.svg, .png, .pdf) or the numbers (.json, .csv)."),
        click.Option(["--set", "settings"], multiple=True, metavar="NAME=VALUE",
                     help="Give a parameter, a size or an inner product a value."),
    ]


def train(
    file: Path, name: str | None, steps: int | None, widths: str, seeds: int, particles: int, replicates: int,
    features: str | None, checkpoint: Path | None, as_json: bool, output: Path | None, settings: tuple[str, ...],
) -> int:
    """Follow a `train` statement of FILE by step.

    Shows the infinite-width limit beside networks of finite width: in the kernel regime by its kernel, for networks
    that learn features by quadrature or by sampling. Ctrl-C keeps what is finished; with --checkpoint a later run
    goes on with the rest.
    """
    from tpsym.report.training_figures import curves_figure
    from tpsym.report.training_tables import curves_csv, curves_json, curves_text

    form = _form(output)
    study = _study(file, settings, name, steps, features)
    try:
        found = study.curves(widths=_widths(widths), seeds=seeds, particles=particles, replicates=replicates,
                             checkpoint=checkpoint, bar=_bar)
    except KeyboardInterrupt:
        if checkpoint is not None and checkpoint.exists():
            click.echo(f"wrote {checkpoint}: the same command goes on from it", err=True)
        raise
    writers = {"json": curves_json, "csv": curves_csv}
    _deliver(found, form, output, as_json, curves_text, writers, curves_figure)
    if not found.complete and checkpoint is not None and checkpoint.exists():
        click.echo(f"wrote {checkpoint}: the same command goes on from it", err=True)
    return 0 if found.complete else INTERRUPTED


def transfer(
    file: Path, name: str | None, steps: int | None, widths: str, seeds: int, rates: str, parametrizations: str,
    as_json: bool, output: Path | None, settings: tuple[str, ...],
) -> int:
    """Train the network of a `train` statement of FILE with several learning rates, at several widths.

    In maximal update the best rate does not depend on the width; in others it does.
    """
    from tpsym.cli.output import parse_widths
    from tpsym.report.training_figures import transfer_figure
    from tpsym.report.training_tables import transfer_csv, transfer_json, transfer_text

    form, factors = _form(output), parse_rates(rates)
    names = [part.strip() for part in parametrizations.split(",") if part.strip()]
    study = _study(file, settings, name, steps, None)
    found = study.transfer(widths=parse_widths(widths), rates=factors, seeds=seeds, parametrizations=names, bar=_bar)
    writers = {"json": transfer_json, "csv": transfer_csv}
    _deliver(found, form, output, as_json, transfer_text, writers, transfer_figure)
    return 0 if len(found.panels) == len(set(names)) else INTERRUPTED


# --- shared --------------------------------------------------------------------------------------------


def _study(
    file: Path, settings: tuple[str, ...], name: str | None, steps: int | None, features: str | None
) -> TrainingStudy:
    from tpsym import api

    program: Program = api.load(file, settings=api.parse_settings(settings))
    api.check(program)
    return program.training(name, steps=steps, features=None if features is None else split(features))


def _bar(description: str) -> Any:
    from tpsym.simulate.progress import terminal_progress

    return terminal_progress(description)


def _deliver(
    found: Any, form: str | None, output: Path | None, as_json: bool, text: Callable[..., str],
    writers: Mapping[str, Callable[[Any], str]], figure: Callable[[Any], Any],
) -> None:
    """Print the table or the numbers, and write what the ending of the path says."""
    from tpsym.cli.output import terminal_columns
    from tpsym.report.output import write
    from tpsym.report.training_figures import figure_bytes

    click.echo(writers["json"](found) if as_json else text(found, columns=terminal_columns()), nl=as_json)
    if output is not None and form is not None:
        write(output, figure_bytes(figure(found), form=form) if form in IMAGES else writers[form](found))
        click.echo(f"wrote {output}", err=True)


def _form(output: Path | None) -> str | None:
    """What the ending of a path stands for; where it is a figure, something has to draw it.

    Raises:
        TpError: it stands for nothing, or nothing draws figures.
    """
    from tpsym.report.canvas import figure_class

    if output is None:
        return None
    form = output.suffix.lower().lstrip(".")
    if form not in (*IMAGES, "json", "csv"):
        raise fail("bad-ending", f"cannot write training to {output}",
                   expected="a path ending in .svg, .png, .pdf, .json or .csv")
    if form in IMAGES:
        figure_class()
    return form


def _widths(text: str) -> list[int]:
    """Widths; none for ``none``."""
    from tpsym.cli.output import parse_widths

    return [] if text.strip().lower() == "none" else parse_widths(text)


def split(text: str) -> list[str]:
    """Expressions between commas that are in no brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def parse_rates(text: str) -> list[float]:
    """``2^-7..2^4`` (powers of two) or ``0.1,1,10`` as numbers.

    Raises:
        TpError: they are no positive numbers, or too many.
    """
    try:
        if ".." in text:
            low, high = (_power(part) for part in text.split("..", 1))
            if not -60 <= low <= high <= 60:
                raise ValueError
            found = [2.0**k for k in range(low, high + 1)]
        else:
            found = [2.0 ** _power(part) if "^" in part else float(part) for part in text.split(",")]
    except (ValueError, OverflowError):
        found = []
    if not found or len(found) > MOST_RATES or not all(0 < r < float("inf") for r in found):
        raise fail("bad-option", f"--rates {text} are no learning rates", expected="2^-7..2^4, or 0.1,1,10")
    return sorted(set(found))


def _power(text: str) -> int:
    base, _, exponent = text.strip().partition("^")
    if base.strip() != "2":
        raise ValueError(text)
    return int(exponent)


__all__ = ["parse_rates", "register", "split"]
