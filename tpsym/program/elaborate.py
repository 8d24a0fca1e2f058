"""A syntax tree to a program: names resolved, shapes checked, functions inlined on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sympy import Expr

from tpsym.errors import TpError, fail
from tpsym.program.blocks import assign, loop
from tpsym.program.calls import BUILTINS, recursion
from tpsym.program.declare import (
    constants,
    declare_fn,
    declare_input,
    declare_param,
    declare_size,
    fresh,
    twice,
)
from tpsym.program.declare_random import declare_random
from tpsym.program.elsewhere import assigned, elsewhere
from tpsym.program.messages import unknown_name
from tpsym.program.names import LATER, LIMIT_NAMES, after_return, limit_question, recursive, unresolved
from tpsym.program.overrides import check_overrides
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Function, Macro, Nonlinearity, Trajectory
from tpsym.syntax import tree

NOTHING: Mapping[str, Expr] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Model:
    """An elaborated file: what was declared and computed, and what is asked about it.

    ``context`` goes on growing as questions inline functions at new inputs.
    """

    file: tree.File
    context: Context
    assumptions: tuple[tree.Assume, ...]
    questions: tuple[tree.Derive, ...]
    claims: tuple[tree.Claim, ...]

    @property
    def title(self) -> str:
        return self.file.title.text if self.file.title else ""


def elaborate(
    file: tree.File, *, overrides: Mapping[str, Expr] = NOTHING, open_depths: bool = False
) -> Model:
    """Elaborate a file; ``overrides`` replaces defaults of parameters, dims and depths by name.

    With ``open_depths`` depths are symbols even where the file gives them a value.

    Raises:
        TpError: the first mistake, with its place.
    """
    outermost = Scope(None, constants(), elsewhere(file))
    context = Context(scope=Scope(outermost), overrides=overrides, source=file.source, open_depths=open_depths)
    assumptions: list[tree.Assume] = []
    questions: list[tree.Derive] = []
    claims: list[tree.Claim] = []
    for statement in file.statements:
        match statement:
            case tree.Assume():
                assumptions.append(statement)
            case tree.Derive():
                questions.append(statement)
            case tree.Claim():
                claims.append(statement)
            case _:
                declare(context, statement)
    check_blocks(context, file)
    check_overrides(context)
    return Model(file, context, tuple(assumptions), tuple(questions), tuple(claims))


def check_blocks(context: Context, file: tree.File) -> None:
    """Mistakes in functions and definitions that show before they are called, or if they never are."""
    callables = frozenset(BUILTINS) | frozenset(LIMIT_NAMES) | frozenset(LATER)
    known = frozenset(context.scope.known()) | callables
    for statement in file.statements:
        if isinstance(statement, tree.Def | tree.Let):
            for name, called in unresolved(statement, known):
                raise undefined(context, name, called=called)
        if isinstance(statement, tree.Def):
            check_function(context, statement)
    place = recursive({s.name.id: s for s in file.statements if isinstance(s, tree.Def)})
    if place is not None:
        raise recursion(place.text, place.span)


def undefined(context: Context, name: tree.Name, *, called: bool) -> TpError:
    """The error for an unknown name in a block, by how it is used."""
    scope = context.scope
    names = [k for k in scope.known() if isinstance(scope.find(k), Nonlinearity | Function | Macro) == called]
    if called:
        names += [*BUILTINS, *LIMIT_NAMES, *LATER]
    return unknown_name(name.text, name.span, names, hint=scope.hint(name.id, name.span))


def check_function(context: Context, statement: tree.Def) -> None:
    """A function computes nothing after its ``return``, and no limits."""
    found = after_return(statement.body)
    if found is not None and found[0] == "after":
        raise fail("unreachable", "nothing after `return` is ever computed", found[1].span)
    if found is not None:
        fix = "move it after the loop, less indented"
        raise fail("misplaced", "`return` cannot stand inside a loop", found[1].span, fix=fix)
    limit = limit_question(statement.body, declared=context.scope.names)
    if limit is not None:
        raise fail(
            "limit-in-program",
            "a limit cannot be used inside the program",
            limit.span if isinstance(limit, tree.Expectation) else limit.function.span,
            fix="use mean(…) in the program; E[…], Z(…), lim(…), nngp(…) in `let`, `claim` and `derive`",
        )


def declare(context: Context, statement: tree.Statement) -> None:
    """One top-level statement that is no question."""
    match statement:
        case tree.Size():
            declare_size(context, statement)
        case tree.Param():
            declare_param(context, statement)
        case tree.Input():
            declare_input(context, statement)
        case tree.Random():
            declare_random(context, statement)
        case tree.Fn():
            declare_fn(context, statement)
        case tree.Parametrization(name=name):
            context.parametrization = name.id  # the parser knows which there are
        case tree.Def():
            define(context, statement)
        case tree.Assign():
            check_target(context, statement.target)
            assign(context, statement, context.scope)
        case tree.Loop():
            for inner in assigned(statement.body):
                check_target(context, inner)
            loop(context, statement, context.scope, "")
        case tree.Let():
            fresh(context, statement.target.name)
            context.scope.names[statement.target.name.id] = Macro(statement, context.scope)
        case tree.Train():
            fresh(context, statement.name)
            context.scope.names[statement.name.id] = Trajectory(statement, context.scope)
        case _:
            raise fail("misplaced", "this statement cannot stand at the top of a file", statement.span)


def check_target(context: Context, target: tree.Target) -> None:
    """An assignment may set a computed name anew, but nothing that was declared."""
    line = context.declared.get(target.name.id)
    if line is not None:
        raise twice(target.name, line)


def define(context: Context, statement: tree.Def) -> None:
    fresh(context, statement.name)
    context.scope.names[statement.name.id] = Function(statement, context.scope)
