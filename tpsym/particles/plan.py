"""A graph made ready for particles: the power of n of every node, and its instruction free of n."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.particles.powers import NOTHING, Lead, Reader, no_limit
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.simulate.payload import Payload, compile_payload
from tpsym.simulate.train_arrays import number

Functions = Mapping[str, Callable[..., Any]]
MAX_POWER = 1000
"""A power of n beyond this one has no bound."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Numbers of the parameters by name, the widths as multiples of n, the unknown functions; what is ``compiled``
    is remembered."""

    parameters: Mapping[str, float]
    widths: Mapping[str, Expr]
    functions: Functions
    compiled: dict[Any, Formula] = field(default_factory=dict, compare=False)

    def number(self, expr: Expr, what: str = "a power of the width", span: Span | None = None) -> float:
        """An expression in parameters as a number.

        Raises:
            TpError: ``no-value`` naming a parameter that has none.
        """
        return number(expr, self.parameters, what, span)

    def reader(self, leaves: Mapping[Symbol, Lead]) -> Reader:
        """A reader of powers of n over these leaves."""
        return Reader(leaves, self.widths, self.number)

    def constant(self, expr: Expr, what: str) -> tuple[float, Fraction | None]:
        """The number and the power of n of an expression in parameters and widths."""
        lead = self.reader({}).read(sp.expand(expr))
        return (0.0, None) if lead.zero else (self.number(lead.coefficient, what), lead.power)


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression of leading coefficients: ``payload`` over ``names``, which must not vanish in ``guards``."""

    payload: Payload
    guards: tuple[Payload, ...]
    lead: Lead

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """The value.

        Raises:
            TpError: ``no-particle-limit`` where a jump falls on what is zero to leading order.
        """
        for guard in self.guards:
            if not_almost_surely(guard(given)):
                raise no_limit("a function jumps where its argument vanishes to leading order")
        return self.payload(given)


def not_almost_surely(values: Any) -> bool:
    """Whether any of the samples is exactly zero."""
    return bool((values == 0).any()) if hasattr(values, "any") else values == 0


def formula(expr: Expr, leaves: Mapping[Symbol, Lead], setting: Setting, span: Span | None = None) -> Formula:
    """An expression to leading order, compiled.

    Raises:
        TpError: ``no-value``, ``not-numeric``, ``no-particle-limit``.
    """
    key = (expr, frozenset(leaves.items()))
    if key not in setting.compiled:
        setting.compiled[key] = _formula(expr, leaves, setting, span)
    return setting.compiled[key]


def _formula(expr: Expr, leaves: Mapping[Symbol, Lead], setting: Setting, span: Span | None) -> Formula:
    reader = setting.reader(leaves)
    lead = reader.read(expr)
    payload = compile_payload(lead.coefficient, functions=setting.functions, span=span)
    names = {s.name for s in leaves}
    missing = sorted(s.name for s in payload.symbols if s.name not in setting.parameters and s.name not in names)
    if missing:
        raise fail(
            "no-value", f"{', '.join(missing)} must have a value", span,
            fix="give the parameter a default or pass its value",
        )
    guards = tuple(compile_payload(g, functions=setting.functions) for g in reader.guards)
    return Formula(payload, guards, lead)


@dataclass(frozen=True, slots=True)
class Graph:
    """A program with the powers of its nodes; ``stages`` are nodes that are computed together, products with one
    matrix in one orientation."""

    program: Program
    setting: Setting
    leads: Mapping[int, Lead]
    formulas: Mapping[int, Formula]
    stages: tuple[tuple[int, ...], ...]

    def power(self, node: int) -> Fraction | None:
        """The power of n of a node, ``None`` for zero."""
        return self.leads[node].power


def graph(program: Program, nodes: Iterable[int], setting: Setting, given: Mapping[int, Lead]) -> Graph:
    """The powers of the nodes and of what they are computed from.

    ``given`` are those of initial arrays that are not of order one; of a matrix, that of the operator.
    """
    order = program.ancestors(nodes)
    leads: dict[int, Lead] = {}
    formulas: dict[int, Formula] = {}
    for node in order:
        instruction = program[node]
        match instruction:
            case Matrix() | Vector() | RandomScalar():
                leads[node] = given.get(node, Lead(sp.S.One, Fraction(0)))
            case MatMul(matrix=matrix, vector=vector):
                w, x = leads[matrix], leads[vector]
                powers = None if w.power is None or x.power is None else w.power + x.power
                leads[node] = NOTHING if powers is None else Lead(sp.S.One, powers, w.exact and x.exact)
            case Nonlin() | Moment() | OuterNonlin():
                made = formula(instruction.payload, slots(instruction, leads), setting, program.spans.get(node))
                formulas[node] = made
                mean = isinstance(instruction, Moment) and bool(instruction.vectors)
                leads[node] = Lead(made.lead.coefficient, made.lead.power, made.lead.exact and not mean)
            case State():
                raise fail(
                    "symbolic-depth", "a network of symbolic depth has no particles", program.spans.get(node),
                    fix="give the depth a value with --set",
                )
        power = leads[node].power
        if power is not None and abs(power) > MAX_POWER:
            raise no_limit("training is not stable: powers of the width grow from step to step")
    return Graph(program, setting, leads, formulas, stages(program, order))


def slots(instruction: Nonlin | Moment | OuterNonlin, leads: Mapping[int, Lead]) -> dict[Symbol, Lead]:
    """The leading orders of the placeholders of a payload."""
    found = {vector_slot(i): at(vector_slot(i), leads[k]) for i, k in enumerate(instruction.vectors)}
    found |= {scalar_slot(i): at(scalar_slot(i), leads[k]) for i, k in enumerate(instruction.scalars)}
    if isinstance(instruction, OuterNonlin):
        for copy in range(instruction.order):
            for i, k in enumerate(instruction.vectors):
                found[column_slot(copy, i)] = at(column_slot(copy, i), leads[k])
    return found


def at(symbol: Symbol, lead: Lead) -> Lead:
    """The leading order of a node, as a leaf."""
    return NOTHING if lead.zero else Lead(symbol, lead.power, lead.exact)


def stages(program: Program, order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The nodes by depth, with products that can be computed at once together."""
    depth: dict[int, int] = {}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for node in order:
        depth[node] = 1 + max((depth[k] for k in program.graph.predecessors(node)), default=0)
        match program[node]:
            case MatMul(matrix=matrix, transposed=transposed):
                key: tuple[Any, ...] = (depth[node], 0, matrix, transposed)
            case _:
                key = (depth[node], 1, node, False)
        groups.setdefault(key, []).append(node)
    return tuple(tuple(groups[key]) for key in sorted(groups))


def widths(program: Program) -> dict[str, Expr]:
    """The sizes that grow, as multiples of n."""
    found: dict[str, Expr] = {}
    for node in program.graph:
        match program[node]:
            case Matrix(rows=rows, columns=columns):
                found |= {d.name: d.ratio for d in (rows, columns)}
            case Vector(dimension=dimension) | Nonlin(dimension=dimension) | OuterNonlin(dimension=dimension):
                found[dimension.name] = dimension.ratio
            case _:
                pass
    return found


def ratio(dimension: Dimension, setting: Setting) -> float:
    """The size of a dimension as a multiple of n."""
    found = setting.number(dimension.ratio, f"the size {dimension.name}")
    if not 0 < found < float("inf"):
        raise fail("bad-size", f"the size {dimension.name} would be {found:g} times the width")
    return found
