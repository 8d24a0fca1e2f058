"""What the README shows is what happens: its files, commands and outputs, one after the other in one folder.

A fence ``tp NAME`` is a file, ``console`` a session (``$ command``, then exactly what it prints), ``python``
a script, whose output is the fence ``text`` after it. The two ``sh`` fences are the set-up, which
``.ci/run`` runs. After a change of what is printed, ``python tests/test_readme.py`` writes the outputs anew;
read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from click import Group

from tpsym.cli.main import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Fence:
    kind: str
    body: str

    @property
    def lines(self) -> list[str]:
        return self.body.splitlines()


FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", re.MULTILINE | re.DOTALL)

FENCES = [Fence(*found) for found in FENCE.findall(README)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the README."""
    made = tmp_path_factory.mktemp("readme")
    write_files(made)
    return made


def write_files(folder: Path) -> None:
    for fence in FENCES:
        kind, _, name = fence.kind.partition(" ")
        if kind == "tp":
            (folder / name).write_text(fence.body, encoding="utf-8")


def output(command: list[str], folder: Path) -> str:
    """What a command that succeeds prints, both streams, in a terminal of 80 columns."""
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **here}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def shown(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


SESSIONS = [
    (command, expected)
    for fence in FENCES
    if fence.kind == "console"
    for command, expected in COMMAND.findall(fence.body)
]


@pytest.mark.parametrize(("command", "expected"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_session(command: str, expected: str, folder: Path) -> None:
    assert shown(output(["bash", "-c", command], folder)) == shown(expected)


SCRIPTS = [
    (fence.body, after.body)
    for fence, after in pairwise(FENCES)
    if fence.kind == "python" and after.kind == "text"
]


@pytest.mark.parametrize(("script", "expected"), SCRIPTS, ids=[f"script{i}" for i in range(len(SCRIPTS))])
def test_script(script: str, expected: str, folder: Path) -> None:
    assert shown(output([sys.executable, "-W", "error", "-c", script], folder)) == shown(expected)


def test_every_fence_is_run() -> None:
    kinds = [fence.kind.split(" ")[0] for fence in FENCES]
    assert set(kinds) == {"sh", "tp", "console", "python", "text"}
    assert kinds.count("python") == kinds.count("text") == len(SCRIPTS)
    assert SESSIONS


def test_set_up_commands() -> None:
    """Two lines that need nothing before them, as ``.ci/run`` reads them."""
    commands = [fence.lines for fence in FENCES if fence.kind == "sh"]
    assert [len(lines) for lines in commands] == [1, 1]
    job, tests = commands[0][0], commands[1][0]
    assert job.startswith("python3 -m venv .venv && ")
    assert tests.startswith("python3 -m venv .venv && ")
    assert "tpsym verify" in job
    assert "pytest" in tests
    named = re.findall(r"tests/\S+", job)
    assert named
    assert all((ROOT / path).exists() for path in named)


def test_every_command_is_in_the_table() -> None:
    assert isinstance(main, Group)
    listed = set(re.findall(r"^\| `tpsym ([\w-]+)", README, re.MULTILINE))
    assert listed == set(main.commands)


def rewritten(folder: Path) -> str:
    """The README with the outputs of today."""
    write_files(folder)
    text = README
    for command, expected in SESSIONS:
        now = "\n".join(shown(output(["bash", "-c", command], folder)))
        text = text.replace(f"$ {command}\n{expected}", f"$ {command}\n{now}\n", 1)
    for script, expected in SCRIPTS:
        now = "\n".join(shown(output([sys.executable, "-W", "error", "-c", script], folder)))
        text = text.replace(f"```text\n{expected}", f"```text\n{now}\n", 1)
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made_here:
        (ROOT / "README.md").write_text(rewritten(Path(made_here)), encoding="utf-8")
