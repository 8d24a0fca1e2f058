"""Products of sines and cosines of Gaussians: the tilt by ±i a·z, written with real functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sympy as sp
from flint import fmpq
from sympy import Expr

from tpsym.gauss.field import Frac
from tpsym.gauss.law import Form, Law
from tpsym.gauss.terms import Term, slot
from tpsym.gauss.values import Algebra, Value

if TYPE_CHECKING:
    from tpsym.gauss.reduce import Reducer


class Wave(NamedTuple):
    """weight · cos(form − turns·π/2)."""

    weight: fmpq
    form: Form
    turns: int


def is_trig(expr: Expr) -> bool:
    return isinstance(expr, sp.sin | sp.cos) and expr.args[0] == slot(0)


def trig_mean(reducer: Reducer, law: Law, term: Term) -> Value | None:
    """E[∏ sin, cos · at most one centred step]; None for what has no such closed form."""
    algebra, steps = reducer.algebra, term.steps
    if len(steps) > 1 or any(law.at(f) for f in steps):
        return None
    waves = [Wave(fmpq(1), o.forms[0], int(isinstance(o.expr, sp.sin))) for o, k in term.opaques for _ in range(k)]
    if len(waves) == 2 and not steps and not parallel(law, waves[0].form, waves[1].form):
        return pair(algebra, law, *waves)
    total = Value({})
    for wave in as_sum(law, waves):
        spread = algebra.exp(law.variance(wave.form) * algebra.field.constant(fmpq(-1, 2)))
        cosine, sine = angle(algebra, law.at(wave.form), wave.turns)
        value = cosine
        if steps:
            step = steps[0]
            root = algebra.inverse(algebra.sqrt(law.variance(step).scale(2)))
            tilt = odd_function(sp.erfi, algebra, root.scale(law.between(wave.form, step)))
            minus = algebra.field.constant(-1)
            value = (cosine + (sine * tilt).scale(minus)).scale(algebra.field.constant(fmpq(1, 2)))
        total = total + (spread * value).scale(algebra.field.constant(wave.weight))
    return total


def as_sum(law: Law, waves: list[Wave]) -> list[Wave]:
    """cos A cos B = (cos(A−B) + cos(A+B))/2, until one wave is left in each summand."""
    minus, total = law.field.constant(-1), waves[:1]
    for wave in waves[1:]:
        total = [
            Wave(w.weight / 2, w.form + form, w.turns + turns)
            for w in total
            for form, turns in ((wave.form, wave.turns), (wave.form.scale(minus), -wave.turns))
        ]
    return total


def angle(algebra: Algebra, at: Frac, turns: int) -> tuple[Value, Value]:
    """cos(at − turns·π/2) and sin(at − turns·π/2)."""
    inner = algebra.ratio(at)
    shifted = inner - turns * sp.pi / 2
    return algebra.opaque(sp.cos(shifted)), algebra.opaque(sp.sin(shifted))


def pair(algebra: Algebra, law: Law, a: Wave, b: Wave) -> Value:
    r"""E[cos(A+m) cos(B+n)] = e^{−(v+w)/2} (cosh c cos m cos n + sinh c sin m sin n), A, B centred."""
    spread = (law.variance(a.form) + law.variance(b.form)) * algebra.field.constant(fmpq(-1, 2))
    between = algebra.scalar(law.between(a.form, b.form))
    cos_a, sin_a = angle(algebra, law.at(a.form), a.turns)
    cos_b, sin_b = angle(algebra, law.at(b.form), b.turns)
    even = algebra.opaque(sp.cosh(algebra.expr(between))) * cos_a * cos_b
    odd = odd_function(sp.sinh, algebra, between) * sin_a * sin_b
    return algebra.exp(spread) * (even + odd)


def odd_function(function: type[sp.Function], algebra: Algebra, value: Value) -> Value:
    """An odd function of a value, its sign outside."""
    return algebra.opaque(function(algebra.expr(value)))


def parallel(law: Law, a: Form, b: Form) -> bool:
    between = law.between(a, b)
    return between * between == law.variance(a) * law.variance(b)
