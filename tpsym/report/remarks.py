"""Short sentences beside equations, ``for sigma_w^2/2 != 1``, with their formulas set as such."""

from __future__ import annotations

import re
from itertools import groupby

from tpsym.report.escape import html, markdown, math_text, plain, tex
from tpsym.report.latex_names import latex_name
from tpsym.report.mathml import mathml_name
from tpsym.report.names import ENGLISH, split_identifier, unicode_name

_SIGNS = {"!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">", "=": "=", "==": "=", "≠": "≠", "≤": "≤", "≥": "≥"}
_TEX_SIGNS = {"<": r"\lt", ">": r"\gt"}
_RAISED = str.maketrans({"²": "^2", "³": "^3"})


def remark_text(sentence: str) -> str:
    """The sentence for a terminal: ``for σ_w²/2 ≠ 1``."""
    return " ".join(
        _SIGNS.get(word) or unicode_name(word) if _is_formula(word) else word for word in _words(sentence)
    )


def remark_latex(sentence: str, *, running: bool = False) -> str:
    r"""The sentence for math mode, ``\text{for }\sigma_w^2/2 \neq 1``, or as running text that can be broken."""
    words = [(True, _latex(w)) if _is_formula(w) else (False, _running(w)) for w in _words(sentence)]
    runs = [(formula, " ".join(w for _, w in run)) for formula, run in groupby(words, key=lambda w: w[0])]
    out = ""
    for k, (formula, run) in enumerate(runs):
        before, after = " " * (k > 0), " " * (k < len(runs) - 1)
        if running:
            out += f"${run}$" if formula else f"{before}{run}{after}"
        else:
            out += run if formula else rf"\text{{{before}{run}{after}}}"
    return out


def remark_html(sentence: str) -> str:
    """The sentence with its formulas as MathML."""
    runs = groupby(_words(sentence), key=_is_formula)
    return " ".join(_math(run) if formula else html(" ".join(run)) for formula, run in ((f, [*r]) for f, r in runs))


def remark_markdown(sentence: str) -> str:
    """The sentence with its formulas between dollar signs."""
    runs = [(formula, [*run]) for formula, run in groupby(_words(sentence), key=_is_formula)]
    return " ".join(f"${' '.join(map(_latex, r))}$" if formula else markdown(" ".join(r)) for formula, r in runs)


def _math(words: list[str]) -> str:
    inside = "".join(f"<mo>{html(_SIGNS[w])}</mo>" if w in _SIGNS else mathml_name(_bare(w)) for w in words)
    return f"<math><mrow>{inside}</mrow></math>"


def _latex(word: str) -> str:
    sign = _SIGNS.get(word, "")
    return _TEX_SIGNS.get(sign) or math_text(sign).strip() or latex_name(_bare(word))


def _running(word: str) -> str:
    return tex(word).replace("{,}", ",").replace("{-}", "-")


def _bare(word: str) -> str:
    return word.translate(_RAISED)


def _words(sentence: str) -> list[str]:
    """The sentence cut at spaces outside brackets."""
    out, depth = [""], 0
    for char in plain(sentence):
        depth += (char in "([") - (char in ")]")
        if char == " " and depth <= 0:
            out.append("")
        else:
            out[-1] += char
    return [word for word in out if word]


def _is_formula(word: str) -> bool:
    """A sign, a number, or an expression of which every name is a letter, Greek, or has an index."""
    if word in _SIGNS or re.fullmatch(r"\d+(?:/\d+)?", word):
        return True
    bare = _bare(word)
    names = re.findall(r"[^\W\d]\w*", bare)
    if not names or word in ("a", "A", "I") or not re.fullmatch(r"[\w^/*+\-()\[\], ∂]+[\w\])*]", " " + bare):
        return False
    heads = [split_identifier(n)[0] for n in names]
    return all(len(head) == 1 or head in ENGLISH or "_" in n for n, head in zip(names, heads, strict=True))
