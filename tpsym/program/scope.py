"""Names and what they stand for; the state one elaboration carries along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension, is_scalar
from tpsym.program.messages import not_available, unknown_name, written
from tpsym.program.values import Finite, Nonlinearity, Operator, Scalar, Value, VectorValue, describe, node_symbol
from tpsym.syntax import tree

MAX_RANGE = 10_000
"""Indices a range may run over, and combinations several ranges may have."""

MAX_CALLS = 60
"""Functions that may be inlined inside one another."""


Key = int | Expr
"""An index: a whole number, or a layer such as ``l - 1``."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A name bound at ``line``, seen in the lines ``first`` to ``last`` only; ``fix`` says how to get at it."""

    line: int
    first: int
    last: int
    fix: str

    def hint(self, name: str, span: Span) -> str:
        """What to do about the name being unknown at a place."""
        if self.first <= span.line <= self.last:
            return f"{name} is defined later, in line {self.line}: move that up"
        return self.fix


@dataclass(slots=True)
class Scope:
    """Names of one block, then those around it; the outermost also knows what is bound ``elsewhere``."""

    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """The value of a name, from the inside out."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def known(self) -> Iterator[str]:
        """Every name that can be seen from here."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent

    def hint(self, name: str, span: Span) -> str | None:
        """Where a name that cannot be seen from a place is bound instead."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        found = scope.elsewhere.get(name)
        return None if found is None else found.hint(name, span)

    def child(self, **names: Value) -> Scope:
        """A scope inside this one."""
        return Scope(self, dict(names))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained array: ``multiplier`` times what the program knows as a matrix, a vector or a scalar (``node``), or
    as an input layer (``node`` is ``None``); ``variance`` is that of its declared entries."""

    name: str
    node: int | None
    multiplier: Expr
    variance: Expr


class LimitSide(Protocol):
    """What the evaluator asks of the limit when it meets ``E[…]`` or a limit-side function."""

    def expectation(self, value: Value, span: Span) -> Value: ...

    def call(self, name: str) -> Callable[[Context, tree.Call, Scope], Value] | None: ...


@dataclass(slots=True)
class Context:
    """One elaboration: the growing program, and the declarations that are not instructions.

    ``declared`` gives the line of each declaration, ``lengths`` the first data point given as numbers
    for each symbolic size and their count; ``ranges`` what symbolic indices run over, ``indices`` those there
    are; ``rounds`` counts the rounds of loops over layers that are being elaborated; ``input_layers`` gives family
    and index of an input layer of a symbolic layer; ``layer_symbols`` brings a parameter of a layer from an index
    to another layer; ``traces`` are the matrices whose trace a mean along a probe stands for; ``source`` is the text.
    """

    builder: Builder = field(default_factory=Builder)
    scope: Scope = field(default_factory=Scope)
    base: Dimension | None = None
    parameters: dict[Symbol, Expr | None] = field(default_factory=dict)
    data: dict[str, tuple[Expr, ...] | None] = field(default_factory=dict)
    grams: dict[tuple[str, str], Symbol] = field(default_factory=dict)
    inputs: dict[tuple[str, str], int] = field(default_factory=dict)
    input_families: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    input_layers: dict[str, tuple[str, Expr]] = field(default_factory=dict)
    unknown_functions: dict[str, int] = field(default_factory=dict)
    nodes: dict[Symbol, int] = field(default_factory=dict)
    parametrization: str = "standard"
    limit: LimitSide | None = None
    calls: list[str] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    instances: dict[Any, Any] = field(default_factory=dict)
    overrides: Mapping[str, Expr] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)
    depths: set[str] = field(default_factory=set)
    lengths: dict[str, tuple[str, int]] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)
    ranges: dict[Symbol, tuple[Expr, Expr]] = field(default_factory=dict)
    indices: set[Symbol] = field(default_factory=set)
    rounds: int = 0
    layer_symbols: dict[Symbol, Callable[[Symbol, Expr], Expr]] = field(default_factory=dict)
    traces: dict[int, Operator] = field(default_factory=dict)
    source: str = ""
    open_depths: bool = False

    @property
    def n(self) -> Symbol:
        """The symbol of the first width."""
        return width_symbol(self.base.name if self.base else "n")

    def in_file(self, error: TpError) -> TpError:
        """An error about a line of the file, whatever text is being evaluated."""
        return error.located(source=self.source, filename=None) if self.source else error

    def symbol(self, node: int) -> Symbol:
        """The symbol of a node, remembered so that expressions can be turned back into instructions."""
        symbol = node_symbol(node)
        self.nodes[symbol] = node
        return symbol

    def vector(self, node: int, dimension: Dimension) -> VectorValue:
        """A node as a value."""
        return VectorValue(self.symbol(node), dimension)

    def size(self, dimension: Dimension) -> Expr:
        """A width in terms of the first one."""
        return dimension.ratio * self.n

    def vector_symbols(self, expr: Expr) -> list[Symbol]:
        """The symbols of an expression that stand for vectors (limit-side parts included)."""
        return [
            s
            for s in expr.free_symbols
            if s.name.startswith(("$hat", "$dot")) or (s in self.nodes and not is_scalar(self.builder[self.nodes[s]]))
        ]

    def materialize(self, value: VectorValue, *, span: Span | None = None, label: str | None = None) -> int:
        """The node of a vector: the one its expression names, or a new coordinatewise instruction."""
        node = self.nodes.get(value.expr)
        if node is None:
            node = self.builder.nonlin(value.expr, self.nodes, value.dimension, span=span)
            self.symbol(node)
        if label is not None:
            self.builder.add(self.builder[node], span=span, label=label)
        return node

    def average(self, expr: Expr, dimension: Dimension, *, span: Span | None = None) -> Expr:
        """``(1/n) Σ_α expr`` as an expression over nodes, constant factors in front."""
        vectors = self.vector_symbols(expr)
        if not vectors:
            return expr
        constant, rest = expr.as_independent(*vectors, as_Add=False)
        node = self.builder.moment(rest, self.nodes, dimension, span=span)
        return constant * self.symbol(node)

    def gram(self, a: str, b: str) -> Expr:
        """``dot(a, b)`` of two data points: a number if both are given, otherwise a symbol."""
        first, second = self.data.get(a), self.data.get(b)
        if first is not None and second is not None:
            return sp.Add(*(p * q for p, q in zip(first, second, strict=True)))
        key = (min(a, b), max(a, b))
        if key not in self.grams:
            sign: dict[str, bool] = {"nonnegative": True} if a == b else {"real": True}
            self.grams[key] = Symbol(f"dot({key[0]}, {key[1]})", **sign)
        return self.grams[key]


def width_symbol(name: str) -> Symbol:
    """The symbol of a width in payloads."""
    return Symbol(name, positive=True)


def lookup(scope: Scope, name: tree.Name) -> Value:
    """The value of a name, or an error with the nearest known one (nonlinearities are called, so not those)."""
    value = scope.find(name.id)
    if value is None:
        known = (k for k in scope.known() if not isinstance(scope.find(k), Nonlinearity))
        raise unknown_name(name.text, name.span, known, hint=scope.hint(name.id, name.span))
    return value


def integer(value: Value, span: Span, *, what: str = "an index") -> int:
    """A value as a whole number."""
    if isinstance(value, Dimension):
        raise fail(
            "width-as-number",
            f"{value.name} is a width, which goes to infinity; {what} has to be a whole number",
            span,
            fix="use a depth or a number",
        )
    expr = value.size if isinstance(value, Finite) else value.expr if isinstance(value, Scalar) else None
    if expr is not None and expr.is_Integer:
        return int(expr)
    symbols = set() if expr is None else expr.free_symbols
    if symbols and not any(s.name.startswith("$") for s in symbols):
        names = ", ".join(sorted(str(s) for s in symbols))
        kind = "dim" if isinstance(value, Finite) else "depth"
        fix = f"give it a value: {kind} {names} = 3 in the file, or --set {names}=3"
        raise not_available(f"{what} that depends on the symbol {names}", span, fix=fix)
    computed = "a number that the program computes" if symbols else written(expr) if expr is not None else None
    given = computed or describe(value)
    raise fail("not-an-integer", f"{what} has to be a whole number, not {given}", span)


def layer_symbol(context: Context, name: str, low: Expr) -> Symbol:
    """The symbol of a layer that runs over a symbolic range."""
    taken = {s.name for s in context.parameters} | context.depths
    sign = {"positive": True} if (low - 1).is_nonnegative else {"nonnegative": True} if low.is_nonnegative else {}
    return Symbol(f"{name}'" if name in taken else name, integer=True, **sign)


def inside(context: Context, layer: Expr, low: Expr, high: Expr) -> bool:
    """Whether a layer lies in a range, for depths that are large enough."""
    ends = [(layer, layer)]
    for symbol, (first, last) in context.ranges.items():
        if layer.has(symbol):
            ends = [(layer.xreplace({symbol: first}), layer.xreplace({symbol: last}))]
    ((least, most),) = ends
    return sp.expand(least - low).is_negative is not True and sp.expand(high - most).is_negative is not True


def power_of(expr: Expr, n: Symbol) -> tuple[Expr, Expr] | None:
    """``(c, e)`` with ``expr = c n^e`` and c, e free of n, or ``None`` if it is no pure power of n."""
    if not expr.has(n):
        return expr, S.Zero
    exponent = sp.cancel(sp.powsimp(sp.expand(n * sp.diff(expr, n))) / expr)
    if exponent.has(n):
        exponent = sp.cancel(sp.expand(sp.powsimp(exponent, force=True)))
    if exponent.has(n):
        return None
    rest = sp.powsimp(sp.expand_power_base(sp.expand_power_exp(expr)) * n ** (-exponent))
    rest = sp.cancel(sp.powsimp(sp.expand(rest))) if rest.has(n) else rest
    return None if rest.has(n) else (rest, sp.expand(exponent))
