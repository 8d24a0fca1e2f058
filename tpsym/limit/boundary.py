"""Closed forms that were split into cases, at the boundary between two of them."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import step
from tpsym.gauss import E
from tpsym.gauss.numeric import enclose


def on_boundary(value: Expr, definitions: Mapping[Symbol, Expr]) -> bool:
    """Whether a closed form has a jump of a number that cannot be told from the jump's place.

    Which of the cases holds there was decided for points beside it. Numbers that depend on parameters are left:
    they are at the jump for few values only.
    """
    if not value.has(step, sp.sign):
        return False
    outside = value.xreplace({e: sp.Dummy() for e in value.atoms(E)})
    return any(_at_zero(jump.args[0], definitions) for jump in outside.atoms(step, sp.sign))


def _at_zero(number: Expr, definitions: Mapping[Symbol, Expr]) -> bool:
    seen: set[Symbol] = set()
    todo = [number]
    while todo:
        for symbol in todo.pop().free_symbols - seen:
            seen.add(symbol)
            if symbol not in definitions:
                return False
            todo.append(definitions[symbol])
    found = enclose(number, {}, definitions=definitions, bits=128)
    return not found.known or bool(found.value.contains(0))
