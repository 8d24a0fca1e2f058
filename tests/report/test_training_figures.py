"""What figures and tables of training show: panels, bands, scales, what diverged, and files of the numbers."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tpsym.report.training_figures import curves_figure, figure_bytes, shown, transfer_figure
from tpsym.report.training_tables import (
    curves_csv,
    curves_json,
    curves_text,
    number,
    sampled_steps,
    transfer_csv,
    transfer_json,
    transfer_text,
)
from tpsym.results.training_curves import TrainingCurves
from tpsym.results.training_limits import Key, Limit, Series
from tpsym.results.training_transfer import TransferCurves
from tpsym.simulate.curves import Transfer

pytest.importorskip("matplotlib")
STEPS = 4
KEYS: tuple[Key, ...] = (("loss", ""), ("output", "x[0]"), ("output", "x[1]"), ("output", "xi"), ("feature", "h[1]"))


def series(factor: float, *, deviation: bool = False) -> Series:
    mean = factor * 0.1 ** np.arange(STEPS + 1)
    return Series(mean, mean / 100, mean / 10 if deviation else None)


def curves(widths: tuple[int, ...] = (64, 256), *, kernel: bool = True, random: bool = False) -> TrainingCurves:
    def all_of(factor: float) -> dict[Key, Series]:
        return {key: series(factor, deviation=random) for key in KEYS}

    limit = Limit("kernel" if random else "particles", all_of(1.0), "64 particles, 2 replicates")
    return TrainingCurves(
        "F", "f", "kernel" if random else "feature learning", STEPS, KEYS, limit,
        Limit("initial kernel", all_of(2.0)) if kernel else None, (), {n: all_of(1 + 1 / n) for n in widths}, 8,
        ("x[0]",), True,
    )


def transferred() -> TransferCurves:
    losses = np.array([[[0.5, 0.6], [0.1, 0.2], [0.3, 0.3]], [[0.5, 0.4], [0.1, 0.1], [np.inf, 0.3]]])
    panel = Transfer((64, 256), (0.5, 1.0, 2.0), losses)
    return TransferCurves("F", "f", 3, 64, 2, {"mup": panel, "standard": panel})


# --- figures -----------------------------------------------------------------------------------------


def test_panels_lines_and_bands() -> None:
    found = curves()
    assert shown(found) == (("loss", ""), ("output", "x[0]"), ("output", "xi"), ("feature", "h[1]"))
    figure = curves_figure(found)
    assert len(figure.axes) == 4
    for axes in figure.axes:
        labels = [line.get_label() for line in axes.lines]
        assert labels == ["$n = 64$", "$n = 256$", "initial tangent kernel", "limit (particles)"]
        assert len(axes.collections) == 3
        assert axes.lines[2].get_linestyle() == "--"
        np.testing.assert_allclose(axes.lines[3].get_ydata(), found.limit.series["loss", ""].mean)  # type: ignore[union-attr]
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[1].get_yscale() == "linear"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["limit (particles)", "initial tangent kernel"]


def test_the_band_of_a_kernel_is_its_deviation() -> None:
    figure = curves_figure(curves(kernel=False, random=True))
    band = figure.axes[1].collections[-1].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.1)
    assert figure.axes[1].lines[-1].get_label() == "kernel limit (± sd)"


def test_widths_differ_without_colour() -> None:
    lines = curves_figure(curves((64, 128, 256, 512))).axes[0].lines[:4]
    assert len({line.get_marker() for line in lines}) == 4
    light = [float(np.dot(line.get_color()[:3], (0.299, 0.587, 0.114))) for line in lines]
    assert light == sorted(light, reverse=True)


def test_what_diverges_does_not_flatten_the_rest() -> None:
    found = curves((64,), kernel=False)
    wild = Series(np.array([1.0, 1e9, 1e30, np.inf, np.nan]), np.zeros(5))
    figure = curves_figure(replace(found, widths={64: dict.fromkeys(KEYS, wild)}))
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[1].get_yscale() == "symlog"
    assert figure_bytes(figure)[:4] == b"\x89PNG"


def test_without_a_limit_or_widths() -> None:
    alone = replace(curves(kernel=False), limit=None, reasons=("it grows",))
    assert len(curves_figure(alone).axes[0].lines) == 2
    assert len(curves_figure(replace(curves(), widths={})).axes[0].lines) == 2
    empty = curves_figure(replace(alone, widths={}))
    assert figure_bytes(empty, form="svg").startswith(b"<?xml")


def test_rates_that_diverge_are_crosses_at_the_top() -> None:
    figure = transfer_figure(transferred())
    assert [axes.get_title() for axes in figure.axes] == ["maximal update", "standard"]
    for axes in figure.axes:
        crosses = [line for line in axes.lines if line.get_marker() == "x"]
        assert len(crosses) == 1
        assert crosses[0].get_xdata()[0] == pytest.approx(2, rel=0.1)
        assert crosses[0].get_ydata()[0] < axes.get_ylim()[1]
        rings = [float(line.get_xdata()[0]) for line in axes.lines if line.get_markerfacecolor() == "none"]
        assert rings == [1.0, 1.0]
    assert figure_bytes(figure, form="pdf").startswith(b"%PDF")


def test_everything_diverged() -> None:
    panel = Transfer((64,), (1.0,), np.full((1, 1, 2), np.inf))
    found = TransferCurves("F", "f", 1, 64, 2, {"mup": panel})
    assert figure_bytes(transfer_figure(found))[:4] == b"\x89PNG"
    assert "none" in transfer_text(found)


# --- tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(), (64,), (64, 256, 1024), (64, 128, 256, 512, 1024), tuple(range(100, 112))])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit(widths: tuple[int, ...], columns: int) -> None:
    text = curves_text(curves(widths), columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "learns features" in text
    heads = text.splitlines()[1]
    left = [n for n in widths if f"n = {n}" not in heads]
    assert ("Not shown" in text) is bool(left)
    assert not widths or max(widths) not in left
    assert "0.0001" in text or "1.00e−4" in text or "1.000e−4" in text


def test_tables_say_what_is_missing() -> None:
    text = curves_text(replace(curves(), limit=None, reasons=("something grows",), complete=False))
    assert "No limit: something grows." in text
    assert "Interrupted" in text
    assert "drawn, the same in every run: x[0]" in text


@pytest.mark.parametrize(("value", "error", "expected"), [
    (0.37379694, 0.00021, "0.37380 ± 0.00021"),
    (1.0, None, "1"),
    (-0.5, 0.25, "−0.50 ± 0.25"),
    (2.5e-5, 3e-7, "2.500e−5 ± 3.0e−7"),
    (0.37379694, 1e-15, "0.373797"),
    (math.inf, 0.1, "diverged"),
    (1e20, math.nan, "1e20"),
    (12.0, 3.0, "12.0 ± 3.0"),
    (1200.0, 300.0, "1200 ± 300"),
    (0.0, 0.01, "0.000 ± 0.010"),
])
def test_numbers(value: float, error: float | None, expected: str) -> None:
    assert number(value, error) == expected


def test_long_runs_show_some_steps() -> None:
    assert sampled_steps(3) == [0, 1, 2, 3]
    many = sampled_steps(1000)
    assert (many[0], many[-1], len(many)) == (0, 1000, 21)


def test_rates_as_text() -> None:
    text = transfer_text(transferred())
    assert max(map(len, text.splitlines())) <= 80
    assert "Loss in mup" in text
    assert "diverged" in text
    assert "at n = 64 arrays move as fast" in " ".join(text.split())


# --- numbers for programs ----------------------------------------------------------------------------


def test_json_and_csv_hold_all_numbers() -> None:
    found = curves(random=True)
    document = json.loads(curves_json(found))
    assert (document["regime"], document["steps"], document["complete"]) == ("kernel", STEPS, True)
    loss = document["limit"]["quantities"][0]
    assert loss["mean"] == pytest.approx([1, 0.1, 0.01, 1e-3, 1e-4])
    assert loss["deviation"] == pytest.approx([0.1, 0.01, 1e-3, 1e-4, 1e-5])
    assert [w["n"] for w in document["widths"]] == [64, 256]
    rows = list(csv.DictReader(io.StringIO(curves_csv(found))))
    assert len(rows) == 4 * len(KEYS) * (STEPS + 1)
    last = [r for r in rows if (r["width"], r["quantity"], r["step"]) == ("256", "feature", "4")]
    assert [float(r["mean"]) for r in last] == pytest.approx([1e-4 * (1 + 1 / 256)])


def test_what_is_not_finite_is_null_or_empty() -> None:
    wild = Series(np.array([1.0, np.inf, np.nan, 1, 1]), np.full(5, np.nan))
    found = replace(curves((64,), kernel=False), widths={64: dict.fromkeys(KEYS, wild)})
    assert json.loads(curves_json(found))["widths"][0]["quantities"][0]["mean"] == [1, None, None, 1, 1]
    assert "width,64,loss,,1,,,\n" in curves_csv(found)
    panels = json.loads(transfer_json(transferred()))["panels"]
    assert panels["mup"]["loss"][1] == [0.45, 0.1, None]
    assert panels["mup"]["best"] == [1.0, 1.0]
    rows = list(csv.DictReader(io.StringIO(transfer_csv(transferred()))))
    assert len(rows) == 2 * 2 * 3 * 2
    assert [r["loss"] for r in rows if r["width"] == "256" and r["rate"] == "2.0"] == ["", "0.3"] * 2
