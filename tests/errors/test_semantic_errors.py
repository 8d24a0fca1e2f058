"""Wrong programs beside their exact messages, the same from every command; damage to the examples ends in no traceback.

After a message was changed on purpose, ``TPSYM_REWRITE=1 pytest tests/errors/test_semantic_errors.py`` writes the
files anew; read the difference.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_mutations import mutate

from tpsym import api
from tpsym.cli.main import main
from tpsym.errors import TpError
from tpsym.results.derive import derive
from tpsym.verify.claims import verify

FOLDER = Path(__file__).parent / "semantic"
WRONG = sorted(FOLDER.glob("*.tp"))
UNAVAILABLE = sorted((FOLDER / "not_available").glob("*.tp"))
EXAMPLES = [
    path.read_text(encoding="utf-8") for path in sorted((FOLDER.parents[1] / "examples").glob("*.tp"))
]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def expected(path: Path, found: str) -> str:
    """The message that stands beside a file; written on demand."""
    beside = path.with_suffix(".txt")
    if os.environ.get("TPSYM_REWRITE"):
        beside.write_text(found, encoding="utf-8")
    return beside.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    result = invoke("check", path.name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == expected(path, result.stderr)
    for command in ("verify", "derive"):
        other = invoke(command, path.name)
        assert (other.exit_code, other.stdout, other.stderr) == (2, "", result.stderr)


@pytest.mark.parametrize("path", UNAVAILABLE, ids=lambda path: path.stem)
def test_what_is_not_available_is_said_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    result = invoke("check", path.name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == expected(path, result.stderr)
    assert result.stderr.count("[not-available]") == 1
    assert invoke("derive", path.name).exit_code in (0, 2)
    verified = invoke("verify", path.name)
    assert verified.exit_code in (0, 2, 3)
    assert "not available yet" in verified.output or "0 claims" in verified.output


def codes(folder: Path) -> set[str]:
    return {
        code
        for path in folder.glob("**/*.txt")
        for code in re.findall(r"error: .*\[([a-z0-9-]+)\]$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_there_are_many_kinds() -> None:
    assert len(codes(FOLDER) - codes(FOLDER.parent / "syntax")) >= 40
    assert {path.stem for path in WRONG} == {path.stem for path in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_message_is_for_people(path: Path) -> None:
    """It has a place, shows the line, and speaks of nothing inside the program."""
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    first, *rest = text.splitlines()
    assert re.fullmatch(rf"{path.name}:\d+:\d+: error: .+ \[[a-z0-9-]+\]", first)
    assert set(rest[1]) <= set(" |^")
    assert "^" in rest[1]
    assert not re.search(r"\$|\*\*|Symbol|object at|Traceback|sympy|<class", text)


# --- values and expressions given on the command line --------------------------------------------------

PROGRAM = """\
width n
dim d
depth L = 2
param s: positive
param σ_b: real = 2
param a[l]: real for l in 1..2
input x, y: (d)
weight W: (n, d) ~ N(0, s^2/d)
weight v: (1, n) ~ N(0, 1/n)

def f(xi):
    h = W @ xi
    return v @ relu(h)
"""

SETTINGS = {
    "s": "--set s: error: expected NAME=VALUE [bad-setting]\n  fix: --set sigma_w=1.5\n",
    "s=": "--set s=: error: expected NAME=VALUE [bad-setting]\n  fix: --set sigma_w=1.5\n",
    "=1": "--set =1: error: expected NAME=VALUE [bad-setting]\n  fix: --set sigma_w=1.5\n",
    "s=1+": "--set s=1+:1:2: error: nothing stands after + [missing-operand]\n  1 | 1+\n    |  ^\n"
    "  expected: an expression\n  fix: to go on in the next line, put the whole expression in parentheses\n",
    "s=u": "f.tp: error: --set s: unknown name 'u' [unknown-name]\n  expected: a number, such as 1.5 or sqrt(2)\n",
    "s=1/0": "f.tp: error: --set s: division by zero [division-by-zero]\n",
    "s=relu": "f.tp: error: --set s: expected a number or a list of numbers [bad-setting]\n",
    "s=-1": "f.tp: error: --set s: -1 is not positive [bad-setting]\n",
    "s=[1, 2]": "f.tp: error: --set s: a parameter is one number, not a list [bad-setting]\n",
    "sigma=1": "f.tp: error: --set sigma: the file declares no parameter, size or data sigma [unknown-name]\n"
    "  expected: L, a[1], a[2], d, s, sigma_b, x, y\n  fix: did you mean sigma_b?\n",
    "relu=2": "f.tp: error: --set relu: the file declares no parameter, size or data relu [unknown-name]\n"
    "  expected: L, a[1], a[2], d, s, sigma_b, x, y\n",
    "n=100": "f.tp: error: --set n: n is a width, which goes to infinity [bad-setting]\n",
    "a=1": "f.tp: error: --set a: a is a family [bad-setting]\n  fix: --set 'a[1]=…' for each member\n",
    "L=0": "f.tp: error: --set L: 0 is not a size [bad-size]\n  expected: a whole number ≥ 1\n",
    "d=2.5": "f.tp: error: --set d: 5/2 is not a size [bad-size]\n  expected: a whole number ≥ 1\n",
    "d=[1]": "f.tp: error: --set d: a size is one number, not a list [bad-size]\n",
    "x=1": "f.tp: error: --set x: data is given as a list of numbers [bad-data]\n  expected: [1, 2, …]\n",
    "dot(x, z)=1": "f.tp: error: --set dot(x, z): there is no input z [unknown-name]\n  expected: x, y\n",
    "dot(x, x)=-1": "f.tp: error: --set dot(x, x): -1 is negative [bad-setting]\n"
    "  expected: a square of a length\n",
    "dot(x, y)=[1]": "f.tp: error: --set dot(x, y): an inner product is one number, not a list [bad-setting]\n",
    "dot(x)=1": "f.tp: error: --set dot(x): the file declares no parameter, size or data dot(x) [unknown-name]\n"
    "  expected: L, a[1], a[2], d, s, sigma_b, x, y\n",
}

EXPRESSIONS = {
    "E[relu(f.h(x))]": "<expression>: error: no value for d, dot(x, x), s [no-value]\n"
    "  fix: --set 'd=1' (and so on)\n",
    "s": "<expression>: error: no value for s [no-value]\n  fix: --set 's=1'\n",
    "n": "<expression>:1:1: error: this depends on n, which goes to infinity [no-limit]\n  1 | n\n    | ^\n",
    "q": "<expression>:1:1: error: unknown name 'q' [unknown-name]\n  1 | q\n    | ^\n"
    "  fix: declare 'q' before it is used\n",
    "f": "<expression>:1:1: error: cannot calculate with a function [not-a-value]\n  1 | f\n    | ^\n"
    "  fix: call it: f(xi)\n",
    "f(x)": "<expression>:1:1: error: this is a scalar of the program, random at every finite width "
    "[not-a-limit]\n  1 | f(x)\n    | ^^^^\n  fix: ask for its limit: lim(…)\n",
    "f.h(x)": "<expression>:1:1: error: this is a vector of shape (n), not a number [number-expected]\n"
    "  1 | f.h(x)\n    | ^^^^^^\n  fix: E[…] of a vector\n",
    "s == 1": "<expression>:1:1: error: cannot calculate with a condition [not-a-value]\n  1 | s == 1\n"
    "    | ^^^^^^\n  fix: if(condition, a, b) makes a value of a condition\n",
    "E[f.h(2)]": "f.tp:12:9: error: `@` needs a matrix on its left and a matrix or vector on its right, not a "
    "matrix of shape (n, d) and a number (in f(2)) [matrix-expected]\n  12 |     h = W @ xi\n"
    "     |         ^^^^^^\n  fix: an input layer multiplies data\n",
    "scaling(f)": "<expression>:1:1: error: scaling takes 2 arguments, 1 given [wrong-argument-count]\n"
    "  1 | scaling(f)\n    | ^^^^^^^^^^\n"
    "  expected: scaling(f, sgd(lr = …)), and alignment = worst, everett_full or none, scale = L\n",
    "E[s": "<expression>:1:2: error: this [ is never closed [unclosed-bracket]\n  1 | E[s\n    |  ^\n"
    "  expected: ]\n",
    "": "<expression>: error: there is no expression here [empty-expression]\n"
    "  expected: an expression such as nngp(f)(x, y)\n",
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("f.tp").write_text(PROGRAM, encoding="utf-8")
    return "f.tp"


@pytest.mark.parametrize("setting", SETTINGS)
def test_setting(program: str, setting: str) -> None:
    for command in (["eval", program, "1"], ["check", program], ["verify", program], ["derive", program]):
        result = invoke(*command, "--set", setting)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", SETTINGS[setting])


def test_impossible_inner_products(program: str) -> None:
    lengths = ("--set", "dot(x, x)=1", "--set", "dot(y, y)=4")
    assert invoke("check", program, *lengths, "--set", "dot(x, y)=2").exit_code == 0
    result = invoke("check", program, *lengths, "--set", "dot(x, y)=2.001")
    assert result.exit_code == 2
    assert "impossible for vectors of squared length 1 and 4" in result.stderr


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(program: str, expression: str) -> None:
    result = invoke("eval", program, expression)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", EXPRESSIONS[expression])


# --- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"width n\nparam \xe9ta: positive\n", "is not UTF-8 text [not-utf-8]"),
        (b"", "there is no statement here [empty-file]"),
        (b"x = " + b"1" * 10_000_000, "[file-too-large]"),
        (b"x = " + b"(" * 10_000 + b"1" + b")" * 10_000, "[too-deep]"),
        (b"width n\0", "error: "),
        (b"\xff\xfew\0i\0d\0t\0h\0", "[not-utf-8]"),
    ],
    ids=["not-utf-8", "empty", "ten-megabytes", "brackets", "nul", "utf-16"],
)
@pytest.mark.parametrize("command", ["check", "verify", "derive", "simulate", "graph", "fmt"])
def test_file_that_is_none(tmp_path: Path, content: bytes, message: str, command: str) -> None:
    path = tmp_path / "f.tp"
    path.write_bytes(content)
    result = invoke(command, str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("error: ") == 1
    assert len(result.stderr) < 1000
    assert path.read_bytes() == content


@pytest.mark.parametrize("command", ["check", "verify", "derive", "simulate", "graph", "fmt"])
def test_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    missing = invoke(command, str(tmp_path / "none.tp"))
    assert missing.exit_code == 2
    assert "there is no such file [no-such-file]" in missing.stderr
    folder = invoke(command, str(tmp_path))
    assert folder.exit_code == 2
    assert "this is a directory, not a file [is-a-directory]" in folder.stderr

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    secret = invoke(command, str(tmp_path / "secret.tp"))
    assert secret.exit_code == 2
    assert "this file may not be read [no-permission]" in secret.stderr


# --- damage --------------------------------------------------------------------------------------------


def answered(text: str, *, seconds: float) -> str:
    """How a program ends: the code of its mistake, or ``fine``; any other exception is a failure of the test."""
    try:
        program = api.parse(text, filename="f.tp")
        api.check(program)
    except TpError as error:
        mistake = error
    else:
        # What passes the check raises nothing any more: claims end in verdicts, questions in answers or refusals.
        # (An assumption about something not available leaves no claim that could be decided.)
        if seconds and not api.check(program):
            verify(program.model, program.limit_side, seconds=seconds)
            derive(program.model, program.limit_side)
        return "fine"
    assert mistake.source is not None
    assert all(d.span is not None and d.message for d in mistake.diagnostics)
    assert "internal" not in str(mistake)
    return mistake.diagnostics[0].code


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_damaged_examples_are_explained(seed: int) -> None:
    chance = random.Random(seed)
    answered(mutate(chance.choice(EXAMPLES), chance, times=chance.choice((1, 1, 2, 3))), seconds=0)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_examples_are_decided(seed: int) -> None:
    chance = random.Random(seed)
    fine = 0
    while fine < 2:
        fine += answered(mutate(chance.choice(EXAMPLES), chance), seconds=0.5) == "fine"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_more_damaged_examples_are_decided(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        answered(mutate(chance.choice(EXAMPLES), chance, times=chance.choice((1, 1, 2))), seconds=0.5)
