"""Products of sums and traces as they are read: ``E[Tr((X + X.T)^4)]``, ``E[Σ (g^2 - 1)]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from sympy import Symbol

from tpsym.limit.variables import label_latex
from tpsym.program.labels import node_label
from tpsym.program.letters import MatrixLetter, SymmetricLetter
from tpsym.program.messages import written
from tpsym.results.exact_parts import Branch, Closed, Cycle, Key, Local
from tpsym.results.exact_terms import Expansion

LATEX: Mapping[str, str] = MappingProxyType({
    "Σ ": r"\textstyle\sum ", "diag": r"\operatorname{diag}", "Tr": r"\operatorname{Tr}",
})


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes factors as text, or as LaTeX where ``tex`` is set."""

    expansion: Expansion
    tex: bool = False

    def mean(self, key: Key) -> str:
        inner = self.product(key)
        return rf"\mathbb{{E}}\bigl[{inner}\bigr]" if self.tex else f"E[{inner}]"

    def product(self, key: Key) -> str:
        return self._joined([self.part(k) for k in key]) or "1"

    def part(self, number: int) -> str:
        part = self.expansion.parts[number]
        match part:
            case Local(expr=expr):
                program = self.expansion.context.builder.program()
                names = {s: Symbol(node_label(program, k)) for s, k in self.expansion.context.nodes.items()}
                text = written(expr.xreplace(names))
                text = label_latex(text) if self.tex else text
                return f"({text})" if expr.is_Add or expr.is_Mul or expr.is_Pow else text
            case Branch(letter=letter, inner=inner):
                return f"({self._joined([self.letter(letter), self.product(inner)])})"
            case Closed(inner=inner):
                return f"({self._sign('Σ ')}{self.product(inner)})"
            case Cycle(letters=letters, inner=inners):
                pieces: list[str] = []
                for each, key in zip(letters, inners, strict=True):
                    if key:
                        pieces.append(f"{self._sign('diag')}({self.product(key)})")
                    pieces.append(self.letter(each))
                return f"{self._sign('Tr')}({self._joined(pieces)})"

    def _sign(self, text: str) -> str:
        return LATEX[text] if self.tex else text

    def letter(self, letter: MatrixLetter | SymmetricLetter) -> str:
        label = self.expansion.context.builder.labels.get(letter.node, f"#{letter.node}")
        plain, transposed = (label_latex(label), label_latex(label) + r"^{\top}") if self.tex else (label, f"{label}.T")
        if isinstance(letter, SymmetricLetter):
            return f"({plain} + {transposed})"
        return transposed if letter.transposed else plain

    def _joined(self, pieces: Sequence[str]) -> str:
        """Repetitions as powers."""
        found = []
        for piece, group in groupby(pieces):
            count = len(list(group))
            whole = piece if piece.endswith(")") or "^" not in piece else f"({piece})"
            power = f"^{{{count}}}" if self.tex else f"^{count}"
            found.append(piece if count == 1 else whole + power)
        return (r"\, " if self.tex else " ").join(found)


def name(expansion: Expansion, key: Key) -> str:
    """The mean of a product, as text."""
    return Writer(expansion).mean(key)


def latex_name(expansion: Expansion, key: Key) -> str:
    """The same as LaTeX."""
    return Writer(expansion, tex=True).mean(key)
