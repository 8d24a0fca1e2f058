"""What the grammar cannot say: how deep an expression may be, and where a tolerance may stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from tpsym.errors import fail
from tpsym.syntax import tree

MAX_DEPTH = 200
"""Levels of an expression; a flat sum of k terms has k levels. Later walks are recursive and rely on it."""


def check(root: tree.File | tree.Expr) -> None:
    """Walk a tree without recursion.

    Raises:
        TpError: for expressions deeper than :data:`MAX_DEPTH`, and for ``+-`` anywhere but at the
            right of the one ``==`` of a claim.
    """
    pending: list[tuple[tree.Node, int, tree.Node]] = [(root, 0, root)]
    while pending:
        node, depth, whole = pending.pop()
        if depth > MAX_DEPTH:
            raise fail(
                "too-deep",
                f"this expression has more than {MAX_DEPTH} levels of operators",
                whole.span,
                fix="write a long sum as sum(... for k in 1..K), or name its parts with let",
            )
        if isinstance(node, tree.Tolerance):
            raise fail(
                "misplaced-tolerance",
                "a tolerance can only stand at the right end of the == of a claim",
                node.span,
                expected="lhs == 0.3943 +- 1e-4",
                fix="to add a negative number write a + (-b)",
            )
        inside = isinstance(node, tree.Expr)
        pending += [(each, depth + 1, whole) if inside else (each, 0, each) for each in _inner(node)]


def _inner(node: tree.Node) -> Iterator[tree.Node]:
    if isinstance(node, tree.Claim) and (parts := tolerated(node.relation)):
        left, tolerance = parts
        yield from (left, tolerance.value, tolerance.error, *node.where, *node.clauses)
    else:
        yield from children(node)


def tolerated(relation: tree.Expr) -> tuple[tree.Expr, tree.Tolerance] | None:
    """The two sides of ``lhs == value +- error``, if the relation is of this form."""
    if isinstance(relation, tree.Compare) and relation.ops == ("==",):
        left, right = relation.operands
        if isinstance(right, tree.Tolerance):
            return left, right
    return None


def children(node: tree.Node) -> Iterator[tree.Node]:
    """The nodes directly inside a node, in the order of its fields."""
    for each in fields(node):
        yield from _nodes(getattr(node, each.name))


def _nodes(value: object) -> Iterator[tree.Node]:
    if isinstance(value, tree.Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)
