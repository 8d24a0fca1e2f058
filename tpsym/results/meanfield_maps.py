"""The maps from one layer to the next, their values at correlation one and their derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr, Symbol

from tpsym import functions as fn
from tpsym.gauss import E, expect
from tpsym.results.meanfield_series import Expander, NoExpansionError, is_smooth
from tpsym.results.meanfield_zero import is_positive, tidy

Q = Symbol("q*", nonnegative=True)
"""The variance at the fixed point."""

C = Symbol("c*", real=True)
"""The correlation at the fixed point."""

JUMPS = (sp.Piecewise, sp.sign, fn.step, fn.delta, sp.floor, sp.ceiling)
ORDERS = (5, 8, 12)
"""Orders in √(1 − c) of the expansions tried, one after the other."""


class NoDerivativeError(ArithmeticError):
    """A derivative of a mean that is not to be had."""


@dataclass(frozen=True)
class LayerMaps:
    """What one layer of a wide network does to the second moments of two inputs of equal variance.

    ``variance`` is the next variance F(q); ``covariance`` the next covariance G(q, c) at variances q and
    correlation c; ``slope`` the derivative H(q, c) of the next covariance in the covariance q c, which is
    also the factor of the tangent kernel's recursion Θ' = K' + H Θ. ``parameters`` maps the symbols in
    them to their defaults.
    """

    q: Symbol
    c: Symbol
    variance: Expr
    covariance: Expr
    slope: Expr
    parameters: Mapping[Symbol, Expr | None] = field(default_factory=dict)

    def at(self, values: Mapping[Symbol, Expr]) -> LayerMaps:
        """The maps at exact values of parameters."""
        given = dict(values)
        return replace(
            self,
            variance=substituted(self.variance, given),
            covariance=substituted(self.covariance, given),
            slope=substituted(self.slope, given),
            parameters={s: e for s, e in self.parameters.items() if s not in given},
        )

    @property
    def free(self) -> tuple[Symbol, ...]:
        """The parameters that occur."""
        used = self.variance.free_symbols | self.covariance.free_symbols | self.slope.free_symbols
        return tuple(sorted(used - {self.q, self.c}, key=str))

    @property
    def is_homogeneous(self) -> bool:
        """Whether the map of the correlation does not depend on the variance."""
        return not tidy(self.covariance / self.q).has(self.q) and not tidy(self.variance / self.q).has(self.q)


def substituted(expr: Expr, values: Mapping[Symbol, Expr]) -> Expr:
    """The expression at these values; means at a covariance that became degenerate are taken anew."""
    changed = {e: _renewed(e, values) for e in expr.atoms(E) if not e.free_symbols.isdisjoint(values)}
    return expr.xreplace(changed).xreplace(dict(values))


def _renewed(mean: E, values: Mapping[Symbol, Expr]) -> Expr:
    moved = mean.xreplace(dict(values))
    return expect(moved.body, mean.variables, moved.covariance.tolist()).value


def at_one(expr: Expr, c: Symbol) -> Expr:
    """The limit for c → 1 from below, exact (∞ where it diverges).

    Raises:
        NoExpansionError: the limit is not found.
    """
    if _is_continuous(expr):
        direct = substituted(expr, {c: sp.S.One})
        if not direct.has(sp.nan, sp.zoo, sp.oo):
            return tidy(direct)
    t = sp.Dummy("t", positive=True)
    for order in ORDERS:
        found = Expander(t, order)(expr.xreplace({c: 1 - t**2}))
        if found.coefficients:
            break
    low, first = found.leading
    if low < 0:
        generic = {s: sp.Dummy(s.name, positive=True) for s in first.free_symbols if s.is_nonnegative}
        sign = is_positive(first.xreplace(generic))
        if sign is None:
            raise NoExpansionError("the sign of an infinite limit")
        return sp.oo if sign else -sp.oo
    return first if low == 0 else sp.S.Zero


def _is_continuous(expr: Expr) -> bool:
    """Whether no jump is in the way: a mean is continuous where its jumps are lines that have probability zero."""
    means = expr.atoms(E)
    if expr.xreplace({e: sp.Dummy() for e in means}).has(*JUMPS):
        return False
    jumps = [f for e in means for f in e.body.atoms(*JUMPS)]
    return all(isinstance(f, fn.step | sp.sign) and len(f.free_symbols) == 1 for f in jumps)


def derivative(expr: Expr, symbol: Symbol) -> Expr:
    """d expr/d symbol, through unevaluated means too.

    Means of smooth functions by Price's theorem; else, of one variable, by d/dv E f(√v z) = E[z f'(z)]/(2v).
    """
    names = {e: sp.Dummy(f"mean{i}", real=True) for i, e in enumerate(sorted(expr.atoms(E), key=str))}
    plain = expr.xreplace(names)
    total = sp.diff(plain, symbol)
    for mean, name in names.items():
        if mean.has(symbol):
            total += sp.diff(plain, name) * _mean_derivative(mean, symbol)
    return tidy(total.xreplace({s: e for e, s in names.items()}))


def _mean_derivative(mean: E, symbol: Symbol) -> Expr:
    if mean.body.has(symbol) and (mean.body.atoms(E) or not is_smooth(mean.body)):
        raise NoDerivativeError("a mean of a function of a parameter")
    names, n = mean.variables, mean.covariance.rows
    rows = mean.covariance.tolist()
    rate = mean.covariance.diff(symbol)
    inner = sp.diff(mean.body, symbol)
    if is_smooth(mean.body):
        inner += sp.Add(*(rate[i, j] * sp.diff(mean.body, names[i], names[j]) / 2 for i in range(n) for j in range(n)))
        return expect(inner, names, rows).value
    if n == 1:
        scaled = expect(names[0] * sp.diff(mean.body, names[0]), names, rows).value
        return rate[0, 0] / (2 * rows[0][0]) * scaled
    raise NoDerivativeError("a mean of a function with a kink")
