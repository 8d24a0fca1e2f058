"""Why a token cannot stand where it does, in words of the language rather than of the grammar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tpsym.errors import Diagnostic, nearest
from tpsym.syntax.tokens import CLOSING, LAYOUT, OPERATORS, STATEMENTS, Token

FOREIGN = {
    "if": "write a choice as an expression: if(condition, a, b)",
    "elif": "write a choice as an expression: if(condition, a, b)",
    "else": "write a choice as an expression: if(condition, a, b)",
    "while": "write a loop with known ends: for l in 1..L:",
    "import": "everything is known already; declare a nonlinearity with fn",
    "from": "everything is known already; declare a nonlinearity with fn",
    "class": "define a network with def f(x):",
    "print": "ask with derive",
    "lambda": "define a function with fn, def or let",
    "assert": "state facts with assume, and claims with claim",
    "prove": 'write claim "label": lhs == rhs',
    "theorem": 'write claim "label": lhs == rhs',
    "matrix": "declare a matrix with weight or random",
    "vector": "declare a vector with random u: (n) ~ N(0, 1)",
    "scalar": "declare a scalar with param",
    "const": "declare a scalar with param",
    "var": "declare a scalar with param",
    "function": "define a function with fn, def or let",
    "parameterization": "write parametrization",
    "parametrisation": "write parametrization",
    "parameterisation": "write parametrization",
}
"""First words of lines that people bring from elsewhere."""


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
        self, code: str, message: str, *, expected: str | None = None, fix: str | None = None, at: Token | None = None
    ) -> Diagnostic:
        return Diagnostic(code, message, (at or self.token).span, expected, fix)


def explain(tokens: list[Token], at: int, accepted: frozenset[str]) -> Diagnostic:
    """The first explanation that fits, or what was found and what was expected."""
    place = Place(tokens, at, accepted)
    for rule in RULES:
        if found := rule(place):
            return found
    return place.says("unexpected", f"{shown(place.token)} cannot stand here", expected=expectation(accepted))


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
        words.append('a text in double quotes')
    if "STAR" in accepted:
        words.append("an operator")
    for text, terminal in (("=", "ASSIGN"), (":", "COLON"), (",", "COMMA"), ("..", "RANGE"), ("in", "IN"),
                           ("with", "WITH"), ("~", "TILDE"), (")", "RPAR"), ("]", "RSQB"), ("}", "RBRACE")):
        if terminal in accepted:
            words.append(text)
    if "LPAR" in accepted and "NUMBER" not in accepted and "STAR" not in accepted:
        words.append("(")
    if "NEWLINE" in accepted:
        words.append("the end of the line")
    if not words:
        return "a statement"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _reserved(place: Place) -> Diagnostic | None:
    token = place.token
    if token.kind in STATEMENTS and "NAME" in place.accepted and place.line:
        return place.says("reserved-word", f"{token.text} begins a statement and cannot be a name",
                          fix=f"choose another name, such as {token.text}_0")
    if len(place.line) == 1 and token.kind in ("=", "[") and place.head in STATEMENTS:
        word = place.line[0]
        return place.says("reserved-word", f"{word.text} begins a statement and cannot be a name",
                          fix=f"choose another name, such as {word.text}_0", at=word)
    return None


def _equals_in_relation(place: Place) -> Diagnostic | None:
    if place.token.kind != "=":
        return None
    if place.statement == "claim":
        return place.says("assignment-in-claim", "a claim compares its two sides with ==, not =", fix="write ==")
    if place.head in ("assume", "derive", "return") or place.brackets:
        return place.says("assignment-in-expression", "= cannot stand inside an expression",
                          fix="write == to compare")
    if any(token.kind == "=" for token in place.line):
        return place.says("second-equals", "this statement has an = already",
                          fix="write == to compare; assign names one statement each")
    return None


def _compare_in_assignment(place: Place) -> Diagnostic | None:
    if place.head not in ("NAME", "let", "width", "dim", "depth", "param", "input", "fn", "train"):
        return None
    if place.token.kind == "==":
        return place.says("comparison-for-assignment", "a value is given with =, not ==", fix="write =")
    if "ASSIGN" not in place.accepted or place.token.kind not in ("NEWLINE", "for", "where"):
        return None
    equal = next((token for token in place.line if token.kind == "=="), None)
    if equal is None:
        return None
    return place.says("comparison-for-assignment", "a value is given with =, not ==",
                      fix='write =, or make it a claim: claim "label": ... == ...', at=equal)


def _unknown_statement(place: Place) -> Diagnostic | None:
    token = place.token
    if len(place.line) != 1 or place.head != "NAME" or token.kind not in ("NAME", "NUMBER", "STRING", ":", "NEWLINE"):
        return None
    word = place.line[0]
    if word.text in FOREIGN:
        return place.says("unknown-statement", f"there is no statement {word.text}", fix=FOREIGN[word.text], at=word)
    if token.kind == "NEWLINE":
        return None
    guess = nearest(word.text, STATEMENTS)
    return place.says(
        "unknown-statement", f"there is no statement {word.text}", at=word,
        expected=None if guess else "a statement such as width, param, weight, def, derive or claim",
        fix=f"write {guess}" if guess else None,
    )


def _foreign_block(place: Place) -> Diagnostic | None:
    if place.head == "NAME" and place.token.kind == ":" and not place.brackets and place.line[0].text in FOREIGN:
        word = place.line[0]
        return place.says("unknown-statement", f"there is no statement {word.text}", fix=FOREIGN[word.text], at=word)
    if place.head == "NAME" and place.token.kind == ":" and not place.brackets:
        return place.says("missing-keyword", "a shape can only follow a declaration",
                          fix="begin the line with weight, random or input")
    if place.head == "NAME" and place.token.kind == "~":
        return place.says("missing-keyword", "a law can only follow a declaration",
                          fix="begin the line with weight or random, and give a shape: random u: (n) ~ N(0, 1)")
    return None


def _bare(place: Place) -> Diagnostic | None:
    if place.token.kind != "NEWLINE" or "ASSIGN" not in place.accepted or place.brackets:
        return None
    if place.head == "let":
        return place.says("missing-value", "this let gives no value", expected="= and an expression")
    if place.head in STATEMENTS:
        return None
    first = place.line[0]
    span = first.span.to(place.line[-1].span)
    return Diagnostic("bare-expression", "an expression alone asks nothing", span, None,
                      'ask with derive, name it with =, or state a fact with claim "label": ...')


def _claim(place: Place) -> Diagnostic | None:
    if place.head != "claim":
        return None
    if len(place.line) == 1:
        return place.says("missing-label", "this claim has no label",
                          expected='a text in double quotes, then a colon: claim "variance": lhs == rhs')
    if len(place.line) == 2 and place.accepted == {"COLON"}:
        return place.says("missing-colon", "the label of a claim is followed by a colon", expected=":",
                          fix=f"write claim {place.line[1].text}:", at=place.token)
    return None


def _missing_colon(place: Place) -> Diagnostic | None:
    if "COLON" not in place.accepted or place.head not in ("def", "for") or place.brackets:
        return None
    if place.token.kind in OPERATORS:
        return None
    what = "the parameters of a definition are" if place.head == "def" else "the range of a loop is"
    if place.token.kind == "," and place.head == "for":
        return place.says("several-indices", "a loop runs over one index", expected=":",
                          fix="write one loop inside the other")
    if place.token.kind in ("NEWLINE", "NAME", "return"):
        return place.says("missing-colon", f"{what} followed by a colon", expected=":")
    return None


def _missing_shape(place: Place) -> Diagnostic | None:
    if place.head not in ("input", "weight", "random") or place.brackets or place.before is None:
        return None
    token, word = place.token, place.head
    example = {"input": "(d)", "weight": "(n, n)", "random": "(n)"}[word]
    if place.before.kind == ":":
        fix = f"write ({token.text})" if token.kind in ("NAME", "NUMBER") else None
        return place.says("missing-shape", "a shape is written in parentheses",
                          expected="(n) for a vector, (n, d) for a matrix, () for a scalar", fix=fix)
    if "COLON" in place.accepted and token.kind in ("~", "=", "NEWLINE", "for", "("):
        return place.says("missing-shape", f"this {word} has no shape", expected=f"a colon and a shape: {example}")
    return None


def _range(place: Place) -> Diagnostic | None:
    kinds = [token.kind for token in place.line]
    if place.token.kind == ".." and "RANGE" not in place.accepted:
        return place.says("misplaced-range", "a range can only follow for ... in",
                          fix="write sum(x[k] for k in 1..3), or a list")
    if "IN" in place.accepted and "for" in kinds and place.before and place.before.kind == "NAME":
        return place.says("missing-in", "an index is followed by in and its range", expected="for l in 2..L",
                          fix="write in" if place.token.kind in ("=", ":") else None)
    if "RANGE" not in place.accepted or "for" not in kinds:
        return None
    start = len(kinds) - kinds[::-1].index("in")
    first = place.line[start] if start < len(place.line) else place.token
    if first.text == "range":
        return place.says("python-range", "ranges are written with two dots", at=first, expected="for l in 2..L",
                          fix="both ends are included: range(a, b) is a..b-1")
    return place.says("missing-range", "an index runs over a range", expected="two ends with two dots: for l in 2..L")


def _operand(place: Place) -> Diagnostic | None:
    token, before = place.token, place.before
    ends = token.kind in ("NEWLINE", ",", ":", "=", "for", "where", "..", *CLOSING.values()) or token.kind in OPERATORS
    if not ends or "NUMBER" not in place.accepted:
        return None
    if before is None:
        return place.says("leading-operator", f"a line cannot begin with {token.text}",
                          fix="to continue the line above, put the whole expression in parentheses")
    if before.kind in OPERATORS:
        fix = None
        if token.kind == "NEWLINE":
            fix = "to go on in the next line, put the whole expression in parentheses"
        elif before.kind == "*" and token.kind == "*":
            fix = "write a power as ^ or **, without a space"
        elif before.kind == "/" and token.kind == "/":
            fix = "write / once; numbers are exact"
        elif token.kind in ("=", ">", "<"):
            fix = "write == <= >= != <=> without spaces"
        return place.says("missing-operand", f"nothing stands after {before.text}", at=before,
                          expected="an expression", fix=fix)
    if before.kind in (",", "(", "[", "{", "="):
        found = "the line ends" if token.kind == "NEWLINE" else f"{token.text} follows"
        return place.says("missing-operand", f"{found} where an expression should be", expected="an expression")
    return None


def _juxtaposed(place: Place) -> Diagnostic | None:
    before, token = place.before, place.token
    if before is None or "STAR" not in place.accepted or not before.ends_operand:
        return None
    if token.kind == "STRING":
        return place.says("misplaced-text", "a text can only be a title or the label of a claim")
    if not token.starts_operand:
        return None
    if place.in_clause or (token.text in ("if", "else") and token.kind == "NAME"):
        fix = "write a choice as if(condition, a, b)" if token.text in ("if", "else") else None
    elif before.kind in ("NAME", "NUMBER") and token.kind in ("NAME", "NUMBER"):
        fix = f"write {before.text}*{token.text}"
    else:
        fix = "write * between them"
    return place.says("missing-operator", f"{shown(token)} follows {shown(before)} without an operator", fix=fix)


def _misplaced_tail(place: Place) -> Diagnostic | None:
    kind = place.token.kind
    if kind == "where" and place.line and "STAR" in place.accepted:
        return place.says("misplaced-where", "only claim and let have a where",
                          fix="assign the names in statements of their own, before this one")
    if kind == "for" and place.line and "STAR" in place.accepted:
        return place.says("misplaced-for", "a for cannot follow here",
                          fix="families are made by assignments, declarations, claims and let")
    if kind in STATEMENTS and place.line and "NEWLINE" in place.accepted:
        return place.says("two-statements", f"{place.token.text} begins a new statement on the same line",
                          fix="put each statement on its own line")
    return None


def _stray_text(place: Place) -> Diagnostic | None:
    if place.token.kind == "STRING" and "NUMBER" in place.accepted:
        return place.says("misplaced-text", "a text can only be a title or the label of a claim")
    return None


def _keyword_alone(place: Place) -> Diagnostic | None:
    if place.token.kind != "NEWLINE" or place.before is None or place.before.kind not in STATEMENTS:
        return None
    word = place.before.text
    examples = {
        "width": "width n", "dim": "dim d", "depth": "depth L", "param": "param s: positive",
        "input": "input x: (d)", "assume": "assume dot(x, x) == 1", "weight": "weight W: (n, n) ~ N(0, 1/n)",
        "random": "random u: (n) ~ N(0, 1)", "fn": "fn phi(z) = z*Phi(z)", "parametrization": "parametrization ntk",
        "def": "def f(x):", "for": "for l in 2..L:", "return": "return v @ h",
        "train": "train F = f with sgd(lr = eta), loss = mse, data = [(x, t)], steps = 1",
        "derive": "derive nngp(f)", "claim": 'claim "label": lhs == rhs', "let": "let q = E[u^2]",
    }
    return place.says("incomplete-statement", f"nothing follows {word}", at=place.before, expected=examples[word])


RULES: tuple[Callable[[Place], Diagnostic | None], ...] = (
    _reserved, _keyword_alone, _claim, _compare_in_assignment, _unknown_statement, _foreign_block,
    _missing_shape, _range, _equals_in_relation, _missing_colon, _stray_text, _operand, _juxtaposed,
    _misplaced_tail, _bare,
)
"""Explanations, the most specific first."""
