r"""Normal forms of expressions, and the zero test they give.

Two expressions with the same normal form are equal wherever both are defined (in the real numbers).
The converse does not hold: "not shown equal" says nothing. Named values are first generators of
their own and are then replaced by their definitions, those that rest on most others first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import sympy as sp
from sympy.core.relational import Relational

from tpsym.verify.elements import (
    ANY,
    NEG,
    POS,
    SIGN_OF_RELATION,
    ZERO,
    Element,
    NeedsCapacityError,
    NeedsFinerError,
    TooLargeError,
    UndefinedError,
    hashed,
    signs_of_product,
    signs_of_square,
)
from tpsym.verify.field import Field
from tpsym.verify.generators import element_key, single
from tpsym.verify.radicals import canonical, expression
from tpsym.verify.solve import solved
from tpsym.verify.translate import NO_NAMES, Names, Translation
from tpsym.verify.whole import lower_bounds

T = TypeVar("T")

NO_DEFINITIONS: Mapping[sp.Symbol, sp.Expr] = MappingProxyType({})
MAX_CAPACITY = 512
MAX_RESTARTS = 40


@dataclass(frozen=True)
class NormalForm:
    """``key`` is the same for expressions with the same normal form; ``expr`` writes it out."""

    key: str
    zero: bool
    expr: sp.Expr


class UnsupportedError(ArithmeticError):
    """The expression has no normal form within the limits."""


def normal(
    expr: sp.Expr,
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    relations: Iterable[Relational] = (),
    deadline: float | None = None,
) -> NormalForm:
    """The normal form, named values expanded; raises :class:`UnsupportedError` where there is none.

    ``relations`` are facts: equations are used as substitutions where they can be solved without a
    case distinction, inequalities give the sign of their difference.
    """
    used = set(needed(expr, definitions))

    def form(translation: Translation) -> NormalForm:
        a = canonical(translation.field, translation(expr))
        key = hashed("0") if a.num.is_zero() else element_key(translation.field, a)
        return NormalForm(key, a.num.is_zero(), expression(translation.field, a))

    try:
        return _attempt(form, used, definitions, tuple(relations), deadline)
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise UnsupportedError(str(error)) from error


def normal_expression(expr: sp.Expr, *, relations: Iterable[Relational] = (), deadline: float | None = None) -> sp.Expr:
    """The expression with fractions cancelled and roots combined, or unchanged if that is out of reach."""
    try:
        return normal(expr, relations=relations, deadline=deadline).expr
    except UnsupportedError:
        return expr


def is_zero(
    expr: sp.Expr,
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    relations: Iterable[Relational] = (),
    deadline: float | None = None,
) -> bool | None:
    """True: proved zero wherever it is defined. False: proved not to be zero everywhere. None: unknown."""
    relations = tuple(relations)
    depth = depths(expr, definitions)
    expanded: set[sp.Symbol] = set()
    names, stride = NO_NAMES, 1
    try:
        while True:
            verdict, left = _attempt(
                lambda t: _verdict(t, expr, definitions), expanded, definitions, relations, deadline, names
            )
            candidates = {depth[s] for s in left if s in depth}
            if verdict is not None or not candidates:
                return verdict
            if names is NO_NAMES:
                names = identified(expr, definitions, relations, deadline)
                continue
            # twice as many levels each time: few rounds for a deep program, few names for a shallow one
            bottom = max(candidates) - stride
            expanded |= {s for s, level in depth.items() if level > bottom}
            stride *= 2
    except (ArithmeticError, ValueError, RecursionError):
        return None


def signs(
    expr: sp.Expr,
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NO_DEFINITIONS,
    relations: Iterable[Relational] = (),
    deadline: float | None = None,
) -> int:
    """The signs the expression can have where it is defined (all three where nothing is known)."""
    used = set(needed(expr, definitions))
    try:
        return _attempt(lambda t: _signs(t, expr), used, definitions, tuple(relations), deadline)
    except (ArithmeticError, ValueError, RecursionError):
        return ANY


def _signs(translation: Translation, expr: sp.Expr) -> int:
    field = translation.field
    a = canonical(field, translation(expr))
    result = field.signs(a)
    if result != ANY:
        return result
    result = POS
    for p, allowed in ((a.num, ANY), (a.den, ANY & ~ZERO)):
        c, factors = field.factors(p)
        result = signs_of_product(result, POS if c > 0 else NEG)
        for f, e in factors:
            sign = field.sign(f) & allowed
            result = signs_of_product(result, sign if e % 2 else signs_of_square(sign))
    return result


def identified(
    expr: sp.Expr,
    definitions: Mapping[sp.Symbol, sp.Expr],
    relations: tuple[Relational, ...],
    deadline: float | None,
) -> Names:
    """Which named values have definitions with one normal form, and the signs these can have.

    From the bottom up, each in terms of those it rests on: so two recursions that agree layer by layer
    are recognised at a cost linear in the number of layers.
    """
    same: dict[sp.Symbol, sp.Symbol] = {}
    signs_of: dict[sp.Symbol, int] = {}
    first: dict[str, sp.Symbol] = {}
    names = Names(same, signs_of)

    for symbol in needed(expr, definitions):
        use = partial(_described, definition=definitions[symbol])
        try:
            key, sign, alias = _attempt(use, set(), definitions, relations, deadline, names)
        except (UndefinedError, TooLargeError, ValueError, RecursionError):
            continue
        signs_of[symbol] = sign
        found = alias if isinstance(alias, sp.Symbol) else first.setdefault(key, symbol)
        if found != symbol:
            same[symbol] = found
    return names


def _described(translation: Translation, *, definition: sp.Expr) -> tuple[str, int, sp.Expr]:
    """The key of the normal form, the signs it can have, and the generator it is, if it is one."""
    field = translation.field
    a = canonical(field, translation(definition))
    key = hashed("0") if a.num.is_zero() else element_key(field, a)
    g = single(field, a)
    return key, field.signs(a), None if g is None else g.expr


def _verdict(
    translation: Translation, expr: sp.Expr, definitions: Mapping[sp.Symbol, sp.Expr]
) -> tuple[bool | None, set[sp.Symbol]]:
    a = translation(expr)
    if a.num.is_zero():
        return True, set()
    generators = translation.field.generators
    symbols = set().union(*(g.expr.free_symbols for g in generators))
    left = symbols & set(definitions)
    present = [generators[i] for i, e in enumerate(a.num.degrees()) if e > 0]
    independent = all(g.kind in ("symbol", "pi") for g in present) and not left
    restricted = bool(translation.field.facts) or bool(translation.substitutions)
    return (False if independent and not restricted else None), left


def needed(expr: sp.Expr, definitions: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Symbol]:
    """The named values that the expression rests on, each after those it rests on itself."""
    order: list[sp.Symbol] = []
    state: dict[sp.Symbol, bool] = {}
    stack = [(s, False) for s in sorted(expr.free_symbols & set(definitions), key=str)]
    while stack:
        symbol, finished = stack.pop()
        if finished:
            if not state[symbol]:
                state[symbol] = True
                order.append(symbol)
            continue
        if symbol in state:
            continue
        state[symbol] = False
        stack.append((symbol, True))
        inner = definitions[symbol].free_symbols & set(definitions)
        stack.extend((s, False) for s in sorted(inner, key=str) if s not in state)
    return order


def depths(expr: sp.Expr, definitions: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, int]:
    """The length of the longest chain of definitions below each named value."""
    result: dict[sp.Symbol, int] = {}
    for symbol in needed(expr, definitions):
        result[symbol] = 1 + max((result.get(s, 0) for s in definitions[symbol].free_symbols), default=0)
    return result


def _attempt(
    use: Callable[[Translation], T],
    expanded: set[sp.Symbol],
    definitions: Mapping[sp.Symbol, sp.Expr],
    relations: tuple[Relational, ...],
    deadline: float | None,
    names: Names = NO_NAMES,
) -> T:
    """``use`` on a translation, begun again while it asks for more or finer generators."""
    capacity, hints = 16, dict[str, int]()
    for _ in range(MAX_RESTARTS):
        field = Field(capacity, hints, deadline)
        try:
            return use(_translation(field, expanded, definitions, relations, names))
        except NeedsCapacityError:
            capacity *= 2
            if capacity > MAX_CAPACITY:
                raise TooLargeError() from None
        except NeedsFinerError as finer:
            hints[finer.key] = math.lcm(hints.get(finer.key, 1), finer.order)
    raise TooLargeError()


def _translation(
    field: Field,
    expanded: set[sp.Symbol],
    definitions: Mapping[sp.Symbol, sp.Expr],
    relations: tuple[Relational, ...],
    names: Names,
) -> Translation:
    values: dict[sp.Symbol, Element] = {}
    substitutions = solved(relations)
    translation = Translation(field, values, substitutions, names, lower_bounds(relations))
    for relation in relations:
        if relation.rel_op in SIGN_OF_RELATION:
            _record_fact(translation, relation)
    if expanded:
        bundle = sp.Tuple(*sorted(expanded, key=str))
        for symbol in needed(bundle, definitions):
            if symbol in expanded:
                values[symbol] = translation(definitions[symbol])
    return translation


def _record_fact(translation: Translation, relation: Relational) -> None:
    field = translation.field
    try:
        gap = canonical(field, translation(relation.lhs - relation.rhs))
    except (UndefinedError, TooLargeError):
        return
    if gap.den.is_constant() and not gap.num.is_constant():
        field.facts.append((gap.num, SIGN_OF_RELATION[relation.rel_op]))
