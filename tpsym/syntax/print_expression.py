"""Expressions to text, with the parentheses that are needed and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import singledispatchmethod

from tpsym.errors import Span
from tpsym.syntax import tree

IFF, OR, AND, NOT, COMPARE, TOLERANCE, SUM, TERM, FACTOR, POWER, ATOM = range(11)
"""How tightly the operators bind, loosest first."""

_LEVELS = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": TERM, "/": TERM, "@": TERM, "^": POWER}


def format_expression(expr: tree.Expr) -> str:
    """The expression on one line, in canonical spacing; reading it gives an equal tree."""
    return Printer().show(expr)


@dataclass(frozen=True, slots=True)
class Printer:
    """With ``breaks``, what began a new line in the source does so again (``\\n`` without indentation).

    ``tight`` sums are written without blanks, as in ``h[l-1]`` and ``2..L-1``; it holds for the
    outermost operators only.
    """

    breaks: bool = False
    tight: bool = False

    def show(self, expr: tree.Expr, level: int = IFF) -> str:
        """The text, in parentheses if it binds less tightly than ``level``."""
        own = level_of(expr)
        if own < level:
            return f"({replace(self, tight=False)._text(expr)})"
        return self._text(expr)

    def enclosed(self, expr: tree.Expr) -> str:
        """The text where no bracket is open: in parentheses if it goes over several lines by itself."""
        text = self.show(expr)
        return f"({text})" if _breaks_outside(text) else text

    def listed(
        self, items: Sequence[tree.Node], opening: Span, closing: Span, show: Callable[[int], str]
    ) -> str:
        """``show(0), show(1), …`` inside brackets that begin at ``opening`` and end at ``closing``."""
        if not items:
            return ""
        text = self._gap(opening, items[0].span, "") + show(0)
        for place in range(1, len(items)):
            text += "," + self._gap(items[place - 1].span, items[place].span, " ") + show(place)
        return text + self._gap(items[-1].span, Span(closing.end_line, 1, 1, 1), "")

    def clauses(self, clauses: tuple[tree.For, ...]) -> str:
        """``for a in 1..2, b in 1..3``."""
        return "for " + ", ".join(self._clause(each) for each in clauses)

    def _clause(self, clause: tree.For) -> str:
        inner = Printer(tight=True)
        return f"{clause.index.text} in {inner.show(clause.low, SUM)}..{inner.show(clause.high, SUM)}"

    def _gap(self, before: Span, after: Span, otherwise: str) -> str:
        return "\n" if self.breaks and after.line > before.end_line else otherwise

    @singledispatchmethod
    def _text(self, expr: tree.Expr) -> str:
        raise TypeError(f"no text for {type(expr).__name__}")

    @_text.register
    def _(self, expr: tree.Number) -> str:
        return expr.text.removesuffix(".") if expr.text else number_text(expr.value)

    @_text.register
    def _(self, expr: tree.Name) -> str:
        # The word not in front of an operand would be read as the operator.
        return f"({expr.text})" if expr.text == "not" else expr.text or expr.id

    @_text.register
    def _(self, expr: tree.Unary) -> str:
        if expr.op == "not":
            return "not " + self.show(expr.operand, NOT)
        return expr.op + self._signless(expr.operand, FACTOR)

    @_text.register
    def _(self, expr: tree.Binary) -> str:
        level = _LEVELS[expr.op]
        if level == POWER:
            inner = replace(self, tight=False)
            return f"{inner.show(expr.left, ATOM)}^{inner._signless(expr.right, FACTOR)}"
        return self._chain(expr, level)

    def _chain(self, expr: tree.Binary, level: int) -> str:
        """A left-associative chain; a product with ``@`` in it is spaced throughout."""
        links: list[tree.Binary] = []
        first: tree.Expr = expr
        while isinstance(first, tree.Binary) and _LEVELS[first.op] == level:
            links.append(first)
            first = first.left
        spaced = level < SUM or any(link.op == "@" for link in links) or (level == SUM and not self.tight)
        text = self.show(first, level)
        for link in reversed(links):
            blank = " " if spaced else ""
            right = (
                self._signless(link.right, level + 1) if level >= SUM else self.show(link.right, level + 1)
            )
            text += self._gap(link.left.span, link.right.span, blank) + link.op + blank + right
        return text

    def _signless(self, expr: tree.Expr, level: int) -> str:
        """The text after another sign: in parentheses if it begins with a sign itself."""
        text = self.show(expr, level)
        return f"({replace(self, tight=False).show(expr)})" if text.startswith(("-", "+")) else text

    @_text.register
    def _(self, expr: tree.Compare) -> str:
        level = OR if "<=>" in expr.ops else TOLERANCE
        if all(isinstance(each, tree.Binary) and each.op in ("and", "or") for each in expr.operands):
            level = NOT  # not needed, but without parentheses the two sides run together
        text = self._operand(expr.operands[0], level)
        for place, op in enumerate(expr.ops):
            before, after = expr.operands[place : place + 2]
            text += self._gap(before.span, after.span, " ") + op + " " + self._operand(after, level)
        return text

    def _operand(self, expr: tree.Expr, level: int) -> str:
        text = self.show(expr, level)
        return f"({text})" if _breaks_outside(text) else text

    @_text.register
    def _(self, expr: tree.Tolerance) -> str:
        return f"{self.show(expr.value, SUM)} +- {self.show(expr.error, SUM)}"

    @_text.register
    def _(self, expr: tree.Call) -> str:
        inner = replace(self, tight=False)
        values = [*expr.args, *(value for _, value in expr.kwargs)]
        names = [""] * len(expr.args) + [f"{name} = " for name, _ in expr.kwargs]
        args = inner.listed(values, expr.function.span, expr.span, lambda k: names[k] + inner.show(values[k]))
        return f"{inner._base(expr.function)}({args})"

    @_text.register
    def _(self, expr: tree.Index) -> str:
        inner = replace(self, tight=True)
        items = inner.listed(expr.indices, expr.base.span, expr.span, lambda k: inner.show(expr.indices[k]))
        return f"{inner._base(expr.base)}[{items}]"

    @_text.register
    def _(self, expr: tree.Attribute) -> str:
        return f"{self._base(expr.base)}.{expr.text or expr.name}"

    def _base(self, expr: tree.Expr) -> str:
        """What an index, a call or an attribute is taken of; a number would swallow the dot."""
        text = replace(self, tight=False).show(expr, ATOM)
        return f"({text})" if isinstance(expr, tree.Number) and not text.startswith("(") else text

    @_text.register
    def _(self, expr: tree.Expectation) -> str:
        inner = replace(self, tight=False)
        return f"E[{inner.listed([expr.body], _start(expr), expr.span, lambda _: inner.show(expr.body))}]"

    @_text.register
    def _(self, expr: tree.Comprehension) -> str:
        inner = replace(self, tight=False)
        body = inner.listed([expr.body], _start(expr), expr.body.span, lambda _: inner.show(expr.body))
        gap = self._gap(expr.body.span, expr.clauses[0].span, " ")
        closing = self._gap(expr.clauses[-1].span, Span(expr.span.end_line, 1, 1, 1), "")
        inside = f"{body}{gap}{self.clauses(expr.clauses)}{closing}"
        return f"[{inside}]" if expr.function == "list" else f"{expr.function}({inside})"

    @_text.register
    def _(self, expr: tree.ListLiteral) -> str:
        inner = replace(self, tight=False)
        return f"[{inner.listed(expr.items, _start(expr), expr.span, lambda k: inner.show(expr.items[k]))}]"

    @_text.register
    def _(self, expr: tree.TupleLiteral) -> str:
        comma = "," if len(expr.items) == 1 else ""
        return self.shape(expr)[:-1] + comma + ")"

    def shape(self, expr: tree.TupleLiteral) -> str:
        """A tuple in a shape position, where ``(n)`` needs no comma."""
        inner = replace(self, tight=False)
        return f"({inner.listed(expr.items, _start(expr), expr.span, lambda k: inner.show(expr.items[k]))})"

    @_text.register
    def _(self, expr: tree.TableLiteral) -> str:
        inner = replace(self, tight=False)
        entries = [_Entry(key, value, span=key.span.to(value.span)) for key, value in expr.items]
        shown = [f"{inner.show(key, SUM)}: {inner.show(value)}" for key, value in expr.items]
        return f"{{{inner.listed(entries, _start(expr), expr.span, lambda k: shown[k])}}}"


@dataclass(frozen=True, slots=True)
class _Entry(tree.Node):
    key: tree.Expr
    value: tree.Expr


def level_of(expr: tree.Expr) -> int:
    """How tightly the outermost operator of an expression binds."""
    if isinstance(expr, tree.Binary):
        return _LEVELS[expr.op]
    if isinstance(expr, tree.Unary):
        return NOT if expr.op == "not" else FACTOR
    if isinstance(expr, tree.Compare):
        return IFF if "<=>" in expr.ops else COMPARE
    return TOLERANCE if isinstance(expr, tree.Tolerance) else ATOM


def number_text(value: Fraction) -> str:
    """A literal, or a quotient in parentheses where a number has no finite decimal text."""
    if value.denominator == 1 and value >= 0:
        return str(value)
    return f"({value})"


def _start(expr: tree.Expr) -> Span:
    return Span(expr.span.line, expr.span.column, expr.span.line, expr.span.column + 1)


def _breaks_outside(text: str) -> bool:
    """Whether a line ends where no bracket is open."""
    depth = 0
    for sign in re.findall(r"[\n()\[\]{}]", text):
        if sign == "\n" and not depth:
            return True
        depth += (sign in "([{") - (sign in ")]}")
    return False
