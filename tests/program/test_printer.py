"""Programs as DOT and JSON, and instructions as equations."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from sympy import S, Symbol, tanh

from tpsym.errors import Span
from tpsym.functions import relu
from tpsym.program.graph import Builder, Program
from tpsym.program.instructions import Dimension, column_slot, vector_slot
from tpsym.program.printer import equation, kind, to_dot, to_json

N = Dimension("n", S.One)
X, T = Symbol("X", real=True), Symbol("T", real=True)


def program() -> Program:
    """One of each instruction."""
    b = Builder()
    w = b.matrix("W", N, N, S(2), span=Span(3, 1, 3, 5))
    u = b.vector("u", N)
    v = b.vector("v", N, family="u", covariance={u: S.Half})
    g = b.matmul(w, u)
    b.labels[g] = "g"
    b.matmul(w, b.nonlin(tanh(X), {X: g}, N), transposed=True)
    m = b.moment(X**2, {X: g}, N)
    b.labels[m] = 'm"\\\x1b'
    b.nonlin(relu(X) * T, {X: v, T: m}, N)
    b.outer(vector_slot(0) * column_slot(0, 0), order=1, vectors=(u,), dimension=N)
    b.random_scalar("c", S.Zero, S.One)
    return b.program()


def test_equations() -> None:
    p = program()
    lines = [equation(p, node) for node in sorted(p.graph.nodes)]
    assert lines[0] == "W ~ N(0, 2/n)"
    assert lines[3] == "g = W u"
    assert "Wᵀ tanh(g)" in lines
    assert [kind(p[n]) for n in sorted(p.graph.nodes)].count("scalar") == 2


def test_json_has_every_field_and_is_stable() -> None:
    value = json.loads(to_json(program()))
    assert value["covariances"] == [
        {"a": 1, "b": 1, "value": "1"},
        {"a": 1, "b": 2, "value": "1/2"},
        {"a": 2, "b": 2, "value": "1"},
    ]
    matrix, *_ = value["instructions"]
    assert matrix == {
        "node": 0,
        "kind": "Matrix",
        "label": "W",
        "line": 3,
        "equation": "W ~ N(0, 2/n)",
        "name": "W",
        "rows": {"name": "n", "ratio": "1"},
        "columns": {"name": "n", "ratio": "1"},
        "variance": "2",
    }
    outer = next(i for i in value["instructions"] if i["kind"] == "OuterNonlin")
    assert outer["payload"] == "c0_0*x0"
    assert to_json(program()) == to_json(program())


def test_restriction_to_ancestors() -> None:
    value = json.loads(to_json(program(), [3]))
    assert [i["node"] for i in value["instructions"]] == [0, 1, 3]
    assert "n5" not in to_dot(program(), [3])


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is optional")
def test_graphviz_reads_the_dot() -> None:
    done = subprocess.run(["dot", "-Tplain"], input=to_dot(program()), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert done.stderr == ""
