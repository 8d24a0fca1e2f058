"""Means whose positive and negative terms cancel: nothing is claimed that rests on their size."""

from __future__ import annotations

from functools import partial

import pytest
from sympy import S

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.conditions import evaluate as value_of
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Scalar, VectorValue
from tpsym.results.exponents import analyse, nonzero, output
from tpsym.results.reasons import NoLimit
from tpsym.scaling.check import Checked, checked
from tpsym.simulate.slopes import slopes
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, Training

UNIT, LONG, ANY = "input x: (d) = [1, 1]", "input x: (d) = [1, 2]", "input x: (d)"
"""At the first p is standard normal; at the last it is not known how long it is."""


def source(body: str, data: str = UNIT, rates: str = "{U: n, W: 1, v: 1/n}") -> str:
    """A network on p, with W and a readout, at maximal update or other rates."""
    lines = [f"    {line}" for line in ("p = U @ x", *body.split("; "))]
    return "\n".join([
        "width n", "dim d = 2", "param s: positive", data, "weight U: (n, d) ~ N(0, 1/d)",
        "weight W: (n, n) ~ N(0, 1/n)", "weight v: (1, n) ~ N(0, 1/n^2)", "random b: (n) ~ N(1, 1)",
        "def f(x):", *lines, f"let S = scaling(f, sgd(lr = {rates}))", "",
    ])


def verdict(text: str, claim: str = "S.stable") -> tuple[str, str]:
    (found,) = tpsym.verify(tpsym.parse(f'{text}claim "it": {claim}\n')).claims
    return found.verdict, found.detail


CANCELLED = {
    "a divisor": "m = mean(p^2 - 1); z = tanh(p)/m; return v @ tanh(z)",
    "a divisor without a name": "z = tanh(p)/mean(hermite(2, p)); return v @ tanh(z)",
    "a normaliser": "m = mean(p^2 - 1); z = tanh(p)/sqrt(m^2); return v @ tanh(z)",
    "a factor": "m = mean(p^2 - 1); z = m*(W @ tanh(p)); return v @ tanh(z)",
    "a logarithm": "m = mean(p^2 - 1); z = tanh(p)*log(m^2); return v @ tanh(z)",
    "a sign": "m = mean(p^2 - 1); z = tanh(p)*sign(m); return v @ tanh(z)",
    "a product used twice": "m = mean((W @ (W @ tanh(p)))*tanh(p)); z = (W @ tanh(p))/m; return v @ tanh(z)",
    "one minus a mean": "m = mean(p^2); z = tanh(p)/(1 - m); return v @ tanh(z)",
    "a vector minus itself": "m = mean(p^2); q = m*p; z = p - q; return v @ tanh(W @ z)",
    "nothing both ways": "m = mean(relu(p)*relu(-p)); z = p/m; return v @ tanh(z)",
    "zero written as a sum": "h = relu(p) - relu(-p) - p; z = h/sqrt(mean(h^2)); return v @ tanh(z)",
}
CERTAIN = {
    "squares": "s = sqrt(mean(p^2)); return v @ tanh(p/s)",
    "nonnegative terms": "m = mean(relu(p)); return v @ tanh(p/m)",
    "squares and a constant": "s = sqrt(mean(p^2) + 1/100); return v @ tanh(p/s)",
    "layernorm": "h = W @ tanh(p); z = (h - mean(h))/sqrt(mean((h - mean(h))^2)); return v @ tanh(z)",
    "a variance": "h = relu(p); z = (h - mean(h))/sqrt(mean(h^2) - mean(h)^2); return v @ tanh(W @ z)",
    "both ways": "m = mean((W.T @ (W @ relu(p)))*relu(p)); z = (W @ tanh(p))/m; return v @ tanh(z)",
    "a summand": "m = mean(p^2 - 1); return v @ tanh(W @ tanh(p) + m)",
    "an exponential": "m = mean(p^2 - 1); return v @ tanh(p*exp(m))",
    "odds": "m = mean(p^2 - 1); return v @ tanh(p*sigmoid(m) + (1 - sigmoid(m))*(W @ tanh(p)))",
    "a gate from a random sum": "c = mean(p*tanh(W @ p)); return v @ tanh((1 + tanh(c))*p)",
}


@pytest.mark.parametrize("body", CANCELLED.values(), ids=CANCELLED)
def test_what_rests_on_a_mean_that_cancels_is_undecided(body: str) -> None:
    found, why = verdict(source(body))
    assert found == "undecided"
    assert "may vanish in the limit" in why


@pytest.mark.parametrize("data", [UNIT, ANY], ids=["numbers", "symbols"])
@pytest.mark.parametrize("body", CERTAIN.values(), ids=CERTAIN)
def test_what_rests_on_certain_means_is_proved(body: str, data: str) -> None:
    assert verdict(source(body, data))[0] == "proved"


@pytest.mark.parametrize("case", ["a divisor", "a factor", "one minus a mean", "a vector minus itself"])
def test_the_limit_decides_where_it_is_a_number(case: str) -> None:
    assert verdict(source(CANCELLED[case], LONG))[0] == "proved"
    assert verdict(source(CANCELLED[case], ANY))[0] == "undecided"


def test_functions_that_are_not_known() -> None:
    body = "h = psi(p); z = (h - mean(h))/sqrt(mean((h - mean(h))^2)); return v @ z"
    assert verdict("fn psi\n" + source(body))[0] == "proved"
    assert verdict("fn psi\n" + source("m = mean(psi(p)); return v @ (p/m)"))[0] == "undecided"


def test_an_enclosure_of_a_mean_without_a_closed_form() -> None:
    body = "m = mean(tanh(p)*gelu(p)); return v @ tanh(p/m)"
    assert verdict(source(body))[0] == "proved"
    assert verdict(source(body, ANY))[0] == "undecided"


def test_a_parameter_may_be_where_the_mean_cancels() -> None:
    body = "m = mean(s^2*p^2) - 1; return v @ tanh(p/m)"
    assert verdict(source(body, LONG))[0] == "undecided"
    assert verdict(source("m = mean(s^2*p^2); return v @ tanh(p/m)", LONG))[0] == "proved"


def test_a_divisor_of_zero_mean_by_symmetry_is_unstable() -> None:
    assert verdict(source("m = mean(p); return v @ tanh(p/m)"))[0] == "refuted"


GROWING = (
    "m = mean(p^2 - 1); z = n^(1/2)*m; return v @ tanh(p + z)",
    "m = mean(n^(1/2)*p^2 - n^(1/2)); return v @ tanh(p + m)",
    "a = mean(p^2); m = n^(1/2)*a - n^(1/2); return v @ tanh(p + m)",
    "a = mean(p^2); z = n^(1/2)*a*p - n^(1/2)*p; return v @ tanh(p + z)",
    "m = dot(b, hermite(2, p))*n^(-1/2); return v @ tanh(p + m)",
)


@pytest.mark.parametrize("body", GROWING)
def test_no_network_is_called_unstable_for_a_bound(body: str) -> None:
    slow = "n^(-9)"
    found, why = verdict(source(body, UNIT, slow))
    assert found == "undecided"
    assert "may vanish in the limit" in why


def test_what_grows_for_certain_is_unstable() -> None:
    assert verdict(source("a = mean(p^2); return v @ tanh(p + n^(1/2)*a)", UNIT, "n^(-9)"))[0] == "refuted"
    assert verdict(source("a = mean(p^2 - 1); return v @ tanh(p + n^(1/2)*a)", LONG, "n^(-9)"))[0] == "refuted"


def test_sizes_at_initialisation() -> None:
    body = "m = mean(p^2 - 1); r = sqrt(mean(p^2)/n); return v @ tanh(W @ tanh(p) + m + r)"
    assert verdict(source(body), "S.init(f.m(x)) == 0")[0] == "undecided"
    assert verdict(source(body, LONG), "S.init(f.m(x)) == 0")[0] == "proved"
    assert verdict(source(body), "S.init(f.r(x)) == -1/2")[0] == "proved"
    assert verdict(source(body), "S.init(f.r(x)*f.p(x)) == -1/2")[0] == "proved"
    assert verdict(source(body), "S.init(f.m(x)*f.p(x)) == 0")[0] == "undecided"


def test_no_maximal_update_rests_on_a_mean_that_cancels() -> None:
    cancelled, certain = source(CANCELLED["a divisor"]), source(CANCELLED["a divisor"], LONG)
    with pytest.raises(NoLimit, match="may vanish in the limit"):
        tpsym.parse(cancelled).exponents("mup(f, sgd)")
    found = tpsym.parse(certain).exponents("mup(f, sgd)")
    assert {r.array: (r.std, r.lr) for r in found.rows} == {"U": (0, 1), "v": (-1, -1)}


def test_the_depth_too() -> None:
    text = """width n
dim d
depth L
input x: (d)
weight U: (n, d) ~ N(0, 1)
weight W[l]: (n, n) ~ N(0, 1/n) for l in 1..L
weight v: (1, n) ~ N(0, 1/n^2)
def f(x):
    s[0] = (U @ x){divided}
    s[l] = s[l-1] + L^(-1/2)*(W[l] @ tanh(s[l-1])) for l in 1..L
    return v @ s[L]
let S = scaling(f, sgd(lr = 1/L), scale = L)
claim "it": S.stable
"""
    (certain,) = tpsym.verify(tpsym.parse(text.replace("{divided}", "/sqrt(mean((U @ x)^2))"))).claims
    (cancelled,) = tpsym.verify(tpsym.parse(text.replace("{divided}", "/mean((U @ x)^2 - 1)"))).claims
    assert certain.verdict != "undecided"
    assert (cancelled.verdict, "may vanish in the limit" in cancelled.detail) == ("undecided", True)


# --- finite width ------------------------------------------------------------------------------------


def measured(text: str, asked: str, *, steps: int = 0) -> float:
    """The slope of a quantity of the network at initialisation, or of its change in training."""
    context = tpsym.parse(text).model.context
    context.limit = None
    found = evaluate(context, parse_expression(asked), context.scope)
    assert isinstance(found, Scalar | VectorValue)
    target = output(context, context.scope.find("f"), NOWHERE)
    rates = Optimizer("sgd", rate=S.One / 10 if steps else S.Zero)
    training = Training(context, (target,), (S.One,), CONSTANT, rates, steps)
    dimension = getattr(found, "dimension", None)
    table = slopes(training, ((asked, found.expr, dimension),), widths=(64, 128, 256, 512, 1024), seeds=60, values={})
    slope = table.find(asked, "change" if steps else "size", steps).exponent
    assert slope is not None
    return slope


@pytest.mark.parametrize("case", [
    "a divisor", "a divisor without a name", "a normaliser", "a product used twice", "one minus a mean",
])
def test_what_is_divided_by_a_mean_that_cancels_grows(case: str) -> None:
    assert measured(source(CANCELLED[case]), "f.z(x)") == pytest.approx(1 / 2, abs=0.2)


@pytest.mark.parametrize("case", ["a factor", "a vector minus itself"])
def test_what_is_multiplied_by_a_mean_that_cancels_vanishes(case: str) -> None:
    assert measured(source(CANCELLED[case]), "f.z(x)") == pytest.approx(-1 / 2, abs=0.2)


@pytest.mark.parametrize("case", ["a divisor", "a factor", "one minus a mean", "a vector minus itself"])
def test_what_rests_on_other_means_does_not(case: str) -> None:
    assert measured(source(CANCELLED[case], LONG), "f.z(x)") == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("body", GROWING)
def test_what_is_undecided_for_a_bound_does_not_grow(body: str) -> None:
    grown = "f.z(x)" if "z =" in body else "f.m(x)"
    assert measured(source(body), grown) == pytest.approx(0, abs=0.2)


def test_roots_of_small_numbers_and_their_changes() -> None:
    text = source("r = sqrt(mean(p^2)/n); return mean(p^2)", UNIT, "n")
    assert measured(text, "f.r(x)") == pytest.approx(-1 / 2, abs=0.05)
    context = tpsym.parse(text).model.context
    context.limit = None
    rate = Optimizer("sgd", rate=S.One / 10)
    scaling = analyse(context, context.scope.find("f"), rate, NOWHERE)
    found = evaluate(context, parse_expression("f.r(x)"), context.scope)
    assert isinstance(found, Scalar)
    change = scaling.update(found.expr)
    assert change is not None
    claimed = float(value_of(change, {}))
    assert measured(text, "f.r(x)", steps=2) == pytest.approx(claimed, abs=0.1)


# --- tables ------------------------------------------------------------------------------------------


def check(text: str) -> Checked:
    context = tpsym.parse(text).model.context
    context.limit = None
    n, target = context.n, output(context, context.scope.find("f"), NOWHERE)
    rates = {"U": n, "W": S.One, "v": 1 / n}
    return checked(context, target, Optimizer("sgd", rates=rates), NOWHERE, nonzero=partial(nonzero, context))


def test_tables_are_checked_where_means_are_certain() -> None:
    with pytest.raises(tpsym.TpError, match="may vanish in the limit"):
        check(source(CANCELLED["a divisor"]))
    assert check(source(CANCELLED["a divisor"], LONG)).stable
