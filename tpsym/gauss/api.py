"""``expect``: from an integrand and a covariance to a closed form or a canonical unevaluated mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.canonical import canonical
from tpsym.gauss.degenerate import dependencies
from tpsym.gauss.existence import existing
from tpsym.gauss.expectation import E, bound
from tpsym.gauss.generators import tidied_root
from tpsym.gauss.homogeneous import homogeneous
from tpsym.gauss.parameters import Parameters
from tpsym.gauss.probits import without_many_erfs
from tpsym.gauss.ratios import blocks, has_ratio, ratio_mean, separated
from tpsym.gauss.rebase import Problem, rebased
from tpsym.gauss.rewrite import Rewriter
from tpsym.gauss.shape import Shape, reduce_shape


@dataclass(frozen=True)
class Reduction:
    """The mean, and the names of the rules that gave it in order of first use."""

    value: Expr
    rules: tuple[str, ...]


def expect(integrand: Expr, variables: Sequence[Symbol], covariance: Sequence[Sequence[Expr]]) -> Reduction:
    """E[integrand] over the variables, centred and jointly Gaussian with this covariance.

    The value is a closed form where one is derived; what has none is left as canonical ``E`` atoms.
    It holds for every nondegenerate covariance, and at correlation ±1 wherever it can be evaluated.
    Read at q = 0 a correlation c/√(qs) is 0/0: ask for the mean with the 0 in the covariance instead.
    step(0) = sign(0) = 0 for a variable of variance 0; step·delta at one point is delta/2.
    Raises :class:`DivergentExpectation` where the mean provably does not exist.
    """
    names = tuple(raw(i) for i in range(len(variables)))
    body = renamed(as_expr(integrand), dict(zip(variables, names, strict=True)))
    rows = [[as_expr(c) for c in row] for row in covariance]
    ratios, body = separated(homogeneous(body, names), names)
    if not ratios:
        return without_ratios(Problem(body, names, rows))
    alone = len(ratios) == 1 and body == 0
    parts = [mean_of_ratio(term, names, rows, alone=alone) for term in ratios]
    parts += [without_ratios(Problem(body, names, rows))] if body != 0 else []
    return Reduction(sp.Add(*(p.value for p in parts)), tuple(dict.fromkeys(r for p in parts for r in p.rules)))


def mean_of_ratio(term: Expr, names: Sequence[Symbol], rows: Sequence[Sequence[Expr]], *, alone: bool) -> Reduction:
    """E[term] of a product with powers of quadratic forms, as means of its independent groups of factors."""
    value, groups = blocks(term, names, rows)
    rules: dict[str, None] = {"independence": None} if len(groups) > 1 else {}
    for group in groups:
        if has_ratio(group, names):
            value *= ratio_mean(group, names, rows, alone=alone)
            continue
        part = without_ratios(Problem(group, tuple(names), rows))
        value *= part.value
        rules.update(dict.fromkeys(part.rules))
    return Reduction(value, tuple(rules))


def without_ratios(problem: Problem) -> Reduction:
    """The mean by the rules."""
    problem = prepared(problem.restricted())
    body = existing(problem.body, problem.variables, problem.rows)
    symbols = Parameters()
    matrix = symbols.covariance(problem.rows)
    shape = Shape(symbols.abstract(body, problem.variables), problem.variables, matrix)
    outcome = reduce_shape(shape)
    variances = {problem.rows[i][i] for i in range(len(problem.variables))}
    value = substituted(outcome.value, {s: v for v, s in symbols.names.items()}, variances=variances)
    return Reduction(value, outcome.rules)


def unevaluated(integrand: Expr, variables: Sequence[Symbol], covariance: Sequence[Sequence[Expr]]) -> Expr:
    """E[integrand] as a canonical ``E``, whether or not it has a closed form."""
    used = [i for i, v in enumerate(variables) if v in integrand.free_symbols]
    body = renamed(as_expr(integrand), {variables[i]: raw(place) for place, i in enumerate(used)})
    matrix = ImmutableDenseMatrix(len(used), len(used), lambda i, j: as_expr(covariance[used[i]][used[j]]))
    return canonical(Raw(body, matrix), {})


def as_expr(value: Expr | int | Fraction) -> Expr:
    """An exact number or an expression as an expression; never text, never a float."""
    if isinstance(value, Expr) and not value.is_Float:
        return value
    if isinstance(value, int | Fraction):
        return sp.Rational(value)
    raise TypeError(f"an exact expression is needed, not {value!r}")


def renamed(body: Expr, names: dict[Symbol, Symbol]) -> Expr:
    """The body in other variables; a mean inside it that binds the same variables is left alone."""
    binds = any(bound(i + 1) in names for i in range(len(names)))
    inner = {e: e for e in body.atoms(E) if e.free_symbols.isdisjoint(names)} if binds else {}
    return body.xreplace({**names, **inner})


def prepared(problem: Problem) -> Problem:
    """The problem rewritten in as few variables as it needs, none a function of the others."""
    problem = independent(problem)
    fewer = rebased(problem)
    return problem if fewer is None else independent(fewer)


def independent(problem: Problem) -> Problem:
    """Dependent variables eliminated, then the integrand rewritten."""
    problem = problem.restricted()
    body = problem.body.xreplace(dependencies(problem.variables, problem.rows))
    return Problem(Rewriter(problem.variables)(without_many_erfs(body)), problem.variables, problem.rows).restricted()


def substituted(value: Expr, values: dict[Symbol, Expr], *, variances: Collection[Expr]) -> Expr:
    """The shape's mean at the actual covariances: roots tidied, what is unevaluated made canonical."""
    special: dict[Expr, Expr] = {a: canonical(a, values) for a in value.atoms(Raw)}
    for root in value.atoms(sp.Pow):
        if root.exp.is_Rational and root.exp.q == 2 and root.base.is_Add:
            special[root] = tidied_root(root.xreplace(values), nonnegative=variances)
    return value.xreplace({**values, **special})
