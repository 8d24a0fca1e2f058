"""Names for what repeats in a formula, and the arc-cosine kernels written as on a blackboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr, Symbol

from tpsym.report.kernels import Angle, angle_form, angle_of, kernel_arguments, occurrences
from tpsym.report.laws import Laws
from tpsym.report.ordering import HALF, is_negative
from tpsym.report.parts import assumptions_of, count_of, is_bound, kind_of, parts_of
from tpsym.report.text import MathText

Definitions = tuple[tuple[Symbol, Expr], ...]

Definitions_ = list[tuple[Symbol, Expr]]

SHORTEST = 9
"""Columns a repeated part must have to deserve a name."""

LENGTHY = 150
"""Operations beyond which what is shorter is told by counting, not by printing."""

LARGEST = 4000
"""Operations beyond which a formula is left alone."""


def name_parts(
    expressions: Expr | Sequence[Expr], *, avoid: Iterable[Symbol] = ()
) -> tuple[tuple[Expr, ...], Definitions]:
    """The expressions with repeated parts named, and the names in order of use.

    Names: ``q`` for sums below a root or in a covariance, ``rho`` and ``theta`` for the correlation and
    the angle of an arc-cosine kernel, ``m`` for expectations, ``r`` for roots, ``k`` for the rest;
    numbered when there are several. Every step is exact where all the roots are real, and is kept only
    if it makes the whole shorter (an angle: if it gives the arc-cosine form). A definition may use
    definitions before it. Free symbols in ``avoid`` are not taken as names.
    """
    given = (expressions,) if isinstance(expressions, sp.Basic) else tuple(expressions)
    now, definitions = find_parts(given)
    return final_names(now, definitions, used_names(given) | {s.name for s in avoid})


def find_parts(
    expressions: Sequence[Expr], *, groups: Sequence[int] = (), indices: frozenset[str] = frozenset()
) -> tuple[list[Expr], Definitions_]:
    """The expressions with their repeated parts as dummies named after their kind.

    ``groups`` numbers the expressions (0 if left out); a part is repeated if it is so in one group alone.
    No part takes the index of a sum out of it, except ``indices``.
    """
    now, definitions = list(expressions), list[tuple[Symbol, Expr]]()
    groups = groups or [0] * len(now)
    if sum(e.count_ops() for e in now) > LARGEST:
        return now, definitions
    bound = {s.name for e in now for a in e.atoms(sp.Sum, sp.Product) for s in a.variables} - indices
    for _ in range(8):
        before = (now, definitions)
        now, definitions = _name_repeats(now, definitions, groups, bound, inverse=False)
        now, definitions = _name_angles(now, definitions, bound)
        if (now, definitions) == before:
            break
    now, definitions = _name_repeats(now, definitions, groups, bound, inverse=True)
    now, definitions = _inline_rare(now, definitions, groups)
    return now, _in_order(now, definitions)


def used_names(expressions: Iterable[Expr]) -> set[str]:
    """The names in use, without indices."""
    return {s.name.partition("[")[0] for e in expressions for s in e.free_symbols}


def _name_repeats(
    expressions: list[Expr], definitions: Definitions_, groups: Sequence[int], bound: set[str], *, inverse: bool
) -> tuple[list[Expr], Definitions_]:
    """Name repeated parts greedily, the one that saves most first.

    What an angle may still absorb waits (``inverse``) until the angles have been tried.
    """
    for _ in range(60):
        values = [d for _, d in definitions]
        everything = expressions + values
        found = [
            c
            for c in _candidates(*_grouped(expressions, values, groups))
            if c[0] > 0 and (inverse or not _waits(c[1], everything)) and not (bound and is_bound(c[1], bound))
        ]
        if not found:
            break
        part = min(found, key=lambda c: (-c[0], str(c[1])))[1]
        name = sp.Dummy(kind_of(part, everything), **assumptions_of(part))
        expressions = [_replace(e, part, name) for e in expressions]
        definitions = [*((s, _replace(d, part, name)) for s, d in definitions), (name, part)]
    return expressions, definitions


def _grouped(expressions: Sequence[Expr], values: Sequence[Expr], groups: Sequence[int]) -> list[list[Expr]]:
    """The expressions by group; the definitions are in the first."""
    found: dict[int, list[Expr]] = {0: list(values)}
    for expression, group in zip(expressions, groups, strict=True):
        found.setdefault(group, []).append(expression)
    return list(found.values())


def _waits(part: Expr, expressions: Sequence[Expr]) -> bool:
    """Inverse sines, and differences below a root beside them."""
    if part.has(sp.asin, sp.acos):
        return True
    difference = part.is_Add and any(is_negative(t) for t in part.args)
    return difference and any(e.has(sp.sqrt(part)) and e.has(sp.asin, sp.acos) for e in expressions)


def _candidates(*groups: Sequence[Expr]) -> Iterator[tuple[int, Expr]]:
    """Parts repeated in one of the groups with what a name would save, in columns."""
    counts: Counter[Expr] = Counter()
    for group in groups:
        counts |= Counter(part for expression in group for part in parts_of(expression))
    printer = MathText(Laws.of(*(e for group in groups for e in group)))
    for part, count in counts.items():
        if count > 1:
            size = len(printer.doprint(part))
            if size >= SHORTEST and part.count_ops() > 2:
                yield (count - 1) * size - 3 * count - 6, part


def _replace(expression: Expr, part: Expr, name: Symbol) -> Expr:
    if isinstance(part, sp.Pow):
        inverse = 1 / part
        return expression.xreplace({part: name, inverse: 1 / name})
    return expression.xreplace({part: name})


def _name_angles(
    expressions: list[Expr], definitions: Definitions_, bound: set[str]
) -> tuple[list[Expr], Definitions_]:
    """Write arc-cosine kernels by their angles; a lone ``1/4 + asin`` only where that is shorter."""
    values = [d for _, d in definitions]
    for argument in kernel_arguments(expressions + values):
        if bound and is_bound(argument, bound):
            continue
        theta = sp.Dummy("theta", nonnegative=True)
        angle = angle_of(argument, theta, flat=True, values=dict(definitions))
        old = expressions + values
        if angle and sum(e.count_ops() for e in old) > LENGTHY and _is_lone(angle, old):
            continue
        new = [angle_form(e, angle) for e in old] if angle else old
        changed = [e for e, turned in zip(old, new, strict=True) if e != turned]
        if angle and changed and (_has_kernel(changed, angle) or _is_shorter(new, old, argument)):
            expressions, values = new[: len(expressions)], new[len(expressions) :]
            definitions = [*zip((s for s, _ in definitions), values, strict=True), (theta, sp.acos(argument))]
            values = [d for _, d in definitions]
    return expressions, definitions


def _is_lone(angle: Angle, expressions: Sequence[Expr]) -> bool:
    """Whether an inverse sine is written once, away from any root it could make a kernel with."""
    if occurrences(expressions, angle.argument) > 1:
        return False
    return not any(p.exp == HALF and p.base.is_Add and p.has(angle.c) for e in expressions for p in e.atoms(sp.Pow))


def _has_kernel(expressions: Sequence[Expr], angle: Angle) -> bool:
    strict = replace(angle, flat=False)
    return any(angle_form(e, strict) != e for e in expressions)


def _is_shorter(new: Sequence[Expr], old: Sequence[Expr], argument: Expr) -> bool:
    changed = [(a, b) for a, b in zip(new, old, strict=True) if a != b]
    if sum(b.count_ops() for _, b in changed) > LENGTHY:
        return occurrences([b for _, b in changed], argument) > 1
    return _length([*(a for a, _ in changed), sp.acos(argument)]) + SHORTEST < _length([b for _, b in changed])


def _length(expressions: Sequence[Expr]) -> int:
    printer = MathText(Laws.of(*expressions))
    return sum(len(printer.doprint(e)) for e in expressions)


def _inline_rare(
    expressions: list[Expr], definitions: Definitions_, groups: Sequence[int]
) -> tuple[list[Expr], Definitions_]:
    """Put back what is used once only, unless it is an angle."""
    for name, value in list(definitions):
        users = _grouped(expressions, [v for _, v in definitions], groups)
        count = max(sum(count_of(user, name) for user in group) for group in users)
        if name.name != "theta" and count <= 1:
            value = dict(definitions)[name]
            definitions = [(s, v.xreplace({name: value})) for s, v in definitions if s != name]
            expressions = [e.xreplace({name: value}) for e in expressions]
    return expressions, definitions


def _in_order(expressions: Sequence[Expr], definitions: Definitions_) -> Definitions_:
    """Each definition after those it uses, in the order in which a reader meets them otherwise."""
    values = dict(definitions)
    marks = {s: Symbol(f"mark{k}mark", real=True) for k, (s, _) in enumerate(definitions)}
    done: dict[Symbol, None] = {}

    def visit(expression: Expr) -> None:
        marked = expression.xreplace(marks)
        line = MathText(Laws.of(marked)).doprint(marked)
        for symbol in sorted(
            (s for s in marks if s in expression.free_symbols), key=lambda s: line.find(str(marks[s]))
        ):
            if symbol not in done:
                visit(values[symbol])
                done.setdefault(symbol)

    for expression in expressions:
        visit(expression)
    return [(s, values[s]) for s in done]


def final_names(
    expressions: Sequence[Expr], definitions: Sequence[tuple[Symbol, Expr]], taken: set[str]
) -> tuple[tuple[Expr, ...], Definitions]:
    """Replace the working names by ``q[1]``, ``theta`` …, none of them a name in use."""
    kinds = Counter(s.name for s, _ in definitions)
    numbers: Counter[str] = Counter()
    names: dict[Symbol, Symbol] = {}
    for symbol, _ in definitions:
        base = symbol.name
        while base in taken:
            base += "'"
        numbers[base] += 1
        final = f"{base}[{numbers[base]}]" if kinds[symbol.name] > 1 else base
        names[symbol] = Symbol(final, **assumptions_of(symbol))
    return (
        tuple(e.xreplace(names) for e in expressions),
        tuple((names[s], v.xreplace(names)) for s, v in definitions),
    )
