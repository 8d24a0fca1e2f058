"""The maximal update parametrisation as tables: powers of n by array, and the equations that decide them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from sympy import Expr, Pow, Rational, S, Symbol

from tpsym.errors import NOWHERE
from tpsym.polyhedra.folding import written
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.results.answers import Cell, Table
from tpsym.scaling.arrays import Array
from tpsym.scaling.depth import read_depth
from tpsym.scaling.mup import MaximalUpdate, Row, unknowns
from tpsym.scaling.setup import read
from tpsym.scaling.training import Constraint, Run, own_updates

ROLES = {"input": "input layer", "hidden": "hidden layer", "output": "readout", "vector": "vector", "scalar": "scalar"}
STEP = Fraction(1, 8)
START = {
    ("initialisation", True): "what it gives begins at order one",
    ("initialisation", False): "the output begins at order one at most",
    ("training", False): "the initial array times what training changes stays of order one",
}


def power(n: Symbol, exponent: Fraction) -> Expr:
    """n to an exact power."""
    found: Expr = Pow(n, Rational(exponent.numerator, exponent.denominator))
    return found


def solution_table(found: MaximalUpdate) -> Table:
    """Multiplier, deviation and learning rate of every array as powers of n; weight decay and ε where there are any."""
    n = found.scaling.run.setting.scale.symbol
    arrays = {a.name: a for a in found.scaling.run.setting.arrays}
    optimizer = found.scaling.optimizer
    decays = any(optimizer.decay_of(name) != 0 for name in arrays)
    adaptive = optimizer.rule in ("adam", "adagrad", "adafactor")
    rows: list[tuple[Cell, ...]] = []
    for row in found.rows:
        more = [power(n, value) for value, shown in ((row.decay, decays), (row.eps, adaptive)) if shown]
        rows.append((Symbol(row.array), ROLES[row.role], power(n, row.multiplier), power(n, row.std),
                     power(n, row.lr), *more))
    extra = [name for name, shown in (("weight decay", decays), ("ε", adaptive)) if shown]
    columns = ("array", "role", "multiplier", "initial std", "learning rate", *extra)
    note = "ε has to follow the size of the gradient, or be negligible beside it." if adaptive else ""
    if found.values:
        own = ", ".join(f"{name} = {value}" for name, value in sorted(found.values.items()))
        note = f"{note} The program's own exponents: {own}.".strip()
    return Table("", columns, tuple(rows), note)


def reasons_table(found: MaximalUpdate) -> Table:
    """The equations of every array, with the exponents of the others put in."""
    n = found.scaling.run.setting.scale.symbol
    point = dict(found.values)
    for row in found.rows:
        point |= {f"a({row.array})": -row.multiplier, f"b({row.array})": -row.std, f"c({row.array})": -row.lr}
    arrays = {a.name: a for a in found.scaling.run.setting.arrays}
    rows: list[tuple[Cell, ...]] = []
    for row in found.rows:
        start, move = _start(found, row, point), _update(found, arrays[row.array], point)
        rows.append((Symbol(row.array), *start))
        rows.append(("", *move))
    a, b, c = (n ** -Symbol(kind, real=True) for kind in "abc")
    note = "Multiplier ", a, ", standard deviation ", b, ", learning rate ", c, "."
    return Table("Why these exponents", ("array", "equation", "meaning"), tuple(rows), note)


def _start(found: MaximalUpdate, row: Row, point: Mapping[str, Fraction]) -> tuple[Cell, Cell]:
    """What decides the initial deviation: a constraint on it that is met with equality, and exceeded by larger entries.

    The network is read with larger entries, since at the solution itself a maximum may show another form of the same
    value.
    """
    name = f"b({row.array})"
    larger = {**point, name: point[name] - STEP}
    for run in (found.scaling.run, _read(found, larger)):
        for constraint, form in _tight(run, point):
            if form.coefficient(name):
                return written("==", _own(form, row.array, point)), START[constraint.when, constraint.equal]
    return "", "nothing bounds its initial entries"


def _read(found: MaximalUpdate, point: Mapping[str, Fraction]) -> Run:
    """The network with unknown exponents, each maximum by what attains it at a point."""
    setting = found.scaling.run.setting
    bare = replace(found.scaling.optimizer, eps=S.Zero, epsilons={}, decay=S.Zero, decays={})
    reader = read if setting.scale.wide else read_depth
    return reader(setting.context, setting.outputs[0], bare, NOWHERE, alignment=setting.rules.alignment,
                  solved=unknowns(setting.context), guide=point)


def _update(found: MaximalUpdate, array: Array, point: Mapping[str, Fraction]) -> tuple[Cell, Cell]:
    forms = sorted(own_updates(found.scaling.run, array), key=lambda f: (len(f.terms), str(f)))
    tight = next((form for form in forms if _value(form, point) == 0), None)
    if tight is None:
        return "", "training does not move it"
    return written("==", _own(tight, array.name, point)), "an update moves what it gives by order one"


def _tight(run: Run, point: Mapping[str, Fraction]) -> Iterator[tuple[Constraint, Form]]:
    """The forms of constraints that are zero at a point."""
    for constraint in run.constraints:
        for form in sorted(constraint.size, key=lambda f: (len(f.terms), str(f))):
            if _value(form, point) == 0:
                yield constraint, form


def _value(form: Form, point: Mapping[str, Fraction]) -> Fraction:
    return form.value({**dict.fromkeys(form.variables, Fraction(0)), **point})


def _own(form: Form, array: str, point: Mapping[str, Fraction]) -> Form:
    """A form in the exponents a, b, c of one array, those of all others put in."""
    own = {f"{kind}({array})": variable(kind) for kind in "abc"}
    return form.substitute({v: own.get(v, number(point.get(v, Fraction(0)))) for v in form.variables})


__all__ = ["power", "reasons_table", "solution_table"]
