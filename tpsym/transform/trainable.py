r"""The trained arrays of a program with their gradients as sums of outer products.

A program knows an array through a node w of its graph; what is trained is :math:`p = u\,(w - c)` with the unit u and
the centre c: the declared array is a multiple of a standard one, with ``parametrization ntk`` it has variance 1, and
in another parametrisation it is a power of n times it. So :math:`\partial f/\partial p = u^{-1}\partial f/\partial w`,
and a change of p by δ changes w by :math:`u^{-1}\delta`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy import Expr, S

from tpsym.program.instructions import Dimension, MatMul, Matrix, RandomScalar, Vector
from tpsym.program.scope import Context, Trained
from tpsym.program.values import Family, Scalar, Value, VectorValue
from tpsym.transform.backward import Gradients


@dataclass(frozen=True, slots=True)
class Use:
    r"""A part of the gradient of one output by the node of an array: ``scale · left ⊗ right``.

    ``left`` runs over ``rows`` (a number where that is ``None``); ``right`` is a vector over ``columns``, the name of
    a data point, or nothing. All of ∂f/∂w is the sum over the uses of an output, powers of n included.
    """

    example: int
    scale: Expr
    left: Expr
    rows: Dimension | None
    right: Expr | str | None = None
    columns: Dimension | None = None


@dataclass(frozen=True, slots=True)
class Rescaled:
    """Another parametrisation of an array: declared = n^multiplier·w, where w is what is trained, and the declared
    array begins n^entries times as large; without it w is the declared array."""

    multiplier: Fraction
    entries: Fraction


Parametrization = Mapping[str, Rescaled]
"""By name of array; what is declared holds for arrays that are not in it, and for none it is empty."""
AS_DECLARED: Parametrization = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Trainable:
    """A trained array: ``node`` is w, ``None`` for an input layer, which is known by ``points``, its products with
    data points by name. ``law`` is the instruction of w (of one of the products). ``unit`` and ``centre`` are u and
    c; an array that cannot move, a constant in ``parametrization ntk``, has no unit. ``entries`` is a power of n that
    the initial w is larger by than the graph has it."""

    name: str
    node: int | None
    law: Matrix | Vector | RandomScalar
    unit: Expr
    centre: Expr
    uses: tuple[Use, ...]
    points: tuple[tuple[int, str], ...]
    entries: Fraction = Fraction(0)


def trainables(
    context: Context, gradients: Sequence[Gradients], *, rescaled: Parametrization = AS_DECLARED
) -> tuple[Trainable, ...]:
    """The trained arrays of a program, with the gradients of each output by them."""
    named = outermost(context)
    found = []
    for trained in context.trained:
        points = tuple(context.input_families.get(trained.name, ())) if trained.node is None else ()
        if trained.node is None and not points:
            continue  # an input layer that is never applied
        law = context.builder[points[0][0] if trained.node is None else trained.node]
        assert isinstance(law, Matrix | Vector | RandomScalar)
        uses = tuple(u for i, g in enumerate(gradients) for u in _uses(context, trained, i, g))
        unit, centre = _unit(context, trained, law, named.get(trained.name), rescaled)
        entries = rescaled[trained.name].entries if trained.name in rescaled else Fraction(0)
        if unit != 0:
            found.append(Trainable(trained.name, trained.node, law, unit, centre, uses, points, entries))
    return tuple(found)


def outermost(context: Context) -> dict[str, Value]:
    """What the outermost names of a program stand for, members of families by name and index."""
    found: dict[str, Value] = {}
    for name, value in context.scope.names.items():
        if isinstance(value, Family):
            found |= {f"{name}[{', '.join(map(str, keys))}]": member for keys, member in value.members.items()}
        else:
            found[name] = value
    return found


def _unit(
    context: Context, trained: Trained, law: Any, declared: Value | None, rescaled: Parametrization
) -> tuple[Expr, Expr]:
    """u and c; u = 0 for an array that cannot move."""
    multiplier = trained.multiplier
    offset: Expr = S.Zero
    if trained.node is not None and isinstance(declared, VectorValue | Scalar):
        offset = sp.expand(declared.expr - multiplier * context.symbol(trained.node))
    if trained.name in rescaled:
        power = rescaled[trained.name].multiplier
        return multiplier * context.n ** -sp.Rational(power.numerator, power.denominator), -offset / multiplier
    if context.parametrization != "ntk":
        return multiplier, -offset / multiplier
    if trained.variance == 0:
        return S.Zero, S.Zero
    return multiplier / sp.sqrt(trained.variance), law.mean if isinstance(law, Vector) else S.Zero


def _uses(context: Context, trained: Trained, example: int, gradients: Gradients) -> list[Use]:
    """∂f/∂w of one output by use; adjoints are n ∂f/∂x, divided by a scale."""
    adjoints, builder = gradients.vectors, context.builder
    scale = gradients.scale / context.n
    if trained.node is None:
        points = context.input_families.get(trained.name, ())
        laws = [(k, point, builder[k]) for k, point in points if k in adjoints]
        return [Use(example, scale, adjoints[k], x.dimension, point) for k, point, x in laws if isinstance(x, Vector)]
    match builder[trained.node]:
        case RandomScalar():
            adjoint = gradients.scalars.get(trained.node)
            return [Use(example, gradients.scale, adjoint, None)] if adjoint is not None else []
        case Vector(dimension=dimension):
            adjoint = adjoints.get(trained.node)
            return [Use(example, scale, adjoint, dimension)] if adjoint is not None else []
        case Matrix(rows=rows, columns=columns):
            found = []
            for k in sorted(builder.graph.successors(trained.node)):
                use = builder[k]
                if k in adjoints and isinstance(use, MatMul):
                    pair = (adjoints[k], context.symbol(use.vector))
                    left, right = pair[::-1] if use.transposed else pair
                    found.append(Use(example, scale, left, rows, right, columns))
            return found
        case other:
            raise TypeError(f"{type(other).__name__} is not an initial array")
