"""Statements of the tree from the rules of ``grammar/tp.lark``."""

from __future__ import annotations

import inspect
import re

from tpsym.errors import Span, fail
from tpsym.syntax import tree
from tpsym.syntax.build import Children, Clauses, Keyword, across, arguments, bad_target, name, target
from tpsym.syntax.build_declarations import DeclarationBuilder, distinct, end_of, reach
from tpsym.syntax.tokens import Token

_BLOCK = (tree.Assign, tree.Loop, tree.Return)


class Where(tuple[tree.Expr | tree.Binding, ...]):
    """The items of one ``where``."""

    __slots__ = ()


class StatementBuilder(DeclarationBuilder):
    """Rules of statements; see :class:`DeclarationBuilder`."""

    def file(self, children: Children) -> tree.File:
        title = children.pop(0) if children and isinstance(children[0], tree.Title) else None
        for statement in children:
            _no_return(statement)
        span = across(children) if children else (title.span if title else Span(1, 1, 1, 2))
        return tree.File(title, tuple(children), span=title.span.to(span) if title else span)

    def title(self, children: Children) -> tree.Title:
        return tree.Title(unquote(children[0].text), span=children[0].span)

    def simple(self, children: Children) -> tree.Statement:
        statement: tree.Statement = children[0]
        return statement

    def block(self, children: Children) -> tuple[tree.Statement, ...]:
        statements = tuple(child for child in children if not isinstance(child, Token))
        for statement in statements:
            if not isinstance(statement, _BLOCK):
                raise fail(
                    "misplaced-statement",
                    f"{_word(statement)} cannot stand inside a block",
                    statement.span,
                    expected="an assignment, a for loop or a return",
                    fix="move it before the block, to the left margin",
                )
        return statements

    def assign(self, children: Children) -> tree.Assign:
        clauses = children[3] if len(children) > 3 else ()
        return tree.Assign(target(children[0]), children[2], clauses, span=reach(children))

    def definition(self, children: Children) -> tree.Def:
        _, word, parameters, _, body = children
        return tree.Def(name(word), parameters, body, span=children[0].span.to(body[-1].span))

    def loop(self, children: Children) -> tree.Loop:
        _, clause, _, body = children
        return tree.Loop(clause, body, span=children[0].span.to(body[-1].span))

    def return_(self, children: Children) -> tree.Return:
        return tree.Return(children[1], span=across(children))

    def train(self, children: Children) -> tree.Train:
        _, word, _, network, _, *rest = children
        args, options = arguments(rest)
        if len(args) != 1 or isinstance(rest[0], Keyword):
            where = args[1].span if len(args) > 1 else rest[0].span
            raise fail(
                "bad-training",
                "the first thing after with is the optimizer, all others are options",
                where,
                expected="with sgd(lr = eta), loss = mse, data = [(x, t)], steps = 2",
            )
        return tree.Train(name(word), network, args[0], options, span=across(children))

    def derive(self, children: Children) -> tree.Derive:
        return tree.Derive(children[1], span=across(children))

    def let(self, children: Children) -> tree.Let:
        _, left, _, value, *tails = children
        parameters: tuple[tree.Name, ...] = ()
        if isinstance(left, tree.Call):
            names = tuple(arg for arg in left.args if isinstance(arg, tree.Name))
            if left.kwargs or len(names) != len(left.args):
                raise bad_target(left)
            distinct(names)
            parameters, left = names, replace_span(left.function, left.span)
        where, clauses = _tails(tails)
        return tree.Let(target(left), parameters, value, where, clauses, span=reach(children))

    def claim(self, children: Children) -> tree.Claim:
        tails = [tail for child in children[3:] if isinstance(child, list) for tail in child]
        relation, *rest = tails
        where, clauses = _tails(rest)
        end = rest[-1] if rest else relation
        return tree.Claim(
            unquote(children[1].text), relation, where, clauses, span=children[0].span.to(end_of(end))
        )

    def claim_line(self, children: Children) -> Children:
        return children[:-1]

    def tail_line(self, children: Children) -> Children:
        return children[:-1]

    def where(self, children: Children) -> Where:
        return Where(child for child in children if not isinstance(child, Token))

    def binding(self, children: Children) -> tree.Binding:
        return tree.Binding(target(children[0]), children[2], span=across(children))


def unquote(literal: str) -> str:
    """The text of a string literal: ``\\"`` and ``\\\\`` are a quotation mark and a backslash."""
    width = 3 if literal.startswith('"""') else 1
    text = re.sub(r'\\(["\\])', r"\1", literal[width:-width])
    return inspect.cleandoc(text) if width == 3 else text


def replace_span(left: tree.Expr, span: Span) -> tree.Expr:
    """The function called left of ``=``, which must itself be a name or an indexed name."""
    if not isinstance(left, (tree.Name, tree.Index)):
        raise fail(
            "bad-target",
            "this cannot stand left of =",
            span,
            expected="a name with indices and parameters, such as C[l](s, t)",
        )
    return left


def _tails(tails: Children) -> tuple[tuple[tree.Expr | tree.Binding, ...], tuple[tree.For, ...]]:
    where = tuple(item for tail in tails if isinstance(tail, Where) for item in tail)
    clauses = tuple(item for tail in tails if isinstance(tail, Clauses) for item in tail.items)
    return where, clauses


def _no_return(statement: tree.Statement) -> None:
    """Diagnose ``return`` outside a ``def``, also inside top-level loops."""
    if isinstance(statement, tree.Return):
        raise fail(
            "misplaced-return",
            "return stands outside a definition",
            statement.span,
            fix="put it inside def f(x):, indented",
        )
    if isinstance(statement, tree.Loop):
        for inner in statement.body:
            _no_return(inner)


def _word(statement: tree.Statement) -> str:
    if isinstance(statement, tree.Size):
        return statement.kind
    if isinstance(statement, tree.Random):
        return "weight" if statement.trained else "random"
    return {tree.Fn: "fn", tree.Def: "def", tree.Let: "let"}.get(
        type(statement), type(statement).__name__.lower()
    )
