"""Files: whole or not at all, and PDF by way of pdflatex."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tpsym.errors import TpError, fail

TIMEOUT = 120
"""Seconds one run of pdflatex may take."""


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file atomically: readers see the old content or the new, never a part."""
    target = Path(path)
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if target.is_dir():
        raise fail("output", f"cannot write {target}: it is a directory", fix="name a file inside it")
    temporary: str | None = None
    try:
        target = target.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(mode)
        os.replace(temporary, target)
    except (OSError, ValueError) as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise _unwritable(path, error) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _unwritable(path: str | os.PathLike[str], error: Exception) -> TpError:
    reason = getattr(error, "strerror", None) or str(error)
    missing = isinstance(error, FileNotFoundError)
    return fail(
        "output",
        f"cannot write {os.fspath(path)!r}: {reason}",
        fix="create the directory first" if missing else None,
    )


def pdf(latex: str, path: str | os.PathLike[str]) -> None:
    """Typeset a LaTeX document into a PDF file, in a temporary directory and without shell escapes."""
    program = shutil.which("pdflatex")
    if program is None:
        raise fail(
            "pdf",
            "pdflatex is not installed",
            fix="install texlive-latex-base and texlive-latex-recommended, or write LaTeX instead",
        )
    with tempfile.TemporaryDirectory(prefix="tpsym-") as folder:
        Path(folder, "report.tex").write_text(latex, encoding="utf-8", errors="replace")
        # Citations and the table need a second pass.
        for _ in range(2):
            _run(program, folder)
        write(path, Path(folder, "report.pdf").read_bytes())


def _run(program: str, folder: str) -> None:
    command = [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    environment = os.environ | {"openout_any": "p", "openin_any": "p", "TEXMFOUTPUT": folder}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise fail("pdf", f"pdflatex did not finish within {TIMEOUT} seconds") from None
    except OSError as error:
        raise fail("pdf", f"pdflatex cannot be run: {error.strerror}") from None
    if done.returncode != 0 or not Path(folder, "report.pdf").exists():
        raise fail("pdf", f"pdflatex failed: {_complaint(done.stdout.decode('utf-8', 'replace'))}")


def _complaint(log: str) -> str:
    """The first error of a log with the line it is about."""
    match = re.search(r"^! (.+(?:\n.*){0,3}?\nl\.\d+.*)", log, re.MULTILINE) or re.search(r"^! (.+)", log, re.MULTILINE)
    return re.sub(r"\s+", " ", match[1]) if match else "no reason given in its log"
