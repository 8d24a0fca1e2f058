r"""Gradient independence as a symmetry: flipping the sign of independent centred sources.

If every z that enters :math:`W^\top z` is odd in a set of centred initial vectors and no y that enters
:math:`W y` depends on them, then :math:`E\,\partial Z^z/\partial\hat Z^{Wy} = 0`: the law is the same after the
flip and the derivative changes sign. This is the BP-like condition; readouts make the backward pass odd.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy import Expr, Symbol

from tpsym.program.graph import Program
from tpsym.program.instructions import (
    MatMul,
    Moment,
    Nonlin,
    OuterNonlin,
    Vector,
    arguments,
    column_slot,
    scalar_slot,
    vector_slot,
)

EVEN, ODD, NEITHER = 1, -1, 0


Known = dict[frozenset[str], dict[int, int]]
"""Parities of nodes met before, by the families that were flipped."""


def is_gradient(program: Program, node: int, others: Iterable[int], known: Known) -> bool:
    """Whether a node is odd in centred initial families, one or several, that none of the others depends on."""
    families = flippable(program, node, others)
    linear = frozenset(f for f in families if enters_linearly(program, node, f))
    candidates = [*(frozenset({f}) for f in sorted(families)), linear]
    return any(c and parity(program, node, c, known.setdefault(c, {})) == ODD for c in candidates)


def flippable(program: Program, node: int, others: Iterable[int]) -> frozenset[str]:
    """The centred initial families that a node depends on and none of the others does."""
    taken = {_family(program, k) for k in program.ancestors(others)}
    own = {k: _family(program, k) for k in program.ancestors([node])}
    centred: dict[str, bool] = {}
    for k, name in own.items():
        if name is not None:
            centred[name] = centred.get(name, True) and program[k].mean == 0  # type: ignore[union-attr]
    return frozenset(name for name, zero in centred.items() if zero and name not in taken)


def enters_linearly(program: Program, node: int, family: str) -> bool:
    """Whether no instruction on the way from a family to a node is more than linear in what depends on it."""
    touched: set[int] = set()
    for k in program.ancestors([node]):
        instruction = program[k]
        if _family(program, k) == family or not touched.isdisjoint(arguments(instruction)):
            touched.add(k)
            if isinstance(instruction, Nonlin | Moment):
                slots = [vector_slot(i) for i, v in enumerate(instruction.vectors) if v in touched]
                slots += [scalar_slot(i) for i, v in enumerate(instruction.scalars) if v in touched]
                if any(sp.diff(instruction.payload, s).has(*slots) for s in slots):
                    return False
            elif isinstance(instruction, OuterNonlin):
                return False
    return True


def _family(program: Program, node: int) -> str | None:
    instruction = program[node]
    return instruction.family if isinstance(instruction, Vector) else None


def parity(program: Program, node: int, flipped: frozenset[str], known: dict[int, int]) -> int:
    """``EVEN``, ``ODD`` or ``NEITHER``: what flipping the sign of the families does to a node.

    ``known`` remembers nodes met before with the same families.
    """
    for k in program.ancestors([node]) if node not in known else []:
        if k not in known:
            known[k] = _parity(program, k, flipped, known)
    return known[node]


def _parity(program: Program, node: int, flipped: frozenset[str], known: dict[int, int]) -> int:
    instruction = program[node]
    match instruction:
        case Vector(family=family, mean=mean):
            return EVEN if family not in flipped else ODD if mean == 0 else NEITHER
        case MatMul(vector=vector):
            return known[vector]
        case Nonlin() | Moment() | OuterNonlin():
            if any(known[k] == NEITHER for k in arguments(instruction)):
                return NEITHER
            return _of_payload(instruction, known)
    return EVEN


def _of_payload(instruction: Nonlin | Moment | OuterNonlin, known: dict[int, int]) -> int:
    copies = instruction.order if isinstance(instruction, OuterNonlin) else 0
    odd: list[Symbol] = []
    for i, k in enumerate(instruction.vectors):
        if known[k] == ODD:
            odd += [vector_slot(i), *(column_slot(copy, i) for copy in range(copies))]
    odd += [scalar_slot(i) for i, k in enumerate(instruction.scalars) if known[k] == ODD]
    return of_expression(instruction.payload, odd)


def of_expression(expr: Expr, odd: Iterable[Symbol]) -> int:
    """The parity of an expression in symbols that change sign together."""
    symbols = [s for s in odd if s in expr.free_symbols]
    if not symbols:
        return EVEN
    image = expr.xreplace({s: -s for s in symbols})
    if image == -expr or sp.expand(image + expr) == 0:
        return ODD
    return EVEN if image == expr or sp.expand(image - expr) == 0 else NEITHER
