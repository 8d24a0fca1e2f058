"""``W[l]``, ``A.T``, ``f.h``: members of families, transposes, inner values of functions."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from tpsym.errors import Span, TpError, fail
from tpsym.program.evaluate import evaluate, expand_macro, expand_or_bind, indices, is_plain
from tpsym.program.letters import RowLetter
from tpsym.program.messages import similar, wrong_index_count
from tpsym.program.operators import transpose
from tpsym.program.scope import Context, Key, Scope, lookup
from tpsym.program.values import (
    Endpoints,
    Family,
    Finite,
    Function,
    ListValue,
    Macro,
    Member,
    Operator,
    Snapshot,
    Theory,
    Trajectory,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree


def index(context: Context, node: tree.Index, scope: Scope) -> Value:
    base: Value
    if isinstance(node.base, tree.Name):
        base = lookup(scope, node.base)
        if isinstance(base, Unavailable):
            raise base.error(node.base.span)
        if isinstance(base, Macro) and is_plain(base):
            base = expand_macro(context, base, (), (), node.base.span)
    else:
        base = evaluate(context, node.base, scope)
    place = node.indices[0].span.to(node.indices[-1].span)
    keys = indices(context, node.indices, scope)
    match base:
        case Family():
            return member(base, keys, place)
        case Member(indices=None):
            return Member(base.function, base.name, keys, place)
        case Trajectory():
            return snapshot(context, base, keys, place)
        case Macro():
            return expand_or_bind(context, base, keys, node.span)
        case ListValue(items=items):
            if len(keys) == 1 and isinstance(keys[0], int) and 0 <= keys[0] < len(items):
                item: Value = items[keys[0]]
                return item
            raise fail(
                "index-out-of-range",
                f"there is no item {', '.join(map(str, keys))} in a list of {len(items)}",
                place,
                expected=f"an index in 0..{len(items) - 1}",
            )
    name = node.base.text if isinstance(node.base, tree.Name) else "this"
    fix = "drop the index"
    if isinstance(base, Function):
        fix = f"name an inner value: {base.name}.h[{', '.join(map(str, keys))}]"
    elif isinstance(base, Endpoints):
        fix = "write .edge(1) for the first endpoint, .edge(2) for the second"
    raise fail("not-indexed", f"{name} is {describe(base)} and takes no index", node.span, fix=fix)


def snapshot(context: Context, training: Trajectory, keys: tuple[Key, ...], span: Span) -> Snapshot:
    """``F[k]``."""
    network = network_of(context, training)
    if len(keys) != 1 or not isinstance(keys[0], int) or keys[0] < 0:
        what = f"{training.name}[{', '.join(map(str, keys))}] is no step of a training"
        raise fail("index-out-of-range", what, span, expected="a number of steps: 0, 1, 2, …")
    return Snapshot(training, keys[0], network.definition)


def network_of(context: Context, training: Trajectory) -> Function:
    """The network that is trained."""
    node = training.statement.network
    found = evaluate(context, node, training.scope)
    if not isinstance(found, Function):
        what = f"train needs a network, this is {describe(found)}"
        raise context.in_file(fail("function-expected", what, node.span))
    return found


def member(family: Family, keys: tuple[Key, ...], span: Span) -> Value:
    """``W[l]``, or an error saying which indices there are."""
    if keys in family.members:
        value = family.members[keys]
        if isinstance(value, Unavailable):
            raise value.error(span)
        found: Value = value
        return found
    beyond: Value | None = family.beyond(keys) if family.beyond is not None else None
    if isinstance(beyond, Unavailable):
        raise beyond.error(span)
    if beyond is not None:
        return beyond
    known = sorted(k for k in family.members if all(isinstance(i, int) for i in k))
    arity = len(known[0]) if known else len(keys)
    text = ", ".join(map(str, keys))
    if len(keys) != arity:
        raise wrong_index_count(family.name, arity, len(keys), span)
    ranges = [sorted({k[i] for k in known}) for i in range(arity)] if known else []
    there = ", ".join(f"{r[0]}..{r[-1]}" if len(r) > 1 else str(r[0]) for r in ranges)
    expected = f"an index in {there}" if max(map(len, ranges), default=1) > 1 else f"the index {there}"
    if family.reach:
        expected = f"a layer in {family.reach}"
    raise fail(
        "index-out-of-range",
        f"there is no {family.name}[{text}]",
        span,
        expected=expected,
        fix="define it before it is used, or change the range",
    )


def attribute(context: Context, node: tree.Attribute, scope: Scope) -> Value:
    base = evaluate(context, node.base, scope)
    match base, node.name:
        case Operator(), "T":
            return transpose(base, node.span)
        case Theory(find=find), name:
            return find(context, name, node.span)
        case VectorValue(), "T":
            one = sp.S.One
            return Operator(((one, (RowLetter(base.expr),)),), Finite("1", one), base.dimension)
        case Function() | Snapshot(), name:
            if name not in assigned_names(base.definition.body):
                raise unknown_member(base, node)
            return Member(base, name, None, node.span)
    fix = None
    if isinstance(base, Trajectory):
        fix = f"pick a step: {base.name}[1].{node.text or node.name}"
    elif isinstance(base, Operator | VectorValue) and node.name.lower() in ("t", "tr", "transpose"):
        fix = "write .T for the transpose"
    elif isinstance(node.base, tree.Call) and isinstance(node.base.function, tree.Name):
        fix = f"the argument comes last: {node.base.function.text}.{node.text or node.name}(…)"
    raise fail("no-attribute", f"{describe(base)} has no attribute {node.text or node.name!r}", node.span, fix=fix)


def unknown_member(function: Function | Snapshot, node: tree.Attribute) -> TpError:
    """The error for ``f.hh``, with what f has."""
    defined = list(dict.fromkeys(assigned_names(function.definition.body)))
    close = similar(node.name, defined)
    return fail(
        "unknown-member",
        f"{function.name} has no inner value {node.text or node.name!r}",
        node.span,
        expected=", ".join(f"{function.name}.{name}" for name in defined) or None,
        fix=f"did you mean {function.name}.{close}?" if close else None,
    )


def assigned_names(body: tuple[tree.Statement, ...]) -> Iterator[str]:
    """The names a block assigns."""
    for statement in body:
        if isinstance(statement, tree.Assign):
            yield statement.target.name.id
        elif isinstance(statement, tree.Loop):
            yield from assigned_names(statement.body)
