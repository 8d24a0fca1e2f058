r"""Exponents solved for by successive linear programs.

At a point every maximum has one form that attains it, so a network is read in no time. The forms found are
constraints that any solution obeys; the next point is the best one that obeys those met so far. A point counts only
when the network, read there in exact numbers, meets every constraint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tpsym.polyhedra.forms import Form, linear
from tpsym.scaling.arrays import Array
from tpsym.scaling.sizes import ZERO
from tpsym.scaling.training import Constraint, Run, direct_updates, own_updates

Point = Mapping[str, Fraction]
Reading = Callable[[Point], Run]

ROUNDS = 30
LARGEST = 12
"""No exponent is looked for beyond this."""
DENOMINATOR = 96
ELASTIC = 1e-7


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of a point: the variables that are not ``own``, the program's, nonnegative and small, then
    ``minimal`` forms in order of importance; ``fixed`` forms are zero."""

    minimal: tuple[Form, ...]
    own: frozenset[str]
    fixed: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no point was found: constraints that cannot be met together with the others, arrays that cannot be updated
    maximally."""

    constraints: tuple[Constraint, ...]
    arrays: tuple[Array, ...]


def solved(
    reading: Reading, start: Point, goal: Goal, *, trusting: bool = False
) -> tuple[dict[str, Fraction], Run] | Failure:
    """A point where the network is stable and every array is updated maximally, with the network read there.

    ``trusting``: follow what updates do also from points where sizes do not stay bounded.
    """
    cuts: dict[Form, None] = {}
    point = dict(start)
    equal: list[Form] = []
    best: tuple[dict[str, Fraction], Run] | None = None
    seen: set[tuple[tuple[str, Fraction], ...]] = set()
    for _ in range(ROUNDS):
        run = reading(point)
        key = tuple(sorted(point.items()))
        holds = run.closed and not violated(run, point)
        if holds:
            better = improved(run, cuts, goal, point)
            if better is None or tuple(sorted(better.items())) in seen:
                return (point, run) if is_best(run, cuts, goal, point) else failure(run, goal)
            seen.add(key)
            best, point = (dict(point), run), better
            continue
        if key in seen:
            return best or failure(run, goal)
        seen.add(key)
        current = inequalities(run)
        cuts |= dict.fromkeys(current)
        # where sizes do not stay bounded only the bounds can be relied on
        equal = equations(run, point) if trusting or run.closed or not equal else equal
        news = (p for p in proposals(list(cuts), current, equal, goal) if tuple(sorted(p.items())) not in seen)
        found = next(news, None)
        if found is None:
            return best or failure(run, goal)
        point = found
    return best or failure(run, goal)


def proposals(
    cuts: Sequence[Form], current: Sequence[Form], equal: Sequence[Form], goal: Goal
) -> Iterator[dict[str, Fraction]]:
    """Points to look at next, by all that is known and by what was seen last."""
    for bounds in (cuts, current):
        for way in (program, nearest):
            found = way(bounds, equal, goal)
            if found is not None:
                yield found


def improved(run: Run, cuts: Mapping[Form, None], goal: Goal, point: Point) -> dict[str, Fraction] | None:
    """A better point where what an update does first is something else that it does as much here."""
    equal, bounds = equations(run, point), [*cuts, *inequalities(run)]
    found = program(bounds, equal, goal)
    least = score(goal, point)
    if found is not None and score(goal, found) < least:
        return found
    found = None
    for array in run.setting.arrays:
        ways = {f for f in direct_updates(run, array) if f.terms and value(f, point) == 0}
        for old in [f for f in equal if f in ways]:
            for new in sorted(ways - {old}, key=str):
                better = program(bounds, [new if f == old else f for f in equal], goal)
                if better is not None and score(goal, better) < least:
                    found, least = better, score(goal, better)
    return found


def score(goal: Goal, point: Point) -> tuple[Fraction, ...]:
    """What is to be made small, in order of importance, without the rates."""
    others = sum((q for v, q in point.items() if v not in goal.own), Fraction(0))
    return others, *(value(f, point) for f in goal.minimal[:-1])


def nearest(bounds: Sequence[Form], equal: Sequence[Form], goal: Goal) -> dict[str, Fraction] | None:
    """The best point where equations that cannot all hold at once are at least not exceeded."""
    short = linear(0, ((v, -q) for f in equal for v, q in f.terms))
    return program([*bounds, *equal], (), goal, first=(short,))


def is_best(run: Run, cuts: Mapping[Form, None], goal: Goal, point: Point) -> bool:
    """Whether no point that obeys what is known is better."""
    best = program([*cuts, *inequalities(run)], equations(run, point), goal)
    return best is not None and score(goal, best)[0] == score(goal, point)[0]


def value(form: Form, point: Point) -> Fraction:
    """A form at a point, variables without a value being zero."""
    return form.constant + sum((q * point.get(v, Fraction(0)) for v, q in form.terms), Fraction(0))


def largest(size: Iterable[Form], point: Point) -> Form | None:
    """The form that attains a maximum at a point, the shortest of several."""
    return max(size, key=lambda f: (value(f, point), -len(f.terms), str(f)), default=None)


def violated(run: Run, point: Point) -> list[Constraint | Array]:
    """The constraints that do not hold at a point, and the arrays that are not updated maximally there."""
    found: list[Constraint | Array] = []
    for c in run.constraints:
        top = largest(c.size, point)
        if top is not None and (value(top, point) > 0 or (c.equal and value(top, point) != 0)):
            found.append(c)
    for array in run.setting.arrays:
        top = largest(own_updates(run, array), point)
        if top is None or value(top, point) != 0:
            found.append(array)
    return found


def inequalities(run: Run) -> list[Form]:
    """The forms that have to be ≤ 0."""
    return list(dict.fromkeys(f for c in run.constraints for f in sorted(c.size, key=str) if f.terms))


def equations(run: Run, point: Point) -> list[Form]:
    """The forms that have to be zero: features at initialisation, what updates do directly."""
    found: list[Form] = []
    tops = [largest(c.size, point) for c in run.constraints if c.equal and ZERO not in c.size]
    tops += [largest(own_updates(run, array), point) for array in run.setting.arrays]
    for top in tops:
        if top is not None and top.terms:
            found.append(top)
    return list(dict.fromkeys(found))


def program(
    bounds: Sequence[Form], equal: Sequence[Form], goal: Goal, *, first: tuple[Form, ...] = ()
) -> dict[str, Fraction] | None:
    """The best point with bounds ≤ 0 and equations = 0, where ``first`` is what matters most."""
    from numpy import array
    from scipy.optimize import linprog

    equal = [*equal, *goal.fixed]
    names = sorted(frozenset().union(*(f.variables for f in (*bounds, *equal, *goal.minimal))))
    if not names:
        return {}

    def matrix(forms: Sequence[Form]) -> object:
        return array([[float(f.coefficient(v)) for v in names] for f in forms])

    others = [v for v in names if v not in goal.own]
    ranges = [(0 if v in others else -LARGEST, LARGEST) for v in names]
    tight = list(equal)
    point: dict[str, Fraction] | None = None
    for target in (*first, linear(0, [(v, Fraction(1)) for v in others]), *goal.minimal):
        found = linprog(
            [float(target.coefficient(v)) for v in names], bounds=ranges, method="highs-ds",
            A_ub=matrix(bounds) if bounds else None, b_ub=[-float(f.constant) for f in bounds] or None,
            A_eq=matrix(tight) if tight else None, b_eq=[-float(f.constant) for f in tight] or None,
        )
        if found.x is None or found.status != 0:
            return None if point is None else point
        point = {v: Fraction(float(x)).limit_denominator(DENOMINATOR) for v, x in zip(names, found.x, strict=True)}
        tight = [*tight, target - value(target, point)]
    return point


def failure(run: Run, goal: Goal) -> Failure:
    """What cannot be met, by a program in which every demand may be missed at a price."""
    from numpy import array
    from scipy.optimize import linprog

    demands: list[tuple[Form, Constraint | Array, bool]] = []
    point = dict.fromkeys(frozenset().union(*(f.variables for f in inequalities(run))), Fraction(0))
    for c in run.constraints:
        demands += [(f, c, c.equal and len(c.size) == 1) for f in c.size]
    for a in run.setting.arrays:
        top = largest(own_updates(run, a), point)
        if top is not None:
            demands.append((top, a, True))
    names = sorted(frozenset().union(*(f.variables for f, _, _ in demands), *(f.variables for f in goal.fixed)))
    rows, limits, prices = [], [], [0.0] * len(names)
    for k, (form, origin, equal) in enumerate(demands):
        for sign in (1, -1) if equal else (1,):
            slack = [0.0] * len(demands)
            slack[k] = -1.0
            rows.append([sign * float(form.coefficient(v)) for v in names] + slack)
            limits.append(-sign * float(form.constant))
        prices.append(1.0 if isinstance(origin, Array) else 10.0)
    fixed = [[float(f.coefficient(v)) for v in names] + [0.0] * len(demands) for f in goal.fixed]
    bounds = [(-LARGEST if v in goal.own else 0, LARGEST) for v in names] + [(0, None)] * len(demands)
    found = linprog(prices, A_ub=array(rows), b_ub=limits, bounds=bounds, method="highs-ds",
                    A_eq=array(fixed) if fixed else None, b_eq=[-float(f.constant) for f in goal.fixed] or None)
    missed = [] if found.x is None else [
        origin for x, (_, origin, _) in zip(found.x[len(names):], demands, strict=True) if x > ELASTIC
    ]
    return Failure(
        tuple(dict.fromkeys(m for m in missed if isinstance(m, Constraint))),
        tuple(dict.fromkeys(m for m in missed if isinstance(m, Array))),
    )
