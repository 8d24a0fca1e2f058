"""``tpsym train`` and ``tpsym transfer``: tables, files, interruptions and mistakes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tpsym.cli import training
from tpsym.cli.main import main
from tpsym.cli.training import parse_rates, split
from tpsym.errors import TpError
from tpsym.simulate.progress import Progress

Run = Callable[..., Result]
QUICK = ("--widths", "16,32", "--seeds", "2")
SAMPLES = ("--particles", "64", "--replicates", "2")
SHALLOW = """\
width n
dim d = 3
param eta: positive
input x, xi: (d)
weight U: (n, d) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(z):
    h = U @ z
    return v @ h / n
train F = f with sgd(lr = eta*n), loss = mse, data = [(x, 1)], steps = 3
"""
DEEP = """\
width n
input x: (2) = [1, 1/2]
weight U: (n, 2) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n^2)
def f(z):
    h = W @ tanh(U @ z)
    return v @ tanh(h)
train F = f with sgd(lr = {U: n/5, W: 1/5, v: 1/(5*n)}), loss = mse, data = [(x, 1)], steps = 3
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in a folder with some programs."""
    monkeypatch.chdir(tmp_path)
    Path("shallow.tp").write_text(SHALLOW, encoding="utf-8")
    Path("deep.tp").write_text(DEEP, encoding="utf-8")
    Path("none.tp").write_text(DEEP.split("train")[0], encoding="utf-8")
    Path("blows.tp").write_text(DEEP.replace("W: 1/5", "W: n"), encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert "internal error" not in result.stderr, result.stderr
        assert "Traceback" not in result.output
        return result

    return invoke


def test_train_prints_a_table(run: Run) -> None:
    result = run("train", "shallow.tp", "--set", "eta=1/20", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "limit" in result.stdout
    assert "n = 32" in result.stdout
    assert "Training F of f learns features." in result.stdout
    assert "by quadrature" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_train_samples_and_writes(run: Run) -> None:
    result = run("train", "deep.tp", *QUICK, *SAMPLES, "--steps", "2", "--features", "h, tanh(h)", "-o", "a.json")
    assert (result.exit_code, result.stderr) == (0, "wrote a.json\n")
    assert "64 particles, 2 replicates" in result.stdout
    document = json.loads(Path("a.json").read_text(encoding="utf-8"))
    assert document["steps"] == 2
    labels = [q["label"] for q in document["limit"]["quantities"] if q["quantity"] == "feature"]
    assert labels == ["h", "tanh(h)"]
    printed = run("train", "deep.tp", *QUICK, *SAMPLES, "--json", "--steps", "0", "-o", "a.csv")
    assert json.loads(printed.stdout)["steps"] == 0
    assert Path("a.csv").read_text(encoding="utf-8").startswith("source,width,quantity")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_train_draws(run: Run, name: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    result = run("train", "shallow.tp", "--set", "eta=1/20", *QUICK, "-o", name)
    assert (result.exit_code, result.stderr) == (0, f"wrote {name}\n")
    assert Path(name).read_bytes().startswith(start)


def test_train_without_a_limit_says_why(run: Run) -> None:
    result = run("train", "blows.tp", *QUICK)
    assert result.exit_code == 0
    assert "No limit: " in result.stdout
    assert "n = 16" in result.stdout


def test_train_without_widths(run: Run) -> None:
    result = run("train", "deep.tp", "--widths", "none", *SAMPLES)
    assert result.exit_code == 0
    assert "n = " not in result.stdout


def test_train_interrupted_goes_on_from_its_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def press(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 9:
            signal.raise_signal(signal.SIGINT)

    def bar(_: str) -> AbstractContextManager[Progress | None]:
        return nullcontext(press)

    arguments = ("train", "deep.tp", *QUICK, *SAMPLES, "--checkpoint", "run.npz", "-o", "a.json")
    monkeypatch.setattr(training, "_bar", bar)
    result = run(*arguments)
    assert result.exit_code == 130
    assert "Interrupted" in result.stdout
    assert "wrote run.npz: the same command goes on from it" in result.stderr
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))["complete"] is False
    again = run(*arguments)
    assert again.exit_code == 0
    assert not Path("run.npz").exists()
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))["complete"] is True


def test_transfer(run: Run) -> None:
    pytest.importorskip("matplotlib")
    result = run("transfer", "deep.tp", *QUICK, "--rates", "2^-1..2^1", "-o", "t.png")
    assert (result.exit_code, result.stderr) == (0, "wrote t.png\n")
    assert "Loss in mup" in result.stdout
    assert "Loss in standard" in result.stdout
    assert "best" in result.stdout
    assert Path("t.png").read_bytes().startswith(b"\x89PNG")
    one = run("transfer", "deep.tp", *QUICK, "--rates", "1", "--parametrizations", "ntk", "--json")
    assert list(json.loads(one.stdout)["panels"]) == ["ntk"]


@pytest.mark.parametrize(("arguments", "words"), [
    (("train", "none.tp"), ("none.tp: error: the file trains no network", "fix: write train F")),
    (("transfer", "none.tp"), ("the file trains no network",)),
    (("train", "deep.tp", "--name", "G"), ("no training called G", "expected: F")),
    (("train", "shallow.tp"), ("shallow.tp:10:1: error: eta must have a value", "fix: --set eta=1")),
    (("transfer", "shallow.tp"), ("eta must have a value",)),
    (("train", "deep.tp", "--widths", "1000000"), ("GiB", "smaller widths")),
    (("train", "deep.tp", "--features", "g"), ("--features:1:1", "'g'")),
    (("train", "deep.tp", "--features", "U"), ("a feature is a vector",)),
    (("train", "deep.tp", "--features", "h +"), ("error",)),
    (("train", "deep.tp", "--particles", "2", *QUICK), ("particles",)),
    (("train", "deep.tp", "-o", "a.txt"), ("bad-ending",)),
    (("train", "missing.tp"), ("missing.tp",)),
    (("transfer", "deep.tp", "--rates", "0"), ("no learning rates",)),
    (("transfer", "deep.tp", "--parametrizations", "muq"), ("there is no parametrisation muq",)),
])
def test_mistakes(run: Run, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    for word in words:
        assert word in result.stderr


def test_a_checkpoint_of_something_else(run: Run) -> None:
    Path("run.npz").write_text("nothing", encoding="utf-8")
    result = run("train", "deep.tp", *QUICK, *SAMPLES, "--checkpoint", "run.npz")
    assert result.exit_code == 2
    assert "is no checkpoint" in result.stderr
    assert Path("run.npz").read_text(encoding="utf-8") == "nothing"


def test_rates_and_lists() -> None:
    assert parse_rates("2^-1..2^2") == [0.5, 1, 2, 4]
    assert parse_rates("10, 0.1,2^-2") == [0.1, 0.25, 10]
    assert split("h[1,2], tanh(f(a, b)),") == ["h[1,2]", "tanh(f(a, b))"]
    for text in ("", "a", "-1", "2^1..2^0", "3^0..3^1", "nan", "2^99..2^999", "1..2"):
        with pytest.raises(TpError):
            parse_rates(text)
