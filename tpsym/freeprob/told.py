"""The system behind an equation as a reader would write it."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol

from tpsym.freeprob.eliminate import put_together
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.system import H, T, system

MAX_TOLD = 12
"""Equations of a system that are worth reading."""


def told(moments: Moments) -> tuple[tuple[Symbol, Expr], ...]:
    """``unknown = fractions`` for h(t) = Σ m_k t^k and each mean of the resolvent that enters, equal ones once.

    Empty where there are too many. Raises ``Unavailable`` as the system does.
    """
    found = system(moments)
    image = put_together(found)
    heads = sorted({u for u in image.values() if u not in (None, H)}, key=lambda u: int(str(u)[1:]))
    if len(heads) >= MAX_TOLD:
        return ()
    names: dict[Expr, Expr] = {u: Symbol(f"u[{i}]") for i, u in enumerate(heads, start=1)}
    names |= {u: sp.S.Zero if head is None else names.get(head, head) for u, head in image.items() if head != u}
    rows = []
    for u in (H, *heads):
        parts = [
            found.ring.expression(top).xreplace(names) / found.ring.expression(bottom).xreplace(names)
            for top, bottom in found.solved[u]()
        ]
        rows.append((names.get(u, u), sp.Add(*parts)))
    return tuple(rows)


__all__ = ["H", "T", "told"]
