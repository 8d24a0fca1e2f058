"""What tables are said to do, seen at finite width."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from perceptrons import HALF, network, text
from sympy import Rational, S, Symbol

from tpsym.errors import NOWHERE
from tpsym.polyhedra.conditions import evaluate
from tpsym.scaling.check import checked
from tpsym.simulate.slopes import slopes
from tpsym.transform.optimizers import Optimizer, Rule
from tpsym.transform.training import MSE, Training

F = Fraction
QUANTITIES = ("h[1](x)", "h[2](x)", "f(x)")

CASES: tuple[tuple[str, Rule, tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]], ...] = (
    ("standard, Adam at 1/n", "adam", (0, 0, 0), (0, HALF, HALF), (1, 1, 1)),
    ("standard, signs at n^-3/2", "signsgd", (0, 0, 0), (0, HALF, HALF), (F(3, 2), F(3, 2), F(3, 2))),
    ("standard, large rate of the readout", "sgd", (0, 0, 0), (0, HALF, HALF), (1, 1, HALF)),
    ("standard, large rate of the hidden layer", "sgd", (0, 0, 0), (0, HALF, HALF), (1, HALF, 1)),
    ("standard, large rate of the input layer", "sgd", (0, 0, 0), (0, HALF, HALF), (-HALF, 1, 1)),
    ("tangent kernel", "sgd", (0, HALF, HALF), (0, 0, 0), (0, 0, 0)),
    ("a hidden layer too large", "sgd", (0, F(1, 4), HALF), (0, 0, 0), (2, 2, 2)),
    ("a readout too large", "sgd", (0, HALF, F(1, 4)), (0, 0, 0), (2, 2, 2)),
)


def values(a: tuple[Any, ...], b: tuple[Any, ...]) -> dict[str, Fraction]:
    found = {f"a[{k}]": F(q) for k, q in enumerate(a, 1)}
    return found | {f"b[{k}]": F(q) for k, q in enumerate(b, 1)}


def with_numbers(source: str, numbers: dict[str, Fraction]) -> str:
    declared = next(line for line in source.splitlines() if line.startswith("param"))
    source = source.replace(declared + "\n", "")
    for name, q in numbers.items():
        source = source.replace(name, f"({q})")
    return source


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "c", "rule"), [pytest.param(a, b, c, rule, id=k) for k, rule, a, b, c in CASES])
def test_findings_and_frozen_updates_at_finite_width(
    a: tuple[Any, ...], b: tuple[Any, ...], c: tuple[Any, ...], rule: Rule
) -> None:
    context, value = network(with_numbers(text(2, function="tanh"), values(a, b)))
    rates = {f"w[{k}]": context.n ** -Rational(q.numerator, q.denominator) for k, q in enumerate(map(F, c), 1)}
    optimizer = Optimizer(rule, rates=rates)
    result = checked(context, value, optimizer, NOWHERE)
    names = context.builder.labels
    nodes = {label: node for node, label in names.items() if label in QUANTITIES}
    symbols = {context.nodes[s]: s for s in context.nodes}
    base = context.base
    seen = tuple((k, symbols[nodes[k]], None if k == "f(x)" else base) for k in QUANTITIES)
    training = Training(context, (value,), (S.One,), MSE, optimizer, 2)
    given = {Symbol("d", positive=True, integer=True): 4.0}
    data, widths = {"x": [0.7, -0.4, 1.1, 0.2]}, (128, 256, 512, 1024, 2048)
    table = slopes(training, seen, widths=widths, seeds=4, values=given, data=data)
    for finding in result.findings:
        slope = table.find(finding.what, "change" if finding.step else "size", finding.step)
        assert slope.exponent == pytest.approx(float(finding.exponent), abs=0.12), finding
    if result.scaling is not None:
        for label, expr, _ in seen:
            exponent = table.find(label, "change", 2).exponent
            size = result.scaling.update(expr)
            assert size is not None
            assert exponent == pytest.approx(float(evaluate(size, {})), abs=0.12), label
