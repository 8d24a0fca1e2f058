"""True claims about spectra and what they become by a small change: none of those may be proved or checked."""

from __future__ import annotations

import functools

import pytest

from tpsym import api

FILE = """\
width n
param lambda: positive
param c, t: real
param b: real
param r: nonnegative
param s: positive = 2
width m = n/lambda
random X, T1: (n, n) ~ N(0, 1/n)
random Y: (n, m) ~ N(0, 1/m)
random u: (n) ~ N(0, 1)
A = (X + X.T)/sqrt(2)
let w = spectrum(A)
let mp = spectrum(Y @ Y.T)
let l = spectrum(A + b*diag(sign(u)))
let scaled = spectrum(b*A)
let shifted = spectrum(s*A + b*eye(n))
let mixed = spectrum(r*A + (1 - r)*eye(n))
let two = spectrum(diag(if(u > 0, b, 1)))
let square = spectrum(A @ A)
"""

TRUE = [
    "w.equation(G, z) == -3*(G^2 - z*G + 1)",
    "w.equation(p, q) == p^2 - p*q + 1",
    "mp.equation(G, z) == z*G^2 - z*G + 1 where lambda = 1",
    "mp.equation(G, z) == lambda^2*z*G^2 - lambda*(z + lambda - 1)*G + lambda",
    "mp.equation(G, z) == (lambda - 1)*(lambda*z*G^2 - (z + lambda - 1)*G + 1) where lambda > 1",
    "shifted.equation(G, z) == G^2*s^2 - (z - b)*G + 1",
    "mp.support == [(1 - sqrt(lambda))^2, (1 + sqrt(lambda))^2]",
    "shifted.support == [b - 2*s, b + 2*s]",
    "l.support == [-2, 2] where b = 0",
    "l.edge(1) == -l.edge(2) where b^2 < 1, b > 0",
    "l.free_cumulant(4) == -b^4",
    "mixed.support == [1 - 3*r, 1 + r]",
    "scaled.support == [-2*b, 2*b] where b > 0",
    "scaled.density(t) == sqrt(4*b^2 - t^2)/(2*pi*b^2) where t^2 < 4*b^2, b < 0",
    "w.density(t) == 0 where t > 3",
    "mp.density(t) == sqrt(4*lambda - (t - 1 - lambda)^2)/(2*pi*lambda*t)"
    " where (1 - sqrt(lambda))^2 < t, t < (1 + sqrt(lambda))^2",
    "mp.density(1) == sqrt(4*lambda - lambda^2)/(2*pi*lambda) where lambda < 4",
    "mp.edge_exponent(1) == -1/2 where lambda = 1",
    "two.atom(1) == 1/2 where b < 1",
    "two.atom(b) == 1 where b = 1",
    "two.atom(b) == 1/2 where b > 1",
    "square.density(t) == sqrt((4 - t)/t)/(2*pi) where 0 < t, t < 4",
    "mp.free_cumulant(j) == lambda^(j - 1) for j in 1..5",
    "w.finite_n(4) == 2 + 5/n + 5/n^2",
]
FALSE = [
    # equations: a coefficient, a factor, unknowns, a parameter that makes it true for one value only
    "w.equation(G, z) == G^2 - z*G + 2",
    "w.equation(G, z) == (G^2 - z*G + 1)*(G - 1)",
    "w.equation(G, z) == (G^2 - z*G + 1)*z",
    "w.equation(G, z) == c*(G^2 - z*G + 1)",
    "w.equation(G, z) == 0",
    "w.equation(G, z) == 1",
    "w.equation(z, G) == G^2 - z*G + 1",
    "w.equation(G, z) == mp.equation(G, z)",
    "mp.equation(G, z) == z*G^2 - z*G + 1",
    "mp.equation(G, z) == z*G^2 - z*G + 1 where lambda = 2",
    "mp.equation(G, z) == c*z*G^2 - (z + c - 1)*G + 1",
    "mp.equation(G, z) == (lambda - 1)*(lambda*z*G^2 - (z + lambda - 1)*G + 1)",
    "shifted.equation(G, z) == G^2*s - (z - b)*G + 1",
    # supports: endpoints swapped, shifted, too many, without their condition
    "w.support == [2, -2]",
    "w.support == [-2, 3]",
    "w.support == [-2, 0, 0, 2]",
    "w.support == [-2]",
    "mp.support == [1 - sqrt(lambda), (1 + sqrt(lambda))^2]",
    "shifted.support == [-2*s, 2*s]",
    "l.support == [-2, 2]",
    "mixed.support == [1 - 3*r, 1 + r^2]",
    "mixed.support == [1 + r, 1 - 3*r]",
    "scaled.support == [-2*b, 2*b] where b != 0",
    "scaled.support == [-2*b, 2*b] where b < 0",
    "l.edge(3) == 7 where b = 1/10",
    "l.edge(3) == l.edge(4) where b = 1/10",
    "l.edge(1) == -l.edge(2)",
    # densities: constants, conditions, points outside
    "w.density(t) == sqrt(4 - t^2)/pi where -2 < t, t < 2",
    "w.density(t) == sqrt(4 - t^2)/(2*pi) where -3 < t, t < 2",
    "w.density(t) == sqrt(4 - t^2)/(2*pi)",
    "w.density(t) == sqrt(4 - t^2)/(2*pi) where t > 3",
    "w.density(t) == sqrt(max(5 - t^2, 0))/(2*pi)",
    "w.density(t) == 0 where t < -1",
    "w.density(t) == 7 where t > 3, t < 2",
    "scaled.density(t) == sqrt(4*b^2 - t^2)/(2*pi*abs(b)) where t^2 < 4*b^2, b < 0",
    "mp.density(t) == sqrt(4*lambda - (t - 1 - lambda)^2)/(2*pi*lambda*t) where (1 - sqrt(lambda))^2 < t",
    "square.density(t) == sqrt((4 - t)/t)/(2*pi) where 0 < t",
    # atoms, exponents, moments
    "mp.atom(0) == 1 - 1/lambda",
    "mp.atom(0) == 1 - 1/lambda where lambda > 1/2",
    "mp.atom(0) == if(lambda > 2, 1 - 1/lambda, 0)",
    "mp.atom(0) == max(0, 1 - 2/lambda)",
    "mp.atom(t) == 0",
    "two.atom(1) == 1/2",
    "two.atom(b) == 1/2",
    "two.atom(b) == 1 where b > 1",
    "mp.edge_exponent(1) == 1/2",
    "mp.edge_exponent(1) == if(lambda < 1, 1/2, -1/2)",
    "mp.moment(2) == 2*lambda",
    "w.moment(10) == 132",
    "mp.free_cumulant(j) == lambda^j for j in 1..5",
    "l.moment(2) == 1 + abs(b)",
    "mp.r_transform(q) == 1/(1 - q)",
    "mp.s_transform(q) == 1/(1 + q)",
    "w.finite_n(4) == w.moment(4)",
]


@functools.cache
def verdicts() -> dict[str, str]:
    """One file with all the claims, so that each law is worked out once."""
    text = FILE + "".join(f'claim "{k}": {claim}\n' for k, claim in enumerate((*TRUE, *FALSE)))
    found = api.claim_results(api.parse(text))
    return {claim: result.verdict for claim, result in zip((*TRUE, *FALSE), found, strict=True)}


@pytest.mark.parametrize("text", TRUE)
def test_what_is_true_is_proved(text: str) -> None:
    assert verdicts()[text] == "proved"


@pytest.mark.parametrize("text", FALSE)
def test_what_is_false_is_not(text: str) -> None:
    assert verdicts()[text] in ("refuted", "undecided")


def test_most_of_what_is_false_is_refuted() -> None:
    assert sum(verdicts()[text] == "refuted" for text in FALSE) >= 0.75 * len(FALSE)


def test_where_a_side_is_no_real_number_is_said() -> None:
    text = 'claim "c": w.density(t) == sqrt(4 - t^2)/(2*pi) where -3 < t, t < 2\n'
    (found,) = api.claim_results(api.parse(FILE + text))
    assert found.verdict == "undecided"
    assert "one side is no real number" in found.detail
