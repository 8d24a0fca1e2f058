"""``kernel_limit(F)``: training in the kernel regime as the language asks about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from sympy import Expr, Function, Integer, Symbol, Tuple

from tpsym.errors import Span, fail
from tpsym.limit.variables import label_latex
from tpsym.program.access import network_of
from tpsym.program.arithmetic import plain
from tpsym.program.calls import take
from tpsym.program.evaluate import evaluate
from tpsym.program.messages import wrong_arity
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Function as Network
from tpsym.program.values import GaussianLaw, Method, Scalar, Snapshot, Theory, Trajectory, Value, describe
from tpsym.results.answers import Answer, needed
from tpsym.results.inputs import default_inputs
from tpsym.results.kernel_training import KernelTraining, Law, kernel_limit
from tpsym.results.kernel_training_algebra import Letters
from tpsym.results.kernel_training_entries import Entry
from tpsym.results.kernel_training_regime import regime
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit, stand_in
from tpsym.results.trained import output, training_of
from tpsym.syntax import tree

SIGNATURES = {
    "kernel": "kernel(x, y)", "law": "law(k, x)", "covariance": "covariance(k, x, y)", "flow": "flow(s, x)",
    "flow_covariance": "flow_covariance(s, x, y)", "final": "final(x)", "final_covariance": "final_covariance(x, y)",
}
TIMED = ("law", "covariance", "flow", "flow_covariance")
"""What begins with a number of steps or a time."""
STATED = 2
"""Inputs at which a ``derive`` states the kernel."""


def ask_kernel_limit(side: LimitQuestions, node: tree.Call, scope: Scope) -> Value:
    """``kernel_limit(F)``."""
    (value,) = take(side.context, node, scope, 1)
    if not isinstance(value, Trajectory):
        what = f"kernel_limit needs a training, this is {describe(value)}"
        raise fail("training-expected", what, node.args[0].span, expected="the name of a `train` statement")
    training_of(side.context, value)

    def find(context: Context, name: str, place: Span) -> Value:
        if name not in SIGNATURES:
            raise fail("unknown-member", f"kernel_limit({value.name}) has no {name}", place,
                       expected=", ".join(f".{s}" for s in SIGNATURES.values()))
        return Method(name, lambda context, call, inner: _called(side, value, name, call, inner))

    return Theory("kernel_limit", network_of(side.context, value), find, lambda: found(side, value, node.span))


def found(side: LimitQuestions, trajectory: Trajectory, span: Span) -> KernelTraining:
    """The kernel limit of a training, derived once.

    Raises:
        NoLimit: training is not, or not known to be, in the kernel regime.
    """
    key = ("kernel limit", id(trajectory.statement))
    if key not in side.exponents:
        side.exponents[key] = kernel_limit(side, training_of(side.context, trajectory), span)
    result: KernelTraining = side.exponents[key]
    return result


def _called(side: LimitQuestions, trajectory: Trajectory, name: str, node: tree.Call, scope: Scope) -> Value:
    """``.law(k, x)`` and the others."""
    expected = SIGNATURES[name]
    if len(node.args) != expected.count(",") + 1:
        raise wrong_arity(name, expected.count(",") + 1, len(node.args), node.span, signature=expected)
    places = [(evaluate(side.context, a, scope), a.span) for a in node.args]
    times = [_time(side, *places.pop(0))] if name in TIMED else []
    points = [point(side.context, trajectory, value, span) for value, span in places]
    if side.dry:
        shown: Expr = stand_in(Function(name)(*times, *points))
        return GaussianLaw(shown, shown) if name in ("law", "flow", "final") else Scalar(shown)
    result = getattr(found(side, trajectory, node.span), name)(*times, *points)
    return as_value(result, node.span) if isinstance(result, Law) else Scalar(result)


def _time(side: LimitQuestions, value: Value, span: Span) -> Expr:
    time = plain(side.context, value, span)
    if not isinstance(time, Scalar) or time.expr.free_symbols & side.context.nodes.keys():
        raise fail("number-expected", f"a time is a number, this is {describe(value)}", span)
    return time.expr


def point(context: Context, trajectory: Trajectory, x: Value, span: Span) -> Expr:
    """The network before training at an input."""
    network = network_of(context, trajectory)
    count = len(network.definition.parameters)
    if count != 1:
        raise NoLimit(f"{network.name} has {count} arguments, an input of a kernel limit is one", span)
    return output(context, network, (x,), span)


def as_value(law: Law, span: Span) -> Value:
    """A law as a value of the language: a number where nothing is random."""
    if law.variance == 0:
        return Scalar(law.mean)
    if not law.gaussian:
        raise NoLimit("the output is random and not Gaussian in the limit", span)
    return GaussianLaw(law.mean, law.variance)


def law_of(side: LimitQuestions, node: tree.Expr, scope: Scope) -> Callable[[], Value] | None:
    """What ``F[k](x)`` is in the kernel limit, where an expression is of this form."""
    if not isinstance(node, tree.Call) or isinstance(node.function, tree.Name):
        return None
    snapshot = evaluate(side.context, node.function, scope)
    if not isinstance(snapshot, Snapshot) or len(node.args) != 1:
        return None

    def law() -> Value:
        x = point(side.context, snapshot.trajectory, evaluate(side.context, node.args[0], scope), node.span)
        return as_value(found(side, snapshot.trajectory, node.span).law(snapshot.step, x), node.span)

    with suppress(NoLimit):
        if regime(side, training_of(side.context, snapshot.trajectory), node.span) == "kernel":
            return law
    return None


# --- what a derive states ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Board:
    """The kernel K and the initial covariance Σ by name, as a person would write a law in them.

    ``points`` are outputs by the name of their input, ``stated`` the names whose values have been given.
    """

    side: LimitQuestions
    kernel: KernelTraining
    points: tuple[tuple[str, Expr], ...]
    text: str
    span: Span
    names: dict[Expr, Symbol]
    stated: set[Symbol]

    def answer(self, left: Symbol, right: Expr, *, note: str = "", shares: tuple[tuple[str, Expr], ...] = ()) -> Answer:
        """An equation; what has been stated is not defined again."""
        known = {s: e for s, e in self.side.limit.definitions.items() if s not in self.stated}
        rest = Tuple(right, *(e for _, e in shares))
        return Answer(self.text, left, right, needed(rest, known), (), self.span, note=note, contributions=shares)

    def entries(self) -> Iterator[Answer]:
        """K and Σ at the inputs, each with a name from then on."""
        pairs = [(p, q) for i, p in enumerate(self.points) for q in self.points[i:]]
        examples = self.kernel.start.training.outputs
        for (a, x), (b, y) in pairs:
            if x not in examples and y not in examples:
                continue
            entry = self.kernel.entry(x, y)
            shares = tuple((s.name, s.value) for s in entry.shares if s.value != 0)
            yield self.answer(self._name("K", a, b), entry.value, note=self._kernel_note(entry), shares=shares)
            self._state("K", a, b, entry.value)
        for (a, x), (b, y) in pairs:
            value = self.kernel.start.covariance(x, y)
            if value != 0:
                yield self.answer(self._name("Σ", a, b), value, note="the covariance of outputs before training")
                self._state("Σ", a, b, value)

    def _name(self, head: str, a: str, b: str) -> Symbol:
        found = Symbol(f"{head}({a}, {b})", nonnegative=True) if a == b else Symbol(f"{head}({a}, {b})", real=True)
        inside = ", ".join(label_latex(name) for name in (a, b))
        self.side.limit.variables.latex.setdefault(found, f"{HEADS[head]}({inside})")
        return found

    def _state(self, head: str, a: str, b: str, value: Expr) -> None:
        if value.is_Rational or value in self.names:
            return
        symbol = self._name(head, a, b)
        self.names[value] = symbol
        self.stated.add(symbol)
        self.side.limit.definitions[symbol] = value

    def _kernel_note(self, entry: Entry) -> str:
        n = self.side.context.n
        gone = [f"{s.name} adds {'less than ' if s.bound else ''}order {n**s.exponent}".replace("**", "^")
                for s in entry.shares if s.value == 0 and s.exponent is not None]
        assumed = [f"assuming that {self.kernel.start.assumes}"] if self.kernel.start.assumes else []
        return "; ".join(["the kernel of training", *gone, *assumed])

    def laws(self, step: Expr) -> Iterator[Answer]:
        """The law of the outputs after some steps."""
        kernel = replace(self.kernel, letters=Letters(self.names, {}))
        for name, x in self.points:
            with suppress(NoLimit):
                law = kernel.law(step, x)
                label = f"f[{step}]({name})"
                if law.variance == 0:
                    yield self.answer(Symbol(label, real=True), law.mean)
                else:
                    yield self.answer(Symbol(f"E {label}", real=True), law.mean, note="over initialisations")
                    yield self.answer(Symbol(f"Var {label}", real=True), law.variance)


HEADS = {"K": "K", "Σ": r"\Sigma"}


def answers(side: LimitQuestions, value: Theory, text: str, span: Span) -> Iterator[Answer]:
    """The kernel with its arrays, and laws of outputs after training."""
    kernel: KernelTraining = value.content()
    training = kernel.start.training
    inputs = default_inputs(side.context.scope)[:STATED]
    assert isinstance(value.subject, Network)
    points = tuple((name, output(side.context, value.subject, (x,), span)) for name, x in inputs)
    board = Board(side, kernel, points, text, span, {}, set())
    yield from board.entries()
    plain_descent = not training.batches and training.optimizer.momentum == 0
    symbolic = list(board.laws(Symbol("k", integer=True, nonnegative=True))) if plain_descent else []
    yield from symbolic or board.laws(Integer(training.steps))


__all__ = ["answers", "ask_kernel_limit", "law_of"]
