"""Coordinates of vectors as functions of Gaussian coordinates: what a diagonal matrix takes its values from."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import Phi, sigmoid, step
from tpsym.program.instructions import Nonlin, is_scalar, scalar_slot, vector_slot
from tpsym.program.scope import Context


def written_out(context: Context, expr: Expr) -> Expr:
    """The expression with coordinatewise instructions written out, down to products, initial vectors and scalars."""
    while True:
        inner = {s: context.builder[context.nodes[s]] for s in expr.free_symbols if s in context.nodes}
        swap = {s: _payload(context, i) for s, i in inner.items() if isinstance(i, Nonlin)}
        if not swap:
            return expr
        expr = expr.xreplace(swap)


BOUNDED = (step, sp.sign, sp.tanh, sp.erf, Phi, sigmoid, sp.sin, sp.cos, sp.Heaviside)
"""Functions whose values are bounded whatever they are taken of."""


def is_bounded(context: Context, expr: Expr) -> bool:
    """Whether a coordinate, written out, is certainly a bounded function of Gaussians."""
    if isinstance(expr, BOUNDED) or not (expr.free_symbols & context.nodes.keys()):
        return True
    if expr.is_Add or expr.is_Mul or isinstance(expr, sp.Min | sp.Max | sp.Abs):
        return all(is_bounded(context, part) for part in expr.args)
    if isinstance(expr, sp.Piecewise):
        return all(is_bounded(context, value) for value, _ in expr.args)
    if expr.is_Pow:
        return bool(expr.exp.is_nonnegative) and is_bounded(context, expr.base)
    return is_scalar_symbol(context, expr)


def is_scalar_symbol(context: Context, expr: Expr) -> bool:
    """Whether an expression is a number of the program, which converges."""
    return expr in context.nodes and is_scalar(context.builder[context.nodes[expr]])


def _payload(context: Context, instruction: Nonlin) -> Expr:
    slots: dict[Symbol, Expr] = {vector_slot(i): context.symbol(v) for i, v in enumerate(instruction.vectors)}
    slots |= {scalar_slot(i): context.symbol(s) for i, s in enumerate(instruction.scalars)}
    return instruction.payload.xreplace(slots)


__all__ = ["is_bounded", "written_out"]
