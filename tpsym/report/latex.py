"""LaTeX of expressions as a mathematician would write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
from sympy import Basic, Expr, ImmutableDenseMatrix, Symbol
from sympy.printing.latex import LatexPrinter

from tpsym.functions import Unknown
from tpsym.report.escape import math_text, tex
from tpsym.report.latex_names import latex_name
from tpsym.report.laws import Laws
from tpsym.report.measure import is_tall, width
from tpsym.report.names import GREEK
from tpsym.report.ordering import chain, factored, is_inner_product
from tpsym.report.typesetter import HEADS, Typesetter, is_atom, is_long, primes
from tpsym.results.answers import Notation

NORM = (r"\rVert^2", r"\|^2")
"""How the LaTeX of a squared norm ends, where a notation writes dot(x, x) so."""

SHORT_NUMERATOR = 16
"""Glyphs above a fraction bar; what is longer stands beside the fraction."""

WIDE_MATRIX = 56
"""Glyphs of a covariance matrix in small fractions; a wider one is given by its entries."""

SHORT_EXPONENT = 14
"""Glyphs in the exponent of e; what is longer is written with exp."""


def latex(expr: Basic, notation: Notation | None = None, *, laws: Laws | None = None) -> str:
    """The expression for math mode. :func:`law_clauses` gives the laws of the variables in its E[…]."""
    return str(MathLatex(notation, laws or Laws.of(expr)).doprint(expr))


def law_clauses(laws: Laws, notation: Notation | None = None) -> list[str]:
    r"""``z \sim \mathcal{N}(0, q)`` for each law."""
    return [" ".join(parts) for parts in law_parts(laws, notation)]


def law_parts(laws: Laws, notation: Notation | None = None) -> list[tuple[str, str, str]]:
    """Variables, relation and law of each clause; by single entries where the matrix is too wide."""
    printer = MathLatex(notation, laws)
    out: list[tuple[str, str, str]] = []
    for matrix, variables in laws.variables.items():
        names = [printer.doprint(v) for v in variables]
        count = matrix.rows
        columns = (max(width(printer.doprint(e)) for e in matrix.col(j)) for j in range(count))
        if count == 1 or sum(columns) <= WIDE_MATRIX:
            law = printer.bracket(f"0, {printer.covariance(matrix)}")
            out.append((_tuple(names), r"\sim", rf"\mathcal{{N}}{law}"))
            continue
        variances = (printer.bracket(f"0, {printer.doprint(matrix[k, k])}") for k in range(count))
        out += [(name, r"\sim", rf"\mathcal{{N}}{law}") for name, law in zip(names, variances, strict=True)]
        out += [
            (rf"\operatorname{{Cov}}({names[i]}, {names[j]})", "=", printer.doprint(matrix[i, j]))
            for i in range(count)
            for j in range(i + 1, count)
        ]
    return out


def _tuple(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _word(name: str) -> str:
    r"""A function spelled out: the underscore of ``leaky_relu`` is a space, no subscript."""
    words = r"\ ".join(map(tex, name.split("_")))
    return rf"\operatorname{{{words}}}"


class MathLatex(Typesetter, LatexPrinter):
    """sympy's printer with the writing order and grouping of :class:`Typesetter`."""

    printmethod = ""

    def __init__(self, notation: Notation | None, laws: Laws) -> None:
        LatexPrinter.__init__(self)
        self.names = notation.latex if notation else {}
        self.laws = laws
        self.small = False

    def sum(self, terms: Sequence[tuple[bool, str]]) -> str:
        first, *others = terms
        return (
            ("-" if first[0] else "")
            + first[1]
            + "".join((" - " if negative else " + ") + text for negative, text in others)
        )

    def minus(self, body: str) -> str:
        return f"-{body}"

    def bracket(self, body: str, kind: str = "()") -> str:
        if is_tall(body):
            return rf"\left{kind[0]}{body}\right{kind[1]}"
        return {"()": f"({body})", "[]": f"[{body}]", "||": rf"\lvert {body}\rvert"}[kind]

    def product(self, factors: Sequence[Expr]) -> str:
        out = ""
        for k, factor in enumerate(factors):
            text = self._print(factor)
            if isinstance(factor, sp.Add) or self._needs_mul_brackets(factor, first=k == 0, last=k == len(factors) - 1):
                text = self.bracket(text) if len(factors) > 1 else text
            beside = k > 0 and is_inner_product(factors[k - 1])
            apart = beside or is_inner_product(factor) or text.startswith(r"\mathbb{E}")
            out += ("" if not out else r" \cdot " if text[0].isdigit() else r" \, " if apart else " ") + text
        return out or "1"

    def quotient(self, above: Sequence[Expr], below: Sequence[Expr]) -> str:
        if not below:
            return self.product(above)
        if self.small:
            return self._slash(above, below)
        inside, beside = list(above), []
        if not self._fits(inside) or self._would_tower(inside):
            beside = [f for f in above if is_long(f)]
            inside = [f for f in above if not is_long(f)]
        fraction = rf"\frac{{{self.product(inside)}}}{{{self._flat(lambda: self.product(below))}}}"
        if not beside:
            return fraction
        rest = self.product([sp.S.One, *beside]).removeprefix("1").lstrip()
        return f"{fraction} {rest}"

    def _slash(self, above: Sequence[Expr], below: Sequence[Expr]) -> str:
        top, bottom = self.product(above), self.product(below)
        if len(above) == 1 and isinstance(above[0], sp.Add):
            top = self.bracket(top)
        return f"{top}/({bottom})" if len(below) > 1 or isinstance(below[0], sp.Add) else f"{top}/{bottom}"

    def _flat(self, set_: Callable[[], str]) -> str:
        """What is set, with a slash where it would have a fraction bar."""
        text = set_()
        if r"\frac" not in text:
            return text
        before, self.small = self.small, True
        text = set_()
        self.small = before
        return text

    def _fits(self, factors: Sequence[Expr]) -> bool:
        return width(self.product(factors)) <= SHORT_NUMERATOR

    def _would_tower(self, factors: Sequence[Expr]) -> bool:
        return any(r"\frac" in self._print(f) for f in factors)

    def root(self, radicand: Expr, index: int) -> str:
        factors = [self._print(f) for f in sp.Mul.make_args(radicand)]
        if index == 2 and all(f.endswith(NORM) for f in factors):
            return r" \, ".join(sorted(f.removesuffix("^2") for f in factors))
        return (r"\sqrt" if index == 2 else rf"\sqrt[{index}]") + f"{{{self._print(radicand)}}}"

    def power(self, base: Expr, exponent: Expr) -> str:
        text = self._print(base) if exponent.is_number else self._flat(lambda: self._print(base))
        if text.endswith(NORM) and exponent.is_Integer:
            return f"{text[:-1]}{self._script(2 * exponent)}"
        if not is_atom(base) or "^" in text or "'" in text:
            text = self.bracket(text)
        return f"{text}^{self._script(exponent)}"

    def _script(self, exponent: Expr) -> str:
        before, self.small = self.small, True
        text = self._print(factored(exponent))
        self.small = before
        return text if len(text) == 1 else f"{{{text}}}"

    def exponential(self, exponent: Expr) -> str:
        script = self._script(exponent)
        if width(script) <= SHORT_EXPONENT and not re.search(r"\\sqrt|E\}", script):
            return f"e^{script}"
        return rf"\exp{self._spaced(self.bracket(self._print(exponent)))}"

    def call(self, head: str, arguments: Sequence[Expr], exponent: Expr | None = None) -> str:
        texts = [self._print(a) for a in arguments]
        named = re.fullmatch(r"\\(sin|cos|tan|log|arc\w+|sinh|cosh|tanh)", head)
        on_head = exponent is not None and exponent > 0 and named
        raised = f"^{self._script(exponent)}" if exponent is not None else ""
        bare = isinstance(arguments[0], Symbol) and not is_inner_product(arguments[0]) and "(" not in texts[0]
        if named and bare and (on_head or not raised):
            return f"{head}{raised} {texts[0]}"
        inside = self._spaced(self.bracket(", ".join(texts)))
        return f"{head}{raised}{inside}" if on_head else f"{head}{inside}{raised}"

    def _spaced(self, bracket: str) -> str:
        return rf"\!{bracket}" if bracket.startswith(r"\left") else bracket

    def head(self, function: Expr) -> str:
        if isinstance(function, Unknown):
            marks, index = primes(function.orders)
            name = latex_name(function.name)
            if index.startswith("("):
                return f"{name}^{{{index}}}"
            return rf"\partial_{{{index}}} {name}" if index else name + marks
        name = type(function).__name__
        if name in HEADS:
            return HEADS[name][0]
        known = str(function.func)
        return latex_name(known) if len(known) == 1 or known in GREEK else _word(known)

    def covariance(self, matrix: ImmutableDenseMatrix) -> str:
        """One variance as it is, more as a matrix."""
        if matrix.rows == 1:
            return str(self._print(matrix[0, 0]))
        rows = r" \\[3pt] ".join(" & ".join(self._print(e) for e in matrix.row(i)) for i in range(matrix.rows))
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"

    def _print_E(self, expr: Expr) -> str:
        return r"\mathbb{E}" + super()._print_E(expr)

    def _print_Symbol(self, expr: Symbol, **_: Any) -> str:
        return math_text(self.names.get(expr, "")) or latex_name(expr.name)

    def _print_Integer(self, expr: Expr) -> str:
        return str(expr)

    def _print_Pi(self, expr: Expr) -> str:
        return r"\pi"

    def _print_Infinity(self, expr: Expr) -> str:
        return r"\infty"

    def _print_NegativeInfinity(self, expr: Expr) -> str:
        return r"-\infty"

    def _print_ComplexRootOf(self, expr: Expr, **_: Any) -> str:
        return rf"\operatorname{{root}}_{{{expr.index + 1}}}({self._print(expr.poly.as_expr())})"

    def _print_And(self, expr: Expr, **_: Any) -> str:
        if (found := chain(expr)) is not None:
            a, first, x, second, b = found
            signs = {"<": "<", "<=": r"\leq"}
            return f"{self._print(a)} {signs[first]} {self._print(x)} {signs[second]} {self._print(b)}"
        return r" \text{ and } ".join(self._side(a) for a in _sorted_conditions(expr))

    def _print_Or(self, expr: Expr, **_: Any) -> str:
        return r" \text{ or } ".join(self._side(a) for a in _sorted_conditions(expr))

    def _side(self, condition: Expr) -> str:
        text = self._print(condition)
        return self.bracket(text) if isinstance(condition, sp.And | sp.Or) else text


def _sorted_conditions(expr: Expr) -> list[Expr]:
    return sorted(expr.args, key=lambda c: (not isinstance(c, sp.Eq), sp.default_sort_key(c)))
