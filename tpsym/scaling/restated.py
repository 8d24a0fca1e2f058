"""A program at exponents that are solved for, or with every power of n left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import networkx as nx
from sympy import Expr, Rational, S, Symbol

from tpsym.polyhedra.forms import Form
from tpsym.program.graph import Program
from tpsym.program.instructions import Instruction, Matrix, Moment, Nonlin, OuterNonlin, RandomScalar, Vector
from tpsym.scaling.setting import Setting


def without_powers(setting: Setting, nodes: Iterable[int], expr: Expr) -> tuple[Program, Expr]:
    """The program of these nodes with 1 for n in front of arrays and in functions; means stay means."""
    values = {setting.scale.symbol: S.One}
    return _program(setting, nodes, values, {}), expr.xreplace(values)


def at_numbers(setting: Setting, nodes: Iterable[int], expr: Expr) -> tuple[Program, Expr] | None:
    """The program of these nodes with the exponents that are read instead of those declared, if they are numbers."""
    known, n = setting.rules.known, setting.scale.symbol
    if known.guide is None and not all(a.extra.is_constant for a in setting.arrays):
        return None
    guide = known.guide or {}
    values = {s: _rational(guide[s.name]) for s in setting.context.parameters if s.name in guide}

    def factor(form: Form) -> Expr:
        exponent = form.constant if known.guide is None else known.at_guide(form)
        return n ** _rational(exponent)

    return _program(setting, nodes, values, {a.name: factor(a.extra) for a in setting.arrays}), expr.xreplace(values)


def _rational(q: object) -> Rational:
    return Rational(str(q))


def _program(
    setting: Setting, nodes: Iterable[int], values: Mapping[Symbol, Expr], factors: Mapping[str, Expr]
) -> Program:
    program = setting.program
    graph: nx.DiGraph[int] = nx.DiGraph()
    kept = list(nodes)

    def factor(node: int) -> Expr:
        array = setting.by_node.get(node) or setting.by_family.get(getattr(program[node], "family", ""))
        return S.One if array is None else factors.get(array.name, S.One)

    for node in kept:
        graph.add_node(node, instruction=_instruction(program[node], factor(node), values))
        graph.add_edges_from((before, node) for before in program.graph.predecessors(node))
    inside = frozenset(kept)
    covariances = {
        (a, b): (value * factor(a) * factor(b)).xreplace(values)
        for (a, b), value in program.covariances.items() if a in inside and b in inside
    }
    return replace(program, graph=graph, covariances=covariances)


def _instruction(instruction: Instruction, factor: Expr, values: Mapping[Symbol, Expr]) -> Instruction:
    match instruction:
        case Matrix(variance=variance):
            return replace(instruction, variance=(variance * factor**2).xreplace(values))
        case Vector(mean=mean):
            return replace(instruction, mean=(mean * factor).xreplace(values))
        case RandomScalar(mean=mean, variance=variance):
            return replace(instruction, mean=(mean * factor).xreplace(values),
                           variance=(variance * factor**2).xreplace(values))
        case Nonlin() | Moment() | OuterNonlin():
            return replace(instruction, payload=instruction.payload.xreplace(values))
    return instruction


__all__ = ["at_numbers", "without_powers"]
