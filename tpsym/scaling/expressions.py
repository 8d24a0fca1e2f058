"""Expressions over the nodes of a network: what numbers and vectors enter them, and what is evident of their signs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.functions import Unknown
from tpsym.gauss.numeric import ball
from tpsym.program.instructions import (
    Instruction,
    Moment,
    Nonlin,
    OuterNonlin,
    Vector,
    column_slot,
    is_scalar,
    scalar_slot,
    vector_slot,
)
from tpsym.program.messages import written
from tpsym.program.values import node_symbol
from tpsym.scaling.interpret import Pass
from tpsym.scaling.setting import Setting
from tpsym.scaling.sizes import Parts, total

COLUMN = "$column"
POINTS = 4
LONGEST = 2000
"""Operations up to which functions of functions are looked at as one."""


def is_node(symbol: Symbol) -> bool:
    """Whether a symbol stands for a vector or a number of the program."""
    return bool(symbol.name.startswith("$") and symbol.name[1:].isdigit())


def number_of(symbol: Symbol) -> int:
    """The node that a symbol stands for."""
    return int(symbol.name[1:])


def payload(instruction: Instruction, node: int) -> Expr | None:
    """What an instruction computes, over nodes; coordinates that are summed have symbols of their own."""
    if not isinstance(instruction, Nonlin | Moment | OuterNonlin):
        return None
    slots = {vector_slot(i): node_symbol(k) for i, k in enumerate(instruction.vectors)}
    slots |= {scalar_slot(i): node_symbol(k) for i, k in enumerate(instruction.scalars)}
    if isinstance(instruction, OuterNonlin):
        slots |= {column_slot(c, i): Symbol(f"{COLUMN}{node}_{c}_{i}", real=True)
                  for c in range(instruction.order) for i in range(len(instruction.vectors))}
    found: Expr = instruction.payload.xreplace(slots)
    return found


def _generic(*arguments: Expr) -> Expr:
    """A function that stands for one that is not known."""
    total = sp.Add(*(a * (2 * i + 3) for i, a in enumerate(arguments)))
    return total / 3 + total**2 / 7 - sp.Rational(1, 5)


@dataclass(slots=True)
class Expressions:
    """Expressions over the nodes of a network whose sizes at initialisation a pass has read."""

    setting: Setting
    first: Pass

    def flat(self, expr: Expr) -> Expr:
        """The expression with functions of numbers written out, down to means and random numbers."""
        while sp.count_ops(expr) < LONGEST:
            inner = {s: self.inside_of(s) for s in self.nodes(expr)
                     if isinstance(i := self.instruction(s), Moment) and i.dimension is None}
            if not inner:
                break
            expr = expr.xreplace(inner)
        return expr

    def written_out(self, expr: Expr) -> Expr:
        """A sum of vectors with those written out that are sums or multiples of others."""
        while sp.count_ops(expr) < LONGEST:
            linear = {}
            for s in self.vectors(expr):
                inner = self.inside_of(s) if isinstance(self.instruction(s), Nonlin) else S.Zero
                inside = self.vectors(inner)
                if inside and not any(sp.diff(inner, x).has(*inside) for x in inside):
                    linear[s] = inner
            if not linear:
                break
            expr = sp.expand(expr.xreplace(linear))
        return expr

    def instruction(self, symbol: Symbol) -> Instruction | None:
        return self.setting.program[number_of(symbol)] if is_node(symbol) else None

    def inside_of(self, symbol: Symbol) -> Expr:
        node = number_of(symbol)
        found = payload(self.setting.program[node], node)
        assert found is not None
        return found

    def value(self, node: int) -> Parts:
        if node not in self.first.values:
            self.first.visit(node)
        return self.first.values[node].initial

    def centred(self, node: int) -> bool:
        """Whether symmetries make a mean vanish: a random sum, of the size of the central limit theorem."""
        self.value(node)
        return not any(c.large for c in self.first.met.get(node, ()))

    def nodes(self, expr: Expr) -> set[Symbol]:
        return {s for s in expr.free_symbols if is_node(s)}

    def vectors(self, expr: Expr) -> set[Symbol]:
        program = self.setting.program
        return {s for s in expr.free_symbols
                if s.name.startswith(COLUMN) or (is_node(s) and not is_scalar(program[number_of(s)]))}

    def is_number(self, expr: Expr) -> bool:
        """Whether numbers of the program enter an expression, and no vectors."""
        return bool(self.nodes(expr)) and not self.vectors(expr)

    def signed(self, expr: Expr) -> Expr:
        """The expression over symbols that know which nodes are nonnegative."""
        found: dict[Symbol, Symbol] = {}
        for s in self.nodes(expr):
            known = isinstance(self.instruction(s), Nonlin | Moment) and self.signed(self.inside_of(s)).is_nonnegative
            found[s] = Symbol(f"{s.name}+", nonnegative=True) if known else s
        return expr.xreplace(found)

    def varies(self, expr: Expr) -> bool:
        """Whether a function of vectors is not zero everywhere, functions of functions written out."""
        while sp.count_ops(expr) < LONGEST:
            inner = {s: self.inside_of(s) for s in self.vectors(expr) if isinstance(self.instruction(s), Nonlin)}
            if not inner:
                return not self._frozen(expr) and self.somewhere(expr, points=POINTS)
            expr = expr.xreplace(inner)
        return False

    def _frozen(self, expr: Expr) -> bool:
        """Whether vectors that are one number or zero enter."""
        program = self.setting.program
        for s in self.vectors(expr):
            if not is_node(s):
                continue
            node = number_of(s)
            if not total(self.value(node)):
                return True
            if isinstance(program[node], Vector) and program.covariance(node, node) == 0:
                return True
        return False

    def somewhere(self, expr: Expr, *, points: int) -> bool:
        """Whether an expression is certainly not zero at one of a few points."""
        symbols = sorted(expr.free_symbols, key=lambda s: s.name)
        nodes = self.nodes(expr) | self.vectors(expr)
        functions = {u.name: _generic for u in expr.atoms(Unknown)}
        for p in range(points):
            numbers = (Fraction((7 * i * i + 5 * p * (i + 1) + 3) % 23 - 11, 5) + Fraction(1, 7) for i in count())
            at = dict(zip(symbols, numbers, strict=False))
            value = ball(expr, {s: q if s in nodes else abs(q) for s, q in at.items()}, functions=functions)
            if value.is_finite() and not value.contains(0):
                return True
        return False

    def text(self, expr: Expr) -> str:
        """An expression with the names of the file, means without a name as the means they are."""
        program = self.setting.program
        names: dict[Symbol, Expr] = {}
        for s in self.nodes(expr):
            node = number_of(s)
            instruction = program[node]
            if node in program.labels or not isinstance(instruction, Moment):
                names[s] = Symbol(program.label(node))
            else:
                inner = self.text(self.inside_of(s))
                names[s] = Symbol(f"mean({inner})" if instruction.dimension is not None else f"({inner})")
        return written(expr.xreplace(names))


__all__ = ["Expressions", "is_node", "number_of", "payload"]
