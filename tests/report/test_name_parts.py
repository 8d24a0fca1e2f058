"""Naming parts changes no value, gives the blackboard forms, and leaves short formulas alone."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import relu_kernel
from sympy import Expr, Rational, Symbol, asin, pi, sqrt

from tpsym.gauss.expectation import E, bound
from tpsym.report.subexpressions import name_parts
from tpsym.report.text import text

q, s, d, sw, sb = (Symbol(k, positive=True) for k in ("q", "s", "d", "sigma_w", "sigma_b"))
c, T = Symbol("c", real=True), Symbol("Theta", real=True)
xx, yy = Symbol("dot(x, x)", positive=True), Symbol("dot(y, y)", positive=True)
xy = Symbol("dot(x, y)", real=True)
Q, S, C = (sw**2 * k / d + sb**2 for k in (xx, yy, xy))


def quarter(q: Expr, s: Expr, c: Expr) -> Expr:
    return Rational(1, 4) + asin(c / sqrt(q * s)) / (2 * pi)


def second_order(q: Expr, s: Expr, c: Expr) -> Expr:
    return (3 * c * sqrt(q * s - c**2) + (q * s + 2 * c**2) * (pi - sp.acos(c / sqrt(q * s)))) / (2 * pi)


DEEP = sb**2 + sw**2 * relu_kernel(sb**2 + sw**2 * Q / 2, sb**2 + sw**2 * S / 2, sb**2 + sw**2 * relu_kernel(Q, S, C))
KERNEL = "√(q·s)/(2π)·(sin(θ) + (π − θ)·cos(θ))"
CASES = {
    "relu": ([relu_kernel(q, s, c)], [KERNEL]),
    "expanded": ([sp.expand(relu_kernel(q, s, c))], [KERNEL]),
    "bias": ([sb**2 + sw**2 * relu_kernel(q, s, c)], [f"σ_w²·{KERNEL} + σ_b²"]),
    "negative": ([-relu_kernel(q, s, c) / 3], ["−√(q·s)/(6π)·(sin(θ) + (π − θ)·cos(θ))"]),
    "scaled correlation": ([relu_kernel(q, s, 2 * c)], [KERNEL]),
    "second order": ([second_order(q, s, c)], ["q·s/(2π)·((π − θ)·(1 + 2·cos(θ)²) + 3·sin(θ)·cos(θ))"]),
    "two orders": ([relu_kernel(q, s, c), T * quarter(q, s, c)], [KERNEL, "Θ·(π − θ)/(2π)"]),
    "orders in one sum": (
        [relu_kernel(q, s, c) + (T + sb) * quarter(q, s, c)],
        ["(π − θ)·(Θ + σ_b)/(2π) + " + KERNEL],
    ),
    "a lone quarter stays": ([quarter(q, s, c)], ["1/4 + asin(c/√(q·s))/(2π)"]),
    "erf stays": ([2 / pi * asin(2 * c / sqrt((1 + 2 * q) * (1 + 2 * s)))], ["2/π·asin(2c/√((1 + 2q)·(1 + 2s)))"]),
    "inner products": (
        [sw**2 * relu_kernel(xx, yy, xy) / d],
        ["σ_w²·√((x·x)·(y·y))/(2π·d)·(sin(θ) + (π − θ)·cos(θ))"],
    ),
    "long variances": ([relu_kernel(Q, S, C)], ["√(q₁·q₂)/(2π)·(sin(θ) + (π − θ)·cos(θ))"]),
    "two layers": ([DEEP], ["σ_w²·√(q₃·q₄)/(2π)·(sin(θ₂) + (π − θ₂)·cos(θ₂)) + σ_b²"]),
}


@pytest.mark.parametrize("case", CASES)
def test_form_and_value(case: str) -> None:
    given_, expected = CASES[case]
    new, definitions = name_parts(given_)
    if case != "two layers":
        assert [text(e) for e in new] == expected
    assert_same(given_, new, definitions, Rational(-11, 10))


def assert_same(old: list[Expr], new: tuple[Expr, ...], definitions: tuple[tuple[Symbol, Expr], ...], at: Expr) -> None:
    values = {
        q: 2,
        s: 3,
        c: at,
        d: 3,
        sw: Rational(7, 5),
        sb: Rational(3, 10),
        xx: 2,
        yy: Rational(17, 10),
        xy: at,
        T: 5,
    }
    for before, after in zip(old, new, strict=True):
        back = after
        for name, value in reversed(definitions):
            back = back.xreplace({name: value})
        difference = sp.N(before.subs(values), 60) - sp.N(back.subs(values), 60)
        assert abs(difference) < sp.Float("1e-40", 60)


@settings(max_examples=15, deadline=None)
@given(st.fractions(min_value=Rational(-9, 10), max_value=Rational(9, 10), max_denominator=97))
def test_exact_at_random_points(point: Rational) -> None:
    for case in ("bias", "second order", "two orders", "long variances"):
        old = CASES[case][0]
        new, definitions = name_parts(old)
        assert_same(old, new, definitions, Rational(point.numerator, point.denominator))


def test_definitions_come_before_their_users() -> None:
    _, definitions = name_parts(DEEP)
    seen: set[Symbol] = set()
    names = {name for name, _ in definitions}
    for name, value in definitions:
        assert value.free_symbols & names <= seen
        seen.add(name)


def test_names_in_use_are_not_taken() -> None:
    theta = Symbol("theta")
    (_,), definitions = name_parts(theta + relu_kernel(q, s, c))
    assert [text(name) for name, _ in definitions] == ["θ'"]
    (_,), definitions = name_parts(relu_kernel(q, s, c), avoid=[theta])
    assert [text(name) for name, _ in definitions] == ["θ'"]


def test_repeated_expectation_is_named_once() -> None:
    mean = E(sp.tanh(bound(1)) ** 2 * sp.exp(bound(1)), [[Q]])
    (new,), definitions = name_parts(mean + mean**2 * sw + sp.sin(mean))
    assert sum(isinstance(value, E) for _, value in definitions) == 1
    assert not new.atoms(E)


def test_root_expanded_before_the_naming() -> None:
    """The root of q s − c² multiplied out still belongs to the kernel of q, s, c."""
    root = sqrt(sp.expand((Q * S - C**2) * d**2))
    expr = C * quarter(Q, S, C) + root / (2 * pi * d)
    (new,), definitions = name_parts(expr)
    assert text(new) == "√(q₁·q₂)/(2π)·(sin(θ) + (π − θ)·cos(θ))"
    assert_same([expr], (new,), definitions, Rational(1, 3))
