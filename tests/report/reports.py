"""Hand-made reports: what the interpreter says about small programs, written out."""

from __future__ import annotations

import sympy as sp
from sympy import Function, Rational, Symbol, pi, sqrt

from tpsym.derivation import Rule, Step
from tpsym.errors import Span
from tpsym.functions import relu, unknown
from tpsym.gauss.expectation import E, bound
from tpsym.report.document import Report
from tpsym.results.answers import Answer, ClaimResult, Notation

SIGMA_W = Symbol("sigma_w", positive=True)
SIGMA_B = Symbol("sigma_b", nonnegative=True)
D = Symbol("d", positive=True)
XX, YY = Symbol("dot(x, x)", nonnegative=True), Symbol("dot(y, y)", nonnegative=True)
XY = Symbol("dot(x, y)", real=True)
COV, MEAN = Function("Cov"), Function("E")
Z1, Z2 = bound(1), bound(2)

HAT = Rule("ZHat", "Yang2020TP3", "Definition 2.6")
DOT = Rule("ZDot", "Yang2020TP3", "Definition 2.6, Remark 2.12")
EXPECT = Rule("Expectation", "Stein1981", "Gaussian calculus")
ORTHANT = Rule("Orthant", "Sheppard1899")
RELU_SOURCE = '''"""Deep ReLU network: NNGP and NTK."""
width n
dim d
param σ_w: positive = sqrt(2)      # ρ, θ and π are letters
input x, y: (d)
weight W[1]: (n, d) ~ N(0, σ_w^2/d)
derive nngp(f)
'''


def at(line: int) -> Span:
    return Span(line, 1, line, 10)


def relu_kernel(q: sp.Expr, s: sp.Expr, c: sp.Expr) -> sp.Expr:
    """E[relu relu] as the reduction to orthants gives it."""
    return c * (Rational(1, 4) + sp.asin(c / sqrt(q * s)) / (2 * pi)) + sqrt(q * s - c**2) / (2 * pi)


def mlp_report() -> Report:
    """NNGP of a network with one hidden layer, steps and four claims."""
    q, s, c = (SIGMA_W**2 * k / D + SIGMA_B**2 for k in (XX, YY, XY))
    hats = [Symbol(f"Ẑ(h[1]({v}))", real=True) for v in "xy"]
    first = Step(HAT, COV(*hats), c, at(6))
    second = Step(EXPECT, MEAN(relu(hats[0]) * relu(hats[1])), relu_kernel(q, s, c), at(7), "relu = z·step(z)")
    third = Step(ORTHANT, Symbol("K(x, y)"), E(relu(Z1) * relu(Z2), [[q, c], [c, s]]), None)
    answers = (
        Answer(
            "nngp(f)",
            Symbol("nngp(f)(x, y)"),
            SIGMA_B**2 + SIGMA_W**2 * relu_kernel(q, s, c),
            (),
            (first, second, third),
            at(7),
            value="0.25",
        ),
        Answer("nngp(f)", Symbol("nngp(f)(x, x)"), SIGMA_B**2 + SIGMA_W**2 * q / 2, (), (second,), at(7)),
        Answer(
            "ntk(f)",
            Symbol("ntk(f)(x, y)"),
            c + Symbol("Theta") * relu_kernel(q, s, c),
            (),
            (first,),
            at(7),
            "gradients of all weights",
        ),
    )
    return Report("Deep ReLU network", "mlp.tp", RELU_SOURCE, answers, claims(), Notation({}))


def claims() -> tuple[ClaimResult, ...]:
    return (
        ClaimResult(
            "first layer",
            20,
            at(20),
            "==",
            "C[1](x, y)",
            "sigma_w^2*dot(x, y)/d",
            "proved",
            "normal form",
            "",
        ),
        ClaimResult(
            "a number",
            21,
            at(21),
            "==",
            "E[tanh(g)^2]",
            "0.3943 +- 1e-4",
            "checked",
            "quadrature, 30 digits",
            "",
        ),
        ClaimResult(
            "forgot the 1/2",
            22,
            at(22),
            "==",
            "nngp(f)(x, x)",
            "sigma^2*dot(x, x)/d",
            "refuted",
            "intervals",
            "the sides differ",
            instance="l = 2",
            witness={SIGMA_W: "1.25", XX: "2"},
            left_value="1.5625",
            right_value="3.125",
        ),
        ClaimResult("too hard", 23, at(23), "<=", "a", "b", "undecided", "", "no rule applies within 10 s"),
    )


def transpose_report() -> Report:
    """A matrix and its transpose, with an expectation that stays."""
    hat, u = Symbol("Ẑ(z)", real=True), Symbol("Z(u)", real=True)
    mean = E(1 - sp.tanh(Z1) ** 2, [[1]])
    dot = Step(DOT, Symbol("Zdot(z)"), u * mean, at(7), "derivative form")
    second = Step(HAT, COV(hat, hat), E(sp.tanh(Z1) ** 2, [[1]]), at(7))
    answer = Answer("Z(z)", Symbol("Z(z)"), hat + u * mean, (), (dot, second), at(9))
    return Report("A matrix and its transpose", "01.tp", "z = W.T @ tanh(W @ u)\n", (answer,))


def unknown_report() -> Report:
    """Nothing known about the nonlinearity: expectations of phi, nested in covariances."""
    phi = unknown("phi", 1)
    q, s, c = (SIGMA_W**2 * k / D for k in (XX, YY, XY))

    def kernel(a: sp.Expr, b: sp.Expr, m: sp.Expr) -> sp.Expr:
        return SIGMA_W**2 * E(phi(Z1) * phi(Z2), [[a, m], [m, b]])

    diagonal = [SIGMA_W**2 * E(phi(Z1) ** 2, [[k]]) for k in (q, s)]
    right = kernel(*diagonal, kernel(q, s, c)) + E(phi(Z1).diff(Z1) * phi(Z2).diff(Z2), [[q, c], [c, s]])
    return Report(
        "Unknown nonlinearity",
        "phi.tp",
        "fn phi\n",
        (Answer("nngp(f)", Symbol("nngp(f)(x, y)"), right, (), (), at(3)),),
    )


def long_report() -> Report:
    """A polynomial of sixty terms and a product with a long factor."""
    letters = [Symbol(f"a[{k}]", real=True) for k in range(1, 5)]
    wide = sp.expand((sum(letters) + 1) ** 4)
    step = Step(EXPECT, MEAN(sum(letters) ** 4), wide, at(4))
    right = SIGMA_W**2 / (2 * pi * D) * (wide + sp.sin(letters[0])) * sp.exp(letters[1])
    return Report("Long", "long.tp", "#\n", (Answer("x", Symbol("K(x, x)"), right, (), (step,), at(4)),))


REPORTS = {"mlp": mlp_report, "transpose": transpose_report, "unknown": unknown_report, "long": long_report}
