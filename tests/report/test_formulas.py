"""Formulas as a person writes them, in text and LaTeX; the same expressions in MathML are well formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import sympy as sp
from sympy import Function, Rational, Symbol, acos, asin, cos, exp, pi, sin, sqrt

from tpsym.functions import Phi, gelu, relu, sigmoid, step, unknown
from tpsym.gauss.expectation import E, bound
from tpsym.report.escape import columns
from tpsym.report.latex import latex, law_clauses
from tpsym.report.latex_names import latex_name
from tpsym.report.laws import Laws
from tpsym.report.mathml import mathml
from tpsym.report.names import unicode_name
from tpsym.report.text import text, wrap
from tpsym.results.answers import Notation

q, s, d, lam, n = (Symbol(k, positive=True) for k in ("q", "s", "d", "lambda", "n"))
sw, sb = Symbol("sigma_w", positive=True), Symbol("sigma_b", nonnegative=True)
c, t, theta = (Symbol(k, real=True) for k in ("c", "t", "theta"))
xx, xy, yy = (Symbol(f"dot({a}, {b})", real=True) for a, b in ("xx", "xy", "yy"))
layer, L = Symbol("l", integer=True), Symbol("L", integer=True, positive=True)
a = {k: Symbol(f"a[{k}]", real=True) for k in (1, 2, 3)}
z1, z2 = bound(1), bound(2)
G, z = sp.symbols("G z")
phi, psi = unknown("phi", 1), unknown("psi", 2)

FORMULAS = [
    (sw**2 * xy / d + sb**2, "σ_w²·(x·y)/d + σ_b²", r"\frac{\sigma_w^2 \, x^{\top} y}{d} + \sigma_b^2"),
    (Rational(1, 4) + asin(c) / (2 * pi), "1/4 + asin(c)/(2π)", r"\frac{1}{4} + \frac{\arcsin c}{2 \pi}"),
    (
        sb**2 + sw**2 / (2 * pi) * sqrt(q * s) * (sin(theta) + (pi - theta) * cos(theta)),
        "σ_w²·√(q·s)/(2π)·(sin(θ) + (π − θ)·cos(θ)) + σ_b²",
        r"\frac{\sigma_w^2 \sqrt{q s}}{2 \pi} (\sin \theta + (\pi - \theta) \cos \theta) + \sigma_b^2",
    ),
    (
        2 / pi * asin(2 * c / sqrt((1 + 2 * q) * (1 + 2 * s))),
        "2/π·asin(2c/√((1 + 2q)·(1 + 2s)))",
        r"\frac{2}{\pi} \arcsin\!\left(\frac{2 c}{\sqrt{(1 + 2 q) (1 + 2 s)}}\right)",
    ),
    (exp((q + s) / 2 + c), "exp((q + s)/2 + c)", "e^{(q + s)/2 + c}"),
    (exp(-(q + s) / 2) * sp.cosh(c), "exp(−(q + s)/2)·cosh(c)", r"e^{-(q + s)/2} \cosh c"),
    (1 + 6 * lam + 6 * lam**2 + lam**3, "λ³ + 6λ² + 6λ + 1", r"\lambda^3 + 6 \lambda^2 + 6 \lambda + 1"),
    (G**2 - z * G + 1, "G² − G·z + 1", "G^2 - G z + 1"),
    (q * s - c**2, "q·s − c²", "q s - c^2"),
    (sqrt(4 - t**2) / (2 * pi), "√(4 − t²)/(2π)", r"\frac{\sqrt{4 - t^2}}{2 \pi}"),
    (2 + 5 / n + 5 / n**2, "2 + 5/n + 5/n²", r"2 + \frac{5}{n} + \frac{5}{n^2}"),
    ((1 - sqrt(lam)) ** 2, "(1 − √λ)²", r"\left(1 - \sqrt{\lambda}\right)^2"),
    (1 - 1 / lam, "1 − 1/λ", r"1 - \frac{1}{\lambda}"),
    (
        xx / d + (layer - 1) * sb**2 / 2,
        "(x·x)/d + σ_b²·(l − 1)/2",
        r"\frac{x^{\top} x}{d} + \frac{\sigma_b^2 (l - 1)}{2}",
    ),
    (xx * sw ** (2 * L) / d / 2**L, "σ_w^(2L)·(x·x)/(2^L·d)", r"\frac{\sigma_w^{2 L} \, x^{\top} x}{2^L d}"),
    (sqrt(2) / 2, "1/√2", r"\frac{1}{\sqrt{2}}"),
    (sqrt(2) / 4, "1/(2·√2)", r"\frac{1}{2 \sqrt{2}}"),
    (sqrt(2) * c / (2 * sqrt(pi)), "c/√(2π)", r"\frac{c}{\sqrt{2 \pi}}"),
    (sqrt(2) / sqrt(pi), "√(2/π)", r"\sqrt{\frac{2}{\pi}}"),
    (-c / 2, "−c/2", r"-\frac{c}{2}"),
    ((pi - theta) / (2 * pi), "(π − θ)/(2π)", r"\frac{\pi - \theta}{2 \pi}"),
    (n ** (-2 * a[1]), "n^(−2a₁)", "n^{-2 a_1}"),
    (xy / sqrt(xx * yy), "(x·y)/√((x·x)·(y·y))", r"\frac{x^{\top} y}{\sqrt{x^{\top} x \, y^{\top} y}}"),
    (E(sp.tanh(z1) ** 2, [[1]]) * sw**2, "σ_w²·E[tanh(z)²]", r"\sigma_w^2 \, \mathbb{E}[\tanh^2 z]"),
    (E(phi(z1) * phi(z2), [[q, c], [c, s]]), "E[φ(z₁)·φ(z₂)]", r"\mathbb{E}[\phi(z_1) \phi(z_2)]"),
    (phi(c).diff(c, 2) * phi(t) ** 2, "φ(t)²·φ''(c)", r"\phi(t)^2 \phi''(c)"),
    (phi(c).diff(c, 5), "φ^(5)(c)", r"\phi^{(5)}(c)"),
    (psi(c, t).diff(c).diff(t, 2), "∂₁₂₂ψ(c, t)", r"\partial_{122} \psi(c, t)"),
    (relu(c) * step(c), "relu(c)·step(c)", r"\operatorname{relu}(c) \operatorname{step}(c)"),
    (gelu(c) + Phi(c), "Φ(c) + gelu(c)", r"\Phi(c) + \operatorname{gelu}(c)"),
    (sigmoid(c), "sigmoid(c)", r"\operatorname{sigmoid}(c)"),
    (sp.And(sp.Eq(a[1], 0), a[2] >= 1), "a₁ = 0 and a₂ ≥ 1", r"a_1 = 0 \text{ and } a_2 \geq 1"),
    (sp.oo, "∞", r"\infty"),
    (Function("Cov")(c, t), "Cov(c, t)", r"\operatorname{Cov}(c, t)"),
    (Function("E")(c**2), "E[c²]", r"\mathbb{E}[c^2]"),
    (acos(c) ** 2, "acos(c)²", r"\arccos^2 c"),
    (Rational(-3, 2), "−3/2", r"-\frac{3}{2}"),
    ((sw**2 / 2) ** (layer - 1), "(σ_w²/2)^(l−1)", r"(\sigma_w^2/2)^{l - 1}"),
    (sw ** (2 * layer - 2), "σ_w^(2·(l−1))", r"\sigma_w^{2 (l - 1)}"),
    (
        sb**2 * (q ** (layer + 1) - 1) / (q / 2 - 1),
        "σ_b²·(q^(l+1) − 1)/(q/2 − 1)",
        r"\frac{\sigma_b^2 (q^{l + 1} - 1)}{q/2 - 1}",
    ),
    ((1 + q / L) ** L, "(1 + q/L)^L", "(1 + q/L)^L"),
    (
        sb**2 * sp.Sum(q**layer, (layer, 1, L - 1)) + q,
        "q + σ_b²·(Σ[l = 1..L−1] q^l)",
        r"q + \sigma_b^2 \sum_{l=1}^{L - 1} q^l",
    ),
    (
        sp.Product(1 + q / layer, (layer, 1, L)),
        "Π[l = 1..L] (q/l + 1)",
        r"\prod_{l=1}^{L} \left(\frac{q}{l} + 1\right)",
    ),
]

NAMES = [
    ("sigma_w", "σ_w", r"\sigma_w"),
    ("a[1]", "a₁", "a_1"),
    ("h[l-1]", "h[l−1]", "h_{l-1}"),
    ("x'", "x'", "x'"),
    ("w_out", "w_out", r"w_{\mathrm{out}}"),
    ("dot(x[1], y)", "x₁·y", r"x_1^{\top} y"),
    ("dot(x + y, z)", "(x + y)·z", r"\left(x+y\right)^{\top} z"),
    ("Zhat(h)", "Ẑ(h)", r"\hat{Z}^{h}"),
    ("Ż(W.T @ g)", "Ż(Wᵀ g)", r"\dot{Z}^{W^{\top}\,g}"),
    ("nngp(f)(x, y)", "nngp(f)(x, y)", r"\operatorname{nngp}(f)(x, y)"),
    ("E[g^2]", "E[g²]", r"\mathbb{E}[g^2]"),
    ("#7", "#7", r"\#7"),
    ("q*", "q*", "q^{*}"),
    ("chi_1*", "χ₁*", r"\chi_1^{*}"),
    ("a*b", "a·b", r"a\,b"),
    ("rho[l]", "ρ[l]", r"\rho_l"),
    ("Theta[h[l-1]](x, y)", "Θ[h[l−1]](x, y)", r"\Theta_{h_{l-1}}(x, y)"),
    ("K[h[l, 2], h[l, 3]](x, y)", "K[h[l,2],h[l,3]](x, y)", r"K_{h_{l,2},h_{l,3}}(x, y)"),
    ("∂h[2](x)", "∂h₂(x)", r"\partial h_2(x)"),
    ("Zhat(W[2].T ∂h[2](x))", "Ẑ(W₂ᵀ ∂h₂(x))", r"\hat{Z}^{W_2^{\top}\,\partial h_2(x)}"),
    ("dh", "dh", r"\mathrm{dh}"),
    ("delta", "δ", r"\delta"),
]


@pytest.mark.parametrize(("expr", "plain", "tex"), FORMULAS, ids=lambda v: v if isinstance(v, str) else "")
def test_formula(expr: sp.Expr, plain: str, tex: str) -> None:
    assert text(expr) == plain
    assert latex(expr) == tex
    ET.fromstring(mathml(expr, laws=Laws.of(expr)))


@pytest.mark.parametrize(("name", "plain", "tex"), NAMES)
def test_name(name: str, plain: str, tex: str) -> None:
    assert unicode_name(name) == plain
    assert latex_name(name) == tex


@pytest.mark.parametrize("name", ["((", "a[", "]", "\\input{x}", "a & b", "{}", "é€", "\x1b[31m", "", "Z(", "^", "x^"])
def test_any_text_is_a_name(name: str) -> None:
    assert "\x1b" not in unicode_name(name)
    assert "\\input" not in latex_name(name)
    ET.fromstring(mathml(Symbol(name or "x"), laws=Laws.of(c)))


def test_notation_overrides_names() -> None:
    assert latex(c**2, Notation({c: r"\kappa"})) == r"\kappa^2"


def test_two_laws_have_two_letters() -> None:
    expr = E(relu(z1), [[q]]) * E(z1 * z2, [[q, c], [c, s]])
    laws = Laws.of(expr)
    assert text(expr, laws=laws) == "E[ζ₁·ζ₂]·E[relu(z)]" or text(expr, laws=laws) == "E[z₁·z₂]·E[relu(ζ)]"
    assert len(law_clauses(laws)) == 2


def test_variables_of_laws_avoid_names_in_use() -> None:
    expr = Symbol("z") * E(relu(z1), [[q]])
    assert text(expr) == "z·E[relu(ζ)]"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_wrapped_lines_fit(width: int) -> None:
    line = text(sp.expand((a[1] + a[2] + a[3] + sin(c) / 2) ** 4))
    lines = wrap(line, width=width)
    assert max(map(columns, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(line.split())


def test_squared_norms() -> None:
    norms = Notation({xx: r"\lVert x\rVert^2", yy: r"\lVert y\rVert^2"})
    assert latex(xy / sqrt(xx * yy), norms) == r"\frac{x^{\top} y}{\lVert x\rVert \, \lVert y\rVert}"
    assert latex(xx**2, norms) == r"\lVert x\rVert^4"


def test_superscripts_are_not_stacked() -> None:
    assert latex(Symbol("Z(h)") ** 2) == "(Z^{h})^2"


def test_sums_are_sums_in_mathml() -> None:
    total = sp.Sum(q**layer, (layer, 1, L - 1))
    out = mathml(total, laws=Laws.of(total))
    assert "<munderover><mo>∑</mo>" in out
    assert "<mtext>" not in out
