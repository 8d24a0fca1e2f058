"""Expressions of the tree from the rules of ``grammar/tp.lark``: one method per rule, called bottom-up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from tpsym.errors import Span, TpError, fail
from tpsym.syntax import tree
from tpsym.syntax.alphabet import fold
from tpsym.syntax.tokens import Token

Children = list[Any]
"""What a rule is made of: tokens, expressions, and the helpers below."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """``name=value`` among the arguments of a call."""

    name: str
    value: tree.Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Clauses:
    """``for a in .., b in ..``."""

    items: tuple[tree.For, ...]
    span: Span


def across(children: Children) -> Span:
    """From the first to the last child."""
    first: Span = children[0].span
    last: Span = children[-1].span
    return first.to(last)


def expressions(children: Children) -> tuple[tree.Expr, ...]:
    """The children that are no punctuation."""
    return tuple(child for child in children if not isinstance(child, Token))


class ExpressionBuilder:
    """Rules of expressions. Stateless; each method gets the children of its rule, tokens included."""

    def expression(self, children: Children) -> tree.Expr:
        value: tree.Expr = children[0]
        return value

    def binary(self, children: Children) -> tree.Expr:
        left, op, right = children
        return tree.Binary(op.kind, left, right, span=across(children))

    def unary(self, children: Children) -> tree.Expr:
        op, operand = children
        return tree.Unary(op.kind, operand, span=across(children))

    def compare(self, children: Children) -> tree.Expr:
        ops = tuple(token.kind for token in children[1::2])
        return tree.Compare(ops, tuple(children[::2]), span=across(children))

    def tolerance(self, children: Children) -> tree.Expr:
        return tree.Tolerance(children[0], children[2], span=across(children))

    def name(self, children: Children) -> tree.Name:
        return name(children[0])

    def number(self, children: Children) -> tree.Number:
        text: str = children[0].text
        return tree.Number(Fraction(text), text, span=children[0].span)

    def group(self, children: Children) -> tree.Expr:
        inner: tree.Expr = replace(children[1], span=across(children))
        return inner

    def tuple_(self, children: Children) -> tree.TupleLiteral:
        return tree.TupleLiteral(expressions(children), span=across(children))

    def list_(self, children: Children) -> tree.ListLiteral:
        return tree.ListLiteral(expressions(children), span=across(children))

    def listing(self, children: Children) -> tree.Comprehension:
        _, body, clauses, _ = children
        return tree.Comprehension("list", body, clauses, span=across(children))

    def table(self, children: Children) -> tree.TableLiteral:
        pairs = tuple(child for child in children if not isinstance(child, Token))
        return tree.TableLiteral(pairs, span=across(children))

    def entry(self, children: Children) -> tuple[tree.Expr, tree.Expr]:
        return children[0], children[2]

    def keyword(self, children: Children) -> Keyword:
        left, _, value = children
        if not isinstance(left, tree.Name):
            raise fail(
                "bad-keyword",
                "the left side of = in a call must be the name of an option",
                left.span,
                fix="write == to compare",
            )
        return Keyword(left.id, value, across(children))

    def call(self, children: Children) -> tree.Expr:
        args, kwargs = arguments(children[2:])
        return tree.Call(children[0], args, kwargs, span=across(children))

    def comprehension(self, children: Children) -> tree.Expr:
        function, _, body, clauses, _ = children
        if not (isinstance(function, tree.Name) and function.id in ("sum", "mean")):
            raise fail(
                "bad-comprehension",
                "only sum and mean run over an index",
                function.span,
                expected="sum(... for k in 1..K) or mean(... for k in 1..K)",
            )
        if isinstance(body, Keyword):
            raise fail(
                "bad-comprehension", "an option cannot stand before for", body.span, fix="write == to compare"
            )
        return tree.Comprehension(function.id, body, clauses, span=across(children))

    def index(self, children: Children) -> tree.Expr:
        base, *rest = children
        items = expressions(rest)
        if isinstance(base, tree.Name) and base.id == "E":
            if len(items) != 1:
                raise fail(
                    "bad-expectation",
                    "E[ ... ] takes one expression",
                    items[1].span,
                    fix="write the expectation of a product as E[x*y]",
                )
            return tree.Expectation(items[0], span=across(children))
        return tree.Index(base, items, span=across(children))

    def attribute(self, children: Children) -> tree.Expr:
        word = children[2].text
        return tree.Attribute(children[0], fold(word), word, span=across(children))

    def clause(self, children: Children) -> tree.For:
        index, _, low, _, high = children
        return tree.For(name(index), low, high, span=across(children))

    def for_(self, children: Children) -> Clauses:
        return Clauses(tuple(child for child in children if isinstance(child, tree.For)), across(children))

    def fors(self, children: Children) -> tuple[tree.For, ...]:
        return tuple(clause for each in children for clause in each.items)


def name(token: Token) -> tree.Name:
    """A name with Greek letters folded; ``∞`` is ``oo``."""
    return tree.Name("oo" if token.text == "∞" else fold(token.text), token.text, span=token.span)


def arguments(children: Children) -> tuple[tuple[tree.Expr, ...], tuple[tuple[str, tree.Expr], ...]]:
    """Positional and named arguments, in this order in the text."""
    args: list[tree.Expr] = []
    kwargs: dict[str, tree.Expr] = {}
    for child in children:
        if isinstance(child, Token):
            continue
        if isinstance(child, Keyword):
            if child.name in kwargs:
                raise fail("repeated-option", f"the option {child.name} is given twice", child.span)
            kwargs[child.name] = child.value
        elif kwargs:
            raise fail(
                "argument-order",
                "an argument without a name cannot follow one with a name",
                child.span,
                fix="write it first, or give it its name; write == to compare",
            )
        else:
            args.append(child)
    return tuple(args), tuple(kwargs.items())


def target(left: tree.Expr) -> tree.Target:
    """The left side of ``=`` as what it names.

    Raises:
        TpError: unless it is a name or a name with indices.
    """
    if isinstance(left, tree.Name):
        return tree.Target(left, span=left.span)
    if isinstance(left, tree.Index) and isinstance(left.base, tree.Name):
        return tree.Target(left.base, left.indices, span=left.span)
    raise bad_target(left)


def bad_target(left: tree.Expr) -> TpError:
    """What to do about an expression that cannot be assigned to."""
    expected, fix = "a name such as h, or a name with indices such as h[l]", None
    if isinstance(left, tree.Call):
        fix = "define a function with def, fn or let"
    elif isinstance(left, tree.Compare):
        fix = "write = once, the name left of it"
    elif isinstance(left, (tree.ListLiteral, tree.TupleLiteral)):
        fix = "assign the values one by one"
    return fail("bad-target", "this cannot stand left of =", left.span, expected=expected, fix=fix)
