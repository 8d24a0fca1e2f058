"""Mean field theory in the language: ``meanfield(f).chi``, and what ``derive meanfield(f)`` states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Alternatives, Attributes, Condition, Function, Scalar, Theory, Value, describe
from tpsym.results.layer_maps import layer_maps
from tpsym.results.meanfield import MeanField, meanfield
from tpsym.results.meanfield_maps import C, Q
from tpsym.results.reasons import stand_in
from tpsym.syntax import tree

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

ATTRIBUTES = (
    "fixed_point", "chi", "chi_parallel", "chi_correlation", "correlation", "correlation_depth", "variance_depth",
)
"""What ``meanfield(f).…`` knows as a number."""


LONGEST = 30
"""Operations of a slope that the phases are written out in."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One equation of the theory: what it is about, its value, and under which condition."""

    left: Expr
    right: Expr
    note: str = ""


def ask(side: LimitQuestions, node: tree.Call, scope: Scope) -> Value:
    """``meanfield(f)``."""
    from tpsym.program.calls import take

    (value,) = take(side.context, node, scope, 1)
    if not isinstance(value, Function):
        raise fail("function-expected", f"meanfield needs a network, this is {describe(value)}", node.args[0].span)
    return Theory("meanfield", value, attributes(side, value, node.span), lambda: theory(side, value, node.span))


def theory(side: LimitQuestions, function: Function, span: Span) -> MeanField:
    """The mean field theory of a network, derived once."""
    known = side.theories.get(function)
    if known is None:
        maps, plain = layer_maps(side, function, span)
        found = meanfield(maps)
        known = side.theories[function] = found if plain else replace(found, tangent_law=None)
    return known


def attributes(side: LimitQuestions, function: Function, span: Span) -> Attributes:
    """How ``.chi`` and the others are looked up."""

    def find(context: Context, name: str, place: Span) -> Value:
        if name not in (*ATTRIBUTES, "phase"):
            raise fail("unknown-member", f"meanfield({function.name}) has no {name}", place,
                       expected=", ".join(f".{a}" for a in (*ATTRIBUTES, "phase")))
        if name == "phase":
            return phase(side, function, span)
        if side.dry:
            return Scalar(stand_in(Symbol(f"meanfield {function.name} {name}")))
        found = quantity(theory(side, function, span), name)
        if found is None:
            raise fail("not-available", f"{name} of meanfield({function.name}) was not found in closed form", place)
        return Scalar(found)

    return find


def phase(side: LimitQuestions, function: Function, span: Span) -> Alternatives:
    """``.phase``: the phases by what they say of the slope at 1."""
    if side.dry:
        chi: Expr | None = stand_in(Symbol(f"meanfield {function.name} chi"))
    else:
        found = theory(side, function, span)
        chi = found.chi if found.fixed_point.every or found.chi is None or not found.chi.has(Q) else None
    if chi is None:
        raise fail("not-available", f"chi of meanfield({function.name}) was not found in closed form", span)
    sides = Scalar(chi), Scalar(sp.S.One)
    words = {"ordered": Condition("<", sides), "chaotic": Condition(">", sides), "critical": Condition("==", sides)}
    return Alternatives(f"meanfield({function.name}).phase", words)


def quantity(found: MeanField, name: str) -> Expr | None:
    """A number of the theory by its name."""
    values = {
        "fixed_point": found.variance,
        "chi": found.chi,
        "chi_parallel": found.chi_parallel,
        "chi_correlation": found.chi_correlation,
        "correlation": correlation(found),
        "correlation_depth": found.correlation_depth,
        "variance_depth": found.variance_depth,
    }
    value = values[name]
    return value.xreplace({C: correlation(found)}) if value is not None else None


def correlation(found: MeanField) -> Expr:
    """c*: 1 where χ is at most 1 for every choice of the parameters, else the symbol."""
    one = found.chi is not None and (1 - found.chi).is_nonnegative and 1 in found.correlation_fixed_points
    return sp.S.One if one else C


def statements(found: MeanField) -> Iterator[Statement]:
    """The theory as equations, each with its condition."""
    chi, parallel = Symbol("chi", real=True), Symbol("chi_parallel", real=True)
    yield from _fixed_point(found)
    if found.chi is not None:
        phases = "ordered below 1, critical at 1, chaotic above"
        if found.chi.count_ops() <= LONGEST:
            phases = "; ".join(f"{name} where {shown(condition)}" for name, condition in found.phases.items())
        yield Statement(chi, found.chi, f"the slope of the correlation map at 1: {phases}")
    if found.chi_parallel is not None and not found.chi_parallel.has(sp.Derivative):
        yield Statement(parallel, found.chi_parallel, "the slope of the variance map at q*")
    yield Statement(Symbol("xi_c", real=True), found.correlation_depth, "the depth scale of correlations, near c*")
    if found.variance_depth is not None and not found.variance_depth.has(sp.Derivative):
        yield Statement(Symbol("xi_q", real=True), found.variance_depth, "the depth scale of variances, near q*")
    yield Statement(C, found.correlation_equation.lhs, "the fixed points of correlations")
    for power, value in found.edge_of_chaos.values:
        yield Statement(power, value, "on the edge of chaos, chi = 1")
    yield from _laws(found)


def _fixed_point(found: MeanField) -> Iterator[Statement]:
    point = found.fixed_point
    if point.every:
        yield Statement(Q, Q, "every variance is kept from layer to layer")
    elif point.value is not None:
        yield Statement(Q, point.value, "the variance that layers keep")
    else:
        for root in point.roots:
            yield Statement(Q, root.value, "a variance that layers keep")
        yield Statement(Q, point.equation.lhs, "the variance that layers keep, determined by this equation")


def _laws(found: MeanField) -> Iterator[Statement]:
    rho, at = Symbol("rho[l]", real=True), "as l grows, where chi = 1"
    law, tangent = found.correlation_law, found.tangent_law
    if law is not None and law.critical is not None:
        yield Statement(1 - rho, law.critical, f"at leading order {at}")
    elif law is not None and law.kept:
        yield Statement(rho, Symbol("rho[1]", real=True), "where chi = 1 correlations are kept as they are")
    if tangent is not None:
        ratio = Symbol("Theta[l](x, y)/Theta[l](x, x)", real=True)
        yield Statement(ratio, tangent.critical_ratio, f"the tangent kernel at x of the length of y, {at}")
        yield Statement(Symbol("Theta[l](x, y)", real=True), tangent.ordered, "the limit of every entry where chi < 1")


def shown(condition: sp.Basic) -> str:
    """A condition as it is typed."""
    return str(condition).replace("**", "^") if not isinstance(condition, sp.Eq) else (
        f"{condition.lhs} = {condition.rhs}".replace("**", "^")
    )


def numbers(side: LimitQuestions, function: Function, found: MeanField) -> dict[str, str]:
    """Certified digits of the theory's numbers at the defaults of the parameters, empty where one has none."""
    try:
        at = found.evaluate({s: e for s, e in _settings(side).items() if s in found.maps.free}, seconds=3.0)
    except TpError:
        return {}
    named = {
        "q*": at.variance, "chi": at.chi, "chi_parallel": at.chi_parallel, "c*": at.correlation,
        "xi_c": at.correlation_depth, "xi_q": at.variance_depth,
    }
    return {name: value.text() for name, value in named.items() if value is not None}


def _settings(side: LimitQuestions) -> dict[Symbol, Expr]:
    known = side.context.parameters.items()
    given = side.context.overrides
    return {s: value for s, default in known if (value := given.get(s.name, default)) is not None}
