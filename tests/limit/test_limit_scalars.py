"""Powers of n, laws of scalars, and what must be refused."""

from __future__ import annotations

import pytest
import sympy as sp
from limits import Asked, limit_of, n
from sympy import Rational, S, Symbol

from tpsym.limit.scalars import covariance, scalar_limit
from tpsym.limit.series import SizeUnknown, exact, expand_in, make, power
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension, column_slot, vector_slot
from tpsym.program.values import GaussianLaw, node_symbol
from tpsym.simulate import run

N = Dimension("n", S.One)
x, y = Symbol("x", real=True), Symbol("y", real=True)
VECTORS = """
random W: (n, n) ~ N(0, 1/n)
random u, v, w: (n) ~ N(0, 1)
"""


def law(variance, mean=0):
    return GaussianLaw(sp.sympify(mean), sp.sympify(variance))


def test_cancellation_is_exact():
    ask = Asked(VECTORS + "a = u + v/sqrt(n)\nb = sqrt(n)*(a - u)\nc = sqrt(n)*(a^2 - u^2)")
    assert ask("E[b^2]") == 1
    assert ask("E[b*v]") == 1
    assert ask("E[c*u*v]") == 2


def test_what_a_truncation_hides_is_no_zero():
    ask = Asked(VECTORS + """
a = u + v/sqrt(n)
t = sqrt(n)*(tanh(a) - tanh(u))
p = sqrt(n)*(W @ a - W @ u)
m = sqrt(n)*mean(tanh(W @ u))
k = sqrt(n)*(sqrt(relu(u) + v/sqrt(n)) - sqrt(relu(u)))
""")
    assert "only known up to o(n^(1/2))" in ask.refusal("E[t*u]")
    assert ask.refusal("E[p^2]")
    assert "fluctuation" in ask.refusal("lim(m)")
    assert ask.refusal("E[k^2]")


def test_growth_is_refused():
    ask = Asked(VECTORS + "a = sqrt(n)*u\nt = tanh(a)\ns = dot(u, u)")
    assert "grows" in ask.refusal("E[t^2]")
    assert "grows" in ask.refusal("lim(s)")
    assert ask("E[relu(a)^2/n]") == Rational(1, 2)


def test_a_readout_is_gaussian():
    ask = Asked(VECTORS + "f = dot(v, relu(W @ u))/sqrt(n)\ng = dot(v, W @ erf(u))/sqrt(n)\nh = dot(w, u)/sqrt(n)")
    assert ask("lim(f)") == law(Rational(1, 2))
    assert ask("E[f*h]") == 0
    assert ask.number("E[f*g]") == pytest.approx(ask.number("E[relu(W @ u)*(W @ erf(u))]"), abs=1e-12)


def test_an_output_bias_stays_random():
    ask = Asked(VECTORS + "weight c: () ~ N(1, 1/4)\nf = dot(v, u)/sqrt(n) + c\ng = dot(w, u)/sqrt(n) + c")
    assert ask("lim(f)") == law(Rational(5, 4), 1)
    assert ask("E[f*g]") == Rational(5, 4)


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("sqrt(n)*mean(u)", law(1)),
        ("sqrt(n)*(mean(u^2) - 1)", law(2)),
        ("sqrt(n)*(1/mean(u^2) - 1)", law(2)),
        ("sqrt(n)*(mean(u^2)^2 - 1)", law(8)),
        ("sqrt(n)*(mean(u*v) + mean(u))", law(2)),
        ("sqrt(n)*(mean((u + 1 + 1/sqrt(n))^2) - 2)", law(6, 2)),
        ("sqrt(n)*mean(v*(W @ u))*mean(u^2)", law(1)),
    ],
)
def test_central_limits(scalar, expected):
    assert Asked(VECTORS + f"s = {scalar}")("lim(s)") == expected


def test_laws_that_are_not_gaussian():
    ask = Asked(VECTORS + "s = n*mean(u)^2\na = sqrt(n)*abs(mean(u))")
    assert "not Gaussian" in ask.refusal("lim(s)")
    assert ask("E[s]") == 1
    assert ask("E[a]") == sp.sqrt(2 / sp.pi)


def test_fluctuations_that_are_not_known():
    ask = Asked(VECTORS + """
inside = dot(v, tanh(W @ u + v/sqrt(n)))/sqrt(n)
products = sqrt(n)*(mean((W @ u)^2) - 1)
trace = sqrt(n)*(tr(diag(u)) - 0)
identity = sqrt(n)*(tr(eye(n)) - 1)
both = dot(v, W @ w)/sqrt(n)
back = dot(w, W.T @ v)/sqrt(n)
""")
    for name in ("inside", "products", "trace"):
        assert ask.refusal(f"lim({name})")
    assert ask("lim(both)") == law(1)
    assert "share a readout" in ask.refusal("E[both*back]")


def test_a_random_scalar_beside_a_fluctuation_that_is_not_known():
    ask = Asked(VECTORS + "weight c: () ~ N(0, 1)\ns = sqrt(n)*mean(v^2*(u - mean(u)))*c")
    assert "neither linear in an independent readout" in ask.refusal("lim(s)")


def test_two_readouts_of_two_widths_may_be_one_number():
    """n⁻¹ᐟ² v·(Ww) and n⁻¹ᐟ² w·(Wᵀv) are equal; calling them independent would be wrong."""
    b, m = Builder(), Dimension("m", S(2))
    matrix = b.matrix("W", N, m, S.One)
    v, w = b.vector("v", N), b.vector("w", m)
    first = b.moment(x * y, {x: v, y: b.matmul(matrix, w)}, N)
    second = b.moment(x * y, {x: w, y: b.matmul(matrix, v, transposed=True)}, m)
    limit = limit_of(b)
    laws = [scalar_limit(limit, sp.sqrt(n) * node_symbol(k)) for k in (first, second)]
    with pytest.raises(SizeUnknown):
        covariance(limit, *laws)


def test_averages_over_all_coordinates_are_not_independent_ones():
    """An outer nonlinearity mixes coordinates: its mean obeys no central limit theorem for iid terms."""
    b = Builder()
    u = b.vector("u", N)
    mixed = b.outer(vector_slot(0) * column_slot(0, 0) ** 2, order=1, vectors=(u,), dimension=N)
    s = b.moment(x**2, {x: mixed}, N)
    with pytest.raises(SizeUnknown):
        scalar_limit(limit_of(b), sp.sqrt(n) * (node_symbol(s) - 1))


@pytest.mark.parametrize(
    "statement",
    [
        "sign(relu(u) + mean(v)*w)",
        "step(relu(u) + v/sqrt(n))",
        "if(relu(W @ u) > mean(v), 1, 0)",
        "w/(relu(u) + mean(v^2) - 1)",
        "sign(sqrt(n)*mean(v) + 0*u)",
    ],
)
def test_jumps_at_an_atom_are_refused(statement):
    """What decides on the side is of lower order: TP III, Remarks E.12 and E.13."""
    assert Asked(VECTORS + f"s = {statement}").refusal("E[s]")


@pytest.mark.parametrize(
    ("statement", "mean"),
    [
        ("sign(u + mean(v)*w)*u", sp.sqrt(2 / sp.pi)),
        ("step(u + v/sqrt(n))", Rational(1, 2)),
        ("step(relu(u)*mean(v^2))", Rational(1, 2)),
        ("if(W @ u > mean(v), 1, 0)", Rational(1, 2)),
        ("step(W @ u)", Rational(1, 2)),
    ],
)
def test_jumps_that_are_missed(statement, mean):
    assert Asked(VECTORS + f"s = {statement}")("E[s]") == mean


def test_jumps_between_dependent_products_are_refused():
    """W(u + v) − Wu − W(v + w/√n) tends to 0 with a sign that does not."""
    ask = Asked(VECTORS + "d = W @ (u + v) - W @ u - W @ (v + w/sqrt(n))\ns = sign(d)")
    assert ask.refusal("E[s^2]")


def test_outer_nonlinearities():
    """E over iid copies, against sums over all coordinates at finite width."""
    b = Builder()
    u = b.vector("u", N)
    v = b.vector("v", N, mean=Rational(1, 2))
    one = sp.tanh(vector_slot(0) + column_slot(0, 1)) * column_slot(0, 0)
    two = sp.sin(vector_slot(1) * column_slot(0, 0)) * column_slot(1, 1) ** 2 + column_slot(0, 0) * column_slot(1, 0)
    outs = [b.outer(e, order=k, vectors=(u, v), dimension=N) for e, k in ((one, 1), (two, 2))]
    targets = [b.moment(x**2 + x * y, {x: o, y: v}, N) for o in outs]
    limit = limit_of(b)
    assert limit.z(outs[0]).limit() == 0
    found = limit.z(outs[1]).limit()
    assert found == 0 or limit.is_random(found)
    sizes = {128: 12, 256: 8}
    for target in targets:
        expected = float(limit.scalar(target).limit())
        for width, seeds in sizes.items():
            drawn = [run(b.program(), [target], n=width, seed=s, values={})[target] for s in range(seeds)]
            mean = sum(drawn) / seeds
            spread = (sum((d - mean) ** 2 for d in drawn) / (seeds - 1) / seeds) ** 0.5
            assert abs(mean - expected) < 5 * spread + 4 / width


def test_random_leading_terms_keep_no_hidden_orders():
    g = Symbol("g", real=True)
    hidden = make({S.Zero: g}, -Rational(1, 2))
    assert power(hidden, Rational(1, 2)).error == 0
    assert power(make({S.Zero: S(4)}, -Rational(1, 2)), Rational(1, 2), random=False).error == -Rational(1, 2)
    assert expand_in(sp.Abs(g), n, {g: make({S.Half: g}, S.Half)}).error == S.Half
    assert power(exact(g, S.One), S(3)).terms == {S(3): g**3}
