"""Why a token cannot stand where it does, in words of the language rather than of the grammar."""

from __future__ import annotations

from collections.abc import Callable

from tpsym.errors import Diagnostic
from tpsym.syntax import expression_mistakes as expression
from tpsym.syntax import statement_mistakes as statement
from tpsym.syntax.place import Place, expectation, shown
from tpsym.syntax.tokens import Token

Rule = Callable[[Place], Diagnostic | None]

IN_EXPRESSIONS: tuple[Rule, ...] = (
    statement.reserved,
    expression.range_,
    expression.equals_in_relation,
    expression.stray_text,
    expression.operand,
    expression.juxtaposed,
    expression.misplaced_tail,
)

IN_FILES: tuple[Rule, ...] = (
    statement.reserved,
    statement.keyword_alone,
    statement.claim,
    statement.definition,
    statement.domain,
    statement.compare_in_assignment,
    statement.unknown_statement,
    statement.foreign_block,
    statement.missing_shape,
    expression.range_,
    expression.equals_in_relation,
    statement.missing_colon,
    *IN_EXPRESSIONS[3:],
    statement.bare,
)
"""Explanations, the most specific first."""


def explain(tokens: list[Token], accepted: frozenset[str], rules: tuple[Rule, ...] = IN_FILES) -> Diagnostic:
    """Why the last token cannot follow the others, where only ``accepted`` terminals can.

    The first explanation that fits, or else what was found and what was expected.
    """
    place = Place(tokens, len(tokens) - 1, accepted)
    for rule in rules:
        if found := rule(place):
            return found
    return place.says("unexpected", f"{shown(place.token)} cannot stand here", expected=expectation(accepted))
