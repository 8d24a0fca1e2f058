"""A program run at finite width, in NumPy.

This interpreter knows nothing of limits. It draws the initial matrices and vectors and does what the
instructions say, so that it can contradict the theory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.program.graph import Program
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    Vector,
    arguments,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.simulate.draws import Component, Stream, components, draw_matrix, draw_vectors, streams
from tpsym.simulate.payload import Array, Payload, Value, compile_payload

MAX_ENTRIES = 2**30
"""Largest matrix (8 GiB) that is drawn."""
MAX_OUTER_TERMS = 2**31
"""Most terms n^(r+1) of an outer nonlinearity of order r: n = 46340 for r = 1, n = 1290 for r = 2."""
BLOCK = 2**18
"""Terms of an outer nonlinearity held at once, so that its temporaries stay in the cache."""

Seed = int | Sequence[int]
NOTHING: Mapping[int, Array | float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Plan:
    """A program made ready to run at one width; one plan serves any number of seeds.

    ``order`` lists the nodes to compute, ``payloads`` their compiled expressions, ``expiry`` the last
    user of each node, ``laws`` the mean and standard deviation of matrix entries and random scalars.
    """

    program: Program
    nodes: tuple[int, ...]
    n: int
    sizes: Mapping[str, int]
    parameters: Mapping[str, float]
    order: tuple[int, ...]
    expiry: Mapping[int, int]
    payloads: Mapping[int, Payload]
    streams: Mapping[int, Stream]
    components: Mapping[int, Component]
    laws: Mapping[int, tuple[float, float]]


def run(
    program: Program,
    nodes: Sequence[int],
    *,
    n: int,
    seed: Seed,
    values: Mapping[Symbol, float],
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[int, Array | float]:
    """The values of these nodes in one random draw of the program at base width ``n``.

    A vector is an array of its dimension's size ``round(n·ratio)``, a scalar a float, a matrix a
    two-dimensional array. ``values`` gives the parameters; a symbol named like a dimension stands for
    that dimension's size. ``functions`` gives unknown functions, see
    :func:`~tpsym.simulate.payload.compile_payload`. The same (seed, n) draws the same matrices and
    vectors whatever is asked. Raises :class:`TpError`: ``no-value`` for a parameter without a value,
    ``not-numeric``, ``bad-size``, ``bad-covariance``, ``too-large``.
    """
    return execute(prepare(program, nodes, n=n, values=values, functions=functions), seed=seed)


def prepare(
    program: Program,
    nodes: Sequence[int],
    *,
    n: int,
    values: Mapping[Symbol, float],
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Plan:
    """Everything about a run that is not random: sizes, payloads, laws, order. Raises as :func:`run`."""
    order = tuple(program.ancestors(nodes))
    parameters = {symbol.name: float(value) for symbol, value in values.items()}
    sizes = _sizes(program, n, parameters)
    parameters |= {name: float(size) for name, size in sizes.items()}
    for node in order:
        _check_size(program, node, sizes)

    def number(expression: Expr, node: int) -> float:
        return _number(program, node, expression, parameters)

    laws = _laws(program, order, sizes, number)
    return Plan(
        program=program,
        nodes=tuple(nodes),
        n=n,
        sizes=sizes,
        parameters=parameters,
        order=order,
        expiry={argument: node for node in order for argument in arguments(program[node])},
        payloads=_payloads(program, order, functions or {}, parameters),
        streams=streams(program),
        components=components(program, {v for v in order if isinstance(program[v], Vector)}, number),
        laws=laws,
    )


def execute(
    plan: Plan, *, seed: Seed, given: Mapping[int, Array | float] = NOTHING
) -> dict[int, Array | float]:
    """One run. Initial arrays are drawn at their first use, and every value is freed after its last.

    ``given`` are values of nodes that are taken as they are, such as trained arrays.
    """
    live: dict[int, Any] = dict(given)
    for node in plan.order:
        reads = arguments(plan.program[node])
        if isinstance(plan.program[node], Matrix | Vector) or node in given:
            continue
        for argument in reads:
            if argument not in live:
                live |= _draw(plan, argument, seed)
        with np.errstate(all="ignore"):
            live[node] = _compute(plan, node, live, seed)
        for argument in reads:
            if plan.expiry[argument] == node and argument not in plan.nodes:
                live.pop(argument, None)
    for node in plan.nodes:
        if node not in live:
            live |= _draw(plan, node, seed)
    return {node: live[node] for node in plan.nodes}


def initial(plan: Plan, nodes: Iterable[int], *, seed: Seed) -> dict[int, Array | float]:
    """The initial arrays and scalars of a run among ``nodes``, as :func:`execute` draws them."""
    drawn: dict[int, Array | float] = {}
    for node in nodes:
        if node in drawn:
            continue
        match plan.program[node]:
            case Matrix() | Vector():
                drawn |= _draw(plan, node, seed)
            case RandomScalar():
                drawn[node] = _compute(plan, node, {}, seed)
            case _:
                pass
    return drawn


def _sizes(program: Program, n: int, parameters: Mapping[str, float]) -> dict[str, int]:
    """The size of each dimension; a ratio may contain the first width, which is a parameter here."""
    dimensions: dict[Dimension, int] = {}
    for node in program.graph:
        match program[node]:
            case Matrix(rows=rows, columns=columns):
                dimensions |= dict.fromkeys((rows, columns), node)
            case Vector() | MatMul() | Nonlin() | OuterNonlin() as instruction:
                dimensions[instruction.dimension] = node
            case _:
                pass
    known = {**parameters, **{d.name: float(n) for d in dimensions if d.ratio == 1}}
    sizes = {}
    for dimension, node in dimensions.items():
        size = n * _number(program, node, dimension.ratio, known)
        if not (isfinite(size) and round(size) >= 1):
            raise fail(
                "bad-size", f"at width {n} the size {dimension.name} would be {size:g}",
                program.spans.get(node), expected="at least 1",
            )
        sizes[dimension.name] = round(size)
    return sizes


def _check_size(program: Program, node: int, sizes: Mapping[str, int]) -> None:
    match program[node]:
        case Matrix(rows=rows, columns=columns):
            count, allowed = sizes[rows.name] * sizes[columns.name], MAX_ENTRIES
            what = f"{sizes[rows.name]} × {sizes[columns.name]} entries"
        case OuterNonlin(dimension=dimension, order=order):
            count, allowed = sizes[dimension.name] ** (order + 1), MAX_OUTER_TERMS
            what = f"a sum of {sizes[dimension.name]}^{order + 1} terms"
        case _:
            return
    if count > allowed:
        raise fail(
            "too-large", f"{program.label(node)} would be {what}", program.spans.get(node),
            expected=f"at most {allowed}", fix="choose a smaller width",
        )


def _number(program: Program, node: int, expression: Expr, parameters: Mapping[str, float]) -> float:
    span = program.spans.get(node)
    payload = compile_payload(expression, functions={}, span=span)
    _check_known(payload, parameters, program, node)
    return float(payload(parameters))


def _check_known(payload: Payload, known: Mapping[str, float], program: Program, node: int) -> None:
    missing = sorted(s.name for s in payload.symbols if s.name not in known)
    if missing:
        raise fail(
            "no-value", f"{', '.join(missing)} must have a value to run {program.label(node)}",
            program.spans.get(node), fix="give the parameter a default or pass its value",
        )


def _laws(
    program: Program, order: Sequence[int], sizes: Mapping[str, int], number: Callable[[Expr, int], float]
) -> dict[int, tuple[float, float]]:
    laws = {}
    for node in order:
        match program[node]:
            case Matrix(variance=variance, columns=columns):
                mean, square = 0.0, number(variance, node) / sizes[columns.name]
            case RandomScalar(mean=expression, variance=variance):
                mean, square = number(expression, node), number(variance, node)
            case _:
                continue
        if not (isfinite(square) and square >= 0):
            raise fail(
                "bad-covariance", f"the variance of {program.label(node)} is {square:g}",
                program.spans.get(node), expected="a number that is not negative",
            )
        laws[node] = (mean, sqrt(square))
    return laws


def _payloads(
    program: Program,
    order: Sequence[int],
    functions: Mapping[str, Callable[..., Any]],
    parameters: Mapping[str, float],
) -> dict[int, Payload]:
    compiled: dict[Expr, Payload] = {}
    payloads = {}
    for node in order:
        instruction = program[node]
        if isinstance(instruction, Nonlin | Moment | OuterNonlin):
            expression = instruction.payload
            if expression not in compiled:
                compiled[expression] = compile_payload(
                    expression, functions=functions, span=program.spans.get(node)
                )
            payloads[node] = compiled[expression]
            slots = dict.fromkeys((slot.name for slot in _slots(instruction)), 0.0)
            _check_known(payloads[node], {**parameters, **slots}, program, node)
    return payloads


def _slots(instruction: Nonlin | Moment | OuterNonlin) -> list[Symbol]:
    count, order = len(instruction.vectors), instruction.order if isinstance(instruction, OuterNonlin) else 0
    return [
        *(vector_slot(i) for i in range(count)),
        *(scalar_slot(i) for i in range(len(instruction.scalars))),
        *(column_slot(copy, i) for copy in range(order) for i in range(count)),
    ]


def _draw(plan: Plan, node: int, seed: Seed) -> dict[int, Array]:
    """An initial matrix, or an initial vector with those of its family that are needed too."""
    instruction = plan.program[node]
    if isinstance(instruction, Vector):
        size = plan.sizes[instruction.dimension.name]
        drawn = draw_vectors(plan.components[node], size, plan.streams, seed=seed, n=plan.n)
        return {member: vector for member, vector in drawn.items() if member in plan.components}
    assert isinstance(instruction, Matrix), "everything else is computed in program order"
    shape = plan.sizes[instruction.rows.name], plan.sizes[instruction.columns.name]
    return {node: draw_matrix(plan.streams[node], shape, plan.laws[node][1], seed=seed, n=plan.n)}


def _compute(plan: Plan, node: int, live: Mapping[int, Any], seed: Seed) -> Value:
    instruction = plan.program[node]
    match instruction:
        case RandomScalar():
            mean, deviation = plan.laws[node]
            return mean + deviation * float(plan.streams[node].generator(seed, plan.n).standard_normal())
        case MatMul(matrix=matrix, transposed=transposed, vector=vector):
            product: Array = live[vector] @ live[matrix] if transposed else live[matrix] @ live[vector]
            return product
        case Nonlin(dimension=dimension):
            value = _coordinatewise(plan, node, instruction, live)
            return np.array(np.broadcast_to(value, (plan.sizes[dimension.name],)), dtype=np.float64)
        case Moment():
            value = _coordinatewise(plan, node, instruction, live)
            return float(np.mean(value))
        case OuterNonlin():
            return _outer(plan, node, instruction, live)
        case _:
            raise TypeError(f"no finite-width form for {type(instruction).__name__}")


def _coordinatewise(plan: Plan, node: int, instruction: Nonlin | Moment, live: Mapping[int, Any]) -> Any:
    given: dict[str, Value] = dict(plan.parameters)
    given |= {vector_slot(i).name: live[x] for i, x in enumerate(instruction.vectors)}
    given |= {scalar_slot(i).name: live[t] for i, t in enumerate(instruction.scalars)}
    return plan.payloads[node](given)


def _outer(plan: Plan, node: int, instruction: OuterNonlin, live: Mapping[int, Any]) -> Array:
    """The sum over r further coordinates, a block of rows at a time."""
    size, order = plan.sizes[instruction.dimension.name], instruction.order
    given: dict[str, Value] = dict(plan.parameters)
    given |= {scalar_slot(i).name: live[t] for i, t in enumerate(instruction.scalars)}
    for copy in range(order):
        axes = [1] * (order + 1)
        axes[copy + 1] = size
        given |= {column_slot(copy, i).name: live[x].reshape(axes) for i, x in enumerate(instruction.vectors)}
    rows = max(1, BLOCK // size**order)
    result = np.empty(size)
    for start in range(0, size, rows):
        part = slice(start, min(start + rows, size))
        shape = (part.stop - start, *([1] * order))
        own = (live[x][part].reshape(shape) for x in instruction.vectors)
        given |= {vector_slot(i).name: vector for i, vector in enumerate(own)}
        terms = plan.payloads[node](given)
        full = np.broadcast_to(terms, (shape[0], *([size] * order)))
        result[part] = full.mean(axis=tuple(range(1, order + 1)))
    return result
