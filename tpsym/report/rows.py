"""The lines of a where-clause: named values, recursions over layers and their closed forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sympy import Expr, Symbol

from tpsym.results.answers import Recursion

Kind = Literal["definition", "step", "first", "solution"]


@dataclass(frozen=True, slots=True)
class Range:
    """``index = low, …, high``."""

    index: Symbol
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Row:
    """``left = right``, for the layers in ``range``; of a closed form ``note`` says what it assumes."""

    left: Symbol
    right: Expr
    kind: Kind = "definition"
    range: Range | None = None
    note: str = ""

    @property
    def remark(self) -> str:
        """What stands beside the equation in words."""
        if self.kind != "solution":
            return self.note
        return f"in closed form, {self.note}" if self.note else "in closed form"


def recursion_rows(recursion: Recursion, shared: Iterable[Row]) -> list[Row]:
    """The step, where it starts, the named values they ``shared``, and the closed form."""
    layers = Range(recursion.index, recursion.low, recursion.high)
    solved = recursion.solution is not None
    rows = [
        Row(recursion.symbol, recursion.step, "step", layers, "" if solved else recursion.note),
        Row(recursion.first, recursion.initial, "first"),
        *shared,
    ]
    if recursion.solution is not None:
        rows.append(Row(recursion.symbol, recursion.solution, "solution", None, recursion.note))
    return rows


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Each row after those it uses, otherwise as given."""
    values = {row.left: row for row in rows}
    done: dict[Symbol, None] = {}

    def visit(row: Row, above: frozenset[Symbol]) -> None:
        for other in rows:
            used = other.left
            if used in row.right.free_symbols and used not in done and used not in above:
                visit(other, above | {row.left})
        done.setdefault(row.left)

    for row in rows:
        visit(row, frozenset())
    return [values[s] for s in done]
