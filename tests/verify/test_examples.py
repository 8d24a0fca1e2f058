"""The verdicts on the example files, and on further programs whose claims are true by independent reasoning."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import mpmath
import pytest

from tpsym.api import load, parse_settings, verify
from tpsym.results.answers import ClaimResult

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
PROGRAMS = sorted((HERE / "programs").glob("*.tp"))

BEYOND_PROOF = {
    ("erf_mlp", "below one"): "an inequality between values of asin",
    ("families", "not the same"): "two values that differ everywhere",
    ("gates", "bounded"): "an inequality between an expectation and a number",
}
"""Claims without a tolerance that are checked only, and why no proof is to be expected."""


@cache
def judged(path: Path) -> tuple[ClaimResult, ...]:
    return tuple(verify(load(path)))


def verdicts(name: str, **settings: str) -> dict[str, ClaimResult]:
    path = next(EXAMPLES.glob(f"{name}_*.tp"))
    table = parse_settings([f"{k}={v}" for k, v in settings.items()])
    return {claim.label: claim for claim in verify(load(path, settings=table))}


def of_kind(claims: dict[str, ClaimResult], kind: str) -> set[str]:
    return {label for label, claim in claims.items() if claim.verdict == kind}


NUMERIC = {"01": {"a number"}, "03": {"three ReLUs"}} | {key: set[str]() for key in (
    "02", "04", "05", "06", "07", "08", "09", "10", "11", "12", "14")}


@pytest.mark.parametrize("name", sorted(NUMERIC))
def test_true_examples_are_proved(name: str) -> None:
    claims = verdicts(name)
    assert of_kind(claims, "checked") == NUMERIC[name]
    assert of_kind(claims, "proved") == claims.keys() - NUMERIC[name]


def test_a_depth_can_be_set() -> None:
    claims = verdicts("02", L="3")
    assert of_kind(claims, "proved") == claims.keys()


def test_a_symbolic_layer_is_proved_by_the_recursion() -> None:
    claims = verdicts("02")
    for label in ("arc-cosine kernel", "diagonal", "tangent kernel"):
        assert claims[label].detail.startswith("for every layer, by the recursion over layers")


# --- wrong claims -------------------------------------------------------------------------------------


def arc_cosine(xx: mpmath.mpf, yy: mpmath.mpf, xy: mpmath.mpf) -> mpmath.mpf:
    """E relu(u) relu(v) by integrating over the half-plane angles, no closed form used."""
    radius, angle = mpmath.sqrt(xx * yy), mpmath.acos(xy / mpmath.sqrt(xx * yy))
    inner = mpmath.quad(lambda t: mpmath.cos(t) * mpmath.cos(t - angle), [angle - mpmath.pi / 2, mpmath.pi / 2])
    return radius * inner / mpmath.pi


def values(claim: ClaimResult) -> dict[str, mpmath.mpf]:
    assert claim.witness is not None
    return {s.name: mpmath.mpf(v.partition("/")[0]) / mpmath.mpf(v.partition("/")[2] or 1)
            for s, v in claim.witness.items()}


def wrong_sides(label: str, at: dict[str, mpmath.mpf]) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Both sides of a claim of 13_wrong.tp at a point."""
    variance, xx = at["sigma"] ** 2, at["dot(x, x)"]
    if label == "forgot the 1/2":
        return variance / at["d"] * arc_cosine(xx, xx, xx), variance * xx / at["d"]
    if label == "off by 1e-9":
        return variance / at["d"] * arc_cosine(xx, xx, xx), (variance / 2 + variance / 10**9) * xx / at["d"]
    yy, xy = at["dot(y, y)"], at["dot(x, y)"]
    assert xy**2 <= xx * yy, "the witness is no Gram matrix"
    left = variance / at["d"] * arc_cosine(xx, yy, xy)
    if label == "true only when x = y":
        return left, variance * xy / at["d"] / 2
    theta = mpmath.acos(xy / mpmath.sqrt(xx * yy))
    bracket = mpmath.sin(theta) + theta * mpmath.cos(theta)
    return left, variance / (2 * mpmath.pi * at["d"]) * mpmath.sqrt(xx * yy) * bracket


def test_wrong_claims_are_refuted_by_points_that_can_be_recomputed() -> None:
    claims = verdicts("13")
    assert of_kind(claims, "refuted") == claims.keys()
    with mpmath.workdps(30):
        for label, claim in claims.items():
            at = values(claim)
            assert at["sigma"] > 0
            assert at["d"] == int(at["d"]) > 0
            left, right = wrong_sides(label, at)
            assert abs(left - right) > 1e-12, label
            assert claim.left_value is not None
            assert claim.right_value is not None
            assert mpmath.almosteq(left, mpmath.mpf(claim.left_value), 1e-15)
            assert mpmath.almosteq(right, mpmath.mpf(claim.right_value), 1e-15)


# --- further programs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=[p.stem for p in PROGRAMS])
def test_true_programs(path: Path) -> None:
    """Everything is proved but claims about numbers, which are checked, and a few that are named here."""
    source = path.read_text(encoding="utf-8").splitlines()
    for claim in judged(path):
        exact = "+-" not in source[claim.line - 1] and (path.stem, claim.label) not in BEYOND_PROOF
        assert claim.verdict == ("proved" if exact else "checked"), (claim.label, claim.detail)


def test_most_of_the_programs_claims_are_proved() -> None:
    count = Counter(claim.verdict for path in PROGRAMS for claim in judged(path))
    assert count["proved"] >= 0.9 * count.total()
