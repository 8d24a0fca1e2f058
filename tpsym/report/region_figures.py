"""Figures of the stable region: a plane section coloured by regime, named parametrisations marked."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sympy import Expr

from tpsym.errors import NOWHERE, Span, fail
from tpsym.polyhedra.folding import written
from tpsym.polyhedra.forms import Form
from tpsym.report.canvas import BOX, figure_class
from tpsym.report.cells import expression, latex_row, pieces
from tpsym.report.latex import latex
from tpsym.results.answers import Notation
from tpsym.results.exponent_sections import Mark, RegionSection, section
from tpsym.scaling.regimes import Scaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"feature learning": "#b5482f", "kernel": "#2f6f9f", "trivial": "#9a9a92"}
FILLS = {"feature learning": "#f0cfc4", "kernel": "#cfe1ee", "trivial": "#ecece8"}
UNSTABLE = "#ffffff"
SIZE = (5.6, 4.4)
ENDINGS = ("png", "svg", "pdf")


def region_figure(
    scaling: Scaling, *, x: Form | None = None, y: Form | None = None, title: str | None = None, span: Span = NOWHERE
) -> Figure:
    """A section of the stable region in the plane of two linear forms, by default a telling one.

    Raises:
        TpError: ``no-figure`` (see :func:`tpsym.results.exponent_sections.section`), or matplotlib is not installed.
    """
    return section_figure(section(scaling, x=x, y=y, span=span), title=title)


def section_figure(drawn: RegionSection, *, title: str | None = None) -> Figure:
    """The region filled, its border thick and coloured by the regime on it, parametrisations as dots with names.

    Without a title the equations of the plane stand above it.
    """
    from matplotlib.patches import Polygon

    figure = figure_class()(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    left, right, low, high = map(float, drawn.box)
    corners = [(float(a), float(b)) for a, b in drawn.corners]
    if len(corners) > 2:
        axes.add_patch(Polygon(corners, closed=True, facecolor=FILLS[drawn.inside], edgecolor="none"))
    for edge in drawn.edges:
        ends = [[float(p[k]) for p in (edge.start, edge.end)] for k in (0, 1)]
        axes.plot(*ends, color=COLOURS[edge.regime], linewidth=3.2, solid_capstyle="round", zorder=3)
    for mark in drawn.marks:
        _dot(axes, drawn, mark)
    _words(axes, drawn, corners)
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.set_xlabel(_label(drawn.x), fontsize=13)
    axes.set_ylabel(_label(drawn.y), fontsize=13)
    axes.xaxis.set_major_locator(_halves(right - left))
    axes.yaxis.set_major_locator(_halves(high - low))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _legend(axes, drawn)
    text = title if title is not None else ", ".join(f"${latex_row(_equation(f), Notation({}))}$" for f in drawn.held)
    if text:
        axes.set_title(text, fontsize=11, pad=26)
    return figure


def region_image(drawn: RegionSection, *, title: str | None = None, form: str = "png", dpi: int = 160) -> bytes:
    """The figure as a file: ``png``, ``svg`` or ``pdf``."""
    stream = io.BytesIO()
    section_figure(drawn, title=title).savefig(stream, format=form, dpi=dpi)
    return stream.getvalue()


def image_form(path: Path) -> str:
    """The kind of image that the ending of a path stands for.

    Raises:
        TpError: it stands for none.
    """
    form = path.suffix.lower().lstrip(".")
    if form not in ENDINGS:
        raise fail("bad-ending", f"cannot write a figure to {path}", expected="a path ending in .svg, .png or .pdf")
    return form


def _equation(form: Form) -> tuple[Expr | str, ...]:
    (row,) = pieces(written("==", form))
    assert not isinstance(row, str)
    return row


def _label(form: Form) -> str:
    return f"${latex(expression(form))}$"


def _halves(length: float) -> Any:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(0.5 if length <= 4 else 1 if length <= 8 else 5)


def _dot(axes: Any, drawn: RegionSection, mark: Mark) -> None:
    """A dot with its name on the side where there is more room."""
    place = tuple(map(float, mark.place))
    axes.plot(*place, "o", color=COLOURS[mark.regime], markersize=9, markeredgecolor="black", zorder=5, clip_on=False)
    below = mark.place[1] < (drawn.box[2] + drawn.box[3]) / 2
    axes.annotate(mark.title, place, textcoords="offset points", xytext=(0, -11 if below else 11), fontsize=11,
                  ha="center", va="top" if below else "bottom", zorder=6, bbox=BOX | {"boxstyle": "round,pad=0.1"})


def _words(axes: Any, drawn: RegionSection, corners: list[tuple[float, float]]) -> None:
    """The regime inside, and what is outside."""
    if len(corners) > 2:
        middle = [sum(p[k] for p in corners) / len(corners) for k in (0, 1)]
        axes.text(*middle, drawn.inside, ha="center", va="center", fontsize=13, color=COLOURS[drawn.inside])
    left, right, low, high = drawn.box
    margin = (right - left) / 40
    for a, b, ha, va in ((left, low, "left", "bottom"), (right, low, "right", "bottom"), (left, high, "left", "top"),
                         (right, high, "right", "top")):
        if not _inside(drawn, (a, b)):
            x, y = a + margin * (1 if ha == "left" else -1), b + margin * (1 if va == "bottom" else -1)
            axes.text(float(x), float(y), "unstable", ha=ha, va=va, fontsize=12, color="#555555", style="italic")
            return


def _inside(drawn: RegionSection, place: tuple[Fraction, Fraction]) -> bool:
    """Whether a place is in the polygon, which is convex and runs one way round."""
    corners = drawn.corners
    turns = [
        (q[0] - p[0]) * (place[1] - p[1]) - (q[1] - p[1]) * (place[0] - p[0])
        for p, q in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    return len(corners) > 2 and (all(t >= 0 for t in turns) or all(t <= 0 for t in turns))


def _legend(axes: Any, drawn: RegionSection) -> None:
    """The colours of the borders."""
    from matplotlib.lines import Line2D

    seen = {edge.regime for edge in drawn.edges}
    lines = [Line2D([], [], color=COLOURS[name], linewidth=3.2, label=name) for name in COLOURS if name in seen]
    if lines:
        axes.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines), frameon=False,
                    fontsize=11)


__all__ = ["image_form", "region_figure", "region_image", "section_figure"]
