"""Limits of training by quadrature: networks without n×n matrices, whose limit is an integral over few Gaussians."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from types import MappingProxyType

import numpy as np
from sympy import Symbol

from tpsym.errors import TpError, fail
from tpsym.particles.curves import Curve, ParticleCurves
from tpsym.particles.grids_checks import hindrance, not_served
from tpsym.particles.grids_paths import Book, trajectory
from tpsym.particles.grids_prepare import compiled
from tpsym.particles.grids_recursion import Recursion
from tpsym.particles.grids_rules import Panels, lattice, lattice_size
from tpsym.particles.plan import Functions
from tpsym.particles.training import Observed
from tpsym.simulate.payload import Array
from tpsym.transform.trainable import AS_DECLARED, Parametrization
from tpsym.transform.training import Training

SMOOTH_DIRECTIONS = 4
BENT_DIRECTIONS = 3
QUICK_DIRECTIONS = 2
"""Directions with kinks up to which quadrature is worth while: in one more it takes minutes."""
MAX_POINTS = 3_000_000
MAX_WORK = 2_000_000_000
"""Steps at points that kinks may cost: a point of step t costs t of them. Some minutes."""
SPACINGS = tuple(0.75 * 2 ** (-k / 2) for k in range(14))
"""Spacings of successive lattices."""
ROUNDING = 1e-14
"""Part of a value below which no difference is believed."""
NO_FUNCTIONS: Functions = MappingProxyType({})
NO_DATA: Mapping[str, Sequence[float]] = MappingProxyType({})
Progress = Callable[[int, int], None]


def quadrature_serves(
    training: Training, observed: Observed = (), *, values: Mapping[Symbol, float] | None = None,
    data: Mapping[str, Sequence[float]] = NO_DATA, functions: Functions = NO_FUNCTIONS,
    rescaled: Parametrization = AS_DECLARED,
) -> bool:
    """Whether the limit of a training is an integral over few Gaussians; with ``values``, how many is counted, and
    those that would take minutes are not."""
    if hindrance(training, observed) is not None:
        return False
    if values is None:
        return True
    try:
        recursion = compiled(training, observed, values=values, data=data, functions=functions, rescaled=rescaled)
    except TpError:
        return False
    return recursion.count <= (QUICK_DIRECTIONS if recursion.bent else SMOOTH_DIRECTIONS)


def quadrature_limit(
    training: Training, observed: Observed = (), *, values: Mapping[Symbol, float],
    data: Mapping[str, Sequence[float]] = NO_DATA, functions: Functions = NO_FUNCTIONS, tolerance: float = 1e-8,
    rescaled: Parametrization = AS_DECLARED, progress: Progress | None = None,
) -> ParticleCurves:
    """The limit of a training without n×n matrices, with errors of at most ``tolerance`` relative to 1 + value.

    The ``bias`` of a curve is the change from another, coarser rule; there are no particles and no standard error.
    ``observed`` are labels, expressions, and the dimension of a vector or ``None`` of a scalar; ``values`` and
    ``data`` as for :func:`~tpsym.simulate.training.train`. ``progress`` is told how many steps are done, and of
    how many, anew for each rule.

    Raises:
        TpError: ``no-quadrature`` where there are too many Gaussians, or the tolerance is not reached;
            ``no-particle-limit`` where the limit is not deterministic; as compiling the program.
    """
    recursion = compiled(training, observed, values=values, data=data, functions=functions, rescaled=rescaled)
    _check_count(recursion)
    follow = _bent if recursion.bent else _smooth
    return follow(recursion, tolerance, progress or _quiet)


def _check_count(recursion: Recursion) -> None:
    most = BENT_DIRECTIONS if recursion.bent else SMOOTH_DIRECTIONS
    if recursion.count > most:
        kind = "with kinks " if recursion.bent else ""
        raise not_served(f"a network {kind}in {recursion.count} Gaussian directions, more than {most}")


def _quiet(done: int, total: int) -> None:
    pass


def _smooth(recursion: Recursion, tolerance: float, progress: Progress) -> ParticleCurves:
    """Finer and finer lattices, until two agree."""
    coarse = None
    for spacing in SPACINGS:
        if recursion.count and lattice_size(recursion.count, spacing) > MAX_POINTS:
            break
        points, weights = lattice(recursion.count, spacing)
        fine = on_lattice(recursion, points, weights, progress)
        if coarse is not None:
            found = compared(coarse, fine)
            if accurate(found, tolerance):
                return found
        coarse = fine
    raise _unreached(tolerance)


def on_lattice(recursion: Recursion, points: Array, weights: Array, progress: Progress) -> Book:
    """Training with expectations as weighted sums."""
    book = Book()
    run = trajectory(recursion, points, book=book)
    try:
        columns = next(run)
        while True:
            columns = run.send(finite(weights @ columns))
            progress(len(book.losses), recursion.training.steps + 1)
    except StopIteration:
        return book


def _bent(recursion: Recursion, tolerance: float, progress: Progress) -> ParticleCurves:
    coarse = on_panels(recursion, Panels(frame(recursion), 8, tolerance / 30), progress)
    for more in (3e-3, 1e-5):
        fine = on_panels(recursion, Panels(frame(recursion), 11, tolerance * more, scan=61), progress)
        found = compared(coarse, fine)
        if accurate(found, tolerance):
            return found
        coarse = fine
    raise _unreached(tolerance)


def on_panels(recursion: Recursion, rule: Panels, progress: Progress) -> Book:
    """Training with expectations over panels: as their places depend on what was learned, all averages so far are
    kept and every new point is followed from the start."""
    book = Book()
    known: list[Array] = []
    spread = np.random.default_rng(0).standard_normal((257, recursion.count))
    main = trajectory(recursion, spread, book=book)
    work = 0

    def integrand(points: Array) -> tuple[Array, Array]:
        nonlocal work
        work += len(points) * (len(known) + 1)
        if work > MAX_WORK:
            raise not_served("the network has too many kinks")
        signs: list[Array] = []
        run = trajectory(recursion, points, signs=signs)
        columns = next(run)
        for averages in known:
            columns = run.send(averages)
        return columns, np.stack(signs, axis=1) if signs else np.zeros((len(points), 0))

    try:
        next(main)
        while True:
            known.append(finite(rule.average(integrand) if recursion.count else integrand(np.zeros((1, 0)))[0][0]))
            progress(len(book.losses) + 1, recursion.training.steps + 1)
            main.send(known[-1])
    except StopIteration:
        return book


def frame(recursion: Recursion) -> Array:
    """Orthonormal directions; the first crosses the places where inputs of the network vanish as straight as it can."""
    count = recursion.count
    normals = [
        array.loadings.T @ point for array in recursion.arrays for _, point in array.nodes
        if not array.scalar and len(array.nodes) + len(point) > 2
    ]
    normals = [v / np.linalg.norm(v) for v in normals if np.linalg.norm(v) > 0][:8]
    if count < 2 or not normals:
        return np.eye(count)
    sums = [np.sum([s * v for s, v in zip(signs, normals, strict=True)], axis=0)
            for signs in product((1, -1), repeat=len(normals))]
    sums = [v / np.linalg.norm(v) for v in sums if np.linalg.norm(v) > 1e-9]
    first = max(sums, key=lambda u: min(abs(float(u @ v)) for v in normals))
    rest, _ = np.linalg.qr(np.concatenate([first[:, None], np.eye(count)], axis=1))
    return np.asarray(rest.T[:count])


def compared(coarse: Book, fine: Book) -> ParticleCurves:
    """The finer of two results, with the differences as what is left of the error of the rule."""
    def curve(a: list[float] | list[list[float]], b: list[float] | list[list[float]]) -> Curve:
        found = np.array(b)
        gap = np.abs(np.array(a) - found) + ROUNDING * (1 + np.abs(found))
        return Curve(found, np.zeros_like(found), gap)

    values = {k: curve(coarse.values[k], v) for k, v in fine.values.items()}
    return ParticleCurves(curve(coarse.outputs, fine.outputs), curve(coarse.losses, fine.losses), values, 0, 1)


def accurate(found: ParticleCurves, tolerance: float) -> bool:
    """Whether all errors are within the tolerance."""
    curves = [found.outputs, found.losses, *found.values.values()]
    return all(bool(np.all(c.error <= tolerance * (1 + np.abs(c.mean)))) for c in curves)


def finite(averages: Array) -> Array:
    """Averages that are numbers.

    Raises:
        TpError: ``no-particle-limit`` for expectations that do not exist, or diverge in training.
    """
    if not np.all(np.isfinite(averages)):
        raise fail("no-particle-limit", "training diverges, or an expectation does not exist",
                   fix="choose a smaller learning rate")
    return averages


def _unreached(tolerance: float) -> TpError:
    return fail("no-quadrature", f"the tolerance {tolerance:g} is not reached by quadrature",
                fix="use particles, or a larger tolerance")
