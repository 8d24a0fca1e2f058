"""Figures of results by matplotlib, which is needed for nothing else and imported when a figure is asked for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpsym.report.canvas import BOX, figure_class
from tpsym.report.latex import latex
from tpsym.report.region_figures import region_figure
from tpsym.results.meanfield_phases import PhaseDiagram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDERED, CHAOTIC = "#2f6f9f", "#b5482f"
"""The colours of the two phases."""

HATCH = "#00000050"

SIZE = (6.4, 4.8)


def phase_figure(diagram: PhaseDiagram, *, title: str | None = None) -> Figure:
    """The phases over the plane: χ as colour, the edge of chaos as a line, hatches where the variance diverges.

    Raises:
        TpError: matplotlib is not installed.
    """
    Figure = figure_class()
    import numpy as np

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    chi, variance = np.array(diagram.chi), np.array(diagram.variance)
    _shade(figure, axes, diagram, chi)
    diverging = np.isinf(variance)
    if diverging.any():
        _hatch(axes, diagram, diverging)
    _edge(axes, diagram, chi)
    for name, region in (("ordered", chi < 1), ("chaotic", chi > 1)):
        _label(axes, diagram, name, region)
    axes.set_xlim(diagram.xs[0], diagram.xs[-1])
    axes.set_ylim(diagram.ys[0], diagram.ys[-1])
    axes.set_xlabel(f"${latex(diagram.x)}$", fontsize=13)
    axes.set_ylabel(f"${latex(diagram.y)}$", fontsize=13)
    if title:
        axes.set_title(title)
    return figure


def phase_image(diagram: PhaseDiagram, *, title: str | None = None, form: str = "png", dpi: int = 160) -> bytes:
    """The figure as a file: ``png``, ``svg`` or ``pdf``."""
    stream = io.BytesIO()
    phase_figure(diagram, title=title).savefig(stream, format=form, dpi=dpi)
    return stream.getvalue()


def save_phase_figure(diagram: PhaseDiagram, path: Path, *, title: str | None = None) -> None:
    """The figure in a file, of the kind its ending says."""
    path.write_bytes(phase_image(diagram, title=title, form=path.suffix.lstrip(".") or "png"))


def _shade(figure: Any, axes: Any, diagram: PhaseDiagram, chi: Any) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    finite = chi[np.isfinite(chi)]
    if not finite.size:
        return
    low, high = min(float(finite.min()), 0.98), max(float(finite.max()), 1.02)
    colours = LinearSegmentedColormap.from_list("phases", [ORDERED, "#cfe1ee", "#fbfaf7", "#f3d5c8", CHAOTIC])
    norm = TwoSlopeNorm(1.0, low, high)
    levels = np.concatenate([np.linspace(low, 1, 64), np.linspace(1, high, 64)[1:]])
    drawn = axes.contourf(diagram.xs, diagram.ys, chi, levels=levels, cmap=colours, norm=norm)
    bar = figure.colorbar(drawn, ax=axes, ticks=_ticks(low, high), pad=0.02)
    bar.set_label(r"$\chi$", rotation=0, fontsize=13, labelpad=10)


def _ticks(low: float, high: float) -> list[float]:
    """A few round values on either side of one."""
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(4)
    found = {1.0}
    for a, b in ((low, 1.0), (1.0, high)):
        found |= {float(t) for t in locator.tick_values(a, b) if a <= t <= b and abs(t - 1) > 0.12 * (high - low)}
    return sorted(found)


def _hatch(axes: Any, diagram: PhaseDiagram, diverging: Any) -> None:
    from matplotlib.patches import Patch

    drawn = axes.contourf(diagram.xs, diagram.ys, diverging.astype(float), levels=[0.5, 1.5], colors="none",
                          hatches=["///"])
    drawn.set_edgecolor(HATCH)
    drawn.set_linewidth(0)
    patch = Patch(facecolor="none", edgecolor=HATCH, hatch="///", label=r"$q \to \infty$")
    axes.add_artist(axes.legend(handles=[patch], loc="upper left", framealpha=0.9))


def _edge(axes: Any, diagram: PhaseDiagram, chi: Any) -> None:
    if len(diagram.edge) > 1:
        axes.plot(*zip(*diagram.edge, strict=True), color="black", linewidth=2)
    elif (chi > 1).any() and (chi < 1).any():
        axes.contour(diagram.xs, diagram.ys, chi, levels=[1.0], colors="black", linewidths=1.2, linestyles="--")
    if len(diagram.edge) == 1:
        axes.plot(*diagram.edge[0], "o", color="black", markersize=8, clip_on=False, zorder=5)
        axes.annotate("critical", diagram.edge[0], textcoords="offset points", xytext=(10, 10), fontsize=11,
                      bbox=BOX)


def _label(axes: Any, diagram: PhaseDiagram, name: str, region: Any) -> None:
    """The name of a phase in the middle of its region."""
    import numpy as np

    if region.mean() < 0.02:
        return
    rows, columns = np.nonzero(region)
    row = int(np.median(rows))
    column = int(np.median(columns[rows == row])) if (rows == row).any() else int(np.median(columns))
    axes.text(diagram.xs[column], diagram.ys[row], name, ha="center", va="center", fontsize=13,
              bbox=BOX)


__all__ = ["phase_figure", "phase_image", "region_figure", "save_phase_figure"]
