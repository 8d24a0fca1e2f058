"""A program as SVG: by Graphviz where it is installed, else by the layout of :mod:`layers`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable

from sympy import Expr

from tpsym.program.graph import Program
from tpsym.program.instructions import MatMul, arguments
from tpsym.program.printer import COLOURS, equation, kind, shorten, to_dot
from tpsym.report.escape import columns, html, plain
from tpsym.report.layers import Box, Drawing, arrange
from tpsym.report.names import unicode_name
from tpsym.report.text import text

GRAPHVIZ_NODES = 400
"""Above this many nodes Graphviz takes long; the layered layout does not."""

TIMEOUT = 20
"""Seconds Graphviz may take."""

LEGEND = (("matrix", "matrix"), ("initial", "initial vector"), ("vector", "vector"), ("scalar", "scalar"))
LETTER, LINE = 7.1, 17.0


def to_svg(program: Program, nodes: Iterable[int] | None = None, *, graphviz: bool = True) -> str:
    """A self-contained SVG of the nodes (all, or these and what they are computed from) with a legend."""
    kept = sorted(program.graph.nodes) if nodes is None else program.ancestors(nodes)
    if graphviz and 0 < len(kept) <= GRAPHVIZ_NODES:
        drawn = _graphviz(program_dot(program, kept))
        if drawn is not None:
            return _with_legend(drawn)
    return _svg(program, kept)


def program_dot(program: Program, nodes: Iterable[int] | None = None) -> str:
    """The graph for Graphviz with Unicode mathematics in the labels."""
    return to_dot(program, nodes, show=show, name=name)


def show(expr: Expr) -> str:
    """An expression in a label."""
    return text(expr)


def name(label: str) -> str:
    """A name of the program in a label."""
    return unicode_name(label)


def _graphviz(dot: str) -> str | None:
    """What ``dot -Tsvg`` makes of it, or ``None`` if that is not to be had."""
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=dot.encode("utf-8", "replace"),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    drawn = done.stdout.decode("utf-8", "replace")
    start = drawn.find("<svg")
    return drawn[start:] if done.returncode == 0 and start >= 0 else None


def _with_legend(svg: str) -> str:
    """The legend below what Graphviz drew, which is scaled in points."""
    match = re.search(r'<svg width="(\d+)pt" height="(\d+)pt"\s+viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"', svg)
    if match is None:
        return svg
    width, height = max(float(match[3]), _legend_width()), float(match[4])
    inner = re.sub(r"<svg [^>]*>", "", svg, count=1, flags=re.DOTALL).rsplit("</svg>", 1)[0]
    return _frame(width, height + 40, f"{inner}{_legend(10, height + 10)}")


def _frame(width: float, height: float, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="DejaVu Sans, Segoe UI, sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{inside}</svg>\n'
    )


def _legend(x: float, y: float) -> str:
    out = []
    for what, words in LEGEND:
        out.append(_shape(what, Box(x + 11, y + 9, 22, 16)))
        out.append(f'<text x="{x + 28:.1f}" y="{y + 13:.1f}" font-size="11">{words}</text>\n')
        x += 42 + 6.6 * len(words)
    return "".join(out)


def _legend_width() -> float:
    return 20 + sum(42 + 6.6 * len(words) for _, words in LEGEND)


def _shape(what: str, box: Box) -> str:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    fill = f'fill="{COLOURS[what]}" stroke="#333333"'
    if what == "scalar":
        return (
            f'<ellipse cx="{box.x:.1f}" cy="{box.y:.1f}" rx="{box.width / 2:.1f}" ry="{box.height / 2:.1f}" {fill}/>\n'
        )
    rounding = ' rx="8"' if what != "matrix" else ""
    size = f'width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size}{rounding} {fill}/>\n'


def _svg(program: Program, nodes: list[int]) -> str:
    labels = {n: shorten(plain(equation(program, n, show=show, name=name))) for n in nodes}
    sizes = {
        n: (columns(label) * LETTER + (34 if kind(program[n]) == "scalar" else 18), 30.0) for n, label in labels.items()
    }
    edges = [(a, n) for n in nodes for a in dict.fromkeys(arguments(program[n]))]
    drawing = arrange(nodes, edges, sizes)
    out = [_arrowhead()]
    for edge, path in drawing.paths.items():
        user = program[edge[1]]
        dashed = ' stroke-dasharray="4 3"' if isinstance(user, MatMul) and edge[0] == user.matrix else ""
        out.append(f'<path d="{_curve(path)}" fill="none" stroke="#555555"{dashed} marker-end="url(#tip)"/>\n')
    for node in nodes:
        out.append(_node(kind(program[node]), drawing, node, labels[node]))
    width = max(drawing.width, _legend_width())
    out.append(_legend(10, drawing.height + 8))
    return _frame(width, drawing.height + 36, "".join(out))


def _node(what: str, drawing: Drawing, node: int, label: str) -> str:
    box = drawing.boxes[node]
    caption = (
        f'<text x="{box.x:.1f}" y="{box.y + 4:.1f}" text-anchor="middle" '
        f'textLength="{columns(label) * LETTER:.0f}" lengthAdjust="spacingAndGlyphs">{html(label)}</text>\n'
    )
    return f"<g>{_shape(what, box)}{caption}</g>\n"


def _arrowhead() -> str:
    return (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0.8 L8 4 L0 7.2 z" fill="#555555"/></marker></defs>\n'
    )


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line through the points, vertical at each of them."""
    (x, y), *rest = points
    out = f"M{x:.1f} {y:.1f}"
    for u, v in rest:
        middle = (y + v) / 2
        out += f" C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}"
        x, y = u, v
    return out
