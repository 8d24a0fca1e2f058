"""Which figures a file asks for: stable regions of networks and spectra of matrices, counted together."""

from __future__ import annotations

from collections.abc import Iterator

from tpsym.errors import TpError, fail
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Region, Theory, Value
from tpsym.results.exponent_plots import Asked, asked_region
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.results.spectrum_asked import study_of
from tpsym.results.spectrum_study import Draw, SpectrumStudy
from tpsym.syntax import tree

QUIET = ("not-available", "no-limit")
"""Mistakes of other questions that are told where they are answered."""


def figure_asked(
    model: Model, side: LimitQuestions, *, number: int | None = None, draw: Draw | None = None
) -> Asked | SpectrumStudy:
    """The question with a number among those that have figures, or the first one.

    Every question about a stable region is one; those about one spectrum are one together.

    Raises:
        TpError: ``no-figure`` if there is none.
    """
    found: list[tuple[tree.Derive, tree.Expr, Theory | Region]] = []
    for question, node, value in _with_figures(model, side):
        if not isinstance(value, Theory) or value.kind != "spectrum" or value.subject not in _subjects(found):
            found.append((question, node, value))
    if not found:
        raise fail("no-figure", "the file asks for nothing that has a figure",
                   expected="the spectrum of a matrix or the stable region of a network",
                   fix="derive spectrum(W @ W.T), or derive scaling(f, sgd(lr = n^(-c))).region")
    if number is not None and not 1 <= number <= len(found):
        raise fail("no-figure", f"there is no question {number} with a figure",
                   expected="1" if len(found) == 1 else f"1 to {len(found)}")
    question, node, value = found[(number or 1) - 1]
    if isinstance(value, Theory) and value.kind == "spectrum":
        try:
            return study_of(model, side, value, node, draw)
        except NoLimit as error:
            raise fail("no-limit", error.reason, error.span) from None
    return asked_region(question, value)


def _subjects(found: list[tuple[tree.Derive, tree.Expr, Theory | Region]]) -> list[object]:
    return [value.subject for _, _, value in found if isinstance(value, Theory) and value.kind == "spectrum"]


def _with_figures(model: Model, side: LimitQuestions) -> Iterator[tuple[tree.Derive, tree.Expr, Theory | Region]]:
    for question in model.questions:
        side.forget()
        owner = _owner(question.value)
        value = _value(model, owner) if owner is not None else None
        if isinstance(value, Theory) and value.kind == "spectrum":
            assert owner is not None
            yield question, owner, value
            continue
        value = _value(model, question.value)
        if isinstance(value, Region) or (isinstance(value, Theory) and value.kind in ("scaling", "spectrum")):
            yield question, question.value, value


def _owner(node: tree.Expr) -> tree.Expr | None:
    """What an attribute is asked of: ``S`` of ``S.support`` and ``S.density(t)``."""
    called = node.function if isinstance(node, tree.Call) else node
    return called.base if isinstance(called, tree.Attribute) else None


def _value(model: Model, node: tree.Expr) -> Value | None:
    try:
        return evaluate(model.context, node, model.context.scope)
    except NoLimit:
        return None
    except TpError as error:
        if error.diagnostics[0].code not in QUIET:
            raise
        return None


__all__ = ["figure_asked"]
