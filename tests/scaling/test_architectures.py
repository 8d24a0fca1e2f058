"""Maximal update parametrisations of networks outside the usual tables, against the reasoning in their files."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest
from architectures import NAMES, analysis, solved, source

import tpsym
from tpsym.errors import TpError
from tpsym.polyhedra.conditions import satisfiable
from tpsym.results.reasons import NoLimit
from tpsym.scaling.training import own_updates
from tpsym.transform.optimizers import Rule

HALF = Fraction(1, 2)

INITIAL = {"input": Fraction(0), "hidden": -HALF, "output": Fraction(-1)}
"""Exponents of the deviation of entries with all multipliers one, by how an array acts: on data or as a vector of
its own, between two widths, from a width to a number (Tensor Programs V, table 3)."""

RATES: dict[Rule, dict[str, Fraction]] = {
    "sgd": {"input": Fraction(1), "hidden": Fraction(0), "output": Fraction(-1)},
    "adam": {"input": Fraction(0), "hidden": Fraction(-1), "output": Fraction(-1)},
    "signsgd": {"input": Fraction(0), "hidden": Fraction(-1), "output": Fraction(-1)},
    "muon": {"input": HALF, "hidden": Fraction(0), "output": -HALF},
}
"""Exponents of the learning rate: a rank-one update of a matrix with two widths has entries n^-1 by Muon and moves its
product by order one, of one with one width n^(-1/2)."""

ACTS = {
    # name: arrays that act as input layers, as hidden layers, as readouts
    "tied": ("E", "W", ""),
    "conv_pooling": ("U[0] U[1]", "W[0] W[1]", "v"),
    "conv_readout": ("U[0] U[1]", "W", "v[0] v[1]"),
    "rnn": ("U b", "W", "v"),
    "gru": ("Uz Ur Uh bz", "Wz Wr Wh", "v"),
    "attention": ("U", "Q K V O", "v"),
    "heads": ("U", "Q[1] Q[2] K[1] K[2] V[1] V[2] O[1] O[2]", "v"),
    "grouped_query": ("U", "Q[1] Q[2] K V O[1] O[2]", "v"),
    "channel_attention": ("U[0] U[1]", "S E", "v"),
    "bottleneck": ("U[0] U[1] e[1] e[2]", "", "r[1] r[2] v"),
    "gains": ("U g k b", "W", "v"),
    "experts_many": ("U", "R A B", "v"),
    "experts_few": ("U", "A[1] A[2]", "r[1] r[2] v"),
    "state_space": ("U c", "P D O", "v"),
    "residual": ("U b a", "A B", "v"),
}
MULTIPLIERS = {"tied": "s", "attention": "s", "heads": "s", "grouped_query": "s"}

NUMBERS = {"residual", "experts_few"}
"""Networks with a trained number c, which begins and moves by order one at every rate."""


def kinds(name: str) -> dict[str, str]:
    """How every array acts."""
    return {array: kind for kind, arrays in zip(INITIAL, ACTS[name], strict=True) for array in arrays.split()}


def test_every_network_is_tested() -> None:
    assert {*ACTS, "adapter"} == set(NAMES)


@pytest.mark.parametrize("rule", RATES)
@pytest.mark.parametrize("name", ACTS)
def test_tables(name: str, rule: Rule) -> None:
    found = solved(name, rule)
    for array, kind in kinds(name).items():
        assert (array, found.std(array), found.lr(array)) == (array, INITIAL[kind], RATES[rule][kind])
        assert found.multiplier(array) == 0
    rest = {row.array for row in found.rows} - set(kinds(name))
    assert rest == ({"c"} if name in NUMBERS else set())
    if rest:
        assert (found.std("c"), found.lr("c")) == (0, 0)
    assert dict(found.values) == ({MULTIPLIERS[name]: 1} if name in MULTIPLIERS else {})


@pytest.mark.parametrize("rule", ["adam", "signsgd", "sgd", "muon"])
def test_adapters(rule: Rule) -> None:
    """Frozen features are read by entries n^(-1/2); what begins at zero has the rate of a vector of its own."""
    found = solved("adapter", rule)
    for i in (1, 2):
        assert (found.std(f"a[{i}]"), found.lr(f"a[{i}]")) == (-HALF, RATES[rule]["output"])
        assert found.lr(f"b[{i}]") == RATES[rule]["input"]


def stays(text: str, rule: Rule, rates: Mapping[str, Fraction]) -> bool:
    """Whether sizes stop growing, and a network is stable."""
    try:
        return satisfiable(analysis(text, rule, rates).stable) is not None
    except (NoLimit, TpError) as error:
        return "still change" not in str(error)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("name", ACTS)
def test_at_the_point_itself(name: str, rule: Rule) -> None:
    """Read with numbers for all exponents a network is stable, and every array moves what it gives by order one; with
    any rate larger it is not stable."""
    text = source(name).replace("n^(-s)", "n^(-1)")
    rates = {array: RATES[rule][kind] for array, kind in kinds(name).items()}
    rates |= {"c": Fraction(0)} if name in NUMBERS else {}
    at = analysis(text, rule, rates)
    assert satisfiable(at.stable) is not None
    for array in at.run.setting.arrays:
        assert max(form.value({}) for form in own_updates(at.run, array)) == 0
    for array in list(rates)[:3]:
        assert not stays(text, rule, rates | {array: rates[array] + Fraction(1, 4)}), array


def test_a_mixture_of_experts_in_the_language() -> None:
    """Its kernels by hand, and its exponents, as claims."""
    text = (Path(__file__).parent / "architectures" / "claims" / "mixture_of_experts.tp").read_text(encoding="utf-8")
    verdicts = tpsym.verify(tpsym.parse(text))
    assert len(verdicts) == 10
    assert {claim.verdict for claim in verdicts} == {"proved"}
