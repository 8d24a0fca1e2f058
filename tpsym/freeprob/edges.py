"""The support of the absolutely continuous part, its edges with their exponents, and the atoms between."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from flint import acb, arb, ctx
from sympy import Expr

from tpsym.freeprob.algebraic import Algebraic, rational_between, real_roots
from tpsym.freeprob.branch import BranchError, Sheets, far, follow, is_real, sheets_of
from tpsym.freeprob.curve import Curve, CurveError
from tpsym.freeprob.expansion import Expansion, expand_at


@dataclass(frozen=True, slots=True)
class Edge:
    """A real point where the law is not analytic; the density is about constant · |x - position|^exponent beside it.

    The exponent is None on a side without density. ``turns`` sheets meet at the point.
    """

    position: Algebraic
    turns: int
    left: Fraction | None
    right: Fraction | None
    left_constant: float
    right_constant: float
    expansion: Expansion

    @property
    def expr(self) -> Expr:
        return self.position.expr

    @property
    def is_inner(self) -> bool:
        """Density on both sides: a cusp, a divergence, or a point where only its formula changes."""
        return self.left is not None and self.right is not None


@dataclass(frozen=True, slots=True)
class Structure:
    """Singular ``points`` of the law, increasing; ``bands`` are the i with a density between points i and i + 1."""

    sheets: Sheets
    points: tuple[Edge, ...]
    bands: tuple[int, ...]

    @property
    def support(self) -> tuple[tuple[Algebraic, Algebraic], ...]:
        """Maximal closed intervals that carry the density; intervals that touch are one."""
        merged: list[tuple[Algebraic, Algebraic]] = []
        for i in self.bands:
            low, high = self.points[i].position, self.points[i + 1].position
            if merged and merged[-1][1] == low:
                low = merged.pop()[0]
            merged.append((low, high))
        return tuple(merged)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Ends of the support and inner points where the density is not analytic."""
        return tuple(p for p in self.points if (p.left, p.right) != (None, None) and not (p.is_inner and p.turns == 1))

    @property
    def atoms(self) -> tuple[Edge, ...]:
        return tuple(p for p in self.points if p.expansion.mass is not None)


def structure(curve: Curve) -> Structure:
    """Raises ``NotDecided`` if there are parameters left."""
    return structure_of(sheets_of(curve))


def structure_of(sheets: Sheets) -> Structure:
    positions = real_roots(sheets.singular)
    carried = [has_density(sheets, a, b) for a, b in pairwise(positions)]
    beside = [False, *carried, False]
    poles = set(real_roots([sheets.rows[-1]]))
    points: list[Edge] = []
    bands: list[int] = []
    for i, position in enumerate(positions):
        if not (beside[i] or beside[i + 1] or position in poles):
            continue
        found = edge(sheets, position, beside[i], beside[i + 1])
        if beside[i]:
            bands.append(len(points) - 1)
        if beside[i] or beside[i + 1] or found.expansion.mass is not None:
            points.append(found)
    return Structure(sheets, tuple(points), tuple(bands))


def has_density(sheets: Sheets, low: Algebraic, high: Algebraic) -> bool:
    """Between neighbouring singular points Im G is nowhere or everywhere zero; a sample tells which."""
    bits = 128
    while True:
        try:
            with ctx.workprec(bits):
                sample = rational_between(low.ball(bits), high.ball(bits))
                point = follow(sheets, far(sheets), acb(arb(sample)))
                real = is_real(sheets, point)
                if not real and point.g.imag > 0:
                    raise CurveError("the branch found is the transform of no positive measure")
                return not real
        except BranchError:
            bits *= 2
            if bits > 2048:
                raise


def edge(sheets: Sheets, position: Algebraic, on_left: bool, on_right: bool) -> Edge:
    expansion = expand_at(sheets, position)
    with ctx.workprec(320):
        sides = []
        for right, present in ((False, on_left), (True, on_right)):
            found = expansion.side(right) if present else None
            if present and found is None:
                raise BranchError("the density vanishes to a higher order than expansions go")
            sides.append(found)
    (left, left_constant), (right_exponent, right_constant) = (
        (s[0], float(s[1].mid())) if s is not None else (None, 0.0) for s in sides
    )
    return Edge(position, expansion.turns, left, right_exponent, left_constant, right_constant, expansion)


def support(curve: Curve) -> tuple[tuple[Expr, Expr], ...]:
    """Exact end points of the intervals that carry the absolutely continuous part."""
    return tuple((low.expr, high.expr) for low, high in structure(curve).support)
