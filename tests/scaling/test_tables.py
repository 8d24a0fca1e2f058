"""Published tables: maximal update (Tensor Programs V) and largest learning rates (Everett et al., 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import pytest
from perceptrons import HALF, network

from tpsym.errors import NOWHERE, TpError
from tpsym.polyhedra.forms import number
from tpsym.scaling.arrays import Solved
from tpsym.scaling.mup import Gauge, Row, maximal_update
from tpsym.scaling.named import NAMES, Name, exponents, parametrization_name
from tpsym.scaling.rates import by_distance, maximal_rates
from tpsym.scaling.setup import read
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer, Rule

PLAIN = """width n
dim d
input x: (d)
fn phi
weight embedding: (n, d) ~ N(0, 1)
weight hidden: (n, n) ~ N(0, 1/n)
weight readout: (1, n) ~ N(0, 1/n)
def f(xi):
    h = embedding @ xi
    g = hidden @ phi(h)
    return readout @ phi(g)
"""
BIASED = PLAIN.replace("def f", "weight bias: (n) ~ N(0, 1)\ndef f").replace("xi\n", "xi + bias\n")

# --- Tensor Programs V -------------------------------------------------------------------------------------

TABLES: Mapping[Gauge, Mapping[str, tuple[Fraction | int, Fraction | int, Fraction | int, Fraction | int]]] = {
    "one": {"input": (0, 0, 1, 0), "hidden": (0, -HALF, 0, -1), "output": (0, -1, -1, -1)},
    "unit_readout": {"input": (0, 0, 1, 0), "hidden": (0, -HALF, 0, -1), "output": (-1, 0, 1, 0)},
    "equal_variance": {
        "input": (HALF, -HALF, 0, -HALF), "hidden": (0, -HALF, 0, -1), "output": (-HALF, -HALF, 0, -HALF),
    },
}
"""Tables 3, 8 and 9: exponents of multiplier, deviation, learning rate of SGD and of Adam; biases are as inputs."""


@pytest.mark.parametrize("gauge", list(TABLES))
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_maximal_update_as_in_tensor_programs_v(gauge: Gauge, rule: Rule) -> None:
    context, value = network(BIASED)
    found = maximal_update(context, value, Optimizer(rule), NOWHERE, multipliers=gauge)
    kinds = {"embedding": "input", "bias": "input", "hidden": "hidden", "readout": "output"}
    for array, kind in kinds.items():
        multiplier, std, sgd, adam = TABLES[gauge][kind]
        row: Row = found.row(array)
        assert (row.multiplier, row.std, row.lr) == (multiplier, std, sgd if rule == "sgd" else adam), array


# --- Everett et al. ----------------------------------------------------------------------------------------

ORDER: tuple[Name, ...] = ("standard", "ntk", "mup", "mean_field")
H = HALF
LARGEST: Mapping[tuple[Rule, Alignment], tuple[tuple[Fraction | int, ...], ...]] = {
    ("sgd", "everett_full"): ((-H, H, 1), (-H, -H, 0), (0, 0, 0), (-1, -1, -1)),
    ("sgd", "none"): ((-H, 0, H), (-H, -1, -H), (H, 0, -H), (-H, -1, -3 * H)),
    ("adam", "everett_full"): ((0, 1, 1), (0, H, H), (H, 1, H), (0, H, 0)),
    ("adam", "none"): ((0, H, H), (0, 0, 0), (H, H, 0), (0, 0, -H)),
    ("adafactor", "everett_full"): ((0, H, H), (0, H, H), (0, H, 0), (0, H, 0)),
    ("adafactor", "none"): ((0, 0, 0), (0, 0, 0), (0, 0, -H), (0, 0, -H)),
    # where the readout may align with what has changed, as it does in training
    ("sgd", "worst"): ((0, 1, 1), (0, 0, 0), (0, 0, 0), (-1, -1, -1)),
    ("adam", "worst"): ((H, 3 * H, 1), (H, 1, H), (H, 1, H), (0, H, 0)),
    ("adafactor", "worst"): ((H, 1, H), (H, 1, H), (0, H, 0), (0, H, 0)),
}
"""Exponents c of the largest rates n^-c of embedding, hidden layer and readout."""


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize(("rule", "alignment"), list(LARGEST))
def test_largest_learning_rates_as_in_everett_et_al(rule: Rule, alignment: Alignment, name: Name) -> None:
    context, value = network(PLAIN)
    optimizer = Optimizer(rule)
    table = exponents(name, context, value, optimizer, NOWHERE, multipliers="equal_variance")
    found = maximal_rates(context, value, optimizer, NOWHERE, fixed=table, alignment=alignment)
    assert tuple(-q for q in found.lr.values()) == LARGEST[rule, alignment][ORDER.index(name)]
    # a large rate of the readout enlarges all other gradients of SGD, where nothing else holds it back
    assert found.joint == (not (rule == "sgd" and alignment == "none" and name in ("mup", "mean_field")))


def test_maximal_rates_of_maximal_update_are_its_own() -> None:
    context, value = network(BIASED)
    for rule in ("sgd", "adam", "adafactor", "muon"):
        optimizer = Optimizer(rule)
        solution = maximal_update(context, value, optimizer, NOWHERE)
        table = exponents("mup", context, value, optimizer, NOWHERE)
        found = maximal_rates(context, value, optimizer, NOWHERE, fixed=table)
        assert found.lr == {row.array: row.lr for row in solution.rows}


def test_distances_to_the_output() -> None:
    context, value = network(BIASED)
    run = read(context, value, Optimizer("adam", rate=context.n**-2), NOWHERE)
    assert [sorted(group) for group in by_distance(run)] == [["readout"], ["hidden"], ["bias", "embedding"]]


def test_no_rates_where_the_beginning_is_not_stable() -> None:
    context, value = network(PLAIN)
    table = {k: Solved(number(0), number(0), number(0)) for k in ("embedding", "hidden", "readout")}
    with pytest.raises(TpError, match="no-stable-rates"):
        maximal_rates(context, value, Optimizer("sgd"), NOWHERE, fixed=table)


def test_rates_of_symbolic_exponents_are_refused() -> None:
    context, value = network(PLAIN.replace("fn phi", "fn phi\nparam q: real").replace("N(0, 1)", "N(0, n^(-2*q))"))
    with pytest.raises(TpError, match="symbolic-exponents"):
        maximal_rates(context, value, Optimizer("sgd"), NOWHERE)


# --- names -------------------------------------------------------------------------------------------------


def test_definitions_by_fan_in() -> None:
    context, value = network(BIASED)
    found = {
        name: {k: (s.multiplier.constant, s.deviation.constant)
               for k, s in exponents(name, context, value, Optimizer("sgd"), NOWHERE).items()}
        for name in NAMES
    }
    assert found["standard"] == {"embedding": (0, 0), "hidden": (0, -H), "readout": (0, -H), "bias": (0, 0)}
    assert found["ntk"] == {"embedding": (0, 0), "hidden": (-H, 0), "readout": (-H, 0), "bias": (0, 0)}
    assert found["mean_field"] == {"embedding": (0, 0), "hidden": (-H, 0), "readout": (-1, 0), "bias": (0, 0)}
    assert found["mup"] == {"embedding": (0, 0), "hidden": (0, -H), "readout": (0, -1), "bias": (0, 0)}


def test_the_rate_of_the_optimizer_is_kept_and_comes_on_top_of_maximal_ones() -> None:
    context, value = network(PLAIN)
    optimizer = Optimizer("adam", rate=3 / context.n**2)
    for name, expected in (("standard", (-2, -2, -2)), ("mup", (-2, -3, -3))):
        found = exponents(parametrization_name(name), context, value, optimizer, NOWHERE)
        assert tuple(s.rate.constant for s in found.values()) == expected


def test_a_gain_is_no_readout() -> None:
    text = PLAIN.replace("def f", "weight gain: (n) ~ N(1, 1)\ndef f").replace("@ phi(g)", "@ (gain*phi(g))")
    context, value = network(text)
    found = exponents("ntk", context, value, Optimizer("sgd"), NOWHERE)
    assert (found["gain"].multiplier, found["readout"].multiplier) == (number(0), number(-H))


def test_unknown_names_are_told() -> None:
    with pytest.raises(TpError, match="did you mean mup"):
        parametrization_name("mupp")
    assert parametrization_name("Mean-Field") == "mean_field"
