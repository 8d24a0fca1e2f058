"""Every kernel of the reference table comes out of the rules, against quadrature and as a formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import sympy as sp
from gauss_oracle import compiled, mean1, mean2, number
from sympy import Rational, cos, erf, exp, sin, sinh, sqrt

from tpsym.functions import Phi, gelu, hermite, leaky_relu, relu, sigmoid, silu, softplus, step
from tpsym.gauss import E, expect

q, s = sp.symbols("q s", positive=True)
c, a = sp.symbols("c a", real=True)
u, v = sp.symbols("u v", real=True)
COVARIANCE = [[q, c], [c, s]]

TRIPLES = [
    (1.0, 0.5, 1.0),
    (1.7, -0.9, 0.8),
    (0.3, 0.2, 2.5),
    (1.0, 0.99999, 1.0),
    (2.0, -1.2649, 0.8),
    (1e-3, 0, 4),
]

KERNELS: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "identity": lambda z: z,
    "relu": relu,
    "leaky": lambda z: leaky_relu(z, Rational(1, 5)),
    "abs": sp.Abs,
    "step": step,
    "sign": sp.sign,
    "erf": erf,
    "Phi": Phi,
    "gelu": gelu,
    "exp": exp,
    "sin": sin,
    "cos": cos,
    "bump": lambda z: exp(-(z**2) / (2 * Rational(3, 2) ** 2)),
    "cube": lambda z: z**3,
    "fourth": lambda z: z**4,
    "relu squared": lambda z: relu(z) ** 2,
    "relu cubed": lambda z: relu(z) ** 3,
    "He3": lambda z: hermite(sp.Integer(3), z),
    "tanh": sp.tanh,
    "sigmoid": sigmoid,
    "silu": silu,
    "softplus": softplus,
    "relu shifted": lambda z: relu(z) - Rational(1, 3),
    "elu-like": lambda z: relu(z) + (exp(z) - 1) * step(-z),
    "z erf": lambda z: z * erf(z),
    "z sin": lambda z: z * sin(z),
}
CLOSED = [k for k in KERNELS if k not in ("tanh", "sigmoid", "silu", "softplus", "elu-like")]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("triple", TRIPLES, ids=str)
def test_kernel_against_quadrature(name: str, triple: tuple[float, float, float]) -> None:
    phi = KERNELS[name]
    value = expect(phi(u) * phi(v), (u, v), COVARIANCE).value
    f = compiled(phi(u) * phi(v), (u, v))
    exact = mean2(f, *triple)
    assert number(value, dict(zip((q, c, s), triple, strict=True))) == pytest.approx(exact, rel=2e-9, abs=2e-10)


@pytest.mark.parametrize("name", KERNELS)
def test_one_variable_against_quadrature(name: str) -> None:
    phi = KERNELS[name]
    for variance in (0.01, 1.0, 2.7):
        for integrand in (phi(u), phi(u) ** 2, u * phi(u)):
            value = expect(integrand, (u,), [[q]]).value
            exact = mean1(compiled(integrand, (u,)), variance)
            assert number(value, {q: variance}) == pytest.approx(exact, rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("name", CLOSED)
def test_price(name: str) -> None:
    """∂V/∂c = E[φ'(u) φ'(v)], as numbers; the derivative kernel is derived, not differentiated."""
    phi = KERNELS[name]
    kernel = expect(phi(u) * phi(v), (u, v), COVARIANCE).value
    derivative = expect(sp.diff(phi(u), u) * sp.diff(phi(v), v), (u, v), COVARIANCE).value
    for triple in TRIPLES[:3]:
        at = dict(zip((q, c, s), triple, strict=True))
        assert number(sp.diff(kernel, c), at) == pytest.approx(number(derivative, at), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_no_atom_left(name: str) -> None:
    phi = KERNELS[name]
    assert not expect(phi(u) * phi(v), (u, v), COVARIANCE).value.atoms(E)


rho = c / (sqrt(q) * sqrt(s))
theta = sp.acos(rho)
D = (1 + q) * (1 + s) - c**2
A = (1 - q * s) / ((1 + q) * (1 + s))
TABLE = {
    "relu": sqrt(q * s) * (sp.sin(theta) + (sp.pi - theta) * rho) / (2 * sp.pi),
    "abs": 2 / sp.pi * sqrt(q * s) * (sp.sin(theta) + rho * sp.asin(rho)),
    "step": (sp.pi - theta) / (2 * sp.pi),
    "sign": 2 / sp.pi * sp.asin(rho),
    "erf": 2 / sp.pi * sp.asin(2 * c / sqrt((1 + 2 * q) * (1 + 2 * s))),
    "Phi": Rational(1, 4) + sp.asin(c / sqrt((1 + q) * (1 + s))) / (2 * sp.pi),
    "gelu": c * (Rational(1, 4) + sp.asin(c / sqrt((1 + q) * (1 + s))) / (2 * sp.pi))
    + (q * s + c**2 * A) / (2 * sp.pi * sqrt(D)),
    "exp": exp((q + s) / 2 + c),
    "sin": exp(-(q + s) / 2) * sinh(c),
    "cos": exp(-(q + s) / 2) * sp.cosh(c),
    "bump": Rational(9, 4) / sqrt((Rational(9, 4) + q) * (Rational(9, 4) + s) - c**2),
    "cube": 9 * c * q * s + 6 * c**3,
    "relu squared": q * s * (3 * sp.sin(theta) * rho + (sp.pi - theta) * (1 + 2 * rho**2)) / (2 * sp.pi),
}


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    phi = KERNELS[name]
    value = expect(phi(u) * phi(v), (u, v), COVARIANCE).value
    for triple in TRIPLES[:3]:
        at = dict(zip((q, c, s), map(Rational, triple), strict=True))
        assert abs(sp.N((value.doit() - TABLE[name]).subs(at), 30)) < 1e-25


def test_forms_as_written() -> None:
    """The closed forms read as a person would write them."""
    value = expect(relu(u) * relu(v), (u, v), COVARIANCE).value
    assert value == sqrt(q * s - c**2) / (2 * sp.pi) + c / 4 + c * sp.asin(rho) / (2 * sp.pi)
    assert expect(relu(u) ** 2, (u,), [[q]]).value == q / 2
    diagonal = q / 4 + q * sp.asin(q / (1 + q)) / (2 * sp.pi) + q**2 / (sp.pi * (1 + q) * sqrt(1 + 2 * q))
    assert expect(gelu(u) ** 2, (u,), [[q]]).value == diagonal
    assert expect(cos(u) * cos(v), (u, v), COVARIANCE).value == exp(-q / 2 - s / 2) * sp.cosh(c)
    assert expect(gelu(u), (u,), [[q]]).value == q / (sqrt(2) * sqrt(sp.pi) * sqrt(1 + q))
    assert expect(relu(u) * v, (u, v), COVARIANCE).value == c / 2
    assert expect(sp.diff(relu(u), u) * sp.diff(relu(v), v), (u, v), COVARIANCE).value == (
        Rational(1, 4) + sp.asin(rho) / (2 * sp.pi)
    )
    for k in range(5):
        hermites = hermite(sp.Integer(k), u) * hermite(sp.Integer(k), v)
        assert expect(hermites, (u, v), [[1, c], [c, 1]]).value == math.factorial(k) * c**k
    assert expect(hermite(sp.Integer(3), u) * hermite(sp.Integer(5), v), (u, v), [[1, c], [c, 1]]).value == 0
