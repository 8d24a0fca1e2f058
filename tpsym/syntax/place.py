"""Where parsing stopped, and how tokens and expectations are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tpsym.errors import Diagnostic
from tpsym.syntax.tokens import CLOSING, LAYOUT, STATEMENTS, Token


@dataclass(frozen=True)
class Place:
    """Where parsing stopped: ``tokens[at]`` cannot follow; ``accepted`` are the terminals that can."""

    tokens: list[Token]
    at: int
    accepted: frozenset[str]

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @cached_property
    def line(self) -> list[Token]:
        """The tokens of the logical line up to the wrong one."""
        start = self.at
        while start and self.tokens[start - 1].kind not in LAYOUT:
            start -= 1
        return self.tokens[start : self.at]

    @property
    def before(self) -> Token | None:
        return self.line[-1] if self.line else None

    @property
    def head(self) -> str:
        """The kind of the line's first token."""
        return (self.line[0] if self.line else self.token).kind

    @cached_property
    def statement(self) -> str:
        """The keyword of the statement this line belongs to: that of the line, or ``claim`` in its block."""
        if self.head in STATEMENTS and self.head != "for":
            return self.head
        depth = 0
        for place in range(self.at - len(self.line) - 1, 0, -1):
            kind = self.tokens[place].kind
            depth += (kind == "INDENT") - (kind == "DEDENT")
            if kind == "INDENT" and depth == 1:
                return self._line_before(place)
        return self.head

    def _line_before(self, indent: int) -> str:
        start = indent - 1
        while start and self.tokens[start - 1].kind not in LAYOUT:
            start -= 1
        return self.tokens[start].kind

    @cached_property
    def brackets(self) -> list[Token]:
        """The brackets open at the wrong token."""
        result: list[Token] = []
        for token in self.line:
            if token.kind in CLOSING:
                result.append(token)
            elif token.kind in CLOSING.values():
                result.pop()
        return result

    @property
    def in_clause(self) -> bool:
        """Whether the last ``in`` of the line still waits for its range."""
        kinds = [token.kind for token in self.line]
        return "in" in kinds and ".." not in kinds[len(kinds) - kinds[::-1].index("in") :]

    def says(
        self,
        code: str,
        message: str,
        *,
        expected: str | None = None,
        fix: str | None = None,
        at: Token | None = None,
    ) -> Diagnostic:
        return Diagnostic(code, message, (at or self.token).span, expected, fix)


def shown(token: Token) -> str:
    """A token as a reader sees it."""
    if token.kind in ("NEWLINE", "END"):
        return "the end of the line"
    if token.kind in ("INDENT", "DEDENT"):
        return "this indentation"
    if token.kind == "STRING":
        return "the text " + (token.text if len(token.text) < 30 else token.text[:26] + '..."')
    kind = {"NAME": "the name ", "NUMBER": "the number "}.get(token.kind, "")
    text = token.text if len(token.text) < 30 else token.text[:27] + "..."
    return kind + text


def expectation(accepted: frozenset[str]) -> str:
    """The accepted terminals in few words."""
    words: list[str] = []
    if "NUMBER" in accepted:
        words.append("an expression")
    elif "NAME" in accepted:
        words.append("a name")
    if "STRING" in accepted:
        words.append("a text in double quotes")
    if "STAR" in accepted:
        words.append("an operator")
    for text, terminal in (
        ("=", "ASSIGN"),
        (":", "COLON"),
        (",", "COMMA"),
        ("..", "RANGE"),
        ("in", "IN"),
        ("with", "WITH"),
        ("~", "TILDE"),
        (")", "RPAR"),
        ("]", "RSQB"),
        ("}", "RBRACE"),
    ):
        if terminal in accepted:
            words.append(text)
    if "LPAR" in accepted and "NUMBER" not in accepted and "STAR" not in accepted:
        words.append("(")
    if "NEWLINE" in accepted:
        words.append("the end of the line")
    if not words:
        return "a statement"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
