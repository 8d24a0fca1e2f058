"""Fewer variables: an integrand of a few affine forms in many variables is one of those forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import Unknown
from tpsym.gauss.atoms import raw
from tpsym.gauss.generators import is_small
from tpsym.gauss.rewrite import Affine, Rewriter

Rows = Sequence[Sequence[Expr]]


@dataclass(frozen=True)
class Problem:
    """An integrand, its variables and their covariance."""

    body: Expr
    variables: tuple[Symbol, ...]
    rows: Rows

    def restricted(self) -> Problem:
        """Only the variables that occur."""
        used = [i for i, v in enumerate(self.variables) if v in self.body.free_symbols]
        rows = [[self.rows[i][j] for j in used] for i in used]
        return Problem(self.body, tuple(self.variables[i] for i in used), rows)


def rebased(problem: Problem) -> Problem | None:
    """The problem in the directions of its affine forms, if these are fewer than its variables."""
    if len(problem.variables) < 2:
        return None
    directions = Directions(Rewriter(problem.variables), len(problem.variables))
    body = directions.replaced(problem.body)
    found = list(directions.names)
    if len(found) >= len(problem.variables):
        return None
    index = {v: i for i, v in enumerate(problem.variables)}
    rows = [[covariance(a, b, index, problem.rows) for b in found] for a in found]
    return Problem(body, tuple(directions.names.values()), rows)


Direction = tuple[tuple[Symbol, Expr], ...]


@dataclass
class Directions:
    """The directions met, each with leading coefficient 1, and the variables that stand for them."""

    rewriter: Rewriter
    start: int
    names: dict[Direction, Symbol] = field(default_factory=dict)

    def replaced(self, expr: Expr) -> Expr:
        """The expression with every affine argument of a function as a multiple of one new variable."""
        if not self.rewriter.depends(expr):
            return expr
        if expr in self.rewriter.variables:
            return self.form(Affine({expr: sp.S.One}, sp.S.Zero))
        if isinstance(expr, sp.Function):
            head = expr.args[:2] if isinstance(expr, Unknown) else ()
            forms = [self.rewriter.affine(a) for a in expr.args[len(head) :]]
            if all(f is not None for f in forms):
                return expr.func(*head, *(self.form(f) for f in forms if f is not None))
        return expr.func(*(self.replaced(a) if isinstance(a, Expr) else a for a in expr.args))

    def form(self, form: Affine) -> Expr:
        if not form.coefficients:
            return form.offset
        lead = next(iter(form.coefficients.values()))
        direction = tuple((v, ratio(c, lead)) for v, c in form.coefficients.items())
        name = self.names.setdefault(direction, raw(self.start + len(self.names)))
        return lead * name + form.offset


def ratio(a: Expr, b: Expr) -> Expr:
    return sp.cancel(a / b) if is_small(a, limit=20) and is_small(b, limit=20) else a / b


def covariance(a: Direction, b: Direction, index: dict[Symbol, int], rows: Rows) -> Expr:
    """a'C b, multiplied out if that stays small."""
    total = sp.Add(*(x * y * rows[index[v]][index[w]] for v, x in a for w, y in b))
    return sp.expand(total) if is_small(total) else total
