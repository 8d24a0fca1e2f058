"""From a network to what is read in sizes: its forward and backward pass, its arrays, where they act."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sympy import Expr

from tpsym.errors import Span, fail
from tpsym.program.instructions import Matrix
from tpsym.program.scope import Context
from tpsym.scaling.arrays import Scale, Solved, arrays_of, uses_of
from tpsym.scaling.cancelling import check_means
from tpsym.scaling.setting import Nonzero, Setting
from tpsym.scaling.sizes import Known
from tpsym.scaling.training import Run, trained
from tpsym.scaling.updates import Alignment, Rules
from tpsym.transform.backward import Gradients, backward
from tpsym.transform.optimizers import Optimizer


def read(
    context: Context,
    output: Expr,
    optimizer: Optimizer,
    span: Span,
    *,
    alignment: Alignment = "worst",
    solved: Mapping[str, Solved] | None = None,
    guide: Mapping[str, Fraction] | None = None,
    nonzero: Nonzero | None = None,
) -> Run:
    """The sizes of everything in a network with this output, before and in training.

    ``solved`` replaces the exponents of arrays by unknowns; with ``guide``, a point, every maximum is the form that
    attains it there. ``nonzero`` answers for means that may cancel: without it all are taken to be of the
    size of their terms, and at a guide they are left to the caller.

    Raises:
        TpError: there is nothing to train, an exponent is not linear in the parameters, the sizes do not close, or
            ``cancelling-mean``, see :func:`tpsym.scaling.cancelling.check_means`.
    """
    used = {context.nodes[s] for s in output.free_symbols if s in context.nodes}
    gradients = backward(context, output)
    scale = Scale(context.n)
    forward = [k for k in context.builder.program().ancestors(used) if not isinstance(context.builder[k], Matrix)]
    arrays = tuple(
        a for a in arrays_of(context, optimizer, scale, solved=solved) if uses_of(context, a, gradients)
    )
    if not arrays:
        raise fail("nothing-to-train", "the output does not depend on any trained array", span, fix="declare a weight")
    known = Known(room=8 + 2 * len(arrays), guide=guide)
    setting = Setting(
        context, scale, (output,), tuple(forward), _backward_only(context, gradients, frozenset(forward)), arrays,
        {a.name: uses_of(context, a, gradients) for a in arrays},
        Rules(optimizer.rule, scale.power(gradients.scale), alignment, known), nonzero=nonzero,
    )
    run = trained(setting, init_only=init_only(context, scale, solved), span=span)
    if guide is None and nonzero is not None:
        check_means(run, span)
    return run


def _backward_only(context: Context, gradients: Gradients, forward: frozenset[int]) -> tuple[int, ...]:
    adjoints = (*gradients.vectors.values(), *gradients.scalars.values())
    wanted = {context.nodes[s] for e in adjoints for s in e.free_symbols if s in context.nodes}
    ancestors = context.builder.program().ancestors(wanted)
    return tuple(k for k in ancestors if k not in forward and not isinstance(context.builder[k], Matrix))


def init_only(context: Context, scale: Scale, solved: Mapping[str, Solved] | None) -> frozenset[str]:
    """The parameters that are exponents of initial entries: equations are solved for these first."""
    if solved is not None:
        return frozenset().union(*(s.deviation.variables for s in solved.values()))
    return frozenset().union(*(scale.power(t.variance).variables for t in context.trained))
