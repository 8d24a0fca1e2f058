"""The cells of tables in every format: words, formulas, and conditions on exponents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sympy import Basic, Expr, Symbol

from tpsym.polyhedra.conditions import And, Compare, Condition, Constant, Expression, Not, Or, to_sympy, variables_of
from tpsym.report.escape import html, markdown, plain, tex
from tpsym.report.latex import MathLatex
from tpsym.report.laws import Laws
from tpsym.report.mathml import mathml
from tpsym.report.text import text
from tpsym.results.answers import Cell, Notation

SIGNS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">"}
FRACTION = re.compile(r"\\frac\{(\d+|\w)\}\{(\d+|\w|\w\^\{?[\d/]+\}?|\\sqrt\{\w\})\}")
"""Fractions that can be written with a slash and need no brackets."""
TEX_SIGNS = {"≠": r"\neq", "≤": r"\leq", "≥": r"\geq", "<": r"\lt", ">": r"\gt"}
NO_LAWS = Laws.of()


@dataclass(frozen=True, slots=True)
class Setter:
    """How a format sets words, and a row of formulas and signs."""

    words: Callable[[str], str]
    formula: Callable[[tuple[Expr | str, ...]], str]

    def __call__(self, cell: Cell) -> str:
        """A cell as a string of the format, on one line."""
        return "".join(self.words(p) if isinstance(p, str) else self.formula(p) for p in pieces(cell))


def pieces(cell: Cell) -> Iterator[str | tuple[Expr | str, ...]]:
    """Words, and formulas as rows of expressions and signs."""
    match cell:
        case tuple():
            for part in cell:
                yield from pieces(part)
        case str():
            yield cell
        case Basic():
            yield (cell,)
        case Compare(op=op, left=left, right=right):
            yield (expression(left), SIGNS[op], expression(right))
        case And(items=items) | Or(items=items):
            for k, item in enumerate(items):
                yield from (" and " if isinstance(cell, And) else " or ",) if k else ()
                yield from _bracketed(item, isinstance(cell, And) and isinstance(item, Or))
        case Not(item=item):
            yield "not "
            yield from _bracketed(item, isinstance(item, And | Or))
        case Constant(value=value):
            yield "always" if value else "never"


def _bracketed(item: Condition, brackets: bool) -> Iterator[str | tuple[Expr | str, ...]]:
    yield from ("(",) if brackets else ()
    yield from pieces(item)
    yield from (")",) if brackets else ()


def expression(value: Expression) -> Expr:
    """An expression in exponents for a typesetter, which knows symbols by their names."""
    found: Expr = to_sympy(value, {name: Symbol(name, real=True) for name in variables_of(value)})
    return found


def _text_row(row: tuple[Expr | str, ...]) -> str:
    return " ".join(p if isinstance(p, str) else text(p) for p in row)


def _mathml_row(row: tuple[Expr | str, ...]) -> str:
    return mathml(*row, laws=NO_LAWS)


def latex_row(row: tuple[Expr | str, ...], notation: Notation) -> str:
    """Formulas and signs in math mode; fractions as small as those in a sentence."""
    printer = MathLatex(notation, NO_LAWS)
    return " ".join(TEX_SIGNS.get(p, p) if isinstance(p, str) else str(printer.doprint(p)) for p in row)


TEXT = Setter(plain, _text_row)
HTML = Setter(html, _mathml_row)


def markdown_setter(notation: Notation) -> Setter:
    """Markdown with formulas between dollar signs; a bar in a formula would end the cell of a table."""
    return Setter(markdown, lambda row: f"${latex_row(row, notation).replace('|', chr(92) + 'vert ')}$")


def latex_setter(notation: Notation) -> Setter:
    """LaTeX in running text."""
    return Setter(tex, lambda row: f"${inline(latex_row(row, notation))}$")


def inline(formula: str) -> str:
    r"""A formula with short fractions on one line, ``1/\sqrt{n}``."""
    return FRACTION.sub(r"\1/\2", formula)
