"""What is installed is the whole program: from a wheel made of the source archive, and editable."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "examples" / "01_correlation.tp"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "shared")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    found = [".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "tpsym").rglob("__init__.py")]
    assert sorted(listed) == sorted([*found, "tpsym.grammar"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project: a build writes into the tree it builds."""
    copy = tmp_path_factory.mktemp("source") / "tpsym"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    return copy


@pytest.fixture(scope="module")
def archives(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source archive, and the wheel made of it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def environment(folder: Path, *install: str | Path) -> Path:
    """A virtual environment with the dependencies of this one, and the package from ``install``.

    A ``.pth`` file makes the dependencies visible without installing them again. The ``.pth`` files
    of an editable install over there are not read, so the package cannot come from there.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed", "--no-build-isolation")
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, *install, cwd=folder)
    return folder


def check_installed(folder: Path, elsewhere: Path, home: Path) -> None:
    """The command and the module work from a folder that has nothing to do with the project."""
    elsewhere.mkdir()
    shutil.copy(EXAMPLE, elsewhere / "program.tp")
    where = run(folder / "bin" / "python", "-c", "import tpsym; print(tpsym.__file__)", cwd=elsewhere)
    assert Path(where.strip()).is_relative_to(home)
    tpsym = folder / "bin" / "tpsym"
    assert "0.1.0" in run(tpsym, "--version", cwd=elsewhere)
    assert "Zdot" in run(tpsym, "verify", "program.tp", cwd=elsewhere)
    assert "tanh" in run(tpsym, "derive", "program.tp", cwd=elsewhere)
    assert "tanh" in run(tpsym, "derive", "program.tp", "--format", "latex", cwd=elsewhere)
    assert "</html>" in run(tpsym, "derive", "program.tp", "--format", "html", cwd=elsewhere)


@pytest.mark.slow
def test_archives_are_complete(archives: tuple[Path, Path]) -> None:
    archive, wheel = archives
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    inside_package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tpsym").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside_package <= names
    assert {"tpsym/grammar/tp.lark", "tpsym/grammar/__init__.py"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tpsym"}
    with tarfile.open(archive) as packed_source:
        unpacked = {name.partition("/")[2] for name in packed_source.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "grammar/tp.lark"}
    assert wanted | {f"tests/examples/{EXAMPLE.name}", "tests/conftest.py", *inside_package} <= unpacked


@pytest.mark.slow
def test_the_wheel_works(archives: tuple[Path, Path], tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", archives[1])
    check_installed(folder, tmp_path / "elsewhere", folder)


@pytest.mark.slow
def test_an_editable_install_works(source: Path, tmp_path: Path) -> None:
    folder = environment(tmp_path / "venv", "-e", source)
    check_installed(folder, tmp_path / "elsewhere", source)
