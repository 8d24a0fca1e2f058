"""Why there is no limit: the engine's refusals as one error at a place of the file."""

from __future__ import annotations

from sympy import Expr, Symbol

from tpsym.errors import Span
from tpsym.limit.series import Grows, SizeUnknown


class NoLimit(Exception):
    """A limit that does not exist or is not known; the message says why. Carries the place."""

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


class reasons:
    """Turns the engine's refusals into :class:`NoLimit` at a place."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from tpsym.gauss import DivergentExpectation

        if isinstance(error, SizeUnknown | Grows):
            raise NoLimit(str(error), self.span) from None
        if isinstance(error, DivergentExpectation):
            raise NoLimit(f"the expectation does not exist: {error}", self.span) from None


def stand_in(expr: Expr) -> Symbol:
    """A positive stand-in for a limit that is not computed."""
    return Symbol(f"$limit{abs(hash(expr))}", positive=True)
