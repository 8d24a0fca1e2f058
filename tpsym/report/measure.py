"""How wide a piece of LaTeX is on the page, roughly: one unit is a letter."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&]|\s+|[^\\]", re.DOTALL)
_EMPTY = {
    r"\left",
    r"\right",
    r"\!",
    r"\displaystyle",
    r"\limits",
    r"\Bigl",
    r"\Bigr",
    r"\mathopen",
    r"\bigl",
    r"\bigr",
}
_WORDS = {
    r"\arcsin": 5,
    r"\arccos": 5,
    r"\arctan": 5,
    r"\sin": 2.5,
    r"\cos": 2.5,
    r"\tanh": 3.5,
    r"\log": 2.5,
    r"\max": 3,
    r"\min": 3,
    r"\exp": 2.5,
    r"\quad": 2,
    r"\qquad": 4,
    r"\,": 0.4,
    r"\;": 0.6,
}


def is_tall(tex: str) -> bool:
    """Whether brackets around this must grow."""
    return bool(re.search(r"\\frac|\\sqrt|\\begin|\\sum|\\prod|\\int|\\left", tex))


def width(tex: str) -> float:
    """Estimated width in letters; fractions count their wider part, scripts three quarters."""
    return _run(_TOKEN.findall(tex), 0, closing=False)[0]


def _run(tokens: list[str], at: int, *, closing: bool) -> tuple[float, int]:
    total, row, widest = 0.0, 0.0, 0.0
    while at < len(tokens):
        if tokens[at] == "}" and closing:
            return max(widest, total), at + 1
        if tokens[at] == r"\\":
            widest, total, at = max(widest, total), row, at + 1
            continue
        size, at = _token(tokens, at)
        total += size
    return max(widest, total), at


def _token(tokens: list[str], at: int) -> tuple[float, int]:
    token = tokens[at]
    if token == "{":
        return _run(tokens, at + 1, closing=True)
    if token in (r"\frac", r"\dfrac", r"\tfrac"):
        top, at = _argument(tokens, at + 1)
        bottom, at = _argument(tokens, at)
        return max(top, bottom) + 0.5, at
    if token in ("^", "_"):
        size, at = _argument(tokens, at + 1)
        return 0.75 * size, at
    if token in (r"\operatorname", r"\mathrm", r"\text", r"\mathbb", r"\mathcal", r"\hat", r"\dot", r"\sqrt"):
        size, at = _argument(tokens, at + 1)
        return size + (1.6 if token == r"\sqrt" else 0), at
    if token == r"\parbox":  # its width is given
        return 40.0, _argument(tokens, _argument(tokens, at + 4)[1])[1]
    if token in (r"\begin", r"\end"):
        return 0.8, _argument(tokens, at + 1)[1]
    if token in _EMPTY or token.isspace() or token in "&}":
        return 0.0, at + 1
    if token in "+-=" or token in (r"\sim", r"\leq", r"\geq", r"\cdot"):
        return 2.0, at + 1
    return _WORDS.get(token, 1.0 if token.startswith("\\") else _letter(token)), at + 1


def _letter(token: str) -> float:
    return 0.6 if token in "()[]|,.;:'!/" else 1.0


def _argument(tokens: list[str], at: int) -> tuple[float, int]:
    while at < len(tokens) and tokens[at].isspace():
        at += 1
    return _token(tokens, at) if at < len(tokens) else (0.0, at)
