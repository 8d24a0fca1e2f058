"""Text that came from a user, made safe for terminals, LaTeX, HTML and Markdown."""

from __future__ import annotations

import re
import unicodedata
from html import escape as _html_escape

_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def plain(text: str) -> str:
    """One line of visible characters: controls become their pictures (␛), direction overrides U+202E."""
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0 or code in _BIDI or code in (0x2028, 0x2029, 0xFEFF) or 0xD800 <= code < 0xE000:
        return f"<U+{code:04X}>"
    return char


def html(text: str) -> str:
    """Text for HTML content and attributes."""
    return _html_escape(plain(text), quote=True)


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$&^-])", r"\\\1", plain(text))


def markdown_code(text: str) -> str:
    """An inline code span; the fence is longer than any run of backquotes inside."""
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{plain(text)}{pad}{fence}"


def columns(text: str) -> int:
    """How many terminal columns a text takes."""
    return sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# --- LaTeX --------------------------------------------------------------------------------------

_TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "-": "{-}",
    ",": "{,}",
}
_TEX_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩϕϵϑϱς",
        [
            r"\alpha",
            r"\beta",
            r"\gamma",
            r"\delta",
            r"\varepsilon",
            r"\zeta",
            r"\eta",
            r"\theta",
            r"\iota",
            r"\kappa",
            r"\lambda",
            r"\mu",
            r"\nu",
            r"\xi",
            r"\pi",
            r"\rho",
            r"\sigma",
            r"\tau",
            r"\upsilon",
            r"\varphi",
            r"\chi",
            r"\psi",
            r"\omega",
            r"\Gamma",
            r"\Delta",
            r"\Theta",
            r"\Lambda",
            r"\Xi",
            r"\Pi",
            r"\Sigma",
            r"\Upsilon",
            r"\Phi",
            r"\Psi",
            r"\Omega",
            r"\phi",
            r"\epsilon",
            r"\vartheta",
            r"\varrho",
            r"\varsigma",
        ],
        strict=True,
    )
)
_TEX_MATH = _TEX_GREEK | dict(
    zip(
        "×·≤≥≠→←⇒⇔∞√∈∼≈±∂∑∏∫⊗⊤⟨⟩∇−′∝∀∃∪∩⊂∅ℝℕℤ𝔼†…≡∘⋅⊙",
        [
            r"\times",
            r"\cdot",
            r"\leq",
            r"\geq",
            r"\neq",
            r"\to",
            r"\leftarrow",
            r"\Rightarrow",
            r"\Leftrightarrow",
            r"\infty",
            r"\surd",
            r"\in",
            r"\sim",
            r"\approx",
            r"\pm",
            r"\partial",
            r"\Sigma",
            r"\Pi",
            r"\smallint",
            r"\otimes",
            r"\top",
            r"\langle",
            r"\rangle",
            r"\nabla",
            r"-",
            r"{}^\prime",
            r"\propto",
            r"\forall",
            r"\exists",
            r"\cup",
            r"\cap",
            r"\subset",
            r"\emptyset",
            r"\mathbb{R}",
            r"\mathbb{N}",
            r"\mathbb{Z}",
            r"\mathbb{E}",
            r"\dagger",
            r"\dots",
            r"\equiv",
            r"\circ",
            r"\cdot",
            r"\odot",
        ],
        strict=True,
    )
)
_TEX_TEXT = {
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "\u00a0": "~",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "œ": r"\oe{}",
    "°": r"\textdegree{}",
    "§": r"\S{}",
    "©": r"\textcopyright{}",
}
_TEX_ACCENT = {
    "\u0301": r"\'",
    "\u0300": r"\`",
    "\u0302": r"\^",
    "\u0308": r"\"",
    "\u0303": r"\~",
    "\u030c": r"\v",
    "\u0327": r"\c",
    "\u0304": r"\=",
    "\u0307": r"\.",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u0306": r"\u",
    "\u0328": r"\k",
}
_SMALL = {
    **{c: ("_", d) for c, d in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
    **{c: ("^", d) for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)},
}


def tex_char(char: str) -> str:
    """One character of running text for pdfLaTeX; a character without a glyph becomes its code point."""
    if char in _TEX_SPECIAL:
        return _TEX_SPECIAL[char]
    if char.isascii():
        return char
    if char in _TEX_MATH:
        return rf"\ensuremath{{{_TEX_MATH[char]}}}"
    if char in _TEX_TEXT:
        return _TEX_TEXT[char]
    if char in _SMALL:
        where, digit = _SMALL[char]
        return rf"\ensuremath{{{{}}{where}{digit}}}"
    parts = unicodedata.normalize("NFD", char)
    base, marks = parts[0], parts[1:]
    if base.isascii() and base.isalpha() and marks in _TEX_ACCENT:
        return rf"{_TEX_ACCENT[marks]}{{{base}}}"
    return rf"\tpunknown{{{ord(char):04X}}}"


def tex(text: str) -> str:
    """Running text for LaTeX, hostile or not."""
    return "".join(map(tex_char, plain(text)))


def math_text(formula: str) -> str:
    """A formula of LaTeX with its Unicode signs as commands: ``∂h_{2}`` becomes ``\\partial h_{2}``."""

    def sign(char: str) -> str:
        return _TEX_MATH[char] + " " if char in _TEX_MATH else rf"\text{{{tex_char(char)}}}"

    return "".join(c if c.isascii() else sign(c) for c in formula)


def tex_code(text: str) -> str:
    """One line of a listing for LaTeX in a typewriter font, every character in its own column."""
    out = []
    for char in plain(text):
        if char == " ":
            out.append("~")
        elif char.isascii():
            out.append(_TEX_SPECIAL.get(char, char))
        else:
            out.append(rf"\tpchar{{{tex_char(char)}}}")
    return "".join(out)
