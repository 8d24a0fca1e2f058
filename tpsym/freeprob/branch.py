"""The value of the Cauchy transform, by continuation from infinity along paths on which no other root can be met.

Around a root g of Q(·, z) with slope τ write Q(g + τs + w, z + s) = Σ c_kj w^k s^j. If |c_10| r exceeds the sum of
all other |c_kj| r^k h^j, then by Rouché every z + s with |s| ≤ h has exactly one root in the disc |w| < r: it is the
continuation of g. Steps of this size carry the branch from where its moment series isolates it to any point of the
closed upper half plane that is no singular point, with proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from flint import acb, acb_poly, arb, ctx, fmpq, fmpz_poly
from sympy import Expr

from tpsym.freeprob.algebraic import real_roots
from tpsym.freeprob.curve import (
    Curve,
    CurveError,
    NotDecided,
    rational_moments,
    residual_is_zero,
    rows_of,
    singular_factors,
)

MOST_STEPS = 20_000


class BranchError(NotDecided):
    """The continuation came too close to a singular point for its precision."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """A curve without parameters: ``rows[i]`` is the coefficient of g^i.

    The ``singular`` polynomials vanish where sheets meet or go to infinity; the support lies in [-radius, radius].
    """

    rows: tuple[fmpz_poly, ...]
    singular: tuple[fmpz_poly, ...]
    radius: fmpq
    moments: Callable[[int], Sequence[fmpq]]


@dataclass(frozen=True, slots=True)
class Point:
    """A certified value: G(z) for every z in the ball ``z`` lies in the ball ``g``."""

    z: acb
    g: acb


@dataclass(frozen=True, slots=True)
class Disc:
    """For |s| ≤ reach, exactly one root of Q(·, z + s) lies within ``radius`` of ``centre`` + ``slope`` s."""

    centre: acb
    slope: acb
    radius: arb
    reach: arb


def sheets_of(curve: Curve) -> Sheets:
    """Raises ``NotDecided`` if there are parameters, ``CurveError`` if the moments do not satisfy the equation."""
    rows = rows_of(curve.polynomial, curve.g, curve.z)
    if not residual_is_zero(rows, rational_moments(curve.moments, 2 * len(rows) + 8)):
        raise CurveError("the moments do not satisfy the equation")
    factors = singular_factors(curve.polynomial, curve.g, (curve.z,))
    singular = tuple(univariate(f) for f in factors)
    points = real_roots(singular)
    bound = max((abs(p.ball(64)).upper() for p in points), key=float, default=arb(0))
    # G is analytic outside of the singular points, so the ends of the support are among them
    radius = fmpq(int((bound * 1024).ceil().unique_fmpz()), 1024)
    return Sheets(rows, singular, radius, cache(lambda k: rational_moments(curve.moments, k)))


def univariate(polynomial: object) -> fmpz_poly:
    """From a polynomial in (g, z) that does not contain g."""
    terms = {int(m[1]): int(c) for m, c in polynomial.to_dict().items()}  # type: ignore[attr-defined]
    return fmpz_poly([terms.get(j, 0) for j in range(max(terms) + 1)])


def taylor(sheets: Sheets, z: acb, g: acb) -> list[acb_poly]:
    """By powers of s the coefficients of Q(g + w, z + s), polynomials in w."""
    move_z, move_g = acb_poly([z, 1]), acb_poly([g, 1])
    moved = [acb_poly(row)(move_z).coeffs() for row in sheets.rows]
    width = max(len(m) for m in moved)
    return [acb_poly([m[j] if j < len(m) else 0 for m in moved])(move_g) for j in range(width)]


def sheared(table: Sequence[acb_poly], slope: acb) -> list[acb_poly]:
    """The table after w → w + slope · s, by p(w + slope s) = Σ (slope s)^m p^{(m)}(w) / m!."""
    degree = max(column.degree() for column in table)
    result = [acb_poly([0])] * (len(table) + degree)
    for j, column in enumerate(table):
        term = column
        for m in range(column.degree() + 1):
            result[j + m] += term
            term = term.derivative() * acb_poly([slope / (m + 1)])
    return result


def isolate(sheets: Sheets, z: acb, g: acb) -> Disc | None:
    """A disc around the midpoint of ``g`` with a single root, its reach as long as easily found."""
    centre = g.mid()
    table = taylor(sheets, z, centre)
    first = table[0][1].abs_lower()
    if not first > 0:
        return None
    slope = (-table[1][0] / table[0][1]).mid() if len(table) > 1 else acb(0)
    sizes = [[c.abs_upper() for c in column.coeffs()] for column in sheared(table, slope)]
    zero, higher = sizes[0][0] if sizes[0] else arb(0), sizes[0][2:]
    radius = widest(higher, first, abs(centre) + arb(2) ** -ctx.prec)
    slack = (first * radius - zero - radius**2 * horner(higher, radius)) * 15 / 16
    if not slack > 0:
        return None
    moving = [horner(column, radius).upper() for column in sizes[1:]]
    reach = arb.pos_inf()
    for j, c in enumerate(moving, start=1):
        if c > 0:
            reach = reach.min((slack / (4 * c)).root(j))
    while reach.is_finite() and reach * horner(moving, reach * 5 / 4) * 5 / 4 < slack:
        reach = (reach * 5 / 4).mid()
    return Disc(centre, slope, radius, reach.lower()) if reach * horner(moving, reach) < slack else None


def horner(coefficients: Sequence[arb], x: arb) -> arb:
    total = arb(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def widest(higher: Sequence[arb], first: arb, most: arb) -> arb:
    """A radius, at most ``most``, at which the terms of order ≥ 2 are about half of the linear one."""
    radius = most
    for k, c in enumerate(higher, start=1):
        if c > 0:
            radius = radius.min((first / (2 * c)).root(k))
    radius = radius.mid()
    while radius * horner(higher, radius) * 2 > first:
        radius = (radius * 3 / 4).mid()
    return radius


def polish(sheets: Sheets, z: acb, start: acb) -> acb | None:
    """Newton from ``start``, then a ball that certainly contains a root for every z in the ball ``z``."""
    poly = acb_poly([row(z.mid()) for row in sheets.rows])
    slope = poly.derivative()
    g = start.mid()
    last = None
    for _ in range(60):
        divisor = slope(g)
        if divisor.contains(0):
            return None
        change = (poly(g) / divisor).mid()
        g = (g - change).mid()
        size = abs(change)
        if size <= abs(g) * arb(2) ** (8 - ctx.prec) or (last is not None and size >= last and last < abs(g) * 1e-6):
            break
        last = size
    return enclose(sheets, z, g)


def enclose(sheets: Sheets, z: acb, g: acb) -> acb | None:
    """A small ball around g that contains exactly one root for every z in the ball ``z``."""
    local = acb_poly([row(z) for row in sheets.rows])(acb_poly([g, 1])).coeffs()
    first = local[1].abs_lower()
    if not first > 0:
        return None
    error = (2 * local[0].abs_upper() / first).upper()
    rest = sum((local[k].abs_upper() * error**k for k in range(2, len(local))), arb(0))
    if local[0].abs_upper() > 0 and not first * error > local[0].abs_upper() + rest:
        return None
    radius = float(error) if error < 1e300 else float("inf")
    spread = arb(0, radius * 1.0000001 + (5e-324 if error > 0 else 0.0))
    return acb(g.real + spread, g.imag + spread)


def far(sheets: Sheets) -> Point:
    """G at a point iY so high that its moment series, with |m_k| ≤ radius^k, isolates one root."""
    support = arb(sheets.radius)
    for count in (8, 16, 32, 64, 128):
        moments = sheets.moments(count)
        for power in (2, 4, 8, 16):
            z = acb(0, (support + 1).upper().mid() * 2**power)
            size = abs(z)
            tail = (support / size) ** (count + 1) / (size - support)
            total = acb(0)
            for m in reversed(moments):
                total = (total + acb(arb(m))) / z
            disc = isolate(sheets, z, total)
            if disc is None or not abs(total - disc.centre) + tail < disc.radius:
                continue
            g = polish(sheets, z, total)
            if g is not None and abs(g - disc.centre) < disc.radius:
                return Point(z, g)
    raise BranchError("the moment series does not isolate a root of the equation")


def follow(sheets: Sheets, start: Point, target: acb) -> Point:
    """Continue along the straight line to ``target``; raises ``BranchError`` if a singular point is too near."""
    here = start
    for _ in range(MOST_STEPS):
        disc = isolate(sheets, here.z, here.g)
        if disc is None or not abs(here.g - disc.centre) < disc.radius:
            raise BranchError("precision lost near a singular point")
        way = target - here.z
        distance = abs(way)
        arrives = bool(distance < disc.reach)
        if not arrives and disc.reach < distance * arb(2) ** (8 - ctx.prec):
            raise BranchError("a singular point is in the way")
        z = target if arrives else (here.z + way * (disc.reach.mid() * 255 / 256 / distance)).mid()
        ahead = disc.centre + disc.slope * (z - here.z)
        g = polish(sheets, z, ahead)
        if g is None or not abs(g - ahead) < disc.radius:
            raise BranchError("no root where one has to be: precision lost")
        here = Point(z, g)
        if arrives:
            return here
    raise BranchError("too many steps")


def same_root(sheets: Sheets, x: Point, y: Point) -> bool:
    """Whether two values at one z are one root of the equation (proved either way); raises ``BranchError``."""
    if not x.g.overlaps(y.g):
        return False
    disc = isolate(sheets, x.z, x.g)
    if disc is None or not (abs(x.g - disc.centre) < disc.radius and abs(y.g - disc.centre) < disc.radius):
        raise BranchError("two roots too close to compare")
    return True


def is_real(sheets: Sheets, point: Point) -> bool:
    """Whether G is real at a real z: a disc around a real centre with one root has a real root."""
    if not point.g.imag.contains(0):
        return False
    disc = isolate(sheets, point.z, acb(point.g.real))
    if disc is None or not abs(point.g - disc.centre) < disc.radius:
        raise BranchError("two conjugate roots too close to tell from one real one")
    return True


def cauchy(curve: Curve, z: acb | complex | Expr, *, digits: int = 15) -> acb:
    """G(z) in a ball with ``digits`` correct digits; at real z the limit from above, below the axis the conjugate.

    Raises ``BranchError`` at a singular point of the equation.
    """
    sheets = sheets_of(curve)
    bits = int(digits * 3.33) + 40
    while bits < 8 * digits + 600:
        with ctx.workprec(bits):
            point = exact_point(z)
            below = point.imag < 0
            try:
                g = follow(sheets, far(sheets), point.conjugate() if below else point).g
            except BranchError:
                if is_exact_root(sheets, z):
                    break
                bits *= 2
                continue
            if g.rel_accuracy_bits() > digits * 3.33:
                return g.conjugate() if below else g
        bits *= 2
    raise BranchError(f"{z} is a singular point of the equation")


def is_exact_root(sheets: Sheets, z: acb | complex | Expr) -> bool:
    """Whether a singular polynomial certainly vanishes at z."""
    if isinstance(z, Expr):
        return bool(z.is_Rational) and any(p(fmpq(int(z.p), int(z.q))) == 0 for p in sheets.singular)
    return any(acb_poly(p)(acb(z)) == 0 for p in sheets.singular)


def exact_point(z: acb | complex | Expr) -> acb:
    if isinstance(z, Expr):
        re, im = z.as_real_imag()
        return acb(expression_ball(re), expression_ball(im))
    return acb(z) if isinstance(z, acb) else acb(complex(z).real, complex(z).imag)


def expression_ball(value: Expr) -> arb:
    if value.is_Rational:
        return arb(fmpq(int(value.p), int(value.q)))
    digits = ctx.dps + 5
    number = arb(str(value.evalf(digits)))
    return number + arb(0, 1) * abs(number) * arb(10) ** (3 - digits)
