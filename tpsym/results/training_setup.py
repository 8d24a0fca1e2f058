"""A training of a file made concrete: numbers for its data, other inputs to look at, vectors to follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sympy import Expr

from tpsym.errors import Span, TpError, fail, nearest
from tpsym.program.access import network_of
from tpsym.program.arithmetic import plain
from tpsym.program.calls import run
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.instructions import Dimension
from tpsym.program.scope import Context
from tpsym.program.values import Data, Family, Scalar, Trajectory, Value, VectorValue, describe
from tpsym.results.inputs import default_inputs
from tpsym.results.parametrized import as_meant
from tpsym.results.questions import LimitQuestions
from tpsym.results.trained import example, examples, output, training_of
from tpsym.results.training_data import product_values, settled_points
from tpsym.syntax.parse import parse_expression
from tpsym.transform.trainable import Parametrization, outermost
from tpsym.transform.training import Training

MOST_TESTS, MOST_FEATURES = 6, 4
STATEMENT = "train F = f with sgd(lr = eta), loss = mse, data = [(x, t)], steps = 20"


@dataclass(frozen=True, slots=True)
class Point:
    """A network at an input: what it is called, and its output as an expression over nodes."""

    label: str
    output: Expr


@dataclass(frozen=True, slots=True)
class Feature:
    """A vector of the network at the first example, or a number (no dimension)."""

    label: str
    expr: Expr
    dimension: Dimension | None


@dataclass(frozen=True)
class Setup:
    """A training with all that its engines need.

    ``meant`` and ``rescaled`` are the training at finite width, ``training`` as the file has it (they differ with
    ``parametrization mup``). ``data`` are the points without numbers in the file, ``drawn`` those of them that nothing
    but perhaps their lengths is known of; ``overrides`` are exact values by name, inner products of the points
    included.
    """

    name: str
    network: str
    model: Model = field(repr=False)
    side: LimitQuestions = field(repr=False)
    training: Training = field(repr=False)
    meant: Training = field(repr=False)
    rescaled: Parametrization
    span: Span
    data: Mapping[str, tuple[float, ...]]
    drawn: tuple[str, ...]
    overrides: Mapping[str, Expr]
    examples: tuple[Point, ...]
    tests: tuple[Point, ...]
    features: tuple[Feature, ...]

    @property
    def observed(self) -> tuple[tuple[str, Expr, Dimension | None], ...]:
        """What engines are asked to look at: outputs at tests and features."""
        return (*((test_label(p), p.output, None) for p in self.tests),
                *((feature_label(f), f.expr, f.dimension) for f in self.features))


def test_label(point: Point) -> str:
    """What an output at a test is called among what is observed."""
    return f"output {point.label}"


def feature_label(feature: Feature) -> str:
    """What a vector is called among what is observed."""
    return f"feature {feature.label}"


def setup(
    model: Model, side: LimitQuestions, *, name: str | None = None, steps: int | None = None,
    features: Sequence[str] | None = None, overrides: Mapping[str, Expr],
) -> Setup:
    """A ``train`` statement of a file, by name where there are several; ``features`` are expressions in the names of
    its network, by default the last vectors that have names.

    Raises:
        TpError: there is no such statement; see :func:`tpsym.results.trained.training_of`. A parameter has no value.
    """
    context = model.context
    trajectory = chosen(context, name)
    span = trajectory.statement.span
    training = training_of(context, trajectory)
    if steps is not None:
        training = replace(training, steps=steps)
    _refuse_unknown(context, span)
    meant, rescaled = as_meant(training, span)
    points, drawn = settled_points(model, overrides)
    exact = dict(overrides) | product_values(context, points)
    seen, tests = _points(context, trajectory, training)
    return Setup(
        trajectory.name, network_of(context, trajectory).name, model, side, training, meant, rescaled, span,
        {k: tuple(map(float, v)) for k, v in points.items() if context.data.get(k) is None}, drawn, exact,
        seen, tests, tuple(_features(context, trajectory, features)),
    )


def chosen(context: Context, name: str | None) -> Trajectory:
    """The training of a name; the only one of a file need not be named.

    Raises:
        TpError: ``no-training``, ``unknown-name`` or ``which-training``.
    """
    known = {k: v for k, v in context.scope.names.items() if isinstance(v, Trajectory)}
    if not known:
        raise fail("no-training", "the file trains no network", fix=f"write {STATEMENT}")
    if name is None:
        if len(known) > 1:
            names = ", ".join(known)
            raise fail("which-training", f"the file trains several networks: {names}", fix=f"--name {min(known)}")
        return next(iter(known.values()))
    if name not in known:
        close = nearest(name, known)
        raise fail("unknown-name", f"the file has no training called {name}", expected=", ".join(known),
                   fix=close and f"did you mean {close}?")
    return known[name]


def _refuse_unknown(context: Context, span: Span) -> None:
    if context.unknown_functions:
        name = min(context.unknown_functions)
        raise fail("not-numeric", f"the function {name} is unknown", span, fix=f"write it out: fn {name}(z) = tanh(z)")


def told(error: TpError, span: Span) -> TpError:
    """A missing value is given where the file is looked at, not to an engine; what has no place is at the statement."""
    diagnostics = []
    for d in error.diagnostics:
        fix = d.fix
        if d.code == "no-value" and (fix is None or "pass its value" in fix):
            name = d.message.split(" must have")[0].split(",")[0]
            fix = f"--set '{name}=1'" if "(" in name or "[" in name else f"--set {name}=1"
        diagnostics.append(replace(d, fix=fix, span=d.span if d.span is not None else span))
    return TpError(tuple(diagnostics), error.source, error.filename)


@contextmanager
def located(model: Model, filename: str | None) -> Iterator[None]:
    """Adds the text and the file name to errors that leave the block."""
    try:
        yield
    except TpError as error:
        raise error.located(source=model.file.source, filename=filename) from None


# --- what is looked at -------------------------------------------------------------------------------


def _points(
    context: Context, trajectory: Trajectory, training: Training
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The training examples, and the network at other inputs of the file that fit it."""
    network, span = network_of(context, trajectory), trajectory.statement.span
    at: dict[Expr, str] = {}
    if len(network.definition.parameters) == 1:
        for label, value in _inputs(context):
            try:
                at.setdefault(output(context, network, (value,), span), label)
            except TpError:
                continue
    seen = tuple(Point(at.get(e, str(i + 1)), e) for i, e in enumerate(training.outputs))
    repeated = len({p.label for p in seen}) < len(seen)
    if repeated:
        seen = tuple(Point(str(i + 1), p.output) for i, p in enumerate(seen))
    tests = [Point(label, e) for e, label in at.items() if e not in training.outputs]
    return seen, tuple(tests[:MOST_TESTS])


def _inputs(context: Context) -> Iterator[tuple[str, Value]]:
    """Declared data points, those of families one by one, and families as a whole."""
    for name, value in outermost(context).items():
        if isinstance(value, Data):
            yield name, value
    for name, value in default_inputs(context.scope):
        if isinstance(value, Family):
            yield name, value


def _features(context: Context, trajectory: Trajectory, wanted: Sequence[str] | None) -> Iterator[Feature]:
    data = dict(trajectory.statement.options)["data"]
    network = network_of(context, trajectory)
    item, inner = next(iter(examples(context, data, trajectory.scope)))
    arguments, _ = example(context, item, inner, network)
    scope = run(context, network, arguments, item.span).scope
    if wanted is None:
        named = {name: value for name, value in scope.names.items() if isinstance(value, VectorValue)}
        for name, value in scope.names.items():
            if isinstance(value, Family):
                named |= {f"{name}[{', '.join(map(str, keys))}]": member for keys, member in value.members.items()
                          if isinstance(member, VectorValue)}
        for label, vector in list(named.items())[-MOST_FEATURES:]:
            yield Feature(label, vector.expr, vector.dimension)
        return
    limit, context.limit = context.limit, None
    try:
        for text in dict.fromkeys(wanted):
            node = parse_expression(text)
            try:
                value = plain(context, evaluate(context, node, scope), node.span)
            except TpError as error:
                raise TpError(error.diagnostics, text, "--features") from None
            if not isinstance(value, VectorValue | Scalar):
                raise TpError(fail("vector-expected", f"a feature is a vector, this is {describe(value)}",
                                   node.span).diagnostics, text, "--features")
            yield Feature(text, value.expr, value.dimension if isinstance(value, VectorValue) else None)
    finally:
        context.limit = limit


__all__ = ["Feature", "Point", "Setup", "chosen", "feature_label", "located", "setup", "test_label", "told"]
