"""Powers with integer symbols in their exponents: proofs, refutations and where they stop; sums over layers."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sympy import Abs, Expr, Integer, Rational, S, Sum, Symbol, exp, sqrt

from tpsym.gauss.numeric import enclose
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.domain import Domain, points
from tpsym.verify.normal_form import is_zero, signs
from tpsym.verify.whole import lower_bounds

ell, L, k = sp.symbols("l L k", positive=True, integer=True)
n = Symbol("n", nonnegative=True, integer=True)
j = Symbol("j", integer=True)
sigma, alpha, a, d = sp.symbols("sigma alpha a d", positive=True)
dot, b = sp.symbols("dot b", nonnegative=True)
x, y = sp.symbols("x y", real=True)
z = Symbol("z", real=True, nonzero=True)
CAREFUL = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def judged(lhs: Expr, rhs: Expr, *conditions: sp.Basic, relation: str = "==") -> Verdict:
    return decide(lhs, relation, rhs, domain=Domain(conditions=conditions), seconds=10)


# --- positive bases --------------------------------------------------------------------------------

POSITIVE = {
    "depth": (dot / d * (sigma**2 / 2) ** (L - 1) * sigma**2 / 2, sigma ** (2 * L) * dot / d / 2**L),
    "geometric sum": ((a ** (ell - 1) - 1) / (a - 1) * a + 1, (a**ell - 1) / (a - 1)),
    "residual": ((1 + alpha**2 / (2 * L)) ** (ell - 1) * (2 * L + alpha**2), 2 * L * (1 + alpha**2 / (2 * L)) ** ell),
    "polynomial times power": (ell * 2**-ell + ell * 2**-ell, ell * 2 ** (1 - ell)),
    "primes": (4**ell + 6**ell, 2 ** (2 * ell) + 2**ell * 3**ell),
    "quotients": (Rational(9, 8) ** ell, 3 ** (2 * ell) / 2 ** (3 * ell)),
    "exponentials": (exp(ell * x) * exp(x), exp((ell + 1) * x)),
    "two symbols": (sigma ** (L - ell) * sigma**ell, sigma**L),
    "roots": (sqrt(sigma) ** (2 * ell), sigma**ell),
    "squares of exponents": (a ** (ell**2 - 1), (a ** (ell - 1)) ** (ell + 1)),
    "sum of squares": ((1 + x**2) ** (ell + 1), (1 + x**2) ** ell * (x**2 + 1)),
}


@pytest.mark.parametrize("name", POSITIVE)
def test_positive_bases(name: str) -> None:
    lhs, rhs = POSITIVE[name]
    assert judged(lhs, rhs).kind == "proved"
    assert judged(lhs, rhs * (1 + Rational(1, 10**9))).kind == "refuted"
    assert judged(lhs, rhs * 2**ell / 2).kind == "refuted"


# --- bases that may vanish or be negative ----------------------------------------------------------

OTHER = {
    "one step": (b ** (ell - 1) * b, b**ell),
    "one step, any sign": (x ** (ell - 1) * x, x**ell),
    "doubling": (b ** (ell - 1) * b ** (ell + 1), b ** (2 * ell)),
    "even power": ((x**2) ** ell, x ** (2 * ell)),
    "root": (sqrt(b) ** (2 * ell - 1) * sqrt(b), b**ell),
    "root of a power": (sqrt(b**ell * a), b ** (ell / 2) * sqrt(a)),
    "modulus": (Abs(x) ** (2 * ell + 1), Abs(x) * x ** (2 * ell)),
    "product": ((x * y) ** ell, x**ell * y**ell),
    "quotient": ((x / y) ** (ell - 1), x ** (ell - 1) * y ** (1 - ell)),
    "sign": ((-x) ** ell, (-1) ** ell * x**ell),
    "difference": ((x - y) ** ell, (-1) ** ell * (y - x) ** ell),
    "parity": ((-1) ** (ell - 1), (-1) ** (ell + 1)),
    "squared sign": (((-1) ** ell) ** 2 * x, x),
    "nonzero": (z ** (ell - 5), z**ell / z**5),
    "geometric sum": (1 + (b - 1) * ((b - 1) ** (ell - 1) - 1) / (b - 2), ((b - 1) ** ell - 1) / (b - 2)),
    "base of the index": ((ell - 1) ** ell, (ell - 1) * (ell - 1) ** (ell - 1)),
    "nonnegative exponent": (x**n * x, x ** (n + 1)),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_bases(name: str) -> None:
    lhs, rhs = OTHER[name]
    assert judged(lhs, rhs).kind == "proved"
    assert judged(lhs, rhs + Rational(1, 10**9)).kind == "refuted"
    assert judged(lhs, 2 * rhs).kind in ("refuted", "undecided")


WRONG = {
    "one layer": (sigma ** (L - 1), sigma**L / 2),
    "odd power of a modulus": (x ** (2 * ell - 1), Abs(x) ** (2 * ell - 1)),
    "half of an exponent": (sp.Pow(x**2, ell / 2, evaluate=False), x**ell),
    "factor": (ell * 2**-ell, ell * 2 ** (1 - ell)),
    "powers of zero and one": (b**n, b ** (n + 1)),
    "zero": (S.Zero ** (ell - 1), S.Zero),
    "linear": ((1 + b) ** L, 1 + L * b),
    "sign": ((-1) ** ell, S.One),
    "square of the exponent": (x ** (ell**2), x**ell),
    "depth and layer": (sigma**L, sigma**ell),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_claims_are_refuted_at_whole_numbers(name: str) -> None:
    lhs, rhs = WRONG[name]
    verdict = judged(lhs, rhs)
    assert verdict.kind == "refuted"
    assert verdict.witness is not None
    for symbol, value in verdict.witness.items():
        if symbol.is_integer:
            assert value.denominator == 1
            assert value >= (1 if symbol.is_positive else 0)
    left, right = enclose(lhs, verdict.witness), enclose(rhs, verdict.witness)
    assert not left.value.overlaps(right.value)


def test_the_empty_power_of_zero_is_one() -> None:
    at_zero = sp.Eq(b, 0)
    assert judged(b**n, S.Zero, at_zero).kind == "refuted"
    assert judged(b**n, S.One, at_zero).kind == "refuted"
    assert judged(b**ell, S.Zero, at_zero).kind == "proved"
    assert judged((x - 1) ** (ell + 1), S.Zero, sp.Eq(x, 1)).kind == "proved"
    assert judged((x - 1) ** (ell - 1), S.Zero, sp.Eq(x, 1)).kind == "refuted"


def test_negative_exponents_are_not_split_where_the_base_may_vanish() -> None:
    """x^(l - 2) x^2 = x^l only where x^(l - 2) is defined: not a matter of normal forms."""
    assert judged(x ** (ell - 2) * x**2, x**ell).kind == "checked"
    assert judged(x ** (ell - 2) * x**2, x**ell, ell >= 2).kind == "proved"


# --- conditions ------------------------------------------------------------------------------------


def test_conditions_bound_exponents() -> None:
    assert judged(b ** (L - ell) * b**ell, b**L).kind != "proved"
    assert judged(b ** (L - ell) * b**ell, b**L, ell <= L).kind == "proved"
    assert judged(x ** (L - ell - 1) * x ** (ell + 1), x**L, ell < L).kind == "proved"
    assert judged(x ** (k - ell) * x ** (L - k), x ** (L - ell), ell <= k, k <= L).kind == "proved"


def test_conditions_decide_signs() -> None:
    assert judged(Abs(ell - 2), ell - 2, ell >= 2).kind == "proved"
    assert judged(Abs(ell - 2), ell - 2).kind == "refuted"
    assert judged(sqrt((L - ell) ** 2), L - ell, ell <= L).kind == "proved"
    assert judged(Abs(L - ell - 1), L - ell - 1, ell < L).kind == "proved"
    assert judged(Abs(L - ell - 1), L - ell - 1, ell <= L).kind == "refuted"
    assert judged(2 * L, ell + 1, ell <= L, relation=">=").kind == "proved"
    assert judged(ell, Integer(2), ell >= 2, relation=">").kind == "refuted"
    assert signs(ell - 1) == 6
    assert signs(n * ell + ell - n - 1) == 6


def test_lower_bounds() -> None:
    assert lower_bounds([ell <= L, ell >= 2]) == {ell: 2, L: ell}
    assert lower_bounds([ell < L, 2 * ell > 3]) == {ell: 2, L: ell + 1}
    assert lower_bounds([sp.And(j > Rational(-5, 2), x > 3)]) == {j: -2}
    assert lower_bounds([ell >= L, ell <= L]) in ({ell: L}, {L: ell})
    assert lower_bounds([ell >= x, ell**2 >= 3, ell <= 7, ell >= 1]) == {}


def test_points_respect_conditions() -> None:
    conditions = (ell >= 10, ell <= L - 3, k <= 2 * L, k > 7)
    domain = Domain(symbols=(k, ell, L), conditions=conditions)
    found = [p.values for p, _ in zip(points(domain, definitions={}), range(30), strict=False)]
    assert len(found) == 30
    for values in found:
        assert all(v.denominator == 1 for v in values.values())
        assert values[ell] >= 10
        assert values[L] >= values[ell] + 3
        assert 7 < values[k] <= 2 * values[L]
    assert {v[ell] for v in found} >= {Fraction(10), Fraction(11)}


def test_an_equation_gives_the_depth() -> None:
    assert judged(sigma ** (2 * L), Integer(8), sp.Eq(L, 3), sp.Eq(sigma**2, 2)).kind == "proved"
    assert judged((sigma**2 / 2) ** (ell - 1), S.One, sp.Eq(sigma**2, 2)).kind == "proved"


# --- sums over layers ------------------------------------------------------------------------------


def test_equal_sums_are_equal() -> None:
    assert judged(Sum(a**j, (j, 1, L)), Sum(a**k, (k, 1, L))).kind == "proved"
    assert judged(Sum(a ** (j + 1), (j, 1, L)) + x, x + Sum(a * a**k, (k, 1, L))).kind == "proved"
    nested = Sum(Sum(j * k, (j, 1, k)), (k, 1, L)), Sum(j * ell, (ell, 1, j), (j, 1, L))
    assert judged(*nested).kind == "proved"


def test_sums_are_refuted_and_checked_by_their_terms() -> None:
    assert judged(Sum(a**j, (j, 1, L)), a * (a**L - 1) / (a - 1)).kind == "checked"
    assert judged(Sum(a**j, (j, 1, L)), a * (a**L - 1) / (a - 1) + a).kind == "refuted"
    assert judged(Sum(a**j, (j, 2, L)), Sum(a**j, (j, 1, L))).kind == "refuted"
    assert judged(Sum(j * k, (j, 1, k), (k, 1, L)), Sum(j * k, (j, 1, L), (k, 1, L))).kind == "refuted"
    assert judged(Sum(j, (j, L, 1)), S.One).kind == "refuted"
    assert judged(Sum(x**j, (j, 0, L)), Sum(x**j, (j, 1, L))).kind == "refuted"


def test_sums_in_definitions() -> None:
    s = Symbol("S", real=True)
    definitions = {s: Sum(a**j, (j, 1, L))}
    verdict = decide(s, "==", Sum(a**k, (k, 1, L)), definitions=definitions, seconds=10)
    assert verdict.kind == "proved"
    assert decide(s, "==", a * L, definitions=definitions, seconds=10).kind == "refuted"


# --- random products of powers ---------------------------------------------------------------------

BASES = [
    sigma, b, x, y, 1 - x, x * y, x - y, b**2, -b, 1 + b, sqrt(b), Abs(x), Integer(2), Integer(-6), Rational(3, 4), z
]  # fmt: skip
EXPONENT = st.builds(
    lambda p, q, r: p * ell + q * n + r, st.integers(-1, 2), st.integers(-1, 2), st.integers(-2, 2)
)
POWER = st.builds(lambda base, e: base**e, st.sampled_from(BASES), EXPONENT)
PRODUCT = st.lists(POWER, min_size=1, max_size=3).map(lambda ps: sp.Mul(*ps))
PLACES = [
    {sigma: Fraction(3, 2), b: Fraction(p), x: Fraction(q), y: Fraction(r), z: Fraction(-2), ell: i, n: m}
    for p, q, r in ((0, 0, 1), (2, 0, 0), (0, 1, -1), (3, -2, Fraction(1, 2)), (1, 2, 2))
    for i in (1, 2, 3)
    for m in (0, 1, 2)
]


def true_everywhere(lhs: Expr, rhs: Expr) -> bool:
    """Equal wherever both are defined, at points where bases vanish among others."""
    for place in PLACES:
        left, right = enclose(lhs, place), enclose(rhs, place)
        if left.known and right.known and not left.value.overlaps(right.value):
            return False
    return True


@CAREFUL
@given(PRODUCT, PRODUCT, PRODUCT)
def test_what_is_proved_is_true(e: Expr, f: Expr, g: Expr) -> None:
    assume(not (e + f + g).has(sp.I, sp.nan, sp.zoo))
    for lhs, rhs in ((e, f), (e * f, g), (e * (f + g), e * f + e * g + (e - f) * (1 - e / e)), (e + f, f + g)):
        gap = sp.Add(lhs, -rhs, evaluate=False)
        if is_zero(gap) is True:
            assert true_everywhere(lhs, rhs), (lhs, rhs)


@CAREFUL
@given(st.sampled_from([sigma, 1 + b, Integer(6), Rational(3, 4), sigma**2 / 2, z, -sigma]), EXPONENT, EXPONENT)
def test_exponents_add_where_the_base_does_not_vanish(base: Expr, p: Expr, q: Expr) -> None:
    product = sp.Mul(sp.Pow(base, p, evaluate=False), sp.Pow(base, q, evaluate=False), evaluate=False)
    assert is_zero(sp.Add(product, -(base ** (p + q)), evaluate=False)) is True


@CAREFUL
@given(st.sampled_from([b, x, x - 1, x * y, Abs(x), sqrt(b)]), st.tuples(*[st.integers(0, 2)] * 6))
def test_whole_exponents_add_everywhere(base: Expr, c: tuple[int, ...]) -> None:
    p, q = c[0] * (ell - 1) + c[1] * n + c[2], c[3] * (ell - 1) + c[4] * n + c[5]
    product = sp.Mul(sp.Pow(base, p, evaluate=False), sp.Pow(base, q, evaluate=False), evaluate=False)
    assert is_zero(sp.Add(product, -(base ** (p + q)), evaluate=False)) is True
