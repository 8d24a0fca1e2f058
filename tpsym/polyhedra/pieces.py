"""Conditions as unions of polyhedra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tpsym.polyhedra.decide import EFFORT, Solver, Undecided
from tpsym.polyhedra.elimination import in_order, sorting_key
from tpsym.polyhedra.normal import AllOf, AnyOf, Literal, Normal, normal
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.redundancy import condition as condition_of
from tpsym.polyhedra.trees import Condition, negation, variables_of

MOST_PIECES = 2_000
"""More than so many alternatives are not written out."""

Clause = frozenset[Literal]


def pieces(condition: Condition, *, most: int = MOST_PIECES, effort: int = EFFORT) -> tuple[Polyhedron, ...]:
    """Polyhedra, minimal, none empty, none inside another one, whose union is where the condition holds.

    No inequality of one of them can be left out or, if strict, weakened without leaving the condition. They lie in the
    space of all its variables; those of higher dimension come first.

    Raises:
        Undecided: the work allowed did not suffice, or there are more than ``most`` alternatives on the way.
    """
    names = in_order(variables_of(condition))
    systems = _Systems(effort)
    clauses = _maximal(_clauses(normal(condition), systems, most=most), systems)
    outside = systems.switch(negation(condition))
    clauses = _maximal((systems.enlarged(clause, outside) for clause in clauses), systems)
    bodies = [_polyhedron(clause, names).minimal(effort=effort) for clause in clauses]
    return tuple(sorted(bodies, key=_body_key))


def _body_key(body: Polyhedron) -> tuple[object, ...]:
    return -body.dimension, *([*map(sorting_key, fs)] for fs in (body.equalities, body.inequalities, body.strict))


def _maximal(clauses: Iterable[Clause], systems: _Systems) -> list[Clause]:
    """Without those inside another one."""
    kept: list[Clause] = []
    for clause in sorted(clauses, key=len):
        if not any(systems.covers(other, clause) for other in kept):
            kept = [other for other in kept if not systems.covers(clause, other)]
            kept.append(clause)
    return kept


class _Systems:
    """Conjunctions of literals asked about together: each literal is handed to the solver once."""

    def __init__(self, effort: int) -> None:
        self._solver = Solver(effort=effort)
        self._switches: dict[Literal, Any] = {}
        self._count = 0
        self._possible: dict[Clause, bool] = {}

    def possible(self, clause: Clause) -> bool:
        """Whether a point satisfies all literals."""
        if clause not in self._possible:
            self._possible[clause] = self._solver.check(*self._imposed(clause))
        return self._possible[clause]

    def covers(self, outer: Clause, inner: Clause) -> bool:
        """Whether all points of the second satisfy the first."""
        return not any(self.possible(inner | {Literal(-i.form, not i.strict)}) for i in outer - inner)

    def enlarged(self, clause: Clause, outside: Any) -> Clause:
        """With as few and as weak literals as keep it from reaching outside."""
        for literal in sorted(clause, key=_literal_key):
            rest = clause - {literal}
            weaker = [rest, rest | {Literal(literal.form, False)}] if literal.strict else [rest]
            clause = next((other for other in weaker if not self._solver.check(outside, *self._imposed(other))), clause)
        return clause

    def switch(self, condition: Condition) -> Any:
        """What imposes the condition when handed to the solver."""
        self._count += 1
        return self._solver.switch(self._count, condition)

    def _imposed(self, clause: Clause) -> list[Any]:
        literals = sorted(clause, key=_literal_key)
        for literal in literals:
            if literal not in self._switches:
                self._switches[literal] = self.switch(condition_of(literal))
        return [self._switches[literal] for literal in literals]


def _literal_key(literal: Literal) -> tuple[object, ...]:
    return sorting_key(literal.form), literal.strict


def _polyhedron(clause: Clause, names: tuple[str, ...]) -> Polyhedron:
    literals = sorted(clause, key=_literal_key)
    return Polyhedron(
        (), tuple(i.form for i in literals if not i.strict), tuple(i.form for i in literals if i.strict), names
    )


def _clauses(tree: Normal, systems: _Systems, *, most: int) -> list[Clause]:
    """Conjunctions of literals, each true somewhere, whose disjunction is the tree."""

    def grown(tree: Normal, bases: list[Clause]) -> list[Clause]:
        match tree:
            case Literal():
                return feasible(base | {tree} for base in bases)
            case AnyOf(items):
                return bounded(_largest(clause for item in items for clause in grown(item, bases)))
            case AllOf(items):
                literals = frozenset(item for item in items if isinstance(item, Literal))
                found = feasible(base | literals for base in bases)
                for item in items:
                    found = found if isinstance(item, Literal) else grown(item, found)
                return found

    def feasible(clauses: Iterable[Clause]) -> list[Clause]:
        return bounded([clause for clause in _largest(clauses) if systems.possible(clause)])

    def bounded(clauses: list[Clause]) -> list[Clause]:
        if len(clauses) > most:
            raise Undecided("too many alternatives")
        return clauses

    return grown(tree, [frozenset()])


def _largest(clauses: Iterable[Clause]) -> list[Clause]:
    """Without those that say more than another one."""
    kept: list[Clause] = []
    for clause in sorted(dict.fromkeys(clauses), key=len):
        if not any(other <= clause for other in kept):
            kept.append(clause)
    return kept
