"""A report as a self-contained HTML page: MathML, one style sheet, no scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sympy import Symbol

from tpsym.report.contents import Block, cited, ranges, sections, step_lines, steps
from tpsym.report.escape import html
from tpsym.report.laws import Laws
from tpsym.report.mathml import law_clauses, mathml
from tpsym.report.names import unicode_name
from tpsym.report.remarks import remark_html
from tpsym.report.rows import Row
from tpsym.report.tables import html_table
from tpsym.report.verdicts import SYMBOLS, summary_line
from tpsym.results.answers import ClaimResult

if TYPE_CHECKING:
    from tpsym.report.document import Report

STYLE = """
.tpsym { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: auto; color: #1a1a1a; }
.tpsym math { font-size: 1.1em; } .tpsym .eq { overflow-x: auto; padding: .3em 0 .3em 1.5em; }
.tpsym pre { background: #f4f4f2; padding: .8em 1em; overflow-x: auto; font-size: .85em; line-height: 1.4; }
.tpsym .dim { color: #666; font-size: .85em; } .tpsym .right { float: right; }
.tpsym .beside { margin-left: 1.5em; color: #444; }
.tpsym ol > li { margin: .6em 0; } .tpsym .note { margin: 0 0 0 1.5em; color: #444; font-size: .9em; }
.tpsym table { border-collapse: collapse; width: 100%; } .tpsym td, .tpsym th { text-align: left;
  padding: .3em .6em; border-bottom: 1px solid #ddd; vertical-align: top; }
.tpsym caption { text-align: left; padding: .6em 0 .2em; font-style: italic; }
.tpsym .proved { color: #1b7837; } .tpsym .checked { color: #00688b; }
.tpsym .refuted { color: #b2182b; } .tpsym .undecided { color: #8a6d00; }
"""


def to_html(report: Report) -> str:
    """The page."""
    title = html(report.title or report.filename)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"</head>\n<body>\n{fragment(report)}</body>\n</html>\n"
    )


def fragment(report: Report) -> str:
    """The report as one element, for a notebook."""
    used = steps(report.answers)
    parts = [f"<style>{STYLE}</style>", f"<h1>{html(report.title or report.filename)}</h1>"]
    if report.source.strip():
        listing = "\n".join(html(line) for line in report.source.rstrip().splitlines())
        summary = html(report.filename or "program")
        parts.append(f"<details open><summary>{summary}</summary><pre>{listing}</pre></details>")
    parts += ["<h2>Results</h2>"] if report.answers else []
    for section in sections(report.answers):
        place = f"<span class='dim right'>line {section.line}</span>"
        parts.append(f"<h3>{place}<code>derive {html(section.question)}</code></h3>")
        parts += [_block(block) for block in section.blocks]
    parts += [_steps(report)] if used else []
    parts += [_claims(report.claims)] if report.claims else []
    if sources := cited(used):
        items = "".join(f"<li id='{html(s.key)}'><b>{html(s.key)}</b> {html(s.line())}</li>" for s in sources)
        parts.append(f"<h2>Sources</h2><ul>{items}</ul>")
    return "<div class='tpsym'>\n" + "\n".join(parts) + "\n</div>\n"


def claims_fragment(claims: Sequence[ClaimResult]) -> str:
    """The table of verdicts alone, for a notebook."""
    return f"<div class='tpsym'><style>{STYLE}</style>{_claims(claims)}</div>"


def _equation(math: str) -> str:
    return f"<div class='eq'>{math}</div>"


def _block(block: Block, note: Callable[[str], str] = remark_html) -> str:
    out = [_equation(mathml(block.left, "=", block.right, laws=block.laws))] if block.has_equation else []
    rows = [_row(row, block.laws) for row in block.rows] + law_clauses(block.laws)
    if rows:
        out += ["<p class='note'>where</p>", *(_equation(row) for row in rows)]
    if block.contributions:
        shares = [(Symbol(name), value) for name, value in block.contributions]
        out += ["<p class='note'>by array</p>"]
        out += [_equation(mathml(name, ":", value, laws=block.laws)) for name, value in shares]
    notes = [f"In numbers: {html(block.value)}."] if block.value is not None else []
    notes += [note(block.note)] if block.note else []
    word = "step" if len(block.steps) == 1 else "steps"
    notes += [f"<span class='dim'>By {word} {ranges(block.steps)}.</span>"] if block.steps else []
    out += [f"<p class='note'>{' '.join(notes)}</p>"] if notes else []
    return "".join([*out, *map(html_table, block.tables)])


def _row(row: Row, laws: Laws) -> str:
    """An equation of a where-clause with what stands beside it."""
    out = mathml(row.left, "=", row.right, laws=laws)
    if row.range is not None:
        first, last = row.range.low, row.range.high
        layers = mathml(row.range.index, "=", first, ",", "…", ",", last, laws=laws)
        out += f" <span class='beside'>for {layers}</span>"
    return out + (f" <span class='beside'>{remark_html(row.remark)}</span>" if row.remark else "")


def _steps(report: Report) -> str:
    items = []
    for line in step_lines(report.answers):
        step = line.step
        source = ", ".join(html(p) for p in (step.rule.source, step.rule.locator) if p)
        place = f"<span class='dim right'>line {step.span.line}</span>" if step.span else ""
        rule = f"<b>{html(step.rule.name)}</b> <span class='dim'>{source}</span>"
        items.append(f"<li>{place}{rule}{_block(line.block, html)}</li>")
    return f"<h2>Derivation</h2><ol>{''.join(items)}</ol>"


def _claims(claims: Sequence[ClaimResult]) -> str:
    rows = []
    for c in claims:
        cells = [f"<td class='{c.verdict}'>{SYMBOLS[c.verdict]}</td>", f"<td>{html(c.label)}</td>"]
        cells += [f"<td class='{c.verdict}'>{c.verdict}</td>", f"<td>{c.line}</td>", f"<td>{_how(c)}</td>"]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    head = "<tr><th></th><th>claim</th><th>verdict</th><th>line</th><th>how</th></tr>"
    return f"<h2>Claims</h2><p>{html(summary_line(claims))}.</p><table>{head}{''.join(rows)}</table>"


def _how(claim: ClaimResult) -> str:
    out = [html(claim.method)] + ([f"at {html(unicode_name(claim.instance))}"] if claim.instance else [])
    if claim.verdict == "refuted":
        out += [f"{html(unicode_name(s.name))} = {html(v)}" for s, v in (claim.witness or {}).items()]
        out += [f"left side {html(claim.left_value)}"] if claim.left_value is not None else []
        out += [f"right side {html(claim.right_value)}"] if claim.right_value is not None else []
    if claim.detail and claim.verdict in ("refuted", "undecided"):
        out.append(html(claim.detail))
    return "<br>".join(line for line in out if line)
