r"""Limits of scalars of the program: a number, or a random law where fluctuations survive.

A scalar is a function of moments θ_k = (1/n) Σ φ_k and of random scalars. A moment is written
:math:`θ_k = \mathring θ_k + n^{-1/2} G_k + o(n^{-1/2})` with G_k Gaussian in the two cases the engine
accepts: φ_k is linear in a centred initial vector that is used nowhere else (a readout: Gaussian given
everything else), or φ_k is a function of initial vectors only (i.i.d. coordinates: the classical
central limit theorem). Any other moment is θ̊_k + o(1), and a limit that would need more is refused by
name rather than guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import rule
from tpsym.gauss import expect
from tpsym.limit.interpret import Limit
from tpsym.limit.rules import Mean
from tpsym.limit.series import Series, SizeUnknown, add, exact, expand_in
from tpsym.program.instructions import (
    MatMul,
    Moment,
    OuterNonlin,
    RandomScalar,
    Vector,
    scalar_slot,
    vector_slot,
)
from tpsym.program.values import node_symbol

HALF = sp.Rational(1, 2)
NOISE = "$noise"
PROBE = "probe("
"""How the initial vectors are named that traces are averaged over."""


def noise_symbol(node: int) -> Symbol:
    """G_node: the limit of √n(θ − θ̊) of a moment, or the centred value of a random scalar."""
    return Symbol(f"{NOISE}{node}", real=True)


@dataclass(frozen=True, slots=True)
class ScalarLimit:
    """``value``, an expression in the Gaussians G of the nodes in ``noise`` (none: a number)."""

    value: Expr
    noise: tuple[int, ...] = ()

    @property
    def gaussian(self) -> bool:
        """Whether the law is Gaussian (or a number)."""
        symbols = {noise_symbol(k) for k in self.noise}
        return all(not sp.diff(self.value, s).free_symbols & symbols for s in symbols)


@rule("ScalarLimit", source="Yang2020TP3", locator="Theorem 2.10; central limit theorem")
def scalar_limit(limit: Limit, expr: Expr) -> ScalarLimit:
    """The limit of an expression over scalar nodes.

    Raises:
        Grows: it grows with n.
        SizeUnknown: its limit is not decided by the rules here; the message says what is missing.
    """
    flat = flatten(limit, expr)
    nodes = sorted(scalar_nodes(flat))
    limit.prepare(nodes)
    try:
        values = {node_symbol(k): expansion(limit, k) for k in nodes}
        value = expand_in(flat, limit.n, values, is_random=is_noisy).limit()
    except SizeUnknown as error:
        rough = [limit.label(k) for k in nodes if not admissible(limit, k)]
        if not rough:
            raise
        raise SizeUnknown(
            f"{error}; the fluctuation of {', '.join(rough)} around the limit matters, and it is neither linear in "
            "an independent readout nor a mean of independent coordinates"
        ) from None
    value = sp.expand(value) if value.free_symbols & {noise_symbol(k) for k in nodes} else value
    return ScalarLimit(value, tuple(k for k in nodes if noise_symbol(k) in value.free_symbols))


def is_noisy(coefficient: Expr) -> bool:
    """Whether a coefficient keeps its randomness."""
    return any(s.name.startswith(NOISE) for s in coefficient.free_symbols)


def expansion(limit: Limit, node: int) -> Series:
    """A moment or random scalar to the order to which its law is known."""
    instruction = limit.program[node]
    if isinstance(instruction, RandomScalar):
        return exact(instruction.mean + (noise_symbol(node) if instruction.variance != 0 else S.Zero))
    series = limit.scalar(node)
    if not admissible(limit, node):
        return series
    payload = payload_series(limit, node)
    top = payload.top
    if top is None:
        return series
    # the mean of a readout is zero at every order; that of independent coordinates is exact termwise
    means = {} if readouts(limit, node) else {e: limit.expectation(c) for e, c in payload.terms.items()}
    size = sp.expand(top - HALF)
    return add([Series(means), Series({size: noise_symbol(node)}, size)])


def mean(limit: Limit, values: Sequence[ScalarLimit]) -> Expr:
    """E of a product of scalar limits over their joint Gaussian noise."""
    nodes = sorted({k for v in values for k in v.noise})
    product = sp.Mul(*(v.value for v in values))
    if not nodes:
        return product
    rows = [[noise_covariance(limit, a, b) for b in nodes] for a in nodes]
    return expect(product, [noise_symbol(k) for k in nodes], rows).value


def covariance(limit: Limit, x: ScalarLimit, y: ScalarLimit) -> Expr:
    """Covariance of two scalar limits."""
    return mean(limit, [x, y]) - mean(limit, [x]) * mean(limit, [y])


def flatten(limit: Limit, expr: Expr) -> Expr:
    """The expression with functions of scalars written out, down to moments and random scalars."""
    while True:
        inner = {
            node_symbol(k): limit.program[k].payload.xreplace(  # type: ignore[union-attr]
                {scalar_slot(i): node_symbol(s) for i, s in enumerate(limit.program[k].scalars)}  # type: ignore[union-attr]
            )
            for k in scalar_nodes(expr)
            if isinstance(limit.program[k], Moment) and not limit.program[k].vectors  # type: ignore[union-attr]
        }
        if not inner:
            return expr
        expr = expr.xreplace(inner)


def scalar_nodes(expr: Expr) -> list[int]:
    return [int(s.name[1:]) for s in expr.free_symbols if s.name.startswith("$") and s.name[1:].isdigit()]


def admissible(limit: Limit, node: int) -> bool:
    """Whether √n(θ − θ̊) of a moment is known to be asymptotically Gaussian; a random scalar has its own law.

    A trace is an average over a probe that stands for all coordinates: its fluctuation is not the trace's.
    """
    instruction = limit.program[node]
    if isinstance(instruction, RandomScalar):
        return True
    if isinstance(instruction, Moment) and any(is_probe(limit, v) for v in instruction.vectors):
        return False
    return bool(readouts(limit, node)) or independent_coordinates(limit, node)


def is_probe(limit: Limit, node: int) -> bool:
    instruction = limit.program[node]
    return isinstance(instruction, Vector) and instruction.name.startswith(PROBE)


def independent_coordinates(limit: Limit, node: int) -> bool:
    """Whether a moment averages a function of initial vectors alone, known to every order."""
    for k in limit.program.ancestors([node]):
        instruction = limit.program[k]
        if k != node and isinstance(instruction, MatMul | OuterNonlin | RandomScalar | Moment):
            return False
    return payload_series(limit, node).error is None


def readouts(limit: Limit, node: int) -> tuple[int, ...]:
    """The centred initial vectors the moment is linear in and that nothing else in it depends on.

    Empty if the payload is not of the form Σ_j r_j X_j with the X_j independent of all r_j.
    """
    instruction = limit.program[node]
    if not isinstance(instruction, Moment):
        return ()
    program = limit.program
    slots = {vector_slot(i): v for i, v in enumerate(instruction.vectors)}
    linear = [
        v
        for s, v in slots.items()
        if isinstance(program[v], Vector)
        and program[v].mean == 0  # type: ignore[union-attr]
        and not sp.diff(instruction.payload, s).has(s)
    ]
    others = program.ancestors([v for v in instruction.vectors if v not in linear] + list(instruction.scalars))
    found = [r for r in linear if r not in others]
    slot_of = {v: s for s, v in slots.items()}
    symbols = {slot_of[r] for r in found}
    if not found or sp.expand(instruction.payload.xreplace(dict.fromkeys(symbols, S.Zero))) != 0:
        return ()
    if any(sp.diff(instruction.payload, slot_of[r]).has(*symbols) for r in found):
        return ()
    initial = [k for k in others if isinstance(program[k], Vector)]
    rest = [v for v in linear if v not in found]
    if any(program.covariance(r, k) != 0 for r in found for k in [*initial, *rest]):
        return ()
    return tuple(found)


@rule("CLT", source="Yang2020TP2", locator="Corollary 7.3; central limit theorem")
def noise_covariance(limit: Limit, a: int, b: int) -> Expr:
    r"""Cov(G_a, G_b): (1/ratio) E[φ_a φ_b] centred, for two moments; the variance of a random scalar."""
    first, second = limit.program[a], limit.program[b]
    if isinstance(first, RandomScalar) or isinstance(second, RandomScalar):
        return first.variance if a == b else S.Zero  # type: ignore[union-attr]
    assert isinstance(first, Moment)
    assert isinstance(second, Moment)
    check_joint(limit, a, b)
    if first.dimension != second.dimension:
        return S.Zero
    one, other = payload_limit(limit, a), payload_limit(limit, b)
    assert first.dimension is not None
    product = limit.expectation(one * other) - limit.expectation(one) * limit.expectation(other)
    return product / first.dimension.ratio


def covariance_terms(limit: Limit, x: ScalarLimit, y: ScalarLimit) -> Expr:
    """Cov(x, y) of two Gaussian limits before any expectation is taken: Σ c d E[φ_a φ_b], for display."""
    parts = []
    for a in x.noise:
        for b in y.noise:
            c, d = sp.diff(x.value, noise_symbol(a)), sp.diff(y.value, noise_symbol(b))
            first, second = limit.program[a], limit.program[b]
            if isinstance(first, Moment) and isinstance(second, Moment):
                if first.dimension is not None and first.dimension == second.dimension:
                    product = payload_limit(limit, a) * payload_limit(limit, b)
                    parts.append(c * d * Mean(product) / first.dimension.ratio)
            elif a == b:
                parts.append(c * d * noise_covariance(limit, a, b))
    return sp.Add(*parts)


def check_joint(limit: Limit, a: int, b: int) -> None:
    """Whether the pair is jointly of an accepted kind: neither one's readout hides inside the other."""
    if independent_coordinates(limit, a) and independent_coordinates(limit, b):
        return
    for one, other in ((a, b), (b, a)):
        inner = set(limit.program.ancestors(non_readouts(limit, other)))
        if any(r in inner for r in readouts(limit, one)):
            raise SizeUnknown(f"{limit.label(one)} and {limit.label(other)} share a readout nonlinearly")


def non_readouts(limit: Limit, node: int) -> list[int]:
    instruction = limit.program[node]
    assert isinstance(instruction, Moment)
    own = set(readouts(limit, node))
    return [v for v in (*instruction.vectors, *instruction.scalars) if v not in own]


def payload_limit(limit: Limit, node: int) -> Expr:
    """φ(Z; θ̊) of a moment at its leading order."""
    return payload_series(limit, node).leading()[1]


def payload_series(limit: Limit, node: int) -> Series:
    instruction = limit.program[node]
    assert isinstance(instruction, Moment)
    slots = {vector_slot(i): node_symbol(v) for i, v in enumerate(instruction.vectors)}
    slots |= {scalar_slot(i): node_symbol(s) for i, s in enumerate(instruction.scalars)}
    return limit.series(instruction.payload.xreplace(slots))
