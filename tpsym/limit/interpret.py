"""The Master Theorem on a program: every vector a random variable, every moment a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import Rule, Step
from tpsym.errors import Span
from tpsym.functions import step
from tpsym.gauss import expect, unevaluated
from tpsym.limit import rules
from tpsym.limit.boundary import on_boundary
from tpsym.limit.growth import same_growth
from tpsym.limit.jumps import is_pure, misses_jumps
from tpsym.limit.linearity import blocks, product, summands
from tpsym.limit.named import name_covariance
from tpsym.limit.nondegenerate import variances_at_jumps
from tpsym.limit.parity import Known
from tpsym.limit.series import Series, SizeUnknown, exact, expand_in, make, maximum
from tpsym.limit.signs import split_signs
from tpsym.limit.states import Statistic, check_law, raw_covariance, z_state
from tpsym.limit.variables import Variables, label_latex
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    arguments,
)
from tpsym.program.labels import node_label
from tpsym.program.values import dot_symbol, hat_symbol, node_symbol

WRITTEN_OUT = 400
"""Operations up to which named values are written out where a hidden zero would matter."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step and the node it is about, so that a derivation can pick what it needs."""

    step: Step
    node: int


@dataclass(slots=True)
class Limit:
    """The limit of a growing program, computed on demand and remembered.

    ``definitions`` gives the named values in the order in which they were found: results are
    expressions in parameters and in these. ``variables.latex`` is how symbols print. With ``independence``
    the check of gradient independence spares correlation parts that vanish; without, they are computed.
    """

    program: Program
    n: Symbol
    independence: bool = True
    variables: Variables = field(init=False)
    definitions: dict[Symbol, Expr] = field(default_factory=dict)
    steps: list[Recorded] = field(default_factory=list)
    families: dict[str, list[int]] = field(default_factory=dict)
    met: set[Expr] = field(default_factory=set)
    node_conditions: dict[int, set[Expr]] = field(default_factory=dict)
    _conditions: dict[Expr, set[Expr]] = field(default_factory=dict)
    _z: dict[int, Series] = field(default_factory=dict)
    _hat: dict[int, Expr] = field(default_factory=dict)
    _dot: dict[int, Expr] = field(default_factory=dict)
    _scalar: dict[int, Series] = field(default_factory=dict)
    _covariance: dict[tuple[Symbol, Symbol], Expr] = field(default_factory=dict)
    _expectation: dict[Expr, tuple[Expr, tuple[str, ...]]] = field(default_factory=dict)
    _named: dict[Expr, Symbol] = field(default_factory=dict)
    _series: dict[Expr, Series] = field(default_factory=dict)
    _slope: dict[tuple[int, Symbol], Expr] = field(default_factory=dict)
    _prepared: set[int] = field(default_factory=set)
    pure: dict[int, bool] = field(default_factory=dict)
    statistics: dict[Symbol, Statistic] = field(default_factory=dict)
    statistic_symbols: dict[Statistic, Symbol] = field(default_factory=dict)
    source_forms: dict[int, Expr] = field(default_factory=dict)
    parities: Known = field(default_factory=Known)

    def __post_init__(self) -> None:
        self.variables = Variables(self.program)

    # --- the interpreter -----------------------------------------------------------------------

    def prepare(self, nodes: list[int]) -> None:
        """Interpret everything these nodes need in program order, so that nothing recurses deeply."""
        needed: set[int] = set()
        todo = [node for node in nodes if node not in self._prepared]
        while todo:
            node = todo.pop()
            if node not in needed:
                needed.add(node)
                todo.extend(a for a in arguments(self.program[node]) if a not in self._prepared)
        for node in sorted(needed):
            outside, self.met = self.met, set()
            self._interpret(node)
            self.node_conditions[node], self.met = self.met, outside
            is_pure(self, node)
            self._prepared.add(node)

    def _interpret(self, node: int) -> None:
        same_growth(self.program[node], self.n)
        match self.program[node]:
            case Vector():
                self._z[node] = rules.z_init(self, node)
            case State():
                self._z[node] = z_state(self, node)
            case MatMul():
                self._z[node] = rules.z_matmul(self, node)
            case Nonlin():
                self._z[node] = rules.z_nonlin(self, node)
            case OuterNonlin():
                self._z[node] = rules.z_outer(self, node)
            case Moment():
                self._scalar[node] = rules.z_moment(self, node)
            case Matrix() | RandomScalar():
                pass

    def z(self, node: int) -> Series:
        """Z of a vector, with its power of n."""
        self.prepare([node])
        return self._z[node]

    def scalar(self, node: int) -> Series:
        """The limit of a scalar, with its power of n."""
        self.prepare([node])
        instruction = self.program[node]
        if isinstance(instruction, RandomScalar) and instruction.variance == 0:
            return exact(instruction.mean)
        if isinstance(instruction, RandomScalar):
            raise SizeUnknown(f"{self.label(node)} stays random in the limit")
        return self._scalar[node]

    def hat(self, node: int) -> Expr:
        """Ẑ of a vector: its Gaussian part."""
        return self._hat[node]

    def correlated(self, nodes: list[int]) -> bool:
        """Whether a product among the nodes has a correlation part."""
        self.prepare(nodes)
        return any(self._dot.get(k, S.Zero) != 0 for k in nodes)

    def label(self, node: int) -> str:
        return node_label(self.program, node)

    def z_symbol(self, node: int) -> Symbol:
        """A symbol for Z of the node, for display."""
        label = self.label(node)
        symbol = Symbol(f"Z({label})", real=True)
        self.variables.latex.setdefault(symbol, f"Z^{{{label_latex(label)}}}")
        return symbol

    # --- expectations ------------------------------------------------------------------------------

    def series(self, expr: Expr) -> Series:
        """An expression over node symbols (and hats, dots) as a series of random variables."""
        known = self._series.get(expr)
        if known is None:
            known = self._series[expr] = self._as_series(expr)
        return known

    def _as_series(self, expr: Expr) -> Series:
        nodes = {s: int(s.name.lstrip("$hatdo")) for s in expr.free_symbols if s.name.startswith("$")}
        self.prepare(list(nodes.values()))
        values: dict[Symbol, Series] = {}
        for s, node in nodes.items():
            if s == node_symbol(node):
                instruction = self.program[node]
                values[s] = self.scalar(node) if isinstance(instruction, Moment | RandomScalar) else self.z(node)
            elif s == hat_symbol(node):
                values[s] = self._part(node, self._hat.get(node, None))
            elif s == dot_symbol(node):
                values[s] = self._part(node, self._dot.get(node, S.Zero))
        return self.expand_in(expr, values, continuous=misses_jumps(self, expr))

    def expand_in(self, expr: Expr, values: Mapping[Symbol, Series], *, continuous: bool) -> Series:
        """An expression over symbols that stand for series; see :class:`~tpsym.limit.series.Expansion`."""
        found = expand_in(expr, self.n, values, is_random=self.is_random, continuous=continuous)
        return Series({e: split_signs(c) for e, c in found.terms.items()}, found.error)

    def is_random(self, expr: Expr) -> bool:
        """Whether a coefficient depends on a Gaussian."""
        return not expr.free_symbols.isdisjoint(self.variables.forms)

    def written_out(self, expr: Expr) -> Expr:
        """The expression without named values, as far as it stays short."""
        while not expr.free_symbols.isdisjoint(self.definitions) and sp.count_ops(expr) < WRITTEN_OUT:
            expr = expr.xreplace(self.definitions)
        return expr

    def _part(self, node: int, part: Expr | None) -> Series:
        series = self.z(node)
        if part is None:
            return series
        exponent = series.top or S.Zero
        return exact(part, exponent)

    def expectation(self, expr: Expr) -> Expr:
        """E of a random variable given in Gaussian symbols; may be an unevaluated expectation."""
        return self.expectation_with_rules(expr)[0]

    def expectation_with_rules(self, expr: Expr) -> tuple[Expr, tuple[str, ...]]:
        known = self._expectation.get(expr)
        if known is None:
            gaussians = sorted(
                (s for s in expr.free_symbols if s in self.variables.forms),
                key=lambda s: (self.variables.owner[s], s.name),
            )
            outside, self.met = self.met, set()
            check_law(self, expr)
            known = (expr, ()) if not gaussians else self._taken_apart(expr, gaussians)
            self._expectation[expr] = known
            self._conditions[expr], self.met = self.met, outside
        self.met |= self._conditions[expr]
        return known

    def _taken_apart(self, expr: Expr, gaussians: list[Symbol]) -> tuple[Expr, tuple[str, ...]]:
        """E by linearity and independence, what is left by Gaussian calculus."""
        terms = summands(expr, gaussians)
        if len(terms) > 1:
            found = [self.expectation_with_rules(term) for term in terms]
            return sp.Add(*(v for v, _ in found)), tuple(dict.fromkeys(r for _, used in found for r in used))
        parts = blocks(terms[0], gaussians, self.variables.independent)
        if len(parts) > 1:
            found = [self.expectation_with_rules(part) for part, _ in parts]
            return product([v for v, _ in found]), tuple(dict.fromkeys(r for _, used in found for r in used))
        covariance = [[self.covariance(a, b) for b in gaussians] for a in gaussians]
        self.met |= set(variances_at_jumps(self, terms[0]))
        reduction = expect(terms[0], gaussians, covariance)
        if on_boundary(reduction.value, self.definitions):
            return unevaluated(terms[0], gaussians, covariance), ()
        return reduction.value, reduction.rules

    def mean(self, series: Series) -> Series:
        """E termwise; an average of n coordinates is known up to its fluctuation, hence o(leading)."""
        terms = {e: self.expectation(c) for e, c in series.terms.items()}
        top = series.top
        errors = [x for x in (series.error, top) if x is not None]
        random = any(self.is_random(c) for c in series.terms.values())
        return make(terms, maximum(errors) if random else series.error)

    def covariance(self, a: Symbol, b: Symbol) -> Expr:
        """Covariance of two Gaussian symbols, named if it is more than a monomial."""
        top = self._pair(a, b)
        todo = [top]
        while todo:
            pair = todo[-1]
            parts = self._parts_of(*pair)
            missing = [q for q, _ in parts if q not in self._covariance and q != pair]
            if missing:
                todo.extend(missing)
                continue
            todo.pop()
            if pair not in self._covariance:
                raw = [self.variables.is_raw(g) for g in pair]
                if all(raw):
                    value = self._raw_covariance(*pair)
                else:
                    value = sp.Add(*(c * self._covariance[q] for q, c in parts))
                # a hat that only enters a sum needs no name of its own
                self._covariance[pair] = value if any(raw) else name_covariance(self, value, pair)
        if not all(isinstance(self.program[self.variables.owner[g]], State) for g in top):
            self._covariance[top] = name_covariance(self, self._covariance[top], top)
        return self._covariance[top]

    def hat_covariance(self, a: Symbol, b: Symbol) -> Expr:
        """Covariance of two raw Gaussians, without a name."""
        pair = self._pair(a, b)
        if pair not in self._covariance:
            self._covariance[pair] = self._raw_covariance(*pair)
        return self._covariance[pair]

    def _pair(self, a: Symbol, b: Symbol) -> tuple[Symbol, Symbol]:
        owner = self.variables.owner
        return (a, b) if (owner[a], a.name) <= (owner[b], b.name) else (b, a)

    def _parts_of(self, a: Symbol, b: Symbol) -> list[tuple[tuple[Symbol, Symbol], Expr]]:
        """A covariance in terms of earlier ones: the younger Gaussian written out."""
        variables = self.variables
        if variables.independent(a, b):
            return []
        young, old = (b, a) if not variables.is_raw(b) else (a, b)
        if variables.is_raw(young):
            return [((a, b), S.One)]
        return [
            (self._pair(g, old), c) for g, c in variables.forms[young].items() if not variables.independent(g, old)
        ]

    def _raw_covariance(self, a: Symbol, b: Symbol) -> Expr:
        owners = self.variables.owner
        first, second = sorted((owners[a], owners[b]))
        if self.variables.independent(a, b):
            return S.Zero
        return raw_covariance(self, first, second)

    # --- derivatives ---------------------------------------------------------------------------------

    def slope(self, node: int, raw: Symbol) -> Expr:
        r"""∂Z^x/∂Ẑ at leading order, by the chain rule on the graph."""
        key = (node, raw)
        known = self._slope.get(key)
        if known is None:
            _, value = self.z(node).leading()
            parts = [
                sp.diff(value, s).replace(sp.Heaviside, lambda z, *_: step(z)) * self.variables.coefficient(s, raw)
                for s in value.free_symbols
                if s in self.variables.forms and not self.variables.independent(s, raw)
            ]
            known = self._slope[key] = sp.Add(*parts)
        return known

    # --- the record ------------------------------------------------------------------------------------

    def record(self, rule: Rule, node: int, before: Expr, after: Expr, *, note: str = "") -> None:
        self.steps.append(Recorded(Step(rule, before, after, self.span(node), note), node))

    def span(self, node: int) -> Span | None:
        return self.program.spans.get(node)

    def steps_for(self, nodes: list[int]) -> tuple[Step, ...]:
        """The steps about these nodes and what they need, in the order in which they were taken."""
        needed = set(self.program.ancestors(nodes))
        return tuple(r.step for r in self.steps if r.node in needed)
