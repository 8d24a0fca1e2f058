"""Networks outside the usual tables, each with the reasoning about its exponents, and what is needed to test them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

from sympy import Expr, Rational

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.trees import evaluate as value_of
from tpsym.program.evaluate import evaluate
from tpsym.program.scope import Context
from tpsym.program.values import Scalar, VectorValue
from tpsym.results.exponents import MaximalUpdate, Scaling, analyse, maximal_update
from tpsym.scaling.mup import Gauge
from tpsym.syntax.parse import parse_expression
from tpsym.transform.optimizers import Optimizer, Rule

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.tp")))


def source(name: str) -> str:
    """The text of a network."""
    return Path(__file__).with_name(f"{name}.tp").read_text(encoding="utf-8")


def context_of(text: str) -> Context:
    """A network, parsed; what it gives are vectors and scalars of the program."""
    context = tpsym.parse(text).model.context
    context.limit = None
    return context


@cache
def solved(name: str, rule: Rule, gauge: Gauge = "one") -> MaximalUpdate:
    """The maximal update parametrisation of a network."""
    context = context_of(source(name))
    return maximal_update(context, context.scope.find("f"), Optimizer(rule), NOWHERE, multipliers=gauge)


def optimizer_of(context: Context, rule: Rule, rates: Mapping[str, Fraction], eta: Rational) -> Optimizer:
    """Rates η n^e by array."""
    return Optimizer(rule, rates={name: eta * context.n ** Rational(e) for name, e in rates.items()})


def analysis(text: str, rule: Rule, rates: Mapping[str, Fraction]) -> Scaling:
    """The exponents of a network whose laws and rates are numbers."""
    context = context_of(text)
    return analyse(context, context.scope.find("f"), optimizer_of(context, rule, rates, Rational(1)), NOWHERE)


def quantity(context: Context, text: str) -> Scalar | VectorValue:
    """What an expression of the language stands for."""
    found = evaluate(context, parse_expression(text), context.scope)
    assert isinstance(found, Scalar | VectorValue)
    return found


def change(scaling: Scaling, text: str, point: Mapping[str, Fraction]) -> Fraction | None:
    """The exponent of a change in training, ``None`` where nothing changes."""
    expr: Expr = quantity(scaling.run.setting.context, text).expr
    found = scaling.update(expr)
    return None if found is None else value_of(found, point)
