"""Figures of training: quantities over steps, and the loss against the learning rate."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tpsym.report.canvas import figure_class
from tpsym.report.latex_names import latex_name
from tpsym.results.training_curves import TrainingCurves
from tpsym.results.training_limits import Key, Limit, Series
from tpsym.results.training_transfer import TransferCurves
from tpsym.simulate.curves import Transfer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL = (3.3, 2.7)
KERNEL = "#b5482f"
MARKERS = "os^DvP*X"
DECADES = {"loss": 1.3, "feature": 3.0, "output": math.inf}
"""Powers of ten that a positive quantity spans from which on its scale is logarithmic."""
WILD = 1e6
"""The value from which on an output has a scale that is logarithmic on both sides."""
PARAMETRIZATIONS = {"mup": "maximal update", "standard": "standard", "ntk": "NTK", "mean_field": "mean field"}
MOST_FEATURES = 4
BEYOND = 10.0
"""Times the largest loss at the smallest rate from which on a loss is as good as diverged."""


# --- quantities over steps -------------------------------------------------------------------------------


def curves_figure(found: TrainingCurves) -> Figure:
    """Loss, an output in training, one at another input, and features over steps.

    The limit is black, what a kernel that stays as it is would do dashed, widths go from light to dark; bands are
    standard errors, and the limit's in the kernel regime the standard deviation over initialisations.
    """
    keys = shown(found)
    columns = min(3, len(keys)) if len(keys) != 4 else 2
    rows = math.ceil(len(keys) / columns)
    figure = figure_class()(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.5), layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for axes, key in zip(panels, keys, strict=False):
        _panel(axes, found, key)
    for axes in panels[len(keys):]:
        axes.set_visible(False)
    for axes in panels[max(0, len(keys) - columns):len(keys)]:
        axes.set_xlabel("step")
    _legend(figure, panels, columns)
    return figure


def _legend(figure: Any, panels: Sequence[Any], columns: int) -> None:
    """What lines are, limits first, above the panels in as many rows as it takes."""
    handles: dict[str, Any] = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    names = sorted(handles, key=lambda name: (name.startswith("$"), "kernel" in name))
    if names:
        rows = math.ceil(len(names) / (2.6 * columns))
        figure.legend([handles[name] for name in names], names, loc="outside upper center", frameon=False,
                      ncols=math.ceil(len(names) / rows), fontsize=9.5, columnspacing=1.2)


def shown(found: TrainingCurves) -> tuple[Key, ...]:
    """The quantities that have panels: the loss, the first and the last output, features."""
    outputs = [key for key in found.quantities if key[0] == "output"]
    features = [key for key in found.quantities if key[0] == "feature"]
    chosen = dict.fromkeys([outputs[0], outputs[-1], *features[:MOST_FEATURES]] if outputs else features)
    return ("loss", ""), *chosen


def _panel(axes: Any, found: TrainingCurves, key: Key) -> None:
    steps = np.arange(found.steps + 1)
    values = []
    for k, n in enumerate(found.widths):
        series, colour = found.widths[n][key], ramp(k, len(found.widths))
        marks = {"marker": MARKERS[k % len(MARKERS)], "markersize": 3.5, "markevery": _every(found.steps, k)}
        _line(axes, steps, series, colour, f"$n = {n}$", series.error, linewidth=1.1, zorder=2, **marks)
        values.append(series.mean)
    if found.kernel is not None and key in found.kernel.series:
        series = found.kernel.series[key]
        axes.plot(steps[:len(series.mean)], series.mean, "--", color=KERNEL, linewidth=1.6, zorder=4,
                  label="initial tangent kernel")
        values.append(series.mean)
    if found.limit is not None and key in found.limit.series:
        series = found.limit.series[key]
        band = series.error if series.deviation is None else series.deviation
        _line(axes, steps, series, "black", limit_name(found.limit), band, linewidth=1.9, zorder=5)
        values.append(series.mean)
    axes.set_ylabel(title_of(found, key), fontsize=11)
    _scale(axes, found, key, values)
    axes.set_xlim(0, max(found.steps, 1))
    _whole(axes, found.steps)
    _bare(axes)


def _line(
    axes: Any, steps: Any, series: Series, colour: Any, label: str, band: Any, *, linewidth: float, zorder: int,
    **marks: Any,
) -> None:
    mean, off = _finite(series.mean), _finite(band)
    at = steps[:len(mean)]
    axes.plot(at, mean, color=colour, linewidth=linewidth, zorder=zorder, label=label, **marks)
    axes.fill_between(at, mean - off, mean + off, color=colour, alpha=0.22, linewidth=0, zorder=zorder - 1)


def _scale(axes: Any, found: TrainingCurves, key: Key, values: Sequence[Any]) -> None:
    """A logarithmic loss where it spans decades; what diverges at some width does not flatten the rest."""
    every = np.concatenate([_finite(v) for v in values]) if values else np.array([])
    every = every[np.isfinite(every)]
    if not len(every):
        return
    if every.min() > 0 and math.log10(every.max()) - math.log10(every.min()) > DECADES[key[0]]:
        axes.set_yscale("log")
        # what a kernel would do may be many decades below all else
        kept = [_finite(s[key].mean) for s in _measured(found) if key in s]
        lows = [float(np.nanmin(v[v > 0])) for v in kept if np.any(v > 0)]
        if lows:
            axes.set_ylim(bottom=max(every.min() / 2, min(lows) / 100))
    elif key[0] == "output" and np.abs(every).max() > WILD:
        axes.set_yscale("symlog")
    if found.limit is not None and key in found.limit.series:
        own = _finite(found.limit.series[key].mean)
        start = float(np.nanmax(np.abs(own)))
        if np.nanmax(np.abs(every)) > 1e3 * max(start, 1e-300) and axes.get_yscale() == "linear":
            axes.set_ylim(np.nanmin(own) - 2 * start, np.nanmax(own) + 2 * start)


def _measured(found: TrainingCurves) -> list[Mapping[Key, Series]]:
    """The limit and the widths."""
    return [*([] if found.limit is None else [found.limit.series]), *found.widths.values()]


def title_of(found: TrainingCurves, key: Key) -> str:
    """What a panel shows."""
    kind, label = key
    if kind == "loss":
        return "loss"
    inner = f"{latex_name(label)}" if not label.isdigit() else rf"\mathrm{{example\ {label}}}"
    if kind == "output":
        return f"${latex_name(found.network)}_t({inner})$"
    return rf"$\frac{{1}}{{n}}\,\|{inner}\|^2$" if label.replace("[", "").replace("]", "").isalnum() else label


def limit_name(limit: Limit) -> str:
    """How the legend calls a limit."""
    words = {"kernel": "kernel limit (± sd)", "particles": "limit (particles)", "quadrature": "limit (quadrature)",
             "initial kernel": "initial tangent kernel"}
    random = any(s.deviation is not None for s in limit.series.values())
    return words[limit.method] if random else words[limit.method].removesuffix(" (± sd)")


# --- the loss against the learning rate ------------------------------------------------------------------


def transfer_figure(found: TransferCurves) -> Figure:
    """A panel for each parametrisation: the loss after training, a line for each width, the best rate with a ring;
    crosses at the top are runs that diverged or nearly did."""
    count = len(found.panels)
    figure = figure_class()(figsize=(3.7 * count + 0.4, 3.6), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    low, high = _bounds(list(found.panels.values()))
    for axes, (name, panel) in zip(panels, found.panels.items(), strict=True):
        for k, n in enumerate(panel.widths):
            _transfer_line(axes, panel, k, n, high)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_ylim(low, high * 1.25)
        axes.set_title(PARAMETRIZATIONS[name], fontsize=11)
        _bare(axes)
    for axes in panels:
        axes.set_xlabel("factor of the learning rate")
    panels[0].set_ylabel(f"loss after {found.steps} step" + "s" * (found.steps != 1))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(6, len(labels)), frameon=False, fontsize=9.5)
    return figure


def _transfer_line(axes: Any, panel: Transfer, k: int, n: int, high: float) -> None:
    colour, marker = ramp(k, len(panel.widths)), MARKERS[k % len(MARKERS)]
    rates, mean = np.array(panel.rates), panel.mean[k]
    error = np.nan_to_num(panel.standard_error[k], nan=0.0, posinf=0.0)
    order = np.argsort(rates)
    rates, mean, error = rates[order], mean[order], error[order]
    with np.errstate(invalid="ignore"):
        good = np.isfinite(mean) & (mean <= high)
    line = np.where(good, mean, np.nan)
    axes.plot(rates, line, color=colour, marker=marker, markersize=4, linewidth=1.4, label=f"$n = {n}$", zorder=3)
    axes.fill_between(rates, np.maximum(line - error, 1e-300), line + error, color=colour, alpha=0.22, linewidth=0)
    if good.any():
        best = int(np.nanargmin(line))
        axes.plot(rates[best], line[best], "o", markersize=10, markerfacecolor="none", markeredgecolor=colour,
                  markeredgewidth=1.5, zorder=4)
    if not good.all():
        # side by side, so that widths that diverge at the same rate are all seen
        shift = 2.0 ** (0.12 * (k - (len(panel.widths) - 1) / 2))
        axes.plot(rates[~good] * shift, np.full(int((~good).sum()), high * 1.1), "x", color=colour, markersize=5,
                  clip_on=False, zorder=4)


def _bounds(panels: Sequence[Transfer]) -> tuple[float, float]:
    """The losses that are shown: beyond the upper one they count as diverged."""
    means = [p.mean for p in panels]
    slowest = [m[:, int(np.argmin(p.rates))] for p, m in zip(panels, means, strict=True)]
    start = np.concatenate(slowest)
    start = start[np.isfinite(start)]
    every = np.concatenate([m.ravel() for m in means])
    every = every[np.isfinite(every) & (every > 0)]
    if not len(every):
        return 0.1, 1.0
    cap = BEYOND * float(start.max()) if len(start) else float(every.max())
    high = float(every[every <= cap].max(initial=every.min()))
    return float(every.min()) / 1.6, max(1.6 * high, float(every.min()) * 4)


# --- shared ----------------------------------------------------------------------------------------------


def figure_bytes(figure: Figure, *, form: str = "png", dpi: int = 160) -> bytes:
    """A figure as a file: ``png``, ``svg`` or ``pdf``."""
    stream = io.BytesIO()
    figure.savefig(stream, format=form, dpi=dpi)
    return stream.getvalue()


def ramp(k: int, count: int) -> Any:
    """The colour of the k-th width, from light to dark, which is seen without colour too."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.82 - 0.72 * (k / (count - 1) if count > 1 else 1.0))


def _finite(values: Any) -> Any:
    found = np.array(values, dtype=float)
    found[~np.isfinite(found)] = np.nan
    return found


def _every(steps: int, k: int) -> tuple[int, int]:
    gap = max(1, math.ceil(steps / 8))
    return (k * max(1, gap // 4)) % gap, gap


def _whole(axes: Any, steps: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=min(6, max(steps, 1)), integer=True))


def _bare(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


__all__ = ["curves_figure", "figure_bytes", "limit_name", "shown", "transfer_figure"]
