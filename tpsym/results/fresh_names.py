"""Names that questions about a law bring along: ``G``, ``z`` in ``law.equation(G, z)``, ``t`` in ``law.density(t)``."""

from __future__ import annotations

from typing import Any

from sympy import Symbol

from tpsym.errors import TpError
from tpsym.program.evaluate import evaluate
from tpsym.program.names import nodes
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Scalar, Theory, Value
from tpsym.results.reasons import NoLimit
from tpsym.results.spectra import FREE
from tpsym.syntax import tree


def with_fresh_names(context: Context, node: Any, scope: Scope) -> Scope:
    """A scope in which arguments of attributes of a spectrum that are declared nowhere stand for real numbers."""
    fresh: dict[str, Value] = {}
    for call in nodes(node):
        if not isinstance(call, tree.Call) or not isinstance(call.function, tree.Attribute):
            continue
        names = [a.id for a in call.args if isinstance(a, tree.Name) and scope.find(a.id) is None]
        if names and call.function.name in FREE and _is_spectrum(context, call.function.base, scope):
            fresh |= {name: Scalar(Symbol(name, real=True)) for name in names}
    return scope.child(**fresh) if fresh else scope


def _is_spectrum(context: Context, node: tree.Expr, scope: Scope) -> bool:
    try:
        value = evaluate(context, node, scope)
    except (TpError, NoLimit):
        return False
    return isinstance(value, Theory) and value.kind == "spectrum"


__all__ = ["with_fresh_names"]
