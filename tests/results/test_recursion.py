"""Recursions over layers: their closed forms at depths, and claims about every layer, right and wrong."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from sympy import Expr, Symbol

import tpsym
from tpsym.gauss.numeric import value
from tpsym.program.evaluate import evaluate
from tpsym.results.answers import ClaimResult
from tpsym.results.questions import LimitQuestions
from tpsym.syntax.parse import parse_expression

HEAD = """width n
dim d
depth L{}
param sw, al: positive
param sb: nonnegative
input x, y: (d)
parametrization ntk
weight U: (n, d) ~ N(0, sw^2/d)
weight W[l]: (n, n) ~ N(0, sw^2/n) for l in 1..L
weight b[l]: (n) ~ N(0, sb^2) for l in 1..L
weight v: (1, n) ~ N(0, 1/n)
"""
NETWORKS = {
    "linear": "def f(xi):\n    h[0] = U @ xi\n    for l in 1..L:\n        h[l] = W[l] @ h[l-1] + b[l]\n"
              "    return v @ h[L]\n",
    "relu": "def f(xi):\n    h[0] = U @ xi\n    for l in 1..L:\n        h[l] = W[l] @ relu(h[l-1]) + b[l]\n"
            "    return v @ relu(h[L])\n",
    "residual": "def f(xi):\n    h[0] = U @ xi\n    for l in 1..L:\n"
                "        h[l] = h[l-1] + al/sqrt(L)*W[l] @ relu(h[l-1])\n"
                "    return v @ h[L]\n",
    "harmonic": "def f(xi):\n    h[0] = U @ xi\n    for l in 1..L:\n        h[l] = h[l-1]/2 + 1/l*b[l]\n"
                "    return v @ h[L]\n",
    "activations": "def f(xi):\n    x = U @ xi\n    for l in 1..L:\n        x = x + relu(W[l] @ x)\n    return v @ x\n",
    "normalised": "def f(xi):\n    h[0] = U @ xi\n    for l in 1..L:\n"
                  "        h[l] = W[l] @ (h[l-1]/sqrt(mean(h[l-1]^2)))\n    return v @ h[L]\n",
}
GIVEN = {"sw": Fraction(5, 4), "sb": Fraction(1, 3), "al": Fraction(2, 3), "d": Fraction(2),
         "dot(x, x)": Fraction(9, 8), "dot(x, y)": Fraction(2, 5), "dot(y, y)": Fraction(7, 5)}


def side_of(name: str, depth: str = "") -> LimitQuestions:
    return tpsym.parse(HEAD.format(depth) + NETWORKS[name]).limit_side


def asked(side: LimitQuestions, question: str) -> Expr:
    found: Expr = evaluate(side.context, parse_expression(question), side.context.scope).expr
    return found


def number(side: LimitQuestions, expr: Expr, depth: int) -> float:
    values = {**GIVEN, "L": Fraction(depth)}
    free = {s for e in (expr, *side.limit.definitions.values()) for s in e.free_symbols} - side.limit.definitions.keys()
    known = {s: values[s.name] for s in free if s.name in values}
    return float(value(expr, known, definitions=side.limit.definitions, digits=14)[0].value.mid())


@pytest.mark.parametrize(("name", "question"), [
    ("linear", "nngp(f)(x, y)"), ("linear", "ntk(f)(x, y)"), ("relu", "nngp(f)(x, x)"), ("relu", "ntk(f)(x, x)"),
    ("residual", "nngp(f)(x, x)"), ("residual", "ntk(f)(x, x)"),
])
def test_closed_forms_hold_at_depths(name: str, question: str) -> None:
    side = side_of(name)
    found = asked(side, question)
    recursions = side.recursions
    closed = found
    while any(s in side.limit.statistics for s in closed.free_symbols):
        step: dict[Symbol, Expr] = {}
        for s in closed.free_symbols & side.limit.statistics.keys():
            solution = recursions.solution(recursions.generic(s))
            assert solution is not None, s
            key = side.limit.statistics[s]
            step[s] = solution.expr.xreplace({recursions.loop(key).index: key.layer})
        closed = closed.xreplace(step)
    for depth in (1, 2, 4):
        other = side_of(name, f" = {depth}")
        assert number(side, closed, depth) == pytest.approx(number(other, asked(other, question), depth), rel=1e-11)


@pytest.mark.parametrize(("name", "question"), [
    ("relu", "E[f.h[L](x)*f.h[L](y)]"), ("harmonic", "E[f.h[L](x)^2]"), ("activations", "nngp(f)(x, x)"),
])
def test_what_has_no_closed_form_gets_none(name: str, question: str) -> None:
    side = side_of(name)
    (symbol,) = (s for s in asked(side, question).free_symbols if s in side.limit.statistics)
    assert side.recursions.solution(side.recursions.generic(symbol)) is None


RELU = "let C[l](s, t) = E[f.h[l](s)*f.h[l](t)]\nlet rho[l] = C[l](x, y)/sqrt(C[l](x, x)*C[l](y, y))\n"
ANGLE = "sqrt(C[l-1](x, x)*C[l-1](y, y))*({})\n    where theta = acos({})\n    for l in 1..L"
RIGHT = {
    "C[l](x, y) == sb^2 + sw^2/(2*pi)*" + ANGLE.format("sin(theta) + (pi - theta)*cos(theta)", "rho[l-1]"),
    "C[l](x, x) == sb^2 + sw^2*C[l-1](x, x)/2 for l in 1..L",
    "C[l](x, x) == sb^2 + sw^2*sb^2/2 + sw^4*C[l-2](x, x)/4 for l in 2..L",
    "ntk(f.h[l])(x, y) == C[l](x, y) + sw^2*ntk(f.h[l-1])(x, y)*(pi - acos(rho[l-1]))/(2*pi) for l in 1..L",
    "nngp(f)(x, x) == C[L](x, x)/2",
    "ntk(f)(x, x) == nngp(f)(x, x) + ntk(f.h[L])(x, x)/2",
    "C[l](x, x) == (sw^2/2)^l*sw^2*dot(x, x)/d + sb^2*(1 - (sw^2/2)^l)/(1 - sw^2/2) for l in 0..L",
    "C[4](x, x) == sb^2 + sw^2*C[3](x, x)/2",
}
WRONG = {
    "C[l](x, y) == sb^2 + sw^2/pi*" + ANGLE.format("sin(theta) + (pi - theta)*cos(theta)", "rho[l-1]"): 1,
    "C[l](x, y) == sb^2 - sw^2/(2*pi)*" + ANGLE.format("sin(theta) + (pi - theta)*cos(theta)", "rho[l-1]"): 1,
    "C[l](x, y) == sb^2 + sw^2/(2*pi)*" + ANGLE.format("sin(theta) + theta*cos(theta)", "rho[l-1]"): 1,
    "C[l](x, y) == sb^2 + sw^2/(2*pi)*" + ANGLE.format("sin(theta) + (pi - theta)*cos(theta)", "rho[l]"): 1,
    "C[l](x, x) == sb^2 + sw^2*C[l](x, x)/2 for l in 1..L": 1,
    "C[l](x, x) == sw^2*C[l-1](x, x)/2 for l in 1..L": 1,
    "C[l](x, x) == sb^2 + sw^2*C[0](x, x)/2 for l in 1..L": 2,
    "C[l](x, y) == C[1](x, y) for l in 1..L": 2,
    "ntk(f.h[l])(x, y) == C[l](x, y) + sw^2*ntk(f.h[l-1])(x, y)*acos(rho[l-1])/(2*pi) for l in 1..L": 1,
    "ntk(f.h[l])(x, y) == C[l-1](x, y) + sw^2*ntk(f.h[l-1])(x, y)*(pi - acos(rho[l-1]))/(2*pi) for l in 1..L": 1,
    "nngp(f)(x, x) == C[L-1](x, x)/2": 1,
    "ntk(f)(x, x) == nngp(f)(x, x) + ntk(f.h[L])(x, x)": 1,
    "C[l](x, x) == (sw^2/2)^(l+1)*sw^2*dot(x, x)/d + sb^2*(1 - (sw^2/2)^l)/(1 - sw^2/2) for l in 0..L": 1,
    "C[4](x, x) == C[3](x, x)": 4,
    "C[l](x, y)^2 == C[l](x, x)*C[l](y, y) for l in 0..L": 1,
    "C[l](x, x) <= C[l-1](x, x) for l in 1..L": 1,
}
"""Wrong claims, with a depth below which they are not wrong."""


@cache
def verdict(name: str, claim: str) -> ClaimResult:
    lets = RELU if name == "relu" else "let C[l](s, t) = E[f.h[l](s)*f.h[l](t)]\n"
    text = HEAD.format("") + NETWORKS[name] + lets + f'claim "c":\n    {claim}\n'
    (found,) = tpsym.verify(tpsym.parse(text)).claims
    return found


@pytest.mark.parametrize("claim", sorted(RIGHT))
def test_right_claims_are_proved_for_every_layer(claim: str) -> None:
    found = verdict("relu", claim)
    assert found.verdict == "proved", found.detail
    assert "for every layer" in found.detail


def heavy(claim: str) -> bool:
    """Whether a claim is about angles, for which the search for a proof takes seconds."""
    return ("theta" in claim or "rho" in claim) and "(sin(theta) + theta" not in claim


@pytest.mark.parametrize("claim", [pytest.param(c, marks=pytest.mark.slow) if heavy(c) else c for c in sorted(WRONG)])
def test_wrong_claims_are_refuted_at_a_depth(claim: str) -> None:
    found = verdict("relu", claim)
    assert found.verdict == "refuted", (found.verdict, found.detail)
    assert found.witness is not None
    assert int(found.witness[Symbol("L")]) >= WRONG[claim]


@pytest.mark.parametrize(("claim", "expected"), [
    ("nngp(f)(x, x) == sw^2*dot(x, x)/d*(1 + al^2*sw^2/(2*L))^L", "proved"),
    ("nngp(f)(x, x) == sw^2*dot(x, x)/d*(1 + al^2*sw^2/(2*L))^(L-1)", "refuted"),
    ("nngp(f)(x, x) == sw^2*dot(x, x)/d*(1 + al^2*sw^2/L)^L", "refuted"),
    ("nngp(f)(x, x) == sw^2*dot(x, x)/d*(1 + al^2*sw^2/2)", "refuted"),
])
def test_closed_forms_with_powers_of_the_depth(claim: str, expected: str) -> None:
    assert verdict("residual", claim).verdict == expected


def test_a_claim_that_is_wrong_for_one_layer_alone_is_refuted_there() -> None:
    """After normalisation every variance is sw², but not that of the input."""
    found = verdict("normalised", "C[l](x, x) == sw^2 for l in 0..L")
    assert found.verdict == "refuted"
    assert verdict("normalised", "C[l](x, x) == sw^2 for l in 1..L").verdict in ("proved", "checked")


def test_two_depths_take_different_values() -> None:
    """A claim that confuses L with M is not checked at L = M only."""
    text = HEAD.format("").replace("depth L\n", "depth L\ndepth M\n") + """weight V[l]: (n, n) ~ N(0, 1/n) for l in 1..M
def f(xi):
    h[0] = U @ xi
    for l in 1..L:
        h[l] = W[l] @ h[l-1]
    g[0] = h[L]
    for l in 1..M:
        g[l] = V[l] @ (al*g[l-1])
    return v @ g[M]
claim "right": nngp(f)(x, x) == sw^(2*L + 2)*al^(2*M)*dot(x, x)/d
claim "wrong": nngp(f)(x, x) == sw^(2*L + 2)*al^(2*L)*dot(x, x)/d
"""
    right, wrong = tpsym.verify(tpsym.parse(text)).claims
    assert right.verdict in ("proved", "checked")
    assert wrong.verdict == "refuted"
    assert wrong.witness is not None
    assert wrong.witness[Symbol("L")] != wrong.witness[Symbol("M")]
