"""Damage to a program of the kinds people do: a token or line lost, doubled or moved, a name or number changed."""

from __future__ import annotations

import random
import re

from tpsym.errors import Span, TpError
from tpsym.program.names import nodes
from tpsym.syntax import tree
from tpsym.syntax.parse import parse

TOKEN = re.compile(r'"[^"\n]*"|[^\W\d]\w*\'*|\d+(?:\.\d+)?|\.\.|==|<=>|<=|>=|\+-|\n *|[ \t]+|.', re.DOTALL)
NAMES = ["x", "y", "n", "d", "f", "u", "relu", "tanh", "mean", "dot", "Z", "E", "lim", "sqrt", "exp", "oo", "pi", "if"]
NUMBERS = ["0", "1", "-1", "2", "3", "1/2", "2.5", "7", "30", "1000000000"]
EXPRESSIONS = [
    "E[u]", "lim(f(x))", "nngp(f)", "nngp(f)(x, x)", "[1, 2]", "(1, 2)", "x > 0", "not x", "W.T", "f.h(x)", "-x",
    "sum(k for k in 1..3)", "mean(x)", "tr(A)", "sqrt(-1)", "1/0", "10^9^9", "hermite(2, x)", "N(0, 1)",
]
SIGNS = [*"+-*/^@=,().[]", "==", "<=", ".."]


def tokens(text: str) -> list[str]:
    """The text cut into names, numbers, signs, spaces and line ends."""
    return TOKEN.findall(text)


def mutate(text: str, chance: random.Random, *, times: int = 1) -> str:
    """A damaged copy; the same state of ``chance`` gives the same damage."""
    for _ in range(times):
        kind = chance.random()
        damage = damage_line if kind < 0.1 else damage_token if kind < 0.35 else graft
        text = damage(text, chance)
    return text


def graft(text: str, chance: random.Random) -> str:
    """An expression put in the place of another, so that the grammar is mostly kept."""
    try:
        file = parse(text)
    except TpError:
        return damage_token(text, chance)
    spans = [n.span for n in nodes(file) if isinstance(n, tree.Expr) and n.span.line == n.span.end_line]
    if not spans:
        return text
    lines = file.source.split("\n")
    to = chance.choice(spans)
    origin = chance.choice(spans)
    new = cut(lines, origin) if chance.random() < 0.7 else chance.choice(NUMBERS + NAMES + EXPRESSIONS)
    lines[to.line - 1] = lines[to.line - 1][: to.column - 1] + new + lines[to.line - 1][to.end_column - 1 :]
    return "\n".join(lines)


def cut(lines: list[str], span: Span) -> str:
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]


def damage_line(text: str, chance: random.Random) -> str:
    """A line dropped, doubled or exchanged with another."""
    lines = text.split("\n")
    i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case _:
            lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def damage_token(text: str, chance: random.Random) -> str:
    """A token dropped, doubled, exchanged, or replaced by another of its kind."""
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part.strip() and not part.startswith('"')]
    if not places:
        return text
    i, j = chance.choice(places), chance.choice(places)
    match chance.randrange(6):
        case 0:
            parts[i] = ""
        case 1:
            parts[i] *= 2
        case 2:
            parts[i], parts[j] = parts[j], parts[i]
        case _:
            parts[i] = replacement(parts[i], [parts[k] for k in places], chance)
    return "".join(parts)


def replacement(part: str, others: list[str], chance: random.Random) -> str:
    """Another name for a name (of the file or the language), a number for a number, a sign for a sign."""
    if part[0].isdigit():
        return chance.choice(NUMBERS)
    if part[0].isalpha():
        known = [other for other in others if other[0].isalpha()]
        return chance.choice([*known, chance.choice(NAMES)])
    return chance.choice(SIGNS)
