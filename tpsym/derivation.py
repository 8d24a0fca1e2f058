"""What was done, rule by rule: the record every report is printed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sympy import Expr

from tpsym.errors import Span

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule and the theorem it comes from (``source`` resolves in ``references.bib``)."""

    name: str
    source: str
    locator: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a rule.

    ``before`` is what the rule was applied to and ``after`` what it gave, as an equation
    ``before = after``; ``span`` is the place in the file that asked for it; ``note`` says in words
    what a reader would otherwise have to reconstruct (an assumption, a condition of the theorem).
    """

    rule: Rule
    before: Expr
    after: Expr
    span: Span | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Derivation:
    """The steps that lead to ``result``, in the order in which they were needed."""

    steps: tuple[Step, ...]
    result: Expr


def rule(name: str, *, source: str, locator: str = "") -> Callable[[F], F]:
    """Tag a function as the implementation of a named rule: sets its ``rule`` attribute."""

    def tag(function: F) -> F:
        function.rule = Rule(name, source, locator)  # type: ignore[attr-defined]
        return function

    return tag
