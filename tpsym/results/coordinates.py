"""Coordinates of vectors as functions of Gaussian coordinates: what a diagonal matrix takes its values from."""

from __future__ import annotations

from sympy import Expr, Symbol

from tpsym.program.instructions import Nonlin, scalar_slot, vector_slot
from tpsym.program.scope import Context


def written_out(context: Context, expr: Expr) -> Expr:
    """The expression with coordinatewise instructions written out, down to products, initial vectors and scalars."""
    while True:
        inner = {s: context.builder[context.nodes[s]] for s in expr.free_symbols if s in context.nodes}
        swap = {s: _payload(context, i) for s, i in inner.items() if isinstance(i, Nonlin)}
        if not swap:
            return expr
        expr = expr.xreplace(swap)


def _payload(context: Context, instruction: Nonlin) -> Expr:
    slots: dict[Symbol, Expr] = {vector_slot(i): context.symbol(v) for i, v in enumerate(instruction.vectors)}
    slots |= {scalar_slot(i): context.symbol(s) for i, s in enumerate(instruction.scalars)}
    return instruction.payload.xreplace(slots)


__all__ = ["written_out"]
