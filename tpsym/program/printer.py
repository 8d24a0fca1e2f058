"""A program as a graph for Graphviz, as JSON, and as equations in Unicode, one per instruction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sympy import Expr, Symbol

from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    Instruction,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    arguments,
    column_slot,
    is_scalar,
    scalar_slot,
    vector_slot,
)
from tpsym.program.labels import node_label

Show = Callable[[Expr], str]
"""How an expression is written; the default is sympy's own plain text."""

COLOURS = {"matrix": "#ffe2b8", "vector": "#d6e6f7", "initial": "#bcd3ee", "scalar": "#d9ecd3"}
"""Fill by kind of node; all carry black text at a contrast above 12:1."""

MAX_LABEL = 60
MAX_INLINE = 32
"""Letters of an unnamed argument written out in a product."""

MAX_OPERATIONS = 8
"""Operations of an unnamed argument written out in a formula."""


def kind(instruction: Instruction) -> str:
    """``matrix``, ``initial`` (vector), ``vector`` or ``scalar``."""
    match instruction:
        case Matrix():
            return "matrix"
        case Vector():
            return "initial"
        case _:
            return "scalar" if is_scalar(instruction) else "vector"


def equation(program: Program, node: int, *, show: Show = str, name: Callable[[str], str] = str) -> str:
    """The instruction as a person writes it: ``h[2](x) = W[2] relu(h[1](x))``; an unnamed one without a name.

    ``show`` writes an expression, ``name`` a label of the program.
    """
    right = _right(program, node, show, name)
    if isinstance(program[node], Matrix | Vector | RandomScalar):
        return f"{name(program.label(node))} ~ {right}"
    return f"{name(program.labels[node])} = {right}" if node in program.labels else right


def _named(program: Program, node: int) -> bool:
    return node in program.labels or isinstance(program[node], Matrix | Vector | RandomScalar)


def _right(program: Program, node: int, show: Show, name: Callable[[str], str]) -> str:
    """What a node is: its law or its formula, short unnamed arguments written out."""
    instruction = program[node]
    match instruction:
        case Matrix(variance=variance):
            return f"N(0, {_over(show(variance), instruction.columns.name)})"
        case Vector(mean=mean):
            return f"N({show(mean)}, {show(program.covariance(node, node))})"
        case RandomScalar(mean=mean, variance=variance):
            return f"N({show(mean)}, {show(variance)})"
        case State(loop=loop, layer=layer):
            return f"state after the round {layer} of the loop in line {program.loops[loop].statement}"
        case MatMul(matrix=matrix, transposed=transposed, vector=vector):
            mark = "ᵀ" if transposed else ""
            inner = name(program.label(vector)) if _named(program, vector) else _right(program, vector, show, name)
            inner = inner if len(inner) <= MAX_INLINE else f"#{vector}"
            return f"{name(program.label(matrix))}{mark} {_factor(inner)}"
        case Nonlin() | Moment(vectors=()):
            return show(payload(program, instruction))
        case Moment():
            return f"mean({show(payload(program, instruction))})"
        case OuterNonlin(order=order):
            times = f" over {order} sums" if order != 1 else ""
            return f"mean{times}({show(payload(program, instruction))})"


def payload(program: Program, instruction: Nonlin | Moment | OuterNonlin, *, depth: int = 2) -> Expr:
    """The expression of an instruction with its arguments, by label or written out, in the place of the slots."""
    names: dict[Symbol, Expr] = {}
    for index, node in enumerate(instruction.vectors):
        names[vector_slot(index)] = _argument(program, node, depth)
        if isinstance(instruction, OuterNonlin):
            label = program.label(node)
            names |= {column_slot(r, index): Symbol(f"{label}'{r + 1}", real=True) for r in range(instruction.order)}
    for index, node in enumerate(instruction.scalars):
        names[scalar_slot(index)] = _argument(program, node, depth)
    return instruction.payload.xreplace(names)


def _argument(program: Program, node: int, depth: int) -> Expr:
    """An argument by its label; an unnamed coordinatewise one by its formula if that is short."""
    instruction = program[node]
    if node not in program.labels and isinstance(instruction, Nonlin) and depth:
        inner = payload(program, instruction, depth=depth - 1)
        if inner.count_ops() <= MAX_OPERATIONS:
            return inner
    return Symbol(node_label(program, node), real=True)


def to_dot(
    program: Program,
    nodes: Iterable[int] | None = None,
    *,
    show: Show = str,
    name: Callable[[str], str] = str,
) -> str:
    """The graph for Graphviz: matrices are boxes, vectors rounded, scalars ovals; time runs downwards.

    ``nodes`` restricts it to these and what they are computed from.
    """
    kept = _kept(program, nodes)
    lines = ["digraph program {", "  rankdir=TB; nodesep=0.3; ranksep=0.45; bgcolor=white;"]
    lines.append(
        '  node [fontname="DejaVu Sans,sans-serif" fontsize=11 style=filled color="#333333" margin="0.12,0.06"];'
    )
    lines.append('  edge [color="#555555" arrowsize=0.7];')
    for node in kept:
        instruction = program[node]
        what = kind(instruction)
        shape = {"matrix": "box", "scalar": "ellipse"}.get(what, "box")
        style = "filled" if what in ("matrix", "scalar") else "filled,rounded"
        label = shorten(equation(program, node, show=show, name=name))
        lines.append(
            f'  n{node} [label="{_dot_text(label)}" shape={shape} style="{style}" fillcolor="{COLOURS[what]}"];'
        )
    for node in kept:
        instruction = program[node]
        for argument in dict.fromkeys(arguments(instruction)):
            dashed = isinstance(instruction, MatMul) and argument == instruction.matrix
            lines.append(f"  n{argument} -> n{node}{' [style=dashed]' if dashed else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def to_json(program: Program, nodes: Iterable[int] | None = None) -> str:
    """The program as JSON: ``{"instructions": [...], "covariances": [...]}``.

    Each instruction has ``node`` (its number; every argument has a smaller one), ``kind`` (the name of its
    class), ``label``, ``line`` (or null), ``equation`` and its fields: numbers for arguments, text for
    expressions, ``{"name", "ratio"}`` for dimensions. A payload is written in ``x0, x1, …`` for its vectors,
    ``t0, …`` for its scalars and ``c0_1, …`` for vector 1 at the first summed coordinate. ``covariances`` lists
    ``{"a", "b", "value"}`` of initial vectors that are not zero.
    """
    kept = _kept(program, nodes)
    inside = set(kept)
    value = {
        "instructions": [_object(program, node) for node in kept],
        "covariances": [
            {"a": a, "b": b, "value": str(c)}
            for (a, b), c in sorted(program.covariances.items())
            if c != 0 and a in inside and b in inside
        ],
    }
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def shorten(label: str) -> str:
    """A label cut to what fits a node."""
    visible = "".join(c if c.isprintable() else "�" for c in label)
    return visible if len(visible) <= MAX_LABEL else visible[: MAX_LABEL - 1] + "…"


def _kept(program: Program, nodes: Iterable[int] | None) -> Sequence[int]:
    return sorted(program.graph.nodes) if nodes is None else program.ancestors(nodes)


def _object(program: Program, node: int) -> dict[str, Any]:
    instruction = program[node]
    span = program.spans.get(node)
    out: dict[str, Any] = {
        "node": node,
        "kind": type(instruction).__name__,
        "label": program.labels.get(node),
        "line": span.line if span else None,
        "equation": equation(program, node),
    }
    for field in instruction.__slots__:
        out[field] = _field(getattr(instruction, field))
    return out


def _field(value: object) -> object:
    if isinstance(value, Dimension):
        return {"name": value.name, "ratio": str(value.ratio)}
    if isinstance(value, Expr):
        return str(value).replace("$", "")
    return list(value) if isinstance(value, tuple) else value


def _over(variance: str, columns: str) -> str:
    simple = re.fullmatch(r"[\w.^²]+", variance) is not None
    return f"{variance if simple else f'({variance})'}/{columns}"


def _factor(label: str) -> str:
    return f"({label})" if re.search(r" [+−-] ", label) else label


def _dot_text(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"')
