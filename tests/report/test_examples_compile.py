"""The LaTeX of every example compiles, and every example reads well in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpsym import api
from tpsym.report.escape import columns
from tpsym.report.output import pdf

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.tp"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_report_typesets(path: Path, tmp_path: Path) -> None:
    report, _ = api.derivation(api.load(path))
    target = tmp_path / "report.pdf"
    pdf(report.to_latex(), target)
    assert target.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_text_fits_a_terminal(path: Path) -> None:
    report, _ = api.derivation(api.load(path))
    text = report.to_text(columns=80)
    assert all(columns(line) <= 80 for line in text.splitlines())
    assert all(claim.label in text for claim in report.claims)
