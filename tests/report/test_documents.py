"""Whole reports: golden pieces in every format, widths, hostile text, and the PDF."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from reports import REPORTS, claims, mlp_report, transpose_report

from tpsym.errors import Span, TpError
from tpsym.report import output
from tpsym.report.document import FORMATS, Report
from tpsym.report.escape import columns
from tpsym.report.output import pdf, write
from tpsym.results.answers import ClaimResult

HOSTILE = (
    "\x1b[31m\r\n\x00 \\input{/etc/passwd} $x$ %&#_^~{} <script>alert('1')</script> \"`*[a](b)|\u202e日本 é ∮ 🙂\ud800"
)

GOLDEN_TEXT = """\
Results
───────

derive Z(z)                                                               line 9
  Z(z) = E[1 − tanh(ζ)²]·Z(u) + Ẑ(z)
  where  ζ ~ N(0, 1)
  by steps 1, 2

Derivation
──────────
1. ZDot  [Yang2020TP3, Definition 2.6, Remark 2.12]                       line 7
     Ż(z) = E[1 − tanh(ζ)²]·Z(u)
     where  ζ ~ N(0, 1)
     derivative form
2. ZHat  [Yang2020TP3, Definition 2.6]                                    line 7
     Cov(Ẑ(z), Ẑ(z)) = E[tanh(ζ)²]
     where  ζ ~ N(0, 1)
"""


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile_report() -> Report:
    report = mlp_report()
    claim = ClaimResult(
        HOSTILE, 3, Span(3, 1, 3, 2), HOSTILE, HOSTILE, HOSTILE, "refuted", HOSTILE, HOSTILE, instance=HOSTILE
    )
    return dataclasses.replace(
        report, title=HOSTILE, filename=HOSTILE, source=HOSTILE * 3, claims=(claim, *report.claims)
    )


def test_golden_text() -> None:
    assert GOLDEN_TEXT in transpose_report().to_text()


def test_golden_latex() -> None:
    tex = mlp_report().to_latex()
    assert (
        r"\operatorname{nngp}(f)(x, y) &= \frac{\sigma_w^2 \sqrt{q_1 q_2}}{2 \pi} "
        r"(\sin \theta + (\pi - \theta) \cos \theta) + \sigma_b^2" in tex
    )
    assert r"\text{where}\quad q_1 &= \frac{\sigma_w^2 \, x^{\top} x}{d} + \sigma_b^2 \\" in tex
    assert r"\bibitem{Yang2020TP3} Greg Yang." in tex
    assert "Plackett" not in tex
    assert r"\cite[{Definition 2.6}]{Yang2020TP3}" in tex


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_fits_the_terminal(name: str, width: int) -> None:
    lines = REPORTS[name]().to_text(columns=width).splitlines()
    assert max(map(columns, lines)) <= width


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_renders(name: str) -> None:
    report = REPORTS[name]()
    for method in FORMATS.values():
        assert getattr(report, method)()
    assert report._repr_html_().startswith("<div")
    assert report._repr_latex_().startswith("$$")
    assert report._repr_markdown_() == report.to_markdown()


@pytest.mark.parametrize("name", REPORTS)
def test_html_is_well_formed(name: str) -> None:
    page = re.sub(r"<!DOCTYPE html>|<meta [^>]*>", "", REPORTS[name]().to_html()).replace("<br>", "<br/>")
    ET.fromstring(page.replace("<details open>", "<details>").replace("&nbsp;", " "))


def test_json_schema() -> None:
    value = json.loads(mlp_report().to_json())
    assert {"title", "file", "answers", "steps", "claims", "summary", "sources"} == set(value)
    assert value["answers"][0]["steps"] == [1, 2, 3]
    assert [s["number"] for s in value["steps"]] == [1, 2, 3]
    assert value["summary"] == {"proved": 1, "checked": 1, "refuted": 1, "undecided": 1}
    assert value["steps"][0]["before"]["text"] == "Cov(Ẑ(h₁(x)), Ẑ(h₁(y)))"


def test_colour_only_when_asked() -> None:
    assert "\x1b[" not in mlp_report().to_text()
    assert "\x1b[32m✓\x1b[0m" in mlp_report().to_text(color=True)


def test_hostile_text_in_the_terminal() -> None:
    shown = hostile_report().to_text()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", shown)
    assert max(map(columns, shown.splitlines())) <= 80


def test_hostile_text_in_html_and_markdown() -> None:
    for page in (hostile_report().to_html(), MarkdownIt("commonmark").render(hostile_report().to_markdown())):
        parser = Tags()
        parser.feed(page)
        assert "h1" in parser.seen
        assert "script" not in parser.seen
        assert "href" not in parser.attributes


def test_hostile_text_in_latex() -> None:
    tex = hostile_report().to_latex()
    assert r"\input{/etc" not in tex
    assert tex.encode("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*REPORTS, "hostile"])
def test_latex_compiles_inside_the_page(name: str, tmp_path: Path) -> None:
    report = hostile_report() if name == "hostile" else REPORTS[name]()
    tex = tmp_path / "report.tex"
    tex.write_text(report.to_latex(), encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", tex.name]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
    overfull = [float(m) for m in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", done.stdout)]
    assert max(overfull, default=0) < 3
    assert "undefined" not in done.stdout
    pdf(report.to_latex(), tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")


def test_pdf_without_pdflatex(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(output.shutil, "which", lambda _: None)
    with pytest.raises(TpError, match="pdflatex is not installed"):
        pdf("", tmp_path / "x.pdf")


@pytest.mark.slow
def test_pdf_of_broken_latex(tmp_path: Path) -> None:
    with pytest.raises(TpError, match="pdflatex failed: Undefined control sequence"):
        pdf(r"\documentclass{article}\begin{document}\nonsense\end{document}", tmp_path / "x.pdf")
    assert not list(tmp_path.iterdir())


def test_write_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write(path, "old")
    path.chmod(0o640)
    write(path, "new\n")
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_paths_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TpError, match=r"cannot write .*No such file"):
        write(tmp_path / "no" / "x", "")
    with pytest.raises(TpError, match="it is a directory"):
        write(tmp_path, "")
    with pytest.raises(TpError, match="cannot write"):
        write("a\0b", "")


def test_empty_report() -> None:
    report = Report("", "x.tp", "")
    for method in FORMATS.values():
        assert getattr(report, method)()
    assert len(claims()) == 4
