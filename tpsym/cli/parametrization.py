"""``tpsym check-parametrization``: a table of exponents checked on a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from tpsym.errors import TpError, fail

if TYPE_CHECKING:
    from tpsym.api import Program
    from tpsym.scaling.check import Checked, Finding

UNSTABLE = 1
FROZEN = 3
HEADINGS = ("array", "role", "mult.", "std", "lr", "largest lr", "update", "")
WORDS = {"maximal": "moves", "frozen": "freezes", "unstable": "blows up", "unread": ""}

Guard = Callable[[Callable[..., int | None]], Callable[..., None]]


def register(group: click.Group, guarded: Guard) -> None:
    """Add the command to a group."""
    made = click.command("check-parametrization", short_help="Find what blows up or freezes in training.")
    command = made(guarded(check_parametrization))
    arguments: list[click.Parameter] = [
        click.Argument(["file"], type=click.Path(path_type=Path)),
        click.Option(["--function"], metavar="NAME", help="The network; not needed if FILE has only one."),
        click.Option(["--optimizer"], default="sgd", show_default=True, metavar="NAME", help="sgd, adam, muon, …"),
        click.Option(["--table"], type=click.Path(path_type=Path), help="Exponents by array, as JSON."),
        click.Option(["--named"], metavar="NAME", help="standard, ntk, mean_field or mup."),
        click.Option(["--lr"], default="0", show_default=True, metavar="EXPONENT",
                     help="Without a table: learning rates are n^EXPONENT (in mup, times that of its table)."),
        click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on standard output."),
        click.Option(["--set", "settings"], multiple=True, metavar="NAME=VALUE",
                     help="Give a parameter or size a value."),
    ]
    command.params = arguments
    group.add_command(command)


def check_parametrization(
    file: Path, function: str | None, optimizer: str, table: Path | None, named: str | None, lr: str, as_json: bool,
    settings: tuple[str, ...],
) -> int:
    """Check a parametrisation of FILE: does it blow up, does it freeze?

    Exits 0 if every array is updated maximally, 1 if something blows up or vanishes, 3 if it is stable but the
    updates of some arrays move no feature in the limit. Without a table or a name FILE is checked as it is.
    """
    from tpsym import api

    if table is not None and (named is not None or lr != "0"):
        raise click.UsageError("a --table has its own learning rates and goes without --named and --lr")
    program = api.load(file, settings=api.parse_settings(settings))
    try:
        found = _checked(program, function, optimizer, table, named, lr)
    except TpError as error:
        raise error.located(source=program.source, filename=str(file)) from None
    click.echo(_json(found, file) if as_json else _text(found), nl=as_json)
    if not found.stable:
        return UNSTABLE
    return FROZEN if found.frozen else 0


def _checked(
    program: Program, function: str | None, optimizer: str, table: Path | None, named: str | None, lr: str
) -> Checked:
    from tpsym.results.parametrization_check import check_parametrization as check
    from tpsym.results.parametrization_check import exact, parsed_table

    rate = exact(lr)
    if rate is None:
        raise fail("bad-exponent", f"--lr {lr} is no exponent", expected="a number such as -1 or -1/2")
    context = program.model.context
    entries = None
    if table is not None:
        try:
            entries = parsed_table(_read(table), context)
        except TpError as error:
            raise TpError(error.diagnostics, "", str(table)) from None
    return check(context, function=function, optimizer=optimizer, table=entries, named=named, lr=rate)


def _read(table: Path) -> str:
    try:
        return table.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a text in UTF-8"
        raise fail("unreadable", f"cannot read this: {reason}") from None


# --- output --------------------------------------------------------------------------------------------


def _text(found: Checked) -> str:
    rows = [
        (r.array, r.role, *map(power, (r.multiplier, r.std, r.lr)), _known(r.largest),
         "-" if r.verdict in ("unread", "unstable") else power(r.update), WORDS[r.verdict])
        for r in found.rows
    ]
    lines = [*_table([HEADINGS, *rows]), ""]
    for finding in found.findings:
        lines += wrap(sentence(finding), 80, subsequent_indent="  ", break_on_hyphens=False)
    lines += wrap(_verdict(found), 80)
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    from tpsym.report.escape import columns, plain

    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(columns(row[i]) for row in shown) for i in range(len(HEADINGS))]
    lines = []
    for row in shown:
        cells = [cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _known(exponent: Fraction | None) -> str:
    return "-" if exponent is None else power(exponent)


def power(exponent: Fraction | None) -> str:
    """n to an exponent; nothing changes at all without one."""
    if exponent is None:
        return "0"
    if exponent == 0:
        return "1"
    text = str(exponent)
    return "n" if exponent == 1 else f"n^{text}" if text.isdigit() else f"n^({text})"


def sentence(finding: Finding) -> str:
    """What is wrong, when, and which arrays make it so."""
    when = "at initialisation" if finding.step == 0 else (
        f"in training, by step {finding.step}" if finding.step > 1 else "in the first step of training"
    )
    causes = []
    if finding.updates:
        causes.append(f"the updates of {', '.join(finding.updates)}")
    if finding.initial:
        causes.append(f"the initial {', '.join(finding.initial)}")
    text = f"{finding.what} {finding.kind} like {power(finding.exponent)} {when}"
    return f"{text}, through {' and '.join(causes)}" if causes else text


def _verdict(found: Checked) -> str:
    if not found.stable:
        return "unstable"
    if not found.frozen:
        return f"stable and maximal: {found.regime}"
    return f"stable ({found.regime}), but the updates of {', '.join(found.frozen)} move no feature in the limit"


def _json(found: Checked, file: Path) -> str:
    document: dict[str, Any] = {
        "file": str(file),
        "verdict": "unstable" if not found.stable else "frozen" if found.frozen else "maximal",
        "regime": found.regime,
        "arrays": [
            {"array": r.array, "role": r.role, "multiplier": str(r.multiplier), "std": str(r.std), "lr": str(r.lr),
             "largest_lr": None if r.largest is None else str(r.largest),
             "update": None if r.update is None else str(r.update), "verdict": r.verdict}
            for r in found.rows
        ],
        "findings": [
            {"what": f.what, "kind": f.kind, "exponent": str(f.exponent), "step": f.step,
             "initial": list(f.initial), "updates": list(f.updates)}
            for f in found.findings
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
