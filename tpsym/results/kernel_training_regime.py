r"""Whether training is in the kernel regime, decided on exponents alone.

No feature moves, nothing blows up, and the two vectors of every outer product that matters change by less than they
are: then each array adds to the outputs through the inner products of its initial gradients, at every step.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from sympy import Expr

from tpsym.errors import Span, TpError, fail
from tpsym.polyhedra.conditions import Condition, Constant, all_of, compare
from tpsym.polyhedra.forms import number
from tpsym.program.scope import power_of
from tpsym.results.exponents import REFUSED, nonzero
from tpsym.results.reasons import NoLimit
from tpsym.scaling.arrays import Array
from tpsym.scaling.interpret import Pass
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.setup import read
from tpsym.transform.training import Training

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

Regime = Literal["kernel", "feature learning", "unstable", "undecided"]
WORDS = {
    "feature learning": "features move by order one, so that training learns features and its limit is no kernel's",
    "unstable": "training is not stable: a feature or the output blows up with the width",
    "undecided": "the exponents leave open whether training is in the kernel regime",
}


def regime(side: LimitQuestions, training: Training, span: Span) -> Regime:
    """Which limit training has, as far as the exponents of the file decide it.

    Training that moves nothing, features or outputs, counts as a kernel's: the kernel is zero.

    Raises:
        NoLimit: sizes do not close under training.
        TpError: exponents make no sense, see :func:`tpsym.scaling.setup.read`.
    """
    found = {_regime(scaling(side, training, e, span)) for e in dict.fromkeys(training.outputs)}
    order: tuple[Regime, ...] = ("unstable", "undecided", "feature learning", "kernel")
    return next((r for r in order if r in found), "undecided")


def _regime(found: Scaling) -> Regime:
    stable = truth(found.stable)
    still = truth(all_of(compare("<", f, number(0)) for f in found.feature_sizes))
    if stable is False:
        return "unstable"
    if stable is None or still is None:
        return "undecided"
    return "kernel" if still else "feature learning"


def truth(condition: Condition) -> bool | None:
    """What a condition without free parameters says, ``None`` if it has some."""
    return condition.value if isinstance(condition, Constant) else None


def scaling(side: LimitQuestions, training: Training, output: Expr, span: Span) -> Scaling:
    """The exponents of the network with this output, remembered.

    Raises:
        NoLimit: they do not close.
        TpError: they make no sense.
    """
    key = ("training", repr(training.optimizer), output)
    if key not in side.exponents:
        try:
            run = read(side.context, output, training.optimizer, span, nonzero=partial(nonzero, side.context))
        except TpError as error:
            if error.diagnostics[0].code not in REFUSED:
                raise
            raise NoLimit(error.diagnostics[0].message, span) from None
        side.exponents[key] = Scaling(run, training.optimizer)
    found: Scaling = side.exponents[key]
    return found


def check_kernel_regime(side: LimitQuestions, training: Training, output: Expr, span: Span) -> None:
    """Refuse a network that leaves its initial tangent kernel.

    Raises:
        NoLimit: features move, something blows up, a gradient that matters changes, or exponents leave it open.
        TpError: exponents make no sense.
    """
    found = scaling(side, training, output, span)
    where = _regime(found)
    if where != "kernel":
        raise NoLimit(WORDS[where], span)
    for array in found.run.setting.arrays:
        if _matters(found, array) and not _settled(found, array):
            raise NoLimit(f"the gradient by {array.name} changes by as much as it is, and with it the tangent kernel",
                          span)


def _matters(found: Scaling, array: Array) -> bool:
    """Whether ⟨∇f, ΔW⟩ of an array is perhaps not small, gradients taken as large as they become."""
    run = found.run
    for use in run.setting.uses[array.name]:
        later = Pass(run.setting, run.known, run.last.values).outer(use)
        forms = map(run.known.reduced, run.setting.rules.kernel(array, later, later))
        if truth(all_of(compare("<", f, number(0)) for f in forms)) is not True:
            return True
    return False


def _settled(found: Scaling, array: Array) -> bool:
    """Whether both vectors of every outer product in the gradient of an array change by less than they are."""
    context = found.run.setting.context
    vectors: list[Expr] = []
    for use in found.run.setting.uses[array.name]:
        vectors += [use.adjoint] if use.argument is None else [use.adjoint, context.symbol(use.argument)]
    for vector in vectors:
        change, start = found.update(vector), found.init(vector)
        if change is not None and (start is None or truth(compare("<", change, start)) is not True):
            return False
    return True


def check_rule(training: Training, span: Span) -> None:
    """Refuse by name what is not gradient descent with learning rates as declared.

    Raises:
        NoLimit: another rule, another parametrisation, weight decay that does not vanish with the width.
        TpError: outputs and targets do not match.
    """
    optimizer, context = training.optimizer, training.context
    if not training.outputs or len(training.outputs) != len(training.targets):
        what = f"{len(training.outputs)} outputs and {len(training.targets)} targets"
        raise fail("bad-option", what, span, expected="one target for each training example, at least one")
    if optimizer.rule != "sgd":
        raise NoLimit(f"kernel limits of {optimizer.rule} are not known here: its updates depend on the error signals "
                      "of a batch through a nonlinear operator, not through a kernel", span)
    if context.parametrization == "mup":
        raise NoLimit("parametrization mup sets learning rates of its own, with which features move", span)
    for array in context.trained:
        decay = optimizer.rate_of(array.name) * optimizer.decay_of(array.name)
        size = power_of(decay, context.n)
        if decay != 0 and (size is None or not size[1].is_negative):
            raise NoLimit(f"weight decay of {array.name} does not vanish with the width: initial arrays fade, and the "
                          "kernel with them", span)
