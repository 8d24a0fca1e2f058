"""The parts of a formula that may get a name: which they are, of what kind, how often they are met."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.expectation import E
from tpsym.report.ordering import HALF

_INDEX = re.compile(r"(?<=[\[,])\s*([^\[\],()]+?)\s*(?=[\],])")


def parts_of(expression: Expr) -> Iterator[Expr]:
    """Nameable parts, once per occurrence; the bodies of expectations stay whole."""
    todo = [expression]
    while todo:
        node = todo.pop()
        if isinstance(node, E):
            yield node
            yield from (entry for entry in entries_of(node) if isinstance(entry, sp.Mul))
            todo.extend(entries_of(node))
            continue
        if isinstance(node, sp.Add) or (isinstance(node, sp.Function) and not isinstance(node, sp.exp)):
            yield node
        if isinstance(node, sp.Pow) and node.exp in (HALF, -HALF) and not node.base.is_Add:
            yield sp.sqrt(node.base)
        if isinstance(node, sp.Expr):
            todo.extend(node.args)


def kind_of(part: Expr, expressions: Sequence[Expr]) -> str:
    """The letter for a part of these expressions, by what it is and where it stands."""
    if isinstance(part, E):
        return "m"
    if isinstance(part, sp.Pow):
        return "r"
    if isinstance(part, sp.asin | sp.acos):
        return "theta"
    inverses = [f.args[0] for e in expressions for f in e.atoms(sp.asin, sp.acos)]
    if any(part in sp.Mul.make_args(a) for a in inverses):
        return "c"
    roots = {f for e in expressions for p in e.atoms(sp.Pow) if not p.exp.is_Integer for f in sp.Mul.make_args(p.base)}
    laws = {m for e in expressions for a in e.atoms(E) for m in a.covariance.diagonal()}
    if any(part in a.covariance for e in expressions for a in e.atoms(E)) and part not in roots | laws:
        return "c"
    return "q" if part in roots | laws else "k"


def assumptions_of(part: Expr) -> dict[str, bool]:
    """What a name for the part is known to be."""
    if part.is_positive:
        return {"positive": True}
    if part.is_nonnegative:
        return {"nonnegative": True}
    return {"real": True} if part.is_real else {}


def entries_of(expectation: E) -> list[Expr]:
    """The covariances on and above the diagonal: each is written once in a reader's eye."""
    matrix = expectation.covariance
    return [matrix[i, j] for i in range(matrix.rows) for j in range(i, matrix.rows)]


def count_of(expression: Expr, symbol: Symbol) -> int:
    """How often a symbol is written."""
    if expression == symbol:
        return 1
    if isinstance(expression, E):
        return sum(count_of(a, symbol) for a in (expression.body, *entries_of(expression)))
    return sum(count_of(a, symbol) for a in expression.args)


def indices_of(symbol: Symbol) -> list[str]:
    """The indices in a name, without spaces: ``l-1`` and ``2`` in ``K[h[l-1, 2]](x, y)``."""
    return [index.replace(" ", "") for index in _INDEX.findall(symbol.name)]


def is_bound(part: Expr, bound: set[str]) -> bool:
    """Whether a part depends on the index of a sum."""
    words = {s.name for s in part.free_symbols} | {i for s in part.free_symbols for i in indices_of(s)}
    return not bound.isdisjoint(word for text in words for word in re.findall(r"\w+", text))
