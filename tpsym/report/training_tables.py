"""Training by step, and losses by learning rate, as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tpsym.report.escape import columns as columns_of
from tpsym.report.tables import GAP, text_lines
from tpsym.report.text import wrap
from tpsym.results.answers import Table
from tpsym.results.training_curves import TrainingCurves
from tpsym.results.training_limits import Key, Limit, Series
from tpsym.results.training_transfer import TransferCurves

MOST_ROWS = 21
REGIMES = {"kernel": "is in the kernel regime", "feature learning": "learns features",
           "unstable": "is not stable", "undecided": "is in a regime that exponents leave open"}
METHODS = {"kernel": "kernel", "quadrature": "quadrature", "particles": "particles",
           "initial kernel": "initial tangent kernel"}
HEADINGS = ("source", "width", "quantity", "label", "step", "mean", "error", "deviation")


# --- curves as text ----------------------------------------------------------------------------------


def curves_text(found: TrainingCurves, *, columns: int = 80) -> str:
    """The loss by step, what else was looked at after the last step, and what the numbers are."""
    steps = sampled_steps(found.steps)
    blocks = [_table("Loss", "step", [(str(t), ("loss", ""), t) for t in steps], found, columns)]
    others = [key for key in found.quantities if key[0] != "loss"]
    if others:
        title = f"After {found.steps} step" + "s" * (found.steps != 1)
        blocks.append(_table(title, "", [(_name(found, key), key, -1) for key in others], found, columns))
    lines = [line for block in blocks for line in (*block, "")]
    for sentence in sentences(found):
        lines += wrap(sentence, width=columns, indent="")
    return "\n".join(lines) + "\n"


def sampled_steps(steps: int) -> list[int]:
    """All steps, or some of them, the first and the last among these."""
    if steps < MOST_ROWS:
        return list(range(steps + 1))
    return sorted({round(k * steps / (MOST_ROWS - 1)) for k in range(MOST_ROWS)})


@dataclass(frozen=True, slots=True)
class _Layout:
    """How much of the numbers is shown: digits of those without errors, which have errors, which widths."""

    errors: Literal["all", "limit", "none"]
    digits: int
    widths: tuple[int, ...]


def _layouts(widths: tuple[int, ...]) -> Iterator[_Layout]:
    """From full to terse: errors go first, then digits, then every second width."""
    yield _Layout("all", 4, widths)
    yield _Layout("limit", 4, widths)
    yield _Layout("none", 4, widths)
    yield _Layout("none", 3, widths)
    while len(widths) > 1:
        widths = widths[::-2][::-1]
        yield _Layout("limit", 4, widths)
        yield _Layout("none", 3, widths)


def _table(
    title: str, first: str, rows: Sequence[tuple[str, Key, int]], found: TrainingCurves, columns: int
) -> list[str]:
    """A table with as much in it as there is room for."""
    lines: list[str] = []
    for layout in _layouts(tuple(found.widths)):
        sources = list(_sources(found, layout))
        heads = (first, *(name for name, _, _ in sources))
        cells = [(label, *(_cell(series, key, t, errors, layout.digits) for _, series, errors in sources))
                 for label, key, t in rows]
        left = [str(n) for n in found.widths if n not in layout.widths]
        note = f"Not shown for want of room: n = {', '.join(left)}." if left else ""
        lines = text_lines(Table(title, heads, tuple(cells), note), width=columns, indent="")
        widest = [max(columns_of(row[k]) for row in (heads, *cells)) for k in range(len(heads))]
        if sum(widest) + GAP * (len(heads) - 1) <= columns:
            break
    return lines


def _sources(found: TrainingCurves, layout: _Layout) -> Iterator[tuple[str, Mapping[Key, Series], bool]]:
    """The columns: their names, numbers, and whether errors are shown."""
    if found.limit is not None:
        yield "limit", found.limit.series, layout.errors != "none"
    if found.kernel is not None:
        yield "kernel", found.kernel.series, False
    for n in layout.widths:
        yield f"n = {n}", found.widths[n], layout.errors == "all"


def _cell(series: Mapping[Key, Series], key: Key, step: int, errors: bool, digits: int) -> str:
    if key not in series or step >= len(series[key].mean):
        return ""
    at = series[key]
    return number(float(at.mean[step]), float(at.error[step]) if errors else None, digits=digits)


def number(value: float, error: float | None = None, *, digits: int = 4) -> str:
    """A number with as many digits as its error leaves; an error below rounding is not shown."""
    if not math.isfinite(value):
        return "diverged"
    if error is None or not math.isfinite(error):
        return _signs(f"{value:.{digits}g}")
    if error <= max(1e-8 * abs(value), 1e-12):
        return _signs(f"{value:.6g}")
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 8 or abs(value) >= 1e7 or (value != 0 and abs(value) < 1e-3):
        kept = max(0, math.floor(math.log10(max(abs(value), error))) + places) if places > 0 else 2
        return _signs(f"{value:.{min(kept, 8)}e} ± {error:.1e}")
    return _signs(f"{value:.{places}f} ± {error:.{places}f}")


def _signs(text: str) -> str:
    """A minus that is one, exponents without zeros in front."""
    return re.sub(r"e([+-])0?(\d)", lambda m: f"e{m[1].replace('+', '')}{m[2]}", text).replace("-", "−")


def _name(found: TrainingCurves, key: Key) -> str:
    kind, label = key
    return f"{found.network}({label})" if kind == "output" else f"‖{label}‖²/n"


def sentences(found: TrainingCurves) -> Iterator[str]:
    """What the numbers are and are not."""
    yield f"Training {found.name} of {found.network} {REGIMES[found.regime]}."
    if found.limit is None:
        yield f"No limit: {'; '.join(found.reasons) or 'none is known'}."
    else:
        yield _about(found.limit)
    if found.kernel is not None:
        yield "Kernel: the limit if the tangent kernel stayed as it is before training."
    if found.widths:
        yield f"Finite widths: means over {found.seeds} seeds; errors that there is room for are standard errors."
    if found.drawn:
        names = ", ".join(found.drawn)
        yield f"Inputs without numbers were drawn, the same in every run: {names}."
    if not found.complete:
        yield "Interrupted: these are the runs that were finished."


def _about(limit: Limit) -> str:
    if limit.method == "particles":
        return f"Limit: {limit.note}; errors are standard errors with the bias."
    if limit.method == "quadrature":
        return "Limit: by quadrature."
    random = any(s.deviation is not None for s in limit.series.values())
    return "Limit: by its kernel" + (", means over initialisations." if random else ".")


# --- curves for programs -----------------------------------------------------------------------------


def curves_json(found: TrainingCurves) -> str:
    """Everything, by source: ``limit``, ``kernel`` (null where there is none) and ``widths``, each with its
    ``quantities``: ``quantity`` (loss, output, feature), ``label``, and ``mean``, ``error``, ``deviation`` by step."""
    def limit(value: Limit | None) -> dict[str, Any] | None:
        if value is None:
            return None
        return {"method": value.method, "note": value.note, "complete": value.complete,
                "quantities": _quantities(value.series)}

    return json.dumps({
        "training": found.name, "network": found.network, "regime": found.regime, "steps": found.steps,
        "complete": found.complete, "reasons": list(found.reasons), "drawn": list(found.drawn),
        "limit": limit(found.limit), "kernel": limit(found.kernel), "seeds": found.seeds,
        "widths": [{"n": n, "quantities": _quantities(series)} for n, series in found.widths.items()],
    }, indent=2, allow_nan=False, ensure_ascii=False)


def _quantities(series: Mapping[Key, Series]) -> list[dict[str, Any]]:
    return [
        {"quantity": kind, "label": label, "mean": _finite(s.mean), "error": _finite(s.error),
         "deviation": None if s.deviation is None else _finite(s.deviation)}
        for (kind, label), s in series.items()
    ]


def _finite(values: Any) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in np.asarray(values)]


def curves_csv(found: TrainingCurves) -> str:
    """A line for each source, quantity and step; what is not finite is empty."""
    rows: list[tuple[str, str, Mapping[Key, Series]]] = []
    if found.limit is not None:
        rows.append((found.limit.method, "", found.limit.series))
    if found.kernel is not None:
        rows.append((found.kernel.method, "", found.kernel.series))
    rows += [("width", str(n), series) for n, series in found.widths.items()]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADINGS)
    for source, width, series in rows:
        for (kind, label), s in series.items():
            for t in range(len(s.mean)):
                values = [s.mean[t], s.error[t], math.nan if s.deviation is None else s.deviation[t]]
                writer.writerow([source, width, kind, label, t, *(_text(v) for v in values)])
    return stream.getvalue()


def _text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""


# --- learning rates ----------------------------------------------------------------------------------


def transfer_text(found: TransferCurves, *, columns: int = 80) -> str:
    """A table for each parametrisation: the loss by factor of the learning rates and width, and the best factors."""
    lines: list[str] = []
    for name, panel in found.panels.items():
        mean, error = panel.mean, panel.standard_error
        heads = ("rate", *(f"n = {n}" for n in panel.widths))
        rows = [
            (f"{rate:g}", *(number(float(mean[i, j]), float(error[i, j])) for i in range(len(panel.widths))))
            for j, rate in enumerate(panel.rates)
        ]
        best = [panel.best(n) for n in panel.widths]
        rows.append(("best", *("none" if b is None else f"{b:g}" for b in best)))
        plain = [(rate, *(number(float(v)) for v in mean[:, j])) for j, (rate, *_) in enumerate(rows[:-1])]
        widest = [max(columns_of(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
        fits = sum(widest) + GAP * (len(heads) - 1) <= columns
        shown = rows if fits else [*plain, rows[-1]]
        lines += [*text_lines(Table(f"Loss in {name}", heads, tuple(shown)), width=columns, indent=""), ""]
    steps = f"{found.steps} step" + "s" * (found.steps != 1)
    how = f"After {steps} of {found.name}, means over {found.seeds} seeds. Learning rates are those of the file, " \
          "without their powers of n, times the rate in front. In mup they go with the width as maximal update has " \
          f"it; elsewhere they are the same at all widths, and at n = {found.base} arrays move as fast as in mup."
    return "\n".join([*lines, *wrap(how, width=columns, indent="")]) + "\n"


def transfer_json(found: TransferCurves) -> str:
    """``panels`` by parametrisation: ``widths``, ``rates``, ``loss`` by width and rate with ``error`` (null for runs
    that diverged), ``best`` rates by width."""
    panels = {
        name: {"widths": list(p.widths), "rates": list(p.rates), "loss": [_finite(row) for row in p.mean],
               "error": [_finite(row) for row in p.standard_error], "best": [p.best(n) for n in p.widths]}
        for name, p in found.panels.items()
    }
    return json.dumps({
        "training": found.name, "network": found.network, "steps": found.steps, "base": found.base,
        "seeds": found.seeds, "panels": panels,
    }, indent=2, allow_nan=False, ensure_ascii=False)


def transfer_csv(found: TransferCurves) -> str:
    """A line for each parametrisation, width, rate and seed; the loss is empty where the run diverged."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("parametrization", "width", "rate", "seed", "loss"))
    for name, p in found.panels.items():
        for i, n in enumerate(p.widths):
            for j, rate in enumerate(p.rates):
                for k, loss in enumerate(p.losses[i, j]):
                    writer.writerow([name, n, repr(rate), k, _text(float(loss))])
    return stream.getvalue()


__all__ = ["curves_csv", "curves_json", "curves_text", "transfer_csv", "transfer_json", "transfer_text"]
