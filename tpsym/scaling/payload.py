"""The size of a coordinatewise expression, and of its change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.polyhedra.forms import Form, linear, number
from tpsym.scaling.sizes import (
    EVEN,
    ONE,
    Known,
    Parts,
    Signature,
    Size,
    Source,
    product,
    sources,
    total,
    united,
)

MAX_POWER = 8
"""Whole powers up to this one are multiplied out; higher ones are functions."""


class NotLinear(Exception):
    """An exponent of the width that is no affine form with rational coefficients."""

    def __init__(self, exponent: Expr) -> None:
        super().__init__(str(exponent).replace("**", "^"))
        self.exponent = exponent


@dataclass(frozen=True, slots=True)
class Pair:
    """What a value is at initialisation, and by how much training changes it."""

    initial: Parts
    change: Parts

    @property
    def now(self) -> Parts:
        """What it is after training."""
        return united(self.initial, self.change)


CONSTANT = Pair({EVEN: ONE}, {})
ABSENT = Pair({}, {})

Feature = Callable[[Expr, Pair, bool], bool]
"""Told of every argument of a nonlinear function: the expression, its sizes, and whether it has to stay away from
zero (the base of a power that is no whole number). Says whether it may be small."""


def exponent(expr: Expr) -> Form:
    """An affine form from an expression in the parameters.

    Raises:
        NotLinear: it is none.
    """
    expr = sp.expand(expr)
    constant, terms = Fraction(0), []
    for term in sp.Add.make_args(expr):
        q, rest = term.as_coeff_Mul()
        if not q.is_Rational:
            raise NotLinear(expr)
        if rest == 1:
            constant += Fraction(int(q.p), int(q.q))
        elif isinstance(rest, Symbol):
            terms.append((rest.name, Fraction(int(q.p), int(q.q))))
        else:
            raise NotLinear(expr)
    return linear(constant, terms)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads expressions in which ``values`` gives the sizes of symbols; other symbols are parameters of order one,
    except the width ``n``. ``vectors`` are the symbols of vectors among them."""

    n: Symbol
    values: Mapping[Symbol, Pair]
    feature: Feature
    known: Known
    vectors: frozenset[Symbol] = frozenset()

    def read(self, expr: Expr) -> Pair:
        """The sizes of an expression."""
        if expr == 0:
            return ABSENT
        if not expr.free_symbols & (self.values.keys() | {self.n}):
            return CONSTANT
        if isinstance(expr, Symbol):
            return self.values[expr] if expr != self.n else _power(number(1))
        if isinstance(expr, sp.Add):
            pairs = [self.read(a) for a in expr.args]
            return Pair(united(*(p.initial for p in pairs)), united(*(p.change for p in pairs)))
        if isinstance(expr, sp.Mul):
            return self._product(list(expr.args))
        if isinstance(expr, sp.Pow):
            return self._pow(expr)
        return self._function(expr)

    def _product(self, factors: list[Expr]) -> Pair:
        found = CONSTANT
        for factor in factors:
            found = self.times(found, self.read(factor))
        return found

    def times(self, a: Pair, b: Pair) -> Pair:
        """The product of two values that both may change."""
        if a is CONSTANT:
            return b
        if b is CONSTANT:
            return a
        initial = product(a.initial, b.initial)
        if not a.change and not b.change:
            return Pair(initial, {})
        change = united(product(a.change, b.initial), product(a.initial, b.change))
        # the second order is no larger where one of the two changes no more than it is
        if a.change and b.change:
            second = product(a.change, b.change)
            if self.known.small(a.initial, a.change) or self.known.small(b.initial, b.change):
                # but what an array does directly shows there alone if the other factor begins at nothing
                shown = {s.tag for s in change}
                second = {s: size for s, size in second.items() if s.tag not in shown}
            change = united(change, second)
        return Pair(initial, self.known.pruned(change))

    def _pow(self, expr: Expr) -> Pair:
        base, power = expr.args
        if base == self.n:
            if power.has(self.n):
                raise NotLinear(power)
            return _power(exponent(power))
        if power.is_Integer and 2 <= power <= MAX_POWER:
            return self._product([base] * int(power))
        if isinstance(base, sp.Mul) and power.is_number:
            inside = [a for a in base.args if not a.free_symbols & self.values.keys()]
            if any(a.has(self.n) for a in inside):
                rest = sp.Mul(*(a for a in base.args if a not in inside))
                outside = self._product([sp.expand_power_base(a**power, force=True) for a in inside])
                return self.times(outside, self.read(rest**power))
        if power.free_symbols & self.values.keys():
            return self._of_arguments(expr, (power,))
        return self._of_arguments(expr, (base,), positive=power.is_number and bool(power < 0))

    def _function(self, expr: Expr) -> Pair:
        return self._of_arguments(expr, expr.args)

    def _told(self, argument: Expr, pair: Pair, positive: bool) -> bool:
        """Tell of an argument; of vectors without the constants beside them, which hide whether they are small."""
        if isinstance(argument, sp.Add) and argument.free_symbols & self.vectors:
            rest = sp.Add(*(t for t in argument.args if t.free_symbols & self.values.keys()))
            if rest != argument:
                return self.feature(rest, self.read(rest), positive)
        return self.feature(argument, pair, positive)

    def _of_arguments(self, expr: Expr, given: tuple[Expr, ...], *, positive: bool = False) -> Pair:
        """A nonlinear function: of order one where its arguments are, its change that of its arguments.

        A change that passes it has no symmetry left in what it depends on: its orders have different parities.
        """
        arguments = [a for a in given if a.free_symbols & (self.values.keys() | {self.n})]
        pairs = [self.read(a) for a in arguments]
        small = [self._told(a, pair, positive) for a, pair in zip(arguments, pairs, strict=True)]
        behind = frozenset().union(*(sources(p.initial) for p in pairs))
        initial = _initial(expr, arguments, pairs, behind)
        change = _change(pairs, initial, behind)
        if len(pairs) == 1 and small[0] and vanishes(expr, arguments[0]):
            (size,) = (total(pairs[0].initial),)
            initial = dict.fromkeys(initial, size) if size else {}
            if size and isinstance(expr, sp.Pow) and expr.exp.is_Rational:
                return _root(Pair(initial, change), size, Fraction(int(expr.exp.p), int(expr.exp.q)))
        return Pair(initial, change)


def _root(pair: Pair, size: Size, power: Fraction) -> Pair:
    r"""A positive power of a number of this size: :math:`|(a+\delta)^q-a^q|\le C(|\delta|a^{q-1}+|\delta|^q)`, and for
    q < 1 the first term alone."""
    initial = {s: frozenset(f * power for f in x) for s, x in pair.initial.items()}
    change = {
        s: frozenset(f + g * (power - 1) for f in x for g in size) | frozenset(f * power for f in x if power > 1)
        for s, x in pair.change.items()
    }
    return Pair(initial, change)


def _power(form: Form) -> Pair:
    return Pair({EVEN: frozenset({form})}, {})


FLIPPED = 3
"""Parts of an argument up to which the parts of an odd or even function are told apart."""


def _initial(
    expr: Expr, arguments: list[Expr], pairs: list[Pair], behind: frozenset[Source]
) -> dict[Signature, Size]:
    """The parts of a function at initialisation: of an odd one those that an odd number of parts gives."""
    whole = {Signature(frozenset(), behind): ONE}
    if len(pairs) != 1 or not 1 <= len(pairs[0].initial) <= FLIPPED:
        return whole
    parts = [s._replace(tag=None) for s in pairs[0].initial]
    kind = parity(expr, arguments[0])
    if kind == 0 or any(s.mixed for s in parts):
        return whole
    found: dict[Signature, Size] = {}
    for count in range(kind == -1, len(parts) + 1, 2):
        for chosen in combinations(parts, count):
            signature = EVEN
            for s in chosen:
                signature *= s
            found[signature] = ONE
    return found


def _change(pairs: list[Pair], initial: Parts, behind: frozenset[Source]) -> dict[Signature, Size]:
    """The parts of the change of a function.

    Numbers that change leave vectors the symmetries they have, so that such a change is like the value; any other one
    has no symmetry left in what it depends on, for its orders have different parities.
    """
    found: dict[Signature, Size] = {}
    mixed = Signature(frozenset(), behind.union(*(sources(p.change) for p in pairs)))
    for pair in pairs:
        own = {s._replace(tag=None) for s in pair.initial}
        for s, size in pair.change.items():
            for key in initial if s._replace(tag=None) in own else (mixed,):
                found[key] = found.get(key, frozenset()) | size
    return found


@lru_cache(maxsize=4096)
def vanishes(expr: Expr, argument: Expr) -> bool:
    """Whether a function is zero where its argument is."""
    slot = Symbol("$zero", real=True)
    value = expr.xreplace({argument: slot})
    return value.free_symbols == {slot} and bool(value.xreplace({slot: S.Zero}) == 0)


@lru_cache(maxsize=4096)
def parity(expr: Expr, argument: Expr) -> int:
    """1 for an even function of an argument, −1 for an odd one, 0 for neither."""
    if argument.is_number:
        return 1
    slot = Symbol("$parity", real=True)
    value = expr.xreplace({argument: slot})
    if value.free_symbols & argument.free_symbols:
        return 0
    image = value.xreplace({slot: -slot})
    if sp.expand(image + value) == S.Zero:
        return -1
    return 1 if sp.expand(image - value) == S.Zero else 0


__all__ = ["ABSENT", "CONSTANT", "NotLinear", "Pair", "Reader", "exponent"]
