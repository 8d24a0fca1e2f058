"""Conditions and piecewise linear expressions in claims: proved and refuted exactly, or honestly undecided."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsym.api import parse, verify
from tpsym.errors import TpError
from tpsym.results.answers import ClaimResult

HEAD = """
width n
dim d
depth L
param a, b: real
param p, q: positive
param z: nonnegative
param k: integer
input x, y: (d)
random u, w: (n) ~ N(0, 1)
weight U: (n, d) ~ N(0, p^2/d)
weight W[l]: (n, n) ~ N(0, p^2/n) for l in 2..L
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h[1] = U @ xi
    for l in 2..L:
        h[l] = W[l] @ relu(h[l-1])
    return v @ relu(h[L])
let phase = meanfield(f).phase
let critical_here = phase == critical
"""


def verdict(claim: str, facts: str = "", *, head: str = HEAD) -> ClaimResult:
    (found,) = verify(parse(f'{head}{facts}\nclaim "c": {claim}\n'))
    return found


@pytest.mark.parametrize("claim", [
    "max(a, b) == -min(-a, -b)",
    "max(a, b) + min(a, b) == a + b",
    "2*max(a, b) >= a + b",
    "max(p, q) > 0",
    "max(a, b) != a where b > a",
    "p + z > 0",
    "p > 0 and z >= 0",
    "(a > 0 and b == 0) <=> (b == 0 and not a <= 0)",
    "max(a, b) <= 1 <=> a <= 1 and b <= 1",
    "min(a, b) <= 1 <=> a <= 1 or b <= 1",
    "(a == 1 <=> b == 1) where a = b",
    "a > 0 and b > 0 where a = 1, b = 2",
    "not a + b > 1 where a < 0, b < 1",
    "a <= 1 or b >= 1 where b > a",
    "not max(2*k, 3) == 5/2",
    "E[u] == 0 and E[w^2] == 1",
    "Z(u) == Z(u) and E[u^2] == 1 and p > 0",
    "phase == critical where p = sqrt(2)",
    "not critical_here where p = 3",
    "phase != chaotic where p = 1",
])
def test_true_claims_are_proved(claim: str) -> None:
    found = verdict(claim)
    assert (found.verdict, found.method) in {("proved", "exact linear arithmetic"), ("proved", "normal form")}, found


@pytest.mark.parametrize(("claim", "witness", "values"), [
    ("max(a, b) == a", {"a": "0", "b": "1"}, ("1", "0")),
    ("min(a, b) == -1/3 where a = 1/2, b > 1", {"a": "1/2"}, ("1/2", "-1/3")),
    ("a > 0 <=> a >= 0", {"a": "0"}, ("false", "true")),
    ("a > 1 and b > 0 where a = 1, b = 2", {"a": "1", "b": "2"}, ("false", None)),
    ("not k == 1", {"k": "1"}, ("false", None)),
    ("max(a, b) == a where b > a, b^2 < 4", {}, (None, None)),
    ("p > 1 or p < 1", {"p": "1"}, ("false", None)),
    ("a^2 == 4 <=> a == 2", {}, ("true", "false")),
    ("phase == ordered where p = 2", {"p": "2"}, (None, None)),
    ("E[u] == 0 and E[w^2] == 2", {}, (None, None)),
])
def test_false_claims_are_refuted(claim: str, witness: dict[str, str], values: tuple[str | None, str | None]) -> None:
    found = verdict(claim)
    assert found.verdict == "refuted"
    named = {s.name: value for s, value in (found.witness or {}).items()}
    assert witness.items() <= named.items()
    if values[0] is not None:
        assert (found.left_value, found.right_value) == values


@pytest.mark.parametrize(("claim", "reason"), [
    ("a > 1 where a > 1, a < 0", "no admissible point"),
    ("max(a, b) == max(b, a) + 0*k where k > 0, k < 1", "no admissible point"),
    ("max(a, b) >= a where p > 1, p^2 < 1", "no admissible point"),
    ("k <= 0 or k >= 1", "whole"),
    ("max(a, b) == a where p > 1, p^2 < 1", "not all are"),
    ("p > 0 <=> p^3 > 0", "points say nothing of boundaries"),
    ("p^2 > 2 <=> p^2 >= 2", "points say nothing of boundaries"),
    ("p^2 > 2 or p^2 < 2", "points say nothing of boundaries"),
    ("phase == ordered or phase == chaotic", "points say nothing of boundaries"),
])
def test_what_is_not_known_stays_undecided(claim: str, reason: str) -> None:
    found = verdict(claim)
    assert found.verdict == "undecided"
    assert reason in found.detail


def test_assumptions_are_premises() -> None:
    facts = "assume a >= b\nassume dot(x, x) == d"
    assert verdict("max(a, b) == a", facts).verdict == "proved"
    assert verdict("max(a, b) == b", facts).verdict == "refuted"
    assert verdict("max(a, b) == a", "assume a >= b\nassume a < b").verdict == "undecided"
    assert verdict("max(a, b) == b", "assume a == dot(x, x)").verdict in ("undecided", "refuted")


def test_a_family_of_conditions_is_as_good_as_its_worst_member() -> None:
    assert verdict("not a == j/2 for j in 1..3 where a < 0").verdict == "proved"
    found = verdict("not a == j/2 for j in 1..3 where a > 1")
    assert (found.verdict, found.instance, {s.name: t for s, t in (found.witness or {}).items()}) == (
        "refuted", "j = 3", {"a": "3/2"})


# --- random claims against their values on a grid -----------------------------------------------------

SHORT = "width n\nparam a, b: real\n"
NUMBERS = st.integers(-3, 3)
ATOMS = st.one_of(st.sampled_from(["a", "b"]), NUMBERS.map(lambda v: f"({v})"))


def expressions() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
            st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
            st.tuples(inner, inner).map(lambda t: f"({t[0]} + {t[1]})"),
            st.tuples(NUMBERS, inner).map(lambda t: f"(({t[0]})*{t[1]})"),
        )
    return st.recursive(ATOMS, larger, max_leaves=4)


COMPARISONS = st.tuples(expressions(), st.sampled_from(["==", "!=", "<=", ">=", "<", ">"]), expressions())


def conditions() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({' '.join(t)})"),
            inner.map(lambda c: f"(not {c})"),
        )
    return st.recursive(COMPARISONS.map(lambda t: f"({' '.join(t)})"), larger, max_leaves=3)


GRID = [Fraction(i, 2) for i in range(-8, 9)]


def true_at(text: str, a: Fraction, b: Fraction) -> bool:
    """The text as Python, which reads these conditions alike."""
    return bool(eval(text, {"max": max, "min": min, "__builtins__": {}}, {"a": a, "b": b}))


@settings(max_examples=120, deadline=None)
@given(conditions(), conditions())
def test_verdicts_agree_with_values(first: str, second: str) -> None:
    found = verdict(f"{first} <=> {second}", head=SHORT)
    assert found.verdict in ("proved", "refuted")
    if found.verdict == "proved":
        assert all(true_at(first, a, b) == true_at(second, a, b) for a, b in product(GRID, GRID))
        return
    at = {s.name: Fraction(text) for s, text in (found.witness or {}).items()}
    a, b = at.get("a", Fraction(0)), at.get("b", Fraction(0))
    values = {True: "true", False: "false"}
    assert (found.left_value, found.right_value) == (values[true_at(first, a, b)], values[true_at(second, a, b)])
    assert found.left_value != found.right_value


@settings(max_examples=120, deadline=None)
@given(COMPARISONS, conditions())
def test_premises_are_kept(claim: tuple[str, str, str], premise: str) -> None:
    text = " ".join(claim)
    allowed = [(a, b) for a, b in product(GRID, GRID) if true_at(premise, a, b)]
    try:
        found = verdict(f"({text}) or 1 < 0 where {premise}", head=SHORT)
    except TpError:
        assert not allowed
        return
    if found.verdict == "proved":
        assert all(true_at(text, a, b) for a, b in allowed)
    elif found.verdict == "refuted":
        at = {s.name: Fraction(value) for s, value in (found.witness or {}).items()}
        a, b = at.get("a", Fraction(0)), at.get("b", Fraction(0))
        assert not true_at(text, a, b)
        assert len(at) < 2 or true_at(premise, a, b)
    else:
        assert not allowed


def test_minima_of_several_values():
    text = 'width n\nparam a, b, c: real\nclaim "m": min(a, b, c) == min(a, min(b, c))\n'
    (found,) = verify(parse(text)).claims
    assert found.verdict == "proved"
