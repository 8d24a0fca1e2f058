from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from known_laws import (
    G,
    affine,
    anticommutator,
    arcsine,
    curve,
    from_cumulants,
    ginibre,
    half_poisson,
    half_semicircle,
    marchenko_pastur,
    semicircle,
    semicircle_and_poisson,
    semicircle_and_signs,
    semicircle_and_three,
    wishart_square,
    z,
)
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad
from sympy import Integer, Rational, sqrt

from tpsym.freeprob.curve import Curve, CurveError, NotDecided
from tpsym.freeprob.grid import cauchy_grid
from tpsym.freeprob.law import Law, law

Matrix = NDArray[np.float64]

LAWS: dict[str, Callable[[], Curve]] = {
    "semicircle": semicircle,
    "Marchenko-Pastur 1/4": lambda: marchenko_pastur(Rational(1, 4)),
    "Marchenko-Pastur 1": lambda: marchenko_pastur(Integer(1)),
    "Marchenko-Pastur 3": lambda: marchenko_pastur(Integer(3)),
    "square": wishart_square,
    "two factors": lambda: ginibre(2),
    "three factors": lambda: ginibre(3),
    "anticommutator": anticommutator,
    "one band": lambda: semicircle_and_signs(Rational(1, 2)),
    "cusp": lambda: semicircle_and_signs(Integer(1)),
    "nearly a cusp": lambda: semicircle_and_signs(Rational(101, 100)),
    "two bands": lambda: semicircle_and_signs(Integer(2)),
    "three bands": lambda: semicircle_and_three(Integer(3)),
    "semicircle and Poisson": lambda: semicircle_and_poisson(Integer(1)),
    "arcsine": arcsine,
    "atom in a band": lambda: half_semicircle(Rational(1, 3)),
    "atom at a hard edge": half_poisson,
}


@cache
def law_of(name: str) -> Law:
    return law(LAWS[name]())


@pytest.fixture(params=LAWS, scope="module")
def known(request: pytest.FixtureRequest) -> Law:
    return law_of(request.param)


def total(found: Law) -> float:
    return float(found.panels.masses.sum()) + sum(m for _, m in found.atoms)


def test_total_mass_and_moments(known: Law) -> None:
    assert total(known) == pytest.approx(1, abs=1e-13)
    assert known.expect(np.ones_like) == pytest.approx(1, abs=1e-13)
    for k in range(1, 13):
        size = known.expect(lambda x, k=k: np.abs(x) ** k)
        assert known.expect(lambda x, k=k: x**k) == pytest.approx(float(known.moment(k)), abs=1e-11 * size)
    assert known.mean == pytest.approx(known.expect(lambda x: x), abs=1e-12)
    assert known.var == pytest.approx(known.expect(lambda x: (x - known.mean) ** 2), rel=1e-11)
    assert known.std**2 == pytest.approx(known.var)


def test_density_is_that_of_the_branch(known: Law) -> None:
    for a, b in known.support:
        x = np.linspace(a, b, 203)[1:-1]
        x = x[np.min([np.abs(x - e.position.number) for e in known.edges], axis=0) > 1e-3]
        x = x[np.min([np.abs(x - place) for place, _ in (*known.atoms, (np.inf, 0))], axis=0) > 1e-3]
        branch = -cauchy_grid(known.structure.sheets, x).imag / np.pi
        assert np.all(known.pdf(x) > 0)
        assert np.allclose(known.pdf(x), branch, rtol=1e-8)
    low, high = known.support[0][0], known.support[-1][1]
    assert np.array_equal(known.pdf([low - 1, high + 1, np.nan]), [0, 0, np.nan], equal_nan=True)


def test_stieltjes(known: Law) -> None:
    for w in (0.3 + 1j, -2 + 0.5j, 20 - 3j):
        value = known.expect(lambda x, w=w: (1 / (w - x)).real) + 1j * known.expect(lambda x, w=w: (1 / (w - x)).imag)
        assert value == pytest.approx(complex(cauchy_grid(known.structure.sheets, w)), abs=1e-8)


def test_distribution_function_and_quantiles(known: Law) -> None:
    low = min(known.support[0][0], *(x for x, _ in known.atoms)) if known.atoms else known.support[0][0]
    high = known.support[-1][1]
    x = np.linspace(low - 1, high + 1, 1001)
    values = known.cdf(x)
    assert np.all(np.diff(values) >= 0)
    assert (values[0], values[-1]) == (0, pytest.approx(1, abs=1e-13))
    q = np.linspace(0, 1, 501)
    places = known.ppf(q)
    assert np.all(np.diff(places) >= 0)
    for position, mass in known.atoms:
        here = places == position
        assert here.mean() == pytest.approx(mass, abs=0.01)
        places, q = places[~here], q[~here]
    assert np.allclose(known.cdf(places), q, atol=1e-12)
    assert np.isnan(known.ppf([-0.1, 1.1, np.nan])).all()


def test_distribution_function_by_quadrature() -> None:
    found = law(semicircle_and_poisson(Integer(1)))
    ((a, b),) = found.support
    for x in np.linspace(a, b, 6)[1:]:
        integral, _ = quad(lambda s: float(found.pdf(s)), a, x, epsabs=1e-11, limit=200)
        assert float(found.cdf(x)) == pytest.approx(integral, abs=1e-9)


def test_scipy_semicircular() -> None:
    found, oracle = law(semicircle()), stats.semicircular(scale=2)
    x = np.linspace(-2.5, 2.5, 101)
    assert np.allclose(found.pdf(x), oracle.pdf(x), atol=1e-14)
    assert np.allclose(found.cdf(x), oracle.cdf(x), atol=1e-14)
    q = np.linspace(0.001, 0.999, 50)
    assert np.allclose(found.ppf(q), oracle.ppf(q), atol=1e-10)


def test_panels_leave_no_gap(known: Law) -> None:
    left, right = known.panels.left, known.panels.right
    inner = right[:-1] == left[1:]
    assert inner.sum() >= left.size - len(known.structure.bands)
    joints = left[1:][inner]
    joints = joints[np.min([np.abs(joints - e.position.number) for e in known.edges], axis=0) > 1e-6]
    for shift in (-1, 0, 1):
        x = joints + shift * np.spacing(joints)
        assert np.allclose(known.pdf(x), known.pdf(joints + 1e-13), rtol=1e-6)


def test_arcsine_close_to_its_edges() -> None:
    found = law(arcsine())
    x = np.array([-2 + 1e-12, 2 - 1e-9, 0.0])
    assert np.allclose(found.pdf(x), 1 / (np.pi * np.sqrt((2 - x) * (2 + x))), rtol=1e-12)
    assert np.allclose(found.cdf(x), np.arcsin(x / 2) / np.pi + 0.5, atol=1e-13)
    assert np.isinf(found.pdf(2.0))


def test_five_factors_have_mass_one() -> None:
    """The density diverges like x^{-5/6}."""
    found = law(ginibre(5))
    assert total(found) == pytest.approx(1, abs=1e-12)
    # mass below x is about 6 c x^{1/6}, most of it very close to zero
    constant = found.edges[0].right_constant
    assert float(found.cdf(1e-60)) == pytest.approx(6 * constant * 1e-10, rel=1e-6)


def test_samples() -> None:
    found = law(marchenko_pastur(Integer(3)))
    sample = found.rvs((100, 200), random_state=1)
    assert sample.shape == (100, 200)
    assert (sample == 0).mean() == pytest.approx(2 / 3, abs=0.01)
    assert sample.mean() == pytest.approx(found.mean, abs=5 * found.std / 140)
    assert np.array_equal(found.rvs(5, random_state=2), found.rvs(5, random_state=np.random.default_rng(2)))
    assert stats.kstest(law(anticommutator()).rvs(2000, random_state=3), law(anticommutator()).cdf).pvalue > 1e-3


def gaussian(rng: np.random.Generator, rows: int, columns: int, scale: int) -> Matrix:
    return rng.standard_normal((rows, columns)) / np.sqrt(scale)


def wigner(rng: np.random.Generator, n: int) -> Matrix:
    x = gaussian(rng, n, n, n)
    return (x + x.T) / np.sqrt(2)


def signs(n: int, a: float) -> Matrix:
    return np.diag(np.where(np.arange(n) % 2, a, -a))


def product(rng: np.random.Generator, n: int, factors: int) -> Matrix:
    result = np.eye(n)
    for _ in range(factors):
        result = gaussian(rng, n, n, n) @ result
    return result.T @ result


def anticommutator_matrix(rng: np.random.Generator, n: int) -> Matrix:
    x, y = wigner(rng, n), wigner(rng, n)
    return x @ y + y @ x


def wishart(rng: np.random.Generator, n: int, columns: int) -> Matrix:
    x = gaussian(rng, n, columns, columns)
    return x @ x.T


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("semicircle", wigner),
        ("Marchenko-Pastur 1/4", lambda rng, n: wishart(rng, n, 4 * n)),
        ("Marchenko-Pastur 3", lambda rng, n: wishart(rng, n, n // 3)),
        ("square", lambda rng, n: np.linalg.matrix_power(wishart(rng, n, n), 2)),
        ("two factors", lambda rng, n: product(rng, n, 2)),
        ("three factors", lambda rng, n: product(rng, n, 3)),
        ("anticommutator", anticommutator_matrix),
        ("cusp", lambda rng, n: wigner(rng, n) + signs(n, 1.0)),
        ("two bands", lambda rng, n: wigner(rng, n) + signs(n, 2.0)),
        ("semicircle and Poisson", lambda rng, n: wigner(rng, n) + wishart(rng, n, n)),
    ],
)
def test_eigenvalues_of_one_matrix(name: str, matrix: Callable[[np.random.Generator, int], Matrix]) -> None:
    """Eigenvalues are rigid: the distance is of order 1/n, not 1/√n."""
    n = 240
    values = np.linalg.eigvalsh(matrix(np.random.default_rng(5), n))
    found = law_of(name)
    values = np.where(np.abs(values) < 1e-9, 0.0, values)
    grid = np.linspace(values[0] - 0.1, values[-1] + 0.1, 4001)
    empirical = np.searchsorted(values, grid, side="right") / n
    assert np.abs(found.cdf(grid) - empirical).max() < 6 / n


def test_affine_maps_carry_everything() -> None:
    base, moved = law(anticommutator()), law(affine(anticommutator(), Rational(-3, 2), Rational(5, 7)))
    c, d = -1.5, 5 / 7
    x = np.linspace(-3, 3, 41)
    assert np.allclose(moved.pdf(c * x + d) * abs(c), base.pdf(x), rtol=1e-11, atol=1e-13)
    assert np.allclose(1 - moved.cdf(c * x + d), base.cdf(x), atol=1e-13)


def test_refused() -> None:
    with pytest.raises(NotDecided, match="lambda"):
        law(marchenko_pastur().at({}))
    # Cauchy's law satisfies G (z + i) = 1, with real equation (zG - 1)² + G² = 0, and has no moments
    impostor = curve((z * G - 1) ** 2 + G**2, from_cumulants(lambda n: Integer(0)))
    with pytest.raises(CurveError):
        law(impostor)


def test_laws_of_atoms_alone() -> None:
    """Equal weights at ±√2."""
    moments = lambda k: tuple(sqrt(2) ** n if n % 2 == 0 else Integer(0) for n in range(k + 1))  # noqa: E731
    found = law(curve((z**2 - 2) * G - z, moments))
    root = np.sqrt(2)
    assert found.support == ()
    assert np.allclose(found.atoms, [(-root, 0.5), (root, 0.5)])
    assert np.allclose(found.cdf([-2, -1, 1.5]), [0, 0.5, 1])
    assert np.allclose(found.ppf([0, 0.2, 0.5, 0.51, 1]), [-root, -root, -root, root, root])
    assert np.array_equal(found.pdf([0.0, root]), [0, 0])
    assert found.expect(lambda x: x**2) == pytest.approx(2)
    assert set(np.abs(found.rvs(10, random_state=0))) == {root}


def test_quantiles_at_the_ends() -> None:
    found = law(affine(ginibre(2), Integer(1000), Integer(-(10**6))))
    assert np.array_equal(found.ppf([0, 1]), [-(10**6), -(10**6) + 6750])


@pytest.mark.slow
@pytest.mark.parametrize("off", [Rational(1, 10**6), Rational(-1, 10**8)])
def test_almost_touching(off: Rational) -> None:
    """A gap of 2e-9, or a dip of the density to 1e-4: moments do not feel it."""
    found = law(semicircle_and_signs(1 + off))
    assert len(found.support) == (2 if off > 0 else 1)
    assert total(found) == pytest.approx(1, abs=1e-13)
    assert found.expect(lambda x: x**4) == pytest.approx(float(found.moment(4)), rel=1e-12)
