"""What a figure of a spectrum shows: a histogram of one sampled matrix, the density, atoms and edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from tpsym.errors import TpError, fail
from tpsym.results.spectrum_numbers import Atom, End, NumericLaw

if TYPE_CHECKING:
    from tpsym.results.spectrum_study import SpectrumStudy

Real = NDArray[np.float64]

AT_ATOM = 1e-10
"""Distance to an atom, in units of the largest eigenvalue, at which an eigenvalue is the atom up to rounding."""
REPEATED = 0.01
"""Part of the eigenvalues that have to coincide to be shown as an atom where the law is not known."""
MOST_BINS = 400
CURVE = 600
GRADING = 4
"""Points of the curve approach the ends of a band at this power."""
BESIDE = 0.02
"""Part of the support beside an end with infinite density that does not decide how high the figure is."""
HIGHEST = 2.0
"""Height of the figure in units of the density away from such ends."""


@dataclass(frozen=True, slots=True)
class SpectrumPlot:
    """Everything in the figure.

    ``heights`` over ``bins`` are densities: their area is the part of the eigenvalues that is at no atom. ``curves``
    are pairs of x and density by band. ``sampled`` are pairs of a place and the part of the eigenvalues there.
    ``reason`` says why there is no curve.
    """

    text: str
    values: Mapping[str, Expr]
    n: int
    seed: int
    eigenvalues: Real
    bins: Real
    heights: Real
    curves: tuple[tuple[Real, Real], ...]
    ends: tuple[End, ...]
    atoms: tuple[Atom, ...]
    sampled: tuple[tuple[float, float], ...]
    top: float
    proved: bool
    reason: str | None


def spectrum_plot(study: SpectrumStudy, *, n: int, seed: int = 0, bins: int | None = None) -> SpectrumPlot:
    """The eigenvalues of a matrix of width n beside the law of the limit, without the law where it is not known.

    Raises:
        TpError: a parameter has no value, or an option makes no sense.
    """
    if bins is not None and not 1 <= bins <= MOST_BINS:
        raise fail("bad-option", f"a histogram of {bins} bins is not drawn", expected=f"1 to {MOST_BINS} bins")
    found = study.sample(n, seed)
    law, reason, proved = _law(study)
    spread = max(abs(float(found[0])), abs(float(found[-1])), 1e-300)
    places = [a.position for a in law.atoms] if law else _repeated(found, AT_ATOM * spread)
    at = [np.abs(found - x) <= AT_ATOM * spread for x in places]
    rest = found[~np.any(at, axis=0)] if at else found
    edges = _bins(rest, law, bins, n) if rest.size else np.array([])
    counts = np.histogram(rest, edges)[0] if rest.size else np.array([])
    heights = counts / (found.size * np.diff(edges)) if rest.size else counts
    curves = _curves(law) if law else ()
    sampled = tuple((x, float(mask.mean())) for x, mask in zip(places, at, strict=True))
    values = {s.name: e for s, e in study.drawn_at.items() if s in study.depends_on}
    return SpectrumPlot(
        study.text, values, n, seed, found, edges, heights, curves, law.ends if law else (), law.atoms if law else (),
        sampled, _top(law, curves, edges, heights), proved, reason,
    )


def _law(study: SpectrumStudy) -> tuple[NumericLaw | None, str | None, bool]:
    try:
        return study.numbers, None, study.certified
    except TpError as error:
        if error.diagnostics[0].code != "no-limit":
            raise
        return None, error.diagnostics[0].message, True


def _repeated(found: Real, near: float) -> list[float]:
    """Values that many eigenvalues share."""
    parts = np.split(found, np.flatnonzero(np.diff(found) > near) + 1)
    least = max(3, REPEATED * found.size)
    return [float(np.median(p)) for p in parts if p.size >= least and p[-1] - p[0] <= 2 * near]


def _bins(rest: Real, law: NumericLaw | None, bins: int | None, n: int) -> Real:
    """Bins of one width that begin at the lowest end of the support, several in the narrowest band."""
    low, high = float(rest.min()), float(rest.max())
    bands = law.support if law else ()
    start, stop = (bands[0][0], bands[-1][1]) if bands else (low, high)
    if stop <= start:
        start, stop = start - 0.5, start + 0.5
    count = bins or int(np.clip(2 * np.sqrt(n), 10, 60))
    width = (stop - start) / count
    if bins is None and len(bands) > 1:
        narrowest = min(b - a for a, b in bands)
        width = max(min(width, narrowest / 12), (stop - start) / MOST_BINS)
    rounding = 1e-9 * (stop - start)
    before = int(np.ceil(max(0.0, start - low - rounding) / width))
    after = int(np.ceil(max(0.0, high - start - rounding) / width))
    before, after = min(before, MOST_BINS), min(max(after, round((stop - start) / width)), 2 * MOST_BINS)
    made = start + width * np.arange(-before, after + 1, dtype=np.float64)
    if made[0] > low:
        made[0] = low
    made[-1] = max(made[-1], high)
    return made


def _curves(law: NumericLaw) -> tuple[tuple[Real, Real], ...]:
    """The density on each band, on a grid that is dense beside its ends."""
    t = np.linspace(0, 1, CURVE + 1)
    graded = t**GRADING / (t**GRADING + (1 - t) ** GRADING)
    grid = np.unique(np.concatenate([graded, t]))
    made = []
    for low, high in law.bands:
        x = low + (high - low) * grid
        x[-1] = high
        y = law.pdf(x)
        finite = np.isfinite(y)
        made.append((x[finite], y[finite]))
    return tuple(made)


def _top(law: NumericLaw | None, curves: Sequence[tuple[Real, Real]], edges: Real, heights: Real) -> float:
    """How high the figure is: all of a bounded density, and of one without bound what is not close to its poles."""
    bars = float(heights.max(initial=0.0))
    poles = [e.position for e in law.ends if e.diverges] if law else []
    if not poles:
        highest = max([bars, *(float(y.max(initial=0.0)) for _, y in curves)])
        return 1.1 * highest if highest > 0 else 1.0
    away = [0.0]
    whole = curves[-1][0][-1] - curves[0][0][0]
    for x, y in curves:
        far = np.all([np.abs(x - p) > BESIDE * whole for p in poles], axis=0)
        away.append(float(y[far].max(initial=0.0)))
    reference = max(away)
    return min(1.1 * max(bars, reference), HIGHEST * reference) if reference > 0 else 1.1 * max(bars, 1e-300)


__all__ = ["SpectrumPlot", "spectrum_plot"]
