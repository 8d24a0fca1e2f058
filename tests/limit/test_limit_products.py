"""Products with a matrix and its transpose: hats, dots and the numbers of the theory."""

from __future__ import annotations

import pytest
import sympy as sp
from limits import Asked, limit_of, number
from sympy import Rational, S, Symbol

from tpsym.functions import relu, step
from tpsym.limit import rules
from tpsym.program.graph import Builder
from tpsym.program.instructions import Dimension
from tpsym.program.values import node_symbol

N = Dimension("n", S.One)
x, y = Symbol("x", real=True), Symbol("y", real=True)
SQUARE = """
random W, V: (n, n) ~ N(0, 1/n)
random u, w: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
random p: (n) ~ N(1/2, 1)
"""


def test_forward_and_transposed():
    """TP III, Definition 2.6: Z^{Wᵀ tanh(Wu)} = Ẑ + Z^u E tanh'(Ẑ^{Wu})."""
    ask = Asked(SQUARE + "g = W @ u\nz = W.T @ tanh(g)")
    assert ask("E[g^2]") == 1
    assert ask.exact("E[z*u]") == ask("E[1 - tanh(g)^2]")
    assert ask.number("E[z^2]") == pytest.approx(ask.number("E[tanh(g)^2] + E[g*tanh(g)]^2"), abs=1e-12)
    assert ask.number("E[tanh(g)^2]") == pytest.approx(0.394294, abs=1e-6)


def test_rectangular_matrix_used_both_ways():
    """TP III, Appendix F: W is n×m with n/m = 1/2; WᵀWx = x/2 + a hat of variance 1/2."""
    ask = Asked("width m = 2*n\nrandom W: (n, m) ~ N(0, 1/m)\nrandom x: (m) ~ N(0, 1)\nz = W.T @ (W @ x)")
    assert ask("E[z*x]") == Rational(1, 2)
    assert ask("E[Zhat(z)^2]") == Rational(1, 2)
    assert ask("E[Zdot(z)^2]") == Rational(1, 4)
    assert ask("E[z^2]") == Rational(3, 4)


def test_gradient_of_a_mean_of_squares():
    """TP II §6.3: h = W1, x = Wᵀ(2h) has mean 2, hat variance 4 and second moment 8; independence says 0, 4, 4."""
    ask = Asked("random W: (n, n) ~ N(0, 1/n)\nrandom o: (n) ~ N(1, 0)\nx = W.T @ (2*(W @ o))")
    assert ask("E[x]") == 2
    assert ask("E[x^2]") == 8
    assert ask("E[(x - 2)^2]") == 4


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        ("relu(h)", Rational(1, 2)),
        ("step(h)", 1 / sp.sqrt(2 * sp.pi)),
        ("sign(h)", sp.sqrt(2 / sp.pi)),
        ("erf(h)", 2 / sp.sqrt(3 * sp.pi)),
        ("abs(h)", S.Zero),
        ("h^3", S(3)),
        ("relu(h)*step(h - 1/2)", None),
        ("if(h > 1/3, 1, if(h < -1, h, 2))", None),
    ],
)
def test_coefficient_of_the_dot(function, slope):
    """WᵀΦ(Wu) = Ẑ + Z^u E[Ẑ^{Wu} Φ(Ẑ^{Wu})] for a unit vector u, with jumps as without (Remark 2.12)."""
    ask = Asked(SQUARE + f"h = W @ u\nz = W.T @ ({function})")
    found = ask.number("E[z*u]")
    assert found == pytest.approx(ask.number(f"E[h*({function})]"), abs=1e-12)
    if slope is not None:
        assert found == pytest.approx(float(slope), abs=1e-12)
    assert ask.number("E[z*w]") == pytest.approx(found / 2, abs=1e-12)


PRODUCTS = {
    "erf(W @ u)": "W.T @ w",
    "erf(W.T @ erf(W @ u))": "W.T @ relu(W @ w)",
    "relu(W.T @ step(W @ u) + p)": "W.T @ erf(W @ p)",
    "W.T @ (W @ (W.T @ u))": "W.T @ (W @ w)",
    "sign(W @ w)*p": "W.T @ (V @ (V.T @ p))",
}


@pytest.mark.parametrize("first", list(PRODUCTS))
@pytest.mark.parametrize("second", list(PRODUCTS.values()))
def test_the_transpose_is_the_adjoint(first, second):
    """⟨x|Wy⟩ = ⟨Wᵀx|y⟩ (Tensor Programs IVb, Proposition 2.6.9)."""
    ask = Asked(SQUARE + f"a = {first}\nb = {second}\nc = W @ b\nd = W.T @ a")
    assert ask.number("E[a*c]") == pytest.approx(ask.number("E[d*b]"), abs=1e-11)


def test_the_adjoint_of_a_rectangular_matrix():
    """n E[Z^y Z^{Wx}] = m E[Z^{Wᵀy} Z^x]."""
    text = """
width m = 3*n/2
random W: (n, m) ~ N(0, 2/m)
random u: (n) ~ N(1/2, 1)
random v: (m) ~ N(0, 1)
x = erf(W.T @ relu(W @ v) + v)
y = relu(W @ erf(W.T @ u))
a = W @ x
b = W.T @ y
"""
    ask = Asked(text)
    assert ask.number("E[y*a]") == pytest.approx(1.5 * ask.number("E[b*x]"), abs=1e-10)


def test_long_alternating_chains():
    """(WᵀW)^k u: ⟨u|(WᵀW)^k u⟩ are the Catalan numbers."""
    lines = "\n".join(f"a{k} = W @ b{k}\nb{k + 1} = W.T @ a{k}" for k in range(6))
    ask = Asked(f"random W: (n, n) ~ N(0, 1/n)\nrandom b0: (n) ~ N(0, 1)\n{lines}")
    assert [ask(f"E[b0*b{k}]") for k in range(7)] == [1, 1, 2, 5, 14, 42, 132]


def test_semicircle_coefficients():
    """TP III §3.1: z^{t+1} = (W + Wᵀ) z^t has b^t_r = C_{(t−r)/2}, W with entries N(0, 1/2n)."""
    lines = "\n".join(f"z{t + 1} = (W + W.T) @ z{t}" for t in range(7))
    ask = Asked(f"random W: (n, n) ~ N(0, 1/(2*n))\nrandom z0: (n) ~ N(0, 1)\n{lines}")
    catalan = [1, 0, 1, 0, 2, 0, 5, 0]
    assert [ask(f"E[z0*z{t}]") for t in range(8)] == catalan
    assert [ask(f"E[z2*z{t}]") for t in range(4)] == [1, 0, 2, 0]


def test_traces():
    wigner = Asked("random X: (n, n) ~ N(0, 1/n)\nA = (X + X.T)/sqrt(2)")
    assert [wigner(f"lim(tr({'@'.join('A' * k)}))") for k in (1, 2, 3, 4, 6)] == [0, 1, 0, 2, 5]
    wishart = Asked("width m = 2*n\nrandom W: (n, m) ~ N(0, 1/m)\nS = W @ W.T")
    rho = Rational(1, 2)
    assert wishart("lim(tr(S))") == 1
    assert wishart("lim(tr(S@S))") == 1 + rho
    assert wishart("lim(tr(S@S@S))") == 1 + 3 * rho + rho**2


def test_both_forms_of_the_dot_agree():
    """E ∂Z^x/∂Ẑ_i and C⁺b give the same Ż, also where the y_i are dependent."""
    b = Builder()
    matrix = b.matrix("W", N, N, Rational(3, 2))
    u = b.vector("u", N, family="uv")
    v = b.vector("v", N, family="uv", covariance={u: S.One})
    p = b.vector("p", N, mean=S.One)
    sources = [u, v, p, b.nonlin(x + 2 * y, {x: u, y: p}, N)]
    hats = [b.matmul(matrix, s, transposed=True) for s in sources]
    symbols = dict(zip(sp.symbols("h0:4", real=True), hats, strict=True))
    h = list(symbols)
    mixed = b.nonlin(relu(h[0] + h[1]) + sp.erf(h[2]) * h[3] + sp.Abs(h[3]), symbols, N)
    out = b.matmul(matrix, mixed)
    limit = limit_of(b)
    limit.prepare([out])
    instruction = b[out]
    earlier = rules.transposed_products(limit, instruction)
    assert earlier == hats
    solved = rules.covariance_solve(limit, instruction, earlier, b[matrix])
    dot = sp.Add(*(a * rules.multiplied(limit, k) for a, k in zip(solved, earlier, strict=True)))
    difference = limit._dot[out] - dot
    for other in sources:
        gap = limit.expectation(difference * limit.z(other).limit())
        assert number(gap, limit) == pytest.approx(0, abs=1e-12)


def test_scalars_carry_no_derivative():
    """A product that enters only through a scalar creates no dot."""
    ask = Asked(SQUARE + "g = W @ u\nz = W.T @ (p*mean(g^2))")
    assert ask("E[Zdot(z)^2]") == 0
    assert ask("E[z^2]") == Rational(5, 4)


def test_other_matrices_create_no_dot():
    ask = Asked(SQUARE + "z = V.T @ erf(W @ u)")
    assert ask("E[z*u]") == 0


def test_presentation_does_not_matter():
    """W(y + z) against Wy + Wz: the same hats, dots and moments (TP III, Remark 2.11)."""
    ask = Asked(SQUARE + """
g = W.T @ u
a = W @ (erf(g) + step(g)*p)
b = W @ erf(g) + W @ (step(g)*p)
""")
    assert ask.number("E[a^2]") == pytest.approx(ask.number("E[b^2]"), abs=1e-12)
    assert ask.number("E[a*b]") == pytest.approx(ask.number("E[b^2]"), abs=1e-12)
    assert ask.number("E[(a - b)^2]") == pytest.approx(0, abs=1e-12)
    assert ask.number("E[a*u]") == pytest.approx(ask.number("E[b*u]"), abs=1e-12)


def test_order_of_statements_does_not_matter():
    statements = ["a = W @ u", "b = V @ erf(w)", "c = W.T @ relu(p)"]
    questions = ["E[d^2]", "E[d*c]", "E[d*p]"]
    tails = "\nd = W.T @ (erf(a)*b) + c"
    answers = [
        [Asked(SQUARE + "\n".join(order) + tails).number(q) for q in questions]
        for order in (statements, statements[::-1], [statements[1], statements[2], statements[0]])
    ]
    assert answers[1] == pytest.approx(answers[0], abs=1e-13)
    assert answers[2] == pytest.approx(answers[0], abs=1e-13)


def test_a_power_of_n_may_be_moved():
    """Entries N(0, 1) applied to x/√n are entries N(0, 1/n) applied to x, also inside homogeneous functions."""
    text = "random {W}\nrandom u: (n) ~ N(0, 1)\n{h}\ny = relu(h)\nz = {t}"
    plain = Asked(text.format(W="W: (n, n) ~ N(0, 1/n)", h="h = W @ u", t="W.T @ y"))
    moved = Asked(text.format(W="W: (n, n) ~ N(0, 1)", h="h = W @ u", t="(W.T @ y)/n"))
    assert plain("E[z^2]") == moved("E[z^2]") == Rational(3, 4)
    assert moved("E[sign(h)*u]") == 0


def test_dependent_and_constant_vectors():
    b = Builder()
    matrix = b.matrix("W", N, N, S.One)
    u = b.vector("u", N, family="uv", variance=S(2))
    v = b.vector("v", N, family="uv", mean=S.One, variance=S.Zero)
    w = b.vector("w", N, family="uv", variance=S(8), covariance={u: S(4)})
    a, c, d = (b.matmul(matrix, k) for k in (u, v, w))
    limit = limit_of(b)
    gap = b.moment((2 * x - y) ** 2, {x: a, y: d}, N)
    assert limit.scalar(gap).limit() == 0
    assert limit.scalar(b.moment(step(2 * x - y), {x: a, y: d}, N)).limit() == 0
    assert limit.scalar(b.moment(x * y, {x: a, y: c}, N)).limit() == 0
    assert limit.scalar(b.moment(x**2, {x: c}, N)).limit() == 1
    assert limit.series(node_symbol(a)).limit() in limit.variables.forms
