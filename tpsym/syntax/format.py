"""Files to text in canonical style.

Spacing is canonical; what an author chooses stays: comments, single blank lines, spellings of names
and numbers, whether a claim is a block, where an expression goes on in a new line, and whether the
lines of a group are aligned (they are if any of them holds a run of blanks).
"""

from __future__ import annotations

import re
from collections import deque
from itertools import groupby

from tpsym.errors import Span
from tpsym.syntax import tree
from tpsym.syntax.parse import parse
from tpsym.syntax.print_expression import Printer, format_expression
from tpsym.syntax.print_statement import cells, label, title, where_text
from tpsym.syntax.rows import Row, join

__all__ = ["format_expression", "format_file", "format_source"]


def format_source(text: str, *, filename: str | None = None) -> str:
    """The canonical text of a file; formatting it again changes nothing.

    Raises:
        TpError: if the text is not a tp file.
    """
    return format_file(parse(text, filename=filename))


def format_file(file: tree.File) -> str:
    """The canonical text of a tree."""
    return join(_Rows(file).rows)


class _Rows:
    """The rows of a file, made in the order of its lines; comments wait until their line has come."""

    def __init__(self, file: tree.File) -> None:
        self.rows: list[Row] = []
        self.source = file.source.split("\n")
        self.comments = deque(sorted(file.comments, key=lambda comment: comment.span.line))
        self.line = 0
        """The last source line that has been written; blank lines are looked for after it."""
        if file.title:
            self.write(file.title.span, 0, [title(file.title.text)], kind="title")
        for statement in file.statements:
            self.statement(statement, 0)
        self.flush(len(self.source) + 1, 0)

    def statement(self, statement: tree.Statement, depth: int) -> None:
        if isinstance(statement, tree.Def):
            parameters = ", ".join(each.text for each in statement.parameters)
            self.block(statement, f"def {statement.name.text}({parameters}):", statement.body, depth)
        elif isinstance(statement, tree.Loop):
            header = Printer().clauses((statement.clause,)) + ":"
            self.block(statement, header, statement.body, depth)
        elif isinstance(statement, tree.Claim) and statement.relation.span.line > statement.span.line:
            self.claim_block(statement, depth)
        else:
            self.write(statement.span, depth, cells(statement), kind=_kind(statement))

    def block(
        self, statement: tree.Def | tree.Loop, header: str, body: tuple[tree.Statement, ...], depth: int
    ) -> None:
        end = min(statement.span.line, body[0].span.line)
        self.write(Span(statement.span.line, 1, end, 1), depth, [header], kind="")
        self.line = max(self.line, body[0].span.line - 1 if not self.comment_before(body[0].span.line) else 0)
        for inner in body:
            self.statement(inner, depth + 1)
        self.flush_inside(statement.span.column, depth + 1)

    def claim_block(self, claim: tree.Claim, depth: int) -> None:
        self.write(Span(claim.span.line, 1, claim.span.line, 1), depth, [label(claim)], kind="")
        self.line = max(self.line, claim.relation.span.line - 1)
        printer = Printer(breaks=True)
        self.write(claim.relation.span, depth + 1, [printer.enclosed(claim.relation)], kind="")
        for _, items in groupby(claim.where, key=lambda item: item.span.line):
            group = list(items)
            self.write(
                group[0].span.to(group[-1].span), depth + 1, ["where " + where_text(group)], kind="where"
            )
        for _, each in groupby(claim.clauses, key=lambda clause: clause.span.line):
            clauses = tuple(each)
            span = clauses[0].span.to(clauses[-1].span)
            self.write(span, depth + 1, [printer.clauses(clauses)], kind="for")
        self.flush_inside(claim.span.column, depth + 1)

    def write(self, span: Span, depth: int, texts: list[str], *, kind: str) -> None:
        """A row for ``span``, after the comments before and inside it and with the one behind it."""
        self.flush(span.line, depth)
        inside = [c for c in self.comments if span.line <= c.span.line < span.end_line]
        behind = [c for c in self.comments if c.span.line == span.end_line and not c.alone]
        for comment in inside:
            self.comments.remove(comment)
            self.rows.append(Row(depth, (comment.text,)))
        trailing = ""
        if behind:
            self.comments.remove(behind[0])
            trailing = behind[0].text
        aligned = span.line == span.end_line and _has_runs(self.source, span)
        self.separate(span.line)
        self.rows.append(Row(depth, tuple(texts), trailing, kind, aligned))
        self.line = max(self.line, span.end_line)

    def flush(self, line: int, depth: int) -> None:
        """Write the comments that stand before a line."""
        while self.comments and self.comments[0].span.line < line:
            comment = self.comments.popleft()
            self.separate(comment.span.line)
            self.rows.append(Row(depth, (comment.text,)))
            self.line = max(self.line, comment.span.line)

    def flush_inside(self, column: int, depth: int) -> None:
        """Write the comments that follow a block and are indented as part of it."""
        while self.comments and self.comments[0].alone and self.comments[0].span.column > column:
            line = self.comments[0].span.line
            if any(
                text.strip() and not text.strip().startswith("#") for text in self.source[self.line : line]
            ):
                return
            self.flush(line + 1, depth)

    def separate(self, line: int) -> None:
        """Write a blank line if the source has one between the last row and a line."""
        if self.rows and any(not text.strip() for text in self.source[self.line : line - 1]):
            self.rows.append(Row(0, ()))

    def comment_before(self, line: int) -> bool:
        return bool(self.comments) and self.comments[0].span.line < line


def _kind(statement: tree.Statement) -> str:
    trained = isinstance(statement, tree.Random) and statement.trained
    return type(statement).__name__ + (" trained" if trained else "")


def _has_runs(source: list[str], span: Span) -> bool:
    """Whether the code of a line holds two blanks in a row, which is how an author asks for alignment."""
    if span.line > len(source):
        return False
    code = source[span.line - 1][span.column - 1 : span.end_column - 1]
    return "  " in re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
