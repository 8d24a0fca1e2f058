"""``exact(E[…])`` and ``edgeworth(s)``: programs against closed forms, and against NumPy at small n."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import Expr, Rational, S, Symbol

from tpsym import api
from tpsym.errors import TpError
from tpsym.results.answers import Answer
from tpsym.results.derive import derive

n = Symbol("n", positive=True)
HEAD = """
param s, gamma: positive
width n
width m = gamma*n
random W: (n, n) ~ N(0, 1/n)
random V: (n, n) ~ N(0, s^2/n)
random R: (m, n) ~ N(0, 1/n)
random x, y: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
random z: (m) ~ N(1, 1)
random b: () ~ N(0, s^2)
fn phi
A = (W + W.T)/sqrt(2)
"""


def answer(question: str, head: str = HEAD) -> Answer:
    program = api.parse(f"{head}\nderive {question}\n")
    found = derive(program.model, program.limit_side)
    assert not found.refused, found.refused
    (only,) = found.answers
    return only


def exact(expression: str, head: str = HEAD) -> Expr:
    return answer(f"exact(E[{expression}])", head).right


def written(text: str) -> Expr:
    names = {"n": n, **{k: Symbol(k, positive=True) for k in ("s", "gamma")}, "E1": Symbol("E1"), "E2": Symbol("E2")}
    return sp.parse_expr(text.replace("^", "**"), {**names, "pi": sp.pi})


KNOWN = {
    "mean((W @ x)^4)": "3 + 6/n",
    "mean((W @ x)^2)^2": "(1 + 2/n)^2",
    "tr(A^4)": "2 + 5/n + 5/n^2",
    "tr(A)^2": "2/n^2",
    "tr(W)^2": "1/n^2",
    "tr(A^2)^2": "(1 + 1/n)^2 + 4*(1 + 1/n)/n^2",
    "dot(x, A @ A @ x)": "n + 1",
    "tr(A @ diag(x) @ A @ diag(x))": "1/n + 1/n",
    "tr((R @ R.T) @ (R @ R.T))": "1 + gamma + 1/n",
    "tr((R.T @ R) @ (R.T @ R))": "gamma*(1 + gamma + 1/n)",
    "mean((x - mean(x))^2)": "1 - 1/n",
    "mean(x - mean(x))": "0",
    "mean(x)*mean(y)": "1/(2*n)",
    "(b + sqrt(n)*mean(x))^4": "3*(s^2 + 1)^2",
    "mean(z)^2": "1 + 1/(gamma*n)",
    "mean(relu(x))^2": "1/(2*pi) + (1/2 - 1/(2*pi))/n",
    "mean(b*(W @ x))^2": "s^2/n",
    "mean(hermite(3, W @ x))": "0",
    "mean(W.T @ (W @ x) * x)": "1",
    "dot(W @ x, W @ y)": "n/2",
    "7": "7",
    "n*mean(x)^2/s": "1/s",
}


@pytest.mark.parametrize("expression", KNOWN)
def test_closed_forms(expression: str) -> None:
    assert sp.expand(exact(expression) - written(KNOWN[expression])) == 0


def test_a_bilinear_form() -> None:
    """Given x and y its square has mean s²|x|²|y|²/n, and E x_i² y_i² = 1 + 2ρ²."""
    assert sp.expand(exact("dot(x, V @ y)^2") - written("s^2*((n^2 - n) + n*(1 + 1/2))/n")) == 0


def test_a_vector_stands_for_one_coordinate() -> None:
    assert sp.expand(exact("(W @ x)^4") - exact("mean((W @ x)^4)")) == 0
    assert exact("x^2*b^2") == Symbol("s", positive=True) ** 2


def test_unknown_functions() -> None:
    """E mean(φ)² = (E φ)² + Var φ / n for any φ."""
    head = HEAD.replace("[[1, 1/2], [1/2, 1]]", "[[1, 0], [0, 1]]")
    value = exact("mean(phi(x))^2", head)
    first, second = exact("mean(phi(x))", head), exact("mean(phi(x)^2)", head)
    assert not first.has(n)
    assert sp.expand(value - first**2 - (second - first**2) / n) == 0


def test_a_symmetrised_matrix_beside_the_matrix() -> None:
    """W occurs alone too: W + W.T is no letter of its own then."""
    assert sp.expand(exact("tr(A^2)*tr(W @ W.T)") - exact("(tr(W @ W.T) + tr(W @ W))*tr(W @ W.T)")) == 0
    assert sp.expand(exact("tr(A @ W)") - exact("(tr(W @ W) + tr(W.T @ W))/sqrt(2)")) == 0
    assert sp.expand(exact("tr(A^2)*dot(x, W @ x)^2") - exact("(tr(W@W.T) + tr(W@W))*dot(x, W @ x)^2")) == 0


def test_limits_of_exact_means() -> None:
    assert answer("lim(exact(E[tr(A^6)]))").right == 5
    assert answer("lim(exact(E[n*mean(x)^2]))").right == 1


def test_trained_networks() -> None:
    """One step of gradient descent of a linear network is a polynomial program."""
    head = """
width n
input d1: (1) = [1]
weight u: (n, 1) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    return v @ (u @ xi)
train F = f with sgd(lr = 1/n), loss = mse, data = [(d1, 0)], steps = 1
"""
    start = exact("F[0](d1)^2", head)
    assert start == 1
    after = exact("F[1](d1)^2", head)
    rng = np.random.default_rng(2)
    width, runs = 3, 400_000
    u, v = rng.normal(size=(runs, width)), rng.normal(size=(runs, width)) / np.sqrt(width)
    out = (u * v).sum(1)
    u1, v1 = u - out[:, None] * v / width, v - out[:, None] * u / width
    draws = (u1 * v1).sum(1) ** 2
    assert abs(draws.mean() - float(after.xreplace({n: S(width)}))) < 4 * draws.std() / np.sqrt(runs)


# --- NumPy at small n -----------------------------------------------------------------------------------

Draws = dict[str, NDArray[np.float64]]


def drawn(width: int, runs: int, seed: int) -> Draws:
    """Arrays of the head at gamma = 2, s = 1; scalars of the language as functions of a run."""
    rng = np.random.default_rng(seed)
    w, v = rng.normal(size=(2, runs, width, width)) / np.sqrt(width)
    x, e = rng.normal(size=(2, runs, width))
    return {"W": w, "V": v, "x": x, "y": x / 2 + np.sqrt(0.75) * e, "b": rng.normal(size=runs)}


PRODUCTS = {
    "tr(W @ V @ W.T @ V.T)": lambda d: np.einsum("rij,rjk,rlk,ril->r", d["W"], d["V"], d["W"], d["V"]),
    "tr(A^3)^2": lambda d: (lambda a: np.einsum("rij,rjk,rki->r", a, a, a) ** 2 / a.shape[1])(
        (d["W"] + d["W"].transpose(0, 2, 1)) / np.sqrt(2)),
    "mean((W @ x)^2*(W @ y)^2)*tr(W @ W.T)": lambda d: (
        (np.einsum("rij,rj->ri", d["W"], d["x"]) ** 2 * np.einsum("rij,rj->ri", d["W"], d["y"]) ** 2).sum(1)
        * (d["W"] ** 2).sum((1, 2)) / d["W"].shape[1]),
    "dot(x, W @ (x*(V @ y)))^2": lambda d: np.einsum(
        "ri,rij,rj,rjk,rk->r", d["x"], d["W"], d["x"], d["V"], d["y"]) ** 2 * d["W"].shape[1],
    "tr(W @ diag(x*y) @ W.T @ diag(x^2))*mean(x)^2": lambda d: (
        np.einsum("rij,rj,rij,ri->r", d["W"], d["x"] * d["y"], d["W"], d["x"] ** 2) * d["x"].mean(1) ** 2),
    "tr(V @ diag(V @ x))^2": lambda d: np.einsum("rii,rij,rj->r", d["V"], d["V"], d["x"]) ** 2 / d["W"].shape[1],
    "(mean(x*(W @ y)) + b*mean(y))^2": lambda d: (
        (np.einsum("ri,rij,rj->r", d["x"], d["W"], d["y"]) + d["b"] * d["y"].sum(1)) ** 2 / d["W"].shape[1]),
}
"""Expressions with n times their value; (1/n) in front is left out where it is a square."""


@pytest.mark.parametrize("expression", PRODUCTS)
def test_monte_carlo(expression: str) -> None:
    width, runs = 3, 300_000
    values = PRODUCTS[expression](drawn(width, runs, seed=len(expression))) / width
    at = {n: S(width), Symbol("s", positive=True): S.One, Symbol("gamma", positive=True): S(2)}
    expected = float(exact(expression).xreplace(at))
    assert abs(values.mean() - expected) < 4.5 * values.std() / np.sqrt(runs)


VECTORS = ("x", "y", "W @ x", "W.T @ y", "x*y", "V @ (W @ y)")


@settings(max_examples=15, deadline=None)
@given(*(st.lists(st.sampled_from(VECTORS), min_size=2, max_size=size) for size in (4, 2)))
def test_means_are_linear_and_commute(first: list[str], second: list[str]) -> None:
    one, two = ("*".join(f"({v})" for v in vs) for vs in (first, second))
    product = exact(f"mean({one})*mean({two})")
    assert sp.expand(product - exact(f"mean({two})*mean({one})")) == 0
    total = exact(f"mean({one})*(3*mean({two}) - mean(x)^2)")
    assert sp.expand(total - 3 * product + exact(f"mean({one})*mean(x)^2")) == 0
    # (a + b)² = a² + 2ab + b²
    square = exact(f"(mean({one}) + mean({two}))^2")
    parts = exact(f"mean({one})^2") + 2 * product + exact(f"mean({two})^2")
    assert sp.expand(square - parts) == 0


# --- what is told ---------------------------------------------------------------------------------------


def test_pairings_are_told() -> None:
    found = answer("exact(E[tr(A^4)])")
    (table,) = found.tables
    assert table.columns[:5] == ("surface", "χ", "genus", "straight", "twisted")
    assert [row[:5] for row in table.rows] == [
        ("sphere", 2, 0, 2, 0), ("projective plane", 1, "", 0, 5), ("torus, Klein bottle", 0, 1, 1, 4),
    ]
    assert sp.expand(sum((row[5] for row in table.rows), S.Zero) - found.right) == 0  # type: ignore[misc]
    (step,) = found.steps
    assert (step.rule.source, str(step.before)) == ("Ledoux2009", "E[Tr((W + W.T)^4)]")
    assert step.after == sp.expand(4 * n * found.right)


def test_set_partitions_are_told() -> None:
    found = answer("exact(E[(sqrt(n)*mean(x^2 - 1))^4])")
    assert found.right == 12 + 48 / n
    (table,) = found.tables
    assert [row[:3] for row in table.rows] == [
        ("{2, 2}", 3, 12), ("{4}", 1, 48 / n), ("with a block of one", 11, 0),
    ]
    assert [row[3] for row in table.rows] == ["stays", ("vanishes like ", 1 / n), "0, as the mean is 0"]
    assert found.steps[0].rule.source == "Fisher1929"


def test_several_products_are_told_one_by_one() -> None:
    found = answer("exact(E[mean((W @ x)^2) + tr(W @ W.T @ W @ W.T) + tr(W)^2])")
    assert {step.rule.name for step in found.steps} == {"Wick's formula", "Loop equations"}
    assert len(found.steps) == 3
    assert len(found.tables) == 1


def test_symbolic_powers_of_the_width() -> None:
    head = "param a: real\nwidth n\nrandom W: (n, n) ~ N(0, n^(-2*a))\nrandom g: (n) ~ N(0, 1)\n"
    found = answer("exact(E[tr(W @ W.T @ W @ W.T)])", head)
    a = Symbol("a", real=True)
    assert found.right == 2 * n ** (2 - 4 * a) + n ** (1 - 4 * a)
    assert [row[6] for row in found.tables[0].rows] == [("of order ", n ** (j - 4 * a)) for j in (2, 1)]
    found = answer("exact(E[n*mean(g)^2*n^a])", head)
    assert found.right == n**a


# --- Edgeworth ------------------------------------------------------------------------------------------


def test_the_expansion_is_that_of_a_chi_square() -> None:
    """√n mean(x² − 1) has the law of (χ²_n − n)/√n: two terms are right to order n^{-3/2}."""
    from scipy import stats

    program = api.parse(HEAD + "param t: real\nclaim \"e\": edgeworth(sqrt(n)*mean(x^2 - 1))(t) == 0\n")
    value = next(c.left for c in api.verify(program))
    assert value is not None
    t = Symbol("t", real=True)
    errors = []
    for width in (20, 80, 320):
        at = sp.lambdify(t, value.xreplace({n: S(width)}).rewrite(sp.erf).replace(
            lambda e: type(e).__name__ == "Phi", lambda e: (1 + sp.erf(e.args[0] / sp.sqrt(2))) / 2), "scipy")
        points = np.array([-2.0, -1.0, 0.3, 1.0, 2.5])
        errors.append(np.abs(at(points) - stats.chi2.cdf(width + np.sqrt(width) * points, width)).max())
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(8, rel=0.3)


def test_the_expansion_is_stated_with_cumulants() -> None:
    found = answer("edgeworth(sqrt(n)*mean(x^2 - 1) + 2)")
    (table,) = found.tables
    assert [row[1] for row in table.rows] == [2, 2, 8 / sp.sqrt(n), 48 / n]
    assert found.steps[0].rule.source == "Cramer1928"


def test_gaussian_sums_need_no_correction() -> None:
    program = api.parse(HEAD + 'param t: real\nclaim "g": edgeworth(sqrt(n)*mean(x), order = 5)(t) == Phi(t)\n'
                        'claim "r": edgeworth(sqrt(gamma*n)*mean(z - 1), order = 0)(t) == Phi(t)\n')
    assert [c.verdict for c in api.verify(program)] == ["proved", "proved"]


# --- refusals -------------------------------------------------------------------------------------------

REFUSED = {
    "exact(E[mean(relu(W @ x))])": "relu(W x), which is no polynomial in W x,",
    "exact(E[1/mean(x^2)])": "1/mean(x^2), which is no polynomial in mean(x^2),",
    "exact(E[mean(abs(b)*x)])": "Abs(b), which is no polynomial in b,",
    "edgeworth(mean(x))(1)": "at the scale of the central limit",
    "edgeworth(sqrt(n)*mean(W @ x))(1)": "a sum over the coordinates of initial vectors",
    "edgeworth(sqrt(n)*mean(sign(x)))(1)": "Cramér's condition",
    "edgeworth(sqrt(n)*mean(x - x))(1)": "no sum over coordinates",
    "exact(E[mean(exp(x^2))])": "does not exist",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_refused(expression: str) -> None:
    program = api.parse(f'{HEAD}\nclaim "c": {expression} == 0\n')
    try:
        (claim,) = api.verify(program)
    except TpError as error:
        pytest.fail(str(error))
    assert claim.verdict == "undecided"
    assert REFUSED[expression] in claim.detail


def test_probes_are_no_arrays_of_the_program() -> None:
    """A trace is a mean along a random direction, which is not read as it stands where its matrix is not known."""
    program = api.parse("""
width n
input d1: (1) = [1]
weight u: (n, 1) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    return tr(W @ W.T)*(v @ (u @ xi))
train F = f with sgd(lr = 1/n), loss = mse, data = [(d1, 0)], steps = 1
claim "before": exact(E[f(d1)^2]) == 1 + 2/n^2
claim "after": exact(E[F[1](d1)]) == 0
""")
    before, after = api.verify(program)
    assert before.verdict == "proved"
    assert after.verdict in ("proved", "undecided")
    assert after.verdict == "proved" or "along a random direction" in after.detail


def test_a_vector_may_be_called_probe() -> None:
    assert exact("mean(probe)^2", "width n\nrandom probe: (n) ~ N(0, 1)\n") == 1 / n


def test_symbolic_depth() -> None:
    program = api.parse("""
width n
depth L
input d1: (1) = [1]
weight u: (n, 1) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 2..L
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h[1] = u @ xi
    for l in 2..L:
        h[l] = W[l] @ h[l-1]
    return v @ h[L]
claim "e": exact(E[f(d1)^4]) == 3*(1 + 2/n)
""")
    (claim,) = api.verify(program)
    assert (claim.verdict, "symbolic depth" in claim.detail) == ("undecided", True)


def test_a_deep_linear_network() -> None:
    """f = v W … W u: conditionally Gaussian, so that E f⁴ = 3 (1 + 2/n)^L by layers."""
    head = """
width n
input d1: (1) = [1]
weight u: (n, 1) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 2..3
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h[1] = u @ xi
    for l in 2..3:
        h[l] = W[l] @ h[l-1]
    return v @ h[3]
"""
    assert sp.expand(exact("f(d1)^4", head) - 3 * (1 + 2 / n) ** 3) == 0


def test_rationals() -> None:
    assert exact("mean(x^2)^3").coeff(n, -2) == Rational(8)
