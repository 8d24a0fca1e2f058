"""Logical lines to the token stream of the grammar: indentation, and words that are keywords in places."""

from __future__ import annotations

from collections.abc import Iterator

from tpsym.errors import Span, TpError, fail
from tpsym.syntax.scan import Line, Scan
from tpsym.syntax.tokens import Token

MAX_BLOCKS = 30


def layout(scanned: Scan) -> Iterator[Token]:
    """Tokens with ``NEWLINE``, ``INDENT`` and ``DEDENT`` where Python would put them, closed by ``END``.

    Made one by one, so that mistakes are found in the order of the text.

    Raises:
        TpError: for blocks that are missing, unexpected, nested too deep or dedented to nowhere.
    """
    levels = [""]
    previous: Line | None = None
    for line in scanned.lines:
        first = line.tokens[0]
        opens = previous is not None and _opens_block(previous)
        deeper = _deeper(line.indent, levels[-1], first)
        if opens and not deeper:
            raise _missing_block(previous)
        if deeper:
            if not opens:
                raise _unexpected_indent(first, previous)
            if len(levels) > MAX_BLOCKS:
                raise fail("too-deep", f"blocks are nested more than {MAX_BLOCKS} deep", first.span)
            levels.append(line.indent)
            yield _mark("INDENT", first.span)
        while len(levels[-1]) > len(line.indent):
            levels.pop()
            yield _mark("DEDENT", first.span)
        if levels[-1] != line.indent:
            raise _bad_dedent(first)
        yield from soften(line.tokens)
        yield newline(line)
        previous = line
    if previous is not None and _opens_block(previous):
        raise _missing_block(previous)
    end = newline(previous).span if previous else Span(1, 1, 1, 2)
    yield from (_mark("DEDENT", end) for _ in levels[1:])
    yield _mark("END", end)


def newline(line: Line) -> Token:
    """The end of a line, just after its last token."""
    end = line.tokens[-1].span
    return Token("NEWLINE", "", Span(end.end_line, end.end_column, end.end_line, end.end_column + 1))


def soften(tokens: list[Token]) -> list[Token]:
    """Decide for ``and or in with where not`` in one line whether each is a keyword or a name."""
    result: list[Token] = []
    for place, token in enumerate(tokens):
        before = result[-1] if result else None
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        result.append(token.turned(token.text) if _is_keyword(token, before, after) else token)
    return result


def _is_keyword(token: Token, before: Token | None, after: Token | None) -> bool:
    if token.kind != "NAME" or (before is not None and before.kind == "."):
        return False
    if token.text in ("and", "or", "in", "with"):
        return before is not None and before.ends_operand
    if token.text == "where":
        if before is None:
            return after is None or after.kind not in ("=", "[", ":")
        return before.ends_operand
    if token.text == "not":
        operand_here = before is None or not before.ends_operand
        if not operand_here or after is None or (before is not None and before.kind == "for"):
            return False
        return after.starts_operand or after.kind in ("-", "+")
    return False


def _opens_block(line: Line) -> bool:
    return line.tokens[-1].kind == ":" and line.tokens[0].kind in ("def", "for", "claim")


def _deeper(indent: str, level: str, first: Token) -> bool:
    """Whether ``indent`` extends ``level``; where neither extends the other, tabs and blanks are mixed."""
    if not indent.startswith(level) and not level.startswith(indent):
        raise fail(
            "mixed-tabs",
            "this line is indented with other characters than the block before it",
            Span(first.span.line, 1, first.span.line, first.span.column),
            fix="indent with four spaces everywhere, without tabs",
        )
    return len(indent) > len(level)


def _mark(kind: str, at: Span) -> Token:
    return Token(kind, "", Span(at.line, at.column, at.line, at.column + 1))


def _missing_block(line: Line | None) -> TpError:
    assert line is not None
    word = line.tokens[0].kind
    wanted = {
        "def": "the body of the definition, indented on the next lines",
        "for": "the body of the loop, indented on the next lines",
        "claim": "the relation, on this line or indented on the next",
    }
    return fail(
        "missing-block", f"nothing indented follows this {word}", line.tokens[-1].span, expected=wanted[word]
    )


def _unexpected_indent(first: Token, previous: Line | None) -> TpError:
    fix = "start the line where the line before starts"
    if first.text in ("where", "for") and previous is not None and previous.tokens[0].kind == "claim":
        fix = 'put the relation on a line of its own after claim "...":, or where on the same line'
    elif previous is not None:
        fix += "; to continue an expression over lines, put it in parentheses"
    return fail(
        "unexpected-indent",
        "this line is indented, but no block is open",
        Span(first.span.line, 1, first.span.line, max(2, first.span.column)),
        fix=fix,
    )


def _bad_dedent(first: Token) -> TpError:
    return fail(
        "bad-dedent",
        "this line is indented less than its block, but not as any block around it",
        Span(first.span.line, 1, first.span.line, max(2, first.span.column)),
        fix="indent it as the lines of the block it belongs to",
    )
