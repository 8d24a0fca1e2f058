"""The functions of the language that are not coordinatewise: moments, matrices, index arithmetic, choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy import S

from tpsym.errors import Span, TpError, fail
from tpsym.program.arithmetic import diagonal, plain, relation
from tpsym.program.evaluate import condition, evaluate
from tpsym.program.instructions import Dimension
from tpsym.program.messages import no_named_arguments, written, wrong_arity
from tpsym.program.operators import same_size, shape_error, trace
from tpsym.program.scope import Context, Scope, integer
from tpsym.program.values import (
    Condition,
    Data,
    GaussianLaw,
    Operator,
    Scalar,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree

SIGNATURES: Mapping[str, str] = MappingProxyType({
    "mean": "mean(x), or mean(e for k in a..b)",
    "dot": "dot(x, y)",
    "tr": "tr(A)",
    "diag": "diag(x)",
    "eye": "eye(n)",
    "mod": "mod(p, P)",
    "if": "if(condition, a, b)",
    "N": "N(mean, variance)",
    "sum": "sum(e for k in a..b)",
    "leaky_relu": "leaky_relu(z, slope)",
    "hermite": "hermite(k, z)",
    "max": "max(a, b)",
    "min": "min(a, b)",
    "nngp": "nngp(f), or nngp(f)(x, y)",
    "lim": "lim(s)",
    "exact": "exact(E[s])",
    "edgeworth": "edgeworth(s)(x), or edgeworth(s, order = k)(x)",
    "Z": "Z(x)",
    "Zhat": "Zhat(x)",
    "Zdot": "Zdot(x)",
    "spectrum": "spectrum(A)",
})
"""How the functions of the language are called."""


def take(context: Context, node: tree.Call, scope: Scope, count: int) -> tuple[Value, ...]:
    """The evaluated positional arguments, exactly ``count`` of them."""
    assert isinstance(node.function, tree.Name)
    name = node.function.text
    if node.kwargs:
        raise no_named_arguments(name, node.kwargs[0][1].span)
    if len(node.args) != count:
        raise wrong_arity(name, count, len(node.args), node.span, signature=SIGNATURES.get(name))
    return tuple(evaluate(context, a, scope) for a in node.args)


def mean(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``mean(x)``: (1/n) Σ x_α, or the mean of a list of scalars."""
    (value,) = take(context, node, scope, 1)
    x = plain(context, value, node.args[0].span)
    if not isinstance(x, VectorValue):
        fix = None
        if isinstance(x, Scalar):
            inside = context.limit is None
            fix = "leave mean(…) out" if inside else "E[…] is the expectation, lim(…) the limit of a number"
        raise fail("vector-expected", f"mean needs a vector, this is {describe(x)}", node.args[0].span, fix=fix)
    return Scalar(context.average(x.expr, x.dimension, span=node.span))


def dot(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``dot(x, y)``: Σ x_α y_α, of two vectors or of two data points."""
    values = take(context, node, scope, 2)
    x, y = (plain(context, v, a.span) for v, a in zip(values, node.args, strict=True))
    if isinstance(x, Data) and isinstance(y, Data):
        if not same_size(x.size, y.size):
            raise shape_error("cannot take the inner product of", x, y, node.span)
        return Scalar(sp.Add(*(a * b * context.gram(p, q) for p, a in x.terms for q, b in y.terms)))
    if {type(x), type(y)} == {Data, VectorValue}:
        fix = "multiply the data by an input layer first: U @ x"
        raise shape_error("cannot take the inner product of", x, y, node.span, fix=fix)
    if not isinstance(x, VectorValue) or not isinstance(y, VectorValue):
        wrong, place = (x, 0) if not isinstance(x, VectorValue | Data) else (y, 1)
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
            fix="mean(x) is the mean of a vector" if isinstance(value, VectorValue) else None,
        )
    return Scalar(trace(context, value, node.args[0].span))


def diag(context: Context, node: tree.Call, scope: Scope) -> Value:
    (value,) = take(context, node, scope, 1)
    x = plain(context, value, node.args[0].span)
    if not isinstance(x, VectorValue):
        raise fail("vector-expected", f"diag needs a vector, this is {describe(x)}", node.args[0].span)
    return diagonal(x)


def eye(context: Context, node: tree.Call, scope: Scope) -> Value:
    (value,) = take(context, node, scope, 1)
    if not isinstance(value, Dimension):
        fix = None if context.base is None else f"eye({context.base.name})"
        raise fail("width-expected", f"eye needs a width, this is {describe(value)}", node.args[0].span, fix=fix)
    return Operator(((S.One, ()),), value, value)


def modulo(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``mod(p, P)`` in 0..P−1."""
    p, q = (
        integer(v, a.span, what="an argument of mod")
        for v, a in zip(take(context, node, scope, 2), node.args, strict=True)
    )
    if q <= 0:
        raise fail("bad-modulus", f"mod needs a positive modulus, not {q}", node.args[1].span)
    return Scalar(sp.Integer(p % q))


def choose(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``if(cond, a, b)``: decided on the spot where the condition is about indices, else piecewise."""
    if node.kwargs:
        raise no_named_arguments("if", node.kwargs[0][1].span)
    if len(node.args) != 3:
        raise wrong_arity("if", 3, len(node.args), node.span, signature=SIGNATURES["if"])
    place = node.args[0].span
    test = truth(context, condition(context, node.args[0], scope, "if"), place)
    if test is sp.true:
        return evaluate(context, node.args[1], scope)
    if test is sp.false:
        return evaluate(context, node.args[2], scope)
    a, b = (plain(context, evaluate(context, x, scope), x.span) for x in node.args[1:])
    for branch, x in zip((a, b), node.args[1:], strict=True):
        if not isinstance(branch, Scalar | VectorValue):
            what = f"if chooses between numbers or vectors, this is {describe(branch)}"
            raise fail("vector-expected", what, x.span)
    assert isinstance(a, Scalar | VectorValue)
    assert isinstance(b, Scalar | VectorValue)
    branches = [v.dimension for v in (a, b) if isinstance(v, VectorValue)]
    if len(branches) == 2 and not same_size(*branches):
        raise shape_error("cannot choose between", a, b, node.args[1].span.to(node.args[2].span))
    tested = vector_size(context, test)
    if tested is not None and branches and not same_size(tested, branches[0]):
        raise fail(
            "shape-mismatch",
            f"the condition is about vectors of shape ({tested.name}), the values have shape ({branches[0].name})",
            place,
        )
    expr = sp.Piecewise((a.expr, test), (b.expr, True))
    sizes = [*branches, *([tested] if tested else [])]
    return VectorValue(expr, sizes[0]) if sizes else Scalar(expr)


def vector_size(context: Context, test: Any) -> Dimension | None:
    """The width of the vectors a condition is about."""
    for symbol in context.vector_symbols(test):
        if symbol in context.nodes:
            size: Dimension | None = context.builder[context.nodes[symbol]].dimension  # type: ignore[union-attr]
            return size
    return None


def truth(context: Context, value: Value, span: Span) -> Any:
    """A condition on vectors or scalars as a sympy condition."""
    if not isinstance(value, Condition):
        raise fail("condition-expected", f"this needs a condition, not {describe(value)}", span)
    match value.op:
        case "and":
            return sp.And(*(truth(context, c, span) for c in value.operands))
        case "or":
            return sp.Or(*(truth(context, c, span) for c in value.operands))
        case "not":
            return sp.Not(truth(context, value.operands[0], span))
        case "<=>":
            raise fail("misplaced", "`<=>` compares conditions; it can only stand in a claim", span)
    a, b = (plain(context, v, span) for v in value.operands)
    if not isinstance(a, Scalar | VectorValue) or not isinstance(b, Scalar | VectorValue):
        raise incomparable(a, b, span)
    if isinstance(a, VectorValue) and isinstance(b, VectorValue) and not same_size(a.dimension, b.dimension):
        raise shape_error("cannot compare", a, b, span)
    return relation(value.op, a.expr, b.expr, span)


def incomparable(a: Value, b: Value, span: Span) -> TpError:
    """The error for a comparison of values that have no order."""
    fix = "compare numbers such as dot(x, y)" if isinstance(a, Data) or isinstance(b, Data) else None
    return fail("incomparable", f"cannot compare {describe(a)} and {describe(b)}", span, fix=fix)


def normal_law(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``N(mean, variance)`` as a value, to compare a limit law with."""
    values = take(context, node, scope, 2)
    parts = [plain(context, v, a.span) for v, a in zip(values, node.args, strict=True)]
    for part, place in zip(parts, node.args, strict=True):
        if not isinstance(part, Scalar):
            raise fail("number-expected", f"N(mean, variance) needs numbers, this is {describe(part)}", place.span)
    center, variance = (part.expr for part in parts if isinstance(part, Scalar))
    if variance.is_negative:
        what = f"the variance {written(variance)} is negative"
        raise fail("negative-variance", what, node.args[1].span, expected="a variance ≥ 0")
    return GaussianLaw(center, variance)


def summed(context: Context, node: tree.Call, scope: Scope) -> Value:
    raise fail(
        "missing-range",
        "sum is over a range of indices",
        node.span,
        expected=SIGNATURES["sum"],
        fix="dot(x, y) sums over the coordinates of vectors, mean(x) averages over them",
    )


BUILTINS: Mapping[str, Callable[[Context, tree.Call, Scope], Value]] = MappingProxyType({
    "mean": mean,
    "dot": dot,
    "tr": tr,
    "diag": diag,
    "eye": eye,
    "mod": modulo,
    "if": choose,
    "N": normal_law,
    "sum": summed,
})
