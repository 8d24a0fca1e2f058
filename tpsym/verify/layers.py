"""Claims about a symbolic layer: proved for every layer from the recursion, refuted at a depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr, Symbol

from tpsym.limit.states import statistic
from tpsym.program.scope import inside
from tpsym.results.meanfield_maps import C, Q
from tpsym.results.questions import LimitQuestions
from tpsym.results.recursion import Recursions
from tpsym.verify.domain import Domain, Gram

Pair = tuple[Expr, Expr]


@dataclass(frozen=True, slots=True)
class Form:
    """Two sides with the definitions under which they are compared; ``note`` says what these assume."""

    definitions: Mapping[Symbol, Expr]
    method: str
    note: str = ""


def is_layered(side: LimitQuestions, pair: Pair) -> bool:
    """Whether a claim rests on statistics of a symbolic layer."""
    return bool(side.recursions.statistics_in(pair))


def forms(side: LimitQuestions, pair: Pair) -> Iterator[Form]:
    """The ways to compare two sides: by the recursion down to the lowest layer they mention, by its solution."""
    recursions = side.recursions
    relative = down_to_lowest(recursions, pair)
    if relative is not None:
        yield Form(ordered({**side.limit.definitions, **relative}, pair), "recursion over layers")
    start = {**side.limit.definitions, **(relative or {})}
    solved: dict[Symbol, Expr] = {}
    notes: dict[str, None] = {}
    while True:
        # a first value may rest on a loop before
        more, said = solutions(recursions, statistics_left(recursions, pair, {**start, **solved}))
        if not more:
            break
        solved, notes = {**solved, **more}, {**notes, **dict.fromkeys(said)}
    if solved:
        yield Form(ordered({**start, **solved}, pair), "solution of the recursion", "; ".join(notes))


def down_to_lowest(recursions: Recursions, pair: Pair) -> dict[Symbol, Expr] | None:
    """The statistics above the lowest layer mentioned, by the recursion; ``None`` if layers cannot be compared."""
    found: dict[Symbol, Expr] = {}
    lowest: dict[int, Expr] = {}
    keys = recursions.limit.statistics
    for s in recursions.statistics_in(pair):
        if keys[s].layer.is_Integer:
            continue
        statement = recursions.loop(keys[s]).statement
        gap = sp.expand(keys[s].layer - lowest.setdefault(statement, keys[s].layer))
        if not gap.is_Integer:
            return None
        if gap < 0:
            lowest[statement] = keys[s].layer
    todo = list(recursions.statistics_in(pair))
    while todo:
        symbol = todo.pop()
        layer = keys[symbol].layer
        # a layer given as a number goes down to the first one
        free = not layer.is_Integer and sp.expand(layer - lowest[recursions.loop(keys[symbol]).statement]) == 0
        if symbol not in found and not free:
            found[symbol] = recursions.at(symbol)
            todo += recursions.statistics_in([found[symbol]])
    return found


def statistics_left(recursions: Recursions, pair: Pair, definitions: Mapping[Symbol, Expr]) -> set[Symbol]:
    """The statistics that no definition gives."""
    reached = {s for e in (*pair, *ordered(definitions, pair).values()) for s in e.free_symbols}
    return {s for s in reached if s in recursions.limit.statistics and s not in definitions}


def solutions(recursions: Recursions, symbols: set[Symbol]) -> tuple[dict[Symbol, Expr], list[str]]:
    """Closed forms of statistics at their layers, with what these assume."""
    found: dict[Symbol, Expr] = {}
    notes: dict[str, None] = {}
    for symbol in sorted(symbols, key=str):
        key = recursions.limit.statistics[symbol]
        solution = recursions.solution(recursions.generic(symbol))
        if solution is None and inside(recursions.context, key.layer, recursions.loop(key).low, key.layer):
            solution = recursions.solution(recursions.generic(symbol), after_first=True)
        if solution is not None:
            found[symbol] = recursions.shift(solution.expr, recursions.loop(key).index, key.layer)
            if solution.note:
                notes[solution.note] = None
    return found, list(notes)


def ordered(definitions: Mapping[Symbol, Expr], roots: Pair) -> dict[Symbol, Expr]:
    """The definitions that expressions rest on, each after those it rests on itself."""
    done: dict[Symbol, Expr] = {}
    seen: set[Symbol] = set()
    todo = [(s, False) for e in roots for s in e.free_symbols]
    while todo:
        symbol, finished = todo.pop()
        if finished:
            done[symbol] = definitions[symbol]
        elif symbol in definitions and symbol not in seen:
            seen.add(symbol)
            todo.append((symbol, True))
            todo += [(s, False) for s in definitions[symbol].free_symbols]
    return done


def layered_domain(side: LimitQuestions, domain: Domain) -> Domain:
    """The domain with second moments of one layer as Gram matrices, and layers within their ranges."""
    context, limit = side.context, side.limit
    free = set(domain.symbols)
    groups: dict[tuple[int, Expr], set[tuple[int, int]]] = {}
    for s in free:
        key = limit.statistics.get(s)
        if key is not None and key.kind == "K":
            statement = side.recursions.loop(key).statement
            groups.setdefault((statement, key.layer), set()).update((key.first, key.second))
    grams = list(domain.grams)
    for (_, layer), vectors in groups.items():
        names = sorted(vectors)
        entries = {(i, j): statistic(limit, "K", a, b, layer)
                   for i, a in enumerate(names) for j, b in enumerate(names) if i <= j}
        free -= set(entries.values())
        grams.append(Gram(entries))
    ranges = []
    for s in sorted(free | _inside(domain), key=str):
        low, high = context.ranges.get(s, (None, None))
        if low is not None and high is not None:
            ranges += [sp.Ge(s, low), sp.Le(s, high)]
            free |= high.free_symbols
    for found in side.theories.values():
        ranges += [sp.Eq(equation.lhs, equation.rhs, evaluate=False)
                   for symbol, equation in ((Q, found.fixed_point.equation), (C, found.correlation_equation))
                   if symbol in free]
        if free & {Q, C}:
            free |= {*found.maps.free, Q}
    facts = [c for c in ranges if c not in (sp.true, sp.false)]
    return replace(domain, symbols=tuple(sorted(free, key=str)), grams=tuple(grams),
                   conditions=(*domain.conditions, *facts))


def _inside(domain: Domain) -> set[Symbol]:
    return set[Symbol]().union(*(c.free_symbols for c in domain.conditions))
