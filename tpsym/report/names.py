"""Names of a ``.tp`` file as mathematics: ``sigma_w``, ``h[l-1](x)``, ``dot(x, y)``, ``Zhat(W.T @ g)``.

A name is read as text of the language, token by token, and set by a :class:`Style`; what cannot be
read is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tpsym.report.escape import plain

GREEK = dict(
    zip(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "omicron",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Upsilon",
            "Phi",
            "Psi",
            "Omega",
        ],
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
"""English spelling → letter."""

ENGLISH = {letter: name for name, letter in GREEK.items()} | {"ϕ": "phi", "ϵ": "epsilon", "ς": "sigma"}

TOKEN = re.compile(r"\s*(?:∂?[^\W\d]\w*'*|\d+(?:\.\d+)?|\*\*|\S)")
VARIABLES = {"Z": "Z", "Zhat": "Ẑ", "Zdot": "Ż", "Ẑ": "Ẑ", "Ż": "Ż"}
"""How a random variable of the limit is spelled → its Unicode letter."""
OPENERS = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Style:
    """How the pieces of a name are set: letters with a subscript, indices, calls, operators."""

    letter: Callable[[str], str]
    number: Callable[[str], str]
    operator: Callable[[str], str]
    subscript: Callable[[str, str], str]
    superscript: Callable[[str, str], str]
    call: Callable[[str, str], str]
    product: Callable[[str, str], str]
    variable: Callable[[str, str], str]


def split_identifier(name: str) -> tuple[str, str, str]:
    """``(letter, subscript, primes)``: ``sigma_w'`` is ``("σ", "w", "'")``, ``x1`` is ``("x", "1", "")``."""
    bare = name.rstrip("'")
    head, _, below = bare.partition("_")
    if not below and (match := re.fullmatch(r"([^\W\d]+?)(\d+)", bare)):
        head, below = match[1], match[2]
    below = ",".join(GREEK.get(part, part) for part in below.split("_") if part)
    return GREEK.get(head, head), below, name[len(bare) :]


def render(name: str, style: Style) -> str:
    """The name set in this style; text that is no expression of the language is shown as letters."""
    tokens = [m.group().strip() for m in TOKEN.finditer(name)]
    try:
        text, rest = _sequence(tokens, 0, style, "")
    except (ValueError, RecursionError):
        return style.letter(name)
    return text if rest == len(tokens) else style.letter(name)


def _sequence(tokens: list[str], at: int, style: Style, end: str) -> tuple[str, int]:
    out = ""
    while at < len(tokens) and tokens[at] != end:
        token = tokens[at]
        if token in OPENERS:
            inside, at = _bracket(tokens, at, style)
            out += style.operator(token) + inside + style.operator(OPENERS[token])
        elif _is_word(token):
            juxtaposed = at > 0 and (tokens[at - 1][0].isalnum() or tokens[at - 1] in ")]")
            text, at = _postfix(tokens, at, style)
            out += (style.operator("@") if juxtaposed else "") + text
        elif token == "*" and out and not _starts_operand(tokens[at + 1 : at + 2]):
            out, at = style.superscript(out, token), at + 1
        elif token in ("^", "**") and at + 1 < len(tokens):
            raised, at = _power(tokens, at + 1, style)
            out = style.superscript(out, raised)
        else:
            spaced = bool(out) and out[-1].isalnum() and token[0].isdigit()
            out += (" " if spaced else "") + (style.number(token) if token[0].isdigit() else style.operator(token))
            at += 1
    return out, at


def _is_word(token: str) -> bool:
    """A name; ``∂h`` is the gradient in ``h``."""
    first = token[1:2] or token if token[0] == "∂" else token[0]
    return first.isalpha() or first == "_"


def _starts_operand(rest: list[str]) -> bool:
    return bool(rest) and (_is_word(rest[0]) or rest[0][0].isdigit() or rest[0] in OPENERS)


def _power(tokens: list[str], at: int, style: Style) -> tuple[str, int]:
    if tokens[at] == "(":
        return _bracket(tokens, at, style)
    if _is_word(tokens[at]):
        return _postfix(tokens, at, style)
    return style.number(tokens[at]), at + 1


def _bracket(tokens: list[str], at: int, style: Style) -> tuple[str, int]:
    close = OPENERS[tokens[at]]
    inside, stop = _sequence(tokens, at + 1, style, close)
    if stop >= len(tokens):
        raise ValueError("bracket never closed")
    return inside, stop + 1


def _arguments(tokens: list[str], at: int, style: Style) -> tuple[list[str], int]:
    """The comma-separated pieces of the bracket that opens at ``at``."""
    depth, pieces, start = 0, [], at + 1
    for stop in range(at, len(tokens)):
        depth += (tokens[stop] in "([") - (tokens[stop] in ")]")
        if depth == 0 or (depth == 1 and tokens[stop] == ","):
            pieces.append(_sequence(tokens[start:stop], 0, style, "")[0])
            start = stop + 1
        if depth == 0:
            return pieces, stop + 1
    raise ValueError("bracket never closed")


def _postfix(tokens: list[str], at: int, style: Style) -> tuple[str, int]:
    if tokens[at].startswith("∂"):
        out, stop = _postfix([tokens[at][1:], *tokens[at + 1 :]], 0, style)
        return style.operator("∂") + out, stop + at
    name = tokens[at]
    follows = tokens[at + 1] if at + 1 < len(tokens) else ""
    if follows == "(" and (name == "dot" or name in VARIABLES):
        pieces, at = _arguments(tokens, at + 1, style)
        if name == "dot" and len(pieces) == 2:
            return style.product(*pieces), at
        inside = style.operator(",").join(pieces)
        out = style.call("dot", inside) if name == "dot" else style.variable(VARIABLES[name], inside)
    elif follows == "[" and name == "E":
        inside, at = _bracket(tokens, at + 1, style)
        out = style.letter("E") + style.operator("[") + inside + style.operator("]")
    else:
        out, at = style.letter(name), at + 1
    while at < len(tokens) and tokens[at] in ("(", "[", "."):
        if tokens[at] == "." and at + 1 < len(tokens) and tokens[at + 1] == "T":
            out, at = style.superscript(out, style.operator("T")), at + 2
        elif tokens[at] == ".":
            out, at = out + style.operator("."), at + 1
            if at < len(tokens) and tokens[at][0].isalpha():
                out, at = out + style.letter(tokens[at]), at + 1
        else:
            opener = tokens[at]
            pieces, at = _arguments(tokens, at, style)
            inside = style.operator(",").join(pieces)
            out = style.call(out, inside) if opener == "(" else style.subscript(out, inside)
    return out, at


# --- Unicode text -------------------------------------------------------------------------------

BELOW = tuple("₀₁₂₃₄₅₆₇₈₉")
SUBSCRIPT = str.maketrans("0123456789", "".join(BELOW))
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TEXT_OPERATORS = {"-": " − ", "+": " + ", "*": "·", "@": " ", "T": "ᵀ", ",": ", ", "=": " = ", "~": " ~ "}


def _text_letter(name: str) -> str:
    head, below, primes = split_identifier(name)
    if below.isdigit() and below.isascii():
        return head + below.translate(SUBSCRIPT) + primes
    return head + (f"_{below}" if below else "") + primes


def _text_subscript(base: str, index: str) -> str:
    index = index.replace(" − ", "−").replace(" + ", "+").replace(", ", ",")
    if all(part.isdigit() and part.isascii() for part in index.split(",")) and base[-1:] not in BELOW:
        return base + "‚".join(part.translate(SUBSCRIPT) for part in index.split(","))
    return f"{base}[{index}]"


def _text_superscript(base: str, exponent: str) -> str:
    if exponent in ("ᵀ", "*"):
        return base + exponent
    if re.fullmatch(r"\d+", exponent, re.ASCII):
        return base + exponent.translate(SUPERSCRIPT)
    return f"{base}^{exponent}" if exponent.isalnum() else f"{base}^({exponent})"


TEXT = Style(
    letter=_text_letter,
    number=str,
    operator=lambda t: _TEXT_OPERATORS.get(t, t),
    subscript=_text_subscript,
    superscript=_text_superscript,
    call=lambda head, inside: f"{head}({inside})",
    product=lambda x, y: f"{_text_argument(x)}·{_text_argument(y)}",
    variable=lambda letter, inside: f"{letter}({inside})",
)


def _text_argument(text: str) -> str:
    return f"({text})" if re.search(r"[·+− ]", text) else text


def unicode_name(name: str) -> str:
    """The name in Unicode: ``σ_w``, ``h₁(x)``, ``x·y``, ``Ẑ(h)``; control characters made visible."""
    return render(plain(name), TEXT)
