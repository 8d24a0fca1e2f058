"""Random NETSOR⊤+ programs, each ending in the mean of a test function, for limits against simulations.

The strategy grows a program of 3 to 12 instructions: matrices shared and used both ways, square and
rectangular; initial vectors correlated, dependent, with means; smooth, kinked and step nonlinearities;
scalars that feed later vectors. Tails are kept light: ``degree`` bounds the growth of every vector in the
initial Gaussians, so that averages at a few hundred coordinates are nearly normal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp
from hypothesis import strategies as st
from sympy import Expr, Rational, S, Symbol

from tpsym.functions import Phi, gelu, leaky_relu, relu, step
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension, Matrix

x, y, t = (Symbol(name, real=True) for name in "xyt")
HALF, THIRD = Rational(1, 2), Rational(1, 3)

BOUNDED: dict[str, Expr] = {
    "tanh": sp.tanh(x),
    "erf": sp.erf(x),
    "sin": sp.sin(x),
    "cos": sp.cos(x),
    "Phi": Phi(x),
    "bump": sp.exp(-(x**2) / 2),
    "step": step(x - THIRD),
    "sign": sp.sign(x),
    "levels": sp.Piecewise((S.One, x > HALF), (S.NegativeOne, x < -1), (HALF, True)),
}
LINEAR: dict[str, Expr] = {
    "relu": relu(x),
    "abs": sp.Abs(x),
    "leaky": leaky_relu(x, Rational(1, 5)),
    "gelu": gelu(x),
    "affine": x / 2 + HALF,
    "gate": x * step(x + HALF),
}
ONE: dict[str, Expr] = {**BOUNDED, **LINEAR}
TWO: dict[str, tuple[Expr, bool]] = {
    "sum": (x + y / 2, False),
    "difference": (x - y, False),
    "product": (x * y, True),
    "gated": (y * sp.erf(x), False),
    "masked": (y * step(x), False),
    "larger": (sp.Max(x, y), False),
    "kink": (relu(x + y), False),
}
"""Functions of two vectors; whether the degrees add."""
FED: dict[str, Expr] = {
    "shift": x - t,
    "scale": x * t,
    "norm": x / sp.sqrt(HALF + t**2),
    "threshold": sp.tanh(x + t),
    "cut": relu(x - t),
    "flip": sp.sign(x - t),
}
"""Functions of a vector and a scalar, bounded away from poles."""
MEASURED: dict[str, Expr] = {"mean": x, "square": x**2, "tanh": sp.tanh(x), "positive": step(x)}
TESTS_OF_ONE: dict[str, Expr] = {"x": x, "x^2": x**2, "cos": sp.cos(x), "step": step(x - HALF), "erf": sp.erf(x)}
TESTS_OF_TWO: dict[str, Expr] = {"xy": x * y, "x sin y": x * sp.sin(y), "step": step(x - y), "sin": sp.sin(x + y)}

MAX_DEGREE = 2


@dataclass
class Drawn:
    """A program under construction: ``log`` reads as a program, for the report of a failure."""

    builder: Builder = field(default_factory=Builder)
    vectors: list[int] = field(default_factory=list)
    degree: dict[int, int] = field(default_factory=dict)
    matrices: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    target: int = -1

    def dimension(self, node: int) -> Dimension:
        return self.builder[node].dimension

    def add(self, node: int, degree: int, text: str) -> None:
        if node not in self.degree:
            self.vectors.append(node)
            self.degree[node] = degree
            self.log.append(f"${node} = {text}")

    def __repr__(self) -> str:
        return "\n".join(["", *self.log])


def initial(draw: st.DrawFn, p: Drawn, dimension: Dimension) -> None:
    """Two vectors of one family: correlated, independent, dependent, or one of them constant."""
    rho, mean, second = draw(st.sampled_from([
        (HALF, S.Zero, S.One), (S.Zero, HALF, S.One), (-THIRD, S.Zero, S.One), (S.One, S.Zero, S.One),
        (S.Zero, S.One, S.Zero), (S.NegativeOne, HALF, S.One), (S.One, S.Zero, 2 * S.One),
    ]))
    name = dimension.name
    u = p.builder.vector(f"u{name}", dimension, family=f"f{name}")
    v = p.builder.vector(f"v{name}", dimension, family=f"f{name}", mean=mean, variance=second, covariance={u: rho})
    p.add(u, 1, f"N(0, 1) in {name}")
    p.add(v, 1, f"N({mean}, {second}) in {name}, covariance {rho} with ${u}")


def product(draw: st.DrawFn, p: Drawn) -> None:
    """W x or Wᵀ x, preferring late vectors so that transposes meet what their matrix made."""
    matrix = draw(st.sampled_from(p.matrices))
    transposed = draw(st.booleans())
    w = p.builder[matrix]
    assert isinstance(w, Matrix)
    wanted = w.rows if transposed else w.columns
    candidates = [v for v in p.vectors if p.dimension(v) == wanted][-3:]
    vector = draw(st.sampled_from(candidates))
    degree = max(1, p.degree[vector]) if p.degree[vector] <= 1 else 2
    p.add(p.builder.matmul(matrix, vector, transposed=transposed), degree,
          f"{w.name}{'.T' if transposed else ''} @ ${vector}")


def one(draw: st.DrawFn, p: Drawn) -> None:
    name = draw(st.sampled_from(sorted(ONE)))
    vector = draw(st.sampled_from(p.vectors[-4:]))
    degree = 0 if name in BOUNDED else p.degree[vector]
    p.add(p.builder.nonlin(ONE[name], {x: vector}, p.dimension(vector)), degree, f"{name}(${vector})")


def two(draw: st.DrawFn, p: Drawn) -> None:
    first = draw(st.sampled_from(p.vectors[-4:]))
    second = draw(st.sampled_from([v for v in p.vectors if p.dimension(v) == p.dimension(first)][-4:]))
    name = draw(st.sampled_from(sorted(TWO)))
    expr, adds = TWO[name]
    degree = p.degree[first] + p.degree[second] if adds else max(p.degree[first], p.degree[second])
    if degree > MAX_DEGREE:
        name, expr, degree = "gated", TWO["gated"][0], p.degree[second]
    p.add(p.builder.nonlin(expr, {x: first, y: second}, p.dimension(first)), degree, f"{name}(${first}, ${second})")


def fed(draw: st.DrawFn, p: Drawn) -> None:
    """A scalar of one vector, used in another (perhaps of another width)."""
    source, vector = draw(st.sampled_from(p.vectors[-4:])), draw(st.sampled_from(p.vectors[-4:]))
    measure = draw(st.sampled_from(sorted(MEASURED)))
    if p.degree[source] > 1:
        measure = "tanh"
    name = draw(st.sampled_from(sorted(FED)))
    scalar = p.builder.moment(MEASURED[measure], {x: source}, p.dimension(source))
    degree = 0 if name in ("threshold", "flip") else p.degree[vector]
    p.add(p.builder.nonlin(FED[name], {x: vector, t: scalar}, p.dimension(vector)), degree,
          f"{name}(${vector}, mean {measure} of ${source})")


@st.composite
def programs(draw: st.DrawFn) -> Drawn:
    """A random program; ``target`` is the mean of a test function of its last vectors."""
    p = Drawn()
    n = Dimension("n", S.One)
    other = draw(st.sampled_from([None, None, HALF, 2 * S.One]))
    initial(draw, p, n)
    p.matrices.append(p.builder.matrix("W", n, n, draw(st.sampled_from([S.One, HALF, Rational(3, 2)]))))
    if other is not None:
        m = Dimension("m", other)
        initial(draw, p, m)
        p.matrices.append(p.builder.matrix("R", n, m, S.One))
    elif draw(st.booleans()):
        p.matrices.append(p.builder.matrix("V", n, n, S.One))
    steps = draw(st.lists(st.sampled_from([product, product, product, one, one, two, fed]), min_size=3, max_size=12))
    for grow in steps:
        grow(draw, p)
    finish(draw, p)
    return p


def finish(draw: st.DrawFn, p: Drawn) -> None:
    last = p.vectors[-1]
    candidates = [v for v in p.vectors if p.dimension(v) == p.dimension(last) and v != last]
    second = draw(st.sampled_from([None, *candidates[-4:]]))
    tests = TESTS_OF_ONE if second is None else TESTS_OF_TWO
    name = draw(st.sampled_from(sorted(tests)))
    if second is None:
        if p.degree[last] > 1:
            name = "cos"
        nodes = {x: last}
    else:
        if p.degree[last] + p.degree[second] > MAX_DEGREE:
            name = "sin"
        nodes = {x: last, y: second}
    p.target = p.builder.moment(tests[name], nodes, p.dimension(last))
    p.log.append(f"mean of {name} at {', '.join(f'${v}' for v in nodes.values())}")
