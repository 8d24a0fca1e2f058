"""Values given from outside (``--set``): that each is for something the file declares, and possible."""

from __future__ import annotations

import re

from sympy import Expr

from tpsym.errors import TpError, fail
from tpsym.program.instructions import Dimension
from tpsym.program.messages import similar, written
from tpsym.program.scope import Context
from tpsym.program.values import Family, Finite, ListValue

DATA = r"[^\[\], ]+(?:\[[^\]]*\])?"
PRODUCT = re.compile(rf"dot\(({DATA}), ({DATA})\)")
"""The name of an inner product of data points."""


def check_overrides(context: Context) -> None:
    """Every value given from outside is for something the file declares.

    Raises:
        TpError: the first that is not, or that no data can have.
    """
    sizes = {k for k, v in context.scope.names.items() if isinstance(v, Finite)} | context.depths
    names = {s.name for s in context.parameters} | set(context.data) | sizes
    for name, value in context.overrides.items():
        product = PRODUCT.fullmatch(name)
        if product is not None:
            check_product(context, name, product[1], product[2], value)
        elif name not in names:
            raise undeclared(context, name, names)


def undeclared(context: Context, name: str, names: set[str]) -> TpError:
    """The error for a name that takes no value."""
    known = context.scope.names.get(name)
    if isinstance(known, Dimension):
        return fail("bad-setting", f"--set {name}: {name} is a width, which goes to infinity")
    if isinstance(known, Family) and known.members:
        member = f"{name}[{', '.join(map(str, min(known.members)))}]"
        return fail("bad-setting", f"--set {name}: {name} is a family", fix=f"--set '{member}=…' for each member")
    close = similar(name, names)
    return fail(
        "unknown-name",
        f"--set {name}: the file declares no parameter, size or data {name}",
        expected=", ".join(sorted(names)) or "nothing: the file has no parameters",
        fix=f"did you mean {close}?" if close else None,
    )


def check_product(context: Context, name: str, a: str, b: str, value: Expr | ListValue) -> None:
    """An inner product is of declared data, a number, and one that real vectors can have."""
    for point in (a, b):
        if point not in context.data:
            close = similar(point, context.data)
            fix = f"did you mean {close}?" if close else None
            expected = ", ".join(sorted(context.data)) or "nothing: the file declares no input"
            raise fail("unknown-name", f"--set {name}: there is no input {point}", expected=expected, fix=fix)
    if isinstance(value, ListValue):
        raise fail("bad-setting", f"--set {name}: an inner product is one number, not a list")
    if context.data[a] is not None and context.data[b] is not None:
        given = " and ".join(dict.fromkeys((a, b)))
        raise fail("bad-setting", f"--set {name}: {given} given as numbers, which fixes this product")
    if a == b and value.is_negative:
        raise fail("bad-setting", f"--set {name}: {written(value)} is negative", expected="a square of a length")
    squares = [context.overrides.get(f"dot({p}, {p})") for p in (a, b)]
    first, second = squares
    if first is not None and second is not None and (first * second - value**2).is_negative:
        what = f"--set {name}: {written(value)} is impossible for vectors of squared length"
        raise fail("bad-setting", f"{what} {written(first)} and {written(second)}")
