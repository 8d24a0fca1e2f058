"""``weight`` and ``random``: matrices, input layers, readouts, vectors, scalars, and jointly Gaussian vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import mpmath
import sympy as sp
from flint import fmpq, fmpq_mat
from sympy import Expr, S

from tpsym.errors import Span, TpError, fail
from tpsym.program.blocks import store
from tpsym.program.declare import fresh, member_name, members, number, shape
from tpsym.program.families import add_layers, symbolic
from tpsym.program.instructions import Dimension
from tpsym.program.letters import InputLetter, MatrixLetter, RowLetter
from tpsym.program.messages import not_available, written
from tpsym.program.scope import Context, Scope, Trained, power_of
from tpsym.program.values import Operator, Scalar, Size, Unavailable, Value, VectorValue
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression


def declare_random(context: Context, node: tree.Random) -> None:
    """A ``weight`` or ``random`` statement."""
    sizes = shape(context, node.shape)
    if node.law is None:
        raise missing_law(node)
    if isinstance(node.law.covariance, tree.ListLiteral):
        declare_joint(context, node, node.law, sizes)
        return
    if isinstance(node.law.mean, tree.ListLiteral):
        what = "several means need a covariance matrix"
        raise fail("bad-joint-law", what, node.law.covariance.span, expected="N([0, 0], [[1, rho], [rho, 1]])")
    for target in node.targets:
        try:
            found = list(members(context, (target,), node.clauses, layers=True))
        except TpError as error:
            if error.diagnostics[0].code != "not-available":
                raise
            what = f"{target.name.text} over a symbolic range"
            context.scope.names[target.name.id] = Unavailable(what, error.diagnostics[0])
            continue
        make = partial(declared, context, node, node.law, sizes, target)
        for _, keys, scope in found:
            if symbolic(keys):
                add_layers(context, target, keys, scope, make)
            else:
                store(context.scope, target, keys, make(member_name(target, keys), scope))


def declared(
    context: Context, node: tree.Random, law: tree.Law, sizes: tuple[Size, ...], target: tree.Target, name: str,
    scope: Scope,
) -> Value:
    """One array, with its indices in scope."""
    mean = number(context, law.mean, scope, what="a mean")
    variance = number(context, law.covariance, scope, what="a variance")
    value = random_array(context, name, sizes, Law(mean, variance, law.mean.span, law.covariance.span), target.span)
    if node.trained:
        context.trained.append(trained_array(context, name, value, variance))
    return value


def trained_array(context: Context, name: str, value: Value, variance: Expr) -> Trained:
    """What training changes of a declared array; a constant mean is a term of its own."""
    expr: Expr
    if isinstance(value, Operator):
        ((scale, (letter,)),) = value.terms
        if isinstance(letter, MatrixLetter):
            return Trained(name, letter.node, scale, variance)
        if isinstance(letter, InputLetter):
            return Trained(name, None, scale, variance)
        assert isinstance(letter, RowLetter)
        expr = letter.expr
    else:
        assert isinstance(value, VectorValue | Scalar)
        expr = value.expr
    symbol = next(s for s in expr.free_symbols if s in context.nodes)
    return Trained(name, context.nodes[symbol], sp.diff(expr, symbol), variance)


def missing_law(node: tree.Random) -> TpError:
    """The error for an array without ``~``."""
    keyword = "weight" if node.trained else "random"
    target = node.targets[0]
    name = target.name.text + (f"[{', '.join(map(format_expression, target.indices))}]" if target.indices else "")
    return fail(
        "missing-law",
        f"{name} has no law",
        target.span,
        expected="~ N(mean, variance) after the shape",
        fix=f"{keyword} {name}: ({', '.join(map(format_expression, node.shape.items))}) ~ N(0, 1)",
    )


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
            f"{written(expr)} is not a constant times a power of {context.n}",
            span,
            fix="write the law with one power of the width, such as s^2/n",
        )
    return parts


def random_array(context: Context, name: str, sizes: tuple[Size, ...], law: Law, span: Span) -> Value:
    if law.variance.is_negative:
        raise fail(
            "negative-variance",
            f"the variance {written(law.variance)} is negative",
            law.variance_span,
            expected="a variance ≥ 0",
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
    if len(sizes) != 1 or not isinstance(sizes[0], Dimension) or node.clauses or any(t.indices for t in targets):
        raise fail("bad-joint-law", "a joint law is for vectors of one infinite size, without indices", law.span)
    means, rows = joint_parts(law, len(targets))
    mean = [joint_entry(context, m) for m in means]
    matrix = [[joint_entry(context, e) for e in row] for row in rows]
    check_covariance(matrix, rows, law.covariance.span)
    family = ", ".join(t.name.id for t in targets)
    vectors: list[int] = []
    for i, target in enumerate(targets):
        fresh(context, target.name)
        vector = context.builder.vector(
            target.name.id, sizes[0], family=family, mean=mean[i], variance=matrix[i][i],
            covariance={vectors[j]: matrix[i][j] for j in range(i)}, span=target.span,
        )
        vectors.append(vector)
        store(context.scope, target, (), context.vector(vector, sizes[0]))


Rows = Sequence[Sequence[tree.Expr]]


def joint_parts(law: tree.Law, count: int) -> tuple[Sequence[tree.Expr], Rows]:
    """The means and the rows of the covariance, as many as there are vectors."""
    means = law.mean.items if isinstance(law.mean, tree.ListLiteral) else ()
    items = law.covariance.items if isinstance(law.covariance, tree.ListLiteral) else ()
    rows = [r.items if isinstance(r, tree.ListLiteral) else () for r in items]
    expected = f"N([… {count} means], [[…], … {count} rows of {count}])"
    if len(means) != count:
        what = f"{count} vectors need a list of {count} means"
        raise fail("bad-joint-law", what, law.mean.span, expected=expected)
    wrong = next((item for item, row in zip(items, rows, strict=True) if len(row) != count), None)
    if wrong is not None or len(rows) != count:
        what = f"{count} vectors need a {count} × {count} covariance"
        raise fail("bad-joint-law", what, (wrong or law.covariance).span, expected=expected)
    return means, rows


def joint_entry(context: Context, node: tree.Expr) -> Expr:
    """A mean or covariance of a joint law: a number that does not depend on the width."""
    expr = number(context, node, context.scope, what="an entry of a joint law")
    if context.n in expr.free_symbols:
        what = f"a joint law may not depend on {context.n}"
        raise fail("bad-joint-law", what, node.span, fix="scale the vectors afterwards")
    return expr


def check_covariance(matrix: list[list[Expr]], rows: Rows, span: Span) -> None:
    """Symmetric, and positive semidefinite as far as that shows."""
    for i, row in enumerate(matrix):
        if row[i].is_negative:
            what = f"the variance {written(row[i])} is negative"
            raise fail("negative-variance", what, rows[i][i].span, expected="a variance ≥ 0")
        for j in range(i):
            if sp.expand(row[j] - matrix[j][i]) != 0:
                what = f"the covariance is not symmetric: {written(row[j])} here, {written(matrix[j][i])} across"
                raise fail("asymmetric-covariance", what, rows[i][j].span)
    for i, row in enumerate(matrix):
        for j in range(i):
            minor = sp.expand(row[i] * matrix[j][j] - row[j] ** 2)
            if minor.is_negative:
                what = f"this covariance is too large for the variances {written(matrix[j][j])} and {written(row[i])}"
                expected = "a covariance whose square is at most the product of the variances"
                raise fail("indefinite-covariance", what, rows[i][j].span, expected=expected)
    if not semidefinite(matrix):
        raise fail("indefinite-covariance", "the covariance is not positive semidefinite", span)


def semidefinite(matrix: list[list[Expr]]) -> bool:
    """Whether a symmetric matrix of numbers has no negative eigenvalue; matrices with symbols pass."""
    if all(e.is_Rational for row in matrix for e in row):
        entries = [[fmpq(int(e.p), int(e.q)) for e in row] for row in matrix]
        # A symmetric matrix is positive semidefinite iff (-1)^(k-j) c_j >= 0 in its characteristic polynomial.
        k = len(matrix)
        return not any((-1) ** (k - j) * c < 0 for j, c in enumerate(fmpq_mat(entries).charpoly().coeffs()))
    if all(e.is_number for row in matrix for e in row):
        values = mpmath.matrix([[mpmath.mpmathify(sp.N(e, 15)) for e in row] for row in matrix])
        return bool(min(mpmath.eigsy(values, eigvals_only=True)) >= -1e-9 * mpmath.mnorm(values, 1))
    return True
