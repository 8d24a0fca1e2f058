"""``expect``: from an integrand and a covariance to a closed form or a canonical unevaluated mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from tpsym.gauss.atoms import Raw, raw
from tpsym.gauss.canonical import canonical
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
    body = Rewriter(names)(body)
    symbols = Parameters()
    used = [i for i, v in enumerate(names) if body.has(v)]
    matrix = symbols.covariance([[rows[i][j] for j in used] for i in used])
    shape = Shape(
        symbols.abstract(body, names), tuple(names[i] for i in used), matrix
    )
    outcome = reduce_shape(shape)
    values = {s: v for v, s in symbols.names.items()}
    atoms = {a: canonical(a, values) for a in outcome.value.atoms(Raw)}
    return Reduction(outcome.value.xreplace({**values, **atoms}), outcome.rules)
