"""Whether training makes sense, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tpsym.errors import fail
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.trainable import Parametrization
from tpsym.transform.training import Training

SETTINGS: Mapping[str, frozenset[str]] = MappingProxyType({
    "sgd": frozenset({"momentum", "decay"}),
    "signsgd": frozenset({"decay"}),
    "adam": frozenset({"beta1", "beta2", "eps", "decay"}),
    "adagrad": frozenset({"eps"}),
    "adafactor": frozenset({"beta1", "beta2", "eps", "decay"}),
    "muon": frozenset({"momentum", "decay"}),
})
"""What each rule has besides its learning rate."""
PARAMETRIZATIONS = ("standard", "ntk")


def check_training(training: Training, labels: Sequence[str], rescaled: Parametrization) -> None:
    """Raise for what cannot be run; ``labels`` are those of what is to be observed.

    Raises:
        TpError: ``bad-option``, ``not-available``.
    """
    count = len(training.outputs)
    if not training.outputs or count != len(training.targets):
        what = f"{count} outputs and {len(training.targets)} targets"
        raise fail("bad-option", what, expected="one target for each training example, at least one")
    if training.steps < 0:
        raise fail("bad-option", f"{training.steps} is not a number of steps", expected="0 or more")
    for batch in training.batches:
        if not batch or not set(batch) <= set(range(count)):
            raise fail("bad-option", f"a batch of the examples {list(batch)}", expected=f"some of 0 to {count - 1}")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise fail("bad-option", f"two quantities are called {twice[0]}")
    declared = [t.name for t in training.context.trained if t.name not in rescaled]
    if declared and training.context.parametrization not in PARAMETRIZATIONS:
        raise fail("not-available", f"training with parametrization {training.context.parametrization}")
    _check_optimizer(training.optimizer)


def _check_optimizer(optimizer: Optimizer) -> None:
    given = {
        "momentum": optimizer.momentum, "beta1": optimizer.beta1, "beta2": optimizer.beta2,
        "eps": optimizer.eps, "decay": optimizer.decay,
    }
    wrong = [name for name, value in given.items() if value != 0 and name not in SETTINGS[optimizer.rule]]
    wrong += ["eps"] if optimizer.epsilons and "eps" not in SETTINGS[optimizer.rule] else []
    wrong += ["decay"] if optimizer.decays and "decay" not in SETTINGS[optimizer.rule] else []
    if wrong:
        raise fail("bad-option", f"{optimizer.rule} has no {wrong[0]}")
