"""``tpsym plot`` for spectra, beside stable regions: which question, options, mistakes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tpsym.cli.main import main

Run = Callable[..., Result]
MIXED = """\
width n
dim d = 3
param s: positive
param c: real = 0
input x: (d)
random X: (n, n) ~ N(0, s^2/n)
random u: (n) ~ N(0, 1)
fn phi
weight U: (n, d) ~ N(0, 1/d)
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    return v @ phi(U @ xi)
derive lim(mean(u^2))
derive spectrum((X + X.T)/sqrt(2)).density(t)
let D = spectrum(X.T @ diag(tanh(u)^2) @ X)
derive D
derive spectrum((X + X.T)/sqrt(2))
derive scaling(f, sgd(lr = n^(-c))).region
"""
NONE = "width n\nrandom u: (n) ~ N(0, 1)\nderive E[u^2]\n"
ONE = "width n\nrandom X: (n, n) ~ N(0, 1/n)\nlet S = spectrum(X + X.T)\nderive S.support\nderive S\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder with some programs."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("mixed.tp", MIXED), ("none.tp", NONE), ("one.tp", ONE)):
        Path(name).write_text(text, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, ["plot", *arguments])
        assert "internal error" not in result.stderr, result.stderr
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_a_spectrum_is_written(run: Run, name: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    result = run("one.tp", "--n", "60", "--seed", "3", "--bins", "10", "-o", name)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"wrote {name}\n")
    assert Path(name).read_bytes().startswith(start)


def test_questions_are_counted_together(run: Run) -> None:
    """Two questions are about one spectrum; the second is another, the third a region."""
    pytest.importorskip("matplotlib")
    for number in (1, 2):
        assert run("mixed.tp", "--question", str(number), "--set", "s=1", "--n", "40").exit_code == 0
        assert Path("mixed.svg").read_text(encoding="utf-8").startswith("<?xml")
    region = run("mixed.tp", "--question", "3", "--n", "40")
    assert "--n belongs to a spectrum" in region.stderr
    assert "1 to 3" in run("mixed.tp", "--question", "4").stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (("none.tp",), "nothing that has a figure"),
    (("none.tp",), "derive spectrum"),
    (("one.tp", "--question", "2"), "expected: 1\n"),
    (("one.tp", "--n", "60", "--x", "a"), "--x belongs to a stable region"),
    (("one.tp", "--n", "60", "-o", "a.jpg"), "bad-ending"),
    (("one.tp", "--bins", "0"), "1 to 400 bins"),
    (("one.tp", "--n", "1"), "--n"),
    (("mixed.tp", "--n", "40"), "--set s=1/2"),
    (("mixed.tp", "--n", "40", "--set", "S=1"), "did you mean s"),
    (("mixed.tp", "--n", "40", "--set", "s=0"), "not positive"),
    (("two.tp",), "no such file"),
])
def test_spectra_that_cannot_be_drawn(run: Run, arguments: tuple[str, ...], words: str) -> None:
    pytest.importorskip("matplotlib")
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_without_matplotlib_nothing_is_worked_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("one.tp")
    assert result.exit_code == 2
    assert "pip install matplotlib" in result.stderr
