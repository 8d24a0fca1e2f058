"""Unrolled programs: what they cost, and what their limits do not depend on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr

import tpsym
from tpsym.program.evaluate import evaluate
from tpsym.results.trained import training_of
from tpsym.syntax.parse import parse_expression
from tpsym.transform.unroll import unroll

POINTS = "input x: (2) = [1, 1/2]\ninput y: (2) = [-1/2, 3/4]\ninput z0: (2) = [1/4, 1]\n"
ARRAYS = "weight U: (n, 2) ~ N(0, 1)\nweight W: (n, n) ~ N(0, 1/n)\nweight v: (1, n) ~ N(0, 1)\n"
BODY = "    h = U @ z\n    g = W @ h + W.T @ h\n    return v @ (g + h) / n\n"
DATA = "[(x, 1), (y, -1), (z0, 1/2)]"
RATES = "{U: n/5, W: 1/7, v: n/9}"


def text(
    *, body: str = BODY, arrays: str = ARRAYS, optimizer: str = f"sgd(lr = {RATES})", data: str = DATA,
    steps: int = 2, more: str = "",
) -> str:
    statement = f"train F = f with {optimizer}, loss = mse, data = {data}, steps = {steps}{more}\n"
    return f"width n\n{POINTS}{arrays}def f(z):\n{body}{statement}"


def asked(program: str, question: str) -> Expr:
    model = tpsym.parse(program).model
    found: Any = evaluate(model.context, parse_expression(question), model.context.scope)
    return found.expr


def outputs(program: str, steps: int = 2) -> list[Expr]:
    return [asked(program, f"lim(F[{t}](x))") for t in range(steps + 1)]


PLAIN = outputs(text())


def test_it_moves() -> None:
    assert PLAIN[0] == 0
    assert len(set(PLAIN)) == 3


@settings(max_examples=6)
@given(st.permutations(["(x, 1)", "(y, -1)", "(z0, 1/2)"]))
def test_the_order_of_the_data_is_nothing(order: list[str]) -> None:
    assert outputs(text(data=f"[{', '.join(order)}]")) == PLAIN


@pytest.mark.parametrize("more", [", batch = 3", ", batch = [[1, 2, 3]]", ", batch = [[3, 1, 2], [1, 2, 3]]"])
def test_a_batch_of_all_is_the_full_batch(more: str) -> None:
    assert outputs(text(more=more)) == PLAIN


def test_batches_are_taken_in_turn() -> None:
    one = [outputs(text(data=f"[{e}]"), 1)[1] for e in ("(x, 1)", "(y, -1)")]
    assert outputs(text(data="[(x, 1), (y, -1)]", more=", batch = 1"), 1)[1] == one[0]
    assert outputs(text(data="[(x, 1), (y, -1)]", more=", batch = [[2], [1]]"), 1)[1] == one[1]
    assert one[0] != one[1]


def test_an_example_twice_counts_twice() -> None:
    twice = outputs(text(data="[(x, 1), (x, 1), (y, -1)]"))
    assert twice == outputs(text(data="[(x, 1), (y, -1)]", more=", batch = [[1, 1, 2]]"))


@pytest.mark.parametrize("optimizer", [
    f"sgd(lr = {RATES}, momentum = 0)", f"sgd(lr = {RATES}, weight_decay = 0)", "sgd(lr = {v: n/9, W: 1/7, U: n/5})",
])
def test_settings_that_do_nothing(optimizer: str) -> None:
    assert outputs(text(optimizer=optimizer)) == PLAIN


def test_momentum_and_decay_do_something() -> None:
    momentum = outputs(text(optimizer=f"sgd(lr = {RATES}, momentum = 1/2)"))
    assert momentum[1] == PLAIN[1]
    assert momentum[2] != PLAIN[2]
    assert outputs(text(optimizer=f"sgd(lr = {RATES}, weight_decay = {{W: 1/3}})"))[1] != PLAIN[1]


@settings(max_examples=5)
@given(st.sampled_from(["2", "1/3", "n^(1/2)", "1/n"]), st.sampled_from("UWv"))
def test_gauge(factor: str, array: str) -> None:
    """A multiplier A with an array smaller by A and a rate smaller by A² is the same training."""
    variances = {"U": "1", "W": "1/n", "v": "1"}
    rates = {"U": "n/5", "W": "1/7", "v": "n/9"}
    old = f"~ N(0, {variances[array]})"
    arrays = "\n".join(
        line.replace(old, f"~ N(0, ({variances[array]})/({factor})^2)") if line.startswith(f"weight {array}:") else line
        for line in ARRAYS.splitlines()
    ) + "\n"
    rates[array] = f"({rates[array]})/({factor})^2"
    body = BODY.replace(f"{array} @", f"({factor})*{array} @").replace("W.T @", "(1)*W.T @")
    if array == "W":
        body = body.replace("(1)*W.T", f"({factor})*W.T")
    table = ", ".join(f"{name}: {rate}" for name, rate in rates.items())
    found = outputs(text(body=body, arrays=arrays, optimizer=f"sgd(lr = {{{table}}})"))
    assert [e.equals(p) for e, p in zip(found, PLAIN, strict=True)] == [True] * 3


@pytest.mark.parametrize("body", [
    "    h = U @ z\n    a = W @ h\n    b = W.T @ h\n    c = a + b\n    return v @ (c + h) / n\n",
    "    h = U @ z\n    return v @ (W @ (U @ z)) / n + v @ (W.T @ h) / n + v @ h / n\n",
    "    h = U @ z\n    g = W @ (h/2) + W @ (h/2) + W.T @ (2*h) - W.T @ h\n    return v @ (g + h) / n\n",
    "    h = U @ z\n    g = (W + W.T) @ h\n    return mean(n*0*h) + v @ (g + h) / n\n",
], ids=["names", "split output", "split products", "operators"])
def test_how_it_is_written_is_nothing(body: str) -> None:
    assert [(e - p).expand() for e, p in zip(outputs(text(body=body)), PLAIN, strict=True)] == [0, 0, 0]


def test_before_training_it_is_the_network() -> None:
    deep = text(body=BODY.replace("W @ h", "tanh(W @ h)"))
    for question in ("lim({}(y))", "E[{}.h(y)^2]", "E[{}.g(x)*{}.g(y)]"):
        assert asked(deep, question.replace("{}", "F[0]")) == asked(deep, question.replace("{}", "f"))


# --- cost -------------------------------------------------------------------------------------------


def nodes(steps: int, *, examples: int = 1) -> int:
    """The size of the program that F[steps](x) needs."""
    data = "[(x, 1), (y, -1), (z0, 1/2)]"
    body = "    h = tanh(U @ z)\n    g = tanh(W @ h)\n    return v @ g / n\n"
    kept = data if examples == 3 else "[(x, 1)]"
    context = tpsym.parse(text(body=body, data=kept, steps=steps)).model.context
    trajectory: Any = context.scope.names["F"]
    training = training_of(context, trajectory)
    unroll(training, "F").value(training.outputs[0], steps)
    return len(list(context.builder.graph.nodes))


@pytest.mark.parametrize("examples", [1, 3])
def test_the_program_grows_at_most_quadratically_in_steps(examples: int) -> None:
    sizes = {t: nodes(t, examples=examples) for t in (1, 2, 4, 8)}
    assert sizes[1] < sizes[2] < sizes[4] < sizes[8]
    assert sizes[8] - sizes[4] < 4.2 * (sizes[4] - sizes[2])  # exactly 4 for T²
