"""Tangent kernels: with and without the check of gradient independence, by array, at finite width, semidefinite."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from sympy import Expr, Symbol

import tpsym
from tpsym.errors import NOWHERE
from tpsym.gauss.numeric import value
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Kernel, Scalar
from tpsym.results.answers import needed
from tpsym.results.kernel_entries import output, tangent_entry
from tpsym.results.questions import LimitQuestions
from tpsym.simulate import finite_width
from tpsym.syntax.parse import parse_expression
from tpsym.transform.backward import backward
from tpsym.transform.tangent import contributions

HEAD = "width n\ndim d = 2\ninput x, y, z: (d)\nparametrization {}\n"
ARRAYS = """weight U: (n, d) ~ N(0, 1/d)
weight W: (n, n) ~ N(0, 3/(2*n))
weight V: (n, n) ~ N(0, 1/n)
weight b: (n) ~ N(0, 1/2)
weight v: (1, n) ~ N(0, 1/n)
"""
PLAIN = {
    "two layers": "def f(x):\n    return v @ erf(W @ relu(U @ x) + b)\n",
    "recurrent": """def f(x):
    h = U @ x
    for t in 1..3:
        h = W @ erf(h) + U @ x + b
    return v @ erf(h)
""",
    "residual": "def f(x):\n    h = U @ x\n    for t in 1..2:\n        h = h + W @ erf(h)\n    return v @ erf(h)\n",
    "W and W.T forward": "def f(x):\n    return v @ erf(W.T @ erf(W @ (U @ x)))\n",
    "W.T W residual": "def f(x):\n    h = U @ x\n    return v @ (h + W.T @ erf(W @ h))\n",
    "normalised": """def norm(z):
    c = z - mean(z)
    return c/sqrt(mean(c^2))
def f(x):
    h = U @ x + b
    return v @ norm(h + W @ erf(h))
""",
    "gated": "def f(x):\n    h = U @ x\n    return v @ ((W @ h)*erf(V @ h))\n",
    "scalar gate": "def f(x):\n    h = U @ x\n    return v @ (W @ erf(h)*mean(h^2))\n",
    "two widths": """width m = 2*n
weight A: (m, d) ~ N(0, 1/d)
weight B: (n, m) ~ N(0, 1/m)
def f(x):
    h = erf(A @ x)
    return v @ (B @ (h + B.T @ erf(B @ h)))
""",
}
FAILING = {
    "mean of a function": "def f(x):\n    return mean((W @ erf(U @ x))^2)\n",
    "mean readout over two layers": "def f(x):\n    return mean(erf(W.T @ (W @ (U @ x)) + b))\n",
    "readout used inside": """random r: (n) ~ N(0, 1)
def f(x):
    return dot(r, erf(W @ erf(W.T @ r + U @ x)))/n
""",
    "tied readout": "def f(x):\n    h = W @ erf(U @ x)\n    return dot(h, erf(V @ erf(h)))/n\n",
    "a constant readout": "random one: (n) ~ N(1, 0)\ndef f(x):\n    return dot(one, erf(W @ erf(U @ x)))/n\n",
}
POINTS = {"x": (Fraction(1), Fraction(1, 2)), "y": (Fraction(-1, 3), Fraction(1)), "z": (Fraction(1), Fraction(-1))}


def side_of(text: str, *, parametrization: str = "ntk", independence: bool = True) -> LimitQuestions:
    side = tpsym.parse(HEAD.format(parametrization) + ARRAYS + text).limit_side
    side.limit.independence = independence
    return side


def inputs(side: LimitQuestions, pair: str) -> tuple[Kernel, object, object]:
    scope = side.context.scope
    return Kernel("ntk", scope.names["f"]), scope.names[pair[0]], scope.names[pair[1]]


def entry(side: LimitQuestions, pair: str) -> tuple[float, dict[str, float], float]:
    """The kernel, its summands by array, and the exponent of n it comes with."""
    kernel, a, b = inputs(side, pair)
    found = tangent_entry(side, kernel, (a, b), NOWHERE)
    assert found is not None
    parts = {name: number(side, part) for name, part in found.parts}
    return number(side, found.value), parts, float(found.exponent)


def number(side: LimitQuestions, expr: Expr) -> float:
    known = dict(needed(expr, side.limit.definitions))
    free = set().union(expr.free_symbols, *(e.free_symbols for e in known.values())) - known.keys()
    values = {s: gram(s) for s in free}
    return float(value(expr, values, definitions=known, digits=12)[0].value.mid())


def gram(symbol: Symbol) -> Fraction:
    a, b = symbol.name[4:-1].split(", ")
    return sum((s * t for s, t in zip(POINTS[a], POINTS[b], strict=True)), Fraction(0))


@pytest.mark.parametrize("name", [*PLAIN, *FAILING])
def test_the_check_of_gradient_independence_changes_no_kernel(name: str) -> None:
    text = {**PLAIN, **FAILING}[name]
    quick, full = side_of(text), side_of(text, independence=False)
    for pair in ("xx", "xy"):
        (a, _, p), (b, _, q) = entry(quick, pair), entry(full, pair)
        assert p == q
        assert a == pytest.approx(b, rel=1e-10)


@pytest.mark.parametrize("parametrization", ["standard", "ntk", "mup"])
def test_summands_add_up(parametrization: str) -> None:
    total, parts, exponent = entry(side_of(PLAIN["recurrent"], parametrization=parametrization), "xy")
    assert sum(parts.values()) == pytest.approx(total, rel=1e-12)
    # the literal arrays of the standard parametrisation have gradients of size √n, its input layer and biases not
    expected = {"standard": ({"W", "v"}, 1.0), "ntk": ({"U", "W", "b", "v"}, 0.0), "mup": ({"U", "W", "b", "v"}, 0.0)}
    assert (set(parts), exponent) == expected[parametrization]


def test_a_variance_trained_or_not_is_a_factor() -> None:
    """ntk parametrisation multiplies the standard summand of an array by n times its variance."""
    _, standard, _ = entry(side_of(PLAIN["recurrent"], parametrization="standard"), "xy")
    _, scaled, _ = entry(side_of(PLAIN["recurrent"]), "xy")
    assert scaled["W"] == pytest.approx(1.5 * standard["W"], rel=1e-12)
    assert scaled["v"] == pytest.approx(standard["v"], rel=1e-12)


@pytest.mark.parametrize("name", ["two layers", "recurrent", "W.T W residual", "gated"])
def test_kernels_are_symmetric_and_positive_semidefinite(name: str) -> None:
    side = side_of(PLAIN[name])
    found = {a + b: entry(side, a + b)[0] for a, b in product("xyz", repeat=2)}
    matrix = np.array([[found[a + b] for b in "xyz"] for a in "xyz"])
    assert np.allclose(matrix, matrix.T, rtol=1e-10)
    assert np.linalg.eigvalsh(matrix).min() > -1e-10


def test_where_gradient_independence_fails_the_gradient_has_a_correlation_part() -> None:
    """x = 1, f = mean((W x)²): dx = 2 Wᵀ W x has mean 2 and second moment 8 (Yang, Tensor Programs II, 6.3)."""
    text = "random one: (n) ~ N(1, 0)\nweight M: (n, n) ~ N(0, 1/n)\nlet g = 2*M.T @ (M @ one)\n"
    program = tpsym.parse("width n\n" + text)
    assert float(program.evaluate("E[g]")) == 2
    assert float(program.evaluate("E[g^2]")) == 8
    assert float(program.evaluate("E[Zhat(M.T @ (M @ one))^2]")) == 1


def measured(side: LimitQuestions, pair: str, *, n: int, seeds: int) -> tuple[float, float]:
    """The mean over seeds of the finite-width kernel, without its power of n, and its standard error."""
    kernel, a, b = inputs(side, pair)
    _, _, exponent = entry(side, pair)
    context = side.context
    passes = [backward(context, output(side, kernel, q, NOWHERE).expr) for q in (a, b)]
    assert isinstance(output(side, kernel, a, NOWHERE), Scalar)
    parts = contributions(context, passes[0], passes[1])
    total = sp.Add(*(c.factor * c.inner for c in parts)) * context.n ** sp.nsimplify(-exponent)
    nodes = [context.nodes[s] for s in total.free_symbols if s in context.nodes]
    grams = {s: float(gram(s)) for s in context.grams.values()}
    plan = finite_width.prepare(context.builder.program(), nodes, n=n, values=grams)
    found = []
    for seed in range(seeds):
        run = finite_width.execute(plan, seed=seed)
        known = {context.symbol(k): v for k, v in run.items()} | grams | {context.n: n}
        found.append(float(total.xreplace({s: sp.Float(known[s]) for s in total.free_symbols})))
    return float(np.mean(found)), float(np.std(found) / np.sqrt(seeds))


@pytest.mark.parametrize("name", ["recurrent", "W.T W residual", *FAILING])
def test_kernels_at_finite_width(name: str) -> None:
    side = side_of({**PLAIN, **FAILING}[name])
    limit = entry(side, "xy")[0]
    mean, error = measured(side, "xy", n=400, seeds=24)
    assert abs(mean - limit) < 4 * error + 0.03 * abs(limit), (mean, error, limit)
    assert error < 0.2 * max(abs(limit), 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PLAIN, *FAILING])
def test_kernels_at_growing_widths(name: str) -> None:
    side = side_of({**PLAIN, **FAILING}[name])
    for pair in ("xx", "xy"):
        limit = entry(side, pair)[0]
        for n, bias in ((300, 0.05), (1500, 0.01)):
            mean, error = measured(side, pair, n=n, seeds=24)
            assert abs(mean - limit) < 4 * error + bias * abs(limit), (n, pair, mean, error, limit)


def test_inner_vectors_have_the_kernel_of_one_coordinate() -> None:
    """Of f.h for h of size 2n as of one of size n: that of a readout that picks a coordinate."""
    text = "width m = {0}*n\nweight A: (m, n) ~ N(0, 1/n)\ndef g(x):\n    h = A @ erf(U @ x)\n    return h\n"
    values = []
    for ratio in (1, 2):
        side = side_of(text.format(ratio))
        found = evaluate(side.context, parse_expression("ntk(g)(x, y)"), side.context.scope).expr
        values.append(number(side, found))
    assert values[0] == pytest.approx(values[1], rel=1e-12)
