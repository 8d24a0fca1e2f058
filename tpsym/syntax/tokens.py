"""Tokens, and the words and signs of the language."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpsym.errors import Span

STATEMENTS = (
    "width", "dim", "depth", "param", "input", "assume", "weight", "random", "fn", "parametrization",
    "def", "for", "return", "train", "derive", "claim", "let",
)
"""Words that open a statement; they cannot be names."""

SOFT = ("and", "or", "not", "in", "with", "where")
"""Words that are keywords where an operator can stand, and names elsewhere."""

SIGNS = {
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE",
    ",": "COMMA", ":": "COLON", ".": "DOT", "..": "RANGE", "=": "ASSIGN", "~": "TILDE",
    "+": "PLUS", "-": "MINUS", "+-": "PLUSMINUS", "*": "STAR", "/": "SLASH", "@": "AT", "^": "CARET",
    "==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE", "<=>": "IFF",
}
"""Signs by the terminal of ``grammar/tp.lark`` they are."""

CLOSING = {"(": ")", "[": "]", "{": "}"}

OPERATORS = ("+", "-", "+-", "*", "/", "@", "^", "==", "!=", "<", "<=", ">", ">=", "<=>", "and", "or", "not")

LAYOUT = ("NEWLINE", "INDENT", "DEDENT", "END")

_TERMINALS = {**SIGNS, **{word: word.upper() for word in (*STATEMENTS, *SOFT)}, "END": "$END"}


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is ``NAME``, ``NUMBER``, ``STRING``, one of :data:`LAYOUT`, or the keyword or sign itself."""

    kind: str
    text: str
    span: Span

    @property
    def type(self) -> str:
        """The terminal of the grammar."""
        return _TERMINALS.get(self.kind, self.kind)

    @property
    def ends_operand(self) -> bool:
        """Whether an operator, and nothing else, can follow inside an expression."""
        return self.kind in ("NAME", "NUMBER", ")", "]", "}")

    @property
    def starts_operand(self) -> bool:
        """Whether an expression can begin here (signs of numbers aside)."""
        return self.kind in ("NAME", "NUMBER", "(", "[", "{")

    def turned(self, kind: str) -> Token:
        """The same piece of text read as another kind."""
        return replace(self, kind=kind)
