"""What the nodes of a program are called where a file gives them no name."""

from __future__ import annotations

from sympy import Symbol

from tpsym.program.graph import Program
from tpsym.program.instructions import MatMul, Moment, Nonlin, Vector, vector_slot

MAX_LABEL = 48


def node_label(program: Program, node: int, *, depth: int = 3) -> str:
    """The name of a node in the file, or the expression that gave it where that is short."""
    known = program.labels.get(node)
    if known is not None:
        return known
    if depth == 0:
        return f"#{node}"
    text = f"#{node}"
    match program[node]:
        case Vector(name=name):
            text = name
        case MatMul(matrix=matrix, transposed=transposed, vector=vector):
            inner = node_label(program, vector, depth=depth - 1)
            text = f"{program.label(matrix)}{'.T' if transposed else ''} {inner}"
        case Nonlin(payload=payload, vectors=vectors, scalars=()):
            names = {vector_slot(i): Symbol(node_label(program, v, depth=depth - 1)) for i, v in enumerate(vectors)}
            text = str(payload.xreplace(names))
        case Moment(payload=payload, vectors=(_, *_) as vectors, scalars=()):
            names = {vector_slot(i): Symbol(node_label(program, v, depth=depth - 1)) for i, v in enumerate(vectors)}
            text = f"mean({payload.xreplace(names)})"
    return text if len(text) <= MAX_LABEL else f"#{node}"
