"""Maps of fully connected networks for the tests, and the same maps iterated in mpmath from textbook formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mpmath as mp
import sympy as sp

from tpsym import functions as fn
from tpsym.gauss import expect
from tpsym.results.meanfield_maps import LayerMaps
from tpsym.results.meanfield_values import Quantity

u, v = sp.symbols("u v", real=True)
q = sp.Symbol("q", nonnegative=True)
c = sp.Symbol("c", real=True)
a = sp.Symbol("a", real=True)
sw = sp.Symbol("sigma_w", positive=True)
sb = sp.Symbol("sigma_b", nonnegative=True)

PHI: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "relu": fn.relu,
    "leaky": lambda z: fn.leaky_relu(z, a),
    "abs": sp.Abs,
    "erf": sp.erf,
    "gelu": fn.gelu,
    "tanh": sp.tanh,
    "softplus": fn.softplus,
    "sin": sp.sin,
    "cos": sp.cos,
    "linear": lambda z: z,
    "square": lambda z: z**2,
    "step": fn.step,
    "relu tanh": lambda z: fn.relu(z) * sp.tanh(z),
}


@cache
def network(name: str) -> LayerMaps:
    """A fully connected layer with weights of variance σ_w²/n and biases of variance σ_b²."""
    phi = PHI[name]
    pair = [[q, q * c], [q * c, q]]
    slope = sp.diff(phi(u), u)
    return LayerMaps(
        q=q,
        c=c,
        variance=sw**2 * expect(phi(u) ** 2, [u], [[q]]).value + sb**2,
        covariance=sw**2 * expect(phi(u) * phi(v), [u, v], pair).value + sb**2,
        slope=sw**2 * expect(slope * slope.xreplace({u: v}), [u, v], pair).value,
        parameters={sw: sp.sqrt(2), sb: sp.S.Zero},
    )


def at(weight: sp.Expr | str, bias: sp.Expr | str) -> dict[sp.Symbol, sp.Expr]:
    """The setting with these variances."""
    first, second = (sp.Rational(x) if isinstance(x, str) else sp.S(x) for x in (weight, bias))
    return {sw: sp.sqrt(first), sb: sp.sqrt(second)}


def number(quantity: Quantity | None) -> mp.mpf:
    """The decimals of a quantity that is known for certain."""
    assert quantity is not None
    assert quantity.number.rigorous
    return mp.mpf(quantity.text(25))


Kernel = Callable[[mp.mpf, mp.mpf], mp.mpf]
"""E φ(z₁)φ(z₂) or E φ'(z₁)φ'(z₂) as a function of the variance and 1 − correlation."""


def relu_kernel(variance: mp.mpf, gap: mp.mpf) -> mp.mpf:
    angle = 2 * mp.asin(mp.sqrt(gap / 2))
    return variance * (mp.sin(angle) + (mp.pi - angle) * mp.cos(angle)) / (2 * mp.pi)


def relu_slope(variance: mp.mpf, gap: mp.mpf) -> mp.mpf:
    return (mp.pi - 2 * mp.asin(mp.sqrt(gap / 2))) / (2 * mp.pi)


def erf_kernel(variance: mp.mpf, gap: mp.mpf) -> mp.mpf:
    return 2 / mp.pi * mp.asin(2 * variance * (1 - gap) / (1 + 2 * variance))


def erf_slope(variance: mp.mpf, gap: mp.mpf) -> mp.mpf:
    return 4 / mp.pi / mp.sqrt((1 + 2 * variance) ** 2 - 4 * (variance * (1 - gap)) ** 2)


KERNELS: dict[str, tuple[Kernel, Kernel]] = {"relu": (relu_kernel, relu_slope), "erf": (erf_kernel, erf_slope)}


def iterated(
    name: str, weight: mp.mpf, bias: mp.mpf, depth: int, *, variance: mp.mpf, gap: mp.mpf
) -> tuple[mp.mpf, mp.mpf, mp.mpf, mp.mpf]:
    """(q, 1 − ρ, Θ(x, x), Θ(x, y)) after ``depth`` layers."""
    kernel, slope = KERNELS[name]
    zero = mp.mpf(0)
    diagonal, other = variance, variance * (1 - gap)
    for _ in range(depth):
        following = weight * kernel(variance, zero) + bias
        covariance = weight * kernel(variance, gap) + bias
        diagonal = following + weight * slope(variance, zero) * diagonal
        other = covariance + weight * slope(variance, gap) * other
        variance, gap = following, 1 - covariance / following
    return variance, gap, diagonal, other
