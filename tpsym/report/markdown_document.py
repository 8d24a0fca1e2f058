"""A report as Markdown with LaTeX between dollar signs, as notebooks and forges show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tpsym.report.contents import Block, cited, ranges, sections, step_lines, steps
from tpsym.report.equations import beside
from tpsym.report.escape import markdown, markdown_code
from tpsym.report.latex import MathLatex, law_parts
from tpsym.report.latex_names import latex_name
from tpsym.report.names import unicode_name
from tpsym.report.remarks import remark_markdown
from tpsym.report.tables import markdown_lines
from tpsym.report.verdicts import SYMBOLS, summary_line
from tpsym.results.answers import ClaimResult, Notation

if TYPE_CHECKING:
    from tpsym.report.document import Report


def to_markdown(report: Report) -> str:
    """Title, program, results, steps, claims and sources."""
    lines = [f"# {markdown(report.title or report.filename)}", ""]
    if report.filename and report.title:
        lines += [markdown_code(report.filename), ""]
    lines += _program(report.source)
    if report.answers:
        lines += ["## Results", ""]
    for section in sections(report.answers):
        lines += [f"### {markdown_code('derive ' + section.question)} (line {section.line})", ""]
        for block in section.blocks:
            lines += _block(block, report.notation)
    used = steps(report.answers)
    lines += ["## Derivation", ""] if used else []
    for line in step_lines(report.answers):
        step = line.step
        source = ", ".join(markdown(p) for p in (step.rule.source, step.rule.locator) if p)
        place = f", line {step.span.line}" if step.span else ""
        lines += [f"{line.number}. **{markdown(step.rule.name)}** ({source or 'no source'}{place})", ""]
        lines += [f"   {part}" if part else "" for part in _block(line.block, report.notation, markdown)]
    lines += _claims(report.claims)
    sources = cited(used)
    lines += ["## Sources", ""] if sources else []
    lines += [f"- **{markdown(s.key)}**: {markdown(s.line())}" for s in sources]
    return "\n".join(lines).rstrip() + "\n"


def display(block: Block, notation: Notation) -> str:
    """A block as one ``aligned`` display, without dollar signs."""
    printer = MathLatex(notation, block.laws)
    rows = [f"{printer.doprint(block.left)} &= {printer.doprint(block.right)}"]
    lead = r"\text{where } "
    for row in block.rows:
        remark = beside(row, printer)
        equation = rf"{lead}{printer.doprint(row.left)} &= {printer.doprint(row.right)}"
        rows.append(rf"{equation} \qquad {remark}" if remark else equation)
        lead = ""
    rows += [f"{left} &{relation} {law}" for left, relation, law in law_parts(block.laws, notation)]
    lead = r"\text{by array } "
    for name, value in block.contributions:
        rows.append(rf"{lead}{latex_name(name)} &: \; {printer.doprint(value)}")
        lead = ""
    return (
        rows[0].replace("&", "", 1)
        if len(rows) == 1
        else (r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}")
    )


def _program(source: str) -> list[str]:
    if not source.strip():
        return []
    text = "".join(c for c in source.rstrip() if c in "\n\t" or c.isprintable())
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}python", text, fence, ""]


def _block(block: Block, notation: Notation, note: Callable[[str], str] = remark_markdown) -> list[str]:
    lines = ["$$", display(block, notation), "$$", ""] if block.has_equation else []
    if block.value is not None:
        lines += [f"In numbers: {markdown(block.value)}.", ""]
    lines += [note(block.note), ""] if block.note else []
    for table in block.tables:
        lines += markdown_lines(table, notation)
    word = "step" if len(block.steps) == 1 else "steps"
    return lines + ([f"By {word} {ranges(block.steps)}.", ""] if block.steps else [])


def _claims(claims: tuple[ClaimResult, ...]) -> list[str]:
    if not claims:
        return []
    lines = [
        "## Claims",
        "",
        summary_line(claims) + ".",
        "",
        "| | claim | verdict | line | how |",
        "| --- | --- | --- | --- | --- |",
    ]
    for c in claims:
        how = [markdown(c.method)] + ([f"at {markdown(unicode_name(c.instance))}"] if c.instance else [])
        if c.verdict == "refuted":
            how += [f"{markdown(unicode_name(s.name))} = {markdown(v)}" for s, v in (c.witness or {}).items()]
            how += [f"left {markdown(c.left_value)}"] if c.left_value is not None else []
            how += [f"right {markdown(c.right_value)}"] if c.right_value is not None else []
        if c.detail and c.verdict in ("refuted", "undecided"):
            how.append(markdown(c.detail))
        cells = (
            SYMBOLS[c.verdict],
            markdown(c.label),
            c.verdict,
            str(c.line),
            "; ".join(h for h in how if h),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]
