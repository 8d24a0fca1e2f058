"""Training in the kernel regime as numbers: mean and spread of outputs and the loss, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import special
from scipy.stats import qmc
from sympy import Expr

from tpsym.errors import fail
from tpsym.gauss.numeric import enclose_all
from tpsym.program.elaborate import Model
from tpsym.results.answers import needed
from tpsym.results.kernel_training import KernelTraining
from tpsym.results.numbers import settings
from tpsym.simulate.payload import compile_payload
from tpsym.transform.training import OUTPUT, TARGET, Loss

Array = NDArray[np.float64]
ROUNDING = 1e-13
"""What rounding is taken to add to a quantity of order one in one step."""
PROBES = 3


PATIENCE = 0.25
"""Seconds that the proof of one number may take; a curve does not need one."""


@dataclass(frozen=True)
class KernelNumbers:
    """Kernel and initial law at ``points``, the first of which are the training examples.

    ``kernel`` has a row for each point and a column for each training example; ``errors`` are the radii of the
    enclosures of kernel, mean and covariance.
    """

    points: tuple[Expr, ...]
    kernel: Array
    mean: Array
    covariance: Array
    targets: Array
    momentum: float
    errors: tuple[Array, Array, Array]
    rigorous: bool


@dataclass(frozen=True)
class KernelCurves:
    """Over initialisations, by step from 0 and by point: mean and standard deviation of the outputs, and the mean loss
    over the training examples by step. Errors are estimates."""

    labels: tuple[str, ...]
    mean: Array
    deviation: Array
    loss: Array
    mean_error: Array
    deviation_error: Array
    loss_error: Array


def kernel_numbers(
    kernel: KernelTraining, model: Model, points: Sequence[Expr], *, overrides: Mapping[str, Expr]
) -> KernelNumbers:
    """The numbers that training starts from, at the defaults of parameters and ``overrides``.

    Raises:
        TpError: ``no-value``, a parameter has none; ``no-digits``, a number could not be found.
        NoLimit: see :class:`KernelTraining`.
    """
    training, start = kernel.start.training, kernel.start
    outputs = training.outputs
    everything = (*outputs, *points)
    size, count = len(everything), len(outputs)
    entries = [kernel.kernel(x, y) for x in everything for y in outputs]
    entries += [start.mean(x) for x in everything]
    entries += [start.covariance(x, y) for x in everything for y in everything]
    entries += [*training.targets, training.optimizer.momentum]
    known = dict(needed(sp.Tuple(*entries), start.side.limit.definitions))
    values, exact = settings(model, [*entries, *known.values()], known, overrides)
    balls = enclose_all(entries, values, definitions=known | exact, bits=64, patience=PATIENCE)
    if not all(b.known for b in balls):
        raise fail("no-digits", "an entry of the kernel could not be computed", start.span)
    numbers = np.array([float(b.value.mid()) for b in balls])
    radii = np.array([float(b.value.rad()) for b in balls])
    ends = np.cumsum([size * count, size, size * size, count])
    parts, wrong = np.split(numbers, ends), np.split(radii, ends)
    shapes = ((size, count), (size,), (size, size))
    first, second, third = (w.reshape(s) for w, s in zip(wrong, shapes, strict=False))
    matrix, mean, covariance = (p.reshape(s) for p, s in zip(parts, shapes, strict=False))
    return KernelNumbers(everything, matrix, mean, covariance, parts[3], float(parts[4][0]), (first, second, third),
                         all(b.rigorous for b in balls))


def curves(
    kernel: KernelTraining, model: Model, points: Mapping[str, Expr], *, overrides: Mapping[str, Expr],
    steps: int | None = None, samples: int = 1024, replicates: int = 16, seed: int = 0,
) -> KernelCurves:
    """Training at its examples, called 1, 2, …, and at other ``points`` by name.

    Error signals that are linear in the output give the law exactly, up to rounding; others are averaged over
    ``replicates`` independent scrambled Sobol sets of ``samples`` draws of the initial outputs, or somewhat more.

    Raises:
        TpError, NoLimit: see :func:`kernel_numbers`.
    """
    found = kernel_numbers(kernel, model, tuple(points.values()), overrides=overrides)
    training = kernel.start.training
    count = len(training.outputs)
    length = training.steps if steps is None else steps
    batches = [tuple(training.batch(t)) for t in range(length)]
    labels = (*(str(i + 1) for i in range(count)), *points)
    loss = training.loss
    if sp.diff(loss.value, OUTPUT, 3) == 0:
        return _linear(found, loss, batches, labels)
    return _sampled(found, loss, batches, labels, samples=samples, replicates=replicates, seed=seed)


# --- error signals that are linear in the output -------------------------------------------------------


def _linear(
    found: KernelNumbers, loss: Loss, batches: Sequence[Sequence[int]], labels: tuple[str, ...]
) -> KernelCurves:
    best = _recursion(found, loss, batches)
    generator = np.random.default_rng(0)
    scale = ROUNDING * np.arange(1, len(batches) + 2)
    errors = [scale[:, None] * np.abs(b).max() for b in best[:2]] + [scale * np.abs(best[2]).max()]
    spread = [np.zeros_like(b) for b in best]
    for _ in range(PROBES):
        moved = [a + generator.choice([-1.0, 1.0], a.shape) * r for a, r in zip(
            (found.kernel, found.mean, found.covariance), found.errors, strict=True)]
        other = _recursion(replace(found, kernel=moved[0], mean=moved[1], covariance=moved[2]), loss, batches)
        spread = [np.maximum(s, np.abs(a - b)) for s, a, b in zip(spread, other, best, strict=True)]
    mean, variance, value = best
    off = [s + e for s, e in zip(spread, errors, strict=True)]
    deviation = np.sqrt(variance)
    width = np.minimum(np.sqrt(off[1]), off[1] / np.maximum(deviation, np.finfo(float).tiny))
    return KernelCurves(labels, mean, deviation, value, off[0], width, off[2])


def _recursion(found: KernelNumbers, loss: Loss, batches: Sequence[Sequence[int]]) -> tuple[Array, Array, Array]:
    """Mean and variance by step and point, and the mean loss by step."""
    count, size = len(found.targets), len(found.points)
    slope, constant, curvature = (
        np.broadcast_to(compile_payload(e, functions={})({TARGET.name: found.targets}), (count,))
        for e in (sp.diff(loss.signal, OUTPUT), loss.signal.xreplace({OUTPUT: sp.S.Zero}),
                  sp.diff(loss.value, OUTPUT, 2))
    )
    value = compile_payload(loss.value, functions={})
    # the last column is what acts on the number 1
    start = np.hstack([np.eye(size), np.zeros((size, 1))])
    state, moving = start.copy(), np.zeros((count, size + 1))
    means, variances, losses = [], [], []
    for t in range(len(batches) + 1):
        mean = state[:, :size] @ found.mean + state[:, size]
        variance = np.maximum(np.einsum("pi,ij,pj->p", state[:, :size], found.covariance, state[:, :size]), 0.0)
        means.append(mean)
        variances.append(variance)
        at_mean = value({OUTPUT.name: mean[:count], TARGET.name: found.targets})
        losses.append(float(np.mean(at_mean + curvature * variance[:count] / 2)))
        if t < len(batches):
            now = slope[:, None] * state[:count]
            now[:, size] += constant
            moving = found.momentum * moving + _share(batches[t], count)[:, None] * now
            state = state - found.kernel @ moving
    return np.array(means), np.array(variances), np.array(losses)


def _share(batch: Sequence[int], count: int) -> Array:
    """1[i ∈ B]/|B| by example."""
    return np.bincount(np.asarray(batch, dtype=int), minlength=count) / len(batch)


# --- any error signals ---------------------------------------------------------------------------------


def _sampled(
    found: KernelNumbers, loss: Loss, batches: Sequence[Sequence[int]], labels: tuple[str, ...], *,
    samples: int, replicates: int, seed: int,
) -> KernelCurves:
    runs = [_replicate(found, loss, batches, samples=samples, seed=seed + i) for i in range(replicates)]
    means, deviations, losses = (np.array([run[i] for run in runs]) for i in range(3))

    def off(values: Array) -> Array:
        error: Array = np.std(values, axis=0, ddof=1) / np.sqrt(replicates)
        return error + ROUNDING * len(batches) * np.abs(values).max()

    return KernelCurves(
        labels, means.mean(axis=0), deviations.mean(axis=0), losses.mean(axis=0),
        off(means), off(deviations), off(losses),
    )


def _replicate(
    found: KernelNumbers, loss: Loss, batches: Sequence[Sequence[int]], *, samples: int, seed: int
) -> tuple[Array, Array, Array]:
    """One scrambled set of initial outputs at the training examples; given these, other points are Gaussian with a
    mean that is linear in them and a variance that training does not change."""
    count = len(found.targets)
    own = found.covariance[:count, :count]
    eigenvalues, vectors = np.linalg.eigh(own)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    across = found.covariance[:, :count] @ np.linalg.pinv(own, rcond=1e-12, hermitian=True)
    rest = np.maximum(np.diag(found.covariance) - np.einsum("pi,pi->p", across, found.covariance[:, :count]), 0.0)
    rest[:count] = 0.0
    noise = np.zeros((1, count))
    if np.any(own):
        exponent = int(np.ceil(np.log2(max(samples, 4 * count))))
        uniform = qmc.Sobol(count, scramble=True, seed=seed).random_base2(exponent)
        noise = matched(special.ndtri(np.clip(uniform, 1e-16, 1 - 1e-16))) @ root.T
    state = found.mean + noise @ across.T
    signal, value = (compile_payload(e, functions={}) for e in (loss.signal, loss.value))
    moving = np.zeros((len(state), count))
    means, deviations, losses = [], [], []
    for t in range(len(batches) + 1):
        given = {OUTPUT.name: state[:, :count], TARGET.name: found.targets}
        means.append(state.mean(axis=0))
        deviations.append(np.sqrt(state.var(axis=0) + rest))
        losses.append(float(np.mean(value(given))))
        if t < len(batches):
            now = np.broadcast_to(signal(given), moving.shape)
            moving = found.momentum * moving + now * _share(batches[t], count)
            state = state - moving @ found.kernel.T
    return np.array(means), np.array(deviations), np.array(losses)


def matched(draws: Array) -> Array:
    """Standard Gaussian draws and their opposites, made to have a covariance that is the identity."""
    both = np.vstack([draws, -draws])
    factor = np.linalg.cholesky(both.T @ both / len(both))
    found: Array = np.linalg.solve(factor, both.T).T
    return found


__all__ = ["KernelCurves", "KernelNumbers", "curves", "kernel_numbers"]
