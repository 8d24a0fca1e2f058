"""Entries of kernels: ``nngp(f)(x, y)`` and ``ntk(f)(x, y)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.limit.rules import Covariance, expectation_rule
from tpsym.limit.scalars import ScalarLimit, covariance, covariance_terms, noise_covariance, scalar_limit
from tpsym.limit.variables import label_latex
from tpsym.program.access import network_of
from tpsym.program.arithmetic import plain
from tpsym.program.calls import inner_value, label_of, run
from tpsym.program.values import Function, Kernel, Member, Scalar, Snapshot, Value, VectorValue, describe
from tpsym.results.reasons import NoLimit, reasons, stand_in
from tpsym.results.tangent import TangentLimit, by_states, gradients, tangent_limit, tell
from tpsym.results.trained import unrolled
from tpsym.transform.tangent import Contribution, contributions

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

Pair = tuple[Value, Value]


def nngp(side: LimitQuestions, kernel: Kernel, inputs: Pair, span: Span) -> Expr:
    """The limit covariance of the outputs at two inputs; of a vector, the mean of its products."""
    first, second = (output(side, kernel, a, span) for a in inputs)
    side.ask(first.expr)
    side.ask(second.expr)
    if side.dry:
        return stand_in(first.expr + second.expr)
    with reasons(span):
        side.cite(first.expr, second.expr)
        if isinstance(first, VectorValue) and isinstance(second, VectorValue):
            value = side.limit.mean(side.limit.series(first.expr * second.expr)).limit()
            side.log_quantity(span, "mean", ((first.expr * second.expr, first.dimension),), value)
            return value
        limits = [scalar_limit(side.limit, v.expr) for v in (first, second)]
        if not any(v.noise for v in limits):
            raise NoLimit("the output tends to a number, not to a Gaussian process", span)
        if not all(v.gaussian for v in limits):
            raise NoLimit("the limit of the output is not Gaussian", span)
        value = covariance(side.limit, *limits)
    name = entry_name(side, kernel, inputs)
    side.log_quantity(span, "covariance", ((first.expr, None), (second.expr, None)), value, name=name)
    tell_covariance(side, kernel, inputs, limits, value)
    return value


def ntk(side: LimitQuestions, kernel: Kernel, inputs: Pair, span: Span) -> Expr:
    """The limit of the tangent kernel at two inputs, with its power of n."""
    result = tangent_entry(side, kernel, inputs, span)
    if result is None:
        first, second = (output(side, kernel, a, span) for a in inputs)
        return stand_in(first.expr + 2 * second.expr)
    return side.context.n**result.exponent * result.value


def tangent_entry(side: LimitQuestions, kernel: Kernel, inputs: Pair, span: Span) -> TangentLimit | None:
    """The limit of the tangent kernel with its summands; nothing is computed, and ``None``, on a dry run."""
    first, second = (output(side, kernel, a, span) for a in inputs)
    context = side.context
    if side.dry:
        side.ask(first.expr + second.expr)
        return None
    passes = gradients(context, first), gradients(context, second)
    if isinstance(kernel.function, Snapshot):
        return trained_entry(side, kernel.function, contributions(context, *passes), span)
    found, below = contributions(context, *passes), by_states(context, *passes)
    if not found and not below:
        raise NoLimit("no trained array reaches the output, so its tangent kernel is zero", span)
    for inner in (*(part.inner for part in found), *(weight for _, _, weight in below)):
        side.ask(inner)
    with reasons(span):
        result = side.tangents.head(*passes)
        side.cite(*(part.inner for part in found), *(weight for _, _, weight in below))
    name = entry_name(side, kernel, inputs)
    key = (name,)
    if key not in side.told:
        side.told.add(key)
        symbol = Symbol(name, real=True)
        side.limit.variables.latex.setdefault(symbol, kernel_latex(side, kernel, inputs))
        tell(side.limit, symbol, result, max(side.asked))
    total = context.n ** (-result.exponent) * sum(part.factor * part.inner for part in found)
    side.log_quantity(span, "mean", ((total, None),), result.value, name=name)
    return result


def trained_entry(
    side: LimitQuestions, snapshot: Snapshot, initial: Sequence[Contribution], span: Span
) -> TangentLimit:
    """The tangent kernel after some steps: the moments of its summands, read in the program that training unrolls."""
    training = unrolled(side.context, snapshot.trajectory)
    found = [replace(part, inner=training.value(part.inner, snapshot.step)) for part in initial]
    for part in found:
        side.ask(part.inner)
    with reasons(span):
        side.cite(*(part.inner for part in found))
        return tangent_limit(side.context, side.limit, found, [], missing_layers)


def missing_layers(first: int, second: int) -> tuple[Expr, Expr]:
    """Training is unrolled for a given number of layers, below which there is nothing."""
    raise AssertionError(f"states {first} and {second} of a symbolic layer in training")


def tell_covariance(
    side: LimitQuestions, kernel: Kernel, inputs: Pair, limits: list[ScalarLimit], value: Expr
) -> None:
    """The step from the outputs to their covariance, once per pair."""
    names = [f"{function_name(kernel)}({label_of(side.context, a)})" for a in inputs]
    if tuple(names) in side.told:
        return
    side.told.add(tuple(names))
    outputs = [Symbol(name, real=True) for name in names]
    for symbol, name in zip(outputs, names, strict=True):
        side.limit.variables.latex.setdefault(symbol, label_latex(name))
    before, after = Covariance(*outputs), covariance_terms(side.limit, limits[0], limits[1])
    node = max(k for found in limits for k in found.noise)
    note = "given everything else the outputs are Gaussian"
    side.limit.record(noise_covariance.rule, node, before, after, note=note)
    side.limit.record(expectation_rule.rule, node, after, value)


def entry_name(side: LimitQuestions, kernel: Kernel, inputs: Pair) -> str:
    """``ntk(f)(x, y)``."""
    return f"{kernel.kind}({function_name(kernel)})({', '.join(label_of(side.context, a) for a in inputs)})"


def kernel_latex(side: LimitQuestions, kernel: Kernel, inputs: Pair) -> str:
    arguments = ", ".join(label_latex(label_of(side.context, a)) for a in inputs)
    return rf"\operatorname{{{kernel.kind.upper()}}}_{{{label_latex(function_name(kernel))}}}({arguments})"


def function_name(kernel: Kernel) -> str:
    """The network a kernel is of, as written: ``f`` or ``f.h[2]``."""
    function = kernel.function
    if isinstance(function, Function | Snapshot):
        return function.name
    indices = f"[{', '.join(map(str, function.indices))}]" if function.indices is not None else ""
    return f"{function.function.name}.{function.name}{indices}"


def output(side: LimitQuestions, kernel: Kernel, x: Value, span: Span) -> Scalar | VectorValue:
    """The network of a kernel at an input."""
    function = kernel.function
    if isinstance(function, Member):
        assert isinstance(function.function, Function)
        value = inner_value(side.context, function, function.function, (x,), span)
    else:
        network = network_of(side.context, function.trajectory) if isinstance(function, Snapshot) else function
        value = run(side.context, network, (x,), span).result(network, span)
    found = plain(side.context, value, span)
    if not isinstance(found, Scalar | VectorValue):
        raise fail("bad-output", f"the output is {describe(found)}", span, expected="a scalar or a vector")
    return found
