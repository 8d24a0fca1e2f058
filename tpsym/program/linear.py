"""Vectors as linear combinations of what has a Gaussian and a correlation part of its own."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from tpsym.program.instructions import MatMul, Nonlin, State, Vector, scalar_slot, vector_slot
from tpsym.program.scope import Context


def linear_parts(context: Context, expr: Expr) -> tuple[Expr, dict[int, Expr]] | None:
    """``constant + Σ c_k x_k`` over initial vectors, states and products x_k, or ``None`` if it is not of this form."""
    total: dict[int, Expr] = {}
    constant: Expr = S.Zero
    todo = [(expr, S.One)]
    while todo:
        current, factor = todo.pop()
        vectors = context.vector_symbols(current)
        slopes = {s: sp.diff(current, s) for s in vectors}
        if any(slope.free_symbols & set(vectors) for slope in slopes.values()):
            return None
        constant += factor * current.xreplace(dict.fromkeys(vectors, S.Zero))
        for s, slope in slopes.items():
            node = context.nodes.get(s)
            instruction = context.builder[node] if node is not None else None
            if node is not None and isinstance(instruction, MatMul | Vector | State):
                total[node] = total.get(node, S.Zero) + factor * slope
            elif isinstance(instruction, Nonlin):
                slots = {vector_slot(i): context.symbol(v) for i, v in enumerate(instruction.vectors)}
                slots |= {scalar_slot(i): context.symbol(v) for i, v in enumerate(instruction.scalars)}
                todo.append((instruction.payload.xreplace(slots), factor * slope))
            else:
                return None
    return constant, total
