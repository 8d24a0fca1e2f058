"""``tpsym check-parametrization``: exit codes, text at 80 columns, JSON, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tpsym.cli.main import main

NETWORK = """width n
dim d
param a: real
input x: (d)
fn phi
weight W[1]: (n, d) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 2..3
weight v: (1, n) ~ N(0, 1/n)
def f(xi):
    h[1] = W[1] @ xi
    h[l] = W[l] @ phi(h[l-1]) for l in 2..3
    return v @ phi(h[3])
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.tp"
    path.write_text(NETWORK)
    return path


def run(file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["check-parametrization", str(file), *options])


def table(file: Path, text: str) -> str:
    path = file.with_suffix(".json")
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--named", "mup", "--optimizer", "adam"], 0, "stable and maximal: feature learning"),
        (["--named", "mup", "--optimizer", "muon"], 0, "stable and maximal: feature learning"),
        (["--named", "standard", "--lr", "-1", "--optimizer", "adam"], 1,
         "f(x) grows like n^(1/2) in the first step of training, through the updates of"),
        (["--lr", "-1"], 3, "stable (kernel regime), but the updates of W[1], W[2], W[3] move no feature"),
        (["--named", "ntk", "--lr", "-1/2"], 3, "stable (trivial), but the updates of W[1], W[2], W[3], v move"),
    ],
)
def test_exit_codes_say_what_happens(file: Path, options: list[str], code: int, line: str) -> None:
    result = run(file, *options)
    assert result.exit_code == code, result.output
    assert line in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_tables_by_family(file: Path) -> None:
    given = table(file, '{"W": {"std": "-1/2", "lr": -1}, "W[1]": {"std": 0, "lr": 0}, "v": {"std": -1.0, "lr": "-1"}}')
    assert run(file, "--table", given, "--optimizer", "adam").exit_code == 0
    assert run(file, "--table", given, "--optimizer", "sgd").exit_code == 3


def test_json_has_it_all(file: Path) -> None:
    result = run(file, "--named", "standard", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["verdict"] == found["regime"] == "unstable"
    assert found["findings"] == [
        {"what": "h[2](x)", "kind": "grows", "exponent": "1/2", "step": 1, "initial": [], "updates": ["W[2]"]}
    ]
    assert found["arrays"][3] == {
        "array": "v", "role": "output", "multiplier": "0", "std": "-1/2", "lr": "0", "largest_lr": "-1",
        "update": None, "verdict": "unread",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "bad-table"),
        ("[]", "bad-table"),
        ("[" * 100_000, "bad-table"),
        ('{"W": 3}', "bad-table"),
        ('{"W": {"std": 0}}', "bad-table"),
        ('{"W": {"std": 0, "lr": 0, "rate": 1}}', "bad-table"),
        ('{"W": {"std": "1/0", "lr": 0}}', "bad-table"),
        ('{"W": {"std": NaN, "lr": 0}}', "bad-table"),
        ('{"W": {"std": "1e9", "lr": 0}}', "bad-table"),
        ('{"W": {"std": 0, "lr": 0}, "W": {"std": 1, "lr": 0}}', "twice"),
        ('{"V": {"std": 0, "lr": 0}}', "unknown-array"),
        ('{"W": {"std": 0, "lr": 0}}', "missing-array"),
    ],
)
def test_mistakes_in_tables_are_told(file: Path, text: str, message: str) -> None:
    result = run(file, "--table", table(file, text))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--named", "mupp"], "did you mean mup?"),
        (["--optimizer", "adma"], "did you mean adam?"),
        (["--function", "g"], "the file has no function g"),
        (["--lr", "eta"], "bad-exponent"),
        (["--lr", "1/0"], "bad-exponent"),
        (["--table", "nowhere.json"], "cannot read this"),
        (["--table", "nowhere.json", "--named", "mup"], "without --named"),
    ],
)
def test_mistakes_in_options_are_told(file: Path, options: list[str], message: str) -> None:
    result = run(file, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_symbols_are_given_values(file: Path) -> None:
    file.write_text(NETWORK.replace("return v", "return n^(-a) * v"))
    result = run(file, "--lr", "-1")
    assert result.exit_code == 2
    assert "--set a=0" in result.stderr
    assert run(file, "--lr", "-1", "--set", "a=0").exit_code == 3
    assert "f(x) grows like n^(1/2) at initialisation" in run(file, "--set", "a=-1/2").stdout
    smaller = run(file, "--named", "standard", "--set", "a=1/2", "--json")
    assert [row["largest_lr"] for row in json.loads(smaller.stdout)["arrays"]] == ["1", "0", "0", "0"]
    assert "maximal update is solved for a = 0, and a is 1/2" in run(file, "--named", "mup", "--set", "a=1/2").stderr
    assert run(file, "--named", "mup", "--set", "a=0").exit_code == 0


def test_files_with_several_networks(file: Path) -> None:
    extra = "def g(xi):\n    return v @ (W[1] @ xi)\ndef features(xi):\n    return W[1] @ xi\n"
    file.write_text(NETWORK + extra)
    assert "largest lr" in run(file, "--lr", "-1").stdout
    assert run(file, "--function", "g", "--lr", "-1").exit_code == 3
    file.write_text(NETWORK.replace("def f(", "def k(") + extra)
    assert "several networks: k, g" in run(file).stderr
    file.write_text(NETWORK[: NETWORK.index("def f")])
    assert "no-network" in run(file).stderr
