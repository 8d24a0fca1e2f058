"""Equations guessed from moments (Hermite and Padé), and the degree bound that can prove them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from flint import fmpq, fmpq_mat, fmpq_poly, nmod_mat, nmod_poly
from sympy import Expr, Integer, Rational

from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.system import PRIME, H, System, T

SURPLUS = 20
MOST_UNKNOWNS = 80
MOST_DEGREE = 39
MOST_TO_PROVE = 1500
"""Coefficients of the series that are computed to prove a guess."""


def guessed(moments: Moments, system: System, reason: Unavailable) -> tuple[Expr, bool, str]:
    """A polynomial in h and t, whether it is proved, and how it was found.

    It is proved where the degree of the system bounds that of the curve so that enough coefficients could be
    compared: by Bézout the curve has at most degree D, the product of those of the equations, and a polynomial of
    degree q that does not vanish on it meets it at t = 0 at most D q times.

    Raises:
        Unavailable: no equation of moderate size has the moments, or they have parameters (``reason`` is told then).
    """
    if system.residues:
        raise Unavailable(f"{reason.reason}; an equation can be guessed where parameters have values")
    modular = _powers(nmod_poly([int(c) for c in system.unknowns[H](MOST_UNKNOWNS + SURPLUS)], PRIME))
    for degree, height in _shapes():
        count = (degree + 1) * (height + 1)
        rows = _rows(modular, degree, height, count + SURPLUS)
        if nmod_mat(count + SURPLUS, count, rows, PRIME).rank() == count:
            continue
        series = _exact(moments, count + SURPLUS)
        found = _solution(series, degree, height)
        if found is not None:
            polynomial = sum((Rational(int(c.p), int(c.q)) * H**i * T**j for (i, j), c in found.items()), Integer(0))
            proved = _proved(moments, system, found)
            how = "the degree of its system" if proved else f"{count + SURPLUS} moments"
            return polynomial, proved, f"guessed and compared by {how}"
    raise Unavailable(f"{reason.reason}, and no equation with up to {MOST_UNKNOWNS} coefficients has these moments")


def _shapes() -> Iterator[tuple[int, int]]:
    """Degrees in h and t, fewest coefficients first."""
    pairs = [(d, e) for d in range(1, MOST_DEGREE + 1) for e in range(1, MOST_UNKNOWNS // (d + 1))]
    yield from sorted(pairs, key=lambda p: ((p[0] + 1) * (p[1] + 1), p[0]))


def _powers(series: nmod_poly) -> list[list[int]]:
    """The coefficients of h^0, h^1, …, modulo the prime."""
    length = MOST_UNKNOWNS + SURPLUS
    found, power = [], nmod_poly([1], PRIME)
    for _ in range(MOST_DEGREE + 1):
        found.append([int(power[k]) for k in range(length)])
        power = power.mul_low(series, length)
    return found


def _rows(powers: list[list[int]], degree: int, height: int, order: int) -> list[int]:
    """Row by row the coefficients of t^k in h^i t^j."""
    columns = [[0] * j + p[: order - j] for p in powers[: degree + 1] for j in range(height + 1)]
    return [column[k] for k in range(order) for column in columns]


def _exact(moments: Moments, order: int) -> fmpq_poly:
    return fmpq_poly([fmpq(int(m.p), int(m.q)) for m in moments.inner(order - 1)])


def _solution(series: fmpq_poly, degree: int, height: int) -> dict[tuple[int, int], fmpq] | None:
    """The one relation between h^i t^j, exactly; ``None`` where there is none."""
    count = (degree + 1) * (height + 1)
    order = count + SURPLUS
    powers = [fmpq_poly([1])]
    for _ in range(degree):
        powers.append(powers[-1].mul_low(series, order))
    places = [(i, j) for i in range(degree + 1) for j in range(height + 1)]
    entries = [powers[i][k - j] if k >= j else fmpq(0) for k in range(order) for i, j in places]
    reduced, rank = fmpq_mat(order, count, entries).rref()
    if rank == count:
        return None
    pivots = [next(j for j in range(count) if reduced[r, j] != 0) for r in range(rank)]
    free = next(j for j in range(count) if j not in pivots)
    found = {places[free]: fmpq(1)}
    found.update({places[p]: -reduced[r, free] for r, p in enumerate(pivots) if reduced[r, free] != 0})
    return found


def _proved(moments: Moments, system: System, found: dict[tuple[int, int], fmpq]) -> bool:
    bound = prod(int(p.total_degree()) for p in system.polynomials) * max(i + j for i, j in found)
    if bound >= MOST_TO_PROVE:
        return False
    order = bound + 1
    series, total, power = _exact(moments, order), fmpq_poly([]), fmpq_poly([1])
    for i in range(max(i for i, _ in found) + 1):
        row = fmpq_poly([found.get((i, j), fmpq(0)) for j in range(max(j for _, j in found) + 1)])
        total = total + power.mul_low(row, order)
        power = power.mul_low(series, order)
    return all(c == 0 for c in total.coeffs()[:order])



