"""Matrix expressions: operators in a few letters, expanded when they meet a vector."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, TpError, fail
from tpsym.program.instructions import Dimension
from tpsym.program.letters import (
    ColumnLetter,
    DiagonalLetter,
    InputLetter,
    Letter,
    MatrixLetter,
    RowLetter,
    SymmetricLetter,
)
from tpsym.program.messages import not_available
from tpsym.program.scope import Context
from tpsym.program.values import Data, Operator, Scalar, Size, Value, VectorValue, describe, size_text
from tpsym.program.words import collected


def same_size(a: Size, b: Size) -> bool:
    """Whether two sizes agree: widths by name, finite sizes also by value."""
    if isinstance(a, Dimension) or isinstance(b, Dimension):
        return isinstance(a, Dimension) and isinstance(b, Dimension) and a.name == b.name
    return a.name == b.name or bool(a.size == b.size)


def letter_transpose(letter: Letter, span: Span) -> Letter:
    match letter:
        case MatrixLetter(node=node, transposed=transposed):
            return MatrixLetter(node, not transposed)
        case DiagonalLetter() | SymmetricLetter():
            return letter
        case RowLetter(expr=expr):
            return ColumnLetter(expr)
        case ColumnLetter(expr=expr):
            return RowLetter(expr)
    raise not_available("the transpose of an input layer", span)


def transpose(a: Operator, span: Span) -> Operator:
    """``(AB)ᵀ = BᵀAᵀ``, term by term."""
    terms = tuple((c, tuple(letter_transpose(x, span) for x in reversed(word))) for c, word in a.terms)
    return Operator(terms, a.columns, a.rows)


def scale(a: Operator, factor: Expr) -> Operator:
    return Operator(tuple((factor * c, word) for c, word in a.terms), a.rows, a.columns)


def add(a: Operator, b: Operator, span: Span) -> Operator:
    """The sum of two operators of one shape."""
    if not (same_size(a.rows, b.rows) and same_size(a.columns, b.columns)):
        raise shape_error("cannot add", a, b, span)
    return Operator(collected(a.terms + b.terms), a.rows, a.columns)


def compose(a: Operator, b: Operator, span: Span) -> Operator:
    """The product of two operators."""
    if not same_size(a.columns, b.rows):
        raise product_error("cannot multiply", a, b, b.rows, span)
    return Operator(collected((c * e, v + w) for c, v in a.terms for e, w in b.terms), a.rows, b.columns)


def apply(context: Context, a: Operator, x: VectorValue | Data, span: Span) -> VectorValue | Scalar:
    """``A x``: every word applied letter by letter, from the right."""
    size = x.dimension if isinstance(x, VectorValue) else x.size
    if not same_size(a.columns, size):
        raise product_error("cannot apply", a, x, size, span)
    total: Expr = S.Zero
    for c, word in a.terms:
        value: VectorValue | Data | Scalar = x
        for letter in reversed(word):
            value = apply_letter(context, letter, value, span)
        if isinstance(value, Data):
            raise not_available("a matrix that acts on data alone", span)
        total += c * value.expr
    if isinstance(a.rows, Dimension):
        return VectorValue(total, a.rows)
    return Scalar(total)


def apply_letter(
    context: Context, letter: Letter, x: VectorValue | Data | Scalar, span: Span
) -> VectorValue | Scalar:
    match letter, x:
        case MatrixLetter(node=matrix, transposed=transposed), VectorValue():
            # Powers of n and parameters go outside: W(c x) = c W x keeps equal products one node.
            vectors = context.vector_symbols(x.expr)
            if not vectors:
                constant, inner = S.One, x.expr
            else:
                constant, inner = x.expr.as_independent(*vectors, as_Add=False)
            argument = context.materialize(VectorValue(inner, x.dimension), span=span)
            node = context.builder.matmul(matrix, argument, transposed=transposed, span=span)
            instruction = context.builder[node]
            dimension: Dimension = instruction.dimension  # type: ignore[union-attr, assignment]
            return VectorValue(constant * context.symbol(node), dimension)
        case SymmetricLetter(node=matrix), VectorValue():
            parts = (apply_letter(context, MatrixLetter(matrix, t), x, span) for t in (False, True))
            return VectorValue(sum((p.expr for p in parts), S.Zero), x.dimension)
        case DiagonalLetter(expr=expr), VectorValue():
            return VectorValue(expr * x.expr, x.dimension)
        case RowLetter(expr=expr), VectorValue():
            average = context.average(expr * x.expr, x.dimension, span=span)
            return Scalar(context.size(x.dimension) * average)
        case InputLetter(), Data():
            return apply_input(context, letter, x, span)
    raise not_available("this product of a finite and an infinite matrix", span)


def apply_input(context: Context, letter: InputLetter, x: Data, span: Span) -> VectorValue:
    """``U x`` for data x: Gaussian with covariance ``variance · dot(x, y)`` between data x and y."""
    total: Expr = S.Zero
    for name, coefficient in x.terms:
        key = (letter.name, name)
        if key not in context.inputs:
            covariance = {
                node: letter.variance * context.gram(name, other)
                for node, other in context.input_families.get(letter.name, [])
            }
            node = context.builder.vector(
                f"{letter.name}·{name}",
                letter.rows,
                family=letter.name,
                covariance=covariance,
                variance=letter.variance * context.gram(name, name),
                span=span,
            )
            context.inputs[key] = node
            if letter.name in context.input_layers:
                context.builder.layered[node] = context.input_layers[letter.name]
            context.input_families.setdefault(letter.name, []).append((node, name))
        total += coefficient * context.symbol(context.inputs[key])
    return VectorValue(total, letter.rows)


def as_vector(a: Operator) -> VectorValue | None:
    """A one-column operator ``v.T`` as the vector it is."""
    if not isinstance(a.rows, Dimension) or isinstance(a.columns, Dimension) or a.columns.size != 1:
        return None
    if any(len(word) != 1 or not isinstance(word[0], ColumnLetter) for _, word in a.terms):
        return None
    return VectorValue(sum((c * word[0].expr for c, word in a.terms), S.Zero), a.rows)  # type: ignore[union-attr]


def trace(context: Context, a: Operator, span: Span) -> Expr:
    """``(1/n) tr A`` as ``(1/n) gᵀ A g`` with a fresh standard Gaussian g (Yang, Tensor Programs III, §3)."""
    if not isinstance(a.rows, Dimension) or not same_size(a.rows, a.columns):
        raise fail(
            "not-square",
            f"tr needs a square matrix of infinite size, this is {describe(a)}",
            span,
            expected="an (n, n) matrix",
        )
    probe = context.builder.vector(f"probe({a.rows.name})", a.rows, span=span)
    g = context.vector(probe, a.rows)
    image = apply(context, a, g, span)
    product = g.expr * image.expr
    constant, rest = product.as_independent(*context.vector_symbols(product), as_Add=False)
    if rest == 0:
        return S.Zero
    node = context.builder.moment(rest, context.nodes, a.rows, span=span)
    terms = tuple((c / constant if constant.is_number else sp.cancel(c / constant), word) for c, word in a.terms)
    context.traces[node] = Operator(terms, a.rows, a.columns)
    return constant * context.symbol(node)


def shape_error(what: str, a: Value, b: Value, span: Span, *, fix: str | None = None) -> TpError:
    """The error for two values that do not go together, both shown."""
    reason = ": the sizes differ" if type(a) is type(b) and describe(a) != describe(b) else ""
    return fail("shape-mismatch", f"{what} {describe(a)} and {describe(b)}{reason}", span, fix=fix)


def product_error(what: str, a: Operator, b: Operator | VectorValue | Data, inner: Size, span: Span) -> TpError:
    """The error for ``a @ b`` where the inner sizes differ."""
    link = "to" if what == "cannot apply" else "and"
    return fail(
        "shape-mismatch",
        f"{what} {describe(a)} {link} {describe(b)}: {size_text(a.columns)} is not {size_text(inner)}",
        span,
        fix=product_fix(a, b, inner),
    )


def product_fix(a: Operator, b: Operator | VectorValue | Data, inner: Size) -> str | None:
    """What was probably meant by a product whose inner sizes differ."""
    if isinstance(b, Data) and isinstance(a.columns, Dimension):
        return f"multiply the data by an input layer of shape ({size_text(a.columns)}, {size_text(inner)}) first"
    if isinstance(b, VectorValue) and any(isinstance(x, InputLetter) for _, word in a.terms for x in word):
        return "an input layer multiplies data; a layer between vectors has two widths, as in (n, n)"
    if same_size(a.rows, inner):
        return "transpose the left side: W.T @ x"
    if isinstance(b, Operator) and same_size(a.columns, b.columns):
        return "transpose the right side: A @ B.T"
    return None
