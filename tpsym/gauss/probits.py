"""(1 + erf(x))/2 = Phi(√2 x): long products of such factors, as gates of recurrent networks make them."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from tpsym.functions import Phi


def without_many_erfs(expr: Expr) -> Expr:
    """Products of four or more c(1 ± erf(x)), whose terms have no closed form, with 2c·Phi(±√2 x) instead."""
    if not expr.has(sp.erf):
        return expr
    inner = expr.func(*map(without_many_erfs, expr.args)) if expr.is_Add or expr.is_Mul else expr
    if not inner.is_Mul:
        return inner
    found = {f: p for f in inner.args if (p := as_probit(f)) is not None}
    many = sum(f.as_base_exp()[1] for f in found) >= 4
    return inner.func(*(found.get(f, f) for f in inner.args)) if many else inner


def as_probit(expr: Expr) -> Expr | None:
    """(c ± c erf(x))^k as (2c Phi(±√2 x))^k."""
    base, power = expr.as_base_exp()
    if not (base.is_Add and len(base.args) == 2 and power.is_Integer and power > 0):
        return None
    for constant, other in (base.args, base.args[::-1]):
        ratio, rest = (other / constant).as_coeff_Mul()
        if isinstance(rest, sp.erf) and abs(ratio) == 1:
            return (2 * constant * Phi(ratio * sp.sqrt(2) * rest.args[0])) ** power
    return None
