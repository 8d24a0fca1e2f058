"""Covariances without full rank: the variables that are functions of others are eliminated exactly."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import mpmath
import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.atoms import Basis
from tpsym.gauss.generators import Reading
from tpsym.gauss.law import Form, Law

DIGITS = 40


def dependencies(variables: Sequence[Symbol], rows: Sequence[Sequence[Expr]]) -> dict[Symbol, Expr]:
    """Every variable that is almost surely a linear combination of earlier ones, and that combination.

    A variable of variance 0 is 0. With correlation ρ = ±1, v = (c/q) u. Whether a variance given the
    earlier variables vanishes is decided as a rational function; what is not recognised to vanish
    counts as positive.
    """
    zeros: dict[Symbol, Expr] = {v: sp.S.Zero for i, v in enumerate(variables) if rows[i][i].is_zero}
    left = [i for i, v in enumerate(variables) if v not in zeros]
    if generic([[rows[i][j] for j in left] for i in left]):
        return zeros
    if len(left) > 3 and regular_somewhere([[rows[i][j] for j in left] for i in left]):
        return zeros
    reading = Reading(rows[i][j] for i in left for j in left)
    field = reading.field
    matrix = tuple(tuple(reading.read(rows[i][j]) for j in left) for i in left)
    law = Law((field.zero,) * len(left), matrix, field)
    basis, kept, found = Basis(law, is_zero=reading.is_zero), [], zeros
    for place, index in enumerate(left):
        unit = tuple(field.one if k == place else field.zero for k in range(len(left)))
        before = len(basis.forms)
        coefficients = basis.express(Form(unit, field.zero))
        if len(basis.forms) > before:
            kept.append(variables[index])
            continue
        pairs = zip(coefficients, kept, strict=True)
        found[variables[index]] = sp.Add(*(reading.write(c) * v for c, v in pairs))
    return found


def regular_somewhere(rows: Sequence[Sequence[Expr]]) -> bool:
    """Whether the determinant, as a function of the symbols, differs from 0 at some point.

    Then no variable is identically a combination of others. A zero determinant at the points tried
    says nothing. The points need not be admissible: only identities matter.
    """
    symbols = sorted(set().union(*(e.free_symbols for row in rows for e in row)), key=str)
    for seed in (1, 2):
        chooser = random.Random(seed)
        point = {s: sp.Rational(chooser.randint(10, 99), chooser.randint(10, 99)) for s in symbols}
        values = [[sp.N(e.xreplace(point), DIGITS) for e in row] for row in rows]
        if not all(part.is_Float or part.is_Rational for row in values for v in row for part in v.as_real_imag()):
            continue
        with mpmath.workdps(DIGITS):
            matrix = mpmath.matrix([[mpmath.mpmathify(v) for v in row] for row in values])
            size = mpmath.mnorm(matrix, 1) or mpmath.mpf(1)
            if abs(_determinant(matrix / size)) > mpmath.mpf(10) ** (-DIGITS // 2):
                return True
    return False


def _determinant(matrix: Any) -> Any:
    """The determinant; elimination in mpmath finds no pivot in a column of zeros and fails."""
    try:
        return mpmath.det(matrix)
    except TypeError:
        return mpmath.mpf(0)


def generic(rows: Sequence[Sequence[Expr]]) -> bool:
    """Whether the entries on and above the diagonal are zeros and symbols of which no two agree.

    Then no principal minor vanishes identically.
    """
    entries = [rows[i][j] for i in range(len(rows)) for j in range(i, len(rows))]
    nonzero = [e for e in entries if e != 0]
    return all(e.is_Symbol for e in nonzero) and len(set(nonzero)) == len(nonzero)
