"""Wrong texts beside their exact messages, and that nothing ends in another exception than ``TpError``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsym.errors import TpError
from tpsym.syntax.format import format_source
from tpsym.syntax.parse import parse, parse_expression, read

FOLDER = Path(__file__).parent / "syntax"
WRONG = sorted(FOLDER.glob("*.tp"))
EXAMPLES = [
    path.read_text(encoding="utf-8") for path in sorted((FOLDER.parents[1] / "examples").glob("*.tp"))
]


def message(path: Path) -> str:
    with pytest.raises(TpError) as caught:
        read(path)
    shown = [
        diagnostic.render(source=caught.value.source, filename=path.name)
        for diagnostic in caught.value.diagnostics
    ]
    return "\n\n".join(shown) + "\n"


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_message(path: Path) -> None:
    assert message(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_there_are_many_kinds() -> None:
    codes = {
        code
        for path in FOLDER.glob("*.txt")
        for code in re.findall(r"\[([a-z0-9-]+)\]$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(codes) >= 40
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in codes)
    assert {path.stem for path in WRONG} == {path.stem for path in FOLDER.glob("*.txt")}


def code(text: str) -> str:
    with pytest.raises(TpError) as caught:
        parse(text, filename="big.tp")
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = " + "(" * 10_000 + "1" + ")" * 10_000, "too-deep"),
        ("x = " + "[" * 10_000, "too-deep"),
        ("x = " + "-" * 50_000 + "1", "too-deep"),
        ("x = " + "a^" * 40_000 + "1", "too-deep"),
        ("x = f" + "(a)" * 30_000, "too-deep"),
        ("x = f" + ".a" * 30_000, "too-deep"),
        ("assume " + "not " * 20_000 + "a", "too-deep"),
        ("x = (\n" + "a +\n" * 100_000 + "1)", "too-deep"),
        ("".join(" " * k + "for l in 1..2:\n" for k in range(400)), "too-deep"),
        ("x = " + "1" * 200_000, "line-too-long"),
        ("x" * 10_000_000, "file-too-large"),
        ("x = " + "1" * 5_000, "number-too-large"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_sizes_out_of_reason(text: str, expected: str) -> None:
    assert code(text) == expected


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, expected in (
        (tmp_path / "none.tp", "no-such-file"),
        (tmp_path, "is-a-directory"),
        ("nul\0.tp", "unreadable-file"),
    ):
        with pytest.raises(TpError) as caught:
            read(path)
        assert caught.value.filename == str(path)
        assert caught.value.diagnostics[0].code == expected


def test_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(TpError, match="may not be read"):
        read(tmp_path / "secret.tp")


@pytest.mark.parametrize("text", ["", "  # nothing", "1 +", "x = 3", "a b", "1 +- 2", "x\ny", "claim"])
def test_expressions(text: str) -> None:
    with pytest.raises(TpError, match="<expression>"):
        parse_expression(text)


def error_of(text: str) -> TpError | None:
    try:
        parse(text)
    except TpError as error:
        return error
    return None


def survives(text: str) -> None:
    """The text parses, and then formats, or its error is located inside it."""
    error = error_of(text)
    if error is None:
        formatted = format_source(text)
        assert parse(formatted) == parse(text)
        assert format_source(formatted) == formatted
        return
    assert error.source is not None
    assert str(error)
    lines = error.source.split("\n")
    for span in (diagnostic.span for diagnostic in error.diagnostics):
        if span is not None:
            assert 1 <= span.line <= len(lines)
            assert 1 <= span.column <= len(lines[span.line - 1]) + 1


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_examples(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.integers(0, 6)))
        text = (
            text[:start]
            + data.draw(st.text("()[]{}:,.=~+-*/@^<># \n\t\"'1eElσ²\\", max_size=3))
            + text[stop:]
        )
    survives(text)


WORDS = [
    "width",
    "dim",
    "depth",
    "param",
    "input",
    "assume",
    "weight",
    "random",
    "fn",
    "parametrization",
    "def",
    "for",
    "return",
    "train",
    "derive",
    "claim",
    "let",
    "in",
    "where",
    "with",
    "and",
    "or",
    "not",
    "x",
    "W",
    "E",
    "2",
    "1.5",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    "..",
    "=",
    "~",
    "+",
    "-",
    "+-",
    "*",
    "/",
    "@",
    "^",
    "==",
    "<=",
    "<=>",
    '"a"',
    "#",
    "\n",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, "\n", "\n    ", "\n        "]), max_size=30).map(" ".join))
def test_words_in_any_order(text: str) -> None:
    survives(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    survives(text)
