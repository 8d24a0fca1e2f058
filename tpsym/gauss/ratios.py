"""Integrands with powers of quadratic forms, as normalisation makes them: left as means of single products.

Multiplying affine factors out would give a mean for every monomial; here every factor stays as it is, only
what is independent is separated.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import product

import sympy as sp
from sympy import Expr, ImmutableDenseMatrix, Symbol

from tpsym import functions as fn
from tpsym.gauss.atoms import raw
from tpsym.gauss.canonical import Candidate, orders
from tpsym.gauss.degenerate import dependencies
from tpsym.gauss.existence import DivergentExpectation
from tpsym.gauss.homogeneous import is_sum_of_squares

MOST_TERMS = 64


def is_ratio(expr: Expr, variables: Sequence[Symbol]) -> bool:
    """A power, no whole positive one, of a sum of squares in several variables."""
    if not expr.is_Pow or not expr.exp.is_Rational or (expr.exp.is_Integer and expr.exp > 0):
        return False
    base, several = expr.base, len(expr.base.free_symbols & set(variables)) > 1
    return bool(several and base.is_polynomial(*variables) and is_sum_of_squares(base, tuple(variables)))


def has_ratio(expr: Expr, variables: Sequence[Symbol]) -> bool:
    return any(is_ratio(p, variables) for p in expr.atoms(sp.Pow))


def separated(expr: Expr, variables: Sequence[Symbol]) -> tuple[list[Expr], Expr]:
    """The summands that are products with such a power as a factor, and the sum of all others."""
    if not has_ratio(expr, variables):
        return [], expr
    ratios: list[Expr] = []
    rest: list[Expr] = []
    for term in summands(expr, tuple(variables)):
        found = any(is_ratio(f, variables) for f in sp.Mul.make_args(term)) and not term.has(fn.delta)
        (ratios if found else rest).append(term)
    collected: dict[Expr, Expr] = {}
    for term in ratios:
        number, factors = term.as_independent(*variables, as_Add=False)
        collected[factors] = collected.get(factors, sp.S.Zero) + number
    terms = [number * term for term, number in collected.items() if number != 0]
    if len(terms) > 1 and any(diverges(t, variables) for t in terms):
        terms = [sp.Add(*terms)]
    return terms, sp.Add(*rest)


def summands(expr: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """The terms of products of sums; sums that are polynomials in the variables stay factors."""
    if expr.is_Add and not expr.is_polynomial(*variables):
        return [t for a in expr.args for t in summands(a, variables)]
    if expr.is_Mul and not expr.is_polynomial(*variables):
        parts = [summands(a, variables) for a in expr.args]
        if reduce(lambda n, p: n * len(p), parts, 1) <= MOST_TERMS:
            return [sp.Mul(*factors) for factors in product(*parts)]
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 1 and not expr.base.is_polynomial(*variables):
        parts = [summands(expr.base, variables)] * int(expr.exp)
        if len(parts[0]) ** int(expr.exp) <= MOST_TERMS:
            return [sp.Mul(*factors) for factors in product(*parts)]
    return [expr]


def blocks(term: Expr, variables: Sequence[Symbol], rows: Sequence[Sequence[Expr]]) -> tuple[Expr, list[Expr]]:
    """What is constant, and the factors in independent groups."""
    number, rest = term.as_independent(*variables, as_Add=False)
    index = {v: i for i, v in enumerate(variables)}
    groups: list[tuple[set[int], Expr]] = []
    for factor in sp.Mul.make_args(rest):
        mine = {index[v] for v in factor.free_symbols if v in index}
        for group in list(groups):
            if any(i == j or rows[i][j] != 0 for i in mine for j in group[0]):
                groups.remove(group)
                mine, factor = mine | group[0], factor * group[1]
        groups.append((mine, factor))
    return number, [factor for _, factor in groups]


def ratio_mean(term: Expr, variables: Sequence[Symbol], rows: Sequence[Sequence[Expr]], *, alone: bool) -> Expr:
    """The mean of one product as an unevaluated mean over the variables that occur in it.

    Raises :class:`DivergentExpectation` where it does not exist and is the whole mean, ``alone``.
    """
    used = [i for i, v in enumerate(variables) if v in term.free_symbols]
    names = tuple(variables[i] for i in used)
    matrix = [[rows[i][j] for j in used] for i in used]
    replaced = dependencies(names, matrix)
    simple = {v: e for v, e in replaced.items() if all(c.is_Rational for c in coefficients(e, names))}
    if simple:
        # a quotient of constants is 0/0
        body = term.xreplace(simple)
        if body.has(sp.nan, sp.zoo):
            raise DivergentExpectation("the integrand is divided by what is almost surely 0")
        return body if body.free_symbols.isdisjoint(names) else ratio_mean(body, variables, rows, alone=alone)
    if alone and diverges(term, names):
        raise DivergentExpectation("the mean does not exist: the quadratic form that divides is too often close to 0")
    number, body = term.as_independent(*names, as_Add=False)
    number, body = halved(number, body, names)
    if number == 0:
        return number
    candidates = orders(Candidate(1, renumbered(body, names), ImmutableDenseMatrix(matrix), 0))
    return number * min(candidates, key=lambda c: c[0])[2]


def halved(number: Expr, body: Expr, names: Sequence[Symbol]) -> tuple[Expr, Expr]:
    """The law is symmetric: an odd product has mean 0, one gate beside an even product opens half of the time."""
    gates = [f for f in sp.Mul.make_args(body) if f.as_base_exp()[0].func in (fn.relu, fn.step)]
    rest = sp.Mul(*(f for f in sp.Mul.make_args(body) if f not in gates))
    parities = [parity(f, names) for f in sp.Mul.make_args(rest)]
    if None in parities or len(gates) > 1:
        return number, body
    odd = sum(1 for p in parities if p == -1) % 2 == 1
    if not gates:
        return (sp.S.Zero if odd else number), body
    (gate,) = gates
    base, exponent = gate.as_base_exp()
    if not exponent.is_Integer or exponent < 1 or parity(base.args[0], names) != -1:
        return number, body
    power = base.args[0] ** exponent if base.func is fn.relu else sp.S.One
    even = odd == (base.func is fn.relu and exponent % 2 == 1)
    return (number / 2, power * rest) if even else (number, body)


def parity(factor: Expr, names: Sequence[Symbol]) -> int | None:
    """1 for an even factor, -1 for an odd one, ``None`` if neither shows."""
    base, exponent = factor.as_base_exp()
    if not base.is_polynomial(*names):
        return None
    degrees = {sum(powers) % 2 for powers in sp.Poly(base, *names).monoms()}
    if len(degrees) > 1:
        return None
    odd = degrees == {1}
    if not odd:
        return 1
    return None if not exponent.is_Integer else -1 if exponent % 2 else 1


def renumbered(body: Expr, names: Sequence[Symbol]) -> Expr:
    return body.xreplace({v: raw(i) for i, v in enumerate(names)})


def coefficients(expr: Expr, variables: Sequence[Symbol]) -> Iterable[Expr]:
    return [expr.coeff(v) for v in variables] if expr != 0 else []


# Existence ----------------------------------------------------------------------------------------


def diverges(term: Expr, variables: Sequence[Symbol]) -> bool:
    r"""Whether E|term| is proved to be infinite: near Q = 0 it is like ∫ ρ^{r−1+k−2a} dρ with r + k ≤ 2a.

    r is the rank of Q, k the number of factors that vanish with it like ρ. The variables are nondegenerate.
    """
    factors = sp.Mul.make_args(term)
    if any(f.has(fn.delta) or f.is_Add for f in factors if not f.is_polynomial(*variables)):
        return False
    for ratio in factors:
        if not is_ratio(ratio, variables) or ratio.exp > 0 or constant_part(ratio.base, variables) != 0:
            continue
        hessian = sp.hessian(ratio.base, variables)
        if any(not c.is_Rational for c in hessian):
            continue
        total = hessian.rank() + 2 * ratio.exp
        orders_ = [order(f, hessian, variables) for f in factors if f is not ratio]
        if all(o is not None for o in orders_) and total + sum(o for o in orders_ if o is not None) <= 0:
            return is_somewhere_nonzero(term, variables)
    return False


def constant_part(expr: Expr, variables: Sequence[Symbol]) -> Expr:
    return expr.xreplace(dict.fromkeys(variables, sp.S.Zero))


def order(factor: Expr, hessian: sp.Matrix, variables: Sequence[Symbol]) -> int | None:
    """How fast a factor vanishes at most, where the quadratic form does; None if that is not known."""
    if factor.free_symbols.isdisjoint(variables) or isinstance(factor, fn.Phi):
        return 0
    if is_ratio(factor, variables):
        return 0 if factor.exp < 0 else None
    base, power = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
    if not power.is_Integer or power < 1:
        return None
    count = 1
    if isinstance(base, fn.step | sp.sign):
        base, count = base.args[0], 0
    elif isinstance(base, fn.relu | sp.Abs):
        base = base.args[0]
    if not base.is_polynomial(*variables) or sp.Poly(base, *variables).total_degree() > 1:
        return None
    line = sp.Matrix([[base.diff(v) for v in variables]])
    inside = constant_part(base, variables) == 0 and hessian.col_join(line).rank() == hessian.rank()
    return count * int(power) if inside else 0


def is_somewhere_nonzero(term: Expr, variables: Sequence[Symbol]) -> bool:
    """Whether the term is not 0 at one of some points (and then on an open cone about it)."""
    chooser = random.Random(1)
    for _ in range(200):
        point = {v: sp.Rational(chooser.randint(-99, 99), 7) for v in variables}
        value = term.xreplace(point)
        if value.is_number and value != 0 and not value.has(sp.nan, sp.zoo):
            return True
    return False
