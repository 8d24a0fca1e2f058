"""Mistakes inside expressions and ranges; each function explains one kind, or returns ``None``."""

from __future__ import annotations

from tpsym.errors import Diagnostic
from tpsym.syntax.place import Place, shown
from tpsym.syntax.tokens import CLOSING, OPERATORS, STATEMENTS


def range_(place: Place) -> Diagnostic | None:
    kinds = [token.kind for token in place.line]
    if place.token.kind == ".." and "RANGE" not in place.accepted:
        return place.says(
            "misplaced-range",
            "a range can only follow for ... in",
            fix="write sum(x[k] for k in 1..3), or a list",
        )
    if "IN" in place.accepted and "for" in kinds and place.before and place.before.kind == "NAME":
        return place.says(
            "missing-in",
            "an index is followed by in and its range",
            expected="for l in 2..L",
            fix="write in" if place.token.kind in ("=", ":") else None,
        )
    if "RANGE" not in place.accepted or "for" not in kinds:
        return None
    start = len(kinds) - kinds[::-1].index("in")
    first = place.line[start] if start < len(place.line) else place.token
    if first.text == "range":
        return place.says(
            "python-range",
            "ranges are written with two dots",
            at=first,
            expected="for l in 2..L",
            fix="both ends are included: range(a, b) is a..b-1",
        )
    return place.says(
        "missing-range", "an index runs over a range", expected="two ends with two dots: for l in 2..L"
    )


def equals_in_relation(place: Place) -> Diagnostic | None:
    if place.token.kind != "=" or (place.before and place.before.kind in OPERATORS):
        return None
    if place.statement == "claim":
        return place.says(
            "assignment-in-claim", "a claim compares its two sides with ==, not =", fix="write =="
        )
    repeated = any(token.kind == "=" for token in place.line)
    if repeated and place.head == "NAME" and not place.brackets:
        return place.says(
            "second-equals",
            "this statement has an = already",
            fix="write == to compare; assign names one statement each",
        )
    if place.head in ("assume", "derive", "return") or place.brackets or "ASSIGN" not in place.accepted:
        return place.says(
            "assignment-in-expression", "= cannot stand inside an expression", fix="write == to compare"
        )
    return None


def stray_text(place: Place) -> Diagnostic | None:
    if place.token.kind == "STRING" and "NUMBER" in place.accepted:
        return place.says("misplaced-text", "a text can only be a title or the label of a claim")
    return None


def operand(place: Place) -> Diagnostic | None:
    token, before = place.token, place.before
    ends = (
        token.kind in ("NEWLINE", ",", ":", "=", "for", "where", "..", *CLOSING.values())
        or token.kind in OPERATORS
    )
    if before is None and token.kind in OPERATORS:
        return place.says(
            "leading-operator",
            f"a line cannot begin with {token.text}",
            fix="to continue the line above, put the whole expression in parentheses",
        )
    if not ends or before is None or "NUMBER" not in place.accepted:
        return None
    if before.kind in OPERATORS:
        fix = None
        if token.kind == "NEWLINE":
            fix = "to go on in the next line, put the whole expression in parentheses"
        elif before.kind == "*" and token.kind == "*":
            fix = "write a power as ^ or **, without a space"
        elif token.kind in ("=", ">", "<"):
            fix = "write == <= >= != <=> without spaces"
        return place.says(
            "missing-operand",
            f"nothing stands after {before.text}",
            at=before,
            expected="an expression",
            fix=fix,
        )
    if before.kind in (",", "(", "[", "{", "=", "where"):
        found = "the line ends" if token.kind == "NEWLINE" else f"{token.text} follows"
        return place.says(
            "missing-operand", f"{found} where an expression should be", expected="an expression"
        )
    return None


def juxtaposed(place: Place) -> Diagnostic | None:
    before, token = place.before, place.token
    if before is None or "STAR" not in place.accepted or not before.ends_operand:
        return None
    if token.kind == "STRING":
        return place.says("misplaced-text", "a text can only be a title or the label of a claim")
    if not token.starts_operand:
        return None
    fix: str | None = None
    if token.text in ("if", "else"):
        fix = "write a choice as if(condition, a, b)"
    elif before.text == "lambda":
        fix = "define a function with fn, def or let"
    elif place.in_clause:
        fix = None
    elif before.kind in ("NAME", "NUMBER") and token.kind in ("NAME", "NUMBER"):
        fix = f"write {before.text}*{token.text}"
    else:
        fix = "write * between them"
    return place.says(
        "missing-operator", f"{shown(token)} follows {shown(before)} without an operator", fix=fix
    )


def misplaced_tail(place: Place) -> Diagnostic | None:
    kind = place.token.kind
    if kind == "where" and place.line:
        return place.says(
            "misplaced-where",
            "only claim and let have a where",
            fix="assign the names in statements of their own, before this one",
        )
    if kind == "for" and place.line:
        fix = "families are made by assignments, declarations, claims and let"
        if place.brackets:
            fix = "an index runs inside sum(... for k in 1..K) or mean(... for k in 1..K)"
        return place.says("misplaced-for", "a for cannot follow here", fix=fix)
    if kind in STATEMENTS and place.line and "NEWLINE" in place.accepted:
        return place.says(
            "two-statements",
            f"{place.token.text} begins a new statement on the same line",
            fix="put each statement on its own line",
        )
    return None
