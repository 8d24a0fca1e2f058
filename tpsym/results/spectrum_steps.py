"""The steps from a matrix polynomial to the equation of its Cauchy transform, as rules with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import Ruled, Step, rule
from tpsym.errors import Span

if TYPE_CHECKING:
    from tpsym.freeprob.spectrum import Spectrum

READABLE = 160
"""Operations of a system that is shown."""


@rule("Linearisation", source="HaagerupThorbjornsen2005", locator="Section 2")
def generating_function(law: Spectrum) -> Expr:
    r"""``h(t) = Σ_k t^k lim tr A^k`` is the mean of an entry of the resolvent of a matrix of letters."""
    k = Symbol("k", integer=True, nonnegative=True)
    return sp.Sum(Symbol("t") ** k * sp.Function("m")(k), (k, 0, sp.oo))


@rule("Nested pairings", source="Helton2007", locator="Equation (1.2)")
def nested_pairings(law: Spectrum) -> tuple[tuple[Symbol, Expr], ...]:
    r"""``H = 1 + η(H) H``: each Gaussian letter is paired with its adjoint, and pairs that cross vanish as n grows.

    :math:`η(B) = \sum A_x B A_{x^*} v`, over the letters x; written for the entries that enter.
    """
    from tpsym.freeprob.told import told

    return told(law.moments)


@rule("Elimination", source="Helton2007", locator="Section 4")
def elimination(law: Spectrum) -> Expr:
    """Resultants of the system; of each the irreducible factor that vanishes at the moments is kept."""
    return law.curve.polynomial


@rule("Free independence", source="Yang2020TP3", locator="Theorem 4.2")
def free_independence(law: Spectrum) -> tuple[tuple[Expr, Expr], ...]:
    """Diagonal matrices of program vectors are asymptotically free from the Gaussian ones: their law is enough."""
    values, mean = law.moments.values, law.moments.mean
    if values is None:
        return ()
    found: dict[tuple[Expr, ...], Expr] = {}
    for k, chance in enumerate(values.probabilities):
        point = tuple(values.at(e, k, mean) for e in law.moments.diagonals)
        found[point] = found.get(point, S.Zero) + chance
    return tuple((_point(point), chance) for point, chance in found.items())


def _point(values: tuple[Expr, ...]) -> Expr:
    return values[0] if len(values) == 1 else sp.Tuple(*values)


def equation_steps(law: Spectrum, equation: Expr, matrix: str, span: Span) -> tuple[Step, ...]:
    """What the equation rests on: its polynomial as it is stated, for a matrix of this name."""
    steps: list[Step] = []
    for point, chance in free_independence(law):
        name = sp.Function("P")(point)
        steps.append(_step(free_independence, name, chance, span, "by value of the diagonal matrices"))
    system = nested_pairings(law)
    if system and sum(sp.count_ops(right) for _, right in system) <= READABLE:
        note = f"m(k) = lim tr {matrix}^k" + _scaled(law)
        steps.append(_step(generating_function, system[0][0], generating_function(law), span, note))
        steps += [_step(nested_pairings, u, right, span, "") for u, right in system]
    if law.curve.certified:
        steps.append(_step(elimination, equation, S.Zero, span, "with t = 1/z and h = z*G" + _scaled(law, moved=True)))
    return tuple(steps)


def _scaled(law: Spectrum, *, moved: bool = False) -> str:
    scale, shift = law.moments.affine.scale, law.moments.affine.shift
    if scale == 1 and shift == 0:
        return ""
    return " and then scaled and shifted" if moved else " for the matrix without its scale and shift"


def _step(ruled: Ruled[[Spectrum], Any], before: Expr, after: Expr, span: Span, note: str) -> Step:
    return Step(ruled.rule, before, after, span, note)


__all__ = ["equation_steps"]
