"""Declarations of the tree from the rules of ``grammar/tp.lark``."""

from __future__ import annotations

from tpsym.errors import Span, fail, nearest
from tpsym.syntax import tree
from tpsym.syntax.build import Children, Clauses, ExpressionBuilder, across, expressions, name
from tpsym.syntax.tokens import Token

DOMAINS = ("real", "positive", "nonnegative", "integer")
PARAMETRIZATIONS = ("standard", "ntk", "mup")


class Domains(tuple[tree.Name, ...]):
    """The domains of a parameter."""

    __slots__ = ()


class Default(tuple[tree.Expr]):
    """The one value right of ``=`` in a declaration."""

    __slots__ = ()


class DeclarationBuilder(ExpressionBuilder):
    """Rules of declarations; see :class:`ExpressionBuilder`."""

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
        return tree.Param(targets, domains, default, clauses, span=reach(children))

    def input(self, children: Children) -> tree.Input:
        targets, _, default, clauses = _declared(children)
        return tree.Input(targets, children[3], default, clauses, span=reach(children))

    def random(self, children: Children) -> tree.Random:
        targets, _, _, clauses = _declared(children)
        law = next((child for child in children if isinstance(child, tree.Law)), None)
        trained = children[0].kind == "weight"
        return tree.Random(trained, targets, children[3], law, clauses, span=reach(children))

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
        return tree.Assume(children[1], clauses, span=reach(children))

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
        return tree.Fn(name(children[1]), parameters, body, span=reach(children))

    def parameters(self, children: Children) -> tuple[tree.Name, ...]:
        names = tuple(name(child) for child in children if child.kind == "NAME")
        distinct(names)
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


def end_of(child: object) -> Span:
    """The place of the last piece of a child, whatever it is."""
    while isinstance(child, tuple):
        child = child[-1] if child[-1] is not None else child[0]
    span: Span = child.span  # type: ignore[attr-defined]
    return span


def _ends(items: Children | tuple[object, ...]) -> Children:
    return [Clauses((), end_of(items[-1]))]


def reach(children: Children) -> Span:
    """From the first child to the end of the last."""
    first: Span = children[0].span
    return first.to(end_of(children[-1]))


def distinct(names: tuple[tree.Name, ...]) -> None:
    for place, each in enumerate(names):
        if any(each.id == other.id for other in names[:place]):
            raise fail(
                "repeated-parameter",
                f"the parameter {each.text} is named twice",
                each.span,
                fix="give each parameter its own name",
            )
