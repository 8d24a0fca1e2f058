"""A training without random matrices made ready for quadrature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sympy import Expr, S, Symbol

from tpsym.particles.grids_checks import hindrance, not_served
from tpsym.particles.grids_compile import Compiler, nodes_of
from tpsym.particles.grids_laws import Laws
from tpsym.particles.grids_recursion import Recursion
from tpsym.particles.plan import Functions, Setting, widths
from tpsym.particles.training import Observed
from tpsym.program.scope import Context
from tpsym.simulate.train_arrays import with_defaults
from tpsym.simulate.train_checks import check_training
from tpsym.simulate.train_data import data_points, data_values
from tpsym.transform.backward import backward
from tpsym.transform.trainable import AS_DECLARED, Parametrization, trainables
from tpsym.transform.training import Training


def compiled(
    training: Training, observed: Observed, *, values: Mapping[Symbol, float], data: Mapping[str, Sequence[float]],
    functions: Functions, rescaled: Parametrization = AS_DECLARED,
) -> Recursion:
    """The recursion of a training.

    Raises:
        TpError: ``no-quadrature`` for a network with random matrices or several widths, ``no-particle-limit`` for one
            whose limit is not deterministic, ``no-value``, ``bad-data``, ``not-numeric``.
    """
    check_training(training, [label for label, *_ in observed], rescaled)
    if (reason := hindrance(training, observed)) is not None:
        raise not_served(reason)
    context = training.context
    found = trainables(context, [backward(context, output) for output in training.outputs], rescaled=rescaled)
    needed = [*training.outputs, *(e for _, e, _ in observed)]
    behind = _ancestors(context, needed)
    kept = tuple(t for t in found if behind.intersection(nodes_of(t)))
    order = _ancestors(context, [*needed, *(u.left for t in kept for u in t.uses)])
    known = with_defaults(context, values)
    points = data_points(context, known, data)
    known |= data_values(context, points)
    sizes = {context.n.name: S.One, **widths(context.builder.program())}
    setting = Setting({s.name: v for s, v in known.items()}, sizes, functions)
    compiler = Compiler(training, observed, setting, points, kept, tuple(sorted(order)), Laws(context, setting))
    compiler.begin()
    return compiler.settle()


def _ancestors(context: Context, exprs: Sequence[Expr]) -> set[int]:
    nodes = {context.nodes[s] for e in exprs for s in e.free_symbols if s in context.nodes}
    return set(context.builder.program().ancestors(nodes))
