"""E φ(z)φ(w) and E φ'(z)φ'(w) for Gaussians of variances q, s and covariance c, to thirty digits.

Closed forms copied from the literature (Cho and Saul 2009, Williams 1996 and what follows from them by
differentiation in c), not derived here; :func:`by_quadrature` integrates the definition.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import mpmath
import numpy as np

mp = mpmath.MPContext()
mp.dps = 30

Number = mpmath.mpf
Dual = Callable[[Number, Number, Number], tuple[Number, Number]]


def cosine(q: Number, c: Number, s: Number) -> Number:
    return max(min(c / mp.sqrt(q * s), mp.mpf(1)), mp.mpf(-1))


def relu(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    theta = mp.acos(cosine(q, c, s))
    bracket = mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)
    return mp.sqrt(q * s) * bracket / (2 * mp.pi), (mp.pi - theta) / (2 * mp.pi)


def leaky(slope: Number) -> Dual:
    def dual(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
        value, derivative = relu(q, c, s)
        return (1 - slope) ** 2 * value + slope * c, (1 - slope) ** 2 * derivative + slope

    return dual


def absolute(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    rho = cosine(q, c, s)
    value = 2 / mp.pi * mp.sqrt(q * s) * (mp.sqrt(1 - rho**2) + rho * mp.asin(rho))
    return value, 2 / mp.pi * mp.asin(rho)


def sign(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    """The derivative is the mean of the distributions 4 δ(z)δ(w), infinite at equal arguments."""
    left = q * s - c**2
    return 2 / mp.pi * mp.asin(cosine(q, c, s)), 2 / (mp.pi * mp.sqrt(left)) if left > 0 else mp.inf


def erf(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    product = (1 + 2 * q) * (1 + 2 * s)
    return 2 / mp.pi * mp.asin(2 * c / mp.sqrt(product)), 4 / mp.pi / mp.sqrt(product - 4 * c**2)


def gelu(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    product = (1 + q) * (1 + s)
    left, a = product - c**2, (1 - q * s) / product
    orthant = mp.mpf(1) / 4 + mp.asin(c / mp.sqrt(product)) / (2 * mp.pi)
    inner = q * s + c**2 * a
    value = c * orthant + inner / (2 * mp.pi * mp.sqrt(left))
    slope = c * (1 + 2 * a) / (2 * mp.pi * mp.sqrt(left)) + c * inner / (2 * mp.pi * left ** mp.mpf(1.5))
    return value, orthant + slope


def exponential(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    value = mp.exp((q + s) / 2 + c)
    return value, value


def sine(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    damping = mp.exp(-(q + s) / 2)
    return damping * mp.sinh(c), damping * mp.cosh(c)


def cosinus(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    damping = mp.exp(-(q + s) / 2)
    return damping * mp.cosh(c), damping * mp.sinh(c)


def bump(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
    """exp(-z²/2)."""
    left = (1 + q) * (1 + s) - c**2
    return 1 / mp.sqrt(left), c / left ** mp.mpf(1.5)


def monomial(m: int) -> Dual:
    def value(m: int, q: Number, c: Number, s: Number) -> Number:
        return mp.fsum(
            mp.factorial(k) * (comb(m, k) * mp.fac2(m - k - 1)) ** 2 * c**k * (q * s) ** ((m - k) // 2)
            for k in range(m % 2, m + 1, 2)
        )

    return lambda q, c, s: (value(m, q, c, s), m**2 * value(m - 1, q, c, s))


def hermite(m: int) -> Dual:
    """He_m of variables of variance one."""

    def dual(q: Number, c: Number, s: Number) -> tuple[Number, Number]:
        assert mp.almosteq(q, 1, 1e-20)
        assert mp.almosteq(s, 1, 1e-20)
        return mp.factorial(m) * c**m, m**2 * mp.factorial(m - 1) * c ** (m - 1)

    return dual


DUALS: dict[str, Dual] = {
    "relu(z)": relu,
    "leaky_relu(z, 1/5)": leaky(mp.mpf(1) / 5),
    "abs(z)": absolute,
    "erf(z)": erf,
    "gelu(z)": gelu,
    "sin(z)": sine,
    "cos(z)": cosinus,
    "exp(-z^2/2)": bump,
    "exp(z)": exponential,
    "sign(z)": sign,
    "z^2": monomial(2),
    "z^3": monomial(3),
    "hermite(3, z)": hermite(3),
    "hermite(4, z)": hermite(4),
}
"""By the nonlinearity as the language writes it."""


def by_quadrature(
    f: Callable[[np.ndarray], np.ndarray], q: float, c: float, s: float, *, pieces: int = 40, order: int = 24
) -> float:
    """E f(z)f(w) by composite Gauss-Legendre rules on both sides of the kinks z = 0 and w = 0."""
    nodes, weights = np.polynomial.legendre.leggauss(order)

    def rule(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
        edges = np.linspace(a, b, pieces + 1)
        half = np.diff(edges)[:, None] / 2
        return ((edges[:-1, None] + half) + half * nodes).ravel(), (half * weights).ravel()

    total, spread, slope = 0.0, np.sqrt(s - c**2 / q), c / np.sqrt(q)
    for lower, upper in ((-12.0, 0.0), (0.0, 12.0)):
        for u, weight in zip(*rule(lower, upper), strict=True):
            kink = float(np.clip(-slope * u / spread, -12, 12))
            for a, b in ((-12.0, kink), (kink, 12.0)):
                v, inner = rule(a, b)
                values = f(slope * u + spread * v) * np.exp(-(v**2) / 2)
                total += weight * float(f(np.array([np.sqrt(q) * u]))[0]) * np.exp(-(u**2) / 2) * float(inner @ values)
    return total / (2 * np.pi)
