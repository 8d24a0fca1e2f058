"""A table of exponents for the arrays of a file, by name or as JSON, checked on one of its networks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from tpsym.errors import NOWHERE, TpError, fail, nearest
from tpsym.polyhedra.forms import number
from tpsym.program.scope import Context
from tpsym.program.values import Function
from tpsym.results.exponents import nonzero, output
from tpsym.results.optimizer_values import KINDS
from tpsym.scaling.arrays import Solved
from tpsym.scaling.check import Checked, checked
from tpsym.scaling.named import exponents, parametrization_name
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer

COLUMNS = ("multiplier", "std", "lr")
"""Exponents of n that a table gives for an array; the multiplier may be left out and is then one."""

FIX = '{"W": {"multiplier": 0, "std": "-1/2", "lr": -1}}'
NUMBER = re.compile(r"[+-]?\d{1,9}(/\d{1,9}|\.\d{1,9})?")


def check_parametrization(
    context: Context,
    *,
    function: str | None = None,
    optimizer: str = "sgd",
    table: Mapping[str, Solved] | None = None,
    named: str | None = None,
    lr: Fraction = Fraction(0),
    alignment: Alignment = "worst",
) -> Checked:
    """Check a network of a file in a table, in a named parametrisation, or as its declarations have it.

    ``lr`` is the exponent of a learning rate that all arrays have where there is no table; in ``mup`` it comes on top.
    The only network of a file need not be named.

    Raises:
        TpError: no such function, optimizer or parametrisation; see also :func:`tpsym.scaling.check.checked`.
    """
    chosen = network(context, function)
    if optimizer not in KINDS:
        close = nearest(optimizer, KINDS)
        raise fail("unknown-optimizer", f"there is no optimizer {optimizer}", expected=", ".join(KINDS),
                   fix=close and f"did you mean {close}?")
    rule = Optimizer(KINDS[optimizer].rule, rate=context.n ** _rational(lr))
    span = chosen.definition.name.span
    value = output(context, chosen, span)
    if table is None and named is not None:
        table = exponents(parametrization_name(named), context, value, rule, span, alignment=alignment)
    return checked(
        context, value, rule, span, table=table, alignment=alignment, nonzero=partial(nonzero, context)
    )


def network(context: Context, name: str | None) -> Function:
    """The network of a name; without one, the only function of the file with a scalar output, or ``f``.

    Raises:
        TpError: ``unknown-name``, ``no-network`` or ``which-function``.
    """
    known = {k: v for k, v in context.scope.names.items() if isinstance(v, Function)}
    if name is not None:
        if name not in known:
            close = nearest(name, known)
            raise fail("unknown-name", f"the file has no function {name}", expected=", ".join(known) or None,
                       fix=close and f"did you mean {close}?")
        return known[name]
    networks = [f for f in known.values() if _is_network(context, f)] if len(known) > 1 else list(known.values())
    if not networks:
        raise fail("no-network", "the file has no function with a scalar output", fix="def f(xi): …")
    if len(networks) > 1 and "f" not in known:
        names = ", ".join(f.name for f in networks)
        raise fail("which-function", f"the file has several networks: {names}", fix=f"--function {networks[0].name}")
    return networks[0] if len(networks) == 1 else known["f"]


def _is_network(context: Context, function: Function) -> bool:
    try:
        output(context, function, NOWHERE)
    except TpError:
        return False
    return True


# --- tables --------------------------------------------------------------------------------------------


def parsed_table(text: str, context: Context) -> dict[str, Solved]:
    """A table in JSON: by array, the exponents of n of multiplier, standard deviation and learning rate.

    An entry ``W`` is for all members of a family W[l] that have none of their own. Numbers are exact: ``"1/2"``,
    ``-1``, ``0.5``.

    Raises:
        TpError: it is no such table, or is about an array that is not trained.
    """
    try:
        given = json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise fail("bad-table", f"this is no JSON: {error}", expected=FIX) from None
    if not isinstance(given, dict):
        raise fail("bad-table", "a table is one JSON object with an entry for every trained array", expected=FIX)
    names = [t.name for t in context.trained]
    entries = {name.replace(" ", ""): _entry(name, entry) for name, entry in given.items()}
    found = {}
    for name in names:
        key = name if name in entries else name.partition("[")[0]
        if key in entries:
            found[name] = entries[key]
    known = {*names, *(name.partition("[")[0] for name in names)}
    for name in entries.keys() - known:
        close = nearest(name, names)
        raise fail("unknown-array", f"the file trains no array {name}", expected=", ".join(names),
                   fix=close and f"did you mean {close}?")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(k for k, _ in pairs if sum(k == other for other, _ in pairs) > 1)
        raise fail("bad-table", f"the table has {twice} twice")
    return found


def _entry(name: str, entry: object) -> Solved:
    if not isinstance(entry, dict) or not {"std", "lr"} <= entry.keys() <= set(COLUMNS):
        raise fail("bad-table", f"the entry for {name} has to give std and lr, and may give a multiplier", expected=FIX)
    values = [number(_fraction(name, column, entry.get(column, "0"))) for column in COLUMNS]
    return Solved(*values)


def _fraction(name: str, column: str, value: object) -> Fraction:
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        found = exact(value)
        if found is not None:
            return found
    raise fail("bad-table", f"the {column} of {name} is not an exponent: {value}", expected='a number such as "-1/2"')


def exact(text: str) -> Fraction | None:
    """A number as written, ``-1/2`` or ``0.5``; ``None`` if it is none."""
    try:
        return Fraction(text.strip()) if NUMBER.fullmatch(text.strip()) else None
    except ZeroDivisionError:
        return None


def _rational(value: Fraction) -> Any:
    from sympy import Rational

    return Rational(value.numerator, value.denominator)


__all__ = ["Checked", "check_parametrization", "exact", "network", "parsed_table"]
