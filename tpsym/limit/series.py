r"""Truncated series in powers of n: :math:`\sum_e n^e X_e + o(n^t)`.

Powers of n in a program are carried exactly. A series with ``error`` ``None`` is exact; otherwise it is
known up to o(n^error), and terms of that size or smaller that the truncation hides are not kept, so that
a cancellation of leading terms is never mistaken for zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.core.relational import Relational

from tpsym.functions import leaky_relu, relu, step
from tpsym.limit.cancel import cancels


class SizeUnknown(ValueError):
    """Two powers of n cannot be compared, or a quantity is only known to be small."""


class Grows(ValueError):
    """A quantity that enters a nonlinearity grows with n."""


def larger(a: Expr, b: Expr) -> bool:
    """Whether ``a > b`` for exponents; raises :class:`SizeUnknown` if the parameters leave it open."""
    if a == b:
        return False
    difference = sp.expand(a - b)
    if difference.is_positive:
        return True
    if difference.is_nonpositive:
        return False
    raise SizeUnknown(f"it depends on the parameters whether n^({a}) or n^({b}) is larger")


def maximum(exponents: list[Expr]) -> Expr:
    best = exponents[0]
    for e in exponents[1:]:
        if larger(e, best):
            best = e
    return best


@dataclass(frozen=True, slots=True)
class Series:
    """``terms`` maps exponents to nonzero coefficients; ``error`` bounds what is not known."""

    terms: Mapping[Expr, Expr]
    error: Expr | None = None

    @property
    def top(self) -> Expr | None:
        """The exponent of the leading term, ``None`` for zero."""
        return maximum(list(self.terms)) if self.terms else None

    def leading(self) -> tuple[Expr, Expr]:
        """``(exponent, coefficient)`` of the leading term; zero is ``(0, 0)``.

        Raises:
            SizeUnknown: all that is known is that the quantity is o(n^error).
        """
        top = self.top
        if top is None:
            if self.error is not None:
                raise SizeUnknown(f"leading terms cancel; what is left is only known to be o(n^({self.error}))")
            return S.Zero, S.Zero
        return top, self.terms[top]

    def limit(self) -> Expr:
        """The limit of a quantity of order one or smaller.

        Raises:
            Grows: it grows with n.
            SizeUnknown: see :meth:`leading`; or what is not known may be of order one.
        """
        if self.error is not None and larger(self.error, S.Zero):
            top = self.top
            if top is None or not larger(top, S.Zero):
                raise SizeUnknown(f"it is only known up to o(n^({self.error}))")
        top = self.top
        if top is None or larger(S.Zero, top):
            return S.Zero
        if larger(top, S.Zero):
            raise Grows(f"grows like n^({top})")
        return self.terms[top]


def exact(value: Expr, exponent: Expr = S.Zero) -> Series:
    """``n^exponent · value``, nothing left out."""
    return Series({exponent: value} if value != 0 else {})


def make(terms: Mapping[Expr, Expr], error: Expr | None) -> Series:
    """A series with zero terms and terms hidden by the error removed."""
    kept = {e: c for e, c in terms.items() if c != 0}
    if error is not None:
        kept = {e: c for e, c in kept.items() if e == error or larger(e, error)}
    return Series(kept, error)


def _worst(*errors: Expr | None) -> Expr | None:
    known = [e for e in errors if e is not None]
    return maximum(known) if known else None


def add(series: list[Series]) -> Series:
    terms: dict[Expr, list[Expr]] = {}
    for s in series:
        for e, c in s.terms.items():
            terms.setdefault(sp.expand(e), []).append(c)
    summed = {e: sp.Add(*cs) for e, cs in terms.items()}
    summed = {e: S.Zero if len(terms[e]) > 1 and cancels(c) else c for e, c in summed.items()}
    return make(summed, _worst(*(s.error for s in series)))


def multiply(a: Series, b: Series) -> Series:
    terms: dict[Expr, Expr] = {}
    for e, c in a.terms.items():
        for f, d in b.terms.items():
            key = sp.expand(e + f)
            terms[key] = terms.get(key, S.Zero) + c * d
    errors: list[Expr | None] = []
    for s, other in ((a, b), (b, a)):
        if s.error is not None:
            sizes = [x for x in (other.top, other.error) if x is not None]
            if sizes:
                errors.append(sp.expand(s.error + maximum(sizes)))
    return make(terms, _worst(*errors))


def power(base: Series, exponent: Expr, *, random: bool = True) -> Series:
    """``base^exponent``: exact for one term or a natural exponent, leading order otherwise.

    ``random`` says whether the leading coefficient is a random variable. Then it may come near zero, and
    what is smaller than the leading term by a power of n need not stay so: only o(leading) is claimed.
    """
    if exponent.is_Integer and exponent >= 0 and (exponent <= 1 or len(base.terms) > 1 or base.error is not None):
        result = exact(S.One)
        for _ in range(int(exponent)):
            result = multiply(result, base)
        return result
    if not base.terms and exponent.is_positive:
        return Series({}, None if base.error is None else sp.expand(base.error * exponent))
    top, coefficient = base.leading()
    if coefficient == 0:
        raise SizeUnknown("division by zero")
    size = sp.expand(top * exponent)
    if len(base.terms) == 1 and base.error is None:
        return exact(coefficient**exponent, size)
    if random:
        return Series({size: coefficient**exponent}, size)
    if len(base.terms) == 1:
        return Series({size: coefficient**exponent}, _shift(base.error, size - top))
    return _binomial(base, exponent, top, coefficient)


def _shift(error: Expr | None, by: Expr) -> Expr | None:
    return None if error is None else sp.expand(error + by)


def _binomial(base: Series, exponent: Expr, top: Expr, coefficient: Expr) -> Series:
    """``(c n^e (1 + r))^p = c^p n^(ep) (1 + p r + p(p-1)/2 r^2 + o(r^2))`` for a number c and a rest r → 0."""
    rest = make({sp.expand(e - top): c / coefficient for e, c in base.terms.items() if e != top},
                _shift(base.error, -top))
    square = multiply(rest, rest)
    linear = multiply(exact(exponent), rest)
    quadratic = multiply(exact(exponent * (exponent - 1) / 2), square)
    assert rest.top is not None
    unit = add([exact(S.One), linear, quadratic, Series({}, sp.expand(2 * rest.top))])
    return multiply(exact(coefficient**exponent, sp.expand(top * exponent)), unit)


HOMOGENEOUS: Mapping[Callable[..., Expr], int] = {relu: 1, sp.Abs: 1, leaky_relu: 1, step: 0, sp.sign: 0}
"""Functions with f(c z) = c^k f(z) for c > 0, in their first argument; those of degree one are Lipschitz."""

AT_THE_JUMP = "a discontinuous function of a quantity that tends to its jump"


def is_plain(series: Series) -> bool:
    """Whether nothing but an exact term of order one is there."""
    return series.error is None and set(series.terms) <= {S.Zero}


def homogeneous(
    function: Callable[..., Expr], first: Series, rest: list[Expr], clear: Callable[[Expr], bool]
) -> Series:
    """``f(n^e (z + o(1))) = n^(ke) (f(z) + o(1))`` for f homogeneous of degree k.

    Raises:
        SizeUnknown: f has a jump at zero, and what decides on which side the argument is may be hidden.
    """
    degree = HOMOGENEOUS[function]
    if not first.terms and degree == 1:
        return first
    is_exact = len(first.terms) <= 1 and first.error is None
    top, coefficient = (S.Zero, S.Zero) if not first.terms else first.leading()
    if degree == 0 and not is_exact and (coefficient == 0 or not clear(coefficient)):
        raise SizeUnknown(AT_THE_JUMP)
    size = sp.expand(degree * top)
    value = function(coefficient, *rest)
    return exact(value, size) if is_exact else make({size: value}, size)


def never(_: Expr) -> bool:
    return False


def apply(
    function: Callable[..., Expr], arguments: list[Series], *, clear: Callable[[Expr], bool] = never
) -> Series:
    """``f(x, …)`` at leading order; exact where every argument is one exact term of order one.

    ``clear`` says of the limit of an argument whether f is almost surely continuous there.

    Raises:
        Grows: an argument grows with n and f is not homogeneous.
        SizeUnknown: f jumps, or is infinite, at the limit of its arguments.
    """
    plain = all(is_plain(a) for a in arguments)
    if not plain and function in HOMOGENEOUS and all(is_plain(a) for a in arguments[1:]):
        return homogeneous(function, arguments[0], [a.limit() for a in arguments[1:]], clear)
    limits = [a.limit() for a in arguments]
    value = function(*limits)
    if value.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise SizeUnknown(f"{getattr(function, '__name__', 'a function')} at its singularity")
    return make({S.Zero: value}, None if plain else S.Zero)


@dataclass(frozen=True, slots=True)
class Expansion:
    """How expressions become series: ``values`` of the symbols, powers of ``n``.

    ``is_random`` tells random coefficients from numbers; ``continuous`` says that every jump in the
    expression is known to be almost surely missed.
    """

    n: Symbol
    values: Mapping[Symbol, Series]
    is_random: Callable[[Expr], bool] = lambda _: True
    continuous: bool = False
    rough: frozenset[Expr] = field(init=False)
    plain: Mapping[Expr, Expr] = field(init=False)
    is_rough: dict[Expr, bool] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        simple = {s: v.terms.get(S.Zero, S.Zero) for s, v in self.values.items() if is_plain(v)}
        object.__setattr__(self, "plain", simple)
        object.__setattr__(self, "rough", frozenset({self.n, *(self.values.keys() - simple.keys())}))

    def _rough(self, expr: Expr) -> bool:
        """Whether n, or a symbol whose series is more than an exact term of order one, is in an expression."""
        if not expr.args:
            return expr in self.rough
        known = self.is_rough.get(expr)
        if known is None:
            known = self.is_rough[expr] = any(self._rough(a) for a in expr.args)
        return known

    def __call__(self, expr: Expr) -> Series:
        n, values = self.n, self.values
        if not self._rough(expr):
            return exact(expr.xreplace(self.plain))
        if expr == n:
            return Series({S.One: S.One})
        if isinstance(expr, Symbol):
            return values[expr] if expr in values else exact(expr)
        if not expr.args:
            return exact(expr)
        if isinstance(expr, sp.Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        parts = [self(a) for a in expr.args]
        if isinstance(expr, sp.Add):
            return add(parts)
        if isinstance(expr, sp.Mul):
            result = parts[0]
            for part in parts[1:]:
                result = multiply(result, part)
            return result
        return apply(expr.func, parts, clear=self._clear)

    def _clear(self, limit: Expr) -> bool:
        """Whether a quantity with this limit ends up on the same side of zero as its limit."""
        return self.continuous or (not self.is_random(limit) and sp.expand(limit) != 0)

    def _power(self, expr: Expr) -> Series:
        base, exponent = expr.args
        if exponent.has(self.n) or any(s in self.values for s in exponent.free_symbols):
            return apply(lambda b, e: b**e, [self(base), self(exponent)])
        if base == self.n:
            return Series({exponent: S.One})
        series = self(base)
        return power(series, exponent, random=bool(series.terms) and self.is_random(series.leading()[1]))

    def _piecewise(self, expr: sp.Piecewise) -> Series:
        """Piecewise functions only of quantities of order one."""
        limits = {s: v.limit() for s, v in self.values.items() if expr.has(s)}
        if expr.has(self.n):
            raise SizeUnknown("a power of n inside a piecewise function")
        plain = all(is_plain(self.values[s]) for s in limits)
        conditions = [c for _, condition in expr.args for c in condition.atoms(Relational)]
        if not plain and not all(self._clear((c.lhs - c.rhs).xreplace(limits)) for c in conditions):
            raise SizeUnknown(AT_THE_JUMP)
        return make({S.Zero: expr.xreplace(limits)}, None if plain else S.Zero)


def expand_in(
    expr: Expr,
    n: Symbol,
    values: Mapping[Symbol, Series],
    *,
    is_random: Callable[[Expr], bool] = lambda _: True,
    continuous: bool = False,
) -> Series:
    """An expression over symbols that stand for series, as a series."""
    return Expansion(n, values, is_random, continuous)(expr)
