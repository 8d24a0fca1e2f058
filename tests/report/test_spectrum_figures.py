"""Figures of spectra: what is in them, and that histogram, curve and atoms tell of one law."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import tpsym
from tpsym.errors import TpError
from tpsym.report.spectrum_figures import exact_label, spectrum_figure, spectrum_image
from tpsym.results.spectrum_plots import SpectrumPlot, spectrum_plot

FILE = """\
width n
param lambda: positive = 1
width m = n/lambda
random X, V: (n, n) ~ N(0, 1/n)
random Y: (n, m) ~ N(0, 1/m)
random u: (n) ~ N(0, 1)
S = (X + X.T)/sqrt(2)
"""


@pytest.fixture(scope="module")
def program() -> tpsym.Program:
    return tpsym.parse(FILE)


def plot(program: tpsym.Program, text: str, *, n: int = 200, bins: int | None = None, **at: object) -> SpectrumPlot:
    return spectrum_plot(program.spectrum(text).at(dict(at)), n=n, seed=1, bins=bins)


def area(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.trapezoid(y, x))


@pytest.mark.parametrize(("text", "ratio", "atoms"), [
    ("S", 1, 0.0), ("Y @ Y.T", 3, 2 / 3), ("S/4 + diag(sign(u))", 1, 0.0), ("diag(step(u)) @ X @ X.T @ diag(step(u))",
                                                                           1, 0.5),
])
def test_histogram_and_curve_have_the_mass_that_is_at_no_atom(
    program: tpsym.Program, text: str, ratio: int, atoms: float
) -> None:
    found = plot(program, text, **{"lambda": ratio})
    part = sum(m for _, m in found.sampled)
    assert float(found.heights @ np.diff(found.bins)) == pytest.approx(1 - part)
    assert part == pytest.approx(atoms, abs=0.06)
    assert sum(a.mass for a in found.atoms) == pytest.approx(atoms)
    if not any(e.diverges for e in found.ends):
        assert sum(area(x, y) for x, y in found.curves) == pytest.approx(1 - atoms, abs=1e-3)
        assert max(float(y.max()) for _, y in found.curves) < found.top
    if part:
        assert found.eigenvalues.size * part == pytest.approx(np.sum(np.abs(found.eigenvalues) < 1e-9))


def test_the_curve_reaches_its_ends(program: tpsym.Program) -> None:
    ((x, y),) = plot(program, "S").curves
    assert (x[0], x[-1]) == (pytest.approx(-2), pytest.approx(2))
    assert (y[0], y[-1]) == (pytest.approx(0, abs=1e-3), pytest.approx(0, abs=1e-3))
    near = np.sum(np.abs(x - 2) < 1e-4)
    assert near > 20
    hard = plot(program, "X.T @ X")
    ((x, y),) = hard.curves
    assert np.isfinite(y).all()
    assert y.max() > 100 > 10 > hard.top > 0.5
    assert hard.bins[0] == pytest.approx(0)


def test_two_bands_have_bins_that_resolve_them(program: tpsym.Program) -> None:
    found = plot(program, "S/20 + 3*diag(sign(u))")
    assert len(found.curves) == 2
    low, high = found.curves[0][0][[0, -1]]
    assert np.sum((found.bins > low) & (found.bins < high)) >= 8
    assert plot(program, "S", bins=7).heights.size in (7, 8, 9)


def test_what_is_drawn(program: tpsym.Program) -> None:
    pytest.importorskip("matplotlib")
    figure = spectrum_figure(plot(program, "Y @ Y.T", **{"lambda": 3}))
    axes, side = figure.axes
    assert axes.get_title() == "spectrum of Y @ Y.T\n$\\lambda = 3$"
    assert (axes.get_xlabel(), axes.get_ylabel(), side.get_ylabel()) == ("eigenvalue", "density", "mass of atoms")
    assert [text.get_text() for text in axes.texts] == [r"$4 - 2 \sqrt{3}$", r"$4 + 2 \sqrt{3}$"]
    assert [text.get_text() for text in side.texts] == ["$2/3$"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["eigenvalues, $n = 200$", "limit", "atom, limit", "atom, $n = 200$"]
    assert spectrum_figure(plot(program, "S"), title="mine").axes[0].get_title() == "mine"
    assert len(spectrum_figure(plot(program, "S")).axes) == 1


def test_without_a_law_there_is_the_histogram_and_the_reason(program: tpsym.Program) -> None:
    pytest.importorskip("matplotlib")
    found = plot(program, "X.T @ diag(step(u)*cos(u)^2) @ X")
    assert (found.curves, found.atoms, found.ends) == ((), (), ())
    ((place, part),) = found.sampled
    assert (place, part) == (pytest.approx(0, abs=1e-9), pytest.approx(0.5, abs=0.12))
    assert float(found.heights @ np.diff(found.bins)) == pytest.approx(1 - part)
    axes = spectrum_figure(found).axes[0]
    assert "no curve: the diagonal matrices take infinitely many values" in axes.get_title().replace("\n", " ")


def test_a_law_of_atoms_alone(program: tpsym.Program) -> None:
    pytest.importorskip("matplotlib")
    found = plot(program, "diag(sign(u))")
    assert [(a.position, a.mass) for a in found.atoms] == [(-1, 0.5), (1, 0.5)]
    assert found.heights.size == 0
    axes, _ = spectrum_figure(found).axes
    assert not axes.yaxis.get_visible()


def test_irrational_parameters_have_decimal_labels(program: tpsym.Program) -> None:
    found = plot(program, "Y @ Y.T", **{"lambda": "sqrt(2)"})
    assert [e.expr for e in found.ends] == [None, None]
    assert [a.weight for a in found.atoms] == [None]
    assert exact_label(None, found.ends[1].position) == "$4.793$"


@pytest.mark.parametrize(("expr", "label"), [
    (sp.Rational(9, 4), "$9/4$"), (1 - sp.sqrt(2), r"$1 - \sqrt{2}$"), (sp.S.Zero, "$0$"),
    (sp.sqrt(sp.Rational(11, 2) + 5 * sp.sqrt(5) / 2), "$3.33$"), (sp.Rational(123456789, 987654321), "$0.125$"),
])
def test_labels_are_exact_where_that_is_short(expr: sp.Expr, label: str) -> None:
    assert exact_label(expr, float(expr)) == label


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_files(program: tpsym.Program, form: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    assert spectrum_image(plot(program, "S", n=50), form=form).startswith(start)


def test_plot_from_python(program: tpsym.Program, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    program.spectrum("S").plot(n=60, seed=2, bins=12).savefig(tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_without_matplotlib_spectra_have_a_message(program: tpsym.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(TpError, match="matplotlib, which is not installed"):
        program.spectrum("S").plot(n=20)
