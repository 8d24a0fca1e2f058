"""What the limit has to know of a loop over layers: where its states come from, which are Gaussian or centred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.program.graph import Loop, Source, source
from tpsym.program.instructions import MatMul, Moment, State, Vector, vector_slot
from tpsym.program.linear import linear_parts
from tpsym.program.scope import Context


@dataclass(frozen=True, slots=True)
class Heading:
    """The first fields of :class:`~tpsym.program.graph.Loop`: place, range, names."""

    statement: int
    index: Symbol
    low: Expr
    high: Expr
    names: tuple[str, ...]
    offsets: tuple[Expr, ...]


def blank(heading: Heading) -> Loop:
    """A loop before its round is elaborated: nothing is known of its states but their names."""
    none: tuple[int, ...] = ()
    unknown = tuple(False for _ in heading.names)
    return loop(heading, none, none, none, frozenset(), frozenset(), False, unknown)


def loop(heading: Heading, *facts: Any) -> Loop:
    """A loop from its heading and its other fields."""
    return Loop(heading.statement, heading.index, heading.low, heading.high, heading.names, heading.offsets, *facts)


def described(
    context: Context, number: int, heading: Heading, entry: list[int], exits: list[int], initial: list[int]
) -> Loop:
    """The loop with its round, given by the states before it, what it makes of them and what came first."""
    stages = ((exits, heading.index), (initial, sp.expand(heading.low - 1)))
    fixed, layered = shared(context, number, heading.index, stages)
    both = used_both_ways(context, [*exits, *initial])
    gaussian = all(is_affine(context, number, k, both) for k in (*exits, *initial))
    return loop(heading, tuple(entry), tuple(exits), tuple(initial), fixed, layered, gaussian,
                centred(context, entry, exits, initial, both))


def shared(
    context: Context, number: int, index: Symbol, stages: tuple[tuple[list[int], Expr], ...]
) -> tuple[frozenset[Source], frozenset[tuple[str, Expr, bool]]]:
    """The randomness behind the states: that of all rounds, and the arrays of each round by distance."""
    program = context.builder.program()
    fixed: set[Source] = set()
    layered: set[tuple[str, Expr, bool]] = set()

    def distance(at: Expr, start: Expr) -> Expr:
        # an array that every round uses belongs to all layers
        found = sp.expand(at - start)
        return sp.oo if found.has(index) else found

    for nodes, start in stages:
        for node in program.ancestors(nodes):
            instruction = program[node]
            if isinstance(instruction, State) and instruction.loop != number:
                other = program.loops[instruction.loop]
                fixed |= other.sources | {("loop", other.statement)}
                layered |= {(group, distance(instruction.layer + d, start), t) for group, d, t in other.layered}
            elif isinstance(instruction, MatMul | Vector):
                array = instruction.matrix if isinstance(instruction, MatMul) else node
                if array in program.layered:
                    group, at = program.layered[array]
                    transposed = isinstance(instruction, MatMul) and instruction.transposed
                    layered.add((group, distance(at, start), transposed))
                else:
                    fixed.add(source(instruction))
    return frozenset(fixed), frozenset(layered)


def used_both_ways(context: Context, nodes: list[int]) -> set[int]:
    """The matrices that appear with their transposes: products with them may have correlation parts."""
    uses: dict[int, set[bool]] = {}
    for node in context.builder.program().ancestors(nodes):
        instruction = context.builder[node]
        if isinstance(instruction, MatMul):
            uses.setdefault(instruction.matrix, set()).add(instruction.transposed)
    return {m for m, found in uses.items() if len(found) == 2}


def is_affine(context: Context, number: int, node: int, both: set[int]) -> bool:
    """Whether a vector is a sum of Gaussians: products, initial vectors, states that are."""
    parts = linear_parts(context, context.symbol(node))
    if parts is None:
        return False
    found = [context.builder[k] for k in parts[1]]
    loops = {i.loop for i in found if isinstance(i, State)} - {number}
    if not all(context.builder.loops[k].gaussian for k in loops):
        return False
    return not any(isinstance(i, MatMul) and i.matrix in both for i in found)


def centred(
    context: Context, entry: list[int], exits: list[int], initial: list[int], both: set[int]
) -> tuple[bool, ...]:
    """Which states have mean zero: those that start and stay so."""
    zero = [has_mean_zero(context, k, both, set()) for k in initial]
    while True:
        states = {k for k, z in zip(entry, zero, strict=True) if z}
        now = [z and has_mean_zero(context, k, both, states) for z, k in zip(zero, exits, strict=True)]
        if now == zero:
            return tuple(zero)
        zero = now


def has_mean_zero(context: Context, node: int, both: set[int], states: set[int]) -> bool:
    """Whether a vector is a sum of centred Gaussians, the given states among them."""
    return sums_to_zero(context, context.symbol(node), both, states)


def sums_to_zero(context: Context, expr: Expr, both: set[int], states: set[int]) -> bool:
    parts = linear_parts(context, expr)
    if parts is None or not vanishes(context, parts[0], both, states):
        return False
    for k in parts[1]:
        instruction = context.builder[k]
        known = {State: k in states, MatMul: True, Vector: True}[type(instruction)]
        if isinstance(instruction, Vector) and instruction.mean != 0:
            return False
        if isinstance(instruction, State) and instruction.loop != _loop_of(context, states):
            known = context.builder.loops[instruction.loop].centred[instruction.component]
        if not known or (isinstance(instruction, MatMul) and instruction.matrix in both):
            return False
    return True


def vanishes(context: Context, constant: Expr, both: set[int], states: set[int]) -> bool:
    """Whether a number is zero in the limit because the means in it are."""
    zero: dict[Symbol, Expr] = {}
    for s in constant.free_symbols & context.nodes.keys():
        instruction = context.builder[context.nodes[s]]
        if isinstance(instruction, Moment) and instruction.vectors and not instruction.scalars:
            slots = {vector_slot(i): context.symbol(v) for i, v in enumerate(instruction.vectors)}
            if sums_to_zero(context, instruction.payload.xreplace(slots), both, states):
                zero[s] = S.Zero
    return bool(constant.xreplace(zero) == 0)


def _loop_of(context: Context, states: set[int]) -> int | None:
    for k in states:
        instruction = context.builder[k]
        if isinstance(instruction, State):
            return instruction.loop
    return None
