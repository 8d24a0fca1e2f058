"""A simulation as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from math import floor, isfinite, log10

from tpsym.simulate.convergence import QuantityResult, SimulationResult
from tpsym.simulate.statistics import Estimate, Judgement, Rate

NARROW = 68
"""Below this many columns the interval is left out."""


def render(result: SimulationResult, *, columns: int = 80, k: float = 4.0) -> str:
    """The result at most ``columns`` (50 or more) wide: estimate, standard error, interval, z, rate, verdict.

    z is the residual from the limit after fitting the bias, see
    :func:`~tpsym.simulate.statistics.judge`; the verdict allows for all comparisons shown.
    """
    judgements = result.judge(k=k)
    parts = [_header(result, judgements, columns, k)]
    parts += [_quantity(q, judgements.get(q.name), columns) for q in result.quantities]
    return "\n\n".join(parts) + "\n"


def _header(result: SimulationResult, judgements: Mapping[str, Judgement], columns: int, k: float) -> str:
    widths = ", ".join(map(str, result.widths))
    text = f"{result.seeds} seeds at width {widths}; ± one standard error; 95 % intervals."
    for judgement in list(judgements.values())[:1]:
        text += (
            " z: distance from the limit in standard errors, a bias c/√n taken out; beyond "
            f"{judgement.critical:.2f} (that is {k:g}, allowing for all comparisons) they disagree."
        )
    if not result.complete:
        text += " INTERRUPTED: partial results, the largest widths have fewer seeds or none."
    return textwrap.fill(text, columns)


def _quantity(quantity: QuantityResult, judgement: Judgement | None, columns: int) -> str:
    kind = "" if quantity.kind == "mean" else f" ({quantity.kind} over seeds)"
    lines = textwrap.wrap(quantity.name + kind, columns, subsequent_indent="    ")
    heading = f"{'n':>8}  {'estimate':>24}"
    heading += f"  {'95 % interval':>25}" if columns >= NARROW else ""
    lines.append(heading + (f"  {'z':>7}" if judgement else ""))
    for index, estimate in enumerate(quantity.estimates):
        line = _row(estimate, columns)
        if judgement:
            z = judgement.z[index]
            line += f"  {z:>+7.2f}" + ("" if abs(z) <= judgement.critical else " !")
        lines.append(line)
    for note in _notes(quantity, judgement):
        lines += textwrap.wrap(note, columns, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _row(estimate: Estimate, columns: int) -> str:
    digits = _digits(estimate.standard_error, estimate.value)
    value, error = _number(estimate.value, digits), _number(estimate.standard_error, digits)
    line = f"{estimate.n:>8}  {value + ' ± ' + error:>24}"
    if columns >= NARROW:
        line += f"  {f'[{_number(estimate.low, digits)}, {_number(estimate.high, digits)}]':>25}"
    return line


def _digits(error: float, value: float) -> int | None:
    """Decimals that show two digits of the error; ``None`` where only scientific notation fits."""
    if not isfinite(error) or not isfinite(value):
        return 0
    digits = 1 - floor(log10(error)) if error > 0 else 6
    return max(0, digits) if digits <= 7 and abs(value) < 1e6 else None


def _number(value: float, digits: int | None) -> str:
    return f"{value:.3e}" if digits is None else f"{value:.{digits}f}"


def _notes(quantity: QuantityResult, judgement: Judgement | None) -> list[str]:
    notes = []
    if quantity.limit is not None:
        verdict = f": {_verdict(quantity, judgement)}" if judgement else ""
        notes.append(f"limit {quantity.limit:.10g}{verdict}")
    if quantity.rate is not None:
        notes.append(_rate(quantity.rate))
    return notes


def _verdict(quantity: QuantityResult, judgement: Judgement) -> str:
    said = "agrees" if judgement.agrees else "DISAGREES"
    if all(estimate.standard_error == 0 for estimate in quantity.estimates):
        return f"{said} (nothing random in it)"
    details = []
    if len(quantity.estimates) > 1:
        digits = _digits(judgement.bias_error, judgement.bias)
        details.append(f"c = {_number(judgement.bias, digits)} ± {_number(judgement.bias_error, digits)}")
    if judgement.agrees:
        details.append(f"an error of the limit below {judgement.resolution:.2g} would pass")
    return f"{said} ({'; '.join(details)})" if details else said


def _rate(rate: Rate) -> str:
    what = "distance from the limit" if rate.of == "error" else "spread over seeds"
    text = f"{what} ~ n^({rate.exponent:.2f} ± {rate.standard_error:.2f})"
    return text if rate.resolved else text + ", not resolved from noise"
