"""``expect``: from an integrand and a covariance to a closed form or a canonical unevaluated mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.canonical import canonical
from tpsym.gauss.degenerate import dependencies
from tpsym.gauss.existence import existing
from tpsym.gauss.generators import tidied_root
from tpsym.gauss.parameters import Parameters
from tpsym.gauss.rewrite import Rewriter
from tpsym.gauss.shape import Shape, reduce_shape


@dataclass(frozen=True)
class Reduction:
    """The mean, and the names of the rules that gave it in order of first use."""

    value: Expr
    rules: tuple[str, ...]


def expect(integrand: Expr, variables: Sequence[Symbol], covariance: Sequence[Sequence[Expr]]) -> Reduction:
    """E[integrand] over the variables, centred and jointly Gaussian with this covariance.

    The value is a closed form where one is derived; what has none is left as canonical ``E`` atoms.
    """
    names = tuple(raw(i) for i in range(len(variables)))
    body = sp.sympify(integrand).xreplace(dict(zip(variables, names, strict=True)))
    rows = [[sp.sympify(c) for c in row] for row in covariance]
    used = [i for i, v in enumerate(names) if v in body.free_symbols]
    body = body.xreplace(dependencies([names[i] for i in used], [[rows[i][j] for j in used] for i in used]))
    body = Rewriter(names)(body)
    symbols = Parameters()
    used = [i for i in used if names[i] in body.free_symbols]
    body = existing(body, [names[i] for i in used], [[rows[i][j] for j in used] for i in used])
    matrix = symbols.covariance([[rows[i][j] for j in used] for i in used])
    shape = Shape(symbols.abstract(body, names), tuple(names[i] for i in used), matrix)
    outcome = reduce_shape(shape)
    return Reduction(substituted(outcome.value, {s: v for v, s in symbols.names.items()}), outcome.rules)


def substituted(value: Expr, values: dict[Symbol, Expr]) -> Expr:
    """The shape's mean at the actual covariances: roots tidied, what is unevaluated made canonical."""
    special: dict[Expr, Expr] = {a: canonical(a, values) for a in value.atoms(Raw)}
    for root in value.atoms(sp.Pow):
        if root.exp.is_Rational and root.exp.q == 2 and root.base.is_Add:
            special[root] = tidied_root(root.xreplace(values))
    return value.xreplace({**values, **special})
