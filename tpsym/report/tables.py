r"""Tables of a report in every format: aligned columns, Markdown, rules as by booktabs, HTML and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from tpsym.report.cells import HTML, TEXT, latex_setter, markdown_setter
from tpsym.report.escape import columns, html, markdown, tex
from tpsym.report.measure import width as letters
from tpsym.report.text import wrap
from tpsym.results.answers import Notation, Table

GAP = 3
NARROWEST = 6
"""Columns of a terminal that a cell keeps when a table has to be made narrower."""
FULL, NARROW_CELL = 88.0, 26.0
"""Estimated letters that a line of the article holds, and those of a cell that is never broken."""


# --- terminal ----------------------------------------------------------------------------------------


def text_lines(table: Table, *, width: int, indent: str = "  ") -> list[str]:
    """Columns of words and formulas; cells are broken where the table would be wider than ``width``."""
    rows = [[TEXT(cell) for cell in row] for row in table.rows]
    heads = [[TEXT(cell) for cell in table.columns]] if any(table.columns) else []
    room = _widths([*heads, *rows], width - columns(indent))
    lines = [*wrap(indent + table.title, width=width, indent=indent)] if table.title else []
    for k, row in enumerate([*heads, *rows]):
        lines += [indent + line for line in _text_row(row, room)]
        if heads and k == 0:
            lines.append(indent + (" " * GAP).join("─" * w for w in room))
    if table.note:
        lines += wrap(f"{indent}{TEXT(table.note)}", width=width, indent=indent)
    return [line.rstrip() for line in lines]


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """What each column takes: the widest ones give way until all fit."""
    count = max(map(len, rows), default=0)
    room = [max((columns(row[k]) for row in rows if k < len(row)), default=0) for k in range(count)]
    while sum(room) + GAP * (count - 1) > width and max(room) > NARROWEST:
        room[room.index(max(room))] -= 1
    return room


def _text_row(row: Sequence[str], room: Sequence[int]) -> list[str]:
    cells = [wrap(cell, width=w, indent="  ") if cell else [""] for cell, w in zip(row, room, strict=True)]
    lines = zip_longest(*cells, fillvalue="")
    return [(" " * GAP).join(part + " " * (w - columns(part)) for part, w in zip(line, room, strict=True))
            for line in lines]


# --- Markdown ----------------------------------------------------------------------------------------


def markdown_lines(table: Table, notation: Notation) -> list[str]:
    """A table as forges and notebooks show it."""
    setter = markdown_setter(notation)
    lines = [f"**{markdown(table.title)}**", ""] if table.title else []
    lines += [f"| {' | '.join(map(setter, table.columns))} |", "|" + " --- |" * len(table.columns)]
    lines += [f"| {' | '.join(setter(cell) for cell in row)} |" for row in table.rows]
    return [*lines, "", *([setter(table.note), ""] if table.note else [])]


# --- LaTeX -------------------------------------------------------------------------------------------


def latex_lines(table: Table, notation: Notation) -> list[str]:
    """A table that may go on on the next page; columns of long cells share what room there is."""
    setter = latex_setter(notation)
    rows = [[setter(cell) for cell in row] for row in table.rows]
    heads = [[rf"\textbf{{{setter(head)}}}" if head else "" for head in table.columns]] if any(table.columns) else []
    out = [r"{\small\renewcommand{\arraystretch}{1.15}\setlength{\LTleft}{1.8em}\setlength{\LTright}{0pt plus 1fill}",
            r"\setlength{\LTpre}{2pt}\setlength{\LTpost}{4pt}",
            rf"\begin{{longtable}}{{{_columns([*heads, *rows])}}}"]
    if table.title:
        title = rf"\multicolumn{{{len(table.columns)}}}{{@{{}}l@{{}}}}{{\textit{{{tex(table.title)}}}}}"
        out += [title, r"\tabularnewline[1pt]", r"\tprule{.08em}", *_head(heads), r"\endfirsthead"]
    out += [r"\tprule{.08em}", *_head(heads), r"\endhead"]
    out += [" & ".join(row) + r" \tabularnewline" for row in rows]
    out += [r"\tprule{.08em}", r"\end{longtable}}"]
    note = rf"\parbox[t]{{0.92\linewidth}}{{\raggedright {setter(table.note)}}}"
    return out + ([rf"{{\small\hspace*{{1.8em}}{note}\par}}"] if table.note else [])


def _head(heads: Sequence[Sequence[str]]) -> list[str]:
    return [line for head in heads for line in (" & ".join(head) + r" \tabularnewline", r"\tprule{.05em}")]


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """The preamble: paragraphs for columns whose cells would not all fit on a line."""
    widest = [max(letters(row[k].replace("$", "")) for row in rows) + 2 for k in range(len(rows[0]))]
    if sum(widest) <= FULL:
        return "@{}" + "l" * len(widest) + "@{}"
    short = sum(w for w in widest if w <= NARROW_CELL)
    long = sum(w for w in widest if w > NARROW_CELL)
    share = max(0.9 - 0.9 * short / FULL, 0.3)
    return "@{}" + "".join(
        "l" if w <= NARROW_CELL else rf">{{\raggedright}}p{{{share * w / long:.2f}\linewidth}}" for w in widest
    ) + "@{}"


# --- HTML and JSON -----------------------------------------------------------------------------------


def html_table(table: Table) -> str:
    """A table element with its title and note."""
    head = "".join(f"<th>{HTML(head)}</th>" for head in table.columns)
    body = "".join("<tr>" + "".join(f"<td>{HTML(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    title = f"<caption>{html(table.title)}</caption>" if table.title else ""
    note = f"<p class='note'>{HTML(table.note)}</p>" if table.note else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def table_object(table: Table, notation: Notation) -> dict[str, Any]:
    """A table for JSON, each cell as text and as LaTeX."""
    setter = latex_setter(notation)
    return {
        "title": table.title,
        "columns": [{"text": TEXT(head), "latex": setter(head)} for head in table.columns],
        "rows": [[{"text": TEXT(cell), "latex": setter(cell)} for cell in row] for row in table.rows],
        "note": {"text": TEXT(table.note), "latex": setter(table.note)},
    }
