"""Random polynomial programs: exact expectations against the interpreter that runs programs at width 2 and 3."""

from __future__ import annotations

import random

import pytest
import sympy as sp

from tpsym import api
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Scalar
from tpsym.simulate import Mean, simulate
from tpsym.syntax.parse import parse_expression

HEAD = """
width n
width m = 2*n
random W, V: (n, n) ~ N(0, 1/n)
random R: (m, n) ~ N(0, 1/n)
random x, y: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
random q: (n) ~ N(1/2, 1)
random z: (m) ~ N(0, 1)
random b: () ~ N(0, 1)
"""
n = sp.Symbol("n", positive=True)


class Sentences:
    """Expressions of the language at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def vector(self, depth: int) -> str:
        if depth == 0:
            return self.random.choice(["x", "y", "q", "relu(x)"])
        below = self.vector(depth - 1)
        return self.random.choice([
            lambda: f"({self.random.choice(['W', 'V', 'W.T'])} @ ({below}))",
            lambda: f"(R.T @ ({self.long(depth - 1)}))",
            lambda: f"(({below})*({self.vector(depth - 1)}))",
            lambda: f"(({below}) + 2*({self.vector(depth - 1)}))",
            lambda: f"(({below}) - mean({self.vector(depth - 1)}))",
        ])()

    def long(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.2:
            return "z"
        if self.random.random() < 0.6:
            return f"(R @ ({self.vector(depth - 1)}))"
        return f"(({self.long(depth - 1)})*({self.long(depth - 1)}))"

    def scalar(self) -> str:
        depth = self.random.choice([1, 2, 2])
        return self.random.choice([
            lambda: f"mean({self.vector(depth)})",
            lambda: f"mean({self.long(depth)})",
            lambda: "b",
            lambda: f"dot({self.vector(1)}, {self.vector(1)})/n",
        ])()

    def statement(self) -> str:
        square = f"({self.scalar()} + {self.scalar()})^2"
        return f"{square}*{self.scalar()}^{self.random.choice([0, 1, 2])}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed: int) -> None:
    text = Sentences(seed).statement()
    program = api.parse(HEAD)
    context = program.model.context
    program.limit_side  # noqa: B018 - installs the limit side
    asked = evaluate(context, parse_expression(f"exact(E[{text}])"), context.scope)
    assert isinstance(asked, Scalar)
    scalar = evaluate(context, parse_expression(text), context.scope)
    assert isinstance(scalar, Scalar)
    node = context.builder.moment(scalar.expr, context.nodes, None)
    result = simulate(context.builder.program(), {"s": Mean((node,))}, widths=(2, 3), seeds=3000, values={})
    for estimate in result.quantities[0].estimates:
        exact = asked.expr.xreplace({n: sp.Integer(estimate.n)})
        assert exact.is_number, text
        # heavy tails: one run in a thousand counts for much, so that errors are underestimated
        assert abs(estimate.value - float(exact)) < 6 * estimate.standard_error + 1e-9, text
