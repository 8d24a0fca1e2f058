"""Linear algebra with Gram matrices of random variables, singular or not."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.gauss.numeric import enclose
from tpsym.limit.named import name_number

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit

SHORT = 200
"""Operations of a determinant that is brought to lowest terms."""


def solve_gram(limit: Limit, gram: Any, b: Any) -> list[Expr]:
    """A solution of C a = b for a Gram matrix C, singular or not (b lies in its range).

    Zero off a choice of independent sources; every solution gives the same Ż, because a null vector
    of C is a combination of the y_i that vanishes. Long entries get names.
    """
    chosen = independent(limit, gram.applyfunc(limit.written_out))
    gram, b = (m.applyfunc(lambda e: name_number(limit, e)) for m in (gram, b))
    solution = [S.Zero] * gram.rows
    if len(chosen) == 1:
        (only,) = chosen
        solution[only] = scaled(1 / gram[only, only], b[only])
    elif chosen:
        part = gram.extract(chosen, chosen).LUsolve(b.extract(chosen, [0]))
        for position, index in enumerate(chosen):
            found = part[position]
            solution[index] = sp.cancel(found) if found.count_ops() < SHORT else found
    return solution


def independent(limit: Limit, gram: Any) -> list[int]:
    """The sources that are no linear combinations of the ones before them, from their Gram matrix."""
    chosen: list[int] = []
    for i in range(gram.rows):
        trial = [*chosen, i]
        if not vanishes(limit, determinant(gram.extract(trial, trial))):
            chosen = trial
    return chosen


def determinant(gram: Any) -> Expr:
    """The determinant with entries as they are: nothing is multiplied out inside of them."""
    letters = sp.Matrix(gram.rows, gram.rows, lambda i, j: sp.Dummy() if gram[i, j] != 0 else S.Zero)
    found: Expr = letters.det(method="berkowitz")
    return found.xreplace({s: e for s, e in zip(letters, gram, strict=True) if s != 0})


def vanishes(limit: Limit, expr: Expr) -> bool:
    """Whether a determinant is zero: certainly not where its value at some point is not."""
    if expr == 0:
        return True
    if expr.count_ops() < SHORT:
        return bool(sp.cancel(expr) == 0)
    for value in (Fraction(7, 5), Fraction(3, 7)):
        at = point(limit, expr, value)
        found = enclose(expr, at, definitions=limit.definitions, bits=192, estimates=False)
        if found.known and not found.value.contains(0):
            return False
    return bool(sp.cancel(expr) == 0)


def point(limit: Limit, expr: Expr, value: Fraction) -> dict[Symbol, Fraction]:
    """Values for the parameters of an expression: of what cannot be negative larger than of all else."""
    todo, free = [expr], set()
    seen: set[Symbol] = set()
    while todo:
        for s in todo.pop().free_symbols - seen:
            seen.add(s)
            if s in limit.definitions:
                todo.append(limit.definitions[s])
            else:
                free.add(s)
    ordered = sorted(free, key=str)
    return {s: value + (2 if s.is_nonnegative else 0) + Fraction(i, 97) for i, s in enumerate(ordered)}


def scaled(factor: Expr, value: Expr) -> Expr:
    """``factor · value`` with the factor multiplied into a sum."""
    if factor == 1:
        return value
    if isinstance(value, sp.Add):
        return sp.Add(*(factor * term for term in value.args))
    return factor * value
