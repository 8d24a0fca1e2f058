"""From sympy expressions to fractions of polynomials: one rule for each function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from types import MappingProxyType

import sympy as sp
from flint import fmpq
from sympy.core.relational import Relational

from tpsym import functions as fn
from tpsym.gauss.expectation import E
from tpsym.verify import generators as gen
from tpsym.verify.elements import (
    ANY,
    NEG,
    NONNEG,
    POS,
    SIGN_OF_RELATION,
    ZERO,
    Element,
    Generator,
    UndefinedError,
    hashed,
)
from tpsym.verify.field import MAX_POWER, Field
from tpsym.verify.powers import power
from tpsym.verify.radicals import absolute, canonical, root, sign_of
from tpsym.verify.sums import opened
from tpsym.verify.whole import Bounds, assumed


@dataclass(frozen=True)
class Names:
    """What is known of named values without their definitions: an equal one, and the possible signs."""

    same: Mapping[sp.Symbol, sp.Symbol]
    signs: Mapping[sp.Symbol, int]


NO_NAMES = Names(MappingProxyType({}), MappingProxyType({}))


@dataclass
class Translation:
    """One pass over expressions: which named values are expanded, and what is already translated."""

    field: Field
    expanded: Mapping[sp.Symbol, Element]
    substitutions: Mapping[sp.Symbol, sp.Expr]
    names: Names = NO_NAMES
    bounds: Bounds = made_by(default_factory=dict)
    done: dict[sp.Basic, Element] = made_by(default_factory=dict)

    def __call__(self, expr: sp.Expr) -> Element:
        found = self.done.get(expr)
        if found is None:
            self.field.check_time()
            found = self.done[expr] = self._translate(expr)
        return found

    def _translate(self, expr: sp.Expr) -> Element:
        f = self.field
        if isinstance(expr, sp.Symbol):
            return self._symbol(expr)
        if isinstance(expr, sp.Rational):
            return f.rational(expr.p, expr.q)
        if expr is sp.pi:
            return gen.pi(f)
        if expr is sp.E:
            return gen.exp(f, f.rational(1))
        if isinstance(expr, sp.Add):
            total = f.rational(0)
            for a in expr.args:
                total = f.add(total, self(a))
            return total
        if isinstance(expr, sp.Mul):
            product = f.rational(1)
            for a in expr.args:
                product = f.mul(product, self(a))
            return product
        if isinstance(expr, sp.Pow):
            return self._power(expr)
        if isinstance(expr, E):
            return self._expectation(expr)
        rule = RULES.get(type(expr))
        if rule is not None:
            return rule(f, *(self(a) for a in expr.args))
        return self._other(expr)

    def _symbol(self, symbol: sp.Symbol) -> Element:
        symbol = self.names.same.get(symbol, symbol)
        if symbol in self.expanded:
            return self.expanded[symbol]
        if symbol in self.substitutions:
            return self(self.substitutions[symbol])
        sign = symbol_signs(symbol) & self.names.signs.get(symbol, ANY)
        # equal symbols can print differently: srepr shows the assumptions as they were once spelled
        key = hashed("symbol", str(symbol._hashable_content()))
        new = key not in self.field.index
        made = self.field.element(self.field.generator(Generator(key, "symbol", symbol, sign=sign)))
        if new and symbol.is_integer:
            self._count(self.field.index[key], symbol)
        return made

    def _count(self, at: int, symbol: sp.Symbol) -> None:
        """Records what an integer symbol is at least, in terms of symbols that are generators themselves."""
        f, bound, least = self.field, self.bounds.get(symbol), assumed(symbol)
        replaced = self.expanded.keys() | self.substitutions.keys() | self.names.same.keys()
        if bound is None or bound.free_symbols & replaced:
            bound = least
        if bound is not None:
            f.shifts[at] = f.variables[at] + f.shifted(self(bound).num)

    def _power(self, expr: sp.Pow) -> Element:
        f, exponent = self.field, expr.exp
        if expr.base is sp.E:
            return gen.exp(f, self(exponent))
        base = self(expr.base)
        if isinstance(exponent, sp.Integer) and abs(int(exponent)) <= MAX_POWER:
            return f.pow(base, int(exponent))
        if isinstance(exponent, sp.Rational) and abs(exponent.p) <= MAX_POWER and exponent.q <= gen.MAX_ROOT:
            return f.pow(root(f, base, int(exponent.q)), int(exponent.p))
        whole = bool(exponent.is_integer and exponent.is_nonnegative)
        return power(f, base, self(exponent), whole=whole)

    def _expectation(self, expr: E) -> Element:
        f = self.field
        inner = Translation(f, self.expanded, self.substitutions, self.names, self.bounds)
        body = canonical(f, inner(expr.body))
        entries = [canonical(f, self(c)) for c in expr.covariance]
        sign = NONNEG if not f.signs(body) & NEG else ANY
        return gen.opaque(f, f"E{expr.covariance.rows}", (body, *entries), expr, sign=sign)

    def _other(self, expr: sp.Basic) -> Element:
        f = self.field
        if isinstance(expr, fn.Unknown):
            arguments = tuple(canonical(f, self(a)) for a in expr.arguments)
            return gen.opaque(f, f"unknown {expr.name} {expr.orders}", arguments, expr)
        if isinstance(expr, sp.Max | sp.Min):
            return self._extremum(expr)
        if isinstance(expr, sp.Piecewise):
            return self._piecewise(expr)
        if isinstance(expr, sp.Sum):
            arguments = tuple(canonical(f, self(a)) for a in opened(expr))
            return gen.opaque(f, "sum", arguments, expr)
        if isinstance(expr, sp.Function) and expr.args:
            arguments = tuple(canonical(f, self(a)) for a in expr.args)
            return gen.opaque(f, type(expr).__name__, arguments, expr)
        raise UndefinedError(f"no rule for {type(expr).__name__}")

    def _extremum(self, expr: sp.Expr) -> Element:
        f, arguments = self.field, [self(a) for a in expr.args]
        result = arguments[0]
        for a in arguments[1:]:
            gap = absolute(f, f.sub(result, a))
            total = f.add(result, a)
            result = f.scale(f.add(total, gap) if isinstance(expr, sp.Max) else f.sub(total, gap), fmpq(1, 2))
        return result

    def _piecewise(self, expr: sp.Piecewise) -> Element:
        """The first branch where its condition is decided by signs; otherwise a function of all its parts."""
        f = self.field
        names: list[str] = []
        parts: list[Element] = []
        for value, condition in expr.args:
            truth, name, arguments = self._condition(condition)
            if truth is False:
                continue
            if truth is True and not parts:
                return self(value)
            names.append(name)
            parts.extend((*arguments, canonical(f, self(value))))
            if truth is True:
                break
        return gen.opaque(f, "piecewise " + "; ".join(names), tuple(parts), expr)

    def _condition(self, condition: sp.Basic) -> tuple[bool | None, str, tuple[Element, ...]]:
        if condition in (sp.true, sp.false):
            return bool(condition), str(condition), ()
        if isinstance(condition, Relational):
            gap = canonical(self.field, self.field.sub(self(condition.lhs), self(condition.rhs)))
            return decided(condition.rel_op, self.field.signs(gap)), condition.rel_op, (gap,)
        if isinstance(condition, sp.And | sp.Or | sp.Not):
            parts = [self._condition(c) for c in condition.args]
            name = f"{type(condition).__name__}({', '.join(p[1] for p in parts)})"
            return None, name, tuple(a for p in parts for a in p[2])
        raise UndefinedError(f"no rule for the condition {condition}")


SATISFYING = MappingProxyType({**SIGN_OF_RELATION, "==": ZERO})
"""Relation → the signs of the difference at which it holds."""


def decided(relation: str, signs: int) -> bool | None:
    """Whether the relation holds for all these signs (True), none (False), or some."""
    allowed = SATISFYING[relation]
    if not signs & ~allowed:
        return True
    return None if signs & allowed else False


def symbol_signs(symbol: sp.Symbol) -> int:
    """The signs that a (real) symbol's assumptions leave open."""
    signs = ANY
    if symbol.is_nonnegative:
        signs &= ~NEG
    if symbol.is_nonpositive:
        signs &= ~POS
    if symbol.is_nonzero:
        signs &= ~ZERO
    return signs


def _half_of(f: Field, a: Element) -> Element:
    return f.scale(a, fmpq(1, 2))


def _relu(f: Field, a: Element) -> Element:
    return _half_of(f, f.add(a, absolute(f, a)))


def _step(f: Field, a: Element) -> Element:
    s = sign_of(f, a)
    return _half_of(f, f.add(f.mul(s, s), s))


def _leaky(f: Field, a: Element, slope: Element) -> Element:
    return f.add(f.mul(slope, a), f.mul(f.sub(f.rational(1), slope), _relu(f, a)))


def _phi(f: Field, a: Element) -> Element:
    argument = f.div(a, root(f, f.rational(2), 2))
    return _half_of(f, f.add(f.rational(1), gen.erf(f, argument)))


def _sigmoid(f: Field, a: Element) -> Element:
    e = gen.exp(f, a)
    return f.div(e, f.add(f.rational(1), e))


def _hyperbolic(f: Field, a: Element) -> tuple[Element, Element]:
    e = gen.exp(f, a)
    inverse = f.inverse(e)
    return _half_of(f, f.add(e, inverse)), _half_of(f, f.sub(e, inverse))


def _tanh(f: Field, a: Element) -> Element:
    c, s = _hyperbolic(f, a)
    return f.div(s, c)


def _tan(f: Field, a: Element) -> Element:
    c, s = gen.cis(f, a)
    return f.div(s, c)


def _acos(f: Field, a: Element) -> Element:
    return f.sub(_half_of(f, gen.pi(f)), gen.asin(f, a))


RULES: Mapping[type, Callable[..., Element]] = MappingProxyType(
    {
        sp.exp: gen.exp,
        sp.log: gen.log,
        sp.sin: lambda f, a: gen.cis(f, a)[1],
        sp.cos: lambda f, a: gen.cis(f, a)[0],
        sp.tan: _tan,
        sp.cot: lambda f, a: f.inverse(_tan(f, a)),
        sp.sinh: lambda f, a: _hyperbolic(f, a)[1],
        sp.cosh: lambda f, a: _hyperbolic(f, a)[0],
        sp.tanh: _tanh,
        sp.asin: gen.asin,
        sp.acos: _acos,
        sp.atan: gen.atan,
        sp.erf: gen.erf,
        sp.erfc: lambda f, a: f.sub(f.rational(1), gen.erf(f, a)),
        sp.Abs: absolute,
        sp.sign: sign_of,
        fn.step: _step,
        fn.relu: _relu,
        fn.leaky_relu: _leaky,
        fn.Phi: _phi,
        fn.gelu: lambda f, a: f.mul(a, _phi(f, a)),
        fn.sigmoid: _sigmoid,
        fn.softplus: lambda f, a: gen.log(f, f.add(f.rational(1), gen.exp(f, a))),
        fn.silu: lambda f, a: f.mul(a, _sigmoid(f, a)),
    }
)
"""Function → its normal form from those of its arguments."""
