"""Mistakes in how a statement is written; each function explains one kind, or returns ``None``."""

from __future__ import annotations

from tpsym.errors import Diagnostic, nearest
from tpsym.syntax.place import Place, shown
from tpsym.syntax.tokens import OPERATORS, STATEMENTS

FOREIGN = {
    "if": "write a choice as an expression: if(condition, a, b)",
    "elif": "write a choice as an expression: if(condition, a, b)",
    "else": "write a choice as an expression: if(condition, a, b)",
    "while": "write a loop with known ends: for l in 1..L:",
    "import": "everything is known already; declare a nonlinearity with fn",
    "from": "everything is known already; declare a nonlinearity with fn",
    "class": "define a network with def f(x):",
    "print": "ask with derive",
    "lambda": "define a function with fn, def or let",
    "assert": "state facts with assume, and claims with claim",
    "prove": 'write claim "label": lhs == rhs',
    "theorem": 'write claim "label": lhs == rhs',
    "matrix": "declare a matrix with weight or random",
    "vector": "declare a vector with random u: (n) ~ N(0, 1)",
    "scalar": "declare a scalar with param",
    "const": "declare a scalar with param",
    "var": "declare a scalar with param",
    "function": "define a function with fn, def or let",
    "parameterization": "write parametrization",
    "parametrisation": "write parametrization",
    "parameterisation": "write parametrization",
}
"""First words of lines that people bring from elsewhere."""


def reserved(place: Place) -> Diagnostic | None:
    token = place.token
    if token.kind in STATEMENTS and "NAME" in place.accepted and place.line:
        return place.says(
            "reserved-word",
            f"{token.text} begins a statement and cannot be a name",
            fix=f"choose another name, such as {token.text}_0",
        )
    if len(place.line) == 1 and token.kind in ("=", "[") and place.head in STATEMENTS:
        word = place.line[0]
        return place.says(
            "reserved-word",
            f"{word.text} begins a statement and cannot be a name",
            fix=f"choose another name, such as {word.text}_0",
            at=word,
        )
    return None


def keyword_alone(place: Place) -> Diagnostic | None:
    if place.token.kind != "NEWLINE" or place.before is None or place.before.kind not in STATEMENTS:
        return None
    word = place.before.text
    examples = {
        "width": "width n",
        "dim": "dim d",
        "depth": "depth L",
        "param": "param s: positive",
        "input": "input x: (d)",
        "assume": "assume dot(x, x) == 1",
        "weight": "weight W: (n, n) ~ N(0, 1/n)",
        "random": "random u: (n) ~ N(0, 1)",
        "fn": "fn phi(z) = z*Phi(z)",
        "parametrization": "parametrization ntk",
        "def": "def f(x):",
        "for": "for l in 2..L:",
        "return": "return v @ h",
        "train": "train F = f with sgd(lr = eta), loss = mse, data = [(x, t)], steps = 1",
        "derive": "derive nngp(f)",
        "claim": 'claim "label": lhs == rhs',
        "let": "let q = E[u^2]",
    }
    return place.says(
        "incomplete-statement", f"nothing follows {word}", at=place.before, expected=examples[word]
    )


def claim(place: Place) -> Diagnostic | None:
    if place.head != "claim":
        return None
    if len(place.line) == 1:
        return place.says(
            "missing-label",
            "this claim has no label",
            expected='a text in double quotes, then a colon: claim "variance": lhs == rhs',
        )
    if len(place.line) == 2 and place.accepted == {"COLON"}:
        return place.says(
            "missing-colon",
            "the label of a claim is followed by a colon",
            expected=":",
            fix=f"write claim {place.line[1].text}:",
            at=place.token,
        )
    return None


def definition(place: Place) -> Diagnostic | None:
    if place.head not in ("def", "fn") or place.token.kind not in ("=", ":"):
        return None
    if place.brackets:
        return place.says(
            "parameter-default", "parameters have no default and no type", fix="give names only"
        )
    if place.head == "fn" and place.token.kind == ":":
        return place.says("missing-equals", "a nonlinearity is given by =", expected="fn phi(z) = z*Phi(z)")
    if place.head == "def":
        return place.says(
            "bad-definition",
            "a definition is a name, its parameters and a block",
            expected="def f(x): and indented lines, the last with return",
            fix="define a function by a formula with fn or let" if place.token.kind == "=" else None,
        )
    return None


def domain(place: Place) -> Diagnostic | None:
    if place.head != "param" or place.before is None or place.before.kind != ":":
        return None
    return place.says(
        "missing-domain",
        f"{shown(place.token)} is no kind of parameter",
        expected="real, positive, nonnegative or integer",
    )


def compare_in_assignment(place: Place) -> Diagnostic | None:
    if place.head not in ("NAME", "let", "width", "dim", "depth", "param", "input", "fn", "train"):
        return None
    if place.token.kind == "==":
        return place.says("comparison-for-assignment", "a value is given with =, not ==", fix="write =")
    if "ASSIGN" not in place.accepted or place.token.kind not in ("NEWLINE", "for", "where"):
        return None
    equal = next((token for token in place.line if token.kind == "=="), None)
    if equal is None:
        return None
    return place.says(
        "comparison-for-assignment",
        "a value is given with =, not ==",
        fix='write =, or make it a claim: claim "label": ... == ...',
        at=equal,
    )


def unknown_statement(place: Place) -> Diagnostic | None:
    token = place.token
    if (
        len(place.line) != 1
        or place.head != "NAME"
        or token.kind not in ("NAME", "NUMBER", "STRING", ":", "NEWLINE")
    ):
        return None
    word = place.line[0]
    if word.text in FOREIGN:
        return place.says(
            "unknown-statement", f"there is no statement {word.text}", fix=FOREIGN[word.text], at=word
        )
    guess = nearest(word.text, STATEMENTS)
    if token.kind == "NEWLINE" or (token.kind == ":" and guess is None):
        return None
    return place.says(
        "unknown-statement",
        f"there is no statement {word.text}",
        at=word,
        expected=None if guess else "a statement such as width, param, weight, def, derive or claim",
        fix=f"write {guess}" if guess else None,
    )


def foreign_block(place: Place) -> Diagnostic | None:
    if (
        place.head == "NAME"
        and place.token.kind == ":"
        and not place.brackets
        and place.line[0].text in FOREIGN
    ):
        word = place.line[0]
        return place.says(
            "unknown-statement", f"there is no statement {word.text}", fix=FOREIGN[word.text], at=word
        )
    if place.head == "NAME" and place.token.kind == ":" and not place.brackets:
        return place.says(
            "missing-keyword",
            "a shape can only follow a declaration",
            fix="begin the line with weight, random or input",
        )
    if place.head == "NAME" and place.token.kind == "~":
        return place.says(
            "missing-keyword",
            "a law can only follow a declaration",
            fix="begin the line with weight or random, and give a shape: random u: (n) ~ N(0, 1)",
        )
    return None


def missing_shape(place: Place) -> Diagnostic | None:
    if place.head not in ("input", "weight", "random") or place.brackets or place.before is None:
        return None
    token, word = place.token, place.head
    example = {"input": "(d)", "weight": "(n, n)", "random": "(n)"}[word]
    if place.before.kind == ":":
        return place.says(
            "missing-shape",
            "a shape is written in parentheses",
            expected="(n) for a vector, (n, d) for a matrix, () for a scalar",
        )
    if "COLON" in place.accepted and token.kind in ("~", "=", "NEWLINE", "for", "("):
        return place.says(
            "missing-shape", f"this {word} has no shape", expected=f"a colon and a shape: {example}"
        )
    return None


def missing_colon(place: Place) -> Diagnostic | None:
    if "COLON" not in place.accepted or place.head not in ("def", "for") or place.brackets:
        return None
    if place.token.kind in OPERATORS:
        return None
    what = "the parameters of a definition are" if place.head == "def" else "the range of a loop is"
    if place.token.kind == "," and place.head == "for":
        return place.says(
            "several-indices",
            "a loop runs over one index",
            expected=":",
            fix="write one loop inside the other",
        )
    if place.token.kind in ("NEWLINE", "NAME", "return"):
        return place.says("missing-colon", f"{what} followed by a colon", expected=":")
    return None


def bare(place: Place) -> Diagnostic | None:
    if place.token.kind != "NEWLINE" or "ASSIGN" not in place.accepted or place.brackets:
        return None
    if place.head == "let":
        return place.says("missing-value", "this let gives no value", expected="= and an expression")
    if place.head in STATEMENTS:
        return None
    first = place.line[0]
    span = first.span.to(place.line[-1].span)
    return Diagnostic(
        "bare-expression",
        "an expression alone asks nothing",
        span,
        None,
        'ask with derive, name it with =, or state a fact with claim "label": ...',
    )
