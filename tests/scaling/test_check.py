"""Tables of numbers: what blows up, what freezes, and which arrays make it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceptrons import HALF, network, one_rate, same, text
from sympy import Symbol

from tpsym.errors import NOWHERE, TpError
from tpsym.polyhedra.conditions import TRUE, Condition, holds
from tpsym.polyhedra.forms import number, variable
from tpsym.scaling.arrays import Solved
from tpsym.scaling.check import Checked, checked
from tpsym.scaling.named import Name, exponents
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.transform.optimizers import Optimizer, Rule

RULES: tuple[Rule, ...] = ("sgd", "adam", "signsgd", "adafactor", "muon")


def plain(depth: int, *, bias: bool = False) -> str:
    """A network without exponents: tables say it all."""
    given = text(depth, bias=bias)
    for k in range(1, depth + 2):
        given = given.replace(f"n^(-a[{k}]) * ", "").replace(f"n^(-2*b[{k}])", "1")
    return given


def named(name: Name, rule: Rule, rate: int | Fraction = 0, *, depth: int = 2) -> Checked:
    context, value = network(plain(depth))
    optimizer = Optimizer(rule, rate=context.n**rate)
    return checked(context, value, optimizer, NOWHERE, table=exponents(name, context, value, optimizer, NOWHERE))


def found(result: Checked) -> list[tuple[str, str, int, Fraction, tuple[str, ...], tuple[str, ...]]]:
    return [(f.what, f.kind, f.step, f.exponent, f.initial, f.updates) for f in result.findings]


# --- verdicts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_maximal_update_is_stable_and_moves_everything(rule: Rule) -> None:
    result = named("mup", rule)
    assert result.stable
    assert not result.frozen
    assert result.regime == "feature learning"
    assert all(row.lr == row.largest and row.update == 0 for row in result.rows)


def test_what_freezes_is_told_with_how_fast() -> None:
    result = named("standard", "sgd", -1)
    assert result.stable
    assert result.regime == "kernel regime"
    assert {r.array: (r.verdict, r.update) for r in result.rows} == {
        "w[1]": ("frozen", Fraction(-3, 2)), "w[2]": ("frozen", -HALF), "w[3]": ("maximal", 0),
    }


def test_a_rate_too_small_moves_nothing() -> None:
    assert named("ntk", "sgd", -1).regime == "trivial"


def test_adam_at_1_over_n_in_standard_parametrization_blows_up() -> None:
    expected = ("f(x)", "grows", 1, HALF, ("w[3]",), ("w[2]",))
    for rule in ("adam", "signsgd"):
        assert found(named("standard", rule, -1)) == [expected]


def test_the_first_thing_that_blows_up_is_told() -> None:
    assert found(named("standard", "sgd")) == [("h[2](x)", "grows", 1, HALF, (), ("w[2]",))]
    deep = named("standard", "sgd", depth=3)
    assert found(deep) == [("h[2](x)", "grows", 1, HALF, (), ("w[2]",))]
    assert {r.array: r.verdict for r in deep.rows} == {
        "w[1]": "unread", "w[2]": "unstable", "w[3]": "unread", "w[4]": "unread",
    }


@pytest.mark.parametrize(("deviation", "kind"), [(Fraction(-1, 4), "grows"), (Fraction(-1), "vanishes")])
def test_a_hidden_layer_of_a_wrong_size_at_initialisation(deviation: Fraction, kind: str) -> None:
    context, value = network(plain(2))
    table = {**exponents("standard", context, value, Optimizer("sgd"), NOWHERE)}
    table["w[2]"] = Solved(number(0), number(deviation), number(-3))
    result = checked(context, value, Optimizer("sgd"), NOWHERE, table=table)
    assert found(result) == [("h[2](x)", kind, 0, deviation + HALF, ("w[2]",), ())]
    assert result.rates is None


def test_a_linear_network_does_not_blame_layers_of_the_right_size() -> None:
    source = plain(2).replace("phi(", "(")
    context, value = network(source.replace("fn (", "fn phi("))
    table = {**exponents("standard", context, value, Optimizer("sgd"), NOWHERE)}
    table["w[2]"] = Solved(number(0), number(0), number(0))
    result = checked(context, value, Optimizer("sgd"), NOWHERE, table=table)
    assert [(f.step, f.exponent, f.initial) for f in result.findings] == [(0, HALF, ("w[2]",))]


def test_two_causes_are_both_told() -> None:
    context, value = network(plain(1, bias=True))
    start = exponents("standard", context, value, Optimizer("sgd"), NOWHERE)
    table = {**start, "w[1]": Solved(number(0), number(1), number(0)), "t": Solved(number(1), number(0), number(0))}
    result = checked(context, value, Optimizer("sgd"), NOWHERE, table=table)
    assert found(result) == [("h[1](x)", "grows", 0, 1, ("w[1]", "t"), ())]


def test_without_a_table_the_file_is_checked() -> None:
    source = plain(1).replace("w[2]: (1, n) ~ N(0, 1)", "w[2]: (1, n) ~ N(0, 1/n^2)")
    context, value = network(source)
    result = checked(context, value, Optimizer("adam", rate=1 / context.n), NOWHERE)
    assert [(r.array, r.multiplier, r.std, r.lr, r.update) for r in result.rows] == [
        ("w[1]", 0, 0, -1, -1), ("w[2]", 0, -1, -1, 0),
    ]
    assert result.frozen == ("w[1]",)


def test_tables_that_cannot_be_checked() -> None:
    context, value = network(plain(2))
    table = exponents("standard", context, value, Optimizer("sgd"), NOWHERE)
    with pytest.raises(TpError, match="missing-array"):
        checked(context, value, Optimizer("sgd"), NOWHERE, table={"w[1]": table["w[1]"]})
    odd = {**table, "w[2]": Solved(variable("q"), number(0), number(0))}
    with pytest.raises(TpError, match="symbolic-exponents"):
        checked(context, value, Optimizer("sgd"), NOWHERE, table=odd)
    with pytest.raises(TpError, match="eps-not-checked"):
        checked(context, value, Optimizer("adam", eps=1 / context.n), NOWHERE, table=table)
    with pytest.raises(TpError, match="symbolic-exponents"):
        checked(*network(text(2)), Optimizer("sgd"), NOWHERE)
    with pytest.raises(TpError, match="symbolic-exponents"):
        checked(*network(text(2)), Optimizer("sgd"), NOWHERE, table=table)


# --- numbers agree with symbols ----------------------------------------------------------------------------

QUARTERS = st.integers(-6, 6).map(lambda k: Fraction(k, 4))
HALVES = st.integers(-4, 4).map(lambda k: Fraction(k, 2))


@st.composite
def tables(draw: st.DrawFn, names: Sequence[str]) -> dict[str, Solved]:
    """Mostly of the right size at initialisation, with rates around those that matter."""
    found = {}
    for k, name in enumerate(names):
        a, b, c = draw(QUARTERS), draw(QUARTERS), draw(HALVES)
        if draw(st.integers(0, 5)):
            size = 0 if k == 0 else HALF if k < len(names) - 1 else draw(st.sampled_from([HALF, Fraction(1), a + b]))
            b = size - a
        found[name] = Solved(number(-a), number(-b), number(-c))
    return found


def symbolic(rule: Rule, depth: int) -> Scaling:
    """The same network with every exponent unknown."""
    context, value = network(plain(depth))
    table = {f"w[{k}]": Solved(-variable(f"a{k}"), -variable(f"b{k}"), -variable(f"c{k}")) for k in range(1, depth + 2)}
    return Scaling(read(context, value, Optimizer(rule), NOWHERE, solved=table), Optimizer(rule))


@cache
def conditions(rule: Rule, depth: int) -> Mapping[str, Condition]:
    found = symbolic(rule, depth)
    return {"stable": found.stable, "feature learning": found.feature_learning, "kernel regime": found.kernel_regime}


@settings(max_examples=80)
@given(st.data(), st.sampled_from(RULES), st.integers(1, 3))
def test_a_table_is_stable_where_the_conditions_hold(data: st.DataObject, rule: Rule, depth: int) -> None:
    context, value = network(plain(depth))
    names = [f"w[{k}]" for k in range(1, depth + 2)]
    table = data.draw(tables(names))
    at = {}
    for k, name in enumerate(names, 1):
        forms = (table[name].multiplier, table[name].deviation, table[name].rate)
        at |= {f"{letter}{k}": -form.constant for letter, form in zip("abc", forms, strict=True)}
    result = checked(context, value, Optimizer(rule), NOWHERE, table=table)
    wanted = conditions(rule, depth)
    assert result.stable == holds(wanted["stable"], at)
    for regime in ("feature learning", "kernel regime"):
        assert (result.regime == regime) == holds(wanted[regime], at)
    assert (result.rates is None) == any(f.step == 0 for f in result.findings)
    if result.rates is not None and result.rates.joint:
        over = [row.array for row in result.rows if row.largest is not None and row.lr > row.largest]
        assert not (over and result.stable)


# --- one parametrisation, many ways to write it ------------------------------------------------------------

GAUGES: Mapping[Rule, int] = {"sgd": 2, "adam": 1, "signsgd": 1, "adafactor": 0, "muon": 1}
"""What a multiplier moved into the entries does to the exponent of the learning rate."""


@settings(max_examples=40)
@given(st.data(), st.sampled_from(RULES), st.integers(1, 3))
def test_moving_a_multiplier_into_the_entries_changes_nothing(data: st.DataObject, rule: Rule, depth: int) -> None:
    context, value = network(plain(depth))
    names = [f"w[{k}]" for k in range(1, depth + 2)]
    table = data.draw(tables(names))
    moved = {}
    for name, s in table.items():
        theta = data.draw(QUARTERS)
        moved[name] = Solved(s.multiplier + theta, s.deviation - theta, s.rate - theta * GAUGES[rule])
    one = checked(context, value, Optimizer(rule), NOWHERE, table=table)
    other = checked(context, value, Optimizer(rule), NOWHERE, table=moved)
    assert found(one) == found(other)
    assert one.regime == other.regime
    assert [(r.update, r.verdict) for r in one.rows] == [(r.update, r.verdict) for r in other.rows]


@st.composite
def presentations(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """The network of ``text(2)`` written another way, and what its arrays are called."""
    names = dict(zip(("w[1]", "w[2]", "w[3]"), draw(st.permutations(["w1", "A", "zeta"])), strict=True))
    one, two, three = names.values()
    factor = draw(st.sampled_from(["2*", "", "-3*"]))
    declarations = [
        f"weight {one}: (n, d) ~ N(0, 4*n^(-2*b[1]))",
        f"weight {two}: (n, n) ~ N(0, n^(-2*b[2]))",
        "input x: (d)",
        "param a[l], b[l]: real for l in 1..3",
        "fn phi",
    ]
    if as_dot := draw(st.booleans()):
        declarations.append(f"weight {three}: (n) ~ N(0, n^(-2*b[3]))")
    else:
        declarations.append(f"weight {three}: (1, n) ~ N(0, n^(-2*b[3]))")
    order = draw(st.permutations(declarations))
    order.sort(key=lambda line: not line.startswith("param"))
    second = draw(st.sampled_from([
        f"{two} @ ({factor}n^(-a[2])*phi(g))", f"n^(-a[2])*({two} @ ({factor}phi(g)))",
        f"({factor}n^(-a[2])*{two}) @ phi(g)", f"n^(-a[2]/2)*({two} @ (n^(-a[2]/2)*phi(g)))",
    ]))
    read = f"dot({three}, phi(k))" if as_dot else f"{three} @ phi(k)"
    last = draw(st.sampled_from([f"n^(-a[3])*({read})", f"({read})/n^a[3]"]))
    body = ["def f(xi):", f"    g = {factor}n^(-a[1])*({one} @ xi)", f"    k = {second}", f"    return {last}"]
    return "\n".join(["width n", "dim d", *order, *body, ""]), names


@settings(max_examples=12)
@given(presentations())
def test_names_order_and_spelling_change_nothing(given: tuple[str, dict[str, str]]) -> None:
    source, names = given
    context, value = network(source)
    optimizer = Optimizer("sgd", rate=context.n ** -Symbol("c", real=True))
    other, one = Scaling(read(context, value, optimizer, NOWHERE), optimizer), one_rate(2)
    assert same(one.stable, other.stable)
    assert same(one.feature_learning, other.feature_learning)
    assert same(one.kernel_regime, other.kernel_regime)
    arrays = {a.name: a for a in other.run.setting.arrays}
    for array in one.run.setting.arrays:
        assert same(one.contributes(array), other.contributes(arrays[names[array.name]]))


def test_ntk_parametrization_is_the_multiplier_written_out() -> None:
    powers = {"w[1]": "n^(-2*a[1])", "w[2]": "n^(-2*a[2])", "w[3]": "n^(-2*a[3])"}
    declared = plain(2).replace("input x", "parametrization ntk\ninput x")
    for name, variance in powers.items():
        declared = declared.replace(f"{name}: (n, d) ~ N(0, 1)", f"{name}: (n, d) ~ N(0, {variance})")
        declared = declared.replace(f"{name}: (n, n) ~ N(0, 1)", f"{name}: (n, n) ~ N(0, {variance})")
        declared = declared.replace(f"{name}: (1, n) ~ N(0, 1)", f"{name}: (1, n) ~ N(0, {variance})")
    written = text(2)
    for k in (1, 2, 3):
        written = written.replace(f"n^(-2*b[{k}])", "1")
    found = []
    for source in (declared, written):
        context, value = network(source)
        optimizer = Optimizer("adam", rate=context.n ** -Symbol("c", real=True))
        found.append(Scaling(read(context, value, optimizer, NOWHERE), optimizer))
    assert found[0].stable != TRUE
    assert same(found[0].stable, found[1].stable)
    assert same(found[0].kernel_regime, found[1].kernel_regime)
