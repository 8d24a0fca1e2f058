"""Places in a file, and messages about them.

A :class:`Diagnostic` says what is wrong at a :class:`Span`, what was expected and what the likely
fix is; :class:`TpError` carries one (or several) up to whoever shows it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SHOWN = 76
"""Columns of a source line shown above a caret; longer lines are cut around it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open piece of text: lines and columns count from 1, ``end_column`` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """The smallest span from the start of this one to the end of ``other``."""
        return Span(self.line, self.column, other.end_line, other.end_column)


NOWHERE = Span(1, 1, 1, 1)
"""The place of what no text says."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message: ``code`` names its kind (``unknown-name``), ``span`` is ``None`` for a whole file."""

    code: str
    message: str
    span: Span | None = None
    expected: str | None = None
    fix: str | None = None

    def render(self, *, source: str | None = None, filename: str | None = None) -> str:
        """The message as shown in a terminal: place, text, line with caret, expectation, fix."""
        place = filename or "<text>"
        if self.span is not None:
            place += f":{self.span.line}:{self.span.column}"
        lines = [f"{place}: error: {self.message} [{self.code}]"]
        if source is not None and self.span is not None:
            lines += _excerpt(source, self.span)
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


@dataclass(eq=False)
class TpError(Exception):
    """A file, an expression or an option that cannot be used; the command line turns it into exit code 2."""

    diagnostics: tuple[Diagnostic, ...]
    source: str | None = None
    filename: str | None = None

    def __str__(self) -> str:
        return "\n\n".join(
            d.render(source=self.source, filename=self.filename) for d in self.diagnostics
        )

    def located(self, *, source: str, filename: str | None) -> TpError:
        """The same error knowing the text it is about."""
        return TpError(self.diagnostics, self.source or source, self.filename or filename)


def fail(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    expected: str | None = None,
    fix: str | None = None,
) -> TpError:
    """A :class:`TpError` with one diagnostic, to be raised by the caller."""
    return TpError((Diagnostic(code, message, span, expected, fix),))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a misspelt one most likely stands for, if any is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def _excerpt(source: str, span: Span) -> list[str]:
    lines = source.split("\n")
    if not 1 <= span.line <= len(lines):
        return []
    line = lines[span.line - 1].rstrip("\r")
    line = "".join(sign if sign.isprintable() else " " for sign in line)
    start = span.column - 1
    stop = span.end_column - 1 if span.end_line == span.line else len(line)
    width = max(1, min(stop, len(line)) - start)
    if len(line) > MAX_SHOWN:
        cut = max(0, start - MAX_SHOWN // 2)
        shown = line[cut : cut + MAX_SHOWN]
        line = ("…" if cut else "") + shown + ("…" if cut + MAX_SHOWN < len(line) else "")
        start = start - cut + (1 if cut else 0)
        width = max(1, min(width, MAX_SHOWN - (start if start < MAX_SHOWN else 0)))
    number = str(span.line)
    return [f"  {number} | {line}", f"  {' ' * len(number)} | {' ' * start}{'^' * width}"]
