"""What ``derive spectrum(A)`` states: the equation with its steps, tables, the density, and moments through vectors."""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path

import pytest
import sympy as sp
from sympy import Symbol

import tpsym
from tpsym.api import Program
from tpsym.freeprob.moments import Moments
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Operator
from tpsym.results.answers import Answer
from tpsym.results.matrix_words import matrix_polynomial
from tpsym.results.vector_route import iterates, moment_by_vectors
from tpsym.syntax.parse import parse_expression

EXAMPLES = Path(__file__).parents[1] / "examples"
WIGNER = (EXAMPLES / "07_wigner.tp").read_text(encoding="utf-8")
RATIO = (EXAMPLES / "08_marchenko_pastur.tp").read_text(encoding="utf-8")

NETWORK = """
width n
input x: (3) = [1, 0, 0]
weight U: (n, 3) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 2/n) for l in 1..2
h[0] = U @ x
for l in 1..2:
    h[l] = W[l] @ relu(h[l-1])
J = diag(step(h[2])) @ W[2] @ diag(step(h[1])) @ W[1]
K = diag(tanh(h[1])) @ W[1]
R = diag(relu(h[1])) @ W[1]
"""


@cache
def program(text: str) -> Program:
    return tpsym.parse(text)


def matrix(of: Program, text: str) -> Operator:
    node = parse_expression(text)
    value = evaluate(of.model.context, node, of.model.context.scope)
    assert isinstance(value, Operator)
    return value


def answers(text: str, question: str) -> list[Answer]:
    return list(tpsym.derive(tpsym.parse(text + f"\nderive {question}\n")).answers)


# --- moments through vectors, as in Tensor Programs III --------------------------------------------------


def test_the_semicircle_through_vectors_agrees_with_its_series_to_order_20() -> None:
    of = program(WIGNER)
    a = matrix(of, "A")
    span = of.model.questions[0].span
    series = Moments(matrix_polynomial(of.model.context, a, span))(20)
    found = [moment_by_vectors(of.limit_side, a, k, "A", span) for k in range(1, 21)]
    assert found == list(series[1:])
    assert found[19] == sp.catalan(10)


def test_the_coefficients_of_the_iterates_are_those_in_print() -> None:
    """Z^{z^t} = Σ_s b^t_s (Ẑ^{x^s} + Ẑ^{y^s})/√2 + b^t_0 Z^{z^0} with b^t_r = C_{(t−r)/2}, x^s = X z^{s−1}."""
    of = program(WIGNER)
    a = matrix(of, "A")
    span = of.model.questions[0].span
    side = of.limit_side
    vectors = list(islice(iterates(side, a, "A", span), 8))
    forms = [side.limit.variables.expand(side.limit.series(v.expr).limit()) for v in vectors]
    start = forms[0]
    for t, form in enumerate(forms):
        found = sp.expand(form).coeff(start)
        # b^t_0 counts ballot paths: C_{t/2} at even t
        assert found == (sp.catalan(t // 2) if t % 2 == 0 else 0)


def test_marchenko_pastur_through_vectors_at_a_symbolic_ratio() -> None:
    of = program(RATIO)
    s = matrix(of, "S")
    span = of.model.questions[0].span
    series = Moments(matrix_polynomial(of.model.context, s, span))(8)
    for k in range(1, 9):
        assert sp.expand(moment_by_vectors(of.limit_side, s, k, "S", span) - series[k]) == 0


@pytest.mark.parametrize("text", ["J.T @ J", "J @ J.T", "K.T @ K"])
def test_jacobians_through_vectors(text: str) -> None:
    """The vectors of the diagonals are made from the matrices they stand between: nothing is assumed independent."""
    of = tpsym.parse(NETWORK + f"derive spectrum({text})\n")
    found = list(tpsym.derive(of).answers)
    by_vectors = [a for a in found if str(a.left).startswith("lim(tr(")]
    assert by_vectors
    law = of.limit_side.spectra
    (made,) = law.values()
    for k, answer in enumerate(by_vectors, start=1):
        assert sp.expand(answer.right - made.moment(k)) == 0


# --- the answers --------------------------------------------------------------------------------------------


def test_the_equation_of_the_semicircle_with_its_steps() -> None:
    equation, density, *moments = answers(WIGNER, "spectrum(A)")[:8]
    g, z, t = (Symbol(name, real=True) for name in ("G", "z", "t"))
    assert equation.left == g**2 - z * g + 1
    assert equation.right == 0
    assert [table.title for table in equation.tables] == ["Support", "Moments"]
    assert [row[:1] for row in equation.tables[0].rows] == [(-2,), (2,)]
    assert [step.rule.name for step in equation.steps] == ["Linearisation", "Nested pairings", "Elimination"]
    assert density.right.xreplace({t: sp.Integer(0)}) == 1 / sp.pi
    assert [a.right for a in moments] == [0, 1, 0, 2, 0, 5]
    used = {step.rule.name for a in moments for step in a.steps}
    assert {"ZDot", "ZHat", "ZMatMul", "ZMoment"} <= used


def test_atoms_are_stated_with_their_conditions() -> None:
    equation = answers(RATIO, "spectrum(S)")[0]
    (atoms,) = (table for table in equation.tables if table.title == "Atoms")
    ratio = Symbol("lambda", positive=True)
    assert atoms.rows == ((0, 1 - 1 / ratio, ratio > 1),)


def test_free_independence_is_said_where_it_is_used() -> None:
    bounded = answers(NETWORK, "spectrum(J.T @ J)")[0]
    assert "free independence principle" in bounded.note
    assert bounded.steps[0].rule.name == "Free independence"
    assert "free independence principle" in answers(NETWORK, "spectrum(K.T @ K)")[0].note
    unbounded = answers(NETWORK, "spectrum(R.T @ R)")[0]
    assert "Master Theorem, applied to traces of words" in unbounded.note
    assert "free independence" not in unbounded.note


def test_without_an_equation_there_are_moments_and_the_reason() -> None:
    found = answers(NETWORK, "spectrum(K.T @ K)")[0]
    assert found.left == found.right
    assert "infinitely many values" in found.note
    assert [table.title for table in found.tables] == ["Moments"]


def test_roots_without_radicals_are_named_and_have_digits() -> None:
    text = "width n\nrandom X, W: (n, n) ~ N(0, 1/n)\nA = (X + X.T)/sqrt(2) + W @ W.T"
    equation, density, *_ = answers(text, "spectrum(A)")
    ends = [row[0] for row in equation.tables[0].rows]
    assert [str(cell[1]) for cell in ends if isinstance(cell, tuple)] == [" ≈ −1.484435332", " ≈ 4.484435332"]
    assert [s.name for s, _ in density.definitions] == ["t[1]", "t[2]"]
    program = tpsym.parse(text)
    assert program.evaluate("spectrum(A).edge(1)", digits=30).startswith("-1.48443533176585687519127854467")


# --- at finite width -------------------------------------------------------------------------------------------


def test_moments_of_spectra_are_measured_at_finite_width() -> None:
    claims = ["spectrum(J.T @ J).moment(2) == 5", "spectrum(K.T @ K).moment(1) == 2/5"]
    of = tpsym.parse(NETWORK + "".join(f'claim "{k}": {c}\n' for k, c in enumerate(claims)))
    runs = tpsym.simulate(of, widths=[64, 128], seeds=24)
    assert [q.name for q in runs.result.quantities] == ["spectrum(J.T @ J).moment(2)", "spectrum(K.T @ K).moment(1)"]
    # E tr K^T K = 2 E tanh(h)^2, tanh of a standard Gaussian
    assert abs(runs.result.quantities[1].limit - 2 * 0.394294) < 1e-4
    assert all(judgement.agrees for judgement in runs.result.judge().values())
