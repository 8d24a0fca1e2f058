"""Widths that the Master Theorem speaks of: those that grow in proportion to one another."""

from __future__ import annotations

from sympy import Symbol

from tpsym.limit.series import SizeUnknown
from tpsym.program.instructions import Instruction, Matrix


def same_growth(instruction: Instruction, n: Symbol) -> None:
    """Refuse an instruction in a width that grows as another power of the first one.

    Raises:
        SizeUnknown: there is one.
    """
    sizes = (
        (instruction.rows, instruction.columns)
        if isinstance(instruction, Matrix)
        else (getattr(instruction, "dimension", None),)
    )
    for size in sizes:
        if size is not None and size.ratio.has(n):
            raise SizeUnknown(
                f"the width {size.name} does not grow in proportion to {n}, which the Master Theorem asks for; "
                "only scaling(…) and mup(…) read such widths"
            )
