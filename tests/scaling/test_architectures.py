"""Maximal update parametrisations of networks outside the usual tables, against the reasoning in their files."""

from __future__ import annotations

from fractions import Fraction

import pytest
from architectures import NAMES, analysis, context_of, solved, source

from tpsym.polyhedra.conditions import satisfiable
from tpsym.polyhedra.trees import Condition
from tpsym.scaling.arrays import power
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


def kinds(name: str) -> dict[str, str]:
    """How every array acts."""
    return {array: kind for kind, arrays in zip(INITIAL, ACTS[name], strict=True) for array in arrays.split()}


def test_every_network_is_tested() -> None:
    assert {*ACTS, "adapter"} == set(NAMES)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("name", ACTS)
def test_tables(name: str, rule: Rule) -> None:
    found = solved(name, rule)
    for array, kind in kinds(name).items():
        assert (array, found.std(array), found.lr(array)) == (array, INITIAL[kind], RATES[rule][kind])
        assert found.multiplier(array) == 0
    rest = {row.array for row in found.rows} - set(kinds(name))
    assert rest == ({"c"} if name == "residual" else set())
    if rest:
        assert (found.std("c"), found.lr("c")) == (0, 0)
    assert dict(found.values) == ({MULTIPLIERS[name]: 1} if name in MULTIPLIERS else {})
