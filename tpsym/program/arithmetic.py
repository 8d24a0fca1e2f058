"""``+ - * / ^ @`` and comparisons on values of every kind, shapes checked."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.program.instructions import Dimension
from tpsym.program.operators import add, apply, as_vector, compose, same_size, scale, shape_error
from tpsym.program.scope import Context
from tpsym.program.values import (
    Data,
    DiagonalLetter,
    Finite,
    GaussianLaw,
    Operator,
    Scalar,
    Value,
    VectorValue,
    describe,
)

MAX_OPERATOR_TERMS = 4096
"""Words a matrix expression may expand into."""

Plain = Scalar | VectorValue | Data | Operator | GaussianLaw


def plain(context: Context, value: Value, span: Span) -> Plain:
    """A value arithmetic understands: sizes become numbers, a transposed readout a vector."""
    if isinstance(value, Dimension):
        return Scalar(context.size(value))
    if isinstance(value, Finite):
        return Scalar(value.size)
    if isinstance(value, Operator):
        return as_vector(value) or value
    if isinstance(value, Scalar | VectorValue | Data | GaussianLaw):
        return value
    raise fail("not-a-value", f"cannot calculate with {describe(value)}", span, fix=_missing(value))


def _missing(value: Value) -> str | None:
    from tpsym.program.values import Family, Function, Kernel, Nonlinearity

    match value:
        case Function(name=name):
            return f"call it: {name}(x)"
        case Kernel(kind=kind):
            return f"call it on two inputs: {kind}(…)(x, y)"
        case Nonlinearity(name=name):
            return f"call it: {name}(…)"
        case Family(name=name, members=members):
            return f"pick a member: {name}[{', '.join(map(str, next(iter(members), ())))}]"
    return None


def negate(context: Context, value: Value, span: Span) -> Value:
    return times(context, Scalar(S.NegativeOne), plain(context, value, span), span)


def binary(context: Context, op: str, left: Value, right: Value, span: Span) -> Value:
    """``left op right`` for the arithmetic operators."""
    if op == "@":
        return matmul(context, left, right, span)
    a, b = plain(context, left, span), plain(context, right, span)
    match op:
        case "+":
            return plus(context, a, b, span)
        case "-":
            return plus(context, a, times(context, Scalar(S.NegativeOne), b, span), span)
        case "*":
            return times(context, a, b, span)
        case "/":
            return times(context, a, reciprocal(b, span), span)
    return power(context, a, b, span)


def plus(context: Context, a: Plain, b: Plain, span: Span) -> Value:
    match a, b:
        case Scalar(), Scalar():
            return Scalar(a.expr + b.expr)
        case (VectorValue(), VectorValue()) | (VectorValue(), Scalar()) | (Scalar(), VectorValue()):
            return VectorValue(a.expr + b.expr, joint_dimension(a, b, "add", span))
        case Data(), Data():
            if not same_size(a.size, b.size):
                raise shape_error("cannot add", a, b, span)
            terms: dict[str, Expr] = {}
            for name, coefficient in a.terms + b.terms:
                terms[name] = terms.get(name, S.Zero) + coefficient
            return Data(tuple((k, v) for k, v in sorted(terms.items()) if v != 0), a.size)
        case Operator(), Operator():
            return add(a, b, span)
        case (Operator(), Scalar()) | (Scalar(), Operator()):
            raise fail(
                "scalar-plus-matrix", "cannot add a number to a matrix", span, fix="multiply the number by eye(n)"
            )
    raise shape_error("cannot add", a, b, span)


def times(context: Context, a: Plain, b: Plain, span: Span) -> Value:
    match a, b:
        case Scalar(), Scalar():
            return Scalar(a.expr * b.expr)
        case (VectorValue(), VectorValue()) | (VectorValue(), Scalar()) | (Scalar(), VectorValue()):
            return VectorValue(a.expr * b.expr, joint_dimension(a, b, "multiply", span))
        case Scalar(), Data():
            return Data(tuple((k, a.expr * v) for k, v in b.terms if a.expr != 0), b.size)
        case Data(), Scalar():
            return times(context, b, a, span)
        case Scalar(), Operator():
            return scale(b, a.expr)
        case Operator(), Scalar():
            return scale(a, b.expr)
        case Operator(), (VectorValue() | Data() | Operator()):
            raise fail(
                "star-for-matmul",
                f"`*` is coordinatewise; cannot multiply {describe(a)} and {describe(b)} with it",
                span,
                fix="use `@` for the matrix product",
            )
    raise shape_error("cannot multiply", a, b, span)


def reciprocal(b: Plain, span: Span) -> Plain:
    match b:
        case Scalar():
            if b.expr == 0:
                raise fail("division-by-zero", "division by zero", span)
            return Scalar(1 / b.expr)
        case VectorValue():
            return VectorValue(1 / b.expr, b.dimension)
    raise fail("bad-divisor", f"cannot divide by {describe(b)}", span, expected="a number or a vector")


def power(context: Context, a: Plain, b: Plain, span: Span) -> Value:
    if isinstance(a, Operator) and isinstance(b, Scalar):
        return operator_power(context, a, b, span)
    match a, b:
        case Scalar(), Scalar():
            if a.expr == 0 and b.expr.is_negative:
                raise fail("division-by-zero", "zero to a negative power", span)
            return Scalar(a.expr**b.expr)
        case (VectorValue(), Scalar()) | (Scalar(), VectorValue()) | (VectorValue(), VectorValue()):
            return VectorValue(a.expr**b.expr, joint_dimension(a, b, "take powers of", span))
    raise fail("bad-power", f"cannot raise {describe(a)} to {describe(b)}", span, expected="numbers or vectors")


def operator_power(context: Context, a: Operator, b: Scalar, span: Span) -> Value:
    """``A^k`` for a natural number k."""
    if not (b.expr.is_Integer and b.expr >= 0) or not isinstance(a.rows, Dimension):
        raise fail("bad-power", f"a matrix can only be raised to a natural number, not to {b.expr}", span)
    result = Operator(((S.One, ()),), a.rows, a.rows)
    for _ in range(int(b.expr)):
        product = compose(result, a, span)
        assert isinstance(product, Operator)
        if len(product.terms) > MAX_OPERATOR_TERMS:
            raise fail("too-many-terms", f"this matrix power has more than {MAX_OPERATOR_TERMS} words", span)
        result = product
    return result


def matmul(context: Context, left: Value, right: Value, span: Span) -> Value:
    """``left @ right``."""
    a = left if isinstance(left, Operator) else plain(context, left, span)
    b = right if isinstance(right, Operator) and not isinstance(left, Operator) else plain(context, right, span)
    if isinstance(right, Operator) and isinstance(left, Operator):
        b = right if _rows_finite(left) or as_vector(right) is None else plain(context, right, span)
    if isinstance(a, Operator) and isinstance(b, Operator):
        return compose(a, b, span)
    if isinstance(a, Operator) and isinstance(b, VectorValue | Data):
        return apply(context, a, b, span)
    if isinstance(a, VectorValue) and isinstance(b, VectorValue):
        raise fail(
            "vector-at-vector",
            "`@` needs a matrix on its left; both sides are vectors",
            span,
            fix="use dot(x, y) for the inner product, x*y coordinatewise",
        )
    if isinstance(a, VectorValue) and isinstance(b, Operator):
        raise fail("vector-at-matrix", f"cannot multiply {describe(a)} by {describe(b)}", span, fix="write W.T @ x")
    raise fail(
        "matrix-expected",
        f"`@` needs a matrix on its left and a matrix or vector on its right, not {describe(a)} and {describe(b)}",
        span,
        fix="use `*` to multiply by a number",
    )


def _rows_finite(a: Operator) -> bool:
    return not isinstance(a.rows, Dimension)


def joint_dimension(a: Plain, b: Plain, what: str, span: Span) -> Dimension:
    """The width of a coordinatewise result; numbers are broadcast."""
    sizes = [v.dimension for v in (a, b) if isinstance(v, VectorValue)]
    if len(sizes) == 2 and not same_size(sizes[0], sizes[1]):
        raise shape_error(f"cannot {what}", a, b, span)
    return sizes[0]


def diagonal(value: VectorValue) -> Operator:
    """``diag(x)``."""
    return Operator(((S.One, (DiagonalLetter(value.expr),)),), value.dimension, value.dimension)


def relation(op: str, left: Expr, right: Expr) -> sp.Basic:
    """A comparison as a sympy relation, for piecewise functions."""
    makers = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}
    return makers[op](left, right)
