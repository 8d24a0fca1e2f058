"""A report as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sympy import Basic

from tpsym.report.contents import Block, cited, sections, steps
from tpsym.report.latex import latex
from tpsym.report.laws import Laws
from tpsym.report.text import law_clauses, text
from tpsym.report.verdicts import claim_object, summary
from tpsym.results.answers import Notation

if TYPE_CHECKING:
    from tpsym.report.document import Report


def to_json(report: Report) -> str:
    """One object, every formula as ``{"text", "latex"}``.

    ``title``, ``file``; ``answers``: ``question``, ``line``, ``left``, ``right``, ``definitions`` (each
    ``name``, ``value``), ``laws`` (text), ``value`` (at the defaults, or null), ``note``, ``steps``
    (numbers); ``steps``: ``number``, ``rule``, ``source``, ``locator``, ``line`` (or null), ``before``,
    ``after``, ``laws``, ``note``; ``claims`` and ``summary`` as in ``tpsym verify --json``; ``sources``:
    ``key``, ``text``, ``note``.
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
    return {
        "left": _formula(block.left, block.laws, notation),
        "right": _formula(block.right, block.laws, notation),
        "definitions": [
            {"name": _formula(s, block.laws, notation), "value": _formula(v, block.laws, notation)}
            for s, v in block.definitions
        ],
        "laws": law_clauses(block.laws),
        "value": block.value,
        "note": block.note,
        "steps": list(block.steps),
    }


def _formula(expr: Basic, laws: Laws, notation: Notation) -> dict[str, str]:
    return {"text": text(expr, laws=laws), "latex": latex(expr, notation, laws=laws)}
