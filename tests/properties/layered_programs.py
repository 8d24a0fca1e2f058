"""Programs with a symbolic depth against the same programs unrolled.

The symbolic engine reads a recursion off one round of a loop. The recursion is iterated here from the asked
depth down to the first layer, and compared with the program written with that depth, where no recursion is
involved and correlation parts are computed without the check of gradient independence.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from sympy import Expr, Symbol

import tpsym
from tpsym.errors import NOWHERE, TpError
from tpsym.gauss.numeric import value
from tpsym.program.evaluate import evaluate
from tpsym.results.answers import needed
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit, reasons
from tpsym.syntax.parse import parse_expression

DEPTH = Symbol("L")
HEADER = "width n\ndim d\ndepth L{depth}\nparam sw, sb, al: positive\ninput {inputs}: (d){range}\nparametrization {P}\n"
TOLERANCE = 1e-9
SECONDS = 2.0
"""What one integral may take; after that a number is not a number."""
QUESTIONS = ("nngp(f)(x, x)", "nngp(f)(x, y)", "ntk(f)(x, x)", "ntk(f)(x, y)")


@dataclass(frozen=True)
class Program:
    """A program text with ``{depth}`` after ``depth L`` and its questions."""

    text: str
    questions: tuple[str, ...] = QUESTIONS
    depths: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Outcome:
    """One question at one depth: two numbers, or why there are none."""

    question: str
    depth: int | None
    symbolic: float | str
    unrolled: float | str | None = None

    @property
    def refused(self) -> bool:
        return isinstance(self.symbolic, str)

    @property
    def unknown(self) -> bool:
        """Whether there is nothing to compare: an integral that takes long, a fluctuation that is refused."""
        numbers = [v for v in (self.symbolic, self.unrolled) if isinstance(v, float)]
        return any(map(math.isnan, numbers)) or "only known up to" in str(self.unrolled)

    @property
    def agrees(self) -> bool:
        """Whether both are numbers, and the same ones."""
        a, b = self.symbolic, self.unrolled
        return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= TOLERANCE * max(1, abs(b))


def program(
    body: str, *, parametrization: str = "ntk", positions: str = "", depths: tuple[int, ...] = (1, 2, 3),
    questions: tuple[str, ...] = QUESTIONS,
) -> Program:
    """A program from its weights and functions; ``positions`` is a range over which the inputs are families."""
    inputs, ranges = ("x[p], y[p]", f" for p in {positions}") if positions else ("x, y", "")
    head = HEADER.format(depth="{depth}", inputs=inputs, range=ranges, P=parametrization)
    return Program(head + body.replace("{", "{{").replace("}", "}}"), questions, depths)


def outcomes(p: Program) -> Iterator[Outcome]:
    """Every question at every depth."""
    for question in p.questions:
        parsed = tpsym.parse(p.text.format(depth=""))
        try:
            found = asked(parsed, question)
            with reasons(NOWHERE):
                for key in parsed.limit_side.recursions.closure([found]):
                    parsed.limit_side.recursions.first(key)
        except NoLimit as error:
            yield Outcome(question, None, error.reason)
            continue
        except TpError as error:
            yield Outcome(question, None, f"{error.diagnostics[0].code}: {error.diagnostics[0].message}")
            continue
        for depth in p.depths:
            yield Outcome(question, depth, iterated(parsed, found, depth), unrolled(p, question, depth))


def asked(parsed: tpsym.Program, question: str) -> Expr:
    context = parsed.model.context
    assert parsed.limit_side is context.limit
    found: Expr = evaluate(context, parse_expression(question), context.scope).expr
    return found


def unrolled(p: Program, question: str, depth: int) -> float | str:
    """The answer at a depth that the program is written with."""
    try:
        parsed = tpsym.parse(p.text.format(depth=f" = {depth}"))
        parsed.limit_side.limit.independence = False
        return number(parsed.limit_side, asked(parsed, question), depth)
    except NoLimit as error:
        return error.reason
    except TpError as error:
        return f"{error.diagnostics[0].code}: {error.diagnostics[0].message}"


def iterated(parsed: tpsym.Program, found: Expr, depth: int) -> float:
    """The answer for a symbolic depth at a depth, by the recursion down to the first layer."""
    side = parsed.limit_side
    recursions, context = side.recursions, side.context
    (name,) = context.depths
    symbol = context.scope.names[name].expr
    expr = recursions.shift(found, symbol, sp.Integer(depth))
    values: dict[Symbol, Expr] = {}
    todo = list(expr.free_symbols)
    while todo:
        s = todo.pop()
        if s not in values and (s in side.limit.statistics or s in side.limit.definitions):
            given = side.limit.definitions.get(s)
            given = recursions.at(s) if given is None else given
            values[s] = recursions.shift(given, symbol, sp.Integer(depth))
            todo += values[s].free_symbols
    return number(side, expr, depth, ordered(values, expr))


def ordered(values: Mapping[Symbol, Expr], root: Expr) -> dict[Symbol, Expr]:
    """Named values, each after those it rests on."""
    done: dict[Symbol, Expr] = {}
    todo = [(s, False) for s in root.free_symbols]
    while todo:
        s, finished = todo.pop()
        if finished:
            done[s] = values[s]
        elif s in values and s not in done:
            todo += [(s, True), *((t, False) for t in values[s].free_symbols)]
    return done


def number(side: LimitQuestions, expr: Expr, depth: int, definitions: Mapping[Symbol, Expr] | None = None) -> float:
    known = dict(needed(expr, side.limit.definitions)) if definitions is None else dict(definitions)
    free = set().union(expr.free_symbols, *(e.free_symbols for e in known.values())) - known.keys()
    values = {s: given(s, depth) for s in free}
    found, certain = value(expr, values, definitions=known, digits=12, deadline=time.monotonic() + SECONDS)
    middle = float(found.value.mid())
    return middle if certain >= 11 or abs(middle) < 1e-11 else math.nan


GIVEN = {"sw": Fraction(5, 4), "sb": Fraction(1, 3), "al": Fraction(2, 3), "d": Fraction(2), "n": Fraction(7)}


def given(symbol: Symbol, depth: int) -> Fraction:
    """The value of a parameter, a layer's parameter or an inner product."""
    name = symbol.name
    if name.startswith("dot("):
        first, second = name[4:-1].split(", ")
        return sum((a * b for a, b in zip(point(first), point(second), strict=True)), Fraction(0))
    if name == "L":
        return Fraction(depth)
    indexed = re.fullmatch(r"([a-z]+)\[(\d+)\]", name)
    if indexed:
        return Fraction(ord(indexed[1][0]) % 5 + int(indexed[2]) + 2, 5)
    return GIVEN[name]


def point(name: str) -> list[Fraction]:
    """Three coordinates of an input, the same ones for the same name."""
    rng = random.Random(name)
    return [Fraction(rng.randint(1, 6), 5) * sign for sign in (1, 1, rng.choice((-1, 1)))]
