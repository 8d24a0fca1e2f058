"""Expressions of the language to values."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from tpsym.errors import Span, TpError, fail, nearest
from tpsym.program.arithmetic import binary, negate, plain
from tpsym.program.operators import transpose
from tpsym.program.scope import MAX_RANGE, Context, Scope, integer, lookup, not_available
from tpsym.program.values import (
    Condition,
    Family,
    Function,
    ListValue,
    Macro,
    Member,
    Operator,
    Scalar,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree


def evaluate(context: Context, node: tree.Expr, scope: Scope) -> Value:
    """The value of an expression in a scope; errors carry the place of the smallest wrong piece."""
    match node:
        case tree.Number(value=value):
            return Scalar(sp.Rational(value.numerator, value.denominator))
        case tree.Name():
            value = lookup(scope, node)
            if isinstance(value, Unavailable):
                raise not_available(value.what, node.span)
            if isinstance(value, Macro) and not value.definition.parameters and not value.definition.target.indices:
                return expand_macro(context, value, (), (), node.span)
            return value
        case tree.Unary(op="not", operand=operand):
            return Condition("not", (evaluate(context, operand, scope),))
        case tree.Unary(op=op, operand=operand):
            inner = evaluate(context, operand, scope)
            return negate(context, inner, node.span) if op == "-" else plain(context, inner, node.span)
        case tree.Binary(op="and" | "or" as op):
            return Condition(op, (evaluate(context, node.left, scope), evaluate(context, node.right, scope)))
        case tree.Binary():
            return evaluate_binary(context, node, scope)
        case tree.Compare():
            return compare(context, node, scope)
        case tree.Index():
            return index(context, node, scope)
        case tree.Attribute():
            return attribute(context, node, scope)
        case tree.Call():
            from tpsym.program.calls import call

            return call(context, node, scope)
        case tree.Comprehension():
            from tpsym.program.calls import comprehension

            return comprehension(context, node, scope)
        case tree.Expectation():
            return expectation(context, node, scope)
        case tree.ListLiteral(items=items):
            return ListValue(tuple(evaluate(context, item, scope) for item in items))
        case tree.TupleLiteral(items=(single,)):
            return evaluate(context, single, scope)
    raise fail("misplaced", "this cannot stand here", node.span, expected="an expression")


def evaluate_binary(context: Context, node: tree.Binary, scope: Scope) -> Value:
    """Left-leaning chains (long sums) iteratively, so that their length is no depth."""
    chain: list[tree.Binary] = []
    left: tree.Expr = node
    while isinstance(left, tree.Binary) and left.op not in ("and", "or"):
        chain.append(left)
        left = left.left
    value = evaluate(context, left, scope)
    for link in reversed(chain):
        value = binary(context, link.op, value, evaluate(context, link.right, scope), link.span)
    return value


def compare(context: Context, node: tree.Compare, scope: Scope) -> Condition:
    values = [evaluate(context, operand, scope) for operand in node.operands]
    links = [Condition(op, (a, b)) for op, a, b in zip(node.ops, values, values[1:], strict=False)]
    return links[0] if len(links) == 1 else Condition("and", tuple(links))


def expectation(context: Context, node: tree.Expectation, scope: Scope) -> Value:
    if context.limit is None:
        raise fail(
            "limit-in-program",
            "E[…] is a limit; it cannot be used inside the program",
            node.span,
            fix="use mean(…) in the program; E[…] in `let`, `claim` and `derive`",
        )
    return context.limit.expectation(evaluate(context, node.body, scope), node.span)


def indices(context: Context, items: tuple[tree.Expr, ...], scope: Scope) -> tuple[int, ...]:
    return tuple(integer(evaluate(context, item, scope), item.span) for item in items)


def index(context: Context, node: tree.Index, scope: Scope) -> Value:
    base: Value
    if isinstance(node.base, tree.Name):
        base = lookup(scope, node.base)
        if isinstance(base, Unavailable):
            raise not_available(base.what, node.base.span)
    else:
        base = evaluate(context, node.base, scope)
    keys = indices(context, node.indices, scope)
    match base:
        case Family():
            return member(base, keys, node.span)
        case Member(indices=None):
            return Member(base.function, base.name, keys, node.span)
        case Macro():
            return expand_or_bind(context, base, keys, node.span)
        case ListValue(items=items):
            if len(keys) == 1 and 0 <= keys[0] < len(items):
                return items[keys[0]]
            raise fail("index-out-of-range", f"there is no item {keys}, the list has {len(items)}", node.span)
    name = node.base.text if isinstance(node.base, tree.Name) else "this"
    raise fail("not-indexed", f"{name} is {describe(base)} and takes no index", node.span, fix="drop the index")


def member(family: Family, keys: tuple[int, ...], span: Span) -> Value:
    """``W[l]``, or an error saying which indices there are."""
    if keys in family.members:
        value = family.members[keys]
        if isinstance(value, Unavailable):
            raise not_available(value.what, span)
        return value
    known = sorted(family.members)
    arity = len(known[0]) if known else len(keys)
    text = ", ".join(map(str, keys))
    if len(keys) != arity:
        raise fail("wrong-index-count", f"{family.name} takes {arity} indices, {len(keys)} given", span)
    ranges = [sorted({k[i] for k in known}) for i in range(arity)]
    there = ", ".join(f"{r[0]}..{r[-1]}" if len(r) > 1 else str(r[0]) for r in ranges) if known else "none yet"
    raise fail(
        "index-out-of-range",
        f"there is no {family.name}[{text}]",
        span,
        expected=f"an index in {there}",
        fix="define it before it is used, or change the range" if known else None,
    )


def attribute(context: Context, node: tree.Attribute, scope: Scope) -> Value:
    base = evaluate(context, node.base, scope)
    match base, node.name:
        case Operator(), "T":
            return transpose(base, node.span)
        case VectorValue(), "T":
            from tpsym.program.values import RowLetter

            one = sp.S.One
            from tpsym.program.values import Finite

            return Operator(((one, (RowLetter(base.expr),)),), Finite("1", one), base.dimension)
        case Function(), name:
            defined = sorted(assigned_names(base.definition.body))
            if name not in defined:
                close = nearest(name, defined)
                raise fail(
                    "unknown-member",
                    f"{base.name} has no inner value {name!r}",
                    node.span,
                    expected=", ".join(defined) or "no inner values",
                    fix=f"did you mean {base.name}.{close}?" if close else None,
                )
            return Member(base, name, None, node.span)
    raise fail("no-attribute", f"{describe(base)} has no attribute {node.name!r}", node.span)


def assigned_names(body: tuple[tree.Statement, ...]) -> Iterator[str]:
    """The names a block assigns."""
    for statement in body:
        if isinstance(statement, tree.Assign):
            yield statement.target.name.id
        elif isinstance(statement, tree.Loop):
            yield from assigned_names(statement.body)


def expand_or_bind(context: Context, macro: Macro, keys: tuple[int, ...], span: Span) -> Value:
    if macro.definition.parameters:
        return Macro(macro.definition, _bind_indices(context, macro, keys, span))
    return expand_macro(context, macro, keys, (), span)


def _bind_indices(context: Context, macro: Macro, keys: tuple[int, ...], span: Span) -> Scope:
    target = macro.definition.target
    if len(keys) != len(target.indices):
        raise fail(
            "wrong-index-count", f"{target.name.text} takes {len(target.indices)} indices, {len(keys)} given", span
        )
    names: dict[str, Value] = {}
    for pattern, key in zip(target.indices, keys, strict=True):
        if isinstance(pattern, tree.Name):
            names[pattern.id] = Scalar(sp.Integer(key))
        elif integer(evaluate(context, pattern, macro.scope), pattern.span) != key:
            raise fail("index-out-of-range", f"there is no {target.name.text}[{key}]", span)
    names["$bound"] = Scalar(sp.S.One)
    return Scope(macro.scope, names)


def expand_macro(
    context: Context, macro: Macro, keys: tuple[int, ...], arguments: tuple[Value, ...], span: Span
) -> Value:
    """A ``let`` at given indices and arguments."""
    definition = macro.definition
    name = definition.target.name.text
    scope = macro.scope if "$bound" in macro.scope.names else _bind_indices(context, macro, keys, span)
    if len(arguments) != len(definition.parameters):
        raise wrong_arity(name, len(definition.parameters), len(arguments), span)
    scope = scope.child(**{p.id: a for p, a in zip(definition.parameters, arguments, strict=True)})
    if name in context.calls and context.calls.count(name) > MAX_MACRO_DEPTH:
        raise fail("recursion", f"{name} is defined in terms of itself", span)
    context.calls.append(name)
    try:
        for item in definition.where:
            if isinstance(item, tree.Binding):
                scope.names[item.target.name.id] = evaluate(context, item.value, scope)
        return evaluate(context, definition.value, scope)
    finally:
        context.calls.pop()


MAX_MACRO_DEPTH = 40


def wrong_arity(name: str, wanted: int, given: int, span: Span) -> TpError:
    plural = "argument" if wanted == 1 else "arguments"
    return fail("wrong-argument-count", f"{name} takes {wanted} {plural}, {given} given", span)


def bound_range(context: Context, clause: tree.For, scope: Scope) -> range:
    """The indices of ``for k in a..b``."""
    low = integer(evaluate(context, clause.low, scope), clause.low.span, what="the start of a range")
    high = integer(evaluate(context, clause.high, scope), clause.high.span, what="the end of a range")
    if high - low >= MAX_RANGE:
        raise fail(
            "range-too-large",
            f"the range {low}..{high} has {high - low + 1} indices, more than {MAX_RANGE}",
            clause.low.span.to(clause.high.span),
        )
    return range(low, high + 1)


def assignments(context: Context, clauses: tuple[tree.For, ...], scope: Scope) -> Iterator[Scope]:
    """One scope per combination of the indices of several clauses (later ranges may use earlier indices)."""
    if not clauses:
        yield scope
        return
    count = 0
    first, rest = clauses[0], clauses[1:]
    for key in bound_range(context, first, scope):
        for inner in assignments(context, rest, scope.child(**{first.index.id: Scalar(sp.Integer(key))})):
            count += 1
            if count > MAX_RANGE:
                raise fail("range-too-large", f"these ranges have more than {MAX_RANGE} combinations", first.span)
            yield inner
