"""One representative for all the ways to write an expectation that has no closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations, product
from typing import Any

import sympy as sp
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.expectation import E, bound


def canonical(atom: Raw, values: Mapping[Symbol, Expr]) -> Expr:
    """The atom with its symbols replaced by values, as ±(scale-free) ``E`` in canonical form.

    Of all orders of the variables (up to 4), sign changes the body allows and choices of scale, the
    one whose body and covariance come first in sympy's order, with as few minus signs as can be.
    """
    body, covariance = atom.args
    candidates = (
        candidate
        for scaled_body, scaled in scalings(body, covariance)
        for sign, flipped in sign_changes(scaled_body, scaled)
        for candidate in orders(sign, scaled_body, flipped, values)
    )
    _, sign, best = min(candidates, key=lambda c: c[0])
    return sign * best


def orders(
    sign: int, body: Expr, covariance: ImmutableDenseMatrix, values: Mapping[Symbol, Expr]
) -> Iterator[tuple[Any, int, E]]:
    """The candidate for every order of the variables, with what it is compared by."""
    n = covariance.rows
    final = covariance.xreplace(dict(values))
    minus = sum(bool(final[i, j].could_extract_minus_sign()) for i in range(n) for j in range(i))
    for order in permutations(range(n)) if n <= 4 else [tuple(range(n))]:
        renamed = {raw(i): bound(place + 1) for place, i in enumerate(order)}
        new_body = body.xreplace({**values, **renamed})
        matrix = final.extract(list(order), list(order))
        key = (minus, sp.default_sort_key(new_body), [sp.default_sort_key(c) for c in matrix], sign)
        yield key, sign, E(new_body, matrix)


def scalings(body: Expr, covariance: ImmutableDenseMatrix) -> Iterator[tuple[Expr, ImmutableDenseMatrix]]:
    """Each variable rescaled so that one of the arguments it occurs in has coefficient 1."""
    n = covariance.rows
    choices = [sorted(slopes_of(body, raw(i)), key=sp.default_sort_key) or [sp.S.One] for i in range(n)]
    for scale in product(*choices):
        if all(s == 1 for s in scale):
            yield body, covariance
            continue
        inverse = {raw(i): raw(i) / s for i, s in enumerate(scale) if s != 1}
        entries = [[scale[i] * scale[j] * covariance[i, j] for j in range(n)] for i in range(n)]
        yield body.xreplace(inverse), ImmutableDenseMatrix(entries)


def slopes_of(body: Expr, variable: Symbol) -> set[Expr]:
    """The coefficients of the variable in the affine arguments of the body's functions."""
    found = set()
    for function in body.atoms(sp.Function):
        for argument in function.args:
            if isinstance(argument, Expr) and argument.has(variable):
                slope = argument.diff(variable) if argument.is_polynomial(variable) else sp.S.Zero
                if slope != 0 and not slope.atoms(Symbol) & {raw(i) for i in range(12)}:
                    found.add(slope)
    return found


def sign_changes(body: Expr, covariance: ImmutableDenseMatrix) -> Iterator[tuple[int, ImmutableDenseMatrix]]:
    """Sign changes of single variables under which the body is even or odd, and the new covariance."""
    n = covariance.rows
    signs = [parity_in(body, raw(i)) for i in range(n)]
    for flips in product(*((1, -1) if s else (1,) for s in signs)):
        sign = 1
        for flip, parity in zip(flips, signs, strict=True):
            sign *= parity if flip < 0 else 1
        entries = [[flips[i] * flips[j] * covariance[i, j] for j in range(n)] for i in range(n)]
        yield sign, ImmutableDenseMatrix(entries)


def parity_in(body: Expr, variable: Symbol) -> int:
    flipped = body.xreplace({variable: -variable})
    return 1 if flipped == body else -1 if flipped == -body else 0
