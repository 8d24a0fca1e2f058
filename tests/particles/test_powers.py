"""The leading order of expressions, against their values at large n."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from sympy import S, Symbol

from tpsym.errors import TpError
from tpsym.functions import relu, step
from tpsym.particles.powers import NOTHING, Lead, Reader

n = Symbol("n", positive=True)
m = Symbol("m", positive=True)
x, y, z, u = (Symbol(s, real=True) for s in "xyzu")
POWERS = {x: Fraction(0), y: Fraction(1, 2), z: Fraction(-1)}
LEAVES = {s: Lead(s, power) for s, power in POWERS.items()} | {u: NOTHING}
POINT = {x: S(7) / 10, y: S(-13) / 10, z: S(2) / 5}


def reader() -> Reader:
    return Reader(LEAVES, {"n": S.One, "m": S(2)}, float)


@pytest.mark.parametrize(("expr", "power"), [
    (x + z, "0"),
    (n * z + x, "0"),
    (y**2 * z + 3, "0"),
    (x * y - z, "1/2"),
    (sp.tanh(x + z) * m, "1"),
    (sp.tanh(z) / n, "-2"),
    (sp.exp(z) * y, "1/2"),
    (relu(-y) / (1 + y**2), "-1/2"),
    (sp.Abs(y) * sp.sign(z), "1/2"),
    (sp.Max(y, -sp.sqrt(n) * x, x), "1/2"),
    (sp.sqrt(1 + n * y**2), "1"),
    (step(x + z) * (2 * m) ** sp.Rational(1, 3), "1/3"),
    (sp.sin(x * n * z), "0"),
    (1 / (x + u), "0"),
    (sp.cos(u) + u * y, "0"),
])
def test_leading_orders_are_limits(expr: sp.Expr, power: str) -> None:
    """With x_i = n^{e_i} times fixed numbers, n^{-e} times the value tends to the coefficient."""
    lead = reader().read(expr)
    assert lead.power == Fraction(power)
    large = S(10) ** 24
    grown = {s: large ** sp.Rational(POWERS[s].numerator, POWERS[s].denominator) * POINT[s] for s in POWERS}
    value = expr.subs({**grown, u: 0, m: 2 * large, n: large})
    ratio = sp.N(value / large ** sp.Rational(power), 30)
    assert float(ratio) == pytest.approx(float(lead.coefficient.subs(POINT)), rel=1e-9)
    assert not lead.coefficient.has(n, m, u)


@pytest.mark.parametrize(("expr", "exact"), [
    (x * y, True), (x + z, False), (sp.tanh(x), True), (sp.tanh(z), False), (x + u, True), (sp.cos(u), True),
    (relu(y + n * z), False), (n * z + x, True),
])
def test_what_is_dropped_is_known(expr: sp.Expr, exact: bool) -> None:
    assert reader().read(expr).exact is exact


def test_jumps_are_guarded_where_something_was_dropped() -> None:
    """Also where it was dropped before: behind a leaf."""
    for expr, guards in [(step(x), []), (step(x + z), [x]), (sp.sign(n * z - x), [])]:
        found = reader()
        found.read(expr)
        assert found.guards == guards
    found = Reader({x: Lead(x, Fraction(0), False)}, {}, float)
    found.read(sp.Piecewise((x, x > 1), (step(x) - 1, True)))
    assert sorted(map(str, found.guards)) == ["x", "x - 1"]


@pytest.mark.parametrize(("expr", "what"), [
    (sp.exp(y), "grows with the width"), (1 / u, "divides by what is zero"), (x**y, "grows with the width"),
    (sp.Piecewise((y, y > 1), (0, True)), "has jumps"), (sp.tanh(n * x), "grows with the width"),
])
def test_what_has_no_leading_order_is_refused(expr: sp.Expr, what: str) -> None:
    with pytest.raises(TpError, match=what):
        reader().read(expr)


def test_what_may_cancel_is_an_upper_bound() -> None:
    """cos(z) − 1 is of order n^-2, and the coefficient of the bound that is given vanishes."""
    lead = reader().read(sp.cos(z) - 1 + z**2)
    assert lead.power == 0
    assert lead.coefficient == 0
