"""Every notebook runs from top to bottom, and what is stored in it is what it shows.

``python tests/notebooks/test_notebooks.py`` runs them all and stores their outputs.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

KEY_RESULTS = {
    "01_the_master_theorem": [
        r"\dot{Z}^{b}",
        "NETSOR⊤ Master Theorem",
        "0.394294490397841",  # E tanh², also the variance of the hat
        "0.605705509602159",  # 1 − E tanh²
        "(limit 0.761)",
        "limit 2    if the transpose were independent 0",
        "limit 8    if the transpose were independent 4",
        "limit 4    if the transpose were independent 4",
        r"\operatorname{NNGP}_{f}(x, y)",
        "1.22687280720949445271980350702",
        "4 claims: 1 proved, 1 checked, 2 refuted",
        "refuted at dot(x, x) = ",
        "limit 0.7611736548: agrees",
    ],
    "02_kernels": [
        r"\operatorname{NNGP}_{f}(x, y)",
        r"\Theta_{h_{1}}(x, y) &= K_{h_{1}}(x, y)",
        "0.713497291240059932226161820633",
        "for every layer, by the recursion over layers",
        "7 claims: 5 proved, 2 refuted",
        "ntk.value: 4.00000000000000",
        "ntk(f)(x, x): limit 3.000000, the means agree with it",
        "ntk(f)(x, y): limit 1.351480, the means agree with it",
        "critical  χ = 1 ",
        "ξ_c = 6.06747412",
        "10000:  1.1148 1.0569 1.0098 1.0014",  # (1 − ρ) l/(5/2) for erf
        "10000:  0.3269 0.8202 0.9730 0.9966",  # (1 − ρ) l²/(9π²/2) for relu
        "0.2504 0.2505 0.2507   (law: 1/4)",
    ],
    "03_many_limits": [
        "| stable | $a_1 + b_1 = 0$ and |",
        "| kernel; NTK |",
        "| feature learning; mean field, maximal update |",
        "6 claims: 6 proved",
        "t = 3/4   derived -1/4  measured -0.2",
        "w[1]: contributes False",  # standard parametrisation at rate 1/n
        "w[2]: contributes True",
        "w[1] alone: derived -1  measured -1.",
        "The program's own exponents: s = 1.",
        "4 claims: 3 proved, 1 refuted",  # logits over the root of n
        "| $Q$ | hidden layer | $1$ | $\\frac{1}{\\sqrt{n}}$ | $\\frac{1}{n}$ |",
        "4 claims: 4 proved",
        "γ = 1/2  derived 0     measured -0.0",  # depth
    ],
    "04_training": [
        r"\eta t Z^{v} + Z^{h(x)}",
        "5 claims: 4 proved, 1 refuted",
        r"\arcsin\!\left(\frac{40}{\sqrt{1789}}\right)",
        "0.373796911574681",
        r"= 3 \eta t \, \|x\|^2",
        "by hand                     0.58223",
        "without correlation part    0.43816",
        "sampled                     0.582",
        r"K(x, x) &= \frac{3 \eta \, \|x\|^2}{4 d}",
        r"K(x, x) &= \frac{\eta \, \|x\|^2}{2 d}",  # the first layer is missing
        r"\mathbb{E}\,f_k(x) = t (1 - (1 - K(x, x))^k)",
        "mup       best factors at widths (64, 256, 512): [4.0, 4.0, 4.0]",
    ],
    "05_moments_and_spectra": [
        r"| \{3, 3\} | $10$ | $\frac{640}{n}$ |",
        "8 claims: 8 proved",
        "E s^7 = 3360/sqrt(n) + 29568/n**(3/2) + 46080/n**(5/2)",
        "order 2: the error falls like n^(-1.5",
        "| torus, Klein bottle | $0$ | $1$ | $10$ | $42$ |",
        "(1/n) E tr A^8 = 14 + 93/n + 374/n**2 + 690/n**3 + 509/n**4",
        "10 claims: 10 proved",
        "by the Master Theorem on $z_{t+1} =$ A $z_t$",
        "atom at 0: 2/3   support: Interval(4 - 2*sqrt(3), 2*sqrt(3) + 4)",
        "Eq(G**4*z**2 + G**2*z - G*z + 1, 0)   proved: True",
        "the equation vanishes on the product of the S-transforms",
        "edges: ['-7.018024', '7.018024']",
        "variance 6.0",
        "tanh 1.58347994136746",
    ],
}
"""Text that must be among the outputs of a notebook."""

MAX_BYTES = 400_000


@contextmanager
def jupyter() -> Iterator[str]:
    """A folder with the kernel ``python3`` of this very interpreter; nobody's settings apply."""
    with tempfile.TemporaryDirectory(prefix="nb") as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}), encoding="utf-8")
        names = ("JUPYTER_PATH", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
        here = dict.fromkeys(names, folder) | {"JUPYTER_PLATFORM_DIRS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        with mock.patch.dict(os.environ, here):
            os.environ.pop("MPLBACKEND", None)  # figures belong into the notebook
            yield folder


def execute(path: Path) -> Any:
    """The notebook after a run in an empty folder."""
    notebook = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        # what the machinery says of itself; warnings of the cells are outputs, and looked at
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(jupyter|nbclient|zmq|tornado|asyncio)")
        warnings.filterwarnings("ignore", category=ResourceWarning, module=r"(jupyter|nbclient|zmq|tornado|asyncio)")
        from nbclient import NotebookClient

        with jupyter() as folder:
            client = NotebookClient(
                notebook, timeout=120, startup_timeout=120, kernel_name="python3",
                resources={"metadata": {"path": folder}},
            )
            client.execute()
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shown(notebook: Any) -> str:
    """The text among the outputs."""
    parts: list[str] = []
    for output in outputs(notebook):
        parts += [output.text] if output.output_type == "stream" else []
        parts += [str(v) for kind, v in output.get("data", {}).items() if not kind.startswith("image/")]
    return "\n".join(parts)


def figures(notebook: Any) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == KEY_RESULTS.keys()


def test_runs_and_shows_its_results(path: Path) -> None:
    notebook = execute(path)
    assert [o for o in outputs(notebook) if o.output_type == "error" or o.get("name") == "stderr"] == []
    missing = [text for text in KEY_RESULTS[path.stem] if text not in shown(notebook)]
    assert missing == [], shown(notebook)
    assert figures(notebook) == figures(nbformat.read(path, as_version=4))


def test_stored_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    missing = [text for text in KEY_RESULTS[path.stem] if text not in shown(notebook)]
    assert missing == [], f"run {Path(__file__).name} as a script"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_is_small_and_of_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < MAX_BYTES
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.metadata for cell in notebook.cells)
    prose = "\n".join([*(cell.source for cell in notebook.cells), shown(notebook)])
    assert re.findall(r"(?<![\w:/.])(?:/(?:home|root|tmp|usr|opt|work|Users)/|[A-Z]:\\)\S*", prose) == []


def store(path: Path) -> None:
    """Run a notebook and store its outputs, nothing else."""
    notebook = execute(path)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number:02}", {}
        for output in cell.get("outputs", []):
            if "data" in output:
                output.metadata = {}
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    for each in NOTEBOOKS:
        store(each)
