"""The limits a file asks for, measured at finite width."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from itertools import islice
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import TpError, fail
from tpsym.gauss.numeric import value as ball_value
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Kernel
from tpsym.results.answers import needed
from tpsym.results.inputs import default_inputs
from tpsym.results.numbers import rational
from tpsym.results.questions import LimitQuestions, Quantity
from tpsym.results.reasons import NoLimit
from tpsym.simulate import Covariance, Mean, SimulationResult, Variance, render, terminal_progress
from tpsym.simulate import simulate as run
from tpsym.verify.cases import cases
from tpsym.verify.claims import symbolic_depth
from tpsym.verify.domain import points
from tpsym.verify.premises import Premises, assumption, domain_of

CANDIDATES = 12
"""Points that a run looks at for one without zeros."""


@dataclass(frozen=True, slots=True)
class Runs:
    """A simulation, the values of the parameters it was run at, and which quantities belong to which claim."""

    result: SimulationResult
    values: Mapping[str, str]
    claims: Mapping[str, tuple[str, ...]]
    skipped: tuple[str, ...] = ()

    def to_text(self, *, columns: int = 80) -> str:
        """The table of estimates, after the values of the parameters."""
        parts = []
        if self.values:
            settings = ", ".join(f"{name} = {value}" for name, value in sorted(self.values.items()))
            parts.append(textwrap.fill(f"At {settings}.", columns) + "\n")
        parts.append(render(self.result, columns=columns))
        if self.skipped:
            parts.append(textwrap.fill(f"Not measurable on their own: {', '.join(self.skipped)}", columns) + "\n")
        return "\n".join(parts)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.to_text())}</pre>"


def simulate(
    model: Model, side: LimitQuestions, *, widths: Sequence[int], seeds: int, overrides: Mapping[str, Any],
    progress: bool = False,
) -> Runs:
    """Measure every limit that the questions and claims of a file mention.

    Parameters have their defaults or settings; one without gets a simple admissible value, which is reported.

    Raises:
        TpError: nothing in the file can be measured.
    """
    claims = wanted(model, side)
    if side.limit.statistics:
        depths = sorted(n for n in model.context.depths if not symbolic_depth(model.context, n).is_Integer)
        what = f"a network of {', '.join(depths)} layers cannot be run"
        raise fail("symbolic-depth", what, fix=f"--set {depths[0]}=3")
    quantities: dict[str, Quantity] = {q.name: q for found in claims.values() for q in found}
    skipped = tuple(name for name, q in quantities.items() if q.kind == "part")
    measured = {name: q for name, q in quantities.items() if q.kind != "part"}
    if not measured:
        raise fail("nothing-to-simulate", "the file asks for no limit that can be measured at finite width")
    values = point(model, side, [q.limit for q in measured.values()], overrides)
    definitions = side.limit.definitions
    functions = dict.fromkeys(model.context.unknown_functions, concrete)
    limits = {name: float(ball_value(q.limit, values, definitions=dict(needed(q.limit, definitions)),
                                     functions=functions, digits=8)[0].value)
              for name, q in measured.items()}
    plan = {name: quantity_nodes(side, q) for name, q in measured.items()}
    numbers = {s: float(v) for s, v in values.items()}
    with terminal_progress() if progress else nullcontext() as bar:
        result = run(side.context.builder.program(), plan, widths=widths, seeds=seeds, values=numbers,
                     functions=stand_ins(model), limits=limits, progress=bar)
    shown = {s.name: str(v) if v.denominator < 10**6 else f"{float(v):.6g}" for s, v in values.items()}
    shown |= dict.fromkeys(model.context.unknown_functions, "tanh")
    names = {label: tuple(q.name for q in found if q.kind != "part") for label, found in claims.items()}
    return Runs(result, shown, names, skipped)


def wanted(model: Model, side: LimitQuestions) -> dict[str, list[Quantity]]:
    """The quantities behind each claim (under its label) and each question (under its text)."""
    found: dict[str, list[Quantity]] = {}
    for question in model.questions:
        with _Logging(side) as log:
            value = evaluate(model.context, question.value, model.context.scope)
            if isinstance(value, Kernel):
                inputs = default_inputs(model.context.scope)
                for other in inputs[:2]:
                    side.kernel(value, inputs[0][1], other[1], question.span)
        found[f"derive, line {question.span.line}"] = log
    for claim in model.claims:
        with _Logging(side) as log:
            for case in cases(model, side, claim):
                del case
        found.setdefault(claim.label, []).extend(log)
    return {label: list({q.name: q for q in log}.values()) for label, log in found.items() if log}


class _Logging:
    """Collects the quantities asked for; refusals end the block quietly, they are the verdicts' business."""

    def __init__(self, side: LimitQuestions) -> None:
        self.side = side
        self.log: list[Quantity] = []

    def __enter__(self) -> list[Quantity]:
        self.side.log = self.log
        return self.log

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.side.log = None
        if isinstance(error, NoLimit):
            return True
        return isinstance(error, TpError) and error.diagnostics[0].code == "not-available"


def quantity_nodes(side: LimitQuestions, quantity: Quantity) -> Mean | Variance | Covariance:
    """What to measure, as instructions of the program."""
    context = side.context
    nodes = []
    for expr, dimension in quantity.parts:
        node = context.nodes.get(expr)
        if node is None or dimension is not None:
            node = context.builder.moment(expr, context.nodes, dimension)
        nodes.append(node)
    if quantity.kind == "mean":
        return Mean((nodes[0],))
    if quantity.kind == "variance" or nodes[0] == nodes[-1]:
        return Variance(nodes[0])
    return Covariance(nodes[0], nodes[1])


def point(
    model: Model, side: LimitQuestions, limits: Sequence[Expr], overrides: Mapping[str, Any]
) -> dict[Symbol, Fraction]:
    """A value for every parameter: settings and defaults first, then a simple admissible point."""
    context = model.context
    fixed: dict[Symbol, Expr] = {}
    symbols = set(context.grams.values()) | set(context.parameters)
    for limit in limits:
        symbols |= limit.free_symbols
    definitions = side.limit.definitions
    for definition in definitions.values():
        symbols |= definition.free_symbols
    for symbol in symbols - definitions.keys():
        given = overrides.get(symbol.name, context.parameters.get(symbol))
        number = rational(given) if isinstance(given, Expr) else None
        if number is not None:
            fixed[symbol] = sp.Rational(number.numerator, number.denominator)
    conditions = tuple(c for node in model.assumptions for c in assumption(model, node))
    domain = domain_of(context, sorted(symbols - fixed.keys(), key=str), definitions, Premises(conditions, fixed))
    candidates = list(islice(points(domain, definitions={}), CANDIDATES))
    # at zero, a learning rate for one, much is true that is not true elsewhere
    for candidate in sorted(candidates, key=lambda c: sum(v == 0 for v in c.values.values())):
        exact = {s: sp.Rational(v.numerator, v.denominator) for s, v in candidate.values.items()} | fixed
        for s, e in candidate.implied.items():
            exact[s] = e.xreplace(exact)
        return {s: number for s, e in exact.items() if (number := rational(e)) is not None}
    raise fail("no-point", "no admissible values of the parameters were found", fix="give them with --set")


def concrete(*z: Expr) -> Expr:
    """What stands for an unknown function in a run: tanh of the sum of its arguments."""
    return sp.tanh(sp.Add(*z))


def stand_ins(model: Model) -> dict[str, Any]:
    """NumPy forms of the stand-in and of its first two derivatives, for each unknown function of the file."""
    table: dict[str, Any] = {}
    for name, arity in model.context.unknown_functions.items():
        slots = sp.symbols(f"z0:{arity}", real=True)
        expr = concrete(*slots)
        for order in range(3):
            table[name + "'" * order] = sp.lambdify(slots, sp.diff(expr, slots[0], order), "numpy")
    return table
