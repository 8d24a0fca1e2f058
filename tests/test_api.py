"""The Python interface as the language's documentation gives it: what its objects are, hold, show and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy as sp

import tpsym

EXAMPLES = Path(__file__).parent / "examples"

MLP = '''"""Deep network."""
width n
dim d
depth L = 3
param sigma_w: positive = sqrt(2)
param sigma_b: nonnegative = 0
input x, y: (d)
weight W[1]: (n, d) ~ N(0, sigma_w^2/d)
weight W[l]: (n, n) ~ N(0, sigma_w^2/n) for l in 2..L
weight b[l]: (n) ~ N(0, sigma_b^2) for l in 1..L
weight v:    (1, n) ~ N(0, sigma_w^2/n)
weight c:    () ~ N(0, sigma_b^2)

def f(xi):
    h[1] = W[1] @ xi + b[1]
    for l in 2..L:
        h[l] = W[l] @ PHI(h[l-1]) + b[l]
    return v @ PHI(h[L]) + c

derive nngp(f)
'''
DATA = {"d": 1, "dot(x, x)": 1, "dot(x, y)": 0.3, "dot(y, y)": 0.8}


def mlp(phi: str = "relu", **settings: Any) -> tpsym.Program:
    return tpsym.parse(MLP.replace("PHI", phi), settings=settings)


def number(text: str) -> pytest.approx:
    return pytest.approx(float(text), abs=1e-9)


@pytest.fixture(scope="module")
def correlation() -> tpsym.Program:
    return tpsym.load(EXAMPLES / "01_correlation.tp")


@pytest.fixture(scope="module")
def wrong() -> Any:
    return tpsym.verify(tpsym.load(EXAMPLES / "13_wrong.tp"))


# --- the package -----------------------------------------------------------------------------------


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light() -> None:
    heavy = ("sympy", "numpy", "scipy", "flint", "networkx", "lark", "matplotlib")
    assert python(f"import sys, tpsym; tpsym.TpError; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_every_public_name_is_there() -> None:
    assert sorted(name for name in tpsym.__all__ if not callable(getattr(tpsym, name))) == ["zoo"]
    assert "mlp" in tpsym.zoo.names()
    with pytest.raises(AttributeError, match="has no attribute 'derivee'"):
        tpsym.derivee  # noqa: B018


def test_functions_keep_their_names_when_the_packages_of_these_names_are_imported() -> None:
    from tpsym.simulate import render
    from tpsym.verify import claims

    assert isinstance(claims, ModuleType)
    assert callable(render)
    assert "tpsym.verify.claims" in sys.modules
    tpsym.parse("width n")
    assert not isinstance(tpsym.verify, ModuleType)
    assert not isinstance(tpsym.simulate, ModuleType)


def test_functions_win_in_every_order_of_imports() -> None:
    for first in ("tpsym.verify.claims", "tpsym.simulate", "tpsym.api", "tpsym"):
        code = f"import {first}\nimport tpsym\np = tpsym.parse('width n')\nprint(len(tpsym.verify(p)), tpsym.simulate)"
        assert python(code).startswith("0 <function simulate")


# --- programs --------------------------------------------------------------------------------------


def test_program_from_a_file(correlation: tpsym.Program) -> None:
    assert correlation.source == (EXAMPLES / "01_correlation.tp").read_text(encoding="utf-8")
    assert correlation.model.title.startswith("A matrix and its transpose")
    assert repr(correlation).endswith("01_correlation.tp': 1 derive, 6 claim>")
    assert "W.T @ tanh(g)" in correlation._repr_html_()


def test_program_shows_itself_without_being_elaborated_and_escaped() -> None:
    program = tpsym.parse("width n\nclaim \"a<b\": E[nothing] == 0\n")
    assert repr(program) == "<tpsym program 'without title': 0 derive, 1 claim>"
    assert "a&lt;b" in program._repr_html_()


def test_settings_are_exact_and_replace_defaults() -> None:
    for given, expected in (("sqrt(3)", 9), (0.1, Fraction(1, 10**4)), (Fraction(1, 3), Fraction(1, 81)), (2, 16)):
        value = mlp(L=1, sigma_w=given).kernel("nngp", "f").value(values=DATA, digits=30)
        assert abs(sp.Rational(value) - sp.Rational(str(Fraction(expected))) / 2) < sp.Rational(1, 10**28)


def test_settings_give_inner_products(correlation: tpsym.Program) -> None:
    program = tpsym.parse(MLP.replace("PHI", "relu"), settings=DATA)
    assert program.kernel("nngp", "f").value("x", "y") == program.evaluate("nngp(f)(x, y)")


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"bar": 2}, "unknown-name", "bar"),
        ({"sigma_w": "foo"}, "unknown-name", "sigma_w: unknown name 'foo'"),
        ({"sigma_w": "1 +"}, "missing-operand", "after +"),
        ({"sigma_w": ""}, "bad-setting", "NAME=VALUE"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        _ = mlp(**settings).model
    assert error.value.diagnostics[0].code == code
    assert said in str(error.value)
    assert "Deep network" not in str(error.value), "the place is not in the file"


def test_numbers(correlation: tpsym.Program) -> None:
    reference = "0.39429449039784117442"
    assert correlation.evaluate("E[tanh(g)^2]", digits=20) == reference
    assert float(correlation.evaluate("E[Zdot(z)*u]")) == number(correlation.evaluate("1 - E[tanh(g)^2]"))


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("width n\nrandom u: (n) ~ N(0, 1\n", "unclosed-bracket", "mine.tp:2:18"),
        ("width n\nrandom u: (n) ~ N(0, 1)\nderive E[v]\n", "unknown-name", "mine.tp:3:10"),
        ("width n\nrandom W: (n, n) ~ N(0, 1/n)\ng = W @ W\nderive Z(g)\n", None, "mine.tp:4:10"),
    ],
)
def test_mistakes_have_their_place(text: str, code: str | None, place: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        tpsym.derive(tpsym.parse(text, filename="mine.tp"))
    assert code in (None, error.value.diagnostics[0].code)
    assert str(error.value).startswith(f"{place}: error: ")
    assert "^" in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(tpsym.TpError, match="no such file"):
        tpsym.load(tmp_path / "nothing.tp")


def test_mistakes_in_an_expression_are_shown_in_it(correlation: tpsym.Program) -> None:
    with pytest.raises(tpsym.TpError, match=r"(?s)<expression>:1:3: error: unknown name 'w'.*E\[w\]"):
        correlation.evaluate("E[w]")


def test_a_file_that_asks_for_nothing_available() -> None:
    program = tpsym.parse(MLP.replace("PHI", "relu").replace("nngp(f)", "exact(E[f(x)])"), filename="mine.tp")
    with pytest.raises(tpsym.TpError, match=r"an exact expectation of relu.*is not available yet") as error:
        tpsym.derive(program)
    assert str(error.value).startswith("mine.tp:20:16: error: ")


def test_what_has_no_answer_is_warned_about_beside_what_has() -> None:
    program = tpsym.parse(MLP.replace("PHI", "relu") + "derive exact(E[f(x)])\n")
    with pytest.warns(UserWarning, match=r"an exact expectation of relu.*is not available yet"):
        report = tpsym.derive(program)
    assert {answer.question for answer in report.answers} == {"nngp(f)"}


# --- reports ---------------------------------------------------------------------------------------


def test_report_in_every_format(correlation: tpsym.Program) -> None:
    report = tpsym.derive(correlation)
    assert max(map(len, report.to_text(columns=60).splitlines())) <= 60
    assert "ZDot" in report.to_text()
    assert report.to_markdown().startswith("# A matrix and its transpose")
    assert report.to_latex().lstrip().startswith(r"\documentclass")
    assert report.to_html().startswith("<!DOCTYPE html>")
    found = json.loads(report.to_json())
    assert found["summary"] == {"proved": 5, "checked": 1, "refuted": 0, "undecided": 0}
    assert "ZDot" in {step["rule"] for step in found["steps"]}


def test_report_in_a_notebook(correlation: tpsym.Program) -> None:
    report = tpsym.derive(correlation)
    assert "<math" in report._repr_html_()
    assert "<html" not in report._repr_html_()
    assert report._repr_markdown_() == report.to_markdown()
    assert report._repr_latex_().startswith("$$")
    assert r"\hat{Z}^{z}" in report._repr_latex_()


def test_answers_are_exact_expressions(correlation: tpsym.Program) -> None:
    (answer,) = tpsym.derive(correlation).answers
    assert answer.question == "Z(z)"
    assert isinstance(answer.right, sp.Expr)
    assert {s.name for s in answer.right.free_symbols} == {"Z(u)", "Ẑ(z)"}
    for program in (correlation, mlp(), mlp("erf"), mlp("gelu", sigma_b=0.1)):
        for found in tpsym.derive(program).answers:
            for expr in (found.left, found.right, *(value for _, value in found.definitions)):
                assert not expr.atoms(sp.Float)


def test_definitions_come_before_their_users() -> None:
    answer = tpsym.derive(mlp()).answers[1]
    known = {symbol for symbol, _ in answer.definitions}
    assert len(known) >= 2
    seen: set[sp.Symbol] = set()
    for symbol, value in answer.definitions:
        assert (value.free_symbols & known) <= seen
        seen.add(symbol)
    assert answer.right.free_symbols & known <= seen


# --- verdicts --------------------------------------------------------------------------------------


def test_verdicts_are_a_sequence(wrong: Any) -> None:
    assert len(wrong) == 4
    assert [claim.label for claim in wrong] == [wrong[k].label for k in range(4)]
    assert wrong[-1] is wrong[1:][-1]
    assert next(reversed(wrong)) is wrong[3]
    assert wrong[0] in wrong
    with pytest.raises(IndexError):
        wrong[4]


def test_verdicts_by_label(wrong: Any) -> None:
    assert "off by 1e-9" in wrong.keys()  # noqa: SIM118
    assert dict(wrong)["off by 1e-9"] is wrong["off by 1e-9"] is wrong[2]
    with pytest.raises(KeyError, match="nothing"):
        wrong["nothing"]


def test_refutations_have_witnesses(wrong: Any) -> None:
    assert {claim.verdict for claim in wrong} == {"refuted"}
    claim = wrong["forgot the 1/2"]
    witness = {symbol.name: sp.Rational(value) for symbol, value in claim.witness.items()}
    left = claim.left.subs({s: witness[s.name] for s in claim.left.free_symbols})
    assert float(left) == number(claim.left_value)
    assert 2 * float(claim.left_value) == number(claim.right_value)


def test_verdicts_show_themselves(wrong: Any) -> None:
    assert repr(wrong) == wrong.to_text()
    assert max(map(len, wrong.to_text(columns=50).splitlines())) <= 50
    assert wrong._repr_html_().count("<tr>") == 5
    assert "theta, not pi - theta" in wrong._repr_html_()
    assert json.loads(wrong.to_json())["summary"]["refuted"] == 4


# --- kernels ---------------------------------------------------------------------------------------

THREE_RELU = {
    ("x", "x"): "2", ("x", "y"): "1.2268728072", ("y", "y"): "1.6",
}
WITH_BIAS = {
    ("x", "x"): ".90625", ("x", "y"): ".6509655638", ("y", "y"): ".7796875",
}
BIASED = {"sigma_w": "sqrt(3/2)", "sigma_b": "sqrt(1/10)"}


@pytest.mark.parametrize(("settings", "expected"), [({}, THREE_RELU), (BIASED, WITH_BIAS)])
def test_nngp_of_three_relu_layers(settings: dict[str, str], expected: dict[tuple[str, str], str]) -> None:
    kernel = mlp(**settings).kernel("nngp", "f")
    for (x, y), value in expected.items():
        assert float(kernel.value(x, y, values=DATA)) == number(value)


@pytest.mark.parametrize(("layer", "expected"), [(1, ".6"), (2, ".9017503008"), (3, "1.0942959369")])
def test_kernels_of_inner_vectors(layer: int, expected: str) -> None:
    kernel = mlp().kernel("nngp", f"f.h[{layer}]")
    assert float(kernel.value("x", "y", values=DATA)) == number(expected)


def test_kernel_expressions() -> None:
    kernel = mlp(sigma_b=0).kernel("nngp", "f")
    assert kernel.inputs == ("x", "y")
    assert kernel.expr() == kernel.expr("x") == kernel.expr("x", "x")
    d, w, b, xx = (next(s for s in kernel.expr().free_symbols if s.name == name)
                   for name in ("d", "sigma_w", "sigma_b", "dot(x, x)"))
    recursion = w**2 * xx / d + b**2
    for _ in range(3):
        recursion = w**2 * recursion / 2 + b**2
    assert sp.expand(kernel.expr() - recursion) == 0
    assert not kernel.expr("x", "y").atoms(sp.Float)
    assert {s.name for s in kernel.expr("x", "y").free_symbols} <= {
        "d", "sigma_w", "sigma_b", "dot(x, x)", "dot(x, y)", "dot(y, y)",
    }


def test_kernel_definitions_make_the_expression() -> None:
    kernel = mlp(L=2).kernel("nngp", "f")
    answer = kernel.answer("x", "y")
    assert answer.definitions == kernel.definitions("x", "y")
    right = answer.right
    for symbol, value in reversed(kernel.definitions("x", "y")):
        right = right.xreplace({symbol: value})
    assert right == kernel.expr("x", "y")


def test_kernel_matrix() -> None:
    kernel = mlp(L=1).kernel("nngp", "f")
    matrix = kernel.matrix()
    assert matrix.shape == (2, 2)
    assert matrix == matrix.T
    assert matrix[0, 1] == kernel.expr("x", "y")


def test_kernel_shows_itself() -> None:
    kernel = mlp().kernel("nngp", "f")
    assert repr(kernel) == "Kernel(kind='nngp', function='f', inputs=('x', 'y'), power=0)"
    assert kernel._repr_latex_() == f"$${kernel.latex('x', 'y')}$$"
    assert r"\operatorname{NNGP}_{f}(x, y)" in kernel.latex("x", "y")
    assert kernel.latex().count(r"\|x\|^2") == 1


def test_kernel_at_members_and_combinations() -> None:
    text = MLP.replace("PHI", "relu").replace("input x, y: (d)", "input x[t]: (d) for t in 1..3")
    kernel = tpsym.parse(text.replace("derive nngp(f)\n", ""), settings={"L": 1}).kernel("nngp", "f")
    assert kernel.inputs == ("x[1]", "x[2]", "x[3]")
    assert {s.name for s in kernel.expr("x[2]").free_symbols} >= {"dot(x[2], x[2])"}
    plane = mlp(L=1).kernel("nngp", "f")
    assert plane.value("2*x", "3*x", values=DATA) == plane.value("x", "6*x", values=DATA)
    assert float(plane.value("x - y", "x - y", values=DATA)) == number("2.4")  # 2·(1 - 0.6 + 0.8)


def test_kernel_values_are_exact_and_named_like_in_the_file() -> None:
    kernel = mlp(L=1).kernel("nngp", "f")
    tenth = kernel.value("x", "x", values={"d": 1, "dot(x, x)": 0.1}, digits=30)
    assert tenth == kernel.value("x", "x", values={"d": 1, "dot(x, x)": Fraction(1, 10)}, digits=30)
    assert float(tenth) == number("0.2")
    values = {"d": 1, "σ_w": 1, "dot( x,x )": np.float64(1), "dot(y, y)": 1, "dot(y, x)": sp.Rational(1, 2)}
    assert float(kernel.value("x", "y", values=values)) == number("0.304498890522115")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"d": 1}, "no-value"),
        ({"d": 1, "dot(x, x)": "many"}, "bad-setting"),
        ({"d": 1, "dot(x, x)": 1, "sigma": 2}, "unknown-name"),
        ({"d": 1, "dot(x, x)": 1, "L": 2}, "unknown-name"),
    ],
)
def test_kernel_values_that_cannot_be(values: dict[str, Any], code: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        mlp().kernel("nngp", "f").value("x", "x", values=values)
    assert error.value.diagnostics[0].code == code
    assert "--set" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "function", "code"),
    [
        ("meanfield", "f", "unknown-kernel"),
        ("nnpg", "f", "unknown-kernel"),
        ("nngp", "g", "unknown-name"),
        ("nngp", "x", "function-expected"),
    ],
)
def test_kernels_that_are_not_there(kind: str, function: str, code: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        mlp().kernel(kind, function)
    assert error.value.diagnostics[0].code == code


@pytest.mark.parametrize(("x", "code"), [("w", "unknown-name"), ("sigma_w", "input-expected")])
def test_inputs_that_are_not_there(x: str, code: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        mlp().kernel("nngp", "f").expr("x", x)
    assert error.value.diagnostics[0].code == code
    assert str(error.value).startswith("<input>:1:1: error: ")


def test_a_kernel_needs_inputs_and_a_limit() -> None:
    with pytest.raises(tpsym.TpError, match="declares no inputs"):
        tpsym.parse("width n\nrandom u: (n) ~ N(0, 1)\ndef f(z):\n    return mean(z*u)\n").kernel("nngp", "f")
    text = "width n\ndim d\ninput x: (d)\nweight W: (n, d) ~ N(0, 1/d)\ndef f(z):\n    return mean(relu(W @ z))\n"
    with pytest.raises(tpsym.TpError, match="not to a Gaussian process"):
        tpsym.parse(text).kernel("nngp", "f").expr()


# --- mean field theory -----------------------------------------------------------------------------

DEEP = MLP.replace("depth L = 3", "depth L").replace("derive nngp(f)\n", "")


def deep(phi: str = "relu", **settings: Any) -> tpsym.Program:
    return tpsym.parse(DEEP.replace("PHI", phi), settings=settings)


def test_mean_field_theory_in_terms_of_the_parameters() -> None:
    found = deep().meanfield("f")
    w, b = sp.Symbol("sigma_w", positive=True), sp.Symbol("sigma_b", nonnegative=True)
    assert found.chi == w**2 / 2
    assert sp.expand(found.variance * (2 - w**2) - 2 * b**2) == 0
    assert found.edge_of_chaos.values == ((w**2, 2), (b**2, 0))


def test_mean_field_theory_at_values() -> None:
    found = deep().meanfield("f", values={"σ_w": 1, "sigma_b": sp.sqrt(2)})
    assert (found.chi, found.variance, found.maps.free) == (sp.Rational(1, 2), 4, ())
    half = deep().meanfield("f", values={"sigma_w": 0.5})
    assert half.chi == sp.Rational(1, 8)
    assert {s.name for s in half.maps.free} == {"sigma_b"}


def test_mean_field_numbers_at_settings_and_defaults() -> None:
    assert deep().meanfield("f").evaluate({}).phase == "critical"
    numbers = deep(sigma_w=1, sigma_b="sqrt(2)").meanfield("f").evaluate({})
    assert (numbers.phase, numbers.variance.text()) == ("ordered", "4")
    assert mlp(sigma_w=2).meanfield("f").evaluate({}).phase == "chaotic", "a depth that is given does not matter"


def test_phase_diagram() -> None:
    found = deep("erf").phase_diagram("f", "sigma_w", "σ_b", (0, 3), (0, 1), resolution=7)
    chi = dict(zip(found.xs, found.chi[0], strict=True))
    assert [x for x, slope in chi.items() if slope < 1 - 1e-9] == [0, 0.5]  # critical at σ_w² = π/4 without bias
    edge = [(x, y) for x, y in found.edge if np.isfinite(x)]
    assert edge[0] == pytest.approx((np.pi / 4, 0))
    for weight, bias in edge[20::100]:
        q = 1.0
        for _ in range(2000):
            q = bias + weight * 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q))
        assert 4 * weight / (np.pi * np.sqrt(1 + 4 * q)) == pytest.approx(1, abs=1e-6)


def test_phase_diagram_of_parameters_themselves_at_values() -> None:
    line = deep().phase_diagram("f", "sigma_b", "sigma_w", (0, 1), (0, 2), resolution=5, squared=False)
    assert [row[-1] for row in line.chi] == pytest.approx([0, 0.125, 0.5, 1.125, 2])
    leaky = tpsym.parse(DEEP.replace("PHI", "phi").replace(
        "input", "param a: positive\nfn phi(z) = leaky_relu(z, a)\ninput"))
    with pytest.raises(tpsym.TpError, match="no value for a"):
        leaky.phase_diagram("f", "sigma_w", "sigma_b", (0, 2), (0, 1), resolution=3)
    found = leaky.phase_diagram("f", "sigma_w", "sigma_b", (0, 2), (0, 1), values={"a": 0.5}, resolution=3)
    assert found.chi[0] == pytest.approx((0, 0.625, 1.25))


@pytest.mark.parametrize(
    ("ask", "code", "said"),
    [
        (lambda p: p.meanfield("g"), "unknown-name", "'g'"),
        (lambda p: p.meanfield("x"), "function-expected", "x is a data point"),
        (lambda p: p.meanfield("f", values={"sigma": 1}), "unknown-name", "'sigma'"),
        (lambda p: p.phase_diagram("f", "sigma", "sigma_b", (0, 1), (0, 1)), "unknown-name", "sigma_b, sigma_w"),
        (lambda p: p.phase_diagram("f", "sigma_b", "sigma_b", (0, 1), (0, 1)), "bad-option", "two parameters"),
    ],
)
def test_mean_field_theories_that_are_not_there(ask: Any, code: str, said: str) -> None:
    with pytest.raises(tpsym.TpError) as error:
        ask(deep())
    assert error.value.diagnostics[0].code == code
    assert said in str(error.value)


def test_mean_field_theory_needs_layers_that_repeat() -> None:
    text = "width n\ndim d\ninput x: (d)\nweight W: (n, d) ~ N(0, 1/d)\nweight v: (1, n) ~ N(0, 1/n)\n"
    with pytest.raises(tpsym.TpError, match="layers that repeat"):
        tpsym.parse(text + "def f(z):\n    return v @ relu(W @ z)\n").meanfield("f")


# --- finite width ----------------------------------------------------------------------------------


def test_simulation(correlation: tpsym.Program) -> None:
    runs = tpsym.simulate(correlation, widths=[32, 128], seeds=12)
    assert runs.result.widths == (32, 128)
    assert runs.result.seeds == 12
    judged = runs.result.judge()
    assert judged
    assert all(judgement.agrees for judgement in judged.values())
    assert set(runs.claims["a number"]) <= set(judged)


def test_simulation_of_nothing() -> None:
    with pytest.raises(tpsym.TpError, match="asks for no limit"):
        tpsym.simulate(tpsym.parse("width n\n"))
