"""Training in another parametrisation is training of the file that declares it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from sympy import Rational

import tpsym
from tpsym.program.evaluate import evaluate
from tpsym.simulate.training import Trace, train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Rescaled
from tpsym.transform.training import MSE, Training

TEXT = """width n
dim d = 3
input x: (d)
weight U: (n, d) ~ N(0, {U}/d)
weight W: (n, n) ~ N(0, {W}/n)
weight v: (1, n) ~ N(0, {v}/n)
weight b: (n) ~ N(0, {b})
def f(xi):
    h = {mb}*b + {mU}*(U @ xi)
    return {mv}*(v @ tanh({mW}*(W @ tanh(h))))
"""
PLAIN = dict.fromkeys(("U", "W", "v", "b", "mU", "mW", "mv", "mb"), "1")
HALF = Fraction(1, 2)
OPTIMIZERS = {
    "sgd": Optimizer("sgd", rate=Rational(1, 3), momentum=Rational(1, 2), decay=Rational(1, 10)),
    "adam": Optimizer("adam", rate=Rational(1, 20), beta1=Rational(9, 10), eps=Rational(1, 50)),
    "adafactor": Optimizer("adafactor", rate=Rational(1, 20)),
    "muon": Optimizer("muon", rate=Rational(1, 5)),
}


def trained(text: str, optimizer: Optimizer, rescaled: dict[str, Rescaled] | None = None) -> Trace:
    context = tpsym.parse(text).model.context
    limit, context.limit = context.limit, None
    outcome: Any = evaluate(context, parse_expression("f(x)"), context.scope)
    context.limit = limit
    training = Training(context, (outcome.expr,), (Rational(7, 10),), MSE, optimizer, 3)
    return train(training, n=16, seed=3, values={}, rescaled=rescaled or {})


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_a_rescaled_network_is_the_one_that_declares_it(rule: str) -> None:
    """U enters as n^1/2 times an array of variance 1/n², W with larger entries, v as 1/n times one, b as it is."""
    rescaled = {"U": Rescaled(HALF, -HALF), "W": Rescaled(Fraction(0), HALF), "v": Rescaled(Fraction(-1), -HALF)}
    declared = PLAIN | {"mU": "n^(1/2)", "U": "1/n^2", "W": "n", "mv": "1/n", "v": "n"}
    one = trained(TEXT.format(**PLAIN), OPTIMIZERS[rule], rescaled)
    other = trained(TEXT.format(**declared), OPTIMIZERS[rule])
    assert np.allclose(one.outputs, other.outputs, rtol=1e-9, atol=0)
    plain = trained(TEXT.format(**PLAIN), OPTIMIZERS[rule])
    assert not np.allclose(one.outputs, plain.outputs, rtol=1e-3)


def test_the_program_decides_nothing_else() -> None:
    """Without other exponents a rescaling changes nothing, in a file with standardised arrays too."""
    text = TEXT.format(**PLAIN)
    nothing = dict.fromkeys("UWvb", Rescaled(Fraction(0), Fraction(0)))
    assert np.array_equal(trained(text, OPTIMIZERS["sgd"], nothing).outputs, trained(text, OPTIMIZERS["sgd"]).outputs)
    standardised = "parametrization ntk\n" + text
    assert np.array_equal(
        trained(standardised, OPTIMIZERS["sgd"], nothing).outputs, trained(text, OPTIMIZERS["sgd"]).outputs
    )
