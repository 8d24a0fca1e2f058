"""The mean of a rewritten integrand with symbols for covariances and parameters; remembered by shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb
from typing import Any

import sympy as sp
from flint import fmpq
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym.functions import Phi, Unknown, delta, step
from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.existence import DivergentExpectation, has_pole, wild
from tpsym.gauss.expand import Group, expand
from tpsym.gauss.field import Field, Frac, OutOfBudgetError
from tpsym.gauss.law import Form, Law
from tpsym.gauss.reduce import Reducer
from tpsym.gauss.terms import Opaque, Term, is_smooth, slot
from tpsym.gauss.values import Algebra, Value
from tpsym.gauss.wick import moment

BUDGET = 8_000_000
"""Terms of polynomials one reduction may meet: some ten seconds."""


@dataclass(frozen=True)
class Shape:
    """A rewritten integrand, its variables, and their covariance in symbols and zeros."""

    integrand: Expr
    variables: tuple[Symbol, ...]
    covariance: tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """The mean in the shape's symbols, and the rules it took."""

    value: Expr
    rules: tuple[str, ...]


@lru_cache(maxsize=4096)
def reduce_shape(shape: Shape) -> Outcome:
    """The mean of the shape's integrand."""
    parameters = set(shape.integrand.free_symbols) - set(shape.variables)
    parameters = {s for s in parameters if s.name.startswith("κ")}
    parameters |= {c for row in shape.covariance for c in row if c.is_Symbol}
    symbols = tuple(sorted(parameters, key=lambda s: s.name))
    groups = expand(shape.integrand, shape.variables, symbols)
    if len(groups) == 1 and has_pole(groups[0], shape.variables):
        raise DivergentExpectation("the mean does not exist: the integrand has a pole of order 1 or more")
    field = Field((*symbols, sp.pi), BUDGET)
    evaluator = Evaluator(shape, field, Algebra(field))
    try:
        total = sum((evaluator.group(g) for g in gathered(groups, len(shape.variables))), Value({}))
        return Outcome(evaluator.algebra.expr(total), tuple(evaluator.rules))
    except OutOfBudgetError:
        return unevaluated(shape)


def unevaluated(shape: Shape) -> Outcome:
    """The mean as it was asked, for a closed form that would be too long to be of use."""
    body = shape.integrand.xreplace({v: raw(i) for i, v in enumerate(shape.variables)})
    return Outcome(Raw(body, ImmutableDenseMatrix(shape.covariance)), ())


def gathered(groups: list[Group], size: int) -> list[Group]:
    """Groups with a factor that is not integrated joined into one whose factor is their sum."""
    untamed = [g for g in groups if any(isinstance(f, wild) for f, _ in g.factors)]
    if not untamed:
        return groups
    total = sp.Add(*(g.expr for g in untamed)).replace(wild, sp.exp)
    return [g for g in groups if g not in untamed] + [Group(((wild(total), 1),), {(0,) * size: sp.S.One}, ())]


@dataclass
class Evaluator:
    """Evaluates groups of terms of one shape."""

    shape: Shape
    field: Field
    algebra: Algebra

    def __post_init__(self) -> None:
        self.rules: dict[str, None] = {}
        self.size = len(self.shape.variables)
        self.rows = [[self.field.of(c) for c in row] for row in self.shape.covariance]
        self._learn_minors()

    def _learn_minors(self) -> None:
        """Variances of z_i ± z_j and the 2 × 2 minors are nonnegative."""
        rows, two = self.rows, self.field.constant(2)
        for i in range(self.size):
            for j in range(i):
                q, s, c = rows[i][i], rows[j][j], rows[i][j]
                for value in (q + s + two * c, q + s - two * c, q * s - c * c):
                    self.algebra.learn(value)

    def group(self, group: Group) -> Value:
        """The mean of the terms of one group."""
        candidates = [(f, k) for f, k in group.factors if isinstance(f, Phi | sp.erf)]
        probits = [(f, k) for f, k in candidates if self.form(f.args[0], self.size) is not None]
        others = [(f, k) for f, k in group.factors if (f, k) not in probits]
        total = Value({})
        for weight, copies in probit_copies(probits):
            law, auxiliary = self.extended(copies)
            reducer = Reducer(self.algebra, len(law.mean), auxiliary, self.rules)
            if copies:
                reducer.used("probit")
            law, scale = self.exponentials(reducer, law, [(f, k) for f, k in others if isinstance(f, sp.exp)])
            term = self.term(law, others, copies)
            total = total + (scale * self.polynomial(reducer, law, term, group)).scale(self.field.constant(weight))
        return total

    def polynomial(self, reducer: Reducer, law: Law, term: Term, group: Group) -> Value:
        """Σ coefficient · E[monomial · term]."""
        total = Value({})
        padding = (0,) * (len(law.mean) - self.size)
        pure = not (term.steps or term.deltas or term.opaques)
        for exponents, coefficient in group.polynomial.items():
            powers = exponents + padding
            if pure:
                if sum(powers):
                    reducer.used("Wick")
                value = self.algebra.scalar(moment(law, powers))
            else:
                value = reducer.mean(law, Term(powers, term.steps, term.deltas, term.opaques))
            total = total + value.scale(self.field.of(coefficient))
        return total

    def extended(self, copies: Sequence[tuple[Expr, sp.Rational]]) -> tuple[Law, dict[int, sp.Rational]]:
        """The law with an independent variable for every copy of a Phi or erf."""
        size, zero = self.size + len(copies), self.field.zero
        rows = [list(row) + [zero] * len(copies) for row in self.rows]
        rows += [[zero] * size for _ in copies]
        auxiliary = {self.size + i: variance for i, (_, variance) in enumerate(copies)}
        for index, variance in auxiliary.items():
            rows[index][index] = self.field.of(variance)
        return Law((zero,) * size, tuple(map(tuple, rows)), self.field), auxiliary

    # -- reading factors ------------------------------------------------------------------------------

    def coefficients(self, expr: Expr) -> dict[tuple[int, ...], Frac]:
        """A polynomial in the variables: exponents → coefficient."""
        (group,) = expand(expr, self.shape.variables, self.field.symbols[:-1]) or [Group((), {}, ())]
        return {exponents: self.field.of(c) for exponents, c in group.polynomial.items()}

    def form(self, expr: Expr, size: int) -> Form | None:
        """An affine form over ``size`` variables, or None."""
        if not expr.is_polynomial(*self.shape.variables):
            return None
        found = self.coefficients(expr)
        if any(sum(exponents) > 1 for exponents in found):
            return None
        values = [self.field.zero] * size
        offset = self.field.zero
        for exponents, c in found.items():
            if sum(exponents):
                values[exponents.index(1)] = c
            else:
                offset = c
        return Form(tuple(values), offset)

    def term(self, law: Law, factors: Iterable[tuple[Expr, int]], copies: Sequence[tuple[Expr, Any]]) -> Term:
        """The factors other than exponentials as steps, point masses and opaque factors."""
        size = len(law.mean)
        steps, deltas, opaques = [], [], []
        for factor, power in factors:
            if isinstance(factor, sp.exp):
                if not self.is_quadratic(factor.args[0]):
                    opaques.append((self.opaque(factor, size), power))
                continue
            form = self.form(factor.args[0], size) if isinstance(factor, step | delta) else None
            if form is not None and isinstance(factor, step):
                steps.append(form)
            elif form is not None:
                deltas += [form] * power
            else:
                opaques.append((self.opaque(factor, size), power))
        for i, (argument, _) in enumerate(copies):
            form = self.form(argument, size)
            assert form is not None
            minus = [self.field.zero] * size
            minus[self.size + i] = self.field.constant(-1)
            steps.append(form + Form(tuple(minus), self.field.zero))
        if len(set(deltas)) < len(deltas):
            raise DivergentExpectation("the square of a point mass has no mean")
        return Term((0,) * size, tuple(steps), tuple(deltas), tuple(opaques))

    def opaque(self, factor: Expr, size: int) -> Opaque:
        """A factor as a function of affine forms where it is one, else of the variables it contains."""
        arguments = factor.args[2:] if isinstance(factor, Unknown) else factor.args
        forms = [self.form(a, size) for a in arguments] if isinstance(factor, sp.Function) else [None]
        if forms and all(f is not None for f in forms):
            slots = tuple(slot(j) for j in range(len(forms)))
            head = (*factor.args[:2], *slots) if isinstance(factor, Unknown) else slots
            expr = factor.func(*head)
            if is_smooth(expr):
                return Opaque(expr, tuple(f for f in forms if f is not None))
        if isinstance(factor, wild):
            factor = factor.args[0]
        inside = [v for v in self.shape.variables if factor.has(v)]
        expr = factor.xreplace({v: slot(j) for j, v in enumerate(inside)})
        return Opaque(expr, tuple(f for v in inside if (f := self.form(v, size)) is not None))

    # -- exponentials ---------------------------------------------------------------------------------

    def is_quadratic(self, expr: Expr) -> bool:
        return bool(expr.is_polynomial(*self.shape.variables)) and all(
            sum(exponents) <= 2 for exponents in self.coefficients(expr)
        )

    def exponentials(self, reducer: Reducer, law: Law, factors: Sequence[tuple[Expr, int]]) -> tuple[Law, Value]:
        r"""Tilt: E[e^{a·z} g(z)] = e^{a'Ca/2} E[g(z + Ca)], after e^{−z'Mz/2} has changed the law."""
        quadratics = [(f.args[0], k) for f, k in factors if self.is_quadratic(f.args[0])]
        exponent: dict[tuple[int, ...], Frac] = {}
        for argument, power in quadratics:
            for exponents, c in self.coefficients(argument).items():
                exponent[exponents] = exponent.get(exponents, self.field.zero) + c.scale(power)
        value = self.algebra.one
        for rate, form in self.squares(exponent, len(law.mean)):
            reducer.used("damping")
            mu = law.at(form)
            law, scale = law.damped(form, rate)
            value = value * self.algebra.inverse(self.algebra.sqrt(scale))
            if mu:
                value = value * self.algebra.exp(-(rate * mu * mu) / scale.scale(2))
        linear = Form(self._linear(exponent, len(law.mean)), self.field.zero)
        if any(linear.coefficients):
            reducer.used("tilt")
            half = self.field.constant(fmpq(1, 2))
            value = value * self.algebra.exp(law.at(linear) + law.variance(linear) * half)
            law = law.shifted(linear)
        return law, value

    def _linear(self, exponent: dict[tuple[int, ...], Frac], size: int) -> tuple[Frac, ...]:
        values = [self.field.zero] * size
        for exponents, c in exponent.items():
            if sum(exponents) == 1:
                values[exponents.index(1)] = c
        return tuple(values)

    def squares(self, exponent: dict[tuple[int, ...], Frac], size: int) -> list[tuple[Frac, Form]]:
        """The quadratic part as −Σ rate·form²/2, by completing squares."""
        n, zero = self.size, self.field.zero
        matrix = [[zero] * n for _ in range(n)]
        for exponents, c in exponent.items():
            where = [i for i, k in enumerate(exponents) for _ in range(k)]
            if len(where) == 2:
                i, j = where
                matrix[i][j] = matrix[i][j] - c
                matrix[j][i] = matrix[j][i] - c
        found: list[tuple[Frac, Form]] = []
        while any(any(row) for row in matrix):
            rate, row = self._pivot(matrix)
            found.append((rate, Form((*row, *(zero for _ in range(size - n))), zero)))
            for i, j in product(range(n), repeat=2):
                matrix[i][j] = matrix[i][j] - rate * row[i] * row[j]
        return found

    def _pivot(self, matrix: list[list[Frac]]) -> tuple[Frac, tuple[Frac, ...]]:
        n, one, zero = self.size, self.field.one, self.field.zero
        for i in range(n):
            if matrix[i][i]:
                return matrix[i][i], tuple(m / matrix[i][i] for m in matrix[i])
        i, j = next((i, j) for i, j in product(range(n), repeat=2) if matrix[i][j])
        return matrix[i][j] * self.field.constant(fmpq(1, 2)), tuple(one if k in (i, j) else zero for k in range(n))


def probit_copies(
    probits: Sequence[tuple[Expr, int]],
) -> list[tuple[fmpq, list[tuple[Expr, sp.Rational]]]]:
    """∏ Phi^k ∏ erf^k as a combination of products of steps step(argument − u), u fresh.

    Phi(x) = P(u ≤ x) with u of variance 1, erf(x) = 2 P(u ≤ x) − 1 with u of variance 1/2.
    """
    total: list[tuple[fmpq, list[tuple[Expr, sp.Rational]]]] = [(fmpq(1), [])]
    for factor, power in probits:
        argument = factor.args[0]
        if isinstance(factor, Phi):
            total = [(w, copies + [(argument, sp.S.One)] * power) for w, copies in total]
            continue
        total = [
            (w * comb(power, j) * 2**j * (-1) ** (power - j), copies + [(argument, sp.Rational(1, 2))] * j)
            for w, copies in total
            for j in range(power + 1)
        ]
    return total
