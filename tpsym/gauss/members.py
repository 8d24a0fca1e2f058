r"""Means of products of affine forms and gates with balls: Stein's rule, then conditioning.

E[u ∏ rest] = E u · E ∏ rest + Σ cov(u, w) E[∂_w ∏ rest]; the derivative of a gate is a point mass, which
conditions on its form. What is a function of what is decided on exact coefficients, never on balls, so that
coinciding and constant forms are limits and not divisions by what may be zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp
from flint import arb, fmpq

from tpsym.gauss.balls import Ball
from tpsym.gauss.gates import Gate, gates_mean

Exact = tuple[fmpq, ...]
"""Coefficients of the variables, then the constant."""


@dataclass(frozen=True)
class Switch:
    """low + jump·step(member + noise)."""

    member: int
    low: Ball
    jump: Ball
    noise: Ball


@dataclass(frozen=True)
class Members:
    """Affine forms in Gaussian variables: their means, covariances, and exact coefficients where they have them."""

    means: tuple[Ball, ...]
    covariance: tuple[tuple[Ball, ...], ...]
    exact: tuple[Exact | None, ...]

    def with_covariance(self, rows: Sequence[Sequence[Ball]]) -> Members:
        """The same forms under another law of the variables."""
        return replace(self, covariance=tuple(map(tuple, rows))).constants_fixed()

    def constants_fixed(self) -> Members:
        """What does not vary by its coefficients has variance 0 and its constant as mean."""
        fixed = {i for i, e in enumerate(self.exact) if e is not None and not any(e[:-1])}
        if not fixed:
            return self
        means = tuple(as_ball(self.exact[i][-1]) if i in fixed else m for i, m in enumerate(self.means))  # type: ignore[index]
        zero = arb(0)
        rows = tuple(
            tuple(zero if i in fixed or j in fixed else c for j, c in enumerate(row))
            for i, row in enumerate(self.covariance)
        )
        return Members(means, rows, self.exact)

    def given(self, switch: Switch) -> Members:
        """The law given that the switch is at its threshold."""
        g = switch.member
        row = self.covariance[g]
        slope = [c / (row[g] + switch.noise) for c in row]
        rows = tuple(
            tuple(c - k * row[j] for j, c in enumerate(line)) for line, k in zip(self.covariance, slope, strict=True)
        )
        means = tuple(m - k * self.means[g] for m, k in zip(self.means, slope, strict=True))
        if switch.noise > 0:
            return Members(means, rows, self.exact).constants_fixed()
        zero = arb(0)
        rows = tuple(tuple(zero if g in (i, j) else c for j, c in enumerate(line)) for i, line in enumerate(rows))
        means = tuple(zero if i == g else m for i, m in enumerate(means))
        return Members(means, rows, tuple(eliminated(e, self.exact[g]) for e in self.exact)).constants_fixed()


def as_ball(x: fmpq) -> Ball:
    return arb(x.p) / arb(x.q)


def eliminated(form: Exact | None, zero: Exact | None) -> Exact | None:
    """The form where another one vanishes, without that one's first variable."""
    if form is None or zero is None:
        return None
    pivot = next((i for i, c in enumerate(zero[:-1]) if c), None)
    if pivot is None or not form[pivot]:
        return form
    ratio = form[pivot] / zero[pivot]
    return tuple(a - ratio * b for a, b in zip(form, zero, strict=True))


def exact_number(expr: sp.Expr) -> fmpq | None:
    return fmpq(int(expr.p), int(expr.q)) if isinstance(expr, sp.Rational) else None


def mean(
    law: Members,
    forms: tuple[int, ...],
    switches: tuple[Switch, ...],
    *,
    deadline: float | None = None,
    conditioned: bool = False,
) -> Ball:
    """E ∏ forms · ∏ switches; after ``conditioned``, step(0) counts 1/2."""
    factor, switches = simplified(law, switches, conditioned)
    if factor.is_zero():
        return factor
    if not forms:
        return factor * switches_mean(law, switches, deadline)
    first, rest = forms[0], forms[1:]
    total = arb(0)
    if not law.means[first].is_zero():
        total = law.means[first] * mean(law, rest, switches, deadline=deadline, conditioned=conditioned)
    row = law.covariance[first]
    for n, other in enumerate(rest):
        if not row[other].is_zero():
            fewer = rest[:n] + rest[n + 1 :]
            total += row[other] * mean(law, fewer, switches, deadline=deadline, conditioned=conditioned)
    for n, switch in enumerate(switches):
        if row[switch.member].is_zero():
            continue
        fewer_switches = switches[:n] + switches[n + 1 :]
        inner = mean(law.given(switch), rest, fewer_switches, deadline=deadline, conditioned=True)
        total += row[switch.member] * switch.jump * density(law, switch) * inner
    return factor * total


def density(law: Members, switch: Switch) -> Ball:
    """The density of the switch's argument at 0."""
    variance = law.covariance[switch.member][switch.member] + switch.noise
    at = law.means[switch.member]
    norm = 1 / (2 * arb.pi() * variance).sqrt()
    return norm if at.is_zero() else norm * (-at * at / (2 * variance)).exp()


def simplified(law: Members, switches: tuple[Switch, ...], conditioned: bool) -> tuple[Ball, tuple[Switch, ...]]:
    """Constant switches as a factor; switches that turn at the same place as one."""
    factor = arb(1)
    kept: list[Switch] = []
    for switch in switches:
        variance = law.covariance[switch.member][switch.member]
        if variance.is_zero() and switch.noise.is_zero():
            factor = factor * (switch.low + switch.jump * constant_step(law.means[switch.member], conditioned))
            continue
        for n, other in enumerate(kept):
            sign = coincide(law, switch, other)
            if sign:
                kept[n] = joined(other, switch, sign)
                break
        else:
            kept.append(switch)
    return factor, tuple(kept)


def constant_step(at: Ball, conditioned: bool) -> Ball:
    if at.is_zero():
        return arb(1) / 2 if conditioned else arb(0)
    if at > 0 or at < 0:
        return arb(int(at > 0))
    return arb(0).union(arb(1))


def coincide(law: Members, a: Switch, b: Switch) -> int:
    """±1 if the form of a is a positive or negative multiple of that of b, else 0."""
    x, y = law.exact[a.member], law.exact[b.member]
    if not a.noise.is_zero() or not b.noise.is_zero():
        return 0
    if x is None or y is None:
        return int(a.member == b.member)
    pivot = next(i for i, c in enumerate(y) if c)
    if any(p * y[pivot] != q * x[pivot] for p, q in zip(x, y, strict=True)):
        return 0
    return 1 if x[pivot] / y[pivot] > 0 else -1


def joined(a: Switch, b: Switch, sign: int) -> Switch:
    """The product of two switches of one form; for the opposite form step(−x) = 1 − step(x)."""
    low, high = (b.low, b.low + b.jump) if sign > 0 else (b.low + b.jump, b.low)
    return replace(a, low=a.low * low, jump=(a.low + a.jump) * high - a.low * low)


def switches_mean(law: Members, switches: tuple[Switch, ...], deadline: float | None) -> Ball:
    scale = [1 / (law.covariance[s.member][s.member] + s.noise).sqrt() for s in switches]
    gates = []
    for s, k in zip(switches, scale, strict=True):
        at = law.means[s.member]
        gates.append(Gate(s.low, s.jump, at if at.is_zero() else at * k))
    rows = [
        [arb(1) if i == j else law.covariance[a.member][b.member] * scale[i] * scale[j] for j, b in enumerate(switches)]
        for i, a in enumerate(switches)
    ]
    return gates_mean(gates, rows, deadline=deadline)
