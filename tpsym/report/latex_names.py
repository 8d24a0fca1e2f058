"""Names of a ``.tp`` file in LaTeX."""

from __future__ import annotations

import re

from tpsym.report.escape import tex
from tpsym.report.names import ENGLISH, Style, render, split_identifier
from tpsym.report.typesetter import HEADS

_ACCENTED = {"Z": "Z", "Ẑ": r"\hat{Z}", "Ż": r"\dot{Z}"}
_OPERATORS = {"@": r"\,", "*": r"\,", ",": ", ", "∂": r"\partial ", "T": r"\top", "<": r"\lt ", ">": r"\gt "}


def _letter(name: str) -> str:
    head, below, marks = split_identifier(name)
    text = _upright(head) + marks
    return text + (
        f"_{{{','.join(map(_upright, below.split(',')))}}}"
        if len(below) > 1 or _upright(below) != below
        else f"_{below}"
        if below
        else ""
    )


def _upright(name: str) -> str:
    if name in ENGLISH:
        return _greek(ENGLISH[name])
    if len(name) <= 1 or name.isdigit():
        return name if name.isascii() else rf"\text{{{tex(name)}}}"
    return r"\mathbb{E}" if name == "𝔼" else rf"\mathrm{{{tex(name)}}}"


def _greek(name: str) -> str:
    return {"epsilon": r"\varepsilon", "omicron": "o"}.get(name, "\\" + name)


def _subscript(base: str, index: str) -> str:
    index = index.replace(", ", ",")
    if match := re.fullmatch(r"(.*)_(?:\{(.*)\}|(\w))", base):
        return f"{match[1]}_{{{match[2] or match[3]},{index}}}"
    return f"{base}_{index}" if len(index) == 1 else f"{base}_{{{index}}}"


def _superscript(base: str, exponent: str) -> str:
    if re.search(r"\^(?:\{[^{}]*\}|[^{}\\])$", base):
        base = f"{{{base}}}"  # TeX refuses two superscripts on one base
    return f"{base}^{exponent}" if len(exponent) == 1 and exponent != "*" else f"{base}^{{{exponent}}}"


def _head(text: str) -> str:
    bare = text.removeprefix(r"\mathrm{").removesuffix("}")
    if bare in HEADS or bare == "exp":
        return "\\exp" if bare == "exp" else HEADS[bare][0]
    return re.sub(r"^\\mathrm\{((?:[^{}\\]|\\_)*)\}$", r"\\operatorname{\1}", text)


def _vector(text: str) -> str:
    return rf"\left({text}\right)" if re.search(r"[+\-]|\\,|\\top", text) else text


NAMES = Style(
    letter=lambda name: r"\mathbb{E}" if name == "E" else _letter(name),
    number=str,
    operator=lambda t: _OPERATORS.get(t, t if t in "+-=()[]/|!.:;" else tex(t)),
    subscript=_subscript,
    superscript=_superscript,
    call=lambda head, inside: f"{_head(head)}({inside})",
    product=lambda x, y: rf"{_vector(x)}^{{\top}} {_vector(y)}",
    variable=lambda kind, inside: f"{_ACCENTED[kind]}^{{{inside}}}",
)


def latex_name(name: str) -> str:
    r"""A name of the language for math mode: ``\sigma_w``, ``h_{l-1}(x)``, ``x^{\top} y``, ``\hat{Z}^{h}``."""
    return render(name, NAMES)
