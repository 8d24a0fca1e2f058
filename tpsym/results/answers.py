"""What a question or a claim comes to: plain values for reports, tests and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sympy import Expr, Symbol

from tpsym.derivation import Step
from tpsym.errors import Span
from tpsym.polyhedra.trees import Condition

VerdictKind = Literal["proved", "checked", "refuted", "undecided"]


@dataclass(frozen=True, slots=True)
class Recursion:
    """One statistic of a loop over layers: ``symbol = step`` for ``index`` in ``low..high``, from ``first = initial``.

    ``symbol`` is the statistic at the layer ``index``, such as ``K[h[l]](x, y)``; ``step`` gives it in terms of
    statistics one layer before (symbols such as ``K[h[l-1]](x, y)``), of parameters and of ``index``. ``first`` is
    the statistic at layer ``low - 1`` and ``initial`` its value. ``solution`` is the value at layer ``index`` in
    closed form, where one was found; ``note`` says what it assumes.
    """

    symbol: Symbol
    step: Expr
    index: Symbol
    low: Expr
    high: Expr
    first: Symbol
    initial: Expr
    solution: Expr | None = None
    note: str = ""


Piece: TypeAlias = str | Expr | Condition
"""Words, a formula, or a condition on exponents."""
Cell: TypeAlias = Piece | tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table under a heading of ``columns``; ``note`` is a sentence below it."""

    title: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Cell = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One equation that answers a ``derive``: ``left = right`` where ``definitions``.

    A question may have several answers (``nngp(f)`` states one entry per pair of inputs).
    ``left`` is what was asked, as mathematics; symbols without a definition are parameters of the
    file. ``definitions`` lists the named values ``right`` mentions, each before its first user.
    ``value`` is the number at the defaults of all parameters (text, with its error) or ``None``.
    ``recursions`` are those of the statistics of layers that ``right`` mentions, each before its first user.
    ``contributions`` splits a tangent kernel by trained array: pairs (name, summand of ``right``).
    ``tables`` come with the equation; where ``left`` and ``right`` are the same they are the whole answer.
    """

    question: str
    left: Expr
    right: Expr
    definitions: tuple[tuple[Symbol, Expr], ...]
    steps: tuple[Step, ...]
    span: Span
    note: str = ""
    value: str | None = None
    recursions: tuple[Recursion, ...] = ()
    contributions: tuple[tuple[str, Expr], ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim with its verdict.

    ``lhs`` and ``rhs`` are the claim as written; ``left`` and ``right`` the two sides as derived
    (``None`` if that failed). A family (``for l in 1..3``) is one result: the worst of its members,
    whose index values stand in ``instance``. ``witness`` gives the parameter values of a refutation
    and ``left_value``, ``right_value`` the two sides there, as decimal text.
    """

    label: str
    line: int
    span: Span
    relation: str
    lhs: str
    rhs: str
    verdict: VerdictKind
    method: str
    detail: str
    left: Expr | None = None
    right: Expr | None = None
    instance: str = ""
    witness: Mapping[Symbol, str] | None = None
    left_value: str | None = None
    right_value: str | None = None


@dataclass(frozen=True, slots=True)
class Notation:
    """How symbols print: LaTeX by symbol (plain text is the symbol's own name)."""

    latex: Mapping[Symbol, str]


def needed(expr: Expr, definitions: Mapping[Symbol, Expr]) -> tuple[tuple[Symbol, Expr], ...]:
    """The definitions an expression rests on, each before its first user."""
    wanted: set[Symbol] = set()
    todo = [s for s in expr.free_symbols if s in definitions]
    while todo:
        symbol = todo.pop()
        if symbol not in wanted:
            wanted.add(symbol)
            todo.extend(s for s in definitions[symbol].free_symbols if s in definitions)
    return tuple((s, e) for s, e in definitions.items() if s in wanted)
