"""An answer with its repeated parts named, and the where-clause that says what the names are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sympy import Add, Expr, Symbol, expand

from tpsym.report.layer_names import Layers, layer_names
from tpsym.report.rows import Row, ordered, recursion_rows
from tpsym.report.subexpressions import final_names, find_parts
from tpsym.results.answers import Answer, Recursion

LARGEST = 1000
"""Operations beyond which a step is not compared with the others."""


@dataclass(frozen=True, slots=True)
class Named:
    """The parts of an answer in terms of names.

    ``definitions`` are the given ones and those of names that belong to no layer; ``layered`` define the
    names of values of one layer.
    """

    right: Expr
    definitions: tuple[Row, ...]
    layered: tuple[Row, ...]
    recursions: tuple[Recursion, ...]
    contributions: tuple[tuple[str, Expr], ...]


def named_parts(answer: Answer) -> Named:
    """Name what repeats in the answer, its definitions and its recursions, together."""
    answer = replace(answer, recursions=told_once(answer.recursions))
    values, numbers = _values(answer)
    stacks = _by_index(answer.recursions)
    indices = frozenset(stack[0].index.name for stack in stacks)
    expressions, found = find_parts(values, groups=numbers, indices=indices)
    symbols = set[Symbol]().union(*(e.free_symbols for e in [answer.left, *values]))
    symbols |= {s for r in answer.recursions for s in (r.symbol, r.first)} | {s for s, _ in answer.definitions}
    taken = {s.name.partition("[")[0] for s in symbols}
    layered: list[Row] = []
    for stack in stacks:
        names = layer_names(found, Layers.of(stack, symbols), taken)
        expressions, found = [e.xreplace(names.names) for e in expressions], list(names.others)
        layered += names.rows
        taken |= {row.left.name.partition("[")[0] for row in names.rows}
    expressions, layered, named = _last_names(expressions, layered, found, taken)
    return _assembled(answer, iter(expressions), named, tuple(layered))


def told_once(recursions: Sequence[Recursion]) -> tuple[Recursion, ...]:
    """The recursions, each in terms of those before it at the same layer: Θ_l = K_l + … rather than K_l's step."""
    out: list[Recursion] = []
    for k, r in enumerate(recursions):
        step, initial = r.step, r.initial
        for other in recursions[:k]:
            if (other.index, other.low, other.high) == (r.index, r.low, r.high):
                step = _in_terms_of(step, other.step, other.symbol)
                initial = _in_terms_of(initial, other.initial, other.first)
        solved = None if r.solution is None else _in_terms_of(r.solution, r.initial, r.first)
        out.append(replace(r, step=step, initial=initial, solution=solved))
    return tuple(out)


def _in_terms_of(expr: Expr, value: Expr, name: Symbol) -> Expr:
    """The expression with a value of several operations, also as some of the terms of a sum, by its name."""
    if not 3 <= value.count_ops() <= LARGEST or expr.count_ops() > LARGEST:
        return expr
    whole = expand(value)
    inside = {t: expand(t) for t in Add.make_args(expr)}
    part = [t for t, opened in inside.items() if {*Add.make_args(opened)} <= {*Add.make_args(whole)}]
    if Add(*(inside[t] for t in part)) == whole:
        expr = Add(name, *(t for t in inside if t not in part))
    return expr.xreplace({value: name})


def where_rows(named: Named) -> tuple[Row, ...]:
    """The where-clause: what comes before the layers, the layers, what comes after."""
    if not named.recursions:
        return tuple(ordered([*named.definitions, *named.layered]))
    before, after = _around(named)
    rows, left = list(before), list(named.layered)
    for recursion in named.recursions:
        used = recursion.step.free_symbols | recursion.initial.free_symbols
        shared = [row for row in left if _concerns(row, used)]
        shared = [row for row in left if row in shared or any(row.left in s.right.free_symbols for s in shared)]
        left = [row for row in left if row not in shared]
        rows += recursion_rows(recursion, shared)
    return (*rows, *ordered([*left, *after]))


def _values(answer: Answer) -> tuple[list[Expr], list[int]]:
    """All that is written out, in the order of :func:`_assembled`, with the groups for :func:`find_parts`.

    A summand repeats the sum, and a closed form is read by itself: what they share with others is no
    reason for a name.
    """
    pairs = [(answer.right, 0), *((v, 0) for _, v in answer.definitions)]
    for number, r in enumerate(answer.recursions, 2):
        pairs += [(r.step, 0), (r.initial, 0)]
        pairs += [(r.solution, number)] if r.solution is not None else []
    pairs += [(v, 1) for _, v in answer.contributions]
    return [v for v, _ in pairs], [k for _, k in pairs]


def _by_index(recursions: Sequence[Recursion]) -> list[list[Recursion]]:
    groups: dict[Symbol, list[Recursion]] = {}
    for recursion in recursions:
        groups.setdefault(recursion.index, []).append(recursion)
    return list(groups.values())


def _last_names(
    expressions: Sequence[Expr], layered: Sequence[Row], found: Sequence[tuple[Symbol, Expr]], taken: set[str]
) -> tuple[list[Expr], list[Row], list[Row]]:
    """Final names for the dummies that belong to no layer, also in the rows of those that do."""
    everything, named = final_names([*expressions, *(row.right for row in layered)], found, taken)
    now, values = list(everything[: len(expressions)]), everything[len(expressions) :]
    rows = [replace(row, right=value) for row, value in zip(layered, values, strict=True)]
    return now, rows, [Row(s, v) for s, v in named]


def _assembled(answer: Answer, values: Iterator[Expr], named: list[Row], layered: tuple[Row, ...]) -> Named:
    right = next(values)
    given = [Row(s, next(values)) for s, _ in answer.definitions]
    recursions = tuple(
        replace(
            r, step=next(values), initial=next(values), solution=None if r.solution is None else next(values)
        )
        for r in answer.recursions
    )
    contributions = tuple((name, next(values)) for name, _ in answer.contributions)
    return Named(right, tuple(ordered([*given, *named])), layered, recursions, contributions)


def _around(named: Named) -> tuple[list[Row], list[Row]]:
    """The definitions that rest on no layer, and those that do."""
    layers = [Layers.of(group, ()) for group in _by_index(named.recursions)]
    deep: set[Symbol] = {row.left for row in named.layered}
    before: list[Row] = []
    after: list[Row] = []
    for row in named.definitions:
        symbols = row.right.free_symbols
        if symbols & deep or any(group.of_symbol(s) for group in layers for s in symbols):
            deep.add(row.left)
            after.append(row)
        else:
            before.append(row)
    return before, after


def _concerns(row: Row, used: set[Symbol]) -> bool:
    """Whether a row defines one of these symbols, at whatever layer."""
    head = row.left.name.partition("[")[0]
    return any(s.name.partition("[")[0] == head for s in used)
