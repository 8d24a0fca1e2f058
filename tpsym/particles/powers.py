r"""The leading power of n of an expression, and its coefficient.

With :math:`x_i = n^{e_i}(Z_i + o(1))` for every leaf, an expression is :math:`n^e(Z + o(1))`: e is an upper bound,
attained unless Z vanishes. What is of smaller order is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.core.relational import Relational

from tpsym import functions as tp
from tpsym.errors import Span, TpError, fail

SMALL = 10**6
"""Largest denominator of an exponent; what differs by less is equal."""


@dataclass(frozen=True, slots=True)
class Lead:
    """The coefficient, free of n, and the power of the leading order.

    ``power`` is ``None`` for what is zero. ``exact`` says that nothing was dropped on the way.
    """

    coefficient: Expr
    power: Fraction | None
    exact: bool = True

    @property
    def zero(self) -> bool:
        """Whether it vanishes at every width."""
        return self.power is None


NOTHING = Lead(S.Zero, None)
HOMOGENEOUS = (tp.relu, tp.leaky_relu, sp.Abs)
JUMPS = (sp.sign, tp.step, sp.Heaviside)
BROKEN = (*JUMPS, Relational, sp.floor, sp.ceiling, sp.Mod)
"""What is not continuous: its argument may be known to leading order only where that does not vanish."""


def no_limit(what: str, span: Span | None = None) -> TpError:
    """The refusal of what particles cannot give."""
    return fail(
        "no-particle-limit", what, span,
        fix="take the kernel limit, or a parametrisation in which it stays of order one",
    )


def fraction(value: float) -> Fraction:
    """An exponent."""
    return Fraction(value).limit_denominator(SMALL)


@dataclass(slots=True)
class Reader:
    """Reads expressions in which ``leaves`` have known leading orders and ``widths`` are multiples of n.

    Other symbols are parameters, and ``number`` gives their value in an exponent. ``guards`` collects what must not
    vanish: arguments of jumps that are known to leading order only.
    """

    leaves: Mapping[Symbol, Lead]
    widths: Mapping[str, Expr]
    number: Callable[[Expr], float]
    guards: list[Expr] = field(default_factory=list)
    plain: set[Symbol] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.plain = {s for s, lead in self.leaves.items() if lead.coefficient == s and lead.power == 0}

    def read(self, expr: Expr) -> Lead:
        """The leading order of an expression.

        Raises:
            TpError: ``no-particle-limit`` where a function that is not homogeneous meets what grows with n.
        """
        if expr == 0:
            return NOTHING
        if isinstance(expr, Symbol):
            return self._symbol(expr)
        if not any(s.name in self.widths or (s in self.leaves and s not in self.plain) for s in expr.free_symbols):
            return self._unchanged(expr)
        if isinstance(expr, sp.Add):
            return added([self.read(a) for a in expr.args])
        if isinstance(expr, sp.Mul):
            return multiplied([self.read(a) for a in expr.args])
        if isinstance(expr, sp.Pow) and not self._varies(expr.exp):
            return self._power(expr)
        if isinstance(expr, HOMOGENEOUS) and not any(self._varies(a) for a in expr.args[1:]):
            inner = self.read(expr.args[0])
            return NOTHING if inner.zero else Lead(
                expr.func(inner.coefficient, *expr.args[1:]), inner.power, inner.exact
            )
        if isinstance(expr, JUMPS):
            inner = self.read(expr.args[0])
            self._guard(inner)
            return Lead(expr.func(inner.coefficient, *expr.args[1:]), Fraction(0), inner.exact)
        return self._function(expr)

    def _symbol(self, symbol: Symbol) -> Lead:
        if symbol in self.leaves:
            return self.leaves[symbol]
        ratio = self.widths.get(symbol.name)
        return Lead(symbol, Fraction(0)) if ratio is None else Lead(ratio, Fraction(1))

    def _varies(self, expr: Expr) -> bool:
        return any(s in self.leaves or s.name in self.widths for s in expr.free_symbols)

    def _unchanged(self, expr: Expr) -> Lead:
        """An expression of leaves of order one is as it is."""
        used = [self.leaves[s] for s in expr.free_symbols if s in self.leaves]
        exact = all(lead.exact for lead in used)
        if not exact:
            self.guards += [a for part in expr.atoms(*BROKEN) for a in broken_at(part) if self._inexact(a)]
        return Lead(expr, Fraction(0), exact)

    def _inexact(self, expr: Expr) -> bool:
        return any(s in self.leaves and not self.leaves[s].exact for s in expr.free_symbols)

    def _guard(self, inner: Lead) -> None:
        if not inner.exact:
            self.guards.append(inner.coefficient)

    def _power(self, expr: sp.Pow) -> Lead:
        base = self.read(expr.base)
        if base.power == 0:
            return Lead(base.coefficient**expr.exp, Fraction(0), base.exact)
        exponent = self.number(expr.exp)
        if base.power is None:
            if exponent > 0:
                return NOTHING
            raise no_limit(f"{shown(expr)} divides by what is zero")
        return Lead(base.coefficient**expr.exp, base.power * fraction(exponent), base.exact)

    def _function(self, expr: Expr) -> Lead:
        """A continuous function of what is of order one or smaller; near zero by its slope there."""
        if expr.atoms(*BROKEN, sp.Piecewise):
            raise no_limit(f"{shown(expr)} has jumps, and a power of n inside")
        inner = [self.read(a) for a in expr.args]
        if any(lead.power is not None and lead.power > 0 for lead in inner):
            if isinstance(expr, sp.Max | sp.Min):
                return largest(expr, inner)
            raise no_limit(f"{shown(expr)} has an argument that grows with the width")
        given = [lead.coefficient if lead.power == 0 else S.Zero for lead in inner]
        value = expr.func(*given)
        if value == 0 and len(inner) == 1 and not inner[0].zero:
            slot = sp.Dummy(real=True)
            slope = sp.diff(expr.func(slot), slot).xreplace({slot: S.Zero})
            if slope.is_number and slope.is_finite and slope != 0:
                return Lead(slope * inner[0].coefficient, inner[0].power, False)
        exact = all(lead.exact and (lead.zero or lead.power == 0) for lead in inner)
        return Lead(value, Fraction(0), exact)


def added(leads: list[Lead]) -> Lead:
    """The sum: the largest powers."""
    powers = [lead.power for lead in leads if lead.power is not None]
    if not powers:
        return NOTHING
    top = max(powers)
    kept = [lead for lead in leads if lead.power == top]
    exact = all(lead.exact for lead in leads) and all(p == top for p in powers)
    return Lead(sp.Add(*(lead.coefficient for lead in kept)), top, exact)


def multiplied(leads: list[Lead]) -> Lead:
    """The product."""
    if any(lead.zero for lead in leads):
        return NOTHING
    power = sum((lead.power for lead in leads if lead.power is not None), Fraction(0))
    return Lead(sp.Mul(*(lead.coefficient for lead in leads)), power, all(lead.exact for lead in leads))


def largest(expr: Expr, inner: list[Lead]) -> Lead:
    """Max or min, which are homogeneous: what is of smaller order counts as zero."""
    top = max(lead.power for lead in inner if lead.power is not None)
    given = [lead.coefficient if lead.power == top else S.Zero for lead in inner]
    return Lead(expr.func(*given), top, all(lead.exact and (lead.zero or lead.power == top) for lead in inner))


def broken_at(part: Expr) -> tuple[Expr, ...]:
    """What a discontinuous function jumps at the zeros of."""
    if isinstance(part, Relational):
        return (part.lhs - part.rhs,)
    return (part.args[0],)


def shown(expr: Expr) -> str:
    """An expression in a message."""
    text = str(expr).replace("**", "^").replace("$", "")
    return text if len(text) <= 60 else text[:57] + "…"
