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
input x: (d)
random g: (n) ~ N(0, 1)
width m = 2*n
random k: (m) ~ N(0, 1)
random v: (n) ~ N(0, 1/n)
"""


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ("lim(dot(v, g)) <= N(0, 2)", "bad-claim"),
        ("lim(dot(v, g)) == N(0, 1) +- 0.1", "bad-claim"),
        ("Z(g) <= 1", "bad-claim"),
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
    assert caught.value.diagnostics[0].code == code


def test_an_assumption_binds_every_claim() -> None:
    program = parse(HEAD + 'assume dot(x, x) == d\nclaim "a": dot(x, x)/d == 1\nclaim "b": dot(x, x) == 1\n')
    assert [c.verdict for c in verify(program)] == ["proved", "refuted"]


def test_nothing_follows_from_an_impossible_assumption() -> None:
    program = parse(HEAD + 'assume q < -1\nclaim "a": q == 2*q - q\nclaim "b": q == 1\n')
    assert [c.verdict for c in verify(program)] == ["undecided", "undecided"]


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
claim "impossible": E[k^2] == 1 where E[h^2] == -2
""")
    assert [c.verdict for c in verify(program)] == ["proved", "proved", "refuted", "undecided"]
