"""The interpreter of the graph in sizes: one pass reads every vector and scalar after some steps of training.

.. math:: W x \\mapsto n^{1/2}\\,|W|\\,|x| \\quad\\text{for an initial } W,

and more by :math:`n^{(c-r)/2}` where x knows W and W has more columns, n^c, than rows, n^r (the correlation part of the
Master Theorem, read in sizes); what updates add is in :mod:`tpsym.scaling.updates`. While features stay of order one a
nonlinear function of them does too, and changes by as much as they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import NOWHERE, fail
from tpsym.polyhedra.forms import number
from tpsym.program.instructions import (
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.program.values import node_symbol
from tpsym.scaling.arrays import HALF, Array, Use
from tpsym.scaling.copies import copied, summed
from tpsym.scaling.payload import NotLinear, Pair, Reader
from tpsym.scaling.setting import Feature, Role, Setting
from tpsym.scaling.sizes import (
    EVEN,
    NOTHING,
    ONE,
    Known,
    Parts,
    Signature,
    Size,
    shifted,
    total,
    transposed,
    united,
    unsymmetric,
    untagged,
)
from tpsym.scaling.updates import Contraction, Outer, contracted, policy
from tpsym.transform.backward import ADJOINT


@dataclass(slots=True)
class Pass:
    """One reading of the program; ``before`` is the previous one, whose gradients the updates are made of.

    ``given`` are the sizes of what loops carry; with ``only`` no other array is updated.
    """

    setting: Setting
    known: Known
    before: Mapping[int, Pair] | None
    given: Mapping[int, Pair] = field(default_factory=dict)
    only: str | None = None
    values: dict[int, Pair] = field(default_factory=dict)
    features: list[Feature] = field(default_factory=list)
    met: dict[int, list[Contraction]] = field(default_factory=dict)
    outputs: list[Pair] = field(default_factory=list)
    moved_outputs: list[Size] = field(default_factory=list)

    def run(self) -> None:
        """Read the forward pass, then the backward one."""
        for node in self.setting.forward:
            self.visit(node)
        self.outputs = [self.expression(e, self.values) for e in self.setting.outputs]
        self.moved_outputs = [self.contain(p) for p in self.outputs] if self.before is not None else []
        for node in self.setting.backward:
            self.visit(node)

    def visit(self, node: int) -> None:
        """Read one instruction."""
        if isinstance(self.setting.program[node], Matrix):
            return
        found = self._read(node)
        if self.before is None and self.known.guide is None:
            self.values[node] = Pair(found.initial, {})
        else:
            change = found.change if node in self.setting.in_forward else untagged(found.change)
            self.values[node] = Pair(self.known.pruned(found.initial), self.known.pruned(change))

    def _read(self, node: int) -> Pair:
        instruction = self.setting.program[node]
        match instruction:
            case Vector():
                return self._vector(node, instruction)
            case RandomScalar():
                shift = self.setting.by_node[node].extra if node in self.setting.by_node else number(0)
                initial = shifted({EVEN: ONE}, shift) if instruction.variance != 0 or instruction.mean != 0 else {}
                return Pair(initial, self._moved(node, initial))
            case MatMul():
                return self._matmul(node, instruction)
            case Nonlin():
                reader = self._reader(node, instruction)
                if node in self.setting.in_forward:
                    self._factors(node, instruction, reader)
                return self._checked(reader, instruction.payload, node)
            case Moment():
                return self._moment(node, instruction)
            case OuterNonlin():
                return self._outer(node, instruction)
            case State() if node in self.given:
                return self.given[node]
            case State():
                raise fail(
                    "symbolic-depth", "exponents of the width need a number of layers",
                    self.setting.program.spans.get(node),
                    fix="give the depth a value (depth L = 3, --set L=3) or ask for exponents of L: scale = L",
                )
        raise TypeError(f"no size for {type(instruction).__name__}")

    # --- arrays -------------------------------------------------------------------------------------

    def _vector(self, node: int, instruction: Vector) -> Pair:
        setting = self.setting
        array = setting.by_node.get(node) or setting.by_family.get(instruction.family)
        initial: dict[Signature, Size] = {}
        if instruction.mean != 0:
            initial[EVEN] = ONE
        if setting.program.covariance(node, node) != 0:
            initial[Signature(frozenset({instruction.family}))] = ONE
        if array is None:
            return Pair(initial, {})
        initial = shifted(initial, array.extra)
        return Pair(initial, self._moved(node, initial, array))

    def _moved(self, node: int, initial: Parts, array: Array | None = None) -> Parts:
        """The change of what an array gives without a vector to act on."""
        array = array or self.setting.by_node.get(node)
        if array is None or self.before is None or self.only not in (None, array.name):
            return {}
        rules = self.setting.rules
        updates = united(*(rules.moved(array, self.outer(use)) for use in self.setting.uses[array.name]))
        if array.kind != "scalar":
            updates = unsymmetric(updates, self.setting.behind)
        return united(updates, rules.decayed(array, initial))

    def outer(self, use: Use) -> Outer:
        """The outer product that a use of an array adds to its gradient, as it was before this step."""
        assert self.before is not None
        adjoint = self.expression(use.adjoint, self.before).now
        argument: Parts = {EVEN: ONE} if use.argument is None else self.before[use.argument].now
        return Outer(argument, adjoint) if use.transposed else Outer(adjoint, argument)

    def expression(self, expr: Expr, values: Mapping[int, Pair]) -> Pair:
        """The sizes of an expression over nodes."""
        nodes = self.setting.context.nodes
        given = {s: values[nodes[s]] for s in expr.free_symbols if s in nodes}
        return self._checked(Reader(self.setting.scale.symbol, given, _nothing, self.known), expr, None)

    def _matmul(self, node: int, instruction: MatMul) -> Pair:
        matrix = self.setting.program[instruction.matrix]
        assert isinstance(matrix, Matrix)
        array = self.setting.by_node.get(instruction.matrix)
        z = self.values[instruction.vector]
        self._contracts(node, instruction.vector)
        initial = self._hat(instruction, matrix, array, z.initial)
        if self.before is None:
            return Pair(initial, {})
        change = self._hat(instruction, matrix, array, z.change)
        if array is None or self.only not in (None, array.name):
            return Pair(initial, change)
        added = []
        for use in self.setting.uses[array.name]:
            outer, back = self.outer(use), instruction.transposed
            parts, contraction = self.setting.rules.applied(array, outer, z, transposed=back)
            self.met.setdefault(node, []).append(contraction)
            added.append(unsymmetric(parts, self.setting.behind))
        return Pair(initial, united(change, *added, self.setting.rules.decayed(array, initial)))

    def _hat(self, instruction: MatMul, matrix: Matrix, array: Array | None, z: Parts) -> Parts:
        """An initial matrix times parts of a vector, with the correlation part where it is larger."""
        rows, columns = self.setting.scale.growth(matrix.rows), self.setting.scale.growth(matrix.columns)
        if instruction.transposed:
            rows, columns = columns, rows
        shift = self.setting.scale.entries(matrix) + columns * HALF
        shift = shift if array is None else shift + array.extra
        own, other = instruction.matrix, transposed(instruction.matrix)
        if instruction.transposed:
            own, other = other, own
        # the hat part flips with the Gaussians of this matrix, the correlation part with those of its transpose; where
        # there are both, the sum has no parity in either
        wide = max((columns - rows) * HALF, Fraction(0))
        found: dict[Signature, Size] = {}
        for s, size in untagged(z).items():
            key, more = s.flipped(own), Fraction(0)
            if s.knows(other):
                key, more = s.without_parity({own, other}), wide
            found[key] = found.get(key, NOTHING) | frozenset(f + shift + more for f in size)
        return found

    # --- payloads -----------------------------------------------------------------------------------

    def _reader(self, node: int, instruction: Nonlin | Moment) -> Reader:
        given: dict[Symbol, Pair] = {vector_slot(i): self.values[k] for i, k in enumerate(instruction.vectors)}
        given |= {scalar_slot(i): self.values[k] for i, k in enumerate(instruction.scalars)}
        slots = {vector_slot(i): node_symbol(k) for i, k in enumerate(instruction.vectors)}
        slots |= {scalar_slot(i): node_symbol(k) for i, k in enumerate(instruction.scalars)}
        vectors = {vector_slot(i) for i in range(len(instruction.vectors))}

        def feature(expr: Expr, pair: Pair, positive: bool) -> bool:
            is_vector = bool(expr.free_symbols & vectors)
            role: Role = "vector" if is_vector else "denominator" if positive else "scalar"
            return self._feature(role, node, expr.xreplace(slots), pair)

        return Reader(self.setting.scale.symbol, given, feature, self.known, frozenset(vectors))

    def _feature(self, role: Role, node: int, expr: Expr, pair: Pair) -> bool:
        """Take down what is read; says whether it may be small at initialisation."""
        if role == "vector" and self.setting.is_narrow(expr):
            role = "narrow"
        if node in self.setting.in_forward:
            change = self.contain(pair) if self.before is not None else NOTHING
            self.features.append(Feature(role, node, expr, pair, change))
        return role in ("narrow", "scalar")

    def contain(self, pair: Pair) -> Size:
        """From here on the change of something stays of order one at most: the forms that this is asked of."""
        forms = self.known.maximal(frozenset(map(self.known.reduced, total(pair.change))))
        for form in forms:
            self.known.at_most_zero(form)
        return forms

    def _factors(self, node: int, instruction: Nonlin | Moment, reader: Reader) -> None:
        """What a centred array is multiplied by is read as it stands: the rest of a product, or a number."""
        program = self.setting.program
        arrays = {
            vector_slot(i): k for i, k in enumerate(instruction.vectors)
            if k in self.setting.initial_vectors and getattr(program[k], "mean", 1) == 0
        }
        slots = {vector_slot(i): node_symbol(k) for i, k in enumerate(instruction.vectors)}
        slots |= {scalar_slot(i): node_symbol(k) for i, k in enumerate(instruction.scalars)}
        inside = [a for f in instruction.payload.atoms(sp.Function) for a in f.args]
        for term in (t for e in (instruction.payload, *inside) for t in sp.Add.make_args(e)):
            factors = sp.Mul.make_args(term)
            own = [f for f in factors if f in arrays]
            if len(own) != 1:
                continue
            others = [f for f in factors if f not in arrays]
            vectors = [f for f in others if any(v in slots and v.name.startswith("$x") for v in f.free_symbols)]
            scalars = [f for f in others if f not in vectors and any(v in slots for v in f.free_symbols)]
            if isinstance(instruction, Moment) and len(vectors) > 1:
                rest = sp.Mul(*vectors)
                self._feature("vector", node, rest.xreplace(slots), self._checked(reader, rest, node))
            elif isinstance(instruction, Nonlin) and scalars and not vectors:
                array = self.setting.by_node.get(arrays[own[0]])
                powers = [f for f in others if f not in scalars]
                pair = self._checked(reader, sp.Mul(*scalars, *powers), node)
                shift = number(0) if array is None else array.multiplier
                scaled = Pair(shifted(pair.initial, shift), shifted(pair.change, shift))
                self._feature("scalar", node, sp.Mul(*scalars, *powers).xreplace(slots), scaled)

    def _contracts(self, node: int, vector: int) -> None:
        if vector in self.setting.initial_vectors:
            return
        # a product without a name counts as it is declared: the builder takes constants out of it
        array, pair = self.setting.array_of(vector), self.values[vector]
        if array is not None and self.setting.program.labels.get(vector, ADJOINT).startswith(ADJOINT):
            pair = Pair(shifted(pair.initial, array.multiplier), shifted(pair.change, array.multiplier))
        self._feature("vector", node, node_symbol(vector), pair)

    def _checked(self, reader: Reader, expr: Expr, node: int | None) -> Pair:
        try:
            return reader.read(expr)
        except NotLinear as error:
            span = self.setting.program.spans.get(node) if node is not None else None
            what = f"the exponent {error} is not linear in the parameters with rational coefficients"
            raise fail("nonlinear-exponent", what, span or NOWHERE) from None

    def _moment(self, node: int, instruction: Moment) -> Pair:
        reader = self._reader(node, instruction)
        if instruction.dimension is None:
            return self._checked(reader, instruction.payload, node)
        for k in instruction.vectors:
            self._contracts(node, k)
        if node in self.setting.in_forward:
            self._factors(node, instruction, reader)
        width = self.setting.scale.growth(instruction.dimension)
        pair = self._checked(reader, instruction.payload, node)
        initial = self._mean(node, pair.initial, width, None)
        change = self._change_of_mean(node, instruction, pair, width)
        return Pair(initial, change)

    def _mean(self, node: int, parts: Parts, width: Fraction, aligned: bool | None) -> Parts:
        keep = self.setting.read_by(node)
        found: dict[Signature, Size] = {}
        for s, size in parts.items():
            law = contracted({s: size}, {EVEN: ONE}, width, aligned=aligned)
            self.met.setdefault(node, []).append(law)
            key = EVEN._replace(tag=s.tag if s.tag in keep else None)
            found[key] = found.get(key, frozenset()) | frozenset(f - width for f in law.size)
        return found

    def _change_of_mean(self, node: int, instruction: Moment, pair: Pair, width: Fraction) -> Parts:
        """The change of a mean; where a readout meets a vector the alignment that is assumed for arrays holds."""
        alignment = self.setting.rules.alignment
        arrays = [i for i, k in enumerate(instruction.vectors) if k in self.setting.initial_vectors]
        if alignment == "worst" or len(arrays) != 1 or self.before is None:
            return self._mean(node, pair.change, width, None)
        slot, reader = vector_slot(arrays[0]), self._reader(node, instruction)
        array = reader.values[slot]

        def at(value: Pair) -> Parts:
            values = {**reader.values, slot: value}
            return Reader(reader.n, values, _nothing, self.known).read(instruction.payload).change

        kept = self._mean(node, at(Pair(array.initial, {})), width, policy(alignment, updated=False))
        moved = self._mean(node, at(Pair({}, array.change)), width, policy(alignment, updated=True))
        return united(kept, moved)

    def _outer(self, node: int, instruction: OuterNonlin) -> Pair:
        """Rows as they are; sums over further coordinates by the symmetries of their own copies."""
        given: dict[Symbol, Pair] = {vector_slot(i): self.values[k] for i, k in enumerate(instruction.vectors)}
        given |= {scalar_slot(i): self.values[k] for i, k in enumerate(instruction.scalars)}
        for copy in range(instruction.order):
            given |= {
                column_slot(copy, i): copied(self.values[k], copy) for i, k in enumerate(instruction.vectors)
            }
        pair = self._checked(Reader(self.setting.scale.symbol, given, _nothing, self.known), instruction.payload, node)
        width = self.setting.scale.growth(instruction.dimension)
        return Pair(summed(pair.initial, instruction.order, width), summed(pair.change, instruction.order, width))


def _nothing(*_: object) -> bool:
    return False
