"""The random variables of a limit: Gaussian symbols, what they are called, how they covary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.program.graph import Program
from tpsym.program.instructions import MatMul, Matrix, Nonlin, Vector, vector_slot

MAX_LABEL = 48


def node_label(program: Program, node: int, *, depth: int = 3) -> str:
    """The name of a node in the file, or the expression that gave it where that is short."""
    known = program.labels.get(node)
    if known is not None:
        return known
    if depth == 0:
        return f"#{node}"
    text = f"#{node}"
    match program[node]:
        case MatMul(matrix=matrix, transposed=transposed, vector=vector):
            inner = node_label(program, vector, depth=depth - 1)
            text = f"{program.label(matrix)}{'.T' if transposed else ''} {inner}"
        case Nonlin(payload=payload, vectors=vectors, scalars=()):
            names = {vector_slot(i): Symbol(node_label(program, v, depth=depth - 1)) for i, v in enumerate(vectors)}
            text = str(payload.xreplace(names))
    return text if len(text) <= MAX_LABEL else f"#{node}"


def label_latex(label: str) -> str:
    """``h[2](x)`` as ``h_{2}(x)``, Greek spelled out, everything else escaped."""

    def name(match: re.Match[str]) -> str:
        word, index, prime = match.group(1), match.group(2), match.group(3) or ""
        head, _, tail = word.partition("_")
        base = sp.latex(Symbol(head)) if head else ""
        subs = [s for s in (tail and sp.latex(Symbol(tail)), index) if s]
        return base + prime + (f"_{{{','.join(subs)}}}" if subs else "")

    text = re.sub(r"([^\W\d]\w*)(?:\[([^\[\]]*)\])?('+)?", name, label.replace("#", ""))
    return text.replace(".T", r"^{\top}").replace("·", r"\,").replace("**", "^").replace("*", r"\,")


@dataclass(frozen=True, slots=True)
class Gaussian:
    """A Gaussian variable as a linear form in *raw* ones; a raw one (a hat, an initial vector) is itself."""

    symbol: Symbol
    form: Mapping[Symbol, Expr]


@dataclass(slots=True)
class Variables:
    """The Gaussian variables met so far, under unique readable names."""

    program: Program
    latex: dict[Symbol, str] = field(default_factory=dict)
    forms: dict[Symbol, Mapping[Symbol, Expr]] = field(default_factory=dict)
    owner: dict[Symbol, int] = field(default_factory=dict)
    names: dict[str, Symbol] = field(default_factory=dict)

    def name(self, text: str, latex: str, **assumptions: bool) -> Symbol:
        """A new symbol under this name, or one like it if the name is taken."""
        unique, count = text, 2
        while unique in self.names:
            unique, count = f"{text}#{count}", count + 1
        symbol = Symbol(unique, **(assumptions or {"real": True}))
        self.names[unique] = symbol
        self.latex[symbol] = latex
        return symbol

    def raw(self, node: int) -> Symbol:
        """The Gaussian of an initial vector (Z) or of a product (Ẑ)."""
        label = node_label(self.program, node)
        hat = isinstance(self.program[node], MatMul)
        text = f"Ẑ({label})" if hat else f"Z({label})"
        inner = label_latex(label)
        symbol = self.name(text, rf"\hat{{Z}}^{{{inner}}}" if hat else f"Z^{{{inner}}}")
        self.forms[symbol] = {symbol: S.One}
        self.owner[symbol] = node
        return symbol

    def combine(self, node: int, expr: Expr) -> Expr:
        """An affine expression in Gaussians as ``constant + one new Gaussian`` named after the node."""
        gaussians = [s for s in expr.free_symbols if s in self.forms]
        if not gaussians or expr in self.forms:
            return expr
        coefficients: dict[Symbol, Expr] = {}
        constant = expr.xreplace(dict.fromkeys(gaussians, S.Zero))
        for g in gaussians:
            slope = sp.diff(expr, g)
            if slope.free_symbols & self.forms.keys():
                return expr
            for raw, c in self.forms[g].items():
                coefficients[raw] = coefficients.get(raw, S.Zero) + slope * c
        label = node_label(self.program, node)
        inner = label_latex(label)
        symbol = self.name(f"Z({label})", f"Z^{{{inner}}}")
        self.forms[symbol] = {raw: c for raw, c in coefficients.items() if c != 0}
        self.owner[symbol] = node
        return constant + symbol

    def expand(self, expr: Expr) -> Expr:
        """An expression in raw Gaussians only."""
        forms = {
            s: sp.Add(*(c * raw for raw, c in self.forms[s].items()))
            for s in expr.free_symbols
            if s in self.forms and s not in self.forms[s]
        }
        return expr.xreplace(forms)


def family(program: Program, raw: int) -> tuple[object, ...]:
    """What a raw Gaussian is correlated within: a matrix in one orientation, or an initial family."""
    instruction = program[raw]
    if isinstance(instruction, MatMul):
        return ("matrix", instruction.matrix, instruction.transposed)
    assert isinstance(instruction, Vector)
    return ("initial", instruction.family)


def variance_factor(matrix: Matrix, *, transposed: bool) -> Expr:
    r"""σ_W² for ``W x``; ρ σ_W² for ``Wᵀ x`` with ρ = rows/columns (Yang, Tensor Programs III, App. F)."""
    ratio = matrix.rows.ratio / matrix.columns.ratio
    return ratio * matrix.variance if transposed else matrix.variance
