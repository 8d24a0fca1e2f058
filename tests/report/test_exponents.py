"""What reports state of scaling exponents: equivalent to the conditions they shorten, and set in every format."""

from __future__ import annotations

import json
import random
import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sympy import Symbol

import tpsym
from tpsym.api import derivation
from tpsym.errors import NOWHERE, TpError
from tpsym.polyhedra.conditions import all_of, any_of, compare, equivalent, evaluate, holds, min_of, substitute, to_text
from tpsym.polyhedra.forms import Form, linear, number, variable
from tpsym.report.document import FORMATS
from tpsym.report.escape import columns
from tpsym.report.output import pdf
from tpsym.report.region_figures import image_form, region_figure, region_image
from tpsym.report.tables import text_lines
from tpsym.results.answers import Table
from tpsym.results.exponent_conditions import (
    R,
    contribution,
    factored_max,
    factored_min,
    largest_change,
    moves,
    moving,
    stability,
)
from tpsym.results.exponent_points import named_points, regime_at
from tpsym.results.exponent_regions import gauge, middle
from tpsym.results.exponent_sections import section
from tpsym.results.exponents import analyse
from tpsym.scaling.regimes import Scaling
from tpsym.transform.optimizers import Optimizer

EXAMPLES = Path(__file__).parents[1] / "examples"
ATTENTION = Path(__file__).parents[1] / "scaling" / "architectures" / "attention.tp"
OPTIMIZERS = ("sgd", "adam")


def network(layers: int) -> str:
    """An abc-parametrised network with this many arrays."""
    inner = "".join(
        f"weight w[{k}]: (n, n) ~ N(0, n^(-2*b[{k}]))\n" for k in range(2, layers)
    )
    body = "".join(f"    h[{k}] = n^(-a[{k}]) * w[{k}] @ phi(h[{k - 1}])\n" for k in range(2, layers))
    return f"""width n
dim d
param a[l], b[l]: real for l in 1..{layers}
param c: real
input x: (d)
fn phi
weight w[1]: (n, d) ~ N(0, n^(-2*b[1]))
{inner}weight w[{layers}]: (1, n) ~ N(0, n^(-2*b[{layers}]))
def f(xi):
    h[1] = n^(-a[1]) * w[1] @ xi
{body}    return n^(-a[{layers}]) * w[{layers}] @ phi(h[{layers - 1}])
"""


@cache
def scaling(layers: int, rule: Any) -> Scaling:
    context = tpsym.parse(network(layers)).model.context
    function = context.scope.names["f"]
    rate = context.n ** -next(s for s in context.parameters if s.name == "c")
    return analyse(context, function, Optimizer(rule, rate=rate), NOWHERE)  # type: ignore[arg-type]


CASES = [(2, "sgd"), (3, "sgd"), (3, "adam"), (4, "sgd")]


# --- conditions ----------------------------------------------------------------------------------------


def random_form(source: random.Random) -> Form:
    return linear(source.randint(-2, 2), [(v, Fraction(source.randint(-2, 2))) for v in "xyzw"])


@pytest.mark.parametrize("seed", range(20))
def test_factored_extrema_are_the_extrema(seed: int) -> None:
    """Of sums of sets of forms, where there is something to factor, and of any forms."""
    source = random.Random(seed)
    groups = [[random_form(source) for _ in range(source.randint(1, 3))] for _ in range(source.randint(1, 3))]
    forms = [number(0)]
    for group in groups:
        forms = [form + other for form in forms for other in group]
    forms += [random_form(source)] * (seed % 2)
    for _ in range(20):
        point = {v: Fraction(source.randint(-6, 6), source.randint(1, 3)) for v in "xyzw"}
        assert evaluate(factored_min(forms), point) == min(form.value(point) for form in forms)
        assert evaluate(factored_max(forms), point) == max(form.value(point) for form in forms)


@pytest.mark.parametrize(("layers", "rule"), CASES)
def test_conditions_in_terms_of_r_mean_the_same(layers: int, rule: str) -> None:
    found = scaling(layers, rule)
    r = {R: min_of(-form for form in found.feature_sizes)}
    every = all_of(condition for _, condition in found.constraints)
    assert equivalent(substitute(stability(found), r), every).holds
    short = all_of((every, substitute(moves(found), r)))
    assert equivalent(short, all_of((every, any_of(compare("==", f, number(0)) for f in moving(found))))).holds
    change = largest_change(found)
    assert change is not None
    assert equivalent(compare("==", change, variable("t")), compare("==", r[R], variable("t"))).holds
    for array in found.run.setting.arrays:
        shown, exact = contribution(found, array), found.contributes(array)
        assert equivalent(all_of((every, shown)), all_of((every, exact))).holds


def test_stability_is_the_theorem() -> None:
    """Yang and Hu (2021), Theorem 3.2, for two hidden layers."""
    text = to_text(stability(scaling(3, "sgd")))
    assert text == ("a[1] + b[1] == 0 and a[2] + b[2] == 1/2 and 2*a[3] + c >= 1 and a[3] + b[3] >= 1/2 and r >= 0 and "
                    "a[3] + b[3] + r >= 1")
    assert to_text(moves(scaling(3, "sgd"))) == "2*a[3] + c == 1 or a[3] + b[3] + r == 1"


# --- points and faces ----------------------------------------------------------------------------------


def expected(found: Scaling, point: dict[str, Fraction]) -> str:
    """The regime of a stable point by the conditions of the analysis."""
    if holds(found.feature_learning, point):
        return "feature learning"
    return "kernel" if holds(found.kernel_regime, point) else "trivial"


@pytest.mark.parametrize(("layers", "rule"), CASES)
def test_regimes_of_faces_are_those_of_their_points(layers: int, rule: str) -> None:
    found = scaling(layers, rule)
    region = found.polyhedron
    assert region is not None
    source = random.Random(layers)
    faces = region.faces(gauge(found, region))
    for face in source.sample(faces, min(len(faces), 25)):
        weights = [Fraction(source.randint(1, 5)) for _ in face.vertices]
        point = {v: sum(w * p[v] for w, p in zip(weights, face.vertices, strict=True)) / sum(weights)
                 for v in region.variables}
        for ray in face.rays:
            step = Fraction(source.randint(1, 4), 3)
            point = {v: q + step * ray[v] for v, q in point.items()}
        assert region.contains(point)
        assert regime_at(found, middle(face)) == expected(found, point)


@pytest.mark.parametrize(("layers", "rule"), CASES)
def test_named_parametrisations(layers: int, rule: str) -> None:
    """By their exponents: NTK is a kernel limit with the largest stable rate, maximal update learns features."""
    found = scaling(layers, rule)
    named = {p.name: p for p in named_points(found)}
    assert found.polyhedron is not None
    for p in named.values():
        assert found.polyhedron.contains(p.point)
        assert p.regime == expected(found, dict(p.point))
    assert named["mup"].regime == "feature learning"
    ntk = named["ntk"]
    assert (ntk.point["a[1]"] + ntk.point["b[1]"], ntk.regime) == (0, "kernel")
    assert ntk.point[f"a[{layers}]"] + ntk.point[f"b[{layers}]"] == Fraction(1, 2)
    assert named["mup"].point[f"a[{layers}]"] + named["mup"].point[f"b[{layers}]"] == 1
    smaller = {**ntk.point, "c": ntk.point["c"] - Fraction(1, 100)}
    assert not found.polyhedron.contains(smaller)


def test_families_without_a_named_parametrisation_have_no_such_point() -> None:
    """All entries begin at n^-1/2: with the one multiplier left free neither NTK nor a larger readout can be had."""
    text = network(3).replace("n^(-2*b[1])", "1").replace("n^(-2*b[2])", "1/n").replace("n^(-2*b[3])", "1")
    text = text.replace("n^(-a[1]) * ", "").replace("n^(-a[2]) * ", "")
    context = tpsym.parse(text).model.context
    rate = context.n ** -next(s for s in context.parameters if s.name == "c")
    found = analyse(context, context.scope.names["f"], Optimizer("sgd", rate=rate), NOWHERE)  # type: ignore[arg-type]
    assert "ntk" not in {p.name for p in named_points(found)}


# --- figures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "rule"), CASES)
def test_sections_are_sections(layers: int, rule: str) -> None:
    """The polygon is inside the frame, its edges join its corners, and every mark of a stable point is in it."""
    found = scaling(layers, rule)
    drawn = section(found, span=NOWHERE)
    named = {p.title for p in named_points(found)}
    assert min(len(drawn.corners) - 2, len(drawn.edges), len(drawn.marks)) > 0
    assert {title for mark in drawn.marks for title in mark.title.split(", ")} <= named
    left, right, low, high = drawn.box
    assert all(left <= p[0] <= right and low <= p[1] <= high for p in drawn.corners)
    assert {p for edge in drawn.edges for p in (edge.start, edge.end)} <= set(drawn.corners)
    for mark in drawn.marks:
        turns = [
            (q[0] - p[0]) * (mark.place[1] - p[1]) - (q[1] - p[1]) * (mark.place[0] - p[0])
            for p, q in zip(drawn.corners, drawn.corners[1:] + drawn.corners[:1], strict=True)
        ]
        assert min(turns) >= 0 or max(turns) <= 0


def test_the_section_of_a_network_with_two_hidden_layers() -> None:
    drawn = section(scaling(3, "sgd"), span=NOWHERE)
    half = Fraction(1, 2)
    assert {mark.title: (mark.place, mark.regime) for mark in drawn.marks} == {
        "standard": ((half, Fraction(1)), "kernel"),
        "NTK": ((half, half), "kernel"),
        "mean field, maximal update": ((Fraction(1), Fraction(0)), "feature learning"),
    }
    assert (drawn.inside, str(drawn.x), str(drawn.y)) == ("kernel", "a[3] + b[3]", "a[1] + a[3] + c")
    assert [edge.regime for edge in drawn.edges if {edge.start, edge.end} >= {(half, half), (1, 0)}] == ["kernel"]
    assert [str(form) for form in drawn.held][:1] == ["2*a[3] + c - 1"]


def test_coordinates_of_a_section_can_be_chosen() -> None:
    x, y = variable("a[3]") + variable("b[3]"), variable("a[3]") * 2 + variable("c")
    drawn = section(scaling(3, "sgd"), x=x, y=y, span=NOWHERE)
    assert (drawn.x, drawn.y) == (x, y)
    assert {edge.regime for edge in drawn.edges} == {"feature learning", "kernel", "trivial"}
    with pytest.raises(TpError, match="no-figure"):
        section(scaling(3, "sgd"), x=x, y=x, span=NOWHERE)


def test_the_figure_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    (axes,) = region_figure(scaling(3, "sgd")).axes
    assert axes.get_xlabel() == "$a_3 + b_3$"
    assert {text.get_text() for text in axes.texts} >= {"NTK", "kernel", "unstable"}
    drawn = section(scaling(3, "sgd"), span=NOWHERE)
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for form, start in starts.items():
        assert region_image(drawn, form=form).startswith(start)
    assert image_form(Path("a.SVG")) == "svg"
    with pytest.raises(TpError, match="bad-ending"):
        image_form(Path("a.txt"))


# --- reports -------------------------------------------------------------------------------------------


@cache
def report(name: str) -> Any:
    if name == "attention":
        text = ATTENTION.read_text(encoding="utf-8")
        asked = "derive scaling(f, sgd(lr = 1/n))\nderive scaling(f, adam(lr = 1/n)).stable\nderive mup(f, adam)\n"
        return derivation(tpsym.parse(text + asked))
    return derivation(tpsym.load(EXAMPLES / f"{name}.tp"))


REPORTS = ("09_abc", "10_mup_adam", "attention")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_fits_the_terminal(name: str, width: int) -> None:
    found, refused = report(name)
    assert not refused
    text = found.to_text(columns=width)
    longest = max(text.splitlines(), key=columns)
    assert columns(longest) <= width, longest


@pytest.mark.parametrize("name", REPORTS)
def test_every_format_has_every_table(name: str) -> None:
    found, _ = report(name)
    tables = [table for answer in found.answers for table in answer.tables]
    assert tables
    for kind, method in FORMATS.items():
        text = getattr(found, method)()
        assert not [word for word in ("Form(", "Compare(", "Fraction(") if word in text]
        if kind == "json":
            shown = [table for answer in json.loads(text)["answers"] for table in answer["tables"]]
            assert [len(t["rows"]) for t in shown] == [len(t.rows) for t in tables]
        if kind == "html":
            assert text.count("<caption>") == sum(bool(t.title) for t in tables)
        if kind == "latex":
            assert text.count(r"\begin{longtable}") == len(tables) + bool(found.claims)


def test_the_table_of_maximal_update() -> None:
    text = report("10_mup_adam")[0].to_text()
    rows = [line.split() for line in text.splitlines()]
    assert ["W₂", "hidden", "layer", "1", "1/√n", "1"] in rows
    assert ["W₂", "hidden", "layer", "1", "1/√n", "1/n", "1/n"] in rows
    assert ["W₃", "a", "+", "b", "=", "1", "the", "initial", "array"] in [row[:9] for row in rows]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", REPORTS)
def test_pdf(name: str, tmp_path: Path) -> None:
    pdf(report(name)[0].to_latex(), tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_cells_of_all_kinds() -> None:
    a, b = variable("a[1]"), variable("b")
    either = any_of((compare("==", a, number(0)), all_of((compare("<", a, b), compare("!=", b, number(1))))))
    rows = ("or", either), ("never", compare("<", a, a))
    table = Table("Kinds", ("", (Symbol("n"), " and words")), rows, "A note.")
    assert text_lines(table, width=60) == [
        "  Kinds",
        "          n and words",
        "  ─────   ──────────────────────────",
        "  or      a₁ = 0 or a₁ < b and b ≠ 1",
        "  never   never",
        "  A note.",
    ]
