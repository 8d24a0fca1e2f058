"""An integrand as a short program on complex balls, for adaptive integration.

Functions with a kink take the side of the kink they are told, where the integral was split there;
otherwise they use flint's extension that is analytic off the line Re = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sympy as sp
from flint import acb, arb
from sympy.core.relational import Relational

from tpsym import functions as fn
from tpsym.gauss.balls import Ball
from tpsym.gauss.growth import e_has

Complex = Any
"""A ``flint.acb``."""

Apply = Callable[[list[Complex], bool, int], Complex]

KINKED = (fn.step, fn.relu, fn.leaky_relu, sp.Abs, sp.sign)


class NoRuleError(ArithmeticError):
    """A function without an analytic extension here."""


@dataclass(frozen=True)
class Instruction:
    """``apply(arguments, analytic, sign)`` on the results of earlier instructions."""

    apply: Apply
    arguments: tuple[int, ...]
    kink: int = -1


@dataclass(frozen=True)
class Integrand:
    """``kinks`` are the arguments of the kinked functions, each an expression in ``variables``."""

    variables: tuple[sp.Symbol, ...]
    instructions: tuple[Instruction, ...]
    kinks: tuple[sp.Expr, ...]

    def __call__(self, point: Sequence[Complex], analytic: bool, signs: Sequence[int]) -> Complex:
        """The value at a point, kinked functions on the given sides (0: not known)."""
        results: list[Complex] = list(point)
        for instruction in self.instructions:
            arguments = [results[i] for i in instruction.arguments]
            sign = signs[instruction.kink] if instruction.kink >= 0 else 0
            results.append(instruction.apply(arguments, analytic, sign))
        return results[-1]


def compiled(expr: sp.Expr, variables: Sequence[sp.Symbol], value: Callable[[sp.Expr], Ball]) -> Integrand:
    """The program of an expression; ``value`` encloses the parts without the variables."""
    position: dict[sp.Basic, int] = {v: i for i, v in enumerate(variables)}
    instructions: list[Instruction] = []
    kinks: dict[sp.Expr, int] = {}

    def emit(apply: Apply, arguments: tuple[int, ...], kink: int) -> int:
        instructions.append(Instruction(apply, arguments, kink))
        return len(variables) + len(instructions) - 1

    def place(e: sp.Basic) -> int:
        found = position.get(e)
        if found is None:
            found = position[e] = _place(e)
        return found

    def _place(e: sp.Basic) -> int:
        if not e_has(e, variables):
            constant = acb(value(e))
            return emit(lambda a, _, s: constant, (), -1)
        if isinstance(e, sp.Piecewise):
            return _piecewise(e)
        parts = tuple(place(a) for a in e.args)
        kink = kinks.setdefault(e.args[0], len(kinks)) if isinstance(e, KINKED) else -1
        return emit(_operation(e, value), parts, kink)

    def _piecewise(e: sp.Piecewise) -> int:
        steps: list[tuple[bool | None, int, int, str]] = []
        for branch, condition in e.args:
            if condition in (sp.true, sp.false):
                steps.append((bool(condition), place(branch), -1, ""))
                continue
            if not isinstance(condition, Relational) or condition.rel_op not in ("<", "<=", ">", ">="):
                raise NoRuleError("a condition that is no inequality")
            gap = condition.lhs - condition.rhs
            if gap.free_symbols & set(variables):
                kinks.setdefault(gap, len(kinks))
            steps.append((None, place(branch), place(gap), condition.rel_op))
        arguments = tuple(i for step in steps for i in (step[1], max(step[2], 0)))
        return emit(_branching([(s[0], s[3]) for s in steps]), arguments, -1)

    last = place(expr)
    if last != len(variables) + len(instructions) - 1:
        emit(lambda a, _, s: a[0], (last,), -1)
    return Integrand(tuple(variables), tuple(instructions), tuple(kinks))


def _branching(steps: list[tuple[bool | None, str]]) -> Apply:
    """The first branch whose condition holds by the real part of the gap; all that may hold, joined."""

    def apply(a: list[Complex], analytic: bool, _: int) -> Complex:
        possible: list[Complex] = []
        for i, (fixed, relation) in enumerate(steps):
            truth = fixed if fixed is not None else _truth(a[2 * i + 1].real, relation)
            if truth is False:
                continue
            possible.append(a[2 * i])
            if truth:
                break
        if len(possible) == 1:
            return possible[0]
        if analytic or not possible:
            return acb(arb.nan())
        result = possible[0]
        for other in possible[1:]:
            result = result.union(other)
        return result

    return apply


def _truth(gap: Ball, relation: str) -> bool | None:
    if gap > 0:
        return relation in (">", ">=")
    if gap < 0:
        return relation in ("<", "<=")
    return None


def _power(e: sp.Pow, value: Callable[[sp.Expr], Ball]) -> Apply:
    exponent = e.exp
    if isinstance(exponent, sp.Integer):
        k = int(exponent)
        return lambda a, _, s: a[0] ** k
    if isinstance(exponent, sp.Rational) and exponent.q == 2:
        p = int(exponent.p)
        return lambda a, analytic, s: a[0].sqrt(analytic=analytic) ** p
    return lambda a, analytic, s: (a[1] * a[0].log(analytic=analytic)).exp()


def _operation(e: sp.Expr, value: Callable[[sp.Expr], Ball]) -> Apply:
    if isinstance(e, sp.Add):
        return lambda a, _, s: sum(a[1:], a[0])
    if isinstance(e, sp.Mul):
        return _product
    if isinstance(e, sp.Pow) and e.base is not sp.E:
        return _power(e, value)
    if isinstance(e, sp.Pow):
        return lambda a, _, s: a[1].exp()
    found = OPERATIONS.get(type(e))
    if found is None:
        raise NoRuleError(type(e).__name__)
    return found


def _product(a: list[Complex], analytic: bool, sign: int) -> Complex:
    result = a[0]
    for x in a[1:]:
        result = result * x
    return result


def _relu(a: list[Complex], analytic: bool, sign: int) -> Complex:
    if sign:
        return a[0] if sign > 0 else acb(0)
    return a[0].real_max(acb(0), analytic=analytic)


def _leaky(a: list[Complex], analytic: bool, sign: int) -> Complex:
    if sign:
        return a[0] if sign > 0 else a[1] * a[0]
    return _relu(a, analytic, 0) - a[1] * _relu([-a[0]], analytic, 0)


def _abs(a: list[Complex], analytic: bool, sign: int) -> Complex:
    return a[0] * sign if sign else a[0].real_abs(analytic=analytic)


def _sign(a: list[Complex], analytic: bool, sign: int) -> Complex:
    return acb(sign) if sign else a[0].real_sgn(analytic=analytic)


def _step(a: list[Complex], analytic: bool, sign: int) -> Complex:
    return acb(int(sign > 0)) if sign else a[0].real_heaviside(analytic=analytic)


def _extremum(a: list[Complex], analytic: bool, largest: bool) -> Complex:
    result = a[0]
    for x in a[1:]:
        result = result.real_max(x, analytic=analytic) if largest else result.real_min(x, analytic=analytic)
    return result


def _phi(z: Complex) -> Complex:
    return (-z / arb(2).sqrt()).erfc() / 2


def _logistic(z: Complex) -> Complex:
    return 1 / (1 + (-z).exp())


OPERATIONS: Mapping[type, Apply] = MappingProxyType(
    {
        sp.exp: lambda a, _, s: a[0].exp(),
        sp.log: lambda a, analytic, s: a[0].log(analytic=analytic),
        sp.sin: lambda a, _, s: a[0].sin(),
        sp.cos: lambda a, _, s: a[0].cos(),
        sp.sinh: lambda a, _, s: a[0].sinh(),
        sp.cosh: lambda a, _, s: a[0].cosh(),
        sp.tanh: lambda a, _, s: a[0].tanh(),
        sp.erf: lambda a, _, s: a[0].erf(),
        sp.Abs: _abs,
        sp.sign: _sign,
        sp.Max: lambda a, analytic, s: _extremum(a, analytic, True),
        sp.Min: lambda a, analytic, s: _extremum(a, analytic, False),
        fn.step: _step,
        fn.relu: _relu,
        fn.leaky_relu: _leaky,
        fn.Phi: lambda a, _, s: _phi(a[0]),
        fn.gelu: lambda a, _, s: a[0] * _phi(a[0]),
        fn.sigmoid: lambda a, _, s: _logistic(a[0]),
        fn.softplus: lambda a, analytic, s: (1 + a[0].exp()).log(analytic=analytic),
        fn.silu: lambda a, _, s: a[0] * _logistic(a[0]),
    }
)
"""Function → its values on complex balls."""
