"""Training in the infinite-width limit, as numbers by step with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tpsym.simulate.payload import Array


@dataclass(frozen=True, slots=True)
class Curve:
    """Means by step with their standard errors, and how much they moved when the number of particles was doubled, as
    far as that is no noise: what is left of a bias that falls like its inverse."""

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
    """The curve of replicates, and of replicates with half the particles.

    From the square of the difference its own variance is subtracted, so that noise is not taken for a bias.
    """
    samples = np.array(full)
    mean, noise = samples.mean(axis=0), variance(samples)
    if not len(half):
        return Curve(mean, np.sqrt(noise), np.zeros_like(mean))
    difference = mean - np.array(half).mean(axis=0)
    excess = np.maximum(difference**2 - noise - variance(np.array(half)), 0.0)
    return Curve(mean, np.sqrt(noise), np.sign(difference) * np.sqrt(excess))


def variance(samples: Array) -> Array:
    """The variance of a mean, infinite for a single sample."""
    if len(samples) < 2:
        return np.full(samples.shape[1:], np.inf)
    found: Array = samples.var(axis=0, ddof=1) / len(samples)
    return found
