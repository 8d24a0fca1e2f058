"""What formatting changes and what it keeps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tpsym.errors import Span
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression, format_source
from tpsym.syntax.parse import parse, parse_expression

FOLDER = Path(__file__).parent / "format"


def test_a_messy_file() -> None:
    before = (FOLDER / "before.tp").read_text(encoding="utf-8")
    after = (FOLDER / "after.tp").read_text(encoding="utf-8")
    assert format_source(before) == after
    assert format_source(after) == after
    assert parse(before) == parse(after)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- x ** 2", "-x^2"),
        ("(-x)^2", "(-x)^2"),
        ("2^-1", "2^(-1)"),
        ("(a^b)^c - a^(b^c)", "(a^b)^c - a^b^c"),
        ("a/(b*c) + (a/b)*c", "a/(b*c) + a/b*c"),
        ("a - (b - c) - (d)", "a - (b - c) - d"),
        ("n^(-a[ 1 ]) * w @ x", "n^(-a[1]) * w @ x"),
        ("v@h/n", "v @ h / n"),
        ("h[l - 1, f(p+1)]", "h[l-1, f(p + 1)]"),
        ("sum(x[k] for k in 1..L - 1 for r in -1..1)", "sum(x[k] for k in 1..L-1, r in -1..1)"),
        ("not (a and b) or c<d", "not (a and b) or c < d"),
        ("(a and b) <=> (c or d)", "(a and b) <=> (c or d)"),
        ("(a and b) <=> (c)", "a and b <=> c"),
        ("sgd(lr={W[1]:eta , v : eta/n})", "sgd(lr = {W[1]: eta, v: eta/n})"),
        ("f . h[l](x).T", "f.h[l](x).T"),
        ("[(x,t),(y,),()]", "[(x, t), (y,), ()]"),
        ("σ_w + ε*π − ∞", "σ_w + ε*π - ∞"),
        ("1.50 + 1e-4 + 2.", "1.50 + 1e-4 + 2"),
        ("a ≤ b ≠ c", "a <= b != c"),
        ("a + (-b) * -c", "a + (-b*(-c))"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert format_expression(parse_expression(text)) == expected
    assert parse_expression(expected) == parse_expression(text)


def test_numbers_without_text() -> None:
    span = Span(1, 1, 1, 2)
    assert format_expression(tree.Number(Fraction(3), "", span=span)) == "3"
    assert format_expression(tree.Number(Fraction(1, 3), "", span=span)) == "(1/3)"


def test_alignment_is_kept_where_the_author_aligned() -> None:
    loose = 'claim "a": x == 1\nclaim "long": y == 2\n'
    assert format_source(loose) == loose
    aligned = 'claim "a":    x == 1\nclaim "long": y == 2\n'
    assert format_source(aligned) == aligned
    assert format_source('claim "a":      x == 1\nclaim "long": y == 2\n') == aligned
    assert format_source('claim "a":  x == 1\n') == 'claim "a": x == 1\n'


def test_blank_lines() -> None:
    assert format_source("\n\nwidth n\n\n\n\ndim d\ndepth L\n\n\n") == "width n\n\ndim d\ndepth L\n"


def test_form_of_claims() -> None:
    line = 'claim "a": x == p where p = 1, p < q for l in 1..2\n'
    block = 'claim "a":\n    x == p\n    where p = 1, p < q\n    for l in 1..2\n'
    assert format_source(line) == line
    assert format_source(block) == block
    assert parse(line) == parse(block)


def test_comments_survive() -> None:
    text = "# a\nwidth n  # b\n# c\ndef f(x):  # d\n    # e\n"
    text += "    return f(x,  # f\n        2)  # g\n    # h\n# i\n"
    shown = format_source(text)
    assert [comment.text for comment in parse(shown).comments] == [f"# {letter}" for letter in "abcdefghi"]
    assert format_source(shown) == shown


@pytest.mark.parametrize("label", ['a "b"', "a\\", "\\\\", '\\"', "\\phi", "", "θ – ω"])
def test_labels(label: str) -> None:
    written = label.replace("\\", "\\\\").replace('"', '\\"')
    text = f'claim "{written}": x == 1\n'
    (claim,) = parse(format_source(text)).statements
    assert isinstance(claim, tree.Claim)
    assert claim.label == label
