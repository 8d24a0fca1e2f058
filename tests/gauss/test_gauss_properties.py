"""What holds for every integrand: symmetry, linearity, scaling, Stein, Price, independence."""

from __future__ import annotations

import pytest
import sympy as sp
from gauss_oracle import compiled, mean2, number
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Abs, Rational, erf, exp, sin, sqrt, tanh

from tpsym.functions import Phi, gelu, relu, sigmoid, softplus, step, unknown
from tpsym.gauss import E, expect

q, s, t = sp.symbols("q s t", positive=True)
c, d, e = sp.symbols("c d e", real=True)
u, v, w = sp.symbols("u v w", real=True)
ROWS = [[q, c], [c, s]]
SYMBOLS = (q, c, s)
SETTINGS = settings(max_examples=25, deadline=None, derandomize=True)

FUNCTIONS = [
    relu,
    step,
    Abs,
    sp.sign,
    erf,
    Phi,
    gelu,
    tanh,
    sigmoid,
    softplus,
    unknown("phi", 1),
    sin,
    lambda z: z,
    lambda z: z**2,
    lambda z: exp(z / 2),
    lambda z: exp(-(z**2)),
]
CLOSED = [
    relu,
    Abs,
    erf,
    Phi,
    gelu,
    step,
    lambda z: z,
    lambda z: z**2,
    lambda z: exp(z / 2),
    lambda z: exp(-(z**2)),
]
numbers = st.fractions(min_value=-1, max_value=1, max_denominator=8).map(lambda x: Rational(x.numerator, x.denominator))
functions = st.sampled_from(FUNCTIONS)
closed = st.sampled_from(CLOSED)


@st.composite
def covariances(draw: st.DrawFn) -> tuple[Rational, Rational, Rational]:
    """Variances in (0, 3], correlation at most 0.95."""
    a, b = (Rational(draw(st.integers(1, 12)), 4) for _ in range(2))
    return a, sp.nsimplify(draw(st.integers(-19, 19)) / 20) * sp.Min(a, b), b


def agree(left: sp.Expr, right: sp.Expr) -> bool:
    """Equal once expanded."""
    return bool(sp.expand(left - right) == 0)


@SETTINGS
@given(functions, functions)
def test_order_of_variables(f: object, g: object) -> None:
    one = expect(f(u) * g(v), (u, v), ROWS).value
    assert one == expect(f(u) * g(v), (v, u), [[s, c], [c, q]]).value
    assert one == expect(g(w) * f(d), (d, w), ROWS).value


@SETTINGS
@given(functions, functions, numbers, numbers)
def test_linearity(f: object, g: object, a: Rational, b: Rational) -> None:
    both = expect(a * f(u) * g(v) + b * f(v) + d, (u, v), ROWS).value
    parts = a * expect(f(u) * g(v), (u, v), ROWS).value + b * expect(f(v), (v,), [[s]]).value + d
    assert agree(both, parts)


@SETTINGS
@given(functions, functions, functions)
def test_independence(f: object, g: object, h: object) -> None:
    rows = [[q, c, 0], [c, s, 0], [0, 0, t]]
    whole = expect(f(u) * g(v) * h(w), (u, v, w), rows).value
    parts = expect(f(u) * g(v), (u, v), ROWS).value * expect(h(w), (w,), [[t]]).value
    assert agree(whole, parts)


@SETTINGS
@given(functions, functions, st.integers(1, 4))
def test_scaling(f: object, g: object, k: int) -> None:
    scaled = expect(f(k * u) * g(v), (u, v), ROWS).value
    direct = expect(f(u) * g(v), (u, v), [[k**2 * q, k * c], [k * c, s]]).value
    assert number_or_same(scaled, direct)


def number_or_same(left: sp.Expr, right: sp.Expr) -> bool:
    """Equal as expressions in their atoms, up to rounding in the closed parts."""
    atoms = {a: sp.Symbol(f"atom{i}") for i, a in enumerate(sorted(left.atoms(E) | right.atoms(E), key=str))}
    difference = (left - right).xreplace(atoms)
    at = {q: 0.9, c: 0.4, s: 1.3}
    values = [difference.xreplace(dict.fromkeys(atoms.values(), sp.Integer(k))) for k in (0, 1, 2)]
    return all(abs(number(x, at)) < 1e-12 for x in values)


@SETTINGS
@given(functions, functions)
def test_stein(f: object, g: object) -> None:
    """E[u f(u) g(v)] = q E[f' g] + c E[f g']."""
    left = expect(u * f(u) * g(v), (u, v), ROWS).value
    first, second = sp.diff(f(u), u) * g(v), f(u) * sp.diff(g(v), v)
    if first.has(sp.Derivative, sp.Subs, sp.DiracDelta) or second.has(sp.Derivative, sp.Subs, sp.DiracDelta):
        return
    right = q * expect(first, (u, v), ROWS).value + c * expect(second, (u, v), ROWS).value
    assert number_or_same(left, right)


@SETTINGS
@given(closed, closed, covariances())
def test_price(f: object, g: object, triple: tuple[Rational, Rational, Rational]) -> None:
    """∂E/∂c = E[f' g'] (Price 1958)."""
    kernel = expect(f(u) * g(v), (u, v), ROWS).value
    slope = expect(sp.diff(f(u), u) * sp.diff(g(v), v), (u, v), ROWS).value
    at = dict(zip(SYMBOLS, triple, strict=True))
    assert number(sp.diff(kernel, c), at) == pytest.approx(number(slope, at), rel=1e-9, abs=1e-11)


@SETTINGS
@given(closed, closed, covariances())
def test_numbers_and_symbols_agree(f: object, g: object, triple: tuple[Rational, Rational, Rational]) -> None:
    generic = expect(f(u) * g(v), (u, v), ROWS).value
    a, b, z = triple
    special = expect(f(u) * g(v), (u, v), [[a, b], [b, z]]).value
    value = number(generic, dict(zip(SYMBOLS, triple, strict=True)))
    assert value == pytest.approx(number(special), rel=1e-11, abs=1e-12)


pieces = st.sampled_from([u, v, relu(u), relu(v), step(u + v), Abs(u - v), erf(v), exp(u / 3), Phi(u - v), u * v])


@SETTINGS
@given(st.lists(pieces, min_size=2, max_size=4), covariances())
def test_products_against_quadrature(factors: list[sp.Expr], triple: tuple[Rational, Rational, Rational]) -> None:
    integrand = sp.Mul(*factors)
    value = number(expect(integrand, (u, v), ROWS).value, dict(zip(SYMBOLS, triple, strict=True)))
    exact = mean2(compiled(integrand, (u, v)), *map(float, triple), kinks=lambda x: [0 * x, x, -x])
    assert value == pytest.approx(exact, rel=1e-8, abs=1e-9)


@SETTINGS
@given(st.lists(st.sampled_from([u, v, w, u + v, v - 2 * w]), min_size=2, max_size=6))
def test_moments_are_those_of_the_generating_function(factors: list[sp.Expr]) -> None:
    """E p(z) = p(∂) e^{a'Ca/2} at a = 0."""
    rows = sp.Matrix([[q, c, d], [c, s, e], [d, e, t]])
    a = sp.Matrix(sp.symbols("a1:4"))
    quadratic = sp.expand((a.T * rows * a)[0] / 2)
    order = len(factors)
    series = quadratic ** (order // 2) / sp.factorial(order // 2) if order % 2 == 0 else sp.S.Zero
    for factor in factors:
        series = sp.expand(sum(factor.coeff(z) * sp.diff(series, y) for z, y in zip((u, v, w), a, strict=True)))
    value = expect(sp.Mul(*factors), (u, v, w), rows.tolist()).value
    assert agree(value, series.xreplace(dict.fromkeys(a, sp.S.Zero)))


@SETTINGS
@given(closed, st.sampled_from([relu, erf, tanh, lambda z: z]), covariances())
def test_roots_of_parameters(f: object, g: object, triple: tuple[Rational, Rational, Rational]) -> None:
    """√q·x and √s·(ρx + √(1−ρ²) y) with independent x, y give the same mean."""
    a, b, z = triple
    rho = b / sqrt(a * z)
    second = sqrt(z) * (rho * u + sqrt(1 - rho**2) * v)
    made = expect(f(sqrt(a) * u) * g(second), (u, v), [[1, 0], [0, 1]]).value
    direct = expect(f(u) * g(v), (u, v), [[a, b], [b, z]]).value
    assert number(made) == pytest.approx(number(direct), rel=1e-10, abs=1e-11)
