r"""E of a product of gates of jointly Gaussian variables, with a proven error, in any number of them.

A gate is α + β·step(x). Along R(t) = I + t(R − I) Plackett's and Schläfli's reduction is

    d/dt E ∏ g = Σ_{i<j} r_ij β_i β_j φ₂(h_i, h_j; t r_ij) E[∏_{k≠i,j} g_k | X_i = −h_i, X_j = −h_j]

(Plackett, *A reduction formula for normal multivariate integrals*, 1954): centred, four and five
gates are one integral of arcsines, six and seven two. Integrals are Gauss–Legendre sums on panels; the
error comes from a bound in the complex plane that needs no evaluation there (:func:`panel_error`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from flint import arb, arb_mat, ctx

from tpsym.gauss.balls import NAN, Ball, arcsine, normal_distribution
from tpsym.gauss.quadrature import NotRigorousError, OutOfTimeError

LEVELS = 3
"""Nested integrals that are affordable."""
DEEP_BITS = (4096, 128, 32, 20)
"""Accuracy worth asking for with so many nested integrals."""
STRIPS = tuple(1 + 2.0**-k for k in range(-2, 40))


@dataclass(frozen=True)
class Gate:
    """α + β·step(X + threshold), X of variance 1."""

    low: Ball
    jump: Ball
    threshold: Ball

    @property
    def bound(self) -> Ball:
        """The largest absolute value."""
        return abs(self.low).max(abs(self.low + self.jump)).upper()

    @property
    def mean(self) -> Ball:
        if self.threshold.is_zero():
            return self.low + self.jump / 2
        return self.low + self.jump * normal_distribution(self.threshold)


Matrix = Sequence[Sequence[Ball]]


def levels(gates: Sequence[Gate]) -> int:
    """Nested integrals that :func:`gates_mean` takes."""
    centred = all(g.threshold.is_zero() for g in gates)
    return max(0, (len(gates) - 2) // 2) if centred else len(gates) // 2


def gates_mean(gates: Sequence[Gate], r: Matrix, *, deadline: float | None = None) -> Ball:
    """E ∏ gates, X having correlations r."""
    depth = levels(gates)
    if depth > LEVELS:
        raise NotRigorousError("too many gates")
    if depth == 0:
        return elementary(gates, r)
    bits = min(ctx.prec, DEEP_BITS[depth])
    # conditional variances near the end of the path are small where R is close to singular
    with ctx.workprec(bits + 20 if Strip.of(r, 1.0).high > 1.001 else 3 * bits + 40):
        return Reduction(deadline).mean(gates, r, bits)


@dataclass(frozen=True)
class Reduction:
    """One reduction, until its deadline."""

    deadline: float | None

    def mean(self, gates: Sequence[Gate], r: Matrix, bits: int) -> Ball:
        """E ∏ gates, with an error of about 2^−bits from the sums."""
        if levels(gates) == 0:
            return elementary(gates, r)
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTimeError()
        goal = 2.0**-bits
        strip = Strip.of(r, goal)
        total = product(g.mean for g in gates)
        for far, near in panels(strip):
            error, count = panel_error(strip, far, near, gates, goal)
            middle, half, part = (arb(far) + near) / 2, (arb(far) - near) / 2, arb(0)
            for x, weight in legendre(count, ctx.prec):
                part += weight * self.slope(gates, r, 1 - middle + x * half, bits + 4)
            total += part * half + arb(0, error)
        return total + rest(strip, gates, r)

    def slope(self, gates: Sequence[Gate], r: Matrix, t: Ball, bits: int) -> Ball:
        """The derivative along the path."""
        if len(gates) == 4 and all(g.threshold.is_zero() for g in gates):
            return slope_of_four(gates, r, t)
        total = arb(0)
        for i, j in combinations(range(len(gates)), 2):
            if r[i][j].is_zero():
                continue
            a, b = gates[i], gates[j]
            left, inner = conditioned(gates, r, t, i, j)
            weight = density(a.threshold, b.threshold, t * r[i][j])
            total += r[i][j] * a.jump * b.jump * weight * self.mean(left, inner, bits)
        return total


PAIRS = tuple(((i, j), tuple(k for k in range(4) if k not in (i, j))) for i, j in combinations(range(4), 2))


def slope_of_four(gates: Sequence[Gate], r: Matrix, t: Ball) -> Ball:
    """The derivative for four centred gates: −P_kl/√(P_kk P_ll) with P = R(t)⁻¹ is the correlation given the others."""
    try:
        p = arb_mat([[x if i == j else t * x for j, x in enumerate(row)] for i, row in enumerate(r)]).inv()
    except ZeroDivisionError:
        return NAN
    scale = [1 / p[k, k].sqrt() for k in range(4)]
    total, two_pi = arb(0), 2 * arb.pi()
    for (i, j), (k, m) in PAIRS:
        if r[i][j].is_zero():
            continue
        rho = t * r[i][j]
        inner = gates[k].mean * gates[m].mean
        inner += gates[k].jump * gates[m].jump * arcsine(-p[k, m] * scale[k] * scale[m]) / two_pi
        total += r[i][j] * gates[i].jump * gates[j].jump * inner / (1 - rho * rho).sqrt()
    return total / two_pi


def product(factors: Iterator[Ball]) -> Ball:
    result = arb(1)
    for f in factors:
        result = result * f
    return result


def elementary(gates: Sequence[Gate], r: Matrix) -> Ball:
    """Up to three centred gates, or one with a threshold: products of means and asin(r)/2π."""
    total = product(g.mean for g in gates)
    for i, j in combinations(range(len(gates)), 2):
        if not r[i][j].is_zero():
            others = product(g.mean for k, g in enumerate(gates) if k not in (i, j))
            total += gates[i].jump * gates[j].jump * others * arcsine(r[i][j]) / (2 * arb.pi())
    return total


def density(h: Ball, k: Ball, rho: Ball) -> Ball:
    """The density of two standard variables of correlation rho at (h, k)."""
    left = 1 - rho * rho
    norm = 1 / (2 * arb.pi() * left.sqrt())
    if h.is_zero() and k.is_zero():
        return norm
    return norm * (-(h * h - 2 * rho * h * k + k * k) / (2 * left)).exp()


def conditioned(gates: Sequence[Gate], r: Matrix, t: Ball, i: int, j: int) -> tuple[list[Gate], Matrix]:
    """The other gates, given that X_i and X_j are at their thresholds, at the point t of the path."""
    others = [k for k in range(len(gates)) if k not in (i, j)]
    rho = t * r[i][j]
    scale = 1 / (1 - rho * rho)
    a = {k: t * r[k][i] for k in others}
    b = {k: t * r[k][j] for k in others}
    # the regression of X_k on X_i and X_j
    p = {k: (a[k] - rho * b[k]) * scale for k in others}
    q = {k: (b[k] - rho * a[k]) * scale for k in others}
    spread = {k: (1 - p[k] * a[k] - q[k] * b[k]).sqrt() for k in others}
    hi, hj = gates[i].threshold, gates[j].threshold
    left = []
    for k in others:
        shift = gates[k].threshold
        if not (hi.is_zero() and hj.is_zero()):
            shift = shift - p[k] * hi - q[k] * hj
        left.append(Gate(gates[k].low, gates[k].jump, shift if shift.is_zero() else shift / spread[k]))
    size = len(others)
    rows = [[arb(1)] * size for _ in others]
    for m, n in combinations(range(size), 2):
        u, v = others[m], others[n]
        c = t * r[u][v] - p[u] * a[v] - q[u] * b[v]
        rows[m][n] = rows[n][m] = c / (spread[u] * spread[v])
    return left, rows


# Errors -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strip:
    """R(t) has positive definite real part for low < Re t < high; no panel is shorter than ``finest``."""

    low: float
    high: float
    finest: float

    @classmethod
    def of(cls, r: Matrix, goal: float) -> Strip:
        """By Gershgorin's discs; to the right, where they say too little, by Cholesky's factorisation."""
        reach = max(sum((abs(x).upper() for j, x in enumerate(row) if j != i), arb(0)) for i, row in enumerate(r))
        disc = min(float(reach.upper()) * (1 + 2.0**-40), len(r) - 1.0) + 2.0**-40
        if disc < 0.2:
            return cls(-1 / disc, 1 / disc, 1.0)
        entries = [x for i, row in enumerate(r) for x in row[:i]]
        # what is left out near 1 is of the order of its length, of its root for correlations near ±1
        finest = goal / 64 if all(abs(x) < 0.999 for x in entries) else goal**2 / 64
        finest = max(finest, 4096 * max(float(x.rad()) for x in entries))
        return cls(-1 / disc, max(1 / disc, next((x for x in STRIPS if is_definite(r, x)), 1.0)), finest)


def is_definite(r: Matrix, t: float) -> bool:
    """Whether I + t(R − I) is proved to be positive definite."""
    size = len(r)
    factor: list[list[Ball]] = [[arb(0)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            value = (arb(1) if i == j else t * r[i][j]) - sum((factor[i][k] * factor[j][k] for k in range(j)), arb(0))
            if i == j and not value > 0:
                return False
            factor[i][j] = value.sqrt() if i == j else value / factor[j][j]
    return True


def panels(strip: Strip) -> Iterator[tuple[float, float]]:
    """Distances u = 1 − t from 1 down to 0, or near it, in panels short beside their distance to the strip's ends."""
    far = 1.0
    while far > 0:
        near = 0.0
        while reach(strip, far, near) < 0.8 * (far - near):
            near = (near + far) / 2
        if far - near < strip.finest:
            return
        yield far, near
        far = near


def reach(strip: Strip, far: float, near: float) -> float:
    """The distance from the middle of a panel to the ends of the strip."""
    middle = (far + near) / 2
    return min(1 - strip.low - middle, middle + (strip.high - 1))


def panel_error(strip: Strip, far: float, near: float, gates: Sequence[Gate], goal: float) -> tuple[Ball, int]:
    r"""The error of Gauss–Legendre on a panel with as many points as bring it below the goal, and their number.

    For complex t = x + iy the density is integrable with ∫|density| = ∏ (1 + y²λ²/(1+xλ)²)^{1/4} over the
    eigenvalues λ of R − I. With A the distance from the middle to the ends of the strip, where x is at least
    eA away from them |λ/(1+xλ)| ≤ 1/(eA). So on the ellipse of half-axes a = (1 − 2e)A and b the derivative is,
    by Cauchy's estimate on discs of radius eA, at most (1 + (b + eA)²/(eA)²)^{n/4}/(eA). A function bounded
    by M on the ellipse of parameter ρ has Chebyshev coefficients 2Mρ^{−k}; those from k = 2N on, k even, are
    each misjudged by at most 4: the error is at most 8M ρ^{−2N}/(1 − ρ^{−2}).
    """
    half, middle = (arb(far) - near) / 2, (arb(far) + near) / 2
    distance = min(1 - middle - strip.low, middle + (arb(strip.high) - 1))
    bound = product(g.bound for g in gates)
    best: tuple[Ball, int] | None = None
    for sixteenths in (1, 2, 3, 4):
        e = distance * sixteenths / 16
        ratio = (distance - 2 * e) / half
        if not ratio > 1.05:
            continue
        root = (ratio * ratio - 1).sqrt()
        rho = ratio + root
        largest = bound * ((1 + (root * half / e + 1) ** 2).log() * len(gates) / 4).exp() / e
        scale = 8 * half * largest / (1 - rho**-2)
        count = 2
        while count < 400 and not scale * rho ** (-2 * count) < goal:
            count += 1
        if best is None or count < best[1]:
            best = ((scale * rho ** (-2 * count)).upper(), count)
    assert best is not None, "panels are short beside their distance to the ends"
    return best


def rest(strip: Strip, gates: Sequence[Gate], r: Matrix) -> Ball:
    """A bound for what the panels leave out near 1, by φ₂ ≤ 1/(2π√(1 − ρ²)), whose integral is an arcsine."""
    left = min((near for _, near in panels(strip)), default=1.0)
    if left == 0:
        return arb(0)
    total = arb(0)
    for i, j in combinations(range(len(gates)), 2):
        others = product(g.bound for k, g in enumerate(gates) if k not in (i, j))
        gap = abs(arcsine(r[i][j]) - arcsine(r[i][j] * (1 - arb(left))))
        total += abs(gates[i].jump * gates[j].jump) * others * gap / (2 * arb.pi())
    return arb(0, total.upper())


@lru_cache(maxsize=1024)
def legendre(count: int, bits: int) -> tuple[tuple[Ball, Ball], ...]:
    """The points and weights of Gauss and Legendre on [−1, 1]."""
    with ctx.workprec(bits + 10):
        return tuple(arb.legendre_p_root(count, k, weight=True) for k in range(count))
