"""Statements that compute: assignments, loops, returns."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer

from tpsym.errors import Span, fail
from tpsym.program.evaluate import assignments, bound_range, evaluate, indices
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Family, Function, Scalar, Value, VectorValue
from tpsym.syntax import tree


@dataclass(frozen=True, slots=True)
class Instance:
    """A function inlined at given arguments: its names, and what it returned."""

    scope: Scope
    returned: Value | None

    def result(self, function: Function, span: Span) -> Value:
        """What was returned, or an error if nothing was."""
        if self.returned is None:
            raise fail(
                "no-return",
                f"{function.name} returns nothing",
                span,
                fix=f"end {function.name} with `return …`, or ask for an inner value, as in {function.name}.h(x)",
            )
        return self.returned


def execute(context: Context, body: tuple[tree.Statement, ...], scope: Scope, suffix: str) -> Value | None:
    """Run a block; ``suffix`` ends the labels of what it assigns (``h[2]`` + ``(x)``)."""
    for position, statement in enumerate(body):
        match statement:
            case tree.Assign():
                assign(context, statement, scope, suffix)
            case tree.Loop():
                loop(context, statement, scope, suffix)
            case tree.Def():
                scope.names[statement.name.id] = Function(statement, scope)
            case tree.Return():
                if position + 1 < len(body):
                    raise fail("unreachable", "nothing after `return` is ever computed", body[position + 1].span)
                return evaluate(context, statement.value, scope)
            case _:
                raise fail(
                    "misplaced",
                    "a block may hold assignments, loops, functions and `return` only",
                    statement.span,
                    fix="move it out of the block",
                )
    return None


def loop(context: Context, statement: tree.Loop, scope: Scope, suffix: str) -> None:
    """A ``for`` block, unrolled; what it assigns is seen after it."""
    name = statement.clause.index.id
    before = scope.names.get(name)
    for key in bound_range(context, statement.clause, scope):
        scope.names[name] = Scalar(Integer(key))
        if execute(context, statement.body, scope, suffix) is not None:
            raise fail("misplaced", "`return` cannot stand inside a loop", statement.span)
    if before is None:
        scope.names.pop(name, None)
    else:
        scope.names[name] = before


def assign(context: Context, statement: tree.Assign, scope: Scope, suffix: str = "") -> None:
    """``h[t] = value for t in …``: named vectors and scalars become instructions."""
    target = statement.target
    for inner in assignments(context, statement.clauses, scope):
        value = evaluate(context, statement.value, inner)
        keys = indices(context, target.indices, inner)
        name = target.name.text + (f"[{', '.join(map(str, keys))}]" if keys else "")
        store(scope, target, keys, named(context, value, name + suffix, statement.span))


def named(context: Context, value: Value, label: str, span: Span) -> Value:
    """A computed vector or scalar as a node of the program under its name."""
    if isinstance(value, VectorValue):
        node = context.materialize(value, span=span, label=label)
        return context.vector(node, value.dimension)
    if isinstance(value, Scalar) and value.expr.free_symbols & context.nodes.keys():
        return Scalar(named_scalar(context, value.expr, label, span))
    return value


def named_scalar(context: Context, expr: Expr, label: str, span: Span) -> Expr:
    node = context.nodes.get(expr)
    if node is None:
        node = context.builder.moment(expr, context.nodes, None, span=span)
    context.builder.add(context.builder[node], span=span, label=label)
    return context.symbol(node)


def store(scope: Scope, target: tree.Target, keys: tuple[int, ...], value: Value) -> None:
    """Bind a name or a member of a family; a family grows, a plain name is set anew."""
    name = target.name.id
    if not keys:
        if isinstance(scope.names.get(name), Family):
            raise fail("family-as-name", f"{target.name.text} is a family and needs an index", target.span)
        scope.names[name] = value
        return
    family = scope.names.get(name)
    if family is None:
        family = Family(target.name.text, {})
    if not isinstance(family, Family):
        raise fail("not-indexed", f"{target.name.text} was assigned without an index", target.span)
    known = next(iter(family.members), keys)
    if len(known) != len(keys):
        raise fail("wrong-index-count", f"{target.name.text} takes {len(known)} indices", target.span)
    # Family is a value: earlier readers keep what they saw. The mapping is shared because it only grows.
    members = dict(family.members) if keys in family.members else family.members
    members[keys] = value  # type: ignore[index]
    scope.names[name] = Family(family.name, members)
