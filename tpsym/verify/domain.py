"""Where a claim is to hold: parameters, Gram matrices of data, conditions; and points of it.

Points have simple rational coordinates, so that a refutation can be redone with a calculator.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy as sp
from flint import arb, ctx
from sympy.core.relational import Relational

from tpsym.gauss.numeric import NO_FUNCTIONS, Evaluation, as_ball
from tpsym.verify.solve import solved
from tpsym.verify.whole import Bounds, lower_bounds, lowest

SIMPLE = tuple(Fraction(*pair) for pair in (
    (1, 1), (2, 1), (1, 2), (3, 1), (3, 2), (1, 3), (2, 3), (5, 2), (4, 1), (1, 4), (3, 4), (5, 1), (7, 4),
))  # fmt: skip
EXTREME = tuple(Fraction(*pair) for pair in ((1, 10), (10, 1), (1, 100), (25, 1), (100, 1), (1, 1000)))
COSINES = tuple(Fraction(*pair) for pair in ((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2), (3, 5), (-1, 3), (1, 4)))
ATTEMPTS = 150


@dataclass(frozen=True)
class Gram:
    """Symbols for the products of data vectors, by pair of vectors (i ≤ j): a semidefinite matrix.

    Its rank is at most ``dimension``, the number of coordinates of the vectors, where that is given.
    """

    entries: Mapping[tuple[int, int], sp.Symbol]
    dimension: sp.Expr | None = None

    @property
    def size(self) -> int:
        return 1 + max((j for _, j in self.entries), default=-1)


@dataclass(frozen=True)
class Domain:
    """``symbols`` are free up to their assumptions, those of ``grams`` up to semidefiniteness.

    Every point satisfies all ``conditions``; equations among them are solved for a symbol where that
    needs no case distinction.
    """

    symbols: tuple[sp.Symbol, ...] = ()
    grams: tuple[Gram, ...] = ()
    conditions: tuple[sp.Basic, ...] = ()

    @property
    def relations(self) -> tuple[Relational, ...]:
        """The facts a proof may use: the conditions, and Cauchy–Schwarz for each pair of vectors."""
        facts = [c for c in self.conditions if isinstance(c, Relational)]
        for gram in self.grams:
            for (i, j), xy in gram.entries.items():
                xx, yy = gram.entries.get((i, i)), gram.entries.get((j, j))
                if i < j and xx is not None and yy is not None:
                    facts.append(sp.Ge(xx * yy - xy**2, 0, evaluate=False))
        return tuple(facts)


@dataclass(frozen=True)
class Point:
    """Rational values, and symbols whose (perhaps irrational) values follow from equations."""

    values: Mapping[sp.Symbol, Fraction]
    implied: Mapping[sp.Symbol, sp.Expr]


def points(domain: Domain, *, seed: int = 0, definitions: Mapping[sp.Symbol, sp.Expr]) -> Iterator[Point]:
    """Distinct admissible points, simple ones first; ends when none is found in many attempts."""
    generator = random.Random(seed)
    implied = solved(c for c in domain.conditions if isinstance(c, Relational))
    bounds = lower_bounds(domain.conditions)
    seen: set[tuple[tuple[str, Fraction], ...]] = set()
    level = 0
    while True:
        for attempt in range(ATTEMPTS):
            point = _draw(domain, implied, bounds, level + attempt // 4, generator)
            if point is None:
                continue
            key = tuple(sorted((str(s), v) for s, v in point.values.items()))
            if key not in seen and _admissible(domain, point, definitions):
                seen.add(key)
                yield point
                break
        else:
            return
        level += 1


def _draw(
    domain: Domain, implied: Mapping[sp.Symbol, sp.Expr], bounds: Bounds, level: int, generator: random.Random
) -> Point | None:
    values: dict[sp.Symbol, Fraction] = {}
    for number, gram in enumerate(domain.grams):
        _draw_gram(gram, implied, level + number, generator, values)
    for symbol in bounds:
        if symbol in domain.symbols and symbol not in implied:
            _draw_above(symbol, bounds, level, generator, values)
    vanishing = [s for s in domain.symbols if s not in values and s not in implied and may_vanish(s)]
    # zero is a branch of its own: each symbol that may be 0 is 0 at some early point
    zero = vanishing[level // 3 % len(vanishing)] if vanishing and level % 3 == 2 else None
    for symbol in domain.symbols:
        if symbol not in values and symbol not in implied:
            values[symbol] = Fraction(0) if symbol == zero else _draw_scalar(symbol, level, generator)
    left: dict[sp.Symbol, sp.Expr] = {}
    exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in values.items()}
    for symbol, expr in implied.items():
        value = expr.xreplace(exact)
        if isinstance(value, sp.Rational):
            values[symbol] = Fraction(int(value.p), int(value.q))
        elif value.is_finite is False or value.has(sp.I):
            return None
        else:
            left[symbol] = expr
    return Point(MappingProxyType(values), MappingProxyType(left))


def may_vanish(symbol: sp.Symbol) -> bool:
    """Whether the assumptions allow 0."""
    return symbol.is_zero is not False


def _draw_scalar(symbol: sp.Symbol, level: int, generator: random.Random) -> Fraction:
    if symbol.is_integer:
        size = Fraction(generator.randint(1, 3 if level < 4 else 6))
    elif level < 4:
        size = generator.choice(SIMPLE[: 4 + 2 * level])
    elif level % 5 == 4:
        size = generator.choice(EXTREME)
    elif level % 5 == 3:
        size = Fraction(generator.randint(1, 19), generator.choice((20, 16, 12)))
    else:
        size = generator.choice(SIMPLE) * generator.choice((Fraction(1), Fraction(1, 3), Fraction(6, 5)))
    if may_vanish(symbol) and generator.random() < 0.06:
        return Fraction(0)
    if symbol.is_nonpositive:
        return -size
    return size if symbol.is_nonnegative or generator.random() < 0.5 else -size


def _draw_above(
    symbol: sp.Symbol,
    bounds: Bounds,
    level: int,
    generator: random.Random,
    values: dict[sp.Symbol, Fraction],
) -> None:
    """A whole number not below what conditions say, the least one often."""
    bound = bounds[symbol].xreplace({s: sp.Rational(v.numerator, v.denominator) for s, v in values.items()})
    low = int(bound) if isinstance(bound, sp.Integer) else lowest(bounds[symbol], bounds)
    if low is not None:
        values[symbol] = Fraction(low + generator.randint(0, 2 if level < 4 else 5))


def _draw_gram(
    gram: Gram,
    implied: Mapping[sp.Symbol, sp.Expr],
    level: int,
    generator: random.Random,
    values: dict[sp.Symbol, Fraction],
) -> None:
    """Products of small integer vectors; where equations fix some of them, the others drawn to fit."""
    n = gram.size
    if any(s in implied for s in gram.entries.values()):
        scale = _fixed_scale(gram, implied)
        for (i, j), symbol in gram.entries.items():
            values[symbol] = scale * (generator.choice(COSINES) if i < j else Fraction(1))
            if i == j and symbol not in implied:
                values[symbol] = scale * generator.choice(SIMPLE)
        for symbol in set(values) & set(implied):
            del values[symbol]
        return
    given = None if gram.dimension is None else gram.dimension.xreplace(dict(implied))
    most = int(given) if isinstance(given, sp.Integer) else 4
    vectors = _vectors(n, level, generator, max(1, min(most, 4)))
    for (i, j), symbol in gram.entries.items():
        values[symbol] = sum((a * b for a, b in zip(vectors[i], vectors[j], strict=True)), Fraction(0))


def _fixed_scale(gram: Gram, implied: Mapping[sp.Symbol, sp.Expr]) -> Fraction:
    for (i, j), symbol in gram.entries.items():
        value = implied.get(symbol)
        if i == j and isinstance(value, sp.Rational) and value > 0:
            return Fraction(int(value.p), int(value.q))
    return Fraction(1)


def _vectors(n: int, level: int, generator: random.Random, most: int) -> list[list[Fraction]]:
    kind = level % 7
    dimension = min(generator.randint(1 if kind == 5 else 2, 4), most)
    vectors = [_vector(dimension, generator) for _ in range(n)]
    if kind == 2 and n > 1:
        factor = generator.choice((1, -1, 2, Fraction(-1, 2)))
        vectors[1] = [factor * a for a in vectors[0]]
    elif kind == 3 and n > 1 and dimension > 1:
        a = vectors[0]
        vectors[1] = [-a[1], a[0], *([Fraction(0)] * (dimension - 2))]
    elif kind == 4 and n > 1:
        vectors[1] = [*vectors[0][1:], -vectors[0][0]]
    if kind in (1, 6):
        shrink = Fraction(1, generator.choice((2, 3, 5)))
        vectors = [[shrink * a for a in v] for v in vectors]
    return vectors


def _vector(dimension: int, generator: random.Random) -> list[Fraction]:
    while True:
        v = [Fraction(generator.randint(-2, 2)) for _ in range(dimension)]
        if any(v):
            return v


def _admissible(domain: Domain, point: Point, definitions: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Assumptions, semidefiniteness and conditions hold, for certain."""
    with ctx.workprec(96):
        balls = {s: as_ball(v) for s, v in point.values.items()}
        evaluation = Evaluation(balls, {**definitions, **point.implied}, NO_FUNCTIONS, None, False)
        symbols = {*point.values, *point.implied}
        if not all(_fits(s, evaluation(s)) for s in symbols):
            return False
        if not all(_possible(g, point, evaluation) for g in domain.grams):
            return False
        try:
            return all(_holds(c, point, evaluation) for c in domain.conditions)
        except (ArithmeticError, AttributeError):
            return False


def _holds(condition: sp.Basic, point: Point, evaluation: Evaluation) -> bool:
    if isinstance(condition, Relational) and condition.rel_op == "==":
        if any(s in condition.free_symbols for s in point.implied):
            return bool((evaluation(condition.lhs) - evaluation(condition.rhs)).contains(0))
        exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in point.values.items()}
        return bool((condition.lhs - condition.rhs).xreplace(exact) == 0)
    return evaluation.truth(condition) is True


def _fits(symbol: sp.Symbol, x: Any) -> bool:
    """Whether the value is allowed by the symbol's assumptions."""
    if not x.is_finite():
        return False
    whole = x.is_exact() and x.is_integer()
    checks = (
        (symbol.is_positive, x > 0),
        (symbol.is_negative, x < 0),
        (symbol.is_nonnegative, x >= 0),
        (symbol.is_nonpositive, x <= 0),
        (symbol.is_nonzero, x > 0 or x < 0),
        (symbol.is_integer, whole),
        (symbol.is_even, whole and (x / 2).is_integer()),
        (symbol.is_odd, whole and not (x / 2).is_integer()),
    )
    return all(fits for assumed, fits in checks if assumed)


def _possible(gram: Gram, point: Point, evaluation: Evaluation) -> bool:
    """Whether vectors with these products exist, for certain."""
    found = rank(_matrix(gram, point, evaluation))
    if found is None or gram.dimension is None:
        return found is not None
    exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in point.values.items()}
    limit = gram.dimension.xreplace(dict(point.implied)).xreplace(exact)
    return not limit.is_number or bool(found <= limit)


def _matrix(gram: Gram, point: Point, evaluation: Evaluation) -> list[list[Any]]:
    """The known part of the Gram matrix, exact where it can be."""
    complete = [i for i in range(gram.size) if (i, i) in gram.entries]
    rows = []
    for i in complete:
        symbols = [gram.entries.get((min(i, j), max(i, j))) for j in complete]
        rows.append([Fraction(0) if s is None else point.values.get(s, evaluation(s)) for s in symbols])
    if all(isinstance(x, Fraction) for row in rows for x in row):
        return rows
    return [[as_ball(x) if isinstance(x, Fraction) else x for x in row] for row in rows]


def semidefinite(matrix: list[list[Any]]) -> bool:
    """Whether a symmetric matrix is certainly positive semidefinite (definite, where it is not exact)."""
    return rank(matrix) is not None


def rank(matrix: list[list[Any]]) -> int | None:
    """The rank of a symmetric matrix, or ``None`` if it is not certainly positive semidefinite."""
    rows, found = [list(row) for row in matrix], 0
    while rows:
        pivot, first = rows[0][0], rows[0]
        if pivot == 0 and not any(isinstance(x, arb) for x in first):
            if any(x != 0 for x in first):
                return None
            rows = [row[1:] for row in rows[1:]]
            continue
        if not pivot > 0:
            return None
        found += 1
        rows = [[a - row[0] * b / pivot for a, b in zip(row[1:], first[1:], strict=True)] for row in rows[1:]]
    return found
