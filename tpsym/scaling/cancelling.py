r"""Means that may cancel: where the size of a mean matters from below, it has to be certain.

The mean of what no sign flip makes vanish is read as of the size of its terms, by the law of large numbers. It is
smaller where positive and negative terms cancel, as in :math:`\frac1n\sum_i (p_i^2-1)` for standard normal p, which is
of size :math:`n^{-1/2}`. As a summand that is a bound, all the same. What divides, multiplies, or goes into a function
that is steep somewhere has to be of its size at initialisation: because it has one sign, because it is a random sum, or
because its limit is certainly not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import sympy as sp
from sympy import Dummy, Expr, Rational, S, Symbol

from tpsym import functions as fn
from tpsym.errors import Span, fail
from tpsym.program.instructions import Moment, RandomScalar, is_scalar
from tpsym.program.values import node_symbol
from tpsym.scaling.expressions import Expressions, is_node, number_of, payload
from tpsym.scaling.interpret import Pass
from tpsym.scaling.payload import Pair, Reader
from tpsym.scaling.restated import at_numbers, without_powers
from tpsym.scaling.sizes import ONE, Known, Size, total
from tpsym.scaling.training import Run

STEEP = (sp.log, fn.step, sp.sign, fn.delta)
"""Functions of a number that grow or jump without bound near zero."""
POSITIVE = (sp.exp, fn.sigmoid, fn.softplus, fn.Phi)
ODD = (sp.tanh, sp.erf, sp.Abs)
LIKE_ARGUMENT = (fn.relu, fn.leaky_relu, fn.gelu, fn.silu, sp.sin)
"""As large as the argument where that is random."""
KINKED = (fn.relu, fn.leaky_relu, fn.step, sp.sign, sp.Abs, sp.Max, sp.Min, sp.Piecewise)


def check_means(run: Run, span: Span) -> None:
    """Refuse a network in which the lower size of a mean matters that may cancel.

    Raises:
        TpError: ``cancelling-mean``.
    """
    doubts = _doubts(run)
    for node in (*run.setting.forward, *run.setting.backward):
        expr = payload(run.setting.program[node], node)
        if expr is not None:
            place = run.setting.program.spans.get(node) or span
            forward = node in run.setting.in_forward
            _refuse(doubts, doubts.inside(expr, forward=forward), place)
            if forward and is_scalar(run.setting.program[node]):
                _refuse(doubts, doubts.unbounded(node_symbol(node)), place)
    for output in run.setting.outputs:
        _refuse(doubts, doubts.inside(output), span)


def check_size(run: Run, expr: Expr, span: Span) -> None:
    """Refuse to say how large a vector or a number over nodes is at initialisation if that rests on such a mean.

    Raises:
        TpError: ``cancelling-mean``.
    """
    setting, doubts = run.setting, _doubts(run)
    nodes = [number_of(s) for s in expr.free_symbols if is_node(s)]
    for node in setting.program.ancestors(nodes):
        inner = payload(setting.program[node], node)
        if inner is not None:
            _refuse(doubts, doubts.inside(inner), span)
    _refuse(doubts, doubts.inside(expr), span)
    if doubts.is_number(expr) and not doubts.sure(expr):
        _refuse(doubts, [expr], span)


def _doubts(run: Run) -> _Doubts:
    """With what is known of sizes from vectors alone."""
    bounds = Known(guide=run.known.guide)
    for c in run.constraints:
        forms = {bounds.reduced(f) for f in c.size}
        if c.when == "initialisation" and c.role == "vector":
            if c.equal and len(forms) == 1 and bounds.guide is None:
                bounds.solve(next(iter(forms)), lambda _: 0)
            for f in forms:
                bounds.at_most_zero(f)
    return _Doubts(run.setting, run.first, bounds)


def _refuse(doubts: _Doubts, found: Iterable[Expr], span: Span) -> None:
    for expr in found:
        what = (f"{doubts.text(expr)} may vanish in the limit, where terms of both signs cancel, and other sizes rest "
                "on its own")
        raise fail("cancelling-mean", what, span)


@dataclass(slots=True)
class _Doubts(Expressions):
    """Which numbers may be smaller at initialisation than they are read to be; ``bounds`` is what vectors say of
    exponents, ``known`` are the numbers asked before."""

    bounds: Known
    known: dict[tuple[Expr, bool], bool] = field(default_factory=dict)

    # --- where it matters ---------------------------------------------------------------------------

    def inside(self, expr: Expr, *, forward: bool = True) -> Iterator[Expr]:
        """The numbers in an expression whose size has to be certain and is not."""
        for part in sp.preorder_traversal(expr):
            if isinstance(part, sp.Pow) and self._steep_power(part) and self.is_number(part.base):
                yield from self._unsure([part.base], away=True)
            elif isinstance(part, STEEP) and self.is_number(part.args[0]):
                inside = part.args[0]
                yield from [inside] if self._is_small(inside) else self._unsure([inside], away=True)
            elif not forward:
                continue
            elif isinstance(part, sp.Pow) and self.is_number(part.base):
                yield from self._unsure([part.base])
            elif isinstance(part, sp.Mul):
                yield from self._unsure(self._factors(part))
            elif isinstance(part, sp.Add):
                numbers = sp.Add(*(t for t in part.args if not self.vectors(t)))
                yield from self.unbounded(numbers) if self.is_number(numbers) else ()
                yield from self._unsure(self._coefficients(part)) if self.vectors(part) else ()

    def _unsure(self, numbers: Iterable[Expr], *, away: bool = False) -> Iterator[Expr]:
        yield from (e.as_base_exp()[0] for e in numbers if not self.sure(e, away=away))

    def unbounded(self, expr: Expr) -> Iterator[Expr]:
        """The number, if it is not certain where it is not seen to be of order one at most: what grows is unstable."""
        if not all(self.bounds.holds(self.bounds.reduced(f)) for f in self._size(expr)):
            yield from self._unsure([expr])

    def _size(self, expr: Expr) -> Size:
        values = {s: Pair(self.value(number_of(s)), {}) for s in self.nodes(expr)}
        return total(Reader(self.setting.scale.symbol, values, lambda *_: False, Known()).read(expr).initial)

    def _is_small(self, expr: Expr) -> bool:
        """Whether a number is not read to be of order one where the network is stable."""
        known = self.setting.rules.known
        return known.maximal(frozenset(map(known.reduced, self._size(expr)))) != ONE

    @staticmethod
    def _steep_power(power: sp.Pow) -> bool:
        return not (power.exp.is_Integer and power.exp > 0)

    def _factors(self, product: sp.Mul) -> list[Expr]:
        """The numbers that something of random or growing size is multiplied by."""
        numbers = [f for f in product.args if self.is_number(f)]
        grows = any(f.has(self.setting.scale.symbol) and not self._shrinks(f) for f in product.args)
        return numbers if len(numbers) > 1 or grows or self.vectors(product) else []

    def _shrinks(self, factor: Expr) -> bool:
        base, exponent = factor.as_base_exp()
        return base == self.setting.scale.symbol and bool(exponent.is_number and exponent <= 0)

    def _coefficients(self, addition: sp.Add) -> list[Expr]:
        """What vectors are multiplied by that occur more than once in a sum, sums that are named written out."""
        groups: dict[Expr, list[Expr]] = {}
        for term in sp.Add.make_args(self.written_out(addition)):
            vectors = [f for f in sp.Mul.make_args(term) if self.vectors(f)]
            numbers = [f for f in sp.Mul.make_args(term) if not self.vectors(f)]
            if vectors:
                groups.setdefault(sp.Mul(*vectors), []).append(sp.Mul(*numbers))
        sums = [sp.Add(*g) for g in groups.values() if len(g) > 1]
        return [e for e in sums if self.is_number(e)]

    # --- whether a size is certain ------------------------------------------------------------------

    def sure(self, expr: Expr, *, away: bool = False) -> bool:
        """Whether a number is as large as it is read to be; with ``away`` it must not be zero itself, either."""
        key = (expr, away)
        if key not in self.known:
            self.known[key] = self._evident(expr, away) or self._asked(expr)
        return self.known[key]

    def _evident(self, expr: Expr, away: bool) -> bool:
        if not self.is_number(expr):
            return bool(expr != 0)
        if isinstance(expr, Symbol):
            return self._node(expr, away)
        if isinstance(expr, sp.Mul):
            return all(self.sure(f, away=away) for f in expr.args)
        if isinstance(expr, sp.Pow) and not self.nodes(expr.exp):
            return self.sure(expr.base, away=away)
        if isinstance(expr, POSITIVE):
            return True
        if isinstance(expr, ODD):
            return self.sure(expr.args[0], away=away)
        if isinstance(expr, LIKE_ARGUMENT) and not away:
            inside = self.flat(expr.args[0])
            return all(map(self._is_random, self.nodes(inside))) and self.sure(inside)
        flat = self.flat(expr)
        signs = self._one_sign(expr, away) or self._one_sign(flat, away)
        return signs or self._random(flat) or self._independent(expr)

    def _node(self, symbol: Symbol, away: bool) -> bool:
        """A number of the program: a random one, a random sum, a mean of one sign, or a function of others."""
        node, instruction = number_of(symbol), self.instruction(symbol)
        if not total(self.value(node)):
            return not away
        if isinstance(instruction, RandomScalar):
            return True
        assert isinstance(instruction, Moment)
        inner = self.inside_of(symbol)
        if instruction.dimension is None:
            return self.sure(inner, away=away)
        return self.centred(node) or (self.signed(inner).is_nonnegative is True and self.varies(inner))

    def _one_sign(self, expr: Expr, away: bool) -> bool:
        """Whether a sum has terms of one sign, all certain, or one of them a constant; or is positive in any case."""
        odds = {s: 1 / (1 + Dummy(positive=True)) for s in expr.atoms(fn.sigmoid, fn.Phi)}
        if odds and sp.together(expr.xreplace(odds)).is_positive:
            return True
        terms = sp.Add.make_args(expr)
        if len(terms) == 1 or not all(self.signed(t).is_nonnegative for t in terms):
            return False
        constants = [t for t in terms if t.is_positive and not self.nodes(t)]
        if constants and not expr.has(self.setting.scale.symbol):
            return True
        return all(self.sure(t, away=away) for t in terms)

    def _random(self, expr: Expr) -> bool:
        """Whether it is an analytic function of random sums that is not zero where they are."""
        symbols = self.nodes(expr)
        if expr.atoms(*KINKED) or not all(self._is_random(s) for s in symbols):
            return False
        return self.somewhere(expr.xreplace(dict.fromkeys(symbols, S.Zero)), points=1)

    def _independent(self, expr: Expr) -> bool:
        """Whether it is a number that is certain plus centred random scalars that it does not depend on."""
        terms = sp.Add.make_args(expr)
        scalars = [t for t in terms if self._is_scalar_term(t)]
        rest = [t for t in terms if t not in scalars]
        if not scalars or len(rest) > 1 or len({s for t in scalars for s in self.nodes(t)}) < len(scalars):
            return False
        drawn = {number_of(s) for t in scalars for s in self.nodes(t)}
        others = self.setting.program.ancestors(number_of(s) for t in rest for s in self.nodes(t))
        return drawn.isdisjoint(others) and all(self.sure(t) for t in terms)

    def _is_scalar_term(self, term: Expr) -> bool:
        """Whether a summand is a constant times a centred random scalar."""
        symbols = self.nodes(term)
        if len(symbols) != 1:
            return False
        (symbol,) = symbols
        instruction = self.instruction(symbol)
        return isinstance(instruction, RandomScalar) and instruction.mean == 0 and not sp.diff(term, symbol).has(symbol)

    def _is_random(self, symbol: Symbol) -> bool:
        node, instruction = number_of(symbol), self.instruction(symbol)
        if isinstance(instruction, RandomScalar):
            return bool(instruction.mean == 0)
        return isinstance(instruction, Moment) and instruction.dimension is not None and self.centred(node)

    def _asked(self, expr: Expr) -> bool:
        """Whether the limit, at its size, is certainly not zero; powers of n are left out where they do not matter."""
        setting = self.setting
        if setting.nonzero is None or not setting.scale.wide:
            return False
        nodes = setting.program.ancestors(number_of(s) for s in self.nodes(expr))
        if self._one_size(nodes) and setting.nonzero(*without_powers(setting, nodes, expr)):
            return True
        top = self._top(expr)
        read = None if top is None else at_numbers(setting, nodes, expr * setting.scale.symbol ** -top)
        return read is not None and setting.nonzero(*read)

    def _top(self, expr: Expr) -> Rational | None:
        """The exponent of the size of a number, if it is a number itself."""
        known = self.setting.rules.known
        size = self._size(expr)
        if not size or (known.guide is None and not all(f.is_constant for f in size)):
            return None
        top = max(f.constant if known.guide is None else known.at_guide(f) for f in size)
        return Rational(top.numerator, top.denominator)

    def _one_size(self, nodes: Iterable[int]) -> bool:
        """Whether everything is of one size only, numbers of order one, and none of them a random sum."""
        plain = Pass(self.setting, Known(), None)
        for node in nodes:
            plain.visit(node)
        for node, pair in plain.values.items():
            size = total(pair.initial)
            if len(size) != 1:
                return False
            law = any(c.large for c in plain.met.get(node, ()))
            if is_scalar(self.setting.program[node]) and (size != ONE or not law):
                return False
        return True


__all__ = ["check_means", "check_size"]
