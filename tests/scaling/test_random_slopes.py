"""Exponents of random networks, and sizes of means at initialisation, against runs at finite width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random

import numpy as np
import pytest
from random_networks import (
    Compared,
    Point,
    agreed,
    analysed,
    compared,
    dimension_of,
    drawn,
    network,
    parameter,
)
from sympy import Expr, Integer, S

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.conditions import evaluate
from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.program.evaluate import evaluate as value_of
from tpsym.program.scope import Context
from tpsym.results.exponents import analyse, maximal_update
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.training import Constraint
from tpsym.simulate.slopes import Slope, slopes
from tpsym.simulate.training import prepare_training, run_training
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer, Rule
from tpsym.transform.training import CONSTANT, Training

WIDTHS = (64, 128, 256, 512, 1024)
RUNS: dict[Rule, tuple[int, ...]] = {
    "sgd": (2, 6, 7, 10, 12, 13, 15, 16, 19, 20, 21, 22, 24, 29, 34),
    "adam": (201, 203, 204),
    "signsgd": (241, 242),
    "muon": (221, 226),
}
SMALL = [(rule, seed) for rule, seeds in RUNS.items() for seed in seeds]


def numbered(point: Mapping[str, Fraction], scaling: Scaling) -> Point:
    """A point with zeros for what it does not mention."""
    return {**{s.name: Fraction(0) for s in scaling.run.setting.context.parameters}, **point}


def wrong(found: list[Compared]) -> list[str]:
    """The quantities whose slope is not as claimed, in words."""
    return [
        f"{c.role} {c.label}: claimed {c.claimed}, measured {c.measured.exponent} ± {c.measured.standard_error:.3f}"
        f" {c.measured.problem}"
        for c in found
        # the change of a divisor is only said to be no larger than that of what it is the mean of
        if not c.resolved and not (c.role in ("denominator", "scalar") and below(c))
    ]


def below(c: Compared) -> bool:
    """Whether a quantity is no larger than it may be."""
    return c.claimed is not None and c.measured.exponent is not None and c.measured.exponent < float(c.claimed)


def test_a_network_at_one_point() -> None:
    scaling = analysed(network(Random(2))[0], "sgd")
    point = drawn(scaling.pieces[0].generators(), Random(0))
    found = compared(scaling, point, widths=(64, 128, 256, 512), seeds=6, steps=2, eta=0.7)
    assert wrong(found) == []
    vectors = [c for c in found if c.role == "vector"]
    assert vectors
    shifted = [replace(c, claimed=(c.claimed or Fraction(0)) + Fraction(1, 4)) for c in vectors]
    assert len(wrong(shifted)) == len(vectors), "a wrong exponent is seen"


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "seed"), SMALL)
def test_sizes_and_changes_of_random_networks(rule: Rule, seed: int) -> None:
    """At vertices, on faces and inside of the stable region, and moved along its lines."""
    rng = Random(seed)
    scaling = analysed(network(rng)[0], rule)
    for _ in range(2):
        piece = rng.choice(scaling.pieces)
        point = drawn(piece.generators(), rng)
        assert piece.contains(point)
        assert wrong(agreed(scaling, point, widths=WIDTHS, seeds=6, steps=3)) == [], point


# --- outside ---------------------------------------------------------------------------------------


def outside(region: Polyhedron, rng: Random) -> tuple[Form, Point] | None:
    """An inequality of a region and a point beyond it, past the middle of its facet."""
    form = rng.choice(region.minimal().inequalities)
    found, inner = region.generators(), region.interior_point()
    assert inner is not None
    vertices = [v for v in found.vertices if form.value(v) == 0]
    if not vertices:
        return None
    point = {v: sum((p[v] for p in vertices), Fraction(0)) / len(vertices) for v in region.variables}
    for ray in found.rays:
        if form.value(ray) == form.constant:
            point = {v: q + ray[v] / (4 * max(map(abs, ray.values()))) for v, q in point.items()}
    step = Fraction(1, 4) / form.value(inner)
    return form, {v: q + step * (q - inner[v]) for v, q in point.items()}


def violated(scaling: Scaling, point: Point) -> list[tuple[Fraction, Constraint]]:
    """The constraints that do not hold at a point, the worst first."""
    whole = numbered(point, scaling)
    sizes = [(max(f.value(whole) for f in c.size), c) for c, _ in scaling.constraints]
    return sorted(((v, c) for v, c in sizes if v > 0), key=lambda pair: -pair[0])


def growth(scaling: Scaling, point: Point, constraint: Constraint) -> list[Slope]:
    """The slopes of what a constraint is about, in the steps that it is about."""
    context = scaling.run.setting.context
    observed = (("it", constraint.what, dimension_of(context, constraint.what)),)
    training = Training(context, scaling.run.setting.outputs, (S.Zero,), CONSTANT, scaling.optimizer, 3)
    whole = numbered(point, scaling)
    values = {s: float(whole[s.name]) for s in context.parameters} | {parameter(context, "eta"): 0.7}
    table = slopes(training, observed, widths=WIDTHS, seeds=6, values=values)
    if constraint.when == "initialisation":
        return [table.find("it", "size", 0)]
    return [table.find("it", "change", t) for t in (1, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 6, 10, 16, 22, 24])
def test_beyond_a_facet_something_grows(seed: int) -> None:
    """The quantity whose constraint is violated by 1/4 grows with the width: at least half as fast."""
    scaling = analysed(network(Random(seed))[0], "sgd")
    (region,) = scaling.pieces
    found = outside(region, Random(seed))
    assert found is not None
    form, point = found
    excess, constraint = violated(scaling, point)[0]
    assert excess >= Fraction(1, 8), form
    measured = growth(scaling, point, constraint)
    grown = [s.exponent for s in measured if s.exponent is not None]
    assert any(s.problem == "overflow" for s in measured) or max(grown) > float(excess) / 2, (form, constraint)


# --- the maximal update parametrisation --------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", [6, 7, 10, 12, 13, 15, 16, 19, 20, 21, 24, 29, 34])
def test_maximal_updates_of_random_networks_do_not_depend_on_the_width(seed: int) -> None:
    text, _ = network(Random(seed))
    context = tpsym.parse(text).model.context
    context.limit = None
    found = maximal_update(context, context.scope.find("f"), Optimizer("sgd"), NOWHERE)
    point = {f"{kind}_{row.array}": -e for row in found.rows for kind, e in (("b", row.std), ("c", row.lr))}
    point |= {f"a_{row.array}": found.values.get(f"a_{row.array}", Fraction(0)) - row.multiplier for row in found.rows}
    scaling = analysed(text, "sgd")
    assert any(piece.contains(point) for piece in scaling.pieces)
    quantities = agreed(scaling, point, widths=WIDTHS, seeds=6, steps=3, etas=(0.5, 0.1))
    moved = [c for c in quantities if c.measured.kind == "change" and c.role in ("vector", "output")]
    assert {c.claimed for c in moved if c.claimed is not None} == {Fraction(0)}
    assert wrong(quantities) == []


# --- means at initialisation -------------------------------------------------------------------------

MEANS = """width n
dim d = 4
input x: (d) = [1/2, 1/2, 1/2, 1/2]
input y: (d) = [1/2, -1/2, 1/2, 1/2]
weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight V: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n)
random p, q: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
random r: (n) ~ N(0, 1)
random u: (n) ~ N(1, 1)
random one: (n) ~ N(1, 0)
def f(x):
    h = U @ x
    return v @ tanh(W @ tanh(h))
"""

EXACT = {
    # a law of large numbers
    "mean(abs(U@x))": "0", "mean(p*q)": "0", "mean((W@p)*(W@q))": "0", "mean((W@(W.T@p))*p)": "0", "mean(u)": "0",
    "mean((U@x)*(U@y))": "0", "mean(p*tanh(W.T@(W@p)))": "0", "mean(relu(W@p)*relu(V@p))": "0",
    "mean((W.T@relu(W@p))*p)": "0", "mean((W.T@tanh(W@p))*p)": "0", "mean(exp(p)*p)": "0", "mean(p*tanh(p+r))": "0",
    "mean(((W + W.T)@(W@p))*p)": "0", "mean(W@(W.T@one))": "0", "v@tanh(W@(W.T@tanh(U@x)))": "0", "v@one": "0",
    # a central limit theorem
    "mean(tanh(U@x))": "-1/2", "mean((W@p)*(W@r))": "-1/2", "mean(one*p)": "-1/2", "mean(u*p)": "-1/2",
    "mean(p*tanh(W@p))": "-1/2", "mean((W.T@abs(W@p))*p)": "-1/2", "mean((W.T@abs(W@p))*r)": "-1/2",
    "mean((W@p)*(V@p)*(W@r))": "-1/2", "mean((p+u)*r)": "-1/2",
    "mean(sqrt(abs(p))*p)": "-1/2", "mean(W@relu(p))": "-1/2", "mean((W.T@one)*p)": "-1/2", "mean(sign(p))": "-1/2",
    "mean(tanh(p)*(v@tanh(U@x)))": "-1/2", "v@(W@v.T)": "-1/2",
    # products of means
    "mean(p*mean(r))": "-1", "mean(p)*mean(r)": "-1", "mean(p*mean(p))": "-1", "mean(p*mean(p*r))": "-1",
}

AT_MOST = (
    # what cancels, or needs the flips of several arrays at once, may be smaller
    "mean(p^2 - 1)", "mean(hermite(2, p))", "mean((p+r)*(p-r))", "mean(tanh(p+r))", "mean(p*cos(p+r))",
    "mean(tanh(U@x + W@tanh(U@x)))", "mean((W@p)*relu(W.T@(W@p)))", "mean((W@p)*(W.T@p))",
    "mean((W@(W@p))*p)", "mean((W@relu(W@p))*(W@p))", "mean((V@tanh(W@p))*(W@(V@p)))",
    "mean(relu(p) - relu(q))", "tanh(mean(p))", "exp(mean(p)) - 1",
    "max(mean(p), mean(r))", "mean(step(p)) - 1/2",
)


@cache
def means() -> tuple[Context, Scaling]:
    context = tpsym.parse(MEANS).model.context
    context.limit = None
    rate = Optimizer("sgd", rate=context.n ** Integer(-2))
    return context, analyse(context, context.scope.find("f"), rate, NOWHERE)


def expression(text: str) -> Expr:
    context, _ = means()
    found: Expr = value_of(context, parse_expression(text), context.scope).expr
    return found


def claimed(text: str) -> Fraction:
    size = means()[1].init(expression(text))
    assert size is not None
    return evaluate(size, {})


def medians(texts: tuple[str, ...], *, widths: tuple[int, ...], seeds: int) -> Iterator[tuple[str, float]]:
    """The slopes of medians of absolute values."""
    context, scaling = means()
    observed = tuple((t, expression(t), None) for t in texts)
    training = Training(context, scaling.run.setting.outputs, (S.Zero,), CONSTANT, Optimizer("sgd"), 0)
    sizes = []
    for n in widths:
        ready = prepare_training(training, n=n, values={}, observed=observed)
        runs = [run_training(ready, seed=s).values for s in range(seeds)]
        sizes.append([np.median([abs(float(run[t][0])) for run in runs]) for t in texts])
    fits = np.polyfit(np.log2(widths), np.log2(sizes), 1)[0]
    yield from zip(texts, map(float, fits), strict=True)


@pytest.mark.parametrize(("text", "size"), EXACT.items())
def test_sizes_of_means(text: str, size: str) -> None:
    assert claimed(text) == Fraction(size)


@pytest.mark.slow
def test_sizes_of_means_are_those_at_finite_width() -> None:
    for text, slope in medians(tuple(EXACT), widths=(32, 64, 128, 256, 512), seeds=120):
        assert slope == pytest.approx(float(Fraction(EXACT[text])), abs=0.2), text


@pytest.mark.slow
def test_no_mean_is_larger_than_its_size() -> None:
    for text, slope in medians(AT_MOST, widths=(32, 64, 128, 256, 512), seeds=120):
        assert slope < float(claimed(text)) + 0.15, text
