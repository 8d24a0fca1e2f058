"""From the system to one polynomial in h and t: resultants, each time the factor that vanishes at the series.

Every step keeps a polynomial that is certain to vanish at the power series of the law. A product that vanishes has a
factor that does, and the other factors are seen not to vanish by a coefficient that is nonzero modulo a prime; so
the result is proved, and irreducible.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flint import nmod_poly
from sympy import Expr, Symbol

from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.system import PRIME, H, System, T, residue

ORDERS = (24, 96, 320)
MAX_DEGREE = 60
MAX_TERMS = 200_000
"""Bounds on a resultant that is still tried."""
SECONDS = 20.0
"""What elimination may take before the next resultant is not begun."""


@dataclass(slots=True)
class Evaluator:
    """Polynomials of a system at its power series, modulo a prime."""

    system: System
    known: dict[tuple[Any, int], Any] = field(default_factory=dict)
    powers: dict[tuple[Any, int, int], Any] = field(default_factory=dict)

    def vanishes(self, polynomial: Any, order: int) -> bool:
        """Whether the first ``order`` coefficients are zero; one that is not is a proof that they do not all vanish."""
        total = nmod_poly([0], PRIME)
        for exponents, c in polynomial.to_dict().items():
            term = nmod_poly([residue(c)], PRIME)
            for atom, power in zip(self.system.ring.atoms, exponents, strict=True):
                if power:
                    term = term.mul_low(self._power(atom, int(power), order), order)
            total = total + term
        return bool(total.truncate(order) == 0)

    def _power(self, atom: Expr, power: int, order: int) -> Any:
        key = (atom, power, order)
        if key not in self.powers:
            base = self._series(atom, order)
            self.powers[key] = base if power == 1 else self._power(atom, power - 1, order).mul_low(base, order)
        return self.powers[key]

    def _series(self, atom: Expr, order: int) -> Any:
        key = (atom, order)
        if key not in self.known:
            if atom == T:
                coefficients: list[Any] = [0, 1]
            elif atom in self.system.unknowns:
                coefficients = self.system.unknowns[atom](order)[:order]
            else:
                coefficients = [self.system.residues[atom]]
            self.known[key] = nmod_poly([int(c) for c in coefficients], PRIME)
        return self.known[key]

    def factor(self, polynomial: Any) -> Any:
        """The irreducible factor that vanishes at the series.

        Raises:
            Unavailable: several factors could not be told apart.
        """
        left = [f for f, _ in polynomial.factor()[1]]
        for order in ORDERS:
            left = [f for f in left if self.vanishes(f, order)]
            if len(left) == 1:
                return left[0]
        raise Unavailable("the factors of a resultant could not be told apart")


def eliminated(system: System) -> Any:
    """The irreducible polynomial in h, t and the numbers of the system that vanishes at h(t).

    Raises:
        Unavailable: the resultants grow too large.
    """
    evaluator, deadline = Evaluator(system), time.monotonic() + SECONDS
    unknowns, polynomials = _reduced(system, evaluator)
    found = _distinct(evaluator.factor(p) for p in polynomials if not p.is_zero())
    left = [u for u in unknowns if u != H]
    while True:
        done = [p for p in found if _variables(p, left, system) == set()]
        if done:
            return min(done, key=lambda p: p.total_degree())
        if not left:
            raise Unavailable("the unknowns could not be eliminated")
        u, pivot = _choice(found, left, system)
        left.remove(u)
        others = [p for p in found if p is not pivot and _degree(p, u, system) > 0]
        kept = [p for p in found if _degree(p, u, system) == 0]
        found = _distinct([*kept, *(_eliminate(pivot, p, u, evaluator, deadline) for p in others)])


def _eliminate(pivot: Any, other: Any, u: Symbol, evaluator: Evaluator, deadline: float) -> Any:
    system = evaluator.system
    a, b = _degree(pivot, u, system), _degree(other, u, system)
    if a * b > MAX_DEGREE or len(pivot) * len(other) > MAX_TERMS or time.monotonic() > deadline:
        raise Unavailable("the resultants that lead to the equation grow too large")
    return evaluator.factor(pivot.resultant(other, system.ring.atoms.index(u)))


def _reduced(system: System, evaluator: Evaluator) -> tuple[list[Symbol], list[Any]]:
    """The unknowns that are left when those that vanish or are equal are put together, and their equations."""
    image = put_together(system)
    equations = dict(zip(system.unknowns, system.polynomials, strict=True))
    heads = sorted({head for head in image.values() if head is not None}, key=str)
    return heads, [_mapped(equations[head], image, system) for head in heads]


def put_together(system: System) -> dict[Symbol, Symbol | None]:
    """For each unknown one that is equal to it, ``None`` for one that vanishes, as far as the equations say so.

    At t = 0 every word goes forward, so that the equations have an invertible Jacobian there and one solution in power
    series with the initial values; it keeps what the initial values and the equations have in common.
    """
    series = {u: (system.initial[u], *(int(c) for c in s(ORDERS[0]))) for u, s in system.unknowns.items()}
    equations = dict(zip(system.unknowns, system.polynomials, strict=True))
    groups: dict[tuple[Any, ...], list[Symbol]] = {}
    for u, values in series.items():
        groups.setdefault(values, []).append(u)
    image = {u: (members[0] if any(values) else None) for values, members in groups.items() for u in members}
    image[H] = H
    mapped = {u: _mapped(p, image, system) for u, p in equations.items()}
    agree = all(_same(mapped[u], mapped[head] if head is not None else None) for u, head in image.items())
    return image if agree else {u: u for u in series}


def _same(a: Any, b: Any) -> bool:
    if b is None:
        return bool(a.is_zero())
    if a.is_zero() or b.is_zero():
        return bool(a.is_zero() and b.is_zero())
    return bool(a * b.leading_coefficient() == b * a.leading_coefficient())


def _mapped(polynomial: Any, image: Mapping[Expr, Symbol | None], system: System) -> Any:
    ring = system.ring
    heads = [image.get(atom, atom) for atom in ring.atoms]
    return polynomial.compose(*(ring.zero if head is None else ring.element(head) for head in heads))


def _distinct(polynomials: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for p in polynomials:
        if not any(_same(p, q) for q in found):
            found.append(p)
    return found


def _degree(polynomial: Any, u: Symbol, system: System) -> int:
    return int(polynomial.degrees()[system.ring.atoms.index(u)])


def _variables(polynomial: Any, unknowns: Iterable[Symbol], system: System) -> set[Symbol]:
    return {u for u in unknowns if _degree(polynomial, u, system) > 0}


def _choice(found: list[Any], left: list[Symbol], system: System) -> tuple[Symbol, Any]:
    """The unknown and the polynomial to eliminate it with that promise the smallest resultants."""
    best: tuple[tuple[int, ...], Symbol, Any] | None = None
    for u in left:
        users = [p for p in found if _degree(p, u, system) > 0]
        for p in users:
            degree = _degree(p, u, system)
            cost = degree * sum(_degree(q, u, system) for q in users if q is not p)
            rank = (0 if len(users) == 1 else 1, cost, len(p))
            if best is None or rank < best[0]:
                best = rank, u, p
    if best is None:
        raise Unavailable("the unknowns could not be eliminated")
    return best[1], best[2]
