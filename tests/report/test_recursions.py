"""Recursions over layers, closed forms and summands by array: exact text, every format, and the same values."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp
from deep import DEEP, DEPTH, LAYER, answer, covariance, diagonal, mlp, over_layers, stat, three
from reports import SIGMA_B, SIGMA_W, XX, XY, YY, D, relu_kernel
from sympy import Expr, Rational, Symbol

from tpsym.api import _typeset
from tpsym.report.contents import sections
from tpsym.report.document import FORMATS, Report
from tpsym.report.escape import columns
from tpsym.report.rows import Row
from tpsym.results.answers import Answer, Notation

NNGP = """\
  nngp(f)(x, y)
    = √(K[h[L]](x, x)·K[h[L]](y, y))/(2π)·(sin(θ[L]) + (π − θ[L])·cos(θ[L]))
  where  K[h[l]](x, x) = σ_w²·K[h[l−1]](x, x)/2 + σ_b²  for l = 2, …, L
         K[h₁](x, x) = σ_w²·(x·x)/d + σ_b²
         in closed form, for σ_w² ≠ 2:
           K[h[l]](x, x)
             = K[h₁](x, x)·(σ_w²/2)^(l−1)
                 + σ_b²·((σ_w²/2)^(l−1) − 1)/(σ_w²/2 − 1)
         K[h[l]](y, y) = σ_w²·K[h[l−1]](y, y)/2 + σ_b²  for l = 2, …, L
         K[h₁](y, y) = σ_w²·(y·y)/d + σ_b²
         in closed form, for σ_w² ≠ 2:
           K[h[l]](y, y)
             = K[h₁](y, y)·(σ_w²/2)^(l−1)
                 + σ_b²·((σ_w²/2)^(l−1) − 1)/(σ_w²/2 − 1)
         K[h[l]](x, y)
           = σ_w²·√(K[h[l−1]](x, x)·K[h[l−1]](y, y))/(2π)
               ·(sin(θ[l−1]) + (π − θ[l−1])·cos(θ[l−1])) + σ_b²
           for l = 2, …, L
         K[h₁](x, y) = σ_w²·(x·y)/d + σ_b²
         θ[l] = acos(K[h[l]](x, y)/√(K[h[l]](x, x)·K[h[l]](y, y)))
           for l = 1, …, L
"""

TANGENT = """\
         Θ[h[l]](x, y) = σ_w²·Θ[h[l−1]](x, y)·(π − θ[l−1])/(2π) + K[h[l]](x, y)
           for l = 2, …, L
         Θ[h₁](x, y) = K[h₁](x, y)
  by array  W: Θ[h[L]](x, y)·(π − θ[L])/(2π)
            v: √(K[h[L]](x, x)·K[h[L]](y, y))/(2π)
                 ·(sin(θ[L]) + (π − θ[L])·cos(θ[L]))
            b: σ_b²·(π − θ[L])/(2π)
"""

RESIDUAL = """\
  nngp(f)(x, x) = K[h[L]](x, x)
  where  K[h[l]](x, x) = K[h[l−1]](x, x)·(β²/(2L) + 1)  for l = 2, …, L
         K[h₁](x, x) = (x·x)/d
         in closed form:
           K[h[l]](x, x) = (x·x)/d·(β²/(2L) + 1)^(l−1)
"""

NORMALISED = """\
  where  m[h[l]](x) = m[h[l−1]](x)/2  for l = 2, …, L
           by symmetry in the weights
         m[h₁](x) = 0
         K[h[l]](x, y) = K[h[l−1]](x, y) + σ_w²·E[φ(ζ₁)·φ(ζ₂)]  for l = 2, …, L
"""


def text_of(*answers: Answer) -> str:
    return Report("", "x.tp", "", answers).to_text()


@pytest.mark.parametrize(
    ("name", "expected"), [("mlp", NNGP), ("mlp", TANGENT), ("residual", RESIDUAL), ("layernorm", NORMALISED)]
)
def test_text(name: str, expected: str) -> None:
    assert expected in DEEP[name]().to_text()


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("width", [40, 80])
def test_text_fits_the_terminal(name: str, width: int) -> None:
    assert max(map(columns, DEEP[name]().to_text(columns=width).splitlines())) <= width


def test_latex() -> None:
    tex = mlp().to_latex()
    assert (
        r"K_{h_l}(x, y) &= \frac{\sigma_w^2 \sqrt{K_{h_{l-1}}(x, x) K_{h_{l-1}}(y, y)}}{2 \pi} "
        r"(\sin \theta_{l-1} + (\pi - \theta_{l-1}) \cos \theta_{l-1}) + \sigma_b^2" in tex
    )
    assert (
        r"K_{h_1}(x, x) (\sigma_w^2/2)^{l - 1} "
        r"+ \frac{\sigma_b^2 ((\sigma_w^2/2)^{l - 1} - 1)}{\sigma_w^2/2 - 1}" in tex
    )
    assert r"\qquad \text{in closed form, for }\sigma_w^2 \neq 2" in tex
    assert r"\qquad \text{for } l = 1, \dots, L" in tex
    assert r"\text{by array}\quad W &:\  \frac{\Theta_{h_L}(x, y) (\pi - \theta_L)}{2 \pi}" in tex


def test_a_kernel_typesets_its_recursions() -> None:
    report = mlp()
    tex = _typeset(report.answers[1], report.notation)
    assert tex.startswith(r"\begin{aligned} \operatorname{NNGP}_{f}(x,\,y) &= ")
    assert r"\theta_l &= \arccos" in tex
    assert tex.count(r"\text{for } l = 2, \dots, L") == 3
    assert tex in report.to_markdown()


def test_html_has_ranges_notes_and_arrays() -> None:
    page = mlp().to_html()
    assert "<p class='note'>by array</p>" in page
    assert "in closed form, for <math>" in page
    assert page.count("<span class='beside'>for <math>") == 10
    body = re.sub(r"<!DOCTYPE html>|<meta [^>]*>", "", page).replace("<details open>", "<details>")
    ET.fromstring(body)


def test_json() -> None:
    nngp, ntk = json.loads(mlp().to_json())["answers"][1:]
    assert set(nngp) == {"question", "line", "left", "right", "definitions", "recursions", "contributions", "tables",
                         "laws", "value", "note", "steps"}
    first, _, last = nngp["recursions"]
    assert set(first) == {"symbol", "step", "index", "low", "high", "first", "initial", "solution", "note"}
    assert first["solution"]["text"].startswith("K[h₁](x, x)·(σ_w²/2)^(l−1)")
    assert (first["note"], last["note"], last["solution"]) == ("for σ_w² ≠ 2", "", None)
    assert (last["index"]["text"], last["low"]["text"], last["high"]["latex"]) == ("l", "2", "L")
    (theta,) = nngp["definitions"]
    assert theta["name"] == {"text": "θ[l]", "latex": r"\theta_l"}
    assert [theta["for"][end]["text"] for end in ("index", "low", "high")] == ["l", "1", "L"]
    assert [c["array"] for c in ntk["contributions"]] == ["W", "v", "b"]
    assert ntk["contributions"][0]["value"]["text"] == "Θ[h[L]](x, y)·(π − θ[L])/(2π)"


@pytest.mark.parametrize("name", DEEP)
def test_every_format_renders(name: str) -> None:
    for method in FORMATS.values():
        assert getattr(DEEP[name](), method)()


# --- the names stand for what was there ------------------------------------------------------------


def put_back(expr: Expr, rows: Mapping[str, Row]) -> Expr:
    """The expression with names of one layer replaced by their definitions, read as a person reads them."""
    while names := [s for s in expr.free_symbols if s.name.partition("[")[0] in rows]:
        values = {}
        for s in names:
            head, _, layer = s.name.partition("[")
            row, layer = rows[head], layer.removesuffix("]")
            values[s] = row.right if row.left == s else row.right.xreplace(
                {t: Symbol(t.name.replace("[l]", f"[{layer}]"), **t.assumptions0) for t in row.right.free_symbols}
            )
        expr = expr.xreplace(values)
    return expr


def numbers(expr: Expr) -> Expr:
    at = {s: Rational(3, 10) + Rational(sum(map(ord, s.name)) % 89, 1000) for s in expr.free_symbols}
    diagonal_ = {s: v + 1 for s, v in at.items() if re.search(r"\((\w), \1\)", s.name)}
    whole = {s: 5 if s == DEPTH else 3 for s in (DEPTH, LAYER)}
    return sp.N(expr.subs({**at, **diagonal_, **whole}), 50)


@pytest.mark.parametrize("question", [1, 2])
def test_names_are_exact(question: int) -> None:
    given = mlp().answers[question]
    block = sections([given])[0].blocks[0]
    rows = {row.left.name.partition("[")[0]: row for row in block.rows if row.kind == "definition"}
    assert set(rows) == {"theta"}
    old = [given.right, *(r.step for r in given.recursions), *(v for _, v in given.contributions)]
    new = [block.right, *(r.step for r in block.recursions), *(v for _, v in block.contributions)]
    for before, after in zip(old, new, strict=True):
        assert abs(numbers(before) - numbers(put_back(after, rows))) < sp.Float("1e-40", 50)


def test_a_step_is_told_in_terms_of_those_before_it() -> None:
    step = covariance().step + stat("Theta", "l-1", "xy") * SIGMA_W**2 / 2
    tangent = over_layers(stat("Theta", "l", "xy"), step, stat("Theta", "1", "xy"), covariance().initial)
    shown = text_of(answer("ntk(f)", stat("Theta", "L", "xy"), (covariance(), tangent)))
    assert "Θ[h[l]](x, y) = σ_w²·Θ[h[l−1]](x, y)/2 + K[h[l]](x, y)  for l = 2, …, L" in shown
    assert "Θ[h₁](x, y) = K[h₁](x, y)" in shown


def test_a_closed_form_starts_from_the_first_value() -> None:
    inner = SIGMA_W**2 * XX / D + SIGMA_B**2
    solved = over_layers(stat("K", "l", "xx"), stat("K", "l-1", "xx") * 2, stat("K", "1", "xx"), inner,
                         inner * 2 ** (LAYER - 1))
    assert "K[h[l]](x, x) = 2^(l−1)·K[h₁](x, x)\n" in text_of(answer("k", stat("K", "L", "xx"), (solved,)))


def test_loops_with_other_ranges_are_told_apart() -> None:
    shorter = replace(covariance(), high=DEPTH - 1)
    tangent = over_layers(stat("Theta", "l", "xy"), covariance().step, stat("Theta", "1", "xy"), XY)
    shown = text_of(answer("ntk(f)", relu_kernel(*three("L")), (shorter, tangent)))
    assert "  for l = 2, …, L − 1" in shown
    assert "K[h[l]](x, y)  for" not in shown
    assert "for l = 1" not in shown


def test_a_value_of_one_layer_has_its_index() -> None:
    assert "  θ[l−1] = acos(K[h[l−1]](x, y)" in text_of(answer("k", stat("K", "L", "xy"), (covariance(),)))
    assert "  θ[L] = acos(K[h[L]](x, y)" in text_of(answer("k", relu_kernel(*three("L")), (diagonal("xx", XX),)))


def test_values_without_a_layer_avoid_the_names_of_those_with() -> None:
    first = relu_kernel(XX, YY, XY)
    shown = text_of(answer("k", relu_kernel(*three("L")), (replace(covariance(), initial=first),)))
    assert "θ' = acos((x·y)/√((x·x)·(y·y)))" in shown
    assert "θ[l] = acos(K[h[l]](x, y)" in shown


def test_several_angles_are_numbered() -> None:
    def rec(pair: str) -> Expr:
        a, b = pair
        return relu_kernel(*(stat("K", "l-1", p) for p in (a + a, b + b, pair)))

    pairs = ("xy", "xz")
    recursions = tuple(over_layers(stat("K", "l", p), rec(p), stat("K", "1", p), Symbol(f"c_{p}")) for p in pairs)
    shown = text_of(answer("k", stat("K", "L", "xy") * stat("K", "L", "xz"), recursions))
    assert "θ₁[l−1] = acos(K[h[l−1]](x, y)" in shown
    assert "θ₂[l−1] = acos(K[h[l−1]](x, z)" in shown


def test_the_index_of_a_sum_stays_inside() -> None:
    k, theta = Symbol("k", integer=True), Symbol("theta", positive=True)
    part = sp.sin(k * theta + theta**2 / SIGMA_W)
    total = sp.Sum(SIGMA_W ** (2 * k) * part / (1 + part), (k, 1, DEPTH)) + stat("K", "L", "xx")
    block = sections([answer("k", total, (diagonal("xx", XX),))])[0].blocks[0]
    assert block.right == total


def test_summands_do_not_make_names() -> None:
    part = sp.sqrt(1 + SIGMA_W**2 * XX + SIGMA_B**2)
    given = answer("ntk(f)", SIGMA_B * part, (), (("W", SIGMA_B * part),))
    assert sections([given])[0].blocks[0].rows == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DEEP, "labels"])
def test_latex_compiles_inside_the_page(name: str, tmp_path: Path) -> None:
    report = labels() if name == "labels" else DEEP[name]()
    tex = tmp_path / "report.tex"
    tex.write_text(report.to_latex(), encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", tex.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    overfull = [float(m) for m in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", done.stdout)]
    assert max(overfull, default=0) < 3


def labels() -> Report:
    """Gradients and fixed points, as labels of the file and in LaTeX given by a notation."""
    names = ["∂h[2](x)", "Z(∂h[2](x))", "Ẑ(W[2].T ∂h[2](x))", "K[∂h[l-1]](x, y)", "q*", "c*", "chi_1*", "rho[l]", "x'*",
             "K[h[l, 2], h[l, 3]](x, y)", "x^2*", "step(x < 0)"]
    symbols = [Symbol(name) for name in names]
    shown = Symbol("shown")
    note = "for sigma_w^2/2 != 1 & a very long note that says what a closed form assumes about each of the " \
           "parameters, a_1 > 0 and β ≤ 1, and why"
    solved = over_layers(stat("K", "l", "xx"), stat("K", "l-1", "xx"), stat("K", "1", "xx"), XX, XX, note)
    total = sp.Add(*symbols) + sp.Mul(*symbols) + shown
    return Report("Labels", "labels.tp", "", (answer("k", total, (solved,)),), (), Notation({shown: "∂h_{2}(x)"}))
