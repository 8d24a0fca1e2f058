"""What does not change while a network is read in sizes, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from sympy import Expr

from tpsym.program.graph import Program
from tpsym.program.instructions import Dimension, MatMul, Matrix, Moment, Vector
from tpsym.program.scope import Context
from tpsym.scaling.arrays import Array, Scale, Use
from tpsym.scaling.payload import Pair
from tpsym.scaling.sizes import NOTHING, Size, Source, transposed
from tpsym.scaling.updates import Rules

Role = Literal["vector", "narrow", "denominator", "scalar"]
Nonzero = Callable[[Expr, bool], bool]
"""Whether the limit at initialisation of a number over nodes is certainly not zero at generic values of the
parameters; if the second argument is true, powers of n in arrays and functions do not matter and may be left out."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a nonlinear function or a contraction reads in the forward pass.

    Vectors and denominators are of order one, scalars of order one at most; so are vectors in a width that grows slower
    than another one, for what training adds to a wider layer is aligned with what reads it. ``change`` are the forms of
    the change as far as constraints met before leave them.
    """

    role: Role
    node: int
    expr: Expr
    pair: Pair
    change: Size = NOTHING


@dataclass(frozen=True)
class Setting:
    """What does not change from pass to pass: the program, its arrays, where they act, the rules of the optimizer.

    ``repeated`` are the arrays that there is one of in every layer of a symbolic depth; ``nonzero`` answers for means
    that no symmetry makes vanish, see :mod:`tpsym.scaling.cancelling`.
    """

    context: Context
    scale: Scale
    outputs: tuple[Expr, ...]
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    arrays: tuple[Array, ...]
    uses: Mapping[str, tuple[Use, ...]]
    rules: Rules
    repeated: frozenset[str] = frozenset()
    nonzero: Nonzero | None = None

    @cached_property
    def program(self) -> Program:
        return self.context.builder.program()

    @cached_property
    def by_node(self) -> dict[int, Array]:
        """Arrays that are one node of the program."""
        return {a.node: a for a in self.arrays if a.node is not None}

    @cached_property
    def by_family(self) -> dict[str, Array]:
        """Input layers by name."""
        return {a.name: a for a in self.arrays if a.kind == "input"}

    @cached_property
    def initial_vectors(self) -> frozenset[int]:
        """Vectors that are arrays themselves rather than what an array gives."""
        vectors = (k for k in self.program.graph if isinstance(self.program[k], Vector))
        return frozenset(k for k in vectors if self.program[k].family not in self.context.input_families)  # type: ignore[union-attr]

    @cached_property
    def widest(self) -> Fraction:
        """The largest growth of a width in the network."""
        return max((self.scale.growth(d) for k in self.forward if (d := self._dimension(k))), default=Fraction(1))

    def _dimension(self, node: int) -> Dimension | None:
        return getattr(self.program[node], "dimension", None)

    def is_narrow(self, expr: Expr) -> bool:
        """Whether an expression is a vector in a width that grows slower than another one."""
        nodes = (self.context.nodes[s] for s in expr.free_symbols if s in self.context.nodes)
        sizes = [self.scale.growth(d) for k in nodes
                 if not isinstance(self.program[k], Moment) and (d := self._dimension(k))]
        return bool(sizes) and max(sizes) < self.widest

    @cached_property
    def behind(self) -> frozenset[Source]:
        """Every array that the network or its gradients are computed from."""
        found: set[Source] = set()
        for node in self.program.ancestors((*self.forward, *self.backward)):
            instruction = self.program[node]
            if isinstance(instruction, Matrix):
                found |= {node, transposed(node)}
            elif isinstance(instruction, Vector):
                found.add(instruction.family)
        return frozenset(found)

    def array_of(self, node: int) -> Array | None:
        """The trained array that a product is one of, applied to a vector or to data."""
        instruction = self.program[node]
        if isinstance(instruction, MatMul):
            return self.by_node.get(instruction.matrix)
        return self.by_family.get(instruction.family) if isinstance(instruction, Vector) else None

    def read_by(self, moment: int) -> frozenset[str]:
        """The arrays that a contraction reads themselves: readouts, and input layers that no other array reads."""
        instruction = self.program[moment]
        vectors = instruction.vectors if isinstance(instruction, Moment) else ()
        own = {self.by_node[k].name for k in vectors if k in self.by_node}
        if not any(k in self.initial_vectors for k in vectors):
            own |= {f for k in vectors if (f := getattr(self.program[k], "family", None)) in self.by_family}
        return frozenset(own)

    @cached_property
    def in_forward(self) -> frozenset[int]:
        return frozenset(self.forward)
