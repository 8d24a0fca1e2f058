"""``train`` in the language: snapshots, data, batches, losses, rates."""

from __future__ import annotations

from typing import Any

import pytest
from sympy import Expr

import tpsym
from tpsym.errors import TpError
from tpsym.program.evaluate import evaluate
from tpsym.syntax.parse import parse_expression

HEAD = """width n
dim d
param eta, t: real
input x, y: (d)
input p[i]: (d) for i in 1..3
fn quartic(f, y) = (f - y)^4
fn first(a) = a^2
weight U: (n, d) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
random g: (n) ~ N(0, 1)
def f(z):
    h[0] = U @ z
    for l in 1..2:
        h[l] = h[l-1]/l
    return v @ h[2] / n
"""
TRAIN = "train F = f with {optimizer}, {loss}data = {data}, steps = {steps}{more}\n"


def program(data: str = "[(x, t)]", *, optimizer: str = "sgd(lr = eta*n)", loss: str = "", steps: str = "2",
            more: str = "", then: str = "") -> tpsym.Program:
    return tpsym.parse(HEAD + TRAIN.format(optimizer=optimizer, loss=loss, data=data, steps=steps, more=more) + then)


def asked(found: tpsym.Program, question: str) -> Expr:
    value: Any = evaluate(found.model.context, parse_expression(question), found.model.context.scope)
    named = found.limit_side.limit.definitions
    expr: Expr = value.expr
    while not expr.free_symbols.isdisjoint(named):
        expr = expr.xreplace(named)
    return expr


def same(one: Expr, other: Expr) -> bool:
    return (one - other).expand() == 0


@pytest.mark.parametrize(("question", "answer"), [
    ("lim(F[0](x))", "0"), ("lim(F[1](x))", "eta*t*dot(x, x)/2"), ("E[F[0].h[0](x)^2]", "dot(x, x)"),
    ("E[F[1].h[0](y)*f.h[0](x)]", "dot(x, y)"), ("E[F[1].h[2](x)^2]", "dot(x, x)/4 + eta^2*t^2*dot(x, x)^2/16"),
    ("lim(mean(F[1].h[1](x)^2))", "dot(x, x) + eta^2*t^2*dot(x, x)^2/4"),
])
def test_values_after_steps(question: str, answer: str) -> None:
    found = program()
    assert same(asked(found, question), asked(found, answer))


def test_steps_are_an_index_like_others() -> None:
    found = program(then="let q[k] = lim(F[k](y)) for k in 0..2\nlet now = 1\n")
    assert same(asked(found, "q[1]"), asked(found, "lim(F[1](y))"))
    assert same(asked(found, "lim(F[now + 1](y))"), asked(found, "q[2]"))
    assert not same(asked(found, "q[1]"), asked(found, "q[2]"))


def test_data_may_be_a_family() -> None:
    listed = program("[(p[1], 1), (p[2], 4), (p[3], 9)]")
    assert same(asked(program("[(p[i], i^2) for i in 1..3]"), "lim(F[2](x))"), asked(listed, "lim(F[2](x))"))
    assert same(asked(listed, "lim(F[1](x))"), asked(listed, "eta/6*(dot(p[1], x) + 4*dot(p[2], x) + 9*dot(p[3], x))"))


@pytest.mark.parametrize(("loss", "signal"), [
    ("", "-t"), ("loss = mse, ", "-t"), ("loss = xent, ", "-t/2"), ("loss = quartic, ", "-4*t^3"),
])
def test_losses(loss: str, signal: str) -> None:
    """The first step goes by the error signal at 0."""
    found = program(loss=loss)
    assert same(asked(found, "lim(F[1](x))"), asked(found, f"-({signal})*eta*dot(x, x)/2"))


def test_a_table_of_rates_is_by_array() -> None:
    found = program(optimizer="sgd(lr = {U: eta*n, v: 3*eta*n})")
    assert same(asked(found, "lim(F[1](x))"), asked(found, "(1 + 3)*eta*t*dot(x, x)/4"))


@pytest.mark.parametrize(("optimizer", "message"), [
    ("sgd(lr = {U: eta*n})", "lr says nothing about v"), ("sgd", "train needs a learning rate"),
    ("sgd(momentum = 1/2)", "train needs a learning rate"), ("adam()", "train needs a learning rate"),
])
def test_every_array_has_a_rate(optimizer: str, message: str) -> None:
    with pytest.raises(TpError, match=message):
        asked(program(optimizer=optimizer), "lim(F[1](x))")


def test_a_rate_of_one_that_is_written_is_one() -> None:
    assert asked(program(optimizer="sgd(lr = 1)"), "lim(F[1](x))") == 0


@pytest.mark.parametrize(("more", "what"), [
    ({"data": "[]"}, "data is a list of pairs"), ({"data": "x"}, "data is a list of pairs"),
    ({"data": "[x]"}, "an example is a pair"), ({"data": "[(x, y)]"}, "a target is a given number"),
    ({"data": "[(x, mean(g))]"}, "one that the program computes"), ({"data": "[(g, 1)]"}, "trained on data points"),
    ({"data": "[(x, y, 1)]"}, "takes 1 argument"), ({"data": "[(p[i], i) for i in 1..4]"}, "no p"),
    ({"loss": "loss = first, "}, "a function of output and target"), ({"loss": "loss = msee, "}, "this is no loss"),
    ({"steps": "-1"}, "cannot be -1"), ({"steps": "1/2"}, "whole number"), ({"steps": "t"}, "symbol t"),
    ({"more": ", batch = 2"}, "a batch of 2 of 1"), ({"more": ", batch = 0"}, "cannot be 0"),
    ({"more": ", batch = [[]]"}, "without examples"), ({"more": ", batch = [[2]]"}, "no example 2"),
    ({"more": ", epochs = 2"}, "no option epochs"), ({"more": ", steps = 3"}, "twice"),
    ({"optimizer": "eta"}, "needs an optimizer"), ({"optimizer": "muon(lr = 1)"}, "muon is not available"),
])
def test_mistakes_are_named(more: dict[str, str], what: str) -> None:
    with pytest.raises(TpError, match=what) as found:
        asked(program(**more), "lim(F[1](x))")
    assert all(d.span is not None and d.span.line for d in found.value.diagnostics)


@pytest.mark.parametrize(("question", "code"), [
    ("lim(F(x))", "not-callable"), ("lim(F[3](x))", "index-out-of-range"), ("lim(F[-1](x))", "index-out-of-range"),
    ("lim(F[1, 1](x))", "index-out-of-range"), ("lim(F[1](x, y))", "wrong-argument-count"),
    ("E[F[1].k(x)]", "unknown-member"), ("E[F[1].h(x)]", "not-a-value"), ("lim(F.h(x))", "no-attribute"),
    ("lim(F)", "not-a-value"), ("lim(F[1].h[0](x))", "number-expected"),
])
def test_questions_that_make_no_sense(question: str, code: str) -> None:
    with pytest.raises(TpError) as found:
        asked(program(), question)
    assert found.value.diagnostics[0].code == code
