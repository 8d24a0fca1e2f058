r"""Which forms of a maximum are never needed, by linear programming with an exact certificate.

Where all facts :math:`g_j \le 0` hold, :math:`F \le \max_i K_i` if and only if there are
:math:`\lambda, \mu \ge 0` with :math:`\sum\lambda_i = 1` and :math:`F - \sum\lambda_i K_i - \sum\mu_j g_j` a constant
:math:`\le 0` (Farkas). Floating point only proposes which of the multipliers are not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

from tpsym.polyhedra.forms import Form

TINY = 1e-9


def needed(forms: Sequence[Form], rivals: Sequence[Form], facts: Sequence[Form]) -> list[Form]:
    """The forms without those that the others and the rivals are never all below where the facts hold."""
    kept = list(forms)
    for form in sorted(forms, key=lambda f: -len(f.terms)):
        others = [f for f in kept if f != form] + list(rivals)
        if others and dominated(form, others, facts):
            kept.remove(form)
    return kept


def dominated(form: Form, others: Sequence[Form], facts: Sequence[Form]) -> bool:
    """Whether a form is certainly at most the maximum of the others where all facts are ≤ 0."""
    import numpy as np
    from scipy.optimize import linprog

    columns = [*others, *facts]
    names = sorted(frozenset().union(form.variables, *(c.variables for c in columns)))
    rows = [[c.coefficient(v) for c in columns] for v in names]
    rows.append([Fraction(int(i < len(others))) for i in range(len(columns))])
    target = [form.coefficient(v) for v in names] + [Fraction(1)]
    found = linprog(
        [-float(c.constant) for c in columns], A_eq=np.array(rows, dtype=float), b_eq=np.array(target, dtype=float),
        bounds=(0, None), method="highs-ds",
    )
    if found.x is None or found.status != 0 or -found.fun < float(form.constant) - 1e-6:
        return False
    support = [i for i, x in enumerate(found.x) if x > TINY]
    return _certified(form, columns, rows, target, support)


def _certified(
    form: Form, columns: Sequence[Form], rows: Sequence[Sequence[Fraction]], target: Sequence[Fraction],
    support: Sequence[int],
) -> bool:
    """Whether the multipliers on the support are, exactly, what they seem to be."""
    matrix = fmpq_mat([[_exact(row[i]) for i in support] + [_exact(t)] for row, t in zip(rows, target, strict=True)])
    reduced, rank = matrix.rref()
    if rank > len(support):
        return False
    values = [fmpq(0)] * len(support)
    for r in range(rank):
        pivot = next(c for c in range(len(support) + 1) if reduced[r, c] != 0)
        if pivot == len(support):
            return False
        values[pivot] = reduced[r, len(support)]
    if any(v < 0 for v in values):
        return False
    constant = sum((v * _exact(columns[i].constant) for v, i in zip(values, support, strict=True)), fmpq(0))
    return bool(constant >= _exact(form.constant))


def _exact(q: Fraction) -> fmpq:
    return fmpq(q.numerator, q.denominator)
