"""Characters to tokens: numbers, names, strings, comments and brackets, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tpsym.errors import Span, TpError, fail
from tpsym.syntax.alphabet import POWERS, SYNONYMS, describe
from tpsym.syntax.tokens import CLOSING, SIGNS, STATEMENTS, Token
from tpsym.syntax.tree import Comment

MAX_LINE = 100_000
MAX_TEXT = 4_000_000
MAX_BRACKETS = 200
MAX_DIGITS = 1_000
MAX_EXPONENT = 10_000

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\f]+)
    |(?P<comment>\#.*)
    |(?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[^\W\d](?:[\w\u0300-\u036f])*['′]*|∞)
    |(?P<string>"(?!"")(?:[^"\\]|\\.)*")
    |(?P<foreign>===|=>|->|:=|\+=|-=|\*=|/=|//|&&|\|\|)
    |(?P<sign><=>|\.\.|\*\*|==|<=|>=|!=|\+-|[-+*/^@()\[\]{},:=<>~.−±≤≥≠⇔⟺∼])
    """,
    re.VERBOSE,
)
_TITLE = re.compile(r'\s*(?:#.*\n\s*)*"""')


@dataclass(slots=True)
class Line:
    """The tokens of one logical line; ``indent`` is the blank text before the first."""

    indent: str
    tokens: list[Token]


@dataclass(slots=True)
class Scan:
    """All logical lines of a text and its comments."""

    lines: list[Line] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)


def scan(text: str) -> Scan:
    """Split a text with ``\\n`` line ends into logical lines; newlines inside brackets do not count.

    Raises:
        TpError: for unreadable characters, unterminated strings, numbers out of reason, brackets
            that do not match or are nested deeper than :data:`MAX_BRACKETS`, and sizes out of reason.
    """
    if len(text) > MAX_TEXT:
        raise fail("file-too-large", f"the text has {len(text):,} characters; the limit is {MAX_TEXT:,}")
    result = Scan()
    open_brackets: list[Token] = []
    current: Line | None = None
    lines = text.split("\n")
    number, skip = _title(text, lines, result)
    while number < len(lines):
        content = lines[number]
        if len(content) > MAX_LINE:
            raise fail(
                "line-too-long",
                f"this line has {len(content):,} characters; the limit is {MAX_LINE:,}",
                Span(number + 1, 1, number + 1, 2),
                fix="break the line inside brackets, or name its parts with let",
            )
        found = list(_tokens(content, number + 1, skip, result.comments))
        skip = 0
        number += 1
        if not found:
            continue
        if current is None or not open_brackets:
            current = Line(content[: len(content) - len(content.lstrip(" \t\f"))], [])
            result.lines.append(current)
        elif found[0].kind in STATEMENTS and found[0].kind != "for":
            raise _unclosed(open_brackets[-1])
        for token in found:
            _match(token, open_brackets)
        current.tokens += found
    if open_brackets:
        raise _unclosed(open_brackets[-1])
    return result


def _title(text: str, lines: list[str], result: Scan) -> tuple[int, int]:
    """Take a leading triple-quoted string, if any; the next line number from 0, and characters to skip."""
    opening = _TITLE.match(text)
    if not opening:
        return 0, 0
    start = opening.end() - 3
    first = text.count("\n", 0, start)
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    for before in range(first):
        list(_tokens(lines[before], before + 1, 0, result.comments))
    closing = re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL).match(text, opening.end())
    if closing is None:
        raise fail(
            "unterminated-string",
            "the title opened here is never closed",
            Span(first + 1, column, first + 1, column + 3),
            fix='end it with """',
        )
    last = text.count("\n", 0, closing.end())
    end = closing.end() - (text.rfind("\n", 0, closing.end()) + 1)
    token = Token("STRING", text[start : closing.end()], Span(first + 1, column, last + 1, end + 1))
    result.lines.append(Line(lines[first][: column - 1] if first == last else "", [token]))
    rest = list(_tokens(lines[last], last + 1, end, result.comments))
    if rest:
        raise fail(
            "title-not-alone",
            "the title must stand alone on its line",
            rest[0].span,
            fix="start a new line here",
        )
    return last + 1, 0


def _tokens(content: str, line: int, start: int, comments: list[Comment]) -> Iterator[Token]:
    position = start
    previous: Token | None = None
    while position < len(content):
        found = _TOKEN.match(content, position)
        if found is None:
            raise _unreadable(content, line, position)
        kind, piece = str(found.lastgroup), found.group()
        span = Span(line, position + 1, line, found.end() + 1)
        position = found.end()
        if kind == "blank":
            continue
        if kind == "foreign":
            raise _unknown(piece, span)
        if kind == "comment":
            alone = not content[: span.column - 1].strip()
            comments.append(Comment(piece.rstrip(), alone, span=span))
            continue
        previous = _token(kind, piece, span, previous)
        yield previous


def _token(kind: str, piece: str, span: Span, previous: Token | None) -> Token:
    touching = previous is not None and previous.span.end_column == span.column
    if kind == "name":
        if sign := POWERS.search(piece):
            column = span.column + sign.start()
            raise _unknown(sign.group(), Span(span.line, column, span.line, column + 1))
        if previous is not None and previous.kind == "NUMBER" and touching:
            raise fail(
                "missing-operator",
                f"{piece} follows the number {previous.text} without an operator",
                span,
                fix=f"write {previous.text}*{piece}",
            )
        if piece in STATEMENTS and not (previous is not None and previous.kind == "."):
            return Token(piece, piece, span)
        return Token("NAME", piece, span)
    if kind == "number":
        if previous is not None and previous.kind == "NUMBER" and touching:
            raise fail(
                "bad-number",
                f"{previous.text}{piece} is not a number",
                span,
                expected="at most one decimal point",
            )
        return Token("NUMBER", _reasonable(piece, span), span)
    if kind == "string":
        return Token("STRING", piece, span)
    sign_text = SYNONYMS.get(piece, piece)
    assert sign_text in SIGNS
    return Token(sign_text, piece, span)


def _reasonable(piece: str, span: Span) -> str:
    """The number itself, unless writing out its digits would take unreasonable room."""
    mantissa, _, exponent = piece.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 6 or abs(int(exponent or "0")) > MAX_EXPONENT:
        raise fail(
            "number-too-large",
            "this number is out of reason",
            span,
            expected=f"at most {MAX_DIGITS:,} digits and an exponent up to {MAX_EXPONENT:,}",
            fix="write a large power as a power: 10^20000",
        )
    return piece


def _match(token: Token, open_brackets: list[Token]) -> None:
    if token.kind in CLOSING:
        open_brackets.append(token)
        if len(open_brackets) > MAX_BRACKETS:
            raise fail(
                "too-deep",
                f"more than {MAX_BRACKETS} brackets are open here",
                token.span,
                fix="name the inner parts with let",
            )
    elif token.kind in CLOSING.values():
        if not open_brackets:
            raise fail(
                "unopened-bracket",
                f"this {token.text} closes nothing",
                token.span,
                fix=f"delete it, or open it before with {_opening(token.kind)}",
            )
        opened = open_brackets.pop()
        if CLOSING[opened.kind] != token.kind:
            raise fail(
                "mismatched-bracket",
                f"this {token.text} does not close the {opened.text} "
                f"of line {opened.span.line}, column {opened.span.column}",
                token.span,
                expected=CLOSING[opened.kind],
            )


def _opening(closing: str) -> str:
    return next(left for left, right in CLOSING.items() if right == closing)


def _unclosed(opened: Token) -> TpError:
    return fail(
        "unclosed-bracket",
        f"this {opened.text} is never closed",
        opened.span,
        expected=CLOSING[opened.kind],
    )


def _unreadable(content: str, line: int, position: int) -> TpError:
    character = content[position]
    span = Span(line, position + 1, line, position + 2)
    if content.startswith('"""', position):
        return fail(
            "misplaced-title",
            "a triple-quoted string can only open the file, as its title",
            Span(line, position + 1, line, position + 4),
            fix="write a comment with #",
        )
    if character == '"':
        return fail(
            "unterminated-string",
            "the text opened here is never closed",
            Span(line, position + 1, line, len(content) + 1),
            fix='end it with "',
        )
    return _unknown(character, span)


def _unknown(character: str, span: Span) -> TpError:
    what, fix = describe(character)
    return fail("unknown-character", f"{what} cannot be read here", span, fix=fix)
