"""Exact decisions about conditions over the reals: quantifier-free linear real arithmetic, by z3.

Every question gets a solver of its own with a bound on its work that does not depend on the clock, so the same question
has the same answer. Points are evaluated exactly before they are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

from tpsym.polyhedra.forms import Form, linear, number
from tpsym.polyhedra.names import natural
from tpsym.polyhedra.trees import (
    RELATIONS,
    And,
    Combination,
    Compare,
    Condition,
    Constant,
    Expression,
    MaxOf,
    MinOf,
    Not,
    Or,
    all_of,
    holds,
    iff,
    negation,
    variables_of,
)

EFFORT = 20_000_000
"""The resource limit of a question in z3's own units: up to about a minute, much less than a second as a rule."""

NICE = tuple(Fraction(k, 2) for k in (0, 2, -2, 1, -1, 4, -4, 3, -3, 6, -6))
"""The coordinates a point is given if it can have them, the preferred first."""


class Undecided(Exception):
    """The work allowed did not suffice."""


class Unbounded(Enum):
    """A supremum or infimum that is no number."""

    ABOVE = "oo"
    BELOW = "-oo"


@dataclass(frozen=True)
class Decision:
    """Whether something ``holds`` for all points; None: undecided. ``witness``: a point where it does not."""

    holds: bool | None
    witness: Mapping[str, Fraction] | None = None


class Solver:
    """Conditions taken together, to be asked about repeatedly; z3 in a context of its own."""

    def __init__(self, *conditions: Condition, effort: int = EFFORT) -> None:
        import z3

        self._z3: Any = z3
        self._context = z3.Context()
        self._solver = z3.SimpleSolver(ctx=self._context)
        self._effort = effort
        self._solver.set("rlimit", effort)
        self._reals: dict[str, Any] = {}
        self._rationals: dict[Fraction, Any] = {}
        self._multiples: dict[tuple[str, Fraction], Any] = {}
        for condition in conditions:
            self.add(condition)

    def add(self, condition: Condition) -> None:
        self._solver.add(self.translated(condition))

    def switch(self, index: int, condition: Condition) -> Any:
        """A switch that, handed to ``check``, imposes the condition there."""
        name = self._z3.Bool(f"switch{index}", self._context)
        self._solver.add(self._z3.Implies(name, self.translated(condition)))
        return name

    def check(self, *switches: Any) -> bool:
        """Whether a point satisfies what was added and what the switches impose.

        Raises:
            Undecided: the work allowed did not suffice.
        """
        found = self._solver.check(*switches)
        if found == self._z3.unknown:
            raise Undecided(self._solver.reason_unknown())
        return bool(found == self._z3.sat)

    def point(self) -> dict[str, Fraction]:
        """The point of the last ``check`` that was true."""
        model = self._solver.model()
        values = {name: model[real] for name, real in self._reals.items()}
        return {name: Fraction(0) if value is None else _fraction(value) for name, value in values.items()}

    def largest(self, form: Form) -> Fraction:
        """What the optimizer says the largest value of a form is: to be certified.

        Raises:
            Undecided: it says none.
        """
        optimizer = self._z3.Optimize(ctx=self._context)
        optimizer.set("rlimit", self._effort)
        optimizer.add(self._solver.assertions())
        goal = optimizer.maximize(self._term(form))
        if optimizer.check() != self._z3.sat:
            raise Undecided(optimizer.reason_unknown())
        value = goal.value()
        if not (self._z3.is_rational_value(value) or self._z3.is_int_value(value)):
            raise Undecided(f"an optimum {value}")
        return _fraction(value)

    @property
    def work(self) -> int:
        """What the checks so far took, in the units of ``effort``."""
        return int(self._solver.statistics().get_key_value("rlimit count"))

    def translated(self, condition: Condition) -> Any:
        z3 = self._z3
        match condition:
            case Compare(op, left, right):
                return RELATIONS[op](self._term(left), self._term(right))
            case And(items):
                return z3.And(*map(self.translated, items), self._truth(True))
            case Or(items):
                return z3.Or(*map(self.translated, items), self._truth(False))
            case Not(item):
                return z3.Not(self.translated(item))
            case Constant(value):
                return self._truth(value)

    def _truth(self, value: bool) -> Any:
        return self._z3.BoolVal(value, self._context)

    def _rational(self, value: Fraction) -> Any:
        if value not in self._rationals:
            self._rationals[value] = self._z3.RealVal(str(value), self._context)
        return self._rationals[value]

    def _real(self, name: str) -> Any:
        if name not in self._reals:
            self._reals[name] = self._z3.Real(name, self._context)
        return self._reals[name]

    def _multiple(self, name: str, factor: Fraction) -> Any:
        if factor == 1:
            return self._real(name)
        if (name, factor) not in self._multiples:
            self._multiples[name, factor] = self._rational(factor) * self._real(name)
        return self._multiples[name, factor]

    def _term(self, expression: Expression) -> Any:
        z3 = self._z3
        match expression:
            case Form(constant, terms):
                parts = [self._multiple(name, q) for name, q in terms]
                level = [self._rational(constant)] if constant or not parts else []
                return z3.Sum([*parts, *level]) if len(parts) + len(level) > 1 else (parts or level)[0]
            case Combination(constant, pairs):
                parts = [self._rational(q) * self._term(item) for q, item in pairs]
                return z3.Sum([*parts, self._rational(constant)])
            case MaxOf(items) | MinOf(items):
                best = self._term(items[0])
                for item in map(self._term, items[1:]):
                    best = z3.If(best >= item if isinstance(expression, MaxOf) else best <= item, best, item)
                return best


def _fraction(value: Any) -> Fraction:
    if value.is_int():
        return Fraction(value.as_long())
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


# --- points ----------------------------------------------------------------------------------------


def satisfiable(condition: Condition, *, effort: int = EFFORT) -> dict[str, Fraction] | None:
    """A point where the condition holds, of small numbers where it may be; None: it holds nowhere.

    Raises:
        Undecided: the work allowed did not suffice.
    """
    names = sorted(variables_of(condition), key=natural)
    solver = Solver(condition, effort=effort)
    if not solver.check():
        return None
    point = {name: solver.point().get(name, Fraction(0)) for name in names}
    point = _nicer(condition, solver, point, names)
    if not holds(condition, point):
        raise Undecided("the point found does not satisfy the condition")
    return point


def _nicer(condition: Condition, solver: Solver, point: dict[str, Fraction], names: list[str]) -> dict[str, Fraction]:
    """One coordinate after the other gets the nicest value that the ones before leave it."""
    for position, name in enumerate(names):
        for value in (*NICE, *(point[name].limit_denominator(k) for k in (1, 2, 4, 12))):
            if point[name] == value:
                break
            moved = {**point, name: value}
            if not holds(condition, moved):
                switch = solver.switch(100 * position + NICE.index(value), _is(name, value)) if value in NICE else None
                if switch is None or not _checked(solver, switch):
                    continue
                moved = {**point, **solver.point()}
            point = moved
            break
        solver.add(_is(name, point[name]))
    return point


def _checked(solver: Solver, switch: Any) -> bool:
    try:
        return solver.check(switch)
    except Undecided:
        return False


def _is(name: str, value: Fraction) -> Condition:
    return Compare("==", linear(0, [(name, Fraction(1))]), number(value))


def impossible(condition: Condition, *, effort: int = EFFORT) -> bool | None:
    """Whether the condition holds nowhere; None: undecided."""
    try:
        return not Solver(condition, effort=effort).check()
    except Undecided:
        return None


# --- decisions -------------------------------------------------------------------------------------


def implied(premise: Condition, conclusion: Condition, *, effort: int = EFFORT) -> Decision:
    """Whether the conclusion holds wherever the premise does."""
    return _nowhere(all_of((premise, negation(conclusion))), effort=effort)


def equivalent(left: Condition, right: Condition, *, effort: int = EFFORT) -> Decision:
    """Whether both hold at the same points."""
    return _nowhere(negation(iff(left, right)), effort=effort)


def _nowhere(condition: Condition, *, effort: int) -> Decision:
    try:
        point = satisfiable(condition, effort=effort)
    except Undecided:
        return Decision(None)
    return Decision(True) if point is None else Decision(False, point)
