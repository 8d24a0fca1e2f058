"""What texts mean: precedence, words, numbers, statements and their places."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tpsym.errors import Span, TpError
from tpsym.syntax import tree
from tpsym.syntax.alphabet import fold
from tpsym.syntax.checks import children
from tpsym.syntax.parse import parse, parse_expression, read
from tpsym.syntax.tokens import SIGNS, SOFT, STATEMENTS

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.tp"))


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-x^2", "-(x^2)"),
        ("x^y^z", "x^(y^z)"),
        ("2^-x^y", "2^(-(x^y))"),
        ("-a*b", "(-a)*b"),
        ("a/b*c@d", "((a/b)*c)@d"),
        ("a - b + c", "(a - b) + c"),
        ("not a == b and c or d", "((not (a == b)) and c) or d"),
        ("a and b <=> c or d", "(a and b) <=> (c or d)"),
        ("a**b", "a^b"),
        ("a − b", "a - b"),
        ("σ_w*λ'", "sigma_w*lambda'"),
        ("Σ + ς + ϕ + φ + ϵ", "Sigma + sigma + phi + phi + epsilon"),
        ("x₁", "x1"),
        ("∞", "oo"),
        ("f(a,\n  b)", "f(a, b)"),
        ("not(a)", "not a"),
    ],
)
def test_grouping(text: str, grouped: str) -> None:
    assert parse_expression(text) == parse_expression(grouped)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.3", Fraction(13, 10)),
        ("1e-4", Fraction(1, 10000)),
        ("2.5E3", Fraction(2500)),
        (".5", Fraction(1, 2)),
    ],
)
def test_numbers_are_exact(text: str, value: Fraction) -> None:
    number = parse_expression(text)
    assert isinstance(number, tree.Number)
    assert number.value == value
    assert number.text == text


def test_ranges_are_not_decimals() -> None:
    (clause,) = parse("h[t] = x for t in 1..3\n").statements[0].clauses  # type: ignore[union-attr]
    assert (clause.low.value, clause.high.value) == (1, 3)


def test_expectation_is_only_e_with_brackets() -> None:
    assert isinstance(parse_expression("E[x]"), tree.Expectation)
    assert isinstance(parse_expression("E(x)"), tree.Call)
    assert isinstance(parse_expression("F[x]"), tree.Index)
    assert isinstance(parse_expression("e"), tree.Name)


@pytest.mark.parametrize("word", [*SOFT, "lambda", "class", "if", "sum", "E", "N", "real"])
def test_words_that_are_also_names(word: str) -> None:
    (param,) = parse(f"param {word}: positive integer = 2*{word}\n").statements
    assert isinstance(param, tree.Param)
    assert param.targets[0].name.id == word
    assert [domain.id for domain in param.domains] == ["positive", "integer"]
    parse(f'{word} = 3\nlet q = a + {word}\nclaim "c": f({word}, {word}) == 1 for {word} in 1..2\n')


@pytest.mark.parametrize("word", STATEMENTS)
def test_reserved_words(word: str) -> None:
    with pytest.raises(TpError):
        parse(f"{word} = 3\n")
    with pytest.raises(TpError, match=r"reserved-word|misplaced-for"):
        parse(f"a = 2*{word}\n")
    assert parse_expression(f"S.{word}(x)")


def test_attributes_of_attributes() -> None:
    expr = parse_expression("F[k].h[l](x)")
    assert isinstance(expr, tree.Call)
    assert isinstance(expr.function, tree.Index)
    assert isinstance(expr.function.base, tree.Attribute)


def test_statements() -> None:
    file = parse(
        '"""T"""\nwidth n, m = gamma*n\nparam a[l], b[l]: real = 2 for l in 1..3\n'
        "random u, v: (n) ~ N([0, 0], [[1, r], [r, 1]])\nweight c: ()\nfn phi\nfn psi(z, y) = z*y\n"
        "assume dot(x[t], x[t]) == 1 for t in 1..T\nlet C[l](s, t) = s*t where s = 1\n"
        "train F = f with sgd(lr = 1), loss = mse, steps = 2\n"
    )
    width, param, random, weight, phi, psi, assume, let, train = file.statements
    assert file.title is not None
    assert file.title.text == "T"
    assert isinstance(width, tree.Size)
    assert [name.id for name, _ in width.items] == ["n", "m"]
    assert isinstance(param, tree.Param)
    assert len(param.targets) == 2
    assert isinstance(random, tree.Random)
    assert not random.trained
    assert random.law is not None
    assert isinstance(random.law.mean, tree.ListLiteral)
    assert isinstance(weight, tree.Random)
    assert weight.trained
    assert weight.law is None
    assert weight.shape.items == ()
    assert isinstance(phi, tree.Fn)
    assert phi.parameters == ()
    assert isinstance(psi, tree.Fn)
    assert len(psi.parameters) == 2
    assert isinstance(assume, tree.Assume)
    assert len(assume.clauses) == 1
    assert isinstance(let, tree.Let)
    assert isinstance(let.where[0], tree.Binding)
    assert len(let.parameters) == 2
    assert isinstance(train, tree.Train)
    assert [name for name, _ in train.options] == ["loss", "steps"]


def test_where_and_for_in_any_order() -> None:
    texts = (
        'claim "c": a == p where p = 1, p < q for l in 1..2\n',
        'claim "c": a == p for l in 1..2 where p = 1, p < q\n',
        'claim "c":\n    a == p\n    for l in 1..2\n    where p = 1\n    where p < q\n',
    )
    first, *others = map(parse, texts)
    assert all(first == other for other in others)


def test_line_ends_and_byte_order_mark() -> None:
    plain = parse("width n\ndef f(x):\n    return x\n")
    assert parse("\ufeffwidth n\r\ndef f(x):\r\n\treturn x") == plain
    assert parse("width n\rdef f(x):\r  return x\r\r") == plain
    assert parse("width n\ndef f(x): return x\n") == plain


def test_comments_are_kept_with_their_places() -> None:
    file = parse('# one\nwidth n  # two\nclaim "# no": f(x,  # three\n  y) == 1\n')
    assert [(c.text, c.alone, c.span.line) for c in file.comments] == [
        ("# one", True, 1),
        ("# two", False, 2),
        ("# three", False, 3),
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_spans_hold_their_parts(path: Path) -> None:
    def inside(inner: Span, outer: Span) -> bool:
        return (outer.line, outer.column) <= (inner.line, inner.column) and (
            inner.end_line,
            inner.end_column,
        ) <= (outer.end_line, outer.end_column)

    pending: list[tree.Node] = list(read(path).statements)
    while pending:
        node = pending.pop()
        for part in children(node):
            assert inside(part.span, node.span), (node, part)
            pending.append(part)


def test_equality_ignores_places() -> None:
    name = parse_expression("x")
    assert name == replace(name, span=Span(7, 7, 7, 8))
    assert fold("σ") == fold("sigma")


def test_tokens_agree_with_the_grammar() -> None:
    import re

    grammar = (Path(__file__).parents[2] / "grammar" / "tp.lark").read_text(encoding="utf-8")
    terminals = {text: name for name, text in re.findall(r'^([A-Z]+): "(.+)"$', grammar, re.MULTILINE)}
    words = {word: word.upper() for word in (*STATEMENTS, *SOFT)}
    assert terminals == {**SIGNS, **words}
