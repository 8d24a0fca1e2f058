"""A report as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sympy import Basic

from tpsym.report.contents import Block, cited, sections, steps
from tpsym.report.latex import latex
from tpsym.report.laws import Laws
from tpsym.report.rows import Range
from tpsym.report.tables import table_object
from tpsym.report.text import law_clauses, text
from tpsym.report.verdicts import claim_object, summary
from tpsym.results.answers import Notation, Recursion

if TYPE_CHECKING:
    from tpsym.report.document import Report

Formula = Callable[[Basic], dict[str, str]]


def to_json(report: Report) -> str:
    """One object, every formula as ``{"text", "latex"}``.

    ``title``, ``file``; ``answers``: ``question``, ``line``, ``left``, ``right``, ``definitions`` (each
    ``name``, ``value``, and ``for``: the layers ``index`` = ``low``, …, ``high`` it holds for, or null),
    ``recursions`` over layers (each ``symbol`` = ``step`` for ``index`` = ``low``, …, ``high`` from ``first`` =
    ``initial``; ``solution``, the closed form of ``symbol``, or null; ``note``), ``contributions`` to a tangent
    kernel (each ``array``, ``value``), ``tables`` (each ``title``, ``columns``, ``rows`` of cells, ``note``; where
    ``left`` is ``right`` they are the answer), ``laws`` (text), ``value`` (at the defaults, or null), ``note``,
    ``steps`` (numbers); ``steps``: ``number``, ``rule``, ``source``, ``locator``, ``line`` (or null),
    ``before``, ``after``, ``laws``, ``note``; ``claims`` and ``summary`` as in ``tpsym verify --json``;
    ``sources``: ``key``, ``text``, ``note``.
    """
    used = steps(report.answers)
    value = {
        "title": report.title,
        "file": report.filename,
        "answers": [
            {"question": s.question, "line": s.line, **_block(block, report.notation)}
            for s in sections(report.answers)
            for block in s.blocks
        ],
        "steps": [
            {
                "number": number,
                "rule": step.rule.name,
                "source": step.rule.source,
                "locator": step.rule.locator,
                "line": step.span.line if step.span else None,
                "before": _formula(step.before, laws, report.notation),
                "after": _formula(step.after, laws, report.notation),
                "laws": law_clauses(laws),
                "note": step.note,
            }
            for number, step in enumerate(used, 1)
            for laws in (Laws.of(step.before, step.after),)
        ],
        "claims": [claim_object(c) for c in report.claims],
        "summary": summary(report.claims),
        "sources": [{"key": s.key, "text": s.line(), "note": s.note} for s in cited(used)],
    }
    return json.dumps(value, indent=2, ensure_ascii=True)


def _block(block: Block, notation: Notation) -> dict[str, Any]:
    def formula(expr: Basic) -> dict[str, str]:
        return _formula(expr, block.laws, notation)

    return {
        "left": formula(block.left),
        "right": formula(block.right),
        "definitions": [
            {"name": formula(row.left), "value": formula(row.right), "for": _layers(row.range, formula)}
            for row in block.rows
            if row.kind == "definition"
        ],
        "recursions": [_recursion(r, formula) for r in block.recursions],
        "contributions": [{"array": name, "value": formula(value)} for name, value in block.contributions],
        "tables": [table_object(table, notation) for table in block.tables],
        "laws": law_clauses(block.laws),
        "value": block.value,
        "note": block.note,
        "steps": list(block.steps),
    }


def _layers(layers: Range | None, formula: Formula) -> dict[str, Any] | None:
    if layers is None:
        return None
    return {"index": formula(layers.index), "low": formula(layers.low), "high": formula(layers.high)}


def _recursion(recursion: Recursion, formula: Formula) -> dict[str, Any]:
    solution = recursion.solution
    return {
        "symbol": formula(recursion.symbol),
        "step": formula(recursion.step),
        "index": formula(recursion.index),
        "low": formula(recursion.low),
        "high": formula(recursion.high),
        "first": formula(recursion.first),
        "initial": formula(recursion.initial),
        "solution": None if solution is None else formula(solution),
        "note": recursion.note,
    }


def _formula(expr: Basic, laws: Laws, notation: Notation) -> dict[str, str]:
    return {"text": text(expr, laws=laws), "latex": latex(expr, notation, laws=laws)}
