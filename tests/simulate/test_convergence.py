"""Programs over widths and seeds: the theory's worked cases, interrupts, progress, the table."""

import io
import subprocess
import sys
from types import MappingProxyType

import numpy as np
import pytest
from sympy import S, Symbol, sqrt

from tpsym.errors import TpError
from tpsym.functions import relu
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension
from tpsym.simulate import (
    Covariance,
    Mean,
    Variance,
    convergence,
    render,
    run,
    simulate,
    terminal_progress,
)

N = Dimension("n", S.One)
z, w, t = (Symbol(s, real=True) for s in "zwt")
n = Symbol("n", positive=True)
SMALL = MappingProxyType({"widths": (32, 128), "seeds": 4, "values": {}})


def backward_program():
    """theory A6: the gradient of mean((W 1)²) has mean 2; a readout v·relu(h)/√n has variance 1/2."""
    b = Builder()
    matrix = b.matrix("W", N, N, S.One)
    h = b.matmul(matrix, b.vector("one", N, mean=S.One, variance=S.Zero))
    x = b.matmul(matrix, b.nonlin(2 * z, {z: h}, N), transposed=True)
    v, u = b.vector("v", N, family="vu"), b.vector("u", N, family="vu")
    return b, {
        "mean": b.moment(z, {z: x}, N),
        "square": b.moment(z**2, {z: x}, N),
        "f": b.moment(sqrt(n) * z * relu(w), {z: v, w: h}, N),
        "g": b.moment(sqrt(n) * (z + w) * relu(t), {z: v, w: u, t: h}, N),
    }


def test_right_limits_agree_and_wrong_ones_do_not():
    b, nodes = backward_program()
    limits = {"mean": 2.0, "square": 8.0, "var f": 0.5, "cov": 0.5, "GIA mean": 0.0, "GIA square": 4.0}
    result = simulate(
        b.program(),
        {
            "mean": nodes["mean"], "square": nodes["square"], "var f": Variance(nodes["f"]),
            "cov": Covariance(nodes["f"], nodes["g"]), "GIA mean": nodes["mean"],
            "GIA square": Mean((nodes["square"],)),
        },
        widths=(64, 128, 512), seeds=60, values={}, limits=limits,
    )
    assert result.complete
    agrees = {name: judgement.agrees for name, judgement in result.judge().items()}
    assert agrees == {
        "mean": True, "square": True, "var f": True, "cov": True, "GIA mean": False, "GIA square": False,
    }
    assert result["mean"].estimates[-1].low < 2 < result["mean"].estimates[-1].high
    assert abs(result["GIA mean"].rate.exponent) < 0.1
    shrinking = simulate(b.program(), {"mean": nodes["mean"]}, widths=(16, 64, 256), seeds=60, values={})
    assert abs(shrinking["mean"].rate.exponent + 0.5) < 4 * shrinking["mean"].rate.standard_error


def test_samples_are_the_runs_of_the_seeds():
    b, nodes = backward_program()
    node = nodes["mean"]
    result = simulate(b.program(), {"m": [node, nodes["f"]]}, widths=[20], seeds=[5, 3, 5], values={})
    draws = [run(b.program(), [node, nodes["f"]], n=20, seed=s, values={}) for s in (5, 3)]
    expected = np.mean([[d[node], d[nodes["f"]]] for d in draws])
    assert result["m"].estimates[0].value == pytest.approx(expected)
    assert result["m"].estimates[0].seeds == 2
    assert simulate(b.program(), {"m": node}, **SMALL) == simulate(b.program(), {"m": node}, **SMALL)


def test_interval_of_a_program_covers_its_exact_mean():
    """The mean over coordinates of x² with x ~ N(0, 1) has expectation 1 at every width."""
    b = Builder()
    square = b.moment(z**2, {z: b.vector("x", N)}, N)
    hits = 0
    for start in range(0, 8 * 250, 8):
        found = simulate(b.program(), {"q": square}, widths=[48], seeds=range(start, start + 8), values={})
        estimate = found["q"].estimates[0]
        hits += estimate.low <= 1 <= estimate.high
    assert abs(hits - 0.95 * 250) < 4 * np.sqrt(250 * 0.95 * 0.05)


def test_progress_counts_the_squares_of_widths():
    b, nodes = backward_program()
    calls = []
    simulate(b.program(), {"m": nodes["mean"]}, progress=lambda *call: calls.append(call), **SMALL)
    total = 4 * (32**2 + 128**2)
    assert calls[0] == (32**2, total)
    assert calls[-1] == (total, total)
    assert len(calls) == 8


def interrupt_after(count, monkeypatch):
    original, runs = convergence.execute, iter(range(count))

    def execute(plan, *, seed):
        if next(runs, None) is None:
            raise KeyboardInterrupt
        return original(plan, seed=seed)

    monkeypatch.setattr(convergence, "execute", execute)


def test_interrupt_keeps_what_there_is(monkeypatch):
    b, nodes = backward_program()
    interrupt_after(6, monkeypatch)
    result = simulate(b.program(), {"m": nodes["mean"]}, **SMALL)
    assert not result.complete
    assert [(e.n, e.seeds) for e in result["m"].estimates] == [(32, 4), (128, 2)]
    assert "INTERRUPTED" in render(result)


def test_interrupt_before_there_is_anything_is_passed_on(monkeypatch):
    b, nodes = backward_program()
    interrupt_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        simulate(b.program(), {"m": nodes["mean"]}, **SMALL)


@pytest.mark.parametrize(("changed", "message"), [
    ({"widths": ()}, "no width"),
    ({"widths": (0,)}, "no width"),
    ({"seeds": 1}, "one seed gives no error"),
    ({"seeds": [3, 3]}, "one seed gives no error"),
])
def test_impossible_options_are_refused(changed, message):
    b, nodes = backward_program()
    with pytest.raises(TpError, match=message):
        simulate(b.program(), {"m": nodes["mean"]}, **{**SMALL, **changed})


def test_only_scalars_can_be_simulated():
    b = Builder()
    x = b.vector("x", N)
    with pytest.raises(TpError, match="x is not a scalar"):
        simulate(b.program(), {"x": x}, **SMALL)
    with pytest.raises(TpError, match="nothing to simulate"):
        simulate(b.program(), {}, **SMALL)


def test_variance_with_limit_zero_is_shown_but_not_judged():
    b, nodes = backward_program()
    result = simulate(b.program(), {"m": Variance(nodes["mean"])}, limits={"m": 0.0}, **SMALL)
    assert result.judge() == {}
    assert "limit 0" in render(result)


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_table_fits_and_says_everything(columns):
    b, nodes = backward_program()
    long = "f.h[12](x), a quantity with a name that is long, far longer than any column of the table is"
    one = b.moment(S.One, {}, None)
    tiny = b.moment(t / 10**12, {t: nodes["mean"]}, None)
    result = simulate(
        b.program(),
        {long: nodes["mean"], "wrong": nodes["mean"], "var": Variance(nodes["f"]), "one": one, "tiny": tiny},
        widths=(16, 64, 256), seeds=16, values={}, limits={long: 2.0, "wrong": 1.0, "var": 0.5, "one": 1.0},
    )
    text = render(result, columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    assert not any(line != line.rstrip() for line in text.splitlines())
    for part in ("16 seeds", "limit 2: agrees", "limit 1: DISAGREES", "var (variance over seeds)", "e-1"):
        assert part in text
    assert ("95 % interval " in text) == (columns >= 68)


def test_no_bar_without_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with terminal_progress() as progress:
        assert progress is None


def test_bar_on_a_terminal_goes_to_standard_error(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with terminal_progress("runs") as progress:
        progress(1, 2)
    assert "runs" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_simulation_loads_neither_the_limit_code_nor_rich():
    code = "import sys, tpsym.simulate; print([m for m in sys.modules if m.startswith(('tpsym', 'rich'))])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.strip(" '") for name in out.strip("[]\n").split(",")}
    for package in ("rich", "tpsym.limit", "tpsym.gauss", "tpsym.verify"):
        assert not any(name == package or name.startswith(package + ".") for name in loaded)
