"""What can be said about names before anything is evaluated: found even in blocks that are never called."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

from tpsym.syntax import tree

LATER: Mapping[str, str] = MappingProxyType({
})
"""Names of the language whose meaning is not available yet."""

OPTIMIZERS = ("sgd", "signsgd", "adam", "adamw", "adagrad", "adafactor", "muon", "shampoo")
"""Optimizers; one alone is one with the settings it has by itself."""

LIMIT_NAMES = (
    "Z", "Zhat", "Zdot", "lim", "nngp", "ntk", "meanfield", "scaling", "mup", "kernel_limit", "spectrum",
    "exact", "edgeworth", "E", *OPTIMIZERS,
)

WORD_OPTIONS = ("alignment", "multipliers")
"""Named arguments whose value is a word, not a value with a name."""


PHASES = ("ordered", "chaotic", "critical")
"""Words that ``meanfield(f).phase`` is compared with."""


def unresolved(node: Any, known: frozenset[str]) -> Iterator[tuple[tree.Name, bool]]:
    """The names in a piece of syntax neither known nor bound inside it, in order, and whether they are called."""
    match node:
        case tree.Name():
            if node.id not in known:
                yield node, False
        case tree.Def(parameters=parameters, body=body):
            yield from _block(body, known | {p.id for p in parameters})
        case tree.Let():
            yield from _let(node, known)
        case tree.Comprehension(body=body, clauses=clauses):
            yield from _clauses(clauses, known)
            yield from unresolved(body, known | {c.index.id for c in clauses})
        case tree.Compare(operands=operands):
            words = (o for o in operands if not (isinstance(o, tree.Name) and o.id in PHASES))
            for operand in words:
                yield from unresolved(operand, known)
        case tree.Attribute(base=base):
            yield from unresolved(base, known)
        case tree.Call(function=function, args=args, kwargs=kwargs):
            for name, called in unresolved(function, known):
                yield name, called or name is function
            named = (v for k, v in kwargs if not (k in WORD_OPTIONS and isinstance(v, tree.Name)))
            for argument in (*args, *named):
                yield from unresolved(argument, known)
        case _ if is_dataclass(node):
            for field in fields(node):
                yield from unresolved(getattr(node, field.name), known)
        case tuple():
            for item in node:
                yield from unresolved(item, known)


def _let(node: tree.Let, known: frozenset[str]) -> Iterator[tuple[tree.Name, bool]]:
    inner = known | {p.id for p in node.parameters}
    inner |= {i.id for i in node.target.indices if isinstance(i, tree.Name)}
    inner |= {c.index.id for c in node.clauses}
    for item in node.where:
        if isinstance(item, tree.Binding):
            yield from unresolved(item.value, inner)
            inner |= {item.target.name.id}
        else:
            yield from unresolved(item, inner)
    yield from unresolved(node.value, inner)


def _clauses(clauses: tuple[tree.For, ...], known: frozenset[str]) -> Iterator[tuple[tree.Name, bool]]:
    for clause in clauses:
        yield from unresolved(clause.low, known)
        yield from unresolved(clause.high, known)
        known |= {clause.index.id}


def _block(body: tuple[tree.Statement, ...], known: frozenset[str]) -> Iterator[tuple[tree.Name, bool]]:
    for statement in body:
        match statement:
            case tree.Assign(target=target, value=value, clauses=clauses):
                yield from _clauses(clauses, known)
                inner = known | {c.index.id for c in clauses}
                yield from unresolved(target.indices, inner)
                # a family may refer to itself at another index
                own = {target.name.id} if target.indices else set()
                yield from unresolved(value, inner | own)
                known |= {target.name.id}
            case tree.Loop(clause=clause, body=inner_body):
                yield from _clauses((clause,), known)
                assigned = {s.target.name.id for s in inner_body if isinstance(s, tree.Assign)}
                yield from _block(inner_body, known | {clause.index.id} | assigned)
                known |= assigned
            case tree.Def():
                known |= {statement.name.id}
                yield from unresolved(statement, known)
            case _:
                yield from unresolved(statement, known)


def nodes(node: Any) -> Iterator[tree.Node]:
    """Every node of a piece of syntax, itself included, in the order of the text."""
    if isinstance(node, tree.Node):
        yield node
        for field in fields(node):
            yield from nodes(getattr(node, field.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from nodes(item)


def mentioned(node: Any) -> Iterator[tree.Name]:
    """Every name in a piece of syntax, bound or not."""
    return (n for n in nodes(node) if isinstance(n, tree.Name))


def limit_question(node: Any, *, declared: Container[str] = ()) -> tree.Expectation | tree.Call | None:
    """The first ``E[…]`` or call such as ``lim(…)`` in a piece of syntax, unless the file gives the name a meaning."""
    for each in nodes(node):
        if isinstance(each, tree.Expectation):
            return each
        if isinstance(each, tree.Call) and isinstance(each.function, tree.Name):
            name = each.function.id
            if name in LIMIT_NAMES and name not in declared:
                return each
    return None


def recursive(definitions: Mapping[str, tree.Def]) -> tree.Name | None:
    """The place where a function calls itself, directly or through others."""
    used = {
        name: {n.id: n for n, _ in unresolved(node, frozenset()) if n.id in definitions}
        for name, node in definitions.items()
    }
    for start in used:
        seen: set[str] = set()
        todo = list(used[start].values())
        while todo:
            place = todo.pop()
            if place.id == start:
                return place
            if place.id not in seen:
                seen.add(place.id)
                todo.extend(used[place.id].values())
    return None


def after_return(body: Iterable[tree.Statement], *, in_loop: bool = False) -> tuple[str, tree.Statement] | None:
    """A ``return`` inside a loop, or what stands after one and is never computed."""
    returned = False
    for statement in body:
        if returned:
            return "after", statement
        if isinstance(statement, tree.Return):
            if in_loop:
                return "loop", statement
            returned = True
        elif isinstance(statement, tree.Loop | tree.Def):
            found = after_return(statement.body, in_loop=isinstance(statement, tree.Loop))
            if found is not None:
                return found
    return None
