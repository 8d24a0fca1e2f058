"""Families over a symbolic range: members are made when a layer is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy as sp
from sympy import Expr, Symbol

from tpsym.program.graph import layer_text
from tpsym.program.scope import Context, Key, Scope, inside
from tpsym.program.values import Family, Scalar, Value
from tpsym.syntax import tree

Make = Callable[[str, Scope], Value]
"""A member from its name and the scope in which its indices have their values."""


def symbolic(keys: tuple[Key, ...]) -> bool:
    """Whether one of the indices is a layer."""
    return any(not isinstance(k, int) for k in keys)


def add_layers(context: Context, target: tree.Target, keys: tuple[Key, ...], scope: Scope, make: Make) -> None:
    """Let a family have members at every layer of a symbolic range, made by ``make`` on demand."""
    (symbol,) = {s for k in keys if not isinstance(k, int) for s in k.free_symbols}
    ends = context.ranges[symbol]
    name = next(n for n in scope.known() if scope.find(n) == Scalar(symbol))
    known = context.scope.names.get(target.name.id)
    family = known if isinstance(known, Family) else Family(target.name.text, {})
    group = f"{target.name.id}[{', '.join(str(k) if isinstance(k, int) else '·' for k in keys)}]"
    made: dict[Expr, Value] = {}

    def beyond(wanted: tuple[Key, ...]) -> Value | None:
        layer = layer_of(keys, wanted, symbol)
        if layer is None or not inside(context, layer, *ends):
            return None if family.beyond is None else family.beyond(wanted)
        if layer not in made:
            # the text of a member's own indices, such as W[l-1]
            text = f"{target.name.id}[{', '.join(str(k).replace(' ', '') for k in wanted)}]"
            first = len(context.builder.graph)
            value = made[layer] = make(text, scope.child(**{name: Scalar(layer)}))
            if isinstance(value, Scalar) and isinstance(value.expr, Symbol) and layer.free_symbols:
                context.layer_symbols[value.expr] = partial(moved, beyond, wanted)
            context.input_layers[text] = (group, layer)
            for node in range(first, len(context.builder.graph)):
                context.builder.layered[node] = (group, layer)
        return made[layer]

    reach = f"{layer_text(ends[0])}..{layer_text(ends[1])}"
    context.scope.names[target.name.id] = Family(family.name, family.members, beyond, reach)


def moved(
    beyond: Callable[[tuple[Key, ...]], Value | None], keys: tuple[Key, ...], index: Symbol, layer: Expr
) -> Expr:
    """A parameter of a layer at another one."""
    wanted = [k if isinstance(k, int) else sp.expand(k.xreplace({index: layer})) for k in keys]
    found = beyond(tuple(int(k) if not isinstance(k, int) and k.is_Integer else k for k in wanted))
    assert isinstance(found, Scalar)
    return found.expr


def layer_of(keys: tuple[Key, ...], wanted: tuple[Key, ...], symbol: Symbol) -> Expr | None:
    """The value of the symbol at which the indices are the wanted ones; ``None`` if there is none."""
    if len(keys) != len(wanted):
        return None
    found: set[Expr] = set()
    for pattern, key in zip(keys, wanted, strict=True):
        if isinstance(pattern, int):
            if pattern != key:
                return None
        else:
            found.add(sp.expand(key - (pattern - symbol)))
    return found.pop() if len(found) == 1 else None
