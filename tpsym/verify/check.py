"""Names, shapes and indices of a whole file, questions included, without deriving anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import sympy as sp

from tpsym.errors import Diagnostic, Span, TpError, fail
from tpsym.program.arithmetic import signature
from tpsym.program.calls import require_available
from tpsym.program.elaborate import Model, elaborate
from tpsym.program.evaluate import evaluate
from tpsym.program.messages import unknown_name
from tpsym.program.values import (
    AlgebraicEquation,
    Condition,
    Data,
    Endpoints,
    Family,
    Finite,
    Function,
    GaussianLaw,
    Kernel,
    ListValue,
    Macro,
    Member,
    Method,
    Region,
    Scalar,
    Theory,
    Trajectory,
    Value,
    VectorValue,
    describe,
)
from tpsym.results.exact_edgeworth import Stated
from tpsym.results.fresh_names import with_fresh_names
from tpsym.results.inputs import default_inputs
from tpsym.results.questions import LimitQuestions, questions
from tpsym.results.trained import training_of
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.verify.cases import Case, cases, parts
from tpsym.verify.premises import assumption, on_parameters
from tpsym.verify.spectral import check_spectral


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
    found.sort(key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0))
    return tuple({d.message: d for d in reversed(found)}.values())[::-1]


def ask(model: Model, side: LimitQuestions, statement: tree.Statement) -> None:
    """Evaluate one question with limits left out."""
    context, scope = model.context, model.context.scope
    match statement:
        case tree.Train():
            trajectory = evaluate(context, statement.name, scope)
            assert isinstance(trajectory, Trajectory)
            training_of(context, trajectory)
        case tree.Assume():
            check_assumption(model, statement)
        case tree.Derive():
            require_available(statement.value, scope)
            inner = with_fresh_names(context, statement.value, scope)
            check_answer(model, side, evaluate(context, statement.value, inner), statement.value)
        case tree.Claim():
            check_claim(model, side, statement)
        case tree.Let() if not statement.parameters and not statement.target.indices:
            require_available(statement, scope)
            evaluate(context, statement.target.name, scope)


# --- derive --------------------------------------------------------------------------------------------


def check_answer(model: Model, side: LimitQuestions, value: Value, node: tree.Expr) -> None:
    """What is asked for is a limit or a kernel."""
    text = format_expression(node)
    match value:
        case Kernel():
            inputs = default_inputs(model.context.scope)
            if not inputs:
                what = "the file declares no inputs to state the kernel at"
                raise fail("no-inputs", what, node.span, fix="input x, y: (d)")
            for _, x in inputs[:2]:
                side.kernel(value, x, x, node.span)
        case Scalar(expr=expr):
            check_limit(model, value, node.span, f"lim({text})")
            if expr in (sp.S.NaN, sp.S.ComplexInfinity):
                raise fail("undefined-value", "this has no value", node.span)
        case GaussianLaw() | VectorValue() | Theory() | Region() | Endpoints() | AlgebraicEquation() | Stated():
            pass
        case _:
            what = f"cannot derive {describe(value)}"
            raise fail("not-derivable", what, node.span, expected="a limit or a kernel", fix=likely(value, text))


def likely(value: Value, text: str) -> str | None:
    """What was probably meant by deriving something that has no limit."""
    match value:
        case Function(name=name):
            return f"derive nngp({name})"
        case Member():
            return f"call it on an input, as in E[{text}(x)^2]"
        case Macro(definition=definition):
            return f"derive {signature(definition)} at given indices and arguments"
        case Family(name=name, members=members):
            return f"derive Z({name}[{', '.join(map(str, next(iter(members), ())))}])"
        case Condition():
            return f'state it as a claim: claim "…": {text}'
        case Method(name=name):
            return f"call it: {text}({'G, z' if name == 'equation' else '…'})"
        case Data():
            return "data is given; derive a limit of the program"
        case ListValue():
            return "write one derive for each"
    return None


def check_limit(model: Model, value: Scalar, span: Span, fix: str) -> None:
    """A number on the limit side is no scalar of the program."""
    if value.expr.free_symbols & model.context.nodes.keys():
        raise fail(
            "not-a-limit", "this is a scalar of the program, random at every finite width", span,
            fix=f"ask for its limit: {fix}",
        )


# --- assumptions and claims ----------------------------------------------------------------------------


def check_assumption(model: Model, statement: tree.Assume) -> None:
    """An ``assume`` is a condition on parameters and data that can hold."""
    try:
        conditions = list(assumption(model, statement))
    except TpError as error:
        # The mistake is in the condition, not in the word before it.
        raise TpError(tuple(
            replace(d, span=statement.condition.span) if d.span == statement.span else d for d in error.diagnostics
        )) from None
    if sp.false in conditions:
        what = "this can never hold, given the domains of the parameters"
        raise fail("contradiction", what, statement.condition.span)


def check_claim(model: Model, side: LimitQuestions, claim: tree.Claim) -> None:
    """A claim compares two numbers, laws or random variables, or states conditions on parameters."""
    context, node = model.context, claim.relation
    require_available(claim, context.scope)
    check_where(model, claim)
    possible: list[bool] = []
    for case in cases(model, side, claim):
        if isinstance(case.left, Condition):
            check_conditions(model, case, node)
        else:
            assert isinstance(node, tree.Compare)
            right = node.operands[1]
            places = (node.operands[0], right.value if isinstance(right, tree.Tolerance) else right)
            check_sides(model, case, places)
        possible.append(sp.false not in case.premises.conditions)
    if possible and not any(possible):
        span = claim.where[0].span.to(claim.where[-1].span)
        what = "this can never hold, given the domains of the parameters"
        raise fail("contradiction", what, span)


def check_conditions(model: Model, case: Case, node: tree.Expr) -> None:
    """Conditions on parameters; comparisons that all have to hold may be of whatever a claim may compare."""
    members = parts(model.context, case)
    if members is not None:
        for member in members:
            check_sides(model, member, (node, node))
        return
    for value in (case.left, case.right):
        if isinstance(value, Condition):
            list(on_parameters(model.context, value, node.span))


def check_sides(model: Model, case: Case, nodes: tuple[tree.Expr, tree.Expr]) -> None:
    """The two sides can be compared."""
    sides = (case.left, case.right)
    if check_spectral(model.context, case, nodes):
        return
    for value, node in zip(sides, nodes, strict=True):
        assert value is not None
        if isinstance(value, Scalar):
            check_limit(model, value, node.span, f"lim({format_expression(node)})")
        elif not isinstance(value, VectorValue | GaussianLaw):
            what = f"{describe(value)} cannot stand in a claim"
            expected = "a number such as E[…] or lim(…), a random variable, a law"
            raise fail("incomparable", what, node.span, expected=expected)
    if (case.relation != "==" or case.tolerance is not None) and not all(isinstance(v, Scalar) for v in sides):
        what = "random variables and laws can only be compared with ==, without +-"
        raise fail("bad-relation", what, nodes[0].span.to(nodes[1].span))


def check_where(model: Model, claim: tree.Claim) -> None:
    """A ``where`` gives values to parameters and to new names, to nothing else that is declared."""
    context = model.context
    for item in claim.where:
        if not isinstance(item, tree.Binding):
            continue
        name = item.target.name
        value = context.scope.names.get(name.id)
        if value is None and item.target.indices:
            raise unknown_name(name.text, name.span, context.scope.names)
        if value is None or isinstance(value, Family):
            continue
        if isinstance(value, Scalar) and value.expr in context.parameters:
            continue
        size = isinstance(value, Finite) or name.id in context.depths
        what = f"where gives values to parameters and to new names; {name.text} is {describe(value)}"
        fix = f"--set {name.text}=… gives it a value" if size else "choose another name"
        raise fail("where-rebinds", what, item.target.span, fix=fix)


__all__ = ["check", "inline"]
