"""Statements that compute: assignments, loops, returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sympy import Expr, Integer

from tpsym.errors import Span, fail
from tpsym.program.evaluate import assignments, bound_range, evaluate, indices, layer_range
from tpsym.program.layers import symbolic_loop
from tpsym.program.messages import wrong_index_count
from tpsym.program.names import mentioned
from tpsym.program.scope import Context, Key, Scope
from tpsym.program.values import Family, Function, Scalar, Value, VectorValue, describe
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
    for statement in body:
        match statement:
            case tree.Assign():
                assign(context, statement, scope, suffix)
            case tree.Loop():
                loop(context, statement, scope, suffix)
            case tree.Def():
                scope.names[statement.name.id] = Function(statement, scope)
            case tree.Return():
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
    """A ``for`` block, unrolled unless its range is symbolic; what it assigns is seen after it."""
    ends = layer_range(context, statement.clause, scope)
    if ends is not None:
        symbolic_loop(context, statement, scope, suffix, ends, execute)
        return
    name = statement.clause.index.id
    before = scope.names.get(name)
    for key in bound_range(context, statement.clause, scope):
        scope.names[name] = Scalar(Integer(key))
        execute(context, statement.body, scope, suffix)
    if before is None:
        scope.names.pop(name, None)
    else:
        scope.names[name] = before


def assign(context: Context, statement: tree.Assign, scope: Scope, suffix: str = "") -> None:
    """``h[t] = value for t in …``: named vectors and scalars become instructions."""
    target = statement.target
    check_indices((target,), statement.clauses, scope)
    if statement.clauses and layer_range(context, statement.clauses[0], scope) is not None:
        body = (replace(statement, clauses=statement.clauses[1:]),)
        loop(context, tree.Loop(statement.clauses[0], body, span=statement.span), scope, suffix)
        return
    for inner in assignments(context, statement.clauses, scope):
        value = evaluate(context, statement.value, inner)
        keys = indices(context, target.indices, inner)
        name = target.name.text + (f"[{', '.join(map(str, keys))}]" if keys else "")
        store(scope, target, keys, named(context, value, name + suffix, statement.span))


def check_indices(targets: tuple[tree.Target, ...], clauses: tuple[tree.For, ...], scope: Scope) -> None:
    """Every range of a family is used in its indices, every index has a range."""
    bound = {c.index.id for c in clauses}
    for target in targets:
        for name in mentioned(target.indices):
            if name.id not in bound and scope.find(name.id) is None:
                raise fail(
                    "unbound-index",
                    f"the index {name.text} has no range",
                    name.span,
                    fix=f"end the line with: for {name.text} in 1..L",
                )
        used = {name.id for name in mentioned(target.indices)}
        for clause in clauses:
            if clause.index.id not in used:
                wanted = ", ".join(c.index.text for c in clauses)
                raise fail(
                    "unused-index",
                    f"{target.name.text} has no index {clause.index.text}, so every round of this range sets it anew",
                    clause.index.span,
                    fix=f"name the members: {target.name.text}[{wanted}]",
                )


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


def store(scope: Scope, target: tree.Target, keys: tuple[Key, ...], value: Value) -> None:
    """Bind a name or a member of a family; a family grows, a plain name is set anew."""
    name = target.name.id
    if not keys:
        if isinstance(scope.names.get(name), Family):
            what = f"{target.name.text} is a family already and needs an index"
            raise fail("family-as-name", what, target.span, fix="choose another name")
        scope.names[name] = value
        return
    family = scope.names.get(name)
    if family is None:
        family = Family(target.name.text, {})
    if not isinstance(family, Family):
        what = f"{target.name.text} is {describe(family)} already and takes no index"
        raise fail("not-indexed", what, target.span, fix="choose another name")
    known = next(iter(family.members), keys)
    if len(known) != len(keys):
        place = target.indices[0].span.to(target.indices[-1].span)
        raise wrong_index_count(target.name.text, len(known), len(keys), place)
    # Family is a value: earlier readers keep what they saw. The mapping is shared because it only grows.
    members = dict(family.members) if keys in family.members else family.members
    members[keys] = value  # type: ignore[index]
    scope.names[name] = replace(family, members=members)
