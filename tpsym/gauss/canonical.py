"""One representative for all the ways to write an expectation that has no closed form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from math import prod
from typing import Any, NamedTuple

import sympy as sp
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym.functions import step
from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.expectation import E, bound
from tpsym.gauss.generators import as_fraction

MOST = 8000
"""Choices of scales and signs, times operations, that are all tried."""


def canonical(atom: Raw, values: Mapping[Symbol, Expr]) -> Expr:
    """The atom with its symbols replaced by values, as a multiple ±1 of an ``E`` in canonical form.

    Of all orders of the variables (up to 4), changes of their signs and choices of their scale, the
    one whose body and covariance come first in sympy's order, with as few minus signs as can be. Where these are
    too many, scales and signs are chosen one variable after the other.
    """
    body, covariance = (part.xreplace(dict(values)) for part in atom.args)
    covariance = ImmutableDenseMatrix(*covariance.shape, [as_fraction(c) for c in covariance])
    slopes = [sorted(slopes_of(body, raw(i)), key=sp.default_sort_key) or [sp.S.One] for i in range(covariance.rows)]
    if prod(2 * len(s) for s in slopes) * body.count_ops() <= MOST:
        reflected = [c for scaled in scalings(body, covariance, slopes) for c in reflections(*scaled)]
    else:
        reflected = [one_by_one(*next(scalings(body, covariance, [s[:1] for s in slopes])))]
    least = min(c.minus for c in reflected)
    candidates = (o for c in reflected if c.minus == least for o in orders(c))
    _, sign, best = min(candidates, key=lambda c: c[0])
    return sign * best


def with_plain_steps(body: Expr) -> Expr:
    """The body with step(kx) = step(x) for k > 0."""
    return body.xreplace({f: step(without_scale(f.args[0])) for f in body.atoms(step)})


def without_scale(argument: Expr) -> Expr:
    """The argument of a step, a positive factor of its first raw variable divided out."""
    for index in range(len(argument.free_symbols)):
        slope = argument.coeff(raw(index)) if argument.is_Add or argument.is_Mul else sp.S.Zero
        if slope != 0:
            return sp.expand(argument / slope) if slope.is_positive and slope != 1 else argument
    return argument


class Candidate(NamedTuple):
    """``sign · E[body]``, and the number of minus signs in it."""

    sign: int
    body: Expr
    covariance: ImmutableDenseMatrix
    minus: int


def reflections(body: Expr, covariance: ImmutableDenseMatrix) -> Iterator[Candidate]:
    """z_i → −z_i for any of the variables, and the sign that comes out of the body."""
    for flips in product((1, -1), repeat=covariance.rows):
        yield reflection(body, covariance, flips)


def reflection(body: Expr, covariance: ImmutableDenseMatrix, flips: Sequence[int]) -> Candidate:
    """z_i → −z_i where ``flips`` is −1."""
    n = covariance.rows
    new = body.xreplace({raw(i): -raw(i) for i, flip in enumerate(flips) if flip < 0})
    sign = -1 if new.as_coeff_Mul()[0].is_negative else 1
    entries = [[flips[i] * flips[j] * covariance[i, j] for j in range(n)] for i in range(n)]
    minus = sum(bool(entries[i][j].could_extract_minus_sign()) for i in range(n) for j in range(i))
    minus += sum(bool(m.args[0].is_negative) for m in (sign * new).atoms(sp.Mul))
    return Candidate(sign, sign * new, ImmutableDenseMatrix(entries), minus)


def one_by_one(body: Expr, covariance: ImmutableDenseMatrix) -> Candidate:
    """Each variable in turn reflected if that leaves fewer minus signs."""
    flips = [1] * covariance.rows
    best = reflection(body, covariance, flips)
    for i in range(covariance.rows):
        trial = [*flips[:i], -1, *flips[i + 1 :]]
        found = reflection(body, covariance, trial)
        if found.minus < best.minus:
            flips, best = trial, found
    return best


def orders(candidate: Candidate) -> Iterator[tuple[Any, int, E]]:
    """The candidate for every order of the variables, with what it is compared by."""
    n = candidate.covariance.rows
    for order in permutations(range(n)) if n <= 4 else [tuple(range(n))]:
        renamed = {raw(i): bound(place + 1) for place, i in enumerate(order)}
        body = candidate.body.xreplace(renamed)
        matrix = candidate.covariance.extract(list(order), list(order))
        key = (sp.default_sort_key(body), [sp.default_sort_key(c) for c in matrix], candidate.sign)
        yield key, candidate.sign, E(body, matrix)


def scalings(
    body: Expr, covariance: ImmutableDenseMatrix, choices: Sequence[Sequence[Expr]]
) -> Iterator[tuple[Expr, ImmutableDenseMatrix]]:
    """Each variable rescaled so that one of the arguments it occurs in has coefficient 1."""
    n = covariance.rows
    for scale in product(*choices):
        if all(s == 1 for s in scale):
            yield with_plain_steps(body), covariance
            continue
        inverse = {raw(i): raw(i) / s for i, s in enumerate(scale) if s != 1}
        entries = [[scale[i] * scale[j] * covariance[i, j] for j in range(n)] for i in range(n)]
        yield with_plain_steps(body.xreplace(inverse)), ImmutableDenseMatrix(entries)


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
