"""``+ - * / ^ @`` and comparisons on values of every kind, shapes checked."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.program.instructions import Dimension
from tpsym.program.letters import DiagonalLetter, InputLetter
from tpsym.program.messages import written
from tpsym.program.operators import add, apply, as_vector, compose, same_size, scale, shape_error
from tpsym.program.scope import Context
from tpsym.program.values import (
    AlgebraicEquation,
    Condition,
    Data,
    Family,
    Finite,
    Function,
    GaussianLaw,
    Kernel,
    Macro,
    Member,
    Nonlinearity,
    Operator,
    Scalar,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree

MAX_OPERATOR_TERMS = 4096
"""Words a matrix expression may expand into."""

MAX_BITS = 14_000
"""Binary digits of an exact number."""

MAX_EXPONENT = 10_000

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
    match value:
        case Function(definition=definition):
            return f"call it: {signature(definition)}"
        case Kernel(kind=kind):
            return f"give it two inputs: {kind}(…)(x, y)"
        case Nonlinearity(name=name):
            return f"call it: {name}(…)"
        case Family(name=name, members=members):
            keys = f"[{', '.join(map(str, next(iter(members), ())))}]"
            return f"pick a member: {name.removesuffix('(…)')}{keys}{'(…)' if name.endswith('(…)') else ''}"
        case Macro(definition=definition):
            return f"write {signature(definition)}"
        case Member(function=function, name=name):
            return f"call it: {function.name}.{name}(x)"
        case AlgebraicEquation(unknowns=unknowns):
            return f"compare it whole with a polynomial in {unknowns[0]} and {unknowns[1]}"
        case Condition():
            return "if(condition, a, b) makes a value of a condition"
    return None


def signature(definition: tree.Let | tree.Def) -> str:
    """How a definition or function is used: ``C[l](s, t)``."""
    arguments = ", ".join(p.text for p in definition.parameters)
    call = f"({arguments})" if arguments else ""
    if isinstance(definition, tree.Def):
        return definition.name.text + call
    keys = ", ".join(i.text if isinstance(i, tree.Name) else "…" for i in definition.target.indices)
    return definition.target.name.text + (f"[{keys}]" if keys else "") + call


def negate(context: Context, value: Value, span: Span) -> Value:
    return times(Scalar(S.NegativeOne), plain(context, value, span), span)


def binary(
    context: Context, op: str, left: Value, right: Value, span: Span, *, places: tuple[Span, Span] | None = None
) -> Value:
    """``left op right`` for the arithmetic operators; ``places`` are those of the two sides."""
    first, second = places or (span, span)
    if op == "@":
        return matmul(context, left, right, span, places=(first, second))
    a, b = plain(context, left, first), plain(context, right, second)
    match op:
        case "+":
            return plus(a, b, span)
        case "-":
            return plus(a, times(Scalar(S.NegativeOne), b, second), span, what="subtract")
        case "*":
            return times(a, b, span)
        case "/":
            return divide(a, b, span, second)
    return power(a, b, span, second)


def plus(a: Plain, b: Plain, span: Span, *, what: str = "add") -> Plain:
    if isinstance(a, Scalar | VectorValue) and isinstance(b, Scalar | VectorValue):
        return coordinatewise(a.expr + b.expr, a, b, what, span)
    match a, b:
        case Data(), Data():
            if not same_size(a.size, b.size):
                raise shape_error(f"cannot {what}", a, b, span)
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
    fix = None
    if {type(a), type(b)} == {Operator, VectorValue}:
        fix = "multiply the matrix by a vector first: W @ x"
    elif {type(a), type(b)} == {Data, VectorValue}:
        fix = INPUT_LAYER
    raise shape_error(f"cannot {what}", a, b, span, fix=fix)


INPUT_LAYER = "multiply the data by an input layer first: U @ x"


def times(a: Plain, b: Plain, span: Span, *, what: str = "multiply") -> Plain:
    if isinstance(a, Scalar | VectorValue) and isinstance(b, Scalar | VectorValue):
        return coordinatewise(a.expr * b.expr, a, b, what, span)
    match a, b:
        case Scalar(), Data():
            return Data(tuple((k, a.expr * v) for k, v in b.terms if a.expr != 0), b.size)
        case Data(), Scalar():
            return times(b, a, span)
        case Scalar(), Operator():
            return scale(b, a.expr)
        case Operator(), Scalar():
            return scale(a, b.expr)
        case (Operator(), (VectorValue() | Data() | Operator())) | ((VectorValue() | Data()), Operator()):
            order = "use `@` for the matrix product" if isinstance(a, Operator) else (
                "write W @ x for the product, diag(x) @ W to scale the rows of W"
            )
            raise fail(
                "star-for-matmul",
                f"`*` is coordinatewise; cannot multiply {describe(a)} and {describe(b)} with it",
                span,
                fix=order,
            )
    fix = None
    if isinstance(a, Data) and isinstance(b, Data):
        fix = "use dot(x, y) for the inner product"
    elif {type(a), type(b)} == {Data, VectorValue}:
        fix = INPUT_LAYER
    raise shape_error(f"cannot {what}", a, b, span, fix=fix)


def divide(a: Plain, b: Plain, span: Span, place: Span) -> Plain:
    match b:
        case Scalar():
            if b.expr == 0:
                raise fail("division-by-zero", "division by zero", place)
            return times(a, Scalar(1 / b.expr), span, what="divide")
        case VectorValue():
            if b.expr == 0:
                raise fail("division-by-zero", "division by zero", place)
            return times(a, VectorValue(1 / b.expr, b.dimension), span, what="divide")
    raise fail("bad-divisor", f"cannot divide by {describe(b)}", place, expected="a number or a vector")


def power(a: Plain, b: Plain, span: Span, place: Span) -> Plain:
    if isinstance(a, Operator) and isinstance(b, Scalar):
        return operator_power(a, b, span, place)
    if not isinstance(a, Scalar | VectorValue) or not isinstance(b, Scalar | VectorValue):
        raise fail("bad-power", f"cannot raise {describe(a)} to {describe(b)}", span, expected="numbers or vectors")
    check_exponent(a.expr, b.expr, place)
    if a.expr == 0 and b.expr.is_negative:
        raise fail("division-by-zero", "zero to a negative power", span)
    value = a.expr**b.expr
    if a.expr.is_Rational and b.expr.is_Rational:
        real(value, span, f"({written(a.expr)})^({written(b.expr)})")
    return coordinatewise(value, a, b, "take powers of", span)


def operator_power(a: Operator, b: Scalar, span: Span, place: Span) -> Operator:
    """``A^k`` for a natural number k."""
    if not (b.expr.is_Integer and b.expr >= 0):
        raise fail(
            "bad-power",
            f"a matrix can only be raised to a whole number ≥ 0, not to {written(b.expr)}",
            place,
        )
    if not isinstance(a.rows, Dimension) or not same_size(a.rows, a.columns):
        raise fail("not-square", f"a power needs a square matrix of a width, this is {describe(a)}", span)
    if b.expr > MAX_OPERATOR_TERMS:
        raise fail("too-many-terms", f"this matrix power has more than {MAX_OPERATOR_TERMS} factors", place)
    result = Operator(((S.One, ()),), a.rows, a.rows)
    for _ in range(int(b.expr)):
        if len(result.terms) * len(a.terms) > MAX_OPERATOR_TERMS:
            raise fail("too-many-terms", f"this matrix power has more than {MAX_OPERATOR_TERMS} terms", span)
        result = compose(result, a, span)
    return result


def matmul(context: Context, left: Value, right: Value, span: Span, *, places: tuple[Span, Span]) -> Value:
    """``left @ right``."""
    a = left if isinstance(left, Operator) else plain(context, left, places[0])
    keep = isinstance(right, Operator) and (not isinstance(left, Operator) or _rows_finite(left))
    b = right if keep else plain(context, right, places[1])
    if isinstance(a, Operator) and isinstance(b, Operator):
        if len(a.terms) * len(b.terms) > MAX_OPERATOR_TERMS:
            raise fail("too-many-terms", f"this matrix product has more than {MAX_OPERATOR_TERMS} terms", span)
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
    fix = "use `*` to multiply by a number" if isinstance(a, Scalar) or isinstance(b, Scalar) else None
    if isinstance(a, Operator) and any(isinstance(x, InputLetter) for _, word in a.terms for x in word):
        fix = "an input layer multiplies data"
    raise fail(
        "matrix-expected",
        f"`@` needs a matrix on its left and a matrix or vector on its right, not {describe(a)} and {describe(b)}",
        span,
        fix=fix,
    )


def _rows_finite(a: Operator) -> bool:
    return not isinstance(a.rows, Dimension)


def defined(expr: Expr, span: Span) -> Expr:
    """The result of a calculation with numbers, if it is a number of reasonable size."""
    if expr is S.NaN or expr is S.ComplexInfinity:
        raise fail("undefined-value", "this has no value", span)
    if expr.is_Rational and max(int(expr.p).bit_length(), int(expr.q).bit_length()) > MAX_BITS:
        raise fail("number-too-large", f"this number has more than {MAX_BITS * 3 // 10} digits", span)
    return expr


def real(expr: Expr, span: Span, text: str) -> Expr:
    """A number, if it is a real one."""
    if expr.is_number and (expr.is_real is False or expr is S.NaN):
        raise fail("undefined-value", f"{text} is not a real number", span)
    return expr


def check_exponent(base: Expr, exponent: Expr, place: Span) -> None:
    """Refuse a power too large to be written out."""
    if not exponent.is_Rational or base in (S.Zero, S.One, S.NegativeOne):
        return
    bits = max(int(base.p).bit_length(), int(base.q).bit_length()) if base.is_Rational else 0
    if abs(exponent) > MAX_EXPONENT or bits * abs(exponent) > MAX_BITS:
        raise fail("number-too-large", f"the exponent {shortened(exponent)} is too large", place)


def shortened(number: Expr) -> str:
    text = written(number)
    return text if len(text) < 30 else f"{text[:12]}…{text[-3:]}"


def coordinatewise(expr: Expr, a: Scalar | VectorValue, b: Scalar | VectorValue, what: str, span: Span) -> Plain:
    """A result of two numbers or vectors; numbers are broadcast."""
    sizes = [v.dimension for v in (a, b) if isinstance(v, VectorValue)]
    if not sizes:
        return Scalar(defined(expr, span))
    if len(sizes) == 2 and not same_size(sizes[0], sizes[1]):
        raise shape_error(f"cannot {what}", a, b, span)
    return VectorValue(expr, sizes[0])


def diagonal(value: VectorValue) -> Operator:
    """``diag(x)``."""
    return Operator(((S.One, (DiagonalLetter(value.expr),)),), value.dimension, value.dimension)


def relation(op: str, left: Expr, right: Expr, span: Span) -> sp.Basic:
    """A comparison as a sympy relation, for piecewise functions."""
    makers = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}
    try:
        return makers[op](left, right)
    except TypeError:
        raise fail("undefined-value", "only real numbers can be compared", span) from None
