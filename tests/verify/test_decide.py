"""Verdicts: what is false is refuted at a point one can check, and nothing is claimed beyond the evidence."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp
from sympy import Eq, Integer, Rational, acos, asin, log, pi, sin, sqrt

from tpsym.functions import step, unknown
from tpsym.gauss.expectation import E, bound
from tpsym.gauss.numeric import enclose
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.domain import Domain, Gram, points, semidefinite
from tpsym.verify.intervals import Agrees, Inconclusive, Refuted, compare

sigma, lam = sp.symbols("sigma lambda", positive=True)
x, y = sp.symbols("x y", real=True)
xx, yy = sp.symbols("xx yy", nonnegative=True)
xy = sp.Symbol("xy", real=True)
q = sp.Symbol("q", positive=True)
c, s = sp.symbols("c s", real=True)
m = sp.Symbol("m", integer=True, positive=True)
DATA = Gram({(0, 0): xx, (0, 1): xy, (1, 1): yy})
PAIRS = Domain(grams=(DATA,))
z, w = bound(1), bound(2)
rho = xy / sqrt(xx * yy)
ANGLE = sqrt(xx * yy) * (sin(acos(rho)) + (pi - acos(rho)) * rho) / (2 * pi)
ARCSINE = (sqrt(xx * yy - xy**2) + xy * (pi / 2 + asin(rho))) / (2 * pi)


def refuted(verdict: Verdict, lhs: sp.Expr, rhs: sp.Expr) -> bool:
    """Whether it is refuted by a witness that evaluation confirms."""
    if verdict.kind != "refuted":
        return False
    assert verdict.witness is not None
    left, right = enclose(lhs, verdict.witness), enclose(rhs, verdict.witness)
    return not left.value.overlaps(right.value) and left.value.overlaps(verdict.lhs_value)


def test_proved_checked_refuted() -> None:
    assert decide(ANGLE, "==", ARCSINE, domain=PAIRS).kind == "proved"
    wrong = ARCSINE * (1 + Rational(1, 10**9))
    assert refuted(decide(ANGLE, "==", wrong, domain=PAIRS), ANGLE, wrong)
    near = sigma**2 / 2 + sigma**2 / 10**9
    assert refuted(decide(sigma**2 / 2, "==", near), sigma**2 / 2, near)
    hidden = log(sp.cosh(x) + sp.sinh(x) * sp.tanh(x) ** 0), x
    assert decide(*hidden[:1], "==", hidden[1]).kind in ("proved", "checked")
    duplication = sp.cos(4 * acos(x)), 8 * x**4 - 8 * x**2 + 1
    assert decide(duplication[0], "==", duplication[1]).kind == "proved"
    machin = 4 * sp.atan(Rational(1, 5)) - sp.atan(Rational(1, 239)), pi / 4
    assert decide(machin[0], "==", machin[1]).kind == "checked"


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        (sqrt(x**2), x),
        (asin(sin(x)), x),
        (2 * asin(x), asin(2 * x * sqrt(1 - x**2))),
        (log(x**2), 2 * log(-x) + 0 * y + 1),
        (step(x), (1 + sp.sign(x)) / 2),
        ((-1) ** m, Integer(-1)),
        (sqrt(x**2 * y**2), x * y),
        (xy**2, xx * yy),
    ],
)
def test_traps(lhs: sp.Expr, rhs: sp.Expr) -> None:
    assert refuted(decide(lhs, "==", rhs, domain=PAIRS, seconds=5), lhs, rhs)


def test_never_refuted_where_undefined() -> None:
    assert decide(log(x), "==", log(-x), seconds=3).kind == "undecided"
    assert decide(1 / (sqrt(x**2) - abs(x)), "==", Integer(3), seconds=3).kind == "undecided"


def test_conditions() -> None:
    unit = Domain(grams=(DATA,), conditions=(Eq(xx, 1), Eq(yy, 1)))
    assert decide(ANGLE, "==", (sqrt(1 - xy**2) + xy * (pi - acos(xy))) / (2 * pi), domain=unit).kind == "proved"
    assert decide(xy, "<=", Integer(1), domain=unit).kind == "checked"
    assert decide(xy, "<", Integer(1), domain=unit).kind == "refuted"
    assert decide(1 / (1 - lam), ">", Integer(1), domain=Domain(conditions=(lam < 1,))).kind == "proved"
    assert decide(1 / (1 - lam), ">", Integer(1)).kind == "refuted"
    assert decide(sigma, "==", sqrt(2), domain=Domain(conditions=(Eq(sigma**2, 2),))).kind == "proved"
    assert decide(sigma, "==", Rational(3, 2), domain=Domain(conditions=(Eq(sigma**2, 2),))).kind == "refuted"
    nowhere = decide(x, "==", x + 1, domain=Domain(conditions=(lam < 0,)))
    assert (nowhere.kind, nowhere.detail) == ("undecided", "no admissible point")
    assert decide(x, "==", x, domain=Domain(conditions=(lam < 0,))).kind == "undecided"


def test_inequalities() -> None:
    assert decide(x**2 + y**2, ">=", 2 * x * y).kind == "proved"
    assert decide(xy**2, "<=", xx * yy, domain=PAIRS).kind == "proved"
    assert decide(ANGLE, "<=", sqrt(xx * yy) / 2, domain=PAIRS).kind == "checked"
    assert decide(ANGLE, "<", sqrt(xx * yy) / 2, domain=PAIRS).kind == "refuted"
    assert decide(x, ">=", x**2).kind == "refuted"
    assert decide(x, "!=", x + 1).kind == "checked"
    assert decide((x < 1) & (x > 0), "<=>", (2 * x < 2) & (x > 0)).kind == "checked"
    assert decide((x < 1) & (x > 0), "<=>", (2 * x <= 2) & (x > 0)).kind == "refuted"


def test_tolerances() -> None:
    tanh = E(sp.tanh(z) ** 2, [[1]])
    limit = Fraction(1, 10**4)
    assert decide(tanh, "==", Rational(3943, 10**4), tolerance=limit).kind == "checked"
    assert decide(tanh, "==", Rational(3945, 10**4), tolerance=limit).kind == "refuted"
    third = Rational(1, 3)
    cov = [[1, third, third], [third, 1, third], [third, third, 1]]
    octant = E(sp.tanh(z) * step(w) * step(bound(3)), cov)
    exact = E(sp.tanh(z) * step(w), [[1, third], [third, 1]])
    assert decide(octant, "==", Rational(1, 12), tolerance=Fraction(1, 10)).method.endswith("estimated error")
    assert decide(octant, "==", exact, tolerance=Fraction(1, 10**12)).kind == "undecided"
    assert decide(octant, "==", exact + 1, tolerance=Fraction(1, 10)).kind == "undecided"
    assert decide(octant, "==", exact).kind == "undecided"


def test_unknown_functions_are_refuted_by_known_ones() -> None:
    phi = unknown("phi", 1)
    stein = E(z * phi(z), [[q]]), q * E(phi(z).diff(z), [[q]])
    assert decide(stein[0], "==", stein[1]).kind == "checked"
    wrong = decide(stein[0], "==", 2 * stein[1])
    assert wrong.kind == "refuted"
    assert wrong.detail.startswith("phi(z) = ")
    pair = [[q, c], [c, s]]
    inside = Domain(conditions=(c**2 < q * s,))
    price = decide(E(phi(z) * phi(w), pair), "==", E(phi(z) ** 2, [[q]]), domain=inside, seconds=5)
    assert price.kind == "refuted"


def test_named_values() -> None:
    a, b = sp.symbols("a b", real=True)
    definitions = {a: xy / sqrt(xx * yy), b: acos(a)}
    assert decide(sp.cos(b) * sqrt(xx * yy), "==", xy, domain=PAIRS, definitions=definitions).kind == "proved"
    found = decide(sin(b), "==", sqrt(1 + a**2), domain=PAIRS, definitions=definitions)
    assert found.kind == "refuted"
    assert set(found.witness or {}) == {xx, xy, yy}


def test_points_are_admissible_simple_and_varied() -> None:
    found = []
    for point in points(PAIRS, definitions={}):
        found.append(point.values)
        if len(found) == 30:
            break
    assert all(p[xx] * p[yy] >= p[xy] ** 2 for p in found)
    assert any(p[xx] * p[yy] == p[xy] ** 2 for p in found)
    assert any(p[xy] == 0 for p in found)
    assert any(p[xy] < 0 for p in found)
    assert any(p[xx] == p[yy] for p in found)
    assert max(abs(v.numerator) + v.denominator for p in found for v in p.values()) < 100


def test_semidefinite() -> None:
    one, half = Fraction(1), Fraction(1, 2)
    assert semidefinite([[one, one], [one, one]])
    assert semidefinite([[0 * one, 0 * one], [0 * one, one]])
    assert not semidefinite([[0 * one, half], [half, one]])
    assert not semidefinite([[one, half, -one], [half, one, half], [-one, half, one]])


def test_outcomes() -> None:
    assert isinstance(compare(x, x + 1, domain=Domain()), Refuted)
    agrees = compare(sp.exp(log(q) / 3) ** 3, q, domain=Domain())
    assert isinstance(agrees, Agrees)
    assert agrees.digits >= 30
    assert isinstance(compare(x, x, domain=Domain(conditions=(lam < 0,))), Inconclusive)
