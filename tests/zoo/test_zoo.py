"""Every program of the zoo: it says where it comes from, its claims hold, and networks of finite width agree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tpsym
from tpsym import zoo
from tpsym.errors import TpError
from tpsym.report.bibliography import references
from tpsym.syntax.format import format_source

if TYPE_CHECKING:
    from tpsym.simulate import SimulationResult

NAMES = zoo.names()
SLOW = {"batchnorm", "gcn", "lstm", "conv_flatten", "conv_pooling"}
"""Programs whose claims take more than a few seconds."""
SPECTRA = {"jacobian", "ginibre_products"}
"""Programs about matrices, without data and without kernels."""
MARKED = [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMES]


def test_names() -> None:
    wanted = {"mlp", "residual", "transformer_pre", "transformer_post", "rnn", "gru", "lstm", "conv_pooling",
              "conv_flatten", "batchnorm", "autoencoder", "glu", "gcn", *SPECTRA}
    assert wanted <= set(NAMES)
    assert list(NAMES) == sorted(NAMES)
    with pytest.raises(TpError, match="did you mean 'residual'"):
        zoo.source("resdual")


@pytest.mark.parametrize("name", NAMES)
def test_heads(name: str) -> None:
    entry = zoo.entry(name)
    assert entry.title[0].isupper()
    assert len(entry.title) <= 60
    assert entry.papers
    assert set(entry.papers) <= set(references())
    source = zoo.source(name)
    assert ("derive law[" if name in SPECTRA else "derive nngp(f)") in source
    assert name in SPECTRA or "derive ntk(f)" in source
    assert source.count("\nclaim ") >= 5
    assert format_source(source) == source
    assert zoo.load(name).source == source


@pytest.mark.parametrize("name", MARKED)
def test_claims(name: str) -> None:
    verdicts = tpsym.verify(zoo.load(name))
    assert {claim.label for claim in verdicts if claim.verdict not in ("proved", "checked")} == set()
    assert sum(claim.verdict == "proved" for claim in verdicts) >= 0.6 * len(verdicts)


# --- finite width --------------------------------------------------------------------------------------

WIDTHS = (64, 128, 256, 512, 1024)
SEEDS = 64

QUICK = {
    "lstm": ("gates are open by half", "first cell", "across time", "tangent kernel of the first cell"),
    "mlp_any": ("first layer", "Stein", "tangent kernel, first layer"),
}
"""Of programs whose limits are means inside means, which take minutes, only these claims are measured."""


def with_data(name: str) -> str:
    """The program with numbers for its data."""
    source = zoo.source(name)
    if name in SPECTRA:
        return source
    if name in QUICK:
        head, *claims = re.split(r"(?m)^(?=claim )", re.sub(r"(?m)^derive .*\n", "", source))
        source = head + "".join(c for c in claims if c.split('"')[1] in QUICK[name])
    size = int((re.search(r"^dim d = (\d+)", source, re.MULTILINE) or [0, 3])[1])
    source = re.sub(r"(?m)^dim d$", "dim d = 3", source)
    single, family = (re.search(pattern, source, re.MULTILINE) for pattern in (
        r"^input x, y: \(d\)$", r"^input x\[(\w)\], y\[\w\]: \(d\) (for .*)$"))
    found = single or family
    assert found is not None
    index = family[1] if family else "0"
    x = ", ".join(f"{3 * k % 5 - 1}/2 + {index}^2/{k + 1}" for k in range(size))
    y = ", ".join(f"{4 * k % 5 - 2}/2 - {index}^2/{k + 2}" for k in range(size))
    mark, tail = (f"[{index}]", family[2]) if family else ("", "")
    return source.replace(found[0], f"input x{mark}: (d) = [{x}] {tail}\ninput y{mark}: (d) = [{y}] {tail}")


def measured(name: str) -> SimulationResult:
    text = with_data(name)
    program = tpsym.parse(text, settings={"L": "3"} if re.search(r"(?m)^depth L$", text) else {})
    return tpsym.simulate(program, widths=WIDTHS, seeds=SEEDS).result


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_networks_of_growing_width(name: str) -> None:
    """They agree with every limit that the program mentions, with errors that fall like one over the root of the width.

    One test, so that the networks are run once.
    """
    result = measured(name)
    judged = result.judge()
    assert len(judged) >= 3
    assert [quantity for quantity, judgement in judged.items() if not judgement.agrees] == []
    check_slopes(result, tolerance=0.3 if name in SPECTRA else 0.1)


def check_slopes(result: SimulationResult, *, tolerance: float) -> None:
    """The slope of the root mean square error over seeds, averaged over everything that is a mean at each seed.

    An RMS error of 64 seeds is known to 9 %, which leaves 0.04 for the slope over five doublings of one quantity.
    High moments of matrices have terms of higher order at the smallest widths.
    """
    slopes = []
    for quantity in result.quantities:
        if quantity.kind != "mean" or quantity.limit is None:
            continue
        spread = [e.seeds * e.standard_error**2 + (e.value - quantity.limit) ** 2 for e in quantity.estimates]
        if min(spread) > 1e-20:  # at the first layer a tangent kernel is known at every width
            widths = [e.n for e in quantity.estimates]
            slopes.append(np.polyfit(np.log(widths), np.log(spread) / 2, 1)[0])
    assert len(slopes) >= 3
    assert np.mean(slopes) == pytest.approx(-0.5, abs=tolerance)
