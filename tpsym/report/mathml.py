"""Expressions as presentation MathML, which browsers set without any script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy import Basic, Expr, ImmutableDenseMatrix, Symbol
from sympy.printing.printer import Printer

from tpsym.functions import Unknown
from tpsym.report.escape import html
from tpsym.report.laws import Laws
from tpsym.report.names import Style, render, split_identifier
from tpsym.report.ordering import chain, factored, is_inner_product
from tpsym.report.text import RELATIONS, text
from tpsym.report.typesetter import HEADS, Typesetter, is_atom, is_long, primes


def mathml(*pieces: Basic | str, laws: Laws, block: bool = False) -> str:
    """A ``<math>`` element of expressions and operators (``"="``) in a row."""
    printer = MathMl(laws)
    inside = "".join(operator(p) if isinstance(p, str) else printer.doprint(p) for p in pieces)
    opening = '<math display="block">' if block else "<math>"
    return f"{opening}<mrow>{inside}</mrow></math>"


def law_clauses(laws: Laws) -> list[str]:
    """``z ~ N(0, q)`` for each law."""
    printer = MathMl(laws)
    out = []
    for matrix, variables in laws.variables.items():
        left = operator(",").join(map(printer.doprint, variables))
        left = left if len(variables) == 1 else printer.bracket(left)
        law = printer.bracket(f"<mn>0</mn>{operator(',')}{printer.covariance(matrix)}")
        out.append(f"<math><mrow>{left}{operator('∼')}<mi>𝒩</mi>{law}</mrow></math>")
    return out


def operator(sign: str) -> str:
    """An operator or bracket."""
    return f"<mo>{html(sign)}</mo>"


def _identifier(name: str) -> str:
    return f"<mi>{html(name)}</mi>"


def _letter(name: str) -> str:
    head, below, marks = split_identifier(name)
    out = _identifier(head)
    if below:
        out = f"<msub>{out}<mrow>{_identifier(below)}</mrow></msub>"
    return f"<msup>{out}<mo>{'′' * len(marks)}</mo></msup>" if marks else out


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def _over(kind: str, inside: str) -> str:
    accent = {"Ẑ": "^", "Ż": "˙"}.get(kind)
    base = f"<mover accent='true'><mi>Z</mi><mo>{accent}</mo></mover>" if accent else "<mi>Z</mi>"
    return f"<msup>{base}{_row(inside)}</msup>"


NAMES = Style(
    letter=_letter,
    number=lambda digits: f"<mn>{digits}</mn>",
    operator=lambda t: operator({"-": "−", "*": "·", "@": "\u2062", "T": "⊤"}.get(t, t)),
    subscript=lambda base, index: f"<msub>{_row(base)}{_row(index)}</msub>",
    superscript=lambda base, exponent: (
        f"<msup>{_row(base)}{operator('*') if exponent == '*' else _row(exponent)}</msup>"
    ),
    call=lambda head, inside: f"{head}{operator('(')}{inside}{operator(')')}",
    product=lambda x, y: f"<msup>{_row(x)}<mo>⊤</mo></msup>{_row(y)}",
    variable=_over,
)


def mathml_name(name: str) -> str:
    """A name of the language as MathML, without the ``<math>`` element."""
    return _row(render(name, NAMES))


class MathMl(Typesetter, Printer):
    """Presentation MathML; what is not met here is set as text."""

    printmethod = ""

    def __init__(self, laws: Laws) -> None:
        Printer.__init__(self)
        self.laws = laws

    def emptyPrinter(self, expr: Any) -> str:
        return f"<mtext>{html(text(expr, laws=self.laws) if isinstance(expr, Basic) else str(expr))}</mtext>"

    def sum(self, terms: Sequence[tuple[bool, str]]) -> str:
        first, *others = terms
        out = (operator("−") if first[0] else "") + first[1]
        return _row(out + "".join(operator("−" if negative else "+") + body for negative, body in others))

    def minus(self, body: str) -> str:
        return _row(operator("−") + body)

    def bracket(self, body: str, kind: str = "()") -> str:
        return _row(operator(kind[0]) + body + operator(kind[1]))

    def product(self, factors: Sequence[Expr]) -> str:
        out = ""
        for k, factor in enumerate(factors):
            body = self._print(factor)
            if len(factors) > 1 and isinstance(factor, sp.Add | sp.Mul | sp.Piecewise | sp.Sum | sp.Product):
                body = self.bracket(body)
            space = is_inner_product(factor) or (k > 0 and is_inner_product(factors[k - 1]))
            out += ("" if not k else "<mspace width='.17em'/>" if space else operator("\u2062")) + body
        return _row(out) if out else "<mn>1</mn>"

    def quotient(self, above: Sequence[Expr], below: Sequence[Expr]) -> str:
        if not below:
            return self.product(above)
        inside, beside = list(above), []
        if len(text(sp.Mul(*above, evaluate=False), laws=self.laws)) > 18:
            inside, beside = [f for f in above if not is_long(f)], [f for f in above if is_long(f)]
        fraction = f"<mfrac>{self.product(inside)}{self.product(below)}</mfrac>"
        if not beside:
            return fraction
        rest = self.product(beside)
        if len(beside) == 1 and isinstance(beside[0], sp.Add):
            rest = self.bracket(rest)
        return _row(fraction + operator("\u2062") + rest)

    def root(self, radicand: Expr, index: int) -> str:
        inside = self._print(radicand)
        return f"<msqrt>{inside}</msqrt>" if index == 2 else f"<mroot>{inside}<mn>{index}</mn></mroot>"

    def power(self, base: Expr, exponent: Expr) -> str:
        body = self._print(base)
        return f"<msup>{body if is_atom(base) else self.bracket(body)}{self._print(factored(exponent))}</msup>"

    def exponential(self, exponent: Expr) -> str:
        return f"<msup><mi>e</mi>{self._print(exponent)}</msup>"

    def call(self, head: str, arguments: Sequence[Expr], exponent: Expr | None = None) -> str:
        inside = self.bracket(operator(",").join(self._print(a) for a in arguments))
        body = _row(head + operator("\u2061") + inside)
        return body if exponent is None else f"<msup>{body}{self._print(exponent)}</msup>"

    def head(self, function: Expr) -> str:
        if isinstance(function, Unknown):
            marks, index = primes(function.orders)
            name = mathml_name(function.name)
            if marks:
                return f"<msup>{name}<mo>{'′' * len(marks)}</mo></msup>"
            if index.startswith("("):
                return f"<msup>{name}<mtext>{index}</mtext></msup>"
            return f"<msub><mo>∂</mo><mn>{index}</mn></msub>{name}" if index else name
        name = type(function).__name__
        return _identifier(HEADS[name][1]) if name in HEADS else _letter(str(function.func))

    def covariance(self, matrix: ImmutableDenseMatrix) -> str:
        """One variance as it is, more as a matrix."""
        if matrix.rows == 1:
            return str(self._print(matrix[0, 0]))
        rows = "".join(
            "<mtr>" + "".join(f"<mtd>{self._print(e)}</mtd>" for e in matrix.row(i)) + "</mtr>"
            for i in range(matrix.rows)
        )
        return self.bracket(f"<mtable>{rows}</mtable>")

    def _print_Sum(self, expr: Any) -> str:
        return self._series("∑", expr)

    def _print_Product(self, expr: Any) -> str:
        return self._series("∏", expr)

    def _series(self, sign: str, expr: Any) -> str:
        body = self._print(expr.function)
        body = self.bracket(body) if isinstance(expr.function, sp.Add) else body
        for index, low, high in expr.limits:
            under = _row(self._print(index) + operator("=") + self._print(low))
            body = f"<munderover>{operator(sign)}{under}{self._print(high)}</munderover>{body}"
        return _row(body)

    def _print_E(self, expr: Expr) -> str:
        return _row("<mi>𝔼</mi>" + super()._print_E(expr))

    def _print_Symbol(self, expr: Symbol) -> str:
        return mathml_name(expr.name)

    def _print_Integer(self, expr: Expr) -> str:
        return f"<mn>{expr}</mn>" if expr >= 0 else self.minus(f"<mn>{-expr}</mn>")

    def _print_Atom(self, expr: Expr) -> str:
        return _identifier(text(expr, laws=self.laws))

    def _print_ComplexRootOf(self, expr: Any) -> str:
        name = f"<msub><mi>root</mi><mn>{expr.index + 1}</mn></msub>"
        return _row(name + self.bracket(self._print(expr.poly.as_expr())))

    def _print_Relational(self, expr: Any) -> str:
        return _row(self._print(expr.lhs) + operator(RELATIONS[expr.rel_op]) + self._print(expr.rhs))

    def _print_And(self, expr: Any) -> str:
        if (found := chain(expr)) is not None:
            a, first, x, second, b = found
            return _row(self._print(a) + operator(RELATIONS[first]) + self._print(x) + operator(RELATIONS[second])
                        + self._print(b))
        return self._joined(expr, "and")

    def _print_Or(self, expr: Any) -> str:
        return self._joined(expr, "or")

    def _joined(self, expr: Any, word: str) -> str:
        parts = sorted(expr.args, key=lambda c: (not isinstance(c, sp.Eq), sp.default_sort_key(c)))
        return _row(f"<mtext>&#160;{word}&#160;</mtext>".join(map(self._print, parts)))
