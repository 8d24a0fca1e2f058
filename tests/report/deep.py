"""Hand-made answers over a symbolic depth: what a loop over layers comes to."""

from __future__ import annotations

from reports import SIGMA_B, SIGMA_W, XX, XY, YY, D, at, relu_kernel
from sympy import Expr, Integer, Rational, Symbol, asin, pi, sqrt

from tpsym.functions import unknown
from tpsym.gauss.expectation import E, bound
from tpsym.report.document import Report
from tpsym.results.answers import Answer, Notation, Recursion

LAYER = Symbol("l", integer=True, positive=True)
DEPTH = Symbol("L", integer=True, positive=True)
CHI = SIGMA_W**2 / 2
BETA = Symbol("beta", positive=True)


def stat(kind: str, layer: str, pair: str) -> Symbol:
    """``K[h[l-1]](x, y)``: nonnegative on the diagonal."""
    name = f"{kind}[h[{layer}]]({pair[0]}, {pair[1]})"
    return Symbol(name, nonnegative=True) if pair[0] == pair[1] else Symbol(name, real=True)


def three(layer: str) -> tuple[Symbol, Symbol, Symbol]:
    return stat("K", layer, "xx"), stat("K", layer, "yy"), stat("K", layer, "xy")


def quarter(q: Expr, s: Expr, c: Expr) -> Expr:
    return Rational(1, 4) + asin(c / sqrt(q * s)) / (2 * pi)


def over_layers(symbol: Symbol, step: Expr, first: Symbol, initial: Expr, solution: Expr | None = None,
                note: str = "") -> Recursion:
    return Recursion(symbol, step, LAYER, Integer(2), DEPTH, first, initial, solution, note)


def diagonal(pair: str, inner: Expr) -> Recursion:
    """The variance of a ReLU network with biases, and its closed form."""
    first, below = stat("K", "1", pair), stat("K", "l-1", pair)
    power = CHI ** (LAYER - 1)
    solution = first * power + SIGMA_B**2 * (power - 1) / (CHI - 1)
    initial = SIGMA_W**2 * inner / D + SIGMA_B**2
    return over_layers(stat("K", "l", pair), SIGMA_W**2 * below / 2 + SIGMA_B**2, first, initial, solution,
                       "for σ_w² ≠ 2")


def covariance() -> Recursion:
    return over_layers(
        stat("K", "l", "xy"),
        SIGMA_B**2 + SIGMA_W**2 * relu_kernel(*three("l-1")),
        stat("K", "1", "xy"),
        SIGMA_W**2 * XY / D + SIGMA_B**2,
    )


def tangent() -> Recursion:
    step = stat("K", "l", "xy") + stat("Theta", "l-1", "xy") * SIGMA_W**2 * quarter(*three("l-1"))
    return over_layers(stat("Theta", "l", "xy"), step, stat("Theta", "1", "xy"), stat("K", "1", "xy"))


def answer(question: str, right: Expr, recursions: tuple[Recursion, ...],
           contributions: tuple[tuple[str, Expr], ...] = (), pair: str = "x, y") -> Answer:
    left = Symbol(f"{question}({pair})", real=True)
    return Answer(question, left, right, (), (), at(20), recursions=recursions, contributions=contributions)


def mlp() -> Report:
    """A ReLU network with biases: NNGP on and off the diagonal, tangent kernel by array."""
    variances = (diagonal("xx", XX), diagonal("yy", YY))
    last = three("L")
    theta = stat("Theta", "L", "xy")
    ntk = {"W": theta * quarter(*last), "v": relu_kernel(*last), "b": SIGMA_B**2 * quarter(*last)}
    answers = (
        answer("nngp(f)", last[0] / 2, variances[:1], pair="x, x"),
        answer("nngp(f)", relu_kernel(*last), (*variances, covariance())),
        answer("ntk(f)", sum(ntk.values(), Integer(0)), (*variances, covariance(), tangent()), tuple(ntk.items())),
    )
    latex = {answers[1].left: r"\operatorname{NNGP}_{f}(x,\,y)", XX: r"\|x\|^2", YY: r"\|y\|^2", XY: r"x^\top y"}
    return Report("Deep ReLU network", "deep.tp", "depth L\n", answers, (), Notation(latex))


def residual() -> Report:
    """Branches scaled by the depth: powers of a sum, and a limit in the depth as a parameter."""
    below, here, first = (stat("K", k, "xx") for k in ("l-1", "l", "1"))
    growth = 1 + BETA**2 / (2 * DEPTH)
    variance = over_layers(here, growth * below, first, XX / D, growth ** (LAYER - 1) * XX / D)
    return Report("Residual network", "res.tp", "", (
        answer("nngp(f)", stat("K", "L", "xx"), (variance,), pair="x, x"),
        answer("chi", CHI**DEPTH, (), pair="x"),
    ))


def layernorm() -> Report:
    """An unknown nonlinearity of normalised vectors with a mean: E that stays, in step and kernel."""
    phi, (z1, z2) = unknown("phi", 1), (bound(1), bound(2))

    def normed(layer: str) -> Expr:
        q, s, c = three(layer)
        mean = Symbol(f"m[h[{layer}]](x)", real=True)
        q, s = (v - mean**2 + SIGMA_B**2 for v in (q, s))
        return E(phi(z1) * phi(z2), [[1, c / sqrt(q * s)], [c / sqrt(q * s), 1]])

    means = over_layers(Symbol("m[h[l]](x)", real=True), Symbol("m[h[l-1]](x)", real=True) / 2,
                        Symbol("m[h[1]](x)", real=True), Integer(0), note="by symmetry in the weights")
    step = over_layers(stat("K", "l", "xy"), stat("K", "l-1", "xy") + SIGMA_W**2 * normed("l-1"),
                       stat("K", "1", "xy"), XY / D)
    return Report("Layer normalisation", "ln.tp", "", (answer("nngp(f)", normed("L"), (means, step)),))


DEEP = {"mlp": mlp, "residual": residual, "layernorm": layernorm}
