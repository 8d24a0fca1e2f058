"""Text to tree to text: nothing is lost and formatting twice changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from syntax_strategies import expressions, files

from tpsym.syntax import tree
from tpsym.syntax.format import format_expression, format_file, format_source
from tpsym.syntax.parse import parse, parse_expression

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.tp"))
RANDOM = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    formatted = format_source(text)
    assert parse(formatted) == parse(text)
    assert format_source(formatted) == formatted
    assert [c.text for c in parse(formatted).comments] == [c.text for c in parse(text).comments]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 14


@RANDOM
@given(expressions)
def test_expressions(expr: tree.Expr) -> None:
    text = format_expression(expr)
    again = parse_expression(text)
    assert again == expr, text
    assert format_expression(again) == text


@RANDOM
@given(files)
def test_files(file: tree.File) -> None:
    text = format_file(file)
    again = parse(text)
    assert again == file, text
    assert format_source(text) == text
