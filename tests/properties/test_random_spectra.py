"""Spectra of random matrix expressions against eigenvalues of the same matrices, computed by NumPy alone."""

from __future__ import annotations

import functools
from fractions import Fraction

import numpy as np
import pytest
from random_spectra import Drawn, program, sample
from sympy import Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.gauss.numeric import value
from tpsym.results.spectrum_numbers import NumericLaw
from tpsym.results.spectrum_study import SpectrumStudy

QUICK = (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11)
MANY = (7, *range(12, 27))
ORDERS = (1, 2, 3, 4)
WIDTH = 600
TOO_FAR = 4.5
"""Standard errors; a program that is further off is looked at once more with new draws at larger widths."""
DISTANCE = 0.03
"""Between the distribution of the eigenvalues of four matrices and that of the law."""


def eigenvalues(drawn: Drawn, n: int, seed: int) -> np.ndarray:
    assert drawn.matrix is not None
    return np.linalg.eigvalsh(drawn.matrix.of(sample(drawn.ratio, n, seed)))


def measured(drawn: Drawn, n: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Moments without their 1/n, from widths n and 2n, with standard errors."""
    means, errors = [], []
    for width, draws in ((n, count), (2 * n, count // 2)):
        values = (eigenvalues(drawn, width, seed + width * 1000 + i) for i in range(draws))
        found = np.array([[np.mean(v**k) for k in ORDERS] for v in values])
        means.append(found.mean(axis=0))
        errors.append(found.std(axis=0, ddof=1) / np.sqrt(draws))
    return 2 * means[1] - means[0], np.sqrt(4 * errors[1] ** 2 + errors[0] ** 2)


def check_moments(drawn: Drawn, law: SpectrumStudy) -> None:
    exact = np.array([law._numeric(law.moment(k)) for k in ORDERS])
    for attempt, (n, count) in enumerate([(90, 24), (240, 40)]):
        found, error = measured(drawn, n, count, attempt)
        # what is left of the bias is of order 1/n²
        gap = np.abs(found - exact) / (error + 2e-3 * np.abs(found) + 1e-9)
        if np.all(gap < TOO_FAR):
            return
    raise AssertionError(f"{drawn.text}\nexact {exact}\nmeasured {found} ± {error}")


def numbers_of(law: SpectrumStudy) -> NumericLaw | None:
    """The law in numbers, unless it is refused: by name, for want of an equation or for its size."""
    try:
        return law.numbers
    except TpError as refusal:
        if refusal.diagnostics[0].code == "no-limit":
            return None
        raise


def check_distribution(drawn: Drawn, law: SpectrumStudy) -> None:
    """Bulk and atoms, apart from points that move with a random coefficient."""
    numbers = numbers_of(law)
    if numbers is None:
        return
    found = np.sort(np.concatenate([eigenvalues(drawn, WIDTH, seed) for seed in range(4)]))
    spread = np.std(found) + 1e-9
    # a coefficient that the program computes moves all eigenvalues together by a few percent
    near = 0.08 * (spread + np.abs(found).max())
    above = np.searchsorted(found, found, side="right") / len(found)
    below = np.searchsorted(found, found, side="left") / len(found)
    assert np.all(numbers.cdf(found + near) >= above - DISTANCE), drawn.text
    assert np.all(numbers.cdf(found - near) <= below + DISTANCE), drawn.text
    if "mean(" not in drawn.text and "tr(" not in drawn.text:
        for atom in numbers.atoms:
            share = np.mean(np.abs(found - atom.position) < 1e-9 * (1 + spread))
            assert share == pytest.approx(atom.mass, abs=0.04), drawn.text


@functools.cache
def study(seed: int) -> tuple[Drawn, SpectrumStudy]:
    drawn = program(seed)
    return drawn, tpsym.parse(drawn.text).spectrum("A").at(s="3/2")


@pytest.mark.parametrize("seed", [*QUICK, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)])
def test_random_spectra(seed: int) -> None:
    drawn, law = study(seed)
    check_moments(drawn, law)
    check_distribution(drawn, law)


def test_most_have_a_law_in_numbers() -> None:
    assert sum(numbers_of(study(seed)[1]) is not None for seed in QUICK) >= 0.6 * len(QUICK)


@pytest.mark.slow
def test_closed_forms_of_densities() -> None:
    """Where there is a closed form it is the density that the equation has in numbers."""
    t, compared = Symbol("t", real=True), 0
    for seed in QUICK:
        law = tpsym.parse(program(seed).text).spectrum("A").at(s="3/2")
        try:
            density, bands = law.density(), law.numbers.bands
        except TpError:
            continue
        for low, high in bands:
            for x in np.linspace(low, high, 7)[1:-1]:
                point = Fraction(float(x)).limit_denominator(10**6)
                found, _ = value(density, {t: point}, digits=8)
                assert float(found.value) == pytest.approx(float(law.pdf(float(point))), rel=1e-6, abs=1e-9)
                compared += 1
    assert compared > 30
