"""Laws whose equation has functions of parameters: masks with a threshold, exponentials and roots of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import tpsym
from tpsym import api
from tpsym.results.questions import questions
from tpsym.results.spectrum_answers import differ

FILE = """\
width n
param b: real
param c: positive
random u, v: (n) ~ N(0, 1)
random X: (n, n) ~ N(0, 1/n)
h = X @ tanh(u)
let mask = spectrum(X @ diag(step(u - b)) @ X.T)
let two = spectrum(X @ diag(step(v - 1/2)) @ X.T + diag(step(v - 1/3)))
let root = spectrum(c^(1/3)*X @ X.T + X + X.T)
let size = spectrum(exp(b)*X @ X.T + exp(2*b)*(X + X.T))
let signs = spectrum(exp(b)*X @ X.T + diag(sign(u)))
let named = spectrum(X @ diag(step(h - 1/2)) @ X.T)
let centred = spectrum(X @ diag(step(u)) @ X.T - tr(X @ diag(step(u)) @ X.T)*eye(n))
"""

CLAIMS = {
    # Marchenko–Pastur with p = 1 - Φ(b) of the columns
    "mask.equation(G, z) == z*G^2 - (z + 1 - p)*G + 1 where p = 1 - Phi(b)": "proved",
    "mask.equation(G, z) == z*G^2 - (z - p)*G + 1 where p = 1 - Phi(b)": "refuted",
    "mask.support == [1 + p - 2*sqrt(p), 1 + p + 2*sqrt(p)] where p = 1 - Phi(b)": "proved",
    "mask.support == [1 + p - 2*sqrt(p), 1 + p + 2*sqrt(p)] where p = Phi(b)": "refuted",
    "mask.atom(0) == Phi(b)": "proved",
    "mask.atom(0) == Phi(-b)": "refuted",
    "mask.edge_exponent(1) == 1/2": "proved",
    "mask.r_transform(w) == (1 - Phi(b))/(1 - w)": "proved",
    "mask.s_transform(w) == 1/(1 - Phi(b) + w)": "proved",
    "root.edge_exponent(1) == 1/2 where c < 1": "proved",
    "root.edge_exponent(1) == -1/2 where c > 1": "proved",
    "root.free_cumulant(3) == c + 3*c^(1/3)": "proved",
    # shifted by exp(2b) - exp(b): exp(b) times the square of X + exp(b)
    "size.moment(2) == 2*exp(4*b) + 2*exp(2*b)": "proved",
    "signs.atom(0) == 0": "proved",
    "named.atom(0) == mask.atom(0)": "refuted",
    "centred.moment(1) == 0": "proved",
    "centred.support == [1 - sqrt(2), 1 + sqrt(2)]": "proved",  # 1 + p ± 2 sqrt(p) less p, at p = 1/2
}


@pytest.mark.parametrize("text", CLAIMS)
def test_claim(text: str) -> None:
    (found,) = api.claim_results(api.parse(f'{FILE}claim "c": {text}\n'))
    assert (found.verdict, found.detail) == (CLAIMS[text], found.detail)


@pytest.mark.parametrize("law", ["mask", pytest.param("two", marks=pytest.mark.slow), "root", "named"])
def test_the_two_derivations_agree(law: str) -> None:
    """Deriving a spectrum compares its moments with those through vectors, however each writes Φ."""
    text = tpsym.derive(tpsym.parse(f"{FILE}derive {law}\n")).to_text()
    assert text.count("by the Master Theorem on z[t+1]") >= 2


def test_numbers_that_are_written_differently() -> None:
    from sympy import E, Symbol

    from tpsym.functions import Phi

    side, b = questions(api.parse(FILE).model.context), Symbol("b", real=True)
    assert not differ(side, Phi(-b), 1 - Phi(b))
    assert not differ(side, Phi(-b), (E - E * Phi(b)) / E)
    assert differ(side, Phi(-b), Phi(b))


@pytest.mark.parametrize("b", [-1, 0, "1/2"])
def test_numbers(b: int | str) -> None:
    found = tpsym.parse(FILE).spectrum("X @ diag(step(u - b)) @ X.T").at(b=b)
    p = norm.sf(float(eval_fraction(b)))
    assert found.numbers.support[0] == pytest.approx(((1 - np.sqrt(p)) ** 2, (1 + np.sqrt(p)) ** 2))
    assert found.atoms[0].mass == pytest.approx(1 - p)


def eval_fraction(value: int | str) -> float:
    top, _, bottom = str(value).partition("/")
    return int(top) / int(bottom or 1)


def test_a_shift_by_a_number_without_decimals_of_sympy() -> None:
    """diag(step(v - 1/2)) less its mean."""
    found = tpsym.parse(FILE).spectrum("diag(step(v - 1/2)) - tr(diag(step(v - 1/2)))*eye(n)")
    p = norm.sf(0.5)
    assert [(a.position, a.mass) for a in found.atoms] == [
        (pytest.approx(-p), pytest.approx(1 - p)), (pytest.approx(1 - p), pytest.approx(p))
    ]
