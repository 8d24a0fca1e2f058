"""Whether a mean exists: exponentials of quadratics, and poles."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import step
from tpsym.gauss.expand import Group, expand
from tpsym.gauss.parameters import Parameters


class DivergentExpectation(ValueError):
    """The mean does not exist."""


class wild(sp.Function):
    """exp of a quadratic whose mean is not known to exist: it is not integrated."""

    is_real = True


def existing(body: Expr, variables: Sequence[Symbol], rows: Sequence[Sequence[Expr]]) -> Expr:
    r"""The body with ``wild`` for every exponential whose mean may not exist.

    The mean of e^{−z'Mz/2} exists if and only if C⁻¹ + M is positive definite on the support; M
    positive semidefinite is enough. Raises :class:`DivergentExpectation` where it cannot exist.
    """
    quadratics = [e for e in body.atoms(sp.exp) if curvature(e, variables) is not None]
    curved = {e: m for e in quadratics if (m := curvature(e, variables)) is not None}
    if all(is_semidefinite(m) for m in curved.values()):
        return body
    names = Parameters()
    integrand = names.abstract(body, variables)
    values = {s: v for v, s in names.names.items()}
    groups = expand(integrand, variables, tuple(values))
    doubtful: set[Expr] = set()
    for group in groups:
        factors = [(f.xreplace(values), k) for f, k in group.factors if isinstance(f, sp.exp)]
        total = sp.zeros(len(variables), len(variables))
        for f, k in factors:
            total += k * curved.get(f, sp.zeros(*total.shape))
        known = exists(total, sp.Matrix(rows))
        if known is False and len(groups) == 1 and cannot_help(group, variables):
            raise DivergentExpectation(f"the mean of {body} does not exist: it grows faster than the density falls")
        if not known:
            doubtful |= {f for f, _ in factors if f in curved}
    return body.xreplace({f: wild(f.args[0]) for f in doubtful})


def curvature(expr: Expr, variables: Sequence[Symbol]) -> sp.Matrix | None:
    """M for exp(−z'Mz/2 + linear), None if there is no quadratic part or the exponent is of higher degree."""
    argument = expr.args[0]
    if not variables or not argument.is_polynomial(*variables):
        return None
    poly = sp.Poly(argument, *variables)
    return -sp.hessian(argument, variables) if poly.total_degree() == 2 else None


def may_diverge(body: Expr, variables: Sequence[Symbol], covariance: sp.Matrix) -> bool:
    """Whether an exponential may grow too fast or a denominator be too small: sampling would find a number."""
    if may_be_too_small(body, variables):
        return True
    for part in body.atoms(sp.exp):
        argument = part.args[0]
        if argument.free_symbols.isdisjoint(variables) or (-argument).is_nonnegative:
            continue
        if not argument.is_polynomial(*variables):
            if argument.has(sp.exp, sp.cosh, sp.sinh):
                return True
            continue
        degree = sp.Poly(argument, *variables).total_degree()
        if degree > 2 or (degree == 2 and not exists(-sp.hessian(argument, variables), covariance)):
            return True
    return False


def may_be_too_small(body: Expr, variables: Sequence[Symbol]) -> bool:
    """Whether negative powers of polynomials may not be integrable: 2a must stay below the rank of the form."""
    total, least = sp.S.Zero, None
    for part in body.atoms(sp.Pow):
        base = part.base
        if not part.exp.is_negative or base.free_symbols.isdisjoint(variables) or not base.is_polynomial(*variables):
            continue
        constant = base.xreplace(dict.fromkeys(variables, sp.S.Zero))
        hessian = sp.hessian(base, variables)
        form = hessian.free_symbols.isdisjoint(variables) and is_semidefinite(hessian)
        centred = all(base.diff(v).xreplace(dict.fromkeys(variables, sp.S.Zero)) == 0 for v in variables)
        if form and centred and constant.is_positive:
            continue
        rank = hessian.rank() if form and centred and any(hessian) else 1
        total += -part.exp * (2 if form and centred and any(hessian) else 1)
        least = rank if least is None else min(least, rank)
    return least is not None and bool(total >= least)


def is_semidefinite(matrix: sp.Matrix) -> bool:
    """Provably positive semidefinite: all principal minors nonnegative."""
    used = [i for i in range(matrix.rows) if any(matrix[i, :])]
    minors = (sp.factor(matrix.extract(rows, rows).det()) for n in range(1, len(used) + 1) for rows in subsets(used, n))
    return all(m.is_nonnegative for m in minors)


def subsets(items: list[int], size: int) -> list[list[int]]:
    return [list(s) for s in sp.utilities.iterables.subsets(items, size)]


def exists(matrix: sp.Matrix, covariance: sp.Matrix) -> bool | None:
    """Whether C⁻¹ + M is positive definite; None if that is not decided."""
    if is_semidefinite(matrix):
        return True
    used = [i for i in range(matrix.rows) if any(matrix[i, :])]
    m, c = matrix.extract(used, used), covariance.extract(used, used)
    if len(used) == 1:
        scale = sp.expand(1 + m[0, 0] * c[0, 0])
        return True if scale.is_positive else False if scale.is_nonpositive else None
    if m.free_symbols or c.free_symbols or not c.is_positive_definite:
        return None
    return bool((c.inv() + m).is_positive_definite)


def cannot_help(group: Group, variables: Sequence[Symbol]) -> bool:
    """No factor can make up for the growth: exponentials and, on a line, at most one step."""
    steps = [f for f, _ in group.factors if isinstance(f, step)]
    rest = [f for f, _ in group.factors if not isinstance(f, sp.exp | step)]
    return not rest and (not steps or (len(steps) == 1 and len(variables) == 1))


def has_pole(group: Group, variables: Sequence[Symbol]) -> bool:
    """A negative power of an affine form and nothing that vanishes where the form does."""
    poles = [f for f, _ in group.factors if is_pole(f, variables)]
    rest = [f for f, _ in group.factors if f not in poles and not isinstance(f, sp.exp)]
    constant = all(not any(exponents) for exponents in group.polynomial)
    return bool(poles) and not rest and constant


def is_pole(expr: Expr, variables: Sequence[Symbol]) -> bool:
    if not (expr.is_Pow and expr.exp.is_number and expr.exp <= -1):
        return False
    base = expr.base.args[0] if isinstance(expr.base, sp.Abs) else expr.base
    return bool(base.is_polynomial(*variables)) and sp.Poly(base, *variables).total_degree() == 1
