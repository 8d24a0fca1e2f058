"""Recursions over layers: each statistic of a layer in terms of those one layer before, and its first value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Symbol

from tpsym.limit.interpret import Limit
from tpsym.limit.states import Kind, Statistic, Unclosed, Vector2, statistic, z_state
from tpsym.program.graph import Loop
from tpsym.program.scope import Context
from tpsym.results.answers import Recursion
from tpsym.results.recurrence import Equation, Solution, solve_all

if TYPE_CHECKING:
    from collections.abc import Callable

    TangentStep = Callable[[Statistic], Expr]


@dataclass(frozen=True, slots=True)
class Found:
    """A value with the variances it needs to be positive and the nodes it rests on."""

    value: Expr
    conditions: frozenset[Expr]
    nodes: frozenset[int]


@dataclass(slots=True)
class Recursions:
    """The recursions of a file, found when they are asked for.

    ``tangent_step`` and ``tangent_first`` compute those of tangent kernels, which need gradients.
    """

    context: Context
    limit: Limit
    tangent_step: TangentStep
    tangent_first: TangentStep
    steps: dict[Statistic, Found] = field(default_factory=dict)
    firsts: dict[Statistic, Found] = field(default_factory=dict)
    solved: dict[tuple[Statistic, bool], Solution | None] = field(default_factory=dict)
    shifted: dict[tuple[Symbol, Symbol, Expr], Expr] = field(default_factory=dict)

    def loop(self, key: Statistic) -> Loop:
        """The loop of a statistic, whose range both of its vectors share."""
        first, second = (self.limit.program.loops[k] for k, _ in (key.first, key.second))
        if (first.index, first.low, first.high) != (second.index, second.low, second.high):
            raise Unclosed("two loops over layers with different ranges")
        return first

    def step(self, key: Statistic) -> Expr:
        """The statistic at the layer ``index`` of its loop in terms of statistics one layer before.

        Raises:
            Unclosed: more than those is needed.
        """
        loop = self.loop(key)
        generic = Statistic(key.kind, key.first, key.second, loop.index)
        if generic not in self.steps:
            self._reserve(generic)
            nodes = [self.limit.program.loops[k].exit[c] for k, c in (key.first, key.second)]
            if key.kind == "Theta":
                self.steps[generic] = self._noted(lambda: self.tangent_step(generic), set(nodes))
            else:
                self.steps[generic] = self._moment(key, nodes)
            self.limit.record(z_state.rule, max(nodes), self._symbol(key, loop.index), self.steps[generic].value)
        return self._told(self.steps[generic])

    def first(self, key: Statistic) -> Expr:
        """The statistic before the first round."""
        loop = self.loop(key)
        start = Statistic(key.kind, key.first, key.second, sp.expand(loop.low - 1))
        if start not in self.firsts:
            nodes = [self.limit.program.loops[k].initial[c] for k, c in (key.first, key.second)]
            if key.kind == "Theta":
                self.firsts[start] = self._noted(lambda: self.tangent_first(start), set(nodes))
            else:
                self.firsts[start] = self._moment(key, nodes)
        return self._told(self.firsts[start])

    def nodes(self, key: Statistic) -> set[int]:
        """The nodes that the recursion of a generic statistic was read off."""
        before = Statistic(key.kind, key.first, key.second, sp.expand(self.loop(key).low - 1))
        self.step(key)
        self.first(key)
        return set(self.steps[key].nodes | self.firsts[before].nodes)

    def _reserve(self, generic: Statistic) -> None:
        """Give the statistics of a layer their names before anything inside the round takes them."""
        own = {generic.first, generic.second}
        for a in own:
            for b in own:
                statistic(self.limit, generic.kind, a, b, generic.layer)
                statistic(self.limit, "K", a, b, generic.layer)

    def _moment(self, key: Statistic, nodes: list[int]) -> Found:
        symbols = [self.context.symbol(k) for k in nodes]
        product = symbols[0] if key.kind == "m" else symbols[0] * symbols[1]
        return self._noted(lambda: self.limit.mean(self.limit.series(product)).limit(), set(nodes))

    def _noted(self, compute: Callable[[], Expr], nodes: set[int]) -> Found:
        limit = self.limit
        outside, limit.met = limit.met, set()
        value = compute()
        value = limit.definitions.get(value, value) if isinstance(value, Symbol) else value
        needed = limit.program.ancestors(nodes)
        met = limit.met.union(*(limit.node_conditions.get(k, set()) for k in needed))
        limit.met = outside
        return Found(value, frozenset(met), frozenset(nodes))

    def _told(self, found: Found) -> Expr:
        self.limit.met |= found.conditions
        return found.value

    # --- other layers ------------------------------------------------------------------------------

    def at(self, symbol: Symbol) -> Expr:
        """A statistic in terms of those one layer before; before the first round, its first value."""
        key = self.limit.statistics[symbol]
        loop = self.loop(key)
        if sp.expand(key.layer - (loop.low - 1)) == 0:
            return self.first(key)
        return self.shift(self.step(key), loop.index, key.layer)

    def shift(self, expr: Expr, index: Symbol, layer: Expr) -> Expr:
        """An expression at the layer ``index`` brought to another layer."""
        if layer == index:
            return expr
        return expr.xreplace({s: self._shifted(s, index, layer) for s in expr.free_symbols})

    def _shifted(self, symbol: Symbol, index: Symbol, layer: Expr) -> Expr:
        if symbol == index:
            return layer
        known = self.shifted.get((symbol, index, layer))
        if known is not None:
            return known
        found: Expr = symbol
        limit = self.limit
        if symbol in limit.statistics:
            key = limit.statistics[symbol]
            at = sp.expand(key.layer.xreplace({index: layer}))
            found = self.value_at(Statistic(key.kind, key.first, key.second, at))
        elif symbol in self.context.layer_symbols:
            found = self.context.layer_symbols[symbol](index, layer)
        elif symbol in limit.definitions:
            moved = self.shift(limit.definitions[symbol], index, layer)
            if moved != limit.definitions[symbol]:
                text = limit.variables.latex.get(symbol, symbol.name)
                found = limit.variables.name(f"{symbol.name}@{layer}", text, **_assumptions(symbol))
                limit.definitions[found] = moved
        self.shifted[symbol, index, layer] = found
        return found

    def value_at(self, key: Statistic) -> Expr:
        """The symbol of a statistic; before the first round, its value."""
        loop = self.loop(key)
        if sp.expand(key.layer - (loop.low - 1)) == 0:
            return self.first(key)
        return statistic(self.limit, key.kind, key.first, key.second, key.layer)

    # --- what an expression rests on ---------------------------------------------------------------

    def statistics_in(self, exprs: Iterable[Expr]) -> set[Symbol]:
        """The statistics that expressions mention, through named values too."""
        found: set[Symbol] = set()
        seen: set[Symbol] = set()
        todo = {s for e in exprs for s in e.free_symbols}
        while todo:
            symbol = todo.pop()
            if symbol not in seen:
                seen.add(symbol)
                if symbol in self.limit.statistics:
                    found.add(symbol)
                elif symbol in self.limit.definitions:
                    todo |= self.limit.definitions[symbol].free_symbols
        return found

    def closure(self, exprs: Iterable[Expr]) -> list[Statistic]:
        """The generic statistics whose recursions determine expressions, each before those that use it."""
        order: list[Statistic] = []
        state: dict[Statistic, bool] = {}
        todo = [(self.generic(s), False) for s in sorted(self.statistics_in(exprs), key=str, reverse=True)]
        while todo:
            key, done = todo.pop()
            if done:
                order.append(key)
            elif key not in state:
                state[key] = True
                todo.append((key, True))
                used = self.statistics_in([self.step(key), self.first(key)])
                todo += [(self.generic(s), False) for s in sorted(used, key=str, reverse=True)]
        return order

    def generic(self, symbol: Symbol) -> Statistic:
        """The statistic of a symbol at the layer ``index`` of its loop."""
        key = self.limit.statistics[symbol]
        return Statistic(key.kind, key.first, key.second, self.loop(key).index)

    def value_symbol(self, kind: Kind, first: Vector2, second: Vector2, layer: Expr) -> Symbol:
        """The symbol of a statistic."""
        return statistic(self.limit, kind, first, second, layer)

    def recursion(self, key: Statistic) -> Recursion:
        """A statistic with its step and its first value, as an answer states it, solved where it can be."""
        loop = self.loop(key)
        symbol, first = (self._symbol(key, layer) for layer in (loop.index, sp.expand(loop.low - 1)))
        initial = self.limit.written_out(self.first(key))
        found = self.solution(key)
        solution, note = (found.expr, found.note) if found is not None else (None, "")
        later = self.solution(key, after_first=True) if found is None else None
        if later is not None:
            solution, note = later.expr, " and ".join(n for n in (f"for {loop.index} >= {loop.low}", later.note) if n)
        step = self.limit.written_out(self.step(key))
        return Recursion(symbol, step, loop.index, loop.low, loop.high, first, initial, solution, note)

    def _symbol(self, key: Statistic, layer: Expr) -> Symbol:
        return statistic(self.limit, key.kind, key.first, key.second, layer)

    # --- closed forms ------------------------------------------------------------------------------

    def solution(self, key: Statistic, *, after_first: bool = False) -> Solution | None:
        """A generic statistic at the layer ``index`` in closed form, ``None`` where there is none.

        With ``after_first`` the formula need not hold before the first round.
        """
        if (key, after_first) not in self.solved:
            loop = self.loop(key)
            statement = loop.statement
            wanted = [k for k in self.closure([self._symbol(key, loop.index)]) if self.loop(k).statement == statement]
            equations = {self._symbol(k, loop.index): self._equation(k, loop, after_first) for k in wanted}
            found = solve_all(equations, index=loop.index, low=loop.low + int(after_first))
            self.solved |= {(k, after_first): found.get(self._symbol(k, loop.index)) for k in wanted}
        return self.solved[key, after_first]

    def _equation(self, key: Statistic, loop: Loop, after_first: bool) -> Equation:
        step = self.step(key)
        initial = self.shift(step, loop.index, loop.low) if after_first else self.first(key)
        return Equation(self._symbol(key, sp.expand(loop.index - 1)), *map(self.limit.written_out, (step, initial)))


def _assumptions(symbol: Symbol) -> dict[str, bool]:
    return {"nonnegative": True} if symbol.is_nonnegative else {"real": True}


