r"""A program at other values of its trained arrays: the same instructions, read anew.

A matrix that has moved is :math:`W_t = \kappa W_0 + \sum_k c_k\, l_k r_k^\top` with functions of the entries in place
of products where an optimizer takes entries one by one, so that :math:`W_t x` consists of instructions again:
:math:`\kappa W_0 x + \sum_k c_k\, l_k \langle r_k, x\rangle`. Nothing but the vectors that hold the changes is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import NOWHERE, fail
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    column_slot,
    is_scalar,
    scalar_slot,
    vector_slot,
)
from tpsym.program.letters import MatrixLetter
from tpsym.program.operators import apply_letter
from tpsym.program.scope import Context
from tpsym.program.values import VectorValue, node_symbol


@dataclass(frozen=True, slots=True)
class Product:
    """``left ⊗ right``, or ``left`` alone: ``right`` is a vector over ``columns``, a data point by name, or nothing."""

    left: Expr
    right: Expr | str | None = None
    columns: Dimension | None = None


@dataclass(frozen=True, slots=True)
class Entrywise:
    """A matrix whose entry (α, β) is ``payload`` of the coordinates α of ``rows`` and β of ``columns``.

    The payload names them by :func:`row` and :func:`column`; its other nodes are scalars.
    """

    payload: Expr
    rows: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A width × finite matrix by its columns, vectors that meet the numbers of a data point."""

    columns: tuple[Expr, ...]


Part = Product | Entrywise | Columns


def row(index: int) -> Symbol:
    """The coordinate of a vector over the rows, in an :class:`Entrywise` payload."""
    return Symbol(f"$r{index}", real=True)


def column(index: int) -> Symbol:
    """The coordinate of a vector over the columns, in an :class:`Entrywise` payload."""
    return Symbol(f"$k{index}", real=True)


@dataclass(frozen=True, slots=True)
class Moved:
    """The present value of an array's node: ``factor`` times the initial one, plus ``shift``, plus the parts."""

    factor: Expr
    shift: Expr
    parts: tuple[tuple[Expr, Part], ...]


@dataclass(slots=True)
class Copy:
    """A program at other values of its arrays; ``images`` are the nodes read so far, as expressions over new ones.

    ``nodes`` gives the values by node, ``layers`` those of input layers by name; what is in neither stays.
    ``name`` begins the labels of the new nodes.
    """

    context: Context
    name: str
    nodes: Mapping[int, Moved]
    layers: Mapping[str, Moved]
    images: dict[int, Expr] = field(default_factory=dict)

    def __call__(self, expr: Expr) -> Expr:
        """An expression over nodes, of the program at these values."""
        nodes = {s: self.context.nodes[s] for s in expr.free_symbols if s in self.context.nodes}
        self._extend(list(nodes.values()))
        found: Expr = expr.xreplace({s: self.images[k] for s, k in nodes.items()})
        return found

    def _extend(self, nodes: Sequence[int]) -> None:
        program = self.context.builder.program()
        points = {
            k: (layer, point) for layer in self.layers for k, point in self.context.input_families.get(layer, ())
        }
        for node in program.ancestors(k for k in nodes if k not in self.images):
            if node not in self.images and not isinstance(program[node], Matrix):
                self.images[node] = self._image(node, points.get(node))

    def _image(self, node: int, point: tuple[str, str] | None) -> Expr:
        instruction, symbol = self.context.builder[node], self.context.symbol(node)
        match instruction:
            case Vector() | RandomScalar():
                if point is not None:
                    return self._held(node, self._moved(self.layers[point[0]], symbol, point[1]))
                return self._held(node, self._moved(self.nodes[node], symbol)) if node in self.nodes else symbol
            case MatMul():
                return self._held(node, self._product(instruction))
            case Nonlin():
                return self._held(node, self._written(instruction))
            case Moment(dimension=None):
                return self._held(node, self._written(instruction))
            case Moment(dimension=dimension):
                assert dimension is not None
                return self._averaged(node, self._written(instruction), dimension)
            case OuterNonlin():
                return self._outer(node, instruction)
            case State():
                what = "training of a network with a symbolic number of layers"
                depth = next(iter(sorted(self.context.depths)), "L")
                raise fail("symbolic-depth", what + " is not derived", NOWHERE, fix=f"give it a value: --set {depth}=3")
            case _:
                raise TypeError(f"{type(instruction).__name__} has no image")

    # --- arrays ------------------------------------------------------------------------------------

    def _moved(self, array: Moved, initial: Expr, point: str | None = None) -> Expr:
        """The present value of a vector, a scalar, or an input layer at a data point."""
        total = array.factor * initial + array.shift
        for coefficient, part in array.parts:
            total += coefficient * self._at(part, point)
        return total

    def _at(self, part: Part, point: str | None) -> Expr:
        match part:
            case Product(left=left, right=str() as other):
                assert point is not None
                return left * self.context.gram(other, point)
            case Product(left=left):
                return left
            case Columns(columns=columns):
                assert point is not None
                return sp.Add(*(c * v for c, v in zip(columns, numbers(self.context, point), strict=True)))
            case _:
                raise TypeError("a vector that changes like a matrix")

    def _product(self, instruction: MatMul) -> Expr:
        """``W_t x`` or ``W_tᵀ x``."""
        context, transposed = self.context, instruction.transposed
        matrix = context.builder[instruction.matrix]
        assert isinstance(matrix, Matrix)
        dimension = matrix.rows if transposed else matrix.columns
        x = self.images[instruction.vector]
        letter = MatrixLetter(instruction.matrix, transposed)
        initial = apply_letter(context, letter, VectorValue(x, dimension), NOWHERE).expr if x != 0 else S.Zero
        array = self.nodes.get(instruction.matrix)
        if array is None or x == 0:
            return initial
        total = array.factor * initial
        for coefficient, part in array.parts:
            total += coefficient * context.size(dimension) * self._part_times(part, x, instruction, dimension)
        return total

    def _part_times(self, part: Part, x: Expr, instruction: MatMul, dimension: Dimension) -> Expr:
        """A part of a matrix, or its transpose, times x, divided by the number of coordinates of x."""
        match part:
            case Product(left=left, right=sp.Expr() as right):
                inner, outer = (left, right) if instruction.transposed else (right, left)
                return outer * self.context.average(inner * x, dimension)
            case Entrywise():
                return self._entrywise(part, x, instruction, dimension)
            case _:
                raise TypeError("a matrix that changes like a vector")

    def _entrywise(self, part: Entrywise, x: Expr, instruction: MatMul, dimension: Dimension) -> Expr:
        context = self.context
        if dimension.name != instruction.dimension.name:
            what = "updates entry by entry of a matrix between two different widths"
            raise fail("not-available", f"{what} are not unrolled yet", NOWHERE)
        constant, held = self._argument(x, dimension)
        rows, columns = (part.columns, part.rows) if instruction.transposed else (part.rows, part.columns)
        own, other = (column, row) if instruction.transposed else (row, column)
        vectors = tuple(dict.fromkeys((*rows, *columns, held)))
        scalars = tuple(sorted(context.nodes[s] for s in part.payload.free_symbols if s in context.nodes))
        slots: dict[Symbol, Symbol] = {own(i): vector_slot(vectors.index(k)) for i, k in enumerate(rows)}
        slots |= {other(i): column_slot(0, vectors.index(k)) for i, k in enumerate(columns)}
        slots |= {node_symbol(k): scalar_slot(i) for i, k in enumerate(scalars)}
        payload = part.payload.xreplace(slots) * column_slot(0, vectors.index(held))
        node = context.builder.outer(
            payload, order=1, vectors=vectors, scalars=scalars, dimension=instruction.dimension
        )
        return constant * context.symbol(node)

    # --- instructions ------------------------------------------------------------------------------

    def _argument(self, x: Expr, dimension: Dimension) -> tuple[Expr, int]:
        """A vector as a constant times a node."""
        vectors = self.context.vector_symbols(x)
        constant, rest = x.as_independent(*vectors, as_Add=False) if vectors else (S.One, x)
        return constant, self.context.materialize(VectorValue(rest, dimension))

    def _written(self, instruction: Nonlin | Moment) -> Expr:
        """The payload at the images of its arguments."""
        slots = {vector_slot(i): self.images[k] for i, k in enumerate(instruction.vectors)}
        slots |= {scalar_slot(i): self.images[k] for i, k in enumerate(instruction.scalars)}
        found: Expr = instruction.payload.xreplace(slots)
        return found

    def _held(self, node: int, value: Expr) -> Expr:
        """A value as a constant times a node, which has the name of the old one with this program's in front."""
        context, instruction = self.context, self.context.builder[node]
        if value.free_symbols.isdisjoint(context.nodes):
            return value
        if is_scalar(instruction):
            new = context.nodes.get(value)
            new = context.builder.moment(value, context.nodes, None) if new is None else new
            constant: Expr = S.One
        else:
            constant, new = self._argument(value, instruction.dimension)  # type: ignore[union-attr, arg-type]
        self._named(node, new)
        return constant * context.symbol(new)

    def _averaged(self, node: int, payload: Expr, dimension: Dimension) -> Expr:
        value = self.context.average(payload, dimension)
        new = next((k for s in value.free_symbols if (k := self.context.nodes.get(s)) is not None), None)
        if new is not None:
            self._named(node, new)
        return value

    def _outer(self, node: int, instruction: OuterNonlin) -> Expr:
        """The same outer nonlinearity; what its arguments were multiplied by goes into the payload."""
        context = self.context
        old = {k: self.images[k] for k in (*instruction.vectors, *instruction.scalars)}
        if all(old[k] == node_symbol(k) for k in old):
            return context.symbol(node)
        slots: dict[Symbol, Expr] = {}
        vectors: list[int] = []
        for i, k in enumerate(instruction.vectors):
            constant, held = self._argument(old[k], self.context.builder[k].dimension)  # type: ignore[union-attr, arg-type]
            slots[vector_slot(i)] = constant * vector_slot(len(vectors))
            slots |= {column_slot(j, i): constant * column_slot(j, len(vectors)) for j in range(instruction.order)}
            vectors.append(held)
        slots |= {scalar_slot(i): old[k] for i, k in enumerate(instruction.scalars)}
        payload = instruction.payload.xreplace(slots)
        scalars = tuple(sorted(context.nodes[s] for s in payload.free_symbols if s in context.nodes))
        payload = payload.xreplace({node_symbol(k): scalar_slot(i) for i, k in enumerate(scalars)})
        new = context.builder.outer(payload, order=instruction.order, vectors=tuple(vectors), scalars=scalars,
                                    dimension=instruction.dimension)
        self._named(node, new)
        return context.symbol(new)

    def _named(self, old: int, new: int) -> None:
        """Hand on the name and the place in the file."""
        builder = self.context.builder
        if old == new:
            return
        instruction = builder[old]
        own = instruction.name if isinstance(instruction, Vector | RandomScalar) else None
        label = builder.labels.get(old, own)
        span = builder.spans.get(old)
        if label is not None or span is not None:
            builder.add(builder[new], label=None if label is None else f"{self.name}.{label}", span=span)


def numbers(context: Context, point: str) -> tuple[Expr, ...]:
    """The numbers of a data point.

    Raises:
        TpError: ``data-without-numbers``.
    """
    found = context.data.get(point)
    if found is None:
        what = f"what an update entry by entry does to {point} depends on its numbers, not on inner products alone"
        raise fail("data-without-numbers", what, NOWHERE, fix=f"give them: input {point}: (2) = [1, 1/2]")
    return found
