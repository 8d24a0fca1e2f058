"""``tpsym plot``: figures of what a file asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsym.errors import TpError, fail

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.polyhedra.forms import Form

WIDEST = 20_000

Guard = Callable[[Callable[..., int | None]], Callable[..., None]]


def register(group: click.Group, guarded: Guard) -> None:
    """Add the command to a group."""
    command = click.command("plot", short_help="Draw spectra and stable regions.")(guarded(plot))
    command.params = [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--question", "number"], type=int, metavar="N", help="Which of the questions that have figures."),
        click.Option(["--n", "width"], type=click.IntRange(2, WIDEST), metavar="N",
                     help="Spectra: width of the sampled matrix.  [default: 1000]"),
        click.Option(["--seed"], type=click.IntRange(min=0), metavar="K",
                     help="Spectra: seed of the sampled matrix.  [default: 0]"),
        click.Option(["--bins"], type=int, metavar="N", help="Spectra: bins of the histogram."),
        click.Option(["--x"], metavar="EXPRESSION", help="Regions: horizontal coordinate, such as 'a[3] + b[3]'."),
        click.Option(["--y"], metavar="EXPRESSION", help="Regions: vertical coordinate."),
        click.Option(["-o", "--output"], type=click.Path(path_type=Path), help="A path ending in .svg, .png or .pdf."),
        click.Option(["--set", "settings"], multiple=True, metavar="NAME=VALUE",
                     help="Give a parameter or size a value."),
    ]
    group.add_command(command)


def plot(
    file: Path, number: int | None, width: int | None, seed: int | None, bins: int | None, x: str | None,
    y: str | None, output: Path | None, settings: tuple[str, ...],
) -> int:
    """Draw the spectrum of a matrix, or the stable region of a network, that FILE asks for.

    `derive spectrum(A)`: the eigenvalues of a sampled matrix as a histogram, the limiting density over it, atoms and
    edges. `derive S` or `derive S.region` where S = scaling(f, …): a section of the region coloured by regime, without
    --x and --y through as many named parametrisations as possible. Without -o the figure is written next to FILE, as
    SVG.
    """
    from tpsym import api
    from tpsym.report.canvas import figure_class
    from tpsym.report.output import write
    from tpsym.report.region_figures import image_form

    target = output or file.with_suffix(".svg")
    form = image_form(target)
    figure_class()
    program = api.load(file, settings=api.parse_settings(settings))
    api.check(program)
    region, spectrum = {"x": x, "y": y}, {"n": width, "seed": seed, "bins": bins}
    try:
        image = _image(program, form, number, region, spectrum)
    except TpError as error:
        raise error.located(source=program.source, filename=str(file)) from None
    write(target, image)
    click.echo(f"wrote {target}", err=True)
    return 0


def _image(
    program: Program, form: str, number: int | None, region: Mapping[str, str | None],
    spectrum: Mapping[str, int | None],
) -> bytes:
    """The figure that a question asks for."""
    from tpsym.report.region_figures import region_image
    from tpsym.report.spectrum_figures import spectrum_image
    from tpsym.results.exponent_plots import Asked, drawn
    from tpsym.results.figure_questions import figure_asked
    from tpsym.results.spectrum_plots import spectrum_plot

    question = figure_asked(program.model, program.limit_side, number=number)
    if isinstance(question, Asked):
        _unused(spectrum, "a stable region", "a spectrum")
        x, y = (_coordinate(program, name, text) for name, text in region.items())
        return region_image(drawn(question, x=x, y=y), form=form)
    _unused(region, "a spectrum", "a stable region")
    n, seed = spectrum["n"] or 1000, spectrum["seed"] or 0
    return spectrum_image(spectrum_plot(question, n=n, seed=seed, bins=spectrum["bins"]), form=form)


def _unused(options: Mapping[str, object | None], what: str, other: str) -> None:
    """Refuse options of the other kind of figure."""
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise fail("bad-option", f"this question has the figure of {what}, and {', '.join(given)} belongs to {other}",
                   fix="choose another question with --question N")


def _coordinate(program: Program, name: str, text: str | None) -> Form | None:
    """An option that is a linear expression in the exponents of a program."""
    from tpsym.results.exponent_plots import coordinate
    from tpsym.syntax.parse import parse_expression

    try:
        return None if text is None else coordinate(program.model, parse_expression(text))
    except TpError as error:
        raise TpError(error.diagnostics, text, f"--{name}") from None
