"""The mean field theory of a network of a file, asked for by name from Python."""

from __future__ import annotations

from dataclasses import replace

from sympy import Symbol

from tpsym.errors import NOWHERE, TpError, fail
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Function, describe
from tpsym.results.kernels import Values, exact_values, setting_name
from tpsym.results.meanfield import MeanField
from tpsym.results.meanfield_answers import theory
from tpsym.results.meanfield_phases import PhaseDiagram, Range, phase_diagram
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax.parse import parse_expression


def network_theory(model: Model, side: LimitQuestions, function: str, values: Values) -> MeanField:
    """The theory with the parameters of ``values`` put in; the others stay, with their settings as defaults.

    Raises:
        TpError: no such network, no layers that repeat, or a value of nothing that is open in the file.
    """
    exact = exact_values(model, values)
    try:
        found = theory(side, _network(model, function), NOWHERE)
    except NoLimit as error:
        raise fail("no-limit", error.reason) from None
    given = model.context.overrides
    defaults = {s: given.get(s.name, default) for s, default in found.maps.parameters.items()}
    found = replace(found, maps=replace(found.maps, parameters=defaults))
    return found.at({s: exact[s.name] for s in found.maps.free if s.name in exact}) if exact else found


def network_phases(
    found: MeanField, x: str, y: str, ranges: tuple[Range, Range], *, resolution: int, squared: bool
) -> PhaseDiagram:
    """The phases over the plane of two parameters of the theory.

    Raises:
        TpError: the theory has no such parameter, or another one has no value.
    """
    first, second = (_parameter(found, name) for name in (x, y))
    if first == second:
        raise fail("bad-option", f"both axes are {x}", expected="two parameters")
    return phase_diagram(found.maps, first, second, *ranges, resolution=resolution, squared=squared)


def _network(model: Model, name: str) -> Function:
    try:
        found = evaluate(model.context, parse_expression(name), model.context.scope)
    except TpError as error:
        raise error.located(source=name, filename="<function>") from None
    if not isinstance(found, Function):
        raise fail("function-expected", f"meanfield needs a network, {name} is {describe(found)}")
    return found


def _parameter(found: MeanField, name: str) -> Symbol:
    known = {s.name: s for s in found.maps.free}
    symbol = known.get(setting_name(name))
    if symbol is None:
        raise fail("unknown-name", f"the layers have no parameter {name}", expected=", ".join(sorted(known)) or None)
    return symbol
