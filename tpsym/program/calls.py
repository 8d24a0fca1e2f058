"""Calls: functions inlined, nonlinearities, finite sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, TpError, fail
from tpsym.functions import hermite
from tpsym.program.access import member
from tpsym.program.arithmetic import INPUT_LAYER, Plain, defined, plain, plus, real, signature, times
from tpsym.program.evaluate import assignments, evaluate, expand_macro
from tpsym.program.instructions import Dimension
from tpsym.program.known_functions import BUILTINS, SIGNATURES, take, truth
from tpsym.program.messages import inside, no_named_arguments, not_available, unknown_name, written, wrong_arity
from tpsym.program.names import LATER, LIMIT_NAMES, mentioned
from tpsym.program.operators import same_size, shape_error
from tpsym.program.scope import MAX_CALLS, Context, Scope, integer, lookup
from tpsym.program.values import (
    Data,
    Family,
    Function,
    Kernel,
    ListValue,
    Macro,
    Member,
    Method,
    Nonlinearity,
    Operator,
    Scalar,
    Snapshot,
    Trajectory,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

MAX_HERMITE = 100
"""Order of a Hermite polynomial, which is written out."""


def require_available(node: Any, scope: Scope, *, seen: frozenset[str] = frozenset()) -> None:
    """Refuse a question that rests on a construct without a meaning yet, before anything else in it.

    Raises:
        TpError: ``not-available``, at the name.
    """
    for name in mentioned(node):
        value = scope.find(name.id)
        if value is None and name.id in LATER:
            raise not_available(LATER[name.id], name.span)
        if isinstance(value, Unavailable):
            raise value.error(name.span)
        if isinstance(value, Macro) and name.id not in seen:
            require_available(value.definition, value.scope, seen=seen | {name.id})


def call(context: Context, node: tree.Call, scope: Scope) -> Value:
    """The value of a call."""
    if isinstance(node.function, tree.Name) and scope.find(node.function.id) is None:
        return call_builtin(context, node, scope)
    function = (
        lookup(scope, node.function)
        if isinstance(node.function, tree.Name)
        else evaluate(context, node.function, scope)
    )
    if isinstance(function, Unavailable):
        raise function.error(node.function.span)
    if isinstance(function, Method):
        found: Value = function.apply(context, node, scope)
        return found
    if node.kwargs:
        raise no_named_arguments(describe_call(node), node.kwargs[0][1].span)
    if not isinstance(function, Macro | Nonlinearity | Function | Member | Snapshot | Kernel):
        raise not_callable(context, function, node)
    arguments = tuple(evaluate(context, a, scope) for a in node.args)
    match function:
        case Macro():
            return expand_macro(context, function, (), arguments, node.span)
        case Nonlinearity():
            return nonlinearity(context, function, arguments, node)
        case Function():
            return run(context, function, arguments, node.span).result(function, node.span)
        case Member(function=Function() as network):
            return inner_value(context, function, network, arguments, node.span)
        case Kernel():
            return on_limit_side(context, "$kernel", node)(context, node, scope)
    return on_limit_side(context, "$trained", node)(context, node, scope)


def on_limit_side(context: Context, name: str, node: tree.Call) -> Callable[[Context, tree.Call, Scope], Value]:
    """What the limit side makes of a call."""
    handler = context.limit.call(name) if context.limit is not None else None
    if handler is None:
        what = f"{format_expression(node.function)} is unrolled where a limit is asked for"
        raise fail("limit-in-program", what, node.span, fix="use it in `let`, `claim` and `derive`")
    return handler


def describe_call(node: tree.Call) -> str:
    """The name of what is called."""
    return node.function.text if isinstance(node.function, tree.Name) else "this call"


def not_callable(context: Context, value: Value, node: tree.Call) -> TpError:
    """The error for a call of something that is no function."""
    fix = None
    name = node.function.text if isinstance(node.function, tree.Name) else None
    if name in BUILTINS or name in LIMIT_NAMES or name in SIGNATURES:
        line = context.declared.get(str(name))
        fix = f"{name} was declared{f' in line {line}' if line else ''}: rename that to use the function {name}"
    elif isinstance(value, Operator):
        fix = "write W @ x for the matrix product"
    elif isinstance(value, Scalar | VectorValue):
        fix = "write * to multiply"
    elif isinstance(value, Trajectory):
        fix = f"pick a step: {value.name}[1](…)"
    return fail("not-callable", f"{describe(value)} cannot be called", node.function.span, fix=fix)


def call_builtin(context: Context, node: tree.Call, scope: Scope) -> Value:
    assert isinstance(node.function, tree.Name)
    name = node.function.id
    handler = context.limit.call(name) if context.limit is not None else None
    if handler is not None:
        return handler(context, node, scope)
    if name in LATER:
        raise not_available(LATER[name], node.function.span)
    if name in LIMIT_NAMES:
        raise fail(
            "limit-in-program",
            f"{name}(…) belongs to the limit; it cannot be used inside the program",
            node.span,
            fix=f"use {name}(…) in `let`, `claim` and `derive`",
        )
    builtin = BUILTINS.get(name)
    if builtin is None:
        known = [*callable_names(scope), *BUILTINS, *LIMIT_NAMES, *LATER]
        hint = scope.hint(name, node.function.span)
        raise unknown_name(node.function.text, node.function.span, known, hint=hint)
    return builtin(context, node, scope)


def callable_names(scope: Scope) -> list[str]:
    """The names in sight that can be called."""
    return [k for k in scope.known() if isinstance(scope.find(k), Macro | Nonlinearity | Function)]


def nonlinearity(
    context: Context, function: Nonlinearity, arguments: tuple[Value, ...], node: tree.Call
) -> Value:
    """A coordinatewise function of vectors and numbers."""
    several = function.name in ("min", "max") and len(arguments) >= 2
    if len(arguments) != function.arity and not several:
        known = SIGNATURES.get(function.name)
        raise wrong_arity(function.name, function.arity, len(arguments), node.span, signature=known)
    if function.apply is hermite:
        check_order(arguments[0], node.args[0].span)
    values = [plain(context, v, a.span) for v, a in zip(arguments, node.args, strict=True)]
    dimensions: list[Dimension] = []
    expressions: list[Expr] = []
    for value, place in zip(values, node.args, strict=True):
        if not isinstance(value, Scalar | VectorValue):
            raise wrong_argument(function, value, place.span)
        if isinstance(value, VectorValue):
            dimensions.append(value.dimension)
        expressions.append(value.expr)
    vectors = [v for v in values if isinstance(v, VectorValue)]
    for other in vectors[1:]:
        if not same_size(vectors[0].dimension, other.dimension):
            raise shape_error("cannot combine", vectors[0], other, node.span)
    try:
        expr = function.apply(*expressions)
    except (ValueError, TypeError) as error:
        raise fail("bad-argument", f"{function.name}: {error}", node.span) from None
    if dimensions:
        return VectorValue(expr, dimensions[0])
    if all(e.is_number for e in expressions):
        text = f"{function.name}({', '.join(map(written, expressions))})"
        real(expr, node.span, text)
    return Scalar(defined(expr, node.span))


def check_order(value: Value, span: Span) -> None:
    """The order of a Hermite polynomial."""
    order = integer(value, span, what="the order of hermite(k, z)")
    if not 0 <= order <= MAX_HERMITE:
        raise fail(
            "bad-order", f"the order of hermite(k, z) cannot be {order}", span, expected=f"a number in 0..{MAX_HERMITE}"
        )


def wrong_argument(function: Nonlinearity, value: Value, span: Span) -> TpError:
    """The error for a nonlinearity of a matrix or of data."""
    fix = None
    if isinstance(value, Data):
        fix = INPUT_LAYER
    elif isinstance(value, Operator):
        fix = f"apply it to a product: {function.name}(W @ x)"
    what = f"{function.name} needs a vector or a number, this is {describe(value)}"
    return fail("vector-expected", what, span, fix=fix)


def comprehension(context: Context, node: tree.Comprehension, scope: Scope) -> Value:
    """``sum(e for k in a..b)`` and ``mean(e for …)`` over finite ranges."""
    if node.function == "list":
        rounds = assignments(context, node.clauses, scope)
        return ListValue(tuple(evaluate(context, node.body, inner) for inner in rounds))
    terms = [
        plain(context, evaluate(context, node.body, inner), node.body.span)
        for inner in assignments(context, node.clauses, scope)
    ]
    if not terms:
        if node.function == "mean":
            place = node.clauses[0].low.span.to(node.clauses[-1].high.span)
            raise fail("empty-range", "the mean over an empty range has no value", place)
        return Scalar(S.Zero)
    total = add_all(context, terms, node.span)
    if node.function == "sum":
        return total
    return times(Scalar(sp.Rational(1, len(terms))), plain(context, total, node.span), node.span)


def add_all(context: Context, terms: list[Plain], span: Span) -> Value:
    """The sum of many values, in one go where they are expressions."""
    scalars = [t for t in terms if isinstance(t, Scalar)]
    if len(scalars) == len(terms):
        return Scalar(defined(sp.Add(*(t.expr for t in scalars)), span))
    vectors = [t for t in terms if isinstance(t, VectorValue)]
    if len(vectors) == len(terms) and all(same_size(t.dimension, vectors[0].dimension) for t in vectors):
        return VectorValue(sp.Add(*(t.expr for t in vectors)), vectors[0].dimension)
    total: Plain = terms[0]
    for term in terms[1:]:
        total = plus(total, term, span)
    return total


def key_of(value: Value) -> Any:
    """A hashable identity of an argument: equal keys, equal inlining."""
    if isinstance(value, Family):
        return ("family", value.name, tuple(sorted((k, key_of(v)) for k, v in value.members.items())))
    return value


def label_of(context: Context, value: Value) -> str:
    """An argument as it reads in a label."""
    match value:
        case Data(terms=((name, coefficient),)) if coefficient == 1:
            return name
        case Family(name=name):
            return name
        case VectorValue(expr=expr) if expr in context.nodes:
            return context.builder.labels.get(context.nodes[expr], "·")
        case Scalar(expr=expr) if not expr.has(*context.nodes):
            return str(expr)
    return "·"


def run(context: Context, function: Function, arguments: tuple[Value, ...], span: Span) -> Any:
    """A function inlined at these arguments; the same arguments give the same instance."""
    definition = function.definition
    if len(arguments) != len(definition.parameters):
        count = len(definition.parameters)
        raise wrong_arity(function.name, count, len(arguments), span, signature=signature(definition))
    key = (id(definition), tuple(repr(key_of(a)) if isinstance(a, Family) else a for a in arguments))
    if key in context.instances:
        return context.instances[key]
    if function.name in context.calls:
        raise recursion(function.name, span)
    if len(context.calls) >= MAX_CALLS:
        raise fail("too-deep", f"more than {MAX_CALLS} functions inlined inside one another", span)
    from tpsym.program.blocks import Instance, execute, named

    scope = Scope(function.scope, {p.id: a for p, a in zip(definition.parameters, arguments, strict=True)})
    suffix = "(" + ", ".join(label_of(context, a) for a in arguments) + ")"
    if "·" in suffix and context.suffixes:
        suffix += context.suffixes[-1]
    context.calls.append(function.name)
    context.suffixes.append(suffix)
    # A function is a part of the program wherever it is asked about: no limits inside.
    limit, context.limit = context.limit, None
    try:
        result = execute(context, definition.body, scope, suffix)
        if result is not None:
            result = named(context, result, function.name + suffix, span)
    except TpError as error:
        raise context.in_file(inside(error, function.name + suffix)) from None
    finally:
        context.limit = limit
        context.calls.pop()
        context.suffixes.pop()
    instance = Instance(scope, result)
    context.instances[key] = instance
    return instance


def recursion(name: str, span: Span) -> TpError:
    """The error for a function that calls itself."""
    return fail(
        "recursion",
        f"{name} calls itself; functions are inlined, so this never ends",
        span,
        fix="use a `for` loop over layers",
    )


def inner_value(
    context: Context, inner: Member, network: Function, arguments: tuple[Value, ...], span: Span
) -> Value:
    """``f.h[l](x)``: run f at x and read h[l]."""
    instance = run(context, network, arguments, span)
    value = instance.scope.names.get(inner.name)
    name = f"{inner.function.name}.{inner.name}"
    if value is None:
        raise fail("unknown-member", f"{inner.function.name} did not assign {inner.name}: its loop is empty", span)
    if isinstance(value, Family):
        if inner.indices is None:
            return replace(value, name=f"{name}(…)")
        return member(replace(value, name=name), inner.indices, inner.span or span)
    if inner.indices is not None:
        what = f"{name}(…) is {describe(value)} and takes no index"
        raise fail("not-indexed", what, inner.span or span, fix="drop the index")
    found: Value = value
    return found


__all__ = [
    "BUILTINS", "LATER", "LIMIT_NAMES", "call", "comprehension", "inner_value", "label_of", "recursion",
    "require_available", "run", "take", "truth",
]
