r"""A training in a named parametrisation: multipliers, initial entries and learning rates at finite width.

With learning rates that are equal at a base width :math:`n_0`, parametrisations differ only in how they go on from
there: an update of an array with multiplier :math:`n^a` moves what the network sees by :math:`\eta n^{2a}` under SGD
and by :math:`\eta n^a` under rules that do not look at the size of gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from sympy import Expr, Integer, Rational

from tpsym.errors import NOWHERE, Span, fail
from tpsym.polyhedra.conditions import Expression, evaluate, variables_of
from tpsym.polyhedra.forms import number
from tpsym.polyhedra.trees import Point
from tpsym.program.messages import written
from tpsym.program.scope import Context, power_of
from tpsym.scaling.arrays import Solved
from tpsym.scaling.mup import MaximalUpdate, maximal_update, role_of
from tpsym.scaling.named import Name, exponents
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.scaling.training import Run
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import AS_DECLARED, Parametrization, Rescaled
from tpsym.transform.training import Training

ORDER_ONE = ("standard", "ntk")
"""Parametrisations whose outputs are of order one before training."""

FROZEN = -1000
"""The exponent of a learning rate with which nothing moves."""


def exact_values(context: Context) -> Point:
    """The parameters that have exact numbers by default."""
    return {s.name: Fraction(int(d.p), int(d.q)) for s, d in context.parameters.items() if isinstance(d, Rational)}


def exponent_at(value: Expression, point: Point) -> Fraction:
    """An exponent as a number.

    Raises:
        TpError: ``no-value``.
    """
    refuse_missing(variables_of(value), point)
    return evaluate(value, point)


def refuse_missing(variables: frozenset[str], point: Point) -> None:
    """Raise unless all exponents have values.

    Raises:
        TpError: ``no-value``.
    """
    missing = sorted(variables - set(point))
    if missing:
        raise fail("no-value", f"{', '.join(missing)} must have a value: exponents of n depend on it",
                   fix=f"--set {missing[0]}=1/2")


def rescaled_arrays(run: Run, table: Mapping[str, Solved], point: Point) -> dict[str, Rescaled]:
    """The arrays of a network read with a table, beside what its declarations say."""
    return {
        a.name: Rescaled(exponent_at(table[a.name].multiplier, point), exponent_at(a.extra, point))
        for a in run.setting.arrays
    }


def before_training(
    context: Context, output: Expr, optimizer: Optimizer, span: Span, table: Mapping[str, Solved]
) -> Run:
    """The sizes at initialisation alone, with rates of nearly zero: also where training would blow up."""
    frozen = {k: Solved(s.multiplier, s.deviation, number(FROZEN)) for k, s in table.items()}
    return read(context, output, optimizer, span, solved=frozen)


def with_maximal_rates(context: Context, output: Expr, optimizer: Optimizer) -> Optimizer:
    """Rates, decay and ε times what they are in the maximal update parametrisation."""
    return _times(context, maximal_update(context, output, optimizer, NOWHERE), optimizer)


def _times(context: Context, found: MaximalUpdate, optimizer: Optimizer) -> Optimizer:
    ratios = {row.array: _Ratio(row.lr, row.decay, row.eps) for row in found.rows}
    return _multiplied(optimizer, ratios, context.n)


def _multiplied(optimizer: Optimizer, ratios: Mapping[str, _Ratio], base: Expr) -> Optimizer:
    """Rates, decay and ε times powers of a base, by array."""
    def times(value: Expr, exponent: Fraction) -> Expr:
        found: Expr = value * power(base, exponent)
        return found

    return replace(
        optimizer,
        rates={k: times(optimizer.rate_of(k), r.rate) for k, r in ratios.items()},
        decays={k: times(d, r.decay) for k, r in ratios.items() if (d := optimizer.decay_of(k)) != 0},
        epsilons={k: times(e, r.eps) for k, r in ratios.items() if (e := optimizer.eps_of(k)) != 0},
    )


def power(base: Expr, exponent: Fraction) -> Expr:
    """base^exponent, exactly."""
    found: Expr = base ** Rational(exponent.numerator, exponent.denominator)
    return found


# --- a training -----------------------------------------------------------------------------------------


def as_meant(training: Training, span: Span) -> tuple[Training, Parametrization]:
    """The training as its file has it: under ``parametrization mup`` the rates are times the maximal ones.

    Raises:
        TpError: there is no maximal update parametrisation.
    """
    context, output = training.context, training.outputs[0]
    if context.parametrization != "mup":
        return training, AS_DECLARED
    table = exponents("mup", context, output, training.optimizer, span)
    run = read(context, output, training.optimizer, span, solved=table)
    optimizer = with_maximal_rates(context, output, training.optimizer)
    return replace(training, optimizer=optimizer), rescaled_arrays(run, table, exact_values(context))


def in_parametrization(training: Training, name: Name, base: int, span: Span) -> tuple[Training, Parametrization]:
    """The training in a parametrisation, powers of n in learning rates left out and put in anew.

    In ``mup`` rates go with the width as maximal update has it. In others they are the same at all widths: at width
    ``base`` the network learns as fast as in ``mup``. What the program writes out after a readout counts as part of
    its multiplier, so that outputs are of order one where the parametrisation has them so.

    Raises:
        TpError: ``bad-power-of-n``, a rate is no constant times a power of n; there is no maximal update.
    """
    context, output = training.context, training.outputs[0]
    plain = without_powers(context, training.optimizer)
    maximal = maximal_update(context, output, plain, span)
    point = exact_values(context)
    point = {**point, **maximal.values}
    if name == "mup":
        table = exponents("mup", context, output, plain, span)
        rescaled = rescaled_arrays(before_training(context, output, plain, span, table), table, point)
        return replace(training, optimizer=_times(context, maximal, plain)), rescaled
    table = exponents(name, context, output, plain, span)
    run = before_training(context, output, plain, span, table)
    if name in ORDER_ONE:
        table = _order_one(Scaling(run, plain), table, output, point)
        run = before_training(context, output, plain, span, table)
    rescaled = rescaled_arrays(run, table, point)
    optimizer = _matched(plain, maximal, rescaled, Integer(base))
    return replace(training, optimizer=optimizer), rescaled


def without_powers(context: Context, optimizer: Optimizer) -> Optimizer:
    """The constants in front of the powers of n."""
    def constant(value: Expr) -> Expr:
        parts = power_of(value, context.n)
        if parts is None:
            what = f"{written(value)} is not a constant times a power of {context.n}"
            raise fail("bad-power-of-n", what, expected="rates such as eta*n or eta/sqrt(n)")
        return parts[0]

    def constants(table: Mapping[str, Expr]) -> dict[str, Expr]:
        return {name: constant(value) for name, value in table.items()}

    return replace(
        optimizer, rate=constant(optimizer.rate), rates=constants(optimizer.rates), decay=constant(optimizer.decay),
        decays=constants(optimizer.decays), eps=constant(optimizer.eps), epsilons=constants(optimizer.epsilons),
    )


def _order_one(
    scaling: Scaling, table: Mapping[str, Solved], output: Expr, point: Point
) -> dict[str, Solved]:
    """Readouts take in powers of n that the program writes out after them."""
    size = scaling.init(output)
    setting = scaling.run.setting
    excess = Fraction(0) if size is None else exponent_at(size, point)
    readouts = {a.name for a in setting.arrays if role_of(setting.context, a) == "output"}
    return {
        name: replace(s, multiplier=s.multiplier - excess) if name in readouts else s for name, s in table.items()
    }


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Powers of the base width that bring rate, decay and ε of an array to another multiplier."""

    rate: Fraction
    decay: Fraction
    eps: Fraction


def _matched(
    plain: Optimizer, maximal: MaximalUpdate, rescaled: Parametrization, base: Expr
) -> Optimizer:
    """Rates with which arrays move at the base width as in maximal update."""
    twice = 2 if plain.rule == "sgd" else 1
    ratios = {}
    for row in maximal.rows:
        apart = row.multiplier - rescaled[row.array].multiplier
        ratios[row.array] = _Ratio(row.lr + twice * apart, row.decay - twice * apart, row.eps - apart)

    return _multiplied(plain, ratios, base)


__all__ = [
    "FROZEN", "as_meant", "before_training", "exact_values", "exponent_at", "in_parametrization", "refuse_missing",
    "rescaled_arrays", "with_maximal_rates", "without_powers",
]
