r"""Values of expressions as balls that are proved to contain them.

A value is evaluated over its graph: every named value and every common subexpression once. Unevaluated
expectations are integrated (see :mod:`tpsym.gauss.quadrature`); where only an error estimate can be had
the result says so, and no refutation may rest on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

import sympy as sp
from flint import arb, ctx
from sympy.core.relational import Relational

from tpsym import functions as fn
from tpsym.gauss.balls import NAN, REAL, Ball, algebraic, holds, power, rational_power
from tpsym.gauss.enclosures import enclosure
from tpsym.gauss.existence import may_diverge
from tpsym.gauss.expectation import E
from tpsym.gauss.quadrature import NotRigorousError, OutOfTimeError

NOTHING: Mapping[sp.Symbol, sp.Expr] = MappingProxyType({})
NO_FUNCTIONS: Mapping[str, Callable[..., sp.Expr]] = MappingProxyType({})


@dataclass(frozen=True)
class Numeric:
    """A value; ``rigorous`` if the ball is proved to contain it, else its radius is an estimated error."""

    value: Ball
    rigorous: bool

    @property
    def known(self) -> bool:
        """Whether the ball is finite."""
        return bool(self.value.is_finite())


def as_ball(x: Ball | Fraction | int) -> Ball:
    """A number as a ball at the working precision."""
    if isinstance(x, Fraction):
        return arb(x.numerator) / x.denominator
    return arb(x)


@dataclass
class Evaluation:
    """The values of subexpressions at one point, at the working precision."""

    values: Mapping[sp.Symbol, Ball]
    definitions: Mapping[sp.Symbol, sp.Expr]
    functions: Mapping[str, Callable[..., sp.Expr]]
    deadline: float | None
    estimates: bool
    rationals: Mapping[sp.Symbol, sp.Rational] = field(default_factory=dict)
    patience: float | None = None
    done: dict[sp.Basic, Ball] = field(default_factory=dict)
    rigorous: bool = True

    def __call__(self, root: sp.Basic) -> Ball:
        """The value of an expression. A stack, not recursion: definitions can be thousands deep."""
        done, stack = self.done, [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            parts = self._parts(node)
            missing = [p for p in parts if p not in done]
            if missing:
                stack.extend(missing)
                continue
            done[node] = self._combine(node, parts)
            stack.pop()
        return done[root]

    def _parts(self, node: sp.Basic) -> tuple[sp.Basic, ...]:
        if isinstance(node, sp.Symbol):
            return (self.definitions[node],) if node in self.definitions and node not in self.values else ()
        if isinstance(node, E):
            inner = (node.body.free_symbols - set(node.variables)) | node.covariance.free_symbols
            return (*sorted(inner, key=str), *node.covariance)
        if isinstance(node, fn.Unknown):
            return (substituted(node, self.functions),)
        if isinstance(node, sp.Piecewise):
            return tuple(p for value, condition in node.args for p in (value, *_sides(condition)))
        if isinstance(node, sp.Pow) and isinstance(node.exp, sp.Rational):
            return (node.base,)
        return () if isinstance(node, sp.CRootOf) else tuple(node.args)

    def _combine(self, node: sp.Basic, parts: tuple[sp.Basic, ...]) -> Ball:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTimeError()
        values = [self.done[p] for p in parts]
        if isinstance(node, sp.Symbol):
            return values[0] if values else self.values.get(node, NAN)
        if isinstance(node, sp.Add):
            return sum(values[1:], values[0])
        if isinstance(node, sp.Mul):
            return _product(values)
        if isinstance(node, sp.Pow):
            return self._power(node, values)
        if isinstance(node, E):
            return self._expectation(node)
        if isinstance(node, fn.Unknown):
            return values[0]
        if isinstance(node, sp.Piecewise):
            return self._piecewise(node)
        if isinstance(node, sp.Rational):
            return arb(int(node.p)) / int(node.q)
        if isinstance(node, sp.CRootOf):
            return algebraic(node)
        if node in CONSTANTS:
            return CONSTANTS[node]()
        rule = REAL.get(type(node))
        return rule(*values) if rule is not None else NAN

    def _power(self, node: sp.Pow, values: list[Ball]) -> Ball:
        if isinstance(node.exp, sp.Rational):
            return rational_power(values[0], int(node.exp.p), int(node.exp.q))
        return values[1].exp() if node.base is sp.E else power(*values)

    def _piecewise(self, node: sp.Piecewise) -> Ball:
        result: Ball = None
        for value, condition in node.args:
            truth = self.truth(condition)
            if truth is False:
                continue
            ball = self.done[value]
            result = ball if result is None else result.union(ball)
            if truth:
                return result
        return NAN

    def truth(self, condition: sp.Basic) -> bool | None:
        """Whether a condition holds: True, False, or None where the balls leave it open."""
        if condition in (sp.true, sp.false):
            return bool(condition)
        if isinstance(condition, Relational):
            return holds(condition.rel_op, self(condition.lhs) - self(condition.rhs))
        parts = [self.truth(c) for c in condition.args]
        if isinstance(condition, sp.Not):
            return None if parts[0] is None else not parts[0]
        decisive = isinstance(condition, sp.Or)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive

    def _expectation(self, node: E) -> Ball:
        body = _without_unknowns(node.body, self.functions)
        # a mean inside binds the same variables: it becomes a number first
        inner = {e: sp.Symbol(f"$mean{i}", real=True) for i, e in enumerate(sorted(body.atoms(E), key=str))}
        body = body.xreplace(inner)
        self.done.update({s: self(e) for e, s in inner.items() if body.has(s)})
        covariance = node.covariance.xreplace(self.rationals)
        try:
            return enclosure(body, covariance, self, deadline=self._for_one())
        except (NotRigorousError, OutOfTimeError) as error:
            if isinstance(error, OutOfTimeError) and self.deadline is not None and time.monotonic() > self.deadline:
                raise
            if not self.estimates or may_diverge(body, node.variables, covariance):
                return NAN
            self.rigorous = False
            # NumPy and SciPy are slow to import and rarely needed
            from tpsym.gauss.sampled import estimate

            return estimate(body, covariance, self, deadline=self.deadline)


    def _for_one(self) -> float | None:
        """When a proof of one mean has to be there: one that takes longer must not eat up the time of the others."""
        now = time.monotonic()
        share = None if self.deadline is None else (self.deadline - now) / 8
        waits = [w for w in (share, self.patience) if w is not None]
        return now + min(waits) if waits and self.estimates else self.deadline


CONSTANTS: Mapping[sp.Basic, Callable[[], Ball]] = MappingProxyType(
    {
        sp.pi: arb.pi,
        sp.E: arb.const_e,
        sp.EulerGamma: arb.const_euler,
    }
)


def _product(values: list[Ball]) -> Ball:
    result = values[0]
    for v in values[1:]:
        result = result * v
    return result


def _sides(condition: sp.Basic) -> tuple[sp.Basic, ...]:
    if isinstance(condition, Relational):
        return (condition.lhs, condition.rhs)
    if condition in (sp.true, sp.false):
        return ()
    return tuple(p for c in condition.args for p in _sides(c))


def substituted(node: fn.Unknown, functions: Mapping[str, Callable[..., sp.Expr]]) -> sp.Expr:
    """The unknown function (or its derivative) as the given concrete one."""
    function = functions.get(node.name)
    if function is None:
        return sp.nan
    slots = [sp.Dummy(real=True) for _ in node.arguments]
    value = function(*slots)
    for slot, order in zip(slots, node.orders, strict=True):
        value = sp.diff(value, slot, order) if order else value
    return value.xreplace(dict(zip(slots, node.arguments, strict=True)))


def _without_unknowns(expr: sp.Expr, functions: Mapping[str, Callable[..., sp.Expr]]) -> sp.Expr:
    while found := expr.atoms(fn.Unknown):
        innermost = [u for u in found if not any(a.atoms(fn.Unknown) for a in u.arguments)]
        expr = expr.xreplace({u: substituted(u, functions) for u in innermost})
    return expr


def _rationals(values: Mapping[sp.Symbol, Ball | Fraction | int]) -> dict[sp.Symbol, sp.Rational]:
    exact = {s: Fraction(v) for s, v in values.items() if isinstance(v, Fraction | int)}
    return {s: sp.Rational(v.numerator, v.denominator) for s, v in exact.items()}


def enclose_all(
    exprs: Sequence[sp.Expr],
    values: Mapping[sp.Symbol, Ball | Fraction | int],
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NOTHING,
    functions: Mapping[str, Callable[..., sp.Expr]] = NO_FUNCTIONS,
    bits: int = 128,
    deadline: float | None = None,
    estimates: bool = True,
    patience: float | None = None,
) -> tuple[Numeric, ...]:
    """:func:`enclose` of several expressions at one point, what they share evaluated once.

    A mean whose proof takes longer than ``patience`` seconds has an estimated error.
    """
    with ctx.workprec(bits):
        balls = {s: as_ball(v) for s, v in values.items()}
        evaluation = Evaluation(balls, definitions, functions, deadline, estimates, _rationals(values), patience)
        try:
            found = [evaluation(e) for e in exprs]
        except (OutOfTimeError, ZeroDivisionError, OverflowError, RecursionError):
            return tuple(Numeric(NAN, False) for _ in exprs)
    return tuple(Numeric(x, evaluation.rigorous) for x in found)


def enclose(
    expr: sp.Expr,
    values: Mapping[sp.Symbol, Ball | Fraction | int],
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NOTHING,
    functions: Mapping[str, Callable[..., sp.Expr]] = NO_FUNCTIONS,
    bits: int = 128,
    deadline: float | None = None,
    estimates: bool = True,
) -> Numeric:
    """The value at a point, rigorous or (if ``estimates``) with an estimated error; NaN where undefined.

    Functions that a claim leaves unknown are taken from ``functions``. Past the ``deadline`` (of
    ``time.monotonic``) the value is NaN.
    """
    return enclose_all(
        [expr],
        values,
        definitions=definitions,
        functions=functions,
        bits=bits,
        deadline=deadline,
        estimates=estimates,
    )[0]


def ball(
    expr: sp.Expr,
    values: Mapping[sp.Symbol, Ball | Fraction | int],
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NOTHING,
    functions: Mapping[str, Callable[..., sp.Expr]] = NO_FUNCTIONS,
    bits: int = 128,
    deadline: float | None = None,
) -> Ball:
    """A ball proved to contain the value, where it is defined; NaN if none can be had."""
    return enclose(
        expr,
        values,
        definitions=definitions,
        functions=functions,
        bits=bits,
        deadline=deadline,
        estimates=False,
    ).value


def value(
    expr: sp.Expr,
    values: Mapping[sp.Symbol, Ball | Fraction | int],
    *,
    definitions: Mapping[sp.Symbol, sp.Expr] = NOTHING,
    functions: Mapping[str, Callable[..., sp.Expr]] = NO_FUNCTIONS,
    digits: int = 15,
    limit: int = 2048,
    deadline: float | None = None,
) -> tuple[Numeric, int]:
    """The value, and how many digits are certain; precision grows until ``digits`` are, up to ``limit``.

    Integrals in several dimensions are found to a fixed accuracy: where more precision does not help, it ends.
    """
    bits, before = max(64, int(digits * 3.33) + 24), 0
    while True:
        found = enclose(expr, values, definitions=definitions, functions=functions, bits=bits, deadline=deadline)
        certain = certain_digits(found.value)
        late = deadline is not None and time.monotonic() > deadline
        if certain >= digits or not found.rigorous or bits * 2 > limit or late or 0 < certain <= before:
            return found, certain
        bits, before = bits * 2, certain


def certain_digits(x: Ball) -> int:
    """Decimal digits of the ball that are certain: relative to its size, absolute below one."""
    if not x.is_finite():
        return 0
    if x.is_exact():
        return 10**6
    return max(0, int(min(x.rel_accuracy_bits(), 10**7) * 0.30103))
