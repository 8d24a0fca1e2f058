"""Names a block uses but nobody defines: found even where the block is never called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from tpsym.syntax import tree


def unresolved(node: Any, known: frozenset[str]) -> Iterator[tree.Name]:
    """The names in a piece of syntax that are neither known nor bound inside it, in the order of the text."""
    match node:
        case tree.Name():
            if node.id not in known:
                yield node
        case tree.Def(parameters=parameters, body=body):
            yield from _block(body, known | {p.id for p in parameters})
        case tree.Let(target=target, parameters=parameters, value=value, where=where):
            inner = known | {p.id for p in parameters} | {i.id for i in target.indices if isinstance(i, tree.Name)}
            inner |= {c.index.id for c in node.clauses}
            for item in where:
                if isinstance(item, tree.Binding):
                    yield from unresolved(item.value, inner)
                    inner |= {item.target.name.id}
                else:
                    yield from unresolved(item, inner)
            yield from unresolved(value, inner)
        case tree.Comprehension(body=body, clauses=clauses):
            yield from _clauses(clauses, known)
            yield from unresolved(body, known | {c.index.id for c in clauses})
        case tree.Attribute(base=base):
            yield from unresolved(base, known)
        case tree.Call(function=function, args=args, kwargs=kwargs):
            yield from unresolved(function, known)
            for argument in (*args, *(value for _, value in kwargs)):
                yield from unresolved(argument, known)
        case _ if is_dataclass(node):
            for field in fields(node):
                yield from unresolved(getattr(node, field.name), known)
        case tuple():
            for item in node:
                yield from unresolved(item, known)


def _clauses(clauses: tuple[tree.For, ...], known: frozenset[str]) -> Iterator[tree.Name]:
    for clause in clauses:
        yield from unresolved(clause.low, known)
        yield from unresolved(clause.high, known)
        known |= {clause.index.id}


def _block(body: tuple[tree.Statement, ...], known: frozenset[str]) -> Iterator[tree.Name]:
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


def mentioned(node: Any) -> Iterator[tree.Name]:
    """Every name in a piece of syntax, bound or not."""
    if isinstance(node, tree.Name):
        yield node
    elif is_dataclass(node):
        for field in fields(node):
            yield from mentioned(getattr(node, field.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from mentioned(item)
