"""Which trainings are integrals over few Gaussians, where they are not smooth, and the order of their averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational

from tpsym import functions as tp
from tpsym.errors import TpError, fail
from tpsym.particles.grids_recursion import Quantity, Stage
from tpsym.particles.training import Observed
from tpsym.program.instructions import MatMul, Moment, Nonlin, OuterNonlin, State, Vector, arguments
from tpsym.program.scope import Context
from tpsym.transform.backward import backward
from tpsym.transform.training import Training

BENT = (tp.relu, tp.leaky_relu, tp.step, sp.Abs, sp.sign, sp.Heaviside, sp.log)
"""Functions that are not smooth at 0."""
COUNTING = (sp.floor, sp.ceiling, sp.Mod, sp.gamma, sp.tan)
"""Functions that are not smooth at infinitely many places."""


def not_served(reason: str) -> TpError:
    """The refusal of what has too many Gaussian directions, or too many kinks, to be integrated."""
    return fail("no-quadrature", f"{reason}: its limit is not an integral over few Gaussians",
                fix="compute the limit with particles")


def hindrance(training: Training, observed: Observed = ()) -> str | None:
    """Why a training is no recursion on functions of finitely many Gaussians."""
    context = training.context
    for output in training.outputs:
        backward(context, output)
    exprs = [*training.outputs, *(e for _, e, _ in observed)]
    nodes = {context.nodes[s] for e in exprs for s in e.free_symbols if s in context.nodes}
    program = context.builder.program()
    behind = [program[k] for k in program.ancestors(nodes)]
    for instruction in behind:
        match instruction:
            case MatMul():
                return "the network has products with random matrices"
            case OuterNonlin():
                return "the network has sums over pairs of coordinates"
            case State():
                return "the network has a symbolic depth"
            case Nonlin(payload=payload) | Moment(payload=payload) if payload.has(*COUNTING):
                return "a function of the network has infinitely many jumps"
            case _:
                pass
    found = {i.dimension.name for i in behind if isinstance(i, Vector | Nonlin | Moment) and i.dimension is not None}
    if len(found) > 1:
        return f"the network has several widths, {' and '.join(sorted(found))}"
    return None


def bends(expr: Expr) -> list[Expr]:
    """What vanishes where an expression is not smooth."""
    found = [part.args[0] for part in expr.atoms(*BENT)]
    for part in expr.atoms(sp.Max, sp.Min):
        found += [a - b for a, b in combinations(part.args, 2)]
    for part in expr.atoms(Relational):
        found.append(part.lhs - part.rhs)
    found += [p.base for p in expr.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp > 0) and p.base.free_symbols
              and not p.base.is_positive]
    return list(dict.fromkeys(found))


def stages(
    context: Context, found: Mapping[int, Quantity], observed: Sequence[tuple[str, Quantity, bool]]
) -> tuple[Stage, ...]:
    """Nodes by how many averages have to be taken first, one after the other."""
    level: dict[int, int] = {}
    computed: dict[int, list[int]] = {}
    averaged: dict[int, list[int]] = {}
    for node in sorted(found):
        instruction = context.builder[node]
        at = max((level.get(k, 0) for k in arguments(instruction)), default=0)
        taken = isinstance(instruction, Moment) and instruction.dimension is not None
        (averaged if taken else computed).setdefault(at, []).append(node)
        level[node] = at + taken
    squared: dict[int, list[str]] = {}
    for label, quantity, vector in observed:
        if vector:
            squared.setdefault(max((level.get(k, 0) for _, k in quantity.nodes), default=0), []).append(label)
    last = max([*computed, *averaged, *squared], default=-1)
    return tuple(
        Stage(tuple(computed.get(i, ())), tuple(averaged.get(i, ())), tuple(squared.get(i, ())))
        for i in range(last + 1)
    )
