"""Scalars of a program as polynomials in sums over indices of matrix entries and of functions of initial vectors.

A coordinate of a vector is a polynomial in two kinds of factors: functions of initial vectors at that coordinate,
and branches :math:`Σ_j W_{ij} (…)_j`. A mean closes such a product into a sum over its coordinate; a trace of a word
is a cycle of entries. Equal factors are one, so that powers are read as powers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.program.instructions import (
    Dimension,
    MatMul,
    Moment,
    Nonlin,
    RandomScalar,
    State,
    Vector,
    scalar_slot,
    vector_slot,
)
from tpsym.program.labels import node_label
from tpsym.program.letters import DiagonalLetter, MatrixLetter, SymmetricLetter
from tpsym.program.messages import written
from tpsym.program.scope import Context
from tpsym.program.values import Operator
from tpsym.program.words import written_out
from tpsym.results.exact_parts import Branch, Closed, Cycle, Key, Local, Part, Terms

PROBES = ("probe(", "probe of gradients")
"""How vectors are named that stand for a direction and not for an array of the file."""

MAX_TERMS = 20_000
"""Terms of a polynomial that are still expanded."""

@dataclass(slots=True)
class Expansion:
    """Reads nodes of a program as polynomials; ``alone`` are the matrices W that also occur outside of W + W.T."""

    context: Context
    span: Span
    alone: frozenset[int] = frozenset()
    parts: list[Part] = field(default_factory=list)
    _numbers: dict[Part, int] = field(default_factory=dict)
    _known: dict[int, Terms] = field(default_factory=dict)
    _locals: dict[int, Expr | None] = field(default_factory=dict)

    def part(self, part: Part) -> int:
        """The number of a factor."""
        if part not in self._numbers:
            self._numbers[part] = len(self.parts)
            self.parts.append(part)
        return self._numbers[part]

    def is_global(self, number: int) -> bool:
        return isinstance(self.parts[number], Closed | Cycle)

    # --- expressions -------------------------------------------------------------------------------

    def expression(self, expr: Expr) -> Terms:
        """A scalar of the program, or a coordinate of a vector, as an expression over nodes.

        Raises:
            TpError: ``not-available`` where it is no polynomial in what is known, or too long.
        """
        nodes = self.context.nodes
        return self._polynomial(expr, {s: nodes[s] for s in expr.free_symbols if s in nodes}, written(expr))

    def _polynomial(self, expr: Expr, nodes: Mapping[Symbol, int], text: str) -> Terms:
        opaque = {s: self.local(k) for s, k in nodes.items()}
        plain = {s: e for s, e in opaque.items() if e is not None}
        inner = [s for s in sorted(nodes, key=lambda s: nodes[s]) if s not in plain]
        if not inner:
            return self._local_terms(expr.xreplace(plain))
        if not expr.is_polynomial(*inner):
            raise self._refusal(expr, nodes, inner, text)
        powers: dict[tuple[Symbol, int], Terms] = {}
        total: Terms = {}
        for exponents, coefficient in sp.Poly(expr, *inner).terms():
            term = self._local_terms(coefficient.xreplace(plain))
            for s, k in zip(inner, exponents, strict=True):
                if k:
                    term = self._product(term, self._power(s, k, nodes[s], powers))
            self._add(total, term)
        return total

    def _power(self, symbol: Symbol, k: int, node: int, known: dict[tuple[Symbol, int], Terms]) -> Terms:
        if (symbol, k) not in known:
            below = self.node(node) if k == 1 else self._power(symbol, k - 1, node, known)
            known[symbol, k] = below if k == 1 else self._product(below, self.node(node))
        return known[symbol, k]

    def _local_terms(self, expr: Expr) -> Terms:
        """An expression in initial vectors and random scalars, which stay in the coefficient."""
        scalars = self.random_scalars(expr)
        if scalars:
            if not expr.is_polynomial(*scalars):
                raise self._refusal(expr, {s: self.context.nodes[s] for s in scalars}, scalars, written(expr))
            found: Terms = {}
            for exponents, c in sp.Poly(expr, *scalars).terms():
                monomial = sp.Mul(*(s**k for s, k in zip(scalars, exponents, strict=True)))
                self._add(found, {key: monomial * e for key, e in self._local_terms(c).items()})
            return found
        vectors = self.context.vector_symbols(expr)
        if not vectors:
            return {(): expr} if expr != 0 else {}
        constant, rest = expr.as_independent(*vectors, as_Add=False)
        base, power = rest.as_base_exp()
        if power.is_Integer and power.is_positive and base.is_Symbol:
            return {(self.part(Local(base)),) * int(power): constant}
        return {(self.part(Local(rest)),): constant}

    def random_scalars(self, expr: Expr) -> list[Symbol]:
        """The random scalars of an expression."""
        nodes, builder = self.context.nodes, self.context.builder
        found = (s for s in expr.free_symbols if s in nodes and isinstance(builder[nodes[s]], RandomScalar))
        return sorted(found, key=lambda s: nodes[s])

    def _refusal(self, expr: Expr, nodes: Mapping[Symbol, int], inner: Iterable[Symbol], text: str) -> TpError:
        program = self.context.builder.program()
        names = {s: Symbol(node_label(program, k)) for s, k in nodes.items()}
        wrong = next((a for a in sp.postorder_traversal(expr) if not a.is_polynomial(*inner)), expr)
        shown = written(wrong.xreplace(names))
        what = f"an exact expectation of {shown}, which is no polynomial in {_listed(inner, names)},"
        return fail("not-available", f"{what} is not available yet", self.span)

    # --- nodes -------------------------------------------------------------------------------------

    def local(self, node: int) -> Expr | None:
        """A node as a function of initial vectors and random scalars alone, ``None`` where matrices or means enter."""
        if node not in self._locals:
            self._locals[node] = self._local(node)
        return self._locals[node]

    def _local(self, node: int) -> Expr | None:
        builder = self.context.builder
        match builder[node]:
            case Vector() | RandomScalar():
                self._check_initial(node)
                return self.context.symbol(node)
            case Nonlin(payload=payload, vectors=vectors, scalars=scalars) | Moment(
                payload=payload, vectors=() as vectors, scalars=scalars
            ):
                arguments = [(vector_slot(i), k) for i, k in enumerate(vectors)]
                arguments += [(scalar_slot(i), k) for i, k in enumerate(scalars)]
                found = {slot: self.local(k) for slot, k in arguments}
                if all(e is not None for e in found.values()):
                    return payload.xreplace(found)
        return None

    def _check_initial(self, node: int) -> None:
        builder = self.context.builder
        instruction = builder[node]
        if node in builder.layered:
            raise self._not_known("an array of a symbolic layer")
        if isinstance(instruction, Vector) and instruction.name.startswith(PROBES):
            raise self._not_known("this number of the program, a mean along a random direction,")

    def _not_known(self, what: str) -> TpError:
        return fail("not-available", f"{what} has no exact expectation yet", self.span)

    def node(self, node: int) -> Terms:
        """A node as a polynomial in factors."""
        if node not in self._known:
            self._known[node] = self._node(node)
        return self._known[node]

    def _node(self, node: int) -> Terms:
        context = self.context
        local = self.local(node) if node not in context.traces else None
        if local is not None:
            return self._local_terms(local)
        instruction = context.builder[node]
        if node in context.traces:
            return self.trace(context.traces[node])
        match instruction:
            case MatMul(matrix=matrix, transposed=transposed, vector=vector):
                self._check_initial(matrix)
                return self._multiplied(MatrixLetter(matrix, transposed), self.node(vector), vector)
            case Nonlin(payload=payload, vectors=vectors, scalars=scalars):
                return self._payload(payload, vectors, scalars)
            case Moment(payload=payload, vectors=vectors, scalars=scalars, dimension=dimension):
                inner = self._payload(payload, vectors, scalars)
                return inner if dimension is None else self._closed(inner, dimension)
            case State():
                raise self._not_known("a network of symbolic depth")
        raise self._not_known("an entrywise update of a matrix")

    def _payload(self, payload: Expr, vectors: tuple[int, ...], scalars: tuple[int, ...]) -> Terms:
        slots = {vector_slot(i): k for i, k in enumerate(vectors)} | {scalar_slot(i): k for i, k in enumerate(scalars)}
        return self._polynomial(payload, slots, written(payload))

    def _multiplied(self, letter: MatrixLetter, inner: Terms, vector: int) -> Terms:
        dimension = self.context.builder[vector].dimension  # type: ignore[union-attr]
        assert isinstance(dimension, Dimension)
        found: Terms = {}
        for key, c in inner.items():
            here, outside = self._split(key)
            number = self.part(Branch(letter, here, dimension))
            self._add(found, {tuple(sorted((*outside, number))): c})
        return found

    def _closed(self, inner: Terms, dimension: Dimension) -> Terms:
        """``(1/m) Σ_i`` over a coordinate."""
        size = self.context.size(dimension)
        found: Terms = {}
        for key, c in inner.items():
            here, outside = self._split(key)
            if here:
                self._add(found, {tuple(sorted((*outside, self.part(Closed(here, dimension))))): c / size})
            else:
                self._add(found, {outside: c})
        return found

    def _split(self, key: Key) -> tuple[Key, Key]:
        return tuple(k for k in key if not self.is_global(k)), tuple(k for k in key if self.is_global(k))

    # --- traces ------------------------------------------------------------------------------------

    def trace(self, operator: Operator) -> Terms:
        """``(1/m) tr A``."""
        rows = operator.rows
        assert isinstance(rows, Dimension)
        found: Terms = {}
        for c, word in operator.terms:
            factor = self.expression(c / self.context.size(rows))
            for each in written_out(word, self.alone):
                self._add(found, self._product(factor, self._word(each, rows)))
        return found

    def mean(self, expr: Expr, dimension: Dimension) -> Terms:
        """``(1/m) Σ_i`` of a vector, given as an expression over nodes."""
        return self._closed(self.expression(expr), dimension)

    def _word(self, word: Iterable[object], rows: Dimension) -> Terms:
        letters: list[MatrixLetter | SymmetricLetter] = []
        diagonals: list[Terms] = [{(): S.One}]
        for letter in word:
            match letter:
                case MatrixLetter(node=node) | SymmetricLetter(node=node):
                    self._check_initial(node)
                    letters.append(letter)
                    diagonals.append({(): S.One})
                case DiagonalLetter(expr=expr):
                    diagonals[-1] = self._product(diagonals[-1], self.expression(expr))
                case _:
                    raise self._not_known("the trace of a matrix with a finite side")
        if not letters:
            size = self.context.size(rows)
            return {k: size * c for k, c in self._closed(diagonals[0], rows).items()}
        diagonals[0] = self._product(diagonals.pop(), diagonals[0])
        choices: list[tuple[tuple[Key, ...], Key, Expr]] = [((), (), S.One)]
        for terms in diagonals:
            split = [(*self._split(key), c) for key, c in terms.items()]
            choices = [((*a, here), (*b, *outside), c * e) for a, b, c in choices for here, outside, e in split]
            self._check_size(len(choices))
        found: Terms = {}
        for inner, outside, c in choices:
            number = self.part(Cycle(tuple(letters), inner))
            self._add(found, {tuple(sorted((*outside, number))): c})
        return found

    # --- arithmetic --------------------------------------------------------------------------------

    def _add(self, total: Terms, terms: Terms) -> None:
        for key, c in terms.items():
            total[key] = total.get(key, S.Zero) + c
        self._check_size(len(total))

    def _product(self, a: Terms, b: Terms) -> Terms:
        found: Terms = {}
        for key, c in a.items():
            for other, e in b.items():
                made = tuple(sorted(key + other))
                found[made] = found.get(made, S.Zero) + c * e
            self._check_size(len(found))
        return found

    def _check_size(self, terms: int) -> None:
        if terms > MAX_TERMS:
            what = f"an exact expectation of a polynomial with more than {MAX_TERMS} terms"
            raise fail("not-available", f"{what} is not available yet", self.span)


def _listed(symbols: Iterable[Symbol], names: Mapping[Symbol, Symbol]) -> str:
    return ", ".join(dict.fromkeys(written(names.get(s, s)) for s in symbols))


def matrices_alone(context: Context, nodes: Iterable[int]) -> frozenset[int]:
    """The matrices that nodes depend on outside of ``W + W.T`` under a trace."""
    found: set[int] = set()
    seen: set[int] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in context.traces:
            letters = [x for _, word in context.traces[node].terms for x in word]
            found |= {x.node for x in letters if isinstance(x, MatrixLetter)}
            inner = [x.expr for x in letters if isinstance(x, DiagonalLetter)]
            inner += [c for c, _ in context.traces[node].terms]
            todo += [context.nodes[s] for e in inner for s in e.free_symbols if s in context.nodes]
            continue
        instruction = context.builder[node]
        if isinstance(instruction, MatMul):
            found.add(instruction.matrix)
        todo += context.builder.graph.predecessors(node)
    return frozenset(found)
