"""Loops over a symbolic number of layers: one round elaborated at a symbolic layer.

A round at layer l starts from states, vectors known through their first two moments only, that stand for
what the round before left. Every layer asked about is a round of its own over the same instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import fail
from tpsym.program.evaluate import evaluate, index_key
from tpsym.program.graph import layer_text
from tpsym.program.instructions import State
from tpsym.program.layer_facts import Heading, blank, described
from tpsym.program.messages import not_available
from tpsym.program.names import mentioned
from tpsym.program.scope import Context, Key, Scope, inside, layer_symbol
from tpsym.program.values import Family, Scalar, Unavailable, Value, VectorValue, describe
from tpsym.syntax import tree

if TYPE_CHECKING:
    Execute = Callable[[Context, tuple[tree.Statement, ...], Scope, str], Value | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the layer stands in the indices of a family, and how far its index is from the layer."""

    position: int
    offset: Expr

    def layer(self, keys: tuple[Key, ...]) -> Expr:
        """The layer that a member belongs to."""
        found: Expr = sp.expand(keys[self.position] - self.offset)
        return found

    def keys(self, others: tuple[Key, ...], layer: Expr) -> tuple[Key, ...]:
        """The indices of a member at a layer; ``others`` has anything where the layer stands."""
        own = sp.expand(layer + self.offset)
        key: Key = int(own) if own.is_Integer else own
        return (*others[: self.position], key, *others[self.position + 1 :])


@dataclass(frozen=True, slots=True)
class Component:
    """One carried vector: a name, or a member of a family with the indices it has at its first layer."""

    name: tree.Name
    keys: tuple[Key, ...]
    place: Place | None
    initial: VectorValue

    @property
    def offset(self) -> Expr:
        """How far the index is from the layer."""
        return S.Zero if self.place is None else self.place.offset

    def label(self, suffix: str) -> str:
        """What it is called, with the layer left open as ``{}``."""
        if self.place is None:
            return f"{self.name.text}[{{}}]{suffix}"
        # braces survive until the layer is known
        parts = ["{}" if i == self.place.position else str(k) for i, k in enumerate(self.keys)]
        return f"{self.name.text}[{', '.join(parts)}]{suffix}"


@dataclass(eq=False, slots=True)
class Rounds:
    """The rounds of one loop at one input of the network, elaborated when they are asked for."""

    context: Context
    execute: Execute
    statement: tree.Loop
    scope: Scope
    suffix: str
    index: Symbol
    low: Expr
    high: Expr
    number: int
    components: tuple[Component, ...]
    places: Mapping[str, Place]
    done: dict[Expr, Scope] = field(default_factory=dict)

    def heading(self) -> Heading:
        """The loop by its place, its range and the names of what it carries."""
        labels = tuple(c.label(self.suffix) for c in self.components)
        offsets = tuple(c.offset for c in self.components)
        return Heading(self.statement.span.line, self.index, self.low, self.high, labels, offsets)

    def state(self, component: int, layer: Expr) -> VectorValue:
        """The carried vector after the round ``layer``."""
        found = self.components[component]
        if layer == self.low - 1:
            return found.initial
        return self.carried(component, layer)

    def carried(self, component: int, layer: Expr) -> VectorValue:
        """The state after the round ``layer``, or before the first one."""
        found = self.components[component]
        dimension = found.initial.dimension
        label = found.label(self.suffix).format(layer_text(layer + found.offset))
        node = self.context.builder.add(State(self.number, component, sp.expand(layer), dimension), label=label)
        return self.context.vector(node, dimension)

    def round(self, layer: Expr) -> Scope:
        """What is bound inside the loop after its round ``layer``."""
        known = self.done.get(layer)
        if known is not None:
            return known
        scope = Scope(self.scope, {self.statement.clause.index.id: Scalar(layer)})
        for i, component in enumerate(self.components):
            name, value = component.name.id, self.carried(i, layer - 1)
            if component.place is None:
                scope.names[name] = value
                continue
            family = scope.names.get(name) or self.scope.names[name]
            assert isinstance(family, Family)
            members = {**family.members, component.place.keys(component.keys, layer - 1): value}
            scope.names[name] = Family(family.name, members, beyond=partial(self.further, name, layer))
        context = self.context
        limit, context.limit = context.limit, None
        ranges = context.ranges
        context.ranges = {**ranges, self.index: (self.low, self.high)} if layer == self.index else {}
        context.rounds += 1
        try:
            self.execute(context, self.statement.body, scope, self.suffix)
        finally:
            context.limit, context.ranges = limit, ranges
            context.rounds -= 1
        self.done[layer] = scope
        return scope

    def further(self, name: str, layer: Expr, keys: tuple[Key, ...]) -> Value | None:
        """What a round says to a read of a layer that is not the one before."""
        place = self.places[name]
        at = place.layer(keys) if len(keys) > place.position else layer
        if (at - layer).is_Integer and at != layer:
            return Unavailable(f"{name}[{', '.join(map(str, keys))}] in a loop over a symbolic depth, where a round "
                               f"at {layer} can read the layer {layer - 1} only,")
        return None

    def result(self, component: int, layer: Expr) -> VectorValue:
        """What the round ``layer`` makes of a carried vector."""
        found = self.components[component]
        value: Any = self.round(layer).names[found.name.id]
        if found.place is not None:
            value = value.members.get(found.place.keys(found.keys, layer))
        if not isinstance(value, VectorValue) or value.dimension != found.initial.dimension:
            what = f"{found.name.text} is not set to a vector of the same size in every round of this loop"
            raise fail("bad-carry", what, self.statement.clause.span)
        return value

    def read(self, name: str, keys: tuple[Key, ...]) -> Value | None:
        """A member of a family that the loop assigns, at any of its layers; ``None`` outside of them."""
        place = self.places[name]
        if len(keys) <= place.position:
            return None
        layer = place.layer(keys)
        for i, component in enumerate(self.components):
            if component.name.id == name and component.place is not None:
                others = component.place.keys(component.keys, layer)
                if others == keys and inside(self.context, layer, self.low - 1, self.high):
                    return self.state(i, layer)
        if inside(self.context, layer, self.low, self.high):
            family = self.round(layer).names.get(name)
            found: Value | None = family.members.get(keys) if isinstance(family, Family) else None
            return found
        return None


def symbolic_loop(
    context: Context, statement: tree.Loop, scope: Scope, suffix: str, ends: tuple[Expr, Expr], execute: Execute
) -> None:
    """A loop over a symbolic range: its round is elaborated once, what it assigns can be read at every layer."""
    low, high = ends
    if context.rounds:
        raise not_available("a loop over a symbolic depth inside another", statement.clause.span,
                            fix="give the depth of the inner loop a value")
    index = layer_symbol(context, statement.clause.index.id, low)
    context.indices.add(index)
    components, places = carried(context, statement, scope, index, low)
    rounds = Rounds(
        context, execute, statement, scope, suffix, index, low, high, len(context.builder.loops), components, places
    )
    # the number is taken before the round is elaborated, which may hold loops of its own
    context.builder.loops.append(blank(rounds.heading()))
    rounds.round(index)
    numbers = range(len(components))
    nodes = [[context.materialize(v) for v in found] for found in (
        (rounds.carried(i, index - 1) for i in numbers), (rounds.result(i, index) for i in numbers),
        (c.initial for c in components),
    )]
    context.builder.loops[rounds.number] = described(context, rounds.number, rounds.heading(), *nodes)
    for name, place in places.items():
        family = scope.names.get(name)
        members = family.members if isinstance(family, Family) else {}
        text = family.name if isinstance(family, Family) else name
        start = low - 1 if any(c.name.id == name for c in components) else low
        reach = f"{layer_text(start + place.offset)}..{layer_text(high + place.offset)}"
        scope.names[name] = Family(text, members, partial(rounds.read, name), reach)
    for i, component in enumerate(components):
        if component.place is None:
            scope.names[component.name.id] = rounds.state(i, high)
    left = [t.name.id for t in targets(statement.body) if not t.indices and t.name.id not in scope.names]
    for name in left:
        scope.names[name] = rounds.round(high).names[name]


def targets(body: tuple[tree.Statement, ...]) -> list[tree.Target]:
    """What a block assigns."""
    found: list[tree.Target] = []
    for statement in body:
        if isinstance(statement, tree.Assign):
            found.append(statement.target)
        elif isinstance(statement, tree.Loop):
            found += targets(statement.body)
    return found


def carried(
    context: Context, statement: tree.Loop, scope: Scope, index: Symbol, low: Expr
) -> tuple[tuple[Component, ...], dict[str, Place]]:
    """The vectors a loop starts from, and where the layer stands in the families it assigns."""
    found: dict[tuple[str, tuple[Key, ...]], Component] = {}
    places: dict[str, Place] = {}
    inner = scope.child(**{statement.clause.index.id: Scalar(index)})
    for target in targets(statement.body):
        name = target.name.id
        before = scope.names.get(name)
        if not target.indices:
            if before is not None:
                found[name, ()] = Component(target.name, (), None, vector_before(target, before))
            continue
        place = layer_place(context, target, inner, statement.clause.index.id, index)
        if places.setdefault(name, place) != place:
            raise not_available(f"{target.name.text} assigned at two layers of one round", target.span)
        for keys, value in before.members.items() if isinstance(before, Family) else ():
            if place.layer(keys) == low - 1:
                found[name, keys] = Component(target.name, keys, place, vector_before(target, value))
    return tuple(found.values()), places


def vector_before(target: tree.Target, value: Value) -> VectorValue:
    if isinstance(value, VectorValue):
        return value
    raise not_available(
        f"a loop of symbolic length that carries {describe(value)} ({target.name.text}) from layer to layer",
        target.span, fix="give the depth a value",
    )


def layer_place(context: Context, target: tree.Target, scope: Scope, name: str, index: Symbol) -> Place:
    """Which index of a target is the layer."""
    for position, pattern in enumerate(target.indices):
        if any(n.id == name for n in mentioned(pattern)):
            key = index_key(context, evaluate(context, pattern, scope), pattern.span)
            offset = sp.expand(key - index)
            if not offset.is_Integer:
                raise not_available(f"the index {key} in a loop over {name}", pattern.span)
            return Place(position, offset)
    what = f"{target.name.text} has no index {name}, so every round of this loop sets it anew"
    raise fail("unused-index", what, target.span, fix=f"name the members: {target.name.text}[{name}]")
