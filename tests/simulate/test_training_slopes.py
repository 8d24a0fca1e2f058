"""How training scales with the width: known exponents of parametrizations, and known limits after few steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import Expr, Rational, S, Symbol

import tpsym
from tpsym.errors import TpError
from tpsym.program.evaluate import evaluate
from tpsym.program.scope import Context
from tpsym.program.values import VectorValue
from tpsym.simulate.slopes import SlopeTable, fitted, measured, slopes
from tpsym.simulate.training import Observed, Trace, train
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, MSE, Loss, Training

NETWORK = """width n
dim d = 4
param a[l], b[l]: real for l in 1..3
param c[l]: real for l in 1..3
param eta: positive
input x: (d)
weight w[1]: (n, d) ~ N(0, n^(-2*b[1])/d)
weight w[2]: (n, n) ~ N(0, n^(-2*b[2]))
weight w[3]: (1, n) ~ N(0, n^(-2*b[3]))
def f(z):
    h[1] = n^(-a[1]) * w[1] @ z
    h[2] = n^(-a[2]) * w[2] @ tanh(h[1])
    return n^(-a[3]) * w[3] @ tanh(h[2])
"""
N = Symbol("n", positive=True)
FIRST, SECOND, OUTPUT = "f.h[1](x)", "f.h[2](x)", "f(x)"


def training_of(
    text: str, output: str, target: int, loss: Loss, optimizer: Optimizer, steps: int, observed: tuple[str, ...] = ()
) -> tuple[Training, Observed]:
    context = tpsym.parse(text).model.context
    context.limit = None

    def value(text: str) -> Any:
        return evaluate(context, parse_expression(text), context.scope)

    expr = value(output).expr
    seen = [(label, value(label)) for label in observed]
    followed = tuple((k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k, v in seen)
    return Training(context, (expr,), (S(target),), loss, optimizer, steps), followed


def parameter(context: Context, name: str) -> Symbol:
    return next(s for s in context.parameters if s.name == name)


def table(
    rule: Any, exponents: Mapping[str, tuple[float, float, float]], *, widths: tuple[int, ...], seeds: int, steps: int
) -> SlopeTable:
    """The slopes of the network in a parametrization, with learning rates n^-c and error signal 1."""
    optimizer = Optimizer(rule)
    training, observed = training_of(NETWORK, "f(x)", 0, CONSTANT, optimizer, steps, (FIRST, SECOND, OUTPUT))
    context = training.context
    values = {parameter(context, f"{k}[{i + 1}]"): e for k in "abc" for i, e in enumerate(exponents[k])}
    eta = parameter(context, "eta")
    rates: dict[str, Expr] = {f"w[{i}]": eta * N ** -parameter(context, f"c[{i}]") for i in (1, 2, 3)}
    training = replace(training, optimizer=replace(optimizer, rates=rates))
    return slopes(training, observed, widths=widths, seeds=seeds, values={**values, eta: 0.5})


PARAMETRIZATIONS = {
    # name: rule, a, b, c, exponents of the changes of the first and second layer and of the output
    "SP with small rates": ("sgd", (0, 0, 0), (0, 0.5, 0.5), (1, 1, 1), (-1.5, -0.5, 0)),
    "NTP": ("sgd", (0, 0.5, 0.5), (0, 0, 0), (0, 0, 0), (-0.5, -0.5, 0)),
    "muP": ("sgd", (-0.5, 0, 0.5), (0.5, 0.5, 0.5), (0, 0, 0), (0, 0, 0)),
    "between": ("sgd", (-0.25, 0.25, 0.5), (0.25, 0.25, 0.25), (0, 0, 0), (-0.25, -0.25, 0)),
    "slow readout": ("sgd", (0, 0.5, 1), (0, 0, -0.5), (0, 0, 0), (-0.5, -0.5, 0)),
    "muP, signs": ("signsgd", (0, 0, 1), (0, 0.5, 0), (0, 1, 0), (0, 0, 0)),
    "NTP, signs": ("signsgd", (0, 0.5, 0.5), (0, 0, 0), (0.5, 1, 0.5), (-0.5, -0.5, 0)),
    "SP, signs": ("signsgd", (0, 0, 0), (0, 0.5, 0.5), (1, 1, 1), (-1, 0, 0.5)),
    "SP with small rates, signs": ("signsgd", (0, 0, 0), (0, 0.5, 0.5), (1.5, 1.5, 1.5), (-1.5, -0.5, 0)),
    "SP, adam": ("adam", (0, 0, 0), (0, 0.5, 0.5), (1, 1, 1), (-1, 0, 0.5)),
}


@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_coordinates_move_as_theory_says(name: str) -> None:
    """Yang and Hu (2021) and Yang and Littwin (2023) for tanh and two hidden layers."""
    rule, a, b, c, expected = PARAMETRIZATIONS[name]
    found = table(rule, {"a": a, "b": b, "c": c}, widths=(128, 256, 512, 1024), seeds=12, steps=2)
    for label, exponent in zip((FIRST, SECOND, OUTPUT), expected, strict=True):
        slope = found.find(label, "change", 1)
        assert slope.exponent is not None
        assert slope.standard_error < 0.06
        assert slope.exponent == pytest.approx(exponent, abs=0.03 + 4 * slope.standard_error), label
    first = found.find(FIRST, "size", 0)
    assert first.exponent == pytest.approx(-(a[0] + b[0]), abs=0.01 + 4 * first.standard_error)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SP with small rates", "NTP", "muP"])
def test_slopes_at_large_widths(name: str) -> None:
    rule, a, b, c, expected = PARAMETRIZATIONS[name]
    found = table(rule, {"a": a, "b": b, "c": c}, widths=(256, 512, 1024, 2048, 4096), seeds=10, steps=2)
    for label, exponent in zip((FIRST, SECOND, OUTPUT), expected, strict=True):
        for step in (1, 2):
            slope = found.find(label, "change", step)
            assert slope.exponent == pytest.approx(exponent, abs=0.02 + 4 * slope.standard_error), (label, step)


# --- limits ----------------------------------------------------------------------------------------

POINT = "input x: (3) = [1, 1/2, 1/4]\n"
"""⟨x, x⟩ = 21/16."""


def outputs(text: str, rates: Mapping[str, Expr], *, n: int, seeds: int, steps: int) -> Any:
    training, _ = training_of(text, "f(x)", 1, MSE, Optimizer("sgd", rates=rates), steps)
    return np.array([train(training, n=n, seed=s, values={}).outputs[:, 0] for s in range(seeds)])


def test_a_linear_network_with_mean_field_rates_reaches_its_limit() -> None:
    """f₁ = 2ηsy and f₂ = 4ηsy(ηs−1)(2η³s²y²−η²sy²−1), s = ⟨x, x⟩ (Yang and Hu 2021, §6)."""
    text = "width n\n" + POINT + "weight u: (n, 3) ~ N(0, 1)\nweight v: (1, n) ~ N(0, 1)\ndef f(z):\n" \
        "    return v @ (u @ z) / n\n"
    eta, s = 0.3, 21 / 16
    found = outputs(text, dict.fromkeys("uv", Rational(3, 10) * N), n=4000, seeds=24, steps=2)
    limits = 2 * eta * s, 4 * eta * s * (eta * s - 1) * (2 * eta**3 * s**2 - eta**2 * s - 1)
    for step, limit in ((1, limits[0]), (2, limits[1])):
        sample = found[:, step]
        assert sample.mean() == pytest.approx(limit, abs=0.002 + 4 * sample.std(ddof=1) / np.sqrt(24))
    assert found[:, 1].std() < 0.05


def test_correlations_with_a_trained_matrix_are_kept() -> None:
    """After one step Wᵀ is correlated with the first layer: the limit is 0.5836, without that 0.4395."""
    text = "width n\n" + POINT + "weight u: (n, 3) ~ N(0, 1)\nweight w: (n, n) ~ N(0, 1/n)\n" \
        "weight v: (1, n) ~ N(0, 1)\ndef f(z):\n    return v @ tanh(w @ tanh(u @ z)) / n\n"
    found = outputs(text, {"u": N, "w": S.One, "v": N}, n=1024, seeds=24, steps=1)[:, 1]
    assert found.mean() == pytest.approx(0.5836, abs=0.003 + 4 * found.std(ddof=1) / np.sqrt(24))
    assert found.std() / np.sqrt(24) < 0.012


# --- the fit ---------------------------------------------------------------------------------------


def test_fit_and_its_error() -> None:
    """Exact powers, a bend in one that is no power, and errors as large as the scatter of many fits."""
    widths = (64, 128, 256, 512, 1024)
    exact = fitted(("q", "size", 0), widths, [[(3 * n**-0.75, ""), (3 * n**-0.75, "")] for n in widths])
    assert exact.exponent == pytest.approx(-0.75)
    assert exact.standard_error == pytest.approx(0, abs=1e-12)
    assert exact.bend == pytest.approx(0, abs=1e-12)
    assert exact.sizes[1] == pytest.approx(3 * 128**-0.75)
    bent = fitted(("q", "size", 0), widths, [[(1 + 64 / n, "")] * 2 for n in widths])
    assert bent.exponent is not None
    assert bent.exponent < 0 < bent.bend
    rng = np.random.default_rng(0)
    fits = [
        fitted(("q", "size", 0), widths, [[(float(np.exp(x)), "") for x in rng.normal(size=8)] for _ in widths])
        for _ in range(300)
    ]
    scores = [fit.exponent / fit.standard_error for fit in fits if fit.exponent is not None]
    assert len(scores) == 300
    assert np.std(scores) == pytest.approx(1, abs=0.2)


def test_what_does_not_move_has_no_slope() -> None:
    """Nothing at all, less than rounding, or without bound: a reason instead of a number."""
    text = "width n\nparam eta: positive\nweight u: (n) ~ N(0, 1)\nrandom g: (n) ~ N(0, 1)\nq = mean(u*u*u*u)\n"
    eta = Symbol("eta", positive=True)
    training, observed = training_of(text, "q", 0, MSE, Optimizer("sgd", rate=eta * N), 1, ("g", "u"))

    def found(rate: float, label: str, steps: int = 1) -> Any:
        result = slopes(replace(training, steps=steps), observed, widths=(32, 64), seeds=3, values={eta: rate})
        return result.find(label, "change", steps)

    assert (found(0.01, "g").exponent, found(0.01, "g").problem) == (None, "zero")
    assert (found(1e-14, "u").exponent, found(1e-14, "u").problem) == (None, "rounding")
    assert (found(1e9, "u", 8).exponent, found(1e9, "u", 8).problem) == (None, "overflow")
    assert found(0.01, "u").problem == ""
    assert abs(found(0.01, "u").exponent) < 0.5


def test_sizes_changes_and_moves_of_a_run() -> None:
    x = [np.array([3.0, 4.0]), np.array([3.0, 5.0]), np.array([3.0, 4.0])]
    trace = Trace(2, {"x": tuple(x)}, np.zeros((3, 1)), np.zeros(3))
    got = {key: size for key, (size, _) in measured(trace)}
    half = np.sqrt(0.5)
    assert got[("x", "size", 0)] == pytest.approx(np.sqrt(12.5))
    assert {k: v for k, v in got.items() if k[1] != "size"} == {
        ("x", "change", 1): pytest.approx(half), ("x", "move", 1): pytest.approx(half),
        ("x", "change", 2): 0.0, ("x", "move", 2): pytest.approx(half),
    }


def test_too_few_widths_or_seeds() -> None:
    text = "width n\nweight u: (n) ~ N(0, 1)\nq = mean(u*u)\n"
    training, observed = training_of(text, "q", 0, MSE, Optimizer("sgd"), 1, ("u",))
    for widths, seeds, what in [((8, 8), 3, "two different widths"), ((8, 16), [1, 1], "one seed")]:
        with pytest.raises(TpError, match=what):
            slopes(training, observed, widths=widths, seeds=seeds, values={})


def test_progress_counts_the_work() -> None:
    text = "width n\nweight u: (n) ~ N(0, 1)\nq = mean(u*u)\n"
    training, observed = training_of(text, "q", 0, MSE, Optimizer("sgd", rate=sp.Rational(1, 9)), 1, ("u",))
    seen: list[tuple[int, int]] = []
    slopes(training, observed, widths=(2, 4), seeds=2, values={},
           progress=lambda done, total: seen.append((done, total)))
    assert seen == [(4, 40), (8, 40), (24, 40), (40, 40)]
