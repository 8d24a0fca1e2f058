"""Names, shapes and indices of a whole file, questions included, without deriving anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tpsym.errors import Diagnostic, TpError
from tpsym.program.calls import require_available
from tpsym.program.elaborate import Model, elaborate
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Kernel, Value
from tpsym.results.derive import default_inputs
from tpsym.results.questions import LimitQuestions, questions
from tpsym.syntax import tree
from tpsym.verify.claims import assumption, cases


def check(file: tree.File, overrides: Mapping[str, Value]) -> tuple[Diagnostic, ...]:
    """What is not available yet, in the order of the file.

    Raises:
        TpError: the first mistake.
    """
    return inline(elaborate(file, overrides=overrides))


def inline(model: Model) -> tuple[Diagnostic, ...]:
    """Everything the questions and claims mention elaborated into the program, no limit taken."""
    context, before = model.context, model.context.limit
    side = questions(context, dry=True)
    found: list[Diagnostic] = []

    def attempt(action: Callable[[], object]) -> None:
        try:
            action()
        except TpError as error:
            if error.diagnostics[0].code != "not-available":
                raise
            found.extend(error.diagnostics)

    for statement in model.file.statements:
        attempt(partial(ask, model, side, statement))
    context.limit = before
    return tuple({d.message: d for d in reversed(found)}.values())[::-1]


def ask(model: Model, side: LimitQuestions, statement: tree.Statement) -> None:
    """Evaluate one question with limits left out."""
    context, scope = model.context, model.context.scope
    match statement:
        case tree.Train():
            evaluate(context, statement.name, scope)
        case tree.Assume():
            list(assumption(model, statement))
        case tree.Derive():
            require_available(statement.value, scope)
            value = evaluate(context, statement.value, scope)
            if isinstance(value, Kernel):
                for _, x in default_inputs(scope)[:2]:
                    side.kernel(value, x, x, statement.span)
        case tree.Claim():
            list(cases(model, side, statement))
        case tree.Let() if not statement.parameters and not statement.target.indices:
            require_available(statement, scope)
            evaluate(context, statement.target.name, scope)
