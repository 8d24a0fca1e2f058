"""Rows of cells to lines of text: alignment, indentation of continued lines, trailing comments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from tpsym.syntax.tokens import CLOSING

INDENT = 4
SPREAD = (14, 40)
"""Cells wider by more than this than the narrowest of their column stick out instead of widening it; the
first number is for the first column."""


@dataclass(frozen=True, slots=True)
class Row:
    """One statement: ``cells`` may hold ``\\n``; none at all is a blank line.

    Neighbours of the same non-empty ``kind`` and ``depth`` are aligned if one of them is ``aligned``.
    """

    depth: int
    cells: tuple[str, ...]
    comment: str = ""
    kind: str = ""
    aligned: bool = False

    @property
    def single(self) -> bool:
        """Whether this row is one line of code."""
        return bool(self.kind) and not any("\n" in cell for cell in self.cells)


def join(rows: Iterable[Row]) -> str:
    """The text of all rows, with one line end after each."""
    lines: list[str] = []
    for _, group in groupby(rows, key=lambda row: (row.kind, row.depth, row.single)):
        members = list(group)
        single = members[0].single and any(row.aligned for row in members)
        widths = _widths([row.cells for row in members]) if single else []
        lines += [_line(row, widths) for row in members]
    return "\n".join(lines) + "\n"


def _widths(table: list[tuple[str, ...]]) -> list[int]:
    """The width of each column but the last of each row."""
    widths: list[int] = []
    for column in range(max(map(len, table)) - 1):
        found = [len(cells[column]) for cells in table if len(cells) > column + 1]
        limit = min(found) + SPREAD[min(column, 1)]
        widths.append(max(width for width in found if width <= limit))
    return widths


def _line(row: Row, widths: list[int]) -> str:
    if not row.cells:
        return ""
    padded = (
        [cell.ljust(width) for cell, width in zip(row.cells[:-1], widths, strict=False)] if widths else []
    )
    text = " ".join([*padded, *row.cells[len(padded) :]])
    if row.kind != "title":
        text = _indented(text, " " * (INDENT * row.depth))
    return text + ("  " + row.comment if row.comment else "")


def _indented(text: str, margin: str) -> str:
    """Indent each line by the brackets open at its start; several opened in one line count once."""
    first, *rest = text.split("\n")
    if not rest:
        return margin + first
    lines = [margin + first]
    stack: list[int] = []
    _track(first, stack, 0)
    for number, line in enumerate(rest, start=1):
        leading = len(line) - len(line.lstrip(")]}"))
        open_after = stack[: len(stack) - leading]
        lines.append(margin + " " * (INDENT * len(set(open_after))) + line)
        _track(line, stack, number)
    return "\n".join(lines)


def _track(line: str, stack: list[int], number: int) -> None:
    """Push the line number for each bracket a line opens, pop for each it closes."""
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", line):
        if sign in CLOSING:
            stack.append(number)
        elif sign in CLOSING.values():
            stack.pop()
