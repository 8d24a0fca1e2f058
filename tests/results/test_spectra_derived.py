"""Claims about spectra with the laws that are derived: programs as they are written, and names that could collide."""

from __future__ import annotations

import pytest

import tpsym
from tpsym import api

JACOBIAN = """\
width n
param sigma: positive
random u: (n) ~ N(0, 1)
random W[l]: (n, n) ~ N(0, 2/n) for l in 1..3
random V[l]: (n, n) ~ N(0, sigma^2/n) for l in 1..3

def jacobian(z):
    h[0] = z
    J[0] = eye(n)
    for l in 1..3:
        h[l] = W[l] @ relu(h[l-1])
        J[l] = diag(step(h[l])) @ W[l] @ J[l-1]
    return J[3]

J = jacobian(u)
P[1] = V[1]
P[l] = V[l] @ P[l-1] for l in 2..3
let law = spectrum(J.T @ J)
let product = spectrum(P[3].T @ P[3])
let wishart = spectrum(V[1].T @ V[1])
let shifted = spectrum(eye(n) + (V[1] + V[1].T)/sqrt(2))
"""

CLAIMS = {
    "law.moment(1) == 1": "proved",
    "law.moment(2) - law.moment(1)^2 == 6": "proved",  # 2 per layer
    "law.moment(2) == 6": "refuted",
    "law.atom(0) == 1/2": "proved",
    "product.moment(3) == 22*sigma^18": "proved",  # Fuss–Catalan
    "product.moment(3) == 21*sigma^18": "refuted",
    "product.support == [0, 256/27*sigma^6]": "proved",
    "product.support == [0, 256/27*sigma^5]": "refuted",
    "product.edge_exponent(1) == -3/4": "proved",
    "product.equation(G, z) == z^3*G^4*sigma^6 - z*G + 1": "proved",
    "product.equation(G, z) == z^3*G^4*sigma^6 - z*G - 1": "refuted",
    "wishart.density(t) == sqrt(t*(4*sigma^2 - t))/(2*pi*sigma^2*t) where 0 < t, t < 4*sigma^2": "proved",
    "wishart.density(1) == sqrt(4*sigma^2 - 1)/(2*pi*sigma^2) where sigma > 1/2": "proved",
    "wishart.density(1) == sqrt(4*sigma^2 - 1)/(2*pi*sigma^2)": "undecided",
    "wishart.density(1) == 0 where sigma < 1/2": "proved",
    # a value of t holds for what was said of it before
    "wishart.density(t) == r/(2*pi) where sigma = 1, r = sqrt(4 - t)/sqrt(t), t = 2": "proved",
    "wishart.density(t) == r/(2*pi) where sigma = 1, r = sqrt(4 - t)/t, t = 2": "refuted",
    "wishart.density(t) == 1 where sigma = 1, t < 0, t = 1": "undecided",
    "wishart.density(1) == 0": "refuted",
    "spectrum(W[1].T @ W[1]).finite_n(2) == 4*(2 + 1/n)": "proved",
    "spectrum(V[1] + V[1].T + V[2] + V[2].T).r_transform(w) == 4*sigma^2*w": "proved",
    "shifted.support == [1 - 2*sigma, 1 + 2*sigma]": "proved",
    "shifted.density(x) == sqrt(4*sigma^2 - (x - 1)^2)/(2*pi*sigma^2) where 1 - 2*sigma < x, x < 1 + 2*sigma":
        "proved",
    "shifted.moment(0) == 1": "proved",
}


@pytest.mark.parametrize("text", CLAIMS)
def test_claim(text: str) -> None:
    (found,) = api.claim_results(api.parse(f'{JACOBIAN}claim "c": {text}\n'))
    assert (found.verdict, found.detail) == (CLAIMS[text], found.detail)


@pytest.mark.parametrize("name", ["t", "z", "g", "G", "w", "h", "x", "c0", "u0"])
def test_parameters_of_any_name(name: str) -> None:
    """Names that the engine uses inside mean what the file says."""
    a, b = ("p", "q")
    text = f"""\
width n
param {name}: real
random X: (n, n) ~ N(0, 1/n)
let law = spectrum({name}*(X + X.T)/sqrt(2))
claim "density": law.density({a}) == sqrt(4*{name}^2 - {a}^2)/(2*pi*{name}^2) where {name} > 0, {a}^2 < 4*{name}^2
claim "equation": law.equation({a}, {b}) == {name}^2*{a}^2 - {b}*{a} + 1 where {name} > 0
claim "R": law.r_transform({a}) == {name}^2*{a}
claim "edges": law.support == [-2*{name}, 2*{name}] where {name} > 0
claim "moment": law.moment(4) == 2*{name}^4
"""
    assert [c.verdict for c in api.claim_results(api.parse(text))] == ["proved"] * 5


def test_a_density_that_is_not_bounded_at_an_edge_is_not_zero_there() -> None:
    text = """
width n
random X: (n, n) ~ N(0, 1/n)
let law = spectrum((X + X.T)^2/2)
claim "at the edge": law.density(0) == 0
claim "with the edge": law.density(t) == 0 where t <= 0
claim "outside": law.density(t) == 0 where t < 0
claim "other edge": law.density(4) == 0
"""
    found = {claim.label: claim.verdict for claim in tpsym.verify(tpsym.parse(text))}
    assert found == {"at the edge": "undecided", "with the edge": "undecided", "outside": "proved",
                     "other edge": "proved"}
