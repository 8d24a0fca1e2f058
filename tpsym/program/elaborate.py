"""A syntax tree to a program: names resolved, shapes checked, functions inlined on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sympy import Expr

from tpsym.errors import TpError, fail
from tpsym.program.blocks import assign, loop
from tpsym.program.calls import BUILTINS, LATER, LIMIT_NAMES
from tpsym.program.declare import (
    constants,
    declare_fn,
    declare_input,
    declare_param,
    declare_random,
    declare_size,
)
from tpsym.program.names import unresolved
from tpsym.program.scope import Context, Scope, unknown_name
from tpsym.program.values import Function, Macro, Unavailable
from tpsym.syntax import tree

PARAMETRIZATIONS = ("standard", "ntk", "mup")

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


def elaborate(file: tree.File, *, overrides: Mapping[str, Expr] = NOTHING) -> Model:
    """Elaborate a file; ``overrides`` replaces defaults of parameters, dims and depths by name.

    Raises:
        TpError: the first mistake, with its place.
    """
    context = Context(scope=Scope(Scope(None, constants())), overrides=overrides)
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
    resolve_names(context, file)
    declared = {s.name for s in context.parameters} | set(context.scope.names) | set(context.data)
    unknown = {name for name in overrides if not name.startswith("dot(")} - declared
    if unknown:
        raise fail("unknown-name", f"--set: the file declares no {', '.join(sorted(unknown))}")
    return Model(file, context, tuple(assumptions), tuple(questions), tuple(claims))


def resolve_names(context: Context, file: tree.File) -> None:
    """Report names nobody defines in functions and definitions, called or not."""
    known = frozenset(context.scope.known()) | frozenset(BUILTINS) | frozenset(LIMIT_NAMES) | frozenset(LATER)
    for statement in file.statements:
        if isinstance(statement, tree.Def | tree.Let):
            for name in unresolved(statement, known):
                raise unknown_name(name.text, name.span, iter(known))


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
            if name.id not in PARAMETRIZATIONS:
                raise fail(
                    "unknown-parametrization",
                    f"unknown parametrization {name.text!r}",
                    name.span,
                    expected=", ".join(PARAMETRIZATIONS),
                )
            context.parametrization = name.id
        case tree.Def():
            define(context, statement)
        case tree.Assign():
            assign(context, statement, context.scope)
        case tree.Loop():
            loop(context, statement, context.scope, "")
        case tree.Let():
            context.scope.names[statement.target.name.id] = Macro(statement, context.scope)
        case tree.Train():
            context.scope.names[statement.name.id] = Unavailable(f"training ({statement.name.text})")
        case _:
            raise fail("misplaced", "this statement cannot stand at the top of a file", statement.span)


def define(context: Context, statement: tree.Def) -> None:
    names = [p.id for p in statement.parameters]
    if len(set(names)) < len(names):
        raise fail("declared-twice", f"{statement.name.text} has two parameters of one name", statement.span)
    context.scope.names[statement.name.id] = Function(statement, context.scope)


__all__ = ["Model", "TpError", "elaborate"]
