"""Declarations: sizes, parameters, data, random arrays, nonlinearities."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, fail
from tpsym.functions import unknown
from tpsym.program.arithmetic import plain
from tpsym.program.blocks import store
from tpsym.program.evaluate import assignments, evaluate, indices
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context, Scope, not_available, power_of, width_symbol
from tpsym.program.values import (
    Data,
    Family,
    Finite,
    InputLetter,
    ListValue,
    MatrixLetter,
    Nonlinearity,
    Operator,
    RowLetter,
    Scalar,
    Size,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree

DOMAINS = {"real": {"real": True}, "positive": {"positive": True}, "nonnegative": {"nonnegative": True},
           "integer": {"integer": True}}


def number(context: Context, node: tree.Expr, scope: Scope, *, what: str) -> Expr:
    """An expression that has to be a number (parameters allowed)."""
    value = plain(context, evaluate(context, node, scope), node.span)
    if not isinstance(value, Scalar) or value.expr.free_symbols & context.nodes.keys():
        raise fail("number-expected", f"{what} has to be a number, not {describe(value)}", node.span)
    return value.expr


def fresh(context: Context, name: tree.Name) -> None:
    """A declared name may not be declared twice."""
    if name.id in context.scope.names and not isinstance(context.scope.names[name.id], Family):
        raise fail("declared-twice", f"{name.text!r} is already declared", name.span, fix="choose another name")


def declare_size(context: Context, node: tree.Size) -> None:
    for name, value in node.items:
        fresh(context, name)
        given = context.overrides.get(name.id)
        if node.kind == "width":
            context.scope.names[name.id] = width(context, name, value)
        elif node.kind == "dim":
            size = given or (number(context, value, context.scope, what="a size") if value else None)
            check_count(size, name)
            context.scope.names[name.id] = Finite(name.text, size or Symbol(name.id, positive=True, integer=True))
        else:
            depth = given or (number(context, value, context.scope, what="a depth") if value else None)
            check_count(depth, name)
            context.scope.names[name.id] = Scalar(depth or Symbol(name.id, positive=True, integer=True))


def check_count(size: Expr | None, name: tree.Name) -> None:
    if size is not None and size.is_number and not (size.is_Integer and size > 0):
        raise fail("bad-size", f"{name.text} = {size} is not a size", name.span, expected="a whole number ≥ 1")


def width(context: Context, name: tree.Name, value: tree.Expr | None) -> Dimension:
    """A width; the first one is the unit, others come at a fixed ratio to it."""
    if context.base is None:
        if value is not None:
            raise fail("width-with-value", "the first width is the unit and has no value", value.span)
        context.base = Dimension(name.id, S.One)
        return context.base
    if value is None:
        return Dimension(name.id, Symbol(f"{name.id}/{context.base.name}", positive=True))
    ratio = power_of(number(context, value, context.scope, what="a width"), context.n)
    if ratio is None or ratio[1] != 1 or ratio[0].is_nonpositive:
        raise fail(
            "bad-width",
            f"the width {name.text} has to be a positive constant times {context.base.name}",
            value.span,
            expected=f"something like {name.text} = gamma*{context.base.name}",
        )
    return Dimension(name.id, ratio[0])


def declare_param(context: Context, node: tree.Param) -> None:
    assumptions: dict[str, bool] = {"real": True}
    for domain in node.domains:
        if domain.id not in DOMAINS:
            raise fail(
                "unknown-domain", f"unknown domain {domain.text!r}", domain.span, expected=", ".join(sorted(DOMAINS))
            )
        assumptions |= DOMAINS[domain.id]
    for target in node.targets:
        if not target.indices:
            fresh(context, target.name)
        for scope in assignments(context, node.clauses, context.scope):
            keys = indices(context, target.indices, scope)
            name = target.name.id + (f"[{', '.join(map(str, keys))}]" if keys else "")
            symbol = Symbol(name, **assumptions)
            default = number(context, node.default, scope, what="a default") if node.default is not None else None
            if default is not None and contradicts(default, assumptions):
                raise fail(
                    "bad-default",
                    f"the default {default} of {name} is not {' '.join(d.text for d in node.domains)}",
                    node.default.span if node.default else target.span,
                )
            given = context.overrides.get(name)
            if given is not None:
                default = given
            context.parameters[symbol] = default
            store(context.scope, target, keys, Scalar(symbol))


def contradicts(value: Expr, assumptions: dict[str, bool]) -> bool:
    """Whether a value certainly breaks an assumption."""
    return any(getattr(value, f"is_{name}") is False for name in assumptions)


def declare_input(context: Context, node: tree.Input) -> None:
    size = shape(context, node.shape)
    if len(size) != 1 or isinstance(size[0], Dimension):
        raise fail("bad-data-shape", "data has one finite size", node.shape.span, expected="a shape such as (d)")
    for target in node.targets:
        if not target.indices:
            fresh(context, target.name)
        for scope in assignments(context, node.clauses, context.scope):
            keys = indices(context, target.indices, scope)
            name = target.name.id + (f"[{', '.join(map(str, keys))}]" if keys else "")
            context.data[name] = data_value(context, node.value, size[0], scope)
            store(context.scope, target, keys, Data(((name, S.One),), size[0]))


def data_value(
    context: Context, node: tree.Expr | None, size: Finite, scope: Scope
) -> tuple[Expr, ...] | None:
    if node is None:
        return None
    value = evaluate(context, node, scope)
    items = value.items if isinstance(value, ListValue) else ()
    if not items or not all(isinstance(i, Scalar) for i in items):
        raise fail("bad-data", "data is given as a list of numbers", node.span, expected="[1, 2, …]")
    if size.size.is_Integer and len(items) != size.size:
        raise fail("wrong-data-size", f"{len(items)} numbers given for data of size {size.size}", node.span)
    return tuple(i.expr for i in items)


def shape(context: Context, node: tree.TupleLiteral) -> tuple[Size, ...]:
    """A shape as sizes; numbers are finite sizes."""
    sizes: list[Size] = []
    for item in node.items:
        value = evaluate(context, item, context.scope)
        if isinstance(value, Scalar) and value.expr.is_Integer and value.expr > 0:
            value = Finite(str(value.expr), value.expr)
        if not isinstance(value, Dimension | Finite):
            raise fail(
                "bad-shape", f"a shape is made of widths, dims and numbers ≥ 1, not {describe(value)}", item.span
            )
        sizes.append(value)
    if len(sizes) > 2:
        raise fail("bad-shape", "a shape has at most two sizes", node.span)
    return tuple(sizes)


def declare_random(context: Context, node: tree.Random) -> None:
    """``weight`` and ``random``: matrices, input layers, readouts, vectors, scalars."""
    sizes = shape(context, node.shape)
    keyword = "weight" if node.trained else "random"
    if node.law is None:
        raise fail(
            "missing-law",
            f"this {keyword} has no law",
            node.targets[0].span,
            expected="~ N(mean, variance) after the shape",
            fix=f"{keyword} {node.targets[0].name.text}: … ~ N(0, 1)",
        )
    if isinstance(node.law.covariance, tree.ListLiteral):
        declare_joint(context, node, node.law, sizes)
        return
    for target in node.targets:
        if not target.indices:
            fresh(context, target.name)
        try:
            scopes = list(assignments(context, node.clauses, context.scope))
        except Exception as error:
            if getattr(error, "diagnostics", ()) and error.diagnostics[0].code == "not-available":
                what = f"{target.name.text}[…] over a symbolic range"
                context.scope.names[target.name.id] = Unavailable(what)
                continue
            raise
        for scope in scopes:
            keys = indices(context, target.indices, scope)
            name = target.name.id + (f"[{', '.join(map(str, keys))}]" if keys else "")
            mean = number(context, node.law.mean, scope, what="a mean")
            variance = number(context, node.law.covariance, scope, what="a variance")
            law = Law(mean, variance, node.law.mean.span, node.law.covariance.span)
            store(context.scope, target, keys, random_array(context, name, sizes, law, target.span))


@dataclass(frozen=True, slots=True)
class Law:
    """Mean and variance of a coordinate, with their places."""

    mean: Expr
    variance: Expr
    mean_span: Span
    variance_span: Span


def split(context: Context, expr: Expr, span: Span) -> tuple[Expr, Expr]:
    """``(c, e)`` with ``expr = c n^e``."""
    parts = power_of(expr, context.n)
    if parts is None:
        raise fail(
            "bad-power-of-n",
            f"{expr} is not a constant times a power of {context.n}",
            span,
            fix="write the law with one power of the width, such as s^2/n",
        )
    return parts


def random_array(context: Context, name: str, sizes: tuple[Size, ...], law: Law, span: Span) -> Value:
    if law.variance.is_negative:
        raise fail(
            "negative-variance", f"the variance {law.variance} is negative", law.variance_span, expected="a variance ≥ 0"
        )
    variance, exponent = split(context, law.variance, law.variance_span)
    factor = context.n ** (exponent / 2)
    infinite = [isinstance(s, Dimension) for s in sizes]
    if infinite == [] or infinite == [True]:
        return random_vector(context, name, sizes, law, (variance, factor), span)
    if not any(infinite):
        raise not_available("a random array of finite size", span)
    if law.mean != 0:
        raise fail(
            "mean-of-matrix", "a random matrix has mean 0", law.mean_span, fix="add its mean as a separate term"
        )
    if infinite == [True, True]:
        rows, columns = sizes
        assert isinstance(rows, Dimension)
        assert isinstance(columns, Dimension)
        node = context.builder.matrix(name, rows, columns, variance * columns.ratio, span=span)
        scale = sp.sqrt(context.n) * factor
        return Operator(((scale, (MatrixLetter(node, False),)),), rows, columns)
    rows, columns = sizes
    if isinstance(rows, Dimension):
        return Operator(((factor, (InputLetter(name, variance, rows),)),), rows, columns)
    assert isinstance(columns, Dimension)
    node = context.builder.vector(name, columns, variance=variance, span=span)
    return Operator(((S.One, (RowLetter(factor * context.symbol(node)),)),), rows, columns)


def random_vector(
    context: Context, name: str, sizes: tuple[Size, ...], law: Law, scaled: tuple[Expr, Expr], span: Span
) -> Value:
    """An ``(n)`` vector or a ``()`` scalar."""
    variance, factor = scaled
    if not sizes:
        node = context.builder.random_scalar(name, S.Zero, variance, span=span)
        return Scalar(law.mean + factor * context.symbol(node))
    (dimension,) = sizes
    assert isinstance(dimension, Dimension)
    mean = law.mean if factor == 1 and not law.mean.has(context.n) else S.Zero
    node = context.builder.vector(name, dimension, mean=mean, variance=variance, span=span)
    return VectorValue((law.mean - mean) + factor * context.symbol(node), dimension)


def declare_joint(context: Context, node: tree.Random, law: tree.Law, sizes: tuple[Size, ...]) -> None:
    """``random u, v: (n) ~ N([…], [[…], […]])``."""
    targets = node.targets
    if len(sizes) != 1 or not isinstance(sizes[0], Dimension) or node.clauses:
        raise fail("bad-joint-law", "a joint law is for vectors of one infinite size", law.span)
    means, rows = listed(context, law.mean), listed(context, law.covariance)
    matrix = [[scalar_item(context, e, law) for e in r.items] if isinstance(r, ListValue) else [] for r in rows]
    k = len(targets)
    if len(means) != k or len(matrix) != k or any(len(r) != k for r in matrix):
        raise fail(
            "bad-joint-law",
            f"{k} vectors need {k} means and a {k} × {k} covariance",
            law.span,
            expected=f"N([…{k} means], [[…], … {k} rows of {k}])",
        )
    check_covariance(matrix, law.covariance.span)
    family = ", ".join(t.name.id for t in targets)
    nodes: list[int] = []
    for i, target in enumerate(targets):
        fresh(context, target.name)
        mean = scalar_item(context, means[i], law)
        if context.n in mean.free_symbols or any(context.n in e.free_symbols for e in matrix[i]):
            raise fail("bad-joint-law", f"a joint law may not depend on {context.n}", law.span,
                       fix="scale the vectors afterwards")
        vector = context.builder.vector(
            target.name.id, sizes[0], family=family, mean=mean, variance=matrix[i][i],
            covariance={nodes[j]: matrix[i][j] for j in range(i)}, span=target.span,
        )
        nodes.append(vector)
        store(context.scope, target, (), context.vector(vector, sizes[0]))


def listed(context: Context, node: tree.Expr) -> tuple[Value, ...]:
    value = evaluate(context, node, context.scope)
    return value.items if isinstance(value, ListValue) else ()


def scalar_item(context: Context, value: Value, law: tree.Law) -> Expr:
    if not isinstance(value, Scalar):
        raise fail("number-expected", f"a joint law is made of numbers, not {describe(value)}", law.span)
    return value.expr


def check_covariance(matrix: list[list[Expr]], span: Span) -> None:
    """Symmetric, and positive semidefinite where the entries are numbers."""
    k = len(matrix)
    for i in range(k):
        for j in range(i):
            if sp.expand(matrix[i][j] - matrix[j][i]) != 0:
                raise fail("asymmetric-covariance", "the covariance is not symmetric", span)
        if matrix[i][i].is_negative:
            raise fail("negative-variance", f"the variance {matrix[i][i]} is negative", span)
    if all(e.is_Rational for row in matrix for e in row):
        from flint import fmpq, fmpq_mat

        entries = [[fmpq(int(e.p), int(e.q)) for e in row] for row in matrix]
        # A symmetric matrix is positive semidefinite iff (-1)^(k-j) c_j >= 0 in its characteristic polynomial.
        coefficients = fmpq_mat(entries).charpoly().coeffs()
        if any((-1) ** (k - j) * c < 0 for j, c in enumerate(coefficients)):
            raise fail("indefinite-covariance", "the covariance is not positive semidefinite", span)


def declare_fn(context: Context, node: tree.Fn) -> None:
    fresh(context, node.name)
    name = node.name.id
    if node.body is None:
        arity = len(node.parameters) or 1
        context.unknown_functions[name] = arity
        context.scope.names[name] = Nonlinearity(name, arity, unknown(name, arity))
        return
    slots = [Symbol(f"$fn {name} {i}", real=True) for i in range(len(node.parameters))]
    scope = context.scope.child(**{p.id: Scalar(s) for p, s in zip(node.parameters, slots, strict=True)})
    body = number(context, node.body, scope, what=f"the body of {name}")

    def apply(*arguments: Expr) -> Expr:
        return body.xreplace(dict(zip(slots, arguments, strict=True)))

    context.scope.names[name] = Nonlinearity(name, len(slots), apply)


def constants() -> dict[str, Value]:
    """What is known before any declaration."""
    from tpsym.functions import NONLINEARITIES

    names: dict[str, Value] = {
        name: Nonlinearity(name, arity, build) for name, (build, arity) in NONLINEARITIES.items()
    }
    names |= {name: Nonlinearity(name, 1, getattr(sp, name)) for name in ("asin", "acos", "atan", "cosh", "sinh", "tan")}
    return names | {"pi": Scalar(sp.pi), "e": Scalar(sp.E), "oo": Scalar(sp.oo)}


__all__ = ["constants", "declare_fn", "declare_input", "declare_param", "declare_random", "declare_size",
           "width_symbol"]
