r"""States of loops over layers: vectors known through two moments, and the statistics that name these.

Given the moments of one layer the Master Theorem gives those of the next, so that one round of the loop is the
recursion. It closes if a round asks for no more than means :math:`m_l(x) = E\,Z^{h_l(x)}` and products
:math:`K_l(x, y) = E\,Z^{h_l(x)} Z^{h_l(y)}` of one layer; what else it asks for is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.core.relational import Relational

from tpsym.derivation import rule
from tpsym.limit.series import Series, SizeUnknown, make
from tpsym.limit.variables import Layered, apart, label_latex
from tpsym.program.graph import Loop
from tpsym.program.instructions import MatMul, State, Vector

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit

Kind = Literal["K", "m", "Theta"]
Vector2 = tuple[int, int]
"""A carried vector: the number of its loop, and its component there."""


class Unclosed(SizeUnknown):
    """A recursion over layers that does not close on means and covariances of one layer."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """``K``: E Z Z', ``m``: E Z, ``Theta``: the tangent kernel, of one or two carried vectors after a round."""

    kind: Kind
    first: Vector2
    second: Vector2
    layer: Expr


def statistic(limit: Limit, kind: Kind, first: Vector2, second: Vector2, layer: Expr) -> Symbol:
    """The symbol of a statistic; the order of the two vectors does not matter."""
    a, b = sorted((first, second))
    key = Statistic(kind, a, b, sp.expand(layer))
    known = limit.statistic_symbols.get(key)
    if known is None:
        text, latex = name(limit, key)
        same = {"nonnegative": True} if a == b and kind != "m" else {"real": True}
        known = limit.variables.name(text, latex, **same)
        limit.statistic_symbols[key] = known
        limit.statistics[known] = key
    return known


def name(limit: Limit, key: Statistic) -> tuple[str, str]:
    """``K[h[l-1]](x, y)``, ``m[h[l-1]](x)``, ``Theta[h[l]](x, y)`` as text and LaTeX."""
    from tpsym.limit.named import covariance_name

    labels = [limit.program.loops[loop].label(c, key.layer) for loop, c in (key.first, key.second)]
    if key.kind == "m":
        head, _, tail = labels[0].partition("(")
        return f"m[{head}]({tail}", f"m_{{{label_latex(head)}}}({label_latex(tail[:-1])})" if tail else "m"
    text, latex = covariance_name(*labels)
    if key.kind == "Theta":
        return "Theta" + text[1:], r"\Theta" + latex[1:]
    return text, latex


def second_moment(limit: Limit, first: int, second: int) -> Symbol:
    """E Z Z' of two states of one statement and one layer.

    Raises:
        Unclosed: they are of different layers or statements.
    """
    a, b = limit.program[first], limit.program[second]
    assert isinstance(a, State)
    assert isinstance(b, State)
    loops = limit.program.loops
    if loops[a.loop].statement != loops[b.loop].statement or sp.expand(a.layer - b.layer) != 0:
        raise missing(limit, first, second)
    return statistic(limit, "K", (a.loop, a.component), (b.loop, b.component), a.layer)


def missing(limit: Limit, first: int, second: int) -> Unclosed:
    """The refusal that names the statistic a recursion does not carry."""
    a, b = limit.label(first), limit.label(second)
    return Unclosed(f"the recursion over layers does not close: it would need the covariance of {a} and {b}; "
                    "give the depth a value, such as depth L = 3")


def mean_of(limit: Limit, node: int) -> Expr:
    """E Z of a state: zero, or a statistic."""
    state = limit.program[node]
    assert isinstance(state, State)
    if limit.program.loops[state.loop].centred[state.component]:
        return S.Zero
    own = (state.loop, state.component)
    return statistic(limit, "m", own, own, state.layer)


@rule("Layer", source="Yang2019TP1", locator="NETSOR Master Theorem, by induction over layers")
def z_state(limit: Limit, node: int) -> Series:
    """The state after a round is Gaussian with the moments of that layer, or enters through these alone."""
    gaussian = limit.variables.raw(node)
    value = mean_of(limit, node) + gaussian
    limit._hat[node], limit._dot[node] = value, S.Zero
    return make({S.Zero: value}, None)


def raw_covariance(limit: Limit, first: int, second: int) -> Expr:
    """Covariance of two Gaussians that are not known to be independent, in program order."""
    from tpsym.limit.rules import z_hat_covariance

    a, b = limit.program[first], limit.program[second]
    if isinstance(a, State) and isinstance(b, State):
        return second_moment(limit, first, second) - mean_of(limit, first) * mean_of(limit, second)
    if isinstance(a, Vector) and isinstance(b, Vector) and a.family == b.family:
        return limit.program.covariance(first, second)
    if isinstance(a, MatMul) and isinstance(b, MatMul) and (a.matrix, a.transposed) == (b.matrix, b.transposed):
        return z_hat_covariance(limit, first, second)
    raise missing(limit, first, second)


def check_law(limit: Limit, expr: Expr) -> None:
    """An expectation asks for no more than second moments of states that are not Gaussian.

    Raises:
        Unclosed: it does.
    """
    states = rough_states(limit, expr)
    if not states:
        return
    written = limit.variables.expand(expr)
    # what is constant between jumps has derivatives that do not show them
    jumps = {s for a in written.atoms(Relational, sp.floor, sp.ceiling) for s in a.free_symbols}
    for s in states:
        for t in states:
            if s in jumps or sp.diff(written, s, t).free_symbols & states:
                label = limit.label(limit.variables.owner[s])
                raise Unclosed(f"the recursion over layers does not close: {label} is not Gaussian, and more than its "
                               "mean and covariances is needed; give the depth a value, such as depth L = 3")


def rough_states(limit: Limit, expr: Expr) -> set[Symbol]:
    """The states without Gaussian law that an expression depends on."""
    variables = limit.variables
    found: set[Symbol] = set()
    for s in variables.expand(expr).free_symbols if limit.program.loops else ():
        if s in variables.owner and s in variables.forms:
            state = limit.program[variables.owner[s]]
            if isinstance(state, State) and not limit.program.loops[state.loop].gaussian:
                found.add(s)
    return found


def hidden_products(limit: Limit, instruction: MatMul) -> list[int]:
    """The states that Z^x depends on and that may rest on products with the transpose of the same matrix."""
    _, x = limit.z(instruction.vector).leading()
    owner = limit.variables.owner
    nodes = {owner[s] for s in limit.variables.expand(x).free_symbols if s in owner}
    return sorted(k for k in nodes if isinstance(i := limit.program[k], State) and rests_on(limit, i, instruction))


def rests_on(limit: Limit, state: State, instruction: MatMul) -> bool:
    """Whether a state may rest on a product with the transpose of the matrix of another."""
    loop = limit.program.loops[state.loop]
    if instruction.matrix in limit.program.layered:
        family, index = limit.program.layered[instruction.matrix]
        return behind(loop, state.layer, Layered(family, index, False, not instruction.transposed))
    return ("matrix", instruction.matrix, not instruction.transposed) in loop.sources


def behind(loop: Loop, layer: Expr, array: Layered) -> bool:
    """Whether a state at a layer may rest on an array."""
    return any(not apart(array, Layered(f, sp.expand(layer + d), True, t)) for f, d, t in loop.layered)


def loops_of(limit: Limit, states: list[int]) -> list[Loop]:
    """The loops of states."""
    return [limit.program.loops[i.loop] for k in states if isinstance(i := limit.program[k], State)]


def correlated_with(limit: Limit, node: int, state: int) -> Unclosed:
    """The refusal of a product with a correlation part that a recursion does not carry."""
    return Unclosed(f"the recursion over layers does not close: it would need the correlation part that "
                    f"{limit.label(node)} has because {limit.label(state)} rests on products with the same matrix; "
                    "give the depth a value, such as depth L = 3")
