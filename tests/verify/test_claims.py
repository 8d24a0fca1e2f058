"""Traps: claims that are nearly right, empty, or about what does not exist."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tpsym.api import load, parse, verify
from tpsym.errors import TpError

TRAPS = sorted((Path(__file__).parent / "traps").glob("*.tp"))


@pytest.mark.parametrize("path", TRAPS, ids=[p.stem for p in TRAPS])
def test_traps(path: Path) -> None:
    """The label of a claim begins with the verdict it must get."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wrong = [(c.label, c.verdict, c.detail) for c in verify(load(path))
                 if c.verdict != c.label.partition(":")[0]]
    assert wrong == []


HEAD = """
width n
dim d
param q: positive
param r: real
param j: positive integer
input x: (d)
random g: (n) ~ N(0, 1)
width m = 2*n
random k: (m) ~ N(0, 1)
random v: (n) ~ N(0, 1/n)
"""


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ("lim(dot(v, g)) <= N(0, 2)", "bad-claim bad-relation"),
        ("lim(dot(v, g)) == N(0, 1) +- 0.1", "bad-claim bad-relation"),
        ("Z(g) <= 1", "bad-claim bad-relation"),
        ("Z(g) == Z(k)", "bad-claim"),
        ("q == 1 == 1", "bad-claim"),
        ("q == 1 where g > 0", "random-condition"),
        ("q == 1 +- 0", "bad-tolerance"),
        ("q == 1 +- q", "number-expected"),
        ("q <= 1 +- 1", "misplaced-tolerance"),
        ("E[g^l] == 1", "unknown-name"),
    ],
)
def test_claims_that_make_no_sense_are_mistakes_of_the_file(claim: str, code: str) -> None:
    with pytest.raises(TpError) as caught:
        verify(parse(f"{HEAD}\nclaim \"x\": {claim}\n"))
    assert caught.value.diagnostics[0].code in code.split()


def test_an_assumption_binds_every_claim() -> None:
    program = parse(HEAD + 'assume dot(x, x) == d\nclaim "a": dot(x, x)/d == 1\nclaim "b": dot(x, x) == 1\n')
    assert [c.verdict for c in verify(program)] == ["proved", "refuted"]


@pytest.mark.parametrize(
    "text",
    [
        'assume q < -1\nclaim "a": q == 2*q - q',
        'assume q < -1\nclaim "a": q == 1',
        'claim "a": E[g^2] == 1 where q < 0',
        'claim "a": E[g^2] == 1 where r > 1, r < 0',
        'claim "a": E[(r*g)^2] == r^2 where r > 1, r + q < 1',
        'claim "a": E[g^2] == 1 where q^2 + 2*q + 1 < 1',
        'claim "a": E[g^2] == 1 where E[g^2] == 2',
        'claim "a": sqrt(q^2) == q where q = -1',
        'claim "a": E[g^2] == 1 where j = 1/2',
        'claim "a": E[g^2] == 1 where q = r, r < 0',
        'claim "a": dot(x, x) == dot(x, x) where dot(x, x) == -1',
    ],
)
def test_nothing_follows_from_what_cannot_be(text: str) -> None:
    """Where no point is admissible a claim is undecided, or a mistake where that can be seen at once."""
    try:
        (claim,) = verify(parse(f"{HEAD}\n{text}\n"))
        found = claim.verdict
    except TpError as error:
        found = error.diagnostics[0].code
    assert found in ("undecided", "contradiction", "bad-value")


def test_a_condition_on_a_derived_quantity_is_one_on_its_parameters() -> None:
    """Named values in conditions are no free quantities: here the condition says q + s = 2."""
    program = parse("""
width n
param q, s: positive
random u: (n) ~ N(0, 1)
random U: (n, n) ~ N(0, (q + s)/n)
random V: (n, n) ~ N(0, 1/n)
h = U @ u
k = V @ relu(h)
claim "in general": E[k^2] == (q + s)/2
claim "given the layer below": E[k^2] == 1 where E[h^2] == 2
claim "wrong": E[k^2] == 2 where E[h^2] == 2
""")
    assert [c.verdict for c in verify(program)] == ["proved", "proved", "refuted"]
