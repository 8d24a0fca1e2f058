"""Named parametrisations as points of a family that a file declares, and the regime of any point or face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from tpsym.errors import NOWHERE, TpError
from tpsym.polyhedra.conditions import Condition, Undecided, all_of, compare, max_of
from tpsym.polyhedra.forms import Form, linear, number
from tpsym.polyhedra.pieces import pieces
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.program.scope import Context
from tpsym.results.exponent_conditions import ZERO, moving
from tpsym.scaling.arrays import HALF, Array, power
from tpsym.scaling.mup import role_of, unknown, unknowns
from tpsym.scaling.named import DEFINITIONS, Defined, fan_in
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.scaling.training import own_updates

TITLES = {"standard": "standard", "ntk": "NTK", "mean_field": "mean field", "mup": "maximal update"}


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A named parametrisation in the stable region, with the largest stable learning rates; ``point`` stands for all
    that are the same up to the lines of the region."""

    name: str
    point: Mapping[str, Fraction]
    regime: str

    @property
    def title(self) -> str:
        return TITLES[self.name]


def regime_at(scaling: Scaling, point: Mapping[str, Fraction]) -> str:
    """The regime of a stable point."""
    if any(form.value({**dict.fromkeys(form.variables, Fraction(0)), **point}) == 0 for form in scaling.feature_sizes):
        return "feature learning"
    moved = any(form.value({**dict.fromkeys(form.variables, Fraction(0)), **point}) == 0 for form in moving(scaling))
    return "kernel" if moved else "trivial"


def named_points(scaling: Scaling) -> tuple[NamedPoint, ...]:
    """Those named parametrisations that the family of the file contains, each at one point of the stable region.

    Of learning rates the largest stable ones are taken; where they exclude one another there is no point.
    """
    region = scaling.polyhedron
    if region is None or region.is_empty:
        return ()
    whole = _exponents(scaling)
    if whole is None:
        return ()
    found = []
    for name in get_args(Defined):
        equations = [f - n for f, n in zip(whole, _defined(scaling, name), strict=True)]
        bodies = (Polyhedron((*region.equalities, *equations), region.inequalities, region.strict, region.variables),)
        rates = linear_sum([array.rate for array in scaling.run.setting.arrays])
        found.append((name, _largest(bodies, rates, region)))
    sizes = linear_sum(list(whole))
    found.append(("mup", _largest(_maximal(scaling), sizes, region)))
    return tuple(NamedPoint(name, point, regime_at(scaling, point)) for name, point in found if point is not None)


def linear_sum(forms: list[Form]) -> Form:
    """The sum of forms."""
    return linear(sum((f.constant for f in forms), Fraction(0)), [term for f in forms for term in f.terms])


def _largest(bodies: tuple[Polyhedron, ...], goal: Form, region: Polyhedron) -> Mapping[str, Fraction] | None:
    """The one point, up to the lines of the region, where a form is largest in a union of polyhedra."""
    best = [(top, body) for body in bodies if isinstance(top := body.maximum(goal), Fraction)]
    if not best:
        return None
    top = max(value for value, _ in best)
    found = [Polyhedron((*b.equalities, goal - top), b.inequalities, b.strict, region.variables).minimal()
             for value, b in best if value == top]
    if any(body.dimension > len(region.lineality) for body in found):
        return None
    points = [body.generators().vertices for body in found]
    distinct = {tuple(sorted(v.items())) for vertices in points for v in vertices}
    return dict(next(iter(distinct))) if len(distinct) == 1 else None


def _maximal(scaling: Scaling) -> tuple[Polyhedron, ...]:
    """Where every array is updated maximally."""
    conditions: list[Condition] = [condition for _, condition in scaling.constraints]
    for array in scaling.run.setting.arrays:
        conditions.append(compare("==", max_of(sorted(own_updates(scaling.run, array), key=str)), ZERO))
    try:
        return pieces(all_of([*conditions, scaling.faithful]))
    except Undecided:
        return ()


# --- exponents of a family -----------------------------------------------------------------------------


def _exponents(scaling: Scaling) -> tuple[Form, ...] | None:
    """Multiplier and deviation of every array in turn, powers of n that the program writes out included.

    ``None`` where these cannot be read off what an array gives at initialisation.
    """
    setting = scaling.run.setting
    context, scale = setting.context, setting.scale
    try:
        run = read(context, setting.outputs[0], scaling.optimizer, NOWHERE, solved=unknowns(context))
    except TpError:
        return None
    own = {t.name: power(t.multiplier, scale.symbol) for t in context.trained}
    found: list[Form] = []
    for array in setting.arrays:
        there = {_written(form, array, setting.context) for c in run.constraints if c.when == "initialisation"
                 for form in c.size if form.coefficient(f"a({array.name})")}
        if len(there) != 1 or None in there:
            return None
        (written,) = there
        assert written is not None
        found += [array.slope + own[array.name] + written, array.deviation]
    return tuple(found)


def _written(form: Form, array: Array, context: Context) -> Form | None:
    """The exponent of the powers of n that stand before an array, from the size of what it gives."""
    others = [v for v in form.variables if v.startswith(("a(", "b(")) and not v.endswith(f"({array.name})")]
    if others or form.coefficient(f"a({array.name})") != -1:
        return None
    sums = {"hidden": array.columns, "output": array.rows}.get(role_of(context, array), Fraction(0)) * HALF
    return form + unknown("a", array.name) + unknown("b", array.name) - sums


def _defined(scaling: Scaling, name: Defined) -> list[Form]:
    found: list[Form] = []
    for array in scaling.run.setting.arrays:
        role, summands = fan_in(scaling.run.setting.context, array)
        multiplier, deviation = DEFINITIONS[name].get(role, (Fraction(0), Fraction(0)))
        found += [number(multiplier * summands), number(deviation * summands)]
    return found


__all__ = ["NamedPoint", "linear_sum", "named_points", "regime_at"]
