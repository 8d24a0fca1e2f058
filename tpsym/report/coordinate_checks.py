"""A coordinate check as text, JSON and figure."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sympy import Rational, Symbol

from tpsym.report.canvas import figure_class
from tpsym.report.latex_names import latex_name
from tpsym.report.tables import text_lines
from tpsym.report.text import wrap
from tpsym.results.answers import Cell, Table
from tpsym.results.coordinate_check import TOLERANCE, CoordinateCheck, Line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = {"agrees": "✓ agrees", "larger": "✗ slope is larger", "smaller": "✗ slope is smaller",
         "too noisy": "? too noisy", "no slope": "? no slope", "not derived": "– not derived"}
PROBLEMS = {"zero": "it is zero", "rounding": "a rounding error", "overflow": "it overflows", "": ""}
SIZE = (8.4, 3.8)
COLOURS = ("#2f6f9f", "#b5482f", "#5b8c3a", "#8a5a9e", "#c28e0e", "#4aa5a0", "#7a7a7a")


def check_text(found: CoordinateCheck, *, columns: int = 80) -> str:
    """Two tables, of sizes at initialisation and of changes, with what the numbers are."""
    steps = f"{found.steps} step" + ("s" if found.steps > 1 else "")
    lines = []
    for kind, title in (("size", "Sizes at initialisation"), ("change", f"Changes after {steps}")):
        rows = tuple(_row(line) for line in found.lines if line.kind == kind)
        lines += [*text_lines(Table(title, ("", "exponent", "slope", "", ""), rows), width=columns, indent=""), ""]
    widths = ", ".join(map(str, found.table.widths))
    how = f"Slopes of log rms over the widths {widths}, {len(found.table.seeds)} seeds each, ± one standard error. " \
          f"They agree with an exponent within {TOLERANCE} and three standard errors."
    lines += wrap(how, width=columns, indent="")
    if found.unstable:
        lines += ["", *wrap(f"The parametrisation is not stable: {found.unstable}.", width=columns, indent="")]
    return "\n".join(lines) + "\n"


def _row(line: Line) -> tuple[Cell, ...]:
    slope = line.slope
    measured = PROBLEMS[slope.problem] if slope.exponent is None else f"{slope.exponent:+.3f}".replace("-", "−")
    error = "" if slope.exponent is None else f"± {slope.standard_error:.3f}"
    return _name(line.label), _exponent(line), measured, error, MARKS[line.agreement]


def _name(label: str) -> Cell:
    return label if label == "output" else Symbol(label)


def _exponent(line: Line) -> Cell:
    if line.vanishes:
        return "zero"
    return "" if line.derived is None else Rational(line.derived.numerator, line.derived.denominator)


def check_json(found: CoordinateCheck) -> str:
    """``widths``, ``seeds``, ``steps``, ``unstable`` (a sentence or null), ``agrees``, and ``quantities``: ``name``,
    ``kind``, ``exponent`` (exact, as text, or null), ``vanishes``
    (derived to be zero), ``slope``, ``standard_error``, ``bend`` (or null), ``sizes`` by
    width, ``verdict``."""
    quantities = [
        {
            "name": line.label,
            "kind": line.kind,
            "exponent": None if line.derived is None else str(line.derived),
            "vanishes": line.vanishes,
            "slope": line.slope.exponent,
            "standard_error": _finite(line.slope.standard_error),
            "bend": _finite(line.slope.bend),
            "sizes": [_finite(size) for size in line.slope.sizes],
            "verdict": line.agreement,
        }
        for line in found.lines
    ]
    return json.dumps({
        "widths": list(found.table.widths), "seeds": len(found.table.seeds), "steps": found.steps,
        "unstable": found.unstable or None, "agrees": found.agrees, "quantities": quantities,
    }, indent=2, allow_nan=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# --- figure ------------------------------------------------------------------------------------------


def check_figure(found: CoordinateCheck) -> Figure:
    """Root mean squares over the width, dots joined, with dashed lines of the derived slopes."""
    figure = figure_class()(figsize=SIZE, layout="constrained")
    panels = figure.subplots(1, 2)
    steps = f"{found.steps} step" + ("s" if found.steps > 1 else "")
    titles = ("size", "at initialisation"), ("change", f"change after {steps}")
    for axes, (kind, title) in zip(panels, titles, strict=True):
        for k, line in enumerate(line for line in found.lines if line.kind == kind):
            _curve(axes, found.table.widths, line, COLOURS[k % len(COLOURS)])
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xticks(found.table.widths, [str(n) for n in found.table.widths])
        axes.minorticks_off()
        axes.set_xlabel("width $n$")
        axes.set_title(title, fontsize=11)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_ylabel("root mean square")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=10)
    return figure


def _curve(axes: Any, widths: Sequence[int], line: Line, colour: str) -> None:
    sizes = [size if math.isfinite(size) and size > 0 else math.nan for size in line.slope.sizes]
    name = "output" if line.label == "output" else f"${latex_name(line.label)}$"
    axes.plot(widths, sizes, "o-", color=colour, markersize=4.5, linewidth=1.3, label=name)
    if line.derived is not None and math.isfinite(sizes[-1]):
        # through the largest width, where finite widths matter least
        guide = [sizes[-1] * (n / widths[-1]) ** float(line.derived) for n in widths]
        axes.plot(widths, guide, "--", color=colour, linewidth=1.0, alpha=0.7)


def check_image(found: CoordinateCheck, *, form: str = "png", dpi: int = 160) -> bytes:
    """The figure as a file: ``png``, ``svg`` or ``pdf``."""
    stream = io.BytesIO()
    check_figure(found).savefig(stream, format=form, dpi=dpi)
    return stream.getvalue()


__all__ = ["check_figure", "check_image", "check_json", "check_text"]
