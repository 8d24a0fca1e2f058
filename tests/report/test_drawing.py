"""Drawings of programs: well-formed in both layouts, nothing overlapping, fast when large."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

import pytest
from sympy import S, Symbol, sqrt

from tpsym.functions import relu
from tpsym.program.graph import Builder, Program
from tpsym.program.instructions import Dimension, arguments
from tpsym.report import drawing
from tpsym.report.drawing import program_dot, to_svg
from tpsym.report.layers import arrange

N = Dimension("n", S.One)
X, Y = Symbol("X", real=True), Symbol("Y", real=True)
SVG = "{http://www.w3.org/2000/svg}"


def network(depth: int) -> Program:
    """A ReLU network at two inputs with a normalised output sent back through the first matrix."""
    b = Builder()
    weights = [b.matrix(f"W[{k}]", N, N, Symbol("sigma_w", positive=True) ** 2) for k in range(2, depth + 1)]
    outputs = []
    for point in "xy":
        h = b.vector(f"h[1]({point})", N, family="U", variance=Symbol(f"dot({point}, {point})"))
        for layer, w in enumerate(weights, 2):
            h = b.matmul(w, b.nonlin(relu(X), {X: h}, N))
            b.labels[h] = f"h[{layer}]({point})"
        outputs.append(h)
    k = b.moment(relu(X) * relu(Y), {X: outputs[0], Y: outputs[1]}, N)
    b.labels[k] = "K"
    z = b.matmul(weights[0], b.nonlin(X / sqrt(Y + 1), {X: outputs[0], Y: k}, N), transposed=True)
    b.labels[z] = '<z> & "\\'
    return b.program()


@pytest.mark.parametrize("graphviz", [True, False])
def test_svg_is_well_formed(graphviz: bool) -> None:
    root = ET.fromstring(to_svg(network(3), graphviz=graphviz))
    shown = [t.text for t in root.iter(f"{SVG}text")]
    assert "h₂(x) = W₂ relu(h₁(x))" in shown
    assert {"matrix", "initial vector", "vector", "scalar"} <= set(shown)


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing.shutil, "which", lambda _: None)
    ET.fromstring(to_svg(network(2)))


def test_boxes_do_not_overlap_and_edges_point_down() -> None:
    program = network(6)
    nodes = sorted(program.graph.nodes)
    edges = [(a, n) for n in nodes for a in dict.fromkeys(arguments(program[n]))]
    drawn = arrange(nodes, edges, {n: (90.0 + 10 * (n % 5), 30.0) for n in nodes})
    boxes = list(drawn.boxes.values())
    for k, a in enumerate(boxes):
        assert a.x - a.width / 2 >= 0
        assert a.x + a.width / 2 <= drawn.width
        for b in boxes[:k]:
            apart = abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2
            assert apart
    for (tail, head), path in drawn.paths.items():
        assert drawn.boxes[tail].y < drawn.boxes[head].y
        assert [y for _, y in path] == sorted(y for _, y in path)


def test_two_thousand_nodes_in_seconds() -> None:
    program = network(400)
    assert len(program) >= 2000
    start = time.perf_counter()
    ET.fromstring(to_svg(program))
    assert time.perf_counter() - start < 10


def test_empty_program() -> None:
    ET.fromstring(to_svg(Builder().program()))
    ET.fromstring(to_svg(Builder().program(), graphviz=False))


def test_dot_with_unicode() -> None:
    assert 'label="W₂ ~ N(0, σ_w²/n)"' in program_dot(network(2))
