"""The normal form proves what is true, and nothing else."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy import Rational, acos, asin, atan, cos, exp, log, pi, sin, sqrt, tan, tanh

from tpsym.functions import Phi, gelu, relu, sigmoid, softplus, step, unknown
from tpsym.gauss.expectation import E, bound
from tpsym.gauss.numeric import enclose
from tpsym.verify.normal_form import UnsupportedError, is_zero, normal, normal_expression, signs

q, s, n, sigma = sp.symbols("q s n sigma", positive=True)
c, x, y, b = sp.symbols("c x y b", real=True)
t = sp.symbols("t", nonnegative=True)
L = sp.symbols("L", integer=True, positive=True)
theta = acos(c / sqrt(q * s))
u = c / sqrt((1 + q) * (1 + s))
D = (1 + q) * (1 + s) - c**2
A = (1 - q * s) / ((1 + q) * (1 + s))

IDENTITIES = {
    "one radical": (sqrt(1 - c**2 / (q * s)), sqrt(q * s - c**2) / (sqrt(q) * sqrt(s))),
    "arc-cosine": (
        sqrt(q * s) * (sin(theta) + (pi - theta) * cos(theta)) / (2 * pi),
        (sqrt(q * s - c**2) + c * (pi / 2 + asin(c / sqrt(q * s)))) / (2 * pi),
    ),
    "arc-cosine of order 2": (
        q * s * (3 * sin(theta) * cos(theta) + (pi - theta) * (1 + 2 * cos(theta) ** 2)),
        3 * c * sqrt(q * s - c**2) + (q * s + 2 * c**2) * (pi - acos(c / sqrt(q) / sqrt(s))),
    ),
    "erf slope": (
        4 / pi / sqrt((1 + 2 * q) * (1 + 2 * s) - 4 * c**2),
        4 / pi / sqrt(1 + 2 * q) / sqrt(1 + 2 * s) / sqrt(1 - 4 * c**2 / ((1 + 2 * q) * (1 + 2 * s))),
    ),
    "erf slope, diagonal": (4 / pi / sqrt((1 + 2 * q) ** 2 - 4 * q**2), 4 / pi / sqrt(1 + 4 * q)),
    "gelu": (
        c * (Rational(1, 4) + asin(u) / (2 * pi)) + (q * s + c**2 * A) / (2 * pi * sqrt(D)),
        c * (pi - acos(u)) / (2 * pi) + (q * s + c**2 * A) / (2 * pi * sqrt((1 + q) * (1 + s)) * sqrt(1 - u**2)),
    ),
    "nested": (sqrt(2 + 2 * sqrt(q)), sqrt(2) * sqrt(1 + sqrt(q))),
    "conjugate": (1 / (sqrt(q) + sqrt(s)), (sqrt(q) - sqrt(s)) / (q - s)),
    "conjugate inside": (asin(1 / (sqrt(q + 1) + sqrt(q))), asin(sqrt(q + 1) - sqrt(q))),
    "primes": (sqrt(Rational(8, 27)), 2 * sqrt(6) / 9),
    "thirds": (q ** Rational(1, 3) * sqrt(q), q ** Rational(5, 6)),
    "absolute": (sqrt(x**2 * y**2), abs(x) * abs(y)),
    "addition": (sin(x + 2 * y), sin(x) * cos(y) ** 2 - sin(x) * sin(y) ** 2 + 2 * cos(x) * sin(y) * cos(y)),
    "twelfth": (sin(pi / 12), (sqrt(6) - sqrt(2)) / 4),
    "tan atan": (tan(atan(x)), x),
    "special": (acos(sqrt(3) / 2) + asin(Rational(-1, 2)), 0 * x),
    "complement": (asin(sqrt(1 - t**2)) + asin(t), pi / 2),
    "half angle": (2 * asin(sqrt((1 - c) / 2)), acos(c)),
    "odd": (asin(x - y), -asin(y - x)),
    "supplement": (acos(-x), pi - acos(x)),
    "exponentials": (exp(x + y / 2) ** 2, exp(2 * x) * exp(y)),
    "tanh": (tanh(x), 1 - 2 / (exp(2 * x) + 1)),
    "sigmoid": (sigmoid(x), (1 + tanh(x / 2)) / 2),
    "softplus": (softplus(x) - softplus(-x), x),
    "powers": (n ** (-2 * b), (1 / n**b) ** 2),
    "depth": (sigma ** (2 * L), (sigma**2) ** L),
    "depth of two": (sqrt(2) ** (2 * L), 2**L),
    "whole powers": ((x * y) ** L * x, x ** (L + 1) * y**L),
    "logarithm": (log(q * s**2 / 6), log(q) + 2 * log(s) - log(2) - log(3)),
    "logarithm of a square": (log(x**2), 2 * log(abs(x))),
    "logarithm of a root": (log(sqrt(q) * exp(x)), log(q) / 2 + x),
    "Phi": (Phi(-x), 1 - Phi(x)),
    "Phi and erf": (gelu(x), x * (1 + sp.erf(x / sqrt(2))) / 2),
    "relu": (relu(x) - relu(-x), x),
    "step": (step(x) + step(-x), sp.sign(x) ** 2),
    "maximum": (sp.Max(x, y) + sp.Min(x, y), x + y),
}

NOT_IDENTITIES = {
    "root of a square": (sqrt(x**2), x),
    "root of a square, 2": (sqrt((x - y) ** 2), x - y),
    "asin sin": (asin(sin(x)), x),
    "acos cos": (acos(cos(x)), x),
    "log of a square": (log(x**2), 2 * log(x)),
    "power of a square": (exp(log(x**2) / 2), x),
    "fourth root": (sp.Pow(x**4, Rational(1, 4), evaluate=False), x),
    "double angle": (2 * asin(x), asin(2 * x * sqrt(1 - x**2))),
    "complement": (asin(sqrt(1 - x**2)) + asin(x), pi / 2),
    "sign of a power": (x ** (2 * L + 1), abs(x) ** (2 * L + 1)),
    "minus one": ((-1) ** L, 0 * x + 1),
    "step at zero": (step(x) + step(-x), 0 * x + 1),
    "relu": (relu(x), x),
    "constant": (sqrt(2) * sqrt(q), Rational(14142135623730951, 10**16) * sqrt(q)),
    "hidden zero below": ((sqrt(x**2) - abs(x)) / (sqrt(x**2) - abs(x)), 0 * x + 1),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_are_proved(name: str) -> None:
    left, right = IDENTITIES[name]
    assert is_zero(left - right, deadline=time.monotonic() + 5) is True


@pytest.mark.parametrize("name", NOT_IDENTITIES)
def test_what_fails_somewhere_is_not_proved(name: str) -> None:
    left, right = NOT_IDENTITIES[name]
    assert is_zero(sp.Add(left, -right, evaluate=False)) is not True


def mutations(expr: sp.Expr) -> list[sp.Expr]:
    """The expression with one constant, sign or exponent changed, or two symbols exchanged."""
    result = [expr.xreplace({q: s, s: q}) + (q - s), expr * (1 + Rational(1, 10**9)), -expr]
    for number in sorted(expr.atoms(sp.Rational), key=str):
        result.append(expr.xreplace({number: number + Rational(1, 10**6)}))
    for power in sorted(expr.atoms(sp.Pow), key=str):
        result.append(expr.xreplace({power: power.base ** (power.exp + 1)}))
    return result


@pytest.mark.parametrize("name", ["arc-cosine", "erf slope", "gelu", "nested", "thirds", "depth", "Phi and erf"])
def test_near_misses_are_not_proved(name: str) -> None:
    left, right = IDENTITIES[name]
    for wrong in mutations(right):
        point = {
            q: Fraction(3, 2),
            s: Fraction(4, 5),
            c: Fraction(1, 3),
            x: Fraction(-2, 7),
            L: 3,
            sigma: Fraction(4, 3),
        }
        values = enclose(left, point).value, enclose(wrong, point).value
        proved = is_zero(left - wrong, deadline=time.monotonic() + 2)
        assert proved is not True or values[0].overlaps(values[1]), wrong


def test_not_zero_is_only_said_of_polynomials() -> None:
    assert is_zero(x**2 - y) is False
    assert is_zero(pi * x - 3) is False
    assert is_zero(sqrt(q) - sqrt(s)) is None
    assert is_zero(x - 1, relations=[sp.Eq(x, 1)]) is True


def test_relations() -> None:
    assert is_zero(acos(c / sqrt(q * s)) - acos(c), relations=[sp.Eq(q, 1), sp.Eq(s, 1)]) is True
    assert is_zero(sqrt((1 - x) ** 2) - (1 - x)) is not True
    assert is_zero(sqrt((1 - x) ** 2) - (1 - x), relations=[x < 1]) is True
    assert is_zero(sigma**4 - 4, relations=[sp.Eq(sigma**2, 2)]) is True


def test_named_values() -> None:
    names = sp.symbols("k0:1500", positive=True)
    deep = {k: names[i - 1] / 2 + 1 for i, k in enumerate(names) if i}
    last = names[-1]
    assert is_zero((last + 1) ** 2 - last**2 - 2 * last - 1, definitions=deep) is True
    assert is_zero(2 * last - names[-2] - 2, definitions=deep) is True
    assert is_zero(names[9] - names[0] / 512 - Rational(511, 256), definitions=deep) is True
    assert is_zero(last - names[0], definitions=deep, deadline=time.monotonic() + 3) is not True


def test_expectations_are_keyed_by_body_and_covariance() -> None:
    z, w = bound(1), bound(2)
    phi = unknown("phi", 1)
    one = E(phi(z) * sp.tanh(w), [[q / q, c], [c, (s**2 - 1) / (s - 1)]])
    same = E(sp.tanh(w) * phi(z), [[1, c], [c, s + 1]])
    assert is_zero(one - same) is True
    assert is_zero(one - E(phi(w) * sp.tanh(z), [[1, c], [c, s + 1]])) is not True
    assert is_zero(E((z + w) ** 2 * phi(z), [[1, c], [c, s]]) - E((z**2 + 2 * z * w + w**2) * phi(z), [[1, c], [c, s]]))


def test_signs() -> None:
    assert signs(q / (1 + s)) == 4
    assert signs(x**2 + y**2) == 6
    assert signs(x**2 - 2 * x * y + y**2) == 6
    assert signs(x) == 7


def test_deadline_is_kept() -> None:
    many = sp.symbols("a0:12", positive=True)
    hard = sum(sqrt(a) for a in many) ** 9 * asin(1 / (1 + sum(sqrt(a) for a in many)))
    start = time.monotonic()
    assert is_zero(hard - many[0], deadline=start + 1) is not True
    assert time.monotonic() - start < 5


def test_readable() -> None:
    assert normal_expression((q**2 - 1) / (q - 1) + sqrt(8)) == q + 1 + 2 * sqrt(2)
    assert normal_expression(sp.zoo + x) == sp.zoo + x


# Random expressions -------------------------------------------------------------------------------

LEAVES = st.sampled_from([q, s, x, y, t, sp.Integer(2), sp.Integer(-1), Rational(1, 2), sp.Integer(3)])
FUNCTIONS = [
    exp, sin, cos, tanh, asin, acos, atan, abs, relu, step, Phi, sp.sign, sqrt, log, softplus,
    lambda a: a**2, lambda a: sqrt(a**2), lambda a: 1 / a, lambda a: a**L,
]  # fmt: skip
NODES = LEAVES.flatmap(lambda a: st.just(a))


def grown(inner: st.SearchStrategy[sp.Expr]) -> st.SearchStrategy[sp.Expr]:
    return st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda p: p[0](p[1])),
    )


EXPRESSIONS = st.recursive(NODES, grown, max_leaves=4).filter(lambda e: not e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I))
POINTS = [
    {q: Fraction(2), s: Fraction(1, 3), x: Fraction(-3, 4), y: Fraction(2, 5), t: Fraction(0), L: 1},
    {q: Fraction(1, 5), s: Fraction(3), x: Fraction(1, 3), y: Fraction(-5, 2), t: Fraction(1, 2), L: 2},
    {q: Fraction(1), s: Fraction(7, 2), x: Fraction(-4), y: Fraction(0), t: Fraction(3), L: 3},
    {q: Fraction(1, 2), s: Fraction(1, 2), x: Fraction(0), y: Fraction(-1, 7), t: Fraction(1), L: 2},
]
CAREFUL = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@CAREFUL
@given(EXPRESSIONS)
def test_the_normal_form_has_the_values_of_the_expression(e: sp.Expr) -> None:
    try:
        form = normal(e, deadline=time.monotonic() + 2)
    except UnsupportedError:
        return
    for point in POINTS:
        before, after = enclose(e, point), enclose(form.expr, point)
        if before.known and after.known:
            assert before.value.overlaps(after.value), (e, form.expr, point)


@CAREFUL
@given(EXPRESSIONS, EXPRESSIONS)
def test_order_does_not_matter(e: sp.Expr, f: sp.Expr) -> None:
    try:
        one = normal(sp.Add(e, f, evaluate=False) * sp.Integer(2), deadline=time.monotonic() + 2)
        two = normal(sp.Add(f, f, e, e, evaluate=False), deadline=time.monotonic() + 2)
    except UnsupportedError:
        return
    assert one.key == two.key


@CAREFUL
@given(EXPRESSIONS)
def test_twice_is_once(e: sp.Expr) -> None:
    try:
        once = normal(e, deadline=time.monotonic() + 2)
        twice = normal(once.expr, deadline=time.monotonic() + 2)
    except UnsupportedError:
        return
    assert is_zero(once.expr - twice.expr, deadline=time.monotonic() + 2) is True


@CAREFUL
@given(EXPRESSIONS, EXPRESSIONS)
def test_zero_is_zero_everywhere(e: sp.Expr, f: sp.Expr) -> None:
    difference = sp.expand((e + f) ** 2) - e**2 - f**2 - 2 * e * f
    if is_zero(difference, deadline=time.monotonic() + 2):
        for point in POINTS:
            value = enclose(difference, point, bits=200)
            assert not value.known or value.value.contains(0)


def test_two_recursions_are_compared_layer_by_layer() -> None:
    layers = 40
    one, two = sp.symbols(f"a0:{layers}", real=True), sp.symbols(f"b0:{layers}", real=True)

    def angle(rho: sp.Expr) -> sp.Expr:
        return (sin(acos(rho)) + (pi - acos(rho)) * rho) / pi

    def arcsine(rho: sp.Expr) -> sp.Expr:
        return (sqrt(1 - rho**2) + rho * (pi / 2 + asin(rho))) / pi

    definitions = {a: angle(one[i - 1] if i else c) for i, a in enumerate(one)}
    definitions |= {a: arcsine(two[i - 1] if i else c) for i, a in enumerate(two)}
    assert is_zero(one[-1] - two[-1], definitions=definitions, deadline=time.monotonic() + 10) is True
    wrong = {**definitions, two[5]: arcsine(two[4]) + Rational(1, 10**9)}
    assert is_zero(one[-1] - two[-1], definitions=wrong, deadline=time.monotonic() + 2) is not True
