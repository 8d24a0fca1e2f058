"""Training in the language: ``train F = f with …``, ``F[k](x)``, ``F[k].h(x)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sympy import Expr

from tpsym.errors import NOWHERE, Span, TpError, fail
from tpsym.program.access import network_of
from tpsym.program.arithmetic import plain
from tpsym.program.calls import inner_value, run
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.messages import similar, wrong_arity
from tpsym.program.scope import Context, Scope, integer
from tpsym.program.values import (
    Data,
    Family,
    Function,
    Member,
    Nonlinearity,
    OptimizerValue,
    Scalar,
    Snapshot,
    Trajectory,
    Value,
    VectorValue,
    describe,
)
from tpsym.results.inputs import is_data_family
from tpsym.results.parametrized import as_meant
from tpsym.syntax import tree
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import MSE, OUTPUT, TARGET, XENT, Loss, Training
from tpsym.transform.unroll import Unrolled, unroll

LOSSES = {"mse": MSE, "xent": XENT}
OPTIONS = ("loss", "data", "steps", "batch")
EXAMPLE = "train F = f with sgd(lr = eta), loss = mse, data = [(x, t)], steps = 2"
MAX_STEPS = 100_000


def ask_trained(context: Context, node: tree.Call, scope: Scope) -> Value:
    """``F[k](x)`` and ``F[k].h[l](x)``: a value of the network, in the program that training unrolls."""
    function = evaluate(context, node.function, scope)
    arguments = tuple(evaluate(context, a, scope) for a in node.args)
    inner = function if isinstance(function, Member) else None
    snapshot = function.function if isinstance(function, Member) else function
    assert isinstance(snapshot, Snapshot)
    network = network_of(context, snapshot.trajectory)
    training = unrolled(context, snapshot.trajectory)
    if snapshot.step > training.training.steps:
        what = f"{snapshot.trajectory.name} is trained for {training.training.steps} steps only"
        raise fail("index-out-of-range", what, node.function.span, fix=f"steps = {snapshot.step} in the statement")
    if inner is None:
        value = run(context, network, arguments, node.span).result(network, node.span)
    else:
        value = inner_value(context, inner, network, arguments, node.span)
    try:
        return image(context, training, snapshot, value, node.span)
    except TpError as error:
        raise placed(error, node.span) from None


def image(context: Context, training: Unrolled, snapshot: Snapshot, value: Value, span: Span) -> Value:
    """A value of the network as training has it after some steps."""
    if isinstance(value, Family):
        members = {k: image(context, training, snapshot, v, span) for k, v in value.members.items()}
        return Family(f"{snapshot.name}.{value.name}", members)
    found = plain(context, value, span)
    if isinstance(found, Scalar | VectorValue):
        return replace(found, expr=training.value(found.expr, snapshot.step))
    raise fail("not-available", f"{describe(value)} after training is not available", span)


def placed(error: TpError, span: Span) -> TpError:
    """An error of the unrolling, which knows no places, at one."""
    return TpError(tuple(replace(d, span=span) if d.span in (None, NOWHERE) else d for d in error.diagnostics))


# --- the statement -------------------------------------------------------------------------------------


def unrolled(context: Context, trajectory: Trajectory) -> Unrolled:
    """The training as a program, which grows with the steps asked for."""
    key = ("unrolled", id(trajectory.statement))
    if key not in context.instances:
        training = training_of(context, trajectory)
        try:
            meant, rescaled = as_meant(training, trajectory.statement.span)
            context.instances[key] = unroll(meant, trajectory.name, rescaled=rescaled)
        except TpError as error:
            raise placed(error, trajectory.statement.span) from None
    found: Unrolled = context.instances[key]
    return found


def training_of(context: Context, trajectory: Trajectory) -> Training:
    """What a ``train`` statement says.

    Raises:
        TpError: an option that is unknown, missing or not as what it has to be.
    """
    key = ("training", id(trajectory.statement))
    if key not in context.instances:
        try:
            context.instances[key] = _training_of(context, trajectory)
        except TpError as error:
            raise context.in_file(error) from None
    found: Training = context.instances[key]
    return found


def _training_of(context: Context, trajectory: Trajectory) -> Training:
    statement, scope = trajectory.statement, trajectory.scope
    options = checked_options(statement)
    network = network_of(context, trajectory)
    optimizer = evaluate(context, statement.optimizer, scope)
    if not isinstance(optimizer, OptimizerValue):
        what = f"train needs an optimizer, this is {describe(optimizer)}"
        raise fail("optimizer-expected", what, statement.optimizer.span, expected="sgd(lr = eta), adam, signsgd, …")
    loss = loss_of(context, options.get("loss"), scope)
    outputs, targets = [], []
    for item, inner in examples(context, options["data"], scope):
        arguments, target = example(context, item, inner, network)
        outputs.append(output(context, network, arguments, item.span))
        targets.append(target)
    steps = whole(context, options["steps"], scope, "the number of steps", low=0)
    batches = batches_of(context, options.get("batch"), scope, len(outputs))
    check_rates(context, statement.optimizer, optimizer.settings, outputs)
    return Training(context, tuple(outputs), tuple(targets), loss, optimizer.settings, steps, batches)


def check_rates(context: Context, node: tree.Expr, optimizer: Optimizer, outputs: Sequence[Expr]) -> None:
    """A learning rate is given, and a table of them has one for every array that the outputs depend on."""
    bare = not isinstance(node, tree.Call) or not (node.args or "lr" in dict(node.kwargs))
    if bare and optimizer.rate == 1 and not optimizer.rates:
        raise fail("bad-option", "train needs a learning rate", node.span, expected=EXAMPLE)
    symbols = {s for output in outputs for s in output.free_symbols if s in context.nodes}
    needed = set(context.builder.program().behind(context.nodes[s] for s in symbols))
    layers = {name for name, points in context.input_families.items() if any(k in needed for k, _ in points)}
    used = [t.name for t in context.trained if (t.name in layers if t.node is None else t.node in needed)]
    missing = [name for name in used if name not in optimizer.rates]
    if optimizer.rates and missing:
        fix = f"add {missing[0]}: …, or declare {missing[0]} with `random` if it is not trained"
        raise fail("bad-option", f"lr says nothing about {', '.join(missing)}", node.span, fix=fix)


def checked_options(statement: tree.Train) -> dict[str, tree.Expr]:
    """The options by name: each known and given once, data and steps given."""
    found: dict[str, tree.Expr] = {}
    for name, value in statement.options:
        if name not in OPTIONS:
            close = similar(name, OPTIONS)
            fix = f"did you mean {close}?" if close else None
            raise fail("bad-option", f"train has no option {name}", value.span, expected=", ".join(OPTIONS), fix=fix)
        if name in found:
            raise fail("repeated-option", f"{name} is given twice", value.span)
        found[name] = value
    for name in ("data", "steps"):
        if name not in found:
            raise fail("bad-training", f"train needs {name}", statement.span, expected=EXAMPLE)
    return found


def loss_of(context: Context, node: tree.Expr | None, scope: Scope) -> Loss:
    """``mse``, ``xent``, or a function of (output, target)."""
    if node is None:
        return MSE
    if isinstance(node, tree.Name):
        value = scope.find(node.id)
        if value is None and node.id in LOSSES:
            return LOSSES[node.id]
        if isinstance(value, Nonlinearity) and value.arity == 2:
            expr = value.apply(OUTPUT, TARGET)
            return Loss(node.text, expr, expr.diff(OUTPUT))
        if value is not None:
            found = f"{describe(value)}" + (f" of {value.arity}" if isinstance(value, Nonlinearity) else "")
            what = f"a loss is a function of output and target, this is {found}"
            raise fail("bad-loss", what, node.span, fix="fn loss(f, y) = (f - y)^4")
    expected = "mse, xent, or the name of an fn of (output, target)"
    close = similar(node.id, LOSSES) if isinstance(node, tree.Name) else None
    raise fail("bad-loss", "this is no loss", node.span, expected=expected, fix=f"loss = {close}" if close else None)


def examples(context: Context, node: tree.Expr, scope: Scope) -> Iterator[tuple[tree.Expr, Scope]]:
    """The pairs that ``data`` lists, each with the scope of its indices."""
    match node:
        case tree.ListLiteral(items=(_, *_) as items):
            yield from ((item, scope) for item in items)
        case tree.Comprehension(function="list", body=body, clauses=clauses):
            yield from ((body, inner) for inner in assignments(context, clauses, scope))
        case _:
            raise fail("bad-data", "data is a list of pairs (input, target)", node.span, fix="data = [(x, t)]")


def example(
    context: Context, node: tree.Expr, scope: Scope, network: Function
) -> tuple[tuple[Value, ...], Expr]:
    """``(x, t)``: the arguments of the network, and the target last."""
    count = len(network.definition.parameters)
    if not isinstance(node, tree.TupleLiteral) or len(node.items) < 2:
        raise fail("bad-data", "an example is a pair (input, target)", node.span, fix="data = [(x, t)]")
    *places, last = node.items
    if len(places) != count:
        raise wrong_arity(network.name, count, len(places), node.span)
    arguments = tuple(evaluate(context, place, scope) for place in places)
    for value, place in zip(arguments, places, strict=True):
        if not (isinstance(value, Data) or is_data_family(value)):
            raise fail("bad-data", f"a network is trained on data points, this is {describe(value)}", place.span)
    target = plain(context, evaluate(context, last, scope), last.span)
    if not isinstance(target, Scalar) or target.expr.free_symbols & context.nodes.keys():
        what = "one that the program computes" if isinstance(target, Scalar) else describe(target)
        raise fail("bad-data", f"a target is a given number, this is {what}", last.span)
    return arguments, target.expr


def output(context: Context, network: Function, arguments: tuple[Value, ...], span: Span) -> Expr:
    """The output at an example, a scalar of the program."""
    value = plain(context, run(context, network, arguments, span).result(network, span), span)
    if not isinstance(value, Scalar):
        what = f"{network.name} returns {describe(value)}; training needs a scalar output"
        raise fail("scalar-expected", what, span, fix="add a readout: return v @ … with weight v: (1, n)")
    return value.expr


def whole(context: Context, node: tree.Expr, scope: Scope, what: str, *, low: int) -> int:
    found = integer(evaluate(context, node, scope), node.span, what=what)
    if not low <= found <= MAX_STEPS:
        expected = f"a whole number in {low}..{MAX_STEPS}"
        raise fail("bad-option", f"{what} cannot be {found}", node.span, expected=expected)
    return found


def batches_of(context: Context, node: tree.Expr | None, scope: Scope, count: int) -> tuple[tuple[int, ...], ...]:
    """``batch = 2``: consecutive examples in turn; ``batch = [[1, 2], [3]]``: these, counted from 1, in turn."""
    if node is None:
        return ()
    if not isinstance(node, tree.ListLiteral):
        size = whole(context, node, scope, "the size of a batch", low=1)
        if size > count:
            raise fail("bad-option", f"a batch of {size} of {count} examples", node.span)
        return tuple(tuple(range(i, min(i + size, count))) for i in range(0, count, size))
    return tuple(one_batch(context, item, scope, count) for item in node.items)


def one_batch(context: Context, node: tree.Expr, scope: Scope, count: int) -> tuple[int, ...]:
    items: tuple[Any, ...] = node.items if isinstance(node, tree.ListLiteral) else (node,)
    found = []
    for item in items:
        number = whole(context, item, scope, "an example", low=1)
        if number > count:
            raise fail("bad-option", f"there is no example {number}", item.span, expected=f"a number in 1..{count}")
        found.append(number - 1)
    if not found:
        raise fail("bad-option", "a batch without examples", node.span)
    return tuple(found)
