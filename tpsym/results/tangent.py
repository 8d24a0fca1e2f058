r"""Limits of tangent kernels: backpropagation as a program, then the Master Theorem on it."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import rule
from tpsym.limit.interpret import Limit
from tpsym.limit.rules import expectation_rule
from tpsym.limit.series import Grows, Series, SizeUnknown, add, larger
from tpsym.program.scope import Context
from tpsym.program.values import Scalar, VectorValue
from tpsym.transform.backward import Gradients, backward, pull_back
from tpsym.transform.tangent import Contribution, contributions

PROBE = "probe of gradients in "
"""How the vectors are named along which gradients of inner vectors are taken."""


@dataclass(frozen=True, slots=True)
class TangentLimit:
    r"""``n^exponent · Σ parts``: the limit of :math:`n^{-\text{exponent}}\,\Theta` and its summands by trained array.

    Arrays whose summand is of smaller order are left out.
    """

    exponent: Expr
    parts: tuple[tuple[str, Expr], ...]

    @property
    def value(self) -> Expr:
        """The kernel without its power of n."""
        return sp.Add(*(part for _, part in self.parts))


def gradients(context: Context, output: Scalar | VectorValue) -> Gradients:
    r"""The backward pass of a scalar, or of :math:`n^{-1/2} \sum_α p_α h_α` for a vector h and a fresh probe p.

    By independence of p the latter's tangent kernel is that of one coordinate of h.
    """
    if isinstance(output, Scalar):
        return backward(context, output.expr)
    node = context.materialize(output)
    probe = context.builder.vector(f"{PROBE}{output.dimension.name}", output.dimension, label="p")
    return pull_back(context, vectors={node: context.symbol(probe)}, scale=sp.sqrt(context.n))


def tangent_program(
    context: Context, first: Scalar | VectorValue, second: Scalar | VectorValue
) -> list[Contribution]:
    """⟨∇f, ∇g⟩ as scalars of the program, by trained array."""
    return contributions(context, gradients(context, first), gradients(context, second))


@rule("NTK", source="Yang2020TP2", locator="Equations 10-12, Corollary 7.3")
def tangent_limit(context: Context, limit: Limit, found: list[Contribution]) -> TangentLimit:
    r"""Θ = Σ_W Σ_{uses, uses'} E[Z^{dy} Z^{dy'}] E[Z^z Z^{z'}], weights as trained by the parametrisation.

    With ``mup`` the learning rate of each array carries the power of n that makes its summand of order one.
    """
    series = [limit.series(c.factor * c.inner) for c in found]
    if context.parametrization == "mup":
        leading = [(c.name, s.leading()[1]) for c, s in zip(found, series, strict=True) if s.terms]
        return TangentLimit(S.Zero, tuple(leading))
    total = add(series)
    top, _ = total.leading()
    return TangentLimit(top, tuple(
        (c.name, part) for c, s in zip(found, series, strict=True) if (part := _at(s, top)) != 0
    ))


def _at(series: Series, exponent: Expr) -> Expr:
    """The coefficient at an exponent.

    Raises:
        SizeUnknown: it is hidden by what is not known.
    """
    if series.error is not None and larger(series.error, exponent):
        raise SizeUnknown(f"a summand of the tangent kernel is only known up to o(n^({series.error}))")
    return series.terms.get(exponent, S.Zero)


def tell(limit: Limit, question: Symbol, found: list[Contribution], result: TangentLimit, node: int) -> None:
    """The steps from the kernel to its summands and to its value."""
    names = [Symbol(f"{question.name} by {name}", real=True) for name, _ in result.parts]
    for symbol, (name, part) in zip(names, result.parts, strict=True):
        limit.record(expectation_rule.rule, node, symbol, part, note=f"the uses of {name}")
    limit.record(tangent_limit.rule, node, question, sp.Add(*names))


__all__ = ["Grows", "TangentLimit", "gradients", "tangent_limit", "tangent_program", "tell"]
