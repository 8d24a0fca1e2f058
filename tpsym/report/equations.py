"""Displayed LaTeX equations that stay inside the page."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy import Expr

from tpsym.report.latex import MathLatex
from tpsym.report.measure import width
from tpsym.report.ordering import is_negative, ordered_terms, quotient
from tpsym.report.remarks import remark_latex
from tpsym.report.rows import Row

LINE = 64.0
"""Letters that fit on a line of the article's text block, by the estimate of :mod:`measure`."""

FULL_LINE = 79.0
"""Letters of a typical formula that fill the line, by the same estimate."""


def align(rows: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """An ``align*`` of rows (left side, relation, lines); what is still too wide is scaled down to fit."""
    lines: list[str] = []
    margin = max((width(left) for left, _, _ in rows if width(left) <= LINE / 3), default=0.0)
    share = f"[{min(0.92, 0.95 - (margin + 2) / FULL_LINE):.2f}]"
    for left, relation, pieces in rows:
        long = width(left) > LINE / 3
        room = LINE - 4 if long else LINE - width(left)
        if long:
            lines.append(f"{_fit(left, LINE)} &")
            left = ""
        lines.append(f"{left} &{relation} {_fit(pieces[0], room, share)}")
        lines += [rf"&\quad {_fit('{}' + p, room - 2, share)}" for p in pieces[1:]]
    return "\\begin{align*}\n  " + " \\\\\n  ".join(lines) + "\n\\end{align*}"


def broken(expr: Expr, printer: MathLatex, *, room: float = LINE - 6) -> list[str]:
    """The expression in lines, broken before plus and minus, inside long brackets if need be."""
    lines = [""]
    for piece in _pieces(expr, printer, room):
        joined = f"{lines[-1]} {piece}".strip()
        if lines[-1] and width(joined) > room:
            lines.append(piece)
        else:
            lines[-1] = joined
    return lines


def _pieces(expr: Expr, printer: MathLatex, room: float) -> list[str]:
    """What must stay together, in writing order; all but the first start with their sign."""
    whole = str(printer.doprint(expr))
    if width(whole) <= room and not isinstance(expr, sp.Add):
        return [whole]
    if isinstance(expr, sp.Add):
        out: list[str] = []
        for k, term in enumerate(ordered_terms(expr)):
            negative = is_negative(term)
            first, *rest = _pieces(-term if negative else term, printer, room)
            sign = "-" if negative else "+" if k else ""
            out += [f"{sign} {first}".strip() if k else f"{sign}{first}", *rest]
        return out
    return _bracketed(expr, printer, room) or [whole]


def _bracketed(expr: Expr, printer: MathLatex, room: float) -> list[str] | None:
    """A product with a long sum in it: coefficient, ``Bigl(``, the terms, ``Bigr)``."""
    split = quotient(expr)
    sums = [f for f in split.numerator if isinstance(f, sp.Add)]
    if not sums or not isinstance(expr, sp.Mul):
        return None
    longest = max(sums, key=lambda f: width(printer.doprint(f)))
    others = [f for f in split.numerator if f is not longest]
    before = printer.quotient(others, split.denominator) if others or split.denominator else ""
    first, *rest = _pieces(longest, printer, room - 4)
    opened = rf"{before} \Bigl({first}".strip()
    opened = f"-{opened}" if split.negative else opened
    if not rest:
        return [rf"{opened}\Bigr)"]
    return [opened, *rest[:-1], rf"{rest[-1]}\Bigr)"]


def beside(row: Row, printer: MathLatex) -> str:
    """What stands to the right of an equation: the layers it holds for, or that it is a closed form."""
    words = remark_latex(row.remark)
    if row.range is None:
        return words
    index, low, high = (printer.doprint(e) for e in (row.range.index, row.range.low, row.range.high))
    layers = rf"\text{{for }} {index} = {low}, \dots, {high}"
    return rf"{layers}, \; {words}" if words else layers


def _fit(formula: str, room: float, share: str = "") -> str:
    return rf"\tpfit{share}{{{formula}}}" if width(formula) > room else formula
