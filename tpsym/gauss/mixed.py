"""Means of sums of products of affine forms, gates and quotients, with proven errors, in any number of variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp
from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

from tpsym.gauss.balls import Ball
from tpsym.gauss.factored import Affine, Product, Quadratic, factored
from tpsym.gauss.members import Exact, Members, Switch, as_ball, exact_number, mean
from tpsym.gauss.quadrature import Law, NotRigorousError
from tpsym.gauss.quotient_bounds import FormBound, Moments, Power
from tpsym.gauss.quotients import Tilted, inverse_of, quotient_mean

Value = Callable[[sp.Expr], Ball]
QUOTIENT_BITS = (0, 64, 30)
"""Accuracy asked of means with so many quotients."""


def mixed_mean(body: sp.Expr, law: Law, value: Value, *, deadline: float | None = None) -> Ball:
    """E[body] as a ball; raises :class:`NotRigorousError` if it is not of this kind."""
    body, law = without_dependent(body, law)
    total = arb(0)
    for term in factored(body, law.variables):
        # under a strong damping small variances are differences of large numbers
        bits = ctx.prec if term.quotients else 0
        with ctx.workprec(ctx.prec + bits):
            part = Setting(term, law, exactly(value), deadline, ctx.prec - bits).mean()
        total += part
    if not total.is_finite():
        raise NotRigorousError("no finite enclosure")
    return total


def exactly(value: Value) -> Value:
    """The value; a rational number to the precision that is asked for now."""

    def of(expr: sp.Expr) -> Ball:
        number = exact_number(expr)
        return value(expr) if number is None else as_ball(number)

    return of


def without_dependent(body: sp.Expr, law: Law) -> tuple[sp.Expr, Law]:
    """Variables that an exact covariance shows to be combinations of others, replaced."""
    rows = [[exact_number(c) for c in row] for row in law.covariance.tolist()]
    if not all(c is not None for row in rows for c in row) or len(rows) < 2:
        return body, law
    echelon, rank = fmpq_mat(rows).rref()
    if rank == len(rows):
        return body, law
    kept = [next(j for j in range(len(rows)) if echelon[i, j]) for i in range(rank)]
    replaced = {
        law.variables[j]: sp.Add(
            *(sp.Rational(int(echelon[i, j].p), int(echelon[i, j].q)) * law.variables[k] for i, k in enumerate(kept))
        )
        for j in range(len(rows))
        if j not in kept
    }
    return body.xreplace(replaced), Law(tuple(law.variables[k] for k in kept), law.covariance.extract(kept, kept))


@dataclass(frozen=True)
class Setting:
    """One term under one law; ``bits`` of accuracy are asked for."""

    term: Product
    law: Law
    value: Value
    deadline: float | None
    bits: int

    def mean(self) -> Ball:
        """The mean of the term."""
        term = self.term
        affine = list(dict.fromkeys([*term.forms, *(g.form for g in term.gates)]))
        place = {a: i for i, a in enumerate(affine)}
        forms = tuple(place[a] for a in term.forms)
        switches = tuple(
            Switch(place[g.form], self.value(g.low), self.value(g.jump), self.value(g.noise)) for g in term.gates
        )
        rows = [[self.value(c) for c in a.coefficients] for a in affine]
        members = Members(
            tuple(self.value(a.constant) for a in affine),
            tuple(tuple(line) for line in between(rows, self.covariance, rows)),
            tuple(exact(a) for a in affine),
        ).constants_fixed()
        scale = self.value(term.coefficient)
        if not term.quotients:
            return scale * mean(members, forms, switches, deadline=self.deadline)
        if len(term.quotients) >= len(QUOTIENT_BITS):
            raise NotRigorousError("too many quotients")
        tilted, moments = self.tilted(members, rows, forms, switches)
        goal = 2.0 ** -min(self.bits, QUOTIENT_BITS[len(term.quotients)])
        return scale * quotient_mean(tilted, moments, goal, deadline=self.deadline)

    @property
    def covariance(self) -> list[list[Ball]]:
        return [[self.value(c) for c in row] for row in self.law.covariance.tolist()]

    def tilted(
        self, members: Members, rows: Sequence[Sequence[Ball]], forms: tuple[int, ...], switches: tuple[Switch, ...]
    ) -> tuple[Tilted, Moments]:
        """The law in the coordinates that the quotients depend on, and the bounds for it."""
        matrices = [exact_matrix(q) for q, _ in self.term.quotients]
        basis, pivots = row_space([line for m in matrices for line in m.tolist()])
        span = [[as_ball(c) for c in line] for line in basis]
        k = arb_mat(between(span, self.covariance, span))
        precision = inverse_of(k)
        size = len(rows)
        cross = between(rows, self.covariance, span)
        inside = arb_mat(size, len(span), [c for line in cross for c in line]) * precision
        held = [coordinates(e, basis, pivots) for e in members.exact]
        for m, c in enumerate(held):
            for i in range(len(basis)) if c is not None else ():
                inside[m, i] = as_ball(c[i])  # type: ignore[index]
        explained = inside * k * inside.transpose()
        zero = arb(0)
        residual = [
            [zero if held[i] or held[j] else members.covariance[i][j] - explained[i, j] for j in range(size)]
            for i in range(size)
        ]
        ranges = [Range.of(m, self.covariance) for m in matrices]
        powers = tuple(
            Power(
                self.value(a),
                self.constant(q),
                arb_mat([[as_ball(m[i, j]) for j in pivots] for i in pivots]),
                r.rank,
                r.smallest(r.covariance),
                trace(r.covariance * r.matrix).upper(),
            )
            for (q, a), m, r in zip(self.term.quotients, matrices, ranges, strict=True)
        )
        tilted = Tilted(members, forms, switches, powers, precision, k.det(), inside, residual)
        bounds = [self.form_bound(members, m, ranges) for m in forms]
        factor = arb(1)
        for s in switches:
            factor = factor * abs(s.low).max(abs(s.low + s.jump)).upper()
        return tilted, Moments(factor, bounds, powers, joint(ranges, self.covariance))

    def constant(self, q: Quadratic) -> Ball:
        found = self.value(q.constant)
        if not found >= 0:
            raise NotRigorousError("a quotient that may vanish on more than a subspace")
        return found

    def form_bound(self, members: Members, m: int, ranges: Sequence[Range]) -> FormBound:
        return FormBound(self.kappas(members.exact[m], ranges), members.means[m], deviation(members, m))

    def kappas(self, form: Exact | None, ranges: Sequence[Range]) -> dict[int, Ball]:
        """The κ with form² ≤ κ Q, by the number of Q, where there is one."""
        found = {}
        for i, r in enumerate(ranges):
            c = coordinates(form, r.basis, r.pivots)
            if c is not None and form is not None and not form[-1]:
                line = arb_mat([[as_ball(x) for x in c]])
                found[i] = (line * r.inverse * line.transpose())[0, 0].upper()
        return found


@dataclass(frozen=True)
class Range:
    """A quadratic form on the variables it depends on."""

    basis: list[list[fmpq]]
    pivots: list[int]
    matrix: arb_mat
    inverse: arb_mat
    covariance: arb_mat

    @classmethod
    def of(cls, matrix: fmpq_mat, covariance: Sequence[Sequence[Ball]]) -> Range:
        basis, pivots = row_space(matrix.tolist())
        inner = arb_mat([[as_ball(matrix[i, j]) for j in pivots] for i in pivots])
        if not definite(inner):
            raise NotRigorousError("a quotient of what is no sum of squares")
        span = [[as_ball(c) for c in line] for line in basis]
        return cls(basis, pivots, inner, inner.inv(), arb_mat(between(span, covariance, span)))

    @property
    def rank(self) -> int:
        return len(self.basis)

    def smallest(self, covariance: arb_mat) -> Ball:
        """λ with Q ≥ λ|ξ|² for q = covariance^{1/2} ξ."""
        return (1 / trace(inverse_of(covariance) * self.inverse)).lower()


def joint(ranges: Sequence[Range], covariance: Sequence[Sequence[Ball]]) -> list[Ball] | None:
    """The smallest eigenvalues of each form given all others, if no form shares variables with the others."""
    if len(ranges) == 1:
        return None
    stacked = [line for r in ranges for line in r.basis]
    if fmpq_mat(stacked).rank() < len(stacked):
        return None
    span = [[as_ball(c) for c in line] for line in stacked]
    precision = inverse_of(arb_mat(between(span, covariance, span)))
    found, start = [], 0
    for n, r in enumerate(ranges):
        stop = start + r.rank
        # the first form as it is given the others, the next given those after it, …
        places = range(start, stop) if n + 1 < len(ranges) else None
        if places is None:
            found.append(r.smallest(r.covariance))
        else:
            block = arb_mat([[precision[i, j] for j in places] for i in places])
            found.append((1 / trace(block * r.inverse)).lower())
        start = stop
    return found


def exact(form: Affine) -> Exact | None:
    numbers = [exact_number(c) for c in (*form.coefficients, form.constant)]
    return tuple(n for n in numbers if n is not None) if all(n is not None for n in numbers) else None


def exact_matrix(q: Quadratic) -> fmpq_mat:
    numbers = [[exact_number(c) for c in row] for row in q.matrix.tolist()]
    if any(n is None for row in numbers for n in row):
        raise NotRigorousError("a quadratic form without exact coefficients")
    return fmpq_mat(numbers)


def row_space(rows: list[list[fmpq]]) -> tuple[list[list[fmpq]], list[int]]:
    """A basis in echelon form, and its pivots."""
    echelon, rank = fmpq_mat(rows).rref()
    basis = [[echelon[i, j] for j in range(echelon.ncols())] for i in range(rank)]
    return basis, [next(j for j, c in enumerate(line) if c) for line in basis]


def coordinates(form: Exact | None, basis: Sequence[Sequence[fmpq]], pivots: Sequence[int]) -> list[fmpq] | None:
    """The form without its constant in the basis, None if it is not known to lie in its span."""
    if form is None:
        return None
    found = [form[p] for p in pivots]
    for j, c in enumerate(form[:-1]):
        if sum((x * line[j] for x, line in zip(found, basis, strict=True)), fmpq(0)) != c:
            return None
    return found


def between(
    a: Sequence[Sequence[Ball]], covariance: Sequence[Sequence[Ball]], b: Sequence[Sequence[Ball]]
) -> list[list[Ball]]:
    """a C b'."""
    moved = [[dot(row, line) for row in covariance] for line in b]
    return [[dot(x, y) for y in moved] for x in a]


def dot(x: Sequence[Ball], y: Sequence[Ball]) -> Ball:
    total = arb(0)
    for p, q in zip(x, y, strict=True):
        if not p.is_zero() and not q.is_zero():
            total += p * q
    return total


def trace(matrix: arb_mat) -> Ball:
    return sum((matrix[i, i] for i in range(matrix.nrows())), arb(0))


def definite(matrix: arb_mat) -> bool:
    """Leading principal minors all positive."""
    size = matrix.nrows()
    minors = (arb_mat([[matrix[i, j] for j in range(n)] for i in range(n)]).det() for n in range(1, size + 1))
    return all(m > 0 for m in minors)


def deviation(members: Members, index: int) -> Ball:
    return members.covariance[index][index].upper().sqrt()
