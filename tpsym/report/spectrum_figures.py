"""Figures of spectra: eigenvalues of a sampled matrix, the density of the limit, atoms and edges."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

from sympy import Expr, Rational, Symbol

from tpsym.report.canvas import BOX, figure_class
from tpsym.report.latex import latex
from tpsym.results.spectrum_plots import SpectrumPlot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR, BORDER, LIMIT, ATOM, EDGE = "#cfe1ee", "#2f6f9f", "black", "#b5482f", "#777777"
SIZE = (6.6, 4.4)
LONGEST_LABEL = 16
"""Letters of an exact place that is written at an edge; longer ones are decimals."""
LONGEST_TITLE = 64
WRAP = 76
CROWDED = 0.11
"""Part of the figure that labels of edges need."""


def spectrum_figure(drawn: SpectrumPlot, *, title: str | None = None) -> Figure:
    """The histogram light, the limit black, atoms as stems on a scale of mass, edges dotted with their places on top.

    Dots are the masses of atoms in the limit, rings those of the sampled matrix.

    Raises:
        TpError: matplotlib is not installed.
    """
    figure = figure_class()(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    if drawn.heights.size:
        axes.stairs(drawn.heights, drawn.bins, fill=True, facecolor=BAR, edgecolor=BORDER, linewidth=0.6,
                    label=f"eigenvalues, $n = {drawn.n}$")
    for k, (x, y) in enumerate(drawn.curves):
        axes.plot(x, y, color=LIMIT, linewidth=1.9, zorder=4, label="limit" if k == 0 else None)
    _limits(axes, drawn)
    raised = _edges(axes, drawn)
    side = _atoms(axes, drawn)
    axes.set_xlabel("eigenvalue", fontsize=11)
    axes.set_ylabel("density", fontsize=11)
    axes.spines["top"].set_visible(False)
    if side is None:
        axes.spines["right"].set_visible(False)
    axes.yaxis.set_visible(bool(drawn.curves or drawn.heights.size))
    _legend(figure, axes, side)
    _title(axes, drawn, title, pad=34 if raised else 22 if drawn.ends else 8)
    return figure


def spectrum_image(drawn: SpectrumPlot, *, title: str | None = None, form: str = "png", dpi: int = 160) -> bytes:
    """The figure as a file: ``png``, ``svg`` or ``pdf``."""
    stream = io.BytesIO()
    spectrum_figure(drawn, title=title).savefig(stream, format=form, dpi=dpi)
    return stream.getvalue()


def _limits(axes: Any, drawn: SpectrumPlot) -> None:
    places = [*(e.position for e in drawn.ends), *(a.position for a in drawn.atoms), *(x for x, _ in drawn.sampled)]
    places += [float(drawn.bins[0]), float(drawn.bins[-1])] if drawn.bins.size else []
    low, high = min(places), max(places)
    margin = 0.05 * (high - low) or 0.5
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(0, drawn.top)


def _edges(axes: Any, drawn: SpectrumPlot) -> bool:
    """Dotted lines, and on top the places; where they are close every second one stands higher. Whether one does."""
    left, right = axes.get_xlim()
    last, raised, ever = -float("inf"), False, False
    for end in drawn.ends:
        axes.axvline(end.position, color=EDGE, linewidth=0.9, linestyle=":", zorder=1)
        raised = not raised and end.position - last < CROWDED * (right - left)
        last, ever = end.position, ever or raised
        axes.annotate(exact_label(end.expr, end.position), (end.position, 1), xycoords=("data", "axes fraction"),
                      xytext=(0, 15 if raised else 3), textcoords="offset points", ha="center", va="bottom",
                      fontsize=10, color="#444444")
    return ever


def exact_label(expr: Expr | None, number: float) -> str:
    """An exact number if it is known and short, else a decimal."""
    if expr is None:
        return f"${number:.4g}$"
    if isinstance(expr, Rational) and len(str(expr)) <= LONGEST_LABEL // 2:
        return f"${expr}$"
    written = latex(expr)
    letters = written.replace(r"\sqrt", "r").replace("{", "").replace("}", "").replace(" ", "")
    short = len(letters) <= LONGEST_LABEL and r"\frac" not in written and not expr.free_symbols
    return f"${written}$" if short and "CRootOf" not in str(expr) else f"${number:.4g}$"


def _atoms(axes: Any, drawn: SpectrumPlot) -> Any:
    """Stems on an axis of their own, from 0 to 1; ``None`` where there are no atoms."""
    if not drawn.atoms and not drawn.sampled:
        return None
    side = axes.twinx()
    side.set_ylim(0, 1)
    side.set_ylabel("mass of atoms", fontsize=11, color=ATOM)
    side.tick_params(axis="y", colors=ATOM)
    side.spines["top"].set_visible(False)
    side.spines["right"].set_color(ATOM)
    for k, atom in enumerate(drawn.atoms):
        side.plot([atom.position] * 2, [0, atom.mass], color=ATOM, linewidth=2.2, zorder=5, solid_capstyle="butt")
        side.plot(atom.position, atom.mass, "o", color=ATOM, markersize=6, zorder=6, clip_on=False,
                  label="atom, limit" if k == 0 else None)
        side.annotate(exact_label(atom.weight, atom.mass), (atom.position, atom.mass), textcoords="offset points",
                      xytext=_beside(axes, atom.position), ha=_alignment(axes, atom.position), va="center",
                      fontsize=11, color=ATOM, bbox=BOX | {"boxstyle": "round,pad=0.1"}, zorder=7)
    for k, (place, part) in enumerate(drawn.sampled):
        if not drawn.atoms:
            side.plot([place] * 2, [0, part], color=BORDER, linewidth=2.2, zorder=5, solid_capstyle="butt")
        side.plot(place, part, "o", color=BORDER, markerfacecolor="none", markersize=10, zorder=6, clip_on=False,
                  label=f"atom, $n = {drawn.n}$" if k == 0 else None)
    return side


def _beside(axes: Any, place: float) -> tuple[int, int]:
    return (10, 0) if _alignment(axes, place) == "left" else (-10, 0)


def _alignment(axes: Any, place: float) -> str:
    left, right = axes.get_xlim()
    return "left" if place < (left + right) / 2 else "right"


def _legend(figure: Any, axes: Any, side: Any) -> None:
    """What things are, in one row below."""
    handles, names = axes.get_legend_handles_labels()
    if side is not None:
        more = side.get_legend_handles_labels()
        handles, names = handles + more[0], names + more[1]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=9.5)


def _title(axes: Any, drawn: SpectrumPlot, title: str | None, *, pad: float) -> None:
    """The matrix as it is written, below it the values of parameters and what has to be said."""
    if title is None:
        text = drawn.text if len(drawn.text) <= LONGEST_TITLE else drawn.text[:LONGEST_TITLE] + "…"
        title = f"spectrum of {text}".replace("$", r"\$")
    said = [f"${latex(Symbol(name))} = {exact_label(value, float(value))[1:]}" for name, value in drawn.values.items()]
    lines = [title, ", ".join(said), *_remarks(drawn)]
    axes.set_title("\n".join(line for line in lines if line), fontsize=11, pad=pad)


def _remarks(drawn: SpectrumPlot) -> list[str]:
    if drawn.reason is not None:
        return textwrap.wrap(f"no curve: {drawn.reason}".replace("$", r"\$"), WRAP)
    return [] if drawn.proved else ["the equation of the limit is a guess from moments"]


__all__ = ["exact_label", "spectrum_figure", "spectrum_image"]
