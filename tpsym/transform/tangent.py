r"""The tangent kernel as a program.

.. math:: \Theta(\xi, \bar\xi) = \sum_w \langle\nabla_w f(\xi), \nabla_w f(\bar\xi)\rangle

Each summand is a sum over all pairs of uses of a trained array (weights shared over time, positions or
layers included), a product of moments of the forward and backward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sympy import Add, Expr, S

from tpsym.program.instructions import Dimension, MatMul, Matrix, RandomScalar, Vector
from tpsym.program.scope import Context, Trained
from tpsym.transform.backward import Gradients


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one trained array adds to a tangent kernel: ``factor`` times ``inner``, a scalar of the program.

    ``factor`` holds the powers of n and the constants.
    """

    name: str
    factor: Expr
    inner: Expr


def contributions(
    context: Context, first: Gradients, second: Gradients, *, arrays: Iterable[Trained] | None = None
) -> list[Contribution]:
    r"""The summands of ``⟨∇f, ∇g⟩`` by trained array, those that vanish identically left out.

    With parametrisation ``ntk`` an array of variance s² is s·ω with ω trained, otherwise the array itself.
    """
    wanted = tuple(context.trained if arrays is None else arrays)
    key = ("contributions", id(first), id(second), wanted)
    if key not in context.instances:
        # the gradients are kept, so that their ids stay theirs
        context.instances[key] = (first, second, _contributions(context, first, second, wanted))
    return list(context.instances[key][2])


def _contributions(
    context: Context, first: Gradients, second: Gradients, arrays: Iterable[Trained]
) -> list[Contribution]:
    found = []
    for array in arrays:
        inner = _inner(context, array, first, second)
        if inner != 0:
            weight = array.variance if context.parametrization == "ntk" else S.One
            factor = first.scale * second.scale * weight / array.multiplier**2
            found.append(Contribution(array.name, factor, inner))
    return found


def _inner(context: Context, array: Trained, first: Gradients, second: Gradients) -> Expr:
    """⟨∂f/∂W, ∂g/∂W⟩ for the array without its multiplier, powers of n included."""
    n = context.n
    if array.node is None:
        return _of_input_layer(context, array.name, first, second)
    instruction = context.builder[array.node]
    if isinstance(instruction, RandomScalar):
        return first.scalars.get(array.node, S.Zero) * second.scalars.get(array.node, S.Zero)
    if isinstance(instruction, Vector):
        g, h = (gradients.vectors.get(array.node, S.Zero) for gradients in (first, second))
        return instruction.dimension.ratio / n * context.average(g * h, instruction.dimension)
    assert isinstance(instruction, Matrix)
    uses = [_uses(context, array.node, gradients.vectors) for gradients in (first, second)]
    size = instruction.rows.ratio * instruction.columns.ratio
    pairs = [
        context.average(left * other_left, instruction.rows) * context.average(right * other_right, instruction.columns)
        for left, right in uses[0]
        for other_left, other_right in uses[1]
    ]
    return size * Add(*pairs)


def _uses(context: Context, matrix: int, adjoints: Mapping[int, Expr]) -> list[tuple[Expr, Expr]]:
    """The outer products n ∂f/∂W is a sum of: (vector over the rows, vector over the columns) by use."""
    found = []
    for node in sorted(context.builder.graph.successors(matrix)):
        instruction = context.builder[node]
        if node in adjoints and isinstance(instruction, MatMul):
            pair = (adjoints[node], context.symbol(instruction.vector))
            found.append(pair[::-1] if instruction.transposed else pair)
    return found


def _of_input_layer(context: Context, name: str, first: Gradients, second: Gradients) -> Expr:
    """Data are known through their products: the sum over pairs of data points the layer was applied to."""
    points = context.input_families.get(name, [])
    pairs = []
    for node, x in points:
        for other, y in points:
            if node in first.vectors and other in second.vectors:
                dimension: Dimension = context.builder[node].dimension  # type: ignore[union-attr, assignment]
                mean = context.average(first.vectors[node] * second.vectors[other], dimension)
                pairs.append(dimension.ratio * context.gram(x, y) * mean)
    return Add(*pairs) / context.n
