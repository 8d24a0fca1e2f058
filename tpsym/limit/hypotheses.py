"""Which Master Theorem covers a program: its language, and the growth of its nonlinearities.

Without matrices the strong law of large numbers needs a finite mean only. NETSOR (no matrix used both
ways) allows growth up to exp(C|x|^(2−ε)) (Yang 2019); NETSOR⊤ needs polynomially bounded functions
(Yang 2020, Theorem 2.10). With scalars inside (NETSOR⊤+) the theorems assume pseudo-Lipschitz functions
(ibid., Theorem E.15), or rank stability and parameter control (Theorem E.11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import Unknown
from tpsym.limit.series import SizeUnknown
from tpsym.program.graph import Program
from tpsym.program.instructions import MatMul, Moment, Nonlin, OuterNonlin, is_scalar, vector_slot
from tpsym.program.labels import node_label

Growth = Literal[0, 1, 2]
"""0: polynomially bounded; 1: at most exp(C|x|); 2: faster, or unbounded at a finite point."""

BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.erf, sp.sign)
EXPONENTIAL = (sp.exp, sp.cosh, sp.sinh)


@dataclass(frozen=True, slots=True)
class Theorem:
    """The theorem that covers a program, with what it assumes beyond what was checked."""

    name: str
    source: str
    assumes: str = ""


def theorem(
    program: Program,
    nodes: Iterable[int],
    payload: Expr | None = None,
    *,
    correlated: Callable[[list[int]], bool] = lambda _: True,
) -> Theorem:
    """The theorem behind the limit of averages of these nodes (``payload``: a further average asked for).

    ``correlated`` says whether a product among the given nodes has a correlation part. Where none has, as in
    backpropagation at initialisation, functions of exponential growth are taken to be covered, and it is said.

    Raises:
        SizeUnknown: a nonlinearity grows too fast for every theorem here.
    """
    needed = program.behind(nodes)
    uses: dict[int, set[bool]] = {}
    worst, culprit, scalars, unknown, outer, lipschitz = 0, "", False, False, False, True
    for node in needed:
        instruction = program[node]
        if isinstance(instruction, MatMul):
            uses.setdefault(instruction.matrix, set()).add(instruction.transposed)
        elif isinstance(instruction, Nonlin | Moment | OuterNonlin) and instruction.vectors:
            slots = {vector_slot(i) for i in range(len(instruction.vectors))}
            lipschitz = lipschitz and pseudo_lipschitz(instruction.payload)
            found = growth(instruction.payload, slots)
            unknown = unknown or instruction.payload.has(Unknown)
            scalars = scalars or bool(instruction.scalars)
            outer = outer or isinstance(instruction, OuterNonlin)
            if found > worst:
                worst, culprit = found, node_label(program, node)
    if payload is not None:
        symbols = {s for s in payload.free_symbols if s.name.startswith("$") and not _is_number(program, s)}
        lipschitz = lipschitz and pseudo_lipschitz(payload)
        found = growth(payload, symbols)
        if found > worst:
            worst, culprit = found, "the function averaged"
    if not uses and not scalars:
        return Theorem("strong law of large numbers", "Yang2020TP3")
    both = any(len(orientations) == 2 for orientations in uses.values())
    if worst == 2 or (worst == 1 and both and correlated(needed)):
        kind = "is not polynomially bounded" if worst == 1 else "grows too fast or is unbounded at a finite point"
        raise SizeUnknown(f"{culprit} {kind}, which the Master Theorem for this kind of program does not cover")
    assumes = ["the unknown functions are smooth with polynomially bounded derivatives"] if unknown else []
    if worst and both:
        assumes += ["gradient independence for functions of exponential growth"]
    if outer:
        return Theorem("NE⊗OR⊤ Master Theorem", "Yang2023TP4b", "; ".join([*assumes, "pseudo-Lipschitz functions"]))
    if scalars and not both and worst and uses:
        assumes += ["rank stability", "parameter control"]
        return Theorem("NETSOR+ Master Theorem", "Yang2019TP1", "; ".join(assumes))
    if scalars:
        assumes += [] if lipschitz else ["rank stability", "parameter control"] if uses else ["parameter control"]
        return Theorem("NETSOR⊤+ Master Theorem", "Yang2020TP3", "; ".join(assumes))
    if both:
        return Theorem("NETSOR⊤ Master Theorem", "Yang2020TP3", "; ".join(assumes))
    return Theorem("NETSOR Master Theorem", "Yang2019TP1", "; ".join(assumes))


def _is_number(program: Program, symbol: Symbol) -> bool:
    """Whether the symbol of a node stands for a scalar."""
    return symbol.name[1:].isdigit() and is_scalar(program[int(symbol.name[1:])])


def pseudo_lipschitz(expr: Expr) -> bool:
    """Whether |f(x) − f(y)| ≤ C |x − y| (1 + |x|^d + |y|^d) is evident, in vectors and scalars together."""
    if not any(s.name.startswith("$") for s in expr.free_symbols):
        return True
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_Integer and expr.exp.is_nonnegative) and pseudo_lipschitz(expr.base)
    smooth = isinstance(expr, (sp.Symbol, sp.Add, sp.Mul, *lipschitz_functions()))
    return smooth and all(isinstance(a, Expr) and pseudo_lipschitz(a) for a in expr.args)


@cache
def lipschitz_functions() -> tuple[type, ...]:
    """Functions that are Lipschitz in their arguments, or smooth with derivatives that are."""
    from tpsym import functions as fn

    return (sp.sin, sp.cos, sp.tanh, sp.erf, sp.Abs, sp.Max, sp.Min, fn.Phi, fn.sigmoid, fn.relu, fn.leaky_relu,
            fn.gelu, fn.silu, fn.softplus)


def growth(expr: Expr, variables: set[Symbol]) -> Growth:
    """An upper bound on the growth of an expression in the variables."""
    if not expr.free_symbols & variables or expr.is_Symbol or bounded(expr, variables):
        return 0
    if isinstance(expr, sp.Pow):
        return _power_growth(expr, variables)
    if isinstance(expr, EXPONENTIAL):
        return _exponential_growth(expr, variables)
    if isinstance(expr, sp.log):
        return max(growth(expr.args[0], variables), 0 if away_from_zero(expr.args[0], variables) else 2)
    if isinstance(expr, sp.tan):
        return 2
    return max((growth(a, variables) for a in expr.args if isinstance(a, Expr)), default=0)


def bounded(expr: Expr, variables: set[Symbol]) -> bool:
    """Whether an expression certainly stays bounded."""
    if not expr.free_symbols & variables:
        return True
    from tpsym.functions import Phi, sigmoid, step

    if isinstance(expr, (*BOUNDED, Phi, sigmoid, step)):
        return True
    if isinstance(expr, sp.exp):
        return above(-expr.args[0], variables)
    if isinstance(expr, sp.Add | sp.Mul):
        return all(bounded(a, variables) for a in expr.args)
    if isinstance(expr, sp.Pow) and expr.exp.is_number:
        if expr.exp.is_nonnegative:
            return bounded(expr.base, variables)
        return away_from_zero(expr.base, variables)
    return False


def above(expr: Expr, variables: set[Symbol]) -> bool:
    """Whether an expression is certainly bounded from below: a constant plus nonnegative terms."""
    return all(
        not t.free_symbols & variables or t.is_nonnegative or bounded(t, variables) for t in sp.Add.make_args(expr)
    )


def away_from_zero(expr: Expr, variables: set[Symbol]) -> bool:
    """Whether an expression is certainly at least a positive constant."""
    terms = sp.Add.make_args(expr)
    constant = sp.Add(*(t for t in terms if not t.free_symbols & variables))
    return bool(constant.is_positive) and all(nonnegative(t) for t in terms if t.free_symbols & variables)


def nonnegative(expr: Expr) -> bool:
    """Whether an expression in real variables is evidently not negative where it is defined."""
    root = isinstance(expr, sp.Pow) and expr.exp.is_Rational and expr.exp.q % 2 == 0
    if isinstance(expr, sp.Mul):
        return all(nonnegative(f) for f in expr.args)
    return bool(expr.is_nonnegative) or root or isinstance(expr, sp.Abs)


def _power_growth(expr: sp.Pow, variables: set[Symbol]) -> Growth:
    base, exponent = expr.as_base_exp()
    if exponent.free_symbols & variables:
        constant = not base.free_symbols & variables and base.is_positive
        return _exponential_growth(sp.exp(exponent * sp.log(base)), variables) if constant else 2
    if exponent.is_nonnegative:
        return growth(base, variables)
    return 0 if away_from_zero(base, variables) else 2


def _exponential_growth(expr: Expr, variables: set[Symbol]) -> Growth:
    argument = expr.args[0]
    if growth(argument, variables) > 0:
        return 2
    return 1 if linear(argument, variables) else 2


def linear(expr: Expr, variables: set[Symbol]) -> bool:
    """Whether |expr| ≤ C(1 + |x|)."""
    if expr.is_Symbol or bounded(expr, variables):
        return True
    if isinstance(expr, sp.Add):
        return all(linear(a, variables) for a in expr.args)
    if isinstance(expr, sp.Mul):
        unbounded = [a for a in expr.args if not bounded(a, variables)]
        return len(unbounded) <= 1 and all(linear(a, variables) for a in unbounded)
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_nonnegative and (1 - expr.exp).is_nonnegative) and linear(expr.base, variables)
    from tpsym.functions import gelu, leaky_relu, relu, silu, softplus

    if isinstance(expr, relu | sp.Abs | gelu | silu | softplus | sp.Max | sp.Min | leaky_relu):
        return all(linear(a, variables) for a in expr.args)
    return False
