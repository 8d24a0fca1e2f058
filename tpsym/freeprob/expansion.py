"""The branch around a singular point: its ramification and its Puiseux series, by going around the point.

At a singular point a the branch returns to itself after q turns, so that it is a Laurent series in u = (z - a)^{1/q}.
The number of turns is proved (each step has one root within reach); the coefficients are Cauchy integrals over a small
circle, with geometric convergence.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import acb, arb, ctx

from tpsym.freeprob.algebraic import Algebraic, separation
from tpsym.freeprob.branch import BranchError, Point, Sheets, far, follow, same_root

PER_TURN = 16
SHRINK = 10
BITS = 320
LEVELS = (1, 2, 4)
GAP = 24


@dataclass(frozen=True, slots=True)
class Expansion:
    """G(a + s) = Σ_n coefficients[n + q] s^{n/q}, n from -q on, with s^{1/q} > 0 to the right, from above.

    ``scales[n + q]`` is |s|^{n/q} at the circle of integration, where the sum was known to ``error``.
    """

    turns: int
    coefficients: tuple[acb, ...]
    scales: tuple[arb, ...]
    error: arb

    def vanishes(self, part: arb, n: int) -> bool:
        """Whether a coefficient of order n is zero; raises ``BranchError`` when this precision does not tell."""
        size = (abs(part) * self.scales[n + self.turns]).upper()
        if size < self.error:
            return True
        if size < self.error * 2**GAP:
            raise BranchError("a coefficient of the expansion is too small to tell from zero")
        return False

    def side(self, right: bool) -> tuple[Fraction, arb] | None:
        """Exponent e and constant c of the density c |s|^e on one side; None where all known terms are real."""
        for index, coefficient in enumerate(self.coefficients):
            n = index - self.turns
            turned = coefficient if right else coefficient * (acb(arb(n) / self.turns)).exp_pi_i()
            if not self.vanishes(turned.imag, n):
                return Fraction(n, self.turns), -turned.imag / arb.pi()
        return None

    @property
    def mass(self) -> arb | None:
        """The residue, if not zero."""
        residue = self.coefficients[0].real
        return None if self.vanishes(residue, -self.turns) else residue


def expand_at(sheets: Sheets, at: Algebraic) -> Expansion:
    """The expansion of the branch at a singular point on the real line, approached from above."""
    failure: BranchError | None = None
    for level in LEVELS:
        try:
            with ctx.workprec(BITS * level):
                return around(sheets, at, SHRINK * level)
        except BranchError as problem:
            failure = problem
    raise failure or BranchError("no expansion")


def around(sheets: Sheets, at: Algebraic, shrink: int) -> Expansion:
    centre = acb(at.ball(2 * ctx.prec))
    room = separation(sheets.singular, at).min(arb(1) + abs(centre.real)).mid()
    rho = room * arb(2) ** -shrink
    start = follow(sheets, far(sheets), centre + rho)
    values, here = [start.g], start
    for turns in range(1, len(sheets.rows)):
        for step in range(1, PER_TURN + 1):
            target = centre + acb(rho) * acb(arb(2 * step) / PER_TURN).exp_pi_i()
            here = follow(sheets, here, target)
            values.append(here.g)
        if same_root(sheets, Point(start.z, here.g), start):
            return fourier(values[:-1], turns, rho, shrink)
    raise BranchError("the branch does not return to itself")


def fourier(values: list[acb], turns: int, rho: arb, shrink: int) -> Expansion:
    """Coefficients of order -q … (PER_TURN/2 - 1) q.

    The sum for order n also contains orders n + q PER_TURN k; each turn of u is smaller there by 2^-shrink.
    """
    count = len(values)
    coefficients, scales = [], []
    for n in range(-turns, (PER_TURN // 2 - 1) * turns):
        total = sum(
            (g * acb(arb(-2 * n * m) / count).exp_pi_i() for m, g in enumerate(values)), acb(0)
        )
        scale = rho ** (arb(n) / turns)
        coefficients.append(total / (count * scale))
        scales.append(scale)
    largest = values[0].abs_upper()
    for g in values:
        largest = largest.max(g.abs_upper())
    error = largest * arb(2) ** (GAP - shrink * (PER_TURN - 1))
    return Expansion(turns, tuple(coefficients), tuple(scales), error)
