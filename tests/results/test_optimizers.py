"""Optimizers as the language states them, and as names of their own."""

from __future__ import annotations

import pytest
import sympy as sp

from tpsym.api import parse
from tpsym.program.elaborate import elaborate
from tpsym.program.evaluate import evaluate
from tpsym.program.values import OptimizerValue
from tpsym.results.optimizer_values import KINDS
from tpsym.results.questions import questions
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer

TEXT = """
width n
dim d
param eta: positive
param c: real
param α: positive
weight U: (n, d) ~ N(0, 1/d)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 1..3
weight θ: (n) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1/n)
weight s: () ~ N(0, 1)
let rule = adam
let small[k] = sgd(lr = eta/n^k)
"""
N, ETA, C = sp.Symbol("n", positive=True), sp.Symbol("eta", positive=True), sp.Symbol("c", real=True)


def optimizer(text: str) -> Optimizer:
    context = elaborate(parse(TEXT).file).context
    questions(context)
    found = evaluate(context, parse_expression(text), context.scope)
    assert isinstance(found, OptimizerValue)
    assert isinstance(found.settings, Optimizer)
    return found.settings


@pytest.mark.parametrize("name", KINDS)
def test_a_name_alone_is_the_optimizer_as_it_is(name: str) -> None:
    assert optimizer(name) == optimizer(f"{name}()") == KINDS[name].start
    assert optimizer(f"{name}(eta)").rate == optimizer(f"{name}(lr = eta)").rate == ETA


def test_rules() -> None:
    rules = {name: optimizer(name).rule for name in KINDS}
    assert rules == {"sgd": "sgd", "signsgd": "signsgd", "adam": "adam", "adamw": "adam", "adagrad": "adagrad",
                     "adafactor": "adafactor", "muon": "muon", "shampoo": "muon"}


def test_settings() -> None:
    found = optimizer("sgd(eta*n^(-c), 1/2, weight_decay = 2/n)")
    assert (found.rate, found.momentum, found.decay) == (ETA * N**-C, sp.Rational(1, 2), 2 / N)
    found = optimizer("adam(lr = 1, beta1 = 0, beta2 = 0.99, eps = n^(-2), weight_decay = 0)")
    assert (found.beta1, found.beta2, found.eps, found.decay) == (0, sp.Rational(99, 100), N**-2, 0)
    assert optimizer("small[2]").rate == ETA / N**2
    assert optimizer("rule") == optimizer("adam")


def test_tables_go_by_array() -> None:
    found = optimizer("adam(lr = {U: eta, W[2]: eta/n, θ: 1, s: α}, eps = {W: 1/n, v: 1})")
    assert dict(found.rates) == {"U": ETA, "W[2]": ETA / N, "theta": 1, "s": sp.Symbol("alpha", positive=True)}
    assert dict(found.epsilons) == {"W[1]": 1 / N, "W[2]": 1 / N, "W[3]": 1 / N, "v": 1}
    assert (found.rate_of("W[2]"), found.rate_of("W[1]"), found.eps_of("U")) == (ETA / N, 1, 0)
