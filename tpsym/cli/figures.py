"""``tpsym plot``: figures of what a file asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsym.errors import TpError

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.polyhedra.forms import Form

Guard = Callable[[Callable[..., int | None]], Callable[..., None]]


def register(group: click.Group, guarded: Guard) -> None:
    """Add the command to a group."""
    command = click.command("plot", short_help="Draw the stable region of a network.")(guarded(plot))
    command.params = [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--question", "number"], type=int, metavar="N", help="Which of the questions that have figures."),
        click.Option(["--x"], metavar="EXPRESSION", help="Horizontal coordinate, such as 'a[3] + b[3]'."),
        click.Option(["--y"], metavar="EXPRESSION", help="Vertical coordinate."),
        click.Option(["-o", "--output"], type=click.Path(path_type=Path), help="A path ending in .svg, .png or .pdf."),
        click.Option(["--set", "settings"], multiple=True, metavar="NAME=VALUE",
                     help="Give a parameter or size a value."),
    ]
    group.add_command(command)


def plot(
    file: Path, number: int | None, x: str | None, y: str | None, output: Path | None, settings: tuple[str, ...]
) -> int:
    """Draw the stable region of a network in FILE, coloured by regime.

    FILE asks for it by `derive S` or `derive S.region` where S = scaling(f, …). Without --x and --y the section goes
    through as many named parametrisations as possible. Without -o the figure is written next to FILE, as SVG.
    """
    from tpsym import api
    from tpsym.report.output import write
    from tpsym.report.region_figures import image_form, region_image
    from tpsym.results.exponent_plots import asked, drawn

    target = output or file.with_suffix(".svg")
    form = image_form(target)
    program = api.load(file, settings=api.parse_settings(settings))
    api.check(program)
    try:
        question = asked(program.model, program.limit_side, number=number)
        found = drawn(question, x=_coordinate(program, "x", x), y=_coordinate(program, "y", y))
    except TpError as error:
        raise error.located(source=program.source, filename=str(file)) from None
    write(target, region_image(found, form=form))
    click.echo(f"wrote {target}", err=True)
    return 0


def _coordinate(program: Program, name: str, text: str | None) -> Form | None:
    """An option that is a linear expression in the exponents of a program."""
    from tpsym.results.exponent_plots import coordinate
    from tpsym.syntax.parse import parse_expression

    try:
        return None if text is None else coordinate(program.model, parse_expression(text))
    except TpError as error:
        raise TpError(error.diagnostics, text, f"--{name}") from None
