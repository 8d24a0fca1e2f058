"""What has no closed form: a product of factors as a mean over as few variables as their law needs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import sympy as sp
from flint import fmpq
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym.functions import Phi, step
from tpsym.gauss.field import Frac
from tpsym.gauss.law import Form, Law
from tpsym.gauss.terms import Opaque, Term, slot
from tpsym.gauss.values import Algebra, Value

if TYPE_CHECKING:
    from tpsym.gauss.reduce import Reducer


@cache
def raw(index: int) -> Symbol:
    """Variable ``index`` (from 0) of a :class:`Raw` mean; it never occurs in what a caller passes."""
    return Symbol(f"ζ{index}", real=True)


class Raw(Expr):
    """A mean of ``body`` over centred ``raw`` variables, not yet in canonical form."""

    is_commutative = True
    is_real = True

    def __new__(cls, body: Expr, covariance: ImmutableDenseMatrix) -> Raw:
        return Expr.__new__(cls, body, covariance)


def raw_atom(reducer: Reducer, law: Law, term: Term) -> Value:
    """The mean of a term as a :class:`Raw`, after undoing the auxiliary variables of Phi and erf."""
    algebra = reducer.algebra
    for form in term.steps:
        index = own_auxiliary(reducer, law, term, form)
        if index is None:
            continue
        rest = replace(term, steps=tuple(f for f in term.steps if f != form))
        bare = without(form, index)
        if reducer.auxiliary[index] == 1:
            return reducer.closed(law, rest.times(Opaque(Phi(slot(0)), (bare,))))
        half = algebra.field.constant(fmpq(1, 2))
        smooth = rest.times(Opaque(sp.erf(slot(0)), (bare,)))
        return (reducer.mean(law, rest) + reducer.mean(law, smooth)).scale(half)
    if not term.steps and not term.degree and len(term.opaques) == 1:
        ((opaque, power),) = term.opaques
        if opaque.expr == sp.erf(slot(0)) and power == 1:
            return erf_mean(algebra, law, opaque.forms[0])
    return algebra.opaque(build(reducer, law, term))


def erf_mean(algebra: Algebra, law: Law, form: Form) -> Value:
    """E erf(a·z+m) = erf(μ/√(1+2v))."""
    scale = algebra.sqrt(algebra.field.one + law.variance(form).scale(2))
    return algebra.opaque(sp.erf(algebra.expr(algebra.inverse(scale).scale(law.at(form)))))


def own_auxiliary(reducer: Reducer, law: Law, term: Term, form: Form) -> int | None:
    """The auxiliary variable that occurs in this step only and is independent of everything else."""
    for index in reducer.auxiliary:
        if not form.coefficients[index] or sum(bool(f.coefficients[index]) for f in term.forms) != 1:
            continue
        row = law.covariance[index]
        if not any(c for j, c in enumerate(row) if j != index) and not law.mean[index]:
            return index
    return None


def without(form: Form, index: int) -> Form:
    zero = form.offset.field.zero
    return replace(form, coefficients=tuple(zero if i == index else c for i, c in enumerate(form.coefficients)))


def build(reducer: Reducer, law: Law, term: Term) -> Expr:
    """The term's factors written in raw variables, one for each independent direction among its forms."""
    algebra = reducer.algebra
    factors: list[tuple[Opaque, int]] = [(Opaque(step(slot(0)), (f,)), 1) for f in term.steps]
    factors += term.opaques
    factors += [(Opaque(slot(0), (reducer.variable(i),)), k) for i, k in enumerate(term.powers) if k]
    basis = Basis(law)
    body = sp.S.One
    for opaque, power in factors:
        arguments = {
            slot(j): sp.Add(
                algebra.ratio(law.at(form)),
                *(algebra.ratio(c) * raw(i) for i, c in enumerate(basis.express(form)) if c),
            )
            for j, form in enumerate(opaque.forms)
        }
        body *= opaque.expr.xreplace(arguments) ** power
    rows = [[algebra.ratio(law.between(a, b)) for a in basis.forms] for b in basis.forms]
    return Raw(body, ImmutableDenseMatrix(rows))


class Basis:
    """Linearly independent centred forms, found greedily, and every form's expression in them."""

    def __init__(self, law: Law, *, is_zero: Callable[[Frac], bool] = operator.not_) -> None:
        self.law = law
        self._is_zero = is_zero
        self.forms: list[Form] = []
        self._orthogonal: list[tuple[Form, Frac, tuple[Frac, ...]]] = []

    def express(self, form: Form) -> tuple[Frac, ...]:
        """Coefficients of the centred form in the basis, extended by the form itself if need be."""
        field, residual = self.law.field, form
        coefficients = [field.zero] * len(self.forms)
        for direction, variance, expansion in self._orthogonal:
            weight = self.law.between(form, direction) / variance
            if weight:
                residual = residual + direction.scale(-weight)
                for i, e in enumerate(expansion):
                    coefficients[i] = coefficients[i] + weight * e
        variance = self.law.variance(residual)
        if self._is_zero(variance):
            return tuple(coefficients)
        self.forms.append(form)
        expansion = (*(-c for c in coefficients), field.one)
        self._orthogonal.append((residual, variance, expansion))
        return (*(field.zero for _ in coefficients), field.one)
