"""Backpropagation as a program against finite differences of the forward program, at finite width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import Symbol

import tpsym
from tpsym.program.evaluate import evaluate
from tpsym.program.instructions import Dimension, column_slot, vector_slot
from tpsym.program.scope import Context
from tpsym.program.values import Scalar
from tpsym.simulate import finite_width
from tpsym.syntax.parse import parse_expression
from tpsym.transform.backward import Gradients, backward, pull_back

N = 5
HEAD = """width n
dim d = 2
input x[p]: (d) for p in 0..2
"""
SHALLOW = "weight U: (n, d) ~ N(0, 1/d)\nweight W: (n, n) ~ N(0, 1/n)\nweight v: (1, n) ~ N(0, 1/n)\n"
PROGRAMS = {
    "two layers": SHALLOW + "def f(x):\n    return v @ tanh(W @ tanh(U @ x[0]))\n",
    "shared over time": SHALLOW + """weight b: (n) ~ N(0, 1/2)
def f(x):
    h[0] = tanh(U @ x[0] + b)
    for t in 1..2:
        h[t] = tanh(W @ h[t-1] + U @ x[t] + b)
    return v @ h[2]
""",
    "W and its transpose": SHALLOW + """def f(x):
    g = tanh(W @ tanh(U @ x[0]))
    return v @ tanh(W.T @ g + W @ (W.T @ tanh(U @ x[1])))
""",
    "layer normalisation": SHALLOW + """def norm(z):
    c = z - mean(z)
    return c/sqrt(1/10 + mean(c^2))
def f(x):
    h = norm(U @ x[0])
    return v @ norm(h + W @ tanh(norm(h)))
""",
    "attention": SHALLOW + """def f(x):
    h[t]    = U @ x[t]                                      for t in 0..2
    s[t, r] = dot(h[t], W @ h[r])/n                         for t in 0..2, r in 0..2
    a[t, r] = exp(s[t, r])/sum(exp(s[t, k]) for k in 0..2)  for t in 0..2, r in 0..2
    return v @ tanh(sum(a[1, r]*h[r] for r in 0..2))
""",
    "pooled positions": SHALLOW + """def f(x):
    h[p] = W @ tanh(U @ x[p]) + W @ tanh(U @ x[mod(p + 1, 3)]) for p in 0..2
    return v @ mean(tanh(h[p]) for p in 0..2)
""",
    "two widths": """width m = 2*n
weight U: (m, d) ~ N(0, 1/d)
weight W: (n, m) ~ N(0, 1/m)
weight v: (1, n) ~ N(0, 1/n)
def f(x):
    h = tanh(U @ x[0])
    g = tanh(W @ h)
    k = h*tanh(W.T @ g)/sqrt(1 + mean(h^2))
    return v @ (W @ k) + mean(k^2)*mean(g)
""",
    "output bias": SHALLOW + """weight c: () ~ N(0, 1)
weight e: () ~ N(0, 1)
def f(x):
    return v @ tanh(W @ tanh(U @ x[0]) + e) + c + c*e*mean(tanh(U @ x[0]))
""",
    "products and powers": SHALLOW + """def f(x):
    h = U @ x[0]
    g = W @ (h*h)
    return v @ (g*g*h) + dot(h, g)/n
""",
    "readout inside": SHALLOW + "def f(x):\n    h = tanh(W @ (U @ x[0]) + v.T)\n    return v @ h + mean(h^2)\n",
    "own multipliers": """weight U: (n, d) ~ N(0, 3/d)
weight W: (n, n) ~ N(0, 2/n)
weight v: (1, n) ~ N(0, 1/n^2)
def f(x):
    return sqrt(n)*(v @ tanh(W @ tanh(U @ x[0])))
""",
}


def context_of(text: str) -> Context:
    return tpsym.parse(HEAD + text).model.context


def output(context: Context, text: str = "f(x)") -> sp.Expr:
    limit, context.limit = context.limit, None
    try:
        found = evaluate(context, parse_expression(text), context.scope)
    finally:
        context.limit = limit
    assert isinstance(found, Scalar)
    return found.expr


DATA = {"x[0]": (1.0, 0.5), "x[1]": (-0.7, 0.9), "x[2]": (0.2, -1.1)}
MOVED = 1e-5


class Machine:
    """The program at one width, with initial arrays that can be moved."""

    def __init__(self, context: Context, *, n: int = N) -> None:
        self.context, self.n = context, n
        self.program = context.builder.program()
        grams = {s: float(np.dot(DATA[a], DATA[b])) for (a, b), s in context.grams.items()}
        self.values: dict[Symbol, float] = {**grams, Symbol("n"): n}

    def initial(self) -> dict[int, Any]:
        """The arrays as drawn."""
        nodes = [k for k in self.program.graph if not self.program.graph.in_degree(k)]
        return finite_width.run(self.program, nodes, n=self.n, seed=3, values=self.values)

    def __call__(self, exprs: list[sp.Expr], arrays: dict[int, Any]) -> list[Any]:
        """Expressions over nodes, given the initial arrays."""
        wanted = sorted({self.context.nodes[s] for e in exprs for s in e.free_symbols if s in self.context.nodes})
        plan = finite_width.prepare(self.program, wanted, n=self.n, values=self.values)
        live: dict[int, Any] = dict(arrays)
        for node in plan.order:
            if node not in live:
                live[node] = finite_width._compute(plan, node, live, 3)
        known = {s.name: live[k] for s, k in self.context.nodes.items() if k in live}
        names = {"n": float(self.n), **known}
        return [sp.lambdify(sorted(e.free_symbols, key=str), e, "numpy")(
            *(names[s.name] for s in sorted(e.free_symbols, key=str))) for e in exprs]


def slopes(machine: Machine, expr: sp.Expr, node: int, entries: list[tuple[int, ...]]) -> list[float]:
    """∂(expr)/∂(entries of an initial array) by central differences."""
    start = machine.initial()
    found = []
    for entry in entries:
        ends = []
        for sign in (1, -1):
            moved = np.array(start[node], dtype=float, copy=True)
            moved[entry] += sign * MOVED
            ends.append(machine([expr], {**start, node: moved if moved.shape else float(moved)})[0])
        found.append((ends[0] - ends[1]) / (2 * MOVED))
    return found


def gradient(machine: Machine, grads: Gradients, node: int) -> Any:
    """∂f/∂(initial array) from the backward pass."""
    start, n = machine.initial(), machine.n
    program, context = machine.program, machine.context
    scale = float(grads.scale.xreplace({context.n: sp.Integer(n)}))
    if node in grads.vectors:
        return scale / n * np.asarray(machine([grads.vectors[node]], start)[0])
    if node in grads.scalars:
        return scale * machine([grads.scalars[node]], start)[0]
    total = np.zeros_like(start[node])
    for use in program.graph.successors(node):
        if use in grads.vectors:
            instruction = program[use]
            y, z = machine([grads.vectors[use], context.symbol(instruction.vector)], start)
            outer = np.outer(np.broadcast_to(y, program_size(machine, use)), z)
            total += scale / n * (outer.T if instruction.transposed else outer)
    return total


def program_size(machine: Machine, node: int) -> tuple[int]:
    return (round(machine.n * float(machine.program[node].dimension.ratio)),)


def check(machine: Machine, expr: sp.Expr, grads: Gradients, *, fixed: int = -1) -> int:
    """Every initial array that the output rests on, but for a fixed one; how many there were."""
    needed = machine.program.ancestors([machine.context.nodes[s] for s in expr.free_symbols
                                        if s in machine.context.nodes])
    start = machine.initial()
    arrays = [k for k in needed if k in start and k != fixed]
    for node in arrays:
        shape = np.shape(start[node])
        entries = [tuple(i % size for size in shape) for i in (0, 1, 3)] if shape else [()]
        entries += [(0, 2)] if len(shape) == 2 else []
        found = np.asarray(gradient(machine, grads, node))
        for entry, wanted in zip(entries, slopes(machine, expr, node, entries), strict=True):
            assert found[entry] == pytest.approx(wanted, rel=2e-6, abs=2e-8), (machine.program.label(node), entry)
    return len(arrays)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    context = context_of(PROGRAMS[name])
    expr = output(context)
    grads = backward(context, expr)
    assert check(Machine(context), expr, grads) >= 3


@pytest.mark.parametrize("name", ["two layers", "shared over time", "W and its transpose", "layer normalisation",
                                  "two widths", "output bias", "products and powers"])
def test_a_second_application_gives_hessian_vector_products(name: str) -> None:
    """The gradient of the mean of ∂f/∂h times a fixed vector is H·p at the vectors that f rests on."""
    context = context_of(PROGRAMS[name])
    expr = output(context)
    grads = backward(context, expr)
    start = next(k for k in sorted(grads.vectors) if not context.builder.graph.in_degree(k))
    dimension = context.builder[start].dimension
    probe = context.symbol(context.builder.vector("direction", dimension))
    product = context.average(grads.vectors[start] * probe, dimension)
    again = backward(context, product, label="'")
    assert check(Machine(context), product, again) >= 3


OUTER: dict[str, tuple[int, Callable[..., sp.Expr]]] = {
    "pairs": (1, lambda r, a: sp.tanh(r[0] * a[0][1] + r[1]) * a[0][0]),
    "distance": (1, lambda r, a: sp.exp(-((r[0] - a[0][0]) ** 2) / 2) * r[1]),
    "triples": (2, lambda r, a: sp.sin(r[0] + a[0][1] * a[1][0]) * a[1][1]),
    "own columns": (1, lambda r, a: a[0][0] * a[0][1] + r[0] ** 2),
}


@pytest.mark.parametrize("name", OUTER)
def test_outer_nonlinearities(name: str) -> None:
    """y_α = n^-r Σ ψ(x_α; x_β; …): rows and columns both carry gradients back."""
    order, psi = OUTER[name]
    context = Context()
    n = Dimension("n", sp.S.One)
    context.base = n
    u, w = (context.builder.vector(k, n) for k in "uw")
    rows = [vector_slot(i) for i in range(2)]
    columns = [[column_slot(c, i) for i in range(2)] for c in range(order)]
    y = context.builder.outer(psi(rows, columns), order=order, vectors=(u, w), dimension=n)
    expr = context.average(sp.tanh(context.symbol(y)) * context.symbol(w), n)
    for k in (u, w):
        context.symbol(k)
    assert check(Machine(context), expr, backward(context, expr)) == 2


def test_a_vector_seed_gives_the_product_with_the_jacobian() -> None:
    context = context_of(PROGRAMS["shared over time"])
    output(context)
    h = next(k for k, label in context.builder.labels.items() if label == "h[2](x)")
    n = context.builder[h].dimension
    seed = context.builder.vector("seed", n)
    grads = pull_back(context, vectors={h: context.symbol(seed)})
    product = context.average(context.symbol(h) * context.symbol(seed), n)
    assert check(Machine(context), product, grads, fixed=seed) >= 3
