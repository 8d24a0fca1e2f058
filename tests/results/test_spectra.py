"""``spectrum(A)`` in questions and claims, with a law written down by hand in place of the derived one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from fake_spectrum import FakeCurve, fake, marchenko_pastur, semicircle

from tpsym import api
from tpsym.errors import TpError
from tpsym.freeprob.failures import Unavailable
from tpsym.gauss import E
from tpsym.matrices import Diagonal, Factor, Polynomial
from tpsym.program.values import Endpoints, Theory
from tpsym.results.answers import ClaimResult
from tpsym.results.derive import derive
from tpsym.results.spectra import SIGNATURES

EXAMPLES = Path(__file__).parents[1] / "examples"
HEAD = """\
width n
param lambda: positive
param r: real
random X, X2: (n, n) ~ N(0, 1/n)
random u: (n) ~ N(0, 1)
random c: () ~ N(0, 1)
A = (X + X.T)/sqrt(2)
let law = spectrum(A)
"""
Given = dict[str, Any]
__all__ = ["fake"]


def claim(text: str, head: str = HEAD) -> ClaimResult:
    (found,) = api.claim_results(api.parse(f'{head}claim "c": {text}\n'))
    return found


def refusals(text: str) -> str:
    program = api.parse(f"{HEAD}derive {text}\n")
    return "; ".join(d.message for d in derive(program.model, program.limit_side).refused)


def polynomial(fake: Given, text: str, head: str = HEAD) -> Polynomial:
    program = api.parse(f"{head}derive {text}.moment(2)\n")
    assert not derive(program.model, program.limit_side).refused
    found: Polynomial = fake["polynomials"][-1][0]
    return found


# --- claims --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["07_wigner", "08_marchenko_pastur"])
def test_examples_are_proved(fake: Given, name: str) -> None:
    if name.startswith("08"):
        fake["law"] = marchenko_pastur()
    found = api.claim_results(api.load(EXAMPLES / f"{name}.tp"))
    assert {c.label: c.verdict for c in found if c.verdict != "proved"} == {}
    assert len(found) == 8


CLAIMS = {
    "law.moment(4) == 2": "proved",
    "law.moment(4) == 3": "refuted",
    "law.moment(0) == 1": "proved",
    "law.moment(2*k) == binomial: for": "",
    "law.equation(G, z) == G^2 - z*G + 1": "proved",
    "G^2 - z*G + 1 == law.equation(G, z)": "proved",
    "law.equation(G, z) == law.equation(G, z)": "proved",
    "law.equation(m, x) == m^2 - x*m + 1": "proved",
    "law.equation(G, z) == -3*G^2 + 3*z*G - 3": "proved",
    "law.equation(G, z) == lambda*(G^2 - z*G + 1)": "proved",
    "law.equation(G, z) == r*(G^2 - z*G + 1)": "refuted",
    "law.equation(G, z) == r*(G^2 - z*G + 1) where r > 1": "proved",
    "law.equation(G, z) == z*(G^2 - z*G + 1)": "refuted",
    "law.equation(G, z) == G^2 - z*G + 2": "refuted",
    "law.equation(G, z) == G^2 - z*G": "refuted",
    "law.equation(G, z) == G^2 + z": "refuted",
    "law.equation(G, z) == z": "refuted",
    "law.equation(G, z) == 0": "refuted",
    "law.support == [-2, 2]": "proved",
    "[-2, 2] == law.support": "proved",
    "law.support == law.support": "proved",
    "law.support == [-2, 2 + lambda]": "refuted",
    "law.support == [-2]": "refuted",
    "law.support == [-2, 0, 2]": "refuted",
    "law.support == [-2] where lambda < 1, lambda > 2": "undecided",
    "law.support == [-2, 2] +- 1e-6": "checked",
    "law.support == [-2, 2.001] +- 1e-6": "refuted",
    "law.edge(2) == 2": "proved",
    "law.edge(3) == 2": "undecided",
    "law.edge_exponent(1) == 1/2": "proved",
    "law.support == [-2, 2] and law.moment(2) == 1": "proved",
    "law.support == [-2, 2] and law.moment(2) == 2": "refuted",
    "law.atom(1) == 0": "proved",
    "law.density(t) == sqrt(4 - t^2)/(2*pi) where -2 < t, t < 2": "proved",
    "law.density(t) == sqrt(5 - t^2)/(2*pi) where -2 < t, t < 2": "refuted",
    "law.density(t) == sqrt(4 - t^2)/(2*pi) where t > 3": "undecided",
    "law.density(t) == 0 where t > 2": "proved",
    "law.density(t) == 0": "refuted",
    "law.density(t) == sqrt(3)/(2*pi) where t = 1": "proved",
    "law.density(lambda) == sqrt(4 - lambda^2)/(2*pi) where lambda < 2": "proved",
    "law.density(lambda) == 0 where lambda > 2": "proved",
    "law.r_transform(w) == w": "proved",
    "law.s_transform(w) == 1": "undecided",
    "law.finite_n(4) == 2 + 5/n + 5/n^2": "proved",
    "law.finite_n(6) == 5 + 22/n + 52/n^2 + 41/n^3": "proved",
    "law.finite_n(6) == 5 + 22/n + 52/n^2 + 40/n^3": "refuted",
}
del CLAIMS["law.moment(2*k) == binomial: for"]


@pytest.mark.parametrize("text", CLAIMS)
def test_claim(fake: Given, text: str) -> None:
    assert claim(text).verdict == CLAIMS[text]


def test_the_wrong_coefficient_and_endpoint_are_named(fake: Given) -> None:
    assert "coefficient of G*z" in claim("law.equation(G, z) == G^2 - 2*z*G + 1").detail
    assert "endpoint 2" in claim("law.support == [-2, 3]").detail
    found = claim("law.support == [-2]")
    assert (found.detail, found.left, found.right) == (
        "2 endpoints against 1", sp.Tuple(-2, 2), sp.Tuple(-2),
    )


BY_CASE = {
    "law.support == [(1 - sqrt(lambda))^2, (1 + sqrt(lambda))^2] where lambda < 1": "proved",
    "law.support == [0, (1 - sqrt(lambda))^2, (1 + sqrt(lambda))^2] where lambda > 1": "proved",
    "law.support == [0, (1 - sqrt(lambda))^2, (1 + sqrt(lambda))^2] where lambda < 1": "refuted",
    "law.support == [0, 4] where lambda = 1": "proved",
    "law.support == [(1 - sqrt(lambda))^2, (1 + sqrt(lambda))^2]": "undecided",
    "law.atom(0) == 1 - 1/lambda where lambda > 1": "proved",
    "law.atom(0) == 1 - 1/lambda": "refuted",
    "law.atom(0) == 0 where lambda < 1": "proved",
    "law.atom(0) == max(0, 1 - 1/lambda)": "checked",
    "law.atom(1) == 0 where lambda > 1": "proved",
    "law.edge(1) == 0 where lambda > 1": "proved",
    "law.edge(1) == (1 - sqrt(lambda))^2 where lambda < 1": "proved",
    "law.edge(3) == 0 where lambda < 1": "undecided",
    "law.edge(3) == law.edge(3) where lambda < 1": "undecided",
    "law.edge(3) == (1 + sqrt(lambda))^2 where lambda > 1": "proved",
    "law.equation(G, z) == lambda*z*G^2 - (z + lambda - 1)*G + 1": "proved",
    "law.equation(G, z) == lambda*z*G^2 - (z + lambda + 1)*G + 1": "refuted",
    "law.equation(G, lambda) == G": "undecided",
    "law.density(t) == sqrt(((1 + sqrt(lambda))^2 - t)*(t - (1 - sqrt(lambda))^2))/(2*pi*lambda*t) "
    "where lambda < 1, (1 - sqrt(lambda))^2 < t, t < (1 + sqrt(lambda))^2": "proved",
    "law.density(t) == 0 where t < 0": "proved",
    "law.r_transform(w) == 1/(1 - lambda*w)": "proved",
    "law.s_transform(w) == 1/(1 + lambda*w)": "proved",
    "law.moment(4) == 1 + 6*lambda + 6*lambda^2 + lambda^3": "proved",
}


@pytest.mark.parametrize("text", BY_CASE)
def test_claim_by_case(fake: Given, text: str) -> None:
    fake["law"] = marchenko_pastur()
    assert claim(text).verdict == BY_CASE[text]


def test_an_open_number_of_endpoints_says_which_cases_there_are(fake: Given) -> None:
    fake["law"] = marchenko_pastur()
    found = claim("law.support == [0, 4]")
    assert "2 where lambda < 1; 2 where lambda == 1; 3 where lambda > 1" in found.detail


def test_members_of_a_claim(fake: Given) -> None:
    (found,) = api.claim_results(api.parse(
        HEAD + 'claim "c":\n    law.density(t) == sqrt(4 - t^2)/(2*pi)\n    where -2 < t, t < 2\n    for k in 1..3\n'
    ))
    assert found.verdict == "proved"
    (found,) = api.claim_results(api.parse(HEAD + 'claim "c": law.moment(2*k) == k for k in 1..3\n'))
    assert (found.verdict, found.instance) == ("refuted", "k = 3")


# --- what was not proved -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("law.equation(G, z) == G^2 - z*G + 1", "checked"), ("law.equation(G, z) == G^2 - z*G + 2", "undecided"),
        ("law.edge(1) == -2", "checked"), ("law.edge(1) == -3", "undecided"), ("law.support == [-2, 2]", "checked"),
        ("law.support == [-2]", "undecided"), ("law.density(1) == sqrt(3)/(2*pi)", "checked"),
        ("law.moment(4) == 2", "proved"), ("law.moment(4) == 3", "refuted"), ("law.free_cumulant(2) == 1", "proved"),
        ("law.finite_n(2) == 1 + 1/n", "proved"),
    ],
)
def test_a_guess_proves_and_refutes_nothing(fake: Given, text: str, verdict: str) -> None:
    law = semicircle()
    law.curve = FakeCurve(law.curve.polynomial, certified=False, method="guessed from 40 moments")
    fake["law"] = law
    found = claim(text)
    assert found.verdict == verdict
    assert ("guessed from 40 moments, not proved" in found.detail) == (verdict in ("checked", "undecided"))


def test_a_guess_of_one_claim_is_none_of_the_next(fake: Given) -> None:
    law = semicircle()
    law.curve = FakeCurve(law.curve.polynomial, certified=False, method="guessed from 40 moments")
    fake["law"] = law
    text = HEAD + 'claim "a": law.edge(1) == -2\nclaim "b": law.moment(2) == 1\nderive law.equation(G, z)\n'
    program = api.parse(text)
    assert [c.verdict for c in api.claim_results(program)] == ["checked", "proved"]
    (answer,) = derive(program.model, program.limit_side).answers
    assert "not proved" in answer.note


def test_a_law_that_is_not_known_leaves_claims_undecided(fake: Given) -> None:
    fake["error"] = Unavailable("the letters have no finite system")
    found = claim("law.moment(2) == 1")
    assert (found.verdict, found.detail) == ("undecided", "no limit: the letters have no finite system")
    assert "the letters have no finite system" in refusals("spectrum(A)")


# --- the matrix that is handed on ----------------------------------------------------------------------


def test_coefficients_are_taken_to_the_limit(fake: Given) -> None:
    ((c, word),) = polynomial(fake, "spectrum(A*mean(u^2 + 1))").terms
    assert sp.expand(c**2) == 2
    assert [x.matrix.kind for x in word if isinstance(x, Factor)] == ["symmetric"]
    assert polynomial(fake, "spectrum(A + A^2/n)").terms == polynomial(fake, "spectrum(A)").terms
    assert polynomial(fake, "spectrum((1 + 1/n)*A)").terms == polynomial(fake, "spectrum(A)").terms


def test_a_law_is_worked_out_once(fake: Given) -> None:
    text = HEAD + 'claim "a": law.edge(1) == -2\nclaim "b": spectrum((X + X.T)/sqrt(2)).moment(2) == 1\n'
    api.claim_results(api.parse(text + "derive law\n"))
    assert len(fake["polynomials"]) == 1


def test_means_of_coordinates(fake: Given) -> None:
    found = polynomial(fake, "spectrum(X @ diag(step(X2 @ tanh(u))) @ X.T)")
    mean = fake["polynomials"][-1][1]
    ((_, word),) = found.terms
    (diagonal,) = [x for x in word if isinstance(x, Diagonal)]
    assert mean(diagonal.expr**3) == sp.Rational(1, 2)
    assert mean(sp.S.One) == 1
    polynomial(fake, "spectrum(X @ diag(tanh(u)^2) @ X.T)")
    (diagonal,) = [x for x in fake["polynomials"][-1][0].terms[0][1] if isinstance(x, Diagonal)]
    assert fake["polynomials"][-1][1](diagonal.expr).has(E)


JACOBIANS = {
    "loop": """\
h[0] = u
J[0] = eye(n)
for l in 1..3:
    h[l] = W[l] @ relu(h[l-1])
    J[l] = diag(step(h[l])) @ W[l] @ J[l-1]
let S = spectrum(J[3].T @ J[3])
""",
    "def": """\
def jac(z):
    h[0] = z
    J[0] = eye(n)
    for l in 1..3:
        h[l] = W[l] @ relu(h[l-1])
        J[l] = diag(step(h[l])) @ W[l] @ J[l-1]
    return J[3]
let S = spectrum(jac(u).T @ jac(u))
""",
    "member": """\
def f(z):
    h[0] = z
    for l in 1..3:
        h[l] = W[l] @ relu(h[l-1])
    D[l] = diag(step(h[l])) for l in 1..3
    J = D[3] @ W[3] @ D[2] @ W[2] @ D[1] @ W[1]
    return h[3]
let S = spectrum(f.J(u).T @ f.J(u))
""",
}


@pytest.mark.parametrize("kind", JACOBIANS)
def test_a_jacobian_of_three_layers(fake: Given, kind: str) -> None:
    head = HEAD + "random W[l]: (n, n) ~ N(0, 2/n) for l in 1..3\n" + JACOBIANS[kind]
    ((c, word),) = polynomial(fake, "S", head).terms
    shape = "".join("D" if isinstance(x, Diagonal) else "t" if x.adjoint else "W" for x in word)
    assert (c, shape) == (1, "tDtDtDWDWDW")
    assert [fake["polynomials"][-1][1](x.expr) for x in word if isinstance(x, Diagonal)] == [sp.Rational(1, 2)] * 5


REFUSED = {
    "spectrum(c*A)": "stays random",
    "spectrum(sqrt(n)*mean(u)*A)": "a coefficient of this matrix stays random",
    "spectrum(n*mean(u^2)*A)": "a coefficient of this matrix has no limit here: grows like",
    "spectrum(diag(c*u)).moment(2)": "c stays random in the limit",
    "spectrum(diag(sqrt(n)*u)).moment(2)": "grows like n^(1/2)",
    "spectrum(sqrt(n)*diag(u)).moment(2)": "grows like n^(1/2)",
    "spectrum(diag(n*mean(u)*u)).moment(2)": "o(n",
    "law.edge(3)": "there is no endpoint number 3: the support has 2",
    "law.s_transform(w)": "the first moment is zero",
    "spectrum(X @ diag(relu(X @ u)) @ X.T).finite_n(1)": "initial vectors alone",
}


@pytest.mark.parametrize("text", REFUSED)
def test_hypothesis_that_fails(fake: Given, text: str) -> None:
    assert REFUSED[text] in refusals(text)


def test_sizes_beside_diagonals_are_those_of_their_coordinates(fake: Given) -> None:
    assert not refusals("spectrum(sqrt(n)*diag(u/sqrt(n))).moment(2)")


def test_symbolic_layers(fake: Given) -> None:
    head = "width n\ndepth L\nweight W[l]: (n, n) ~ N(0, 1/n) for l in 1..L\n"
    assert claim("spectrum(W[l].T @ W[l]).moment(1) == 0 for l in 1..L", head).verdict == "proved"
    assert claim("spectrum(W[L].T @ W[L-1].T @ W[L-1] @ W[L]).moment(2) == 1", head).verdict == "proved"
    same = claim("spectrum(W[L].T @ W[1].T @ W[1] @ W[L]).moment(2) == 1", head)
    assert "whether the layers" in same.detail


# --- questions -----------------------------------------------------------------------------------------


def test_answers(fake: Given) -> None:
    questions = [
        "law.moment(2)", "law.density(t)", "law.equation(G, z)", "law.edge(2)", "law.atom(0)", "law.r_transform(w)",
        "law.edge_exponent(1)", "law.finite_n(2)", "spectrum(A^2).moment(2)",
    ]
    program = api.parse(HEAD + "".join(f"derive {q}\n" for q in questions))
    found = derive(program.model, program.limit_side)
    assert found.refused == ()
    assert [a.question for a in found.answers] == questions
    equation = next(a for a in found.answers if a.question == "law.equation(G, z)")
    g, z = sp.Symbol("G", real=True), sp.Symbol("z", real=True)
    assert (equation.left, equation.right) == (g**2 - z * g + 1, 0)
    report = api.derive(program)
    assert r"\sqrt" in report.to_latex()
    assert "law.edge(2)" in report.to_json()


def test_numbers(fake: Given) -> None:
    program = api.parse(HEAD)
    assert program.evaluate("law.moment(10)") == "42.0000000000000"
    assert program.evaluate("law.density(1)").startswith("0.27566444771")
    assert program.evaluate("law.edge(1)") == "-2.00000000000000"
    fake["law"] = marchenko_pastur()
    low = api.parse(HEAD, settings=api.parse_settings(["lambda=1/4"]))
    assert low.evaluate("spectrum(A).edge(1)") == "0.250000000000000"
    with pytest.raises(TpError):
        program.evaluate("law.support")


def test_checking_works_out_nothing(fake: Given) -> None:
    text = HEAD + "derive law\nderive law.support\nderive law.density(t)\n"
    text += 'claim "a": law.equation(G, z) == G\nclaim "b": law.support == [1]\nclaim "c": law.moment(2) == 5\n'
    assert api.check(api.parse(text)) == ()
    assert fake["polynomials"] == []


def test_every_attribute_has_its_signature(fake: Given) -> None:
    program = api.parse(HEAD)
    side, context = program.limit_side, program.model.context
    from tpsym.program.evaluate import evaluate
    from tpsym.syntax.parse import parse_expression

    value = evaluate(context, parse_expression("law"), context.scope)
    assert isinstance(value, Theory)
    assert isinstance(value.find(context, "support", context_span()), Endpoints)
    for name in SIGNATURES:
        assert value.find(context, name, context_span())
    assert side.spectra


def context_span() -> Any:
    from tpsym.errors import NOWHERE

    return NOWHERE
