"""Parametrisations with names: what their multipliers and initial entries are, by what an array is.

A definition gives exponents of the fan-in, the number of summands in what an array gives. The fan-in of an input layer
is fixed and that of a vector is one, so both are of order one in every parametrisation defined so; maximal update is
not defined but solved for the network and the optimizer (:mod:`tpsym.scaling.mup`).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, get_args

from sympy import Expr

from tpsym.errors import Span, fail, nearest
from tpsym.polyhedra.forms import number
from tpsym.program.instructions import Vector
from tpsym.program.scope import Context
from tpsym.scaling.arrays import HALF, Array, Scale, Solved, arrays_of
from tpsym.scaling.mup import Gauge, Role, maximal_update, role_of
from tpsym.scaling.rates import settled
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer

Defined = Literal["standard", "ntk", "mean_field"]
Name = Literal["standard", "ntk", "mean_field", "mup"]
NAMES: tuple[Name, ...] = get_args(Name)

ZERO, ONE = Fraction(0), Fraction(1)

DEFINITIONS: Mapping[Defined, Mapping[Role, tuple[Fraction, Fraction]]] = {
    "standard": {"hidden": (ZERO, -HALF), "output": (ZERO, -HALF)},
    "ntk": {"hidden": (-HALF, ZERO), "output": (-HALF, ZERO)},
    "mean_field": {"hidden": (-HALF, ZERO), "output": (-ONE, ZERO)},
}
"""Exponents of the fan-in for multiplier and standard deviation of the entries; zero where none are given."""


def parametrization_name(text: str) -> Name:
    """A name as it may be written.

    Raises:
        TpError: ``unknown-parametrization``.
    """
    for name in NAMES:
        if text.lower().replace("-", "_") == name:
            return name
    close = nearest(text, NAMES)
    raise fail("unknown-parametrization", f"there is no parametrisation {text}", expected=", ".join(NAMES),
               fix=close and f"did you mean {close}?")


def fan_in(context: Context, array: Array) -> tuple[Role, Fraction]:
    """What an array is, and the exponent of n of the number of summands in what it gives.

    A vector that begins around another mean than zero is a gain: what it gives has one summand, wherever it is read.
    """
    role = role_of(context, array)
    instruction = None if array.node is None else context.builder[array.node]
    if role == "output" and isinstance(instruction, Vector) and instruction.mean != 0:
        role = "vector"
    return role, {"hidden": array.columns, "output": array.rows}.get(role, ZERO)


def exponents(
    name: Name,
    context: Context,
    output: Expr,
    optimizer: Optimizer,
    span: Span,
    *,
    multipliers: Gauge = "one",
    alignment: Alignment = "worst",
) -> dict[str, Solved]:
    """Multiplier, deviation and learning rate of every trained array in a named parametrisation.

    They replace what the declarations say; powers of n that the program writes out stay. The rates of the optimizer
    are kept; in ``mup`` they come on top of the maximal ones. ``multipliers`` and ``alignment`` are those of
    :func:`maximal_update`.

    Raises:
        TpError: for ``mup``, if there is none, or not with the values that parameters of the program have.
    """
    arrays = arrays_of(context, optimizer, Scale(context.n))
    if name != "mup":
        return {a.name: _defined(DEFINITIONS[name], context, a) for a in arrays}
    solution = maximal_update(context, output, optimizer, span, multipliers=multipliers, alignment=alignment)
    rates, values = {a.name: a.rate for a in arrays}, settled(context)
    for parameter, q in solution.values.items():
        if parameter in values and values[parameter] != number(q):
            what = f"maximal update is solved for {parameter} = {q}, and {parameter} is {values[parameter]}"
            raise fail("no-maximal-update", what, span, fix=f"--set {parameter}={q}")
    return {
        row.array: Solved(number(row.multiplier), number(row.std), rates[row.array] + row.lr)
        for row in solution.rows
    }


def _defined(definition: Mapping[Role, tuple[Fraction, Fraction]], context: Context, array: Array) -> Solved:
    role, summands = fan_in(context, array)
    multiplier, deviation = definition.get(role, (ZERO, ZERO))
    return Solved(number(multiplier * summands), number(deviation * summands), array.rate)


__all__ = ["DEFINITIONS", "NAMES", "Name", "exponents", "fan_in", "parametrization_name"]
