"""``spectrum(A)`` in the language: the limiting law of the eigenvalues of a symmetric matrix, by attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.freeprob.failures import Unavailable
from tpsym.matrices import Polynomial
from tpsym.program.arithmetic import plain
from tpsym.program.calls import take
from tpsym.program.evaluate import evaluate
from tpsym.program.messages import no_named_arguments, similar, wrong_arity
from tpsym.program.scope import Context, Scope, integer
from tpsym.program.values import AlgebraicEquation, Endpoints, Method, Operator, Scalar, Theory, Value, describe
from tpsym.results.reasons import NoLimit, stand_in
from tpsym.results.spectral_matrix import limiting, spectral_matrix
from tpsym.results.spectral_moments import finite_moment
from tpsym.results.vector_route import trace_by_vectors
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

if TYPE_CHECKING:
    from tpsym.freeprob.spectrum import Spectrum
    from tpsym.results.questions import LimitQuestions

Cases = Sequence[tuple[Any, Any]]
"""Values by condition: pairs of a condition on the parameter (``true`` where there is one value only) and a value."""

WHOLE = {"moment": 0, "free_cumulant": 1, "edge": 1, "edge_exponent": 1, "finite_n": 0}
"""Attributes of a whole number, with the least there is."""
AT_POINT = ("density", "atom", "r_transform", "s_transform")
SIGNATURES = {
    **{name: f".{name}(k)" for name in WHOLE}, "density": ".density(t)", "atom": ".atom(t)",
    "r_transform": ".r_transform(w)", "s_transform": ".s_transform(w)", "support": ".support",
    "equation": ".equation(G, z)",
}
FREE = ("equation", *AT_POINT)
"""Attributes whose arguments may be names that are declared nowhere."""
FROM_MOMENTS = ("moment", "free_cumulant", "finite_n")
"""Attributes that do not rest on the algebraic equation."""
MAX_ORDER = 400
MAX_MEASURED = 16
"""Order of a moment that runs at finite width measure."""


class known:
    """Turns what the law does not give into :class:`NoLimit` at a place."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Unavailable):
            raise NoLimit(error.reason, self.span) from None


def ask_spectrum(side: LimitQuestions, node: tree.Call, scope: Scope) -> Value:
    """``spectrum(A)``: the law is worked out when one of its attributes is asked for."""
    (value,) = take(side.context, node, scope, 1)
    place = node.args[0]
    operator, polynomial = spectral_matrix(side, value, place)

    def content() -> Spectrum:
        assert polynomial is not None
        return law_of(side, polynomial, node.span)

    def find(context: Context, name: str, span: Span) -> Value:
        if name not in SIGNATURES:
            close = similar(name, SIGNATURES)
            raise fail("unknown-member", f"spectrum(…) has no {name}", span, expected=", ".join(SIGNATURES.values()),
                       fix=f"did you mean {SIGNATURES[close]}?" if close else None)
        if name == "support":
            return Endpoints(() if side.dry else cases(attribute(side, content(), "support", (), span)))
        matrix = operator, polynomial
        return Method(name, lambda context, call, scope: _asked(side, content, matrix, name, call, scope))

    return Theory("spectrum", operator, find, content)


def law_of(side: LimitQuestions, polynomial: Polynomial, span: Span) -> Spectrum:
    """The law of the eigenvalues, once per matrix.

    Raises:
        NoLimit: a hypothesis fails, or the law is not found; the message says which.
    """
    if polynomial not in side.spectra:
        limit, mean = limiting(side, polynomial, span)
        with known(span):
            side.spectra[polynomial] = engine(limit, mean)
    found: Spectrum = side.spectra[polynomial]
    return found


def engine(polynomial: Polynomial, mean: Callable[[Expr], Expr]) -> Spectrum:
    """The law of a polynomial in Gaussian and diagonal matrices."""
    from tpsym.freeprob.spectrum import spectrum

    return spectrum(polynomial, mean=mean)


# --- attributes ----------------------------------------------------------------------------------------


def _asked(
    side: LimitQuestions, content: Callable[[], Spectrum], matrix: tuple[Operator, Polynomial | None], name: str,
    node: tree.Call, scope: Scope,
) -> Value:
    """``law.moment(4)``, ``law.density(t)``, ``law.equation(G, z)``."""
    operator, polynomial = matrix
    wanted = 2 if name == "equation" else 1
    if node.kwargs:
        raise no_named_arguments(f".{name}", node.kwargs[0][1].span)
    if len(node.args) != wanted:
        raise wrong_arity(f".{name}", wanted, len(node.args), node.span, signature=SIGNATURES[name])
    if name in WHOLE:
        arguments: tuple[Any, ...] = (_whole(side.context, name, node.args[0], scope),)
    elif name in AT_POINT:
        arguments = (_point(side.context, name, node.args[0], scope),)
    else:
        arguments = _unknowns(side.context, node, scope)
    if side.dry:
        made = stand_in(Symbol(f"spectrum {name} {arguments} {hash(polynomial)}"))
        return AlgebraicEquation(made, arguments) if name == "equation" else Scalar(made)
    if name == "finite_n":
        assert polynomial is not None
        return Scalar(finite_moment(side, polynomial, arguments[0], node.span))
    value = attribute_value(side, content(), name, arguments, node.span)
    if name == "moment" and side.log is not None and arguments[0] <= MAX_MEASURED:
        assert isinstance(value, Scalar)
        average = trace_by_vectors(side, operator, arguments[0], format_expression(node.function), node.span)
        parts: tuple[tuple[Expr, None], ...] = ((average, None),)
        side.log_quantity(node.span, "mean", parts, value.expr, name=format_expression(node))
    return value


def attribute_value(
    side: LimitQuestions, law: Spectrum, name: str, arguments: tuple[Any, ...], span: Span
) -> Value:
    """The value of an attribute of a law that was worked out."""
    found = attribute(side, law, name, arguments, span)
    if name == "equation":
        return AlgebraicEquation(found, arguments)
    if name == "atom":
        found = by_condition(found)
    elif name in ("edge", "edge_exponent"):
        found = _member(found, arguments[0], span)
    return Scalar(found)


def attribute(side: LimitQuestions, law: Spectrum, name: str, arguments: tuple[Any, ...], span: Span) -> Any:
    """What the law says, and a note if it rests on an equation that was not proved."""
    with known(span):
        if name not in FROM_MOMENTS and not law.curve.certified:
            side.guesses[f"the equation of the Cauchy transform is {law.curve.method}, not proved"] = None
        if name == "equation":
            curve, (g, z) = law.curve, arguments
            for taken in {g, z} & (curve.polynomial.free_symbols - {curve.g, curve.z}):
                raise NoLimit(f"the law depends on {taken}, so the equation needs another name for its unknown", span)
            return curve.polynomial.xreplace({curve.g: g, curve.z: z})
        if name == "edge":
            return law.support()
        if name == "edge_exponent":
            return law.edge_exponents()
        return getattr(law, name)(*arguments)


def cases(found: Cases) -> tuple[tuple[Any, tuple[Expr, ...]], ...]:
    return tuple((condition, tuple(values)) for condition, values in found)


def by_condition(found: Cases) -> Expr:
    """Values by condition as one expression."""
    pairs = [(value, condition) for condition, value in found]
    if len(pairs) == 1 and pairs[0][1] == sp.true:
        value: Expr = pairs[0][0]
        return value
    made: Expr = sp.Piecewise(*pairs)
    return made


def _member(found: Cases, k: int, span: Span) -> Expr:
    """The k-th of lists by condition, where they are that long."""
    long = [(condition, values[k - 1]) for condition, values in found if len(values) >= k]
    if not long:
        most = max((len(values) for _, values in found), default=0)
        raise NoLimit(f"there is no endpoint number {k}: the support has {most}", span)
    return by_condition(long)


# --- arguments -----------------------------------------------------------------------------------------


def _whole(context: Context, name: str, node: tree.Expr, scope: Scope) -> int:
    least = WHOLE[name]
    number = integer(evaluate(context, node, scope), node.span, what=f"the argument of .{name}(k)")
    if number < least:
        raise fail("bad-order", f".{name}({number}) does not exist", node.span,
                   expected=f"a whole number ≥ {least}")
    if number > MAX_ORDER:
        raise fail("number-too-large", f".{name}({number}) is out of reach", node.span,
                   expected=f"a whole number ≤ {MAX_ORDER}")
    return number


def _point(context: Context, name: str, node: tree.Expr, scope: Scope) -> Expr:
    value = plain(context, evaluate(context, node, scope), node.span)
    if not isinstance(value, Scalar) or value.expr.free_symbols & context.nodes.keys():
        given = "a number that the program computes" if isinstance(value, Scalar) else describe(value)
        raise fail("number-expected", f".{name} needs a number, this is {given}", node.span,
                   expected="a number, a parameter, or a name that is declared nowhere")
    if context.n in value.expr.free_symbols:
        raise fail("width-as-number", f"{context.n} goes to infinity; the law has no place there", node.span)
    if value.expr.has(sp.oo, -sp.oo):
        raise fail("number-expected", f".{name} needs a finite number", node.span)
    return value.expr


def _unknowns(context: Context, node: tree.Call, scope: Scope) -> tuple[Symbol, Symbol]:
    found: list[Symbol] = []
    for place in node.args:
        value = evaluate(context, place, scope)
        if not isinstance(value, Scalar) or not isinstance(value.expr, Symbol) or value.expr in context.nodes:
            raise fail("name-expected", f".equation needs a name for each unknown, this is {describe(value)}",
                       place.span, expected="two names that are declared nowhere, as in .equation(G, z)")
        found.append(value.expr)
    if found[0] == found[1]:
        raise fail("repeated-name", "the two unknowns of an equation need two names", node.args[1].span,
                   expected=".equation(G, z)")
    return found[0], found[1]


__all__ = ["FREE", "ask_spectrum", "attribute_value", "by_condition", "law_of"]
