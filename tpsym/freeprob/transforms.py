"""Free cumulants from moments; R- and S-transforms from the equation, where it can be solved for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp
from sympy import Expr, Poly, Rational, Symbol

from tpsym.freeprob.curve import Curve
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.ring import ring_of
from tpsym.freeprob.stand_ins import decimal

NEAR = Rational(1, 10**6)
"""Where roots are compared with their series."""


def free_cumulants(moments: Sequence[Expr]) -> tuple[Expr, ...]:
    r"""κ_1, …, κ_k from m_0 = 1, …, m_k: :math:`m_n = \sum_{s=1}^n κ_s [t^{n-s}] M(t)^s`.

    Source: Nica and Speicher, Lectures on the Combinatorics of Free Probability, Theorem 12.5.
    """
    ring = ring_of(moments)
    m = [ring.element(x) for x in moments]
    count = len(m) - 1
    powers = [[ring.one] + [ring.zero] * count, list(m)]
    found: list[object] = []
    for n in range(1, count + 1):
        rest = m[n]
        for s in range(1, n):
            rest = rest - found[s - 1] * powers[s][n - s]
        found.append(rest)
        if n < count:
            last = powers[-1]
            powers.append([_convolved(last, m, k, ring.zero) for k in range(count + 1)])
    return tuple(ring.expression(x) for x in found)


def _convolved(a: Sequence[object], b: Sequence[object], k: int, zero: object) -> object:
    total = zero
    for i in range(k + 1):
        total = total + a[i] * b[k - i]  # type: ignore[operator]
    return total


def r_transform(curve: Curve, cumulants: Callable[[int], Sequence[Expr]], w: Expr) -> Expr:
    """``R(w) = K(w) − 1/w = Σ κ_{k+1} w^k``, K the inverse of G.

    Raises:
        Unavailable: the equation has degree three or more in z.
    """
    mark = sp.Dummy("w", positive=True)
    roots = _roots(curve.polynomial.xreplace({curve.g: mark}), curve.z, "the R-transform")
    found = [sp.expand(root - 1 / mark) for root in roots]
    series = sp.Add(*(c * mark**k for k, c in enumerate(cumulants(4))))
    return _written(_nearest(found, series, mark), mark, w)


def s_transform(curve: Curve, moments: Callable[[int], Sequence[Expr]], w: Expr) -> Expr:
    r"""``S(w) = χ(w) (1 + w)/w``, χ the inverse of :math:`ψ(t) = \sum_{k ≥ 1} m_k t^k`.

    Raises:
        Unavailable: the mean is zero, or the equation has degree three or more in z.
    """
    m = moments(2)
    if m[1] == 0:
        raise Unavailable("the S-transform needs a law whose mean is not zero")
    mark, t = sp.Dummy("w", positive=True), sp.Dummy("t")
    moved = sp.numer(sp.together(curve.polynomial.xreplace({curve.g: (1 + mark) * t, curve.z: 1 / t})))
    roots = _roots(sp.expand(moved), t, "the S-transform")
    series = 1 / m[1] - m[2] / m[1] ** 3 * mark + 1 / m[1] * mark
    return _written(_nearest([sp.cancel(r * (1 + mark) / mark) for r in roots], series, mark), mark, w)


def _written(found: Expr, mark: Symbol, w: Expr) -> Expr:
    """A factored fraction reads best; w may be any symbol."""
    if found.is_rational_function(mark):
        found = sp.factor(sp.together(found))
    return found.xreplace({mark: w})


def _roots(polynomial: Expr, x: Symbol, what: str) -> list[Expr]:
    poly = Poly(polynomial, x)
    while poly.nth(0) == 0 and poly.degree() > 1:
        poly = poly.quo(Poly(x, x))
    if poly.degree() > 2:
        raise Unavailable(f"{what} has no closed form: the equation has degree {poly.degree()} in it")
    coefficients = poly.all_coeffs()
    if len(coefficients) == 2:
        return [sp.cancel(-coefficients[1] / coefficients[0])]
    a, b, c = coefficients
    root = sp.sqrt(sp.factor(sp.expand(b**2 - 4 * a * c)))
    return [(-b + sign * root) / (2 * a) for sign in (1, -1)]


def _nearest(found: Sequence[Expr], series: Expr, mark: Symbol) -> Expr:
    """The expression with this series at zero; at a sample of the parameters."""
    if len(found) == 1:
        return found[0]
    free = sorted(set().union(*(e.free_symbols for e in found)) - {mark}, key=str)
    sample = {s: Rational(13 + 4 * i, 11) for i, s in enumerate(free)} | {mark: NEAR}
    target = decimal(series.xreplace(sample), 40)
    gaps = [abs(decimal(e.xreplace(sample), 40) - target) for e in found]
    best = min(range(len(found)), key=lambda i: gaps[i])
    others = [g for i, g in enumerate(gaps) if i != best]
    if not all(gaps[best] * 1000 < g for g in others):
        raise Unavailable("the branch of the transform could not be told from its series")
    return found[best]



