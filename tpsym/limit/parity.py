r"""Gradient independence as a symmetry: flipping the sign of independent centred sources.

If every z that enters :math:`W^\top z` is odd in a set of centred initial vectors and no y that enters
:math:`W y` depends on them, then :math:`E\,\partial Z^z/\partial\hat Z^{Wy} = 0`: the law is the same after the
flip and the derivative changes sign. This is the BP-like condition; readouts make the backward pass odd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import sympy as sp
from sympy import Expr, Symbol

from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Instruction,
    MatMul,
    Moment,
    Nonlin,
    OuterNonlin,
    State,
    Vector,
    arguments,
    column_slot,
    scalar_slot,
    vector_slot,
)

EVEN, ODD, NEITHER = 1, -1, 0

T = TypeVar("T")
Entry = Literal["none", "linear", "other"]
"""How a family enters a node: not at all, linearly in every instruction on the way, or otherwise."""


@dataclass(slots=True)
class Known:
    """What is known of nodes met before; with a node stands everything that it is computed from.

    ``families`` are the initial families behind a node, each with whether it is centred there; ``linear`` says by
    family how it enters, ``parities`` what flipping a set of families does.
    """

    families: dict[int, frozenset[tuple[str, bool]]] = field(default_factory=dict)
    linear: dict[str, dict[int, Entry]] = field(default_factory=dict)
    parities: dict[frozenset[str], dict[int, int]] = field(default_factory=dict)


def is_gradient(program: Program, node: int, others: Iterable[int], known: Known) -> bool:
    """Whether a node is odd in centred initial families, one or several, that none of the others depends on."""
    families = flippable(program, node, others, known)
    linear = frozenset(f for f in families if enters_linearly(program, node, f, known))
    candidates = [*(frozenset({f}) for f in sorted(families)), linear]
    return any(c and parity(program, node, c, known.parities.setdefault(c, {})) == ODD for c in candidates)


def remembered(program: Program, node: int, known: dict[int, T], value: Callable[[int], T]) -> T:
    """The value of a node, after those of everything it is computed from, in program order."""
    missing: set[int] = set()
    todo = [node]
    while todo:
        k = todo.pop()
        if k not in known and k not in missing:
            missing.add(k)
            todo.extend(arguments(program[k]))
    for k in sorted(missing):
        known[k] = value(k)
    return known[node]


def flippable(program: Program, node: int, others: Iterable[int], known: Known) -> frozenset[str]:
    """The centred initial families that a node depends on and none of the others does."""

    def behind(k: int) -> frozenset[tuple[str, bool]]:
        instruction = program[k]
        if isinstance(instruction, Vector):
            return frozenset({(instruction.family, bool(instruction.mean == 0))})
        if isinstance(instruction, State):
            inside = (program[a] for a in program.behind([k]))
            return frozenset((v.family, bool(v.mean == 0)) for v in inside if isinstance(v, Vector))
        return frozenset().union(*(known.families[a] for a in arguments(instruction)))

    taken = {name for k in others for name, _ in remembered(program, k, known.families, behind)}
    own = remembered(program, node, known.families, behind)
    return frozenset(name for name, _ in own if name not in taken and (name, False) not in own)


def enters_linearly(program: Program, node: int, family: str, known: Known) -> bool:
    """Whether no instruction on the way from a family to a node is more than linear in what depends on it."""
    entries = known.linear.setdefault(family, {})

    def entry(k: int) -> Entry:
        instruction = program[k]
        if isinstance(instruction, Vector):
            return "linear" if instruction.family == family else "none"
        found = {entries[a] for a in arguments(instruction)}
        if "other" in found:
            return "other"
        if "linear" not in found:
            return "none"
        return "linear" if _is_linear(instruction, lambda a: entries[a] != "none") else "other"

    return remembered(program, node, entries, entry) != "other"


def _is_linear(instruction: Instruction, touched: Callable[[int], bool]) -> bool:
    """Whether an instruction is linear in the touched ones among its arguments together."""
    if isinstance(instruction, Nonlin | Moment):
        slots = [vector_slot(i) for i, v in enumerate(instruction.vectors) if touched(v)]
        slots += [scalar_slot(i) for i, v in enumerate(instruction.scalars) if touched(v)]
        return not any(sp.diff(instruction.payload, s).has(*slots) for s in slots)
    return not isinstance(instruction, OuterNonlin)


def parity(program: Program, node: int, flipped: frozenset[str], known: dict[int, int]) -> int:
    """``EVEN``, ``ODD`` or ``NEITHER``: what flipping the sign of the families does to a node.

    ``known`` remembers nodes met before with the same families.
    """
    return remembered(program, node, known, lambda k: _parity(program, k, flipped, known))


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
        case State():
            inside = {v.family for k in program.behind([node]) if isinstance(v := program[k], Vector)}
            return EVEN if flipped.isdisjoint(inside) else NEITHER
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
