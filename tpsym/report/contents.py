"""What a report says, before it is set in any format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympy import Expr

from tpsym.derivation import Step
from tpsym.report.bibliography import Reference, references
from tpsym.report.laws import Laws
from tpsym.report.naming import named_parts, where_rows
from tpsym.report.rows import Row
from tpsym.report.subexpressions import name_parts
from tpsym.results.answers import Answer, Recursion, Table


@dataclass(frozen=True, slots=True)
class Block:
    """An equation with its where-clause: ``left = right`` where ``rows``, under ``laws``.

    ``steps`` are the numbers of the steps it rests on. ``recursions`` are those among the rows, and
    ``contributions`` the summands by array, both in the names of the rows. ``has_equation`` is false where
    ``tables`` say everything.
    """

    left: Expr
    right: Expr
    rows: tuple[Row, ...]
    laws: Laws
    note: str
    value: str | None
    steps: tuple[int, ...]
    recursions: tuple[Recursion, ...] = ()
    contributions: tuple[tuple[str, Expr], ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def has_equation(self) -> bool:
        return not self.tables or self.left != self.right


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
    named = named_parts(answer)
    rows = where_rows(named)
    laws = Laws.of(answer.left, named.right, *(r.right for r in rows), *(v for _, v in named.contributions))
    return Block(
        answer.left, named.right, rows, laws, answer.note, answer.value, used, named.recursions, named.contributions,
        answer.tables,
    )


def _step_block(step: Step) -> Block:
    (after,), definitions = name_parts(step.after, avoid=step.before.free_symbols)
    laws = Laws.of(step.before, after, *(v for _, v in definitions))
    return Block(step.before, after, tuple(Row(s, v) for s, v in definitions), laws, step.note, None, ())
