"""Exponents of the depth in a file."""

from __future__ import annotations

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
