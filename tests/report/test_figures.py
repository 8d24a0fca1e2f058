"""Phase diagrams: the numbers behind them, and that they are drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from tpsym import functions as fn
from tpsym.errors import TpError
from tpsym.gauss import expect
from tpsym.report.figures import phase_figure, phase_image, save_phase_figure
from tpsym.results.meanfield_maps import LayerMaps
from tpsym.results.meanfield_phases import PhaseDiagram, phase_diagram

u, v = sp.symbols("u v", real=True)
q, c = sp.Symbol("q", nonnegative=True), sp.Symbol("c", real=True)
sw, sb, a = sp.Symbol("sigma_w", positive=True), sp.Symbol("sigma_b", nonnegative=True), sp.Symbol("a", real=True)


def maps(phi: sp.Expr) -> LayerMaps:
    """A fully connected layer of the nonlinearity φ(u)."""
    slope, pair = sp.diff(phi, u), [[q, q * c], [q * c, q]]
    return LayerMaps(
        q, c,
        sw**2 * expect(phi**2, [u], [[q]]).value + sb**2,
        sw**2 * expect(phi * phi.xreplace({u: v}), [u, v], pair).value + sb**2,
        sw**2 * expect(slope * slope.xreplace({u: v}), [u, v], pair).value,
    )


def diagram(phi: sp.Expr, *, width: float = 4, height: float = 0.4, squared: bool = True) -> PhaseDiagram:
    return phase_diagram(maps(phi), sw, sb, (0, width), (0, height), resolution=41, squared=squared)


@pytest.mark.parametrize(("phi", "square"), [(sp.erf(u), True), (sp.erf(u), False), (sp.tanh(u), True)])
def test_the_curve_lies_where_the_grid_is_critical(phi: sp.Expr, square: bool) -> None:
    found = diagram(phi, squared=square)
    chi = np.array(found.chi)
    assert len(found.edge) > 50
    for x, y in found.edge[1::9]:
        i, j = np.searchsorted(found.ys, y), np.searchsorted(found.xs, x)
        if 1 < i < 40 and 0 < j < 41:
            around = chi[i - 1 : i + 1, j - 1 : j + 1]
            assert around.min() < 1 < around.max()


def test_relu_has_one_critical_point_and_diverges_beyond() -> None:
    found = diagram(fn.relu(u), height=1)
    assert found.edge == ((2.0, 0.0),)
    variance = np.array(found.variance)
    assert np.isinf(variance[5, 25:]).all()
    assert np.isfinite(variance[:, :20]).all()
    assert variance[40, 10] == pytest.approx(1 / (1 - 0.5))


def test_no_edge_is_drawn_where_the_variance_does_not_settle() -> None:
    """Beyond σ_w² = 2 the fixed points of gelu on χ = 1 repel, but for the one at 0."""
    found = diagram(fn.gelu(u), width=6, height=1)
    assert len(found.edge) > 50
    assert max(x for x, _ in found.edge) < 2.1


def test_other_parameters_need_a_value() -> None:
    leaky = maps(fn.leaky_relu(u, a))
    with pytest.raises(TpError, match="no value for a"):
        phase_diagram(leaky, sw, sb, (0, 3), (0, 1))
    found = phase_diagram(leaky, sw, sb, (0, 3), (0, 1), values={a: sp.Rational(1, 2)}, resolution=5)
    assert found.edge == ((pytest.approx(1.6), 0.0),)


def test_a_figure_is_drawn(tmp_path: Path) -> None:
    found = diagram(sp.erf(u))
    axes = phase_figure(found, title="erf").axes[0]
    assert (axes.get_xlabel(), axes.get_title()) == (r"$\sigma_w^2$", "erf")
    assert {text.get_text() for text in axes.texts} == {"ordered", "chaotic"}
    line = axes.lines[0].get_xydata()
    assert np.array_equal(np.asarray(line), np.array(found.edge))
    save_phase_figure(found, tmp_path / "erf.svg")
    assert "<svg" in (tmp_path / "erf.svg").read_text(encoding="utf-8")
    assert phase_image(diagram(fn.relu(u))).startswith(b"\x89PNG")


def test_without_matplotlib_there_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(TpError, match="matplotlib, which is not installed"):
        phase_figure(diagram(fn.relu(u)))
