"""Trained linear networks: limits in closed form, exact against free probability."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from limits import Asked
from linear_training import Layer, Network, trace
from sympy import Rational

import tpsym
from tpsym.verify.claims import ClaimResult

F = Fraction
HEAD = """width n
dim d
param eta, t: real
input x, xi: (d)
weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1)
let s = dot(x, x)
"""
ONE = HEAD + """
def f(z):
    h = U @ z
    return v @ h / n
train F = f with sgd(lr = eta*n), loss = mse, data = [(x, t)], steps = 2
"""
TWO = HEAD + """
def f(z):
    h = U @ z
    return v @ (W @ h) / n
train F = f with sgd(lr = {U: eta*n, W: eta, v: eta*n}), data = [(x, t)], steps = 2
"""
CLAIMS = {
    "starts at zero": (ONE, "lim(F[0](xi)) == 0"),
    "one layer, one step": (ONE, "lim(F[1](x)) == 2*eta*s*t"),
    "one layer, two steps": (
        ONE, "lim(F[2](x)) == 4*eta*s*t*(eta*s - 1)*(2*eta^3*s^2*t^2 - eta^2*s*t^2 - 1)"),
    "elsewhere": (ONE, "s*lim(F[2](xi)) == dot(x, xi)*lim(F[2](x))"),
    "features": (ONE, "E[(F[1].h(xi) - f.h(xi))^2] == eta^2*t^2*dot(x, xi)^2"),
    "two layers, one step": (TWO, "lim(F[1](x)) == 3*eta*s*t"),
    "two layers, two steps": (
        TWO, "lim(F[2](x)) == -eta*s*t*(3*eta*s - 2)*(81*eta^6*s^4*t^4 - 57*eta^5*s^3*t^4 + 10*eta^4*s^2*t^4"
        " - 36*eta^3*s^2*t^2 + 12*eta^2*s*t^2 + 3)"),
    "two layers, elsewhere": (TWO, "s*lim(F[2](xi)) == dot(x, xi)*lim(F[2](x))"),
}


def verdict(text: str, claim: str) -> ClaimResult:
    (found,) = tpsym.verify(tpsym.parse(f'{text}\nclaim "c": {claim}\n'))
    return found


@pytest.mark.parametrize("name", CLAIMS)
def test_closed_forms_are_proved(name: str) -> None:
    assert verdict(*CLAIMS[name]).verdict == "proved"


@pytest.mark.parametrize(("text", "claim"), [
    (ONE, "lim(F[2](x)) == 2*eta*s*t"),
    (ONE, "lim(F[2](xi)) == lim(F[2](x))"),
    (ONE, "lim(F[2](x)) == 4*eta*s*t*(eta*s - 1)*(2*eta^3*s^2*t^2 - eta^2*s*t^2 + 1)"),
    (TWO, "lim(F[1](x)) == 2*eta*s*t"),  # as if W and its transpose were independent
    (TWO, "lim(F[2](x)) == -eta*s*t*(3*eta*s - 2)*(81*eta^6*s^4*t^4 - 57*eta^5*s^3*t^4 + 10*eta^4*s^2*t^4"
          " - 36*eta^3*s^2*t^2 + 13*eta^2*s*t^2 + 3)"),
])
def test_nearly_right_forms_are_refuted(text: str, claim: str) -> None:
    assert verdict(text, claim).verdict == "refuted"


# --- free probability -------------------------------------------------------------------------------


def test_traces_of_words() -> None:
    a, b, c = ("a", False), ("a", True), ("c", False)
    assert [trace((a, b) * k) for k in range(5)] == [1, 1, 2, 5, 14]
    assert trace((a, a, b, b)) == 1
    assert trace((a, c, b, ("c", True))) == 0
    assert trace((a, a)) == 0


def test_published_numbers_from_free_probability() -> None:
    """η = 3/20, |x|² = 21/16: 0.590625 and 0.8731294512."""
    rates = dict.fromkeys("uvW", F(3, 20))
    network, x = Network([[(F(1), ("W", False))]], 3, rates), [F(1), F(1, 2), F(1, 4)]
    found = [network.output(x)]
    for _ in range(2):
        network.step([(x, F(1))])
        found.append(network.output(x))
    assert found[:2] == [0, F(590625, 10**6)]
    assert float(found[2]) == pytest.approx(0.8731294512, abs=1e-10)


POINTS = {"x": (F(1), F(1, 2)), "y": (F(-1, 2), F(3, 4))}


def written(layers: list[Layer], rates: dict[str, Fraction], momentum: Fraction, decay: Fraction, examples: str,
            steps: int) -> str:
    """The same network and training in the language."""
    lines = [f"input {p}: (2) = [{a}, {b}]" for p, (a, b) in POINTS.items()]
    names = sorted({name for layer in layers for _, (name, _) in layer})
    lines += ["weight u: (n, 2) ~ N(0, 1)", "weight v: (1, n) ~ N(0, 1)"]
    lines += [f"weight {name}: (n, n) ~ N(0, 1/n)" for name in names]
    lines += ["def f(z):", "    h[0] = u @ z"]
    for k, layer in enumerate(layers):
        terms = [f"({c})*({name}{'.T' if flipped else ''} @ h[{k}])" for c, (name, flipped) in layer]
        lines.append(f"    h[{k + 1}] = {' + '.join(terms)}")
    lines.append(f"    return v @ h[{len(layers)}] / n")
    scale = {name: "" if name in names else "*n" for name in rates}
    table = ", ".join(f"{name}: {rate}{scale[name]}" for name, rate in rates.items())
    decays = ", ".join(f"{name}: {decay / rate}{'/n' if scale[name] else ''}" for name, rate in rates.items())
    settings = f"lr = {{{table}}}, momentum = {momentum}, weight_decay = {{{decays}}}"
    data = ", ".join(f"({p}, {1 if p == 'x' else -1})" for p in examples)
    lines.append(f"train F = f with sgd({settings}), loss = mse, data = [{data}], steps = {steps}")
    return "\n".join(lines) + "\n"


def compared(layers: list[Layer], *, momentum: Fraction, decay: Fraction, examples: str, steps: int,
             rate: Fraction) -> None:
    """Outputs at both points and sizes of all hidden vectors at the last step, exactly."""
    names = sorted({name for layer in layers for _, (name, _) in layer})
    rates = {"u": rate, "v": rate / 2, **dict.fromkeys(names, rate)}
    network = Network(layers, 2, rates, momentum, decay)
    for _ in range(steps):
        network.step([(POINTS[p], F(1 if p == "x" else -1)) for p in examples])
    asked = Asked(written(layers, rates, momentum, decay, examples, steps))
    for p in POINTS:
        assert asked.exact(f"lim(F[{steps}]({p}))") == exact(network.output(POINTS[p]))


def exact(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


def drawn(rng: Random) -> tuple[list[Layer], dict[str, object]]:
    """A linear network of one to three matrices, some used again, some transposed, and its training."""
    letters = [("W", False), ("W", True), ("Y", False), ("Y", True), ("W", False)]
    layers: list[Layer] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        layer = {rng.choice(letters): rng.choice((F(1), F(1), F(1, 2), F(-1))) for _ in range(rng.choice((1, 1, 2)))}
        layers.append([(c, letter) for letter, c in layer.items()])
    settings = {
        "momentum": rng.choice((F(0), F(0), F(1, 2))), "decay": rng.choice((F(0), F(0), F(1, 5))),
        "examples": rng.choice(("x", "x", "xy")), "steps": rng.choice((1, 2)) if len(layers) < 3 else 1,
        "rate": rng.choice((F(1, 3), F(1, 5))),
    }
    return layers, settings


@pytest.mark.parametrize("seed", range(12))
def test_random_linear_networks(seed: int) -> None:
    layers, settings = drawn(Random(seed))
    compared(layers, **settings)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_linear_networks(seed: int) -> None:
    layers, settings = drawn(Random(seed))
    compared(layers, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_three_hidden_layers(steps: int) -> None:
    compared([[(F(1), ("W", False))], [(F(1), ("Y", False))]], momentum=F(0), decay=F(0), examples="x", steps=steps,
             rate=F(1, 5))


@pytest.mark.parametrize("layers", [
    [[(F(1), ("W", False))], [(F(1), ("W", False))]],
    [[(F(1), ("W", False))], [(F(1), ("W", True))]],
    [[(F(1), ("W", False)), (F(1), ("W", True))]],
    [[(F(1), ("W", False))]] * 3,
], ids=["twice", "with its transpose", "symmetric", "three times"])
def test_shared_matrices(layers: list[Layer]) -> None:
    compared(layers, momentum=F(0), decay=F(0), examples="xy", steps=2 if len(layers) < 3 else 1, rate=F(1, 5))
