"""Which figures a file asks for: the stable regions of its questions, and the coordinates that a user writes."""

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
from tpsym.results.questions import LimitQuestions
from tpsym.scaling.regimes import Scaling
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about scaling exponents; ``text`` as it is written."""

    text: str
    span: Span
    scaling: Scaling


def asked(model: Model, side: LimitQuestions, *, number: int | None = None) -> Asked:
    """The question with a number among those that ask for scaling exponents, or the first one.

    Raises:
        TpError: ``no-figure`` if there is none.
    """
    found: list[tuple[tree.Derive, Theory | Region]] = []
    for question in model.questions:
        side.forget()
        value = evaluate(model.context, question.value, model.context.scope)
        if isinstance(value, Region) or (isinstance(value, Theory) and value.kind == "scaling"):
            found.append((question, value))
    if not found:
        raise fail("no-figure", "the file does not ask for the stable region of a network",
                   fix="derive scaling(f, sgd(lr = n^(-c))).region")
    if number is not None and not 1 <= number <= len(found):
        raise fail("no-figure", f"there is no question {number} with a figure", expected=f"1 to {len(found)}")
    question, value = found[(number or 1) - 1]
    return Asked(format_expression(question.value), question.span, _scaling(value))


def _scaling(value: Theory | Region) -> Scaling:
    content = value.content()
    scaling: Scaling = content if isinstance(value, Theory) else content[0]
    return scaling


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


__all__ = ["Asked", "asked", "coordinate", "drawn"]
