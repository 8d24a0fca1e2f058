"""Letters for the Gaussian variables of expectations, and the clauses that give their laws."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sympy import Basic, Expr, ImmutableDenseMatrix, Symbol

from tpsym.gauss.expectation import E

LETTERS = ("z", "zeta", "xi", "eta", "omega")


@dataclass(frozen=True, slots=True)
class Laws:
    """Which variables stand for which Gaussian law: one letter per covariance, ``z`` or ``z[1], z[2]``."""

    variables: Mapping[ImmutableDenseMatrix, tuple[Symbol, ...]]

    @classmethod
    def of(cls, *expressions: Basic) -> Laws:
        """The laws met in these expressions, outermost first; no letter is one they use otherwise."""
        taken: set[str] = set()
        covariances: dict[ImmutableDenseMatrix, None] = {}
        for expression in expressions:
            # a vector of the file named z appears inside symbols such as Z(z)
            taken |= {w for s in expression.free_symbols for w in re.findall(r"[^\W\d_]+", s.name)}
            covariances |= {e.covariance: None for e in expectations(expression)}
        letters = _letters(taken)
        return cls({c: _variables(next(letters), c.rows) for c in covariances})

    def body(self, expectation: E) -> Expr:
        """What stands inside the brackets, in the variables of this law."""
        names = self.variables.get(expectation.covariance, expectation.variables)
        return expectation.body.xreplace(dict(zip(expectation.variables, names, strict=True)))


def expectations(expression: Basic) -> Iterator[E]:
    """The expectations in an expression, outermost first, in the order in which they are read."""
    seen: set[Basic] = set()
    todo = [expression]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, E):
            yield node
        todo.extend(reversed(list(_children(node))))


def _children(node: Basic) -> Iterable[Basic]:
    return [*node.body.args, node.body, *node.covariance] if isinstance(node, E) else node.args


def _letters(taken: set[str]) -> Iterator[str]:
    free = [letter for letter in LETTERS if letter not in taken] or ["zeta"]
    yield from free
    count = 2
    while True:
        yield from (letter + "'" * (count - 1) for letter in free)
        count += 1


def _variables(letter: str, count: int) -> tuple[Symbol, ...]:
    if count == 1:
        return (Symbol(letter, real=True),)
    return tuple(Symbol(f"{letter}[{k}]", real=True) for k in range(1, count + 1))
