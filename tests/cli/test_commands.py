"""Every command as a person uses it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from tpsym import api
from tpsym.cli.main import main
from tpsym.zoo import names

EXAMPLES = Path(__file__).parents[1] / "examples"
Run = Callable[..., Result]

DATA = ("--set", "dot(x, x)=1", "--set", "dot(y, y)=1", "--set", "dot(x, y)=0.3", "--set", "d=1")

NETWORK = """\
\"""A network of any depth.\"""
width n
dim d
depth L
param σ_w: positive = sqrt(2)
input x, y: (d)
weight W[1]: (n, d) ~ N(0, σ_w^2/d)
weight W[l]: (n, n) ~ N(0, σ_w^2/n) for l in 2..L
weight v: (1, n) ~ N(0, 1/n)

def f(xi):
    h[1] = W[1] @ xi
    for l in 2..L:
        h[l] = W[l] @ relu(h[l-1])
    return v @ relu(h[L])

derive nngp(f)
claim "diagonal": nngp(f)(x, x) == (sigma_w^2/2)^L*dot(x, x)/d
"""

CLAIMS = """\
width n
param q: positive = 2
random u: (n) ~ N(0, q)
derive E[u^2]
"""
PROVED = 'claim "proved": E[u^2] == q\n'
CHECKED = 'claim "checked": E[tanh(u)^2] == 0.553 +- 1e-1 where q = 2\n'
REFUTED = 'claim "refuted": E[u^2] == 2*q\n'
UNDECIDED = 'claim "undecided": E[1/u] == 0\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder with some programs."""
    monkeypatch.chdir(tmp_path)
    for name in ("01_correlation", "05_residual_layernorm", "13_wrong"):
        shutil.copy(EXAMPLES / f"{name}.tp", f"{name[:2]}.tp")
    texts = {"network": NETWORK, "proved": PROVED, "checked": CHECKED, "refuted": REFUTED, "undecided": UNDECIDED}
    for name, text in texts.items():
        head = "" if name == "network" else CLAIMS
        Path(f"{name}.tp").write_text(head + text, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert "internal error" not in result.stderr, result.stderr
        assert "Traceback" not in result.output
        assert "\x1b" not in result.output
        return result

    return invoke


# --- derive --------------------------------------------------------------------------------------------


def test_derive_prints_text(run: Run) -> None:
    result = run("derive", "01.tp")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("A matrix and its transpose")
    assert "Zhat" in result.stdout or "Ẑ" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


BEGINNINGS = {
    "text": r"A matrix",
    "markdown": r"# A matrix",
    "latex": r"\documentclass",
    "html": r"<!DOCTYPE html>",
    "json": r"{",
}
ENDINGS = {"text": ".txt", "markdown": ".md", "latex": ".tex", "html": ".html", "json": ".json"}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_derive_formats_and_endings(run: Run, kind: str) -> None:
    printed = run("derive", "01.tp", "--format", kind)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith(BEGINNINGS[kind])
    target = Path(f"report{ENDINGS[kind]}")
    written = run("derive", "01.tp", "-o", str(target))
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", f"wrote {target}\n")
    assert target.read_text(encoding="utf-8").rstrip() == printed.stdout.rstrip()
    if kind == "json":
        assert {"title", "claims"} <= set(json.loads(printed.stdout))


def test_derive_says_the_format_or_the_ending_does(run: Run) -> None:
    assert run("derive", "01.tp", "--format", "latex", "-o", "report.md").exit_code == 0
    assert Path("report.md").read_text(encoding="utf-8").startswith(r"\documentclass")
    assert run("derive", "01.tp", "-o", "REPORT.HTML").exit_code == 0
    assert Path("REPORT.HTML").read_text(encoding="utf-8").startswith("<!DOCTYPE")
    result = run("derive", "01.tp", "-o", "report.docx")
    assert (result.exit_code, Path("report.docx").exists()) == (2, False)
    assert result.stderr.startswith("tpsym: error: the ending .docx of report.docx stands for no format [bad-ending]")
    assert run("derive", "01.tp", "--format", "word").exit_code == 2


def test_derive_writes_whole_files_or_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = run("derive", "01.tp", "-o", "none/report.md")
    assert missing.exit_code == 2
    assert "fix: create the directory first" in missing.stderr
    Path("folder.md").mkdir()
    assert run("derive", "01.tp", "-o", "folder.md").exit_code == 2
    target = Path("report.md")
    target.write_text("old", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", refuse)
        full = run("derive", "01.tp", "-o", str(target))
    assert full.exit_code == 2
    assert "No space left on device" in full.stderr
    assert target.read_text(encoding="utf-8") == "old"
    assert not list(Path().glob(".report*"))


def test_derive_says_what_is_not_available_after_the_rest(run: Run) -> None:
    layer = "dim d\ninput x: (d)\nrandom A: (n, d) ~ N(0, 1/d)\nderive lim(mean(A @ x + (A @ A.T) @ u))\n"
    Path("some.tp").write_text(CLAIMS + layer, encoding="utf-8")
    result = run("derive", "some.tp")
    assert result.exit_code == 2
    assert "E[u^2]" in result.stdout
    assert result.stderr.count("error: ") == 1
    assert "some.tp:8:30: error: the transpose of an input layer is not available yet [not-available]" in result.stderr


def test_a_symbolic_depth_and_a_number_for_it(run: Run) -> None:
    derived = run("derive", "network.tp")
    assert (derived.exit_code, derived.stderr) == (0, "")
    assert "for l = 2, …, L" in derived.stdout
    assert "1 proved" in run("verify", "network.tp").stdout
    refused = run("eval", "network.tp", "nngp(f)(x, x)", *DATA)
    assert refused.exit_code == 2
    assert "fix: --set L=3" in refused.stderr
    assert run("derive", "network.tp", "--set", "L=3").exit_code == 0
    assert run("check", "network.tp", "--set", "L=3").stdout == "network.tp: fine\n"
    verified = run("verify", "network.tp", "--set", "L=3")
    assert (verified.exit_code, "1 proved" in verified.stdout) == (0, True)


# --- verify --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "strict", "code"),
    [
        (["proved"], True, 0),
        (["checked"], False, 0),
        (["checked"], True, 3),
        (["undecided"], False, 3),
        (["refuted"], True, 1),
        (["proved", "checked"], False, 0),
        (["proved", "checked", "undecided"], False, 3),
        (["proved", "checked", "undecided", "refuted"], False, 1),
        (["13"], False, 1),
    ],
)
def test_verify_exit_codes(run: Run, files: list[str], strict: bool, code: int) -> None:
    options = ["--strict"] if strict else []
    assert run("verify", *(f"{name}.tp" for name in files), *options).exit_code == code
    assert run("verify", "--json", *(f"{name}.tp" for name in files), *options).exit_code == code


def test_verify_a_file_without_claims(run: Run) -> None:
    Path("none.tp").write_text(CLAIMS, encoding="utf-8")
    assert run("verify", "none.tp").exit_code == 0
    value = json.loads(run("verify", "--json", "none.tp").stdout)
    assert value["files"] == [{"file": "none.tp", "claims": []}]
    assert set(value["summary"].values()) == {0}


def test_verify_looks_at_every_file_before_it_derives(run: Run) -> None:
    Path("wrong.tp").write_text("width n\nrandom u: (m) ~ N(0, 1)\n", encoding="utf-8")
    result = run("verify", "proved.tp", "wrong.tp", "none.tp")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "wrong.tp:2:12: error: unknown name 'm'" in result.stderr
    assert "none.tp: error: there is no such file" in result.stderr
    assert run("verify").exit_code == 2


def test_verify_shows_verdicts_for_people(run: Run) -> None:
    result = run("verify", "proved.tp", "refuted.tp")
    assert "1 proved, 1 refuted" in result.stdout
    assert re.search(r"refuted\s+line 5", result.stdout)
    assert "fails at" in result.stdout
    assert result.stderr == ""


def test_verify_json(run: Run) -> None:
    result = run("verify", "--json", "proved.tp", "checked.tp", "refuted.tp", "undecided.tp")
    assert result.stderr == ""
    value = json.loads(result.stdout)
    assert list(value) == ["files", "summary"]
    assert value["summary"] == {"proved": 1, "checked": 1, "refuted": 1, "undecided": 1}
    assert [entry["file"] for entry in value["files"]] == ["proved.tp", "checked.tp", "refuted.tp", "undecided.tp"]
    keys = ["label", "line", "verdict", "method", "lhs", "rhs", "detail"]
    for entry in value["files"]:
        assert list(entry) == ["file", "claims"]
        (claim,) = entry["claims"]
        assert list(claim)[: len(keys)] == keys
        assert claim["label"] == claim["verdict"] == entry["file"].removesuffix(".tp")
        assert claim["line"] == 5
        assert all(isinstance(claim[key], str) for key in keys if key != "line")
    assert value["files"][0]["claims"][0]["lhs"] == "E[u^2]"
    assert value["files"][0]["claims"][0]["rhs"] == "q"
    assert value["files"][3]["claims"][0]["detail"]


def test_verify_with_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate = api.simulate
    monkeypatch.setattr(api, "simulate", lambda program, **_: simulate(program, widths=(16, 32), seeds=4))
    shown = run("verify", "--simulate", "proved.tp")
    assert shown.exit_code == 0
    assert "4 seeds at width 16, 32" in shown.stdout
    value = json.loads(run("verify", "--json", "--simulate", "proved.tp").stdout)
    (measured,) = value["files"][0]["claims"][0]["simulation"]
    assert measured["limit"] == 2
    assert [estimate["n"] for estimate in measured["estimates"]] == [16, 32]
    assert all(e["low"] <= e["value"] <= e["high"] for e in measured["estimates"])


# --- simulate, graph, eval -----------------------------------------------------------------------------


def test_simulate(run: Run) -> None:
    result = run("simulate", "05.tp", "--widths", "64,16,16", "--seeds", "3", "--set", "alpha=1")
    assert result.exit_code == 0
    assert "alpha = 1" in result.stdout
    assert "3 seeds at width 16, 64" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    again = run("simulate", "05.tp", "--widths", "16,64", "--seeds", "3", "--set", "alpha=1")
    assert again.stdout == result.stdout


@pytest.mark.parametrize("widths", ["", "abc", "0", "-4", "16,,32", "1e3", "10000000"])
def test_simulate_at_no_width(run: Run, widths: str) -> None:
    result = run("simulate", "05.tp", "--widths", widths)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "such as 64,256,1024" in result.stderr


def test_simulate_nothing(run: Run) -> None:
    Path("none.tp").write_text("width n\nrandom u: (n) ~ N(0, 1)\n", encoding="utf-8")
    result = run("simulate", "none.tp")
    assert result.exit_code == 2
    assert "no limit that can be measured" in result.stderr
    assert run("simulate", "05.tp", "--seeds", "1").exit_code == 2


def test_graph(run: Run) -> None:
    printed = run("graph", "01.tp")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith("digraph program {")
    for name in ("g.svg", "g.dot", "g.json"):
        result = run("graph", "01.tp", "-o", name)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"wrote {name}\n")
    assert Path("g.dot").read_text(encoding="utf-8").strip() == printed.stdout.strip()
    assert ElementTree.parse("g.svg").getroot().tag.endswith("svg")
    instructions = json.loads(Path("g.json").read_text(encoding="utf-8"))["instructions"]
    assert {"Matrix", "Vector", "MatMul"} <= {instruction["kind"] for instruction in instructions}
    result = run("graph", "01.tp", "-o", "g.png")
    assert (result.exit_code, Path("g.png").exists()) == (2, False)
    assert "a path ending in .svg, .dot or .json" in result.stderr




def arc_cosine(c: float) -> float:
    """The ReLU kernel of a one-layer He network at unit inputs of cosine c."""
    return (math.sqrt(1 - c**2) + (math.pi - math.acos(c)) * c) / math.pi


def test_eval(run: Run) -> None:
    def value(*arguments: str) -> str:
        result = run("eval", "network.tp", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout.rstrip("\n")

    assert float(value("nngp(f)(x, x)", "--set", "L=3", *DATA)) == pytest.approx(1, rel=1e-14)
    assert float(value("nngp(f)(x, y)", "--set", "L=1", *DATA)) == pytest.approx(arc_cosine(0.3), rel=1e-14)
    assert value("nngp(f)(x, y)", "--set", "L=1", *DATA) == value("nngp(f)(y, x)", "--set", "L=1", *DATA)
    assert float(value("σ_w^2")) == float(value("sigma_w^2")) == 2
    assert float(value("sigma_w", "--set", "σ_w=1.5")) == float(value("σ_w", "--set", "sigma_w=3/2")) == 1.5
    assert len(value("sigma_w", "--digits", "40").replace(".", "")) == 40
    assert float(value("E[f.h[2](x)^2]", "--set", "L=2", "--set", "d=2", "--set", "x=[3, 4]")) == 25


def test_eval_needs_values_for_symbols(run: Run) -> None:
    result = run("eval", "network.tp", "nngp(f)(x, x)", "--set", "L=1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no value for d, dot(x, x)" in result.stderr
    assert run("eval", "network.tp").exit_code == 2
    assert run("eval", "network.tp", "1", "--digits", "0").exit_code == 2


# --- check, fmt, zoo -----------------------------------------------------------------------------------


def test_check(run: Run) -> None:
    result = run("check", "01.tp")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "01.tp: fine\n", "")


def test_fmt(run: Run) -> None:
    messy = "width   n\nrandom u:(n)~N(0,1)   # noise\nclaim   'a':E[u^2]==1\n".replace("'", '"')
    Path("messy.tp").write_text(messy, encoding="utf-8")
    Path("tidy.tp").write_text("width n\n", encoding="utf-8")
    before = run("fmt", "--check", "messy.tp", "tidy.tp")
    assert (before.exit_code, before.stdout) == (1, "would format messy.tp\n")
    assert Path("messy.tp").read_text(encoding="utf-8") == messy
    first = run("fmt", "messy.tp", "tidy.tp")
    assert (first.exit_code, first.stdout) == (0, "formatted messy.tp\n")
    formatted = Path("messy.tp").read_text(encoding="utf-8")
    assert formatted != messy
    assert "# noise" in formatted
    second = run("fmt", "messy.tp")
    assert (second.exit_code, second.stdout) == (0, "")
    assert Path("messy.tp").read_text(encoding="utf-8") == formatted
    assert run("fmt", "--check", "messy.tp").exit_code == 0
    assert run("verify", "messy.tp").exit_code == 0


def test_zoo_lists_every_program(run: Run) -> None:
    result = run("zoo")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "title", "paper"]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == list(names())
    assert "Lee et al. 2018" in result.stdout


def test_zoo_prints_a_program(run: Run) -> None:
    result = run("zoo", "mlp")
    assert (result.exit_code, result.stderr) == (0, "")
    Path("mine.tp").write_text(result.stdout, encoding="utf-8")
    assert run("check", "mine.tp").stdout == "mine.tp: fine\n"
    assert run("fmt", "--check", "mine.tp").exit_code == 0


def test_zoo_without_such_a_program(run: Run) -> None:
    result = run("zoo", "mpl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the zoo has no program 'mpl' [unknown-program]" in result.stderr
    assert "fix: did you mean 'mlp'?" in result.stderr
    assert "did you mean" not in run("zoo", "xyzzy").stderr


# --- help ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *sorted(main.commands)])
def test_help_fits_a_terminal(run: Run, command: str) -> None:
    arguments = [command, "--help"] if command else ["--help"]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(main, arguments)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "..." not in result.stdout.partition("Commands:")[2]
    assert result.stdout == run(*arguments[:-1], "-h").stdout


def test_usage(run: Run) -> None:
    assert run("--version").stdout == f"tpsym, version {version('tpsym')}\n"
    for arguments in (["nonsense"], ["derive"], ["derive", "01.tp", "--nonsense"], ["derive", "01.tp", "02.tp"]):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Usage: " in result.stderr
