"""Exponents of whole files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import tpsym

FILE = Path(__file__).parent / "depth_mup.tp"


def test_claims_about_the_depth():
    found = {r.label: r.verdict for r in tpsym.verify(tpsym.load(FILE)).claims}
    assert found == {
        "stable": "proved", "branches": "proved", "rate of sgd": "proved", "not closed in the width": "undecided",
    }


def test_scale_has_to_be_a_symbolic_depth():
    text = FILE.read_text().replace("scale = L)\nderive S", "scale = n)\nderive S")
    with pytest.raises(tpsym.TpError, match="symbolic depth"):
        tpsym.verify(tpsym.parse(text))


SMALL_READOUT = """width n
dim d
param a[l], b[l]: real for l in 1..3
param c: real
input x: (d)
fn phi
weight w[1]: (n, d) ~ N(0, n^(-2*b[1]))
weight w[2]: (n, n) ~ N(0, n^(-2*b[2]))
weight w[3]: (1, n) ~ N(0, n^(-2*b[3]))

def f(xi):
    h[1] = n^(-a[1]) * w[1] @ xi
    h[2] = n^(-a[2]) * w[2] @ phi(h[1])
    return n^(-a[3]) * w[3] @ phi(h[2])

let S = scaling(f, sgd(lr = n^(-c)))
claim "first": S.first(f.h[2](x)) == max(-a[3] - b[3] - c - 2*a[1], 1 - a[3] - b[3] - c - 2*a[2])
claim "first at x = 3/2": S.first(f.h[2](x)) == -1/2 where {setting}
claim "later": S.update(f.h[2](x)) == 0 where {setting}
"""


def test_a_small_readout_moves_features_from_the_second_step():
    setting = "a[1] = -1/2, a[2] = 0, a[3] = 1/2, b[1] = 1/2, b[2] = 1/2, b[3] = 1, c = 0"
    found = tpsym.verify(tpsym.parse(SMALL_READOUT.replace("{setting}", setting))).claims
    assert [r.verdict for r in found] == ["proved"] * 3


def test_a_number_that_changes_leaves_a_layer_its_symmetries():
    # the change of the gate is one number: what it multiplies stays a random sum to the readout
    found = tpsym.verify(tpsym.load(FILE.with_name("gate.tp"))).claims
    assert [r.verdict for r in found] == ["proved"] * 2


def test_exponents_from_python():
    program = tpsym.load(FILE)
    assert program.exponents("mup(f, sgd, scale = L)").value("alpha") == Fraction(1, 2)
    assert program.exponents("scaling(f, adam, scale = L)").r is not None
    with pytest.raises(tpsym.TpError, match="asks for no exponents"):
        program.exponents("nngp(f)")


def test_products_inside_means_have_the_scale_of_their_declaration():
    (found,) = tpsym.verify(tpsym.load(FILE.with_name("inlined_key.tp"))).claims
    assert found.verdict == "proved"
