"""Figures of stable regions that a file asks for, and the coordinates that a user writes."""

from __future__ import annotations

from dataclasses import dataclass

from tpsym.errors import Span, fail
from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.translate import from_sympy
from tpsym.program.arithmetic import plain
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Region, Scalar, Theory, Value
from tpsym.results.exponent_sections import RegionSection, section
from tpsym.scaling.regimes import Scaling
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about scaling exponents; ``text`` as it is written."""

    text: str
    span: Span
    scaling: Scaling


def asked_region(question: tree.Derive, value: Theory | Region) -> Asked:
    """A question whose answer is the exponents of a network, or its stable region."""
    content = value.content()
    scaling: Scaling = content if isinstance(value, Theory) else content[0]
    return Asked(format_expression(question.value), question.span, scaling)


def drawn(question: Asked, *, x: Form | None = None, y: Form | None = None) -> RegionSection:
    """The section of the stable region in these coordinates; see :func:`tpsym.results.exponent_sections.section`."""
    return section(question.scaling, x=x, y=y, span=question.span)


def coordinate(model: Model, node: tree.Expr) -> Form:
    """An expression as a linear form in exponents.

    Raises:
        TpError: ``bad-option`` if it is none.
    """
    value: Value = plain(model.context, evaluate(model.context, node, model.context.scope), node.span)
    form = from_sympy(value.expr) if isinstance(value, Scalar) else None
    if not isinstance(form, Form) or not form.terms:
        raise fail("bad-option", f"{format_expression(node)} is no linear expression in the exponents", node.span,
                   expected="something like a[3] + b[3]")
    return form


__all__ = ["Asked", "asked_region", "coordinate", "drawn"]
