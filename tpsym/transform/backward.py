r"""Reverse mode: the gradient of a scalar of a program is a longer program.

Adjoints are kept at the size of coordinates: of a vector x, :math:`n\,\partial f/\partial x_\alpha` with
n the first width, as a vector; of a scalar θ, :math:`\partial f/\partial\theta`. Every rule below is the
chain rule for one instruction, so a second application gives Hessian-vector products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import NOWHERE
from tpsym.functions import delta, step
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Moment,
    Nonlin,
    OuterNonlin,
    column_slot,
    is_scalar,
    scalar_slot,
    vector_slot,
)
from tpsym.program.labels import node_label
from tpsym.program.letters import MatrixLetter
from tpsym.program.operators import apply_letter
from tpsym.program.scope import Context, power_of
from tpsym.program.values import VectorValue

ADJOINT = "∂"
"""What the name of an adjoint begins with."""


@dataclass(frozen=True, slots=True)
class Gradients:
    r"""``scale`` times the adjoints: expressions over nodes, of every vector and scalar the output depends on.

    ``vectors[k]`` is :math:`n\,\partial f/\partial x_\alpha` of vector k, ``scalars[k]`` is
    :math:`\partial f/\partial\theta` of scalar k, both divided by ``scale``, a power of n.
    """

    scale: Expr
    vectors: Mapping[int, Expr]
    scalars: Mapping[int, Expr]


def backward(context: Context, output: Expr, *, label: str = "") -> Gradients:
    """The gradients of ``output``, an expression over the scalars of the program.

    The program grows by the instructions of the backward pass; powers of n that all seeds share stand
    in front. ``label`` tells apart the adjoints of several outputs. The same question has the same answer,
    remembered with the functions the program consists of.
    """
    key = ("gradients", output, label)
    if key not in context.instances:
        context.instances[key] = _backward(context, output, label)
    found: Gradients = context.instances[key]
    return found


def _backward(context: Context, output: Expr, label: str) -> Gradients:
    nodes = sorted(context.nodes[s] for s in output.free_symbols if s in context.nodes)
    seeds = {k: sp.diff(output, context.symbol(k)) for k in nodes}
    found = next((p for s in seeds.values() if s != 0 and (p := power_of(s, context.n)) is not None), None)
    scale = context.n ** found[1] if found is not None else S.One
    scaled = {k: sp.powsimp(sp.expand(s / scale)) for k, s in seeds.items()}
    return pull_back(context, scalars=scaled, scale=scale, label=label)


def pull_back(
    context: Context,
    *,
    vectors: Mapping[int, Expr] | None = None,
    scalars: Mapping[int, Expr] | None = None,
    scale: Expr = S.One,
    label: str = "",
) -> Gradients:
    """The adjoints of everything that the seeded vectors and scalars are computed from, given theirs."""
    walk = Walk(context, label, {k: [e] for k, e in {**(vectors or {}), **(scalars or {})}.items()})
    for node in reversed(context.builder.program().ancestors(walk.parts)):
        walk.visit(node)
    found = {k: e for k, e in walk.totals.items() if e != 0}
    is_number = {k: is_scalar(context.builder[k]) for k in found}
    return Gradients(
        scale, {k: e for k, e in found.items() if not is_number[k]}, {k: e for k, e in found.items() if is_number[k]}
    )


@lru_cache(maxsize=4096)
def slope(payload: Expr, slot: Symbol) -> Expr:
    """The weak derivative of a payload."""
    found: Expr = sp.diff(payload, slot)
    if found.has(sp.Heaviside):
        found = found.replace(sp.Heaviside, lambda z, *_: step(z))
    return found.replace(sp.DiracDelta, delta) if found.has(sp.DiracDelta) else found


@dataclass(slots=True)
class Walk:
    """One backward pass: ``parts`` are the summands of adjoints met so far, ``totals`` the finished ones."""

    context: Context
    label: str
    parts: dict[int, list[Expr]]
    totals: dict[int, Expr] = field(default_factory=dict)

    def visit(self, node: int) -> None:
        """Add the parts of a node's adjoint, and hand it on to the node's arguments."""
        total = sp.Add(*self.parts.pop(node, []))
        if total == 0:
            return
        instruction = self.context.builder[node]
        total = self._held(node, total)
        self.totals[node] = total
        match instruction:
            case MatMul(matrix=matrix, transposed=transposed, vector=vector, dimension=dimension):
                back = MatrixLetter(matrix, not transposed)
                image = apply_letter(self.context, back, VectorValue(total, dimension), NOWHERE)
                self._add(vector, image.expr)
            case Nonlin():
                self._nonlin(instruction, total)
            case Moment():
                self._moment(instruction, total)
            case OuterNonlin():
                self._outer(instruction, total)

    def _add(self, node: int, part: Expr) -> None:
        if part != 0:
            self.parts.setdefault(node, []).append(part)

    def _held(self, node: int, total: Expr) -> Expr:
        """The adjoint as an instruction with a name, constant factors in front."""
        context = self.context
        instruction = context.builder[node]
        name = node_label(context.builder.program(), node)
        label = f"{ADJOINT}{name}{self.label}"
        if is_scalar(instruction):
            if total.free_symbols.isdisjoint(context.nodes) or total in context.nodes:
                return total
            inner = context.builder.moment(total, context.nodes, None)
            if not name.startswith("#"):
                context.builder.add(context.builder[inner], label=label)
            return context.symbol(inner)
        symbols = context.vector_symbols(total)
        constant, rest = total.as_independent(*symbols, as_Add=False) if symbols else (S.One, total)
        dimension: Dimension = instruction.dimension  # type: ignore[union-attr, assignment]
        inner = context.materialize(VectorValue(rest, dimension))
        if not name.startswith("#") and isinstance(context.builder[inner], Nonlin | MatMul):
            context.builder.add(context.builder[inner], label=label)
        return constant * context.symbol(inner)

    def _written(self, instruction: Nonlin | Moment, expr: Expr) -> Expr:
        symbol = self.context.symbol
        slots = {vector_slot(i): symbol(k) for i, k in enumerate(instruction.vectors)}
        return expr.xreplace(slots | {scalar_slot(i): symbol(k) for i, k in enumerate(instruction.scalars)})

    def _nonlin(self, instruction: Nonlin, total: Expr) -> None:
        for i, vector in enumerate(instruction.vectors):
            self._add(vector, total * self._written(instruction, slope(instruction.payload, vector_slot(i))))
        for j, scalar in enumerate(instruction.scalars):
            derivative = self._written(instruction, slope(instruction.payload, scalar_slot(j)))
            average = self.context.average(total * derivative, instruction.dimension)
            self._add(scalar, instruction.dimension.ratio * average)

    def _moment(self, instruction: Moment, total: Expr) -> None:
        dimension = instruction.dimension
        ratio = dimension.ratio if dimension is not None else S.One
        for i, vector in enumerate(instruction.vectors):
            derivative = self._written(instruction, slope(instruction.payload, vector_slot(i)))
            self._add(vector, total * derivative / ratio)
        for j, scalar in enumerate(instruction.scalars):
            derivative = self._written(instruction, slope(instruction.payload, scalar_slot(j)))
            mean = self.context.average(derivative, dimension) if dimension is not None else derivative
            self._add(scalar, total * mean)

    def _outer(self, instruction: OuterNonlin, total: Expr) -> None:
        """Of y_α = n^{-r} Σ ψ(x_α; x_β…): along the row, and along each column with the roles exchanged."""
        held = self.context.materialize(VectorValue(total, instruction.dimension))
        vectors, order = (*instruction.vectors, held), instruction.order
        weight = vector_slot(len(instruction.vectors))
        for i, vector in enumerate(instruction.vectors):
            row = slope(instruction.payload, vector_slot(i)) * weight
            self._add(vector, self._again(instruction, row, vectors))
            for copy in range(order):
                column = slope(instruction.payload, column_slot(copy, i)) * weight
                self._add(vector, self._again(instruction, exchanged(column, copy, len(vectors)), vectors))
        for j, scalar in enumerate(instruction.scalars):
            column = slope(instruction.payload, scalar_slot(j)) * weight
            image = self._again(instruction, column, vectors)
            self._add(scalar, instruction.dimension.ratio * self.context.average(image, instruction.dimension))

    def _again(self, instruction: OuterNonlin, payload: Expr, vectors: tuple[int, ...]) -> Expr:
        if payload == 0:
            return S.Zero
        node = self.context.builder.outer(
            payload, order=instruction.order, vectors=vectors, scalars=instruction.scalars,
            dimension=instruction.dimension,
        )
        return self.context.symbol(node)


def exchanged(payload: Expr, copy: int, count: int) -> Expr:
    """An outer payload with the row and one summed copy exchanged."""
    swap = {vector_slot(i): column_slot(copy, i) for i in range(count)}
    return payload.xreplace(swap | {c: v for v, c in swap.items()})
