"""Statements of the tree from the rules of ``grammar/tp.lark``."""

from __future__ import annotations

import inspect
import re

from tpsym.errors import Span, fail, nearest
from tpsym.syntax import tree
from tpsym.syntax.build import (
    Children,
    Clauses,
    ExpressionBuilder,
    Keyword,
    across,
    arguments,
    bad_target,
    expressions,
    name,
    target,
)
from tpsym.syntax.tokens import Token

DOMAINS = ("real", "positive", "nonnegative", "integer")
PARAMETRIZATIONS = ("standard", "ntk", "mup")
_BLOCK = (tree.Assign, tree.Loop, tree.Return)


class Where(tuple[tree.Expr | tree.Binding, ...]):
    """The items of one ``where``."""

    __slots__ = ()


class Domains(tuple[tree.Name, ...]):
    """The domains of a parameter."""

    __slots__ = ()


class Default(tuple[tree.Expr]):
    """The one value right of ``=`` in a declaration."""

    __slots__ = ()


class StatementBuilder(ExpressionBuilder):
    """Rules of statements; see :class:`ExpressionBuilder`."""

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

    # --- declarations

    def size(self, children: Children) -> tree.Size:
        items = tuple(child for child in children if not isinstance(child, Token))
        return tree.Size(children[0].kind, items, span=across([children[0], *_ends(items)]))

    def size_item(self, children: Children) -> tuple[tree.Name, tree.Expr | None]:
        return name(children[0]), children[2] if len(children) > 1 else None

    def target(self, children: Children) -> tree.Target:
        return tree.Target(name(children[0]), expressions(children[1:]), span=across(children))

    def targets(self, children: Children) -> tuple[tree.Target, ...]:
        return tuple(child for child in children if isinstance(child, tree.Target))

    def domains(self, children: Children) -> Domains:
        for token in children[1:]:
            if token.text not in DOMAINS:
                guess = nearest(token.text, DOMAINS)
                raise fail(
                    "unknown-domain",
                    f"{token.text} is no kind of parameter",
                    token.span,
                    expected="real, positive, nonnegative or integer",
                    fix=f"write {guess}" if guess else None,
                )
        return Domains(name(token) for token in children[1:])

    def default(self, children: Children) -> Default:
        return Default((children[1],))

    def param(self, children: Children) -> tree.Param:
        targets, domains, default, clauses = _declared(children)
        return tree.Param(targets, domains, default, clauses, span=_reach(children))

    def input(self, children: Children) -> tree.Input:
        targets, _, default, clauses = _declared(children)
        return tree.Input(targets, children[3], default, clauses, span=_reach(children))

    def random(self, children: Children) -> tree.Random:
        targets, _, _, clauses = _declared(children)
        law = next((child for child in children if isinstance(child, tree.Law)), None)
        trained = children[0].kind == "weight"
        return tree.Random(trained, targets, children[3], law, clauses, span=_reach(children))

    def law(self, children: Children) -> tree.Law:
        value = children[1]
        right = (
            isinstance(value, tree.Call)
            and isinstance(value.function, tree.Name)
            and value.function.id == "N"
        )
        if not right:
            raise fail(
                "bad-law",
                "only normal laws are known",
                value.span,
                expected="N(mean, variance)",
                fix="write ~ N(0, 1/n), and a function of Gaussians for another law",
            )
        if len(value.args) != 2 or value.kwargs:
            raise fail(
                "bad-law",
                "a normal law has two arguments",
                value.span,
                expected="N(mean, variance)",
                fix="write N(0, variance) for a centred law",
            )
        return tree.Law(*value.args, span=value.span)

    def shape(self, children: Children) -> tree.TupleLiteral:
        return tree.TupleLiteral(expressions(children), span=across(children))

    def assume(self, children: Children) -> tree.Assume:
        clauses = children[2] if len(children) > 2 else ()
        return tree.Assume(children[1], clauses, span=_reach(children))

    def fn(self, children: Children) -> tree.Fn:
        parameters: tuple[tree.Name, ...] = ()
        body = None
        for child in children[2:]:
            if isinstance(child, Default):
                body = child[0]
            elif child:
                parameters = child
            else:
                raise fail(
                    "missing-parameter",
                    "a nonlinearity has at least one argument",
                    children[1].span,
                    fix=f"write fn {children[1].text} or fn {children[1].text}(z)",
                )
        return tree.Fn(name(children[1]), parameters, body, span=_reach(children))

    def parameters(self, children: Children) -> tuple[tree.Name, ...]:
        names = tuple(name(child) for child in children if child.kind == "NAME")
        _distinct(names)
        return names

    def parametrization(self, children: Children) -> tree.Parametrization:
        value = name(children[1])
        if value.id not in PARAMETRIZATIONS:
            guess = nearest(value.id, PARAMETRIZATIONS)
            raise fail(
                "unknown-parametrization",
                f"{value.text} is no known parametrisation",
                value.span,
                expected="standard, ntk or mup",
                fix=f"write {guess}" if guess else None,
            )
        return tree.Parametrization(value, span=across(children))

    # --- programs

    def assign(self, children: Children) -> tree.Assign:
        clauses = children[3] if len(children) > 3 else ()
        return tree.Assign(target(children[0]), children[2], clauses, span=_reach(children))

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

    # --- questions and claims

    def derive(self, children: Children) -> tree.Derive:
        return tree.Derive(children[1], span=across(children))

    def let(self, children: Children) -> tree.Let:
        _, left, _, value, *tails = children
        parameters: tuple[tree.Name, ...] = ()
        if isinstance(left, tree.Call):
            names = tuple(arg for arg in left.args if isinstance(arg, tree.Name))
            if left.kwargs or len(names) != len(left.args):
                raise bad_target(left)
            _distinct(names)
            parameters, left = names, replace_span(left.function, left.span)
        where, clauses = _tails(tails)
        return tree.Let(target(left), parameters, value, where, clauses, span=_reach(children))

    def claim(self, children: Children) -> tree.Claim:
        tails = [tail for child in children[3:] if isinstance(child, list) for tail in child]
        relation, *rest = tails
        where, clauses = _tails(rest)
        end = rest[-1] if rest else relation
        return tree.Claim(
            unquote(children[1].text), relation, where, clauses, span=children[0].span.to(_end(end))
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


def _declared(
    children: Children,
) -> tuple[tuple[tree.Target, ...], tuple[tree.Name, ...], tree.Expr | None, tuple[tree.For, ...]]:
    domains: tuple[tree.Name, ...] = ()
    default: tree.Expr | None = None
    clauses: tuple[tree.For, ...] = ()
    for child in children[2:]:
        if isinstance(child, Domains):
            domains = tuple(child)
        elif isinstance(child, Default):
            default = child[0]
        elif isinstance(child, tuple):
            clauses = child
    return children[1], domains, default, clauses


def _tails(tails: Children) -> tuple[tuple[tree.Expr | tree.Binding, ...], tuple[tree.For, ...]]:
    where = tuple(item for tail in tails if isinstance(tail, Where) for item in tail)
    clauses = tuple(item for tail in tails if isinstance(tail, Clauses) for item in tail.items)
    return where, clauses


def _end(child: object) -> Span:
    """The place of the last piece of a child, whatever it is."""
    while isinstance(child, tuple):
        child = child[-1] if child[-1] is not None else child[0]
    span: Span = child.span  # type: ignore[attr-defined]
    return span


def _ends(items: Children | tuple[object, ...]) -> Children:
    return [Clauses((), _end(items[-1]))]


def _reach(children: Children) -> Span:
    """From the first child to the end of the last."""
    first: Span = children[0].span
    return first.to(_end(children[-1]))


def _distinct(names: tuple[tree.Name, ...]) -> None:
    for place, each in enumerate(names):
        if any(each.id == other.id for other in names[:place]):
            raise fail(
                "repeated-parameter",
                f"the parameter {each.text} is named twice",
                each.span,
                fix="give each parameter its own name",
            )


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
