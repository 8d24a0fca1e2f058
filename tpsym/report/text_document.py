"""A report for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sympy import Expr

from tpsym.report.contents import Block, StepLine, cited, ranges, sections, step_lines, steps
from tpsym.report.escape import columns, plain
from tpsym.report.laws import Laws
from tpsym.report.names import unicode_name
from tpsym.report.remarks import remark_text
from tpsym.report.rows import Range, Row
from tpsym.report.tables import text_lines
from tpsym.report.text import law_clauses, text, wrap
from tpsym.report.verdicts import Paint, claim_lines

if TYPE_CHECKING:
    from tpsym.report.document import Report


def to_text(report: Report, *, width: int, color: bool) -> str:
    """The report in lines of at most ``width`` columns."""
    paint = Paint(color)
    lines = _heading(report.title or report.filename, "═", width, paint)
    if report.title and report.filename:
        lines.append(paint(_cut(plain(report.filename), width), "dim"))
    if report.answers:
        lines += ["", *_heading("Results", "─", width, paint)]
        for section in sections(report.answers):
            lines += ["", *_title(f"derive {section.question}", f"line {section.line}", width, paint)]
            for k, block in enumerate(section.blocks):
                lines += ([""] if k else []) + _block(block, width, paint)
    used = steps(report.answers)
    if used:
        lines += ["", *_heading("Derivation", "─", width, paint)]
        for line in step_lines(report.answers):
            lines += _step(line, width, paint)
    if report.claims:
        lines += ["", *_heading("Claims", "─", width, paint)]
        for claim in report.claims:
            lines += claim_lines(claim, width=width, paint=paint)
    sources = cited(used)
    if sources:
        lines += ["", *_heading("Sources", "─", width, paint)]
        for source in sources:
            lines += wrap(f"[{source.key}] {plain(source.line())}", width=width, indent="  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def equation_lines(left: Expr | None, right: Expr, *, laws: Laws, width: int, indent: str = "  ") -> list[str]:
    """``left = right`` on one line, or broken after the left side and at operators."""
    body = text(right, laws=laws)
    if left is None:
        return [indent + line for line in wrap(body, width=width - len(indent), indent="  ")]
    head = text(left, laws=laws)
    if columns(f"{indent}{head} = {body}") <= width:
        return [f"{indent}{head} = {body}"]
    if columns(head) <= 12:
        rest = wrap(body, width=width - len(indent) - columns(head) - 3, indent="  ")
        pad = " " * (columns(head) + 3)
        return [f"{indent}{head} = {rest[0]}", *(indent + pad + line for line in rest[1:])]
    first = [indent + line for line in wrap(head, width=width - len(indent), indent="  ")]
    rest = wrap(body, width=width - len(indent) - 4, indent="  ")
    return [*first, f"{indent}  = {rest[0]}", *(f"{indent}    {line}" for line in rest[1:])]


def where_lines(rows: Iterable[Row], laws: Laws, *, width: int, indent: str = "  ") -> Iterator[str]:
    """The where-clause: definitions and recursions, then the laws of the Gaussian variables."""
    lead, rest = f"{indent}where  ", f"{indent}       "
    for row in rows:
        lines = row_lines(row, laws, width=width, indent=rest)
        yield lead + lines[0][len(rest) :]
        yield from lines[1:]
        lead = rest
    for clause in law_clauses(laws, room=width - len(rest)):
        lines = wrap(clause, width=width - len(rest), indent="  ")
        yield lead + lines[0]
        yield from (rest + line for line in lines[1:])
        lead = rest


def row_lines(row: Row, laws: Laws, *, width: int, indent: str) -> list[str]:
    """A line of a where-clause with the layers it holds for; a closed form under its heading."""
    remark = remark_text(row.remark)
    if row.kind == "solution":
        head = [indent + line for line in wrap(f"{remark}:", width=width - len(indent), indent="  ")]
        return head + equation_lines(row.left, row.right, laws=laws, width=width, indent=indent + "  ")
    lines = equation_lines(row.left, row.right, laws=laws, width=width, indent=indent)
    for beside in (row.range and _layers(row.range, laws), remark):
        if beside and len(lines) == 1 and columns(f"{lines[0]}  {beside}") <= width:
            lines = [f"{lines[0]}  {beside}"]
        elif beside:
            inner = f"{indent}  "
            lines += [inner + line for line in wrap(beside, width=width - len(inner), indent="  ")]
    return lines


def _layers(layers: Range, laws: Laws) -> str:
    index, low, high = (text(e, laws=laws) for e in (layers.index, layers.low, layers.high))
    return f"for {index} = {low}, …, {high}"


def contribution_lines(block: Block, *, width: int) -> Iterator[str]:
    """The summands of a tangent kernel by array."""
    lead, rest = "  by array  ", "            "
    for name, value in block.contributions:
        head = f"{unicode_name(name)}: "
        lines = wrap(text(value, laws=block.laws), width=width - len(rest) - columns(head), indent="  ")
        pad = rest + " " * columns(head)
        yield lead + head + lines[0]
        yield from (pad + line for line in lines[1:])
        lead = rest


def _heading(title: str, rule: str, width: int, paint: Paint) -> list[str]:
    lines = wrap(plain(title), width=width, indent="")
    return [*(paint(line, "bold") for line in lines), rule * min(width, max(map(columns, lines)))]


def _title(name: str, place: str, width: int, paint: Paint) -> list[str]:
    """A name with its place at the right edge."""
    name = plain(name)
    gap = width - columns(name) - columns(place)
    if gap >= 2:
        return [paint(name, "bold") + " " * gap + paint(place, "dim")]
    return [*(paint(line, "bold") for line in wrap(name, width=width)), paint("  " + place, "dim")]


def _block(block: Block, width: int, paint: Paint) -> list[str]:
    lines = equation_lines(block.left, block.right, laws=block.laws, width=width) if block.has_equation else []
    lines += where_lines(block.rows, block.laws, width=width)
    lines += contribution_lines(block, width=width)
    if block.value is not None:
        lines += wrap(f"  ≈ {plain(block.value)}", width=width)
    if block.note:
        lines += wrap(f"  {remark_text(block.note)}", width=width, indent="  ")
    for table in block.tables:
        lines += [*([""] if lines else []), *text_lines(table, width=width)]
    if block.steps:
        word = "step" if len(block.steps) == 1 else "steps"
        lines += [paint(line, "dim") for line in wrap(f"  by {word} {ranges(block.steps)}", width=width)]
    return lines


def _step(line: StepLine, width: int, paint: Paint) -> list[str]:
    step, block = line.step, line.block
    source = ", ".join(plain(part) for part in (step.rule.source, step.rule.locator) if part)
    name = f"{line.number}. {plain(step.rule.name)}" + (f"  [{source}]" if source else "")
    lines = _title(name, f"line {step.span.line}" if step.span else "", width, paint)
    lines += equation_lines(block.left, block.right, laws=block.laws, width=width, indent="     ")
    lines += where_lines(block.rows, block.laws, width=width, indent="     ")
    if step.note:
        lines += wrap(f"     {plain(step.note)}", width=width, indent="     ")
    return lines


def _cut(line: str, width: int) -> str:
    return line if columns(line) <= width else _fit(line, width - 1) + "…"


def _fit(line: Sequence[str], width: int) -> str:
    out, used = "", 0
    for char in line:
        used += columns(char)
        if used > width:
            break
        out += char
    return out
