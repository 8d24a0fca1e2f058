"""Formulas inside short sentences: which words are formulas, and how they are set."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tpsym.report.remarks import remark_html, remark_latex, remark_markdown, remark_text

REMARKS = [
    ("for sigma_w^2/2 != 1", "for σ_w²/2 ≠ 1", r"\text{for }\sigma_w^2/2 \neq 1"),
    ("for σ_w² ≠ 2 and a[1] > 0", "for σ_w² ≠ 2 and a₁ > 0", r"\text{for }\sigma_w^2 \neq 2\text{ and }a_1 \gt 0"),
    ("where K[h[L]](x, x) > 0", "where K[h[L]](x, x) > 0", r"\text{where }K_{h_L}(x, x) \gt 0"),
    ("a note, by [Yang2019] & I", "a note, by [Yang2019] & I", r"\text{a note, by [Yang2019] \& I}"),
    ("near q* where chi = 1", "near q* where χ = 1", r"\text{near }q^{*}\text{ where }\chi = 1"),
    ("e.g. and/or", "e.g. and/or", r"\text{e.g. and/or}"),
    ("", "", ""),
]


@pytest.mark.parametrize(("sentence", "plain", "tex"), REMARKS)
def test_remark(sentence: str, plain: str, tex: str) -> None:
    assert remark_text(sentence) == plain
    assert remark_latex(sentence) == tex
    assert remark_markdown(sentence).count("$") % 2 == 0
    ET.fromstring(f"<p>{remark_html(sentence)}</p>")


def test_running_text_can_be_broken() -> None:
    assert remark_latex("for sigma > 0 only", running=True) == r"for $\sigma \gt 0$ only"


def test_markdown_between_dollar_signs() -> None:
    assert remark_markdown("for sigma_w^2 != 2, see a_b*") == r"for $\sigma_w^2 \neq$ 2, see $a_b^{*}$"


def test_hostile_remarks() -> None:
    sentence = "\x1b[31m \\input{x} <script> (( ]] ∂"
    assert "\x1b" not in remark_text(sentence)
    assert "\\input" not in remark_latex(sentence)
    assert "<script" not in remark_html(sentence)
