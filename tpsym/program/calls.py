"""Calls: functions inlined, nonlinearities, moments, finite sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.program.arithmetic import diagonal, plain, relation
from tpsym.program.evaluate import (
    assignments,
    evaluate,
    expand_macro,
    member,
    wrong_arity,
)
from tpsym.program.instructions import Dimension
from tpsym.program.names import mentioned
from tpsym.program.operators import same_size, shape_error, trace
from tpsym.program.scope import MAX_CALLS, Context, Scope, integer, lookup, not_available, unknown_name
from tpsym.program.values import (
    Condition,
    Data,
    Family,
    Function,
    GaussianLaw,
    Kernel,
    Macro,
    Member,
    Nonlinearity,
    Operator,
    Scalar,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree

LATER = {
    "spectrum": "the spectrum of a matrix",
    "exact": "an exact expectation at finite n",
    "scaling": "scaling exponents",
    "mup": "the maximal update parametrisation",
    "meanfield": "mean field theory",
    "ntk": "the tangent kernel",
}
"""Functions of the language whose meaning is not available yet."""

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
            raise not_available(value.what, name.span)
        if isinstance(value, Macro) and name.id not in seen:
            require_available(value.definition, value.scope, seen=seen | {name.id})


LIMIT_NAMES = ("Z", "Zhat", "Zdot", "lim", "nngp", "E")


def call(context: Context, node: tree.Call, scope: Scope) -> Value:
    """The value of a call."""
    if isinstance(node.function, tree.Name) and scope.find(node.function.id) is None:
        return call_builtin(context, node, scope)
    function = (
        lookup(scope, node.function)
        if isinstance(node.function, tree.Name)
        else evaluate(context, node.function, scope)
    )
    if isinstance(function, Macro):
        arguments = tuple(evaluate(context, a, scope) for a in node.args)
        return expand_macro(context, function, (), arguments, node.span)
    if node.kwargs:
        raise fail("keyword-argument", "this call takes no named arguments", node.kwargs[0][1].span)
    arguments = tuple(evaluate(context, a, scope) for a in node.args)
    match function:
        case Nonlinearity():
            return nonlinearity(context, function, arguments, node)
        case Function():
            return run(context, function, arguments, node.span).result(function, node.span)
        case Member():
            return inner_value(context, function, arguments, node.span)
        case Kernel():
            if context.limit is not None:
                handler = context.limit.call("$kernel")
                if handler is not None:
                    return handler(context, node, scope)
    raise fail("not-callable", f"{describe(function)} cannot be called", node.span)


def call_builtin(context: Context, node: tree.Call, scope: Scope) -> Value:
    assert isinstance(node.function, tree.Name)
    name = node.function.id
    handler = context.limit.call(name) if context.limit is not None else None
    if handler is not None:
        return handler(context, node, scope)
    if name in LATER:
        raise not_available(LATER[name], node.span)
    if name in LIMIT_NAMES:
        raise fail(
            "limit-in-program",
            f"{name}(…) belongs to the limit; it cannot be used inside the program",
            node.span,
            fix=f"use {name}(…) in `let`, `claim` and `derive`",
        )
    builtin = BUILTINS.get(name)
    if builtin is None:
        known = [*scope.known(), *BUILTINS, *LIMIT_NAMES, *LATER]
        raise unknown_name(node.function.text, node.function.span, iter(known))
    return builtin(context, node, scope)


def take(context: Context, node: tree.Call, scope: Scope, count: int) -> tuple[Value, ...]:
    """The evaluated positional arguments, exactly ``count`` of them."""
    assert isinstance(node.function, tree.Name)
    if len(node.args) != count or node.kwargs:
        raise wrong_arity(node.function.text, count, len(node.args) + len(node.kwargs), node.span)
    return tuple(evaluate(context, a, scope) for a in node.args)


def mean(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``mean(x)``: (1/n) Σ x_α, or the mean of a list of scalars."""
    (value,) = take(context, node, scope, 1)
    x = plain(context, value, node.span)
    if not isinstance(x, VectorValue):
        fix = "use E[…] for the expectation" if isinstance(x, Scalar) else None
        raise fail("vector-expected", f"mean needs a vector, this is {describe(x)}", node.args[0].span, fix=fix)
    return Scalar(context.average(x.expr, x.dimension, span=node.span))


def dot(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``dot(x, y)``: Σ x_α y_α, of two vectors or of two data points."""
    values = take(context, node, scope, 2)
    x, y = (plain(context, v, a.span) for v, a in zip(values, node.args, strict=True))
    if isinstance(x, Data) and isinstance(y, Data):
        if not same_size(x.size, y.size):
            raise shape_error("cannot take the inner product of", x, y, node.span)
        return Scalar(
            sp.Add(*(a * b * context.gram(p, q) for p, a in x.terms for q, b in y.terms))
        )
    if not isinstance(x, VectorValue) or not isinstance(y, VectorValue):
        wrong, place = (x, 0) if not isinstance(x, VectorValue) else (y, 1)
        raise fail(
            "vector-expected",
            f"dot needs two vectors or two data points, this is {describe(wrong)}",
            node.args[place].span,
        )
    if not same_size(x.dimension, y.dimension):
        raise shape_error("cannot take the inner product of", x, y, node.span)
    average = context.average(x.expr * y.expr, x.dimension, span=node.span)
    return Scalar(context.size(x.dimension) * average)


def tr(context: Context, node: tree.Call, scope: Scope) -> Value:
    (value,) = take(context, node, scope, 1)
    if not isinstance(value, Operator):
        raise fail(
            "matrix-expected",
            f"tr needs a matrix, this is {describe(value)}",
            node.args[0].span,
            fix="mean(x) is the mean of a vector",
        )
    return Scalar(trace(context, value, node.span))


def diag(context: Context, node: tree.Call, scope: Scope) -> Value:
    (value,) = take(context, node, scope, 1)
    x = plain(context, value, node.span)
    if not isinstance(x, VectorValue):
        raise fail("vector-expected", f"diag needs a vector, this is {describe(x)}", node.args[0].span)
    return diagonal(x)


def eye(context: Context, node: tree.Call, scope: Scope) -> Value:
    (value,) = take(context, node, scope, 1)
    if not isinstance(value, Dimension):
        raise fail("width-expected", f"eye needs a width, this is {describe(value)}", node.args[0].span)
    return Operator(((S.One, ()),), value, value)


def modulo(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``mod(p, P)`` in 0..P−1."""
    p, q = (integer(v, a.span, what="an argument of mod") for v, a in
            zip(take(context, node, scope, 2), node.args, strict=True))
    if q <= 0:
        raise fail("bad-modulus", f"mod needs a positive modulus, not {q}", node.args[1].span)
    return Scalar(sp.Integer(p % q))


def choose(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``if(cond, a, b)``: decided on the spot where the condition is about indices, else piecewise."""
    if len(node.args) != 3 or node.kwargs:
        raise wrong_arity("if", 3, len(node.args), node.span)
    condition = evaluate(context, node.args[0], scope)
    if not isinstance(condition, Condition):
        raise fail("condition-expected", f"if needs a condition first, not {describe(condition)}", node.args[0].span)
    test = truth(context, condition, node.args[0].span)
    if test is sp.true:
        return evaluate(context, node.args[1], scope)
    if test is sp.false:
        return evaluate(context, node.args[2], scope)
    a, b = (plain(context, evaluate(context, x, scope), x.span) for x in node.args[1:])
    symbols = context.vector_symbols(test)
    dimensions = [v.dimension for v in (a, b) if isinstance(v, VectorValue)]
    dimensions += [context.builder[context.nodes[s]].dimension for s in symbols if s in context.nodes]  # type: ignore[union-attr, misc]
    if not isinstance(a, Scalar | VectorValue) or not isinstance(b, Scalar | VectorValue):
        raise shape_error("cannot choose between", a, b, node.span)
    if len({d.name for d in dimensions}) > 1:
        raise shape_error("cannot choose between", a, b, node.span)
    expr = sp.Piecewise((a.expr, test), (b.expr, True))
    return VectorValue(expr, dimensions[0]) if dimensions else Scalar(expr)


def truth(context: Context, condition: Condition, span: Span) -> Any:
    """A condition on vectors or scalars as a sympy condition."""
    match condition.op:
        case "and":
            return sp.And(*(truth(context, c, span) for c in condition.operands))
        case "or":
            return sp.Or(*(truth(context, c, span) for c in condition.operands))
        case "not":
            return sp.Not(truth(context, condition.operands[0], span))
    a, b = (plain(context, v, span) for v in condition.operands)
    if not isinstance(a, Scalar | VectorValue) or not isinstance(b, Scalar | VectorValue):
        raise shape_error("cannot compare", a, b, span)
    return relation(condition.op, a.expr, b.expr)


def normal_law(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``N(mean, variance)`` as a value, to compare a limit law with."""
    mean_, variance = (plain(context, v, node.span) for v in take(context, node, scope, 2))
    if not isinstance(mean_, Scalar) or not isinstance(variance, Scalar):
        raise fail("number-expected", "N(mean, variance) needs two numbers", node.span)
    return GaussianLaw(mean_.expr, variance.expr)


BUILTINS: dict[str, Callable[[Context, tree.Call, Scope], Value]] = {
    "mean": mean,
    "dot": dot,
    "tr": tr,
    "diag": diag,
    "eye": eye,
    "mod": modulo,
    "if": choose,
    "N": normal_law,
}


def nonlinearity(
    context: Context, function: Nonlinearity, arguments: tuple[Value, ...], node: tree.Call
) -> Value:
    """A coordinatewise function of vectors and numbers."""
    if len(arguments) != function.arity:
        raise wrong_arity(function.name, function.arity, len(arguments), node.span)
    values = [plain(context, v, a.span) for v, a in zip(arguments, node.args, strict=True)]
    dimensions: list[Dimension] = []
    expressions: list[Expr] = []
    for value, place in zip(values, node.args, strict=True):
        if isinstance(value, VectorValue):
            dimensions.append(value.dimension)
        elif not isinstance(value, Scalar):
            raise fail(
                "vector-expected",
                f"{function.name} needs a vector or a number, this is {describe(value)}",
                place.span,
                fix="multiply by an input layer first: U @ x" if isinstance(value, Data) else None,
            )
        expressions.append(value.expr)
    for other in dimensions[1:]:
        if not same_size(dimensions[0], other):
            raise shape_error("cannot combine", values[0], values[1], node.span)
    try:
        expr = function.apply(*expressions)
    except (ValueError, TypeError) as error:
        raise fail("bad-argument", f"{function.name}: {error}", node.span) from None
    return VectorValue(expr, dimensions[0]) if dimensions else Scalar(expr)


def comprehension(context: Context, node: tree.Comprehension, scope: Scope) -> Value:
    """``sum(e for k in a..b)`` and ``mean(e for …)`` over finite ranges."""
    terms = [
        plain(context, evaluate(context, node.body, inner), node.body.span)
        for inner in assignments(context, node.clauses, scope)
    ]
    if not terms:
        if node.function == "mean":
            raise fail("empty-range", "the mean over an empty range", node.span)
        return Scalar(S.Zero)
    total = add_all(context, terms, node.span)
    if node.function == "sum":
        return total
    from tpsym.program.arithmetic import times

    return times(context, Scalar(sp.Rational(1, len(terms))), plain(context, total, node.span), node.span)


def add_all(context: Context, terms: list[Any], span: Span) -> Value:
    """The sum of many values, in one go where they are expressions."""
    from tpsym.program.arithmetic import plus

    if all(isinstance(t, Scalar) for t in terms):
        return Scalar(sp.Add(*(t.expr for t in terms)))
    if all(isinstance(t, VectorValue) and same_size(t.dimension, terms[0].dimension) for t in terms):
        return VectorValue(sp.Add(*(t.expr for t in terms)), terms[0].dimension)
    total = terms[0]
    for term in terms[1:]:
        total = plain(context, plus(context, total, term, span), span)
    return total  # type: ignore[no-any-return]


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
        raise wrong_arity(function.name, len(definition.parameters), len(arguments), span)
    key = (id(definition), tuple(repr(key_of(a)) if isinstance(a, Family) else a for a in arguments))
    if key in context.instances:
        return context.instances[key]
    if function.name in context.calls:
        raise fail(
            "recursion",
            f"{function.name} calls itself; functions are inlined, so this never ends",
            span,
            fix="use a `for` loop over layers",
        )
    if len(context.calls) >= MAX_CALLS:
        raise fail("too-deep", f"more than {MAX_CALLS} functions inlined inside one another", span)
    from tpsym.program.blocks import Instance, execute, named

    scope = Scope(function.scope, {p.id: a for p, a in zip(definition.parameters, arguments, strict=True)})
    suffix = "(" + ", ".join(label_of(context, a) for a in arguments) + ")"
    context.calls.append(function.name)
    try:
        result = execute(context, definition.body, scope, suffix)
        if result is not None:
            result = named(context, result, function.name + suffix, span)
    finally:
        context.calls.pop()
    instance = Instance(scope, result)
    context.instances[key] = instance
    return instance


def inner_value(context: Context, inner: Member, arguments: tuple[Value, ...], span: Span) -> Value:
    """``f.h[l](x)``: run f at x and read h[l]."""
    instance = run(context, inner.function, arguments, span)
    value = instance.scope.names.get(inner.name)
    if value is None:
        raise fail("unknown-member", f"{inner.function.name} did not assign {inner.name}", span)
    if isinstance(value, Family) and inner.indices is not None:
        return member(value, inner.indices, span)
    if inner.indices is not None:
        raise fail("not-indexed", f"{inner.name} is {describe(value)} and takes no index", span)
    return value  # type: ignore[no-any-return]
