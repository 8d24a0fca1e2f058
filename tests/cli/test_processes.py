"""The program as a process of its own: pipes that break, interruptions, colors."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tpsym import api
from tpsym.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAM = [sys.executable, "-m", "tpsym.cli.main"]
CORRELATION = str(EXAMPLES / "01_correlation.tp")


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_process(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "verify", CORRELATION], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 claims" in done.stdout
    assert "\x1b" not in done.stdout
    wrong = tmp_path / "wrong.tp"
    wrong.write_text("width n\ng = u\n", encoding="utf-8")
    done = subprocess.run([*PROGRAM, "verify", str(wrong)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{wrong}:2:5: error: unknown name 'u'" in done.stderr


@pytest.mark.parametrize("arguments", [["graph", CORRELATION], ["derive", CORRELATION, "--format", "html"]])
def test_broken_pipe(arguments: list[str]) -> None:
    with start(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "load", interrupt)
    result = CliRunner().invoke(main, ["derive", CORRELATION])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


def test_interrupted_from_the_keyboard() -> None:
    with start("simulate", CORRELATION, "--widths", "1024", "--seeds", "100000") as process:
        time.sleep(5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"INTERRUPTED" in shown or b"interrupted" in errors, "what was measured until then is shown"
    assert b"Traceback" not in errors


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the program prints on a terminal of 80 columns."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    process.wait(60)
    return shown.decode("utf-8")


def test_colors_on_a_terminal_unless_nobody_wants_them() -> None:
    assert "\x1b[" in on_a_terminal("verify", CORRELATION)
    assert "\x1b[" not in on_a_terminal("verify", CORRELATION, NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal("verify", CORRELATION, TERM="dumb")


def test_an_unforeseen_exception_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("never")

    monkeypatch.setattr(api, "load", fail)
    monkeypatch.delenv("TPSYM_DEBUG", raising=False)
    result = CliRunner().invoke(main, ["check", CORRELATION])
    assert result.exit_code == 70
    assert result.stderr == "internal error: ZeroDivisionError: never\nSet TPSYM_DEBUG=1 for details.\n"
    monkeypatch.setenv("TPSYM_DEBUG", "1")
    assert isinstance(CliRunner().invoke(main, ["check", CORRELATION]).exception, ZeroDivisionError)
