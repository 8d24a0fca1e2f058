"""Values on neighbouring cells of a parameter, told with as few conditions as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sympy import And, Eq, Expr, Ge, Gt, Le, Lt, Ne, S, Symbol
from sympy.logic.boolalg import Boolean

from tpsym.freeprob.algebraic import Algebraic, as_algebraic

Description = TypeVar("Description")
Run: TypeAlias = tuple[Boolean, Any]

DIGITS, TINY = 30, 1e-20


@dataclass(frozen=True, slots=True)
class Cell(Generic[Description]):
    """An open interval of the parameter (None: the end of its range), or one value, then low == high.

    At a value that was not computed the description is None; ``continuous`` then names what is the limit from both
    sides.
    """

    low: Algebraic | None
    high: Algebraic | None
    description: Description | None
    continuous: frozenset[str] = frozenset()

    @property
    def is_point(self) -> bool:
        return self.low is not None and self.low == self.high


@dataclass(slots=True)
class Stretch:
    """An interval with one value, being put together; ``holes`` are values inside that do not belong."""

    low: Algebraic | None
    high: Algebraic | None
    value: Any
    with_low: bool = False
    with_high: bool = False

    def condition(self, parameter: Symbol, holes: Sequence[Algebraic], outer: tuple[Any, Any]) -> Boolean:
        parts: list[Boolean] = []
        if self.low is not None and (self.low != outer[0] or self.with_low):
            parts.append((Ge if self.with_low else Gt)(parameter, self.low.expr))
        if self.high is not None and (self.high != outer[1] or self.with_high):
            parts.append((Le if self.with_high else Lt)(parameter, self.high.expr))
        parts += [Ne(parameter, hole.expr) for hole in holes]
        return And(*parts) if parts else S.true


def describe(
    parameter: Symbol, cells: Sequence[Cell[Description]], value_of: Callable[[Description], Any], what: str
) -> list[Run]:
    """(condition, value) in the order of the parameter; equal neighbours are one.

    ``what`` the value is decides whether it is known at critical values that were not computed.
    """
    outer = (cells[0].low, cells[-1].high)
    found: list[tuple[Stretch, list[Algebraic]]] = []
    alone: list[Run] = []
    point: Cell[Description] | None = None
    for cell in cells:
        if cell.is_point:
            point = cell
            continue
        assert cell.description is not None
        following = Stretch(cell.low, cell.high, value_of(cell.description))
        if point is None or not found:
            found.append((following, []))
            continue
        assert point.low is not None
        before, holes = found[-1]
        left, right = holds_at(parameter, point, before.value, following.value, value_of, what)
        if before.value == following.value:
            before.high = following.high
            holes += [] if left else [point.low]
        else:
            before.with_high, following.with_low = left, right and not left
            found.append((following, []))
        if not (left or right) and point.description is not None:
            alone.append((Eq(parameter, point.low.expr), value_of(point.description)))
    return [(s.condition(parameter, holes, outer), s.value) for s, holes in found] + alone


def holds_at(
    parameter: Symbol, point: Cell[Description], before: Any, after: Any,
    value_of: Callable[[Description], Any], what: str,
) -> tuple[bool, bool]:
    """Whether the value on the left, and that on the right, also hold at the point between."""
    if point.description is None:
        known = what in point.continuous
        return known, known
    assert point.low is not None
    value, at = value_of(point.description), {parameter: point.low.expr}
    return agrees(before, value, at), agrees(after, value, at)


def agrees(formula: Any, value: Any, at: dict[Symbol, Expr]) -> bool:
    if isinstance(formula, tuple) and isinstance(value, tuple):
        return len(formula) == len(value) and all(agrees(f, v, at) for f, v in zip(formula, value, strict=True))
    if isinstance(formula, Expr) and isinstance(value, Expr):
        there = formula.xreplace(at)
        if not (there.is_algebraic and value.is_algebraic):
            return bool(there == value)
        return abs((there - value).evalf(DIGITS)) < TINY and as_algebraic(there) == as_algebraic(value)
    return bool(formula == value)
