r"""Truncated series in powers of n: :math:`\sum_e n^e X_e + o(n^t)`.

Powers of n in a program are carried exactly. A series with ``error`` ``None`` is exact; otherwise it is
known up to o(n^error), and terms of that size or smaller that the truncation hides are not kept, so that
a cancellation of leading terms is never mistaken for zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.functions import leaky_relu, relu, step


class SizeUnknown(ValueError):
    """Two powers of n cannot be compared, or a quantity is only known to be small."""


class Grows(ValueError):
    """A quantity that enters a nonlinearity grows with n."""


def larger(a: Expr, b: Expr) -> bool:
    """Whether ``a > b`` for exponents; raises :class:`SizeUnknown` if the parameters leave it open."""
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
    summed = {e: sp.expand(c) if len(terms[e]) > 1 and sp.expand(c) == 0 else c for e, c in summed.items()}
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


def power(base: Series, exponent: Expr) -> Series:
    """``base^exponent``: exact for one term or a natural exponent, leading order otherwise."""
    if exponent.is_Integer and exponent >= 0 and (exponent <= 1 or len(base.terms) > 1 or base.error is not None):
        result = exact(S.One)
        for _ in range(int(exponent)):
            result = multiply(result, base)
        return result
    top, coefficient = base.leading()
    if coefficient == 0:
        if exponent.is_positive:
            return exact(S.Zero)
        raise SizeUnknown("division by zero")
    size = sp.expand(top * exponent)
    if len(base.terms) == 1:
        return Series({size: coefficient**exponent}, _shift(base.error, size - top))
    return _binomial(base, exponent, top, coefficient)


def _shift(error: Expr | None, by: Expr) -> Expr | None:
    return None if error is None else sp.expand(error + by)


def _binomial(base: Series, exponent: Expr, top: Expr, coefficient: Expr) -> Series:
    """``(c n^e (1 + r))^p = c^p n^(ep) (1 + p r + p(p-1)/2 r^2 + o(r^2))`` for the rest r → 0."""
    rest = make({sp.expand(e - top): c / coefficient for e, c in base.terms.items() if e != top},
                _shift(base.error, -top))
    square = multiply(rest, rest)
    linear = multiply(exact(exponent), rest)
    quadratic = multiply(exact(exponent * (exponent - 1) / 2), square)
    assert rest.top is not None
    unit = add([exact(S.One), linear, quadratic, Series({}, sp.expand(2 * rest.top))])
    return multiply(exact(coefficient**exponent, sp.expand(top * exponent)), unit)


HOMOGENEOUS: Mapping[type, int] = {relu: 1, sp.Abs: 1, leaky_relu: 1, step: 0, sp.sign: 0}
"""Functions with f(c z) = c^k f(z) for c > 0, in their first argument."""


DISCONTINUOUS = (step, sp.sign)


def apply(function: Callable[..., Expr], arguments: list[Series]) -> Series:
    """``f(x, …)`` at leading order; exact where every argument is one exact term of order one.

    Raises:
        Grows: an argument grows with n and f is not homogeneous.
    """
    degree = HOMOGENEOUS.get(function)  # type: ignore[call-overload]
    if degree is not None and len(arguments[0].terms) == 1 and arguments[0].error is None:
        ((e, c),) = arguments[0].terms.items()
        rest = [a.limit() for a in arguments[1:]]
        if all(a.error is None for a in arguments[1:]):
            return exact(function(c, *rest), sp.expand(degree * e))
    limits = [a.limit() for a in arguments]
    plain = all(a.error is None and set(a.terms) <= {S.Zero} for a in arguments)
    if function in DISCONTINUOUS and not plain and (limits[0] == 0 or len(arguments[0].terms) > 1):
        raise SizeUnknown("a discontinuous function of a quantity that tends to its jump")
    value = function(*limits)
    return make({S.Zero: value}, None if plain else S.Zero)


def expand_in(expr: Expr, n: Symbol, values: Mapping[Symbol, Series]) -> Series:
    """An expression over symbols that stand for series, as a series."""
    if not expr.has(n) and all(
        v.error is None and set(v.terms) <= {S.Zero} for s, v in values.items() if expr.has(s)
    ):
        direct = {s: v.terms.get(S.Zero, S.Zero) for s, v in values.items()}
        return exact(expr.xreplace(direct))
    if expr == n:
        return Series({S.One: S.One})
    if isinstance(expr, Symbol):
        return values.get(expr) or exact(expr)
    if not expr.args:
        return exact(expr)
    if isinstance(expr, sp.Piecewise):
        return _piecewise(expr, n, values)
    if isinstance(expr, sp.Pow):
        if expr.exp.has(n) or any(s in values for s in expr.exp.free_symbols):
            return apply(lambda b, e: b**e, [expand_in(a, n, values) for a in expr.args])
        if expr.base == n:
            return Series({expr.exp: S.One})
        return power(expand_in(expr.base, n, values), expr.exp)
    parts = [expand_in(a, n, values) for a in expr.args]
    if isinstance(expr, sp.Add):
        return add(parts)
    if isinstance(expr, sp.Mul):
        result = parts[0]
        for part in parts[1:]:
            result = multiply(result, part)
        return result
    return apply(expr.func, parts)


def _piecewise(expr: sp.Piecewise, n: Symbol, values: Mapping[Symbol, Series]) -> Series:
    """Piecewise functions only of quantities of order one."""
    limits = {s: v.limit() for s, v in values.items() if expr.has(s)}
    if expr.has(n):
        raise SizeUnknown("a power of n inside a piecewise function")
    plain = all(values[s].error is None and set(values[s].terms) <= {S.Zero} for s in limits)
    conditions = [c for _, condition in expr.args for c in condition.atoms(sp.core.relational.Relational)]
    if not plain and any(sp.expand((c.lhs - c.rhs).xreplace(limits)) == 0 for c in conditions):
        raise SizeUnknown("a piecewise function of a quantity that tends to its jump")
    return make({S.Zero: expr.xreplace(limits)}, None if plain else S.Zero)
