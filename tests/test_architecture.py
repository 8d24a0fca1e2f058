"""The house rules: imports go one way, files and functions stay small, nothing is unsafe or forgotten."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import sympy as sp

from tpsym.functions import NONLINEARITIES, delta
from tpsym.gauss import E, expect
from tpsym.gauss.numeric import value
from tpsym.report.bibliography import references
from tpsym.report.latex import latex
from tpsym.simulate.payload import compile_payload

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "tpsym").rglob("*.py"))

MAX_FILE = 350
MAX_FUNCTION = 60
FORBIDDEN_CALLS = {"eval", "exec", "sympify", "parse_expr", "simplify"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


# --- imports ---------------------------------------------------------------------------------------


def test_layers() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(module: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not the bodies of functions."""
    todo: list[ast.stmt] = list(module.body)
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            todo.extend(node.orelse)
            continue
        todo.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


def imported(node: ast.stmt, known: frozenset[str]) -> list[str]:
    """The modules of the package that an import statement names."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [name if name in known else node.module for name in inner]
    return [name for name in names if name in known]


def test_no_module_imports_itself_in_a_circle() -> None:
    known = frozenset(module_name(path) for path in SOURCES)
    graph: nx.DiGraph[str] = nx.DiGraph()
    for path in SOURCES:
        for node in statements(parsed(path)):
            graph.add_edges_from((module_name(path), name) for name in imported(node, known))
    assert list(nx.simple_cycles(graph)) == []


def test_imports_are_absolute() -> None:
    relative = [
        place(path, node)
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


# --- size and safety -------------------------------------------------------------------------------


def test_files_are_small() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE} == {}


def test_functions_are_small() -> None:
    long = {
        f"{place(path, node)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION} == {}


def test_no_text_is_run_and_nothing_is_simplified_blindly() -> None:
    """Text of a file reaches sympy through the syntax tree alone; ``simplify`` decides nothing."""
    found = []
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            shell = any(
                k.arg == "shell" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
                for k in node.keywords
            )
            if name in FORBIDDEN_CALLS or shell:
                found.append(f"{place(path, node)} {name}")
    assert found == []


# --- sources ---------------------------------------------------------------------------------------


def rule_sources() -> dict[str, str]:
    """Where each ``source=`` of a rule stands."""
    return {
        keyword.value.value: place(path, node)
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"rule", "Rule"}
        for keyword in node.keywords
        if keyword.arg == "source" and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


def test_every_source_is_in_the_bibliography() -> None:
    sources = rule_sources()
    assert sources
    assert {key: where for key, where in sources.items() if key not in references()} == {}


# --- nonlinearities --------------------------------------------------------------------------------

z = sp.Symbol("z", real=True)
w = sp.Symbol("w", real=True)
q = sp.Symbol("q", positive=True)
SLOPE = sp.Rational(1, 5)

ARGUMENTS = {"hermite": (3, z), "leaky_relu": (z, SLOPE), "max": (z, w), "min": (z, w)}
APPLIED = {name: build(*ARGUMENTS.get(name, (z,))) for name, (build, _) in NONLINEARITIES.items()}
"""Every nonlinearity of the language at a variable."""

NO_CLOSED_FORM = {"tanh", "sigmoid", "softplus", "silu", "log", "sqrt"}
"""The nonlinearities φ whose E φ(z)φ(w) stays an unevaluated mean. Every other one has a closed form."""


@pytest.mark.parametrize("name", sorted(NONLINEARITIES))
def test_a_nonlinearity_has_a_derivative(name: str) -> None:
    """It differentiates to functions the engine knows, and to the slope of its numbers away from kinks."""
    slope = sp.diff(APPLIED[name], z)
    assert not slope.atoms(sp.Derivative, sp.Subs)
    if not slope.has(delta, sp.DiracDelta):
        slope = slope.replace(sp.Heaviside, lambda u, *_: sp.Heaviside(u, 0))
        at = compile_payload(APPLIED[name], functions={})
        difference = at({"z": 0.37 + 1e-6, "w": 0.81}) - at({"z": 0.37 - 1e-6, "w": 0.81})
        computed = compile_payload(slope, functions={})({"z": 0.37, "w": 0.81})
        assert computed == pytest.approx(difference / 2e-6, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", sorted(NONLINEARITIES))
def test_a_nonlinearity_has_latex(name: str) -> None:
    shown = latex(APPLIED[name])
    assert shown
    assert "_" not in shown, "an underscore in a name is no subscript"


@pytest.mark.parametrize("name", sorted(NONLINEARITIES))
def test_a_nonlinearity_has_a_numpy_form(name: str) -> None:
    points = np.array([0.25, 1.0, 2.5])
    computed = compile_payload(APPLIED[name], functions={})({"z": points, "w": 0.5})
    expected = [sp.N(APPLIED[name].subs({z: p, w: 0.5}).doit()) for p in points]
    assert np.shape(computed) == np.shape(points)
    assert np.all(np.isfinite(computed))
    if all(value.is_Number for value in expected):
        assert computed == pytest.approx(np.array(expected, dtype=float), rel=1e-12)


@pytest.mark.parametrize("name", sorted(NONLINEARITIES))
def test_a_nonlinearity_has_an_enclosure(name: str) -> None:
    point = {z: Fraction(3, 7), w: Fraction(1, 5)}
    number, certain = value(APPLIED[name], point, digits=20)
    computed = compile_payload(APPLIED[name], functions={})({"z": 3 / 7, "w": 1 / 5})
    assert number.rigorous
    assert certain >= 20
    assert float(number.value) == pytest.approx(computed, rel=1e-13)


@pytest.mark.parametrize("name", sorted(NONLINEARITIES))
def test_a_nonlinearity_has_a_closed_form_or_says_not(name: str) -> None:
    at_z = APPLIED[name]
    product = at_z**2 if at_z.has(w) else at_z * at_z.xreplace({z: w})
    mean = expect(product, [z, w], [[q, q / 3], [q / 3, 1]]).value
    assert bool(mean.atoms(E)) == (name in NO_CLOSED_FORM)
