"""Programs run at finite width, against plain NumPy and against the theory's worked numbers."""

import itertools

import numpy as np
import pytest
from sympy import Max, Rational, S, Symbol, sqrt, tanh

from tpsym.errors import TpError
from tpsym.functions import relu, unknown
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension, column_slot, scalar_slot, vector_slot
from tpsym.simulate import finite_width
from tpsym.simulate.finite_width import run

N = Dimension("n", S.One)
z, w, t = (Symbol(s, real=True) for s in "zwt")
n = Symbol("n", positive=True)


def ones(builder, dimension=N):
    return builder.vector("one", dimension, mean=S.One, variance=S.Zero)


def test_gradient_of_a_mean_of_squares_is_correlated_with_the_matrix():
    """theory A6: h = W 1, x = Wᵀ(2h) has mean 2 and hat variance 4, where independence would say 0 and 4."""
    b = Builder()
    matrix = b.matrix("W", N, N, S.One)
    h = b.matmul(matrix, ones(b))
    x = b.matmul(matrix, b.nonlin(2 * z, {z: h}, N), transposed=True)
    mean, square = b.moment(z, {z: x}, N), b.moment(z**2, {z: x}, N)
    draws = [run(b.program(), [mean, square], n=1024, seed=s, values={}) for s in range(24)]
    means, squares = (np.array([d[node] for d in draws]) for node in (mean, square))
    for sample, limit in ((means, 2), (squares, 8)):
        assert abs(sample.mean() - limit) < 4 * sample.std(ddof=1) / np.sqrt(24)


def test_rectangular_matrix_and_its_transpose():
    """theory A4: W is n×m with n/m = 1/2; Wᵀ W x = x/2 + noise of variance 1/2."""
    b, m = Builder(), Dimension("m", S(2))
    matrix = b.matrix("W", N, m, S.One)
    x = b.vector("x", m)
    y = b.matmul(matrix, b.matmul(matrix, x), transposed=True)
    cross, square = b.moment(z * w, {z: x, w: y}, m), b.moment(z**2, {z: y}, m)
    draws = [run(b.program(), [cross, square], n=1000, seed=s, values={}) for s in range(24)]
    crosses, squares = (np.array([d[node] for d in draws]) for node in (cross, square))
    for sample, limit in ((crosses, 0.5), (squares, 0.25 + 0.5)):
        assert abs(sample.mean() - limit) < 4 * sample.std(ddof=1) / np.sqrt(24)
    assert run(b.program(), [y], n=10, seed=0, values={})[y].shape == (20,)


def test_instructions_do_what_numpy_does():
    b, sigma = Builder(), Symbol("sigma", positive=True)
    matrix, x = b.matrix("W", N, N, sigma**2), b.vector("x", N)
    y = b.matmul(matrix, x)
    s = b.moment(z**2, {z: y}, N)
    q = b.moment(sqrt(t) + 1, {t: s}, None)
    out = b.nonlin(relu(z) / t + w, {z: y, w: x, t: q}, N)
    got = run(b.program(), [matrix, x, y, s, q, out], n=50, seed=3, values={sigma: 1.5})
    np.testing.assert_allclose(got[y], got[matrix] @ got[x])
    assert got[s] == pytest.approx(np.mean(got[y] ** 2))
    assert got[q] == pytest.approx(np.sqrt(got[s]) + 1)
    np.testing.assert_allclose(got[out], np.maximum(got[y], 0) / got[q] + got[x])
    assert got[matrix].std() * np.sqrt(50) == pytest.approx(1.5, rel=0.06)


def test_correlated_and_singular_vectors():
    b, rho = Builder(), Symbol("rho", real=True)
    u = b.vector("u", N, family="uvs", mean=S(3), variance=S(2))
    v = b.vector("v", N, family="uvs", variance=S(2), covariance={u: rho})
    s = b.vector("s", N, family="uvs", variance=4 + 2 * rho, covariance={u: 2 + rho, v: 2 + rho})
    got = run(b.program(), [u, v, s], n=20000, seed=0, values={rho: 1.2})
    np.testing.assert_allclose(got[s], got[u] - 3 + got[v], atol=1e-7)
    expected = np.array([[2, 1.2], [1.2, 2]])
    assert np.abs(np.cov(got[u], got[v]) - expected).max() < 4 * 2 * np.sqrt(2 / 20000)
    assert got[u].mean() == pytest.approx(3, abs=4 * np.sqrt(2 / 20000))


def test_families_and_unrelated_vectors_are_independent():
    b = Builder()
    nodes = [b.vector(name, N, family=family) for name, family in ("aF", "bF", "cG", "dH")]
    got = run(b.program(), nodes, n=4000, seed=1, values={})
    correlations = np.corrcoef([got[node] for node in nodes])
    assert np.abs(correlations - np.eye(4)).max() < 4.5 / np.sqrt(4000)


def test_transposed_products_use_the_same_array():
    b = Builder()
    matrix, x = b.matrix("W", N, N, S.One), b.vector("x", N)
    up, down = b.matmul(matrix, x), b.matmul(matrix, x, transposed=True)
    got = run(b.program(), [matrix, x, up, down], n=30, seed=0, values={})
    np.testing.assert_allclose(got[down], got[matrix].T @ got[x])
    assert got[up] @ got[x] == pytest.approx(got[x] @ got[down])


def deep_program():
    b = Builder()
    matrices = [b.matrix(f"W[{i}]", N, N, S.One) for i in range(3)]
    start = b.vector("x", N)
    hidden = [start]
    for matrix in matrices:
        hidden.append(b.nonlin(tanh(z), {z: b.matmul(matrix, hidden[-1])}, N))
    return b, matrices, hidden


def test_draws_depend_on_seed_width_and_name_only():
    b, matrices, hidden = deep_program()
    program = b.program()
    everything = run(program, [*matrices, *hidden], n=40, seed=7, values={})
    again = run(program, [hidden[-1]], n=40, seed=7, values={})
    np.testing.assert_array_equal(everything[hidden[-1]], again[hidden[-1]])
    backwards = run(program, [matrices[2], hidden[0]], n=40, seed=7, values={})
    np.testing.assert_array_equal(everything[matrices[2]], backwards[matrices[2]])
    b.vector("later", N)
    grown = run(b.program(), [hidden[0]], n=40, seed=7, values={})
    np.testing.assert_array_equal(everything[hidden[0]], grown[hidden[0]])
    other = run(program, [hidden[0]], n=40, seed=8, values={})
    assert not np.allclose(everything[hidden[0]], other[hidden[0]])
    wider = run(program, [hidden[0]], n=80, seed=7, values={})
    assert not np.allclose(everything[hidden[0]], wider[hidden[0]][:40])


def test_seed_may_be_a_sequence():
    b, _, hidden = deep_program()
    draws = [run(b.program(), [hidden[1]], n=9, seed=seed, values={})[hidden[1]] for seed in ((1, 2), (1, 3))]
    assert not np.allclose(*draws)


def test_equal_names_are_different_draws():
    b = Builder()
    first, second = b.matrix("W", N, N, S.One), b.matrix("W", N, N, S(2))
    got = run(b.program(), [first, second], n=200, seed=0, values={})
    assert abs(np.corrcoef(got[first].ravel(), got[second].ravel())[0, 1]) < 4.5 / 200


def test_layernorm_scalars():
    b = Builder()
    h = b.vector("h", N, mean=S(5), variance=S(9))
    mu = b.moment(z, {z: h}, N)
    nu = b.moment((z - t) ** 2, {z: h, t: mu}, N)
    s = Symbol("s", real=True)
    normed = b.nonlin((z - t) / sqrt(s), {z: h, t: mu, s: nu}, N)
    got = run(b.program(), [h, mu, nu, normed], n=500, seed=0, values={})
    assert got[mu] == pytest.approx(got[h].mean())
    assert got[nu] == pytest.approx(got[h].var())
    assert got[normed].mean() == pytest.approx(0, abs=1e-12)
    assert got[normed].std() == pytest.approx(1)


@pytest.mark.parametrize(("order", "size"), [(0, 20), (1, 700), (2, 9), (3, 4)])
def test_outer_nonlinearity_against_a_plain_loop(order, size):
    b = Builder()
    x, y = b.vector("x", N), b.vector("y", N)
    s = b.moment(z**2, {z: x}, N)
    columns = [column_slot(copy, i) for copy in range(order) for i in range(2)]
    product = scalar_slot(0) + vector_slot(0) * sum(columns[::2], S(1))
    payload = tanh(product) * sum(columns[1::2], vector_slot(1))
    out = b.outer(payload, order=order, vectors=(x, y), scalars=(s,), dimension=N)
    got = run(b.program(), [x, y, s, out], n=size, seed=0, values={})
    xs, ys = got[x], got[y]
    for alpha in (0, size // 2, size - 1):
        total = 0.0
        for beta in itertools.product(range(size), repeat=order):
            factor = np.tanh(got[s] + xs[alpha] * (1 + sum(xs[list(beta)])))
            total += factor * (ys[alpha] + sum(ys[list(beta)]))
        assert got[out][alpha] == pytest.approx(total / size**order, rel=1e-11, abs=1e-13)


def test_outer_nonlinearity_of_one_copy_only():
    b = Builder()
    x = b.vector("x", N)
    out = b.outer(column_slot(0, 0) ** 2, order=1, vectors=(x,), dimension=N)
    got = run(b.program(), [x, out], n=30, seed=0, values={})
    np.testing.assert_allclose(got[out], np.full(30, np.mean(got[x] ** 2)))


def test_outer_nonlinearity_too_large_is_refused():
    b = Builder()
    x = b.vector("x", N)
    out = b.outer(column_slot(0, 0) * column_slot(1, 0), order=2, vectors=(x,), dimension=N)
    with pytest.raises(TpError, match=r"sum of 2000\^3 terms"):
        run(b.program(), [out], n=2000, seed=0, values={})


def test_matrix_too_large_is_refused():
    b = Builder()
    out = b.matmul(b.matrix("W", N, N, S.One), b.vector("x", N))
    with pytest.raises(TpError, match="W would be 100000 × 100000 entries"):
        run(b.program(), [out], n=10**5, seed=0, values={})


def test_random_scalar():
    b = Builder()
    c = b.random_scalar("c", S(2), Rational(1, 4))
    f = b.moment(3 * t, {t: c}, None)
    draws = np.array([run(b.program(), [f], n=1, seed=s, values={})[f] for s in range(2000)])
    assert abs(draws.mean() - 6) < 4 * 1.5 / np.sqrt(2000)
    assert abs(draws.var(ddof=1) - 2.25) < 4 * 2.25 * np.sqrt(2 / 2000)


def test_powers_of_the_width_and_of_other_dimensions():
    b, a, gamma = Builder(), Symbol("a", real=True), Symbol("gamma", positive=True)
    m = Dimension("m", gamma)
    x = b.vector("x", m, variance=n ** (-2 * a))
    total = b.moment(Symbol("m", positive=True) * z, {z: x}, m)
    scaled = b.moment(n**Rational(1, 2) * t, {t: total}, None)
    anchor = b.vector("anchor", N)
    got = run(b.program(), [x, total, scaled, anchor], n=101, seed=0, values={a: 1.0, gamma: 0.5})
    assert got[x].shape == (50,)
    assert got[x].std() == pytest.approx(1 / 101, rel=0.4)
    assert got[total] == pytest.approx(got[x].sum())
    assert got[scaled] == pytest.approx(np.sqrt(101) * got[total])


def test_constant_payload_is_broadcast():
    b = Builder()
    constant = b.nonlin(S(3), {}, N)
    np.testing.assert_array_equal(run(b.program(), [constant], n=4, seed=0, values={})[constant], [3.0] * 4)


def test_unknown_function_of_a_vector():
    b = Builder()
    x = b.vector("x", N)
    y = b.nonlin(unknown("phi", 1)(z), {z: x}, N)
    got = run(b.program(), [x, y], n=5, seed=0, values={}, functions={"phi": np.cbrt})
    np.testing.assert_allclose(got[y], np.cbrt(got[x]))


def test_parameter_without_a_value_is_named():
    b = Builder()
    y = b.nonlin(Symbol("beta", real=True) * z, {z: b.vector("x", N)}, N)
    with pytest.raises(TpError, match="beta must have a value"):
        run(b.program(), [y], n=5, seed=0, values={})


@pytest.mark.parametrize(("variance", "covariance"), [(S.One, S(2)), (S(-1), S.Zero)])
def test_impossible_covariance_is_refused(variance, covariance):
    b = Builder()
    u = b.vector("u", N, family="uv")
    v = b.vector("v", N, family="uv", variance=variance, covariance={u: covariance})
    with pytest.raises(TpError, match="not positive semi-definite"):
        run(b.program(), [v], n=5, seed=0, values={})


def test_negative_variance_of_a_matrix_is_refused():
    b = Builder()
    with pytest.raises(TpError, match="the variance of W is"):
        run(b.program(), [b.matrix("W", N, N, S(-1))], n=5, seed=0, values={})


def test_correlated_vectors_of_two_sizes_are_refused():
    b = Builder()
    u = b.vector("u", N, family="uv")
    v = b.vector("v", Dimension("m", S(2)), family="uv", covariance={u: Rational(1, 2)})
    with pytest.raises(TpError, match="different sizes"):
        run(b.program(), [v], n=5, seed=0, values={})


def test_dimension_that_vanishes_is_refused():
    b = Builder()
    x = b.vector("x", Dimension("m", Rational(1, 100)))
    with pytest.raises(TpError, match="at width 10 the size m would be"):
        run(b.program(), [x], n=10, seed=0, values={})


def test_values_are_freed_after_their_last_use(monkeypatch):
    b, _, hidden = deep_program()
    seen = []
    original = finite_width._compute

    def record(plan, node, live, seed):
        seen.append(len(live))
        return original(plan, node, live, seed)

    monkeypatch.setattr(finite_width, "_compute", record)
    run(b.program(), [hidden[-1]], n=5, seed=0, values={})
    assert max(seen) == 2


def test_max_of_two_vectors():
    b = Builder()
    x, y = b.vector("x", N), b.vector("y", N)
    out = b.nonlin(Max(z, w), {z: x, w: y}, N)
    got = run(b.program(), [x, y, out], n=6, seed=0, values={})
    np.testing.assert_array_equal(got[out], np.maximum(got[x], got[y]))
