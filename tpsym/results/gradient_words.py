r"""When gradients at uses of an array that all rounds of a loop share are uncorrelated.

The gradient at a use is a word of transposed matrices applied to the gradient from above, with factors of the
forward pass between them. Words of different lengths are uncorrelated, :math:`E\,\hat Z^{W^\top u}\,\hat Z^{v} = 0`,
so that uses in different rounds add no cross terms if their words cannot have one length.
"""

from __future__ import annotations

from collections.abc import Iterable

from tpsym.program.graph import Loop, Program
from tpsym.program.instructions import MatMul, arguments


def lengths(program: Program, loop: Loop) -> dict[int, set[int]]:
    """How many products lie between a node of a round and what the round leaves, on all ways; at a matrix, its uses."""
    found: dict[int, set[int]] = {k: {0} for k in loop.exit}
    for node in reversed(program.ancestors(loop.exit)):
        instruction = program[node]
        counts = found.setdefault(node, set())
        if isinstance(instruction, MatMul):
            found.setdefault(instruction.matrix, set()).update(counts)
            found.setdefault(instruction.vector, set()).update(c + 1 for c in counts)
        else:
            for k in arguments(instruction):
                found.setdefault(k, set()).update(counts)
    return found


def differ(program: Program, loop: Loop, nodes: Iterable[int]) -> bool:
    """Whether words of different rounds at uses of an array, given by its nodes, have different lengths."""
    found = lengths(program, loop)
    rounds = set().union(*(found.get(k, set()) for k in loop.entry))
    if len(rounds) > 1:
        return False
    period = rounds.pop() if rounds else len(program)
    inside = set(program.behind(loop.initial))
    for node in nodes:
        uses = found.get(node, set())
        if uses and (max(uses) - min(uses) >= period or (node in inside and max(uses) >= period)):
            return False
    return True
