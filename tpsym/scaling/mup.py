r"""The maximal update parametrisation, solved from the constraints of one network under one optimizer.

Multiplier :math:`n^{-a}`, initial entries of deviation :math:`n^{-b}` and learning rate :math:`n^{-c}` of every
array are unknown. Wanted is the stable parametrisation in which the update of every array moves what the array gives by
order one, and every array begins as large as that allows (Yang and Hu, Tensor Programs IV, Definitions 5.2 and 5.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from sympy import Expr, S

from tpsym.errors import Span, fail
from tpsym.polyhedra.conditions import to_text
from tpsym.polyhedra.forms import Form, linear, variable
from tpsym.program.instructions import Moment, Vector
from tpsym.program.scope import Context
from tpsym.scaling.arrays import Array, Solved
from tpsym.scaling.cancelling import check_means
from tpsym.scaling.depth import read_depth
from tpsym.scaling.interpret import Pass
from tpsym.scaling.regimes import Scaling, holds
from tpsym.scaling.setting import Nonzero
from tpsym.scaling.setup import read
from tpsym.scaling.solve import Failure, Goal, Point, inequalities, solved
from tpsym.scaling.training import Run, own_updates
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer

Role = Literal["input", "hidden", "output", "vector", "scalar"]
Gauge = Literal["one", "unit_readout", "equal_variance"]
"""Which of the equivalent forms is given (Yang et al., Tensor Programs V): all multipliers one (table 3), readouts with
entries of order one (table 8), all entries of variance 1/n (table 9)."""


SLOW = Fraction(4)


@dataclass(frozen=True, slots=True)
class Row:
    """The exponents of one array: multiplier, deviation of its entries, learning rate; weight decay and ε as they have
    to go with these. ``initial`` and ``update`` are the equations that decide, before numbers are put in."""

    array: str
    role: Role
    multiplier: Fraction
    std: Fraction
    lr: Fraction
    decay: Fraction
    eps: Fraction
    initial: str
    update: str


@dataclass(frozen=True)
class MaximalUpdate:
    """The maximal update parametrisation: ``rows`` by array, ``values`` of the program's own exponents."""

    rows: tuple[Row, ...]
    values: Mapping[str, Fraction]
    scaling: Scaling

    def row(self, name: str) -> Row:
        """The row of an array.

        Raises:
            KeyError: there is no such trained array.
        """
        return {r.array: r for r in self.rows}[name]

    def std(self, name: str) -> Fraction:
        return self.row(name).std

    def multiplier(self, name: str) -> Fraction:
        return self.row(name).multiplier

    def lr(self, name: str) -> Fraction:
        return self.row(name).lr

    def decay(self, name: str) -> Fraction:
        return self.row(name).decay

    def eps(self, name: str) -> Fraction:
        return self.row(name).eps

    def value(self, parameter: str) -> Fraction:
        """The exponent that a parameter of the program has to be."""
        return self.values[parameter]


def unknown(kind: str, array: str) -> Form:
    """The exponent a, b or c of an array as an unknown."""
    return variable(f"{kind}({array})")


def unknowns(context: Context) -> dict[str, Solved]:
    """Every trained array with unknown exponents."""
    return {
        t.name: Solved(-unknown("a", t.name), -unknown("b", t.name), -unknown("c", t.name)) for t in context.trained
    }


def maximal_update(
    context: Context,
    output: Expr,
    optimizer: Optimizer,
    span: Span,
    *,
    multipliers: Gauge = "one",
    alignment: Alignment = "worst",
    depth: bool = False,
    nonzero: Nonzero | None = None,
) -> MaximalUpdate:
    """The maximal update parametrisation of a network; with ``depth`` exponents are of the depth, at infinite width.

    Raises:
        TpError: ``no-maximal-update`` if not all arrays can be updated maximally at once, ``not-unique`` if the
            constraints leave a choice, ``cancelling-mean`` as :func:`tpsym.scaling.setup.read`.
    """
    bare = replace(optimizer, eps=S.Zero, epsilons={}, decay=S.Zero, decays={})
    unknown_exponents = unknowns(context)

    def reading(point: Point) -> Run:
        reader = read_depth if depth else read
        return reader(context, output, bare, span, alignment=alignment, solved=unknown_exponents, guide=point,
                      nonzero=nonzero)

    # from rates so small that nothing moves much
    start = {name.terms[0][0]: SLOW for t in context.trained for name in [unknown("c", t.name)]}
    first = reading(start)
    start |= {v: SLOW / 2 for f in inequalities(first) for v in f.variables if "(" not in v}
    arrays = first.setting.arrays
    own = frozenset(f"{kind}({a.name})" for a in arrays for kind in "abc")
    gauge = tuple(_gauge(context, arrays, multipliers))
    gauge += tuple(unknown("b", a.name) for a in arrays if _begins_at_zero(context, a))
    kept = tuple(unknown("b", a.name) for a in arrays) if depth else ()
    # layers begin as they are declared where the branch has a multiplier of its own
    found = solved(reading, start, _goal(arrays, own, (*gauge, *kept)))
    if isinstance(found, Failure) and depth:
        found = solved(reading, start, _goal(arrays, own, gauge))
    for begin in (start, start | _by_fan_in(first, arrays)):
        if isinstance(found, Failure):
            found = solved(reading, begin, _goal(arrays, own, gauge), trusting=True)
    if isinstance(found, Failure):
        raise _impossible(Scaling(first, optimizer), found, span)
    point, run = found
    if nonzero is not None:
        check_means(run, span)
    scaling = Scaling(run, optimizer)
    rows = tuple(_row(scaling, a, point) for a in run.setting.arrays)
    return MaximalUpdate(rows, {v: q for v, q in point.items() if v not in own}, scaling)


def _goal(arrays: Sequence[Array], own: frozenset[str], fixed: tuple[Form, ...]) -> Goal:
    """After the program's own exponents, initial sizes as large as they can be."""
    start = linear(0, [(f"{kind}({a.name})", Fraction(1)) for a in arrays for kind in "ab"])
    rates = linear(0, [(f"c({a.name})", Fraction(1)) for a in arrays])
    return Goal((start, rates), own, fixed)


def role_of(context: Context, array: Array, *, forward: frozenset[int] | None = None) -> Role:
    """What an array is, by its sizes and by how what it gives is read (in the ``forward`` pass, if that is given)."""
    if array.kind == "scalar":
        return "scalar"
    if array.kind == "matrix":
        return "hidden"
    nodes = [k for k, _ in context.input_families.get(array.name, [])] if array.node is None else [array.node]
    readers = [context.builder[k] for node in nodes for k in context.builder.graph.successors(node)
               if forward is None or k in forward]
    own = context.builder[array.node] if array.node is not None else None
    centred = isinstance(own, Vector) and bool(own.mean == 0)
    contracted = centred and any(isinstance(i, Moment) and i.dimension is not None for i in readers)
    return "output" if contracted else "input" if array.kind == "input" else "vector"


def _by_fan_in(run: Run, arrays: Sequence[Array]) -> dict[str, Fraction]:
    """Another point to start from: products of order one, of entries that are independent or, in readouts, aligned."""
    setting = run.setting
    sizes = {a.name: a.columns / 2 for a in arrays if a.kind == "matrix"}
    sizes |= {a.name: a.rows for a in arrays if role_of(setting.context, a, forward=setting.in_forward) == "output"}
    return {f"b({name})": size for name, size in sizes.items()}


def _begins_at_zero(context: Context, array: Array) -> bool:
    """Whether the declared entries are zero, so that their size is no unknown."""
    return any(t.name == array.name and t.variance == 0 for t in context.trained)


def _gauge(context: Context, arrays: Iterable[Array], multipliers: Gauge) -> list[Form]:
    """What fixes the choice among equivalent forms: one equation an array."""
    half = Fraction(1, 2)
    found = []
    for array in arrays:
        output = role_of(context, array) == "output"
        if multipliers == "equal_variance":
            found.append(unknown("b", array.name) - half)
        elif multipliers == "unit_readout" and output:
            found.append(unknown("b", array.name))
        else:
            found.append(unknown("a", array.name))
    return found


def _impossible(scaling: Scaling, failure: Failure, span: Span) -> Exception:
    """Which arrays cannot be updated maximally, or which constraints cannot be met at all."""
    if failure.constraints:
        c = failure.constraints[0]
        what = f"no parametrisation is stable: at {c.when} {_named(scaling, c.what)} would need "
        what += to_text(holds(c, c.size))
        return fail("no-maximal-update", what, span)
    which = ", ".join(a.name for a in failure.arrays) or "all arrays at once"
    return fail("no-maximal-update", f"no stable parametrisation updates {which} maximally", span)


def _named(scaling: Scaling, expr: Expr) -> str:
    context = scaling.run.setting.context
    program = context.builder.program()
    text = str(expr)
    for s in sorted(expr.free_symbols, key=lambda s: -len(s.name)):
        if s in context.nodes:
            text = text.replace(s.name, program.label(context.nodes[s]))
    return text.replace("**", "^")


def _row(scaling: Scaling, array: Array, point: Mapping[str, Fraction]) -> Row:
    a, b, c = (point.get(f"{kind}({array.name})", Fraction(0)) for kind in "abc")
    own = sorted(own_updates(scaling.run, array), key=str)
    tight = next((f for f in own if f.value({**dict.fromkeys(f.variables, Fraction(0)), **point}) == 0), None)
    return Row(
        array.name, role_of(scaling.run.setting.context, array, forward=scaling.run.setting.in_forward), -a, -b, -c,
        c, _gradient_size(scaling, array, point), _initial_equation(scaling, array), f"{tight} = 0" if tight else "",
    )


def _initial_equation(scaling: Scaling, array: Array) -> str:
    """The equation or bound of initialisation that holds the array's own deviation."""
    name = f"b({array.name})"
    for constraint, _ in scaling.constraints:
        for form in constraint.size:
            if constraint.when == "initialisation" and form.coefficient(name):
                return f"{form} {'=' if constraint.equal else '<='} 0"
    return ""


def _gradient_size(scaling: Scaling, array: Array, point: Mapping[str, Fraction]) -> Fraction:
    """The exponent of the entries of the gradient, which ε has to follow."""
    run = scaling.run
    sizes = [
        form.value({**dict.fromkeys(form.variables, Fraction(0)), **point})
        for use in run.setting.uses[array.name]
        for form in run.setting.rules.gradient(array, Pass(run.setting, run.known, run.last.values).outer(use))
    ]
    return max(sizes)


__all__ = ["Gauge", "MaximalUpdate", "Row", "maximal_update", "role_of", "unknowns"]
