"""What a matrix has to be for its eigenvalues to have a law in the limit, and the matrix in the limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr

from tpsym.errors import Span, TpError, fail
from tpsym.gauss import E
from tpsym.limit.hypotheses import Theorem
from tpsym.limit.scalars import scalar_limit
from tpsym.matrices import Diagonal, Factor, Letter, Polynomial, Word, polynomial
from tpsym.program.instructions import Dimension, State
from tpsym.program.letters import ColumnLetter, InputLetter, RowLetter
from tpsym.program.operators import same_size
from tpsym.program.scope import power_of
from tpsym.program.values import Data, Family, Function, Operator, Scalar, Value, VectorValue, describe
from tpsym.results.coordinates import is_bounded, written_out
from tpsym.results.matrix_words import matrix_polynomial
from tpsym.results.reasons import NoLimit, reasons
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

MAX_TEXT = 24
"""Characters of a matrix expression that a message repeats."""
FREENESS = Theorem("free independence principle", "Yang2020TP3")
"""Theorem 4.2: Gaussian matrices are asymptotically free from bounded diagonal ones, those made from them included."""
TRACES = Theorem("Master Theorem, applied to traces of words", "Yang2020TP3")


def spectral_matrix(side: LimitQuestions, value: Value, place: tree.Expr) -> tuple[Operator, Polynomial | None]:
    """A matrix whose spectrum is asked for, and as a polynomial (``None`` if it has none and only names are checked).

    Raises:
        TpError: no matrix, not square, not symmetric, of finite size or rank, or with eigenvalues that grow.
    """
    if not isinstance(value, Operator):
        raise no_matrix(value, place)
    if not same_size(value.rows, value.columns):
        raise not_square(value, place)
    try:
        found = matrix_polynomial(side.context, value, place.span)
    except NoLimit:
        if side.dry:
            return value, None
        raise
    if not is_symmetric(found):
        raise not_symmetric(value, place)
    check_size(side, found, place.span)
    return value, found


def no_matrix(value: Value, place: tree.Expr) -> TpError:
    """The error for the spectrum of something else."""
    text, fix = format_expression(place), None
    match value:
        case VectorValue():
            fix = f"spectrum(diag({text})) is the law of its coordinates"
        case Scalar() | Data():
            fix = None
        case Family(name=name, members=members):
            fix = f"pick a member: {name}[{', '.join(map(str, next(iter(members), ('l',))))}]"
        case Function(name=name):
            fix = f"spectrum of a matrix inside {name}: spectrum({name}.A(x))"
    return fail("matrix-expected", f"spectrum needs a matrix, this is {describe(value)}", place.span, fix=fix,
                expected="a symmetric matrix such as A @ A.T")


def not_square(value: Operator, place: tree.Expr) -> TpError:
    """The error for a matrix between two sizes."""
    text = format_expression(place)
    short = text if len(text) <= MAX_TEXT else "…"
    a, named = (text, "") if isinstance(place, tree.Name | tree.Index) else ("M", f"with M = {short}, ")
    letters = {type(x) for _, word in value.terms for x in word}
    fix = f"{named}spectrum({a} @ {a}.T) are its squared singular values"
    if letters & {InputLetter, RowLetter, ColumnLetter} or not isinstance(value.rows, Dimension):
        fix = "its rank is finite, and so is the number of its singular values"
    return fail("not-square", f"spectrum needs a square matrix, this is {describe(value)}", place.span, fix=fix)


def not_symmetric(value: Operator, place: tree.Expr) -> TpError:
    """The error for a square matrix that is not its transpose."""
    text = format_expression(place)
    short = text if len(text) <= MAX_TEXT else "…"
    what = f"spectrum needs a symmetric matrix, and {short if short == text else 'this'} is not its transpose"
    a, named = (text, "") if isinstance(place, tree.Name | tree.Index) else ("M", f"with M = {short}, ")
    fix = f"{named}spectrum({a}.T @ {a}) are its squared singular values, ({a} + {a}.T)/2 its symmetric part"
    return fail("not-symmetric", what, place.span, fix=fix)


def is_symmetric(found: Polynomial) -> bool:
    """Whether a polynomial is its adjoint, word by word."""
    left = {w: c for c, w in found.terms}
    right = {w: c for c, w in found.adjoint.terms}
    return left.keys() == right.keys() and all(
        c == right[w] or sp.cancel(sp.expand(c - right[w])) == 0 for w, c in left.items()
    )


def check_size(side: LimitQuestions, found: Polynomial, span: Span) -> None:
    """Entries have to be as small as eigenvalues of order one need; what is random is looked at in the limit."""
    n = side.context.n
    for c, word in found.terms:
        parts = power_of(c, n)
        random = c.free_symbols & side.context.nodes.keys() or any(isinstance(x, Diagonal) for x in word)
        if parts is None or random or not parts[1].is_positive:
            continue
        names = ", ".join(dict.fromkeys(x.matrix.name for x in word if isinstance(x, Factor)))
        size = str(n ** parts[1]).replace("**", "^").replace("sqrt(n)", "n^(1/2)")
        what = f"the eigenvalues of this matrix grow like {size}"
        fix = f"divide it by {size}" + (f", or give the entries of {names} a variance of order 1/{n}" if names else "")
        raise fail("grows-with-n", what, span, expected=f"entries N(0, s^2/{n})", fix=fix)


# --- in the limit --------------------------------------------------------------------------------------


def limiting(side: LimitQuestions, found: Polynomial, span: Span) -> tuple[Polynomial, Callable[[Expr], Expr]]:
    """The polynomial with the limits of its coefficients, and limits of means of coordinates of its diagonals.

    Words whose coefficient goes to zero are left out: they go to zero in norm.

    Raises:
        NoLimit: a coefficient or a coordinate stays random, grows, or belongs to a loop over layers.
    """
    diagonals = [x.expr for _, word in found.terms for x in word if isinstance(x, Diagonal)]
    numbers = [c for c, _ in found.terms]
    check_states(side, [*diagonals, *numbers], span)
    with reasons(span):
        for expr in (*diagonals, *numbers):
            side.ask(expr)
            side.cite(expr)
    terms = [term(side, c, word, span) for c, word in found.terms]
    with reasons(span):
        for letter in (x for _, word in terms for x in word if isinstance(x, Diagonal)):
            side.limit.series(letter.expr).limit()  # one that grows or stays random is refused

    def mean(expr: Expr) -> Expr:
        with reasons(span):
            return _closed(side, side.limit.mean(side.limit.series(expr)).limit())

    written = [(c, tuple(_coordinate(side, x) for x in word)) for c, word in terms]
    free = all(is_bounded(side.context, x.expr) for _, word in written for x in word if isinstance(x, Diagonal))
    side.theorems[FREENESS if diagonals and free else TRACES] = None
    return polynomial(written, found.rows, found.columns), mean


def _coordinate(side: LimitQuestions, letter: Letter) -> Letter:
    """A diagonal matrix by its coordinate as a function of Gaussians, so that its values show."""
    return Diagonal(letter.space, written_out(side.context, letter.expr)) if isinstance(letter, Diagonal) else letter


def check_states(side: LimitQuestions, expressions: list[Expr], span: Span) -> None:
    """What a loop over layers carries is known through its moments only, too little for a law of eigenvalues."""
    nodes = {side.context.nodes[s] for e in expressions for s in e.free_symbols if s in side.context.nodes}
    program = side.limit.program
    if any(isinstance(program[k], State) for k in program.behind(nodes)):
        names = ", ".join(sorted(side.context.depths))
        raise NoLimit(f"a spectrum at a symbolic number of layers is not derived; give {names} a value", span)


def term(side: LimitQuestions, coefficient: Expr, word: Word, span: Span) -> tuple[Expr, Word]:
    """A word with the limit of its coefficient; powers of n beside a diagonal matrix belong to its coordinates."""
    limit, n = side.limit, side.context.n
    first = next((i for i, x in enumerate(word) if isinstance(x, Diagonal)), None)
    if first is not None and coefficient.has(n):
        constant, rest = coefficient.as_independent(n, as_Add=False)
        diagonal = word[first]
        assert isinstance(diagonal, Diagonal)
        coefficient, moved = constant, Diagonal(diagonal.space, rest * diagonal.expr)
        word = (*word[:first], moved, *word[first + 1 :])
    try:
        with reasons(span):
            found = scalar_limit(limit, coefficient)
    except NoLimit as error:
        raise NoLimit(f"a coefficient of this matrix has no limit here: {error.reason}", span) from None
    if found.noise:
        raise NoLimit("a coefficient of this matrix stays random in the limit, and so do its eigenvalues", span)
    return _closed(side, found.value), word


def _closed(side: LimitQuestions, value: Expr) -> Expr:
    """A number in closed form where it has one, else over the names of expectations."""
    full = side.limit.written_out(value)
    return value if full.has(E) else full


__all__ = ["limiting", "spectral_matrix"]
