"""``tpsym coordinate-check``: derived exponents beside slopes measured in training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsym.errors import TpError, fail

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.results.coordinate_check import CoordinateCheck
    from tpsym.transform.optimizers import Optimizer

LOSSES = ("logistic", "mse", "constant")
DISAGREES = 1

Guard = Callable[[Callable[..., int | None]], Callable[..., None]]


def register(group: click.Group, guarded: Guard) -> None:
    """Add the command to a group."""
    made = click.command("coordinate-check", short_help="Measure exponents in training at finite width.")
    command = made(guarded(coordinate_check))
    command.params = [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--function"], metavar="NAME", help="The network; not needed if FILE has only one."),
        click.Option(["--optimizer"], default="sgd(lr = 1/10)", show_default=True, metavar="CALL",
                     help="As in a file, such as 'adam(lr = 1/100)'."),
        click.Option(["--parametrization"], metavar="NAME",
                     help="standard, ntk, mean_field or mup; without it, as FILE has it."),
        click.Option(["--widths"], default="64,128,256,512", show_default=True, metavar="N,N,…"),
        click.Option(["--seeds"], default=8, show_default=True, type=click.IntRange(2, 10_000), help="Runs per width."),
        click.Option(["--steps"], default=3, show_default=True, type=click.IntRange(1, 10_000)),
        click.Option(["--loss"], default=LOSSES[0], show_default=True, type=click.Choice(LOSSES)),
        click.Option(["--fn", "nonlinearity"], default="tanh", show_default=True, metavar="NAME",
                     help="What unknown functions of FILE are."),
        click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on standard output."),
        click.Option(["-o", "--output"], type=click.Path(path_type=Path), help="A plot, ending in .svg, .png or .pdf."),
        click.Option(["--set", "settings"], multiple=True, metavar="NAME=VALUE",
                     help="Give a parameter or size a value."),
    ]
    group.add_command(command)


def coordinate_check(
    file: Path, function: str | None, optimizer: str, parametrization: str | None, widths: str, seeds: int, steps: int,
    loss: str, nonlinearity: str, as_json: bool, output: Path | None, settings: tuple[str, ...],
) -> int:
    """Train a network of FILE at several widths and compare with its exponents.

    Shows how root mean squares of coordinates and of their changes grow with the width, in training on one example,
    beside the exponents that are derived. Exits 1 if a slope contradicts its exponent.
    """
    from tpsym import api
    from tpsym.cli.output import parse_widths, terminal_columns
    from tpsym.report.coordinate_checks import check_image, check_json, check_text
    from tpsym.report.output import write
    from tpsym.report.region_figures import image_form

    form = None if output is None else image_form(output)
    program = api.load(file, settings=api.parse_settings(settings))
    api.check(program)
    chosen = _optimizer(program, optimizer)
    sizes = parse_widths(widths)
    try:
        found = _checked(program, function, chosen, parametrization, widths=sizes, seeds=seeds, steps=steps, loss=loss,
                         nonlinearity=nonlinearity)
    except TpError as error:
        raise error.located(source=program.source, filename=str(file)) from None
    click.echo(check_json(found) if as_json else check_text(found, columns=terminal_columns()), nl=as_json)
    if output is not None and form is not None:
        write(output, check_image(found, form=form))
        click.echo(f"wrote {output}", err=True)
    return 0 if found.agrees else DISAGREES


def _checked(
    program: Program, function: str | None, optimizer: Optimizer, parametrization: str | None, *, widths: list[int],
    seeds: int, steps: int, loss: str, nonlinearity: str,
) -> CoordinateCheck:
    from tpsym.results.coordinate_check import coordinate_check as check
    from tpsym.results.parametrization_check import network
    from tpsym.scaling.named import parametrization_name
    from tpsym.simulate.progress import terminal_progress

    context = program.model.context
    named = None if parametrization is None else parametrization_name(parametrization)
    with terminal_progress("training") as progress:
        return check(
            context, network(context, function), optimizer, parametrization=named, widths=widths, seeds=seeds,
            steps=steps, loss=loss, nonlinearity=nonlinearity, progress=progress,  # type: ignore[arg-type]
        )


def _optimizer(program: Program, text: str) -> Optimizer:
    """An optimizer as the language writes it.

    Raises:
        TpError: it is none.
    """
    from tpsym.program.evaluate import evaluate
    from tpsym.program.values import OptimizerValue, describe
    from tpsym.syntax.parse import parse_expression

    context = program.model.context
    try:
        node = parse_expression(text)
        value = evaluate(context, node, context.scope)
        if not isinstance(value, OptimizerValue):
            raise fail("optimizer-expected", f"this is {describe(value)}", node.span, expected="sgd(lr = 1/10)")
        found: Optimizer = value.settings
        return found
    except TpError as error:
        raise TpError(error.diagnostics, text, "--optimizer") from None
