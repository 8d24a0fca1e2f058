"""Networks of growing width move as derived: with maximal update parametrisations, and with wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
import sympy as sp
from architectures import analysis, change, context_of, optimizer_of, quantity, source
from test_architectures import NUMBERS, RATES, kinds

from tpsym.program.values import VectorValue
from tpsym.simulate.slopes import SlopeTable, slopes
from tpsym.transform.optimizers import Rule
from tpsym.transform.training import CONSTANT, Training

pytestmark = pytest.mark.slow

HALF = Fraction(1, 2)
WIDTHS = (64, 128, 256, 512, 1024, 2048)
SEEDS = 6
STEPS = 3

SEEN = {
    "tied": ("f(x, y)", "f.h(x, y)", "f.g(x, y)"),
    "conv_pooling": ("f(x)", "f.h[0](x)", "f.g[1](x)"),
    "conv_readout": ("f(x)", "f.h[0](x)", "f.g[1](x)", "f.o[2](x)"),
    "rnn": ("f(x)", "f.h[1](x)", "f.h[3](x)"),
    "gru": ("f(x)", "f.h[1](x)", "f.z(x)", "f.r(x)", "f.g(x)", "f.h[2](x)"),
    "attention": ("f(x)", "f.e[1](x)", "f.q(x)", "f.k[1](x)", "f.l[1](x)", "f.z(x)", "f.o(x)"),
    "heads": ("f(x)", "f.q[1](x)", "f.k[2, 1](x)", "f.l[1, 2](x)", "f.z[2](x)", "f.o(x)"),
    "grouped_query": ("f(x)", "f.q[1](x)", "f.k[1](x)", "f.l[1, 2](x)", "f.z[2](x)", "f.o(x)"),
    "channel_attention": ("f(x)", "f.h[1](x)", "f.u(x)", "f.g(x)"),
    "bottleneck": ("f(x)", "f.h[1](x)", "f.c[1](x)", "f.g(x)"),
    "gains": ("f(x)", "f.h(x)", "f.u(x)", "f.r(x)"),
    "experts_many": ("f(x)", "f.h(x)", "f.r(x)", "f.p(x)", "f.a(x)", "f.o(x)"),
    "experts_few": ("f(x)", "f.h(x)", "f.l[1](x)", "f.a[2](x)", "f.o(x)"),
    "adapter": ("f(x)", "f.c[1](x)", "f.h(x)"),
    "state_space": ("f(x)", "f.e[1](x)", "f.k[2](x)", "f.s[3](x)", "f.g(x)"),
    "residual": ("f(x)", "f.h[0](x)", "f.g(x)", "f.h[1](x)"),
}
"""Outputs and features of each network whose movement is measured."""


def rates_of(name: str, rule: Rule) -> dict[str, Fraction]:
    """The exponents of maximal rates, from the tables that the solver is tested against."""
    if name == "adapter":
        found = {f"{a}[{i}]": RATES[rule][kind] for a, kind in (("a", "output"), ("b", "input")) for i in (1, 2)}
    else:
        found = {array: RATES[rule][kind] for array, kind in kinds(name).items()}
    return found | ({"c": Fraction(0)} if name in NUMBERS else {})


def measured(name: str, text: str, rule: Rule, rates: Mapping[str, Fraction]) -> SlopeTable:
    """Slopes of everything that is seen, for an error signal 1 and small rates."""
    eta = sp.Rational(1, 50 if name == "residual" else 10 if rule == "sgd" else 20)
    seeds = SEEDS if name not in READ else 16
    widths = WIDTHS[:-1] if name == "residual" or name in READ else WIDTHS
    context = context_of(text)
    seen = [(label, quantity(context, label)) for label in SEEN[name]]
    observed = tuple((k, v.expr, v.dimension if isinstance(v, VectorValue) else None) for k, v in seen)
    optimizer = optimizer_of(context, rule, rates, eta)
    training = Training(context, (seen[0][1].expr,), (sp.S.One,), CONSTANT, optimizer, STEPS)
    values = {s: float(e) for s, e in context.parameters.items() if e is not None}
    return slopes(training, observed, widths=widths, seeds=seeds, values=values)


READ = {
    "attention": ("f.l[1](x)",), "heads": ("f.l[1, 2](x)",), "grouped_query": ("f.l[1, 2](x)",),
    "experts_few": ("f.l[1](x)",), "bottleneck": ("f.c[1](x)",), "adapter": ("f.c[1](x)",),
}
"""Numbers that each network reads from its features: one by seed, where vectors have n coordinates."""


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("name", SEEN)
def test_maximal_updates_move_everything_alike(name: str, rule: Rule) -> None:
    table = measured(name, source(name), rule, rates_of(name, rule))
    numbers = (*READ.get(name, ()), *(SEEN[name] if name == "adapter" else ()))
    for label in SEEN[name]:
        slope = table.find(label, "change", STEPS)
        assert slope.problem == "", label
        if label not in numbers:
            assert slope.exponent == pytest.approx(0, abs=0.1), label
        elif rule == "adam":
            # by SGD their gradients, means of n terms of either sign initially, grow for some steps
            assert slope.standard_error < 0.15, label
            assert slope.exponent == pytest.approx(0, abs=0.1 + 2 * slope.standard_error), label


WIDE = {"~ N(0, 1/n^2)": "~ N(0, 1/n)"}
"""Readouts with entries n^(-1/2)."""


@dataclass(frozen=True)
class Wrong:
    """A parametrisation that is not maximal or not stable: what is replaced in a file, which rates differ, and the
    exponents of changes at a step."""

    name: str
    rule: Rule
    changes: Mapping[str, Fraction | int]
    replaced: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, Fraction | int] = field(default_factory=dict)
    step: int = 2


WRONG = (
    Wrong("tied", "sgd", {"f(x, y)": -1, "f.h(x, y)": -HALF, "f.g(x, y)": -HALF}, {"n^(-s)": "n^(-3/2)"}),
    Wrong("conv_pooling", "sgd", {"f(x)": 0, "f.h[0](x)": -HALF, "f.g[1](x)": -HALF}, WIDE,
          {"U[0]": 0, "U[1]": 0, "W[0]": -1, "W[1]": -1}),
    Wrong("conv_readout", "adam", {"f.h[0](x)": 0, "f.o[2](x)": HALF}, WIDE, step=3),
    Wrong("rnn", "sgd", {"f(x)": 0, "f.h[1](x)": -HALF, "f.h[3](x)": -HALF}, WIDE, {"U": 0, "b": 0, "W": -1}),
    Wrong("gru", "adam", {"f(x)": 0, "f.h[1](x)": -HALF, "f.z(x)": -HALF, "f.h[2](x)": -HALF}, {},
          dict.fromkeys(("Uz", "Ur", "Uh", "bz"), -HALF) | dict.fromkeys(("Wz", "Wr", "Wh"), -3 * HALF)),
    Wrong("attention", "adam", {"f.q(x)": 0, "f.k[1](x)": 0, "f.l[1](x)": HALF}, {"n^(-s)": "n^(-1/2)"}, step=1),
    Wrong("heads", "adam", {"f.q[1](x)": 0, "f.l[1, 2](x)": HALF}, {"n^(-s)": "n^(-1/2)"}, step=1),
    Wrong("grouped_query", "adam", {"f.q[1](x)": 0, "f.l[1, 2](x)": HALF}, {"n^(-s)": "n^(-1/2)"}, step=1),
    Wrong("channel_attention", "adam", {"f.h[1](x)": -HALF, "f.u(x)": -HALF}, {},
          {"S": -3 * HALF, "U[0]": -HALF, "U[1]": -HALF}),
    Wrong("bottleneck", "adam", {"f.h[1](x)": 0, "f.c[1](x)": 1}, {}, {"r[1]": 0, "r[2]": 0}, 1),
    Wrong("gains", "sgd", {"f(x)": 0, "f.h(x)": -1, "f.u(x)": -1}, {}, {"g": 0, "k": 0, "b": 0, "U": 0}),
    Wrong("experts_many", "adam", {"f(x)": HALF, "f.h(x)": 0, "f.r(x)": 0, "f.o(x)": 0}, WIDE),
    Wrong("experts_few", "adam", {"f.h(x)": 0, "f.l[1](x)": 1}, {}, {"r[1]": 0, "r[2]": 0}, 1),
    Wrong("adapter", "adam", {"f(x)": -1, "f.h(x)": -1}, {}, {"b[1]": -1, "b[2]": -1}),
    Wrong("state_space", "sgd", {"f(x)": 0, "f.e[1](x)": -1, "f.k[2](x)": -1, "f.g(x)": 0}, {},
          {"P": -1, "D": -1, "U": 0, "c": 0}),
    Wrong("residual", "adam", {"f(x)": 0, "f.h[0](x)": -HALF, "f.g(x)": -HALF}, {},
          {"A": -3 * HALF, "a": -HALF, "U": -HALF, "b": -HALF}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.name)
def test_wrong_parametrisations_move_as_derived(wrong: Wrong) -> None:
    text = source(wrong.name)
    for old, new in ({"n^(-s)": "n^(-1)"} | dict(wrong.replaced)).items():
        text = text.replace(old, new)
    rates = rates_of(wrong.name, wrong.rule) | {k: Fraction(v) for k, v in wrong.rates.items()}
    derived = analysis(text, wrong.rule, rates)
    table = measured(wrong.name, text, wrong.rule, rates)
    for label, exponent in wrong.changes.items():
        assert change(derived, label, {}) == exponent, label
        slope = table.find(label, "change", wrong.step)
        assert slope.standard_error < 0.12, label
        assert slope.exponent == pytest.approx(float(exponent), abs=0.1 + slope.standard_error), label
