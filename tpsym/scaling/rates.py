"""The largest stable learning rates of a parametrisation, array by array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from sympy import Expr, Rational

from tpsym.errors import Span, fail
from tpsym.polyhedra.conditions import Condition, all_of, holds, minimum, satisfiable, substitute, variables_of
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.program.instructions import MatMul, Moment
from tpsym.program.scope import Context
from tpsym.scaling.arrays import Array, Scale, Solved, arrays_of, power
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.scaling.training import Run
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer


@dataclass(frozen=True)
class MaximalRates:
    """Exponents of n of the largest stable learning rates, by array.

    ``joint``: each is the largest that any stable choice has. Otherwise they exclude one another, and rates nearer to
    the output were made as large as they can be before those further from it.
    """

    lr: Mapping[str, Fraction]
    joint: bool

    def __getitem__(self, array: str) -> Fraction:
        """The exponent of one array.

        Raises:
            KeyError: there is no such array, or the output does not depend on it.
        """
        return self.lr[array]


def maximal_rates(
    context: Context,
    output: Expr,
    optimizer: Optimizer,
    span: Span,
    *,
    fixed: Mapping[str, Solved] | None = None,
    alignment: Alignment = "worst",
) -> MaximalRates:
    """The largest stable learning rates for given multipliers and deviations.

    ``fixed`` has these by array (its rates are not looked at); without it they are as declared. Parameters have their
    settings or defaults.

    Raises:
        TpError: ``symbolic-exponents`` if they are no numbers, ``no-stable-rates`` if no rates make the network
            stable, ``unbounded-rate`` if one may be as large as one likes, ``not-unique`` if rates at one distance
            from the output exclude one another.
    """
    given = declared(context, optimizer) if fixed is None else fixed
    table = {name: Solved(s.multiplier, s.deviation, -rate_of(name)) for name, s in given.items()}
    run = read(context, output, optimizer, span, alignment=alignment, solved=table)
    condition = all_of([*(c for _, c in Scaling(run, optimizer).constraints), Scaling(run, optimizer).faithful])
    condition = substitute(condition, settled(context))
    names = [a.name for a in run.setting.arrays]
    unknowns = {f"c({name})" for name in names}
    refuse_symbols(variables_of(condition) - unknowns, span)
    if satisfiable(condition) is None:
        raise fail("no-stable-rates", "no learning rates make the network stable in this parametrisation", span)
    least = {name: _least(condition, name, span) for name in names}
    if holds(condition, _point(least)):
        return MaximalRates({name: -c for name, c in least.items()}, True)
    chosen = _one_by_one(run, condition, span)
    return MaximalRates({name: -chosen[name] for name in names}, False)


def declared(context: Context, optimizer: Optimizer) -> dict[str, Solved]:
    """Multiplier, deviation and rate of every array as the declarations and the optimizer have them."""
    own = {t.name: power(t.multiplier, context.n) for t in context.trained}
    arrays = arrays_of(context, optimizer, Scale(context.n))
    return {a.name: Solved(a.slope + own[a.name], a.deviation, a.rate) for a in arrays}


def settled(context: Context) -> dict[str, Form]:
    """The parameters that have a rational value, by setting or by default."""
    given = {s.name: context.overrides.get(s.name, value) for s, value in context.parameters.items()}
    rational = {name: q for name, q in given.items() if isinstance(q, Rational)}
    return {name: number(Fraction(int(q.p), int(q.q))) for name, q in rational.items()}


def refuse_symbols(names: Iterable[str], span: Span) -> None:
    """Raise unless there are none: exponents have to be numbers here.

    Raises:
        TpError: ``symbolic-exponents``.
    """
    left = sorted(names)
    if left:
        raise fail("symbolic-exponents", f"exponents of n depend on {', '.join(left)}", span,
                   expected="exponents that are numbers", fix=f"give values: --set {left[0]}=0")


def rate_of(array: str) -> Form:
    """The exponent c of the learning rate n^-c of an array, as an unknown."""
    return variable(f"c({array})")


def _point(rates: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {f"c({name})": c for name, c in rates.items()}


def _least(condition: Condition, name: str, span: Span) -> Fraction:
    found = minimum(rate_of(name), condition)
    if not isinstance(found, Fraction):
        raise fail("unbounded-rate", f"nothing bounds the learning rate of {name}", span)
    return found


def _one_by_one(run: Run, condition: Condition, span: Span) -> dict[str, Fraction]:
    """The least exponents nearest to the output first, then further away with these kept."""
    found: dict[str, Fraction] = {}
    for group in by_distance(run):
        least = {name: _least(condition, name, span) for name in group}
        condition = substitute(condition, {f"c({name})": number(c) for name, c in least.items()})
        if satisfiable(condition) is None:
            which = " and ".join(group)
            raise fail("not-unique", f"the largest learning rates of {which} exclude one another", span)
        found |= least
    return found


def by_distance(run: Run) -> tuple[Sequence[str], ...]:
    """Names of arrays by how many arrays act between what they give and the output, the output first.

    Counted along the longest path; an array used in several places counts where it is nearest to the output.
    """
    setting = run.setting
    graph, inside = setting.context.builder.graph, setting.in_forward
    matrices = frozenset(a.node for a in setting.arrays if a.kind == "matrix")
    vectors = frozenset(
        a.node for a in setting.arrays if a.kind == "vector" and a.node is not None
    )

    @cache
    def distance(node: int) -> int:
        """Arrays that act after what a node gives."""
        return max((distance(k) + acts(k) for k in graph.successors(node) if k in inside), default=0)

    def acts(node: int) -> bool:
        instruction = setting.program[node]
        if isinstance(instruction, MatMul):
            return instruction.matrix in matrices
        return isinstance(instruction, Moment) and not vectors.isdisjoint(instruction.vectors)

    def of(array: Array) -> int:
        places = [use.product for use in setting.uses[array.name]]
        if array.kind == "vector":
            places = [k for node in places for k in graph.successors(node) if k in inside]
        return min(map(distance, places), default=0)

    groups: dict[int, list[str]] = {}
    for array in setting.arrays:
        groups.setdefault(of(array), []).append(array.name)
    return tuple(groups[k] for k in sorted(groups))


__all__ = ["MaximalRates", "by_distance", "declared", "maximal_rates", "refuse_symbols", "settled"]
