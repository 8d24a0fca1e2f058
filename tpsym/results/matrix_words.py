"""Matrix expressions of a program as polynomials in Gaussian and diagonal matrices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import sympy as sp
from sympy import Expr, S

from tpsym.errors import Span, TpError, fail
from tpsym.matrices import Diagonal, Factor, Gaussian, Letter, Polynomial, Space, Word, polynomial
from tpsym.program.arithmetic import MAX_OPERATOR_TERMS
from tpsym.program.instructions import Dimension, Matrix
from tpsym.program.letters import DiagonalLetter, InputLetter, MatrixLetter, SymmetricLetter
from tpsym.program.letters import Word as Written
from tpsym.program.scope import Context
from tpsym.program.values import Operator, describe
from tpsym.program.words import written_out
from tpsym.results.reasons import NoLimit


def matrix_polynomial(context: Context, operator: Operator, span: Span) -> Polynomial:
    """The operator in the words of :mod:`tpsym.matrices`; coefficients may contain n, parameters and scalars.

    A matrix with entries N(0, v/n) becomes a ``real`` Gaussian of variance v under its name in the file, ``W + W.T``
    a ``symmetric`` one of variance 2v where W enters in no other way. Diagonal matrices side by side are one.

    Raises:
        TpError: a finite size takes part.
        NoLimit: matrices of symbolic layers that may or may not be the same.
    """
    rows, columns = operator.rows, operator.columns
    if not isinstance(rows, Dimension) or not isinstance(columns, Dimension):
        what = f"this matrix has a finite side: it is {describe(operator)}"
        raise fail("finite-matrix", what, span, expected="a matrix between widths, such as an (n, n) matrix")
    terms = list(_gathered(operator, span))
    _certainly_different(context, terms, span)
    words = (_word(context, c, word, rows, span) for c, word in terms)
    return polynomial(words, space(rows), space(columns))


def space(dimension: Dimension) -> Space:
    """The index set of a width."""
    return Space(dimension.name, dimension.ratio)


def _gathered(operator: Operator, span: Span) -> Iterator[tuple[Expr, Written]]:
    """The terms, with ``W + W.T`` written out where W also stands alone: both names mean one matrix."""
    alone = {x.node for _, word in operator.terms for x in word if isinstance(x, MatrixLetter)}
    count = 0
    for c, word in operator.terms:
        for each in written_out(word, alone):
            count += 1
            if count > MAX_OPERATOR_TERMS:
                raise fail("too-many-terms", f"this matrix has more than {MAX_OPERATOR_TERMS} terms", span)
            yield c, each


def _certainly_different(context: Context, terms: list[tuple[Expr, Written]], span: Span) -> None:
    """Layers of one family have to be certainly different matrices, or certainly the same."""
    nodes = {x.node for _, word in terms for x in word if isinstance(x, MatrixLetter | SymmetricLetter)}
    layered = [context.builder.layered[k] for k in sorted(nodes) if k in context.builder.layered]
    for (family, layer), (other, second) in combinations(layered, 2):
        if family == other and not sp.expand(layer - second).is_nonzero:
            raise NoLimit(f"whether the layers {layer} and {second} are the same matrix depends on the depth", span)


def _word(
    context: Context, coefficient: Expr, word: Written, rows: Dimension, span: Span
) -> tuple[Expr, Word]:
    letters: list[Letter] = []
    here = space(rows)
    for letter in word:
        match letter:
            case MatrixLetter(node=node, transposed=transposed):
                factor = Factor(_gaussian(context, node), transposed)
                letters.append(factor)
                here = factor.columns
            case SymmetricLetter(node=node):
                letters.append(Factor(_symmetrised(_gaussian(context, node))))
            case DiagonalLetter(expr=expr):
                constant, rest = _constant_factor(context, expr)
                coefficient *= constant
                if rest == 1:
                    continue
                last = letters[-1] if letters else None
                if isinstance(last, Diagonal):
                    letters[-1] = Diagonal(here, last.expr * rest)
                else:
                    letters.append(Diagonal(here, rest))
            case _:
                raise _finite(letter, span)
    return coefficient, tuple(letters)


def _gaussian(context: Context, node: int) -> Gaussian:
    matrix = context.builder[node]
    assert isinstance(matrix, Matrix)
    name = context.builder.labels.get(node, matrix.name)
    return Gaussian(name, space(matrix.rows), space(matrix.columns), matrix.variance / matrix.columns.ratio)


def _symmetrised(matrix: Gaussian) -> Gaussian:
    return Gaussian(matrix.name, matrix.rows, matrix.columns, 2 * matrix.variance, "symmetric")


def _constant_factor(context: Context, expr: Expr) -> tuple[Expr, Expr]:
    """``c·x`` as c, free of everything random, and x."""
    random = [s for s in expr.free_symbols if s in context.nodes or s.name.startswith(("$hat", "$dot"))]
    if not random:
        return expr, S.One
    constant, rest = expr.as_independent(*random, as_Add=False)
    return constant, rest


def _finite(letter: object, span: Span) -> TpError:
    if isinstance(letter, InputLetter):
        what = f"the input layer {letter.name} has a finite side, so this term has finite rank"
    else:
        what = "a term of this matrix goes through a finite number of rows, so it has finite rank"
    fix = "leave it out: a term of finite rank does not change the limiting spectrum"
    return fail("finite-rank", what, span, fix=fix)


__all__ = ["matrix_polynomial", "space"]
