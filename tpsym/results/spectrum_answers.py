"""What ``derive spectrum(A)`` and ``derive law.support`` state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sympy import Expr, S, Symbol

from tpsym.errors import Span
from tpsym.program.values import Endpoints, Theory
from tpsym.results.answers import Answer
from tpsym.results.spectra import attribute, by_condition, cases

if TYPE_CHECKING:
    from tpsym.freeprob.spectrum import Spectrum
    from tpsym.results.questions import LimitQuestions

MOMENTS = 4
"""Moments that are stated."""
G, Z = Symbol("G", real=True), Symbol("z", real=True)


def spectrum_answers(side: LimitQuestions, value: Theory | Endpoints, text: str, span: Span) -> Iterator[Answer]:
    """The equation of the Cauchy transform, the endpoints of the support and the first moments.

    Raises:
        NoLimit: the law is not known.
    """
    if isinstance(value, Endpoints):
        yield from _endpoints(side, value, text, text.removesuffix(".support"), span)
        return
    law: Spectrum = value.content()
    equation: Expr = attribute(side, law, "equation", (G, Z), span)
    note = "; ".join(("G(z) = lim tr 1/(z - A)", *side.guesses))
    yield Answer(text, equation, S.Zero, (), (), span, note=note)
    yield from _endpoints(side, Endpoints(cases(attribute(side, law, "support", (), span))), text, text, span)
    for k in range(1, MOMENTS + 1):
        yield _stated(text, f"{text}.moment({k})", attribute(side, law, "moment", (k,), span), span, "")


def _endpoints(side: LimitQuestions, found: Endpoints, text: str, law: str, span: Span) -> Iterator[Answer]:
    longest = max((len(values) for _, values in found.cases), default=0)
    for k in range(longest):
        value = by_condition([(c, values[k]) for c, values in found.cases if len(values) > k])
        yield _stated(text, f"{law}.edge({k + 1})", value, span, "; ".join(side.guesses))


def _stated(text: str, name: str, value: Expr, span: Span, note: str) -> Answer:
    return Answer(text, Symbol(name), value, (), (), span, note=note)


__all__ = ["spectrum_answers"]
