r"""Upper bounds for E[|f| ∏ Q_i^{−e_i}], f a product of affine forms and bounded factors.

They only ever multiply what is small, so they may be crude. A form in the range of Q has u² ≤ κQ and lowers
the exponent by 1/2; other forms go by Hölder's inequality; Q ≥ λ|ξ|² with ξ standard in the rank r of Q
gives E Q^{−b} ≤ λ^{−b} E|ξ|^{−2b}, finite for r > 2b.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb

from tpsym.gauss.balls import Ball

INFINITE: Ball = arb("inf")


@dataclass(frozen=True)
class Power:
    """(Q + constant)^(−exponent), Q = q' matrix q of this rank; ``smallest``, ``trace`` of its eigenvalues."""

    exponent: Ball
    constant: Ball
    matrix: Any
    rank: int
    smallest: Ball
    trace: Ball


@dataclass(frozen=True)
class FormBound:
    """|form| ≤ √(κ_i Q_i) for the i in ``inside``; its mean and standard deviation."""

    inside: Mapping[int, Ball]
    mean: Ball
    deviation: Ball


@dataclass(frozen=True)
class Moments:
    """``factor`` bounds what is bounded; ``joint[i]`` is λ for Q_i given the other forms, if that makes sense."""

    factor: Ball
    forms: Sequence[FormBound]
    powers: Sequence[Power]
    joint: Sequence[Ball] | None

    def exponents(self, index: int, value: Ball) -> tuple[Ball, ...]:
        return tuple(value if i == index else p.exponent for i, p in enumerate(self.powers))

    def decays(self, index: int) -> Iterator[Ball]:
        """Rates at which the integral may be taken to fall off."""
        power = self.powers[index]
        if power.constant > 0:
            yield arb(6)
            return
        inside = sum(1 for f in self.forms if index in f.inside)
        most = arb(power.rank) / 2 - power.exponent + arb(inside) / 2
        if not most > 0:
            return
        for share in (0.5, 0.7, 0.85, 0.95):
            yield most * share

    def bound(self, exponents: Sequence[Ball]) -> Ball:
        """E[|f| ∏ (Q_i + ε_i)^{−e_i}], infinite if that is not known to exist. e = −1 is the only negative one."""
        left = list(exponents)
        total, others = self.factor, []
        for form in self.forms:
            index = next((i for i in form.inside if left[i] >= 0.5), None)
            if index is None:
                others.append(form)
                continue
            left[index] = left[index] - arb(1) / 2
            total = total * form.inside[index].sqrt()
        for i, p in enumerate(self.powers):
            most = arb(p.rank) * 3 / 8
            if p.constant > 0 and left[i] > most:
                total = total * (-(left[i] - most) * p.constant.log()).exp()
                left[i] = most
        grown = [i for i, e in enumerate(left) if e < 0]
        falling = [i for i, e in enumerate(left) if not e <= 0]
        return (total * self._holder(falling, left, others, grown)).upper()

    def _holder(self, falling: list[int], left: list[Ball], others: list[FormBound], grown: list[int]) -> Ball:
        count = len(others) + len(grown)
        share = arb(1)
        if count and falling:
            room = [arb(self.powers[i].rank) / (2 * left[i]) for i in falling]
            smallest = min((r.lower() for r in room), key=float)
            share = ((1 + smallest) / 2).min(arb(2)).lower()
            if not share > 1:
                return INFINITE
        total = (self.negative(falling, [left[i] * share for i in falling]).log() / share).exp() if falling else arb(1)
        dual = share / (share - 1) * count if falling and count else arb(max(count, 1))
        for form in others:
            total = total * (abs(form.mean) + form.deviation * absolute_moment(dual))
        for i in grown:
            square = absolute_moment(2 * dual) ** 2
            total = total * (self.powers[i].trace * square + self.powers[i].constant)
        return total

    def negative(self, which: list[int], exponents: list[Ball]) -> Ball:
        """E ∏ Q_i^{−b_i}, b_i > 0."""
        if len(which) == 1:
            return negative_moment(self.powers[which[0]], exponents[0], self.powers[which[0]].smallest)
        if self.joint is not None:
            # given the others Q_i is a shifted form, and Q^{−b} has its largest mean without the shift (Anderson)
            total = arb(1)
            for i, b in zip(which, exponents, strict=True):
                total = total * negative_moment(self.powers[i], b, self.joint[i])
            return total
        total = arb(1)
        for i, b in zip(which, exponents, strict=True):
            power = negative_moment(self.powers[i], b * len(which), self.powers[i].smallest)
            total = total * (power.log() / len(which)).exp()
        return total


def negative_moment(power: Power, b: Ball, smallest: Ball) -> Ball:
    """λ^{−b} E|ξ|^{−2b} = (2λ)^{−b} Γ(r/2 − b)/Γ(r/2)."""
    half = arb(power.rank) / 2
    if not half - b > 0 or not smallest > 0:
        return INFINITE
    return (-b * (2 * smallest).log()).exp() * (half - b).gamma() / half.gamma()


def absolute_moment(x: Ball) -> Ball:
    """(E|ξ|^x)^{1/x} for a standard ξ."""
    value = (x / 2 * arb(2).log()).exp() * ((x + 1) / 2).gamma() / arb.pi().sqrt()
    return (value.log() / x).exp()
