"""``tpsym plot`` and ``tpsym coordinate-check``: figures, tables, verdicts and mistakes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tpsym.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "examples"
Run = Callable[..., Result]
QUICK = ("--widths", "32,64,128", "--seeds", "4", "--steps", "2")

NETWORK = """\
width n
dim d = 3
param c: real = 0
input x: (d)
fn phi
weight U: (n, d) ~ N(0, 1/d)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h = U @ xi
    g = W @ phi(h)
    return v @ phi(g)
"""
LEFT = NETWORK.replace("real = 0", "real") + "let S = scaling(f, sgd(lr = n^(-c)))\nderive S.region\nderive S\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder with some programs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "09_abc.tp", "09.tp")
    Path("network.tp").write_text(NETWORK, encoding="utf-8")
    Path("left.tp").write_text(LEFT, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert "internal error" not in result.stderr, result.stderr
        assert "Traceback" not in result.output
        return result

    return invoke


# --- plot ----------------------------------------------------------------------------------------------


def test_plot_writes_next_to_the_file_or_where_told(run: Run) -> None:
    pytest.importorskip("matplotlib")
    result = run("plot", "09.tp")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "wrote 09.svg\n")
    assert "<svg" in Path("09.svg").read_text(encoding="utf-8")
    chosen = run("plot", "09.tp", "--question", "2", "--x", "a[3] + b[3]", "--y", "2*a[3] + c", "-o", "b.png")
    assert (chosen.exit_code, Path("b.png").read_bytes()[:4]) == (0, b"\x89PNG")


@pytest.mark.parametrize(("arguments", "words"), [
    (("09.tp", "-o", "a.txt"), "bad-ending"),
    (("09.tp", "--question", "3"), "1 to 2"),
    (("09.tp", "--x", "a[3]^2"), "no linear expression"),
    (("09.tp", "--x", "a[3] + nonsense"), "--x"),
    (("09.tp", "--y", "a[3] +"), "--y"),
    (("network.tp",), "derive scaling"),
    (("left.tp",), "less than two dimensions"),
    (("none.tp",), "none.tp"),
])
def test_plots_that_cannot_be_drawn(run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run("plot", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


# --- coordinate-check ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd(lr = 1/2)", "adam(lr = 1/20)"])
def test_maximal_update_moves_every_layer(run: Run, optimizer: str) -> None:
    arguments = ("--parametrization", "mup", "--optimizer", optimizer, "--json")
    result = run("coordinate-check", "network.tp", *arguments, "--widths", "64,128,256,512", "--seeds", "6")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    derived = {(q["name"], q["kind"]): q["exponent"] for q in found["quantities"]}
    assert {derived[name, "change"] for name in ("h(x)", "g(x)", "output")} == {"0"}
    assert derived["output", "size"] == "-1/2"
    verdicts = {(q["name"], q["kind"]): q["verdict"] for q in found["quantities"]}
    # a random sum that is a single number needs more seeds than these
    assert verdicts.pop(("output", "size")) in ("agrees", "too noisy")
    assert set(verdicts.values()) == {"agrees"}
    assert (found["unstable"], found["agrees"], found["widths"]) == (None, True, [64, 128, 256, 512])
    assert all(len(q["sizes"]) == 4 for q in found["quantities"])


def test_tables_and_plots(run: Run) -> None:
    pytest.importorskip("matplotlib")
    result = run("coordinate-check", "network.tp", "--parametrization", "ntk", *QUICK, "-o", "a.png", "--fn", "relu")
    assert result.stderr == "wrote a.png\n"
    assert Path("a.png").read_bytes()[:4] == b"\x89PNG"
    rows = {line.split()[0]: line.split()[1] for line in result.stdout.partition("Changes")[2].splitlines()
            if line.split() and line.split()[0] in ("h(x)", "g(x)", "output")}
    assert rows == {"h(x)": "−1/2", "g(x)": "−1/2", "output": "0"}
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_rates_too_large_are_said_to_be(run: Run) -> None:
    """With the standard parametrisation and a rate of order one sizes keep growing: nothing is derived for them."""
    result = run("coordinate-check", "network.tp", *QUICK, "--json")
    found = json.loads(result.stdout)
    assert "training" in found["unstable"]
    assert {q["verdict"] for q in found["quantities"] if q["kind"] == "change"} == {"not derived"}
    assert {q["exponent"] for q in found["quantities"] if q["kind"] == "size"} == {"0"}


def test_what_never_changes_is_zero(run: Run) -> None:
    text = NETWORK.replace("weight U", "random U").replace("phi(g)", "phi(g + h)")
    Path("frozen.tp").write_text(text, encoding="utf-8")
    result = run("coordinate-check", "frozen.tp", "--parametrization", "ntk", *QUICK, "--json")
    found = {(q["name"], q["kind"]): q for q in json.loads(result.stdout)["quantities"]}
    assert (found["h(x)", "change"]["vanishes"], found["h(x)", "change"]["verdict"]) == (True, "agrees")
    assert not found["g(x)", "change"]["vanishes"]


def test_a_wrong_exponent_is_noticed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Updates with the rates of NTK training measured against the exponents of maximal update."""
    from tpsym.results import coordinate_check

    monkeypatch.setattr(coordinate_check, "with_maximal_rates", lambda context, target, optimizer: optimizer)
    result = run("coordinate-check", "network.tp", "--parametrization", "mup", *QUICK)
    assert result.exit_code == 1
    assert "slope is smaller" in result.stdout


@pytest.mark.parametrize(("arguments", "words"), [
    (("--optimizer", "sgd(lr = )"), "--optimizer"),
    (("--optimizer", "W"), "optimizer-expected"),
    (("--optimizer", "sgd(lr = q)"), "unknown name 'q'"),
    (("--parametrization", "mpu"), "did you mean mup?"),
    (("--function", "g"), "no function g"),
    (("--widths", "64"), "two different widths"),
    (("--widths", "a"), "whole numbers"),
    (("--fn", "nonsense"), "no nonlinearity"),
    (("-o", "a.txt"), "bad-ending"),
    (("--set", "d=-1"), "d"),
])
def test_mistakes(run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run("coordinate-check", "network.tp", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_exponents_need_values(run: Run) -> None:
    result = run("coordinate-check", "left.tp", "--optimizer", "sgd(lr = n^(-c))")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "c must have a value" in result.stderr
    given = run("coordinate-check", "left.tp", "--optimizer", "sgd(lr = n^(-c))", "--set", "c=3/2", *QUICK)
    assert given.exit_code in (0, 1)
    assert "−2" in given.stdout
