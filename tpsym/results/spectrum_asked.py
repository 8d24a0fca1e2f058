"""Which matrix a spectrum is asked of: an expression of the language, or one that a file has named."""

from __future__ import annotations

from tpsym.errors import TpError, fail
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Macro, Theory, Value
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.results.spectral_matrix import spectral_matrix
from tpsym.results.spectrum_study import Draw, SpectrumStudy
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.syntax.parse import parse_expression


def spectrum_study(model: Model, side: LimitQuestions, matrix: str, draw: Draw | None = None) -> SpectrumStudy:
    """The spectrum of a matrix expression of the language, or of one that the file has named: ``S`` or ``A``.

    Raises:
        TpError: no symmetric matrix of a width.
    """
    try:
        node = parse_expression(matrix)
        return study_of(model, side, evaluate(model.context, node, model.context.scope), node, draw)
    except NoLimit as error:
        raise fail("no-limit", error.reason, error.span).located(source=matrix, filename="<matrix>") from None
    except TpError as error:
        raise error.located(source=matrix, filename="<matrix>") from None


def study_of(
    model: Model, side: LimitQuestions, value: Value, node: tree.Expr, draw: Draw | None = None
) -> SpectrumStudy:
    """The spectrum of a matrix, or ``spectrum(A)`` itself, that ``node`` stands for.

    Raises:
        TpError: no symmetric matrix of a width. NoLimit: it is no polynomial in Gaussian matrices and diagonals.
    """
    if isinstance(value, Theory) and value.kind == "spectrum":
        value, node = value.subject, _matrix_of(model, node)
    operator, polynomial = spectral_matrix(side, value, node)
    assert polynomial is not None
    return SpectrumStudy(format_expression(node), {}, model, side, operator, polynomial, draw)


def _matrix_of(model: Model, node: tree.Expr) -> tree.Expr:
    """The matrix in ``spectrum(A)``, also where the file has given that a name."""
    if isinstance(node, tree.Name) and isinstance(macro := model.context.scope.find(node.id), Macro):
        node = macro.definition.value
    return node.args[0] if isinstance(node, tree.Call) and len(node.args) == 1 else node


__all__ = ["spectrum_study", "study_of"]
