"""What the commands print and write."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsym.errors import fail

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.program.graph import Program as Graph
    from tpsym.report.document import Report
    from tpsym.results.answers import ClaimResult
    from tpsym.verify.runs import Runs

ENDINGS = {".md": "markdown", ".tex": "latex", ".html": "html", ".json": "json", ".txt": "text",
           ".pdf": "pdf"}
"""What the ending of a path says about the format of a report."""


def terminal_columns() -> int:
    """The width of the terminal, or 80 where there is none."""
    return min(shutil.get_terminal_size((80, 24)).columns, 120) if sys.stdout.isatty() else 80


def wants_color() -> bool:
    """Whether standard output is a terminal that shows colors, and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def deliver(report: Report, *, kind: str, output: Path | None, source: Path) -> None:
    """Print a report, or write it, or typeset it (next to its source where no path is given)."""
    from tpsym.report.output import pdf as typeset
    from tpsym.report.output import write

    if kind == "pdf":
        target = output or source.with_suffix(".pdf")
        typeset(report.to_latex(), target)
        click.echo(f"wrote {target}", err=True)
        return
    if kind == "text":
        text = report.to_text(columns=terminal_columns(), color=output is None and wants_color())
    else:
        text = getattr(report, f"to_{kind}")()
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    write(output, text)
    click.echo(f"wrote {output}", err=True)


def kind_of(output: Path | None) -> str:
    """The format that the ending of a path stands for; without an ending it is text."""
    ending = "" if output is None else output.suffix.lower()
    if ending in ("", *ENDINGS):
        return ENDINGS.get(ending, "text")
    raise fail(
        "bad-ending",
        f"the ending {ending} of {output} stands for no format",
        expected=", ".join(ENDINGS),
        fix="choose one of these endings, or say --format",
    )


def show_verdicts(
    results: Sequence[tuple[str, tuple[ClaimResult, ...]]], runs: Sequence[Runs | None], *, as_json: bool
) -> None:
    """The verdicts on every claim, and what was measured at finite width."""
    from tpsym.report.verdicts import verdicts_json, verdicts_text

    if as_json:
        text = verdicts_json(results)
        if runs:
            document = json.loads(text)
            for entry, measured in zip(document["files"], runs, strict=True):
                if measured is not None:
                    add_runs(entry, measured)
            text = json.dumps(document, indent=2, allow_nan=False)
        click.echo(text)
        return
    click.echo(verdicts_text(results, width=terminal_columns(), color=wants_color()), nl=False)
    for measured in runs:
        if measured is not None:
            click.echo("")
            show_simulation(measured)


def add_runs(entry: dict[str, object], measured: Runs) -> None:
    """Estimates with their intervals, per claim, into the JSON of a file."""
    judged = measured.result.judge()
    claims = entry["claims"]
    assert isinstance(claims, list)
    for claim in claims:
        claim["simulation"] = [
            {
                "quantity": name,
                "limit": finite(measured.result[name].limit),
                "agrees": judged[name].agrees if name in judged else None,
                "estimates": [
                    {"n": e.n} | {k: finite(getattr(e, k)) for k in ("value", "standard_error", "low", "high")}
                    for e in measured.result[name].estimates
                ],
            }
            for name in measured.claims.get(claim["label"], ())
        ]


def finite(number: float | None) -> float | None:
    """A number JSON can hold."""
    return number if number is not None and math.isfinite(number) else None


def show_simulation(runs: Runs) -> None:
    """The measured limits as a table."""
    click.echo(runs.to_text(columns=terminal_columns()), nl=False)


def draw(program: Program, output: Path | None) -> None:
    """The graph of everything the file computes or asks about, as DOT, SVG or JSON."""
    from tpsym import api
    from tpsym.program.printer import to_json
    from tpsym.report.drawing import program_dot, to_svg
    from tpsym.report.output import write

    writers: dict[str, Callable[[Graph], str]] = {".svg": to_svg, ".dot": program_dot, ".json": to_json}
    ending = output.suffix.lower() if output is not None else ".dot"
    if ending not in writers:
        raise fail("bad-ending", f"cannot write a graph to {output}", expected="a path ending in .svg, .dot or .json")
    api.check_all(program)
    text = writers[ending](program.model.context.builder.program())
    if output is None:
        click.echo(text)
        return
    write(output, text)
    click.echo(f"wrote {output}", err=True)


def parse_widths(text: str) -> list[int]:
    """``64,256,1024`` as numbers."""
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1 or max(widths) > 10**6:
        raise click.BadParameter("widths are whole numbers separated by commas, such as 64,256,1024")
    return sorted(set(widths))
