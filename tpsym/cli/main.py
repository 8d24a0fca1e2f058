"""The command line. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tpsym.cli import coordinates, figures, parametrization, training
from tpsym.errors import TpError

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.verify.runs import Runs

USAGE = 2
INTERNAL = 70
INTERRUPTED = 130


def guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """Run a command; mistakes in a file end in exit code 2, nothing ends in a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs) or 0
            sys.stdout.flush()
        except TpError as error:
            click.echo(str(named(error)), err=True)
            code = USAGE
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            code = INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except RecursionError:
            click.echo("error: this is nested too deeply to be handled", err=True)
            code = USAGE
        except click.ClickException:
            raise
        except Exception as error:
            if os.environ.get("TPSYM_DEBUG"):
                raise
            click.echo(f"internal error: {type(error).__name__}: {error}\nSet TPSYM_DEBUG=1 for details.", err=True)
            code = INTERNAL
        sys.exit(code)

    return run


def named(error: TpError) -> TpError:
    """An error that is about no file is the program's."""
    return error if error.filename else TpError(error.diagnostics, error.source, "tpsym")


@click.group("tpsym", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.version_option(package_name="tpsym", prog_name="tpsym")
def main() -> None:
    """Infinite-width limits of neural computations, derived from a .tp file."""


FILE = click.argument("file", type=click.Path(path_type=Path))
SET = click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Give a parameter or size a value.")


@main.command()
@FILE
@click.option("--format", "kind", type=click.Choice(["text", "markdown", "latex", "html", "json"]), default=None,
              help="Default: text, or what the ending of -o says.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
@click.option("--pdf", is_flag=True, help="Typeset with pdflatex (to -o, or next to FILE).")
@SET
@guarded
def derive(file: Path, kind: str | None, output: Path | None, pdf: bool, settings: tuple[str, ...]) -> int:
    """Derive what FILE asks for, step by step."""
    from tpsym import api
    from tpsym.cli.output import deliver, kind_of

    chosen = "pdf" if pdf else kind or kind_of(output)
    program = api.load(file, settings=api.parse_settings(settings))
    report, refused = api.derivation(program)
    deliver(report, kind=chosen, output=output, source=file)
    for diagnostic in refused:
        click.echo(diagnostic.render(source=program.source, filename=str(file)), err=True)
    return USAGE if refused else 0


@main.command(short_help="Check every claim of FILES.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--simulate", "with_runs", is_flag=True, help="Also run the program at finite width.")
@click.option("--strict", is_flag=True, help="Exit 3 unless every claim is proved.")
@SET
@guarded
def verify(
    files: tuple[Path, ...], as_json: bool, with_runs: bool, strict: bool, settings: tuple[str, ...]
) -> int:
    """Check every claim: proved, checked, refuted or undecided."""
    from tpsym import api
    from tpsym.cli.output import show_verdicts

    programs = [program for file in files if (program := checked(file, settings)) is not None]
    if len(programs) < len(files):
        return USAGE
    results = [(str(file), api.claim_results(program)) for file, program in zip(files, programs, strict=True)]
    runs = [measured(program) for program in programs] if with_runs else []
    show_verdicts(results, runs, as_json=as_json)
    if any(each is not None and not each.result.complete for each in runs):
        return INTERRUPTED
    verdicts = {claim.verdict for _, claims in results for claim in claims}
    if "refuted" in verdicts:
        return 1
    return 3 if "undecided" in verdicts or (strict and "checked" in verdicts) else 0


def checked(file: Path, settings: tuple[str, ...]) -> Program | None:
    """A program without mistakes; otherwise they are shown, so that of several files each is looked at."""
    from tpsym import api

    try:
        program = api.load(file, settings=api.parse_settings(settings))
        api.check(program)
    except TpError as error:
        click.echo(str(named(error)), err=True)
        return None
    return program


def measured(program: Program) -> Runs | None:
    """The program at finite width; where nothing can be measured the verdicts stand alone."""
    from tpsym import api

    try:
        return api.simulate(program, progress=True)
    except TpError as error:
        click.echo(str(error), err=True)
        return None


@main.command(short_help="Run FILE at finite width, beside its limits.")
@FILE
@click.option("--widths", default="64,256,1024", show_default=True, metavar="N,N,…", help="Widths to run at.")
@click.option("--seeds", default=32, show_default=True, type=click.IntRange(2, 100_000), help="Runs per width.")
@SET
@guarded
def simulate(file: Path, widths: str, seeds: int, settings: tuple[str, ...]) -> int:
    """Run FILE at finite width and compare with its limits."""
    from tpsym import api
    from tpsym.cli.output import parse_widths, show_simulation

    program = api.load(file, settings=api.parse_settings(settings))
    runs = api.simulate(program, widths=parse_widths(widths), seeds=seeds, progress=True)
    show_simulation(runs)
    return 0 if runs.result.complete else INTERRUPTED


@main.command()
@FILE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A path ending in .svg, .dot or .json.")
@SET
@guarded
def graph(file: Path, output: Path | None, settings: tuple[str, ...]) -> int:
    """Draw the program of FILE; without -o as DOT."""
    from tpsym import api
    from tpsym.cli.output import draw

    draw(api.load(file, settings=api.parse_settings(settings)), output)
    return 0


@main.command("eval")
@FILE
@click.argument("expression")
@SET
@click.option("--digits", default=15, show_default=True, type=click.IntRange(1, 60))
@guarded
def evaluate(file: Path, expression: str, settings: tuple[str, ...], digits: int) -> int:
    """Evaluate a limit-side EXPRESSION to a number."""
    from tpsym import api

    program = api.load(file, settings=api.parse_settings(settings))
    click.echo(api.evaluate(program, expression, digits=digits))
    return 0


@main.command()
@FILE
@SET
@guarded
def check(file: Path, settings: tuple[str, ...]) -> int:
    """Check names, shapes and indices, derive nothing."""
    from tpsym import api

    program = api.load(file, settings=api.parse_settings(settings))
    refused = api.check(program)
    for diagnostic in refused:
        click.echo(diagnostic.render(source=program.source, filename=str(file)), err=True)
    if refused:
        return USAGE
    click.echo(f"{file}: fine")
    return 0


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 if a file would change.")
@guarded
def fmt(files: tuple[Path, ...], only_check: bool) -> int:
    """Format FILES in place."""
    from tpsym import api

    changed = [file for file in files if api.format_file(file, write=not only_check)]
    for file in changed:
        click.echo(f"{'would format' if only_check else 'formatted'} {file}")
    return 1 if changed and only_check else 0


@main.command(short_help="List published architectures, or print one.")
@click.argument("name", required=False)
@guarded
def zoo(name: str | None) -> int:
    """List published architectures; with NAME print one as a .tp file."""
    from tpsym.cli.output import terminal_columns, wants_color
    from tpsym.zoo.catalogue import listing, source

    text = listing(columns=terminal_columns(), color=wants_color()) if name is None else source(name)
    click.echo(text, nl=False)
    return 0


for room in (coordinates, figures, parametrization, training):
    room.register(main, guarded)


if __name__ == "__main__":
    main(prog_name="tpsym")
