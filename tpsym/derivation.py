"""What was done, rule by rule: the record every report is printed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

from sympy import Expr

from tpsym.errors import Span

P = ParamSpec("P")
T = TypeVar("T")


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


class Ruled(Generic[P, T]):
    """A function that implements a named rule: called as it is, with the ``rule`` as attribute."""

    def __init__(self, function: Callable[P, T], rule: Rule) -> None:
        self.function, self.rule = function, rule
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.function(*args, **kwargs)


def rule(name: str, *, source: str, locator: str = "") -> Callable[[Callable[P, T]], Ruled[P, T]]:
    """Tag a function as the implementation of a named rule: gives it a ``rule`` attribute."""

    def tag(function: Callable[P, T]) -> Ruled[P, T]:
        return Ruled(function, Rule(name, source, locator))

    return tag
