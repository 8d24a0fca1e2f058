"""The cost of training in the limit: against wide networks, against a recursion of constant cost, and by steps.

Run with ``python tests/benchmarks/bench_training.py [SEEDS]``; printed, never asserted. What is counted is the
processor's time, everything from the parsed file on. SEEDS is how many networks of the large width are trained.
"""

from __future__ import annotations

import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import tpsym
from tpsym.results.training_curves import TrainingStudy
from tpsym.results.training_limits import Effort, Limit, particles
from tpsym.simulate.curves import curves
from tpsym.transform.unroll import unroll

Array = np.ndarray[Any, Any]
T = TypeVar("T")

WIDTH = 4096
STEPS = (10, 30, 100)
PARTICLES = (2**10, 2**12, 2**14)
UNROLLED = (1, 2, 4, 8)
LONG = 1000

POINTS = """width n
dim d = 3
input x: (3) = [1, 1/2, 1/4]
input y: (3) = [-1/2, 1, 3/10]
input z: (3) = [1/5, -7/10, 11/10]
input w: (3) = [9/10, 9/10, -3/5]
"""
DEEP = POINTS + """weight U: (n, d) ~ N(0, 1)
weight W: (n, n) ~ N(0, 1/n)
weight Y: (n, n) ~ N(0, 1/n)
weight v: (1, n) ~ N(0, 1/n^2)
def f(xi):
    return v @ tanh(Y @ tanh(W @ tanh(U @ xi)))
train F = f with sgd(lr = {U: n/2, W: 1/2, Y: 1/2, v: 1/(2*n)}), loss = mse, data = DATA, steps = 20
"""
LINEAR = POINTS + """param eta: positive
weight U: (n, d) ~ N(0, 1)
weight v: (1, n) ~ N(0, 1)
def f(xi):
    return v @ (U @ xi) / n
train F = f with sgd(lr = eta*n), loss = mse, data = DATA, steps = 2
"""
ONE = "[(x, 1)]"
FOUR = "[(x, 1), (y, -1), (z, 1/2), (w, 0)]"
INPUTS = np.array([[1, 0.5, 0.25], [-0.5, 1, 0.3], [0.2, -0.7, 1.1], [0.9, 0.9, -0.6]])
TARGETS = np.array([1, -1, 0.5, 0])


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """The processor seconds of some work, with what it gives."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def deep(steps: int) -> TrainingStudy:
    """Training of the network with three hidden layers."""
    return tpsym.parse(DEEP.replace("DATA", FOUR)).training("F", steps=steps)


def linear(data: str, eta: str, steps: int) -> TrainingStudy:
    """Training of the linear network."""
    return tpsym.parse(LINEAR.replace("DATA", data), settings={"eta": eta}).training("F", steps=steps)


def outputs(limit: Limit) -> Array:
    """By step and example."""
    return np.stack([s.mean for (kind, _), s in limit.series.items() if kind == "output"], axis=1)


def errors(limit: Limit) -> Array:
    """Those of the outputs, by step and example."""
    return np.stack([s.error for (kind, _), s in limit.series.items() if kind == "output"], axis=1)


# --- against wide networks -------------------------------------------------------------------------


def against_wide_networks(seeds: int) -> None:
    """How many networks of a large width have the error of the particles in their means, and what they cost.

    Means over networks also have a bias O(1/n), which more of them do not take away.
    """
    study = deep(20)
    ours, limit = timed(study.particles)
    error = np.sqrt(np.mean(errors(limit)[1:] ** 2))

    def networks() -> Array:
        task = study.setup()
        found = curves(task.meant, widths=[WIDTH], seeds=seeds, values={}, data=task.data)
        return np.stack([found.output(i, WIDTH).runs for i in range(4)], axis=-1)

    seconds, runs = timed(networks)
    spread = np.sqrt(np.mean(runs.var(axis=0, ddof=1)[1:]))
    needed = (spread / error) ** 2
    distance = np.sqrt(np.mean((runs.mean(axis=0) - outputs(limit))[1:] ** 2))
    theirs = needed * seconds / seeds
    print("three hidden layers of tanh, four points, 20 steps")
    print(f"  particles: {ours:7.2f} s, error {error:.1e} ({limit.note})")
    print(f"  width {WIDTH}: {seconds / seeds:6.2f} s a network, spread {spread:.1e}; the error takes {needed:.1f}")
    print(f"  ratio {theirs / ours:6.1f}   ({seeds} networks are {distance:.1e} from the limit)")


# --- a linear network, at constant cost ------------------------------------------------------------


def recursion(inputs: Array, targets: Array, eta: float, steps: int) -> Array:
    """Outputs of the linear network in the maximal update limit, by step and example.

    The random variables of its coordinates are combinations of those at initialisation, (U, v) = (A, b) Z with Z
    standard in one dimension more than the data have, and f(x) = xᵀA b. A step keeps that form: with G the mean of
    (f(x) - t) x over the examples, A ← A - η G bᵀ and b ← b - η AᵀG.
    """
    dimension = inputs.shape[1]
    first, last = np.eye(dimension, dimension + 1), np.eye(dimension + 1)[-1]
    found = [inputs @ first @ last]
    for _ in range(steps):
        gradient = (found[-1] - targets) @ inputs / len(targets)
        first, last = first - eta * np.outer(gradient, last), last - eta * first.T @ gradient
        found.append(inputs @ first @ last)
    return np.array(found)


def closed_forms(eta: float, square: float, target: float) -> Array:
    """f₀, f₁, f₂ of the linear network at its only example, of norm² ``square``."""
    rate = eta * square
    first = 2 * rate * target
    second = 2 * first * (rate - 1) * (2 * rate * (eta * target) ** 2 * square - rate * eta * target**2 - 1)
    return np.array([0.0, first, second])


def against_a_recursion() -> None:
    """Particles know such moments exactly, however few they are."""
    forms = closed_forms(0.3, float(INPUTS[0] @ INPUTS[0]), 1.0)
    peer = recursion(INPUTS[:1], TARGETS[:1], 0.3, 2)[:, 0]
    found = outputs(linear(ONE, "3/10", 2).particles(particles=64, replicates=2))[:, 0]
    print(f"a linear network, two steps: the closed forms are met by particles to {np.max(np.abs(found - forms)):.0e}"
          f" and by the recursion to {np.max(np.abs(peer - forms)):.0e}")
    theirs, expected = timed(lambda: recursion(INPUTS, TARGETS, 0.02, LONG))
    ways: dict[str, Callable[[], Limit]] = {
        "64 particles, 2 replicates": lambda: linear(FOUR, "1/50", LONG).particles(particles=64, replicates=2),
        "particles as usual": linear(FOUR, "1/50", LONG).particles,
    }
    print(f"  {LONG} steps, recursion: {theirs:6.3f} s")
    for name, way in ways.items():
        ours, limit = timed(way)
        off = np.max(np.abs(outputs(limit) - expected))
        print(f"  {LONG} steps, {name + ':':28} {ours:6.3f} s   ratio {ours / theirs:6.1f}   off by {off:.0e}")


# --- growth ----------------------------------------------------------------------------------------


def growth(sizes: tuple[int, ...], costs: list[float]) -> str:
    """Exponents between neighbours."""
    pairs = zip(zip(sizes, costs, strict=True), zip(sizes[1:], costs[1:], strict=False), strict=False)
    return ", ".join(f"{math.log(t / s) / math.log(b / a):.2f}" for (a, s), (b, t) in pairs)


def sampled(steps: int, count: int) -> float:
    """The seconds of a run on particles."""
    study = deep(steps)
    return timed(lambda: particles(study.setup(), Effort(count, 2)))[0]


def peak(steps: int, count: int) -> float:
    """The most memory it takes, in MiB."""
    tracemalloc.start()
    sampled(steps, count)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found / 2**20


def growth_of_particles() -> None:
    """Of time and memory with the number of steps and of particles."""
    sampled(1, 64)
    for what, unit, cost in (("time", "s", sampled), ("memory", "MiB", peak)):
        costs = [cost(steps, 2**12) for steps in STEPS]
        shown = "  ".join(f"{steps}: {found:6.2f}" for steps, found in zip(STEPS, costs, strict=True))
        print(f"particles, {what} ({unit}) by steps       {shown}   exponents {growth(STEPS, costs)}")
        costs = [cost(STEPS[0], count) for count in PARTICLES]
        shown = "  ".join(f"{count}: {found:6.2f}" for count, found in zip(PARTICLES, costs, strict=True))
        print(f"particles, {what} ({unit}) by particles   {shown}   exponents {growth(PARTICLES, costs)}")


def unrolled(steps: int) -> tuple[float, int]:
    """The seconds of unrolling a training, and how many nodes the program then has."""
    training = deep(steps).setup().training

    def work() -> None:
        longer = unroll(training, "G")
        for output in training.outputs:
            longer.value(output, steps)

    seconds, _ = timed(work)
    return seconds, len(training.context.builder.program())


def growth_of_the_program() -> None:
    """Of the unrolled program and its time; vectors grow like the number of steps, their moments like its square."""
    found = [unrolled(steps) for steps in UNROLLED]
    times, nodes = [t for t, _ in found], [float(k) for _, k in found]
    shown = "  ".join(f"{steps}: {k} in {t:.2f} s" for steps, (t, k) in zip(UNROLLED, found, strict=True))
    print(f"unrolled program, nodes by steps   {shown}")
    print(f"  exponents: nodes {growth(UNROLLED, nodes)}; time {growth(UNROLLED, times)}")


def main(seeds: int) -> None:
    against_a_recursion()
    growth_of_the_program()
    growth_of_particles()
    against_wide_networks(seeds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
