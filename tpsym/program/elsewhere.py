"""Where a name that cannot be seen from some place is bound: what to say about using it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tpsym.program.scope import Elsewhere
from tpsym.syntax import tree


def elsewhere(file: tree.File) -> dict[str, Elsewhere]:
    """The names of a file by where they are bound; what is seen everywhere comes before what is local."""
    found: dict[str, Elsewhere] = {}
    for statement in file.statements:
        for name in top_level(statement):
            line = name.span.line
            found.setdefault(name.id, Elsewhere(line, 1, 10**9, ""))
    for statement in file.statements:
        if isinstance(statement, tree.Def):
            for key, value in inner_names(statement):
                found.setdefault(key, value)
        for clause in clauses(statement):
            line = clause.index.span.line
            fix = f"{clause.index.text} is an index of line {line}: elsewhere it needs a range of its own, or a number"
            found.setdefault(clause.index.id, Elsewhere(line, 0, 0, fix))
    return found


def top_level(statement: tree.Statement) -> Iterator[tree.Name]:
    """The names a statement at the left margin binds for the rest of the file."""
    match statement:
        case tree.Size(items=items):
            yield from (name for name, _ in items)
        case tree.Param(targets=targets) | tree.Input(targets=targets) | tree.Random(targets=targets):
            yield from (target.name for target in targets)
        case tree.Assign(target=target) | tree.Let(target=target):
            yield target.name
        case tree.Fn(name=name) | tree.Def(name=name) | tree.Train(name=name):
            yield name
        case tree.Loop(body=body):
            for inner in body:
                yield from top_level(inner)


def inner_names(function: tree.Def) -> Iterator[tuple[str, Elsewhere]]:
    """What a function binds: its arguments and inner values."""
    first, last = function.span.line, function.span.end_line
    name = function.name.text
    for parameter in function.parameters:
        yield parameter.id, Elsewhere(first, 0, 0, f"{parameter.text} is the argument of {name}, known only inside it")
    for target in assigned(function.body):
        index = "[…]" if target.indices else ""
        fix = f"{target.name.text} is an inner value of {name}: write {name}.{target.name.text}{index}(…)"
        yield target.name.id, Elsewhere(target.span.line, first, last, fix)


def assigned(body: Iterable[tree.Statement]) -> Iterator[tree.Target]:
    """The targets of the assignments of a block."""
    for statement in body:
        if isinstance(statement, tree.Assign):
            yield statement.target
        elif isinstance(statement, tree.Loop):
            yield from assigned(statement.body)


def clauses(statement: tree.Statement) -> Iterator[tree.For]:
    """The ranges of a statement."""
    if isinstance(statement, tree.Loop):
        yield statement.clause
        for inner in statement.body:
            yield from clauses(inner)
    elif isinstance(statement, tree.Def):
        for inner in statement.body:
            yield from clauses(inner)
    else:
        yield from getattr(statement, "clauses", ())


__all__ = ["elsewhere"]
