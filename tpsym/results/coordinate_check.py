"""The coordinate check: exponents derived for a network beside slopes measured in training at finite width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from sympy import Expr, S, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.functions import NONLINEARITIES, delta
from tpsym.polyhedra.conditions import holds, variables_of
from tpsym.polyhedra.forms import number
from tpsym.polyhedra.trees import Point
from tpsym.program.instructions import Dimension
from tpsym.program.labels import node_label
from tpsym.program.scope import Context
from tpsym.program.values import Function, node_symbol
from tpsym.results.exponent_tables import named_nodes
from tpsym.results.exponents import output
from tpsym.results.parametrized import (
    FROZEN,
    before_training,
    exact_values,
    exponent_at,
    refuse_missing,
    rescaled_arrays,
    with_maximal_rates,
)
from tpsym.scaling.arrays import Solved
from tpsym.scaling.named import Name, exponents
from tpsym.scaling.rates import declared
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.scaling.training import Run, When
from tpsym.simulate.payload import compile_payload
from tpsym.simulate.progress import Progress
from tpsym.simulate.slopes import Kind, Slope, SlopeTable, slopes
from tpsym.simulate.train_arrays import Functions
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, MSE, XENT, Loss, Training

TOLERANCE = 0.15
"""A slope this far from its exponent, beyond its own error, still agrees with it: finite widths bend slopes."""
ERRORS = 3.0
"""How many standard errors are allowed on top."""

NOISY = 0.15
"""The standard error from which on a slope says nothing, unless it is far off."""

LossName = Literal["logistic", "mse", "constant"]
LOSSES: Mapping[LossName, Loss] = MappingProxyType({"logistic": XENT, "mse": MSE, "constant": CONSTANT})

Agreement = Literal["agrees", "larger", "smaller", "too noisy", "no slope", "not derived"]


@dataclass(frozen=True, slots=True)
class Line:
    """A quantity: the exponent that was derived (``None`` if none was, or it ``vanishes``), and the slope measured."""

    label: str
    kind: Kind
    derived: Fraction | None
    slope: Slope
    agreement: Agreement
    vanishes: bool = False


@dataclass(frozen=True, slots=True)
class CoordinateCheck:
    """Sizes at initialisation and changes after ``steps`` steps, by quantity.

    ``unstable`` says what is violated where the parametrisation is not stable: then only sizes at initialisation are
    derived, if even those.
    """

    lines: tuple[Line, ...]
    table: SlopeTable
    steps: int
    unstable: str

    @property
    def agrees(self) -> bool:
        """Whether no slope contradicts its exponent."""
        return all(line.agreement not in ("larger", "smaller") for line in self.lines)


def coordinate_check(
    context: Context,
    function: Function,
    optimizer: Optimizer,
    *,
    parametrization: Name | None = None,
    widths: Sequence[int] = (64, 128, 256, 512),
    seeds: int = 8,
    steps: int = 3,
    loss: LossName = "logistic",
    nonlinearity: str = "tanh",
    progress: Progress | None = None,
) -> CoordinateCheck:
    """Train a network of a file at several widths on one example and compare with the derived exponents.

    With a ``parametrization`` the multipliers, initial entries and (for ``mup``) learning rates are those; otherwise as
    declared. Unknown functions are the ``nonlinearity``. Parameters take their defaults.

    Raises:
        TpError: as :func:`tpsym.results.exponents.analyse` and :func:`tpsym.simulate.slopes.slopes`.
    """
    if loss not in LOSSES:
        raise fail("bad-option", f"the loss {loss!r} is unknown", expected=" or ".join(LOSSES))
    span = function.definition.name.span
    target = output(context, function, span)
    if parametrization is None and context.parametrization == "mup":
        parametrization = "mup"
    table = None if parametrization is None else exponents(parametrization, context, target, optimizer, span)
    run, point = _read(context, target, optimizer, span, table), exact_values(context)
    scaling = Scaling(run, optimizer)
    rescaled = {} if table is None else rescaled_arrays(run, table, point)
    if parametrization == "mup":
        optimizer = with_maximal_rates(context, target, optimizer)
    quantities = _quantities(scaling, target)
    training = Training(context, (target,), (S.One,), LOSSES[loss], optimizer, steps)
    broken = _broken(scaling, point)
    found = slopes(training, quantities, widths=widths, seeds=seeds, values={}, rescaled=rescaled,
                   functions=functions(context, nonlinearity), progress=progress)
    kinds: tuple[Kind, ...] = ("size", "change")
    lines = []
    for kind in kinds:
        for label, expr, _ in quantities:
            known = broken is None or (kind == "size" and broken[0] == "training")
            derived = _derived(scaling, expr, kind, point) if known else None
            slope, zero = found.find(label, kind, 0 if kind == "size" else steps), known and derived is None
            lines.append(Line(label, kind, derived, slope, judged(derived, slope, vanishes=zero), zero))
    return CoordinateCheck(tuple(lines), found, steps, "" if broken is None else broken[1])


# --- what is trained ---------------------------------------------------------------------------------


def functions(context: Context, name: str) -> Functions:
    """The unknown functions of a program as a nonlinearity of the language, with derivatives that are functions.

    Raises:
        TpError: ``bad-option``, there is no such function of one variable.
    """
    if name not in NONLINEARITIES or NONLINEARITIES[name][1] != 1:
        known = ", ".join(k for k, (_, count) in NONLINEARITIES.items() if count == 1)
        raise fail("bad-option", f"there is no nonlinearity {name} of one variable", expected=known)
    z = Symbol("z", real=True)
    found = {}
    for unknown, arity in context.unknown_functions.items():
        if arity != 1:
            raise fail("not-numeric", f"the function {unknown} of {arity} variables is unknown",
                       fix="write it out in the file")
        for order in range(3):
            value = NONLINEARITIES[name][0](z).diff(z, order)
            if value.has(delta):
                break
            payload = compile_payload(value, functions={})
            found[unknown + "'" * order] = lambda x, payload=payload: payload({"z": x})
    return found


def _quantities(scaling: Scaling, target: Expr) -> tuple[tuple[str, Expr, Dimension | None], ...]:
    program = scaling.run.setting.program
    vectors = tuple(
        (label, node_symbol(node), program[node].dimension) for node, label in named_nodes(scaling)  # type: ignore[union-attr]
    )
    return (*vectors, ("output", target, None))


# --- what is derived ---------------------------------------------------------------------------------


def _read(
    context: Context, target: Expr, optimizer: Optimizer, span: Span, table: Mapping[str, Solved] | None
) -> Run:
    """The sizes in training; where they keep growing those at initialisation alone, with rates of nearly zero."""
    try:
        return read(context, target, optimizer, span, solved=table)
    except TpError as error:
        if error.diagnostics[0].code != "not-closed":
            raise
    found = declared(context, optimizer) if table is None else table
    return before_training(context, target, optimizer, span, found)


def _broken(scaling: Scaling, point: Point) -> tuple[When, str] | None:
    """When and how stability is violated first."""
    for constraint, condition in scaling.constraints:
        refuse_missing(variables_of(condition), point)
        if not holds(condition, point):
            what = "the output" if constraint.role == "output" else _name(scaling, constraint.what)
            if constraint.when == "training":
                return "training", f"in training {what} changes by more than order one"
            how = "not" if constraint.equal else "more than"
            return "initialisation", f"at initialisation {what} is {how} of order one"
    if any(array.rate == number(FROZEN) for array in scaling.run.setting.arrays):
        return "training", "in training sizes keep growing"
    return None


def _name(scaling: Scaling, expr: Expr) -> str:
    context = scaling.run.setting.context
    program = context.builder.program()
    labels = {s: Symbol(node_label(program, context.nodes[s])) for s in expr.free_symbols if s in context.nodes}
    return str(expr.xreplace(labels)).replace("**", "^")


def _derived(scaling: Scaling, expr: Expr, kind: Kind, point: Point) -> Fraction | None:
    found = scaling.init(expr) if kind == "size" else scaling.update(expr)
    return None if found is None else exponent_at(found, point)


def judged(derived: Fraction | None, slope: Slope, *, vanishes: bool = False) -> Agreement:
    """Whether a slope is the exponent up to its error and the bend of finite widths, or what vanishes is zero."""
    if vanishes:
        return "agrees" if slope.problem in ("zero", "rounding") else "larger"
    if derived is None:
        return "not derived"
    if slope.exponent is None:
        return "no slope"
    gap = slope.exponent - float(derived)
    if abs(gap) <= TOLERANCE + ERRORS * slope.standard_error:
        return "agrees" if slope.standard_error <= NOISY else "too noisy"
    return "larger" if gap > 0 else "smaller"


__all__ = ["CoordinateCheck", "Line", "coordinate_check", "exact_values", "functions", "judged"]
