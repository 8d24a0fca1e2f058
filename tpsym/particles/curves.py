"""Training in the infinite-width limit, as numbers by step with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tpsym.simulate.payload import Array


@dataclass(frozen=True, slots=True)
class Curve:
    """Means by step with their standard errors, and how much they moved when the number of particles was doubled,
    which is what is left of a bias that falls like its inverse."""

    mean: Array
    stderr: Array
    bias: Array

    @property
    def error(self) -> Array:
        """The standard error with the bias."""
        found: Array = np.hypot(self.stderr, self.bias)
        return found


@dataclass(frozen=True, slots=True)
class ParticleCurves:
    """``outputs`` by step (0 is initialisation) and example; ``losses``, the mean over all examples, and ``values``
    of observed quantities by step. Of an observed vector it is the mean of squares. ``complete`` says that nothing
    was interrupted."""

    outputs: Curve
    losses: Curve
    values: Mapping[str, Curve]
    particles: int
    replicates: int
    complete: bool = True

    @property
    def steps(self) -> int:
        """How many updates there were."""
        return len(self.losses.mean) - 1


def curve(full: Sequence[Array], half: Sequence[Array]) -> Curve:
    """The curve of replicates, and of replicates with half the particles."""
    samples = np.array(full)
    mean = samples.mean(axis=0)
    stderr = samples.std(axis=0, ddof=1) / np.sqrt(len(samples)) if len(samples) > 1 else np.full_like(mean, np.inf)
    bias = mean - np.array(half).mean(axis=0) if len(half) else np.zeros_like(mean)
    return Curve(mean, stderr, bias)
