"""The arrays of a program with the exponents of their multiplier, their entries and their learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sympy import Expr, Symbol

from tpsym.errors import NOWHERE, Span, fail
from tpsym.polyhedra.forms import Form, number
from tpsym.program.graph import Program
from tpsym.program.instructions import Dimension, MatMul, Matrix, RandomScalar, Vector
from tpsym.program.messages import written
from tpsym.program.scope import Context, Trained, power_of
from tpsym.scaling.payload import NotLinear, exponent
from tpsym.scaling.sizes import Source, transposed
from tpsym.transform.backward import Gradients
from tpsym.transform.optimizers import Optimizer

Kind = Literal["matrix", "input", "vector", "scalar"]
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Array:
    r"""A trained array :math:`w` and how the program's own array :math:`W` follows it.

    ``rows`` and ``columns`` are the exponents of its two sizes. Exponents of n: ``deviation`` of the entries of
    w, ``slope`` of :math:`\partial W/\partial w`, ``extra`` of W over what its declaration says (nonzero only where
    exponents are being solved for), ``multiplier`` of w/W as declared, ``rate`` of the learning rate, ``decay`` and
    ``eps`` where there are any.
    """

    name: str
    kind: Kind
    node: int | None
    source: Source
    rows: Fraction
    columns: Fraction
    deviation: Form
    slope: Form
    extra: Form
    multiplier: Form
    rate: Form
    decay: Form | None
    eps: Form | None


@dataclass(frozen=True, slots=True)
class Solved:
    """Exponents that replace those of the declaration: of multiplier, entries and learning rate."""

    multiplier: Form
    deviation: Form
    rate: Form


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a matrix or an input layer acts: node numbers of the product and of what it acts on (``None``
    for data), and the adjoint of the product."""

    product: int
    argument: int | None
    transposed: bool
    adjoint: Expr


def power(expr: Expr, n: Symbol, span: Span = NOWHERE) -> Form:
    """The exponent of n of a constant times a power of n.

    Raises:
        TpError: it is no such product, or the exponent is not linear in the parameters.
    """
    parts = power_of(expr, n)
    if parts is None:
        raise fail("bad-power-of-n", f"{written(expr)} is not a constant times a power of {n}", span)
    try:
        return exponent(parts[1])
    except NotLinear as error:
        what = f"the exponent {error} is not linear in the parameters with rational coefficients"
        raise fail("nonlinear-exponent", what, span) from None


@dataclass(frozen=True, slots=True)
class Scale:
    """What exponents are of: a symbol, the first width, or a depth (``wide`` is false): widths are constants to it."""

    symbol: Symbol
    wide: bool = True

    def power(self, expr: Expr, span: Span = NOWHERE) -> Form:
        """The exponent of a constant times a power of the symbol; see :func:`power`."""
        return power(expr, self.symbol, span)

    def growth(self, dimension: Dimension) -> Fraction:
        """The exponent p of a width that grows as n^p."""
        return 1 + self.power(dimension.ratio).constant if self.wide else Fraction(0)

    def entries(self, matrix: Matrix) -> Form:
        """The exponent of the standard deviation of a matrix of the program, N(0, variance/columns)."""
        return (self.power(matrix.variance) - self.growth(matrix.columns)) * HALF


def arrays_of(
    context: Context, optimizer: Optimizer, scale: Scale, *, solved: Mapping[str, Solved] | None = None
) -> tuple[Array, ...]:
    """The trained arrays of a program."""
    return tuple(_array(context, t, optimizer, scale, (solved or {}).get(t.name)) for t in context.trained)


def _array(
    context: Context, trained: Trained, optimizer: Optimizer, scale: Scale, solved: Solved | None
) -> Array:
    n, name = scale.symbol, trained.name
    kind, source, rows, columns, own = _shape(context, trained, scale)
    multiplier = power(trained.multiplier, n)
    if solved is None:
        standard = context.parametrization == "standard"
        deviation = multiplier + own if standard else number(0)
        slope, extra = own - deviation, number(0)
        rate = power(optimizer.rate_of(name), n)
    else:
        deviation, rate = solved.deviation, solved.rate
        slope = solved.multiplier - multiplier
        extra = slope + deviation - own
    decay, eps = optimizer.decay_of(name), optimizer.eps_of(name)
    return Array(
        name, kind, trained.node, source, rows, columns, deviation, slope, extra, multiplier, rate,
        None if decay == 0 else power(decay, n), None if eps == 0 else power(eps, n),
    )


def _shape(context: Context, trained: Trained, scale: Scale) -> tuple[Kind, Source, Fraction, Fraction, Form]:
    """Kind, source, growth of the two sizes, and the exponent of the entries of the program's array."""
    growth = scale.growth
    if trained.node is None:
        points = context.input_families.get(trained.name, [])
        instruction = context.builder[points[0][0]] if points else None
        rows = growth(instruction.dimension) if isinstance(instruction, Vector) else Fraction(int(scale.wide))
        return "input", trained.name, rows, Fraction(0), number(0)
    instruction = context.builder[trained.node]
    match instruction:
        case Matrix():
            rows, columns = growth(instruction.rows), growth(instruction.columns)
            return "matrix", trained.node, rows, columns, scale.entries(instruction)
        case Vector():
            return "vector", instruction.family, growth(instruction.dimension), Fraction(0), number(0)
        case RandomScalar():
            return "scalar", trained.node, Fraction(0), Fraction(0), number(0)
    raise TypeError(f"no trained array is made of {type(instruction).__name__}")


def uses_of(context: Context, array: Array, gradients: Gradients) -> tuple[Use, ...]:
    """Where an array acts in the forward pass."""
    if array.kind == "input":
        points = context.input_families.get(array.name, [])
        return tuple(
            Use(k, None, False, gradients.vectors[k]) for k, _ in points if k in gradients.vectors
        )
    assert array.node is not None
    if array.kind == "matrix":
        found = []
        for node in sorted(context.builder.graph.successors(array.node)):
            instruction = context.builder[node]
            if isinstance(instruction, MatMul) and node in gradients.vectors:
                found.append(Use(node, instruction.vector, instruction.transposed, gradients.vectors[node]))
        return tuple(found)
    known = gradients.vectors if array.kind == "vector" else gradients.scalars
    return (Use(array.node, None, False, known[array.node]),) if array.node in known else ()


def source_name(program: Program, source: Source) -> str:
    """What a source is called in the file."""
    if not isinstance(source, int):
        return source
    return program.label(source) if source >= 0 else f"{program.label(transposed(source))}.T"
