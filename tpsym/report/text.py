"""Expressions as one line of Unicode, and lines broken where a reader would break them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy import Basic, Expr, ImmutableDenseMatrix, Symbol
from sympy.printing.str import StrPrinter

from tpsym.functions import Unknown
from tpsym.report.escape import columns
from tpsym.report.laws import Laws
from tpsym.report.names import SUPERSCRIPT, unicode_name
from tpsym.report.ordering import chain, factored, is_inner_product
from tpsym.report.typesetter import HEADS, Typesetter, is_atom, is_long, is_symbol, primes

LONG_NUMERATOR = 24
"""Columns above a fraction bar; a longer numerator leaves its long factors after the denominator."""

SHORT_EXPONENT = 12
"""Columns of an exponent written without spaces: ``q^(l−1)``."""

RELATIONS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">"}


def text(expr: Basic, *, laws: Laws | None = None) -> str:
    """The expression on one line: ``σ_w²·(x·y)/d + σ_b²``, ``E[relu(z)²]``."""
    return str(MathText(laws or Laws.of(expr)).doprint(expr))


def law_clauses(laws: Laws, *, room: int = 1000) -> list[str]:
    """``(z₁, z₂) ~ N(0, [[q, c], [c, s]])`` for each law; by single entries where that is too wide."""
    printer = MathText(laws)
    out: list[str] = []
    for matrix, variables in laws.variables.items():
        names = [printer.doprint(v) for v in variables]
        whole = f"{_tuple(names)} ~ N(0, {printer.covariance(matrix)})"
        if columns(whole) <= room or len(names) == 1:
            out.append(whole)
            continue
        out += [f"{name} ~ N(0, {printer.doprint(matrix[k, k])})" for k, name in enumerate(names)]
        out += [
            f"Cov({names[i]}, {names[j]}) = {printer.doprint(matrix[i, j])}"
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
    return out


def _tuple(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


class MathText(Typesetter, StrPrinter):
    """sympy's string printer with the writing order and grouping of :class:`Typesetter`."""

    printmethod = ""

    def __init__(self, laws: Laws) -> None:
        StrPrinter.__init__(self)
        self.laws = laws

    def sum(self, terms: Sequence[tuple[bool, str]]) -> str:
        first, *others = terms
        return (
            ("−" if first[0] else "")
            + first[1]
            + "".join((" − " if negative else " + ") + text for negative, text in others)
        )

    def minus(self, body: str) -> str:
        return f"−{body}"

    def bracket(self, body: str, kind: str = "()") -> str:
        return f"{kind[0]}{body}{kind[1]}"

    def product(self, factors: Sequence[Expr]) -> str:
        out = ""
        for factor in factors:
            text = self._print(factor)
            if len(factors) > 1 and (self._is_compound(factor)):
                text = self.bracket(text)
            juxtaposed = bool(re.fullmatch(r"\d+", out)) and text[0].isalpha() and is_symbol(factor)
            out += ("" if not out or juxtaposed else "·") + text
        return out or "1"

    def _is_compound(self, factor: Expr) -> bool:
        return isinstance(factor, sp.Add | sp.Mul | sp.Piecewise | sp.Sum) or is_inner_product(factor)

    def quotient(self, above: Sequence[Expr], below: Sequence[Expr]) -> str:
        top = self.product(above)
        short = [f for f in above if not is_long(f)]
        if below and columns(top) > LONG_NUMERATOR and 0 < len(short) < len(above):
            rest = self.product([sp.S.One, *(f for f in above if is_long(f))]).removeprefix("1·")
            if columns(rest) > LONG_NUMERATOR / 2:
                return f"{self.quotient(short, below)}·{rest}"
        if len(above) == 1 and self._is_compound(above[0]) and below:
            top = self.bracket(top)
        if not below:
            return top
        bottom = self.product(below)
        simple = len(below) == 1 and not self._is_compound(below[0])
        return f"{top}/{bottom}" if simple else f"{top}/({bottom})"

    def root(self, radicand: Expr, index: int) -> str:
        sign = {2: "√", 3: "∛", 4: "∜"}.get(index)
        inside = self._print(radicand)
        if sign is None:
            return f"{self._base(radicand)}^(1/{index})"
        return sign + (inside if is_atom(radicand) and not isinstance(radicand, sp.Function) else f"({inside})")

    def power(self, base: Expr, exponent: Expr) -> str:
        return self._base(base) + self._raised(exponent)

    def _base(self, base: Expr) -> str:
        inside = self._print(base)
        return inside if is_atom(base) else self.bracket(inside)

    def _raised(self, exponent: Expr) -> str:
        inside = self._print(factored(exponent))
        if isinstance(exponent, sp.Add) and columns(inside) <= SHORT_EXPONENT:
            inside = inside.replace(" ", "")
        if exponent.is_Integer:
            return inside.replace("−", "-").translate(SUPERSCRIPT)
        return f"^{inside}" if isinstance(exponent, Symbol) else f"^({inside})"

    def exponential(self, exponent: Expr) -> str:
        return "e" if exponent == 1 else f"exp({self._print(exponent)})"

    def call(self, head: str, arguments: Sequence[Expr], exponent: Expr | None = None) -> str:
        inside = ", ".join(self._print(a) for a in arguments)
        return f"{head}({inside})" + (self._raised(exponent) if exponent is not None else "")

    def head(self, function: Expr) -> str:
        if isinstance(function, Unknown):
            marks, index = primes(function.orders)
            name = unicode_name(function.name)
            if index.startswith("("):
                return f"{name}^{index}"
            return f"∂{index.translate(_BELOW)}{name}" if index else name + marks
        name = type(function).__name__
        return HEADS[name][1] if name in HEADS else unicode_name(str(function.func))

    def covariance(self, matrix: ImmutableDenseMatrix) -> str:
        """One variance as it is, more as a list of rows."""
        if matrix.rows == 1:
            return str(self._print(matrix[0, 0]))
        rows = (", ".join(self._print(e) for e in matrix.row(i)) for i in range(matrix.rows))
        return "[" + ", ".join(f"[{row}]" for row in rows) + "]"

    def _print_E(self, expr: Expr) -> str:
        return "E" + super()._print_E(expr)

    def _print_Symbol(self, expr: Symbol) -> str:
        return unicode_name(expr.name)

    def _print_Dummy(self, expr: Symbol) -> str:
        return unicode_name(expr.name)

    def _print_Integer(self, expr: Expr) -> str:
        return str(expr).replace("-", "−")

    def _print_Pi(self, expr: Expr) -> str:
        return "π"

    def _print_Exp1(self, expr: Expr) -> str:
        return "e"

    def _print_Infinity(self, expr: Expr) -> str:
        return "∞"

    def _print_NegativeInfinity(self, expr: Expr) -> str:
        return "−∞"

    def _print_ImaginaryUnit(self, expr: Expr) -> str:
        return "i"

    def _print_Relational(self, expr: Expr) -> str:
        return f"{self._print(expr.lhs)} {RELATIONS[expr.rel_op]} {self._print(expr.rhs)}"

    def _print_And(self, expr: Expr) -> str:
        if (found := chain(expr)) is not None:
            a, first, x, second, b = found
            return f"{self._print(a)} {RELATIONS[first]} {self._print(x)} {RELATIONS[second]} {self._print(b)}"
        return " and ".join(self._side(a) for a in _conditions(expr))

    def _print_Or(self, expr: Expr) -> str:
        return " or ".join(self._side(a) for a in _conditions(expr))

    def _print_Not(self, expr: Expr) -> str:
        return f"not ({self._print(expr.args[0])})"

    def _side(self, condition: Expr) -> str:
        inside = self._print(condition)
        return self.bracket(inside) if isinstance(condition, sp.And | sp.Or) else inside

    def _print_ComplexRootOf(self, expr: Expr) -> str:
        return f"{unicode_name(f'root[{expr.index + 1}]')}({self._print(expr.poly.as_expr())})"

    def _print_Sum(self, expr: Expr) -> str:
        return self._series("Σ", expr)

    def _print_Product(self, expr: Expr) -> str:
        return self._series("Π", expr)

    def _series(self, sign: str, expr: Expr) -> str:
        ends = [(self._print(k), *(self._print(end).replace(" ", "") for end in (a, b))) for k, a, b in expr.limits]
        ranges = ", ".join(f"{k} = {a}..{b}" for k, a, b in ends)
        body = self._print(expr.function)
        return f"{sign}[{ranges}] " + (self.bracket(body) if isinstance(expr.function, sp.Add) else body)

    def _print_Piecewise(self, expr: Expr) -> str:
        cases = (
            f"{self._print(value)} otherwise"
            if condition == sp.true
            else f"{self._print(value)} if {self._print(condition)}"
            for value, condition in expr.args
        )
        return "{" + "; ".join(cases) + "}"


_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _conditions(expr: Expr) -> list[Any]:
    return sorted(expr.args, key=lambda c: (not isinstance(c, sp.Eq), sp.default_sort_key(c)))


# --- lines ------------------------------------------------------------------------------------


def wrap(line: str, *, width: int, indent: str = "    ") -> list[str]:
    """A formula or sentence in lines of at most ``width`` columns.

    A line is broken before a binary operator, as far out of the brackets as possible; at a space or a
    product sign if need be; in the middle of a word only if nothing else fits.
    """
    lines: list[str] = []
    rest, lead = line, ""
    while columns(lead + rest) > width and columns(rest) > 1:
        at = _break(rest, max(2, width - columns(lead)))
        lines.append((lead + rest[:at]).rstrip())
        rest, lead = rest[at:].lstrip(), indent if columns(indent) < width - 10 else ""
    return [*lines, lead + rest]


def _break(line: str, room: int) -> int:
    """Where to cut: the last place of the best kind that fits."""
    best: tuple[float, int] | None = None
    depth, used = 0, 0
    for k, char in enumerate(line):
        used += columns(char)
        if used > room:
            break
        cost = _cost(line, k, depth)
        depth += (char in "([{") - (char in ")]}")
        if k > 1 and cost is not None:
            score = cost + 48 * (1 - used / room)
            if columns(line[k:]) <= room - 4 and (cost == 0 or (depth == 0 and line.startswith("·(", k))):
                score = cost / 2  # to fill this line would save none
            if best is None or score <= best[0]:
                best = (score, k)
    if best is not None:
        return best[1]
    return max(1, len(_prefix(line, room)))


def _cost(line: str, k: int, depth: int) -> float | None:
    if line[k - 1 : k] == " " and line[k] in "+−=~≤≥" and line[k + 1 : k + 2] == " ":
        return 15.0 * depth
    if line[k - 1 : k] == " ":
        return 15.0 * depth + 18 - (8 if line[k - 2 : k - 1] in ",;." else 0)
    if line[k] in "·/" and k:
        return 15.0 * depth + 25
    return None


def _prefix(line: str, room: int) -> str:
    used = 0
    for k, char in enumerate(line):
        used += columns(char)
        if used > room:
            return line[:k]
    return line
