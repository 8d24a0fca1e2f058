r"""Means with negative powers of quadratic forms, as in batch normalisation, with proven errors.

(Q+ε)^{−a} = 1/Γ(a) ∫₀^∞ s^{a−1} e^{−s(Q+ε)} ds, and e^{−sQ} only rescales the covariance: with Q = q'Nq and
q of covariance K, E[f e^{−sQ}] = det(I + 2sKN)^{−1/2} E_s[f], where q has covariance (K^{−1} + 2sN)^{−1}.
In y = log s the integral over s is a sum over points at equal distances h. For |Im y| < d < π/2 the real part
of s is at least |s| cos d; so by Poisson's summation formula the relative error against E[|f| Q^{−a}] is at
most 2 (cos d)^{−a}/(e^{2πd/h} − 1). The parts of the sum that are left out are bounded by moments
E[|f| ∏ Q^{−e}] (:mod:`tpsym.gauss.quotient_bounds`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from flint import arb, arb_mat

from tpsym.gauss.balls import Ball
from tpsym.gauss.members import Members, Switch, mean
from tpsym.gauss.quadrature import NotRigorousError, OutOfTimeError
from tpsym.gauss.quotient_bounds import Moments, Power

MOST_POINTS = 60_000


@dataclass(frozen=True)
class Tilted:
    """∏ forms · ∏ switches · ∏ (Q_i + ε_i)^{−a_i} over the basis q = the range of all Q_i.

    ``inside[m]`` are the coefficients on q of member m's conditional mean; ``residual`` is the covariance
    of what is left of the members.
    """

    members: Members
    forms: tuple[int, ...]
    switches: tuple[Switch, ...]
    powers: tuple[Power, ...]
    precision: Any
    determinant: Ball
    inside: Any
    residual: Sequence[Sequence[Ball]]

    def at(self, s: Sequence[Ball], deadline: float | None) -> Ball:
        """E[f e^{−Σ s_i (Q_i + ε_i)}]."""
        total, damping = self.precision, arb(0)
        for x, power in zip(s, self.powers, strict=True):
            total = total + power.matrix * (2 * x)
            damping += x * power.constant
        size = len(self.residual)
        inner = self.inside * inverse_of(total) * self.inside.transpose()
        rows = [[self.residual[i][j] + inner[i, j] for j in range(size)] for i in range(size)]
        scale = 1 / (self.determinant * total.det()).sqrt()
        law = self.members.with_covariance(rows)
        return scale * (-damping).exp() * mean(law, self.forms, self.switches, deadline=deadline)


def quotient_mean(term: Tilted, moments: Moments, goal: float, *, deadline: float | None = None) -> Ball:
    """The mean of the term with an error of about ``goal``."""
    rules = [Rule.of(moments, i, goal) for i in range(len(term.powers))]
    if math.prod(len(list(r.points())) for r in rules) > MOST_POINTS:
        raise NotRigorousError("an integral that would take too many points")
    total = arb(0)
    for nodes in product(*(r.points() for r in rules)):
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError()
        weight = arb(1)
        for _, w in nodes:
            weight = weight * w
        total += weight * term.at([s for s, _ in nodes], deadline)
    for p in term.powers:
        total = total / p.exponent.gamma()
    return total + arb(0, truncation(rules, moments).upper())


def truncation(rules: Sequence[Rule], moments: Moments) -> Ball:
    """The error of all sums together: of their steps, and of where they begin and end."""
    slack, error = arb(1), arb(0)
    for r in rules:
        slack = slack * (1 + r.aliasing)
    error = (slack - 1) * moments.bound(tuple(r.power for r in rules))
    for i, r in enumerate(rules):
        # sums over the other directions are at most (1 + aliasing) times the integrals
        error += slack * (r.after(moments, i, r.last) + r.before(moments, i, r.first))
    if len(rules) == 2:
        first, second = rules
        both = first.beginning(first.first) * second.beginning(second.first)
        error += both * moments.bound((arb(-1), arb(-1)))
        both = first.beginning(first.first) * second.ending(second.last)
        error += both * moments.bound((arb(-1), second.power + second.decay))
    return error


@dataclass(frozen=True)
class Rule:
    """s = e^{hk}, first ≤ k ≤ last, and s = 0 for all that lies before."""

    power: Ball
    step: float
    first: int
    last: int
    decay: Ball
    aliasing: Ball

    @classmethod
    def of(cls, moments: Moments, index: int, goal: float) -> Rule:
        """As few points as keep each error below the goal."""
        a = moments.powers[index].exponent
        size = moments.bound(tuple(p.exponent for p in moments.powers))
        if not size.is_finite():
            raise NotRigorousError("a quotient whose mean may not exist")
        step, aliasing = spacing(a, goal / max(1.0, float(size.upper())))
        best: Rule | None = None
        for decay in moments.decays(index):
            rule = cls(a, step, 0, 0, decay, aliasing)
            last = next((k for k in range(-400, 4000, 2) if rule.after(moments, index, k) < goal), None)
            first = next((k for k in range(400, -4000, -2) if rule.before(moments, index, k) < goal), None)
            if last is None or first is None or first >= last:
                continue
            rule = cls(a, step, first, last, decay, aliasing)
            best = rule if best is None or rule.last < best.last else best
        if best is None:
            raise NotRigorousError("an integral that converges too slowly")
        return best

    def points(self) -> Iterator[tuple[Ball, Ball]]:
        """Points and weights; the one at 0 stands for the geometric series before the first."""
        h = arb(self.step)
        yield arb(0), h * (self.power * h * (self.first - 1)).exp() / (1 - (-self.power * h).exp())
        for k in range(self.first, self.last + 1):
            yield (h * k).exp(), h * (self.power * h * k).exp()

    def after(self, moments: Moments, index: int, last: int) -> Ball:
        """The sum beyond the last point."""
        return self.ending(last) * moments.bound(moments.exponents(index, self.power + self.decay))

    def ending(self, last: int) -> Ball:
        """By s^a e^{−sQ} ≤ s^{−c} Q^{−a−c} sup x^{a+c} e^{−x}, the factor of Q^{−a−c}."""
        h, c, e = arb(self.step), self.decay, self.power + self.decay
        series = h * (-c * h * (last + 1)).exp() / (1 - (-c * h).exp())
        return series * (e * (e.log() - 1)).exp() / self.power.gamma()

    def before(self, moments: Moments, index: int, first: int) -> Ball:
        """What the point at 0 misses."""
        return self.beginning(first) * moments.bound(moments.exponents(index, arb(-1)))

    def beginning(self, first: int) -> Ball:
        """By 1 − e^{−s(Q+ε)} ≤ s(Q+ε), the factor of Q + ε."""
        h, e = arb(self.step), self.power + 1
        return h * (e * h * (first - 1)).exp() / (1 - (-e * h).exp()) / self.power.gamma()


def spacing(a: Ball, goal: float) -> tuple[float, Ball]:
    """The largest step whose relative error is proved to be below the goal, and that error."""
    best = 0.0
    for d in (0.8, 1.0, 1.1, 1.2, 1.3, 1.4, 1.45, 1.5):
        factor = 2 * math.cos(d) ** -float(a.mid())
        best = max(best, 2 * math.pi * d / math.log1p(factor / goal))
    step = math.floor(best * 2**20) / 2**20
    errors = []
    for d in (0.8, 1.0, 1.1, 1.2, 1.3, 1.4, 1.45, 1.5):
        cosine = arb(d).cos()
        errors.append((2 * (-a * cosine.log()).exp() / (2 * arb.pi() * d / step).expm1()).upper())
    return step, min(errors)


def inverse_of(matrix: arb_mat) -> arb_mat:
    try:
        return matrix.inv()
    except ZeroDivisionError as error:
        raise NotRigorousError("a covariance that may be singular") from error
