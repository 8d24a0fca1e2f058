"""The ``.tp`` files of this package: their names, titles and papers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tpsym.errors import fail, nearest
from tpsym.report.bibliography import Reference, references

if TYPE_CHECKING:
    from tpsym.api import Program

_TITLE = re.compile(r'\A"""(.+?)"""')
_PAPERS = re.compile(r"^# papers: (.+)$", re.MULTILINE)
_NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """A program of the zoo; ``papers`` are keys of the bibliography, the architecture's own first."""

    name: str
    title: str
    papers: tuple[str, ...]

    def citation(self) -> str:
        """The first paper in short, ``Lee et al. 2018``."""
        return cited(references()[self.papers[0]])


def cited(reference: Reference) -> str:
    """Surnames, of more than two the first, and the year."""
    surnames = [name.split()[-1] for name in reference.author.split(" and ")]
    shown = f"{surnames[0]} et al." if len(surnames) > 2 else " and ".join(surnames)
    return f"{shown} {reference.year}"


@cache
def names() -> tuple[str, ...]:
    """The names of all programs in alphabetical order."""
    found = [path.name for path in files(__package__).iterdir()]
    return tuple(sorted(name.removesuffix(".tp") for name in found if name.endswith(".tp")))


def source(name: str) -> str:
    """The text of a program.

    Raises:
        TpError: there is no program of this name.
    """
    if name not in names():
        close = nearest(name, names())
        raise fail("unknown-program", f"the zoo has no program {name!r}", expected=", ".join(names()),
                   fix=close and f"did you mean {close!r}?")
    return files(__package__).joinpath(f"{name}.tp").read_text(encoding="utf-8")


def entry(name: str) -> Entry:
    """What the head of a program says: its title, and the comment ``# papers: key, key``.

    Raises:
        TpError: there is no program of this name.
    """
    text = source(name)
    title, papers = _TITLE.search(text), _PAPERS.search(text)
    assert title is not None, name
    assert papers is not None, name
    return Entry(name, title[1], tuple(papers[1].split(", ")))


def entries() -> tuple[Entry, ...]:
    """All programs in alphabetical order."""
    return tuple(entry(name) for name in names())


def load(name: str, *, settings: Mapping[str, Any] = _NO_SETTINGS) -> Program:
    """A program, parsed; ``settings`` as for :func:`tpsym.parse`.

    Raises:
        TpError: there is no program of this name; a setting is no value.
    """
    from tpsym.api import parse

    return parse(source(name), filename=f"{name}.tp", settings=settings)


def listing(*, columns: int, color: bool = False) -> str:
    """The programs as a table of at most ``columns`` columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("name", no_wrap=True, style="cyan")
    table.add_column("title")
    table.add_column("paper", style="dim")
    for each in entries():
        table.add_row(each.name, each.title, each.citation())
    system = "standard" if color else None
    console = Console(width=columns, force_terminal=color, color_system=system)  # type: ignore[arg-type]
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
