"""What a report says, before it is set in any format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol

from tpsym.derivation import Step
from tpsym.report.bibliography import Reference, references
from tpsym.report.laws import Laws
from tpsym.report.subexpressions import name_parts
from tpsym.results.answers import Answer


@dataclass(frozen=True, slots=True)
class Block:
    """An equation with its where-clause: ``left = right`` where ``definitions``, under ``laws``.

    ``steps`` are the numbers of the steps it rests on.
    """

    left: Expr
    right: Expr
    definitions: tuple[tuple[Symbol, Expr], ...]
    laws: Laws
    note: str
    value: str | None
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The answers to one question of the file."""

    question: str
    line: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class StepLine:
    """A numbered step with its equation, repeated parts named."""

    number: int
    step: Step
    block: Block


def step_lines(answers: Sequence[Answer]) -> tuple[StepLine, ...]:
    """The steps as they are shown."""
    return tuple(StepLine(k, step, _step_block(step)) for k, step in enumerate(steps(answers), 1))


def sections(answers: Sequence[Answer]) -> tuple[Section, ...]:
    """The answers by question, each with its repeated parts named."""
    number = {step: k for k, step in enumerate(steps(answers), 1)}
    found: list[tuple[str, int, list[Block]]] = []
    for answer in answers:
        if not found or found[-1][:2] != (answer.question, answer.span.line):
            found.append((answer.question, answer.span.line, []))
        found[-1][2].append(_block(answer, tuple(sorted({number[s] for s in answer.steps}))))
    return tuple(Section(question, line, tuple(blocks)) for question, line, blocks in found)


def steps(answers: Sequence[Answer]) -> tuple[Step, ...]:
    """Every step of every answer once, in the order in which they were first needed."""
    return tuple(dict.fromkeys(step for answer in answers for step in answer.steps))


def cited(used: Iterable[Step]) -> tuple[Reference, ...]:
    """The sources of these steps in order of first citation; an unknown key stands for itself."""
    keys = dict.fromkeys(step.rule.source for step in used if step.rule.source)
    return tuple(references().get(key) or Reference(key, "misc", title=key) for key in keys)


def ranges(numbers: Sequence[int]) -> str:
    """``1, 3–5``."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}–{b}" if b > a + 1 else f"{a}, {b}" for a, b in runs)


def _block(answer: Answer, used: tuple[int, ...]) -> Block:
    parts = [answer.right, *(value for _, value in answer.definitions)]
    avoid = {*answer.left.free_symbols, *(s for s, _ in answer.definitions)}
    (right, *values), named = name_parts(parts, avoid=avoid)
    given = tuple(zip((s for s, _ in answer.definitions), values, strict=True))
    definitions = _ordered([*given, *named])
    laws = Laws.of(answer.left, right, *(v for _, v in definitions))
    return Block(answer.left, right, definitions, laws, answer.note, answer.value, used)


def _step_block(step: Step) -> Block:
    (after,), definitions = name_parts(step.after, avoid=step.before.free_symbols)
    laws = Laws.of(step.before, after, *(v for _, v in definitions))
    return Block(step.before, after, definitions, laws, step.note, None, ())


def _ordered(definitions: Sequence[tuple[Symbol, Expr]]) -> tuple[tuple[Symbol, Expr], ...]:
    """Each definition after those it uses, otherwise as given."""
    values = dict(definitions)
    done: dict[Symbol, None] = {}

    def visit(symbol: Symbol, above: frozenset[Symbol]) -> None:
        for used, _ in definitions:
            if used in values[symbol].free_symbols and used not in done and used not in above:
                visit(used, above | {symbol})
        done.setdefault(symbol)

    for symbol, _ in definitions:
        visit(symbol, frozenset())
    return tuple((s, values[s]) for s in done)
