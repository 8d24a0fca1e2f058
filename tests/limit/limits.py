"""Asking a program for its limits: texts through the language, graphs through the interpreter."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sympy import Expr, Symbol

import tpsym
from tpsym.gauss.numeric import value
from tpsym.limit.interpret import Limit
from tpsym.program.evaluate import evaluate
from tpsym.program.graph import Builder
from tpsym.program.values import GaussianLaw
from tpsym.results.questions import NoLimit
from tpsym.syntax.parse import parse_expression

n = Symbol("n", positive=True)


class Asked:
    """A program that answers expressions of the limit side."""

    def __init__(self, text: str) -> None:
        self.program = tpsym.parse("width n\n" + text)
        self.model = self.program.model
        self.limit = self.program.limit_side.limit

    def __call__(self, question: str) -> Any:
        found = evaluate(self.model.context, parse_expression(question), self.model.context.scope)
        return found if isinstance(found, GaussianLaw) else found.expr

    def exact(self, question: str) -> Expr:
        """The answer without named values."""
        expr = self(question)
        while not expr.free_symbols.isdisjoint(self.limit.definitions):
            expr = expr.xreplace(self.limit.definitions)
        return expr

    def number(self, question: str) -> float:
        return number(self(question), self.limit)

    def refusal(self, question: str) -> str:
        """Why there is no answer."""
        try:
            found = self(question)
        except NoLimit as error:
            return error.reason
        raise AssertionError(f"{question} has the answer {found}")


def limit_of(builder: Builder) -> Limit:
    return Limit(builder.program(), n)


DATA = {"d": 1, "dot(x, x)": 1, "dot(x, y)": Fraction(3, 10), "dot(y, y)": Fraction(4, 5)}
"""The data of the worked numbers: K₀ = ξᵀξ'/d = [[1, .3], [.3, .8]]."""


def number(expr: Expr, limit: Limit) -> float:
    """A limit as a float, certain to twelve digits; free symbols are data."""
    parts = [expr, *limit.definitions.values()]
    free = set().union(*(e.free_symbols for e in parts)) - limit.definitions.keys()
    found, certain = value(expr, {s: DATA[s.name] for s in free}, definitions=limit.definitions, digits=14)
    assert certain >= 12 or abs(float(found.value.mid())) < 1e-12, found
    return float(found.value.mid())
