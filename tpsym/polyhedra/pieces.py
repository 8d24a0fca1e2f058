"""Conditions as unions of polyhedra."""

from __future__ import annotations

from collections.abc import Iterable

from tpsym.polyhedra.decide import EFFORT, Solver, Undecided
from tpsym.polyhedra.elimination import in_order
from tpsym.polyhedra.normal import AllOf, AnyOf, Literal, Normal, normal
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.redundancy import condition as condition_of
from tpsym.polyhedra.trees import Condition, variables_of

MOST_PIECES = 2_000
"""More than so many alternatives are not written out."""

Clause = frozenset[Literal]


def pieces(condition: Condition, *, most: int = MOST_PIECES, effort: int = EFFORT) -> tuple[Polyhedron, ...]:
    """Polyhedra, minimal, none empty, none inside another one, whose union is where the condition holds.

    They lie in the space of all its variables. Those of higher dimension come first.

    Raises:
        Undecided: the work allowed did not suffice, or there are more than ``most`` alternatives on the way.
    """
    names = in_order(variables_of(condition))
    clauses = _clauses(normal(condition), most=most, effort=effort)
    bodies = dict.fromkeys(_polyhedron(clause, names).minimal(effort=effort) for clause in clauses)
    ordered = sorted(bodies, key=lambda body: (-body.dimension, str(body)))
    kept: list[Polyhedron] = []
    for body in ordered:
        if not any(other.covers(body, effort=effort) for other in kept):
            kept = [other for other in kept if not body.covers(other, effort=effort)]
            kept.append(body)
    return tuple(kept)


def _polyhedron(clause: Clause, names: tuple[str, ...]) -> Polyhedron:
    literals = sorted(clause, key=lambda literal: str(literal.form))
    return Polyhedron(
        (), tuple(i.form for i in literals if not i.strict), tuple(i.form for i in literals if i.strict), names
    )


def _clauses(tree: Normal, *, most: int, effort: int) -> list[Clause]:
    """Conjunctions of literals, each true somewhere, whose disjunction is the tree."""
    possible: dict[Clause, bool] = {}

    def grown(tree: Normal, bases: list[Clause]) -> list[Clause]:
        match tree:
            case Literal():
                return feasible(base | {tree} for base in bases)
            case AnyOf(items):
                return _largest(clause for item in items for clause in grown(item, bases))
            case AllOf(items):
                literals = frozenset(item for item in items if isinstance(item, Literal))
                found = feasible(base | literals for base in bases)
                for item in items:
                    found = found if isinstance(item, Literal) else grown(item, found)
                return found

    def feasible(clauses: Iterable[Clause]) -> list[Clause]:
        kept = []
        for clause in _largest(clauses):
            if clause not in possible:
                ordered = sorted(clause, key=lambda literal: (str(literal.form), literal.strict))
                possible[clause] = Solver(*map(condition_of, ordered), effort=effort).check()
            if possible[clause]:
                kept.append(clause)
        if len(kept) > most:
            raise Undecided("too many alternatives")
        return kept

    return grown(tree, [frozenset()])


def _largest(clauses: Iterable[Clause]) -> list[Clause]:
    """Without those that say more than another one."""
    kept: list[Clause] = []
    for clause in sorted(dict.fromkeys(clauses), key=len):
        if not any(other <= clause for other in kept):
            kept.append(clause)
    return kept
